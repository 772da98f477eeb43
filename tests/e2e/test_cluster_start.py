# SPDX-License-Identifier: Apache-2.0
"""Gateways on etcd begin: without etcd, with a name that is taken, with a sign-in or a certificate that is refused."""

import signal
import subprocess

from certificates import Authority
from cluster import PREFIX, TTL, Cluster, Node
from etcd_server import PASSWORD, USER, Etcd
from harness import BIN, eventually
from stack import Stack


def ended(gateway, code):
    """The gateway ends by itself with this code; what it has said."""
    assert gateway.wait(60) == code, gateway.err.text
    return gateway.err.text


def member(etcd, name):
    return etcd.keys(PREFIX).get(f"{PREFIX}m/{name}")


def test_it_starts_without_etcd_and_joins_when_it_can():
    etcd = Etcd()
    try:
        with Node("http://127.0.0.1:1/BeyondTrust/api/public/v3", etcd, "g1") as gateway:
            answer = gateway.call("GET", "/readyz")
            assert answer.status == 503
            assert any("lease store" in reason or "no quorum" in reason for reason in answer.json["reasons"])
            status = gateway.call("GET", "/status").json
            store = next(one for one in status["dependencies"] if one["name"] == "store")
            assert (store["type"], store["writable"]) == ("etcd", False)
            shown = subprocess.run([BIN / "jumpgate", "cluster", "-c", gateway.write_configuration()], capture_output=True,
                                   text=True, timeout=60, check=False)
            assert shown.returncode == 4 and "\netcd: http" in shown.stdout and " 0.0 m" not in shown.stdout.lower()
            etcd.start()
            eventually(lambda: member(etcd, "g1"), 60)
            eventually(lambda: not any("lease store" in r or "quorum" in r for r in gateway.reasons()), 60)
    finally:
        etcd.__exit__(None, None, None)


def test_it_stops_at_once_where_nothing_waits_for_etcd():
    """drain_timeout is longer than the test waits: a gateway that has never joined, and one whose etcd went away."""
    etcd = Etcd()
    slow = {"gateway": {"drain_timeout": "10m"}}
    try:
        with Node("http://127.0.0.1:1/BeyondTrust/api/public/v3", etcd, "g1", slow) as gateway:
            gateway.signal(signal.SIGTERM)
            assert gateway.wait() == 0
        etcd.start()
        with Node("http://127.0.0.1:1/BeyondTrust/api/public/v3", etcd, "g1", slow) as gateway:
            eventually(lambda: member(etcd, "g1"), 60)
            eventually(lambda: gateway.metrics()["jumpgate_cluster_certain"] == 1, 60)
            assert gateway.err.text.count(" cluster_certain ") == 1
            etcd.pause(0)
            eventually(lambda: gateway.metrics()["jumpgate_cluster_certain"] == 0, 60)
            gateway.signal(signal.SIGTERM)
            assert gateway.wait() == 0
            assert " handed_over taken=no leases=0" in gateway.err.text
            etcd.resume(0)
    finally:
        etcd.__exit__(None, None, None)


def test_a_name_that_a_living_gateway_has_is_refused():
    with Cluster(gateways=1) as cluster:
        twin = cluster.node("g1").start()
        text = ended(twin, 1)
        assert "[store]" in text and "`node`" in text and "the name g1 is taken" in text
        assert cluster.gateways[0].ready()
        twin.folder.cleanup()


def test_a_gateway_that_starts_again_on_its_state_is_the_same_node():
    with Cluster(gateways=1) as cluster:
        gateway = cluster.gateways[0]
        gateway.kill()
        gateway.restart().joined()
        gateway.stop()
        gateway.restart().joined()


def test_a_sign_in_that_etcd_refuses_ends_it():
    with Etcd() as etcd:
        etcd.with_users(PREFIX)
        for password, code in (("wrong", 1), (PASSWORD, 0)):
            gateway = Node("http://127.0.0.1:1/BeyondTrust/api/public/v3", etcd, "g1")
            gateway.sections["store"].update(user=USER, password_file=gateway.secret("etcd-password", password))
            gateway.start()
            if code:
                text = ended(gateway, code)
                assert "[store]" in text and "`password_file`" in text and "authentication failed" in text
                gateway.folder.cleanup()
                continue
            eventually(lambda: member(etcd, "g1"), 60)
            assert PASSWORD not in gateway.err.text
            gateway.__exit__(None, None, None)


def test_a_certificate_for_another_name_ends_it(tmp_path):
    authority = Authority(tmp_path)
    wrong = authority.server("wrong", sans=("DNS:other.example",))
    etcd = Etcd(tls=(wrong, authority))
    for number in range(len(etcd.processes)):
        etcd.start_member(number)
    try:
        gateway = Node("http://127.0.0.1:1/BeyondTrust/api/public/v3", etcd, "g1")
        gateway.sections["store"]["ca_file"] = authority.certificate
        gateway.start()
        text = ended(gateway, 1)
        assert "[store]" in text and "`endpoints`" in text and "certificate is for another name" in text
        gateway.folder.cleanup()
    finally:
        etcd.__exit__(None, None, None)


def test_a_good_certificate_is_all_it_needs(tmp_path):
    authority = Authority(tmp_path)
    with Etcd(tls=(authority.server(), authority)) as etcd:
        gateway = Node("http://127.0.0.1:1/BeyondTrust/api/public/v3", etcd, "g1")
        gateway.sections["store"]["ca_file"] = authority.certificate
        with gateway:
            eventually(lambda: member(etcd, "g1"), 60)


def test_a_vault_that_differs_ends_it():
    with Cluster(gateways=1) as cluster:
        other = cluster.node("g2", {"vault main": {"minute": "30s"}}).start()
        text = ended(other, 1)
        assert "[store]" in text and "[vault main]" in text and "`minute`" in text
        assert cluster.gateways[0].ready()
        other.folder.cleanup()


def test_a_difference_that_people_see_is_shown():
    with Cluster(gateways=1) as cluster:
        with cluster.node("g2", {"vault main": {"run_as": "{username}"}}) as other:
            other.joined()
            eventually(lambda: other.metrics()["jumpgate_cluster_config_differs"] == 1)
            eventually(lambda: cluster.gateways[0].metrics()["jumpgate_cluster_config_differs"] == 1)


def test_another_ttl_is_shown():
    with Cluster(gateways=1) as cluster:
        with cluster.node("g2", {"store": {"ttl": f"{TTL + 1}s"}}) as other:
            other.joined()
            eventually(lambda: cluster.gateways[0].metrics()["jumpgate_cluster_config_differs"] == 1)


def checked(gateway):
    """The exit code of `jumpgate check`, and what it has said."""
    done = subprocess.run([BIN / "jumpgate", "check", "-c", gateway.write_configuration()], capture_output=True, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stderr


def test_leases_in_its_file_are_not_forgotten():
    with Stack() as stack, Etcd() as etcd:
        gateway = stack.gateway
        session = stack.session("ann", stack.account(password="s3cret"))
        assert stack.checkout(session).status == 200
        gateway.kill()
        gateway.sections["store"] = {"type": "etcd", "endpoints": etcd.endpoints, "prefix": PREFIX, "node": "g1"}
        words = "leases.db still has 1 vault request, which a gateway on etcd would forget; move them (jumpgate store copy)"
        code, text = checked(gateway)
        assert code == 1 and "`type`" in text and words in text, text
        gateway.launch()
        assert words in ended(gateway, 1)
        gateway.sections["store"] = {}
        gateway.restart()
        assert gateway.complete(session).status == 200
        stack.settled()
        gateway.stop()
        gateway.sections["store"] = {"type": "etcd", "endpoints": etcd.endpoints, "prefix": PREFIX, "node": "g1"}
        assert checked(gateway)[0] == 0
        gateway.restart()
        eventually(lambda: member(etcd, "g1"), 60)


def test_leases_in_a_file_that_cannot_be_read_are_not_forgotten():
    etcd = Etcd()
    gateway = Node("http://127.0.0.1:1/BeyondTrust/api/public/v3", etcd, "g1")
    store = gateway.path / "state" / "leases.db"
    store.write_bytes(b"garbage" * 1000)
    code, text = checked(gateway)
    assert code == 1 and "whether leases are left in the lease store is unknown" in text, text
    store.rename(store.with_suffix(".kept"))
    assert checked(gateway)[0] == 0
    etcd.__exit__(None, None, None)
    gateway.folder.cleanup()
