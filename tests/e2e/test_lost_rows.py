# SPDX-License-Identifier: Apache-2.0
"""A store that has lost rows without knowing it: the audit trail remembers, and nothing is orphaned.

SQLite takes a damaged frame of its write-ahead log for the log's end, and says nothing. So the file is damaged while the
gateway is dead, and the next one has to find by the trail which requests the vault may still hold.
"""

import json

import pytest

from harness import eventually
from house import CHECKIN, House

HEADER, FRAME = 32, 24 + 4096
SECTIONS = {"gateway": {"reconcile_every": "1s", "reconcile_rate": "off"}, "vault main": {"call_timeout": "2s"}}


def state(house, name):
    return house.gateway.path / "state" / name


def records(house, event):
    lines = [json.loads(line) for line in state(house, "audit.jsonl").read_bytes().splitlines()]
    return [r for r in lines if r["event"] == event]


def damage(house, share):
    """Flips one bit in a frame of the store's write-ahead log, so far from its beginning."""
    path = state(house, "leases.db-wal")
    data = bytearray(path.read_bytes())
    at = HEADER + int(share * ((len(data) - HEADER) // FRAME)) * FRAME + 24 + 2000
    data[at] ^= 0x10
    path.write_bytes(data)


def held(house):
    rows = house.gateway.call("GET", "/v1/leases?limit=1000").json["leases"]
    return {row["request_id"] for row in rows if row["state"] in ("open", "releasing")}


class Party:
    """Thirteen leases, two of them given back; and one request that a person made himself."""

    def __init__(self, house):
        self.house = house
        self.sessions, self.requests = [], []
        boxes = [house.account() for _ in range(14)]
        for n, box in enumerate(boxes[:13]):
            session = house.session("ann" if n % 2 else "bob", box)
            self.sessions.append(session)
            self.requests.append(self.take(session))
        shared = house.session("bob", boxes[0])
        assert self.take(shared) == self.requests[0]
        for n in (3, 4):
            assert house.gateway.complete(self.sessions[n]).json["released"] == 1
        by_hand = house.vault.sign_in("CORP\\ann")
        self.own = by_hand.request(boxes[13].system, boxes[13].account).json
        by_hand.close()
        assert self.take(house.session("ann", boxes[13])) == self.own
        self.live = set(self.requests) - {self.requests[3], self.requests[4]}
        eventually(lambda: {r["id"] for r in house.live()} == self.live | {self.own})

    def take(self, session):
        answer = self.house.checkout(session)
        assert answer.status == 200, answer.body
        return answer.json["lease"]["request_id"]

    def is_accounted_for(self):
        """Each live request is held by a lease, but for the one that is none of the gateway's business."""
        return {r["id"] for r in self.house.live()} - {self.own} <= held(self.house)


def live(house):
    return {r["id"] for r in house.live()}


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8])
def test_rows_lost_with_a_damaged_log(share):
    with House(SECTIONS) as house:
        party = Party(house)
        house.gateway.kill()
        damage(house, share)
        house.gateway.restart()
        if share <= 0.5:  # behind that it may be ends alone that were lost
            assert "store_rows_lost" in house.gateway.err.text
            assert eventually(lambda: records(house, "store_rows_lost"))[-1]["count"] >= 1
        eventually(party.is_accounted_for, 30)
        assert party.own in live(house)
        for session in party.sessions:
            house.gateway.complete(session)
        eventually(lambda: live(house) == {party.own}, 30)
        house.gateway.stop()
        house.gateway.start()  # what has been searched for and given back is no news
        assert "store_rows_lost" not in house.gateway.err.text


def test_rebuilt_store_hears_the_trail():
    with House(SECTIONS) as house:
        party = Party(house)
        house.gateway.kill()
        state(house, "audit.jsonl").rename(state(house, "audit.jsonl.1"))  # rotated meanwhile
        state(house, "leases.db").write_bytes(b"")
        house.gateway.arguments = ["--rebuild"]
        house.gateway.restart()
        eventually(lambda: live(house) == {party.own}, 30)
        assert held(house) == set()


def test_a_whole_store_needs_no_witness():
    with House(SECTIONS) as house:
        party = Party(house)
        house.vault.fault("status", call=CHECKIN, user="CORP\\ann", status=500)
        house.gateway.complete(party.sessions[1])  # its check-in is under way for long
        house.gateway.kill()
        house.gateway.restart()
        assert "store_rows_lost" not in house.gateway.err.text
        assert party.live <= held(house)
        house.vault.clear_faults()


def test_a_trail_of_others_moves_nothing():
    """What the trail claims is looked for; what bears no mark of ours stays."""
    with House(SECTIONS) as house:
        party = Party(house)
        house.gateway.kill()
        path = state(house, "audit.jsonl")
        text = path.read_text()
        adopted = [line for line in text.splitlines() if '"adopted":"yes"' in line]
        assert len(adopted) == 1
        path.write_text(text.replace('"adopted":"yes",', ""))  # now the trail says that it is the gateway's
        state(house, "leases.db").write_bytes(b"")
        house.gateway.arguments = ["--rebuild"]
        house.gateway.restart()
        eventually(lambda: live(house) == {party.own}, 30)
        eventually(lambda: "outcome=never_happened" in house.gateway.err.text
                   or house.metric("jumpgate_requests_in_flight") == 0)
        assert live(house) == {party.own}
