# SPDX-License-Identifier: Apache-2.0
"""The clocks of gateways and vault differ by minutes, and are set while leases are open.

Each gateway is a build without sanitizers under libfaketime, which reads the gateway's clock from a file; the monotonic
clock is left alone. The end of a lease is in the vault's time: it is the same at all gateways, none ends early, whoever owns
it, and none is late. Skipped where libfaketime is not installed.
"""

import pathlib

import pytest

import harness
import history
from cluster import Cluster
from cluster_load import Load
from harness import eventually

from plain_build import plain_build  # noqa: F401 pylint: disable=unused-import

LIBRARY = next(iter(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
pytestmark = [pytest.mark.skipif(not LIBRARY, reason="faketime is not installed (scripts/install-dependencies)"),
              pytest.mark.usefixtures("plain_build")]
MINUTE = 1  # second
SECTIONS = {"gateway": {"list_cache": "0s", "catalogue_cache": "0s", "request_timeout": "5s", "sandbox": "off"},
            "vault main": {"minute": f"{MINUTE}s"}}
FIVE_MINUTES, VAULT_IS_AHEAD = 300, 90


def set_clock(gateway, seconds):
    """By so much before the true time."""
    (gateway.path / "clock").write_text(f"{seconds:+d}s\n")


class Clocks(Cluster):
    """A vault and gateways with clocks of their own."""

    def __init__(self, **more):
        super().__init__(**more)
        self.vault.arguments[:1] = ["env", f"LD_PRELOAD={LIBRARY}", f"FAKETIME=+{VAULT_IS_AHEAD}s", "DONT_FAKE_MONOTONIC=1",
                                    harness.BIN / "passwordsafe-sim"]

    def node(self, name, sections=None):
        made = super().node(name, sections)
        made.environment = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(made.path / "clock"),
                            "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}
        set_clock(made, {"g1": FIVE_MINUTES, "g2": -FIVE_MINUTES}.get(name, 0))
        return made


@pytest.fixture(name="cluster")
def _cluster():
    with Clocks(sections=SECTIONS, members=3, arguments=["--minute", f"{MINUTE}s"]) as cluster:
        yield cluster
        cluster.swept()


@pytest.fixture(name="record")
def _record():
    return history.Recorder(ahead=VAULT_IS_AHEAD)


def credential_of(record, session):
    return next(one["credential"] for one in record.events if one.get("session") == session["id"])


def test_an_owner_with_another_clock_dies(cluster, record):
    """The survivors' clocks are before and behind, and one is set: the lease ends when it should."""
    one, two, three = cluster.gateways
    sessions = [cluster.session(user, cluster.account(password="s3cret")) for user in ("ann", "bob")]
    for session in sessions:
        credential = cluster.credential(session)
        for gateway in cluster.gateways:
            assert record.checkout(gateway, session, credential, duration_minutes=11).status == 200
    set_clock(two, FIVE_MINUTES)
    set_clock(three, FIVE_MINUTES)
    one.kill()
    record.death()
    eventually(lambda: {row["node"] for row in cluster.leases(two)} <= {"g2", "g3"}, 60)
    assert record.checkout(three, sessions[0], credential_of(record, sessions[0])).status == 200
    eventually(lambda: cluster.live() == [], 60)
    record.vault(cluster.vault)
    found = history.offences(record.events, within=15)
    assert not found, (found, record.events)
    one.restart()


def test_clocks_are_set_under_load(cluster, record):
    one, two, three = cluster.gateways
    with Load(cluster, record) as load:
        for gateway, seconds in ((one, -FIVE_MINUTES), (two, FIVE_MINUTES), (three, 2 * FIVE_MINUTES), (three, 0)):
            set_clock(gateway, seconds)
            load.served(10)
        two.kill()
        record.death()
        load.served(10)
        two.restart().joined()
        load.served(10)
    load.sound()
