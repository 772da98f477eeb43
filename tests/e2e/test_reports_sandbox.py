# SPDX-License-Identifier: Apache-2.0
"""What a running jumpgate-reports has given up, with each way to its database, and that it still does its work."""

import errno
import os
import pathlib
import re
import signal
import socket

import pytest

from certificates import Authority
from collector import Trail
from harness import eventually
from planted import planted
from plain_build import plain_build  # noqa: F401, a fixture
from postgres_server import Postgres
from pra_month import Month
from reports_database import Program
from reports_program import secret
from reports_server import OBSERVE_TOKEN
from test_sandbox import threads

pytestmark = pytest.mark.usefixtures("plain_build")
AT_FDCWD = -100
OPENS = {"sqlite": (), "postgresql": (), "socket": (socket.SOCK_STREAM,)}  # Unix sockets that may be made


@pytest.fixture(scope="module", name="authority")
def _authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module", name="server")
def _server(authority):
    with Postgres(authority) as server:
        yield server


@pytest.fixture(scope="module", name="site")
def _site():
    with Month("--events", 6, "--users", 8, "--endpoints", 9, "--seed", 4, sessions=60, running=3) as site:
        site.make_month(stream_hour=1, vault_activity=10, team_activity=10, syslog_messages=20, vault_accounts=5)
        site.permit(perm_reporting_syslog="1", perm_reporting_vault="1", perm_configuration_vault_account="1")
        site.at(0)
        yield site


@pytest.fixture(name="program", params=list(OPENS))
def _program(request, tmp_path, authority, site):
    """A collector with its page, running; the way to its database is in .way."""
    way, server, database = request.param, None, {}
    if way != "sqlite":
        server = request.getfixturevalue("server")
        database = {"database": server.database(f"{request.node.originalname[5:40]} {way}")}
    if way == "socket":
        database |= {"server": server.folder, "ca_file": None}
    program = Program(tmp_path, authority, server, {"main": site}, database, backfill="40d", abnormal_after="1s",
                      poll_interval="1s", running_interval="1s", query_timeout="1s", log_file=tmp_path / "log" / "reports.log")
    for name in ("log", "trail"):
        (tmp_path / name).mkdir()
    trail = Trail(tmp_path / "trail" / "audit.jsonl")
    trail.add("checkout", "2026-03-20T10:00:00.000Z", outcome="ok", user="ann", session="S-1", lease_id="l1", credential_id="c1")
    program.write(program.text.replace("url = http://127.0.0.1", "url = http://localhost") +
                  f"[gateway east]\naudit = {trail.path}*\n")
    program.way = way
    with program:
        yield program


def log(program):
    return (program.folder / "log" / "reports.log").read_text()


def test_every_thread_is_confined(program):
    ann = program.browser().sign_in("ann")
    assert ann.get("/api/records/sessions?range=all").status == 200
    states = threads(program)
    assert len(states) > 3  # loop, log, writer, readers
    for state in states:
        assert (state["Seccomp"], state["NoNewPrivs"]) == ("2", "1")
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(state[kind], 16) == 0, (kind, state)
    limits = pathlib.Path(f"/proc/{program.process.pid}/limits").read_text()
    assert "Max core file size        0                    0" in limits
    maps = pathlib.Path(f"/proc/{program.process.pid}/maps").read_text()
    assert not [line for line in maps.splitlines() if "wx" in line.split()[1]]
    assert re.search(r"sandbox mode=on", log(program))


def test_it_does_its_work(program, server):
    """All sources, the page, files that are renewed, a reload, and what the engine does when a query is broken off."""
    ann = program.browser().sign_in("ann")
    total = lambda path: ann.get(path).json.get("total")  # noqa: E731
    eventually(lambda: total("/api/records/sessions?range=all") == 63, 60)
    for dataset in ("syslog", "vault_activity", "accounts", "team", "jumpoints"):
        eventually(lambda name=dataset: total(f"/api/records/{name}?range=all"), 30)
    assert ann.get("/api/export/events.csv?range=all&tz=Europe/Berlin").status == 200
    for tile in ann.get("/api/tiles").json["tiles"]:
        assert ann.get(f"/api/tiles/{tile['id']}?range=all&tz=America/New_York").status == 200
    lsid = ann.get("/api/records/sessions?range=all").json["rows"][0]["lsid"]
    assert ann.get(f"/api/sessions/main.test/{lsid}").json["event_count"] > 0
    assert ann.get("/api/collector").status == 200
    for path in ("/metrics", "/status"):
        assert ann.ask("GET", path, headers={"Authorization": f"Bearer {OBSERVE_TOKEN}"}).status == 200
    eventually(lambda: total("/api/records/credential_use?range=all") == 1)
    assert ann.ask("PUT", "/api/layout", {"tiles": []}, {"If-Match": '"0"'}).status == 200
    lines = program.folder / "log" / "reports.log"
    lines.rename(program.folder / "log" / "old")
    program.signal(signal.SIGUSR1)
    eventually(lines.exists)
    program.signal(signal.SIGHUP)
    eventually(lambda: "reloaded" in log(program))
    if program.way == "sqlite":
        return
    database = program.keys["database"]
    server.rows(database, "ALTER TABLE session ENABLE ROW LEVEL SECURITY; "
                          "CREATE POLICY slow ON session TO reader USING (pg_sleep(1) IS NOT NULL)")
    assert ann.get("/api/records/sessions?range=all").code == "deadline_exceeded"
    server.rows(database, "DROP POLICY slow ON session; ALTER TABLE session DISABLE ROW LEVEL SECURITY")
    server.kill()
    try:
        eventually(lambda: ann.get("/api/records/sessions?range=all").code == "database_unavailable")
    finally:
        server.start()
    eventually(lambda: total("/api/records/sessions?range=all") == 63, 30)
    assert {state["Seccomp"] for state in threads(program)} == {"2"}


def test_a_page_alone_connects_behind_the_fence(tmp_path, authority, server):
    """Its first connection is of the sandbox too, and so is each that is made again."""
    for way, keys in (("postgresql", {}), ("socket", {"server": server.folder, "ca_file": None})):
        database = server.database(f"page alone {way}")
        page = Program(tmp_path / way, authority, server, database={"database": database, **keys}, collect="no")
        assert page.command("migrate").returncode == 0
        with page:
            ann = page.browser().sign_in("ann")
            for _ in range(3):
                for path in ("records/sessions", "export/sessions.csv"):
                    assert ann.get(f"/api/{path}?range=all").status == 200
                server.rows(database, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}' "
                                      "AND usename <> 'admin'")
            assert {state["Seccomp"] for state in threads(page)} == {"2"}


def test_a_new_state_directory(tmp_path, authority, site):
    """All folders are made before the sandbox, with and without a collector."""
    for name, keys, made in (("page", {"collect": "no"}, "audit.127.0.0.1:0"), ("collector", {}, "spool")):
        program = Program(tmp_path / name, authority, None, {} if keys else {"main": site}, **keys)
        if keys:  # a page alone makes no database
            assert program.command("migrate").returncode == 0
        assert not (program.state / made).exists()
        with program:
            assert (program.state / made).stat().st_mode & 0o777 == 0o700
            eventually(lambda: "sandbox mode=on" in program.error, 10)  # after its listeners are there


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path, authority):
    program = Program(tmp_path / "page", authority, None, collect="no")
    program.write(program.text.replace(str(program.state), str(tmp_path / "absent" / "state")))
    for words in (("run",), ("collect", "--once"), ("migrate",)):
        said = program.command(*words)
        assert said.returncode == 1 and f"{tmp_path / 'absent' / 'state'}: No such file or directory" in said.stderr


def test_what_is_planted_is_refused(program):
    outside = secret(program.folder.parent / f"outside-{program.way}", "not for this program")
    fenced = re.search(r"sandbox_files landlock=([1-9]\d*)", log(program))
    with planted(program.process.pid) as call:
        assert call("openat", AT_FDCWD, bytes(program.conf), os.O_RDONLY, 0) >= 0
        for path, flags in ((outside, os.O_RDONLY), ("/etc/planted", os.O_WRONLY | os.O_CREAT),
                            (program.conf.parent / "planted", os.O_WRONLY | os.O_CREAT), ("/root", os.O_RDONLY)):
            got = call("openat", AT_FDCWD, os.fsencode(path), flags, 0o600)
            assert not fenced or got == -errno.EACCES, (path, got)
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            got = call("socket", socket.AF_UNIX, kind, 0)
            assert got >= 0 if kind in OPENS[program.way] else got == -errno.EACCES, (kind, got)
        assert call("mmap", 0, 4096, 5, 2, call("openat", AT_FDCWD, b"/usr/bin/true", os.O_RDONLY, 0), 0) == -errno.EACCES
    assert program.browser().get("/livez").status == 200  # the thread went on where it was
    with planted(program.process.pid) as call:
        call("execve", b"/usr/bin/true", 0, 0)
    assert program.process.wait(10) == -signal.SIGSYS
