# SPDX-License-Identifier: Apache-2.0
"""The kill switch: an operator ends a lease and its session at the site, over the API and by `jumpgate leases`.

Every outcome is looked at in four places: the answer, the lease, the session at the site, and the audit trail.
"""

import concurrent.futures
import os
import subprocess

import pytest

from harness import BIN, SANITIZER, eventually, token_hash
from pra_stack import TERMINATE, PraStack
from stack import CHECKIN, CREDENTIAL, Wire, head, problem
from test_audit import block, unblock

SECTIONS = {"client watcher": {"token_sha256": token_hash("watcher"), "allow": "broker observe"}}
LOOK = "AccessSession"


@pytest.fixture(scope="module", name="shared")
def _shared():
    with PraStack({"poll_interval": "0s", "check_interval": "1s", "call_timeout": "3s"}, SECTIONS) as stack:
        eventually(lambda: stack.entry["state"] == "up")
        yield stack


def bad_calls(stack):
    """Calls to the site without a valid answer."""
    page = stack.gateway.metrics()
    return sum(n for name, n in page.items() if name.startswith("jumpgate_pra_calls_total") and 'outcome="ok"' not in name)


@pytest.fixture(name="stack")
def _stack(shared):
    before = bad_calls(shared)
    yield shared
    shared.sweep()
    if bad_calls(shared) == before:
        return
    answered = shared.count("calls_total", call="check_health", outcome="ok")
    shared.reload()  # a check follows: what has failed in this test is no longer the last that is known of the site
    eventually(lambda: shared.count("calls_total", call="check_health", outcome="ok") > answered)


def end(stack, lease, body=None, **more):
    return stack.gateway.call("POST", f"/v1/leases/{lease}/release", {"terminate": True} if body is None else body, **more)


def kill(stack, held, **more):
    return end(stack, held.lease["id"], **more)


def runs(stack, held):
    return stack.site.session(held.lsid)["state"] == "running"


def asked(stack):
    return len(stack.site.log(TERMINATE))


def outcomes(stack, lease):
    """The audit trail's outcomes of terminations of that lease."""
    return [r["outcome"] for r in stack.records("operator_terminate") if r["lease_id"] == lease]


def recorded(stack, held, outcome):
    eventually(lambda: outcomes(stack, held.lease["id"]) == ["asked", outcome])
    for record in stack.records("operator_terminate"):
        if record["lease_id"] == held.lease["id"]:
            assert record["lsid"] == held.lsid and record["client"], record
    return True


def failed(answer, status, code):
    """A problem after the release, in its full form; returns its detail."""
    assert (answer.status, answer.code) == (status, code), (answer, answer.body)
    members = answer.json
    assert members["released"] == 1 and members["type"] == f"urn:jumpgate:error:{code}"
    assert "console" in members["detail"]
    return members["detail"]


# ---- the session ends ----

def test_the_session_and_all_its_leases_end(stack):
    held, other = stack.hold("ann"), stack.hold("ann")
    more = [stack.hold("bob", lsid=held.lsid), stack.hold("ann", lsid=held.lsid.upper())]
    before = stack.entry["ended"]["terminate"]
    answer = kill(stack, held)
    assert (answer.status, answer.json) == (200, {"released": 1, "terminated": True, "outcome": "terminated", "ended": 2})
    stack.given_back(held, *more)
    assert not runs(stack, held) and runs(stack, other) and stack.is_open(other)
    assert recorded(stack, held, "terminated")
    ends = {r["lease_id"]: r for r in stack.records("lease_end")}
    for one in more:
        assert (ends[one.lease["id"]]["reason"], ends[one.lease["id"]]["source"]) == ("session_ended", "terminate")
    assert stack.entry["ended"]["terminate"] == before + 2
    assert stack.count("terminations_total", outcome="terminated") >= 1
    (call,) = [e for e in stack.site.log(TERMINATE) if held.lsid in e["params"]]
    assert call["method"] == "POST" and call["violation"] is None
    missing = kill(stack, held)
    assert "console" in problem(missing, 404, "not_found")["detail"]
    assert outcomes(stack, held.lease["id"]) == ["asked", "terminated"]


@pytest.mark.parametrize("place", ["root", "child"])
def test_a_session_that_has_ended_already(stack, place):
    stack.site.knob("error_place", place)
    held = stack.hold()
    second = stack.hold("bob", lsid=held.lsid)
    stack.site.end_session(held.lsid, events=False)
    answer = kill(stack, held)
    assert (answer.status, answer.json) == (
        200, {"released": 1, "terminated": False, "outcome": "already_ended", "ended": 1})
    stack.given_back(held, second)
    assert recorded(stack, held, "already_ended")
    stack.site.knob("error_place", "root")


def test_what_is_released_while_its_check_out_is_in_flight(stack):
    box = stack.account()
    lsid = stack.site.start_session(events=False)
    session = stack.told("ann", lsid, box)
    credential = stack.credential(session)
    stack.vault.fault("latency", call=CREDENTIAL, latency_ms=1500, count=1)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(stack.checkout, session, credential)
        lease = eventually(lambda: next(iter({**stack.leases("intent"), **stack.leases()}), None))
        ended = end(stack, lease)
        assert ended.status == 200, ended.body
        assert (ended.json["released"], ended.json["terminated"], ended.json["pending"]) == (0, True, True)
        answer.result()
    eventually(lambda: stack.live() == [] and stack.leases() == {})
    assert stack.site.session(lsid)["state"] != "running"


# ---- it does not ----

ERRORS = {
    "error": ("error", {"body": "<error>The session is being transferred.</error>"}, "transferred"),
    "error of another form": ("error", {"body": "<r><error>Not now.</error></r>"}, "Not now."),
    "500": ("html500", {}, ""), "404": ("status", {"status": 404}, ""), "web page": ("html", {}, ""),
    "garbage": ("garbage", {}, ""), "cut short": ("cut", {}, ""), "empty": ("empty", {}, ""),
    "done but 502": ("status_after", {"status": 502}, ""), "redirect": ("redirect", {}, ""),
}


@pytest.mark.parametrize("case", ERRORS)
def test_the_site_does_not_say_that_it_ended(stack, case):
    action, more, words = ERRORS[case]
    held = stack.hold()
    other = stack.hold("bob", lsid=held.lsid)
    stack.site.fault(action, call=TERMINATE, **more)
    assert words in failed(kill(stack, held), 502, "pra_error")
    stack.given_back(held)
    assert stack.is_open(other)
    assert recorded(stack, held, "error")
    stack.site.clear_faults()


@pytest.mark.parametrize("action", ["html500", "hang", "error", "garbage"])
def test_an_end_that_cannot_be_looked_up_is_not_believed(stack, action):
    """The site says <error>, which a session that has ended gets too; what it shows of the session decides."""
    held = stack.hold()
    other = stack.hold("bob", lsid=held.lsid)
    stack.site.end_session(held.lsid, events=False)
    stack.site.fault(action, call=LOOK)
    failed(kill(stack, held), 502, "pra_error")
    assert stack.is_open(other)
    stack.site.clear_faults()


def test_a_session_that_is_closed_without_an_end_is_not_believed_ended(stack):
    held = stack.hold()
    other = stack.hold("bob", lsid=held.lsid)
    stack.site.end_session(held.lsid, abnormal=True, events=False)
    failed(kill(stack, held), 502, "pra_error")
    assert stack.is_open(other)
    assert recorded(stack, held, "error")


@pytest.mark.parametrize("action, more", [("page", {}), ("status", {"status": 403})])
def test_the_site_refuses(stack, action, more):
    held = stack.hold()
    stack.site.fault(action, call=TERMINATE, **more)
    failed(kill(stack, held), 502, "pra_refused")
    stack.given_back(held)
    assert runs(stack, held) and recorded(stack, held, "refused")
    stack.site.clear_faults()


def test_a_known_lack_of_permission_is_not_tried(stack):
    stack.site.permit(perm_command="read_only")
    eventually(lambda: stack.entry["permissions"]["perm_command"] == "read_only")
    held, before = stack.hold(), asked(stack)
    failed(kill(stack, held), 502, "pra_refused")
    stack.given_back(held)
    assert asked(stack) == before and recorded(stack, held, "refused")
    stack.site.permit(perm_command="full_access")
    eventually(lambda: stack.entry["permissions"]["perm_command"] == "full_access")


def unavailable(stack, held):
    answer = kill(stack, held)
    failed(answer, 503, "pra_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    stack.given_back(held)
    return recorded(stack, held, "unavailable") and runs(stack, held)


def test_a_site_that_cannot_be_asked(stack):
    """Away, as it is found out and when it is known; the backup; an account that the site refuses."""
    def is_in(state):
        return eventually(lambda: stack.entry["state"] == state, 30)

    early, late, back, away = (stack.hold() for _ in range(4))
    stack.site.close_listener()
    assert unavailable(stack, early) and is_in("down") and unavailable(stack, late)
    stack.site.open_listener()
    assert is_in("up")
    stack.site.failover("backup")
    assert is_in("standby") and unavailable(stack, back)
    stack.site.failover("none")
    assert is_in("up")
    stack.site.change_secret("another")
    assert is_in("refused") and unavailable(stack, away)
    stack.write_secret("another")
    stack.reload()
    assert is_in("up")


@pytest.mark.parametrize("action", ["hang", "drop_after", "drop_before", "reset", "truncate"])
def test_an_answer_that_is_lost(stack, action):
    held = stack.hold()
    stack.site.fault(action, call=TERMINATE)
    assert "may have been ended" in failed(kill(stack, held), 504, "deadline_exceeded")
    stack.given_back(held)
    assert recorded(stack, held, "lost")
    assert runs(stack, held) == (action not in ("drop_after", "truncate"))
    stack.site.clear_faults()


def test_the_caller_s_deadline_is_the_shortest(stack):
    stack.reload(call_timeout="60s")
    held = stack.hold()
    stack.site.fault("hang", call=TERMINATE)
    answer = kill(stack, held, headers={"X-Request-Timeout-Ms": "700"}, timeout=20)
    failed(answer, 504, "deadline_exceeded")
    stack.given_back(held)
    stack.site.clear_faults()
    stack.reload(call_timeout="3s")


def test_a_refused_token_is_replaced_and_the_call_sent_then(stack):
    held = stack.hold()
    stack.site.drop_tokens()
    answer = kill(stack, held)
    assert (answer.status, answer.json["outcome"]) == (200, "terminated")
    assert not runs(stack, held)


# ---- nothing is done ----

def untouched(stack, held, before):
    assert stack.is_open(held) and runs(stack, held)
    assert asked(stack) == before and outcomes(stack, held.lease["id"]) == []
    return True


def test_a_lease_without_a_key(stack):
    session = stack.session("ann", stack.account())
    lease, before = stack.checkout(session).json["lease"]["id"], asked(stack)
    problem(end(stack, lease), 422, "session_not_terminable")
    assert lease in stack.leases() and asked(stack) == before and outcomes(stack, lease) == []


def test_the_switch_is_off(stack):
    held, before = stack.hold(), asked(stack)
    no_key = stack.checkout(stack.session("ann", stack.account())).json["lease"]["id"]
    stack.reload(terminate="no")
    problem(kill(stack, held), 501, "unsupported")
    problem(end(stack, no_key), 501, "unsupported")
    problem(end(stack, "no-such-lease"), 404, "not_found")
    assert untouched(stack, held, before)
    stack.reload(terminate="yes")
    problem(end(stack, no_key), 422, "session_not_terminable")


def test_no_site_at_all():
    with PraStack() as stack:
        held = stack.hold()
        stack.gateway.stop()
        stack.gateway.sections.pop("pra site")
        stack.gateway.start()
        problem(kill(stack, held), 501, "unsupported")
        problem(end(stack, "no-such-lease"), 404, "not_found")
        assert stack.is_open(held)
        assert kill(stack, held, body={}).json["released"] == 1
        stack.sweep()


def test_an_unknown_lease(stack):
    before = asked(stack)
    for lease in ("0" * 26, "x", "x" * 200, "%20"):
        assert "console" in problem(end(stack, lease), 404, "not_found")["detail"]
    assert asked(stack) == before


@pytest.mark.parametrize("body", [b'{"terminate":"yes"}', b'{"terminate":1}', b'{"terminate":[]}', b'{"terminate":{}}',
                                  b'{"terminate":"true"}', b"[true]", b"true", b'{"terminate":true'])
def test_another_type_is_refused(stack, body):
    held, before = stack.hold(), asked(stack)
    problem(kill(stack, held, body=body), 400, "invalid_request")
    assert untouched(stack, held, before)


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'{"terminate":false}', b'{"terminate":null}'])
def test_the_plain_release(stack, body):
    held, before = stack.hold(), asked(stack)
    answer = kill(stack, held, body=body)
    assert (answer.status, answer.json["released"]) == (200, 1) and "terminated" not in answer.json
    stack.given_back(held)
    assert runs(stack, held) and asked(stack) == before and outcomes(stack, held.lease["id"]) == []


def test_only_an_operator_may(stack):
    held, before = stack.hold(), asked(stack)
    problem(kill(stack, held, token="watcher"), 403, "forbidden")
    problem(kill(stack, held, token=None), 401, "unauthenticated")
    assert untouched(stack, held, before)


def test_a_strict_audit_trail_that_cannot_be_written(stack):
    held, other, before = stack.hold(), stack.session("bob", stack.account()), asked(stack)
    wanted = stack.credential(other)
    block(stack)
    problem(kill(stack, held), 503, "audit_unavailable")   # found out by this record
    assert stack.checkout(other, wanted).code == "audit_unavailable"
    problem(kill(stack, held), 503, "audit_unavailable")   # known
    assert stack.is_open(held) and runs(stack, held) and asked(stack) == before
    unblock(stack)
    answer = eventually(lambda: (a := kill(stack, held)).status == 200 and a)
    assert answer.json["outcome"] == "terminated"


# ---- neither waits for the other ----

def test_the_release_does_not_wait_for_the_site(stack):
    held = stack.hold()
    stack.site.fault("hang", call=TERMINATE)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(kill, stack, held)
        eventually(lambda: stack.live() == [])
        assert not answer.done()
        failed(answer.result(), 504, "deadline_exceeded")
    stack.site.clear_faults()


def test_the_site_is_not_asked_later_than_the_vault(stack):
    held = stack.hold()
    stack.vault.fault("hang", call=CHECKIN, count=1)
    answer = kill(stack, held)
    assert (answer.status, answer.json) == (
        200, {"released": 1, "terminated": True, "outcome": "terminated", "ended": 0, "pending": True})
    assert not runs(stack, held)
    stack.given_back(held)


def test_both_go_on_when_the_client_leaves(stack):
    held = stack.hold()
    other = stack.hold("bob", lsid=held.lsid)
    stack.site.fault("latency", call=TERMINATE, latency_ms=1500, count=1)
    before = asked(stack)
    with Wire(stack.gateway) as wire:
        body = '{"terminate":true}'
        wire.send(head("POST", f"/v1/leases/{held.lease['id']}/release", Content_Type="application/json",
                       Content_Length=len(body)) + body)
        eventually(lambda: outcomes(stack, held.lease["id"]) == ["asked"])
    assert recorded(stack, held, "terminated")
    assert asked(stack) == before + 1 and not runs(stack, held)
    stack.given_back(held, other)


def test_many_at_once_and_two_of_one_lease(stack):
    helds = [stack.hold() for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        twice = [pool.submit(kill, stack, helds[0]) for _ in range(2)]
        answers = [pool.submit(kill, stack, held) for held in helds[1:]]
        codes = sorted(t.result().status for t in twice)
        assert all(a.result().json["outcome"] == "terminated" for a in answers)
    assert codes in ([200, 200], [200, 404])
    assert not any(runs(stack, held) for held in helds)
    stack.given_back(*helds)


# ---- the command ----

def command(stack, *words, expect):
    """`jumpgate leases`; what it says on either stream."""
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:exitcode=99",
                   "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
    path = str(stack.gateway.path / "jumpgate.conf")
    done = subprocess.run([str(BIN / "jumpgate"), "leases", "-c", path, *words], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, env=environment, check=False)
    said = done.stdout + done.stderr
    assert not SANITIZER.search(said) and done.returncode == expect, (done.returncode, said)
    return said


def test_the_command_ends_the_session(stack):
    held = stack.hold()
    stack.hold("bob", lsid=held.lsid)
    said = command(stack, "release", held.lease["id"], "--terminate", expect=0)
    assert "released 1 lease" in said and "was ended" in said and "1 more" in said
    assert not runs(stack, held) and stack.leases() == {}
    assert recorded(stack, held, "terminated")
    ended = stack.hold()
    stack.site.end_session(ended.lsid, events=False)
    assert "already ended" in command(stack, "release", ended.lease["id"], "--terminate", expect=0)


@pytest.mark.parametrize("action", ["error", "page", "hang", "html500"])
def test_the_command_says_that_only_the_lease_ended(stack, action):
    held = stack.hold()
    stack.site.fault(action, call=TERMINATE)
    said = command(stack, "release", held.lease["id"], "--terminate", expect=5)
    assert "console" in said
    stack.given_back(held)
    assert runs(stack, held)
    stack.site.clear_faults()
    command(stack, "release", held.lease["id"], "--terminate", expect=4)


def test_the_command_without_effect(stack):
    held, before = stack.hold(), asked(stack)
    command(stack, "release", "--all", "--terminate", expect=2)
    command(stack, "release", "--terminate", expect=2)
    command(stack, "list", "--terminate", expect=2)
    command(stack, "--terminate", expect=2)
    command(stack, "release", held.lease["id"], held.lease["id"], "--terminate", expect=2)
    command(stack, "release", "no-such-lease", "--terminate", expect=4)
    no_key = stack.checkout(stack.session("ann", stack.account())).json["lease"]["id"]
    command(stack, "release", no_key, "--terminate", expect=1)
    stack.reload(terminate="no")
    command(stack, "release", held.lease["id"], "--terminate", expect=1)
    stack.reload(terminate="yes")
    assert untouched(stack, held, before) and no_key in stack.leases()


def test_the_command_needs_a_gateway():
    with PraStack({"poll_interval": "0s"}) as stack:
        held = stack.hold()
        stack.gateway.stop()
        said = command(stack, "release", held.lease["id"], "--terminate", expect=1)
        assert "not running" in said
        assert runs(stack, held)
        stack.gateway.start()
        assert stack.is_open(held)
        stack.sweep()
