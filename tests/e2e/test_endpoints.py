# SPDX-License-Identifier: Apache-2.0
"""endpoints/find: which systems a person can reach, in which form, and how many of them."""

import pytest

from harness import eventually, session
from stack import LIST, Stack, problem

MEMBERS = ["endpoint_id", "name", "hostname", "ip_address", "port", "method", "comments", "network_id"]


@pytest.fixture(scope="module", name="shared")
def _shared():
    """A stack of its own: here the whole of what a person can reach is looked at."""
    with Stack({"gateway": {"list_cache": "0s", "catalogue_cache": "0s", "catalogue_max_age": "0s"}}) as stack:
        for name in ("web01", "web02", "db-web", "lin-a", "lin-b"):
            stack.account(box=stack.system(name))
        stack.account("x", box=stack.system("of-bob"), dedicated_user=42)
        stack.directory_account(stack.system("linked-only"))
        stack.account("oracle", box=stack.system("database-only", database=True))
        yield stack


REACHED = ["db-web", "lin-a", "lin-b", "linked-only", "web01", "web02"]


def found(stack, members=None, user="ann", **jump_item):
    answer = stack.gateway.endpoints(session(user, **jump_item), members)
    assert answer.status == 200, answer.body
    return answer.json


def names(answer):
    return [row["name"] for row in answer["endpoints"]]


def test_members_and_their_order(stack):
    answer = stack.gateway.endpoints(session("ann"), {"types": ["shell"], "query": "web01", "recent": None})
    assert list(answer.json) == ["endpoints", "truncated", "age_ms", "partial"]
    assert answer.json["truncated"] is False and answer.json["age_ms"] == 0
    (row,) = answer.json["endpoints"]
    assert list(row) == MEMBERS
    assert (row["name"], row["hostname"], row["port"], row["method"]) == ("web01", "web01", 22, "shell")
    assert row["endpoint_id"] and isinstance(row["comments"], str)


def test_systems_with_a_requestable_account_only(stack):
    assert sorted(names(found(stack, {"types": ["shell"]}))) == REACHED
    assert sorted(names(found(stack, {"types": ["shell"]}, user="bob"))) == sorted([*REACHED, "of-bob"])
    assert names(found(stack, {"types": ["shell"]}, user="guest")) == []


@pytest.mark.parametrize("types, methods", [
    (["rdp"], ["rdp"]), (["shell"], ["shell"]), (["rdp", "shell"], ["rdp", "shell"]),
    ([], ["rdp", "shell"]), (None, ["rdp", "shell"]), (["web"], []), (["web", "rdp"], ["rdp"]),
])
def test_types(stack, types, methods):
    rows = found(stack, {"types": types, "query": "lin-a"})["endpoints"]
    assert sorted(row["method"] for row in rows) == methods
    assert {row["method"]: row["port"] for row in rows} == {m: {"rdp": 3389, "shell": 22}[m] for m in methods}
    assert len({row["endpoint_id"] for row in rows}) == len(rows)


def test_absent_members_are_as_null(stack):
    assert found(stack) == found(stack, {"types": None, "query": None, "recent": None})


@pytest.mark.parametrize("query, expected", [
    ("web01", ["web01"]), ("WEB", ["web01", "web02", "db-web"]), ("lin-", ["lin-a", "lin-b"]),
    ("web 02", ["web02"]), ("zzz", []), ("%", []), ("'", []), ("ä", []), ("", None),
])
def test_query(stack, query, expected):
    rows = names(found(stack, {"types": ["shell"], "query": query}))
    assert rows == expected if expected is not None else sorted(rows) == REACHED


def test_order_is_stable(stack):
    assert names(found(stack)) == names(found(stack))


def test_recent(stack):
    one = stack.account(box=stack.system("recent-1"))
    two = stack.account(box=stack.system("recent-2"))
    for box in (two, one):
        assert stack.checkout(stack.session("carol", box)).status == 200
    first = found(stack, {"types": ["shell"], "recent": 10}, user="carol")
    assert names(first) == ["recent-1", "recent-2"] and first["truncated"] is False
    cut = found(stack, {"types": ["shell"], "recent": 1}, user="carol")
    assert names(cut) == ["recent-1"] and cut["truncated"] is True
    for box in (one, two):
        stack.vault.change("accounts", id=box.account, api_enabled=False)


def test_endpoint_limit_and_cache():
    with Stack({"gateway": {"endpoint_limit": "5", "catalogue_cache": "1m"}}) as stack:
        stack.vault.scenario({
            "systems": [{"id": 30000 + i, "name": f"many{i:04}"} for i in range(1500)],
            "accounts": [{"id": 40000 + i, "system": 30000 + i, "name": "root", "rules": ["auto"]}
                         for i in range(1500)]})
        answer = found(stack, {"types": ["shell"]})
        assert len(answer["endpoints"]) == 5 and answer["truncated"] is True
        calls = stack.vault.calls(LIST)
        last = found(stack, {"types": ["shell"], "query": "many1499"})
        assert names(last) == ["many1499"] and last["truncated"] is False
        again = eventually(lambda: [a for a in [found(stack, {"types": ["shell"], "query": "many1498"})]
                                    if a["age_ms"] > 0])[0]
        assert names(again) == ["many1498"]
        assert stack.vault.calls(LIST) == calls
        assert len(found(stack, {"query": "many0001"})["endpoints"]) == 2  # rdp and shell
        assert names(found(stack, {"types": ["shell"], "query": "many0001"}, user="guest")) == []
        stack.sweep()


def test_catalogue_that_is_never_kept(stack):
    before = names(found(stack, {"types": ["shell"]}))
    box = stack.account(box=stack.system("newcomer"))
    assert sorted(names(found(stack, {"types": ["shell"]}))) == sorted([*before, "newcomer"])
    stack.vault.change("accounts", id=box.account, api_enabled=False)
    assert names(found(stack, {"types": ["shell"]})) == before


@pytest.mark.parametrize("members", [
    {"types": "rdp"}, {"types": [5]}, {"types": ["RDP"]}, {"types": ["telnet"]}, {"types": {}}, {"types": [None]},
    {"query": 5}, {"query": ["web"]}, {"recent": 0}, {"recent": -1}, {"recent": "5"}, {"recent": 1.5},
    {"recent": True},
])
def test_members_of_a_wrong_kind(stack, members):
    problem(stack.gateway.endpoints(session("ann"), members), 400, "invalid_request")


def test_vault_fails(stack):
    stack.vault.fault("html500", call=LIST)
    problem(stack.gateway.endpoints(session("ann")), 502, "vault_error")
    stack.vault.clear_faults()
    problem(stack.gateway.endpoints(session("outsider")), 502, "vault_refused_user")
