# SPDX-License-Identifier: Apache-2.0
"""credentials/find: what is found, under which names, in which order, at which cost to the vault."""

import threading

import pytest

from harness import Gateway, eventually, session
from stack import LIST, SIGN_IN, Stack, problem, took

MEMBERS = ["credential_id", "display_value", "kind", "account", "domain", "system", "description", "secret_type"]


def found(stack, asked):
    answer = stack.gateway.find(asked)
    assert answer.status == 200, answer.body
    return answer.json["credentials"]


def names(rows):
    return [(row["system"], row["account"]) for row in rows]


def together(n, call):
    """n calls at the same time; their results."""
    results = [None] * n
    gate = threading.Barrier(n)

    def one(i):
        gate.wait()
        results[i] = call()
    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# ---- the answer ----

def test_members_and_their_order(stack):
    box = stack.account("root", description="for emergencies")
    answer = stack.gateway.find(stack.session("ann", box))
    assert list(answer.json) == ["credentials", "request_id", "age_ms", "partial"]
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    assert answer.json["age_ms"] == 0
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    (row,) = answer.json["credentials"]
    assert list(row) == MEMBERS
    assert (row["kind"], row["account"], row["domain"], row["system"]) == ("local", "root", None, box.name)
    assert row["description"] == "for emergencies"
    assert "root" in row["display_value"]
    assert row["secret_type"] in ("password", "ssh_key", "unknown")
    assert 1 <= len(row["credential_id"]) <= 256


def test_every_kind_of_account(stack):
    box = stack.account("root")
    stack.directory_account(box, name="svc")
    (local, linked) = found(stack, stack.session("ann", box))
    assert (local["kind"], local["domain"]) == ("local", None)
    assert (linked["kind"], linked["account"], linked["domain"]) == ("domain_linked", "svc", "corp.test")
    assert linked["system"] == box.name and linked["display_value"].startswith("corp.test\\svc")

    database = stack.account("oracle", box=stack.system(database=True, instance="ORCL"))
    (row,) = found(stack, stack.session("ann", database))
    assert (row["kind"], row["account"]) == ("database", "oracle")

    keyed = stack.account("deploy", password=None, key=True)
    (row,) = found(stack, stack.session("ann", keyed))
    assert (row["kind"], row["account"]) == ("local", "deploy")


def test_application_account_by_its_display_name(stack):
    box = stack.account("web-admin", application="Ledger & Co", application_id=500)
    asked = stack.session("ann", method="web", application="Ledger & Co")
    (row,) = found(stack, asked)
    assert (row["kind"], row["account"], row["system"]) == ("application", "web-admin", box.name)
    assert found(stack, stack.session("ann", application="Nothing such")) == []


def test_empty_list_is_a_success(stack):
    answer = stack.gateway.find(stack.session("ann", hostname="nowhere"))
    assert answer.status == 200 and answer.json["credentials"] == []


def test_user_without_role_finds_nothing(stack):
    box = stack.account()
    assert found(stack, stack.session("guest", box)) == []
    assert found(stack, stack.session("carol", stack.account(rule="approval"))) == []


def test_accounts_that_may_not_be_requested_are_missing(stack):
    box = stack.account("root")
    stack.account("no-api", box=box, api_enabled=False)
    stack.account("bobs", box=box, dedicated_user=42)
    assert names(found(stack, stack.session("ann", box))) == [(box.name, "root")]
    assert [row["account"] for row in found(stack, stack.session("bob", box))] == ["bobs", "root"]


# ---- order ----

def test_order_exact_host_then_kind_then_display_value(stack):
    near = stack.account("zed", box=stack.system("zulu", ip="10.9.0.1"))
    stack.account("abe", box=near)
    stack.directory_account(near, name="adm")
    other = stack.account("abe", box=stack.system("alpha", ip="10.9.0.1"))
    rows = found(stack, stack.session("ann", hostname="ZULU", ip_address="10.9.0.1"))
    assert [(row["system"], row["account"], row["kind"]) for row in rows] == [
        ("zulu", "abe", "local"), ("zulu", "zed", "local"), ("zulu", "adm", "domain_linked"),
        (other.name, "abe", "local")]
    again = found(stack, stack.session("bob", hostname="zulu", ip_address="10.9.0.1"))
    assert again == rows


def test_without_an_exact_match_all_stand_equal(stack):
    first = stack.account("b", box=stack.system("mike", ip="10.9.0.2"))
    stack.account("a", box=stack.system("lima", ip="10.9.0.2"))
    stack.directory_account(first, name="adm")
    rows = found(stack, stack.session("ann", ip_address="10.9.0.2"))
    assert [row["kind"] for row in rows] == ["local", "local", "domain_linked"]
    assert [row["account"] for row in rows] == ["a", "b", "adm"]


# ---- names ----

@pytest.mark.parametrize("member", ["hostname", "computer_name", "name"])
def test_each_member_names_the_endpoint(stack, member):
    box = stack.account()
    assert names(found(stack, stack.session("ann", **{member: box.name}))) == [(box.name, "root")]
    assert names(found(stack, stack.session("ann", **{member: box.name.upper()}))) == [(box.name, "root")]


@pytest.mark.parametrize("member", ["hostname", "computer_name", "name"])
def test_short_name_of_a_full_domain_name(stack, member):
    box = stack.account()
    assert names(found(stack, stack.session("ann", **{member: f"{box.name}.corp.test"}))) == [(box.name, "root")]


def test_address_names_the_endpoint(stack):
    box = stack.account(box=stack.system(ip="10.9.1.7"))
    assert names(found(stack, stack.session("ann", ip_address="10.9.1.7"))) == [(box.name, "root")]


def test_forms_are_merged_and_each_account_comes_once(stack):
    box = stack.account(box=stack.system(ip="10.9.1.8"))
    stack.directory_account(box, name="adm")
    other = stack.account()
    asked = stack.session("ann", hostname=f"{box.name}.corp.test", computer_name=box.name.upper(),
                          name=other.name, ip_address="10.9.1.8")
    assert sorted(names(found(stack, asked))) == sorted([(box.name, "root"), (box.name, "adm"),
                                                         (other.name, "root")])


def test_systems_of_one_name_in_two_workgroups(stack):
    stack.account("root", box=stack.system("twin", workgroup="North"))
    stack.account("root", box=stack.system("twin", workgroup="South"))
    rows = found(stack, stack.session("ann", hostname="twin"))
    assert names(rows) == [("twin", "root")] * 2
    assert len({row["credential_id"] for row in rows}) == 2


@pytest.mark.parametrize("name", ["a&type=domainlinked", "sp ace", "pct%41", "plus+", "back\\slash", "uml-ä",
                                  "emoji-😀", "semi;colon", "hash#", "quest?ion", "slash/"])
def test_names_are_never_part_of_the_query(stack, name):
    stack.account(box=stack.system(name))
    assert names(found(stack, stack.session("ann", hostname=name))) == [(name, "root")]
    assert names(found(stack, stack.session("ann", hostname=name + "x"))) == []


def test_difficult_account_names_survive(stack):
    name = "o'brien & \"söns\" \\ <x> 😀"
    box = stack.account(name, description="tab\tnew\nline")
    for dialect in ("newtonsoft", "stj"):
        stack.vault.knob(12, dialect)
        (row,) = found(stack, stack.session("ann", box))
        assert (row["account"], row["description"]) == (name, "tab\tnew\nline")


def test_answers_are_understood_in_other_shapes(stack):
    box = stack.account("root")
    stack.vault.fault("status", call=LIST, status=200, body=(
        '[{"accountid":%d,"systemid":%d,"ACCOUNTNAME":"root","systemname":"%s","Later":{"x":[1]}}]'
        % (box.account, box.system, box.name)))
    (row,) = found(stack, stack.session("ann", box))
    assert (row["account"], row["system"], row["domain"], row["description"]) == ("root", box.name, None, None)


# ---- many ----

def test_twelve_hundred_accounts_on_one_host(stack):
    box = stack.system()
    wanted = [f"user{i:04}" for i in range(1200)]
    first = 500000
    stack.vault.scenario({"accounts": [
        {"id": first + i, "system": box.system, "name": name, "rules": ["auto"], "rotates": False}
        for i, name in enumerate(wanted)]})
    stack.vault.reset_counts()
    rows = found(stack, stack.session("ann", box))
    assert [row["account"] for row in rows] == wanted
    assert len({row["credential_id"] for row in rows}) == 1200
    last = stack.session("ann", box)
    answer = stack.checkout(last, rows[-1]["credential_id"])
    assert answer.json["account"] == "user1199"
    assert answer.json["password"] == stack.vault.account(first + 1199)["password"]


# ---- cost ----

def test_equal_finds_in_flight_are_one_set_of_calls(stack):
    box = stack.account()
    found(stack, stack.session("ann", box))  # signed in from here on
    stack.vault.fault("latency", call=LIST, latency_ms=300)
    stack.vault.reset_counts()
    found(stack, stack.session("ann", box))
    alone = stack.vault.calls(LIST)
    stack.vault.reset_counts()
    answers = together(8, lambda: found(stack, session("ann", hostname=box.name)))
    assert all(names(rows) == [(box.name, "root")] for rows in answers)
    assert stack.vault.calls(LIST) == alone
    stack.vault.reset_counts()
    together(2, lambda: found(stack, session("bob", hostname=box.name)))
    assert stack.vault.calls(LIST) == alone


def test_two_users_never_share_a_list(stack):
    box = stack.account("root")
    stack.account("bobs", box=box, dedicated_user=42)
    stack.vault.fault("latency", call=LIST, latency_ms=200)
    seen = {}
    threads = [threading.Thread(target=lambda who=who: seen.update(
        {who: [row["account"] for row in found(stack, session(who, hostname=box.name))]}))
        for who in ("ann", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"ann": ["root"], "bob": ["bobs", "root"]}


def test_waiters_share_a_failure(stack):
    box = stack.account()
    found(stack, stack.session("ann", box))
    stack.vault.fault("html500", call=LIST, latency_ms=300)
    stack.vault.reset_counts()
    problem(stack.gateway.find(stack.session("ann", box)), 502, "vault_error")
    alone = stack.vault.calls(LIST)
    stack.vault.reset_counts()
    for answer in together(5, lambda: stack.gateway.find(session("ann", hostname=box.name))):
        problem(answer, 502, "vault_error")
    # The first failure ends what is not sent yet, so a run may take a call less than another.
    assert 0 < stack.vault.calls(LIST) <= alone


def test_failures_are_not_kept(stack):
    box = stack.account()
    stack.vault.fault("html500", call=LIST)
    problem(stack.gateway.find(stack.session("ann", box)), 502, "vault_error")
    stack.vault.clear_faults()
    assert names(found(stack, stack.session("ann", box))) == [(box.name, "root")]


# ---- stacks of another kind ----

def test_list_cache_and_age():
    with Stack({"gateway": {"list_cache": "700ms"}}) as stack:
        box = stack.account()
        ann, bob = stack.session("ann", box), stack.session("bob", box)
        assert stack.gateway.find(ann).json["age_ms"] == 0
        calls = stack.vault.calls(LIST)
        stack.account("late", box=box)
        eventually(lambda: stack.gateway.find(ann).json["age_ms"] > 0)
        kept = stack.gateway.find(ann).json
        assert [row["account"] for row in kept["credentials"]] == ["root"] and 0 < kept["age_ms"] <= 700
        assert stack.vault.calls(LIST) == calls
        assert [row["account"] for row in found(stack, bob)] == ["late", "root"]  # another user's question
        eventually(lambda: [a for a in [stack.gateway.find(ann).json] if len(a["credentials"]) == 2 and a["age_ms"] == 0])
        stack.sweep()


def test_ids_are_the_same_after_a_restart_and_between_gateways():
    with Stack() as stack:
        box = stack.account()
        stack.directory_account(box)
        before = found(stack, stack.session("ann", box))
        stack.gateway.stop()
        stack.gateway.restart()
        assert found(stack, stack.session("ann", box)) == before
        with Gateway(stack.vault.url) as second:
            assert second.find(stack.session("bob", box)).json["credentials"] == before
            taken = second.checkout(stack.session("ann", box), before[0]["credential_id"])
            assert taken.status == 200
            assert str(taken.json["lease"]["request_id"]) not in before[0]["credential_id"].split(".")
            assert second.complete(stack.opened[-1]).json == {"released": 1}
        stack.sweep()


def test_requires_where_the_vault_is_asked():
    with Stack({"vault main": {"ask_policy": "yes"}}) as stack:
        box = stack.system()
        for name, rule in (("1none", "auto"), ("2approval", "approval"), ("3reason", "reason"),
                           ("4ticket", "ticket"), ("5both", "both")):
            stack.account(name, rule, box=box)
        rows = found(stack, stack.session("ann", box))
        assert [list(row) for row in rows] == [MEMBERS + ["requires"]] * 5
        assert [row["requires"] for row in rows] == [[], ["approval"], ["reason"], ["ticket"],
                                                     ["reason", "ticket"]]
        stack.sweep()


def test_match_chooses_the_names_that_are_asked():
    with Stack({"gateway": {"list_cache": "0s"}, "vault main": {"match": "computer_name ip_address"}}) as stack:
        box = stack.account(box=stack.system(ip="10.9.2.1"))
        assert found(stack, stack.session("ann", hostname=box.name)) == []
        assert found(stack, stack.session("ann", name=box.name)) == []
        assert found(stack, stack.session("ann", computer_name=f"{box.name}.corp.test")) == []
        assert len(found(stack, stack.session("ann", computer_name=box.name))) == 1
        assert len(found(stack, stack.session("ann", hostname="x", ip_address="10.9.2.1"))) == 1
        stack.sweep()


# ---- who asks ----

def test_local_vault_user_is_not_tried_unless_a_rule_says_so(stack):
    box = stack.account()
    stack.vault.reset_counts()
    refused = problem(stack.gateway.find(stack.session("dan", box, domain=None)), 502, "vault_refused_user")
    assert "rule" in refused["detail"] and "vault" not in refused
    assert stack.vault.calls(SIGN_IN) == 0


@pytest.mark.parametrize("domain", [None, "", "absent"])
def test_default_domain_and_second_template(domain):
    with Stack({"vault main": {"run_as": "{domain}\\{username} {username}@corp.test {username}",
                               "default_domain": "CORP"}}) as stack:
        def asked(who, box):
            made = stack.session(who, box, domain=domain)
            if domain == "absent":
                del made["user"]["domain"]
            return made
        box = stack.account()
        for who in ("ann", "erin", "dan"):
            assert len(found(stack, asked(who, box))) == 1, who
        users = {one["user"] for one in stack.vault.state()["sessions"]}
        assert users == {"CORP\\ann", "erin@corp.test", "dan"}
        problem(stack.gateway.find(asked("nobody", box)), 502, "vault_refused_user")
        stack.sweep()


def test_template_without_domain_is_used_where_the_session_has_none():
    with Stack({"vault main": {"run_as": "{domain}\\{username} {username}"}}) as stack:
        box = stack.account()
        assert len(found(stack, stack.session("dan", box, domain=None))) == 1
        assert list(stack.vault.counts()["calls"][SIGN_IN]["statuses"]) == ["200"]
        stack.sweep()


def test_user_name_beyond_ascii(stack):
    box = stack.account()
    assert len(found(stack, stack.session("zoë", box))) == 1


@pytest.mark.parametrize("name", ["ann; pwd=[x", "ann;runas=CORP\\bob", "a\nb", "ann]"])
def test_user_name_cannot_break_out_of_the_header(stack, name):
    answer = stack.gateway.find(session(name, hostname=stack.account().name))
    assert answer.status in (400, 502), answer.body
    assert answer.code in ("invalid_request", "vault_refused_user")
    assert not [s for s in stack.vault.state()["sessions"] if s["user"] and name in s["user"]]


def test_find_ends_within_the_callers_time(stack):
    box = stack.account()
    stack.vault.fault("hang", call=LIST)
    seconds, answer = took(lambda: stack.gateway.find(stack.session("ann", box),
                                                      headers={"X-Request-Timeout-Ms": "300"}))
    problem(answer, 504, "deadline_exceeded")
    assert 0.2 < seconds < 1.3
