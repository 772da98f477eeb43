# SPDX-License-Identifier: Apache-2.0
"""jumpgate store copy: the leases of a file into etcd and back, killed at every point, run twice, refused.

The rows of a real gateway are completed by rows in the states that take long to reach.
"""

import contextlib
import json
import os
import pathlib
import shutil
import socketserver
import sqlite3
import subprocess
import threading

import pytest

from cluster import PREFIX, TTL
from etcd_server import PASSWORD, USER, Etcd
from harness import BIN, Gateway, eventually
from stack import Stack

VAULT = "http://127.0.0.1:1/BeyondTrust/api/public/v3"
LSID = "0123456789abcdef0123456789abcdef"
STATES = {"asked": 0, "held": 1, "returning": 2, "lapsed": 3, "pending": 4, "spinning": 5}
INTO = ["store_copy.etcd.locked", "store_copy.etcd.batch", "store_copy.etcd.written", "store_copy.file.gone",
        "store_copy.etcd.released"]
OUT_OF = ["store_copy.etcd.locked", "store_copy.file.rows", "store_copy.file.filled", "store_copy.etcd.gone"]


def etcd_section(etcd, node="g1"):
    return {"type": "etcd", "endpoints": etcd.endpoints, "prefix": PREFIX, "node": node, "ttl": f"{TTL}s"}


class Ends:
    """A gateway's configuration with a file, and one with etcd; both on one state directory unless said otherwise."""

    def __init__(self, etcd, folder, state=None):
        self.file, self.etcd = Gateway(VAULT), Gateway(VAULT)
        self.state = folder / "state"
        if state:
            shutil.copytree(state, self.state)
        else:
            self.state.mkdir(mode=0o700)
        for end in (self.file, self.etcd):
            end.sections["gateway"]["state_dir"] = str(self.state)
        self.etcd.sections["store"] = etcd_section(etcd)

    def copy(self, *words, back=False, kill=None):
        first, second = (self.etcd, self.file) if back else (self.file, self.etcd)
        environment = {**os.environ, **({"JG_KILL_AT": kill} if kill else {})}
        return subprocess.run([BIN / "jumpgate", "store", "copy", "-c", first.write_configuration(), "--to-config",
                               second.write_configuration(), *words], env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)

    def done(self, *words, **more):
        answer = self.copy(*words, "--json", **more)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return json.loads(answer.stdout)

    def refused(self, *words, **more):
        answer = self.copy(*words, **more)
        assert answer.returncode == 1, answer.stdout + answer.stderr
        return answer.stderr

    def rows(self):
        return rows_of(self.state)


def rows_of(state):
    with contextlib.closing(sqlite3.connect(pathlib.Path(state) / "leases.db")) as store:
        return [sorted(store.execute(f"SELECT * FROM {table}").fetchall())
                for table in ("vault_request", "lease", "pra_cursor", "store_tag")]


def add_request(store, like, state, mark, name):
    """One more request, as the one of this mark is, in another state."""
    names = [column[1] for column in store.execute("PRAGMA table_info(vault_request)")]
    row = dict(zip(names, store.execute("SELECT * FROM vault_request WHERE mark = ?", (like,)).fetchone()))
    row.update(state=STATES[state], mark=mark, name=name, user="CORP\\" + state, session="S-" + state, attempts=3,
               last_error="vault_error" if state == "returning" else "", next_ms=row["expires_ms"])
    store.execute(f"INSERT INTO vault_request VALUES ({','.join('?' * len(row))})", tuple(row.values()))


def refused_start(gateway):
    """What a gateway has said that must not start."""
    gateway.launch()
    assert gateway.wait(60) == 1, gateway.err.text
    return gateway.err.text


@pytest.fixture(scope="module", name="etcd")
def _etcd():
    with Etcd() as etcd:
        yield etcd


@pytest.fixture(name="clean")
def _clean(etcd):
    for key in etcd.keys(PREFIX):
        etcd.remove(key)
    yield etcd


@pytest.fixture(scope="module", name="filled")
def _filled(tmp_path_factory):
    """A state directory with rows in every state, two leases on one request among them."""
    state = tmp_path_factory.mktemp("filled") / "state"
    with Stack() as stack:
        box = stack.account(password="s3cret")
        for _ in range(2):
            assert stack.checkout(stack.session("ann", box)).status == 200
        assert stack.checkout({**stack.session("bob", stack.account(password="s3cret")), "lsid": LSID}).status == 200
        stack.gateway.kill()
        with contextlib.closing(sqlite3.connect(stack.gateway.path / "state" / "leases.db")) as store:
            like, = store.execute("SELECT mark FROM vault_request WHERE lsid = ''").fetchone()
            for number, state_name in enumerate(("asked", "returning", "lapsed", "pending")):
                mark = like[:5] + str(number) * 21
                add_request(store, like, state_name, mark, "" if state_name == "asked" else str(900 + number))
            store.execute("INSERT INTO pra_cursor VALUES ('site', 1234567)")
            store.commit()
        shutil.copytree(stack.gateway.path / "state", state, ignore=shutil.ignore_patterns("*.sock"))
        stack.gateway.launch()
        stack.gateway.kill()
    return state


def test_there_and_back_is_the_same(clean, filled, tmp_path):
    before = rows_of(filled)
    (tmp_path / "a").mkdir()
    there = Ends(clean, tmp_path / "a", filled)
    looked = there.done("--dry-run")
    assert looked["dry_run"] and looked["requests"] == {"asked": 1, "held": 2, "returning": 1, "lapsed": 1, "pending": 1,
                                                        "spinning": 0}
    assert looked["leases"] == 3 and clean.keys(PREFIX) == {}
    done = there.done("--yes")
    assert (done["requests"], done["leases"], done["cursors"], done["left_out"]) == (looked["requests"], 3, 1, 0)
    keys = clean.keys(PREFIX)
    assert f"{PREFIX}c/moved" not in keys and keys[f"{PREFIX}c/tag"] == before[3][0][0]
    assert sorted(key[len(PREFIX)] for key in keys if key[len(PREFIX)] in "irwshe") == sorted("irrrrrwssshhhe")
    (tmp_path / "b").mkdir()
    back = Ends(clean, tmp_path / "b")
    assert back.done("--yes", back=True)["digest"] == done["digest"]
    after = back.rows()
    assert after[:3] == before[:3] and after[3] == before[3]
    # both are marked: a gateway names the other store, and ends
    assert f"were moved to {tmp_path}/b/state/leases.db" in refused_start(there.etcd)
    assert f"were moved to etcd {clean.endpoints[0]}{PREFIX}" in refused_start(there.file)
    # and once more into etcd, over what was moved away from it
    assert back.done("--yes")["digest"] == done["digest"]
    for ends in (there, back):
        for end in (ends.file, ends.etcd):
            end.folder.cleanup()


def test_twice_is_the_same_as_once(clean, filled, tmp_path):
    ends = Ends(clean, tmp_path, filled)
    assert not ends.done("--yes")["done_before"]
    keys = clean.keys(PREFIX)
    assert ends.done("--yes")["done_before"]
    assert clean.keys(PREFIX) == keys
    assert not ends.done("--yes", back=True)["done_before"]
    assert ends.done("--yes", back=True)["done_before"]


@pytest.mark.skipif(b"store_copy.etcd.locked" not in (BIN / "jumpgate").read_bytes(), reason="a build without crash points")
@pytest.mark.parametrize("back", (False, True), ids=("into", "out of"))
def test_killed_at_every_point(clean, filled, tmp_path, back):
    wanted = rows_of(filled)
    for number, point in enumerate(OUT_OF if back else INTO):
        for key in clean.keys(PREFIX):
            clean.remove(key)
        (tmp_path / str(number)).mkdir()
        ends = Ends(clean, tmp_path / str(number), filled)
        if back:
            ends.done("--yes")
        assert ends.copy("--yes", back=back, kill=point).returncode == -9, point
        if point not in ("store_copy.etcd.released", "store_copy.etcd.gone"):  # then it is done
            assert "not complete" in refused_start(Gateway(VAULT, {"store": etcd_section(clean, "g9")})), point
        assert ends.done("--yes", back=back)["from"], point
        first = Gateway(VAULT, {"store": etcd_section(clean, "g9")}) if back else ends.file
        assert "were moved to" in refused_start(first), point
        if not back:
            ends.done("--yes", back=True)
        assert ends.rows() == wanted, point


@pytest.mark.skipif(b"store_copy.etcd.locked" not in (BIN / "jumpgate").read_bytes(), reason="a build without crash points")
def test_the_file_goes_on_between_two_tries(clean, filled, tmp_path):
    """What was written by the first try and is not in the file any more is not in etcd either."""
    ends = Ends(clean, tmp_path, filled)
    assert ends.copy("--yes", kill="store_copy.etcd.written").returncode == -9
    with contextlib.closing(sqlite3.connect(ends.state / "leases.db")) as store:
        store.execute("DELETE FROM vault_request WHERE state IN (2, 4)")
        store.execute("DELETE FROM lease WHERE lsid <> ''")
        store.execute("UPDATE vault_request SET attempts = 7")
        store.commit()
    wanted = ends.rows()
    done = ends.done("--yes")
    assert (done["requests"]["returning"], done["requests"]["pending"], done["leases"]) == (0, 0, 2)
    assert not [key for key in clean.keys(PREFIX) if key[len(PREFIX)] == "w"]
    ends.done("--yes", back=True)
    assert ends.rows() == wanted


def test_a_gateway_that_runs_is_not_copied(clean, filled, tmp_path):
    ends = Ends(clean, tmp_path, filled)
    ends.file.start()
    assert "in use" in ends.refused("--yes")
    assert "in use" in ends.refused("--dry-run")
    ends.file.kill()
    before = ends.rows()
    other = Gateway(VAULT, {"store": etcd_section(clean, "g7")})
    with other:
        eventually(lambda: clean.keys(PREFIX + "m/"), 60)
        assert "the gateway g7" in ends.refused("--yes")
        assert "the gateway g7" in ends.refused("--dry-run")
    assert ends.rows() == before


def test_a_gateway_that_was_killed_is_no_reason(clean, filled, tmp_path):
    other = Gateway(VAULT, {"store": etcd_section(clean, "g7")}).start()
    eventually(lambda: clean.keys(PREFIX + "m/"), 60)
    other.kill()
    other.folder.cleanup()
    assert Ends(clean, tmp_path, filled).done("--yes")["leases"] == 3
    assert clean.keys(PREFIX + "m/") == {}


def test_a_target_with_rows_of_its_own(clean, filled, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = Ends(clean, tmp_path / "a", filled), Ends(clean, tmp_path / "b", filled)
    one.done("--yes")
    assert "rows of its own" in two.refused("--yes")
    assert "rows of its own" in two.refused("--yes", back=True)
    assert two.rows() == rows_of(filled)


def test_both_ends_of_one_kind(clean, filled, tmp_path):
    ends = Ends(clean, tmp_path, filled)
    ends.file.sections["store"] = etcd_section(clean)
    assert "one of the two" in ends.refused("--yes")
    done = subprocess.run([BIN / "jumpgate", "store", "copy"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "--to-config" in done.stderr


def test_etcd_is_away(clean, filled, tmp_path):
    ends = Ends(clean, tmp_path, filled)
    ends.etcd.sections["store"]["endpoints"] = "http://127.0.0.1:1"
    assert "run the same command once more" in ends.refused("--yes")
    assert ends.rows() == rows_of(filled)


def test_the_leases_go_on_on_etcd_and_on_the_file_again(etcd, clean, tmp_path):
    """A gateway that moves keeps its sessions: the same lease, released at the vault in the end."""
    with Stack({"gateway": {"list_cache": "0s", "catalogue_cache": "0s"}}) as stack:
        gateway, box = stack.gateway, stack.account(password="s3cret")
        ann, bob = stack.session("ann", box), stack.session("bob", stack.account(password="s3cret"))
        credential = stack.credential(ann)
        lease = stack.checkout(ann, credential).json["lease"]
        assert stack.checkout(bob).status == 200
        store = {"store": etcd_section(clean)}
        for first, second in (({}, store), (store, {})):
            gateway.stop()
            gateway.sections.pop("store", None)
            gateway.sections.update(first)
            conf = tmp_path / "from.conf"
            shutil.copy(gateway.write_configuration(), conf)
            gateway.sections.pop("store", None)
            gateway.sections.update(second)
            done = subprocess.run([BIN / "jumpgate", "store", "copy", "-c", conf, "--to-config",
                                   gateway.write_configuration()], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=60, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            assert "both stores have the same rows" in done.stdout
            gateway.restart()
            eventually(lambda: gateway.call("GET", "/readyz").status == 200, 60)
            eventually(lambda: len(gateway.call("GET", "/v1/leases").json["leases"]) == 2, 30)
            again = stack.checkout(ann, credential)
            assert again.json["lease"]["id"] == lease["id"] and again.json["lease"]["request_id"] == lease["request_id"]
            trail = (gateway.path / "state" / "audit.jsonl").read_text()
            assert '"event":"store_copy"' in trail and '"digest":"' in trail
        assert len(stack.live()) == 2
        stack.sweep()
    assert etcd.serves()


def test_with_a_user_of_etcd_that_has_the_prefix_alone(filled, tmp_path):
    with Etcd() as etcd:
        etcd.with_users(PREFIX)
        ends = Ends(etcd, tmp_path, filled)
        assert "user name is empty" in ends.refused("--yes")
        ends.etcd.sections["store"].update(user=USER, password_file=ends.etcd.secret("etcd-password", PASSWORD))
        done = ends.done("--yes")
        shown = subprocess.run([BIN / "jumpgate", "cluster", "--json", "-c", ends.etcd.write_configuration()],
                               capture_output=True, text=True, timeout=60, check=False)
        assert shown.returncode == 3 and json.loads(shown.stdout)["store"]["db_bytes"] > 0, shown.stderr
        assert PASSWORD not in shown.stdout + shown.stderr
        listed = subprocess.run([BIN / "jumpgate", "leases", "--json", "-c", ends.etcd.write_configuration()],
                                capture_output=True, text=True, timeout=60, check=True)
        assert len([row for row in json.loads(listed.stdout)["leases"] if row["state"] == "open"]) == done["leases"]
        assert ends.done("--yes", back=True)["digest"] == done["digest"]


class Losing(socketserver.ThreadingTCPServer):
    """A proxy before etcd that does not pass on the answer of one transaction."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, etcd, lost):
        self.etcd, self.lost, self.seen = etcd, lost, 0
        super().__init__(("127.0.0.1", 0), self.Page)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Page(socketserver.StreamRequestHandler):
        def handle(self):
            line, length = self.rfile.readline(), 0
            while (header := self.rfile.readline().strip()):
                length = int(header.split(b":")[1]) if header.lower().startswith(b"content-length") else length
            path = line.split()[1].decode()
            status, answer = self.server.etcd.ask(path, json.loads(self.rfile.read(length)))
            self.server.seen += path.endswith("/txn")
            if path.endswith("/txn") and self.server.seen == self.server.lost:
                return
            body = json.dumps(answer).encode()
            self.wfile.write(b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)) + body)


@pytest.mark.parametrize("back", (False, True), ids=("into", "out of"))
def test_every_answer_is_lost_once(clean, filled, tmp_path, back):
    wanted, lost, seen = rows_of(filled), 0, 0
    while seen >= lost:  # until there was none to lose
        lost += 1
        for key in clean.keys(PREFIX):
            clean.remove(key)
        (tmp_path / str(lost)).mkdir()
        ends = Ends(clean, tmp_path / str(lost), filled)
        if back:
            ends.done("--yes")
        with Losing(clean, lost) as proxy:
            ends.etcd.sections["store"]["endpoints"] = proxy.url
            ends.copy("--yes", back=back)  # a repeat within the command may do
            seen = proxy.seen
            proxy.shutdown()
        ends.etcd.sections["store"]["endpoints"] = clean.endpoints
        ends.done("--yes", back=back)
        if not back:
            ends.done("--yes", back=True)
        assert ends.rows() == wanted, lost
    assert lost >= 4


def test_a_member_that_is_lost_meanwhile(filled, tmp_path):
    """The command goes on at another member; what it has done there is not done twice."""
    with Etcd(3) as etcd:
        ends = Ends(etcd, tmp_path, filled)
        etcd.kill(etcd.led())
        eventually(etcd.serves, 60)
        done = ends.done("--yes")
        assert ends.done("--yes")["done_before"]
        assert ends.done("--yes", back=True)["digest"] == done["digest"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_becomes_the_owner_of_the_state(clean, filled, tmp_path):
    """Files that root would make there the gateway could not open."""
    Ends(clean, tmp_path, filled).done("--yes")
    source, target = Gateway(VAULT, {"store": etcd_section(clean)}), Gateway(VAULT)
    state = target.path / "state"
    for end in (source, target):
        end.sections["gateway"]["state_dir"] = str(state)
        end.write_configuration()
        end.path.chmod(0o755)
        for one in end.path.iterdir():
            shutil.chown(one, "nobody", "nogroup")
    done = subprocess.run([BIN / "jumpgate", "store", "copy", "-c", source.path / "jumpgate.conf", "--to-config",
                           target.path / "jumpgate.conf"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert {one.owner() for one in state.iterdir()} == {"nobody"}
    for end in (source, target):
        end.folder.cleanup()
