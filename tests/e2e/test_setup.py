# SPDX-License-Identifier: Apache-2.0
"""`jumpgate setup`: flags, questions on a terminal, what it writes and never overwrites, and a gateway that runs from it."""

import os
import pathlib
import pty
import re
import resource
import select
import socket
import stat
import subprocess
import termios
import time

import pytest

import machine as machines
from certificates import Authority
from harness import API_KEY, BIN, Gateway, tls_context
from machine import Machine, possible
from pra_site import CLIENT_ID, CLIENT_SECRET, PraSite
from stack import OAUTH_ID, OAUTH_SECRET, PEOPLE, Stack
from simulator import Simulator

CONF = "etc/jumpgate/jumpgate.conf"
DROP_IN = "etc/systemd/system/jumpgate.service.d/10-setup.conf"
JUMPGATE = str(BIN / "jumpgate")


class Vault(Stack):
    """The vault of a Stack, over TLS, without a gateway."""

    def __enter__(self):
        self.vault.start()
        self.vault.scenario(PEOPLE)
        return self

    def __exit__(self, kind, value, trace):
        self.vault.stop(check=kind is None)


@pytest.fixture(name="authority", scope="module")
def _authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("vault-ca"))


@pytest.fixture(name="vault", scope="module")
def _vault(authority):
    with Vault(tls=authority.server()) as vault:
        yield vault


class Run:
    """One folder in place of /, and the command with the flags that most tests share."""

    def __init__(self, tmp_path, vault, authority):
        self.root = tmp_path / "root"
        (self.root / "var/lib").mkdir(parents=True)
        self.key = tmp_path / "key"
        self.key.write_text(API_KEY + "\n")
        self.key.chmod(0o600)
        self.box = vault.account(password="s3cret")
        self.flags = {"--root": self.root, "--vault-url": vault.vault.url, "--vault-ca": authority.certificate,
                      "--api-key-file": self.key, "--listen": f"unix:{self.root}/broker.sock",
                      "--client-uid": os.getuid(), "--user": "CORP\\ann", "--host": self.box.name}

    def words(self, changed=None, *more):
        flags = {**self.flags, **(changed or {})}
        return [JUMPGATE, "setup", *(str(w) for pair in flags.items() if pair[1] is not None for w in pair), *more]

    def __call__(self, changed=None, *more, stdin=None, **how):
        return subprocess.run(self.words(changed, *more), input=stdin or b"", capture_output=True, timeout=60,
                              check=False, **how)

    def made(self):
        """All files below the root, and the folders that setup may make."""
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*")
                      if str(p.relative_to(self.root)) not in ("var", "var/lib"))

    def text(self, name):
        return (self.root / name).read_text()


@pytest.fixture(name="run")
def _run(tmp_path, vault, authority):
    return Run(tmp_path, vault, authority)


class FromSetup(Gateway):
    """A gateway on the configuration that setup has written."""

    def __init__(self, run):
        super().__init__(environment={"CREDENTIALS_DIRECTORY": str(run.root / "etc/jumpgate/secrets")})
        self.sections = {"listener broker": {}}
        self.conf = run.root / CONF

    def write_configuration(self):
        return self.conf


def succeed(done):
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serves(vault, run, **how):
    """A find and a check-out through the gateway that setup has made."""
    with FromSetup(run) as gateway:
        ann = vault.session("ann", run.box)
        found = gateway.find(ann, listener="broker", **how)
        assert found.status == 200, found.body
        answer = gateway.checkout(ann, found.json["credentials"][0]["credential_id"], listener="broker", **how)
        assert answer.status == 200 and answer.json["password"] == "s3cret"
        assert gateway.complete(ann, listener="broker", **how).status == 200


# ---- on a machine with the package ----

@pytest.mark.skipif(machines.possible() is not None, reason=str(machines.possible()))
def test_on_an_installed_machine():
    """Users, owners and folders of the package: check runs as the gateway's user, which cannot read the secrets."""
    with machines.Machine("http://127.0.0.1:9") as machine:
        machine.run("""
            rm /etc/jumpgate/jumpgate.conf /etc/jumpgate/secrets/* /etc/jumpgate/tls/*
            jumpgate config --defaults >/etc/jumpgate/jumpgate.conf
            chown root:jumpgate /etc/jumpgate/jumpgate.conf; chmod 0640 /etc/jumpgate/jumpgate.conf
            """)
        setup = (f"echo {API_KEY} | jumpgate setup --vault-url localhost:9 --api-key-file - --listen 127.0.0.1:0 "
                 "--client-by token ")
        failed = machine.run(setup + "--user 'CORP\\ann' --host web", check=False)
        assert failed.returncode == 1 and "nothing of it is left" in failed.stdout, failed.stdout
        assert "Permission denied" not in failed.stdout and "FAILED   tcp" in failed.stdout, failed.stdout
        assert machine.run("ls -A /run /etc/jumpgate/secrets /etc/jumpgate/tls").stdout.split() == [
            "/etc/jumpgate/secrets:", "/etc/jumpgate/tls:", "/run:", "systemd"]

        assert "jumpgate.conf: ok" in machine.run(setup + "--no-connect").stdout
        assert machine.run("cd /etc/jumpgate; stat -c '%n %U:%G %a' jumpgate.conf secrets secrets/api-key").stdout == (
            "jumpgate.conf root:jumpgate 640\nsecrets root:root 700\nsecrets/api-key root:root 600\n")
        assert "jumpgate-setup" not in machine.run("ls -A /run").stdout
        machine.run("systemctl start jumpgate")
        assert "lease store" in machine.run("jumpgate status", check=False).stdout


# ---- what it writes ----

def test_unix_socket_and_user(vault, run):
    out = succeed(run())
    assert f"unix:{run.root}/broker.sock" in out
    assert f"CREDENTIALS_DIRECTORY={run.root}/etc/jumpgate/secrets" in out and f"jumpgate run -c {run.root}/{CONF}" in out
    assert API_KEY not in out
    assert run.made() == ["etc", "etc/jumpgate", CONF, "etc/jumpgate/secrets", "etc/jumpgate/secrets/api-key",
                          "etc/jumpgate/tls", "etc/jumpgate/tls/vault-ca.pem", "etc/systemd", "etc/systemd/system",
                          "etc/systemd/system/jumpgate.service.d", DROP_IN]
    modes = {"etc/jumpgate": 0o750, CONF: 0o640, "etc/jumpgate/secrets": 0o700, "etc/jumpgate/secrets/api-key": 0o600,
             "etc/jumpgate/tls": 0o750, "etc/jumpgate/tls/vault-ca.pem": 0o644, DROP_IN: 0o644}
    assert {name: stat.S_IMODE((run.root / name).stat().st_mode) for name in modes} == modes
    assert run.text("etc/jumpgate/secrets/api-key") == API_KEY + "\n"
    assert run.text(DROP_IN).splitlines()[1:] == [
        "[Service]", "LoadCredential=", f"LoadCredential=api-key:{run.root}/etc/jumpgate/secrets/api-key"]
    assert "release_duration = 60m" in run.text(CONF)
    serves(vault, run)


def test_root_that_is_empty(vault, run):
    (run.root / "var/lib").rmdir()
    (run.root / "var").rmdir()
    failed = run({"--vault-url": "https://127.0.0.1:1"})
    assert failed.returncode == 1 and list(run.root.iterdir()) == []
    succeed(run())
    serves(vault, run)


def test_tls_with_a_client_certificate(vault, run):
    port = free_port()
    out = succeed(run({"--listen": f"127.0.0.1:{port}", "--client-uid": None, "--client-by": "certificate",
                       "--server-name": "localhost, 127.0.0.1", "--client": "ecm", "--release-duration": "90"}))
    assert f"https://localhost:{port}" in out and "client-ecm.pem" in out
    folder = run.root / "etc/jumpgate"
    for key in ("ca", "server", "client-ecm"):
        assert stat.S_IMODE((folder / f"secrets/{key}.key").stat().st_mode) == 0o600
    assert "release_duration = 90m" in run.text(CONF)
    assert f"LoadCredential=server.key:{run.root}/etc/jumpgate/secrets/server.key" in run.text(DROP_IN)
    assert "ca.key" not in run.text(DROP_IN) + run.text(CONF)
    for certificate, purpose in (("server", "sslserver"), ("client-ecm", "sslclient")):
        subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", folder / "tls/ca.pem",
                        folder / f"tls/{certificate}.pem"], check=True, capture_output=True)
    known = tls_context(folder / "tls/ca.pem", folder / "tls/client-ecm.pem", folder / "secrets/client-ecm.key")
    serves(vault, run, tls=known, token=None)
    with FromSetup(run) as gateway:
        with pytest.raises(OSError):
            gateway.call("GET", "/livez", listener="broker", tls=tls_context(folder / "tls/ca.pem"))


def test_tls_with_a_token(vault, run):
    out = succeed(run({"--listen": f"127.0.0.1:{free_port()}", "--client-uid": None, "--server-name": "127.0.0.1"}))
    folder = run.root / "etc/jumpgate"
    token = (folder / "secrets/client-pra.token").read_text().strip()
    assert re.fullmatch("[0-9a-f]{64}", token) and token not in out + run.text(CONF) + run.text(DROP_IN)
    assert "client-pra.token" in out and "tls/ca.pem" in out
    serves(vault, run, tls=tls_context(folder / "tls/ca.pem"), token=token)


def test_certificate_request(vault, run):
    out = succeed(run({"--listen": f"127.0.0.1:{free_port()}", "--client-uid": None, "--certificate": "request",
                       "--server-name": "localhost 127.0.0.1 gw.example.test"}))
    folder = run.root / "etc/jumpgate"
    assert "server.csr" in out and not (folder / "tls/ca.pem").exists()
    shown = subprocess.run(["openssl", "req", "-in", folder / "tls/server.csr", "-verify", "-noout", "-text"], check=True,
                           capture_output=True, text=True).stdout
    assert "DNS:localhost, IP Address:127.0.0.1, DNS:gw.example.test" in shown
    token = (folder / "secrets/client-pra.token").read_text().strip()
    serves(vault, run, tls=tls_context(folder / "tls/server.pem"), token=token)


def test_oauth_and_the_site(vault, run, authority, tmp_path):
    secret, site_secret = tmp_path / "oauth", tmp_path / "site"
    secret.write_text(OAUTH_SECRET)
    site_secret.write_text(CLIENT_SECRET)
    with PraSite(tls=authority.server("site")) as site:
        succeed(run({"--api-key-file": None, "--oauth-id": OAUTH_ID, "--oauth-secret-file": secret,
                     "--oauth-shared-identity": "yes", "--pra-url": site.url,
                     "--pra-ca": authority.certificate, "--pra-id": CLIENT_ID, "--pra-secret-file": site_secret}))
        assert "oauth_client_secret_file = $CREDENTIALS_DIRECTORY/oauth-secret" in run.text(CONF)
        assert "api-key" not in run.text(CONF) + run.text(DROP_IN)
        assert f"LoadCredential=pra-secret:{run.root}/etc/jumpgate/secrets/pra-secret" in run.text(DROP_IN)
        serves(vault, run)


@pytest.mark.parametrize("host", [None, "no-such-box"])
def test_site_that_cannot_be_used_leaves_nothing(run, authority, tmp_path, host):
    """Also where the doctor's exit code is that of an earlier stage, which is no fault of the files."""
    secret = tmp_path / "site"
    secret.write_text("wrong")
    with PraSite(tls=authority.server("site")) as site:
        done = run({"--host": host or run.box.name, "--pra-url": site.url, "--pra-ca": authority.certificate,
                    "--pra-id": CLIENT_ID, "--pra-secret-file": secret})
    assert done.returncode == 1 and "could not be used" in done.stderr.decode(), done.stdout
    assert run.made() == []


@pytest.mark.parametrize("names", ["gw.example.com,10.0.0.1 ::1", "*.example.com", "gw-1_a", " gw , 1.2.3.4 "])
def test_names_that_are_good(run, names):
    out = succeed(run({"--vault-url": "HTTPS://vault.example.com", "--listen": "127.0.0.1:0", "--client-by": "token",
                       "--client-uid": None, "--server-name": names.strip()}, "--dry-run"))
    assert "url = HTTPS://vault.example.com/BeyondTrust" in out


def test_secret_from_standard_input(run):
    succeed(run({"--api-key-file": "-"}, stdin=f"{API_KEY}\n".encode()))
    assert run.text("etc/jumpgate/secrets/api-key") == API_KEY + "\n"


def test_port_of_root_needs_a_capability(run):
    succeed(run({"--listen": "127.0.0.1:443", "--client-uid": None, "--user": None, "--host": None}))
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in run.text(DROP_IN)


# ---- nothing by halves ----

def test_dry_run_writes_nothing_and_shows_no_secret(run):
    out = succeed(run({"--listen": "127.0.0.1:8443", "--client-uid": None, "--client-by": "certificate"}, "--dry-run"))
    assert run.made() == []
    assert f"{run.root}/etc/jumpgate/secrets/api-key  mode 0600  root:root" in out
    assert f"{run.root}/{CONF}  mode 0640  root:jumpgate" in out
    assert "    [vault safe]" in out and "(API key, not shown)" in out and "(private key, not shown)" in out
    assert API_KEY not in out and "PRIVATE KEY" not in out


@pytest.mark.parametrize("name", [CONF, DROP_IN, "etc/jumpgate/secrets/api-key", "etc/jumpgate/tls/vault-ca.pem"])
def test_no_file_is_overwritten(run, name):
    path = run.root / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    before = run.made()
    done = run()
    assert done.returncode == 1 and f"{path} exists" in done.stderr.decode()
    assert run.made() == before and path.read_text() == "mine"


def untouched(run):
    defaults = subprocess.run([JUMPGATE, "config", "--defaults"], check=True, capture_output=True).stdout
    path = run.root / CONF
    path.parent.mkdir(parents=True)
    path.write_bytes(defaults)
    return path, defaults


def test_untouched_configuration_is_replaced(vault, run):
    path, _ = untouched(run)
    succeed(run())
    assert "[vault safe]" in path.read_text() and not list(path.parent.glob("*before*"))


def test_changed_configuration_is_not(run):
    path, defaults = untouched(run)
    path.write_bytes(defaults + b"\n")
    assert run().returncode == 1 and path.read_bytes() == defaults + b"\n"


def test_failure_half_way_leaves_nothing(run):
    path, defaults = untouched(run)
    before = run.made()
    done = run(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600)))
    assert done.returncode == 1 and "cannot be made: File too large" in done.stderr.decode()
    assert run.made() == before and path.read_bytes() == defaults


def test_configuration_left_aside_by_a_killed_setup_is_named(run):
    path, defaults = untouched(run)
    left = path.with_name(path.name + ".before-setup")
    left.write_bytes(defaults)
    before = run.made()
    done = run()
    assert done.returncode == 1 and ".before-setup beside it" in done.stderr.decode()
    assert run.made() == before


@pytest.mark.parametrize("changed, words", [
    ({"--vault-url": "https://127.0.0.1:1/BeyondTrust/api/public/v3"}, "the vault or the site could not be used"),
    ({"--vault-ca": None}, "the vault or the site could not be used"),
    ({"--user": "CORP\\outsider"}, "the vault or the site could not be used"),
])
def test_vault_that_cannot_be_used_leaves_nothing(run, changed, words):
    path, defaults = untouched(run)
    before = run.made()
    done = run(changed)
    assert done.returncode == 1 and words in done.stderr.decode()
    assert run.made() == before and path.read_bytes() == defaults
    succeed(run(changed, "--no-connect"))


def test_user_without_credentials_is_no_fault_of_the_files(run):
    assert "the files are kept" in succeed(run({"--host": "no-such-box"}))
    assert (run.root / CONF).exists()


def test_folder_that_others_can_write_is_refused(run):
    (run.root / "etc").mkdir()
    (run.root / "etc").chmod(0o777)
    done = run()
    assert done.returncode == 1 and "can be written by others" in done.stderr.decode()
    assert run.made() == ["etc"]


@pytest.mark.parametrize("changed, words", [
    ({"--vault-url": None}, "--vault-url is missing"),
    ({"--vault-url": "http://vault.example.test"}, "must be https"),
    ({"--vault-url": "ftp://x"}, "must be https"),
    ({"--vault-ca": "/no/such/file"}, "cannot be read"),
    ({"--vault-ca": "/"}, "--vault-ca: `/` is no file"),
    ({"--vault-ca": "/dev/zero"}, "--vault-ca: `/dev/zero` is no file"),
    *(({"--listen": "127.0.0.1:0", "--client-by": "token", "--client-uid": None, "--server-name": name},
       f"--server-name: `{name}` must be host names") for name in
      ("*", "a..b", "-x", ".x", ":", "a:b", "gw a*b", "gw, ,x-", "a" * 64, ".".join(["a" * 60] * 5))),
    ({"--api-key-file": None}, "--api-key-file is missing"),
    ({"--api-key-file": "/no/such/file"}, "/no/such/file"),
    ({"--api-key-file": "-"}, "standard input: it is empty"),
    ({"--sign-in": "password"}, "--sign-in cannot be `password`"),
    ({"--release-duration": "soon"}, "--release-duration: `soon`"),
    ({"--listen": "0.0.0.0"}, "--listen: `0.0.0.0`"),
    ({"--client": "../x"}, "--client: `../x`"),
    ({"--client-uid": "no-such-user-here"}, "is no user of this machine"),
    ({"--client-by": "certificate"}, "a Unix socket has no certificates"),
    ({"--listen": "127.0.0.1:8443"}, "--client-uid does not go with the other answers"),
    ({"--listen": "127.0.0.1:8443", "--client-uid": None, "--client-by": "uid"}, "over TCP there is no uid"),
    ({"--server-name": "gw"}, "--server-name does not go with the other answers"),
    ({"--oauth-id": "x # y", "--api-key-file": None, "--sign-in": "oauth"}, "what begins a comment"),
    ({"--oauth-id": "x", "--api-key-file": None, "--oauth-secret-file": "/dev/null"}, "--oauth-secret-file: "),
    ({"--oauth-id": "x", "--api-key-file": None, "--oauth-secret-file": __file__}, "is longer than 4096 bytes"),
    ({"--oauth-id": "x", "--api-key-file": None, "--oauth-secret-file": "/proc/sys/kernel/ostype"}, "--oauth-shared-identity is missing"),
    ({"--user": "CORP\\ann", "--host": None}, "--host is missing"),
    *(({"--user": user}, f"--user: `{user}` must be DOMAIN\\NAME") for user in ("ann", "ann@corp", "CORP\\", "\\ann", "A\\b\\c")),
    ({"--pra-url": "site.example.test"}, "--pra-id is missing"),
])
def test_bad_flags(run, changed, words):
    done = run(changed)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr.decode() and run.made() == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_without_root_it_says_so(run):
    words = [w for w in run.words() if w not in ("--root", str(run.root))]
    done = subprocess.run(words, capture_output=True, check=False, user=65534, group=65534, timeout=60)
    assert done.returncode == 1 and b"run it as root" in done.stderr


# ---- the terminal ----

class Terminal:
    """The command on a pseudo-terminal."""

    def __init__(self, words):
        self.main, side = pty.openpty()
        self.side = side
        self.process = subprocess.Popen(words, stdin=side, stdout=side, stderr=side, start_new_session=True,
                                        preexec_fn=lambda: __import__("fcntl").ioctl(0, termios.TIOCSCTTY, 0))
        self.text = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.main)
        os.close(self.side)

    def more(self, limit):
        ready, _, _ = select.select([self.main], [], [], max(0, min(0.2, limit - time.monotonic())))
        if ready:
            self.text += os.read(self.main, 65536).decode().replace("\r\n", "\n")
        assert time.monotonic() < limit, self.text

    def see(self, words):
        """Waits for the words behind what was read so far."""
        limit = time.monotonic() + 30
        while words not in self.text:
            self.more(limit)
        self.text = self.text.split(words, 1)[1]

    def answer(self, question, text, hidden=False):
        """Waits for the question, and for the echo to be off; types the answer. The command throws away what is typed
        at a secret before its echo is off, so `question` is the prompt itself, never a text in front of it."""
        limit = time.monotonic() + 30
        self.see(question)
        while hidden and termios.tcgetattr(self.side)[3] & termios.ECHO:
            assert time.monotonic() < limit
            time.sleep(0.01)
        os.write(self.main, text.encode() + b"\n")

    def end(self):
        limit = time.monotonic() + 60
        while self.process.poll() is None or select.select([self.main], [], [], 0)[0]:
            self.more(limit)
        return self.process.returncode


def test_questions(vault, run, authority):
    with Terminal([JUMPGATE, "setup", "--root", str(run.root)]) as terminal:
        terminal.answer("address of its API: ", "http://x")
        terminal.answer("must be https", "")
        terminal.answer("an answer is needed", vault.vault.url)
        terminal.answer("authority of its certificate", authority.certificate)
        terminal.answer("[api-key]: ", "")
        terminal.answer("(not shown): ", API_KEY, hidden=True)
        terminal.answer("Release duration in minutes [60]: ", "forever")
        terminal.answer("`forever`", "120")
        terminal.answer("[unix:/run/jumpgate/broker.sock]: ", f"unix:{run.root}/broker.sock")
        terminal.answer("[pra]: ", "")
        terminal.answer("[uid]: ", "certificate")
        terminal.answer("a Unix socket has no certificates", "uid")
        terminal.answer("name or number: ", str(os.getuid()))
        terminal.answer("PRA site", "")
        terminal.answer("A PRA user", "CORP\\ann")
        terminal.answer("A machine", run.box.name)
        terminal.answer("Write them? [y/N] ", "y")
        assert terminal.end() == 0, terminal.text
        assert API_KEY not in terminal.text
        assert "jumpgate run -c " in terminal.text
    assert "release_duration = 120m" in run.text(CONF)
    serves(vault, run)


def test_answers_outlive_a_vault_that_cannot_be_used(vault, run):
    """They are the defaults of the second round; what a flag has answered is not asked again."""
    words = run.words({"--vault-url": None, "--api-key-file": None, "--pra-url": None, "--user": None, "--host": None,
                       "--release-duration": "60", "--client": "pra", "--listen": None, "--client-uid": None})
    with Terminal(words) as terminal:
        terminal.answer("address of its API: ", "https://127.0.0.1:1/BeyondTrust/api/public/v3")
        terminal.answer("[api-key]: ", "")
        terminal.answer("(not shown): ", API_KEY, hidden=True)
        terminal.answer("[unix:/run/jumpgate/broker.sock]: ", "127.0.0.1:0")
        terminal.answer("[token]: ", "certificate")
        terminal.answer("[own-ca]: ", "")
        terminal.answer("call this gateway [", "gw.example.com")
        terminal.answer("PRA site", "")
        terminal.answer("A PRA user", "CORP\\ann")
        terminal.answer("A machine", run.box.name)
        terminal.answer("Write them? [y/N] ", "y")
        terminal.answer("Change the answers and try again? [y/N] ", "y")
        assert run.made() == []
        terminal.answer("[https://127.0.0.1:1/BeyondTrust/api/public/v3]: ", vault.vault.url)
        terminal.answer("[api-key]: ", "")
        terminal.answer("(not shown; empty: the same): ", "", hidden=True)
        terminal.answer("[127.0.0.1:0]: ", f"unix:{run.root}/broker.sock")
        terminal.answer("[uid]: ", "")
        terminal.answer("name or number: ", str(os.getuid()))
        terminal.answer("PRA site", "")
        terminal.answer("[CORP\\ann] (- for none): ", "")
        terminal.answer(f"[{run.box.name}]: ", "")
        assert terminal.end() == 0, terminal.text
        assert API_KEY not in terminal.text
    assert "tls" not in run.text(CONF).replace(f"{run.root}/etc/jumpgate/tls/vault-ca.pem", "")
    assert not (run.root / "etc/jumpgate/secrets/server.key").exists()
    serves(vault, run)


def test_try_without_the_vault_keeps_the_files(run):
    """A single - takes an answer back."""
    with Terminal(run.words({"--vault-url": "https://127.0.0.1:1/x", "--pra-url": None, "--sign-in": "api-key", "--user": None,
                             "--host": None, "--release-duration": "60", "--client": "pra", "--client-by": "uid"})) as terminal:
        terminal.answer("PRA site", "")
        terminal.answer("A PRA user", "CORP\\ann")
        terminal.answer("A machine", run.box.name)
        terminal.answer("Write them? [y/N] ", "y")
        terminal.answer("Change the answers and try again? [y/N] ", "y")
        terminal.answer("PRA site", "")
        terminal.answer("(- for none): ", "-")
        assert terminal.end() == 0 and "The vault was not asked" in terminal.text, terminal.text
    assert "127.0.0.1:1" in run.text(CONF)


def test_secret_of_standard_input_is_not_shown_on_a_terminal(run):
    more = {"--sign-in": "api-key", "--release-duration": "60", "--client": "pra", "--client-by": "uid",
            "--api-key-file": "-"}
    with Terminal(run.words(more)) as terminal:
        terminal.answer("not shown", API_KEY, hidden=True)
        terminal.answer("PRA site", "")
        terminal.answer("Write them? [y/N] ", "n")
        assert terminal.end() == 1 and "nothing was written" in terminal.text
        assert API_KEY not in terminal.text


def test_secret_with_a_control_character_is_asked_again(run):
    words = run.words({"--api-key-file": None, "--sign-in": "api-key"})
    with Terminal(words) as terminal:
        terminal.answer("(not shown): ", API_KEY + "\x1b[D", hidden=True)
        terminal.see("control character")
        terminal.answer("(not shown): ", "", hidden=True)
        terminal.see("an answer is needed")
        terminal.answer("(not shown): ", "\x03", hidden=True)
        assert terminal.end() == 1


def test_no_writes_nothing(run):
    with Terminal(run.words({"--sign-in": "api-key", "--release-duration": "60", "--client": "pra", "--client-by": "uid",
                             "--pra-url": None})) as terminal:
        terminal.answer("PRA site", "")
        terminal.answer("Write them? [y/N] ", "n")
        assert terminal.end() == 1 and "nothing was written" in terminal.text
    assert run.made() == []


def test_interrupt_at_a_secret_restores_the_echo(run, vault):
    words = run.words({"--api-key-file": None, "--sign-in": "api-key"})
    with Terminal(words) as terminal:
        terminal.answer("(not shown): ", "half\x03", hidden=True)
        assert terminal.end() == 1 and "was not finished" in terminal.text
        assert "half" not in terminal.text
        assert termios.tcgetattr(terminal.side)[3] & termios.ECHO
    assert run.made() == []


# ---- on the machine itself, with the package's user ----

@pytest.mark.skipif(possible() is not None, reason=str(possible()))
@pytest.mark.parametrize("flags, client", [
    ("--client-uid root", ""),
    ("--listen 127.0.0.1:8443 --server-name localhost --client-by certificate", "client_ca"),
])
def test_gateway_of_the_package_starts_from_it(vault, authority, flags, client):
    """check judges as the user `jumpgate`, which cannot read the folder of the secrets."""
    box = vault.account(password="s3cret")
    with Machine(vault.vault.url) as machine:
        machine.write("/root/ca.pem", pathlib.Path(authority.certificate).read_text())
        done = machine.run(f"""
            mv /etc/jumpgate/secrets/api-key /root/key
            rm -r /etc/jumpgate/tls; rm /etc/jumpgate/jumpgate.conf; install -d /run/jumpgate -o jumpgate -g jumpgate
            jumpgate setup --vault-url {vault.vault.url} --vault-ca /root/ca.pem --api-key-file /root/key {flags} \\
                --user 'CORP\\ann' --host {box.name}
            """)
        assert "systemctl enable --now jumpgate" in done.stdout and "another configuration" not in done.stdout
        assert client in machine.run("cat /etc/jumpgate/jumpgate.conf").stdout
        assert machine.run("ls -d /run/jumpgate-setup* || true").stdout.startswith("ls: ")  # no copy of a secret is left
        machine.run("systemctl start jumpgate; until jumpgate status; do sleep 0.1; done")
        assert "ok" in machine.run("jumpgate check").stdout  # root has no credentials; the unit's are taken
        done = machine.run(f"jumpgate doctor --user 'CORP\\ann' --host {box.name}")
        assert "Nothing found that stands in the way" in done.stdout
        done = machine.run("mv /etc/jumpgate/secrets/api-key /root; jumpgate check", check=False)
        assert done.returncode == 1 and "CREDENTIALS_DIRECTORY is not set" in done.stdout
