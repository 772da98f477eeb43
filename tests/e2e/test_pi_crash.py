# SPDX-License-Identifier: Apache-2.0
"""No check-out of Privileged Identity is orphaned: the gateway ends at every crash point on its way, and is started again.

After each death and restart everything the gateway has checked out is a lease's, or is given back; and nothing is given back
that it cannot believe to hold.
"""

import concurrent.futures
import http.client
import re

import pytest

from harness import eventually
from pi_stack import PiStack
from pi_vault import ADM1, ADM2

KEYS = {"settle": "2s", "call_timeout": "2s", "minute": "200ms"}
POINTS = ["checkin.answered", "checkin.before", "checkin.sent", "checkout.intent.before", "checkout.intent.durable",
          "checkout.open.before", "checkout.open.durable", "checkout.reply", "checkout.reply.before",
          "checkout.request.answered", "checkout.request.before", "checkout.request.sent", "checkout.secret.read",
          "checkout.secret.sent", "lease.close.before", "lease.close.durable", "lease.leave.before", "lease.leave.durable",
          "lease.releasing.before", "lease.releasing.durable", "restore.done", "store.after_commit", "store.before_commit"]
PASSES = {"restore.done": 1, "lease.leave.before": 1, "lease.leave.durable": 1, "store.before_commit": 4,
          "store.after_commit": 4}
ALL = [(point, n) for point in POINTS for n in range(1, PASSES.get(point, 2) + 1)]
AT_ONCE = 4


class Scene:
    """A stack whose gateway may be killed, and what its users do."""

    def __init__(self, stack):
        self.stack, self.gate, self.vault = stack, stack.gateway, stack.vault
        self.each = stack.keys.get("checkin_calls") == "each"
        self.rows = {}

    def checkout(self, who, account):
        """The answer; None when the gateway died over it."""
        try:
            self.rows = self.rows or self.stack.found(who)
            answer = self.gate.checkout(who, self.rows[account]["credential_id"], timeout=20)
        except (OSError, http.client.HTTPException, KeyError):  # KeyError: it has no address
            return None
        if answer.status == 200 and answer.json["username"] != "Administrator":
            credential = {"adm1": ADM1, "adm2": ADM2}[account]
            assert answer.json["password"] == self.vault.credential(credential)["password"]
        return answer

    def complete(self, who):
        try:
            return self.gate.complete(who, timeout=20)
        except (OSError, http.client.HTTPException, KeyError):
            return None

    def work(self):
        """Passes every point twice, if it is let live."""
        ann, bob = self.stack.session("ann"), self.stack.session("bob")
        self.checkout(ann, "adm1")
        self.checkout(bob, "adm1")         # a holder more
        self.checkout(ann, "adm1")         # again
        self.complete(ann)
        self.vault.fault("drop_after", call="checkin_shared", count=1)
        self.complete(bob)                 # given back, which nobody is told
        self.vault.fault("drop_after", call="checkout_shared", count=1)
        self.checkout(ann, "adm2")         # lost
        self.checkout(bob, "adm2")         # taken over
        self.checkout(ann, "Administrator")

    def start(self, **environment):
        """False: it died before it was ready."""
        self.gate.environment = environment
        self.gate.launch()
        if self.gate.out.wait_for(lambda line: line == "ready", 60) is None:
            self.gate.wait()
            return False
        self.gate.addresses["main"] = self.gate._address_of("main")
        return True

    def settle(self):
        self.vault.clear_faults()
        for state in ("open", "pending"):
            for row in self.gate.call("GET", f"/v1/leases?state={state}&limit=1000").json["leases"]:
                assert self.gate.call("POST", f"/v1/leases/{row['id']}/release", timeout=30).status in (200, 404)
        self.stack.opened = []
        eventually(lambda: self.stack.ours() == [], 60)
        self.stack.no_lease(60)
        # a check-out that the row counts, and that the gateway did not live to send, is given back as well
        spare = {"checkin_unheld": 1} if self.each else {}
        assert self.vault.violations() in ({}, spare)


def dies_at(point, nth, **keys):
    knobs = {"checkins": "each"} if keys.get("checkin_calls") == "each" else None
    with PiStack(knobs=knobs, **KEYS, **keys) as stack:
        scene = Scene(stack)
        stack.gateway.stop()
        if scene.start(JG_KILL_AT=f"{point}:{nth}"):
            scene.work()
            for who in stack.opened:
                scene.complete(who)
            eventually(lambda: stack.gateway.process.poll() is not None, 30)
            stack.gateway.wait()
        assert stack.gateway.process.returncode == -9, stack.gateway.err.text[-3000:]
        stack.vault.doubt()
        assert scene.start(), stack.gateway.err.text[-3000:]
        scene.settle()


@pytest.fixture(name="deaths", scope="module")
def _deaths():
    """All deaths, a few at a time: each spends its time waiting."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {(point, nth, calls): pool.submit(dies_at, point, nth, checkin_calls=calls)
               for calls in ("one", "each") for point, nth in ALL}


@pytest.mark.parametrize("calls", ["one", "each"])
@pytest.mark.parametrize("point, nth", ALL)
def test_death_at(deaths, point, nth, calls):
    deaths[(point, nth, calls)].result()


def test_the_points_are_all_that_are_passed():
    with PiStack(**KEYS) as stack:
        scene = Scene(stack)
        stack.gateway.stop()
        assert scene.start(JG_KILL_LIST="1")
        scene.work()
        scene.settle()
        passed = set(re.findall(r"^crash point (\S+)$", stack.gateway.err.text, re.M))
        assert {name for name in passed if not name.startswith("store.migrate")} == set(POINTS)
