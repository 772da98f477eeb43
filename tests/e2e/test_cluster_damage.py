# SPDX-License-Identifier: Apache-2.0
"""Rows in etcd that other hands have deleted or broken: the cluster comes to a consistent state by itself."""

import pytest

from cluster import PREFIX, Cluster
from harness import eventually


@pytest.fixture(scope="module", name="shared")
def _shared():
    with Cluster(gateways=2) as cluster:
        yield cluster


@pytest.fixture(name="cluster")
def _cluster(shared):
    yield shared
    shared.opened = []
    shared.settled()


def held(cluster):
    """A lease of g1: (session, credential id, lease, its request at the vault)."""
    session = cluster.session("ann", cluster.account(password="s3cret"))
    credential = cluster.at(cluster.gateways[0]).credential(session)
    answer = cluster.checkout(session, credential)
    assert answer.status == 200, answer.body
    request, = cluster.live()
    return session, credential, answer.json["lease"], request


def delete(cluster, *kinds):
    """The keys of these kinds; the cluster has one lease."""
    found = [key for key in cluster.rows() if key.startswith(kinds)]
    assert len(found) == len(kinds), cluster.rows()
    for key in found:
        cluster.etcd.remove(PREFIX + key)


def compare(cluster):
    for gateway in cluster.gateways:
        assert gateway.call("POST", "/v1/cluster/reconcile", {"all_users": True}).status == 200


@pytest.mark.parametrize("kinds", [("s/",), ("h/",), ("s/", "h/"), ("s/", "h/", "r/"), ("h/", "r/")], ids="".join)
def test_the_owner_finds_it_and_gives_the_request_back(cluster, kinds):
    held(cluster)
    delete(cluster, *kinds)
    compare(cluster)
    eventually(lambda: cluster.live() == [], 15)
    eventually(lambda: cluster.rows() == {}, 60)
    assert cluster.gateways[0].call("GET", "/status").json["leases"]["active"] == 0


def test_a_repeat_at_the_owner_leaves_one_lease(cluster):
    session, credential, lease, request = held(cluster)
    delete(cluster, "s/")
    again = cluster.at(cluster.gateways[0]).checkout(session, credential)
    assert again.status == 200 and again.json["lease"]["id"] != lease["id"]
    assert [row["id"] for row in cluster.leases()] == [again.json["lease"]["id"]]
    assert request["id"] not in [row["id"] for row in cluster.live()]
    assert cluster.gateway.release(session, credential).json["released"] == 1


@pytest.mark.parametrize("kind", ["s/", "h/"])
def test_a_release_at_the_owner_gives_the_request_back(cluster, kind):
    session, credential, *_ = held(cluster)
    delete(cluster, kind)
    answer = cluster.gateways[0].release(session, credential)
    assert answer.status == 200 and answer.json["released"] == (1 if kind == "s/" else 0)
    eventually(lambda: cluster.live() == [], 15)
    eventually(lambda: cluster.rows() == {}, 60)


def test_a_release_elsewhere_of_a_lease_without_its_hold(cluster):
    session, credential, *_ = held(cluster)
    delete(cluster, "h/")
    assert cluster.gateways[1].release(session, credential).status == 200
    eventually(lambda: cluster.live() == [], 15)
    eventually(lambda: cluster.rows() == {}, 60)


def put(cluster, kind, value):
    """The only key of this kind has this value; the key."""
    key, = [key for key in cluster.rows() if key.startswith(kind)]
    cluster.etcd.put(PREFIX + key, value)
    return key


def named(cluster, key):
    """Each gateway that has met it has named it once."""
    for gateway in cluster.gateways:
        lines = [line for line in gateway.err.text.splitlines() if " store_row_unreadable " in line and key in line]
        assert len(lines) <= 1, lines
        yield len(lines)


@pytest.fixture(name="short")
def _short():
    """Leases that end soon, so that the end of the request is seen."""
    fresh = {"list_cache": "0s", "catalogue_cache": "0s"}
    with Cluster(gateways=2, sections={"gateway": {"release_duration": "1m", **fresh}}) as cluster:
        yield cluster


def test_broken_values_end_with_the_request(short):
    """Nothing goes out meanwhile, others are served, each key is named once, and the request's end takes all along."""
    cluster = short
    session, credential, *_ = held(cluster)
    box = cluster.account(password="other")
    junk = "h/" + [key for key in cluster.rows() if key.startswith("h/")][0].split("/", 1)[1].rsplit("/", 1)[0] + "/junk"
    cluster.etcd.put(PREFIX + junk, "")
    broken = put(cluster, "s/", "O{no json")
    for gateway in cluster.gateways:
        assert cluster.at(gateway).checkout(session, credential).status == 503
        bob = cluster.session("bob", box)
        its = cluster.credential(bob)
        assert cluster.checkout(bob, its).status == 200
        assert gateway.release(bob, its).json["released"] == 1
    assert sum(named(cluster, broken)) >= 1
    assert cluster.gateways[0].metrics()["jumpgate_store_unreadable_rows_total"] >= 1
    eventually(lambda: cluster.live() == [], 120)
    eventually(lambda: cluster.rows() == {}, 60)
    assert len([line for line in cluster.gateways[0].err.text.splitlines() if " store_close " in line]) == 0


def test_a_release_takes_a_broken_lease_along(cluster):
    """At its owner, which knows it: its row goes with the hold."""
    session, credential, *_ = held(cluster)
    put(cluster, "s/", "O{no json")
    assert cluster.gateways[0].release(session, credential).json["released"] == 1


def test_a_broken_request_ends_with_its_time(short):
    cluster = short
    session, credential, *_ = held(cluster)
    key = put(cluster, "r/", "O{no json")
    assert cluster.gateways[0].release(session, credential).status == 200
    eventually(lambda: cluster.live() == [], 120)
    eventually(lambda: cluster.rows() == {}, 60)
    assert sum(named(cluster, key)) >= 1
