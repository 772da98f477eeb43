# SPDX-License-Identifier: Apache-2.0
"""Several gateways on one etcd: one lease at all of them, a release at any, and the death of each part.

What all gateways have answered is held against the vault's own record (history.py) at the end of each test. Nothing is
timed: what must come is waited for.
"""

import json
import re
import signal
import subprocess
import threading

import pytest

import history
from cluster import TTL, Cluster
from harness import BIN, eventually


@pytest.fixture(scope="module", name="shared")
def _shared():
    with Cluster(gateways=3, members=3) as cluster:
        yield cluster


@pytest.fixture(name="cluster")
def _cluster(shared):
    """All three gateways are there; at the end nothing is left."""
    yield shared.all_there()
    shared.swept()


@pytest.fixture(name="record")
def _record(cluster):
    recorder = history.Recorder()
    yield recorder
    recorder.vault(cluster.vault)
    assert history.offences(recorder.events) == []


def lease_of(answer):
    assert answer.status == 200, answer.body
    return answer.json["lease"]


def owner_of(cluster, gateway, lease):
    """The gateway that has it. A list also has intents of unknown outcome, which tests before may have left."""
    return next(row["node"] for row in cluster.leases(gateway) if row["id"] == lease["id"])


def trail(gateway):
    """The records of its audit trail, without the lines that the trail writes about itself."""
    lines = map(json.loads, (gateway.path / "state" / "audit.jsonl").read_text().splitlines())
    return [line for line in lines if not line["event"].startswith("audit_")]


def checked_out(cluster, record, *gateways, user="ann"):
    """A session with a lease at the gateways: (session, credential id, lease)."""
    box = cluster.account(password="s3cret")
    session = cluster.session(user, box)
    credential = cluster.at(gateways[0]).credential(session)
    leases = [lease_of(record.checkout(gateway, session, credential)) for gateway in gateways]
    assert all(lease == leases[0] for lease in leases), leases
    return session, credential, leases[0]


def test_the_same_lease_at_all_gateways(cluster, record):
    one, two, three = cluster.gateways
    session, credential, lease = checked_out(cluster, record, one, two, three, one)
    assert [owner_of(cluster, gateway, lease) for gateway in cluster.gateways] == ["g1"] * 3
    record.listing(cluster, three)
    answer = record.release(three, session, credential)
    assert answer.json["released"] == 1 and answer.json["remaining_holders"] == 0
    eventually(lambda: cluster.live() == [])


def test_all_gateways_at_once(cluster, record):
    box = cluster.account(password="s3cret")
    session = cluster.session("ann", box)
    credential = cluster.at(cluster.gateways[0]).credential(session)
    answers = []
    threads = [threading.Thread(target=lambda at=gateway: answers.append(record.checkout(at, session, credential)))
               for gateway in cluster.gateways for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({lease_of(answer)["id"] for answer in answers}) == 1
    assert len(cluster.live()) == 1


def test_holders_count_over_all_gateways(cluster, record):
    one, two, three = cluster.gateways
    box = cluster.account(password="s3cret")
    first, second = cluster.session("ann", box), cluster.session("ann", box)
    credential = cluster.at(one).credential(first)
    assert lease_of(record.checkout(one, first, credential))["request_id"] == \
        lease_of(record.checkout(two, second, credential))["request_id"]
    answer = record.release(three, first, credential)
    assert (answer.json["released"], answer.json["remaining_holders"]) == (1, 1)
    assert len(cluster.live()) == 1
    answer = record.release(one, second, credential)
    assert (answer.json["released"], answer.json["remaining_holders"]) == (1, 0)
    eventually(lambda: cluster.live() == [])


def test_a_release_at_two_gateways_counts_once(cluster, record):
    one, two, _ = cluster.gateways
    session, credential, _ = checked_out(cluster, record, one)
    assert record.release(two, session, credential).json["released"] == 1
    assert record.release(one, session, credential).json["released"] == 0


def test_a_session_that_ends_elsewhere(cluster, record):
    one, two, _ = cluster.gateways
    session, credential, _ = checked_out(cluster, record, one)
    assert record.complete(two, session).status == 200
    eventually(lambda: cluster.live() == [])
    lease = lease_of(record.checkout(one, session, credential))  # a new one, asked for anew
    assert lease["request_id"] is not None


def test_a_start_that_is_reported_elsewhere_names_the_lease(cluster, record):
    one, two, three = cluster.gateways
    session, credential, lease = checked_out(cluster, record, one)
    lsid = "0123456789abcdef0123456789abcdef"
    assert two.call("POST", "/v1/sessions/started", {"session": {**session, "lsid": lsid}}).status == 204
    assert [row["lsid"] for row in cluster.leases(three) if row["id"] == lease["id"]] == [lsid]
    assert [key for key in cluster.rows() if key.startswith(f"e/{lsid}/")]
    assert record.release(one, session, credential).json["released"] == 1
    assert not [key for key in cluster.rows() if key.startswith("e/")]


@pytest.mark.parametrize("wait_ms", [50, 200, 350, 500])
def test_a_session_that_ends_elsewhere_before_the_intent(cluster, record, wait_ms):
    """The first gateway signs in at the vault and reads a list: nothing of its check-out is in etcd yet."""
    one, two, three = cluster.gateways
    box, answers = cluster.account(password="s3cret"), []
    session = cluster.session("ann", box)
    credential = cluster.at(three).credential(session)
    cluster.vault.latency(300)
    try:
        thread = threading.Thread(target=lambda: answers.append(record.checkout(one, session, credential)))
        thread.start()
        threading.Event().wait(wait_ms / 1000)
        assert record.complete(two, session).status == 200
        thread.join()
    finally:
        cluster.vault.latency(0)
    assert answers[0].status in (200, 404), answers[0].body
    eventually(lambda: cluster.live() == [])  # a lease that stays would hold its request
    assert [row for row in cluster.leases(two) if row["session"] == session["id"]] == []
    lease_of(record.checkout(one, session, credential))  # what begins afterwards is answered


def test_an_operator_releases_at_any_gateway(cluster, record):
    one, two, _ = cluster.gateways
    session, credential, lease = checked_out(cluster, record, one)
    answer = two.call("POST", f"/v1/leases/{lease['id']}/release")
    assert answer.status == 200 and answer.json["released"] == 1
    record.add(kind="release", node="g2", begun=0, done=2e9, status=200, credential=credential, session=session["id"],
               user="CORP\\ann", released=1)
    eventually(lambda: cluster.live() == [])


def test_the_owner_is_killed(cluster, record):
    one, two, three = cluster.gateways
    session, credential, lease = checked_out(cluster, record, one)
    gone = cluster.session("bob", cluster.account(password="s3cret"))
    its = cluster.at(one).credential(gone)
    lease_of(record.checkout(one, gone, its))
    one.kill()
    assert lease_of(record.checkout(two, session, credential)) == lease  # before anybody has seen the death
    assert record.release(three, gone, its).json["released"] == 1
    eventually(lambda: {row["node"] for row in cluster.leases(two)} <= {"g2", "g3"}, 60)
    assert lease_of(record.checkout(three, session, credential)) == lease
    assert record.release(two, session, credential).json["released"] == 1
    eventually(lambda: cluster.live() == [], 60)
    records = [event for gateway in (two, three) for event in trail(gateway) if event.get("lease_id") == lease["id"]]
    assert {event["node"] for event in trail(two)} == {"g2"}
    assert [(event["from"].partition("@")[0], event["to"].partition("@")[0] == event["node"])
            for event in records if event["event"] == "adopted"] == [("g1", True)]


def test_the_end_of_a_lease_is_recorded_though_its_gateway_dies(cluster, record):
    """etcd has the end, and the gateway is killed before its trail has it: the one that takes over records it."""
    one, two, three = cluster.gateways
    session, credential, lease = checked_out(cluster, record, two)
    epoch = one.call("GET", "/status").json["cluster"]["epoch"]
    one.stop()
    one.environment = {"JG_KILL_AT": "lease.release.durable"}
    one.restart().joined()
    assert one.call("GET", "/status").json["cluster"]["epoch"] > epoch
    assert record.release(one, session, credential) is None
    record.death()
    one.environment = {}

    def ends(gateway):
        return [line for line in trail(gateway) if line["event"] == "lease_end" and line["lease_id"] == lease["id"]]
    eventually(lambda: ends(two) + ends(three), 60)
    (end,) = ends(two) + ends(three)
    assert ends(one) == []
    assert (end["reason"], end["vault"], end["vault_request_id"]) == ("released", "main", lease["request_id"])
    assert end["from"].startswith("g1@") and end["ended_at"] <= end["time"] and end["node"] != "g1"
    one.kill()
    one.restart().joined()


def test_a_release_whose_gateway_dies_first_is_made_again_elsewhere(cluster, record):
    one, two, three = cluster.gateways
    session, credential, _ = checked_out(cluster, record, two)
    one.stop()
    one.environment = {"JG_KILL_AT": "lease.release.before"}
    one.restart().joined()
    assert record.release(one, session, credential) is None
    record.death()
    one.environment = {}
    assert record.release(three, session, credential).json["released"] == 1
    eventually(lambda: cluster.live() == [])
    one.kill()
    one.restart().joined()


def test_the_owner_is_killed_under_load(cluster, record):
    boxes = [cluster.account(password="s3cret") for _ in range(4)]
    sessions = [cluster.session("ann", box) for box in boxes]
    credentials = [cluster.at(cluster.gateways[1]).credential(session) for session in sessions]
    over = threading.Event()

    def work(at, n):
        session, credential = sessions[n], credentials[n]
        while not over.is_set():
            answer = record.checkout(at, session, credential)
            if answer and answer.status == 200:
                record.release(at, session, credential)
            if not answer:
                over.wait(0.05)

    threads = [threading.Thread(target=work, args=(gateway, n)) for n in range(4) for gateway in cluster.gateways[:2]]
    for thread in threads:
        thread.start()
    try:
        served = len([one for one in record.events if one["kind"] == "checkout"])
        eventually(lambda: len([one for one in record.events if one["kind"] == "checkout"]) > served + 20, 60)
        cluster.gateways[0].kill()
        killed = len(record.events)
        eventually(lambda: any(one["kind"] == "checkout" and one["status"] == 200 for one in record.events[killed + 20:]), 60)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    for session in sessions:
        assert record.complete(cluster.gateways[2], session).status == 200
    eventually(lambda: cluster.live() == [], 90)


def test_a_gateway_that_is_paused_joins_again(cluster, record):
    one, two, _ = cluster.gateways
    session, credential, lease = checked_out(cluster, record, one)
    one.signal(signal.SIGSTOP)
    try:
        eventually(lambda: {row["node"] for row in cluster.leases(two)} <= {"g2", "g3"}, 60)
    finally:
        one.signal(signal.SIGCONT)
    eventually(lambda: one.call("GET", "/status").json["cluster"]["fenced"] >= 1, 60)
    one.joined()
    assert one.err.text.count(" cluster_fenced ") == one.call("GET", "/status").json["cluster"]["fenced"]
    assert lease_of(record.checkout(one, session, credential)) == lease
    assert record.release(one, session, credential).json["released"] == 1


def test_a_short_pause_is_nothing(cluster, record):
    one, two, _ = cluster.gateways
    _, _, lease = checked_out(cluster, record, one)
    before = one.call("GET", "/status").json["cluster"]["fenced"]
    one.signal(signal.SIGSTOP)
    threading.Event().wait(TTL / 3)
    one.signal(signal.SIGCONT)
    one.joined()
    assert one.call("GET", "/status").json["cluster"]["fenced"] == before
    assert owner_of(cluster, two, lease) == "g1"


@pytest.fixture(name="patient")
def _patient():
    """The longest ttl: on a busy machine one gateway may come back from an outage seconds after another one."""
    with Cluster(gateways=3, members=3, sections={"store": {"ttl": "8s"}}) as cluster:
        yield cluster
        cluster.swept()


def test_no_quorum_and_back(patient):
    cluster, record = patient, history.Recorder()
    one, two, three = cluster.gateways
    session, credential, lease = checked_out(cluster, record, one)
    gone = cluster.session("bob", cluster.account(password="s3cret"))
    its = cluster.at(two).credential(gone)
    lease_of(record.checkout(two, gone, its))
    epochs = [gateway.call("GET", "/status").json["cluster"]["epoch"] for gateway in cluster.gateways]
    eventually(lambda: len(one.call("GET", "/status").json["cluster"]["members"]) == 3, 60)
    for member in (0, 1):
        cluster.etcd.kill(member)
    for gateway in cluster.gateways:
        eventually(lambda at=gateway: not at.ready(), 60)
        assert any(reason.startswith("store has no quorum") for reason in gateway.reasons())
    shown = subprocess.run([BIN / "jumpgate", "cluster", "-c", one.write_configuration()], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 4 and re.findall(r"(?m)^(g\d).*? (alive|unknown|silent) ", shown.stdout) == [
        ("g1", "alive"), ("g2", "unknown"), ("g3", "unknown")]
    answer = record.checkout(one, session, credential)  # a repeat: nobody knows whether it was released elsewhere
    assert (answer.status, answer.code) == (503, "store_unavailable")
    assert one.call("GET", "/v1/leases").code == "store_unavailable"
    assert one.find(session).status == 200
    answer = record.release(three, gone, its)
    assert answer.status == 200 and answer.json["pending"] is True
    for member in (0, 1):
        cluster.etcd.start_member(member)
    for gateway in cluster.gateways:
        gateway.joined()
    assert [gateway.call("GET", "/status").json["cluster"]["epoch"] for gateway in cluster.gateways] == epochs
    eventually(lambda: [one["user"] for one in cluster.live()] == ["CORP\\ann"], 60)
    assert lease_of(record.checkout(three, session, credential)) == lease
    record.vault(cluster.vault)
    assert history.offences(record.events) == []


def stopped_with_a_pending_release(cluster):
    """A release that waits for etcd, at a gateway that has been told to stop since."""
    one = cluster.gateways[0]
    session, credential, _ = checked_out(cluster, history.Recorder(), one)
    cluster.etcd.pause(0)
    answer = one.release(session, credential)
    assert answer.status == 200 and answer.json["pending"] is True
    one.signal(signal.SIGTERM)
    eventually(lambda: " to=draining" in one.err.text, 60)
    return one


def test_a_stop_carries_the_pending_releases_out():
    """etcd comes back within drain_timeout: the stop has waited for it, and the lease is no other gateway's."""
    with Cluster(gateways=2, sections={"gateway": {"request_timeout": "2s", "drain_timeout": "60s"}}) as cluster:
        one = stopped_with_a_pending_release(cluster)
        cluster.etcd.resume(0)
        assert one.wait() == 0
        assert "releases_dropped" not in one.err.text
        cluster.opened = []
        cluster.settled()


def test_a_stop_without_etcd_says_what_it_drops():
    with Cluster(gateways=2, sections={"gateway": {"request_timeout": "2s", "drain_timeout": "2s"}}) as cluster:
        one = stopped_with_a_pending_release(cluster)
        assert one.wait() == 0
        assert re.search(r" releases_dropped releases=1 ", one.err.text)
        assert len(re.findall(r" stop_waits operations=\d+ releases=1 leases=\d+ ", one.err.text)) == 1
        cluster.etcd.resume(0)
        for opened in cluster.opened:
            eventually(lambda at=opened: cluster.gateways[1].complete(at).status == 200, 60)
        cluster.opened = []
        cluster.settled()


def test_a_member_of_etcd_is_lost(cluster, record):
    leader = cluster.etcd.led()
    cluster.etcd.kill(leader)
    try:
        one, two, _ = cluster.gateways
        box = cluster.account(password="s3cret")
        session = cluster.session("ann", box)
        credential = cluster.at(one).credential(session)

        def served():
            answer = record.checkout(two, session, credential)
            return answer.status == 200
        eventually(served, 60)
        assert record.release(one, session, credential).json["released"] == 1
    finally:
        cluster.etcd.start_member(leader)


def test_a_rolling_restart(cluster, record):
    session, credential, lease = checked_out(cluster, record, cluster.gateways[0])
    for gateway in cluster.gateways:
        gateway.stop()
        for other in cluster.living():
            assert lease_of(record.checkout(other, session, credential)) == lease
        gateway.restart().joined()
        assert lease_of(record.checkout(gateway, session, credential)) == lease
    assert record.release(cluster.gateways[1], session, credential).json["released"] == 1
