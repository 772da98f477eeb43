# SPDX-License-Identifier: Apache-2.0
"""Clients that leave: whatever the moment, nothing of theirs stays behind, and nobody else notices.

The simulator holds the call in question for a moment (or for good); the client leaves while it is there. The sweep
of the house then insists on no live request and no lease.
"""

import json
import socket
import struct
import threading

import pytest

from harness import TOKEN, eventually
from house import CHECKIN, CREDENTIAL, LIST, REQUEST, SIGN_IN, House

STEPS = {"sign-in": SIGN_IN, "list": LIST, "request": REQUEST, "credential": CREDENTIAL}
USERS = iter(range(2000, 10000))


def ask(house, path, body):
    """Sends an operation and does not wait for its answer; the connection."""
    connection = house.gateway.connect()
    connection.request("POST", path, json.dumps(body).encode(),
                       {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
    return connection


def reset(connection):
    """Leaves without a good-bye: RST instead of FIN."""
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def new_person(house):
    number = next(USERS)
    house.vault.change("users", id=number, name=f"CORP\\u{number}", groups=["all"])
    return f"u{number}"


def arrived(house, call):
    """The vault works on this call now."""
    return house.vault.calls(call) > 0 and house.vault.counts()["in_flight"] > 0


@pytest.mark.parametrize("leave", [lambda c: c.close(), reset], ids=["closed", "reset"])
@pytest.mark.parametrize("action", ["latency", "hang"])
@pytest.mark.parametrize("step", STEPS)
def test_client_leaves_a_check_out(house, step, action, leave):
    box = house.account()
    credential = house.credential(house.session("ann", box))
    asked = house.session(new_person(house), box)
    house.vault.fault(action, call=STEPS[step], **({"latency_ms": 300} if action == "latency" else {"count": 1}))
    house.vault.reset_counts()
    connection = ask(house, "/v1/credentials/checkout", {"session": asked, "credential_id": credential})
    eventually(lambda: arrived(house, STEPS[step]))
    leave(connection)
    house.settled(20)
    assert house.gateway.complete(asked).json == {"released": 0}


@pytest.mark.parametrize("user", ["ann", "bob"], ids=["for_a_session", "for_a_connection"])
def test_client_leaves_the_line(user):
    """What has not been sent yet never is, so nothing has to be given back."""
    with House({"vault main": {"connections": "1", "sessions_per_user": "1"}}) as house:
        box, other = house.account(), house.account()
        sessions = house.session("ann", box), house.session(user, other)
        credentials = [house.credential(session) for session in sessions]
        house.vault.fault("latency", call=REQUEST, latency_ms=1000)
        house.vault.reset_counts()
        asked = [{"session": session, "credential_id": credential, "reason": "the policy need not be asked"}
                 for session, credential in zip(sessions, credentials)]
        first = ask(house, "/v1/credentials/checkout", asked[0])
        eventually(lambda: arrived(house, REQUEST))
        second = ask(house, "/v1/credentials/checkout", asked[1])
        waiting = 'jumpgate_vault_line{vault="main",class="first"}'
        eventually(lambda: house.metric(waiting) == 1)
        second.close()
        eventually(lambda: house.metric(waiting) == 0)
        assert first.getresponse().status == 200
        assert house.gateway.complete(sessions[0]).json == {"released": 1}
        house.settled(20)
        assert house.vault.calls(REQUEST) == 1
        assert house.vault.calls(CHECKIN) == 1


def test_client_leaves_at_any_moment(house):
    """After 0, 1, 2, 3 ... milliseconds of a check-out whose calls take five each."""
    box = house.account()
    credential = house.credential(house.session("ann", box))
    house.vault.latency(5)
    for _ in range(40):
        asked = house.session("ann", box)
        connection = ask(house, "/v1/credentials/checkout", {"session": asked, "credential_id": credential})
        connection.sock.settimeout(len(house.opened) % 30 / 1000 + 0.0005)
        try:
            connection.sock.recv(1)
        except TimeoutError:
            pass
        reset(connection)
    house.vault.latency(0)
    for asked in house.opened:
        house.gateway.complete(asked)  # of those that were answered before their client left
    house.settled(20)


def test_client_that_leaves_before_its_body_is_complete(house):
    box = house.account()
    asked = house.session("ann", box)
    body = json.dumps({"session": asked, "credential_id": house.credential(asked)}).encode()
    connection = house.gateway.connect()
    connection.putrequest("POST", "/v1/credentials/checkout")
    connection.putheader("Authorization", f"Bearer {TOKEN}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:-1])
    house.vault.reset_counts()
    connection.close()
    eventually(house.quiet)
    assert house.vault.calls(REQUEST) == 0


def test_half_closed_client_gets_its_answer(house):
    """A client that has said all may close its side and read on."""
    box = house.account(password="half")
    asked = house.session("ann", box)
    house.vault.fault("latency", call=CREDENTIAL, latency_ms=200)
    connection = ask(house, "/v1/credentials/checkout",
                     {"session": asked, "credential_id": house.credential(asked)})
    connection.sock.shutdown(socket.SHUT_WR)
    data = b""
    while part := connection.sock.recv(65536):
        data += part
    connection.close()
    if data:  # answered; the other right reading is that a closed side is a client that left
        assert b"200" in data.split(b"\r\n")[0] and b'"half"' in data
        assert house.gateway.complete(asked).json == {"released": 1}


def test_client_leaves_while_another_session_holds_the_request(house):
    box = house.account()
    one, two = house.session("ann", box), house.session("ann", box)
    credential = house.credential(one)
    request = house.checkout(one, credential).json["lease"]["request_id"]
    house.vault.fault("latency", call=CREDENTIAL, latency_ms=300)
    house.vault.reset_counts()
    connection = ask(house, "/v1/credentials/checkout", {"session": two, "credential_id": credential})
    eventually(lambda: arrived(house, CREDENTIAL))
    connection.close()
    eventually(house.quiet)
    house.vault.clear_faults()
    assert house.vault.active() == [request]
    assert house.gateway.release(one, credential).json == {"released": 1, "remaining_holders": 0}


def test_client_leaves_and_another_waits_for_the_same_lease(house):
    """Two equal check-outs of one session; the first client leaves, the second is served."""
    box = house.account(password="pw")
    asked = house.session("ann", box)
    credential = house.credential(asked)
    house.vault.fault("latency", call=REQUEST, latency_ms=400)
    house.vault.reset_counts()
    connection = ask(house, "/v1/credentials/checkout", {"session": asked, "credential_id": credential})
    eventually(lambda: arrived(house, REQUEST))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(house.checkout(asked, credential)))
    thread.start()
    eventually(lambda: house.metric("jumpgate_requests_in_flight") == 2)
    connection.close()
    thread.join()
    assert answers[0].status == 200 and answers[0].json["password"] == "pw", answers[0].body
    eventually(lambda: house.vault.active() == [answers[0].json["lease"]["request_id"]])
    assert house.gateway.complete(asked).json == {"released": 1}


def test_client_leaves_a_shared_find(house):
    box = house.account()
    house.credential(house.session("ann", box))
    house.vault.fault("latency", call=LIST, latency_ms=400)
    asked = house.session("ann", box)
    house.vault.reset_counts()
    first = ask(house, "/v1/credentials/find", {"session": asked})
    eventually(lambda: arrived(house, LIST))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(house.gateway.find(asked)))
    thread.start()
    eventually(lambda: house.metric("jumpgate_requests_in_flight") == 2)
    first.close()
    thread.join()
    assert [row["system"] for row in answers[0].json["credentials"]] == [box.name]


@pytest.mark.parametrize("path", ["/v1/credentials/release", "/v1/sessions/complete"])
def test_client_leaves_a_release(house, path):
    """What was asked is done all the same."""
    box = house.account()
    asked = house.session("ann", box)
    credential = house.credential(asked)
    assert house.checkout(asked, credential).status == 200
    house.vault.fault("latency", call=CHECKIN, latency_ms=300)
    house.vault.reset_counts()
    connection = ask(house, path, {"session": asked, "credential_id": credential})
    eventually(lambda: arrived(house, CHECKIN))
    connection.close()
    house.settled(20)
    assert house.vault.calls(CHECKIN) == 1


def test_many_clients_leave_at_once():
    with House({"gateway": {"list_cache": "1m"}, "vault main": {"connections": "8"}}) as house:
        boxes = [house.account() for _ in range(5)]
        ids = [house.credential(house.session("ann", box)) for box in boxes]
        house.vault.latency(30)
        connections = [ask(house, "/v1/credentials/checkout",
                           {"session": house.session(("ann", "bob")[i % 2], boxes[i % 5]),
                            "credential_id": ids[i % 5]}) for i in range(100)]
        eventually(lambda: house.vault.state(0)["requests"]["created"] > 0)
        for connection in connections:
            reset(connection)
        eventually(house.quiet, 20)
        house.vault.latency(0)
        for asked in house.opened:
            house.gateway.complete(asked)
        house.settled(20)


def test_gateway_stops_while_clients_leave():
    with House({"gateway": {"drain_timeout": "3s"}}) as house:
        box = house.account()
        credential = house.credential(house.session("ann", box))
        house.vault.fault("latency", call=CREDENTIAL, latency_ms=300)
        connections = [ask(house, "/v1/credentials/checkout",
                           {"session": house.session("ann", box), "credential_id": credential}) for _ in range(10)]
        house.vault.reset_counts()
        eventually(house.live)
        for connection in connections:
            connection.close()
        house.gateway.stop()
        assert house.live() == []
