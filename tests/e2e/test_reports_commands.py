# SPDX-License-Identifier: Apache-2.0
"""The commands of jumpgate-reports, and `jumpgate reports`: configuration, users, schema, run, check --connect."""

import json
import os
import pathlib
import pty
import re
import resource
import shutil
import signal
import sqlite3
import subprocess

import pytest

from certificates import Authority
from collector import Trail
from harness import BIN, ROOT, Gateway
from pra_month import Month
from pra_site import PraSite
from reports_program import Reports, executable, reports, secret

COMMANDS = ("run", "collect", "export", "migrate", "check", "user add", "user password", "user list", "config", "version",
            "help")
UNIT = ROOT / "conf/jumpgate-reports.service"


@pytest.fixture(scope="module", name="authority")
def authority_fixture(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(name="conf")
def conf_fixture(tmp_path):
    """A configuration of SQLite without sites."""
    return Reports(tmp_path).conf


# ---- the program and its pages ----

def test_both_spellings_are_one_program():
    done = subprocess.run([BIN / "jumpgate", "reports", "--version"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, reports("--version").stdout)
    assert done.stdout.startswith("jumpgate-reports ")
    wrong = subprocess.run([BIN / "jumpgate", "reports", "chekc"], capture_output=True, text=True, timeout=60, check=False)
    assert wrong.returncode == 2 and "did you mean `check`" in wrong.stderr


def test_it_is_the_file_beside_and_no_other(tmp_path):
    alone = pathlib.Path(shutil.copy(BIN / "jumpgate", tmp_path))
    other = tmp_path / "path"
    other.mkdir()
    (other / "jumpgate-reports").write_text("#!/bin/sh\necho found by a search path\n")
    (other / "jumpgate-reports").chmod(0o755)
    done = subprocess.run([alone, "reports", "version"], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "PATH": f"{other}:{os.environ['PATH']}"})
    assert (done.returncode, done.stdout) == (1, "")
    assert f"session reports are not installed: there is no {tmp_path}/jumpgate-reports" in done.stderr


def test_the_gateway_has_none_of_its_libraries():
    libraries = subprocess.run(["ldd", BIN / "jumpgate"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "libcurl" in libraries
    assert not re.search(r"libzip|libodbc|libglib", libraries)


@pytest.mark.skipif(os.geteuid() != 0, reason="the maps of a hardened process take root")
def test_a_running_gateway_maps_none_of_them():
    with Gateway(vault="http://127.0.0.1:9/BeyondTrust/api/public/v3") as gateway:
        maps = pathlib.Path(f"/proc/{gateway.process.pid}/maps").read_text()
    assert "libcurl" in maps and not re.search(r"libzip|libodbc|libglib", maps)


def test_help_names_every_command():
    for name in COMMANDS:
        done = reports("help", *name.split())
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"jumpgate-reports {name} - ")
        assert max(map(len, done.stdout.splitlines()[1:])) <= 90
    overview = subprocess.run([BIN / "jumpgate", "help"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "jumpgate reports COMMAND" in overview


def test_pages_are_current():
    assert (ROOT / "docs/reports-commands.md").read_text() == reports("help", "--doc").stdout
    assert (ROOT / "docs/reports-configuration.md").read_text() == reports("config", "--doc").stdout
    assert (ROOT / "conf/reports.conf").read_text() == reports("config", "--defaults").stdout


@pytest.mark.parametrize("words", [("help", "--man"), ("config", "--man")])
def test_man_pages_have_no_warnings(words):
    page = reports(*words).stdout
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=page, capture_output=True, text=True, timeout=60,
                          check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words, said", [
    ((), "usage: jumpgate-reports COMMAND"), (("colect",), "did you mean `collect`"),
    (("check", "--conect"), "did you mean `--connect`"), (("user",), "user needs `list`"),
    (("user", "ad"), "did you mean `add`"), (("collect",), "needs --once"),
    (("collect", "--once", "--since", "yesterday"), "--since"), (("export", "sesions"), "there is no dataset"),
    (("export", "--format", "xml", "sessions"), "--format cannot be `xml`")])
def test_wrong_words_end_with_2_and_the_nearest(words, said, conf):
    if words and words[0] in ("collect", "export"):
        words = (*words, "-c", conf)
    done = reports(*words)
    assert done.returncode == 2 and said in done.stderr, done


# ---- the configuration ----

def test_check_names_all_mistakes_at_once(tmp_path):
    conf = tmp_path / "reports.conf"
    conf.write_text(f"[reports]\nstate_dir = {tmp_path}\nkepe = 1d\nreaders = 0\n[listener main]\n[user ann]\n")
    done = reports("check", "-c", conf)
    assert (done.returncode, done.stdout) == (1, "")
    for line, said in ((3, "unknown key `kepe` in [reports]; did you mean `keep`?"), (4, "`readers` must be from 1 to 16"),
                       (5, "section [listener] belongs into jumpgate.conf"), (6, "[user ann] has no way to sign in")):
        assert f"{conf}:{line}: {said}" in done.stderr, done.stderr


def test_the_gateway_refuses_sections_of_the_reports(tmp_path):
    conf = tmp_path / "jumpgate.conf"
    conf.write_text("[reports]\n[web]\n")
    done = subprocess.run([BIN / "jumpgate", "check", "-c", conf], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"{conf}:1: section [reports] belongs into reports.conf, the configuration of jumpgate-reports" in done.stderr


# ---- users ----

def test_a_user_is_printed_and_appended(conf):
    conf.chmod(0o640)
    printed = reports("user", "add", "ann", "-c", conf, "--password-stdin", input="correct horse\n")
    assert printed.returncode == 0
    assert re.fullmatch(r"\[user ann\]\npassword = \$scrypt\$ln=14,r=8,p=5\$\S{22}\$\S{43}\nallow = view\n", printed.stdout)
    assert "ann" not in conf.read_text()
    done = reports("user", "add", "ann", "-c", conf, "--password-stdin", "--append", "--allow", "view admin", input="x\n")
    assert done.returncode == 0, done.stderr
    assert conf.stat().st_mode & 0o777 == 0o640
    assert list(conf.parent.glob("reports.conf.*")) == []
    again = reports("user", "add", "ann", "-c", conf, "--password-stdin", "--append", input="x\n")
    assert again.returncode == 1 and "[user ann] is there already" in again.stderr
    listed = reports("user", "list", "-c", conf)
    assert listed.stdout.split() == ["ann", "password", "view", "admin", "all", "sites"]


def test_a_password_is_changed_and_the_rest_stays(conf):
    before = conf.read_text() + "# people\n[user ann]\n# hers\npassword = $scrypt$ln=14,r=8,p=5$" + "A" * 22 + "$" + "A" * 43
    conf.write_text(before + "\nallow = export\n")
    done = reports("user", "password", "ann", "-c", conf, "--password-stdin", input="another\n")
    assert done.returncode == 0, done.stderr
    lines, old = conf.read_text().splitlines(), (before + "\nallow = export").splitlines()
    assert [a == b for a, b in zip(lines, old)].count(False) == 1 and len(lines) == len(old)
    assert "A" * 43 not in conf.read_text() and "another" not in conf.read_text()
    missing = reports("user", "password", "bob", "-c", conf, "--password-stdin", input="x\n")
    assert missing.returncode == 1 and "there is no section [user bob]" in missing.stderr


@pytest.mark.parametrize("words, typed, said", [
    (("ann", "--allow", "veiw"), "x\n", "did you mean `view`"), (("an n",), "x\n", "the name of a user"),
    (("ann", "--sites", "none"), "x\n", "there is no section [pra none]"), (("ann",), "\n", "there is no password"),
    (("ann",), "y" * 1025 + "\n", "longer than 1024")])
def test_what_is_no_user_is_refused(words, typed, said, conf):
    before = conf.read_text()
    done = reports("user", "add", *words, "-c", conf, "--password-stdin", "--append", input=typed)
    assert done.returncode in (1, 2) and said in done.stderr, done
    assert conf.read_text() == before


def test_users_added_at_once_are_all_there(conf):
    """And what another program writes while passwords are awaited stays."""
    added = [subprocess.Popen([executable(), "user", "add", f"user{n}", "-c", conf, "--password-stdin", "--append"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for n in range(6)]
    for process in added:
        process.stdin.write(b"correct")
        process.stdin.flush()
    conf.write_text(conf.read_text() + "# a remark\n")
    for process in added:
        process.stdin.write(b" horse\n")
        process.stdin.close()
    assert [process.wait(60) for process in added] == [0] * 6
    for process in added:
        for pipe in (process.stdout, process.stderr):
            pipe.close()
    assert "# a remark\n" in conf.read_text()
    assert sorted(line.split()[0] for line in reports("user", "list", "-c", conf).stdout.splitlines()) == \
        [f"user{n}" for n in range(6)]


def type_passwords(conf, *lines):
    """On a terminal of its own: what is shown there, and the exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(executable(), [str(executable()), "user", "add", "ann", "-c", str(conf), "--append"])
    shown = b""
    for line in lines:
        while not shown.endswith(b": "):
            shown += os.read(terminal, 1000)
        os.write(terminal, line.encode() + b"\n")
        shown += b"|"
    try:
        while more := os.read(terminal, 1000):
            shown += more
    except OSError:
        pass
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_password_is_asked_twice_and_not_shown(conf):
    shown, code = type_passwords(conf, "hidden word", "hidden ward")
    assert code == 1 and "the two passwords differ" in shown and "[user ann]" not in conf.read_text()
    shown, code = type_passwords(conf, "hidden word", "hidden word")
    assert code == 0 and "hidden" not in shown
    assert "[user ann]" in conf.read_text() and "hidden" not in conf.read_text()


# ---- the schema ----

def test_migrate_makes_the_tables_once(conf):
    database = conf.parent / "state/reports.db"
    done = reports("migrate", "-c", conf, "--dry-run")
    assert done.returncode == 0 and "would be made" in done.stdout and not database.exists()
    assert reports("migrate", "-c", conf).returncode == 0
    assert database.stat().st_mode & 0o077 == 0
    done = reports("migrate", "-c", conf, "--recount", "--dry-run")
    assert done.returncode == 0 and "tallies: 0 rows differ" in done.stdout


def test_secrets_that_a_command_does_not_use_are_not_read(tmp_path, authority):
    """export and migrate need the database's alone; check and collect need all, and say how to get them."""
    program = Reports(tmp_path, authority)
    secret(program.conf, re.sub("tls_key = .*", "tls_key = $CREDENTIALS_DIRECTORY/reports.key", program.text) +
           "[pra main]\nurl = http://127.0.0.1:9\ninsecure_http = yes\nclient_id = 0123\n"
           "client_secret_file = %d/pra-secret\nca_file = /absent/ca.pem\n")
    environment = {name: value for name, value in os.environ.items() if name != "CREDENTIALS_DIRECTORY"}
    for words in (("migrate",), ("export", "sessions")):
        done = reports(*words, "-c", program.conf, env=environment)
        assert done.returncode == 0 and "CREDENTIALS" not in done.stderr, done.stderr
    for words in (("check",), ("collect", "--once")):
        done = reports(*words, "-c", program.conf, env=environment)
        assert done.returncode == 1 and "`tls_key` names a credential" in done.stderr, done.stderr
        assert done.stderr.count("systemd-run --pipe --wait --quiet -p DynamicUser=yes -p User=jumpgate-reports") == 1
        assert "systemctl cat jumpgate-reports" in done.stderr
    password = ("[database]\ntype = postgresql\nserver = 127.0.0.1\ndatabase = none\nuser = none\n"
                "password_file = $CREDENTIALS_DIRECTORY/database-password\n")
    secret(program.conf, program.conf.read_text() + password)
    done = reports("export", "-c", program.conf, "sessions", env=environment)
    assert done.returncode == 1 and "`password_file` names a credential" in done.stderr and "`tls_key`" not in done.stderr
    assert "systemd-run" in done.stderr


def test_an_export_before_the_first_round_says_so(conf):
    database = conf.parent / "state/reports.db"
    for what in (database, "no such table: jg_schema"):
        done = reports("export", "-c", conf, "sessions")
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{what}: no round has been collected yet" in done.stderr
        database.parent.mkdir(exist_ok=True)
        secret(database, "")
    assert reports("migrate", "-c", conf).returncode == 0
    assert reports("export", "-c", conf, "sessions").returncode == 0


def test_a_recount_finds_and_mends_what_is_wrong(conf):
    assert reports("migrate", "-c", conf).returncode == 0
    with sqlite3.connect(conf.parent / "state/reports.db") as database:
        database.execute("INSERT INTO jg_tally (grain, slot, host_name, jump_group_name, dim, label, n, seconds) "
                         "VALUES ('d', 0, 'a.test', '', 'all', '', 7, 7)")
    database.close()
    assert reports("migrate", "-c", conf, "--recount", "--dry-run").returncode == 1
    assert "tallies: 1 rows changed" in reports("migrate", "-c", conf, "--recount").stdout
    assert reports("migrate", "-c", conf, "--recount", "--dry-run").returncode == 0


def test_a_foreign_database_is_refused_with_what_differs(conf):
    (conf.parent / "state").mkdir(mode=0o700)
    with sqlite3.connect(conf.parent / "state/reports.db") as database:
        database.execute("CREATE TABLE session (id INTEGER, colour TEXT)")
    database.close()
    done = reports("migrate", "-c", conf)
    assert done.returncode == 1 and "session" in done.stderr and "lsid" in done.stderr, done.stderr
    assert reports("run", "-c", conf).returncode == 1


# ---- run ----

def test_run_serves_and_ends(tmp_path, authority):
    page = Reports(tmp_path, authority, collect="no")
    missing = reports("run", "-c", page.conf)
    assert missing.returncode in (1, 3) and "database" in missing.stderr  # a page alone needs the tables of a collector
    assert reports("migrate", "-c", page.conf).returncode == 0
    with page:
        assert page.address


def test_one_collector_for_each_database(tmp_path, authority):
    with Reports(tmp_path, authority) as first:
        second = reports("run", "-c", first.conf)
        assert second.returncode == 3
        assert re.search(rf"another collector works on this database: reports run, .*process {first.process.pid}",
                         second.stderr), second.stderr
        assert "another collector" in reports("collect", "--once", "-c", first.conf).stderr


def verified(trail):
    """The records of a trail that is sound."""
    done = subprocess.run([BIN / "jumpgate", "audit", "verify", trail], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    return [json.loads(line) for line in trail.read_text().splitlines()]


def test_pages_beside_a_collector_have_trails_of_their_own(tmp_path, authority):
    with Reports(tmp_path, authority) as collector:
        one = Reports(tmp_path, authority, collect="no")
        another = Reports(tmp_path, authority, collect="no")
        another.conf = tmp_path / "another.conf"
        another.write(another.text.replace("127.0.0.1:0", "127.0.0.2:0"))
        for _ in range(2):  # each trail goes on after a restart
            one.write(one.text)
            with one, another:
                assert len({collector.address, one.address, another.address}) == 3
    starts = {name: [(record["collects"], record["seq"]) for record in verified(tmp_path / "state" / name)
                     if record["event"] == "collector_started"]
              for name in ("audit.jsonl", "audit.127.0.0.1:0/audit.jsonl", "audit.127.0.0.2:0/audit.jsonl")}
    assert [collects for collects, _ in starts.pop("audit.jsonl")] == [True]
    for found in starts.values():
        assert [collects for collects, _ in found] == [False, False] and found[0][1] < found[1][1], starts


# ---- collect --once ----

def test_a_round_says_what_it_collected(tmp_path):
    with Month("--events", 6, "--users", 2, "--endpoints", 2, "--seed", 4, sessions=5, running=1) as site:
        site.make_month(stream_hour=1, vault_activity=1, team_activity=1, syslog_messages=1, vault_accounts=1)
        site.at(0)
        site.permit(perm_reporting_syslog="0", perm_reporting_vault="1", perm_configuration_vault_account="1")
        program = Reports(tmp_path, sites={"main": site}, backfill="40d",
                          more=f"[gateway east]\naudit = {tmp_path}/trail.jsonl\n")
        program.write(program.text.replace("url = http", "rate = 20/s\nurl = http"))
        Trail(tmp_path / "trail.jsonl").add("ready", "2026-03-20T10:00:00.000Z")
        for new in (6, 0):
            done = reports("collect", "--once", "-c", program.conf)
            lines = done.stdout.splitlines()
            assert re.fullmatch(rf"main: {new} sessions new, \d+ changed; \d+ of \d+ sources complete; not complete: syslog; "
                                r"Action Required: permission \S+", lines[0]), done.stdout + done.stderr
            assert lines[1:] == ["gateway east: trail read"] and done.returncode == 3
        site.permit(perm_reporting_syslog="1")
        done = reports("collect", "--once", "-c", program.conf)
        found = re.match(r"main: 0 sessions new, \d+ changed; (\d+) of (\d+) sources complete; Action Required: clock\n", done.stdout)
        assert done.returncode == 0 and found and found[1] == found[2] != "0", done.stdout + done.stderr


def test_a_backfill_is_recorded(tmp_path):
    with PraSite() as site:
        program = Reports(tmp_path, sites={"main": site})
        assert reports("collect", "--once", "-c", program.conf).returncode in (0, 3)
        assert reports("collect", "--once", "--since", "2026-01-02", "--site", "main", "-c", program.conf).returncode in (0, 3)
    events = [{key: record[key] for key in ("event", "since", "until", "site", "collects") if key in record}
              for record in verified(program.state / "audit.jsonl")]
    started = {"event": "collector_started", "collects": True}
    assert [one for one in events if one["event"] in ("collector_started", "backfill")] == [
        started, started, {"event": "backfill", "since": "2026-01-02T00:00:00Z", "until": None, "site": "main"}]


@pytest.mark.parametrize("policy, code", [("strict", 1), ("degraded", 0)])
def test_a_backfill_that_cannot_be_recorded(tmp_path, policy, code):
    """The trail is as large as a file may be."""
    with PraSite("--permission", "perm_reporting_syslog=1", "--permission", "perm_reporting_vault=1", "--permission",
                 "perm_configuration_vault_account=1") as site:
        program = Reports(tmp_path, sites={"main": site}, audit_policy=policy)
        assert reports("migrate", "-c", program.conf).returncode == 0
        trail = Trail(program.state / "audit.jsonl")
        for _ in range(250):
            trail.add("viewed", "2026-01-01T00:00:00Z", filters="x" * 20000)
        size = trail.path.stat().st_size
        trail.path.chmod(0o600)
        calls = len(site.log())
        done = reports("collect", "--once", "--since", "1d", "-c", program.conf,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
        assert done.returncode == code, done
        assert ("audit_policy is strict" in done.stderr) == (policy == "strict")
        assert (len(site.log()) > calls) == (policy == "degraded")


def test_a_damaged_database_is_refused_by_name(tmp_path, authority):
    program = Reports(tmp_path, authority)
    program.state.mkdir(mode=0o700)
    (program.state / "reports.db").write_bytes(b"no database at all\n" * 1000)
    done = reports("run", "-c", program.conf)
    assert done.returncode == 1
    assert str(program.state / "reports.db") in done.stderr and "collect" in done.stderr, done.stderr


def test_damage_in_the_middle_is_refused_by_name(conf):
    """A page that no start needs, behind sound ones."""
    database = conf.parent / "state/reports.db"
    assert reports("migrate", "-c", conf).returncode == 0
    with sqlite3.connect(database) as rows:
        rows.executemany('INSERT INTO jg_commit ("at", seq) VALUES (?, ?)', ((n, n) for n in range(5000)))
        (page,) = rows.execute("SELECT pageno FROM dbstat WHERE name = 'jg_commit' AND path = '/003/'").fetchone()
    rows.close()  # which moves the write-ahead log into the file
    assert "database: file: not damaged" in reports("check", "--connect", "-c", conf).stdout
    with database.open("r+b") as file:
        file.seek((page - 1) * 8192)
        file.write(bytes(8192))
    for command in (["run"], ["collect", "--once"], ["migrate"], ["migrate", "--dry-run"], ["check", "--connect"]):
        done = reports(*command, "-c", conf)
        assert done.returncode == 1, (command, done)
        assert f"{database} is damaged" in done.stdout + done.stderr and "--since" in done.stdout + done.stderr, command


def test_reload_takes_users_and_refuses_what_needs_a_restart(tmp_path, authority):
    with Reports(tmp_path, authority) as program:
        good = program.text
        program.write(good + "[user ann]\npassword = $scrypt$ln=14,r=8,p=5$" + "A" * 22 + "$" + "A" * 43 + "\n")
        program.signal(signal.SIGHUP)
        program.wait_for(r"reloaded changes=1 names=\"user ann \(new\)\"")
        program.write(good.replace("127.0.0.1:0", "127.0.0.1:1"))
        program.signal(signal.SIGHUP)
        program.wait_for(r"reload_refused why=\"\[web\] `address` cannot change while the program runs")
        program.write("[reports]\nnonsense = 1\n")
        program.signal(signal.SIGHUP)
        program.wait_for(r"reload_refused why=\"the configuration has mistakes")
        program.write(good)
    trail = [json.loads(line) for line in (program.state / "audit.jsonl").read_text().splitlines()]
    events = [record["event"] for record in trail]
    assert "collector_started" in events
    assert [r["change"] for r in trail if r["event"] == "user_changed"] == ["added"]
    done = subprocess.run([BIN / "jumpgate", "audit", "verify", program.state / "audit.jsonl"], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


# ---- check --connect ----

def test_check_asks_sites_and_database(tmp_path):
    with PraSite() as site:
        program = Reports(tmp_path, sites={"main": site})
        done = reports("check", "--connect", "-c", program.conf)
        assert re.search(r"^pra main: token: ok", done.stdout, re.M), (done.stdout, done.stderr)
        assert re.search(r"^pra main: permissions: sessions \S+", done.stdout, re.M)
        assert re.search(r"^pra main: clock: \d+\.\d s (ahead|behind)", done.stdout, re.M)
        assert re.search(r"^database: \w+: .*run. makes it", done.stdout, re.M)
        assert not (program.state / "reports.db").exists()
        (tmp_path / "main.secret").write_text("wrong")
        done = reports("check", "--connect", "-c", program.conf)
        assert done.returncode == 1 and re.search(r"^pra main: token: credentials: ", done.stdout, re.M), done.stdout
        assert "wrong" not in done.stdout + done.stderr


# ---- the unit ----

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")


@needs_systemd
def test_unit_is_good_and_secure(tmp_path):
    unit = tmp_path / "jumpgate-reports.service"
    unit.write_text(UNIT.read_text().replace("/usr/bin/jumpgate-reports", str(executable())))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60,
                          check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "jumpgate" in line]) == (0, [])
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", UNIT],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def test_unit_runs_commands_that_there_are(tmp_path):
    lines = UNIT.read_text().splitlines()
    commands = [line.partition("=")[2].lstrip("-") for line in lines if line.startswith("Exec") and "kill" not in line]
    assert len(commands) == 2
    for command in commands:
        words = command.split()
        assert words[0] == "/usr/bin/jumpgate-reports" and words[-1] == "/etc/jumpgate/reports.conf"
        done = reports(*words[1:-1], tmp_path / "missing.conf")
        assert done.returncode == 1 and "missing.conf" in done.stderr
    assert "MemoryMax=256M" in lines and "DynamicUser=yes" in lines


def credentials(folder, files):
    """What systemd gives to the unit where only these files are there: the folder of its credentials."""
    unit = [line.partition("=") for line in UNIT.read_text().splitlines() if line and line[0] != "#"]
    loaded = [value.split(":", 1) for name, _, value in unit if name == "LoadCredential"]
    defaults = dict(value.split(":", 1) for name, _, value in unit if name == "SetCredential")
    folder.mkdir(mode=0o700)
    for name, path in loaded:
        text = files[path] if path in files else defaults[name].replace("\\n", "\n")  # no default: systemd starts nothing
        secret(folder / name, text)
    return {**os.environ, "CREDENTIALS_DIRECTORY": str(folder)}


def test_unit_starts_without_files_that_the_configuration_does_not_name(tmp_path):
    """The shipped unit, and [reports] of the shipped configuration; then a site too; without [web]."""
    parts = {part.split("]")[0]: f"[{part}" for part in re.split(r"^\[", reports("config").stdout, flags=re.M)[1:]}
    text = parts["reports"].replace("\n", f"\nstate_dir = {tmp_path}/state\n", 1)
    conf = secret(tmp_path / "reports.conf", text)
    none = credentials(tmp_path / "none", {})
    assert reports("check", "-c", conf, env=none).returncode == 0
    secret(conf, text + "[pra site]\nurl = http://127.0.0.1:9\ninsecure_http = yes\nclient_id = 0123\n"
           "client_secret_file = $CREDENTIALS_DIRECTORY/pra-secret\n")
    done = reports("check", "-c", conf, env=none)
    assert done.returncode == 1 and "pra-secret holds nothing but line ends" in done.stderr, done.stderr
    one = credentials(tmp_path / "one", {"/etc/jumpgate/secrets/reports-pra-secret": "hidden"})
    assert reports("check", "-c", conf, env=one).returncode == 0
    process = subprocess.Popen([executable(), "run", "-c", conf], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=one)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    process.stdout.close()
