# SPDX-License-Identifier: Apache-2.0
"""GET /v1/explain/{request_id}: each cause of an empty list can be read from it, and nothing secret."""

import pytest

from harness import API_KEY, TOKEN, session, token_hash
from stack import LIST, Stack, problem

MEMBERS = ["request_id", "operation", "at", "outcome", "detail", "rows", "took_ms", "username", "domain", "session",
           "users", "names", "sections", "calls", "filters", "partial", "pending", "cache", "likely",
           "cut"]
OBSERVER = "token-of-an-observer"


def explain(stack, request_id, **more):
    answer = stack.gateway.call("GET", f"/v1/explain/{request_id}", **more)
    assert answer.status == 200, answer.body
    text = answer.body.decode()
    for secret in (API_KEY, TOKEN, "ASP.NET_SessionId", "PS-Auth", "Bearer"):
        assert secret not in text
    record = answer.json
    assert list(record) == MEMBERS and record["request_id"] == request_id
    for call in record["calls"]:
        assert call["source"] in ("vault", "cache", "shared", "map")
        assert call["took_ms"] >= 0 and call["age_ms"] >= 0
    return record


def find(stack, asked, request_id, status=200):
    answer = stack.gateway.find(asked, headers={"X-Request-Id": request_id})
    assert answer.status == status, answer.body
    return answer.json["credentials"] if status == 200 else answer


@pytest.fixture(name="stack", scope="module")
def _stack():
    sections = {"gateway": {"list_cache": "60s"}, "vault main": {"call_timeout": "2s", "retries": 0},
                "client looker": {"token_sha256": token_hash(OBSERVER), "allow": "observe broker"}}
    with Stack(sections) as stack:
        yield stack


def test_what_was_found(stack):
    box = stack.account("root", description="for emergencies")
    stack.directory_account(box, name="svc")
    rows = find(stack, stack.session("ann", hostname=f"{box.name}.corp.test"), "found-1")
    assert len(rows) == 2
    record = explain(stack, "found-1")
    assert (record["operation"], record["outcome"], record["rows"]) == ("credentials/find", "ok", 2)
    assert (record["username"], record["domain"]) == ("ann", "CORP")
    assert record["users"] == [{"vault": "main", "user": "CORP\\ann", "outcome": "accepted", "detail": None}]
    assert [(n["form"], n["value"]) for n in record["names"]] == [
        ("hostname", f"{box.name}.corp.test"), ("short_name", box.name)]
    hits = [(c["form"], c["kind"], c["rows"]) for c in record["calls"] if c["rows"]]
    assert sorted(hits) == [("short_name", "domain_linked", 1), ("short_name", "local", 1)]
    assert {c["result"] for c in record["calls"]} == {"ok"} and {c["status"] for c in record["calls"]} == {200}
    assert record["cache"] == {"age_ms": 0, "from_vault": len(record["calls"]), "from_cache": 0, "shared": 0}
    assert record["filters"][0]["filter"] == "duplicates" and record["filters"][0]["left"] == 2
    assert record["likely"] == []


def test_age_of_the_cache(stack):
    asked = stack.session("ann", stack.account())
    find(stack, asked, "cache-1")
    find(stack, asked, "cache-2")
    record = explain(stack, "cache-2")
    assert record["cache"]["from_vault"] == 0 and record["cache"]["from_cache"] == len(record["calls"]) > 0
    assert {c["status"] for c in record["calls"]} == {None}


def test_rows_of_several_questions_are_counted_once(stack):
    box = stack.system(ip="10.77.0.1")
    stack.account(box=box)
    rows = find(stack, stack.session("ann", box, ip_address="10.77.0.1"), "twice")
    record = explain(stack, "twice")
    assert len(rows) == 1 and record["filters"][0]["removed"] == 1


# ---- the causes of an empty list ----

def test_unmapped_user(stack):
    find(stack, session("ann", None, hostname="web01"), "unmapped", 502)
    record = explain(stack, "unmapped")
    assert record["outcome"] == "vault_refused_user" and record["calls"] == []
    assert record["users"][0]["outcome"] == "no_rule" and record["users"][0]["user"] is None
    assert "default_domain" in record["users"][0]["detail"] and "default_domain" in record["likely"][0]


def test_user_that_the_vault_refuses(stack):
    find(stack, session("outsider", hostname="web01"), "refused", 502)
    record = explain(stack, "refused")
    assert (record["users"][0]["user"], record["users"][0]["outcome"]) == ("CORP\\outsider", "refused")
    assert "requesters group" in record["users"][0]["detail"]
    assert record["calls"][0]["result"] == "refused" and "refused the sign-in" in record["likely"][0]


@pytest.mark.parametrize("cause", ["role", "flag", "name"])
def test_nothing_listed(stack, cause):
    box = stack.account(api_enabled=cause != "flag")
    user, host = "guest" if cause == "role" else "ann", "elsewhere" if cause == "name" else box.name
    assert find(stack, stack.session(user, hostname=host), f"empty-{cause}") == []
    record = explain(stack, f"empty-{cause}")
    assert record["outcome"] == "ok" and record["rows"] == 0
    assert record["users"][0]["outcome"] == "accepted"
    assert record["names"][0]["value"] == host and {c["rows"] for c in record["calls"]} == {0}
    likely = " ".join(record["likely"])
    for words in ("another name", "not enabled for API access", "Requestor role", "jumpgate doctor"):
        assert words in likely


def test_vault_error(stack):
    box = stack.account()
    stack.vault.fault("html500", call=LIST)
    find(stack, stack.session("ann", box), "broken", 502)
    stack.vault.clear_faults()
    record = explain(stack, "broken")
    assert record["outcome"] == "vault_error" and record["users"][0]["outcome"] == "failed"
    assert (record["calls"][0]["result"], record["calls"][0]["status"]) == ("vault_error", 500)
    assert record["likely"] == [record["detail"]]


def test_hidden_accounts():
    with Stack({"vault main": {"hide": "ro*"}}) as stack:
        box = stack.account("root")
        assert find(stack, stack.session("ann", box), "hidden") == []
        record = explain(stack, "hidden")
        assert record["filters"][0]["filter"] == "hide"
        assert (record["filters"][0]["removed"], record["filters"][0]["left"]) == (1, 0)
        assert record["likely"] == ["the vault listed accounts, but all were removed here: see `filters`"]


def test_a_request_that_waits_for_its_approver():
    with Stack({"vault main": {"approval_wait": "1h"}}) as stack:
        box = stack.account("root", rule="approval")
        asked = stack.session("ann", box)
        find(stack, asked, "waits-1")
        assert explain(stack, "waits-1")["pending"] == []
        refused = problem(stack.checkout(asked), 409, "approval_pending")
        pending, = explain(stack, "waits-1")["pending"]
        assert pending["state"] == "pending" and pending["request_id"] == refused["vault"]["request_id"]
        assert (pending["system"], pending["account"]) == (box.name, "root")
        find(stack, stack.session("bob", box), "waits-2")
        assert explain(stack, "waits-2")["pending"] == []


# ---- endpoints ----

def test_endpoints(stack):
    box = stack.account()
    answer = stack.gateway.endpoints(stack.session("ann"), {"types": ["rdp"], "query": box.name},
                                     headers={"X-Request-Id": "search-1"})
    assert len(answer.json["endpoints"]) == 1
    record = explain(stack, "search-1")
    assert (record["operation"], record["rows"]) == ("endpoints/find", 1)
    assert record["users"][0]["outcome"] == "accepted"


# ---- who may ask, and what is not there ----

def test_unknown_and_forbidden(stack):
    problem(stack.gateway.call("GET", "/v1/explain/never-heard-of"), 404, "not_found")
    problem(stack.gateway.call("GET", "/v1/explain/found-1", token=OBSERVER), 403, "forbidden")
    problem(stack.gateway.call("GET", "/v1/explain/found-1", token=None), 401, "unauthenticated")
    problem(stack.gateway.call("POST", "/v1/explain/found-1", {}), 405, "method_not_allowed")


def test_the_log_line_of_a_find_can_be_joined(stack):
    find(stack, stack.session("ann", hostname="joined"), "join-me")
    assert any("find" in line and "request_id=join-me" in line and "credentials=0" in line
               for line in stack.gateway.err.lines)


def test_turned_off_and_bounded():
    with Stack({"gateway": {"explain_entries": "0"}}) as off:
        find(off, off.session("ann", hostname="x"), "off-1")
        problem(off.gateway.call("GET", "/v1/explain/off-1"), 404, "not_found")
    with Stack({"gateway": {"explain_entries": "2"}}) as few:
        for i in range(3):
            find(few, few.session("ann", hostname="x"), f"few-{i}")
        problem(few.gateway.call("GET", "/v1/explain/few-0"), 404, "not_found")
        explain(few, "few-1")
        explain(few, "few-2")
