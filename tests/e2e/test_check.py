# SPDX-License-Identifier: Apache-2.0
"""`jumpgate check` looks at what `run` needs: what run refuses, check names; what is good, both take."""

import json
import os
import re
import socket
import subprocess

import pytest

from certificates import Authority, _openssl
from harness import API_KEY, BIN, SANITIZER, Gateway

NOWHERE = "http://127.0.0.1:9/BeyondTrust/api/public/v3"
GATE = 61001
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files to another user takes root")


def check(gateway, *words, environment=None):
    path = gateway.write_configuration()
    return subprocess.run([BIN / "jumpgate", "check", *words, "-c", path], capture_output=True, text=True, timeout=60,
                          check=False, env=environment or {**os.environ})


@pytest.fixture(name="gateway")
def _gateway():
    gateway = Gateway(NOWHERE)
    yield gateway
    if gateway.process and not gateway.stopped:
        gateway.stop()
    gateway.folder.cleanup()


def both_refuse(gateway, words, key, codes=(1,)):
    done = check(gateway)
    assert done.returncode == 1 and words in done.stderr, done
    found = [one for one in json.loads(check(gateway, "--json").stdout) if one["level"] == "error"]
    assert any(one["key"] == key and words in one["text"] and one["line"] for one in found), found
    gateway.launch()
    assert gateway.wait(60) in codes
    assert not SANITIZER.search(gateway.err.text), gateway.err.text


def both_take(gateway):
    done = check(gateway)
    assert (done.returncode, done.stderr) == (0, "")
    gateway.start()
    assert check(gateway).stderr == ""  # also while it runs
    gateway.stop()


def test_good(gateway):
    both_take(gateway)
    both_take(gateway)  # on its own store and trail


def test_privileged_identity_is_provisional(gateway):
    gateway.sections["vault main"] = {"type": "privileged_identity", "url": "https://erpm.example", "login_name": "svc"}
    both_refuse(gateway, "`type` = privileged_identity is provisional, since no server with a licence has been seen", "type")


def test_missing_state_dir_is_made(gateway):
    (gateway.path / "state").rmdir()
    both_take(gateway)


def test_state_dir_behind_a_link(gateway):
    (gateway.path / "state").rename(gateway.path / "elsewhere")
    (gateway.path / "state").symlink_to("elsewhere")
    both_take(gateway)
    both_take(gateway)


def test_missing_state_dir_with_a_slash_is_made(gateway):
    (gateway.path / "state").rmdir()
    gateway.sections["gateway"]["state_dir"] = f"{gateway.path}/state/"
    both_take(gateway)


@pytest.mark.parametrize("folder", ["state/deeper", "state-of-audit"])
def test_only_the_state_dir_itself_is_made(gateway, folder):
    (gateway.path / "state").rmdir()
    gateway.sections["gateway"]["audit_file"] = f"{gateway.path}/{folder}/audit.jsonl"
    both_refuse(gateway, "No such file", "audit_file")


@pytest.mark.parametrize("section, key, value, words", [
    ("gateway", "log_file", "{state}/audit.jsonl", "is the audit trail"),
    ("gateway", "log_file", "{state}//audit.jsonl", "is the audit trail"),
    ("gateway", "log_file", "{state}/leases.db", "is a file of the state directory"),
    ("gateway", "log_file", "{folder}/jumpgate.conf", "is the configuration"),
    ("gateway", "log_file", "{key}", "is the file of `api_key_file` in line"),
    ("gateway", "audit_file", "{state}/audit.head", "is a file of the state directory"),
    ("listener second", "address", "unix:{state}/control.sock", "is a file of the state directory"),
    ("listener second", "address", "unix:{folder}//first.sock", "is the file of `address` in line"),
])
def test_no_file_has_two_uses(gateway, section, key, value, words):
    """The log would be appended to a secret, and a socket would take the control socket's place."""
    secret = gateway.path / "named-key"
    secret.write_text(API_KEY + "\n")
    secret.chmod(0o600)
    gateway.sections["vault main"]["api_key_file"] = str(secret)
    gateway.sections["listener first"] = {"address": f"unix:{gateway.path}/first.sock"}
    gateway.sections.setdefault(section, {})[key] = value.format(state=gateway.path / "state", folder=gateway.path,
                                                                 key=secret)
    both_refuse(gateway, words, key)
    assert secret.read_text() == API_KEY + "\n"


@pytest.mark.parametrize("key", ["log_file", "audit_file"])
@pytest.mark.parametrize("kind, words", [("folder", "is a directory"), ("fifo", "is a pipe"), ("socket", "is a socket"),
                                         ("link", "is a link"), ("nowhere", "No such file")])
def test_kinds_of_log_and_audit_file(gateway, key, kind, words):
    path = gateway.path / "written"
    gateway.sections["gateway"][key] = str(path if kind != "nowhere" else path / "missing" / "file")
    with socket.socket(socket.AF_UNIX) as bound:
        if kind == "folder":
            path.mkdir()
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            bound.bind(str(path))
        elif kind == "link":
            path.symlink_to("elsewhere")
        both_refuse(gateway, words, key)


def test_log_to_dev_null_is_taken(gateway):
    gateway.sections["gateway"]["log_file"] = "/dev/null"
    both_take(gateway)


@pytest.mark.parametrize("key", ["log_file", "audit_file"])
def test_folder_that_all_can_write_is_warned_of(gateway, key):
    place = gateway.path / "open"
    place.mkdir()
    place.chmod(0o777)
    gateway.sections["gateway"][key] = str(place / "file")
    done = check(gateway)
    assert done.returncode == 0 and f"`{key}`: {place} can be written by others" in done.stderr
    assert done.stderr.count(str(place)) == 1
    gateway.start()
    assert f"{place} can be written by others" in gateway.err.text


def test_audit_file_of_another_program(gateway):
    (gateway.path / "state" / "audit.jsonl").write_text("not an audit trail\n")
    both_refuse(gateway, "is no audit file", "audit_file")


@pytest.mark.parametrize("damage", [b"", b"garbage" * 1000])
def test_damaged_store(gateway, damage):
    gateway.start()
    gateway.stop()
    (gateway.path / "state" / "leases.db").write_bytes(damage)
    both_refuse(gateway, "--rebuild", "state_dir")
    gateway.arguments = ["--rebuild"]
    gateway.start()
    gateway.stop()


@needs_root
def test_state_dir_of_another_user(gateway):
    os.chown(gateway.path / "state", 61999, 61999)  # a uid without a name: root cannot judge as that user
    both_refuse(gateway, "belongs to uid 61999", "state_dir")


@needs_root
def test_what_the_user_cannot_read(gateway):
    """Root can read the key, and the user that the gateway becomes cannot."""
    gateway.sections["gateway"]["user"] = "nobody"
    gateway.path.chmod(0o755)
    os.chown(gateway.path / "state", 65534, 65534)
    path = gateway.write_configuration()
    path.chmod(0o644)
    gateway.write_configuration = lambda: path
    both_refuse(gateway, "cannot read", "api_key_file")
    os.chown(gateway.path / "api-key", 65534, 65534)
    both_take(gateway)


@needs_root
def test_credentials_of_root(gateway):
    """The service manager passes them to the gateway, whose user cannot read them."""
    gateway.path.chmod(0o755)
    os.chown(gateway.path / "state", 65534, 65534)
    secrets = gateway.path / "secrets"
    secrets.mkdir(mode=0o700)
    (gateway.path / "api-key").rename(secrets / "api-key")
    gateway.sections["vault main"]["api_key_file"] = "$CREDENTIALS_DIRECTORY/api-key"
    environment = {**os.environ, "CREDENTIALS_DIRECTORY": str(secrets)}
    done = check(gateway, environment=environment)
    assert (done.returncode, done.stderr) == (0, ""), done
    gateway.sections["gateway"]["user"] = "nobody"  # such a gateway reads them itself
    path = gateway.write_configuration()
    path.chmod(0o644)
    gateway.write_configuration = lambda: path
    done = check(gateway, environment=environment)
    assert done.returncode == 1 and f"`api_key_file`: cannot read {secrets}/api-key: Permission denied" in done.stderr, done
    assert "-p LoadCredential=api-key:/etc/jumpgate/secrets/api-key /usr/bin/jumpgate check" in done.stderr


def test_folder_of_a_socket(gateway):
    gateway.sections["listener more"] = {"address": f"unix:{gateway.path}/missing/socket"}
    gateway.sections["client local"] = {"peer_uid": "1", "allow": "observe"}
    both_refuse(gateway, "the directory of the socket", "address")


def test_file_in_the_way_of_a_socket(gateway):
    (gateway.path / "socket").write_text("")
    gateway.sections["listener more"] = {"address": f"unix:{gateway.path}/socket"}
    both_refuse(gateway, "in the way", "address")


def test_port_in_use(gateway):
    with socket.create_server(("127.0.0.1", 0)) as other:
        gateway.sections["listener main"]["address"] = f"127.0.0.1:{other.getsockname()[1]}"
        both_refuse(gateway, "in use", "address", codes=(3,))


def test_socket_in_use(gateway):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(gateway.path / "socket"))
        other.listen()
        gateway.sections["listener main"]["address"] = f"unix:{gateway.path}/socket"
        both_refuse(gateway, "in use", "address", codes=(3,))


def test_port_in_use_while_the_gateway_runs(gateway):
    """Its own port is no finding; one that another process has is a warning."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    gateway.sections["listener main"]["address"] = f"127.0.0.1:{port}"
    gateway.start()
    assert check(gateway).stderr == ""
    with socket.create_server(("127.0.0.1", 0)) as other:
        gateway.sections["listener more"] = {"address": f"127.0.0.1:{other.getsockname()[1]}"}
        done = check(gateway)
        assert done.returncode == 0 and "warning: `address`" in done.stderr
    gateway.sections.pop("listener more")


def test_address_of_another_machine(gateway):
    server = long_lived(gateway)
    gateway.sections["listener main"] = {"address": "192.0.2.1:8443", "tls_certificate": server.certificate,
                                         "tls_key": server.key}
    both_refuse(gateway, "no address of this machine", "address", codes=(3,))


# ---- certificates ----

def long_lived(gateway, days=365):
    authority = Authority(gateway.path)
    pair = authority.server()
    _openssl("x509", "-req", "-in", str(gateway.path / "server.csr"), "-CA", authority.certificate, "-CAkey",
             authority.key, "-set_serial", "7", "-days", str(days), "-extfile", str(gateway.path / "server.ext"), "-out",
             pair.certificate)
    return pair


def test_certificates_that_end_soon(gateway):
    server = long_lived(gateway)
    listener = gateway.sections["listener main"]
    listener.update(tls_certificate=server.certificate, tls_key=server.key)
    both_take(gateway)
    authority = Authority(gateway.path / "short", "clients")
    listener["client_ca"] = authority.certificate  # 30 days
    listener["client_crl"] = authority.revocations([], days=10)
    short = Authority(gateway.path / "ending").server()  # 10 days
    listener.update(tls_certificate=short.certificate, tls_key=short.key)
    done = check(gateway)
    assert done.returncode == 0
    assert re.search(f"`tls_certificate`: a certificate in {short.certificate} ends in (9|10) days", done.stderr)
    assert re.search(f"`client_ca`: a certificate in {authority.certificate} ends in (29|30) days", done.stderr)
    assert "client_crl" not in done.stderr  # its whole time is left
    ended = Authority(gateway.path / "ended").server(expired=True)
    listener.update(tls_certificate=ended.certificate, tls_key=ended.key)
    done = check(gateway)
    assert done.returncode == 0 and "has expired" in done.stderr


# ---- forms ----

def test_json(gateway):
    gateway.sections["gateway"]["log_level"] = "loud"
    gateway.sections["gateway"]["release_duration"] = "90s"
    done = check(gateway, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    found = json.loads(done.stdout)
    assert [list(one) for one in found] == [["level", "file", "line", "key", "text"]] * len(found)
    levels = {one["key"]: one["level"] for one in found}
    assert levels == {"log_level": "error", "release_duration": "warning"}
    lines = (gateway.path / "jumpgate.conf").read_text().splitlines()
    for one in found:
        assert lines[one["line"] - 1].startswith(one["key"]) and one["file"].endswith("jumpgate.conf")
    del gateway.sections["gateway"]["log_level"], gateway.sections["gateway"]["release_duration"]
    assert json.loads(check(gateway, "--json").stdout) == []


def test_json_of_a_missing_file(tmp_path):
    done = subprocess.run([BIN / "jumpgate", "check", "--json", "-c", tmp_path / "none"], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 1
    assert [one["line"] for one in json.loads(done.stdout)] == [None]


def test_diff(gateway):
    assert "not running" in check(gateway, "--diff").stderr
    gateway.start()
    assert check(gateway, "--diff").stdout.startswith("no difference")
    gateway.sections["gateway"].update(list_cache="7s", log_level="debug")
    gateway.sections["client new"] = {"token_sha256": "ab" * 32, "allow": "observe"}
    gateway.sections["client pra"]["token_sha256"] = "cd" * 32
    gateway.sections["vault main"]["default_domain"] = "CORP"
    done = check(gateway, "--diff")
    assert done.returncode == 0 and done.stdout.splitlines() == [
        "[gateway] list_cache: 15s -> 7s",
        "[gateway] log_level: info -> debug",
        "[client pra] token_sha256: changed",
        "[client new]: new",
        "[vault main] default_domain: (not set) -> CORP",
        "`jumpgate reload` would take all of this",
    ], done.stdout
    for secret in ("ab" * 32, "cd" * 32, API_KEY):
        assert secret not in done.stdout


def test_diff_says_what_needs_a_restart(gateway):
    gateway.start()
    gateway.sections["gateway"]["explain_entries"] = "5"
    gateway.sections["listener more"] = {"address": "127.0.0.1:0"}
    gateway.sections["gateway"]["list_cache"] = "7s"
    done = check(gateway, "--diff")
    lines = done.stdout.splitlines()
    assert "[gateway] explain_entries: 2000 -> 5  (needs a restart)" in lines
    assert "[listener more]: new  (needs a restart)" in lines
    assert "[gateway] list_cache: 15s -> 7s" in lines
    assert lines[-1] == "2 of 3 need a restart; a reload would refuse all of them"


@pytest.mark.parametrize("pair", [("gateway", "max_body", "65536"), ("gateway", "list_cache", "15000ms")])
def test_diff_knows_equal_values(gateway, pair):
    gateway.start()
    gateway.sections[pair[0]][pair[1]] = pair[2]
    assert check(gateway, "--diff").stdout.startswith("no difference")


# ---- credentials of the unit ----

def test_names_the_line_that_gives_credentials(gateway):
    gateway.sections["vault main"]["api_key_file"] = "$CREDENTIALS_DIRECTORY/api-key"
    environment = {name: value for name, value in os.environ.items() if name != "CREDENTIALS_DIRECTORY"}
    path = gateway.path / "jumpgate.conf"
    line = ("systemd-run --pipe --wait --collect -p User=jumpgate -p Group=jumpgate "
            "-p SupplementaryGroups=jumpgate-clients -p LoadCredential=api-key:/etc/jumpgate/secrets/api-key "
            "/usr/bin/jumpgate ")
    done = check(gateway, environment=environment)
    assert done.returncode == 1 and f"{line}check -c {path}\n" in done.stderr
    environment["CREDENTIALS_DIRECTORY"] = str(gateway.path)
    assert check(gateway, environment=environment).returncode == 0
