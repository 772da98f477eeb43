# SPDX-License-Identifier: Apache-2.0
"""jumpgate-reports with a real PostgreSQL over TLS: each command, the page, and a server that is away, slow or foreign."""

import json
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from certificates import Authority
from harness import BIN, eventually
from postgres_server import PASSWORDS, Postgres, literal
from pra_month import Month
from reports_database import Program
from reports_program import secret
from reports_server import OBSERVE_TOKEN

OBSERVE = {"Authorization": f"Bearer {OBSERVE_TOKEN}"}
PERIOD = "from=2026-02-01T00:00:00Z&to=2026-04-02T00:00:00Z"
DATASETS = ("sessions", "events", "vault_activity", "accounts", "jump_items", "jumpoints", "syslog",
            "credential_use", "team")



@pytest.fixture(scope="module", name="authority")
def _authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module", name="server")
def _server(authority):
    with Postgres(authority) as server:
        yield server


@pytest.fixture(name="database")
def _database(server, request):
    """An empty one, under the test's name."""
    return server.database(request.node.originalname[5:60])


@pytest.fixture(name="program")
def _program(tmp_path, authority, server, database):
    return Program(tmp_path, authority, server, database={"database": database})


@pytest.fixture(scope="module", name="site")
def _site():
    with Month("--events", 6, "--users", 8, "--endpoints", 9, "--seed", 4, sessions=60, running=3) as site:
        site.make_month(stream_hour=1, vault_activity=10, team_activity=10, syslog_messages=20, vault_accounts=5)
        site.permit(perm_reporting_syslog="1", perm_reporting_vault="1", perm_configuration_vault_account="1")
        site.at(0)
        yield site


@pytest.fixture(scope="module", name="month")
def _month(server, site, authority, tmp_path_factory):
    """The same month in PostgreSQL and in SQLite."""
    both = {}
    for name, where, keys in (("postgresql", server, {"database": server.database("month")}), ("sqlite", None, None)):
        both[name] = Program(tmp_path_factory.mktemp("month") / name, authority, where, {"main": site}, keys,
                             backfill="40d", abnormal_after="1s", keep_syslog="400d")
        done = both[name].command("collect", "--once")
        assert done.returncode == 0, done.stdout + done.stderr
        both[name].write(both[name].text.replace("[reports]\n", "[reports]\ncollect = no\n"))
    return both


# ---- migrate ----

def test_migrate_makes_the_tables_once(program, server, database):
    dry = program.command("migrate", "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, "version 1 is to be applied\n"), dry.stderr
    assert server.value(database, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'") == "0"
    early = program.command("export", "sessions")
    assert early.returncode == 1 and "jg_schema" in early.stderr and "no round has been collected yet" in early.stderr, early.stderr
    made = program.command("migrate")
    assert (made.returncode, made.stdout) == (0, "version 1 applied\n"), made.stderr
    again = program.command("migrate", "--recount", "--dry-run")
    assert again.returncode == 0 and "tallies: 0 rows differ" in again.stdout, again.stdout + again.stderr
    assert server.rows(database, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'") == [("writer",)]


def test_a_foreign_database_is_refused_with_what_differs(program, server, database):
    server.rows(database, 'SET ROLE writer; CREATE TABLE "session" (id integer, colour text); INSERT INTO "session" VALUES (7)')
    done = program.command("migrate")
    assert done.returncode == 1 and "column colour is not one of ours" in done.stderr, done.stderr
    assert "table session: column lsid is absent" in done.stderr and "name another database" in done.stderr
    run = program.command("run")
    assert run.returncode == 1 and "another program" in run.stderr, run.stderr
    assert server.rows(database, 'SELECT * FROM "session"') == [("7", "")]
    assert server.value(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == "1"


# ---- check --connect ----

def lines(done):
    return {line for line in done.stdout.splitlines() if line.startswith("database: ")}


def test_check_says_what_is_wrong(program, server, database, tmp_path):
    done = program.command("check", "--connect")
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines(done) == {"database: connection: postgresql", "database: schema: not there yet; `run` makes it",
                           "database: rights: can write", "database: reading login: can sign in"}
    assert server.value(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == "0"
    assert program.command("migrate").returncode == 0
    done = program.command("check", "--connect")
    assert done.returncode == 0 and {"database: schema: version 1", "database: rights: can write",
                                     "database: reading login: can read"} <= lines(done), done.stdout

    def wrong(pattern, **keys):
        before = dict(program.keys)
        program.configure(**keys)
        done = program.command("check", "--connect")
        program.keys = before
        program.configure()
        assert done.returncode == 1 and re.search(pattern, done.stdout, re.M), done.stdout + done.stderr
        assert not any(password in done.stdout + done.stderr for password in PASSWORDS.values())

    wrong(r'^database: connection: .*password authentication failed for user "writer"',
          password_file=secret(tmp_path / "wrong", "another"))
    wrong(r'^database: reading login: .*password authentication failed for user "reader"',
          read_password_file=secret(tmp_path / "wrong", "another"))
    wrong(r"^database: connection: .*Connection refused", port=1)
    wrong(r"^database: connection: .*certificate verify failed", ca_file=Authority(tmp_path / "other", "other").certificate)
    wrong(r'^database: connection: .*"localhost"', server="localhost", ca_file=Authority(tmp_path / "other").certificate)
    wrong(r'^database: connection: .*"absent" does not exist', database="absent")
    wrong(r"^database: rights: cannot write: .*permission denied", user="reader",
          password_file=secret(tmp_path / "reader", PASSWORDS["reader"]))
    server.rows(database, "UPDATE jg_schema SET version = 99")
    wrong(r"^database: schema: .*version 99, newer than this program's 1")
    server.rows(database, "UPDATE jg_schema SET version = 1, digest = 'x'")
    wrong(r"^database: schema: .*made by another build")


def test_check_finds_missing_rights(program, server, database):
    assert program.command("migrate").returncode == 0
    server.rows(database, "REVOKE SELECT ON session_event FROM reader")
    done = program.command("check", "--connect")
    assert done.returncode == 1 and re.search(r"^database: reading login: .*session_event", done.stdout, re.M), done.stdout
    server.rows(database, "GRANT SELECT ON session_event TO reader; ALTER TABLE jg_layout OWNER TO admin; "
                          "GRANT SELECT ON jg_layout TO writer")
    done = program.command("check", "--connect")
    assert done.returncode == 1 and re.search(r"^database: rights: cannot write: .*jg_layout", done.stdout, re.M), done.stdout


def test_check_finds_that_no_table_can_be_made(program, server, database):
    server.rows(database, f'ALTER DATABASE "{database}" OWNER TO admin')
    done = program.command("check", "--connect")
    assert done.returncode == 1 and re.search(r"^database: rights: cannot write: .*permission denied", done.stdout, re.M)


# ---- what is stored is the same as with SQLite ----

def answers(program):
    """Every tile and every grid of the month."""
    ann = program.browser().sign_in("ann")
    found = {}
    for tile in ann.get("/api/tiles").json["tiles"]:
        answer = ann.get(f"/api/tiles/{tile['id']}?{PERIOD}")
        assert answer.status == 200, answer
        found[tile["id"]] = {name: value for name, value in answer.json.items() if name not in ("age_ms", "incomplete", "href")}
    for dataset in DATASETS:
        answer = ann.get(f"/api/records/{dataset}?{PERIOD}&limit=200")
        assert answer.status == 200, answer
        found[dataset] = answer.json["total"], len(answer.json["rows"])
    found["values"] = ann.get("/api/values/sessions/user").json
    export = ann.get(f"/api/export/sessions.csv?{PERIOD}")
    assert export.status == 200, export
    found["export"] = sorted(export.body.splitlines())
    first = min(ann.get(f"/api/records/sessions?{PERIOD}&limit=200&columns=site,lsid").json["rows"], key=lambda row: row["lsid"])
    page = ann.get(f"/api/sessions/{first['site']}/{first['lsid']}").json
    found["page"] = page["event_types"], page["event_count"], len(page["representatives"]), len(page["customers"])
    return found


def test_the_page_answers_as_with_sqlite_and_only_reads(month, server):
    found = {}
    for name, program in month.items():
        with program:
            found[name] = answers(program)
            ann = program.browser().sign_in("ann")
            status = program.browser().ask("GET", "/status", headers=OBSERVE).json
            assert [d["type"] for d in status["dependencies"] if d["name"] == "database"] == [name]
            assert ann.get("/api/collector").json["database"]["type"] == name
            before = len(server.statements("month", "writer"))
            answers(program)
            assert len(server.statements("month", "writer")) == before
            tiles = [{"id": "top_users", "width": 4, "height": 2}]
            put = ann.ask("PUT", "/api/layout", {"tiles": tiles}, {"If-Match": f'"{ann.get("/api/layout").json["revision"]}"'})
            assert put.status == 200 and ann.get("/api/layout").json["tiles"] == tiles, put
    assert found["postgresql"]["sessions"] == (63, 63)
    for name, answer in found["sqlite"].items():
        if name == "collector":  # the state of each program's own site
            continue
        assert found["postgresql"][name] == answer, name
    read = server.statements("month", "reader")
    assert any('FROM "session"' in line for line in read)
    assert not [line for line in read if re.search(r"\b(INSERT|UPDATE|DELETE|CREATE|DROP)\b", line)]
    assert not any('"jg_tally"' in line for line in server.statements("month", "writer")[-3:])


def test_the_reading_login_cannot_write_by_itself(month, server):
    """Neither by its rights nor by how its connections are opened."""
    assert any("READ ONLY" in line for line in server.statements("month", "reader"))
    rights = server.value("month", "SELECT count(*) FROM information_schema.role_table_grants WHERE grantee = 'reader' "
                                   "AND privilege_type <> 'SELECT'")
    assert rights == "0" and month


def test_export_is_the_feed(month):
    found = {}
    for name, program in month.items():
        done = program.command("export", "sessions")
        assert done.returncode == 0 and re.search(r"^cursor=\S+\n\Z", done.stderr, re.M), done.stderr
        found[name] = {record["lsid"]: (record["state"], record["start_unix"], record["user_name"])
                       for record in map(json.loads, done.stdout.splitlines())}
        rest = program.command("export", "--cursor", done.stderr.split("cursor=")[1].strip(), "sessions")
        assert (rest.returncode, rest.stdout) == (0, "")
    assert len(found["sqlite"]) == 63 and found["postgresql"] == found["sqlite"]


# ---- one collector ----

def test_a_second_collector_is_refused_by_name(program, tmp_path, authority, server, database):
    other = Program(tmp_path / "other", authority, server, database={"database": database})
    with program:
        holder = rf"another collector works on this database: reports run, .*process {program.process.pid}\b"
        for words in (("run",), ("collect", "--once"), ("migrate", "--recount")):
            done = other.command(*words)
            assert done.returncode in (1, 3) and re.search(holder, done.stderr), done.stderr
    assert other.command("collect", "--once").returncode in (0, 1)


# ---- a server that goes and comes ----

def health(program):
    browser = program.browser()
    return browser.get("/readyz"), browser.ask("GET", "/status", headers=OBSERVE).json["dependencies"][0]["state"]


def test_a_server_that_dies_and_comes_back(program, server, database, site, authority, tmp_path):
    program = Program(tmp_path, authority, server, {"main": site}, {"database": database}, backfill="40d",
                      abnormal_after="1s", poll_interval="1s", running_interval="1s", overlap="5m", query_timeout="5s")
    with program:
        ann = program.browser().sign_in("ann")
        count = lambda: ann.get("/api/records/sessions?range=all").json.get("total")  # noqa: E731
        eventually(lambda: (count() or 0) > 5, 30)
        server.kill()
        try:
            eventually(lambda: ann.get("/api/records/sessions?range=all").code == "database_unavailable", 20)
            answer = ann.get("/api/tiles/running_now?range=all")
            assert (answer.status, answer.code) == (503, "database_unavailable"), answer
            ready, state = health(program)
            assert (ready.status, state) == (503, "not_readable") and "the database cannot be read: away" in ready.json["reasons"]
            assert program.browser().get("/livez").status == 200
            program.wait_for(r"(?m)^.*(database|writer)\S* .*outcome=away")
        finally:
            server.start()
        eventually(lambda: ann.get("/api/records/sessions?range=all").status == 200, 20)
        eventually(lambda: health(program)[0].status == 200, 20)
        eventually(lambda: count() == 63, 60)
    assert server.value(database, "SELECT count(*) FROM session") == "63"
    assert server.value(database, "SELECT count(*) FROM (SELECT DISTINCT host_name, lsid FROM session) s") == "63"
    assert server.rows(database, "SELECT type, count(*) FROM session_event GROUP BY 1 ORDER BY type") == \
        [(name, str(n)) for name, n in sorted(site.totals()["by_event_type"].items())]
    assert "tallies: 0 rows differ" in program.command("migrate", "--recount", "--dry-run").stdout


def test_a_server_that_stops_answering_holds_neither_requests_nor_the_end(server, database, site, authority, tmp_path):
    """It takes the request to cancel, too, and never answers it."""
    program = Program(tmp_path, authority, server, {"main": site}, {"database": database}, backfill="40d",
                      poll_interval="1s", running_interval="1s", query_timeout="1s", drain_timeout="1s")
    with program:
        ann = program.browser().sign_in("ann")
        eventually(lambda: (ann.get("/api/records/sessions?range=all").json.get("total") or 0) > 5, 30)
        with server.frozen():
            for _ in range(4):  # more than there are readers
                assert ann.get("/api/records/sessions?range=all").code == "deadline_exceeded"
            program.stop()
        assert "closing_ended" in program.error
    verified = subprocess.run([BIN / "jumpgate", "audit", "verify", program.state / "audit.jsonl"], capture_output=True,
                              text=True, timeout=60, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert program.command("collect", "--once").returncode in (0, 3)
    assert server.value(database, "SELECT count(*) FROM session") == "63"


def test_connections_that_were_cut_are_made_again_within_the_request(month, server):
    """Each reader has one; a request finds none of them dead."""
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'month' AND usename <> 'admin'"
    with month["postgresql"] as program:
        ann = program.browser().sign_in("ann")
        for _ in range(2):
            for path in ("records/sessions", "tiles/top_users", "export/sessions.csv", "values/sessions/user", "layout", "records/team"):
                answer = ann.get(f"/api/{path}" + ("" if path == "layout" else f"?{PERIOD}" if "values" not in path else ""))
                assert answer.status == 200, (path, answer)
            assert int(server.value("month", cut)) >= 2


def test_a_slow_query_is_cancelled_at_the_server(month, server):
    program = month["postgresql"]
    text = program.text
    program.write(text.replace("[reports]\n", "[reports]\nquery_timeout = 1s\n"))
    running = ("SELECT count(*) FROM pg_stat_activity WHERE datname = 'month' AND usename = 'reader' AND state = 'active'")
    server.rows("month", "ALTER TABLE session ENABLE ROW LEVEL SECURITY; "
                         "CREATE POLICY slow ON session TO reader USING (pg_sleep(1) IS NOT NULL)")
    try:
        with program:
            ann = program.browser().sign_in("ann")
            answer = ann.get("/api/records/sessions?range=all")
            assert (answer.status, answer.code) == (504, "deadline_exceeded")
            eventually(lambda: server.value("month", running) == "0", 20)
            assert "canceling statement due to user request" in server.log.read_text()
            server.rows("month", "ALTER TABLE session DISABLE ROW LEVEL SECURITY")
            assert ann.get("/api/records/sessions?range=all").json["total"] == 63
    finally:
        server.rows("month", "DROP POLICY slow ON session; ALTER TABLE session DISABLE ROW LEVEL SECURITY")
        program.write(text)


def test_a_lock_of_another_is_waited_for(month, server):
    """A layout is stored while another writer of this program holds its lock for a moment."""
    program = month["postgresql"]
    with program:
        ann = program.browser().sign_in("ann")
        revision = ann.get("/api/layout").json["revision"]
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        with ThreadPoolExecutor() as pool:
            with server.transaction("month", "SELECT pg_advisory_xact_lock(1246908241)"):
                put = pool.submit(ann.ask, "PUT", "/api/layout", {"tiles": []}, {"If-Match": f'"{revision}"'})
                eventually(lambda: put.done() or server.value("month", waits) == "1")
            assert put.result().status == 200, put.result()


# ---- a password that changes ----

def test_a_changed_password_is_taken_by_a_reload(program, server, database):
    """Connections that stand go on; new ones have the new one."""
    cut = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{database}' AND usename <> 'admin'"
    program.write(program.text.replace("[reports]\n", "[reports]\npoll_interval = 1s\n"))
    try:
        with program:
            ann = program.browser().sign_in("ann")
            grid = lambda: ann.get("/api/records/sessions?range=all")  # noqa: E731
            assert grid().status == 200
            for login in PASSWORDS:
                server.rows("postgres", f"ALTER ROLE {login} PASSWORD 'changed {login}'")
            assert grid().status == 200
            assert int(server.value(database, cut)) >= 2
            eventually(lambda: grid().code == "database_unavailable")
            (program.folder / "password").unlink()
            program.signal(signal.SIGHUP)
            program.wait_for(r"reload_refused why=")
            secret(program.folder / "password", "changed writer")
            secret(program.folder / "read-password", "changed reader")
            program.signal(signal.SIGHUP)
            program.wait_for(r" reloaded |^reloaded ")
            eventually(lambda: grid().status == 200)
            put = ann.ask("PUT", "/api/layout", {"tiles": []}, {"If-Match": '"0"'})
            assert put.status == 200, put
            locks = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE objid = 1246908240 AND datname = "
            eventually(lambda: server.value("postgres", f"{locks}'{database}'") == "1", seconds=120)  # the collector's
            assert not re.search("changed (writer|reader)", program.error)
    finally:
        for login, password in PASSWORDS.items():
            server.rows("postgres", f"ALTER ROLE {login} PASSWORD {literal(password)}")
