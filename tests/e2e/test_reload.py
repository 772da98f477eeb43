# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: the configuration is read again while the gateway works, all of it or nothing, and no connection lost."""

import http.client
import json
import pathlib
import shutil
import signal
import socket
import ssl

import pytest

from certificates import Authority
from harness import API_KEY, TOKEN, Gateway, eventually, session, tls_context, token_hash
from stack import Stack, SIGN_IN

OTHER = "another-token-altogether"


@pytest.fixture(scope="module", name="shared")
def _shared():
    with Stack({"gateway": {"list_cache": "0s", "catalogue_cache": "0s"}}) as stack:
        yield stack


@pytest.fixture(name="stack")
def _stack(shared):
    before = json.loads(json.dumps(shared.gateway.sections))
    yield shared
    shared.gateway.sections = before
    assert reload(shared.gateway)
    shared.sweep()


def reload(gateway):
    """Writes the configuration and sends SIGHUP; True when it was taken."""
    seen = len(gateway.err.lines)
    gateway.write_configuration()
    gateway.signal(signal.SIGHUP)

    def over():
        for line in gateway.err.lines[seen:]:
            if " reloaded " in line:
                return "yes"
            if " reload_failed " in line:
                return "no"
        return None
    return eventually(over) == "yes"


def said(gateway, *words):
    return [line for line in gateway.err.lines if all(word in line for word in words)]


def digest(gateway):
    return gateway.call("GET", "/status").json["config_digest"]


# ---- what changes ----

def test_nothing_changed(stack):
    before = digest(stack.gateway)
    assert reload(stack.gateway)
    assert digest(stack.gateway) == before


def test_clients_come_and_go(stack):
    gw = stack.gateway
    assert gw.call("GET", "/status", token=OTHER).status == 401
    gw.sections["client other"] = {"token_sha256": token_hash(OTHER), "allow": "observe"}
    assert reload(gw)
    assert gw.call("GET", "/status", token=OTHER).status == 200
    assert gw.call("GET", "/v1/capabilities", token=OTHER).status == 403
    gw.sections["client other"]["allow"] = "observe broker"
    assert reload(gw)
    assert gw.call("GET", "/v1/capabilities", token=OTHER).status == 200
    del gw.sections["client other"]
    assert reload(gw)
    assert gw.call("GET", "/status", token=OTHER).status == 401
    assert said(gw, "client other (new)") and said(gw, "client other (removed)")
    assert not said(gw, OTHER) and not said(gw, token_hash(OTHER))


def test_a_kept_connection_sees_the_change(stack):
    gw = stack.gateway
    connection = gw.connect()
    assert gw.call("GET", "/status", connection=connection).status == 200
    gw.sections["client pra"]["allow"] = "broker operate"
    assert reload(gw)
    assert gw.call("GET", "/status", connection=connection).status == 403
    gw.sections["client pra"]["allow"] = "broker operate observe"
    assert reload(gw)
    assert gw.call("GET", "/status", connection=connection).status == 200
    connection.close()


def test_rate_and_limits(stack):
    gw = stack.gateway
    body = {"session": {"id": "S", "user": {"username": "ann"}, "jump_item": {"name": "x" * 3000}}}
    gw.sections["gateway"]["max_body"] = "1k"
    assert reload(gw)
    assert gw.call("POST", "/v1/credentials/find", body).status == 413
    gw.sections["gateway"]["max_body"] = None
    gw.sections["client pra"]["rate"] = "2/m"
    assert reload(gw)
    codes = [gw.call("GET", "/v1/capabilities").status for _ in range(4)]
    assert 429 in codes
    gw.sections["gateway"]["endpoint_limit"] = "100"
    assert reload(gw)
    assert gw.call("GET", "/v1/capabilities").status == 429  # a reload is no new burst
    gw.sections["gateway"]["endpoint_limit"] = None
    gw.sections["client pra"]["rate"] = None
    assert reload(gw)
    assert gw.call("GET", "/v1/capabilities").status == 200


def test_log_level_and_file(stack):
    gw = stack.gateway
    log = gw.path / "state" / "log"  # the sandbox lets logs into directories known from the start
    gw.sections["gateway"]["log_file"] = str(log)
    gw.sections["gateway"]["log_format"] = "json"
    gw.write_configuration()
    gw.signal(signal.SIGHUP)
    eventually(lambda: log.exists() and '"reloaded"' in log.read_text())
    for line in log.read_text().splitlines():
        json.loads(line)
    gw.sections["gateway"]["log_file"] = None
    gw.sections["gateway"]["log_format"] = None
    assert reload(gw)


def test_run_as(stack):
    gw = stack.gateway
    box = stack.account()
    ann = stack.session("ann", box, domain=None)
    assert gw.find(ann).code == "vault_refused_user"
    gw.sections["vault main"]["default_domain"] = "CORP"
    assert reload(gw)
    assert gw.find(ann).status == 200


def test_vault_calls_in_flight_go_on(stack):
    """A check-out that is under way when the configuration changes ends as it began."""
    gw = stack.gateway
    box = stack.account(password="pw-of-reload")
    ann = stack.session("ann", box)
    credential = stack.credential(ann)
    stack.vault.latency(700)
    connection = gw.connect()
    body = json.dumps({"session": ann, "credential_id": credential}).encode()
    connection.request("POST", "/v1/credentials/checkout", body,
                       {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
    eventually(lambda: stack.metric("jumpgate_requests_in_flight") > 0)
    gw.sections["client pra"]["token_sha256"] = token_hash(OTHER)
    gw.sections["vault main"]["connections"] = "3"
    gw.sections["vault main"]["reason"] = "changed meanwhile"
    assert reload(gw)
    assert gw.call("GET", "/status").status == 401
    answer = connection.getresponse()
    assert answer.status == 200
    assert json.loads(answer.read())["password"] == "pw-of-reload"
    connection.close()
    stack.vault.latency(0)


# ---- secrets ----

def test_api_key_is_read_again(stack):
    gw = stack.gateway
    key = pathlib.Path(gw.sections["vault main"]["api_key_file"])
    key.write_text("f" * 128)
    assert reload(gw)
    box = stack.account()
    assert gw.find(stack.session("bob", box)).code == "vault_refused_user"
    key.write_text(API_KEY)
    assert reload(gw)
    eventually(lambda: gw.find(stack.session("bob", box)).status == 200, 40, 0.5)
    assert not said(gw, API_KEY) and not said(gw, "f" * 128)


def test_missing_secret_changes_nothing(stack):
    gw = stack.gateway
    before = digest(gw)
    key = pathlib.Path(gw.sections["vault main"]["api_key_file"])
    key.rename(key.with_suffix(".away"))
    gw.sections["vault main"]["retries"] = "0"
    assert not reload(gw)
    assert digest(gw) == before
    key.with_suffix(".away").rename(key)


# ---- what is refused ----

@pytest.mark.parametrize("section, key, value", [
    ("gateway", "state_dir", "/tmp/jumpgate-elsewhere"),
    ("gateway", "audit_file", "/tmp/a.jsonl"),
    ("listener main", "address", "127.0.0.1:1"),
    ("vault main", "url", "http://127.0.0.1:9/BeyondTrust/api/public/v3"),
    ("vault main", "minute", "1s"),
])
def test_needs_a_restart(stack, section, key, value):
    gw = stack.gateway
    before = digest(gw)
    gw.sections[section][key] = value
    gw.sections["client pra"]["allow"] = "broker"
    assert not reload(gw)
    assert said(gw, "reload_needs_restart", f"`{key}`", "restart")
    assert digest(gw) == before
    assert gw.call("GET", "/status").status == 200  # nothing of it was taken


def test_sections_that_come_or_go_need_a_restart(stack):
    gw = stack.gateway
    gw.sections["listener more"] = {"address": "127.0.0.1:0"}
    assert not reload(gw)
    del gw.sections["listener more"]
    gw.sections["vault two"] = {**gw.sections["vault main"], "url": "http://127.0.0.1:9/BeyondTrust/api/public/v3"}
    assert not reload(gw)
    del gw.sections["vault two"]
    assert said(gw, "reload_needs_restart", "[listener]") and said(gw, "reload_needs_restart", "[vault]")


def test_all_mistakes_are_reported(stack):
    gw = stack.gateway
    before = digest(gw)
    gw.sections["gateway"]["log_level"] = "loud"
    gw.sections["gateway"]["list_cash"] = "5s"
    gw.sections["client pra"]["rate"] = "many"
    assert not reload(gw)
    assert said(gw, "reload_mistake", "log_level") and said(gw, "reload_mistake", "list_cash")
    assert said(gw, "reload_mistake", "rate")
    assert digest(gw) == before
    page = gw.metrics()
    assert page["jumpgate_config_last_reload_successful"] == 0
    assert page['jumpgate_config_reloads_total{result="refused"}'] >= 1


def test_missing_file(stack):
    gw = stack.gateway
    path = gw.path / "jumpgate.conf"
    seen = len(gw.err.lines)
    path.rename(path.with_suffix(".away"))
    gw.signal(signal.SIGHUP)
    eventually(lambda: any(" reload_failed " in line for line in gw.err.lines[seen:]))
    path.with_suffix(".away").rename(path)
    assert gw.call("GET", "/livez").status == 200


def test_log_that_cannot_be_opened(stack):
    gw = stack.gateway
    before = digest(gw)
    gw.sections["gateway"]["log_file"] = str(gw.path / "no" / "such" / "log")
    gw.sections["client pra"]["allow"] = "broker"
    assert not reload(gw)
    assert digest(gw) == before
    assert gw.call("GET", "/status").status == 200


# ---- certificates ----

def serial(gateway, context):
    connection = gateway.connect("tls", tls=context)
    number = connection.sock.getpeercert()["serialNumber"]
    return connection, number


def certificate_days(gateway, kind):
    rows = gateway.call("GET", "/status").json["certificates"]
    return [row for row in rows if row["kind"] == kind]


@pytest.fixture(name="tls")
def _tls(tmp_path):
    """A gateway with mutual TLS whose files a test may exchange."""
    ca = Authority(tmp_path / "pki")
    server = ca.server()
    files = {}
    for name, source in (("crt", server.certificate), ("key", server.key), ("ca", ca.certificate)):
        files[name] = str(tmp_path / f"server.{name}")
        shutil.copy(source, files[name])
    gateway = Gateway(sections={
        "listener tls": {"address": "127.0.0.1:0", "tls_certificate": files["crt"], "tls_key": files["key"],
                         "client_ca": files["ca"]},
        "client cert": {"certificate_san": "DNS:pra.acme.test", "allow": "broker observe"},
        "vault main": {"url": "http://127.0.0.1:9/BeyondTrust/api/public/v3", "insecure_http": "yes"},
    })
    gateway.sections["vault main"]["api_key_file"] = gateway.secret("api-key", API_KEY)
    with gateway:
        gateway.ca, gateway.files = ca, files
        yield gateway


def test_certificate_without_dropping_connections(tls):
    pair = tls.ca.client("pra", sans=["DNS:pra.acme.test"])
    context = tls_context(tls.ca.certificate, pair.certificate, pair.key)
    old, before = serial(tls, context)
    assert tls.call("GET", "/v1/capabilities", token=None, connection=old).status == 200
    fresh = tls.ca.server("fresh")
    shutil.copy(fresh.certificate, tls.files["crt"])
    shutil.copy(fresh.key, tls.files["key"])
    assert reload(tls)
    new, after = serial(tls, context)
    assert before != after
    for connection in (old, new):
        assert tls.call("GET", "/v1/capabilities", token=None, connection=connection).status == 200
        connection.close()


def test_certificate_that_does_not_fit_its_key(tls):
    other = tls.ca.server("other")
    shutil.copy(other.certificate, tls.files["crt"])
    assert not reload(tls)
    pair = tls.ca.client("pra2", sans=["DNS:pra.acme.test"])
    connection, _ = serial(tls, tls_context(tls.ca.certificate, pair.certificate, pair.key))
    assert tls.call("GET", "/v1/capabilities", token=None, connection=connection).status == 200
    connection.close()


def refused(gateway, context):
    """The handshake, or in TLS 1.3 the first read after it, fails."""
    try:
        return gateway.call("GET", "/livez", token=None, listener="tls", tls=context) is None
    except (ssl.SSLError, ConnectionError, http.client.HTTPException):
        return True


def test_client_ca_is_exchanged(tls, tmp_path):
    strangers = Authority(tmp_path / "pki", "strangers")
    pair = strangers.client("pra3", sans=["DNS:pra.acme.test"])
    context = tls_context(tls.ca.certificate, pair.certificate, pair.key)
    assert refused(tls, context)
    shutil.copy(strangers.certificate, tls.files["ca"])
    assert reload(tls)
    assert tls.call("GET", "/v1/capabilities", token=None, listener="tls", tls=context).status == 200


def test_revocation(tls):
    good = tls.ca.client("good", sans=["DNS:pra.acme.test"])
    bad = tls.ca.client("bad", sans=["DNS:pra.acme.test"])
    contexts = [tls_context(tls.ca.certificate, p.certificate, p.key) for p in (good, bad)]
    kept, _ = serial(tls, contexts[1])
    tls.sections["listener tls"]["client_crl"] = tls.ca.revocations([])
    assert reload(tls)
    assert not refused(tls, contexts[0]) and not refused(tls, contexts[1])
    tls.ca.revocations([bad])
    assert reload(tls)
    assert not refused(tls, contexts[0])
    assert refused(tls, contexts[1])
    assert len(certificate_days(tls, "client_crl")) == 1
    # A ticket from before does not help: a new context opens no old ones.
    with socket.create_connection(tuple(tls.addresses["tls"].rsplit(":", 1)), 10) as plain:
        with contexts[1].wrap_socket(plain, do_handshake_on_connect=False, server_hostname="127.0.0.1",
                                     session=kept.sock.session) as sock:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                sock.do_handshake()
                sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
                if not sock.recv(100):
                    raise ConnectionError
    kept.close()


def ended(connection):
    """The gateway has closed it, after what it had to say."""
    connection.sock.settimeout(10)
    try:
        return connection.sock.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def test_open_connection_of_a_revoked_client_ends(tls):
    good = tls.ca.client("good", sans=["DNS:pra.acme.test"])
    bad = tls.ca.client("bad", sans=["DNS:pra.acme.test"])
    contexts = [tls_context(tls.ca.certificate, p.certificate, p.key) for p in (good, bad)]
    tls.sections["listener tls"]["client_crl"] = tls.ca.revocations([])
    assert reload(tls)
    kept, idle = [tls.connect("tls", tls=context) for context in contexts]
    for connection in (kept, idle):
        assert tls.call("GET", "/v1/capabilities", token=None, connection=connection).status == 200
    tls.ca.revocations([bad])
    assert reload(tls)
    assert ended(idle)
    assert tls.call("GET", "/v1/capabilities", token=None, connection=kept).status == 200
    kept.close()


def test_request_under_way_of_a_revoked_client_is_answered_and_ends_it(tls):
    bad = tls.ca.client("bad", sans=["DNS:pra.acme.test"])
    context = tls_context(tls.ca.certificate, bad.certificate, bad.key)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # a vault that never answers
        tls.sections["vault main"]["url"] = f"http://127.0.0.1:{silent.getsockname()[1]}/BeyondTrust/api/public/v3"
        tls.stop()
        tls.sections["listener tls"]["client_crl"] = tls.ca.revocations([])
        tls.restart()
        connection = tls.connect("tls", tls=context)
        body = json.dumps({"session": session(hostname="web01")}).encode()
        connection.request("POST", "/v1/credentials/find", body,
                           {"Content-Type": "application/json", "X-Request-Timeout-Ms": "3000"})
        eventually(lambda: tls.metrics()["jumpgate_requests_in_flight"] == 1)
        tls.ca.revocations([bad])
        assert reload(tls)
        response = connection.getresponse()
        assert response.status == 504 and response.headers["Connection"] == "close"
        response.read()


def test_open_connection_of_a_distrusted_authority_ends(tls, tmp_path):
    pair = tls.ca.client("pra", sans=["DNS:pra.acme.test"])
    idle = tls.connect("tls", tls=tls_context(tls.ca.certificate, pair.certificate, pair.key))
    assert tls.call("GET", "/v1/capabilities", token=None, connection=idle).status == 200
    shutil.copy(Authority(tmp_path / "pki", "strangers").certificate, tls.files["ca"])
    assert reload(tls)
    assert ended(idle)


def test_client_that_is_gone_has_no_say_over_its_open_connection(tls):
    pair = tls.ca.client("pra", sans=["DNS:pra.acme.test"])
    kept = tls.connect("tls", tls=tls_context(tls.ca.certificate, pair.certificate, pair.key))
    assert tls.call("GET", "/v1/capabilities", token=None, connection=kept).status == 200
    del tls.sections["client cert"]
    assert reload(tls)
    assert tls.call("GET", "/v1/capabilities", token=None, connection=kept).status == 401


def test_expired_certificate_is_reported(tls):
    expired = tls.ca.server("past", expired=True)
    shutil.copy(expired.certificate, tls.files["crt"])
    shutil.copy(expired.key, tls.files["key"])
    assert reload(tls)
    answer = tls.call("GET", "/readyz")
    assert answer.status == 503
    assert "the certificate of listener tls has expired" in answer.json["reasons"]
    assert said(tls, "certificate_ends", "name=tls", "days_left=-")
    assert certificate_days(tls, "listener")[0]["days_left"] < 0


def test_a_certificate_near_its_end_is_warned_of(tls):
    """The authority of the tests signs for ten days."""
    assert said(tls, "warn", "certificate_ends", "kind=listener", "name=tls")
    assert 8 <= certificate_days(tls, "listener")[0]["days_left"] <= 10


def test_tls_cannot_be_turned_off(tls):
    tls.sections["listener tls"].update(tls_certificate=None, tls_key=None, client_ca=None)
    assert not reload(tls)
    assert said(tls, "reload_needs_restart", "`tls_certificate`")


# ---- many ----

def test_reload_under_load(stack):
    """Fifty reloads under load: no request lost, none answered twice, memory freed at the end."""
    gw = stack.gateway
    box = stack.account(password="pw")
    connection = gw.connect()
    for i in range(50):
        gw.sections["vault main"]["retries"] = str(i % 3)
        gw.sections["client pra"]["rate"] = f"{1000 + i}/s"
        gw.write_configuration()
        gw.signal(signal.SIGHUP)
        assert gw.call("POST", "/v1/credentials/find", {"session": stack.session("ann", box)},
                       connection=connection).status == 200
    assert reload(gw)
    connection.close()


def test_vault_sessions_outlive_a_reload(stack):
    box = stack.account()
    assert stack.gateway.find(stack.session("ann", box)).status == 200
    before = stack.vault.calls(SIGN_IN)
    assert reload(stack.gateway)
    assert stack.gateway.find(stack.session("ann", box)).status == 200
    assert stack.vault.calls(SIGN_IN) == before
