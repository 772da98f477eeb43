# SPDX-License-Identifier: Apache-2.0
"""The end of leases: release, sessions/complete, time, and a vault that is not reachable meanwhile."""

import itertools
import threading

import pytest

from harness import eventually, session
from stack import CHECKIN, LIST, Stack, problem

MINUTE = {"vault main": {"minute": "50ms"}, "gateway": {"list_cache": "0s"}}


def good(answer):
    assert answer.status == 200, answer.body
    return answer.json


def hold(stack, user="ann", box=None, n=1, **more):
    """n sessions that hold the same credential; (sessions, credential id, request id)."""
    box = box or stack.account()
    sessions = [stack.session(user, box) for _ in range(n)]
    credential = stack.credential(sessions[0])
    requests = {good(stack.checkout(one, credential, **more))["lease"]["request_id"] for one in sessions}
    assert len(requests) == 1
    return sessions, credential, requests.pop()


def test_release_checks_in(stack):
    (ann,), credential, request = hold(stack)
    answer = stack.gateway.release(ann, credential)
    assert list(good(answer)) == ["released", "remaining_holders"]
    assert answer.json == {"released": 1, "remaining_holders": 0}
    assert stack.live() == []
    assert stack.vault.ask("GET", f"/requests/{request}")["state"] == "checked_in"


def test_release_twice_and_of_the_unknown(stack):
    (ann,), credential, _ = hold(stack)
    nothing = {"released": 0, "remaining_holders": 0}
    assert stack.gateway.release(stack.session("bob", hostname="x"), credential).json == nothing
    assert stack.gateway.release(ann, credential).json["released"] == 1
    checkins = stack.vault.calls(CHECKIN)
    assert stack.gateway.release(ann, credential).json == nothing
    assert stack.gateway.release(ann, "no-such-credential").json == nothing
    assert stack.gateway.complete(ann).json == {"released": 0}
    assert stack.vault.calls(CHECKIN) == checkins


@pytest.mark.parametrize("ended", [1795292425, 1795292425.0, 0, None, "absent"])
def test_release_takes_the_end_of_the_session(stack, ended):
    (ann,), credential, _ = hold(stack)
    body = {"session": ann, "credential_id": credential, "session_ended_at": ended}
    if ended == "absent":
        del body["session_ended_at"]
    answer = stack.gateway.call("POST", "/v1/credentials/release", body)
    assert answer.json == {"released": 1, "remaining_holders": 0}


@pytest.mark.parametrize("ended", ["1795292425", True, {}, 1.5])
def test_release_refuses_another_kind_of_end(stack, ended):
    (ann,), credential, _ = hold(stack)
    body = {"session": ann, "credential_id": credential, "session_ended_at": ended}
    problem(stack.gateway.call("POST", "/v1/credentials/release", body), 400, "invalid_request")
    assert len(stack.live()) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_last_holder_checks_in_whatever_the_order(stack, order):
    sessions, credential, request = hold(stack, n=3)
    for left, index in zip((2, 1, 0), order):
        assert stack.vault.active() == [request]
        answer = stack.gateway.release(sessions[index], credential)
        assert answer.json == {"released": 1, "remaining_holders": left}
    assert stack.live() == []


def test_complete_ends_all_leases_of_the_session(stack):
    boxes = [stack.account() for _ in range(3)]
    ann, other = stack.session("ann", boxes[0]), stack.session("ann", boxes[0])
    ids = [stack.credential(session("ann", hostname=box.name)) for box in boxes]
    for credential in ids:
        good(stack.checkout(ann, credential))
    kept = good(stack.checkout(other, ids[0]))["lease"]["request_id"]
    assert len(stack.live()) == 3
    assert stack.gateway.complete(ann).json == {"released": 3}
    assert stack.vault.active() == [kept]
    assert stack.gateway.complete(ann).json == {"released": 0}
    assert stack.gateway.release(other, ids[0]).json == {"released": 1, "remaining_holders": 0}


def test_complete_needs_no_jump_item_and_only_the_same_person(stack):
    (ann,), credential, _ = hold(stack)
    assert stack.gateway.complete(session("bob", id=ann["id"])).json == {"released": 0}
    assert stack.gateway.complete(session("ann", "OTHER", id=ann["id"])).json == {"released": 0}
    assert len(stack.live()) == 1
    assert stack.gateway.complete(session("ann", id=ann["id"])).json == {"released": 1}


def test_check_out_after_release_is_a_new_lease(stack):
    (ann,), credential, request = hold(stack)
    first = good(stack.checkout(ann, credential))["lease"]
    good(stack.gateway.release(ann, credential))
    second = good(stack.checkout(ann, credential))["lease"]
    assert second["id"] != first["id"] and second["request_id"] != request


def test_request_that_ended_in_the_vault_is_released_all_the_same(stack):
    (ann,), credential, request = hold(stack)
    stack.vault.terminate(request)
    assert stack.gateway.release(ann, credential).json == {"released": 1, "remaining_holders": 0}


# ---- a vault that is away ----

@pytest.mark.parametrize("fault", ["html500", "unavailable", "drop_before", "drop_after", "reset", "garbage"])
def test_release_while_the_vault_is_away_is_pending_and_follows(stack, fault):
    (ann,), credential, _ = hold(stack)
    stack.vault.fault(fault, call=CHECKIN)
    answer = good(stack.gateway.release(ann, credential))
    if fault != "drop_after":  # there a repeated check-in finds the request gone, which is success
        assert answer == {"released": 1, "remaining_holders": 0, "pending": True}
    stack.vault.clear_faults()
    stack.settled(30)


def test_release_while_the_vault_hangs_keeps_the_callers_time(stack):
    (ann,), credential, _ = hold(stack)
    stack.vault.fault("hang", call=CHECKIN)
    body = {"session": ann, "credential_id": credential, "session_ended_at": None}
    answer = stack.gateway.call("POST", "/v1/credentials/release", body, headers={"X-Request-Timeout-Ms": "300"})
    assert good(answer) == {"released": 1, "remaining_holders": 0, "pending": True}
    stack.vault.clear_faults()
    stack.settled(30)


def test_complete_while_the_vault_is_away(stack):
    (ann,), _, _ = hold(stack)
    stack.vault.fault("unavailable", call=CHECKIN)
    assert good(stack.gateway.complete(ann))["released"] == 1
    stack.vault.clear_faults()
    stack.settled(30)


def test_check_out_again_while_the_check_in_is_pending(stack):
    """It waits for what becomes of the check-in: the request must not be ended under the new holder."""
    (ann,), credential, _ = hold(stack)
    stack.vault.fault("unavailable", call=CHECKIN)
    assert good(stack.gateway.release(ann, credential))["pending"] is True
    answers = []
    thread = threading.Thread(target=lambda: answers.append(stack.checkout(ann, credential)))
    thread.start()
    eventually(lambda: not stack.quiet())
    stack.vault.clear_faults()
    thread.join()
    second = good(answers[0])
    assert stack.vault.active() == [second["lease"]["request_id"]]
    assert stack.gateway.release(ann, credential).json == {"released": 1, "remaining_holders": 0}


def test_lost_session_at_check_in(stack):
    (ann,), credential, _ = hold(stack)
    stack.vault.expire_sessions()
    assert stack.gateway.release(ann, credential).json == {"released": 1, "remaining_holders": 0}
    assert stack.live() == []


# ---- time ----

@pytest.fixture(scope="module", name="fast_shared")
def _fast_shared():
    with Stack(MINUTE, ["--minute", "50ms"]) as stack:
        yield stack


@pytest.fixture(name="fast")
def _fast(fast_shared):
    yield fast_shared
    fast_shared.sweep()


def ended(stack, request):
    return stack.vault.ask("GET", f"/requests/{request}")["state"] not in ("active", "pending")


def test_lease_ends_at_its_time(fast):
    """Twenty vault minutes are one second on both sides."""
    (ann,), credential, request = hold(fast, members={"duration_minutes": 20})
    assert fast.vault.active() == [request]
    eventually(lambda: ended(fast, request), 10, 0.01)
    eventually(lambda: fast.gateway.call("GET", "/status").json["leases"]["active"] == 0)
    assert fast.gateway.release(ann, credential).json == {"released": 0, "remaining_holders": 0}


def test_timed_release_checks_in_a_vault_request_that_lasts_longer(stack):
    """The vault's minutes are real ones here: only the gateway can have ended the request."""
    sections = {"vault main": {"minute": "50ms"}}
    with Stack(sections) as other:
        (ann,), credential, request = hold(other, n=1, members={"duration_minutes": 10})
        eventually(lambda: ended(other, request), 10)
        assert other.vault.ask("GET", f"/requests/{request}")["state"] == "checked_in"
        assert other.gateway.complete(ann).json == {"released": 0}
        other.sweep()


def test_timed_release_with_several_holders(fast):
    sessions, _, request = hold(fast, n=2, members={"duration_minutes": 10})
    eventually(lambda: ended(fast, request), 10, 0.01)
    eventually(lambda: fast.gateway.call("GET", "/status").json["leases"]["active"] == 0)
    assert [fast.gateway.complete(one).json for one in sessions] == [{"released": 0}] * 2


def test_timed_release_is_repeated_until_it_succeeds():
    with Stack({"vault main": {"minute": "50ms"}}) as stack:
        stack.vault.fault("unavailable", call=CHECKIN, count=2)
        _, _, request = hold(stack, members={"duration_minutes": 4})
        eventually(lambda: ended(stack, request), 20)
        assert stack.vault.ask("GET", f"/requests/{request}")["state"] == "checked_in"
        stack.sweep()


def test_leases_outlive_a_stop_by_default_and_end_with_release_on_stop():
    with Stack({"gateway": {"release_on_stop": "no"}}) as stack:
        _, _, request = hold(stack)
        stack.gateway.stop()
        assert stack.vault.active() == [request]
    with Stack({"gateway": {"release_on_stop": "yes"}}) as stack:
        hold(stack, n=2)
        hold(stack, "bob")
        stack.gateway.stop()
        assert stack.live() == []


def test_sessions_are_signed_out_when_idle_and_at_the_end():
    with Stack({"vault main": {"session_idle": "300ms"}}) as stack:
        stack.gateway.find(stack.session("ann", stack.account()))
        assert stack.vault.state()["session_totals"]["open"] >= 1
        eventually(lambda: stack.vault.state()["session_totals"]["open"] == 0)
        stack.gateway.find(stack.session("bob", hostname="x"))
        stack.gateway.stop()
        totals = stack.vault.state()["session_totals"]
        assert totals["open"] == 0 and totals["closed"] == totals["opened"] and totals["expired"] == 0
        assert stack.vault.calls(LIST) > 0


# ---- started and start ----

def test_session_started(stack):
    (ann,), _, _ = hold(stack)
    body = {"session": ann, "history_url": "https://pra.example/x", "history_url_expiry_seconds": 60}
    answer = stack.gateway.call("POST", "/v1/sessions/started", body)
    assert (answer.status, answer.body) == (204, b"") and answer.headers["X-Request-Id"]
    assert stack.gateway.call("POST", "/v1/sessions/started", {"session": ann, "history_url": None}).status == 204
    problem(stack.gateway.call("POST", "/v1/sessions/started", {"session": ann, "history_url": 5}), 400,
            "invalid_request")


def test_session_start_is_unsupported(stack):
    problem(stack.gateway.call("POST", "/v1/sessions/start", {"session": session()}), 501, "unsupported")
