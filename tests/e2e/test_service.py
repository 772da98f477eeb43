# SPDX-License-Identifier: Apache-2.0
"""The systemd unit, the exit codes of `run`, and a gateway with a user and clients of its own."""

import os
import pathlib
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess

import pytest

from certificates import Authority
from harness import API_KEY, BIN, ROOT, SANITIZER, Gateway

UNIT = ROOT / "conf" / "jumpgate.service"
NOWHERE = "http://127.0.0.1:9/BeyondTrust/api/public/v3"
STOPPED, REFUSED, USAGE, RETRY = 0, 1, 2, 3

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="running as other users takes root")
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")


def jumpgate(*words, **more):
    more = {"capture_output": True, "text": True, "timeout": 60, "check": False, **more}
    return subprocess.run([BIN / "jumpgate", *map(str, words)], **more)


# ---- the unit ----

def lines_of_unit():
    return [line for line in UNIT.read_text().splitlines() if line and line[0] not in "#["]


@needs_systemd
def test_unit_is_good(tmp_path):
    """As installed: only the path of the program differs."""
    unit = tmp_path / "jumpgate.service"
    unit.write_text(UNIT.read_text().replace("/usr/bin/jumpgate", str(BIN / "jumpgate")))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60,
                          check=False)
    about_unit = [line for line in done.stderr.splitlines() if "jumpgate" in line]
    assert (done.returncode, about_unit) == (0, [])


@needs_systemd
def test_unit_is_secure():
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", UNIT],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def test_unit_runs_commands_that_there_are(tmp_path):
    """Every command line of the unit is understood: without its file it fails for that reason."""
    commands = [line.partition("=")[2].lstrip("-") for line in lines_of_unit() if line.startswith("Exec")]
    assert len(commands) == 3
    for command in commands:
        words = [word for word in command.split() if not word.startswith("$")]
        assert words[0] == "/usr/bin/jumpgate" and words[-1] == "/etc/jumpgate/jumpgate.conf"
        done = jumpgate(*words[1:-1], tmp_path / "missing.conf")
        assert done.returncode == 1 and "missing.conf" in done.stderr, done


def test_unit_does_not_restart_what_a_restart_does_not_mend():
    assert f"RestartPreventExitStatus={REFUSED} {USAGE}" in lines_of_unit()
    assert not any(line.startswith("DynamicUser") for line in lines_of_unit())


# ---- exit codes ----

def ends_with(gateway, code, **more):
    """The start fails with this code."""
    gateway.launch(**more)
    try:
        assert gateway.wait(60) == code, gateway.err.text
    finally:
        if gateway.process.poll() is None:
            gateway.kill()
    assert not SANITIZER.search(gateway.err.text), gateway.err.text
    assert gateway.err.text
    return gateway.err.text


@pytest.fixture(name="gateway")
def _gateway():
    gateway = Gateway(NOWHERE)
    yield gateway
    gateway.folder.cleanup()


def test_stopped_is_0(gateway):
    gateway.start()
    gateway.stop(expect=STOPPED)


def test_wrong_command_line_is_2():
    assert jumpgate("run", "--no-such-flag").returncode == USAGE


@pytest.mark.parametrize("words", ["log_level = loud", "nonsense", "no_such_key = 1"])
def test_mistake_is_1(gateway, words):
    path = gateway.write_configuration()
    path.write_text(path.read_text().replace("[gateway]", f"[gateway]\n{words}"))
    gateway.write_configuration = lambda: path
    ends_with(gateway, REFUSED)


def test_missing_configuration_is_1(gateway):
    gateway.write_configuration = lambda: gateway.path / "missing"
    ends_with(gateway, REFUSED)


@needs_root
def test_wrong_owner_is_1(gateway):
    os.chown(gateway.path / "state", 61001, 61001)
    assert "belongs to uid 61001" in ends_with(gateway, REFUSED)


@pytest.mark.parametrize("damage", [b"", b"garbage" * 1000])
def test_damaged_store_is_1(gateway, damage):
    gateway.start()
    gateway.stop()
    store = gateway.path / "state" / "leases.db"
    for part in ("-wal", "-shm"):
        pathlib.Path(f"{store}{part}").unlink(missing_ok=True)
    store.write_bytes(damage)
    assert "--rebuild" in ends_with(gateway, REFUSED)


def test_newer_store_is_1(gateway):
    gateway.start()
    gateway.stop()
    with sqlite3.connect(gateway.path / "state" / "leases.db") as store:
        store.execute("PRAGMA user_version = 99")
    store.close()
    said = ends_with(gateway, REFUSED)
    assert "newer version; install that version again" in said and "or start once with --rebuild" not in said


def test_audit_file_of_another_program_is_1(gateway):
    (gateway.path / "state" / "audit.jsonl").write_text("not an audit trail\n")
    assert "no audit file" in ends_with(gateway, REFUSED)


def test_log_that_is_a_folder_is_1(gateway):
    gateway.sections["gateway"]["log_file"] = str(gateway.path)
    ends_with(gateway, REFUSED)


def test_missing_folder_of_a_socket_is_1(gateway):
    gateway.sections["listener main"]["address"] = f"unix:{gateway.path}/missing/socket"
    ends_with(gateway, REFUSED)


def test_port_in_use_is_3(gateway):
    with socket.create_server(("127.0.0.1", 0)) as other:
        gateway.sections["listener main"]["address"] = f"127.0.0.1:{other.getsockname()[1]}"
        ends_with(gateway, RETRY)


def test_socket_in_use_is_3(gateway):
    path = gateway.path / "socket"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        gateway.sections["listener main"]["address"] = f"unix:{path}"
        ends_with(gateway, RETRY)


def test_address_of_another_machine_is_3(gateway):
    server = Authority(gateway.path).server()
    gateway.sections["listener main"] = {"address": "192.0.2.1:8443", "tls_certificate": str(server.certificate),
                                         "tls_key": str(server.key)}
    assert "Cannot assign requested address" in ends_with(gateway, RETRY)


def test_state_dir_in_use_is_3(gateway):
    gateway.start()
    second = Gateway(NOWHERE)
    second.sections["gateway"]["state_dir"] = gateway.sections["gateway"]["state_dir"]
    assert "in use by another jumpgate" in ends_with(second, RETRY)
    second.folder.cleanup()
    gateway.stop()


def test_no_space_is_3(gateway):
    """No byte can be written to any file, as on a full disk."""
    ends_with(gateway, RETRY, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))


@pytest.mark.parametrize("descriptors", [8, 10, 12])
def test_too_few_descriptors_is_3(gateway, descriptors):
    ends_with(gateway, RETRY,
              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors)))


# ---- a user and clients of its own ----

GATE, CLIENTS, CLIENT, STRANGER = 61001, 61002, 61003, 61004
ASK = """
import http.client, socket, sys
connection = http.client.HTTPConnection("x")
connection.sock = socket.socket(socket.AF_UNIX)
try:
    connection.sock.connect(sys.argv[1])
except PermissionError:
    sys.exit("refused")
connection.request("GET", "/v1/capabilities")
print(connection.getresponse().status)
"""


def ask_as(path, uid, groups):
    done = subprocess.run(["/usr/bin/python3", "-c", ASK, path], capture_output=True, text=True, timeout=60, check=False,
                          user=uid, group=uid, extra_groups=groups)
    return (done.stdout + done.stderr).strip()


def as_in_the_readme(gateway, **listener):
    """The configuration of the README, with folders as the package makes them."""
    gateway.path.chmod(0o755)
    run = gateway.path / "run"
    run.mkdir(mode=0o755)
    for path in (run, gateway.path / "state", gateway.path / "api-key"):
        os.chown(path, GATE, GATE)
    gateway.sections.pop("listener main")
    gateway.sections["listener broker"] = {"address": f"unix:{run}/broker.sock", **listener}
    gateway.sections["client pra"] = {"peer_uid": str(CLIENT), "allow": "broker"}
    path = gateway.write_configuration()
    path.chmod(0o640)
    os.chown(path, 0, GATE)
    gateway.write_configuration = lambda: path
    return f"{run}/broker.sock"


@needs_root
@pytest.mark.parametrize("named", [True, False])
def test_clients_of_the_group_get_in(gateway, named):
    """Gateway, client and a stranger are three users. The default group is jumpgate-clients, where it exists."""
    path = as_in_the_readme(gateway, **({"unix_group": str(CLIENTS)} if named else {}))
    groups = gateway.path / "group"
    groups.write_text(pathlib.Path("/etc/group").read_text() + f"jumpgate-clients:x:{CLIENTS}:\n")
    inside = ["unshare", "--mount", "sh", "-c", f'mount --bind {groups} /etc/group && exec "$@"', "sh"]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no mount namespace")
    program = gateway.path / "as-gate"
    program.write_text("#!/bin/sh\nexec " + " ".join(
        ["unshare", "--mount", "sh", "-c", f"'mount --bind {groups} /etc/group && exec \"$@\"'", "sh",
         "setpriv", f"--reuid={GATE}", f"--regid={GATE}", f"--groups={CLIENTS}", str(gateway.binary), '"$@"']) + "\n")
    program.chmod(0o755)
    gateway.binary = program
    gateway.start()
    try:
        status = os.stat(path)
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (GATE, CLIENTS, 0o660)
        assert ask_as(path, CLIENT, [CLIENTS]) == "200"
        assert ask_as(path, CLIENT, []) == "refused"
        assert ask_as(path, STRANGER, []) == "refused"
        assert ask_as(path, STRANGER, [CLIENTS]) == "401"  # the socket may be opened, but the uid is no client
    finally:
        gateway.stop()
