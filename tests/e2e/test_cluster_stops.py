# SPDX-License-Identifier: Apache-2.0
"""A gateway of three is stopped (SIGSTOP) at each crash point, for less or for more than the ttl, and goes on.

It goes on where it was, with what it has sent and read before; the others may have counted it as dead meanwhile. Sessions
check out and release at all three. After it the history has no offence, and nothing is left. The debug build has the crash
points (base/crash_point.h), which are read from the source: one that the work below does not pass fails.

A few points are tried by default, for ttl + 5 s. scripts/test --all tries all, for 1 s, ttl - 1 s, ttl + 5 s and 60 s.
"""

import concurrent.futures
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

import history
from cluster import TTL, Cluster
from cluster_load import Load
from harness import ROOT, eventually

NAME = re.compile(r'crash_point\("((?:checkout|checkin|lease|reconcile|etcd)\.[a-z_.]+)"')
POINTS = sorted({name for path in (ROOT / "src").rglob("*.c") for name in NAME.findall(path.read_text())})
QUICK = ("checkout.reply", "checkin.before", "etcd.flight.sent")
ALL = "JG_ALL" in os.environ
SECONDS = (1, TTL - 1, TTL + 5, 60)
CASES = [(point, seconds) for point in POINTS for seconds in SECONDS] if ALL else [(point, TTL + 5) for point in QUICK]
AT_ONCE = 3
SECTIONS = {"gateway": {"list_cache": "0s", "catalogue_cache": "0s", "request_timeout": "4s", "reconcile_every": "1s",
                        "reconcile_rate": "off"}}
ADOPTION = "etcd.adopt.answered"


def is_stopped(node):
    return pathlib.Path(f"/proc/{node.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


class Work(Load):
    """Also what sessions rarely do: direct access, an lsid, a request that the person has made, an answer that is lost."""

    LSID = "0123456789abcdef0123456789abcdef"

    def __init__(self, cluster, record, **more):
        super().__init__(cluster, record, **more)
        self.threads.append(threading.Thread(target=self._rare))

    def _rare(self):
        try:
            while not self.over.is_set():
                self.rare(*self.cluster.gateways[:2])
        except BaseException as error:  # pylint: disable=broad-except
            self.failed.append(error)

    def rare(self, at, other):
        box = self.cluster.account(password="s3cret")
        sessions = [self.cluster.session("bob", self.cluster.account(rule="direct")), self.cluster.session("bob", box)]
        by_hand = self.cluster.vault.sign_in("CORP\\bob")
        own = by_hand.request(box.system, box.account).json
        for who in sessions:
            credential = self.cluster.at(other).credential(who)
            self.record.checkout(at, who, credential, timeout=self.timeout)
            with contextlib.suppress(OSError):
                at.call("POST", "/v1/sessions/started", {"session": {**who, "lsid": self.LSID}}, timeout=self.timeout)
        for who in sessions:
            eventually(lambda who=who: self.record.complete(other, who).status == 200, 60)
            self.cluster.opened.remove(who)
        by_hand.put(f"Requests/{own}/Checkin")
        by_hand.close()


def stopped(point, seconds):
    with Cluster(sections=SECTIONS) as cluster:
        one, two, three = cluster.gateways
        one.stop()
        one.environment = {"JG_STOP_AT": f"{point}:{60 if point.startswith('etcd.flight') else 1}"}  # beats are no work
        one.restart()
        cluster.at(two)
        record = history.Recorder()
        kind = Load if point == ADOPTION else Work
        with kind(cluster, record, sessions=4, timeout=3, at=lambda: cluster.gateways) as load:
            dead = (two, three) if point == ADOPTION else ()
            kept = cluster.session("zoë", cluster.account(password="s3cret"))
            assert record.checkout(two, kept, cluster.credential(kept)).status == 200
            for gateway in dead:
                gateway.kill()
            eventually(lambda: is_stopped(one), 60)
            with record.outage():
                time.sleep(seconds)
                one.signal(signal.SIGCONT)
            for gateway in dead:
                gateway.restart()
            for gateway in cluster.gateways:
                gateway.joined()
            load.served()
            assert record.complete(three, kept).json["released"] == 1
        load.sound()


@pytest.fixture(scope="module")
def stops(request):
    """Some at a time: each spends its time waiting."""
    chosen = [item.callspec.params["case"] for item in request.session.items if item.name.startswith("test_stopped_at[")]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {case: pool.submit(stopped, *case) for case in chosen}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_stopped_at(stops, case):
    stops[case].result()


def states(gateway, of):
    """As `jumpgate cluster` shows them at this gateway: of its own and of a dead incarnation at most."""
    return [one["state"] for one in gateway.call("GET", "/status").json["cluster"]["members"] if one["node"] == of]


def test_a_death_is_seen_at_another_gateway():
    """The first drill of docs/cluster.md. The adopter is stopped after its first step; the one that looks is slower to count
    as dead, and shows silence before the adopter does."""
    with Cluster(gateways=2) as cluster:
        one, two = cluster.gateways
        two.stop()
        two.environment = {"JG_STOP_AT": f"{ADOPTION}:1"}
        two.restart().joined()
        three = cluster.node("g3", {"store": {"ttl": "4200ms"}})
        with three:
            three.joined()
            cluster.gateways.append(three)
            eventually(lambda: states(three, "g1") == ["alive"] and states(three, "g2") == ["alive"], 60)
            session = cluster.session("ann", cluster.account(password="s3cret"))
            credential = cluster.at(one).credential(session)
            lease = cluster.checkout(session, credential).json["lease"]
            one.kill()
            seen = []

            def has_shown(state):
                seen.extend(state for state in states(three, "g1") if state not in seen[-1:])
                return state in seen

            eventually(lambda: has_shown("adopting"), 60, 0.02)
            assert seen == ["alive", "silent", "adopting"]
            shown = subprocess.run([three.binary, "cluster", "-c", three.write_configuration()], stdin=subprocess.DEVNULL,
                                   capture_output=True, text=True, timeout=60, check=False)
            assert shown.returncode == 3 and "adopting" in shown.stdout, shown
            two.signal(signal.SIGCONT)
            eventually(lambda: states(three, "g1") == [], 60)
            assert cluster.at(two.joined()).checkout(session, credential).json["lease"] == lease
            assert three.release(session, credential).json["released"] == 1
            eventually(lambda: cluster.live() == [], 60)
            cluster.opened = []
            cluster.gateways.remove(three)


def test_the_points_are_many():
    assert len(POINTS) >= 22 and set(QUICK) <= set(POINTS) and ADOPTION in POINTS, POINTS
