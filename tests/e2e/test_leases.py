# SPDX-License-Identifier: Apache-2.0
"""Leases as an operator sees and ends them: /v1/leases, `jumpgate leases`, the control socket, and the store beneath.

`jumpgate leases` is tried both ways: through a running gateway, and on the store of a stopped one.
"""

import json
import os
import pty
import re
import resource
import sqlite3
import stat
import subprocess
import urllib.parse

import pytest

from harness import BIN, SANITIZER, TOKEN, Gateway, UnixConnection, eventually
from stack import CHECKIN, Stack, problem

MEMBERS = ["id", "request_id", "request_key", "user", "sessions", "lsid", "credential_id", "system", "account", "state", "created_at",
           "expires_at", "attempts", "last_error"]
TITLES = ["ID", "STATE", "ACCOUNT", "SYSTEM", "USER", "START", "LEFT", "SESSIONS", "LAST ERROR"]
WIDE = ["REQUEST", "EXPIRES", "ATTEMPTS", "CREDENTIAL", "LSID", "RUN AS"]
NO_VAULT = "http://127.0.0.1:9/BeyondTrust/api/public/v3"  # a vault that is never there
LONG_AGO, FAR_OFF = 1700000000000, 4000000000000


def command(gateway, *words, expect=0, name="leases"):
    """`jumpgate leases`, or another command, on the gateway's configuration; (lines of stdout, stderr)."""
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:exitcode=99",
                   "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
    done = subprocess.run([str(BIN / "jumpgate"), name, "-c", str(gateway.path / "jumpgate.conf"), *words],
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, env=environment,
                          check=False)
    assert not SANITIZER.search(done.stderr), done.stderr
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
    return done.stdout.splitlines(), done.stderr


def cells(line):
    """The columns of a line of the table, which are two blanks or more apart."""
    return re.split(r" {2,}", line)


def lease_list(gateway, **query):
    text = urllib.parse.urlencode(query)
    answer = gateway.call("GET", "/v1/leases" + (f"?{text}" if text else ""))
    assert answer.status == 200, answer.body
    assert list(answer.json) == ["leases", "next"]
    return answer.json


def every_lease(gateway, **query):
    """All pages."""
    rows, page = [], lease_list(gateway, **query)
    rows += page["leases"]
    while page["next"]:
        page = lease_list(gateway, cursor=page["next"], **query)
        rows += page["leases"]
    return rows


def end(gateway, lease, **more):
    return gateway.call("POST", f"/v1/leases/{lease}/release", b"", headers={"Content-Type": ""}, **more)


def hold(stack, user="ann", box=None, **more):
    """A session with a lease: (session, lease, credential id)."""
    one = stack.session(user, box or stack.account())
    credential = stack.credential(one)
    answer = stack.checkout(one, credential, **more)
    assert answer.status == 200, answer.body
    return one, answer.json["lease"], credential


# ---- the interface ----

def test_lease_has_its_members(stack):
    box = stack.account()
    ann, lease, credential = hold(stack, box=box)
    rows = every_lease(stack.gateway, session=ann["id"])
    assert [list(row) for row in rows] == [MEMBERS]
    row = rows[0]
    assert (row["id"], row["request_id"]) == (lease["id"], lease["request_id"])
    assert (row["user"], row["sessions"], row["credential_id"]) == ("CORP\\ann", [ann["id"]], credential)
    assert (row["state"], row["attempts"], row["last_error"]) == ("open", 0, None)
    assert (row["system"], row["account"]) == (box.name, "root")
    assert row["expires_at"] == lease["expires_at"] > row["created_at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["created_at"])


def test_holders_of_one_request_know_each_other(stack):
    box = stack.account()
    (one, first, _), (two, second, _) = hold(stack, box=box), hold(stack, box=box)
    assert first["request_id"] == second["request_id"]
    sessions = {row["id"]: row["sessions"] for row in every_lease(stack.gateway)}
    assert sessions[first["id"]] == [one["id"], two["id"]]
    assert sessions[second["id"]] == [two["id"], one["id"]]


def test_filters_and_pages(stack):
    held = [hold(stack, user) for user in ("ann", "bob", "ann", "bob", "ann")]
    ids = [lease["id"] for _, lease, _ in held]
    assert [row["id"] for row in every_lease(stack.gateway, limit=2)] == ids
    assert [row["id"] for row in every_lease(stack.gateway, limit=1, user="CORP\\bob")] == [ids[1], ids[3]]
    assert [row["id"] for row in every_lease(stack.gateway, session=held[2][0]["id"])] == [ids[2]]
    assert [row["id"] for row in every_lease(stack.gateway, state="open")] == ids
    for nothing in ({"state": "lapsed"}, {"user": "nobody"}, {"session": "none"}):
        assert lease_list(stack.gateway, **nothing) == {"leases": [], "next": None}


def test_cursor_outlives_its_row(stack):
    held = [hold(stack) for _ in range(4)]
    page = lease_list(stack.gateway, limit=2)
    assert end(stack.gateway, page["leases"][1]["id"]).status == 200
    rest = every_lease(stack.gateway, limit=2, cursor=page["next"])
    assert [row["id"] for row in rest] == [lease["id"] for _, lease, _ in held[2:]]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "state=OPEN", "users=ann", "user=%zz", "user=%00",
                                   "cursor=x", "user=a&user=b"])
def test_questions_not_understood_are_refused(stack, query):
    problem(stack.gateway.call("GET", f"/v1/leases?{query}"), 400, "invalid_request")


def test_release_by_id_checks_in(stack):
    _, lease, _ = hold(stack)
    answer = end(stack.gateway, lease["id"])
    assert (answer.status, answer.json) == (200, {"released": 1})
    assert stack.live() == []
    again = end(stack.gateway, lease["id"])
    assert again.status == 404 or again.json == {"released": 0}


def test_release_by_id_leaves_the_other_holder_alone(stack):
    box = stack.account()
    (_, first, _), (_, second, _) = hold(stack, box=box), hold(stack, box=box)
    assert end(stack.gateway, first["id"]).json == {"released": 1}
    assert stack.vault.active() == [second["request_id"]]
    assert [row["id"] for row in every_lease(stack.gateway)] == [second["id"]]


def test_release_by_id_while_the_vault_is_away_is_pending(stack):
    _, lease, _ = hold(stack)
    stack.vault.fault("unavailable", call=CHECKIN)
    answer = end(stack.gateway, lease["id"])
    assert answer.json == {"released": 1, "pending": True}
    rows = [row for row in every_lease(stack.gateway) if row["request_id"] == lease["request_id"]]
    assert [row["state"] for row in rows] in ([], ["releasing"])
    stack.vault.clear_faults()
    stack.settled()
    assert every_lease(stack.gateway) == []


@pytest.mark.parametrize("lease", ["01J8ZK3V5T7M9P2R4S6W8Y0ABC", "x", "x" * 200, "%2e%2e", "a%2fb"])
def test_unknown_lease(stack, lease):
    problem(end(stack.gateway, lease), 404, "not_found")


def test_path_must_be_percent_encoded(stack):
    problem(end(stack.gateway, "%zz"), 400, "invalid_request")
    problem(stack.gateway.call("GET", "/v1/leases/x/release"), 405, "method_not_allowed")


def test_operating_needs_its_permission():
    with Stack({"client pra": {"allow": "broker observe"}}) as stack:
        problem(stack.gateway.call("GET", "/v1/leases"), 403, "forbidden")
        problem(end(stack.gateway, "x"), 403, "forbidden")
        lines, _ = command(stack.gateway)  # the control socket asks for no permission
        assert len(lines) == 1


# ---- the command, with a gateway that runs ----

def test_command_lists_what_the_interface_lists(stack):
    box = stack.account()
    (one, first, credential), (two, _, _) = hold(stack, box=box), hold(stack, box=box)
    lines, errors = command(stack.gateway)
    assert errors == ""
    assert cells(lines[0]) == TITLES and len(lines) == 3
    row = dict(zip(TITLES, cells(lines[1])))
    known = every_lease(stack.gateway)[0]
    assert re.fullmatch(r"59m|1h 00m", row.pop("LEFT"))
    assert row == {"ID": first["id"], "STATE": "open", "ACCOUNT": known["account"], "SYSTEM": known["system"],
                   "USER": "CORP\\ann", "START": known["created_at"], "SESSIONS": f"{one['id']},{two['id']}",
                   "LAST ERROR": "-"}
    lines, _ = command(stack.gateway, "list", "--wide")
    assert cells(lines[0]) == TITLES + WIDE
    assert cells(lines[1])[9:] == [str(first["request_id"]), first["expires_at"], "0", credential, "-", "CORP\\ann"]
    lines, _ = command(stack.gateway, "list", "--json")
    assert json.loads("".join(lines)) == {"leases": every_lease(stack.gateway), "next": None}


def test_command_filters(stack):
    (_, ann, _), (bob, lease, _) = hold(stack, "ann"), hold(stack, "bob")

    def ids(*words):
        return [cells(line)[0] for line in command(stack.gateway, "list", *words)[0][1:]]
    assert ids("--user", "CORP\\bob") == ids("--session", bob["id"]) == [lease["id"]]
    assert ids("--state", "open") == [ann["id"], lease["id"]]
    assert ids("--user", "a&b=c%zz+ d") == []


def test_command_releases_one(stack):
    _, lease, _ = hold(stack)
    lines, _ = command(stack.gateway, "release", lease["id"])
    assert lines == ["released 1 lease"]
    assert stack.live() == []
    _, errors = command(stack.gateway, "release", "no/such?lease", expect=4)
    assert "there is no lease no/such?lease" in errors


def test_command_releases_all(stack):
    for user in ("ann", "bob", "ann"):
        hold(stack, user)
    lines, _ = command(stack.gateway, "release", "--all")
    assert lines == ["released 3 leases"]
    assert stack.live() == []
    assert command(stack.gateway, "release", "--all")[0] == ["no leases"]


def test_command_says_what_the_vault_has_not_confirmed(stack):
    _, lease, _ = hold(stack)
    stack.vault.fault("unavailable", call=CHECKIN)
    lines, _ = command(stack.gateway, "release", lease["id"])
    assert lines[0] == "released 1 lease" and "not confirmed 1" in lines[1]
    stack.vault.clear_faults()


# ---- the store ----

def test_leases_and_their_release_outlive_a_crash():
    with Stack() as stack:
        (_, kept, _), (_, ended, _) = hold(stack, "ann"), hold(stack, "bob")
        stack.gateway.kill()
        lines, errors = command(stack.gateway, "list", "--json")
        assert "not running" in errors
        stored = {row["id"]: row for row in json.loads("".join(lines))["leases"]}
        assert set(stored) == {kept["id"], ended["id"]}
        assert stored[kept["id"]]["request_id"] == kept["request_id"]
        lines, _ = command(stack.gateway, "release", ended["id"])
        assert "1 lease marked" in lines[0]
        records = trail(stack.gateway)[-2:]
        assert [r["event"] for r in records] == ["operator_release", "lease_end"]
        assert [r["lease_id"] for r in records] == [ended["id"]] * 2
        assert records[0]["client"] == "offline" and records[0]["peer_uid"] == os.getuid()
        assert records[1]["vault_request_id"] == ended["request_id"] and records[1]["reason"] == "released"
        stack.gateway.restart()
        eventually(lambda: stack.vault.active() == [kept["request_id"]], 20)
        eventually(lambda: [row["id"] for row in every_lease(stack.gateway)] == [kept["id"]], 20)
        assert end(stack.gateway, kept["id"]).json == {"released": 1}


@pytest.fixture(name="idle")
def idle_fixture():
    """A gateway with an empty store, stopped."""
    gateway = Gateway(NO_VAULT)
    with gateway:
        gateway.stop()
        yield gateway


def trail(gateway):
    """The records of a trail that `jumpgate audit verify` finds sound."""
    path = gateway.path / "state" / "audit.jsonl"
    done = subprocess.run([str(BIN / "jumpgate"), "audit", "verify", str(path)], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def database(gateway):
    return gateway.path / "state" / "leases.db"


REQUEST = ("INSERT OR IGNORE INTO vault_request (mark, state, vault, url, user, name, adopted, expires_ms, attempts, next_ms, "
           "last_error, lsid, username, domain, session, credential, system, account, created_ms) "
           "VALUES (?,?,'main','',?,?,?,?,0,0,'','','ann','CORP',?,?,'','',?)")
LEASE = ("INSERT INTO lease (request, id, username, domain, session, lsid, credential, system, account, created_ms, ended, "
         "ended_site) VALUES (?,?,'ann','CORP',?,'',?,'','',?,0,'')")


def write_rows(gateway, *rows):
    """Rows of the store as (id, state, user, session, request id, adopted); open ones of one request id hold one request."""
    marks = {}
    with sqlite3.connect(database(gateway)) as store:
        for number, (name, state, user, who, request, adopted) in enumerate(rows):
            mark = marks.setdefault(request or name, name)
            store.execute(REQUEST, (mark, state, user, str(request or ""), adopted, FAR_OFF, who, f"c-{name}",
                                    LONG_AGO + number))
            if state == OPEN:
                store.execute(LEASE, (mark, name, who, f"c-{name}", LONG_AGO + number))
    store.close()


def read_rows(gateway):
    """{id: state} of the store: of its leases, and of its requests that no lease holds."""
    with sqlite3.connect(database(gateway)) as store:
        rows = dict(store.execute("SELECT mark, state FROM vault_request WHERE state <> 1"))
        rows.update((name, OPEN) for name, in store.execute("SELECT id FROM lease"))
    store.close()
    return rows


INTENT, OPEN, RELEASING = 0, 1, 2
ROWS = (("a", OPEN, "u", "S-1", 7, 0), ("b", OPEN, "U", "S-2", 7, 0), ("c", OPEN, "v", "S-3", 9, 0),
        ("d", INTENT, "u", "S-4", 0, 0), ("e", INTENT, "u", "S-5", 0, 0), ("f", RELEASING, "u", "S-6", 8, 0),
        ("g", OPEN, "u", "S-7", 10, 1))


def test_stored_leases_are_listed(idle):
    write_rows(idle, *ROWS)
    lines, errors = command(idle, "--json")
    assert "not running" in errors
    rows = json.loads("".join(lines))["leases"]
    assert [row["id"] for row in rows] == list("abcdefg")
    assert [row["sessions"] for row in rows] == [["S-1", "S-2"], ["S-2", "S-1"], ["S-3"], ["S-4"], ["S-5"], ["S-6"],
                                                 ["S-7"]]
    assert [row["state"] for row in rows] == ["open"] * 3 + ["intent"] * 2 + ["releasing", "open"]
    assert [row["request_id"] for row in rows] == [7, 7, 9, None, None, 8, 10]
    assert [list(row) for row in rows] == [MEMBERS] * 6 + [MEMBERS + ["adopted"]]
    lines, _ = command(idle, "list", "--session", "S-2")
    assert [cells(line)[0] for line in lines] == ["ID", "a", "b"]
    lines, _ = command(idle, "list", "--user", "U", "--state", "open")
    assert [cells(line)[0:2] for line in lines[1:]] == [["a", "open"], ["b", "open"], ["g", "open,adopted"]]
    assert cells(lines[0]) == TITLES


def test_offline_and_online_show_the_same():
    with Stack() as stack:
        hold(stack, "ann")
        online = command(stack.gateway)[0]
        stack.gateway.kill()
        offline, errors = command(stack.gateway)
        assert "not running" in errors
        was, now = (dict(zip(cells(lines[0]), cells(lines[1]))) for lines in (online, offline))
        assert list(was) == list(now) == TITLES
        for title in TITLES:
            assert title == "LEFT" or was[title] == now[title]
        assert now["ACCOUNT"] == "root"


def test_filters_of_the_command_alone(idle):
    write_rows(idle, *ROWS)
    with sqlite3.connect(database(idle)) as store:
        store.execute("UPDATE lease SET credential = 'j1.main.l.34.17.0' WHERE id IN ('a', 'c')")
        store.execute("UPDATE vault_request SET expires_ms = ? WHERE mark = 'c'", (LONG_AGO,))
        store.execute("UPDATE lease SET created_ms = ? WHERE id = 'g'", (FAR_OFF,))
    store.close()

    def ids(*words):
        return "".join(cells(line)[0] for line in command(idle, "list", *words)[0][1:])
    assert ids("--vault", "main") == "ac" and ids("--vault", "other") == ""
    assert ids("--overdue") == "c" and ids("--older-than", "3d") == "abcdef"
    assert "overdue" in cells(command(idle, "--overdue")[0][1])[6]
    assert cells(command(idle, "--vault", "main")[0][1])[2:4] == ["#17", "#34"]
    lines, _ = command(idle, "release", "--all", "--overdue", "--json")
    assert json.loads("".join(lines)) == {"gateway_running": False, "released": 1, "pending": 0, "failed": 0}
    assert {name for name, state in read_rows(idle).items() if state == RELEASING} == {"c", "f"}
    command(idle, "release", "--all", "--vault", "main", "--user", "u")
    assert "a" not in read_rows(idle) and read_rows(idle)["g"] == OPEN


def on_terminal(gateway, *words, typed="", env=None, program=("leases",)):
    """`jumpgate` on a terminal of its own: (exit code, what it showed)."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "", **(env or {})}
    with subprocess.Popen([str(BIN / "jumpgate"), *program, "-c", str(gateway.path / "jumpgate.conf"), *words],
                          stdin=slave, stdout=slave, stderr=slave, env=environment) as running:
        os.close(slave)
        os.write(master, typed.encode())
        shown = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
        os.close(master)
        return running.wait(60), shown.decode()


def test_release_of_all_asks_on_a_terminal(idle):
    write_rows(idle, *ROWS)
    for typed in ("n\n", "\n", "yess\n", "\x04"):
        code, shown = on_terminal(idle, "release", "--all", typed=typed)
        assert code == 1 and "release 4 leases? [y/N]" in shown and "nothing was released" in shown
    assert read_rows(idle) == {row[0]: row[1] for row in ROWS}
    code, shown = on_terminal(idle, "release", "--all", "--session", "S-3", typed="y\n")
    assert code == 0 and "release 1 lease? [y/N]" in shown and "1 lease marked" in shown
    code, shown = on_terminal(idle, "release", "--all", "--yes")
    assert code == 0 and "[y/N]" not in shown and "3 leases marked" in shown
    code, shown = on_terminal(idle, "release", "--all")
    assert code == 0 and "[y/N]" not in shown and "no leases" in shown


def test_colours_are_for_terminals(idle):
    write_rows(idle, *ROWS)
    assert "\x1b[" in on_terminal(idle)[1]
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
        assert "\x1b" not in on_terminal(idle, env=env)[1]
    assert "\x1b" not in "".join(command(idle)[0])


@pytest.mark.parametrize("ids, left", [
    (["c"], {**{row[0]: row[1] for row in ROWS}, "c": RELEASING}),
    (["a"], {row[0]: row[1] for row in ROWS if row[0] != "a"}),
    (["a", "b"], {**{row[0]: row[1] for row in ROWS if row[0] != "b"}, "a": RELEASING}),
    (["g"], {row[0]: row[1] for row in ROWS if row[0] != "g"}),
    (["d"], {row[0]: row[1] for row in ROWS}),
    (["f"], {row[0]: row[1] for row in ROWS}),
    (["--all"], {"a": RELEASING, "c": RELEASING, "d": INTENT, "e": INTENT, "f": RELEASING}),
])
def test_stored_leases_are_ended(idle, ids, left):
    write_rows(idle, *ROWS)
    for name in ids:
        lines, _ = command(idle, "release", name)
        assert "the gateway is not running" in lines[0]
    assert read_rows(idle) == left
    ended = [row[0] for row in ROWS if row[1] == OPEN and left.get(row[0]) != OPEN]
    for event in ("operator_release", "lease_end"):
        assert sorted(r["lease_id"] for r in trail(idle) if r["event"] == event) == ended


@pytest.mark.parametrize("content, said", [(None, "there is no audit trail"), (b"no trail at all\n" * 9, "audit.jsonl")])
def test_end_that_cannot_be_recorded_is_said(idle, content, said):
    write_rows(idle, *ROWS)
    path = idle.path / "state" / "audit.jsonl"
    path.unlink()
    if content:
        path.write_bytes(content)
    lines, errors = command(idle, "release", "--all")
    assert "4 leases marked" in lines[0]
    assert "the audit trail may lack the end of 4 of them: " in errors and said in errors
    assert (path.read_bytes() if path.exists() else None) == content


def test_no_such_stored_lease(idle):
    write_rows(idle, *ROWS)
    _, errors = command(idle, "release", "z", expect=4)
    assert "there is no lease z" in errors
    assert read_rows(idle) == {row[0]: row[1] for row in ROWS}


def test_terminals_are_not_steered(idle):
    write_rows(idle, ("a\x1b[2J", OPEN, "u\nv\u202e", "S\x9b1", 7, 0))
    lines, _ = command(idle)
    row = dict(zip(TITLES, cells(lines[1])))
    assert [row[title] for title in ("ID", "USER", "SESSIONS")] == ["a\\u001b[2J", "u\\u000av\\u202e", "S\\u009b1"]
    lines, _ = command(idle, "--json")
    assert json.loads("".join(lines))["leases"][0]["id"] == "a\x1b[2J"


@pytest.mark.parametrize("words", [[], ["list", "--json"], ["release", "--all"], ["release", "x"]])
def test_no_store_is_no_empty_one_and_none_is_made(idle, words):
    state = idle.path / "state"
    said = f"no lease store in {state}; nothing is known about what is checked out"
    for name in os.listdir(state):
        (state / name).unlink()
    lines, errors = command(idle, *words, expect=1)
    assert lines == [] and said in errors
    assert os.listdir(state) == []
    state.rmdir()
    lines, errors = command(idle, *words, expect=1)
    assert lines == [] and said in errors
    assert not state.exists()


def test_a_gateway_without_its_socket_is_left_alone():
    with Gateway(NO_VAULT) as gateway:
        (gateway.path / "state" / "control.sock").unlink()
        lines, _ = command(gateway)
        assert len(lines) == 1
        _, errors = command(gateway, "release", "--all", expect=1)
        assert "in use by another jumpgate" in errors


def test_command_names_a_store_it_cannot_read(idle):
    database(idle).write_bytes(b"no database at all" * 100)
    for words in (["list"], ["release", "--all"]):
        _, errors = command(idle, *words, expect=1)
        assert "leases.db" in errors


@pytest.mark.parametrize("words", [["lst"], ["release"], ["release", "a", "--all"], ["list", "a"], ["list", "--all"],
                                   ["release", "a", "--yes"], ["release", "a", "--user", "u"], ["--older-than", "3"], ["--older-than", "0s"],
                                   ["release", "--all", "--state", "lapsed"], ["list", "--state", "lost"], ["list", "--user", ""],
                                   ["release", ""], ["release", "a", "b"], ["--jsn"], ["list", "--user"]])
def test_wrong_command_lines(idle, words):
    lines, errors = command(idle, *words, expect=2)
    assert lines == [] and errors.startswith("jumpgate: ")


def test_command_needs_a_configuration(tmp_path):
    done = subprocess.run([str(BIN / "jumpgate"), "leases", "-c", str(tmp_path / "none")], capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 1 and "cannot read" in done.stderr


# ---- starting on a store ----

def refused(gateway, code=1):
    gateway.launch()
    assert gateway.wait() == code
    assert not SANITIZER.search(gateway.err.text)
    assert "ready" not in gateway.out.lines
    return gateway.err.text


@pytest.mark.parametrize("damage", [b"", b"garbage" * 2000, b"\0" * 8192])
def test_damaged_store_is_refused_and_can_be_rebuilt(idle, damage):
    database(idle).write_bytes(damage)
    text = refused(idle)
    assert str(database(idle)) in text and "--rebuild" in text
    assert database(idle).read_bytes() == damage  # untouched
    idle.arguments = ["--rebuild"]
    idle.start()
    assert "store_rebuilt" in idle.err.text
    idle.stop()
    aside = [name for name in os.listdir(idle.path / "state") if name.startswith("leases.db.damaged-")]
    assert len(aside) == 1 and (idle.path / "state" / aside[0]).read_bytes() == damage
    idle.arguments = []
    idle.start()
    idle.stop()


def test_rebuild_leaves_a_whole_store_alone(idle):
    write_rows(idle, *ROWS)
    idle.arguments = ["--rebuild"]
    idle.start()
    assert "store_not_rebuilt" in idle.err.text
    idle.kill()
    assert not [name for name in os.listdir(idle.path / "state") if "damaged" in name]


def test_two_gateways_do_not_share_a_directory():
    with Gateway(NO_VAULT) as first:
        second = Gateway(NO_VAULT, {"gateway": {"state_dir": str(first.path / "state")}})
        text = refused(second, 3)
        assert "in use by another jumpgate" in text
        assert first.call("GET", "/livez").status == 200
        assert command(first)[1] == ""  # its control socket is still there


def test_store_is_shown_and_readiness_says_when_it_cannot_write(idle):
    idle.start()
    store, = [row for row in idle.call("GET", "/status").json["dependencies"] if row["type"] == "sqlite"]
    assert (store["name"], store["state"], store["writable"], store["why"]) == ("store", "writable", True, "")
    assert {"queued", "commits", "last_commit_ms"} <= set(store)
    metrics = idle.metrics()
    assert metrics["jumpgate_store_writable"] == 1 and metrics["jumpgate_store_queued"] == 0
    checks = {check["name"]: check["ok"] for check in idle.call("GET", "/v1/health").json["checks"]}
    assert checks["store"] is True


def test_full_disk_stops_check_outs_and_nothing_else():
    with Stack({"gateway": {"list_cache": "0s"}}) as stack:
        gateway = stack.gateway
        ann, lease, credential = hold(stack)
        other = stack.session("bob", stack.account())
        wanted = stack.credential(other)
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        problem(stack.checkout(other, wanted), 503, "store_unavailable")
        assert stack.vault.active() == [lease["request_id"]]
        ready = gateway.call("GET", "/readyz", token=None)
        assert ready.status == 503 and "lease store" in ready.json["reasons"][0]
        assert gateway.metrics()["jumpgate_store_writable"] == 0
        assert gateway.release(ann, credential).json["released"] == 1
        eventually(lambda: stack.live() == [])
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        eventually(lambda: gateway.call("GET", "/readyz", token=None).status == 200, 10)
        assert stack.checkout(other, wanted).status == 200
        stack.sweep()


# ---- the control socket ----

def control(gateway, method, path, **headers):
    connection = UnixConnection(str(gateway.path / "state" / "control.sock"), 10)
    try:
        connection.request(method, path, None, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_control_socket_knows_its_own_user():
    with Gateway(NO_VAULT) as gateway:
        path = gateway.path / "state" / "control.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert control(gateway, "GET", "/status")[0] == 200
        assert control(gateway, "GET", "/v1/leases")[0] == 200
        assert control(gateway, "GET", "/v1/capabilities")[0] == 403  # no broker
        assert [line.split()[1] for line in gateway.err.lines if line.startswith("listening")] == ["listener=main"]
        gateway.stop()
        assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_control_socket_refuses_others():
    with Gateway(NO_VAULT) as gateway:
        socket_path = gateway.path / "state" / "control.sock"
        for part in (gateway.path, gateway.path / "state"):
            part.chmod(0o755)
        socket_path.chmod(0o666)
        script = ("import os, socket; os.setgroups([]); os.setgid(65534); os.setuid(65534); "
                  f"s = socket.socket(socket.AF_UNIX); s.connect({str(socket_path)!r}); "
                  "s.sendall(b'GET /v1/leases HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); print(s.recv(100).decode())")
        done = subprocess.run(["/usr/bin/python3", "-c", script], capture_output=True, text=True, timeout=30, check=True)
        assert done.stdout.startswith("HTTP/1.1 401 ")


def test_control_socket_in_a_long_directory(tmp_path):
    state = tmp_path / ("d" * 200) / ("e" * 100)
    state.mkdir(parents=True, mode=0o700)
    with Gateway(NO_VAULT, {"gateway": {"state_dir": str(state)}}) as gateway:
        assert (state / "control.sock").is_socket()
        lines, errors = command(gateway)
        assert (lines, errors) == (["no leases"], "")


def test_stale_control_socket_is_replaced():
    with Gateway(NO_VAULT) as gateway:
        gateway.kill()
        assert (gateway.path / "state" / "control.sock").is_socket()
        gateway.restart()
        assert control(gateway, "GET", "/v1/leases")[0] == 200


def test_failure_of_the_control_socket_is_a_warning(idle):
    (idle.path / "state" / "control.sock").mkdir()
    idle.start()
    assert idle.call("GET", "/livez").status == 200
    assert any("warn" in line and "control_socket" in line for line in idle.err.lines)
    idle.stop()
    assert (idle.path / "state" / "control.sock").is_dir()


def test_no_listener_can_take_its_name(tmp_path):
    gateway = Gateway(NO_VAULT, {"listener (control)": {"address": f"unix:{tmp_path}/s"}})
    assert "the name of a section" in refused(gateway)


def test_clients_of_the_file_are_refused_on_it(idle):
    idle.sections["client me"] = {"peer_uid": str(os.geteuid()), "allow": "broker"}
    idle.start()
    token = {"Authorization": f"Bearer {TOKEN}"}
    assert idle.call("GET", "/v1/capabilities").status == 200
    assert control(idle, "GET", "/v1/capabilities", **token)[0] == 403
