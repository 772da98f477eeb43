# SPDX-License-Identifier: Apache-2.0
"""No request is orphaned: the gateway ends at every crash point, and at random, and is started again.

After each death and restart the vault's live requests are compared with the gateway's leases: every live request is one that
a lease holds, and when the sessions have ended, none is left.

The crash points (base/crash_point.h, debug builds only) are read from the source, so a new one is tested without a change
here, and one that the work below does not pass fails.
"""

import concurrent.futures
import http.client
import os
import random
import re
import threading

import pytest

from harness import ROOT, START_SECONDS, eventually, session
from stack import CHECKIN, CREDENTIAL, REQUEST, Stack

MINUTE = "200ms"
SECTIONS = {
    "gateway": {"reconcile_every": "1s", "reconcile_rate": "off", "request_timeout": "5s"},
    "vault main": {"minute": MINUTE, "call_timeout": "2s", "retries": "0", "approval_wait": "1h"},
}
RANDOM_KILLS = int(os.environ.get("JG_RANDOM_KILLS", "12"))
NAME = re.compile(r'"((?:checkout|checkin|lease|store|reconcile|restore|pra)\.[a-z_.]+)"')
AT_ONCE = 6
LSID = "0123456789abcdef0123456789abcdef"


def points_in_the_source():
    texts = [path.read_text() for path in (ROOT / "src").rglob("*.c")]
    return sorted({name for text in texts if "crash_point(" in text for name in NAME.findall(text)})


ALL_POINTS = points_in_the_source()
SITE_POINTS = [p for p in ALL_POINTS if p.startswith("pra.")]  # of test_pra_crash.py
MIGRATION_POINTS = [p for p in ALL_POINTS if p.startswith("store.migrate.")]  # of test_store_upgrade.py
SHARED_POINTS = [p for p in ALL_POINTS if p.startswith("lease.release.")]  # of a store on etcd: test_cluster_*.py
POINTS = [p for p in ALL_POINTS if p not in SITE_POINTS + MIGRATION_POINTS + SHARED_POINTS]


def ask(gateway, path, body):
    """The answer's JSON if it was 200; None otherwise, also when the gateway died over it."""
    try:
        answer = gateway.call("POST", path, body, timeout=10)
    except (OSError, http.client.HTTPException, KeyError):  # KeyError: between two lives it has no address
        return None
    return answer.json if answer.status == 200 and answer.body else None


class Scene:
    """A stack whose gateway may be killed, and what its users do."""

    def __init__(self, stack):
        self.stack, self.vault, self.gate = stack, stack.vault, stack.gateway
        self.boxes = [stack.account() for _ in range(8)] + [stack.account(rule="direct"), stack.account(rule="approval")]
        self.vault.knob(20, "listed")
        self.own = set()  # requests that users made themselves

    def person(self, user, box, id=None):
        return session(user, id=id or f"{user}-{box}", hostname=self.boxes[box].name)

    def checkout(self, who, minutes=400):
        found = ask(self.gate, "/v1/credentials/find", {"session": who})
        rows = found["credentials"] if found else []
        return rows and ask(self.gate, "/v1/credentials/checkout",
                            {"session": who, "credential_id": rows[0]["credential_id"], "reason": "crash test",
                             "duration_minutes": minutes})

    def complete(self, who):
        return ask(self.gate, "/v1/sessions/complete", {"session": who})

    def work(self):
        """Passes every kill point, if it is let live."""
        ann, bob = [self.person("ann", n) for n in range(8)], [self.person("bob", n) for n in range(8)]
        self.checkout(ann[0])                                    # held until its session ends
        ask(self.gate, "/v1/sessions/started", {"session": {**ann[0], "lsid": LSID}})
        self.checkout(self.person("ann", 0, "ann-again"))        # by two
        third = self.person("ann", 0, "ann-third")
        self.checkout(third)
        self.complete(third)                                     # the others stay
        self.checkout(bob[0])
        self.complete(bob[0])                                    # released at once
        self.checkout(ann[1], minutes=2)                         # ends by its time
        self.vault.fault("status", call=CHECKIN, status=500, count=1)
        self.checkout(bob[1])
        self.complete(bob[1])                                    # its check-in fails at first
        self.checkout(self.person("bob", 8))                     # direct access: its request is found afterwards
        self.checkout(self.person("ann", 9))                     # waits for its approver
        self.vault.fault("drop_after", call=REQUEST, count=1)
        self.checkout(ann[2])                                    # the answer to the request is lost
        self.vault.fault("hang", call=CREDENTIAL, count=1)
        self.checkout(bob[2])                                    # undone: its secret cannot be read in time
        self.vault.clear_faults()                                # a dead gateway has left some
        by_hand = self.vault.sign_in("CORP\\ann")
        self.own.add(by_hand.request(self.boxes[3].system, self.boxes[3].account).json)
        by_hand.close()                                          # the person's own request: to be adopted
        self.checkout(ann[3])
        self.vault.fault("status", call=CHECKIN, user="CORP\\carol", status=500)
        self.checkout(self.person("carol", 4), minutes=2)        # never given back: lapses

    def leases(self, state):
        return self.gate.call("GET", f"/v1/leases?state={state}&limit=1000").json["leases"]

    def live(self):
        return {request["id"] for request in self.stack.live()} - self.own

    def held(self):
        return {row["request_id"] for state in ("open", "releasing", "pending") for row in self.leases(state)}

    def settle(self):
        """Every live request is a lease's, soon; and when all sessions have ended, nothing is left."""
        self.vault.clear_faults()
        self.vault.latency(0)
        eventually(lambda: self.live() <= self.held(), 40)
        for row in self.leases("open") + self.leases("pending"):
            released = self.gate.call("POST", f"/v1/leases/{row['id']}/release")
            assert released.status in (200, 404)  # 404: its time was up meanwhile
        eventually(lambda: not self.live(), 40)

    def start(self, **environment):
        """Starts the gateway; false if it died before it was ready."""
        self.gate.environment = environment
        self.gate.launch()
        if self.gate.out.wait_for(lambda line: line == "ready", START_SECONDS) is None:
            self.gate.wait()
            return False
        self.gate.addresses["main"] = self.gate._address_of("main")
        return True


def dies_at(point):
    """One death at a kill point and what comes after; the points passed on the way."""
    with Stack(SECTIONS, ["--minute", MINUTE]) as stack:
        scene = Scene(stack)
        stack.gateway.stop()
        alive = scene.start(JG_KILL_AT=point, JG_KILL_LIST="1")
        if alive:
            try:
                scene.work()
                eventually(lambda: stack.gateway.process.poll() is not None, 15)
            except AssertionError:
                raise AssertionError(f"never passed {point}") from None
            stack.gateway.wait()
        assert stack.gateway.process.returncode == -9, stack.gateway.err.text[-3000:]
        assert scene.start(), stack.gateway.err.text[-3000:]
        scene.settle()


@pytest.fixture(scope="module")
def deaths():
    """All deaths, a few at a time: each spends its time waiting."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {point: pool.submit(dies_at, point) for point in POINTS}


@pytest.mark.parametrize("point", POINTS)
def test_death_at(deaths, point):
    deaths[point].result()


def test_the_points_are_many():
    assert len(POINTS) >= 25, POINTS


def test_deaths_at_random_under_load():
    """A steady stream of check-outs and releases, cut off again and again."""
    chance = random.Random(20261121)
    with Stack(SECTIONS, ["--minute", "60s", "--latency", "3ms"]) as stack:
        scene = Scene(stack)
        over = threading.Event()

        def stream(n):
            mine = random.Random(n)
            while not over.is_set():
                who = scene.person(mine.choice(["ann", "bob", "carol"]), mine.randrange(8), f"stream-{n}-{mine.randrange(3)}")
                if scene.checkout(who, minutes=60) and mine.random() < 0.7:
                    scene.complete(who)
                elif over.wait(0.01):
                    return

        threads = [threading.Thread(target=stream, args=(n,), daemon=True) for n in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(RANDOM_KILLS):
            over.wait(chance.uniform(0.05, 0.5))
            stack.gateway.kill()
            assert scene.start(), stack.gateway.err.text[-3000:]
        over.set()
        for thread in threads:
            thread.join(30)
        scene.settle()


def test_vault_down_at_restart():
    with Stack(SECTIONS, ["--minute", "60s"]) as stack:
        scene = Scene(stack)
        assert scene.checkout(scene.person("ann", 0))
        assert scene.checkout(scene.person("bob", 1))
        scene.vault.fault("drop_after", call=REQUEST, count=1)
        scene.checkout(scene.person("ann", 2))
        stack.gateway.kill()
        scene.vault.fault("reset")                          # every call
        assert scene.start()
        assert scene.gate.complete(scene.person("bob", 1)).json["released"] == 1
        assert {row["state"] for row in scene.leases("open")} == {"open"}
        scene.settle()


def test_the_same_session_gets_its_lease_again_after_a_death():
    with Stack(SECTIONS, ["--minute", "60s"]) as stack:
        scene = Scene(stack)
        before = scene.checkout(scene.person("ann", 0))
        stack.gateway.kill()
        assert scene.start()
        after = scene.checkout(scene.person("ann", 0))
        assert after["lease"] == before["lease"]
        scene.settle()
