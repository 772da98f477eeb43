# SPDX-License-Identifier: Apache-2.0
"""Direct access (ISA): the secret at once, and the request it leaves owned like any other, or none to own."""

import subprocess

from harness import BIN
from stack import CHECKIN, CREDENTIAL, REQUEST, REQUESTS

ISA = "POST ISARequests"


def asked(stack):
    return {name: stack.vault.calls(name) for name in (ISA, REQUEST, CREDENTIAL, CHECKIN, REQUESTS)}


def test_request_it_leaves_is_found_and_checked_in(stack):
    stack.vault.knob(20, "listed")
    stack.vault.reset_counts()
    box = stack.account("root", rule="direct", password="s3cret")
    ann = stack.session("ann", box)
    answer = stack.checkout(ann)
    assert answer.status == 200, answer.body
    assert answer.json["password"] == "s3cret"
    (live,) = stack.live()
    assert answer.json["lease"]["request_id"] == live["id"]
    assert live["reason"].endswith(f"[jumpgate {answer.json['lease']['id']}]")
    again = stack.checkout(ann)
    assert again.json["lease"] == answer.json["lease"]
    assert asked(stack) == {ISA: 1, REQUEST: 0, CREDENTIAL: 1, CHECKIN: 0, REQUESTS: 1}
    assert stack.gateway.complete(ann).json == {"released": 1}
    stack.settled()
    assert stack.vault.calls(CHECKIN) == 1


def test_two_sessions_each_have_their_own(stack):
    stack.vault.knob(20, "listed")
    box = stack.account("root", rule="direct", password="s3cret")
    one, two = stack.session("ann", box), stack.session("ann", box)
    first, second = stack.checkout(one).json["lease"], stack.checkout(two).json["lease"]
    assert first["request_id"] != second["request_id"]
    assert len(stack.live()) == 2
    stack.gateway.complete(one)
    assert [r["id"] for r in stack.live()] == [second["request_id"]]


def test_none_is_left_and_the_lease_ends_here(stack):
    stack.vault.knob(20, "none")
    stack.vault.reset_counts()
    box = stack.account("root", rule="direct", password="s3cret")
    ann = stack.session("ann", box)
    answer = stack.checkout(ann)
    assert answer.status == 200, answer.body
    lease = answer.json["lease"]
    assert lease["request_id"] is None and lease["request_key"] is None and lease["expires_at"]
    (row,) = stack.gateway.call("GET", "/v1/leases").json["leases"]
    assert (row["id"], row["request_id"], row["state"]) == (lease["id"], None, "open")
    assert stack.checkout(ann).json["lease"] == lease
    stack.gateway.stop()
    stack.gateway.restart()
    assert stack.checkout(ann).json["lease"] == lease
    assert stack.gateway.complete(ann).json == {"released": 1}
    stack.settled()
    assert stack.vault.calls(CHECKIN) == 0


def test_none_is_left_and_it_is_released_while_the_gateway_is_stopped(stack):
    stack.vault.knob(20, "none")
    ann = stack.session("ann", stack.account("root", rule="direct", password="s3cret"))
    lease = stack.checkout(ann).json["lease"]
    stack.gateway.stop()
    subprocess.run([str(BIN / "jumpgate"), "leases", "-c", str(stack.gateway.path / "jumpgate.conf"), "release",
                    lease["id"]], check=True, timeout=60, stdin=subprocess.DEVNULL)
    stack.gateway.restart()
    assert stack.gateway.call("GET", "/v1/leases").json["leases"] == []
    assert "lease_odd" not in stack.gateway.err.text


def test_key_and_what_later_finds_say(stack):
    stack.vault.knob(20, "listed")
    box = stack.account("root", rule="direct", password=None, key="KEY", passphrase="pp")
    ann = stack.session("ann", box)
    secret = stack.checkout(ann).json
    assert (secret["private_key"], secret["passphrase"]) == ("KEY", "pp")
    assert len(stack.live()) == 1
    (row,) = stack.gateway.find(ann).json["credentials"]
    assert row["secret_type"] == "ssh_key"


def test_role_lost_after_the_find(stack):
    """The row is read again, and what is left of the entitlement decides."""
    stack.vault.reset_counts()
    box = stack.account("root", rule="direct", password="s3cret")
    ann = stack.session("ann", box)
    credential = stack.credential(ann)
    stack.vault.change("accounts", id=box.account, rules=["auto"])
    assert stack.checkout(ann, credential).json["lease"]["request_id"]
    assert (stack.vault.calls(ISA), stack.vault.calls(REQUEST)) == (0, 1)
    stack.vault.change("accounts", id=box.account, rules=[])
    assert stack.checkout(stack.session("ann", box), credential).status in (403, 404)
