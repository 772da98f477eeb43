# SPDX-License-Identifier: Apache-2.0
"""The vault's request id is the identity of a request, not our spelling of its user, nor the name of its section."""

import datetime
import time

from harness import API_KEY, eventually
from house import PEOPLE, REQUESTS, House
from simulator import Simulator

ROUNDS = {"gateway": {"reconcile_every": "1s", "reconcile_rate": "off"}}


def rounds(house, n=3):
    """Waits until the vault has been asked for the live requests so many times more."""
    first = house.vault.calls(REQUESTS)
    eventually(lambda: house.vault.calls(REQUESTS) >= first + n, 30)


def taken(house, who):
    answer = house.checkout(who)
    assert answer.status == 200, answer.body
    return answer.json["lease"]["request_id"]


def live(house):
    return {r["id"] for r in house.live()}


def test_the_end_of_one_spelling_leaves_the_other():
    with House(ROUNDS) as house:
        box = house.account()
        one, two = house.session("ann", box, "CORP"), house.session("aNN", box, "corp")
        request = taken(house, one)
        assert taken(house, two) == request
        rounds(house)
        assert live(house) == {request}
        assert house.gateway.complete(one).json["released"] == 1
        rounds(house)
        assert live(house) == {request}
        house.gateway.kill()
        house.gateway.restart()
        rounds(house)
        assert live(house) == {request}
        assert house.gateway.complete(two).json["released"] == 1
        house.settled()


def test_a_vault_under_two_addresses_has_no_strays():
    """One vault behind two names, which no comparison of addresses can see: the mark of an open lease protects its request."""
    with House() as house:
        house.gateway.stop()
        port = house.vault.url.split(":")[2].split("/")[0]
        other = house.vault.url.replace(f"127.0.0.1:{port}", f"localhost:{port}")
        house.gateway.sections["gateway"].update(ROUNDS["gateway"])
        house.gateway.sections["vault again"] = {**house.gateway.sections["vault main"], "url": other}
        house.gateway.start()
        box = house.account()
        who = house.session("ann", box)
        found = house.gateway.find(who).json["credentials"]
        ids = {c["credential_id"].split(".")[1]: c["credential_id"] for c in found}
        assert set(ids) == {"main", "again"}
        first = house.checkout(who, ids["main"])
        assert first.status == 200
        box2 = house.account()
        there = house.session("ann", box2)
        ids2 = [c["credential_id"] for c in house.gateway.find(there).json["credentials"] if ".again." in c["credential_id"]]
        second = house.checkout(there, ids2[0])
        assert second.status == 200
        both = {first.json["lease"]["request_id"], second.json["lease"]["request_id"]}
        rounds(house, 6)
        assert live(house) == both
        assert "stray_request" not in house.gateway.err.text
        again = house.session("ann", box)
        joined = house.checkout(again, ids["again"])
        assert joined.json["lease"]["request_id"] == first.json["lease"]["request_id"]
        assert house.gateway.complete(who).json["released"] == 1
        rounds(house)
        assert live(house) == both
        assert house.gateway.complete(again).json["released"] == 1
        eventually(lambda: live(house) == {second.json["lease"]["request_id"]})
        house.sweep()


def test_a_lease_is_of_its_own_vault():
    """The section was renamed and its name given to another vault, where the number is a request of the person's own."""
    with House(ROUNDS) as house, Simulator("--users", 0, "--systems", 0, api_key=API_KEY) as other:
        other.scenario(PEOPLE)
        box = house.account(password="here")
        other.change("systems", id=box.system, name=box.name, platform=2)
        other.change("accounts", id=box.account, system=box.system, name="root", rules=["auto"], rotates=False,
                     max_concurrent=0, password="there")
        other.change("systems", id=777, name="dc", platform=2)
        other.change("accounts", id=778, system=777, name="admin", rules=["auto"], rotates=False, max_concurrent=0,
                     password="another's")
        who = house.session("ann", box)
        credential = house.credential(who)
        number = house.checkout(who, credential).json["lease"]["request_id"]
        assert other.sign_in("CORP\\ann").request(777, 778).json == number
        house.gateway.stop()
        sections = house.gateway.sections
        sections["vault old"] = sections.pop("vault main")
        sections["vault main"] = {**sections["vault old"], "url": other.url}
        house.gateway.start()
        answer = house.checkout(who, credential)
        assert answer.json["password"] == "there"
        eventually(lambda: not house.live())
        assert house.gateway.complete(who).json["released"] == 1
        eventually(lambda: {r["id"] for r in other.state(0)["active"]} == {number})
        house.sweep()


def test_a_section_that_was_renamed_keeps_its_leases():
    with House(ROUNDS) as house:
        who = house.session("ann", house.account())
        request = taken(house, who)
        house.gateway.stop()
        sections = house.gateway.sections
        sections["vault renamed"] = sections.pop("vault main")
        house.gateway.start()
        assert "leases_of_absent_vault" not in house.gateway.err.text
        rounds(house)
        assert live(house) == {request}
        assert house.gateway.complete(who).json["released"] == 1
        house.settled()


def test_a_lease_is_over_at_the_moment_that_was_answered():
    with House({"vault main": {"minute": "1s"}}, ["--minute", "60s"]) as house:
        box = house.account()
        time.sleep(1.6 - time.time() % 1)  # asked for within a second, not at its beginning
        who = house.session("ann", box)
        answer = house.checkout(who, members={"duration_minutes": 3})
        assert answer.status == 200, answer.body
        end = datetime.datetime.fromisoformat(answer.json["lease"]["expires_at"].replace("Z", "+00:00"))
        time.sleep(max(0, end.timestamp() + 0.02 - time.time()))
        assert house.gateway.complete(who).json["released"] == 0
        eventually(lambda: not live(house))
