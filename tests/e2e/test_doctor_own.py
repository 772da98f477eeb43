# SPDX-License-Identifier: Apache-2.0
"""jumpgate doctor on the gateway's own side: listeners, certificates, the state directory, the disk.

These stages run last, whatever the vault says, and beside a running gateway.
"""

import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import socket
import sqlite3
import subprocess

import pytest

from certificates import Authority
from clinic import CODES, OWN_STAGES, Clinic, doctor
from harness import API_KEY, BIN
from simulator import Simulator
from stack import PEOPLE, Stack

AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="gives files to other users")
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(scope="module", name="vault")
def _vault():
    with Simulator("--users", 0, "--systems", 0, api_key=API_KEY) as vault:
        vault.scenario(PEOPLE)
        vault.change("systems", id=29000, name="web01", platform=2)
        vault.change("accounts", id=29000, system=29000, name="root", rules=["auto"], rotates=False, max_concurrent=0)
        yield vault


@pytest.fixture(name="clinic")
def _clinic(vault, tmp_path):
    return Clinic(vault, tmp_path)


@pytest.fixture(scope="module", name="authority")
def _authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def test_all_is_well(clinic):
    clinic.ask().is_well()
    assert sorted(p.name for p in clinic.folder.iterdir()) == ["jumpgate.conf", "key"], "the doctor writes nothing"


def test_own_side_is_looked_at_whatever_the_vault_says(clinic):
    finding = clinic.ask("CORP\\nobody").failed("sign_in", "no group")
    assert [finding.stages[s]["state"] for s in OWN_STAGES] == ["ok"] * 4
    with socket.create_server(("127.0.0.1", 0)) as taken:
        clinic.listener = [f"address = 127.0.0.1:{taken.getsockname()[1]}"]
        finding = clinic.ask("CORP\\nobody").failed("sign_in")
        assert finding.stages["listener"]["state"] == "failed", finding.page


def test_configuration_with_a_mistake(clinic):
    finding = clinic.ask(conf=clinic.configure(sesion_idle="5m")).failed("configuration")
    assert {finding.stages[s]["state"] for s in OWN_STAGES} == {"unknown"}


def test_files_that_are_missing_do_not_hide_the_rest(clinic):
    path = clinic.configure()
    (clinic.folder / "key").unlink()
    finding = clinic.ask(conf=path).failed("configuration")
    assert [finding.stages[s]["state"] for s in OWN_STAGES] == ["ok"] * 4


# ---- 60: listeners ----

def test_address_that_is_taken(clinic):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        clinic.listener = [f"address = 127.0.0.1:{taken.getsockname()[1]}"]
        finding = clinic.ask().failed("listener", "cannot be bound", "another process", "ss -ltnp")
        assert finding.code == CODES["listener"] == 60


def test_a_gateway_that_does_not_run_has_no_other_configuration(clinic):
    assert not any("another configuration" in note for note in clinic.ask().is_well().notes("listener"))


def test_address_of_another_machine(clinic, authority):
    pair = authority.server("far", days=90)
    clinic.listener = ["address = 192.0.2.1:8443", f"tls_certificate = {pair.certificate}", f"tls_key = {pair.key}"]
    clinic.ask().failed("listener", "no such address")


def test_folder_that_is_missing(clinic):
    clinic.listener = [f"address = unix:{clinic.folder}/nowhere/broker.sock"]
    clinic.ask().failed("listener", "nowhere", "tmpfiles.d")


def test_file_in_the_way(clinic):
    (clinic.folder / "broker.sock").write_text("not a socket")
    clinic.listener = [f"address = unix:{clinic.folder}/broker.sock"]
    clinic.ask().failed("listener", "is no socket", "move the file away")


def test_socket_that_another_serves(clinic):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(clinic.folder / "broker.sock"))
        other.listen()
        clinic.listener = [f"address = unix:{clinic.folder}/broker.sock"]
        clinic.ask().failed("listener", "does not run", "another process")


def open_folder(clinic):
    """A folder that every user may enter, all the way up."""
    folder = pathlib.Path(f"/tmp/jumpgate-doctor-{os.getpid()}-{clinic.folder.name[-8:]}")
    folder.mkdir(mode=0o755)
    return folder


@AS_ROOT
def test_user_that_cannot_open_the_socket(clinic):
    folder = open_folder(clinic)
    try:
        clinic.client = [f"peer_uid = {NOBODY.pw_uid}"]
        clinic.listener = [f"address = unix:{folder}/broker.sock"]
        clinic.ask().failed("listener", f"uid {NOBODY.pw_uid} cannot open", "mode 0660", "jumpgate-clients")
        clinic.listener += [f"unix_group = {NOBODY.pw_gid}"]
        finding = clinic.ask().is_well()
        assert any(f"uid {NOBODY.pw_uid} can open" in note for note in finding.notes("listener"))
        folder.chmod(0o700)
        clinic.ask().failed("listener", "may not enter the folder", str(folder))
    finally:
        folder.rmdir()


def test_local_client_without_a_socket(clinic):
    clinic.client = ["peer_uid = 12345"]
    done = doctor("-c", clinic.configure(), "--user", "CORP\\ann", "--host", "web01")
    assert done.returncode in (1, 60), done.stdout
    assert "listener" in done.stdout and "12345" in done.stdout


@pytest.fixture(scope="module", name="running")
def _running():
    folder = pathlib.Path(f"/tmp/jumpgate-doctor-{os.getpid()}")
    folder.mkdir(mode=0o755)
    try:
        with Stack({"listener local": {"address": f"unix:{folder}/broker.sock"},
                    "client local": {"peer_uid": os.getuid(), "allow": "broker"}}) as stack:
            stack.account(box=stack.system("web01"))
            yield stack, folder
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()


def ask_beside(stack, path=None):
    return Clinic(stack.vault, stack.gateway.path).ask(conf=path or stack.gateway.path / "jumpgate.conf")


def test_beside_a_running_gateway(running):
    stack, _ = running
    before = sorted(p.name for p in (stack.gateway.path / "state").iterdir())
    finding = ask_beside(stack).is_well()
    assert "served by the running gateway" in finding.stages["listener"]["detail"]
    assert any("the lease store is whole" in note for note in finding.notes("state"))
    assert sorted(p.name for p in (stack.gateway.path / "state").iterdir()) == before
    assert stack.live() == []


@AS_ROOT
def test_socket_whose_mode_was_changed(running):
    stack, folder = running
    (folder / "broker.sock").chmod(0o600)
    try:
        ask_beside(stack).warns("listener", "has mode 0600", "says mode 0660", "restart")
    finally:
        (folder / "broker.sock").chmod(0o660)


def test_address_that_the_running_gateway_does_not_serve(running):
    stack, _ = running
    other = stack.gateway.path / "other.conf"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        text = (stack.gateway.path / "jumpgate.conf").read_text()
        other.write_text(text.replace("address = 127.0.0.1:0", f"address = 127.0.0.1:{free.getsockname()[1]}"))
        other.chmod(0o600)
        finding = ask_beside(stack, other).failed("listener", "is not served", "restart")
        assert any("another configuration" in note for note in finding.notes("listener"))


SERVICE_MANAGER = """
import json, os, socket, subprocess, sys
assert os.getpid() == 1
held = [socket.create_server(("127.0.0.1", int(sys.argv[1]))), socket.socket(socket.AF_UNIX)]
held[1].bind(sys.argv[2])
held[1].listen()
done = subprocess.run(sys.argv[3:], capture_output=True, text=True)
held[1].setblocking(False)
try:
    held[1].accept()
    print("a connection came, which would have started the gateway")
except BlockingIOError:
    print(done.stdout)
"""


@AS_ROOT
def test_sockets_that_the_service_manager_holds(clinic):
    """Socket activation of a gateway that does not run: process 1 listens, here in a namespace of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = clinic.folder / "broker.sock"
    clinic.listener = [f"address = 127.0.0.1:{port}", "[listener local]", f"address = unix:{path}"]
    words = [str(BIN / "jumpgate"), "doctor", "-c", str(clinic.configure()), "--user", "CORP\\ann", "--host", "web01", "--json"]
    done = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "/usr/bin/python3", "-c", SERVICE_MANAGER,
                           str(port), str(path), *words], capture_output=True, text=True, timeout=60, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("namespaces cannot be made here")
    row = next(row for row in json.loads(done.stdout)["stages"] if row["stage"] == "listener")
    assert row["state"] == "ok" and len([n for n in row["notes"] if "socket activation" in n]) == 2, row


@AS_ROOT
def test_check_does_not_start_the_gateway(clinic):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = clinic.folder / "broker.sock"
    clinic.listener = [f"address = unix:{path}"]
    done = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "/usr/bin/python3", "-c", SERVICE_MANAGER,
                           str(port), str(path), str(BIN / "jumpgate"), "check", "-c", str(clinic.configure())],
                          capture_output=True, text=True, timeout=60, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("namespaces cannot be made here")
    assert done.stdout.strip().endswith("jumpgate.conf: ok"), done.stdout


ACTIVATOR = """
import os, socket, subprocess, sys
assert os.getpid() == 1
jumpgate, conf, path, mode = sys.argv[1:5]
held = socket.socket(socket.AF_UNIX)
held.bind(path)
os.chmod(path, int(mode, 8))
held.listen()
gateway = None
if mode == "0622":
    os.dup2(held.fileno(), 3)
    run = f'export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=local; exec {jumpgate} run -c {conf}'
    gateway = subprocess.Popen(["sh", "-c", run], pass_fds=[3], stdout=subprocess.PIPE)
    assert gateway.stdout.readline() == b"ready\\n"
print(subprocess.run(sys.argv[5:], capture_output=True, text=True).stdout)
if gateway:
    gateway.terminate()
    gateway.wait()
"""


@AS_ROOT
@pytest.mark.parametrize("mode", ["0666", "0622"])
def test_mode_of_a_passed_socket_is_the_service_managers(clinic, mode):
    """`unix_mode` is not applied to it, whether the gateway runs (0622) or not."""
    folder = open_folder(clinic)
    try:
        path = folder / "broker.sock"
        clinic.listener = ["address = 127.0.0.1:0", "[listener local]", f"address = unix:{path}", "unix_mode = 0600"]
        clinic.client = [f"peer_uid = {NOBODY.pw_uid}"]
        clinic.state_dir = folder / "state"
        clinic.state_dir.mkdir(mode=0o700)
        conf = str(clinic.configure())
        program = str(BIN / "jumpgate")
        done = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "/usr/bin/python3", "-c", ACTIVATOR,
                               program, conf, str(path), mode, program, "doctor", "-c", conf, "--user", "CORP\\ann",
                               "--host", "web01", "--json"], capture_output=True, text=True, timeout=60, check=False)
        if "Operation not permitted" in done.stderr:
            pytest.skip("namespaces cannot be made here")
        row = next(row for row in json.loads(done.stdout)["stages"] if row["stage"] == "listener")
        assert row["state"] == "ok", row
        assert any(f"uid {NOBODY.pw_uid} can open" in note for note in row["notes"]), row
    finally:
        shutil.rmtree(folder)


@AS_ROOT
def test_socket_gets_the_group_of_the_clients(clinic, tmp_path):
    """Without `unix_group`: the group of the packages, where the gateway's user is in it."""
    folder = open_folder(clinic)
    groups = tmp_path / "group"
    groups.write_text(f"root:x:0:\njumpgate-clients:x:60321:root,{NOBODY.pw_name}\n")
    clinic.client = [f"peer_uid = {NOBODY.pw_uid}"]
    clinic.listener = [f"address = unix:{folder}/broker.sock"]
    words = [str(BIN / "jumpgate"), "doctor", "-c", str(clinic.configure()), "--user", "CORP\\ann", "--host", "web01", "--json"]
    try:
        done = subprocess.run(["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/group && exec "$@"', str(groups),
                               *words], capture_output=True, text=True, timeout=60, check=False)
    finally:
        folder.rmdir()
    if "ermission" in done.stderr or "not permitted" in done.stderr:
        pytest.skip("namespaces cannot be made here")
    row = next(row for row in json.loads(done.stdout)["stages"] if row["stage"] == "listener")
    assert row["state"] == "ok", row


# ---- 61: certificates ----

def listen_with_tls(clinic, pair, *more):
    clinic.listener = ["address = 127.0.0.1:0", f"tls_certificate = {pair.certificate}", f"tls_key = {pair.key}", *more]
    return clinic


def test_certificates_that_are_good(clinic, authority):
    pair = authority.server("long", days=90)
    crl = authority.revocations([])
    listen_with_tls(clinic, pair, f"client_ca = {authority.certificate}", f"client_crl = {crl}")
    finding = clinic.ask().is_well()
    assert any(re.search("(89|90) days left", note) for note in finding.notes("certificate"))


def test_certificate_that_ends_soon(clinic, authority):
    listen_with_tls(clinic, authority.server("soon")).ask().warns("certificate", "days left", "within two weeks", "renew it")


def test_certificate_that_has_ended(clinic, authority):
    finding = listen_with_tls(clinic, authority.server("ended", expired=True)).ask().failed(
        "certificate", "[listener main]", "days ago", "renew it")
    assert finding.code == 61


def test_certificate_that_is_not_valid_yet(clinic, authority):
    listen_with_tls(clinic, authority.server("early", begins_in_days=3)).ask().failed("certificate", "begins in", "clock")


def test_key_of_another_certificate(clinic, authority):
    one, other = authority.server("one", days=90), authority.server("other", days=90)
    path = listen_with_tls(clinic, type(one)(one.certificate, other.key)).configure()
    finding = clinic.ask(conf=path).failed("configuration")
    assert finding.stages["certificate"]["state"] == "failed"
    finding.says("certificate", "is not the key of the certificate")


def test_certificate_without_a_name(clinic, authority):
    listen_with_tls(clinic, authority.server("nameless", sans=(), days=90)).ask().failed("certificate", "no name")


def test_certificate_for_another_use(clinic, authority):
    pair = authority.client("clientish", days=90)
    listen_with_tls(clinic, pair).ask().failed("certificate", "for another use", "server authentication")


def test_chain_that_is_broken(clinic, authority, tmp_path):
    other = Authority(tmp_path / "other", "stranger")
    pair = authority.server("chained", days=90)
    for issuer, broken in ((authority, False), (other, True)):
        both = tmp_path / "chain.crt"
        both.write_text(pathlib.Path(pair.certificate).read_text() + pathlib.Path(issuer.certificate).read_text())
        finding = listen_with_tls(clinic, type(pair)(str(both), pair.key)).ask()
        if broken:
            finding.failed("certificate", "has not signed the one before it")
        else:
            finding.is_well()


def test_pipes_are_not_waited_for(clinic, authority, tmp_path):
    pipe, pair = tmp_path / "pipe", authority.server()
    os.mkfifo(pipe, 0o600)
    for key in ("tls_certificate", "tls_key", "client_ca", "client_crl"):
        keys = {"tls_certificate": pair.certificate, "tls_key": pair.key, "client_ca": authority.certificate, key: pipe}
        clinic.listener = ["address = 127.0.0.1:0", *(f"{name} = {path}" for name, path in keys.items())]
        finding = clinic.ask()
        assert finding.code == 1 and finding.stages["certificate"]["state"] == "failed", finding.page
    clinic.listener = ["address = 127.0.0.1:0"]
    finding = clinic.ask(url="https://127.0.0.1:1/BeyondTrust/api/public/v3", ca_file=pipe)
    assert finding.code == 1 and finding.stages["certificate"]["state"] == "failed", finding.page


def test_revocation_list_of_another_authority(clinic, authority, tmp_path):
    other = Authority(tmp_path / "other", "stranger")
    pair = authority.server("listed", days=90)
    listen_with_tls(clinic, pair, f"client_ca = {authority.certificate}", f"client_crl = {other.revocations([])}")
    clinic.ask().failed("certificate", "of no authority in `client_ca`", "holds no list of")


def test_revocation_list_that_is_over(clinic, authority):
    path = authority.revocations([], expired=True)
    pair = authority.server("overlisted", days=90)
    listen_with_tls(clinic, pair, f"client_ca = {authority.certificate}", f"client_crl = {path}")
    clinic.ask().failed("certificate", "a list in", "days ago", "fetch")


def test_client_certificate_for_the_vault(clinic, authority):
    pair = authority.client("vault-client", expired=True)
    clinic.ask(client_certificate=pair.certificate, client_key=pair.key).failed(
        "certificate", "[vault main] `client_certificate`", "days ago")
    pair = authority.client("good-client", days=90)
    clinic.ask(client_certificate=pair.certificate, client_key=pair.key).is_well()


# ---- 62: state ----

def make_store(folder):
    """A store as a gateway leaves it."""
    with Stack() as stack:
        state = stack.gateway.path / "state"
        stack.gateway.stop()
        subprocess.run(["cp", "-a", f"{state}/.", str(folder)], check=True)


@pytest.fixture(scope="module", name="used")
def _used(tmp_path_factory):
    folder = tmp_path_factory.mktemp("used")
    make_store(folder)
    return folder


@pytest.fixture(name="state")
def _state(clinic, used, tmp_path):
    clinic.state_dir = tmp_path / "state"
    subprocess.run(["cp", "-a", str(used), str(clinic.state_dir)], check=True)
    clinic.state_dir.chmod(0o700)
    return clinic.state_dir


def test_state_of_a_stopped_gateway(clinic, state):
    before = sorted(p.name for p in state.iterdir())
    finding = clinic.ask().is_well()
    assert any("the lease store is whole and has 0 vault requests" in note for note in finding.notes("state"))
    assert sorted(p.name for p in state.iterdir()) == before


def test_state_that_is_not_there(clinic, tmp_path):
    clinic.state_dir = tmp_path / "nowhere"
    clinic.ask().warns("state", "is not there")


@pytest.mark.parametrize("harm, words", [("garbage", "not a database"), ("cut", "damaged"), ("empty", "is empty or missing"),
                                         ("gone", "is empty or missing"), ("other", "not a lease store")])
def test_store_that_is_damaged(clinic, state, harm, words):
    path = state / "leases.db"
    if harm == "garbage":
        path.write_bytes(os.urandom(8192))
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "gone":
        path.unlink()
    else:
        path.unlink()
        subprocess.run(["/usr/bin/python3", "-c", "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); "
                        "d.execute('create table t (a)'); d.commit()", str(path)], check=True)
    finding = clinic.ask().failed("state", "leases.db", "--rebuild")
    assert words in finding.stages["state"]["detail"] or words == "damaged", finding.page
    assert finding.code == 62


def test_store_of_a_newer_version(clinic, state):
    """--rebuild is no remedy: the gateway refuses such a store with it as well."""
    with contextlib.closing(sqlite3.connect(state / "leases.db")) as store:
        store.execute("PRAGMA user_version = 99")
    clinic.ask().failed("state", "newer version", "install the newer version again", "--rebuild does not touch")


def test_lock_that_is_a_pipe_is_not_waited_for(clinic, state):
    (state / "lock").unlink()
    os.mkfifo(state / "lock", 0o600)
    clinic.ask().is_well()


def test_state_that_others_can_read(clinic, state):
    state.chmod(0o750)
    clinic.ask().warns("state", "mode 0750", "chmod 0700")


@AS_ROOT
def test_state_of_another_user(clinic, state):
    clinic.gateway = [f"user = {NOBODY.pw_name}"]
    finding = clinic.ask().failed("state", "belongs to uid 0", f"runs as uid {NOBODY.pw_uid}", "chown")
    assert finding.code == 62


# ---- 63: disk ----

@pytest.fixture(name="small")
def _small(tmp_path):
    """A file system with little room."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = []

    def mount(options):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options + ",mode=0700", "tmpfs", str(folder)],
                              capture_output=True, check=False)
        if done.returncode:
            pytest.skip("file systems cannot be mounted here")
        mounted.append(folder)
        return folder
    yield mount
    for path in mounted:
        subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize("options, state, words", [
    ("size=4m", "failed", "MiB left"), ("size=200m", "warning", "MiB left"),
    ("size=2g,nr_inodes=10", "failed", "inodes left"), ("size=2g,nr_inodes=500", "warning", "inodes left"),
    ("size=2g,ro", "failed", "cannot be written")])
def test_file_system_without_room(clinic, small, options, state, words):
    clinic.gateway = [f"audit_file = {small(options)}/audit.jsonl"]
    finding = clinic.ask()
    (finding.failed if state == "failed" else finding.warns)("disk", "audit trail", words)
    assert finding.code == (63 if state == "failed" else 0)
