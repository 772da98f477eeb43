# SPDX-License-Identifier: Apache-2.0
"""Requests that wait for their approver, with several gateways: found at any, also after the death of the one that has
kept it, withdrawn at any."""

import pytest

from cluster import Cluster
from harness import eventually
from stack import problem


@pytest.fixture(scope="module", name="cluster")
def _cluster():
    with Cluster(gateways=3, members=1, sections={"vault main": {"approval_wait": "1h"}}) as cluster:
        yield cluster


def waiting(cluster, session, credential, *gateways):
    """The number of the one request that is named at all of them."""
    kept = [problem(gateway.checkout(session, credential), 409, "approval_pending")["vault"] for gateway in gateways]
    assert kept == [{"status": 403, "code": 4034, "request_id": cluster.live()[0]["id"]}] * len(gateways)
    assert len(cluster.live()) == 1
    return kept[0]["request_id"]


def test_it_outlives_its_gateway(cluster):
    one, two, three = cluster.gateways
    box = cluster.account(rule="approval", password="after approval")
    ann = cluster.session("ann", box)
    credential = cluster.at(one).credential(ann)
    number = waiting(cluster, ann, credential, one, two, three)
    (row,) = [row for row in cluster.leases(two) if row["state"] == "pending"]
    assert (row["request_id"], row["node"], row["sessions"]) == (number, "g1", [ann["id"]])
    assert two.complete(ann).json == {"released": 0}
    one.kill()
    later = cluster.session("ann", box)
    assert waiting(cluster, later, credential, three) == number  # before anybody has seen the death
    eventually(lambda: {row["node"] for row in cluster.leases(two)} <= {"g2", "g3"}, 60)
    assert waiting(cluster, later, credential, two) == number
    cluster.vault.approve(number)
    answer = two.checkout(later, credential)
    assert answer.status == 200, answer.body
    assert (answer.json["password"], answer.json["lease"]["request_id"]) == ("after approval", number)
    assert three.checkout(later, credential).json["lease"] == answer.json["lease"]
    assert three.complete(later).json == {"released": 1}
    one.restart().joined()
    cluster.settled()


def test_it_is_withdrawn_at_any_gateway(cluster):
    one, two, three = cluster.gateways
    for gateway in (one, two):
        box = cluster.account(rule="approval", password="never")
        bob = cluster.session("bob", box)
        credential = cluster.at(one).credential(bob)
        waiting(cluster, bob, credential, one)
        assert gateway.release(bob, credential).json["released"] == 0
        cluster.settled()
        waiting(cluster, bob, credential, one)
        (row,) = [row for row in cluster.leases(three) if row["state"] == "pending"]
        assert gateway.call("POST", f"/v1/leases/{row['id']}/release").json == {"released": 0, "pending": True}
        cluster.settled()
