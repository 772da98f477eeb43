# SPDX-License-Identifier: Apache-2.0
"""The network between three gateways and three members of etcd is cut, each in a network namespace of its own.

The gateways are asked over Unix sockets, which no cable carries: those that are cut off, too. Sessions check out and
release at all of them throughout. After each harm the history has no offence, and nothing is left 15 s after its end.
"""

import os
import time

import pytest

import history
from certificates import Authority
from cluster import TTL, Cluster
from cluster_load import Load
from harness import eventually
from network import Network

MEMBERS = ["e0", "e1", "e2"]
GATEWAYS = ["g1", "g2", "g3"]
SECTIONS = {"gateway": {"list_cache": "0s", "catalogue_cache": "0s", "request_timeout": "4s"}}


@pytest.fixture(scope="module", name="network")
def _network():
    with Network(GATEWAYS + MEMBERS) as network:
        yield network


@pytest.fixture(scope="module", name="shared")
def _shared(network, tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("vault"))  # a vault on another machine wants TLS
    vault = authority.server(sans=(f"IP:{network.address()}",))
    sections = {**SECTIONS, "vault main": {"ca_file": authority.certificate}}
    with Cluster(gateways=3, members=3, sections=sections, network=network, tls=vault) as cluster:
        yield cluster


@pytest.fixture(name="cluster")
def _cluster(shared):
    for gateway in shared.gateways:
        gateway.joined()
    yield shared
    shared.swept()


def fences(gateway):
    return gateway.call("GET", "/status").json["cluster"]["fenced"]


def epochs(cluster):
    return [gateway.call("GET", "/status").json["cluster"]["epoch"] for gateway in cluster.gateways]


# What is to be seen while a harm lasts (until `yield`), and after it.

def one_is_fenced(cluster, record):
    """The others take over what g1 has, which is silent from then on. It notices when it can write."""
    one, two, _ = cluster.gateways
    before = fences(one)
    eventually(lambda: not one.ready(), 60)
    eventually(lambda: "g1" not in {row["node"] for row in cluster.leases(two)}, 60)
    fence = record.add(kind="fence", node="g1", at=time.time(), until=None)
    time.sleep(1)  # it is asked meanwhile
    fence["until"] = time.time()
    yield
    eventually(lambda: fences(one) > before, 60)


def all_go_on(cluster, _):
    """No gateway can write: none takes over another."""
    before = epochs(cluster)
    for gateway in cluster.gateways:
        eventually(lambda at=gateway: not at.ready(), 60)
    time.sleep(TTL)
    yield
    for gateway in cluster.gateways:
        gateway.joined()
    assert epochs(cluster) == before


def check_outs_go_on(cluster, record):
    """At all gateways; one that was fenced meanwhile has joined again."""
    time.sleep(TTL)
    begun = time.time()
    for gateway in cluster.gateways:
        eventually(lambda at=gateway: any(one["kind"] == "checkout" and one["node"] == at.name and one["status"] == 200
                                          and one["begun"] > begun for one in list(record.events)), 60)
    yield


# Harms: how the network is cut, and how it is mended.

def pulled(*machines):
    return lambda network: network.pull(*machines), lambda network: network.plug(*machines)


def deaf(machine, to):
    return lambda network: network.deafen(machine, to), lambda network: network.hear(machine, to)


def parted(side, rest):
    """The two sides do not hear each other; both reach the vault."""
    def cut(network):
        for one in side:
            network.deafen(one, rest)
        for one in rest:
            network.deafen(one, side)

    def mend(network):
        for one in side:
            network.hear(one, rest)
        for one in rest:
            network.hear(one, side)
    return cut, mend


def others(*machines):
    return [one for one in GATEWAYS + MEMBERS if one not in machines]


HARMS = {  # of the leader and of another member: (cut, mend), what is to be seen
    "a gateway": lambda leader, other: (pulled("g1"), one_is_fenced),
    "a member": lambda leader, other: (pulled(other), check_outs_go_on),
    "the leader": lambda leader, other: (pulled(leader), check_outs_go_on),
    "the quorum": lambda leader, other: (pulled(leader, other), all_go_on),
    "answers to a gateway": lambda leader, other: (deaf("g1", MEMBERS), one_is_fenced),
    "questions to a member": lambda leader, other: (deaf(other, GATEWAYS), check_outs_go_on),
    "members to the leader": lambda leader, other: (deaf(leader, [one for one in MEMBERS if one != leader]), check_outs_go_on),
    "the leader to members": lambda leader, other: (deaf(other, [leader]), check_outs_go_on),
    "a gateway with the old leader": lambda leader, other: (parted(["g1", leader], others("g1", leader)), one_is_fenced),
}
QUICK = ("a gateway", "the quorum", "a gateway with the old leader")


@pytest.mark.parametrize("name", HARMS)
def test_cut(cluster, network, name):
    if name not in QUICK and "JG_ALL" not in os.environ:
        pytest.skip("scripts/test --all")
    leader = cluster.etcd.led()
    (cut, mend), expected = HARMS[name](f"e{leader}", f"e{(leader + 1) % 3}")
    record = history.Recorder()
    with Load(cluster, record) as load:
        seen = expected(cluster, record)
        with record.outage():
            cut(network)
            try:
                next(seen)
            finally:
                mend(network)
        assert next(seen, None) is None
        for gateway in cluster.gateways:
            gateway.joined()
        load.served()
    load.sound()
