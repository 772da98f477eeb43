# SPDX-License-Identifier: Apache-2.0
"""A store that has lost rows unnoticed: the gateway finds them by the audit trail, and no request is orphaned.

SQLite takes a damaged frame of its write-ahead log for the log's end, and reports nothing. So the file is damaged while the
gateway is dead, and the next one has to find by the trail which requests the vault may still hold.
"""

import json
import sqlite3

import pytest

from harness import eventually
from stack import CHECKIN, Stack

HEADER, FRAME = 32, 24 + 4096
SECTIONS = {"gateway": {"reconcile_every": "1s", "reconcile_rate": "off"}, "vault main": {"call_timeout": "2s"}}


def state(stack, name):
    return stack.gateway.path / "state" / name


def records(stack, event):
    lines = [json.loads(line) for line in state(stack, "audit.jsonl").read_bytes().splitlines()]
    return [r for r in lines if r["event"] == event]


def damage(stack, share):
    """Flips one bit in a frame of the store's write-ahead log, so far from its beginning."""
    path = state(stack, "leases.db-wal")
    data = bytearray(path.read_bytes())
    at = HEADER + int(share * ((len(data) - HEADER) // FRAME)) * FRAME + 24 + 2000
    data[at] ^= 0x10
    path.write_bytes(data)


def held(stack):
    rows = stack.gateway.call("GET", "/v1/leases?limit=1000").json["leases"]
    return {row["request_id"] for row in rows if row["state"] in ("open", "releasing")}


class Party:
    """Thirteen leases, two of them given back; and one request that a user made at the vault."""

    def __init__(self, stack):
        self.stack = stack
        self.sessions, self.requests = [], []
        boxes = [stack.account() for _ in range(14)]
        for n, box in enumerate(boxes[:13]):
            session = stack.session("ann" if n % 2 else "bob", box)
            self.sessions.append(session)
            self.requests.append(self.take(session))
        shared = stack.session("bob", boxes[0])
        assert self.take(shared) == self.requests[0]
        for n in (3, 4):
            assert stack.gateway.complete(self.sessions[n]).json["released"] == 1
        by_hand = stack.vault.sign_in("CORP\\ann")
        self.own = by_hand.request(boxes[13].system, boxes[13].account).json
        by_hand.close()
        assert self.take(stack.session("ann", boxes[13])) == self.own
        self.live = set(self.requests) - {self.requests[3], self.requests[4]}
        eventually(lambda: {r["id"] for r in stack.live()} == self.live | {self.own})

    def take(self, session):
        answer = self.stack.checkout(session)
        assert answer.status == 200, answer.body
        return answer.json["lease"]["request_id"]

    def is_accounted_for(self):
        """Each live request is held by a lease, but for the one that is none of the gateway's business."""
        return {r["id"] for r in self.stack.live()} - {self.own} <= held(self.stack)


def live(stack):
    return {r["id"] for r in stack.live()}


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8])
def test_rows_lost_with_a_damaged_log(share):
    with Stack(SECTIONS) as stack:
        party = Party(stack)
        stack.gateway.kill()
        damage(stack, share)
        stack.gateway.restart()
        if share <= 0.5:  # behind that it may be ends alone that were lost
            assert "store_rows_lost" in stack.gateway.err.text
            assert eventually(lambda: records(stack, "store_rows_lost"))[-1]["count"] >= 1
        eventually(party.is_accounted_for, 30)
        assert party.own in live(stack)
        for session in party.sessions:
            stack.gateway.complete(session)
        eventually(lambda: live(stack) == {party.own}, 30)
        stack.gateway.stop()
        stack.gateway.start()  # what has been searched for and given back is no news
        assert "store_rows_lost" not in stack.gateway.err.text


def test_rebuilt_store_reads_the_trail():
    with Stack(SECTIONS) as stack:
        party = Party(stack)
        stack.gateway.kill()
        state(stack, "audit.jsonl").rename(state(stack, "audit.jsonl.1"))  # rotated meanwhile
        state(stack, "leases.db").write_bytes(b"")
        stack.gateway.arguments = ["--rebuild"]
        stack.gateway.restart()
        eventually(lambda: live(stack) == {party.own}, 30)
        assert held(stack) == set()
        assert "lease_tag_of_trail" in stack.gateway.err.text


def test_a_rebuilt_store_has_the_tag_of_the_trail():
    """So requests that neither row nor trail names are known all the same."""
    with Stack(SECTIONS) as stack:
        box, other = stack.account(), stack.account()
        session = stack.session("bob", box)
        tag = stack.checkout(session).json["lease"]["id"][:5]
        stack.gateway.kill()
        by_hand = stack.vault.sign_in("CORP\\bob")
        old, foreign = (by_hand.request(a.system, a.account, Reason=f"long ago [jumpgate {t}{'z' * 21}]").json
                        for a, t in ((other, tag), (stack.account(), "qqqqq")))
        by_hand.close()
        state(stack, "leases.db").write_bytes(b"")
        stack.gateway.arguments = ["--rebuild"]
        stack.gateway.restart()
        eventually(lambda: live(stack) == {foreign}, 30)
        assert old not in live(stack)
        assert stack.checkout(session).json["lease"]["id"][:5] == tag


def test_a_rebuilt_store_finds_what_waits_for_its_approver():
    with Stack({**SECTIONS, "vault main": {"call_timeout": "2s", "approval_wait": "1h"}}) as stack:
        box = stack.account(rule="approval")
        for session in (stack.session("ann", box), stack.session("ann", box)):
            assert stack.checkout(session).code == "approval_pending"
        (kept,) = live(stack)
        eventually(lambda: len(records(stack, "checkout")) == 2)  # no answer waits for these
        stack.gateway.kill()
        state(stack, "leases.db").write_bytes(b"")
        stack.gateway.arguments = ["--rebuild"]
        stack.gateway.restart()
        eventually(lambda: live(stack) == set(), 30)
        (end,) = eventually(lambda: [r for r in records(stack, "checkin") if r["vault_request_id"] == kept])
        assert end["outcome"] == "checked_in"
        assert [r["count"] for r in records(stack, "store_rows_lost")] == [1]


def test_a_row_that_names_no_user_is_looked_for_by_the_trail():
    """It stays in the store, so the step that would ask for the same request is refused, which ends nothing."""
    with Stack(SECTIONS) as stack:
        session = stack.session("ann", stack.account())
        assert stack.checkout(session).status == 200
        stack.gateway.kill()
        rows = sqlite3.connect(state(stack, "leases.db"))
        with rows:
            rows.execute("UPDATE vault_request SET user = ''")
        rows.close()
        stack.gateway.restart()
        eventually(lambda: live(stack) == set(), 30)
        assert stack.metric("jumpgate_store_steps_refused_total") == 1
        for event in ("lease_odd", "step_refused step=ask"):
            assert event in stack.gateway.err.text
        assert stack.checkout(session).status == 200


def test_a_whole_store_needs_no_witness():
    with Stack(SECTIONS) as stack:
        party = Party(stack)
        stack.vault.fault("status", call=CHECKIN, user="CORP\\ann", status=500)
        stack.gateway.complete(party.sessions[1])  # its check-in is under way for long
        stack.gateway.kill()
        stack.gateway.restart()
        assert "store_rows_lost" not in stack.gateway.err.text
        assert party.live <= held(stack)
        stack.vault.clear_faults()


def test_a_trail_of_another_gateway_changes_nothing():
    """What the trail claims is looked for; what bears no mark of ours stays."""
    with Stack(SECTIONS) as stack:
        party = Party(stack)
        stack.gateway.kill()
        path = state(stack, "audit.jsonl")
        text = path.read_text()
        adopted = [line for line in text.splitlines() if '"adopted":"yes"' in line]
        assert len(adopted) == 1
        path.write_text(text.replace('"adopted":"yes",', ""))  # now the trail says that it is the gateway's
        state(stack, "leases.db").write_bytes(b"")
        stack.gateway.arguments = ["--rebuild"]
        stack.gateway.restart()
        eventually(lambda: live(stack) == {party.own}, 30)
        eventually(lambda: "outcome=never_happened" in stack.gateway.err.text
                   or stack.metric("jumpgate_requests_in_flight") == 0)
        assert live(stack) == {party.own}
