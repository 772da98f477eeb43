# SPDX-License-Identifier: Apache-2.0
"""etcd answers, and refuses: the gateway says so and what to do, in place of a quorum that is not missing."""

import json
import subprocess

from cluster import PREFIX, Cluster
from etcd_server import after, coded
from harness import BIN, eventually


def shown(gateway, word, remedy):
    """What an operator sees, all of it: /readyz, /status, `jumpgate cluster`, the log."""
    eventually(lambda: not gateway.ready() and word in str(gateway.reasons()), 60)
    reason, = [reason for reason in gateway.reasons() if "store" in reason]
    assert reason.startswith("store refuses this gateway: ") and remedy in reason and "no quorum" not in reason
    eventually(lambda: not gateway.call("GET", "/status").json["cluster"]["certain"], 60)
    refusal = gateway.call("GET", "/status").json["cluster"]["refusal"]
    assert word in refusal and remedy in refusal
    page = subprocess.run([BIN / "jumpgate", "cluster", "-c", gateway.write_configuration()], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)
    assert page.returncode == 4 and "etcd refuses this gateway: " in page.stdout and remedy in page.stdout
    line, = [line for line in gateway.err.text.splitlines() if " store_failed " in line and word in line]
    assert remedy in line


def refused_start(gateway, remedy):
    gateway.stop()
    gateway.start()
    assert gateway.process.wait(60) == 1
    last = [line for line in gateway.err.text.splitlines() if line.startswith("jumpgate: [store]: ")][-1]
    assert remedy in last and "refuses the sign-in" not in last
    gateway.stopped = True


def offline(gateway, remedy):
    done = subprocess.run([BIN / "jumpgate", "cluster", "-c", gateway.write_configuration()], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4 and remedy in done.stderr, (done.returncode, done.stderr)


def test_a_role_and_users_that_are_turned_off():
    with Cluster(gateways=1, users=True) as cluster:
        etcd, gateway = cluster.etcd, cluster.gateways[0]
        below = {"key": coded(PREFIX), "range_end": coded(after(PREFIX))}
        assert gateway.call("GET", "/status").json["cluster"]["refusal"] is None
        session = cluster.session("ann", cluster.account(password="s3cret"))
        credential = cluster.credential(session)
        assert etcd.any("/v3/auth/role/revoke", {"role": "gateways", **below}) is not None
        shown(gateway, "permission denied", "etcdctl role grant-permission ROLE readwrite PREFIX --prefix")
        assert cluster.checkout(session, credential).code == "store_unavailable"
        assert etcd.any("/v3/auth/role/grant", {"name": "gateways", "perm": {"permType": "READWRITE", **below}}) is not None
        gateway.joined()
        assert gateway.call("GET", "/status").json["cluster"]["refusal"] is None
        etcd.any("/v3/auth/disable", {})
        shown(gateway, "authentication is not enabled", "etcdctl auth enable")
        etcd.token = None
        refused_start(gateway, "etcdctl auth enable")
        offline(gateway, "etcdctl auth enable")


def test_users_that_are_turned_on():
    with Cluster(gateways=1) as cluster:
        gateway = cluster.gateways[0]
        cluster.etcd.with_users(PREFIX)
        shown(gateway, "user name is empty", "set `user` and `password_file`")
        refused_start(gateway, "set `user` and `password_file`")
        offline(gateway, "set `user` and `password_file`")


def test_a_refusal_that_becomes_an_outage():
    """The word is the present one."""
    with Cluster(gateways=1) as cluster:
        gateway, etcd = cluster.gateways[0], cluster.etcd
        etcd.with_users(PREFIX)
        eventually(lambda: "store refuses this gateway" in json.dumps(gateway.reasons()), 60)
        etcd.kill(0)
        eventually(lambda: "store has no quorum" in json.dumps(gateway.reasons()), 60)
        assert gateway.call("GET", "/status").json["cluster"]["refusal"] is None
