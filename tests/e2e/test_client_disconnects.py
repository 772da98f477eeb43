# SPDX-License-Identifier: Apache-2.0
"""Clients that disconnect at any moment: nothing of theirs stays behind, and other clients are not disturbed.

The simulator holds the call in question for a moment (or for good); the client leaves while it is there. The sweep
of the stack then requires that no request and no lease is left.
"""

import json
import socket
import struct
import threading

import pytest

from harness import TOKEN, eventually
from stack import CHECKIN, CREDENTIAL, LIST, REQUEST, SIGN_IN, Stack

STEPS = {"sign-in": SIGN_IN, "list": LIST, "request": REQUEST, "credential": CREDENTIAL}
USERS = iter(range(2000, 10000))


def ask(stack, path, body):
    """Sends an operation and does not wait for its answer; the connection."""
    connection = stack.gateway.connect()
    connection.request("POST", path, json.dumps(body).encode(),
                       {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
    return connection


def reset(connection):
    """Leaves without a good-bye: RST instead of FIN."""
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def new_person(stack):
    number = next(USERS)
    stack.vault.change("users", id=number, name=f"CORP\\u{number}", groups=["all"])
    return f"u{number}"


def arrived(stack, call):
    """The vault works on this call now."""
    return stack.vault.calls(call) > 0 and stack.vault.counts()["in_flight"] > 0


@pytest.mark.parametrize("leave", [lambda c: c.close(), reset], ids=["closed", "reset"])
@pytest.mark.parametrize("action", ["latency", "hang"])
@pytest.mark.parametrize("step", STEPS)
def test_client_leaves_a_check_out(stack, step, action, leave):
    box = stack.account()
    credential = stack.credential(stack.session("ann", box))
    asked = stack.session(new_person(stack), box)
    stack.vault.fault(action, call=STEPS[step], **({"latency_ms": 300} if action == "latency" else {"count": 1}))
    stack.vault.reset_counts()
    connection = ask(stack, "/v1/credentials/checkout", {"session": asked, "credential_id": credential})
    eventually(lambda: arrived(stack, STEPS[step]))
    leave(connection)
    stack.settled(20)
    assert stack.gateway.complete(asked).json == {"released": 0}


@pytest.mark.parametrize("user", ["ann", "bob"], ids=["for_a_session", "for_a_connection"])
def test_client_leaves_the_line(user):
    """What has not been sent yet never is, so nothing has to be given back."""
    with Stack({"vault main": {"connections": "1", "sessions_per_user": "1"}}) as stack:
        box, other = stack.account(), stack.account()
        sessions = stack.session("ann", box), stack.session(user, other)
        credentials = [stack.credential(session) for session in sessions]
        stack.vault.fault("latency", call=REQUEST, latency_ms=1000)
        stack.vault.reset_counts()
        asked = [{"session": session, "credential_id": credential, "reason": "the policy need not be asked"}
                 for session, credential in zip(sessions, credentials)]
        first = ask(stack, "/v1/credentials/checkout", asked[0])
        eventually(lambda: arrived(stack, REQUEST))
        second = ask(stack, "/v1/credentials/checkout", asked[1])
        waiting = 'jumpgate_vault_line{vault="main",class="first"}'
        eventually(lambda: stack.metric(waiting) == 1)
        second.close()
        eventually(lambda: stack.metric(waiting) == 0)
        assert first.getresponse().status == 200
        assert stack.gateway.complete(sessions[0]).json == {"released": 1}
        stack.settled(20)
        assert stack.vault.calls(REQUEST) == 1
        assert stack.vault.calls(CHECKIN) == 1


def test_client_leaves_at_any_moment(stack):
    """After 0, 1, 2, 3 ... milliseconds of a check-out whose calls take five each."""
    box = stack.account()
    credential = stack.credential(stack.session("ann", box))
    stack.vault.latency(5)
    for _ in range(40):
        asked = stack.session("ann", box)
        connection = ask(stack, "/v1/credentials/checkout", {"session": asked, "credential_id": credential})
        connection.sock.settimeout(len(stack.opened) % 30 / 1000 + 0.0005)
        try:
            connection.sock.recv(1)
        except TimeoutError:
            pass
        reset(connection)
    stack.vault.latency(0)
    for asked in stack.opened:
        stack.gateway.complete(asked)  # of those that were answered before their client left
    stack.settled(20)


def test_client_that_leaves_before_its_body_is_complete(stack):
    box = stack.account()
    asked = stack.session("ann", box)
    body = json.dumps({"session": asked, "credential_id": stack.credential(asked)}).encode()
    connection = stack.gateway.connect()
    connection.putrequest("POST", "/v1/credentials/checkout")
    connection.putheader("Authorization", f"Bearer {TOKEN}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:-1])
    stack.vault.reset_counts()
    connection.close()
    eventually(stack.quiet)
    assert stack.vault.calls(REQUEST) == 0


def test_half_closed_client_gets_its_answer(stack):
    """A client that has said all may close its side and read on."""
    box = stack.account(password="half")
    asked = stack.session("ann", box)
    stack.vault.fault("latency", call=CREDENTIAL, latency_ms=200)
    connection = ask(stack, "/v1/credentials/checkout",
                     {"session": asked, "credential_id": stack.credential(asked)})
    connection.sock.shutdown(socket.SHUT_WR)
    data = b""
    while part := connection.sock.recv(65536):
        data += part
    connection.close()
    if data:  # answered; the other right reading is that a closed side is a client that left
        assert b"200" in data.split(b"\r\n")[0] and b'"half"' in data
        assert stack.gateway.complete(asked).json == {"released": 1}


def test_client_leaves_while_another_session_holds_the_request(stack):
    box = stack.account()
    one, two = stack.session("ann", box), stack.session("ann", box)
    credential = stack.credential(one)
    request = stack.checkout(one, credential).json["lease"]["request_id"]
    stack.vault.fault("latency", call=CREDENTIAL, latency_ms=300)
    stack.vault.reset_counts()
    connection = ask(stack, "/v1/credentials/checkout", {"session": two, "credential_id": credential})
    eventually(lambda: arrived(stack, CREDENTIAL))
    connection.close()
    eventually(stack.quiet)
    stack.vault.clear_faults()
    assert stack.vault.active() == [request]
    assert stack.gateway.release(one, credential).json == {"released": 1, "remaining_holders": 0}


def test_client_leaves_and_another_waits_for_the_same_lease(stack):
    """Two equal check-outs of one session; the first client leaves, the second is served."""
    box = stack.account(password="pw")
    asked = stack.session("ann", box)
    credential = stack.credential(asked)
    stack.vault.fault("latency", call=REQUEST, latency_ms=400)
    stack.vault.reset_counts()
    connection = ask(stack, "/v1/credentials/checkout", {"session": asked, "credential_id": credential})
    eventually(lambda: arrived(stack, REQUEST))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(stack.checkout(asked, credential)))
    thread.start()
    eventually(lambda: stack.metric("jumpgate_requests_in_flight") == 2)
    connection.close()
    thread.join()
    assert answers[0].status == 200 and answers[0].json["password"] == "pw", answers[0].body
    eventually(lambda: stack.vault.active() == [answers[0].json["lease"]["request_id"]])
    assert stack.gateway.complete(asked).json == {"released": 1}


def test_client_leaves_a_shared_find(stack):
    box = stack.account()
    stack.credential(stack.session("ann", box))
    stack.vault.fault("latency", call=LIST, latency_ms=400)
    asked = stack.session("ann", box)
    stack.vault.reset_counts()
    first = ask(stack, "/v1/credentials/find", {"session": asked})
    eventually(lambda: arrived(stack, LIST))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(stack.gateway.find(asked)))
    thread.start()
    eventually(lambda: stack.metric("jumpgate_requests_in_flight") == 2)
    first.close()
    thread.join()
    assert [row["system"] for row in answers[0].json["credentials"]] == [box.name]


@pytest.mark.parametrize("path", ["/v1/credentials/release", "/v1/sessions/complete"])
def test_client_leaves_a_release(stack, path):
    """What was asked is done all the same."""
    box = stack.account()
    asked = stack.session("ann", box)
    credential = stack.credential(asked)
    assert stack.checkout(asked, credential).status == 200
    stack.vault.fault("latency", call=CHECKIN, latency_ms=300)
    stack.vault.reset_counts()
    connection = ask(stack, path, {"session": asked, "credential_id": credential})
    eventually(lambda: arrived(stack, CHECKIN))
    connection.close()
    stack.settled(20)
    assert stack.vault.calls(CHECKIN) == 1


def test_many_clients_leave_at_once():
    with Stack({"gateway": {"list_cache": "1m"}, "vault main": {"connections": "8"}}) as stack:
        boxes = [stack.account() for _ in range(5)]
        ids = [stack.credential(stack.session("ann", box)) for box in boxes]
        stack.vault.latency(30)
        connections = [ask(stack, "/v1/credentials/checkout",
                           {"session": stack.session(("ann", "bob")[i % 2], boxes[i % 5]),
                            "credential_id": ids[i % 5]}) for i in range(100)]
        eventually(lambda: stack.vault.state(0)["requests"]["created"] > 0)
        for connection in connections:
            reset(connection)
        eventually(stack.quiet, 20)
        stack.vault.latency(0)
        for asked in stack.opened:
            stack.gateway.complete(asked)
        stack.settled(20)


def test_gateway_stops_while_clients_leave():
    with Stack({"gateway": {"drain_timeout": "3s"}}) as stack:
        box = stack.account()
        credential = stack.credential(stack.session("ann", box))
        stack.vault.fault("latency", call=CREDENTIAL, latency_ms=300)
        connections = [ask(stack, "/v1/credentials/checkout",
                           {"session": stack.session("ann", box), "credential_id": credential}) for _ in range(10)]
        stack.vault.reset_counts()
        eventually(stack.live)
        for connection in connections:
            connection.close()
        stack.gateway.stop()
        assert stack.live() == []
