# SPDX-License-Identifier: Apache-2.0
"""The vault's request id is the identity of a request, not our spelling of its user, nor the name of its section."""

import datetime
import time

from harness import API_KEY, eventually
from stack import PEOPLE, REQUESTS, Stack
from simulator import Simulator

ROUNDS = {"gateway": {"reconcile_every": "1s", "reconcile_rate": "off"}}


def rounds(stack, n=3):
    """Waits until the vault has been asked for the live requests so many times more."""
    first = stack.vault.calls(REQUESTS)
    eventually(lambda: stack.vault.calls(REQUESTS) >= first + n, 30)


def taken(stack, who):
    answer = stack.checkout(who)
    assert answer.status == 200, answer.body
    return answer.json["lease"]["request_id"]


def live(stack):
    return {r["id"] for r in stack.live()}


def test_the_end_of_one_spelling_leaves_the_other():
    with Stack(ROUNDS) as stack:
        box = stack.account()
        one, two = stack.session("ann", box, "CORP"), stack.session("aNN", box, "corp")
        request = taken(stack, one)
        assert taken(stack, two) == request
        rounds(stack)
        assert live(stack) == {request}
        assert stack.gateway.complete(one).json["released"] == 1
        rounds(stack)
        assert live(stack) == {request}
        stack.gateway.kill()
        stack.gateway.restart()
        rounds(stack)
        assert live(stack) == {request}
        assert stack.gateway.complete(two).json["released"] == 1
        stack.settled()


def test_a_vault_under_two_addresses_has_no_strays():
    """One vault behind two names, which no comparison of addresses can see: the mark of an open lease protects its request."""
    with Stack() as stack:
        stack.gateway.stop()
        port = stack.vault.url.split(":")[2].split("/")[0]
        other = stack.vault.url.replace(f"127.0.0.1:{port}", f"localhost:{port}")
        stack.gateway.sections["gateway"].update(ROUNDS["gateway"])
        stack.gateway.sections["vault again"] = {**stack.gateway.sections["vault main"], "url": other}
        stack.gateway.start()
        box = stack.account()
        who = stack.session("ann", box)
        found = stack.gateway.find(who).json["credentials"]
        ids = {c["credential_id"].split(".")[1]: c["credential_id"] for c in found}
        assert set(ids) == {"main", "again"}
        first = stack.checkout(who, ids["main"])
        assert first.status == 200
        box2 = stack.account()
        there = stack.session("ann", box2)
        ids2 = [c["credential_id"] for c in stack.gateway.find(there).json["credentials"] if ".again." in c["credential_id"]]
        second = stack.checkout(there, ids2[0])
        assert second.status == 200
        both = {first.json["lease"]["request_id"], second.json["lease"]["request_id"]}
        rounds(stack, 6)
        assert live(stack) == both
        assert "stray_request" not in stack.gateway.err.text
        again = stack.session("ann", box)
        joined = stack.checkout(again, ids["again"])
        assert joined.json["lease"]["request_id"] == first.json["lease"]["request_id"]
        assert stack.gateway.complete(who).json["released"] == 1
        rounds(stack)
        assert live(stack) == both
        assert stack.gateway.complete(again).json["released"] == 1
        eventually(lambda: live(stack) == {second.json["lease"]["request_id"]})
        stack.sweep()


def test_a_lease_is_of_its_own_vault():
    """The section was renamed and its name given to another vault, where the number is a request of the person's own."""
    with Stack(ROUNDS) as stack, Simulator("--users", 0, "--systems", 0, api_key=API_KEY) as other:
        other.scenario(PEOPLE)
        box = stack.account(password="here")
        other.change("systems", id=box.system, name=box.name, platform=2)
        other.change("accounts", id=box.account, system=box.system, name="root", rules=["auto"], rotates=False,
                     max_concurrent=0, password="there")
        other.change("systems", id=777, name="dc", platform=2)
        other.change("accounts", id=778, system=777, name="admin", rules=["auto"], rotates=False, max_concurrent=0,
                     password="another's")
        who = stack.session("ann", box)
        credential = stack.credential(who)
        number = stack.checkout(who, credential).json["lease"]["request_id"]
        assert other.sign_in("CORP\\ann").request(777, 778).json == number
        stack.gateway.stop()
        sections = stack.gateway.sections
        sections["vault old"] = sections.pop("vault main")
        sections["vault main"] = {**sections["vault old"], "url": other.url}
        stack.gateway.start()
        answer = stack.checkout(who, credential)
        assert answer.json["password"] == "there"
        eventually(lambda: not stack.live())
        assert stack.gateway.complete(who).json["released"] == 1
        eventually(lambda: {r["id"] for r in other.state(0)["active"]} == {number})
        stack.sweep()


def test_a_section_that_was_renamed_keeps_its_leases():
    with Stack(ROUNDS) as stack:
        who = stack.session("ann", stack.account())
        request = taken(stack, who)
        stack.gateway.stop()
        sections = stack.gateway.sections
        sections["vault renamed"] = sections.pop("vault main")
        stack.gateway.start()
        assert "leases_of_absent_vault" not in stack.gateway.err.text
        rounds(stack)
        assert live(stack) == {request}
        assert stack.gateway.complete(who).json["released"] == 1
        stack.settled()


def test_a_lease_is_over_at_the_moment_that_was_answered():
    with Stack({"vault main": {"minute": "1s"}}, ["--minute", "60s"]) as stack:
        box = stack.account()
        time.sleep(1.6 - time.time() % 1)  # asked for within a second, not at its beginning
        who = stack.session("ann", box)
        answer = stack.checkout(who, members={"duration_minutes": 3})
        assert answer.status == 200, answer.body
        end = datetime.datetime.fromisoformat(answer.json["lease"]["expires_at"].replace("Z", "+00:00"))
        time.sleep(max(0, end.timestamp() + 0.02 - time.time()))
        assert stack.gateway.complete(who).json["released"] == 0
        eventually(lambda: not live(stack))
