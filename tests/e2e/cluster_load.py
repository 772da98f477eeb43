# SPDX-License-Identifier: Apache-2.0
"""Sessions that check out and release at the gateways of a cluster by chance, all of it recorded (history.py).

    with Load(cluster, record) as load:
        ...harm...
        load.served()          # waits until check-outs were answered again
    load.sound(outage=(begun, done))

Two sessions of one person share each account, so that requests have several holders. A session does one thing after the
other. At the end each session is completed, everything is gone in time, and the history has no offence.
"""

import contextlib
import json
import random
import tempfile
import threading

import history
from harness import eventually

WITHIN = 15  # seconds: the contract's, after the end of an outage


def ended(cluster):
    """The leases with an end in a trail."""
    found = set()
    for gateway in cluster.gateways:
        for line in (gateway.path / "state" / "audit.jsonl").read_bytes().splitlines():
            with contextlib.suppress(ValueError):  # of a line that is being written, or that a kill has torn
                record = json.loads(line)
                if record["event"] == "lease_end":
                    found.add(record["lease_id"])
    return found


class Load:
    """`at()` is the list of the gateways that are asked; `pace` the longest pause of a session between two questions."""

    def __init__(self, cluster, record, sessions=6, at=None, pace=0.1, timeout=10):
        self.cluster, self.record, self.pace, self.timeout = cluster, record, pace, timeout
        self.at = at or cluster.living
        boxes = [cluster.account(password="s3cret") for _ in range(sessions // 2)]
        self.sessions = [cluster.session(("ann", "bob", "zoë")[n // 2 % 3], boxes[n // 2]) for n in range(sessions)]
        self.credentials = [cluster.credential(session) for session in self.sessions]
        self.over = threading.Event()
        self.failed = []
        self.threads = [threading.Thread(target=self._live, args=(n,)) for n in range(sessions)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.served()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        assert not self.failed, self.failed

    def _live(self, n):
        chance = random.Random(n)
        try:
            while not self.over.is_set():
                self.turn(n, chance)
        except BaseException as error:  # pylint: disable=broad-except
            self.failed.append(error)

    def turn(self, n, chance):
        """One question of a session, and a pause."""
        session, credential = self.sessions[n], self.credentials[n]
        at = chance.choice(self.at())
        if chance.random() < 0.6:
            self.record.checkout(at, session, credential, timeout=self.timeout)
        elif chance.random() < 0.8:
            self.record.release(at, session, credential, timeout=self.timeout)
        else:
            self.record.complete(at, session, timeout=self.timeout)
        self.over.wait(chance.uniform(0, self.pace))

    def answered(self):
        with self.record.lock:
            return sum(one["kind"] == "checkout" and one["status"] == 200 for one in self.record.events)

    def served(self, number=5, seconds=60):
        """Waits for so many answered check-outs."""
        before = self.answered()
        eventually(lambda: self.answered() >= before + number, seconds)

    def recorded(self):
        """The trails have the end of each lease that was answered, whoever has died."""
        answered = {one["lease"] for one in self.record.events if one["kind"] == "checkout" and one["status"] == 200}
        eventually(lambda: not answered - ended(self.cluster), 60)

    def sound(self, within=WITHIN):
        """Ends all sessions, and holds the history against the vault's record and the gateways' trails."""
        for session in self.sessions:
            eventually(lambda who=session: self.record.complete(self.cluster.living()[0], who).status == 200, 60)
            self.cluster.opened.remove(session)
        eventually(lambda: self.cluster.live() == [], 90)
        self.record.vault(self.cluster.vault)
        self.recorded()
        found = history.offences(self.record.events, within)
        if found:
            with tempfile.NamedTemporaryFile(prefix="jumpgate-history-", suffix=".jsonl", delete=False) as kept:
                self.record.write(kept.name)
            raise AssertionError("\n".join([*found, kept.name]))
