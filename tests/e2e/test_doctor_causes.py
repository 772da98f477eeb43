# SPDX-License-Identifier: Apache-2.0
"""jumpgate doctor names the right cause: each planted fault is found at its stage, with the words of its cause."""

import contextlib
import http.server
import os
import socket
import ssl
import threading

import pytest

from certificates import Authority
from clinic import OTHER_KEY, Clinic, tls_clinic
from harness import API_KEY
from pra_site import CLIENT_SECRET, PraSite
from simulator import Simulator
from stack import LIST, OAUTH_ID, OAUTH_SECRET, PEOPLE, SIGN_IN, Stack

SYSTEMS = "GET ManagedSystems"
PATH = "/BeyondTrust/api/public/v3"
PAGE = "<!DOCTYPE html><html><body>Request blocked</body></html>"


@pytest.fixture(scope="module", name="plain_vault")
def _plain_vault():
    with Simulator("--users", 0, "--systems", 0, api_key=API_KEY) as vault:
        vault.scenario(PEOPLE)
        vault.change("groups", id=60, name="readers", permissions=["systems"], registration=True)
        vault.change("users", id=460, name="CORP\\reader", groups=["readers"])
        yield vault


@pytest.fixture(name="clinic")
def _clinic(plain_vault, tmp_path):
    clinic = Clinic(plain_vault, tmp_path)
    clinic.box("web01")
    yield clinic
    plain_vault.clear_faults()


@pytest.fixture(scope="module", name="authority")
def _authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


# ---- client certificates ----

@contextlib.contextmanager
def tls_server(pair, version, client_ca=None, answer=b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"):
    """A server that takes client certificates of `client_ca` alone; yields the URL of its API."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.minimum_version = context.maximum_version = version
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as connection:
                connection.recv(4096)
                connection.sendall(answer)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}{PATH}"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
def test_client_certificate_that_is_missing(clinic, authority, version):
    with tls_server(authority.server(), version, authority.certificate) as url:
        clinic.ask(url=url, ca_file=authority.certificate).failed("tls", "client certificate", "none is configured",
                                                                  "`client_certificate`")


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
@pytest.mark.parametrize("kind", ["untrusted", "expired"])
def test_client_certificate_that_is_not_accepted(clinic, authority, tmp_path, version, kind):
    other = Authority(tmp_path / "other", "untrusted")
    pair = other.client() if kind == "untrusted" else authority.client("ended", expired=True)
    with tls_server(authority.server(), version, authority.certificate) as url:
        clinic.ask(url=url, ca_file=authority.certificate, client_certificate=pair.certificate,
                   client_key=pair.key).failed("tls", "does not accept the client certificate", pair.certificate)


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
def test_client_certificate_that_is_accepted(clinic, authority, version):
    pair = authority.client()
    with tls_server(authority.server(), version, authority.certificate) as url:
        finding = clinic.ask(url=url, ca_file=authority.certificate, client_certificate=pair.certificate,
                             client_key=pair.key)
        assert finding.stages["tls"]["state"] == "ok", finding.page


# ---- dates ----

def test_certificate_that_has_ended(tmp_path, authority):
    with tls_clinic(tmp_path, authority.server("old", expired=True)) as clinic:
        finding = clinic.ask(ca_file=authority.certificate).failed("tls", "has expired", "2024-02-01")
        note = next(note for note in finding.notes("tls") if note.startswith("valid from"))
        assert "ended " in note and "days ago" in note and "left" not in note, note


def test_certificate_that_is_not_valid_yet(tmp_path, authority):
    with tls_clinic(tmp_path, authority.server("early", begins_in_days=3)) as clinic:
        finding = clinic.ask(ca_file=authority.certificate).failed("tls", "not valid yet", "clock")
        assert any("begins in 2 days" in note or "begins in 3 days" in note for note in finding.notes("tls"))


# ---- the key file ----

@pytest.mark.parametrize("text", ["changeme\n", "x", API_KEY[:100], API_KEY[:127], "0" * 36, "KEY=" + API_KEY[:32],
                                  API_KEY[:64] + "!" * 64])
def test_key_file_that_holds_no_key(clinic, text):
    clinic.ask(api_key_file=clinic.secret("word", text)).failed("secrets", "no API key has this form",
                                                                "API Registrations")


@pytest.mark.parametrize("text, words", [("", "is empty"), ("\n", ""), ("\ufeff" + API_KEY, "byte-order mark"),
                                         (API_KEY + "\n" + OTHER_KEY + "\n", "more than one line")])
def test_key_file_of_a_wrong_form(clinic, text, words):
    clinic.ask(api_key_file=clinic.secret("form", text)).failed("configuration", "api_key_file", words)


@pytest.mark.parametrize("text", [API_KEY + "\n", API_KEY + "\r\n"])
def test_key_file_with_a_line_end(clinic, text):
    clinic.ask(api_key_file=clinic.secret("line", text)).is_well()


def test_key_of_an_old_release(tmp_path):
    key = "0f8fad5b-d9cb-469f-a165-70867728950e"
    with Simulator("--users", 0, "--systems", 0, api_key=key) as vault:
        vault.scenario(PEOPLE)
        clinic = Clinic(vault, tmp_path)
        clinic.box("web01")
        clinic.ask(api_key_file=clinic.secret("old", key)).is_well()


# ---- something else answers ----

class Stranger(http.server.BaseHTTPRequestHandler):
    """Answers every call alike."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, kind, body = self.server.answer
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Set-Cookie", "waf=1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = do_PUT = do_CONNECT = answer  # noqa: N815

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def stranger(status, kind, body):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        server.daemon_threads = True
        server.answer = (status, kind, body)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("answer", [
    (403, "text/html", PAGE), (403, "text/plain", "Request blocked"), (403, "application/json", '{"error":"blocked"}'),
    (200, "text/html", PAGE), (200, "text/plain", "Back at 6"), (200, None, PAGE)])
def test_page_in_the_vaults_place(clinic, answer):
    with stranger(*answer) as port:
        finding = clinic.ask(url=f"http://127.0.0.1:{port}{PATH}").failed("sign_in", "proxy", "(WAF)", "maintenance")
        told = " ".join([finding.stages["sign_in"]["cause"], *finding.notes("sign_in")])
        assert "licence" not in told and "cookie" not in told and "group" not in told, finding.page


def test_page_of_a_maintenance_with_503(clinic):
    clinic.vault.fault("page", call=SIGN_IN, status=500)
    clinic.ask().failed("sign_in", "page for browsers", "load balancer", "maintenance")


def test_empty_403_may_be_both(clinic):
    with stranger(403, None, "") as port:
        clinic.ask(url=f"http://127.0.0.1:{port}{PATH}").failed("sign_in", "licence", "proxy or a firewall")


def test_maintenance_with_an_object(clinic):
    """It looks like a sign-in, and then like no list."""
    with stranger(200, "application/json", '{"status":"maintenance"}') as port:
        clinic.ask(url=f"http://127.0.0.1:{port}{PATH}").failed("role", "(WAF)", "maintenance")


@pytest.mark.parametrize("status", [200, 403, 404, 500])
def test_page_for_the_list(clinic, status):
    clinic.vault.fault("page", call=LIST, status=status)
    finding = clinic.ask().failed("role", "HTML page", "maintenance")
    assert finding.stages["sign_in"]["detail"] == "the vault lets CORP\\ann in"


def test_page_for_the_policy(clinic):
    clinic.vault.fault("page", call="POST AccessPolicies/Test", status=403)
    clinic.ask().failed("policy", "HTML page", "(WAF)")


# ---- lists ----

@pytest.mark.parametrize("action", ["status", "reset"])
def test_list_that_fails_is_no_fault_of_the_sign_in(clinic, action):
    clinic.vault.fault(action, call=LIST, **({"status": 500} if action == "status" else {}))
    finding = clinic.ask().failed("role", "cannot do its work")
    assert finding.stages["sign_in"]["state"] == "ok"


def test_kinds_that_leave_the_account_out(clinic):
    clinic.box("filtered")
    clinic.ask(host="filtered", kinds="database cloud").failed("list", "`kinds` in [vault main] leaves out: local",
                                                               "add to `kinds`: local")
    clinic.ask(host="filtered", kinds="local").is_well()


# ---- the directory_user ----

def test_directory_user_that_is_unknown(clinic):
    clinic.ask(directory_user="CORP\\nobody").warns("sign_in", "endpoint search has no hosts or ports", "CORP\\nobody",
                                                    "does not know")


def test_directory_user_without_the_permission(clinic):
    clinic.ask(directory_user="CORP\\bob").warns("sign_in", "endpoint search has no hosts or ports",
                                                 "Managed System Management")


def test_directory_user_that_reads(clinic):
    finding = clinic.ask(directory_user="CORP\\reader").is_well()
    assert any(note.startswith("directory_user CORP\\reader reads the vault's") for note in finding.notes("sign_in"))


# ---- the key, and the running gateway ----

def test_wrong_key_without_anything_to_compare_with(clinic):
    finding = clinic.ask(api_key_file=clinic.secret("wrong", OTHER_KEY)).failed("sign_in", "no running gateway tells")
    cause = finding.stages["sign_in"]["cause"]
    assert cause.startswith("the API key is wrong") and "in no group" in cause, cause
    assert "api_key_file" in finding.stages["sign_in"]["remedy"]


@pytest.fixture(scope="module", name="running")
def _running():
    with Stack({"vault main": {"call_timeout": "2s", "retries": 0}}) as stack:
        stack.account(box=stack.system("web01"))
        yield stack


def ask_beside(stack, user):
    return Clinic(stack.vault, stack.gateway.path).ask(user, conf=stack.gateway.path / "jumpgate.conf")


def test_running_gateway_tells_the_key_from_the_user(running):
    """First nobody has been let in, then somebody."""
    finding = ask_beside(running, "CORP\\outsider").failed("sign_in", "no sign-in since the running gateway's start")
    assert finding.stages["sign_in"]["cause"].startswith("the API key is wrong"), finding.page
    session = running.session("ann", hostname="web01")
    assert running.gateway.find(session).json["credentials"]
    finding = ask_beside(running, "CORP\\outsider").failed("sign_in", "the running gateway has signed in ")
    assert finding.stages["sign_in"]["cause"].startswith("the user is in no group"), finding.page
    assert len([note for note in finding.notes("sign_in") if note.startswith("unlikely")]) == 3, finding.page


# ---- OAuth ----

def test_one_identity_for_all_users(clinic):
    secret = clinic.secret("oauth", OAUTH_SECRET)
    finding = clinic.ask("CORP\\nobody", api_key_file=None, oauth_client_id=OAUTH_ID, oauth_client_secret_file=secret,
                         oauth_shared_identity="yes")
    finding.is_well().says("mapping", "the application's identity is used for all users")
    assert "whether the vault knows this user was not looked at" in " ".join(finding.page.split())


# ---- proxies ----

@pytest.mark.parametrize("status, words", [(407, ("credentials", "sends none")), (403, ("allow-list", "rules")),
                                           (502, ("cannot reach",)), (404, ("no proxy",))])
def test_proxy_that_refuses(clinic, status, words):
    with stranger(status, "text/html", PAGE) as port:
        finding = clinic.ask(url=f"https://vault.example.com{PATH}", proxy=f"http://127.0.0.1:{port}")
        finding.failed("tcp", str(status), "vault.example.com port 443", *words)
        assert "browser" not in finding.stages["tcp"]["remedy"]


def test_proxy_that_is_none(clinic):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = silent.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(b"220 mail ESMTP\r\n\r\n")
        threading.Thread(target=serve, daemon=True).start()
        clinic.ask(url=f"https://vault.example.com{PATH}", proxy=f"http://127.0.0.1:{silent.getsockname()[1]}").failed(
            "tcp", "no HTTP proxy")


class Tunnel(http.server.BaseHTTPRequestHandler):
    """A proxy that leads to one port of this machine, whatever is asked for."""

    def do_CONNECT(self):  # noqa: N802
        with socket.create_connection(("127.0.0.1", self.server.target)) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=self.copy, args=(there, self.connection), daemon=True)
            back.start()
            self.copy(self.connection, there)
            back.join(10)
        self.close_connection = True

    @staticmethod
    def copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def tunnel(target):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tunnel) as server:
        server.daemon_threads = True
        server.target = target
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_certificate_behind_a_proxy(tmp_path, authority):
    with tls_clinic(tmp_path, authority.server()) as clinic, tunnel(clinic.vault.port) as proxy:
        finding = clinic.ask(ca_file=authority.certificate, proxy=proxy).is_well()
        assert any(note.startswith("signed by") for note in finding.notes("tls"))
        url = f"https://vault.example.com{PATH}"
        clinic.ask(url=url, ca_file=authority.certificate, proxy=proxy).failed("tls", "wrong name")
