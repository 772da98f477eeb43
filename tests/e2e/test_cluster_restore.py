# SPDX-License-Identifier: Apache-2.0
"""A snapshot of etcd is restored under gateways that run, and etcd reaches its quota: what docs/cluster.md says of both."""

import json
import os
import shutil
import subprocess
import time

import pytest

import history
from cluster import Cluster
from cluster_load import Load
from etcd_server import Etcd
from harness import BIN, eventually

ETCDCTL = shutil.which("etcdctl")


def etcdctl(etcd, *words, member=0, **more):
    done = subprocess.run([ETCDCTL, "--endpoints", etcd.endpoints[member], *words], env={**os.environ, "ETCDCTL_API": "3"},
                          capture_output=True, text=True, timeout=60, check=False, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def restore(etcd, snapshot):
    """The member is stopped, gets the data of the snapshot, and starts: as docs/cluster.md has it."""
    etcd.kill(0)
    shutil.rmtree(etcd.path / "m0")
    peer = f"http://127.0.0.1:{etcd.peer_ports[0]}"
    etcdctl(etcd, "snapshot", "restore", str(snapshot), "--name", "m0", "--initial-cluster", f"m0={peer}",
            "--initial-advertise-peer-urls", peer, "--initial-cluster-token", "restored", "--skip-hash-check", "--data-dir",
            str(etcd.path / "m0"))
    etcd.start_member(0)
    if etcd.token:  # of the etcd before
        etcd.token = None
        eventually(lambda: etcd.sign_in() or etcd.token, 60)
    eventually(etcd.serves, 60)


def late_copy(cluster, snapshot):
    """The file of the database in place of a snapshot, which etcdctl does not take as a user without TLS. The gateways sign
    in once more after it, at a place of etcd's log that the restored one does not reach soon."""
    for _ in range(100):
        cluster.etcd.put("x", "x")
    time.sleep(1)  # etcd writes its database every 100 ms; what comes later is in its log alone
    cluster.etcd.kill(0)
    shutil.copy(cluster.etcd.path / "m0" / "member" / "snap" / "db", snapshot)
    cluster.etcd.start_member(0)
    eventually(cluster.etcd.serves, 60)
    for gateway in cluster.gateways:
        gateway.joined()


@pytest.mark.skipif(not ETCDCTL, reason="etcdctl is not installed (scripts/install-dependencies)")
@pytest.mark.parametrize("users", [False, True])
def test_a_snapshot_is_restored(tmp_path, users):
    """With users of etcd the gateways' tokens are of the etcd before: it waits for their place in its log, and says nothing."""
    sections = {"gateway": {"reconcile_every": "1s", "reconcile_rate": "off"}}
    with Cluster(gateways=2, sections={**sections}, users=users) as cluster:
        one, two = cluster.gateways
        stays, ends, later, new = (cluster.session(user, cluster.account(password="s3cret"))
                                   for user in ("ann", "bob", "ann", "zoë"))
        credentials = {id(s): cluster.at(one).credential(s) for s in (stays, ends, later, new)}
        lease = cluster.at(one).checkout(stays, credentials[id(stays)]).json["lease"]
        assert cluster.at(two).checkout(ends, credentials[id(ends)]).status == 200
        snapshot = tmp_path / "snapshot.db"
        if users:
            late_copy(cluster, snapshot)
        else:
            etcdctl(cluster.etcd, "snapshot", "save", str(snapshot))
        assert two.release(ends, credentials[id(ends)]).json["released"] == 1
        eventually(lambda: len(cluster.live()) == 1)
        assert cluster.at(one).checkout(later, credentials[id(later)]).status == 200
        assert cluster.at(two).checkout(new, credentials[id(new)]).status == 200
        restore(cluster.etcd, snapshot)
        for gateway in cluster.gateways:
            eventually(lambda at=gateway: at.call("GET", "/status").json["cluster"]["fenced"] >= 1, 60)
            gateway.joined()
        for gateway in cluster.gateways:  # both begin at once; here as an operator does it besides
            done = subprocess.run([BIN / "jumpgate", "cluster", "reconcile", "--all-users", "--json", "-c",
                                   gateway.write_configuration()], capture_output=True, text=True, timeout=60, check=True)
            assert json.loads(done.stdout)["started"] and json.loads(done.stdout)["users"] >= 1
            trail = gateway.path / "state" / "audit.jsonl"
            eventually(lambda at=trail: '"event":"cluster_reconcile"' in at.read_text())
        # what stays, stays
        again = cluster.at(two).checkout(stays, credentials[id(stays)])
        assert again.json["lease"] == lease
        # what has ended since is closed, and what was made since is given back: a minute after a list has shown it
        eventually(lambda: [row["id"] for row in cluster.leases(one) if row["state"] == "open"] == [lease["id"]], 180)
        eventually(lambda: [one["user"] for one in cluster.live()] == ["CORP\\ann"], 180)
        cluster.opened = []
        assert two.release(stays, credentials[id(stays)]).json["released"] == 1
        cluster.settled()


QUOTA = 300 * 1024
PIECE = "eHh4" * 10_000  # base64


def test_the_quota_is_reached():
    """No check-outs, releases wait, nothing is lost; compaction, defragmentation and the end of the alarm mend it."""
    with Cluster(gateways=2) as cluster:
        one, two = cluster.gateways
        session = cluster.session("ann", cluster.account(password="s3cret"))
        credential = cluster.at(one).credential(session)
        assert cluster.checkout(session, credential).status == 200
        etcd = cluster.etcd
        etcd.kill(0)
        etcd.arguments = [f"--quota-backend-bytes={QUOTA}"]
        etcd.start_member(0)
        eventually(etcd.serves, 60)
        for gateway in cluster.gateways:
            gateway.joined()
        for _ in range(20):
            etcd.ask("/v3/kv/put", {"key": "eA==", "value": PIECE})
        for gateway in cluster.gateways:
            eventually(lambda at=gateway: not at.ready(), 60)
            assert any("database space exceeded" in reason for reason in gateway.reasons())
        assert cluster.at(one).checkout(session, credential).code == "store_unavailable"  # etcd could still be read
        answer = two.release(session, credential)
        assert (answer.status, answer.json["pending"]) == (200, True)
        assert len(cluster.live()) == 1
        revision = etcd.any("/v3/kv/range", {"key": "eA=="})["header"]["revision"]
        etcdctl(etcd, "compact", revision)
        etcdctl(etcd, "defrag")
        etcdctl(etcd, "alarm", "disarm")
        for gateway in cluster.gateways:
            gateway.joined()
        eventually(lambda: cluster.live() == [], 60)
        cluster.opened = []
        cluster.settled()


def test_the_quota_is_reached_under_load():
    """Of three members: nothing is handed out meanwhile, and what was asked for in between is done when there is room."""
    sections = {"gateway": {"request_timeout": "4s"}}
    with Cluster(gateways=3, members=3, sections=sections, etcd_arguments=[f"--quota-backend-bytes={10 * QUOTA}"]) as cluster:
        record, etcd = history.Recorder(), cluster.etcd
        with Load(cluster, record) as load:
            with record.outage():
                full = etcd.led()
                for _ in range(200):
                    etcd.ask("/v3/kv/put", {"key": "eA==", "value": PIECE}, full)
                for gateway in cluster.gateways:
                    eventually(lambda at=gateway: any("database space exceeded" in reason for reason in at.reasons()), 60)
                begun = time.time()
                eventually(lambda: sum(one["kind"] == "checkout" and one["begun"] > begun for one in list(record.events)) > 5, 60)
                assert not [one for one in list(record.events)
                            if one["kind"] == "checkout" and one["begun"] > begun and one["status"] == 200]
                revision = etcd.any("/v3/kv/range", {"key": "eA=="})["header"]["revision"]
                etcdctl(etcd, "compact", revision)
                for member in range(3):
                    etcdctl(etcd, "defrag", member=member)
                etcdctl(etcd, "alarm", "disarm")
                for gateway in cluster.gateways:
                    gateway.joined()
            load.served()
        load.sound()
        cluster.settled()
