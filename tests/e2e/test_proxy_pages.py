# SPDX-License-Identifier: Apache-2.0
"""An answer is believed only if the vault wrote it.

A proxy's page replaces the vault's answer, with any status, for each operation: the caller gets `vault_error`, no request
is left behind, what was known before stays known, no other candidate is tried, and the explanation does not blame the
user.
"""

import itertools
import json
import threading
import time

import pytest

from harness import eventually
from stack import CHECKIN, CREDENTIAL, LIST, REQUEST, REQUESTS, SIGN_IN, Stack, problem

STATUSES = [200, 302, 401, 403, 404, 500]
STEPS = {"sign-in": SIGN_IN, "list": LIST, "request": REQUEST, "credential": CREDENTIAL}
POLICY = "POST AccessPolicies/Test"
SYSTEMS = "GET ManagedSystems"
NUMBERS = itertools.count(3000)
NO_ROWS = ['[{"error":"x"}]', '{"TotalCount":3,"Data":[]}', '{"TotalCount":1,"Data":[{"error":"x"}]}']
NOT_ITS_WORD = [{"action": "page", "status": s} for s in STATUSES] + [
    {"action": "status", "status": 200, "body": b} for b in NO_ROWS]


@pytest.fixture(name="stack", scope="module")
def _stack():
    sections = {"gateway": {"list_cache": "0s"}, "vault main": {"call_timeout": "2s", "retries": 0}}
    with Stack(sections) as stack:
        yield stack
        stack.sweep()


def new_user(stack, name=None, group="all"):
    number = next(NUMBERS)
    name = name or f"CORP\\w{number}"
    stack.vault.change("users", id=number, name=name, groups=[group])
    return name.rpartition("\\")[2]


@pytest.fixture(name="fresh")
def _fresh(stack):
    """A session of a user the gateway has never signed in, with a credential id got elsewhere."""
    box = stack.account(password="pw")
    credential = stack.credential(stack.session("ann", box))
    yield stack.session(new_user(stack), box), credential
    stack.vault.clear_faults()


def works_again(stack, asked, credential):
    stack.vault.clear_faults()
    eventually(lambda: stack.live() == [], 30)
    eventually(lambda: stack.checkout(asked, credential).status == 200, 30)
    assert stack.gateway.release(asked, credential).json["released"] == 1
    eventually(lambda: stack.live() == [], 30)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("step", STEPS)
def test_page_in_the_vaults_place(stack, fresh, step, status):
    asked, credential = fresh
    stack.vault.fault("page", call=STEPS[step], status=status)
    answer = problem(stack.checkout(asked, credential), 502, "vault_error")
    assert answer["vault"]["status"] == status
    works_again(stack, asked, credential)


@pytest.mark.parametrize("status", STATUSES)
def test_request_that_took_effect_behind_a_page_is_given_back(stack, fresh, status):
    asked, credential = fresh
    made = stack.vault.state(0)["requests"]["created"]
    stack.vault.fault("page_after", call=REQUEST, status=status)
    problem(stack.checkout(asked, credential), 502, "vault_error")
    assert stack.vault.state(0)["requests"]["created"] == made + 1
    works_again(stack, asked, credential)


@pytest.mark.parametrize("status, body, code", [
    (302, "\"moved\"", "vault_error"), (303, None, "vault_error"), (307, None, "vault_error"),
    (308, "{}", "vault_error"), (408, None, "vault_error"), (401, "\"User not authenticated\"", "vault_refused_user"),
    (401, None, "vault_refused_user"), (403, None, "vault_error"), (404, None, "vault_error"),
])
def test_request_that_took_effect_and_is_answered_by_something_else_is_given_back(stack, fresh, status, body, code):
    asked, credential = fresh
    stack.vault.fault("status_after", call=REQUEST, status=status, **({} if body is None else {"body": body}))
    problem(stack.checkout(asked, credential), 502, code)
    works_again(stack, asked, credential)


def test_request_answered_by_one_401_after_it_took_effect_is_held_as_ours(stack, fresh):
    asked, credential = fresh
    stack.vault.fault("status_after", call=REQUEST, status=401, count=1)
    answer = stack.checkout(asked, credential)
    assert answer.status == 200 and "adopted" not in answer.json["lease"], answer.body
    assert stack.vault.active() == [answer.json["lease"]["request_id"]]
    assert stack.gateway.release(asked, credential).json == {"released": 1, "remaining_holders": 0}
    assert stack.live() == []


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("restart", [False, True], ids=["", "restart"])
def test_check_in_behind_a_page_is_tried_until_the_vault_says_so(status, restart):
    with Stack({"vault main": {"call_timeout": "2s", "retries": 0}}) as stack:
        box = stack.account()
        asked = stack.session("ann", box)
        credential = stack.credential(asked)
        request = stack.checkout(asked, credential).json["lease"]["request_id"]
        stack.vault.fault("page", call=CHECKIN, status=status)
        stack.gateway.release(asked, credential)
        eventually(lambda: stack.vault.calls(CHECKIN) >= 2, 20)
        assert stack.vault.active() == [request]
        if restart:
            stack.gateway.stop()
            stack.gateway.start()
            calls = stack.vault.calls(CHECKIN)
            eventually(lambda: stack.vault.calls(CHECKIN) > calls, 20)
            assert stack.vault.active() == [request]
        stack.vault.clear_faults()
        eventually(lambda: stack.live() == [], 40)
        assert stack.vault.state()["finished"][-1]["state"] == "checked_in"
        stack.sweep()


@pytest.mark.parametrize("status", STATUSES)
def test_list_behind_a_page_is_no_empty_list_and_blames_no_user(stack, status):
    box = stack.account()
    stack.vault.fault("page", call=LIST, status=status)
    answer = stack.gateway.find(stack.session("ann", box), headers={"X-Request-Id": f"page-{status}"})
    stack.vault.clear_faults()
    problem(answer, 502, "vault_error")
    record = stack.gateway.call("GET", f"/v1/explain/page-{status}").json
    assert record["outcome"] == "vault_error"
    assert [(user["user"], user["outcome"]) for user in record["users"]] == [("CORP\\ann", "failed")]
    assert record["likely"] == [record["detail"]]
    for word in ("requesters group", "Requestor role", "refused the sign-in", "API access"):
        assert word not in str(record)


@pytest.mark.parametrize("status", [401, 403])
def test_sign_in_behind_a_page_blames_no_user(stack, status):
    box = stack.account()
    asked = stack.session(new_user(stack), box)
    stack.vault.fault("page", call=SIGN_IN, status=status)
    answer = stack.gateway.find(asked, headers={"X-Request-Id": f"sign-in-{status}"})
    problem(answer, 502, "vault_error")
    assert int(answer.headers["Retry-After"]) >= 1
    record = stack.gateway.call("GET", f"/v1/explain/sign-in-{status}").json
    stack.vault.clear_faults()
    assert record["users"][0]["outcome"] == "failed"
    assert "requesters group" not in str(record)
    eventually(lambda: stack.gateway.find(asked).status == 200)


def test_a_bare_sub_code_and_the_string_of_a_404_stay_an_empty_list(stack):
    asked = stack.session("ann", stack.account())
    for status, body in ((403, "4031"), (403, "\"4031\""), (404, "\"Managed Account not found\"")):
        stack.vault.fault("status", call=LIST, status=status, body=body)
        answer = stack.gateway.find(asked)
        stack.vault.clear_faults()
        assert answer.status == 200 and answer.json["credentials"] == []


@pytest.mark.parametrize("fault", NOT_ITS_WORD, ids=lambda f: f.get("body", f["status"]))
def test_catalogue_outlives_what_is_not_the_vaults_word(fault):
    sections = {"gateway": {"catalogue_cache": "100ms", "catalogue_max_age": "1h"},
                "vault main": {"retries": 0, "directory_user": "CORP\\reader"}}
    with Stack(sections) as stack:
        stack.vault.change("groups", id=60, name="readers", permissions=["systems"])
        stack.vault.change("users", id=60, name="CORP\\reader", groups=["readers", "all"])
        stack.account(box=stack.system("kept-box", dns="kept.corp.test"))
        ann = stack.session("ann")
        eventually(lambda: stack.gateway.endpoints(ann).json["endpoints"][0]["hostname"] == "kept.corp.test", 20)
        before = stack.gateway.endpoints(ann).json["endpoints"]
        stack.vault.fault(call=LIST, **fault)
        stack.vault.fault(call=SYSTEMS, **fault)

        def asked_again():
            answer = stack.gateway.endpoints(ann)
            assert answer.status == 200 and answer.json["endpoints"] == before, answer.body
            return all(rule["fired"] for rule in stack.vault.faults())
        eventually(asked_again, 20)
        assert asked_again()
        stack.sweep()


@pytest.mark.parametrize("fault", NOT_ITS_WORD, ids=lambda f: f.get("body", f["status"]))
def test_policy_that_is_not_the_vaults_word_is_an_unknown_policy(fault):
    with Stack({"vault main": {"retries": 0, "ask_policy": "yes", "reason": ""}}) as stack:
        box = stack.account(password="pw")
        ann = stack.session("ann", box)
        stack.vault.fault(call=POLICY, **fault)
        answer = stack.checkout(ann)
        assert answer.status == 200 and answer.json["password"] == "pw", answer.body
        assert stack.vault.faults()[0]["fired"] >= 1
        stack.sweep()


# ---- a body of rows that are none ----

REFUSED = 'jumpgate_vault_rows_refused_total{vault="main"}'


@pytest.mark.parametrize("body", NO_ROWS)
def test_rows_that_are_no_accounts_are_no_empty_list(stack, body):
    asked = stack.session("ann", stack.account())
    before = stack.metric(REFUSED)
    stack.vault.fault("status", call=LIST, status=200, body=body)
    answer = stack.gateway.find(asked)
    stack.vault.clear_faults()
    problem(answer, 502, "vault_error")
    assert (stack.metric(REFUSED) > before) == ("error" in body)
    if "error" in body:
        assert stack.gateway.err.text.count("vault_row_refused") == 1
    assert len(stack.gateway.find(asked).json["credentials"]) == 1


def audit(stack, event):
    lines = (stack.gateway.path / "state" / "audit.jsonl").read_bytes().splitlines()
    return [r for r in map(json.loads, lines) if r["event"] == event]


@pytest.fixture(name="watchful")
def _watchful():
    """A gateway that compares its books with the vault's list all the time."""
    sections = {"gateway": {"reconcile_every": "1s", "reconcile_rate": "off"}, "vault main": {"retries": 0}}
    with Stack(sections) as stack:
        yield stack


@pytest.mark.parametrize("body", ['[{"error":"x"}]', '{"TotalCount":1,"Data":[]}'])
def test_list_of_requests_without_a_request_closes_no_lease(watchful, body):
    stack = watchful
    ann, bob = stack.session("ann", stack.account()), stack.session("bob", stack.account())
    requests = {stack.checkout(one).json["lease"]["request_id"] for one in (ann, bob)}
    stack.vault.fault("status", call=REQUESTS, status=200, body=body)
    eventually(lambda: stack.vault.faults()[0]["fired"] >= 8, 60)  # each user's list several times
    assert {row["request_id"] for row in stack.gateway.call("GET", "/v1/leases").json["leases"]} == requests
    assert set(stack.vault.active()) == requests
    assert "request_gone" not in stack.gateway.err.text
    stack.sweep()


def test_request_that_two_lists_lack_is_given_back_before_it_is_forgotten(watchful):
    stack = watchful
    ann = stack.session("ann", stack.account())
    request = stack.checkout(ann).json["lease"]["request_id"]
    stack.vault.fault("status", call=REQUESTS, status=200, body="[]")
    eventually(lambda: stack.vault.active() == [], 30)
    stack.vault.clear_faults()
    assert stack.vault.state()["finished"][-1]["state"] == "checked_in"
    eventually(lambda: audit(stack, "checkin"))
    (end,), (checkin,) = audit(stack, "lease_end"), audit(stack, "checkin")
    assert end["reason"] == "gone"
    assert (checkin["vault_request_id"], checkin["outcome"], checkin["attempts"]) == (request, "checked_in", 1)
    stack.sweep()


def test_request_that_has_ended_in_the_vault_is_noticed_in_short_rounds(watchful):
    stack = watchful
    ann = stack.session("ann", stack.account())
    request = stack.checkout(ann).json["lease"]["request_id"]
    by_hand = stack.vault.sign_in("CORP\\ann")
    assert by_hand.put(f"Requests/{request}/Checkin", {}).status == 204
    by_hand.close()
    eventually(lambda: audit(stack, "checkin"), 30)
    assert [r["outcome"] for r in audit(stack, "checkin")] == ["already_gone"]
    assert stack.gateway.call("GET", "/v1/leases").json["leases"] == []
    stack.sweep()


# ---- another name never takes the person's place ----

@pytest.fixture(name="two_names", scope="module")
def _two_names():
    """Both CORP\\ann and a local ann exist, and only the local one may request the account."""
    with Stack({"gateway": {"list_cache": "0s"},
                "vault main": {"run_as": "{domain}\\{username} {username}", "retries": 0}}) as stack:
        new_user(stack, "ann")
        yield stack
        stack.sweep()


def signed_in_as(stack):
    return {one["user"] for one in stack.vault.state()["sessions"]}


@pytest.mark.parametrize("status", [401, 403])
def test_page_at_the_sign_in_tries_no_other_name(two_names, status):
    stack = two_names
    box = stack.account()
    credential = stack.credential(stack.session("bob", box))
    name = f"pair{status}"
    new_user(stack, f"CORP\\{name}")
    new_user(stack, name)
    stack.vault.fault("page", call=SIGN_IN, status=status, count=1)
    problem(stack.checkout(stack.session(name, box), credential), 502, "vault_error")
    assert name not in signed_in_as(stack)
    stack.vault.clear_faults()


@pytest.mark.parametrize("step", ["list", "request"])
@pytest.mark.parametrize("fault", ["lost_session", "page"])
def test_401_after_an_accepted_sign_in_tries_no_other_name(two_names, step, fault):
    stack = two_names
    box = stack.account()
    credential = stack.credential(stack.session("bob", box))
    name = f"pair-{step}-{fault}"
    new_user(stack, f"CORP\\{name}")
    new_user(stack, name)
    stack.vault.fault(fault, call=STEPS[step], status=401)
    code = "vault_error" if fault == "page" else "vault_refused_user"
    problem(stack.checkout(stack.session(name, box), credential), 502, code)
    problem(stack.gateway.find(stack.session(name, box)), 502, code) if step == "list" else None
    assert name not in signed_in_as(stack)
    stack.vault.clear_faults()
    eventually(lambda: stack.live() == [], 30)


def test_the_vaults_own_refusal_tries_the_next_name(two_names):
    stack = two_names
    name = "local-only"
    new_user(stack, name)
    new_user(stack, f"CORP\\{name}", "no key")
    answer = stack.checkout(stack.session(name, stack.account(password="pw")))
    assert answer.status == 200 and answer.json["password"] == "pw", answer.body
    assert name in signed_in_as(stack)


# ---- sign-ins that fail ----

def hammer(stack, asked, rounds):
    """Finds one after the other; the answers."""
    answers = []
    for _ in range(rounds):
        answers.append(stack.gateway.find(asked))
    return answers


@pytest.mark.parametrize("fault", ["html500", "drop_after", "page"])
def test_failing_sign_ins_are_held_off_and_recovery_is_noticed(fault):
    with Stack({"gateway": {"list_cache": "0s"}, "vault main": {"call_timeout": "2s"}}) as stack:
        box = stack.account()
        users = [new_user(stack) for _ in range(40)]
        stack.vault.fault(fault, call=SIGN_IN)
        answers, start = [], time.monotonic()
        threads = [threading.Thread(target=lambda who=who: answers.extend(
            hammer(stack, stack.session(who, box), 25))) for who in users]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - start
        code = "vault_unavailable" if fault == "drop_after" else "vault_error"
        assert {answer.code for answer in answers} == {code}
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
        assert stack.vault.calls(SIGN_IN) <= 20 * (int(seconds) + 1)
        stack.vault.clear_faults()
        for who in users[:5]:
            eventually(lambda asked=stack.session(who, box): stack.gateway.find(asked).status == 200, 20)
        stack.sweep()
