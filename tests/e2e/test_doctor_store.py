# SPDX-License-Identifier: Apache-2.0
"""jumpgate doctor on a store on etcd: reach, API, sign-in, quorum, a transaction, history, the cluster.

The vault of these tests is not there: the store is looked at all the same, and the exit code is the vault's.
"""

import json
import os
import socketserver
import subprocess
import threading

import pytest

from cluster import PREFIX, Node
from etcd_server import PASSWORD, USER, Etcd
from harness import BIN, eventually

VAULT = "http://127.0.0.1:1/BeyondTrust/api/public/v3"
STAGES = ["store_reach", "store_api", "store_sign_in", "store_quorum", "store_write", "store_history", "cluster"]


@pytest.fixture(scope="module", name="etcd")
def _etcd():
    with Etcd() as etcd:
        yield etcd


@pytest.fixture(name="node")
def _node(etcd):
    node = Node(VAULT, etcd, "g1")
    yield node
    node.folder.cleanup()


def examine(node):
    """{stage: its finding} of the store's stages that were reached."""
    done = subprocess.run([BIN / "jumpgate", "doctor", "-c", node.write_configuration(), "--user", "CORP\\ann", "--host",
                           "web01", "--json"], env={**os.environ, **node.environment}, capture_output=True, text=True,
                          check=False, timeout=120)
    assert done.returncode == 13, done.stdout + done.stderr  # tcp: the first that failed, whatever the store is like
    return {one["stage"]: one for one in json.loads(done.stdout)["stages"]
            if one["stage"] in STAGES and one["state"] != "unknown"}


def states(found):
    return [found[stage]["state"] for stage in STAGES if stage in found]


def failed_at(found, stage, *words):
    assert list(found) == STAGES[:STAGES.index(stage) + 1]
    assert found[stage]["state"] == "failed"
    text = json.dumps(found[stage])
    for word in words:
        assert word in text, text
    assert found[stage]["cause"] and found[stage]["remedy"]


def test_all_is_well_and_nothing_is_left(etcd, node):
    found = examine(node)
    assert list(found) == STAGES
    assert set(states(found)) <= {"ok", "warning"}  # one member is warned of, and a slow disk
    assert found["store_quorum"]["state"] == "warning"
    assert "a leader, and 1 member" in found["store_quorum"]["detail"]
    assert "no gateway has used" in found["cluster"]["detail"]
    assert etcd.keys(PREFIX + "doctor/") == {}


def test_without_etcd_there_are_no_stages_of_it(node):
    node.sections["store"] = {"type": "sqlite"}
    assert examine(node) == {}


def test_no_member_answers(node):
    node.sections["store"]["endpoints"] = "http://127.0.0.1:1 http://127.0.0.1:2"
    failed_at(examine(node), "store_reach", "none of the 2 members", "http://127.0.0.1:2")


def test_one_of_two_is_away(etcd, node):
    node.sections["store"]["endpoints"] = [*etcd.endpoints, "http://127.0.0.1:1"]
    found = examine(node)
    assert list(found) == STAGES and found["store_reach"]["state"] == "warning"
    assert "1 of 2 members" in found["store_reach"]["detail"]


def test_something_else_listens_there(node):
    class Page(socketserver.StreamRequestHandler):
        def handle(self):
            while self.rfile.readline().strip():
                pass
            self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        node.sections["store"]["endpoints"] = f"http://127.0.0.1:{server.server_address[1]}"
        failed_at(examine(node), "store_api", "enable-grpc-gateway", "clientAuth")
        server.shutdown()


def test_a_member_that_answers_nothing_after_it_was_reached(node):
    """That is not one without a leader, which says so at once."""
    reached = threading.Event()

    class Slow(socketserver.StreamRequestHandler):
        def handle(self):
            while line := self.rfile.readline().strip():
                first = not reached.is_set() if line.startswith(b"POST ") else first
            reached.set()
            body = b'{"version":"3.4.23","leader":"1","header":{"member_id":"1"}}'
            if first:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            else:
                self.rfile.read()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Slow) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        node.sections["store"]["endpoints"] = f"http://127.0.0.1:{server.server_address[1]}"
        assert list(examine(node)) == ["store_reach", "store_api"]
        server.shutdown()


def test_users_of_etcd(node):
    with Etcd() as etcd:
        etcd.with_users(PREFIX)
        node.sections["store"]["endpoints"] = etcd.endpoints
        failed_at(examine(node), "store_sign_in", "[store] has none", "password_file")
        node.sections["store"].update(user=USER, password_file=node.secret("wrong", "wrong"))
        failed_at(examine(node), "store_sign_in", "does not know the user or the password")
        node.sections["store"].update(password_file=node.secret("right", PASSWORD))
        assert list(examine(node)) == STAGES
        node.sections["store"].update(prefix="/other/")
        failed_at(examine(node), "store_sign_in", "lacks the prefix")


def test_three_members_and_then_no_leader(node):
    with Etcd(3) as etcd:
        node.sections["store"]["endpoints"] = etcd.endpoints
        found = examine(node)["store_quorum"]
        assert (found["state"], found["detail"]) == ("ok", "there is a leader, and 3 members")
        etcd.kill(1)
        etcd.kill(2)
        eventually(lambda: not etcd.serves(), 60)
        node.sections["store"]["endpoints"] = etcd.url(0)
        found = examine(node)
        assert found["store_quorum"]["state"] == "failed"
        assert "no leader" in found["store_quorum"]["detail"]
        assert "store_write" not in found


def test_a_name_of_another_gateway(etcd, node):
    other = Node(VAULT, etcd, "g1")
    with other:
        eventually(lambda: etcd.keys(PREFIX + "m/"), 60)
        failed_at(examine(node), "cluster", "g1", "another state directory")
        (node.path / "state" / "instance").write_bytes((other.path / "state" / "instance").read_bytes())
        found = examine(node)
        assert "this gateway's" in found["cluster"]["detail"]
        assert any("lease ids of this cluster begin with" in note for note in found["cluster"]["notes"])


def test_a_vault_that_the_cluster_has_otherwise(node):
    with Etcd() as etcd, Node(VAULT, etcd, "g2") as other:
        eventually(lambda: etcd.keys(PREFIX + "m/"), 60)
        node.sections["store"]["endpoints"] = etcd.endpoints
        found = examine(node)
        assert found["cluster"]["state"] == "ok" and "has agreed in 1 vault" in json.dumps(found["cluster"]["notes"])
        assert "the schema is 1" in json.dumps(found["cluster"]["notes"])
        node.sections["vault main"]["minute"] = "30s"
        failed_at(examine(node), "cluster", "[vault main] differs", "set-vault", other.sections["vault main"]["url"])


@pytest.mark.parametrize("key, value, words", (
    ("c/schema", "7", ("schema is 7", "knows 1 to 1", "upgrade")),
    ("c/moved", '{"k":"gone","i":"0","w":"/var/lib/other"}', ("moved to /var/lib/other", "store copy")),
    ("c/moved", '{"k":"in","i":"0","w":"/var/lib/other"}', ("from /var/lib/other is not complete",)),
))
def test_a_cluster_that_cannot_be_joined(etcd, node, key, value, words):
    etcd.put(PREFIX + key, value)
    try:
        failed_at(examine(node), "cluster", *words)
    finally:
        etcd.remove(PREFIX + key)


def test_the_clock_of_a_member(etcd, node):
    """A proxy before the member that gives another date."""
    class Page(socketserver.StreamRequestHandler):
        def handle(self):
            line, length = self.rfile.readline(), 0
            while (header := self.rfile.readline().strip()):
                length = int(header.split(b":")[1]) if header.lower().startswith(b"content-length") else length
            status, answer = etcd.ask(line.split()[1].decode(), json.loads(self.rfile.read(length)))
            body = json.dumps(answer).encode()
            self.wfile.write(b"HTTP/1.1 %d OK\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT\r\nContent-Length: %d\r\n"
                             b"Connection: close\r\n\r\n" % (status, len(body)) + body)

    etcd.put(PREFIX + "c/tag", "abcde")
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        node.sections["store"]["endpoints"] = f"http://127.0.0.1:{server.server_address[1]}"
        node.sections["store"]["node"] = "g8"
        found = examine(node)["cluster"]
        server.shutdown()
    etcd.remove(PREFIX + "c/tag")
    assert found["state"] == "warning" and "behind this machine's" in found["detail"] and found["remedy"]
