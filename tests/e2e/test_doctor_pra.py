# SPDX-License-Identifier: Apache-2.0
"""jumpgate doctor at a PRA site: each planted fault is found by its stage, its exit code and its fault.

The simulated site counts what the doctor sends: at most one token, calls that only read, and no secret to a server
that does not look like a site.
"""

import contextlib
import http.server
import json
import os
import socket
import subprocess
import threading
import urllib.parse

import pytest

from certificates import Authority
from harness import API_KEY, BIN, TOKEN, token_hash
from pra_site import CLIENT_SECRET, PraSite
from simulator import Simulator
from stack import PEOPLE

STAGES = ["pra_secret", "pra_dns", "pra_tcp", "pra_tls", "pra_probe", "pra_token", "pra_command", "pra_permissions",
          "pra_role", "pra_clock", "pra_reporting", "pra_jumpoint"]
CODES = dict(zip(STAGES, range(30, 42)))
READS = {"probe", "token", "get_api_info", "check_health", "AccessSessionListing", "jumpoint"}
ALL = {"perm_command": "full_access", "perm_reporting_support": "1", "perm_configuration": "1", "perm_ecm": "1",
       "perm_configuration_vault_account": "1", "perm_reporting_syslog": "1"}


def doctor(*words):
    return subprocess.run([str(BIN / "jumpgate"), "doctor", *map(str, words)], capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL, check=False)


class Finding:
    """What one run has found, as JSON."""

    def __init__(self, done, secrets):
        assert done.stderr == "", done.stderr
        self.code = done.returncode
        self.json = json.loads(done.stdout)
        self.all = {row["stage"]: row for row in self.json["stages"]}
        self.stages = {name: row for name, row in self.all.items() if name.startswith("pra_")}
        assert list(self.stages) == STAGES
        assert self.json["exit_code"] == self.code and self.json["ok"] is (self.code == 0)
        for secret in secrets:
            assert secret not in done.stdout
        for row in self.stages.values():
            bad = row["state"] in ("failed", "warning")
            assert row["state"] in ("ok", "warning", "failed", "unknown")
            assert ("fault" in row) is bad, row
            assert bool(row["cause"]) is bool(row["remedy"]) is bad, row
        failed = [name for name, row in self.all.items() if row["state"] == "failed"]
        assert self.json["failed"] == (failed[0] if failed else None)

    @property
    def states(self):
        return {name: row["state"] for name, row in self.stages.items()}

    def is_well(self):
        assert self.code == 0 and set(self.states.values()) <= {"ok"}, self.json
        return self

    def warns(self, stage, fault):
        """It warns there, and nothing has failed."""
        row = self.stages[stage]
        assert (self.code, row["state"], row["fault"]) == (0, "warning", fault), self.json
        assert all(state == "ok" for name, state in self.states.items() if name != stage), self.json
        return self

    def failed(self, stage, fault, *words, unknown=(), also=()):
        """That stage fails first; `also` fail as well, `unknown` are not looked at, the others are in order."""
        row = self.stages[stage]
        assert (self.json["failed"], self.code) == (stage, CODES[stage]), self.json
        assert (row["state"], row["fault"]) == ("failed", fault), self.json
        said = " ".join([row["detail"], row["cause"], row["remedy"], *row["notes"]])
        for word in words:
            assert word in said, (word, said)
        wanted = {name: "unknown" if name in unknown else "failed" if name in (stage, *also) else "ok"
                  for name in STAGES}
        assert {n: "ok" if s == "warning" else s for n, s in self.states.items()} == wanted, self.json
        return self


def after(stage):
    return STAGES[STAGES.index(stage) + 1:]


class Practice:
    """Writes configurations for a site and runs the doctor on them."""

    def __init__(self, folder, site):
        self.folder = folder
        self.site = site
        self.url = site.url
        self.vault = "https://vault.example.com/BeyondTrust/api/public/v3"
        self.secrets = [CLIENT_SECRET, API_KEY, TOKEN]

    def file(self, name, text, mode=0o600):
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def configure(self, **keys):
        site = {"url": self.url, "insecure_http": "yes" if self.url.startswith("http:") else None,
                "client_id": "c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f4", "connect_timeout": "2s", "call_timeout": "4s",
                "report_timeout": "4s", **keys}
        if "client_secret_file" not in keys:
            site["client_secret_file"] = self.file("site-secret", CLIENT_SECRET + "\n")
        lines = ["[gateway]", f"state_dir = {self.folder}", "[listener main]", "address = 127.0.0.1:0", "[client pra]",
                 f"token_sha256 = {token_hash(TOKEN)}", "allow = broker", "[vault main]", "type = password_safe",
                 f"url = {self.vault}", f"api_key_file = {self.file('key', API_KEY)}"]
        if self.vault.startswith("http:"):
            lines.append("insecure_http = yes")
        lines += ["[pra site]"] if site["url"] else []
        lines += [f"{key} = {value}" for key, value in site.items() if value is not None and site["url"]]
        path = self.folder / "jumpgate.conf"
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o600)
        return path

    def ask(self, words=("--pra",), **keys):
        before = {p.name for p in self.folder.iterdir()} | {"site-secret", "key", "jumpgate.conf"}
        tokens = self.site.tokens()
        finding = Finding(doctor("-c", self.configure(**keys), *words, "--json"), self.secrets)
        assert self.site.tokens() - tokens <= 1, "one token is made"
        assert {p.name for p in self.folder.iterdir()} <= before, "the doctor writes nothing"
        return finding


@pytest.fixture(scope="module", name="site")
def _site():
    with PraSite() as site:
        yield site


@pytest.fixture(name="practice")
def _practice(site, tmp_path):
    """A site on which all is in order, and a look at what it was sent."""
    site.clear_faults()
    site.clear_log()
    site.reset_counts()
    site.account(client_secret=site.client_secret, enabled=True, ip_addresses="", unlock=True)
    site.permit(**ALL)
    site.settings(healthy=True, error_message="", xml_api=True, latency_ms=0, knobs={
        "permission_form": "name", "permission_names": "all", "denied": "error", "info_denied": "works",
        "error_place": "root", "no_rows": "criteria", "timestamp": "unix", "vault_permission": "acount"})
    site.failover("none")
    site.skew(0)
    for name, members in (("dc1", {}), ("Branch office", {})):
        site.jumpoint(name, connected=True, enabled=True, **members)
    yield Practice(tmp_path, site)
    calls = {e["call"] for e in site.log()}
    assert calls <= READS, calls
    assert all(e["method"] == ("POST" if e["call"] == "token" else "GET") for e in site.log())
    assert not site.violations(), site.violations()


# ---- nothing wrong ----

def test_all_is_well(practice, site):
    practice.ask(jumpoints='dc1 "Branch office"', ecm="yes", terminate="yes").is_well()
    assert {e["call"] for e in site.log()} == READS
    assert len(site.log("token")) == 1


def test_page_for_people(practice):
    page = doctor("-c", practice.configure(), "--pra")
    assert page.returncode == 0 and "Nothing found" in page.stdout, page.stdout
    for title in ("pra_secret", "pra_dns", "pra_jumpoint"):
        assert title in page.stdout
    assert CLIENT_SECRET not in page.stdout


def test_what_is_off_is_not_asked_for(practice, site):
    finding = practice.ask(poll_interval="0s").is_well()
    assert {e["call"] for e in site.log()} == {"probe", "token", "get_api_info", "check_health"}
    assert "not" in finding.stages["pra_reporting"]["detail"] and "not" in finding.stages["pra_jumpoint"]["detail"]


def test_listing_of_the_last_minute(practice, site):
    practice.ask()
    params = dict(urllib.parse.parse_qsl(site.log("AccessSessionListing")[-1]["params"]))
    assert abs(int(params["end_time"]) - (site.now() - 60)) < 30 and params["duration"] == "0", params
    site.forget_sessions()
    for knob in ("criteria", "found", "empty"):
        site.knob("no_rows", knob)
        assert "0 sessions" in practice.ask().is_well().stages["pra_reporting"]["detail"]


# ---- the command line ----

@pytest.mark.parametrize("words", [("--pra", "--user", "CORP\\ann"), ("--pra", "--host", "web01"),
                                   ("--pra", "--user", "CORP\\ann", "--host", "web01"), ("--pra", "--vault", "main")])
def test_site_alone_takes_no_user(practice, site, words):
    done = doctor("-c", practice.configure(), *words)
    assert done.returncode == 2 and done.stdout == "" and "--pra" in done.stderr
    assert site.log() == []


def test_without_a_section(practice):
    done = doctor("-c", practice.configure(url=None), "--pra", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == report["exit_code"] == 1 and report["failed"] == "configuration"
    assert "[pra NAME]" in done.stdout
    assert not [row for row in report["stages"] if row["stage"].startswith("pra_") and row["state"] != "unknown"]


@pytest.fixture(scope="module", name="vault")
def _vault():
    with Simulator("--users", 0, "--systems", 0, api_key=API_KEY) as vault:
        vault.scenario(PEOPLE)
        vault.change("systems", id=29000, name="web01", platform=2)
        vault.change("accounts", id=29000, system=29000, name="root", rules=["auto"], rotates=False, max_concurrent=0)
        yield vault


USER = ("--user", "CORP\\ann", "--host", "web01")


def test_site_follows_the_vault(practice, vault):
    practice.vault = vault.url
    finding = practice.ask(USER)
    finding.is_well()
    assert list(finding.all)[:2] == ["configuration", "secrets"] and len(finding.all) == 12 + 12 + 4
    assert {row["state"] for row in finding.all.values()} == {"ok"}


def test_site_is_looked_at_whatever_the_vault_says(practice, vault):
    practice.vault = vault.url
    finding = practice.ask(("--user", "CORP\\stranger", "--host", "web01"))
    assert 10 <= finding.code < 30 and set(finding.states.values()) == {"ok"}


def test_no_site_no_stages(practice, vault):
    practice.vault = vault.url
    done = doctor("-c", practice.configure(url=None), *USER, "--json")
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["stages"]) == 12 + 4


# ---- 30: the secret ----

def missing(practice):
    return str(practice.folder / "nowhere")


def empty(practice):
    return practice.file("empty", "")


def blank(practice):
    return practice.file("blank", " \n\n")


def folder(practice):
    path = practice.folder / "folder"
    path.mkdir(exist_ok=True)
    return str(path)


AFTER_SECRET = after("pra_probe")  # the probe needs none


@pytest.mark.parametrize("make, fault", [(missing, "secret_unreadable"), (folder, "secret_unreadable"),
                                         (empty, "secret_empty"),
                                         (blank, "secret_empty")])
@pytest.mark.parametrize("words", [("--pra",), USER], ids=["site", "user"])
def test_secret(practice, site, vault, make, fault, words):
    practice.vault = vault.url
    path = make(practice)
    finding = practice.ask(words, client_secret_file=path).failed("pra_secret", fault, path, unknown=AFTER_SECRET)
    assert {row["state"] for name, row in finding.all.items() if name not in finding.stages} <= {"ok"}
    assert {e["call"] for e in site.log()} == {"probe"}


def test_secret_that_others_can_read(practice):
    """`jumpgate check` warns of it."""
    practice.ask(client_secret_file=practice.file("open", CLIENT_SECRET, mode=0o644)).is_well()


def test_other_files_are_the_configuration(practice, site):
    for words in (("--pra",), USER):
        done = doctor("-c", practice.configure(ca_file=missing(practice)), *words, "--json")
        assert done.returncode == 1 and json.loads(done.stdout)["failed"] == "configuration"
    assert site.log() == []


def test_files_of_the_vault_do_not_matter(practice):
    path = practice.configure()
    (practice.folder / "key").unlink()
    assert doctor("-c", path, "--pra").returncode == 0
    finding = Finding(doctor("-c", path, *USER, "--json"), practice.secrets)
    assert finding.code == 1 and set(finding.states.values()) == {"ok"}


@pytest.mark.skipif(os.getuid() == 0, reason="root can read every file")
def test_secret_of_another(practice):
    practice.ask(client_secret_file="/etc/shadow").failed("pra_secret", "secret_unreadable", unknown=AFTER_SECRET)


# ---- 31 to 33: name, connection, certificate ----

@contextlib.contextmanager
def tcp_server(talk):
    """A port on which each connection is handed to talk(); yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve():
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                talk(connection, ended)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def test_unknown_name(practice):
    practice.url = "https://no-such-site.invalid"
    practice.ask().failed("pra_dns", "name_unknown", "no-such-site.invalid", unknown=after("pra_dns"))


def test_refused(practice):
    with socket.socket() as taken:  # bound and not listening: refused for sure
        taken.bind(("127.0.0.1", 0))
        practice.url = f"https://127.0.0.1:{taken.getsockname()[1]}"
        practice.ask().failed("pra_tcp", "connect_refused", "port", unknown=after("pra_tcp"))


def test_connection_in_no_time(practice):
    """The queue of the listening socket is full: the system drops what comes."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as held:
        for _ in range(4):
            filler = held.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(full.getsockname())
        practice.url = f"https://127.0.0.1:{full.getsockname()[1]}"
        practice.ask(connect_timeout="500ms").failed("pra_tcp", "connect_timeout", unknown=after("pra_tcp"))


def refusing(connection, _):
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


def test_proxy(practice):
    practice.url = "https://site.example.com"
    with tcp_server(refusing) as port:
        practice.ask(proxy=f"http://127.0.0.1:{port}").failed("pra_tcp", "connect_refused", "proxy", "403",
                                                              unknown=after("pra_tcp"))
    practice.ask(proxy="http://no-such-proxy.invalid:3128").failed("pra_dns", "name_unknown", "proxy",
                                                                   unknown=after("pra_dns"))


@pytest.fixture(scope="module", name="authority")
def _authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module", name="tls_site")
def _tls_site(authority):
    with PraSite(tls=authority.server()) as site:
        site.permit(**ALL)
        yield site


@pytest.fixture(name="tls")
def _tls(tls_site, tmp_path, authority):
    tls_site.certificate(authority.server())
    tls_site.clear_log()
    return Practice(tmp_path, tls_site)


def test_tls(tls, tls_site, authority):
    tls.ask(ca_file=authority.certificate).is_well()
    tls.url = f"https://localhost:{tls_site.port}"
    tls.ask(ca_file=authority.certificate).is_well()


def test_untrusted_issuer(tls, tls_site, authority, tmp_path):
    other = Authority(tmp_path, "other")
    for ca_file in (other.certificate, None):
        tls.ask(ca_file=ca_file).failed("pra_tls", "untrusted_issuer", "ca_file", unknown=after("pra_tls"))
    tls_site.certificate(other.server("self"))
    tls.ask(ca_file=authority.certificate).failed("pra_tls", "untrusted_issuer", unknown=after("pra_tls"))
    assert tls_site.log() == []


def test_wrong_name(tls, tls_site, authority):
    tls_site.certificate(authority.server("elsewhere", sans=["DNS:site.elsewhere.test"]))
    tls.ask(ca_file=authority.certificate).failed("pra_tls", "wrong_name", "url", unknown=after("pra_tls"))
    assert tls_site.log() == []


def test_expired(tls, tls_site, authority):
    tls_site.certificate(authority.server("expired", expired=True))
    tls.ask(ca_file=authority.certificate).failed("pra_tls", "certificate_expired", unknown=after("pra_tls"))
    assert tls_site.log() == []


def test_no_tls(practice, site):
    practice.url = site.url.replace("http:", "https:")
    practice.ask().failed("pra_tls", "no_tls", unknown=after("pra_tls"))
    assert "token" not in {e["call"] for e in site.log()}


def silent(connection, ended):
    ended.wait(60)


def closing(connection, _):
    connection.recv(4096)


def talking(connection, _):
    connection.sendall(b"220 mail.example.com ESMTP\r\n")
    connection.recv(4096)


@pytest.mark.parametrize("talk", [closing, talking])
def test_other_than_tls(practice, talk):
    with tcp_server(talk) as port:
        practice.url = f"https://127.0.0.1:{port}"
        practice.ask().failed("pra_tls", "no_tls", unknown=after("pra_tls"))


# ---- 34: the probe ----

def test_unhealthy(practice, site):
    """It is a site nevertheless: the rest is looked at."""
    site.settings(healthy=False, error_message="Disk is full.")
    finding = practice.ask().failed("pra_probe", "unhealthy", also=("pra_role",))
    assert finding.stages["pra_role"]["fault"] == "site_reports_error"
    assert "Disk is full." in finding.stages["pra_role"]["detail"]


class Portal(http.server.BaseHTTPRequestHandler):
    """Another server in the site's place. It remembers what it was sent."""

    answer = (200, "text/html", b"<html><body>Please sign in</body></html>")
    heads = []

    def do_GET(self):  # noqa: N802
        Portal.heads.append((self.command, self.path, str(self.headers)))
        status, kind, body = Portal.answer
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if 300 <= status < 400:
            self.send_header("Location", "https://portal.example.com/")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


HTML = b"<!DOCTYPE html><html><body>Please sign in</body></html>"


@pytest.mark.parametrize("answer", [(200, "text/html", HTML), (500, "text/html", HTML), (302, "text/html", b""),
                                    (404, "text/plain", b"not here"), (401, "text/plain", b"who are you"),
                                    (403, "text/html", HTML), (503, "text/plain", b"later"), (204, "text/plain", b""),
                                    (200, "application/json", b'{"ok":true}\n{"a":1}\n{"b":2}')])
def test_not_a_site(practice, answer):
    """No secret is sent there."""
    Portal.answer, Portal.heads = answer, []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Portal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        practice.url = f"http://127.0.0.1:{server.server_port}"
        practice.ask().failed("pra_probe", "not_a_site", unknown=after("pra_probe"))
        server.shutdown()
    assert [head[:2] for head in Portal.heads] == [("GET", "/check_health")]
    assert "Authorization" not in Portal.heads[0][2]


@pytest.mark.parametrize("action", ["hang", "drop_before", "reset", "truncate", "garbage"])
def test_probe_that_fails(practice, site, action):
    site.fault(action, call="probe")
    practice.ask(call_timeout="1s").failed("pra_probe", "not_a_site", unknown=after("pra_probe"))
    assert {e["call"] for e in site.log()} <= {"probe"}


# ---- 35: the token ----

AFTER_TOKEN = after("pra_token")


@pytest.mark.parametrize("spoil", [{"client_secret": "another"}, {"enabled": False}])
@pytest.mark.parametrize("status", ["401", "400", "403", "200"])
def test_client_refused(practice, site, spoil, status):
    site.knob("client_refused", status)
    site.account(**spoil)
    finding = practice.ask().failed("pra_token", "client_refused", "locked", "disabled", "secret", "client_id",
                                    unknown=AFTER_TOKEN)
    assert len(site.log("token")) == 1, finding.json
    site.knob("client_refused", "401")


def test_locked(practice, site):
    for _ in range(5):
        site.ask_token(client_secret="wrong")
    practice.ask().failed("pra_token", "client_refused", unknown=AFTER_TOKEN)


@pytest.mark.parametrize("rule", [{"action": "status", "status": 404}, {"action": "html"},
                                  {"action": "status", "status": 404, "body": HTML.decode(), "content_type": "text/html"}])
def test_token_endpoint_missing(practice, site, rule):
    site.fault(call="token", **rule)
    practice.ask().failed("pra_token", "token_endpoint_missing", unknown=AFTER_TOKEN)


@pytest.mark.parametrize("rule", [{"action": "status", "status": 500}, {"action": "unavailable"}, {"action": "throttle"},
                                  {"action": "reset"}, {"action": "hang"}, {"action": "garbage"}, {"action": "empty"},
                                  {"action": "cut"}, {"action": "wrong_type"}, {"action": "status", "status": 302}])
def test_token_error(practice, site, rule):
    site.fault(call="token", **rule)
    practice.ask(call_timeout="1s").failed("pra_token", "token_error", unknown=AFTER_TOKEN)


# ---- 36: the Command API ----

NO_INFO = ("pra_permissions", "pra_role", "pra_clock")


def test_xml_api_off(practice, site):
    """Reports go by the same box; the Configuration API does not."""
    site.settings(xml_api=False)
    finding = practice.ask(jumpoints="dc1").failed("pra_command", "xml_api_off", "Enable XML API", unknown=NO_INFO,
                                                   also=("pra_reporting",))
    assert finding.stages["pra_jumpoint"]["state"] == "ok"


@pytest.mark.parametrize("rule", [{"action": "html"}, {"action": "status", "status": 404}])
def test_no_command_api(practice, site, rule):
    site.fault(call="get_api_info", **rule)
    practice.ask().failed("pra_command", "xml_api_off", unknown=NO_INFO)


@pytest.mark.parametrize("denied", ["error", "403", "403_error"])
@pytest.mark.parametrize("place", ["root", "child"])
def test_command_denied(practice, site, denied, place):
    site.settings(knobs={"denied": denied, "error_place": place, "info_denied": "denied"})
    site.permit(perm_command="deny")
    practice.ask().failed("pra_command", "command_denied", "Command API", unknown=NO_INFO)


@pytest.mark.parametrize("status, form", [("401", "json"), ("200", "json"), ("400", "json"), ("403", "json"),
                                          ("401", "xml"), ("401", "empty")])
def test_token_refused(practice, site, status, form):
    """A token that has just been made: the address is not allowed."""
    site.settings(knobs={"token_refused": status, "token_refused_form": form, "address_check": "calls"})
    site.account(ip_addresses="192.0.2.1")
    practice.ask().failed("pra_command", "token_refused", "Network Restrictions", unknown=after("pra_command"))
    site.settings(knobs={"token_refused": "401", "token_refused_form": "json"})


@pytest.mark.parametrize("action", ["truncate", "garbage", "doctype", "entities", "unknown_root", "no_end", "deep",
                                    "trailing", "wrong_type", "empty"])
def test_nonsense(practice, site, action):
    site.fault(action, call="get_api_info")
    practice.ask().failed("pra_command", "nonsense", unknown=NO_INFO)


# ---- 37: permissions ----

NEEDS = [({}, {"perm_command": "deny"}, "Command API", "watching"),
         ({"terminate": "yes"}, {"perm_command": "read_only"}, "Full Access", "ending sessions"),
         ({}, {"perm_reporting_support": "0"}, "Access Session Reports", "early release"),
         ({"jumpoints": "dc1"}, {"perm_configuration": "0"}, "Configuration API", "Jumpoints"),
         ({"ecm": "yes"}, {"perm_ecm": "0"}, "Endpoint Credential Manager", "ECM")]


@pytest.mark.parametrize("form", ["name", "element", "attribute"])
@pytest.mark.parametrize("keys, spoil, box, feature", NEEDS, ids=[n[3] for n in NEEDS])
def test_permission_missing(practice, site, keys, spoil, box, feature, form):
    site.knob("permission_form", form)
    site.permit(**spoil)
    name, value = next(iter(spoil.items()))
    follows = {"perm_reporting_support": ("pra_reporting",), "perm_configuration": ("pra_jumpoint",)}.get(name, ())
    finding = practice.ask(**keys)
    unknown = ("pra_role",) if value == "deny" else ()
    finding.failed("pra_permissions", "permission_missing", name, box, feature, f"{name} = {value}", also=follows,
                   unknown=unknown)


def test_all_that_is_missing_is_named(practice, site):
    site.permit(perm_command="read_only", perm_reporting_support="0", perm_configuration="0", perm_ecm="0")
    practice.ask(terminate="yes", jumpoints="all", ecm="yes").failed(
        "pra_permissions", "permission_missing", "perm_command", "perm_reporting_support", "perm_configuration",
        "perm_ecm", "Full Access", "Access Session Reports", "Configuration API", "Endpoint Credential Manager",
        also=("pra_reporting", "pra_jumpoint"))


def test_what_is_off_needs_nothing(practice, site):
    site.permit(perm_command="read_only", perm_reporting_support="0", perm_configuration="0", perm_ecm="0")
    practice.ask(poll_interval="0s").warns("pra_permissions", "vendor_list_incomplete")


@pytest.mark.parametrize("spoil, list_name, other", [({"perm_command": "read_only"}, "password_safe", "insights"),
                                                     ({"perm_ecm": "0"}, "password_safe", "insights"),
                                                     ({"perm_reporting_syslog": "0"}, "insights", "password_safe"),
                                                     ({"perm_configuration_vault_account": "0"}, "insights", "password_safe")])
@pytest.mark.parametrize("spelling", ["acount", "account"])
def test_vendor_list(practice, site, spoil, list_name, other, spelling):
    site.knob("vault_permission", spelling)
    site.permit(**spoil)
    row = practice.ask().warns("pra_permissions", "vendor_list_incomplete").stages["pra_permissions"]
    assert list_name in row["detail"] and other not in row["detail"]


def test_other_name_of_the_report_permission(practice, site):
    """get_api_info documents `perm_reporting` alone."""
    site.knob("permission_names", "documented")
    practice.ask(jumpoints="dc1", ecm="yes").is_well()
    site.permit(perm_reporting_support="0")
    practice.ask().failed("pra_permissions", "permission_missing", "perm_reporting", also=("pra_reporting",))


# ---- 38, 39: role and clock ----

def test_standby(practice, site):
    site.failover("backup")
    practice.ask().failed("pra_role", "standby", "url")
    site.failover("primary", sync_age_seconds=30)
    practice.ask().is_well()


@pytest.mark.parametrize("root", ["check_health", "health", "check_health_response", "appliance_health"])
def test_site_reports_error(practice, site, root):
    site.knob("health_root", root)
    site.settings(error_message="RAID degraded.", healthy=False)
    site.fault("status", status=200, body="healthy\n", content_type="text/plain", call="probe")
    practice.ask().failed("pra_role", "site_reports_error", "RAID degraded.")
    site.knob("health_root", "check_health")


def test_check_health_fails(practice, site):
    site.fault("html", call="check_health")
    practice.ask().failed("pra_role", "site_reports_error", "web page")


def test_sync_stale(practice, site):
    site.failover("primary", sync_age_seconds=3700)
    practice.ask().warns("pra_role", "sync_stale")
    site.failover("primary", sync_age_seconds=3500)
    practice.ask().is_well()


@pytest.mark.parametrize("seconds", [-7200, -75, 75, 7200])
@pytest.mark.parametrize("form", ["unix", "iso", "ts", "absent"])
def test_clock_skew(practice, site, seconds, form):
    """Without a time in get_api_info the Date header says it. A wrong clock makes no sync old."""
    site.knob("timestamp", form)
    site.skew(seconds)
    site.failover("primary", sync_age_seconds=60)
    finding = practice.ask().failed("pra_clock", "clock_skew", "behind" if seconds < 0 else "ahead")
    assert finding.stages["pra_role"]["state"] == "ok"


def test_small_skew(practice, site):
    site.skew(40)
    practice.ask().is_well()


# ---- 40: reports ----

@pytest.mark.parametrize("denied", ["error", "403", "403_error"])
def test_reporting_denied(practice, site, denied):
    """The name of the permission is not in the answer: the site decides."""
    site.settings(knobs={"permission_names": "configuration", "denied": denied})
    info = f"""<get_api_info><api_version>1.24.1</api_version><timestamp>{int(site.now())}</timestamp>
<permissions><permission name="perm_command">full_access</permission></permissions></get_api_info>"""
    site.fault("status", call="get_api_info", status=200, body=info, content_type="text/xml")
    site.permit(perm_reporting_support="0")
    practice.ask().failed("pra_reporting", "reporting_denied", "Access Session Reports")


@pytest.mark.parametrize("rule", [{"action": "error", "body": "<error>The report server is down.</error>"}, {"action": "html"},
                                  {"action": "status", "status": 500}, {"action": "hang"}, {"action": "reset"},
                                  {"action": "truncate"}, {"action": "unknown_root"}, {"action": "wrong_type"},
                                  {"action": "unavailable"}, {"action": "throttle"}])
def test_reporting_error(practice, site, rule):
    site.fault(call="AccessSessionListing", **rule)
    practice.ask(report_timeout="1s").failed("pra_reporting", "reporting_error",
                                             "The report server is down." if "body" in rule else "session_listing")


# ---- 41: Jumpoints ----

def test_jumpoint_unknown(practice):
    practice.ask(jumpoints='dc1 "Branch  office"').failed("pra_jumpoint", "jumpoint_unknown", "Branch  office")
    practice.ask(jumpoints="DC1").failed("pra_jumpoint", "jumpoint_unknown", "DC1")


def test_jumpoint_disconnected(practice, site):
    site.jumpoint("Branch office", connected=False)
    practice.ask(jumpoints="dc1").is_well()
    for names in ('"Branch office" dc1', "all"):
        practice.ask(jumpoints=names).failed("pra_jumpoint", "jumpoint_disconnected", "Branch office")


def test_jumpoint_disabled(practice, site):
    site.jumpoint("Branch office", enabled=False)
    practice.ask(jumpoints="dc1").is_well()
    practice.ask(jumpoints='dc1 "Branch office"').failed("pra_jumpoint", "jumpoint_disabled", "Branch office")


def test_jumpoint_on_a_later_page(practice, site):
    for number in range(230):
        site.jumpoint(f"many-{number:03}", connected=True, enabled=True)
    practice.ask(jumpoints="many-229 many-000").is_well()
    assert len(site.log("jumpoint")) >= 2


@pytest.mark.parametrize("rule", [{"action": "status", "status": 403, "body": '{"message":"Forbidden"}',
                                   "content_type": "application/json"}, {"action": "page"}])
def test_configuration_denied(practice, site, rule):
    site.fault(call="jumpoint", **rule)
    practice.ask(jumpoints="dc1").failed("pra_jumpoint", "configuration_denied", "Configuration API")
