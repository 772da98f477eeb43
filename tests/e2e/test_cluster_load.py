# SPDX-License-Identifier: Apache-2.0
"""Parts of a cluster end and come back, one after the other, while sessions check out and release.

Gateways are restarted and upgraded in turn, and no request is lost; gateways are killed, and nothing is left 15 s after a
death; etcd's members are killed in turn, where etcd's tokens live for seconds. A few deaths by default, 100 with
scripts/test --all. JG_NEWER_BIN_DIR names a build to upgrade to.
"""

import contextlib
import http.client
import json
import os
import random
import subprocess
import time

import pytest

import history
from cluster import PREFIX, Cluster
from cluster_load import Load
from harness import BIN, ROOT, TOKEN, eventually
from stack import CREDENTIAL

DEATHS = 100 if "JG_ALL" in os.environ else 5
SECTIONS = {"gateway": {"list_cache": "0s", "catalogue_cache": "0s", "request_timeout": "5s"}}


@pytest.fixture(scope="module", name="shared")
def _shared():
    with Cluster(gateways=3, members=3, sections=SECTIONS) as cluster:
        yield cluster


@pytest.fixture(name="cluster")
def _cluster(shared):
    yield shared.all_there()
    shared.swept()


class Balanced(Load):
    """As a load balancer sends: to a gateway that is ready, and to another one where that has not taken the request."""

    def turn(self, n, chance):
        ask, what = (self.record.checkout, [self.credentials[n]]) if chance.random() < 0.6 else \
            (self.record.release, [self.credentials[n]]) if chance.random() < 0.7 else (self.record.complete, [])
        for _ in range(100):
            at = chance.choice(self.cluster.gateways)
            with contextlib.suppress(OSError, http.client.HTTPException, KeyError):
                if not at.ready():
                    continue
            answer = ask(at, self.sessions[n], *what)
            if answer and answer.status == 200:
                break
            if answer:
                assert (answer.status, answer.code) == (503, "draining"), answer.body
            else:
                assert isinstance(self.record.failed.error, (ConnectionRefusedError, KeyError)), repr(self.record.failed.error)
            self.over.wait(0.05)
        else:
            raise AssertionError("no gateway has taken it")
        self.over.wait(chance.uniform(0, self.pace))


def test_a_rolling_restart_loses_no_request(cluster):
    record = history.Recorder()
    with Balanced(cluster, record) as load:
        for gateway in cluster.gateways:
            gateway.stop()
            load.served()
            gateway.restart().joined()
            load.served()
    load.sound()
    assert {one["node"] for one in record.events if one["kind"] == "checkout" and one["status"] == 200} == {"g1", "g2", "g3"}


def newer_build(cluster, folder):
    """The programs of JG_NEWER_BIN_DIR, or this build with another version in its text."""
    if "JG_NEWER_BIN_DIR" in os.environ:
        return ROOT / os.environ["JG_NEWER_BIN_DIR"] / "jumpgate"
    version = versions(cluster)["g1"]
    newer = folder / "jumpgate"
    newer.write_bytes((BIN / "jumpgate").read_bytes().replace(version.encode(), (version[:-1] + "9").encode()))
    newer.chmod(0o755)
    return newer


def versions(cluster):
    return {one["node"]: one["version"] for one in cluster.gateways[0].call("GET", "/status").json["cluster"]["members"]}


def all_alive(gateway):
    return subprocess.run([gateway.binary, "cluster", "-c", gateway.write_configuration()], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=60, check=False).returncode == 0


def test_an_upgrade_loses_no_request(tmp_path):
    """One gateway after the other, as docs/cluster.md has it; old and new serve the same leases meanwhile."""
    with Cluster(gateways=3, sections=SECTIONS) as cluster:
        newer = newer_build(cluster, tmp_path)
        schema = cluster.etcd.keys(PREFIX)[PREFIX + "c/schema"]
        before = set(versions(cluster).values())
        kept = cluster.session("ann", cluster.account(password="s3cret"))
        record = history.Recorder()
        lease = record.checkout(cluster.gateways[0], kept, cluster.credential(kept)).json["lease"]["id"]
        with Balanced(cluster, record) as load:
            for gateway in cluster.gateways:
                gateway.stop()
                gateway.binary = newer
                gateway.restart().joined()
                eventually(lambda at=gateway: all_alive(at), 60)
                for other in cluster.gateways:
                    assert record.checkout(other, kept, cluster.credential(kept)).json["lease"]["id"] == lease
                load.served()
        eventually(lambda: len(versions(cluster)) == 3 and len(set(versions(cluster).values())) == 1, 60)
        assert "JG_NEWER_BIN_DIR" in os.environ or not before & set(versions(cluster).values())
        assert cluster.etcd.keys(PREFIX)[PREFIX + "c/schema"] == schema
        assert record.complete(cluster.gateways[0], kept).json["released"] == 1
        load.sound()
        cluster.swept()


def test_gateways_are_killed(cluster):
    """Some are started again at once, some when the others have taken over what they had."""
    record, chance = history.Recorder(), random.Random(13)
    with Load(cluster, record, timeout=8) as load:
        for _ in range(DEATHS):
            gateway = chance.choice(cluster.gateways)
            gateway.kill()
            record.death()
            if chance.random() < 0.5:
                other = cluster.living()[0]
                eventually(lambda dead=gateway.name, at=other: dead not in [
                    one["node"] for one in at.call("GET", "/status").json["cluster"]["members"]], 60)
            time.sleep(chance.uniform(0, 0.5))
            gateway.restart().joined()
            load.served()
    load.sound()


def test_members_of_etcd_are_killed_in_turn():
    with Cluster(gateways=3, members=3, sections=SECTIONS, users=True, etcd_arguments=["--auth-token-ttl=2"]) as cluster:
        record = history.Recorder()
        with Load(cluster, record) as load:
            for member in range(3):
                with record.outage():
                    cluster.etcd.kill(member)
                    for _ in range(3):
                        load.served()
                    cluster.etcd.start_member(member)
                    eventually(lambda at=member: cluster.etcd.ask("/v3/maintenance/status", {}, at), 60)
                    load.served()
            for gateway in cluster.gateways:
                gateway.joined()
        load.sound()
        cluster.settled()


# ---- a check-out that another gateway has answered for (counter-example 5 of docs/cluster-internals.md) ----

def kept(cluster, value):
    """Whether etcd has one hold, and this count in it."""
    holds = [value for key, value in cluster.rows().items() if key.startswith("h/")]
    return [hold.partition(" ")[2] for hold in holds] == [value]


def slow_checkout(cluster, gateway, session, credential):
    """A check-out whose secret does not come: its connection. Its lease is in etcd."""
    cluster.vault.clear_faults()
    cluster.vault.fault("hang", call=CREDENTIAL, count=1)
    cluster.vault.reset_counts()
    connection = gateway.connect()
    connection.request("POST", "/v1/credentials/checkout", json.dumps({"session": session, "credential_id": credential}),
                       {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
    eventually(lambda: cluster.vault.calls(CREDENTIAL) > 0)
    return connection


def test_one_client_leaves_and_another_gateway_has_answered(cluster):
    """The lease counts its check-outs: the one that fails takes itself off, and the other one keeps it."""
    one, two, three = cluster.gateways
    record = history.Recorder()
    session = cluster.session("ann", cluster.account(password="s3cret"))
    credential = cluster.at(one).credential(session)
    connection = slow_checkout(cluster, one, session, credential)
    eventually(lambda: kept(cluster, ""))
    answer = record.checkout(two, session, credential)
    assert answer.status == 200 and kept(cluster, "2")
    connection.close()
    eventually(lambda: kept(cluster, ""))
    assert len(cluster.live()) == 1
    assert record.checkout(three, session, credential).json["lease"] == answer.json["lease"]
    assert record.release(one, session, credential).json["released"] == 1
    eventually(lambda: cluster.live() == [])
    record.vault(cluster.vault)
    assert history.offences(record.events) == []


def test_both_clients_leave(cluster):
    """None has answered with the lease: it ends with the last of them."""
    one, two, _ = cluster.gateways
    session = cluster.session("ann", cluster.account(password="s3cret"))
    credential = cluster.at(one).credential(session)
    connections = [slow_checkout(cluster, gateway, session, credential) for gateway in (one, two)]
    eventually(lambda: kept(cluster, "2"))
    for connection, count in zip(connections, ("", None)):
        connection.close()
        eventually(lambda wanted=count: kept(cluster, wanted) if wanted is not None else cluster.live() == [])
    cluster.settled()
