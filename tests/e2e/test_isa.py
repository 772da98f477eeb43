# SPDX-License-Identifier: Apache-2.0
"""Direct access (ISA): the secret at once, and the request it leaves owned like any other, or none to own."""

import subprocess

from harness import BIN
from house import CHECKIN, CREDENTIAL, REQUEST, REQUESTS

ISA = "POST ISARequests"


def asked(house):
    return {name: house.vault.calls(name) for name in (ISA, REQUEST, CREDENTIAL, CHECKIN, REQUESTS)}


def test_request_it_leaves_is_found_and_checked_in(house):
    house.vault.knob(20, "listed")
    house.vault.reset_counts()
    box = house.account("root", rule="direct", password="s3cret")
    ann = house.session("ann", box)
    answer = house.checkout(ann)
    assert answer.status == 200, answer.body
    assert answer.json["password"] == "s3cret"
    (live,) = house.live()
    assert answer.json["lease"]["request_id"] == live["id"]
    assert live["reason"].endswith(f"[jumpgate {answer.json['lease']['id']}]")
    again = house.checkout(ann)
    assert again.json["lease"] == answer.json["lease"]
    assert asked(house) == {ISA: 1, REQUEST: 0, CREDENTIAL: 1, CHECKIN: 0, REQUESTS: 1}
    assert house.gateway.complete(ann).json == {"released": 1}
    house.settled()
    assert house.vault.calls(CHECKIN) == 1


def test_two_sessions_each_have_their_own(house):
    house.vault.knob(20, "listed")
    box = house.account("root", rule="direct", password="s3cret")
    one, two = house.session("ann", box), house.session("ann", box)
    first, second = house.checkout(one).json["lease"], house.checkout(two).json["lease"]
    assert first["request_id"] != second["request_id"]
    assert len(house.live()) == 2
    house.gateway.complete(one)
    assert [r["id"] for r in house.live()] == [second["request_id"]]


def test_none_is_left_and_the_lease_ends_here(house):
    house.vault.knob(20, "none")
    house.vault.reset_counts()
    box = house.account("root", rule="direct", password="s3cret")
    ann = house.session("ann", box)
    answer = house.checkout(ann)
    assert answer.status == 200, answer.body
    lease = answer.json["lease"]
    assert lease["request_id"] is None and lease["expires_at"]
    (row,) = house.gateway.call("GET", "/v1/leases").json["leases"]
    assert (row["id"], row["request_id"], row["state"]) == (lease["id"], None, "open")
    assert house.checkout(ann).json["lease"] == lease
    house.gateway.stop()
    house.gateway.restart()
    assert house.checkout(ann).json["lease"] == lease
    assert house.gateway.complete(ann).json == {"released": 1}
    house.settled()
    assert house.vault.calls(CHECKIN) == 0


def test_none_is_left_and_it_is_released_while_the_gateway_is_stopped(house):
    house.vault.knob(20, "none")
    ann = house.session("ann", house.account("root", rule="direct", password="s3cret"))
    lease = house.checkout(ann).json["lease"]
    house.gateway.stop()
    subprocess.run([str(BIN / "jumpgate"), "leases", "-c", str(house.gateway.path / "jumpgate.conf"), "release",
                    lease["id"]], check=True, timeout=60, stdin=subprocess.DEVNULL)
    house.gateway.restart()
    assert house.gateway.call("GET", "/v1/leases").json["leases"] == []
    assert "lease_odd" not in house.gateway.err.text


def test_key_and_what_later_finds_say(house):
    house.vault.knob(20, "listed")
    box = house.account("root", rule="direct", password=None, key="KEY", passphrase="pp")
    ann = house.session("ann", box)
    secret = house.checkout(ann).json
    assert (secret["private_key"], secret["passphrase"]) == ("KEY", "pp")
    assert len(house.live()) == 1
    (row,) = house.gateway.find(ann).json["credentials"]
    assert row["secret_type"] == "ssh_key"


def test_role_lost_after_the_find(house):
    """The row is read again, and what is left of the entitlement decides."""
    house.vault.reset_counts()
    box = house.account("root", rule="direct", password="s3cret")
    ann = house.session("ann", box)
    credential = house.credential(ann)
    house.vault.change("accounts", id=box.account, rules=["auto"])
    assert house.checkout(ann, credential).json["lease"]["request_id"]
    assert (house.vault.calls(ISA), house.vault.calls(REQUEST)) == (0, 1)
    house.vault.change("accounts", id=box.account, rules=[])
    assert house.checkout(house.session("ann", box), credential).status in (403, 404)
