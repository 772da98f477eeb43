# SPDX-License-Identifier: Apache-2.0
"""Certificates between gateways and etcd end, are replaced, or are the wrong ones, while gateways run and at a start.

The three members want a client certificate. A new certificate is put into the file of the old one; etcd and the gateways
read the files with each new connection.
"""

import os
import subprocess
import time

import pytest

from certificates import SERVER_SANS, Authority
from cluster import PREFIX, Cluster, Node
from etcd_server import Etcd
from harness import BIN, eventually
from test_doctor_store import VAULT, examine, failed_at

LIFE = 15  # seconds of a certificate that ends
REFUSED = "the client certificate is refused"


class Tls(Cluster):
    """Members and gateways with these certificates."""

    def __init__(self, authority, member, client):
        super().__init__(gateways=2, sections={"gateway": {"request_timeout": "5s", "list_cache": "0s", "catalogue_cache": "0s"}})
        self.authority, self.client = authority, client
        self.etcd = Etcd(3, tls=(member, authority), client=authority.nameless("asker"))

    def node(self, name, sections=None):
        made = super().node(name, sections)
        made.sections["store"].update(ca_file=self.authority.certificate, client_certificate=self.client.certificate,
                                      client_key=self.client.key)
        return made

    def restart_members(self):
        """So that no connection of before is left. etcd's JSON gateway calls its own member, and waits for longer and longer
        after a certificate that was refused: up to two minutes."""
        for number in range(3):
            self.etcd.kill(number)
        for number in range(3):
            self.etcd.start_member(number)


def lines_about(gateway, *events):
    return [line for line in gateway.err.lines if any(f" {event} " in line for event in events)]


def fails_closed(cluster, session, words):
    """Nobody is given a secret, a load balancer is told why, and the processes live."""
    for gateway in cluster.gateways:
        eventually(lambda at=gateway: any(words in reason for reason in at.reasons()), 60)
        assert gateway.call("GET", "/livez").status == 200
        answer = cluster.at(gateway).checkout(session)
        assert (answer.status, answer.code) == (503, "store_unavailable"), answer.body


def goes_on(cluster, session, lease):
    """By itself: the same processes, the same lease, none of them fenced."""
    for gateway in cluster.gateways:
        gateway.joined()
        answer = cluster.at(gateway).checkout(session)
        assert answer.json["lease"]["id"] == lease, answer.body
        assert gateway.metrics()["jumpgate_cluster_fenced_total"] == 0
        assert len(lines_about(gateway, "upstream_unreachable", "upstream_reachable")) <= 20, gateway.err.text
    cluster.swept()


@pytest.mark.parametrize("which, words", (("member", "certificate has expired"), ("client", REFUSED)))
def test_a_certificate_ends_while_gateways_run(tmp_path, which, words):
    authority = Authority(tmp_path)
    began = time.monotonic()
    member = authority.member(seconds=LIFE if which == "member" else None)
    client = authority.nameless(seconds=LIFE if which == "client" else None)
    with Tls(authority, member, client) as cluster:
        session = cluster.session("ann", cluster.account(password="s3cret"))
        lease = cluster.checkout(session).json["lease"]["id"]
        time.sleep(max(0, began + LIFE + 1 - time.monotonic()))
        answer = cluster.at(cluster.gateways[1]).checkout(session)  # over the connections of before
        assert answer.json["lease"]["id"] == lease, answer.body
        cluster.restart_members()
        fails_closed(cluster, session, words)
        if which == "member":
            authority.member()
            cluster.restart_members()
        else:
            authority.nameless()
        goes_on(cluster, session, lease)


def test_a_member_gets_a_certificate_for_another_name_while_gateways_run(tmp_path):
    """At a start that is the end of the process; a gateway that has joined goes on, and comes back."""
    authority = Authority(tmp_path)
    with Tls(authority, authority.member(), authority.nameless()) as cluster:
        session = cluster.session("ann", cluster.account(password="s3cret"))
        lease = cluster.checkout(session).json["lease"]["id"]
        authority.member(sans=("DNS:other.example",))
        cluster.restart_members()
        fails_closed(cluster, session, "127.0.0.1")
        authority.member()
        cluster.restart_members()
        goes_on(cluster, session, lease)


def test_a_member_gets_a_new_certificate_of_the_same_authority(tmp_path):
    authority = Authority(tmp_path)
    with Tls(authority, authority.member(), authority.nameless()) as cluster:
        session = cluster.session("ann", cluster.account(password="s3cret"))
        lease = cluster.checkout(session).json["lease"]["id"]
        authority.member(sans=(*SERVER_SANS, "DNS:etcd.example"))
        for number in range(3):
            cluster.etcd.kill(number)
            eventually(lambda at=cluster.gateways[number % 2]: cluster.at(at).checkout(session).status == 200, 60)
            cluster.etcd.start_member(number)
            eventually(lambda at=number: cluster.etcd.ask("/v3/kv/range", {"key": "eA=="}, at) is not None, 60)
        goes_on(cluster, session, lease)


# ---- at a start ----

@pytest.fixture(scope="module", name="site")
def _site(tmp_path_factory):
    """An authority, and an etcd of one member that wants a client certificate."""
    authority = Authority(tmp_path_factory.mktemp("site"))
    with Etcd(tls=(authority.member(), authority), client=authority.nameless("asker")) as etcd:
        yield authority, etcd


@pytest.fixture(name="node")
def _node(site):
    authority, etcd = site
    node = Node(VAULT, etcd, "g1")
    good = authority.nameless("good")
    node.sections["store"].update(ca_file=authority.certificate, client_certificate=good.certificate, client_key=good.key)
    yield node
    node.folder.cleanup()


def starts_and_waits(node, words):
    """It says why, does not end, and is not ready."""
    node.start()
    eventually(lambda: any(words in reason for reason in node.reasons()), 60)
    assert node.call("GET", "/livez").status == 200
    node.stop()


def test_the_right_certificates(site, node):
    found = examine(node)
    assert all(one["state"] in ("ok", "warning") for one in found.values()), found
    with node:
        eventually(lambda: f"{PREFIX}m/g1" in site[1].keys(PREFIX), 60)


def test_another_authority(tmp_path, node):
    node.sections["store"]["ca_file"] = Authority(tmp_path, "other").certificate
    failed_at(examine(node), "store_reach", "certificate", "ca_file")
    starts_and_waits(node, "certificate")


@pytest.mark.parametrize("certificate", ("none", "over", "of another authority"))
def test_a_client_certificate_that_etcd_refuses(tmp_path, site, node, certificate):
    store = node.sections["store"]
    if certificate == "none":
        del store["client_certificate"], store["client_key"]
    else:
        pair = site[0].nameless("over", seconds=-1) if certificate == "over" else Authority(tmp_path, "other").nameless()
        store.update(client_certificate=pair.certificate, client_key=pair.key)
    failed_at(examine(node), "store_reach", "`client_certificate`")  # the alert may be lost with its connection
    starts_and_waits(node, REFUSED)


def test_a_member_whose_certificate_is_for_a_server_alone(tmp_path):
    """With client-cert-auth etcd's JSON gateway calls etcd with it."""
    authority = Authority(tmp_path)
    good = authority.nameless("good")
    etcd = Etcd(tls=(authority.server(), authority), client=good)
    node = Node(VAULT, etcd, "g1")
    node.sections["store"].update(ca_file=authority.certificate, client_certificate=good.certificate, client_key=good.key)
    etcd.start_member(0)
    try:
        eventually(lambda: etcd.ask("/v3/maintenance/status", {}) is not None, 60)
        failed_at(examine(node), "store_api", "clientAuth")
    finally:
        etcd.__exit__(None, None, None)
        node.folder.cleanup()


def checked(node):
    done = subprocess.run([BIN / "jumpgate", "check", "-c", node.write_configuration()], env=os.environ, capture_output=True,
                          text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def test_a_common_name_beside_a_user(site, node):
    named = site[0].client("named")
    node.sections["store"].update(client_certificate=named.certificate, client_key=named.key)
    assert checked(node)[0] == 0, "without a user of etcd it may have one"
    node.sections["store"].update(user="jumpgate", password_file=node.secret("password", "x"))
    code, text = checked(node)
    assert code == 1 and "`client_certificate`" in text and "Common Name" in text, text
    done = subprocess.run([BIN / "jumpgate", "run", "-c", node.write_configuration()], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode != 0 and "Common Name" in done.stderr
