# SPDX-License-Identifier: Apache-2.0
"""Answers of a vault that make no sense, are lost, come late or never, and a vault that is not there.

Each test ends with the sweep of the stack, which requires that no vault request is live without a lease. What each
fault does to each step of an operation is in test_faults.py.
"""

import itertools
import threading

import pytest

from certificates import Authority
from harness import eventually
from stack import CHECKIN, CREDENTIAL, LIST, REQUEST, REQUESTS, SIGN_IN, SIGN_OUT, Stack, problem, took

STEPS = {"sign-in": SIGN_IN, "list": LIST, "request": REQUEST, "credential": CREDENTIAL}
USERS = itertools.count(1000)


def new_user(stack, group="all"):
    """The name of a user that the gateway has never signed in."""
    number = next(USERS)
    stack.vault.change("users", id=number, name=f"CORP\\u{number}", groups=[group])
    return f"u{number}"


@pytest.fixture(name="fresh")
def _fresh(stack):
    """A session of a user the gateway has never signed in, with a credential id got elsewhere."""
    box = stack.account(password="pw")
    credential = stack.credential(stack.session("ann", box))
    return stack.session(new_user(stack), box), credential


@pytest.mark.parametrize("step, status, body", [
    ("list", 200, "{}"), ("list", 200, "[1]"), ("list", 200, ""), ("list", 200, "[{\"AccountId\":\"x\"}]"),
    ("list", 200, "[" * 100000), ("list", 200, "<html></html>"), ("list", 302, "\"moved\""),
    ("request", 201, "\"abc\""), ("request", 201, "-5"), ("request", 201, "12.5"), ("request", 201, "{}"),
    ("request", 201, "99999999999999999999"), ("request", 204, None), ("request", 201, ""),
    ("credential", 200, "\"unterminated"), ("credential", 200, "{\"Other\":\"x\"}"), ("credential", 200, "5"),
    ("credential", 200, "\"bad \\x escape\""), ("credential", 200, "\"lone \\ud800\""), ("credential", 200, ""),
    ("credential", 204, None), ("list", 204, None), ("sign-in", 200, "nonsense"),
])
def test_nonsense(stack, fresh, step, status, body):
    asked, credential = fresh
    stack.vault.fault("status", call=STEPS[step], status=status, **({} if body is None else {"body": body}))
    answer = stack.checkout(asked, credential)
    assert (answer.status, answer.code) in ((502, "vault_error"), (404, "credential_not_found")) or (
        step == "sign-in" and answer.status in (200, 502)), answer.body
    assert answer.code != "credential_not_found" or step == "list"
    stack.vault.clear_faults()


@pytest.mark.parametrize("secret", ['"nul \\u0000 within"', '"lone \\ud800"', '"tab\t"', '{"Credentials":"\\udc00"}'],
                         ids=["NUL", "surrogate", "control", "wrapped"])
def test_a_credential_is_never_handed_out_changed(stack, fresh, secret):
    """Texts of lists are mended, secrets are not: an error that says why, and the request is given back."""
    asked, credential = fresh
    stack.vault.fault("status", call=CREDENTIAL, status=200, body=secret)
    answer = stack.checkout(asked, credential)
    problem(answer, 502, "vault_error")
    assert "not handed out changed" in answer.json["detail"]
    stack.vault.clear_faults()
    eventually(lambda: stack.live() == [], 30)


def test_endless_answer_is_cut_off():
    with Stack({"vault main": {"max_answer": "4k"}}) as stack:
        box = stack.system()
        for number in range(20):
            stack.account(f"account-with-quite-a-long-name-{number}", box=box)
        problem(stack.gateway.find(stack.session("ann", box)), 502, "vault_error")
        stack.sweep()


# ---- answers that are lost, come late, or never ----

def test_request_that_was_made_but_never_answered_is_checked_in(stack, fresh):
    asked, credential = fresh
    stack.vault.fault("drop_after", call=REQUEST)
    made = stack.vault.state(0)["requests"]["created"]
    problem(stack.checkout(asked, credential), 503, "vault_unavailable")
    eventually(lambda: stack.live() == [], 30)
    assert stack.vault.state(0)["requests"]["created"] == made + 1
    assert stack.vault.state()["finished"][-1]["state"] == "checked_in"


def test_pending_request_that_was_never_answered_is_withdrawn(stack):
    """It waits for an approver: left there it could become active without a lease."""
    box = stack.account(rule="approval")
    ann = stack.session("ann", box)
    credential = stack.credential(ann)
    stack.vault.fault("drop_after", call=REQUEST)
    assert stack.checkout(ann, credential).code in ("vault_unavailable", "vault_conflict", "approval_pending")
    assert stack.vault.state(0)["requests"]["created"] > 0
    stack.vault.clear_faults()
    eventually(lambda: stack.live() == [], 10)


def test_request_that_the_vault_wrongly_calls_gone_is_checked_in(stack, fresh):
    asked, credential = fresh
    stack.vault.fault("status", call=CREDENTIAL, status=404, body='"Request has been released or is expired"')
    problem(stack.checkout(asked, credential), 409, "vault_conflict")
    eventually(lambda: stack.live() == [], 10)
    assert stack.vault.state()["finished"][-1]["state"] == "checked_in"


@pytest.mark.parametrize("fault", ["html500", "drop_before", "unavailable", "garbage"])
def test_undoing_goes_on_while_the_list_of_requests_fails(stack, fresh, fault):
    asked, credential = fresh
    stack.vault.fault("drop_after", call=REQUEST)
    stack.vault.fault(fault, call=REQUESTS, count=3)
    problem(stack.checkout(asked, credential), 503, "vault_unavailable")
    eventually(lambda: stack.live() == [], 30)


@pytest.mark.parametrize("fault", ["html500", "drop_before", "drop_after", "hang", "garbage", "lost_session"])
def test_undoing_goes_on_while_the_check_in_fails(stack, fresh, fault):
    asked, credential = fresh
    stack.vault.fault("html500", call=CREDENTIAL)
    stack.vault.fault(fault, call=CHECKIN, count=3)
    problem(stack.checkout(asked, credential), 502, "vault_error")
    eventually(lambda: stack.live() == [], 30)


def test_request_that_lands_after_the_callers_deadline(stack, fresh):
    asked, credential = fresh
    stack.vault.fault("latency", call=REQUEST, latency_ms=700)
    seconds, answer = took(lambda: stack.checkout(asked, credential, headers={"X-Request-Timeout-Ms": "250"}))
    problem(answer, 504, "deadline_exceeded")
    assert seconds < 1.2
    eventually(lambda: stack.vault.state(0)["requests"]["active"] == 0 and stack.quiet())
    stack.vault.clear_faults()


def test_person_holding_a_request_keeps_it_when_ours_fails(stack, fresh):
    """An adopted request is not ours to undo."""
    asked, credential = fresh
    person = stack.vault.sign_in("CORP\\" + asked["user"]["username"])
    system, account = (int(part) for part in credential.split(".")[3:5])
    own = person.request(system, account).json
    stack.vault.fault("html500", call=CREDENTIAL)
    problem(stack.checkout(asked, credential), 502, "vault_error")
    stack.vault.clear_faults()
    eventually(stack.quiet)
    assert stack.vault.active() == [own]
    person.put(f"Requests/{own}/Checkin")


def test_failure_of_one_session_leaves_the_request_of_another(stack):
    box = stack.account()
    one, two = stack.session("ann", box), stack.session("ann", box)
    credential = stack.credential(one)
    request = stack.checkout(one, credential).json["lease"]["request_id"]
    for fault in ("html500", "drop_after"):
        stack.vault.fault(fault, call=CREDENTIAL)
        assert stack.checkout(two, credential).status in (502, 503)
        stack.vault.clear_faults()
    stack.vault.fault("drop_after", call=REQUEST)
    stack.checkout(two, credential)
    stack.vault.clear_faults()
    eventually(stack.quiet)
    assert stack.vault.active() == [request]
    assert stack.gateway.release(one, credential).json == {"released": 1, "remaining_holders": 0}
    assert stack.live() == []


def test_repeat_whose_secret_cannot_be_read_keeps_the_lease(stack):
    box = stack.account()
    ann = stack.session("ann", box)
    credential = stack.credential(ann)
    first = stack.checkout(ann, credential).json["lease"]
    stack.vault.fault("html500", call=CREDENTIAL)
    problem(stack.checkout(ann, credential), 502, "vault_error")
    stack.vault.clear_faults()
    assert stack.vault.active() == [first["request_id"]]
    assert stack.checkout(ann, credential).json["lease"] == first


def test_random_faults(stack):
    """One call in five goes wrong in some way, for a while, on all calls: afterwards all is in order."""
    for fault in ("html500", "unavailable", "drop_before", "drop_after", "truncate", "lost_session"):
        stack.vault.fault(fault, probability=0.035)
    boxes = [stack.account(password=f"pw{i}") for i in range(8)]
    codes = []

    def work(number):
        for turn in range(6):
            box = boxes[(number + turn) % len(boxes)]
            asked = stack.session(("ann", "bob")[number % 2], box)
            found = stack.gateway.find(asked)
            codes.append(found.code)
            if found.status != 200 or not found.json["credentials"]:
                continue
            answer = stack.checkout(asked, found.json["credentials"][0]["credential_id"])
            codes.append(answer.code)
            if answer.status == 200:
                assert answer.json["password"] == f"pw{boxes.index(box)}"
                if turn % 2:
                    stack.gateway.complete(asked)
    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None in codes
    assert set(codes) <= {None, "vault_error", "vault_unavailable", "vault_refused_user", "deadline_exceeded"}
    stack.vault.clear_faults()
    for asked in stack.opened:
        stack.gateway.complete(asked)
    stack.settled(60)


# ---- sign-out ----

@pytest.mark.parametrize("fault", ["html500", "drop_before", "drop_after", "garbage", "hang"])
def test_sign_out_that_fails_does_not_hold_up_the_end(fault):
    with Stack({"gateway": {"drain_timeout": "2s"}, "vault main": {"call_timeout": "1s"}}) as stack:
        stack.gateway.find(stack.session("ann", stack.account()))
        stack.vault.fault(fault, call=SIGN_OUT)
        seconds, _ = took(stack.gateway.stop)
        assert seconds < 6


# ---- sign-in ----

def test_refused_sign_in_is_not_hammered(stack):
    box = stack.account()
    credential = stack.credential(stack.session("ann", box))
    stack.vault.reset_counts()
    for _ in range(10):
        problem(stack.checkout(stack.session("mfa", box), credential), 502, "vault_refused_user")
    assert stack.vault.calls(SIGN_IN) <= 10


def test_user_let_in_later_gets_in(stack):
    who = new_user(stack, "no key")
    box = stack.account()
    problem(stack.gateway.find(stack.session(who, box)), 502, "vault_refused_user")
    stack.vault.change("users", name=f"CORP\\{who}", groups=["all"])
    eventually(lambda: stack.gateway.find(stack.session(who, box)).status == 200, 20)


def test_sign_in_is_coalesced_and_sessions_are_bounded():
    with Stack({"vault main": {"sessions_per_user": "2"}}) as stack:
        boxes = [stack.account() for _ in range(4)]
        stack.vault.latency(100)
        threads = [threading.Thread(target=stack.gateway.find, args=(stack.session("ann", box),)) for box in boxes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stack.vault.latency(0)
        state = stack.vault.state()
        assert len([s for s in state["sessions"] if s["user"] == "CORP\\ann"]) <= 2
        assert state["session_totals"]["concurrent_max"] == 1
        assert stack.vault.calls(SIGN_IN) <= 2
        stack.sweep()


# ---- a vault that is not there ----

def test_vault_that_refuses_connections():
    with Stack() as stack:
        box = stack.account()
        credential = stack.credential(stack.session("ann", box))
        stack.vault.stop()
        answer = stack.checkout(stack.session("bob", box), credential)
        problem(answer, 503, "vault_unavailable")
        problem(stack.gateway.find(stack.session("ann", hostname="other")), 503, "vault_unavailable")
        eventually(lambda: stack.gateway.call("GET", "/readyz", token=None).status == 503, 20)


def test_ready_turns_when_the_vault_dies_and_back():
    with Stack({"gateway": {"list_cache": "0s"}}) as stack:
        box = stack.account()
        ann = stack.session("ann", box)
        ready = lambda: stack.gateway.call("GET", "/readyz", token=None)
        assert stack.gateway.find(ann).status == 200
        assert (ready().status, ready().json) == (200, {"ready": True, "reasons": []})
        stack.vault.fault("drop_before")
        stack.gateway.find(ann)
        answer = eventually(lambda: [a for a in [ready()] if a.status == 503], 5)[0]
        assert list(answer.json) == ["ready", "reasons"] and answer.json["ready"] is False
        assert "main" in answer.json["reasons"][0]
        health = stack.gateway.call("GET", "/v1/health")
        assert health.status == 503 and health.json["healthy"] is False
        stack.vault.clear_faults()
        stack.gateway.find(ann)
        assert ready().status == 200
        stack.sweep()


def test_ready_turns_when_the_vault_freezes_and_back():
    """With traffic, within five seconds."""
    with Stack({"gateway": {"list_cache": "0s"}, "vault main": {"call_timeout": "3s"}}) as stack:
        box = stack.account()
        ann = stack.session("ann", box)
        assert stack.gateway.find(ann).status == 200
        stack.vault.fault("hang")
        threads = [threading.Thread(target=stack.gateway.find, args=(ann,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        seconds, _ = took(lambda: eventually(
            lambda: stack.gateway.call("GET", "/readyz", token=None).status == 503, 8))
        assert seconds < 5.5
        for thread in threads:
            thread.join()
        stack.vault.clear_faults()
        eventually(lambda: stack.gateway.find(ann).status == 200)
        assert stack.gateway.call("GET", "/readyz", token=None).status == 200
        stack.sweep()


def test_ready_turns_without_traffic_and_back():
    """Without traffic the gateway probes by itself, and does not sign in."""
    with Stack() as stack:
        stack.gateway.find(stack.session("ann", stack.account()))
        ready = lambda: stack.gateway.call("GET", "/readyz", token=None).status
        stack.vault.reset_counts()
        stack.vault.fault("drop_before")
        eventually(lambda: ready() == 503, 30, 0.2)
        stack.vault.clear_faults()
        eventually(lambda: ready() == 200, 30, 0.2)
        assert stack.vault.calls(SIGN_IN) == 0
        stack.sweep()


def test_api_key_never_leaves_for_a_vault_with_another_certificate(tmp_path):
    ca, other = Authority(tmp_path), Authority(tmp_path, "other")
    with Stack({"vault main": {"ca_file": other.certificate}}, tls=ca.server()) as stack:
        problem(stack.gateway.find(stack.session("ann", stack.account())), 503, "vault_unavailable")
        assert stack.vault.calls(SIGN_IN) == 0
        stack.opened.clear()
    with Stack({"vault main": {"ca_file": ca.certificate}}, tls=ca.server("wrong", ["DNS:elsewhere"])) as stack:
        problem(stack.gateway.find(stack.session("ann", stack.account())), 503, "vault_unavailable")
        assert stack.vault.calls(SIGN_IN) == 0
    with Stack({"vault main": {"ca_file": ca.certificate}}, tls=ca.server("right")) as stack:
        assert stack.checkout(stack.session("ann", stack.account(password="tls"))).json["password"] == "tls"
        stack.sweep()
