# SPDX-License-Identifier: Apache-2.0
"""Early release and death: the gateway ends at every crash point between the end of a session and its check-in.

After each death and restart the leases of the sessions that have ended are released, at the latest by the next listing, and
no other lease is. There are three ways to the end of a lease:

    poll     sessions end while the gateway is down, and it dies over the first listing
    many     the same, with more of them than one iteration passes on
    event    sessions end one by one, with an event each, and it dies over one of them
    flight   a session ends while its check-out is in flight
"""

import concurrent.futures
import http.client
import random
import threading

import pytest

from harness import eventually
from pra_stack import PraStack
from stack import CREDENTIAL
from test_crash import AT_ONCE, POINTS, SECTIONS, SITE_POINTS, Scene

# What a check-in passes after any end.
AFTER = [p for p in POINTS if p.startswith(("lease.releasing.", "lease.close.", "checkin."))]
DEATHS = [("poll", p) for p in ["pra.ended.put", "pra.ended.put:2", "pra.cursor.before", "pra.cursor.durable",
                                "pra.cursor.before:2", "pra.cursor.durable:2", *AFTER]]
DEATHS += [("many", "pra.cursor.before"), ("many", "pra.cursor.durable")]
DEATHS += [("event", p) for p in ["pra.ended.put", "pra.ended.put:2", "pra.ended.durable", "pra.ended.durable:3"]]
DEATHS += [("flight", p) for p in ["pra.ended.put", "pra.ended.durable", "pra.ended.landed"]]
RANDOM_KILLS = 8
MANY = 64


class SiteScene(Scene):
    """Sessions that run at the site, some of which end."""

    def __init__(self, stack):
        super().__init__(stack)
        self.site = stack.site
        self.running = [self.hold("ann", box) for box in range(3)]
        self.ending = [self.hold("bob", box) for box in range(3)]
        self.ended = []

    def hold(self, user, box):
        """The lsid of a session with a lease."""
        lsid = self.site.start_session(user=user, events=False)
        assert self.checkout(self.of(user, box, lsid))
        return lsid

    def of(self, user, box, lsid):
        return {**self.person(user, box, lsid[:8]), "lsid": lsid}

    def end(self, lsid, event=False):
        self.ended.append(lsid)
        assert self.site.end_session(lsid, events=False)
        try:
            return event and self.stack.end_event(lsid).status
        except (OSError, http.client.HTTPException):
            return None

    def held_lsids(self):
        return {row["lsid"] for state in ("open", "releasing") for row in self.leases(state)}

    # ---- the ways to an end ----

    def before_poll(self):
        self.stack.gateway.kill()
        for lsid in self.ending:
            self.end(lsid)
        self.vault.latency(200)  # so that the check-in is slower than the disk

    def before_many(self):
        self.ending += [self.hold(("ann", "bob")[n % 2], n % 8) for n in range(MANY)]
        self.before_poll()

    def poll(self):
        pass

    many = poll

    def event(self):
        for lsid in self.ending:
            self.end(lsid, event=True)

    def flight(self):
        lsid = self.site.start_session(user="ann", events=False)
        self.vault.fault("latency", call=CREDENTIAL, latency_ms=1500, count=1)
        self.vault.reset_counts()
        checkout = threading.Thread(target=self.checkout, args=(self.of("ann", 4, lsid),), daemon=True)
        checkout.start()
        eventually(lambda: self.vault.counts()["in_flight"])
        self.end(lsid, event=True)
        checkout.join(30)

    def settle(self):
        """What has ended is released; what runs is held, also after two more listings."""
        self.vault.clear_faults()
        self.vault.latency(0)
        eventually(lambda: not self.held_lsids() & set(self.ended), 40)
        self.stack.next_listings(2)
        still = set(self.running + self.ending) - set(self.ended)
        assert self.held_lsids() == still
        super().settle()


def dies_at(way, point):
    with PraStack({"poll_overlap": "0s"}, SECTIONS, arguments=["--minute", "200ms"]) as stack:
        scene = SiteScene(stack)
        getattr(scene, f"before_{way}", stack.gateway.stop)()
        if scene.start(JG_KILL_AT=point):
            getattr(scene, way)()
            try:
                eventually(lambda: stack.gateway.process.poll() is not None, 20)
            except AssertionError:
                raise AssertionError(f"never passed {point}") from None
            stack.gateway.wait()
        assert stack.gateway.process.returncode == -9, stack.gateway.err.text[-3000:]
        assert scene.start(), stack.gateway.err.text[-3000:]
        scene.settle()


@pytest.fixture(scope="module")
def deaths():
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {death: pool.submit(dies_at, *death) for death in DEATHS}


@pytest.mark.parametrize("way, point", DEATHS)
def test_death_at(deaths, way, point):
    deaths[way, point].result()


def test_every_point_is_passed():
    assert len(SITE_POINTS) >= 5
    assert {point.split(":")[0] for _, point in DEATHS} >= set(SITE_POINTS)


def test_deaths_at_random():
    """Sessions end, with and without an event, and the gateway is killed soon after."""
    chance = random.Random(20261128)
    with PraStack({"poll_overlap": "0s"}, SECTIONS, arguments=["--minute", "60s"]) as stack:
        scene = SiteScene(stack)
        for _ in range(RANDOM_KILLS):
            scene.end(scene.ending.pop(0), event=chance.random() < 0.5)
            scene.ending.append(scene.hold(chance.choice(["ann", "bob"]), chance.randrange(8)))
            threading.Event().wait(chance.uniform(0, 1.2))
            stack.gateway.kill()
            assert scene.start(), stack.gateway.err.text[-3000:]
        scene.settle()
