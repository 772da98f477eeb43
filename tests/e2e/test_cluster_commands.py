# SPDX-License-Identifier: Apache-2.0
"""jumpgate cluster: without a gateway, and what an operator changes by hand (forget, set-vault, upgrade)."""

import json
import os
import pty
import pwd
import subprocess

import pytest

from cluster import PREFIX, Cluster, Node
from etcd_server import USER, Etcd
from harness import BIN, eventually


@pytest.fixture(scope="module", name="shared")
def _shared():
    with Cluster(gateways=2) as cluster:
        yield cluster


@pytest.fixture(name="cluster")
def _cluster(shared):
    """Both gateways run, and agree."""
    for gateway in shared.gateways:
        gateway.sections["vault main"].pop("minute", None)
    yield shared.all_there()


def run(node, *words, code=0):
    done = subprocess.run([BIN / "jumpgate", "cluster", *words, "-c", node.write_configuration()], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def listed(node, code=0):
    return json.loads(run(node, "list", "--json", code=code).stdout)


def events(node, name):
    lines = (node.path / "state" / "audit.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines if f'"event":"{name}"' in line]


def silent(cluster):
    """No gateway is left, and none has said that it leaves."""
    for gateway in cluster.living():
        gateway.kill()
    return cluster.gateways


def test_it_is_read_from_etcd(cluster):
    one, two = cluster.gateways
    one.kill()
    eventually(lambda: [m["node"] for m in two.call("GET", "/status").json["cluster"]["members"]] == ["g2"], 60)
    shown = listed(one)
    assert shown["gateway_running"] is False and shown["node"] is None and shown["schema"] == 1 and shown["moved"] is None
    assert [(m["node"], m["state"]) for m in shown["members"]] == [("g2", "alive")]
    assert shown["members"][0]["config_digest"] == shown["own_digest"]
    assert shown["store"]["endpoint"] == cluster.etcd.endpoints[0] and shown["store"]["db_bytes"] > 0
    page = run(one, "list").stdout
    assert "g2" in page and "alive" in page and "same" in page and "schema 1" in page
    two.kill()
    shown = listed(one, code=3)
    assert [(m["node"], m["state"]) for m in shown["members"]] == [("g2", "silent")]


def test_etcd_is_away(cluster):
    one = cluster.gateways[0]
    one.kill()
    before = one.sections["store"]["endpoints"]
    one.sections["store"]["endpoints"] = "http://127.0.0.1:1"
    try:
        for words in (("list",), ("forget", "g2", "--yes"), ("set-vault", "main", "--yes"), ("upgrade", "--yes")):
            run(one, *words, code=4)
    finally:
        one.sections["store"]["endpoints"] = before


def test_etcd_refuses_the_command():
    """No gateway runs: both commands say etcd's words and the remedy."""
    words = "invalid user ID or password; correct `user` and `password_file`"
    with Etcd() as etcd:
        etcd.with_users(PREFIX)
        node = Node("http://127.0.0.1:1/BeyondTrust/api/public/v3", etcd, "g1")
        empty = run(node, "list", code=3).stdout
        assert "no gateway has used this prefix yet" in empty and "schema" not in empty
        node.sections["store"]["password_file"] = node.secret("etcd-password", "wrong")
        for command in (("list",), ("forget", "g2", "--yes"), ("set-vault", "main", "--yes"), ("upgrade", "--yes")):
            assert words in run(node, *command, code=4).stderr
        assert words in leases(node, "list", code=1).stderr
        node.folder.cleanup()


def test_the_line_that_gives_credentials():
    with Etcd() as etcd:
        node = Node("http://127.0.0.1:1/BeyondTrust/api/public/v3", etcd, "g1")
        node.sections["store"].update(user=USER, password_file="$CREDENTIALS_DIRECTORY/etcd-password")
        path = node.path / "jumpgate.conf"
        line = "-p LoadCredential=etcd-password:/etc/jumpgate/secrets/etcd-password /usr/bin/jumpgate "
        for command in ("list", "forget g2 --yes"):
            done = run(node, *command.split(), code=1).stderr
            assert "CREDENTIALS_DIRECTORY is not set" in done and f"{line}cluster {command} -c {path}\n" in done
        assert f"{line}leases list -c {path}\n" in leases(node, "list", code=1).stderr
        assert f"{line}leases list --user 'CORP\\ann' -c {path}\n" in leases(node, "list", "--user", "CORP\\ann", code=1).stderr
        node.folder.cleanup()


def test_without_etcd_in_the_configuration(cluster):
    one = cluster.node("g5", {"store": {"type": "sqlite", "endpoints": None, "node": None, "prefix": None, "ttl": None}})
    for words in (("forget", "g2"), ("set-vault", "main"), ("upgrade",)):
        assert "type = etcd" in run(one, *words, code=1).stderr
    assert "is not running" in run(one, "list", code=1).stderr
    one.folder.cleanup()


def test_forget(cluster):
    one, two = cluster.gateways
    assert "it writes to etcd" in run(one, "forget", "g2", "--yes", code=1).stderr
    assert "no gateway g9" in run(one, "forget", "g9", "--yes", code=1).stderr
    box = cluster.account(password="s3cret")
    session = cluster.session("ann", box)
    lease = cluster.at(two).checkout(session).json["lease"]
    eventually(lambda: [m["leases"] for m in one.call("GET", "/status").json["cluster"]["members"] if m["node"] == "g2"] == [1])
    silent(cluster)
    before = len(events(one, "cluster_forget"))
    done = json.loads(run(one, "forget", "g2", "--yes", "--json").stdout)
    assert done["changed"] and "its leases (1 when it last wrote to etcd) go on" in done["detail"]
    keys = cluster.etcd.keys(PREFIX)
    assert f"{PREFIX}m/g2" not in keys and len([key for key in keys if key.startswith(f"{PREFIX}d/g2@")]) == 1
    assert [(event["node"], event["forgotten"]) for event in events(one, "cluster_forget")[before:]] == [("g1", "g2")]
    assert not json.loads(run(one, "forget", "g2", "--yes", "--json").stdout)["changed"]
    one.restart().joined()
    eventually(lambda: [row["node"] for row in cluster.leases(one) if row["id"] == lease["id"]] == ["g1"], 60)
    assert cluster.at(one).gateway.complete(session).status == 200


def test_a_running_gateway_records_what_the_command_has_done(cluster):
    """Its audit trail is its own: the command has it written there, with the user of the command."""
    one, two = cluster.gateways
    before = len(events(one, "cluster_forget"))
    for _ in range(10):  # the gateway that runs counts it as dead as well, and may be quicker
        two.kill()
        done = run(one, "forget", "g2", "--yes", "--json")
        if json.loads(done.stdout)["changed"]:
            break
        two.restart().joined()
    assert not done.stderr
    eventually(lambda: len(events(one, "cluster_forget")) == before + 1)
    event = events(one, "cluster_forget")[-1]
    assert (event["forgotten"], event["peer_uid"], event["peer_user"]) == ("g2", os.getuid(), pwd.getpwuid(os.getuid()).pw_name)
    assert event["client"] != "offline" and event["node"] == "g1"


def test_the_record_is_taken_from_the_control_socket_alone(cluster):
    one = cluster.gateways[0]
    asked = {"change": "forget", "name": "g9"}
    refused = one.call("POST", "/v1/cluster/record", asked)
    assert refused.status == 403 and "control socket" in refused.json["detail"]
    assert one.call("POST", "/v1/cluster/record", {"name": "g9"}).status == 400
    assert one.call("POST", "/v1/cluster/record", {"change": "end", "name": "g9"}).status == 400
    assert one.call("POST", "/v1/cluster/record", {"change": "forget", "name": ""}).status == 400
    assert not [event for event in events(one, "cluster_forget") if event["forgotten"] == "g9"]


def test_a_person_is_asked(cluster):
    silent(cluster)
    one = cluster.gateways[0]
    mother, child = pty.openpty()
    try:
        process = subprocess.Popen([BIN / "jumpgate", "cluster", "forget", "g2", "-c", one.write_configuration()],
                                   stdin=child, stdout=subprocess.PIPE, stderr=child)
        os.write(mother, b"n\n")
        assert process.wait(60) == 1
    finally:
        os.close(mother)
        os.close(child)
    process.stdout.close()
    assert f"{PREFIX}m/g2" in cluster.etcd.keys(PREFIX)


def test_set_vault(cluster):
    one, two = cluster.gateways
    key = f"{PREFIX}c/v/main"
    before = cluster.etcd.keys(key)[key][:-1] + ',"newer":[1]}'  # stays
    cluster.etcd.put(key, before)
    assert not json.loads(run(one, "set-vault", "main", "--json", "--yes").stdout)["changed"]
    assert "no section [vault other]" in run(one, "set-vault", "other", "--yes", code=1).stderr
    one.stop()
    one.sections["vault main"]["minute"] = "30s"
    assert "the gateway g2 runs" in run(one, "set-vault", "main", "--yes", code=1).stderr
    two.kill()
    assert json.loads(run(one, "set-vault", "main", "--json", "--yes").stdout)["changed"]
    assert cluster.etcd.keys(key)[key] != before
    assert [event["vault"] for event in events(one, "cluster_set_vault")] == ["main"]
    one.restart().joined()
    two.launch()
    assert two.wait(60) == 1 and "`minute`" in two.err.text  # it has the old one
    one.stop()
    one.sections["vault main"].pop("minute")
    assert json.loads(run(one, "set-vault", "main", "--json", "--yes").stdout)["changed"]
    assert json.loads(cluster.etcd.keys(key)[key]) == json.loads(before)


def newest_known(cluster, node, number):
    """Rewrites what the gateway, which does not run, says that it knows."""
    key = f"{PREFIX}m/{node}"
    value = json.loads(cluster.etcd.keys(key)[key])
    value["c"] = number
    cluster.etcd.put(key, json.dumps(value, separators=(",", ":")))


def test_upgrade(cluster):
    one = cluster.gateways[0]
    key = f"{PREFIX}c/schema"
    done = json.loads(run(one, "upgrade", "--yes", "--json").stdout)
    assert not done["changed"] and "the newest that g1" in done["detail"] and cluster.etcd.keys(key)[key] == "1"
    silent(cluster)
    newest_known(cluster, "g1", 2)
    assert "g2" in run(one, "upgrade", "--yes").stdout and cluster.etcd.keys(key)[key] == "1"
    newest_known(cluster, "g2", 3)
    assert json.loads(run(one, "upgrade", "--yes", "--json").stdout)["changed"]
    assert cluster.etcd.keys(key)[key] == "2"
    assert [event["schema"] for event in events(one, "cluster_upgrade")] == ["2"]
    one.launch()
    assert one.wait(60) == 1 and "the cluster's schema is 2, and this version knows 1 to 1" in one.err.text
    for name in ("g1", "g2"):
        run(one, "forget", name, "--yes")
    assert "no gateway is in the cluster" not in run(one, "list", code=3).stdout  # two are dead
    cluster.etcd.put(key, "1")


def leases(node, *words, code=0):
    done = subprocess.run([BIN / "jumpgate", "leases", *words, "-c", node.write_configuration()], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def test_a_node_that_is_not_there(cluster):
    """No lease fits --node: the command says whether there is such a gateway, and releases nothing in silence."""
    one, two = cluster.gateways
    word = "the cluster has no gateway g9; `jumpgate cluster` lists them"
    assert leases(one, "release", "--all", "--node", "g2", "--json").stderr == ""
    assert word in leases(one, "release", "--all", "--node", "g9", "--json", code=1).stderr
    empty = leases(one, "list", "--json", "--node", "g9", code=1)
    assert empty.stdout == "" and word in empty.stderr
    one.kill()
    assert word in leases(one, "release", "--all", "--node", "g9", code=1).stderr
    eventually(lambda: [m["node"] for m in two.call("GET", "/status").json["cluster"]["members"]] == ["g2"], 60)
    assert word.replace("g9", "g1") in leases(one, "list", "--node", "g1", code=1).stderr  # it has died, and nothing is left of it
    alone = cluster.node("g5", {"store": {"type": "sqlite", "endpoints": None, "node": None, "prefix": None, "ttl": None}})
    with alone:
        assert "has its store for itself" in leases(alone, "release", "--all", "--node", "g1", code=1).stderr


def test_leases_without_a_gateway(cluster):
    """They are read beside a gateway that runs elsewhere, and end only where none does."""
    one, two = cluster.gateways
    box = cluster.account(password="s3cret")
    first, second, third = (cluster.session(user, box) for user in ("ann", "ann", "bob"))
    made = [cluster.at(gateway).checkout(session).json["lease"]
            for gateway, session in ((one, first), (two, second), (two, third))]
    one.stop()
    eventually(lambda: {row["node"] for row in cluster.leases(two)} == {"g2"}, 60)
    shown = leases(one, "list", "--json")
    assert "this is what its store holds" in shown.stderr
    rows = json.loads(shown.stdout)["leases"]
    assert sorted(row["id"] for row in rows) == sorted(lease["id"] for lease in made)
    assert {(row["node"], row["state"]) for row in rows} == {("g2", "open")}
    assert sorted(len(row["sessions"]) for row in rows) == [1, 2, 2]
    assert "has no gateway g1" in leases(one, "list", "--json", "--node", "g1", code=1).stderr
    assert len(json.loads(leases(one, "list", "--json", "--user", "CORP\\bob").stdout)["leases"]) == 1
    assert "NODE" in leases(one, "list").stdout
    assert "the gateway g2 of the cluster runs" in leases(one, "release", made[0]["id"], code=1).stderr
    assert len(cluster.live()) == 2
    two.kill()
    leases(one, "release", "0000000000", code=4)
    done = json.loads(leases(one, "release", made[0]["id"], "--json").stdout)
    assert done == {"gateway_running": False, "released": 1, "pending": 0, "failed": 0}
    assert [event["lease_id"] for event in events(one, "operator_release")] == [made[0]["id"]]
    assert len(json.loads(leases(one, "list", "--json").stdout)["leases"]) == 2
    assert json.loads(leases(one, "release", "--all", "--json").stdout)["released"] == 2
    assert {row["state"] for row in json.loads(leases(one, "list", "--json").stdout)["leases"]} == {"releasing"}
    assert len(cluster.live()) == 2  # nobody has told the vault
    one.restart().joined()
    eventually(lambda: cluster.live() == [], 60)
    cluster.opened = []
    cluster.settled()


def test_whose_lease_an_operator_ends_elsewhere(cluster):
    """The record and the line of the gateway that was asked name the session, although the lease was another gateway's."""
    one, two = cluster.gateways
    session = cluster.session("ann", cluster.account(password="s3cret"))
    lease = cluster.at(two).checkout(session).json["lease"]
    before = len(events(one, "release"))
    assert json.loads(leases(one, "release", lease["id"], "--json").stdout)["released"] == 1
    event, = events(one, "release")[before:]
    assert (event["user"], event["domain"], event["session"]) == ("ann", "CORP", session["id"])
    line, = [line for line in one.err.text.splitlines() if " release " in line and lease["id"] in line]
    assert f"user=ann domain=CORP session={session['id']} " in line
    cluster.settled()
