"""The simulated PRA site's faults: answers that are lost, slow, spoiled or another's, TLS and listener."""

import http.client
import socket
import ssl
import time
import xml.etree.ElementTree as ElementTree

import pytest

from certificates import Authority
from simulator_process import until
from pra_site import PraSite, SiteError, descendants, local


@pytest.fixture(name="site")
def _site():
    with PraSite() as site:
        site.settings(rate_second=1000)
        site.token()
        yield site


def listing(site):
    return site.ask_report("AccessSessionListing", end_time=0, duration=0)


def raw_listing(site):
    target = "/api/reporting?generate_report=AccessSessionListing&end_time=0&duration=0"
    return site.raw(f"GET {target} HTTP/1.1\r\nHost: v\r\nConnection: close\r\n"
                    f"Authorization: Bearer {site.access_token}\r\n\r\n".encode())


@pytest.mark.parametrize("action, status, text", [
    ("error", 200, b"<error>"),
    ("html", 200, b"Sign in"),
    ("html500", 500, b"<html>"),
    ("unavailable", 503, b"Service Unavailable"),
    ("throttle", 429, b"Too many"),
    ("redirect", 302, b"Sign in"),
    ("token_refused", 401, b"access_denied"),
])
def test_answers_by_status(site, action, status, text):
    lsid = site.start_session()
    site.fault(action, call="terminate_session")
    answer = site.ask_command("terminate_session", lsid=lsid)
    assert answer.status == status and text in answer.body
    assert site.session(lsid)["state"] == "running" and site.log()[-1]["fault"] == action
    assert site.ask_command("check_health").status == 200


@pytest.mark.parametrize("action", ["error_after", "html_after", "status_after", "drop_after", "truncate"])
def test_faults_after_the_fact(site, action):
    lsid = site.start_session()
    site.fault(action, call="terminate_session", status=500)
    try:
        assert b"<success" not in site.ask_command("terminate_session", lsid=lsid).body
    except (OSError, http.client.HTTPException):
        pass
    assert site.session(lsid)["state"] == "ended"


@pytest.mark.parametrize("action", ["deep", "no_end", "doctype", "entities", "bad_utf8", "trailing", "cut", "empty",
                                    "unknown_root"])
def test_spoiled_xml(site, action):
    site.start_session(ended=True)
    good = listing(site).body
    site.fault(action, call="AccessSessionListing", size=500)
    answer = listing(site)
    assert answer.status == 200 and answer.body != good and answer.header("Content-Length") == str(len(answer.body))
    marks = {"deep": b"<d>" * 500, "doctype": b"<!DOCTYPE", "entities": b"&a9;", "bad_utf8": b"\xc3\x28"}
    assert marks.get(action, b"") in answer.body
    if action in ("no_end", "bad_utf8", "trailing", "cut", "empty"):
        with pytest.raises(ElementTree.ParseError):
            ElementTree.fromstring(answer.body)
    if action == "unknown_root":
        assert local(ElementTree.fromstring(answer.body)) == "surprise"


def test_foreign_namespace(site):
    site.start_session(ended=True)
    site.fault("namespace", call="AccessSessionListing")
    root = ElementTree.fromstring(listing(site).body)
    assert root.tag == "{urn:example:another}session_summary_list"


def test_rows_without_an_lsid(site):
    lsid = site.start_session(ended=True)
    site.fault("bad_row", call="AccessSessionListing")
    assert site.listing(end_time=0) == ["nonsense", None, lsid]


def test_wrong_type_and_size(site):
    site.start_session(ended=True)
    site.fault("wrong_type", call="AccessSessionListing", count=1)
    assert listing(site).header("Content-Type") == "application/json"
    site.fault("oversize", call="AccessSessionListing")
    answer = listing(site)
    assert len(answer.body) == 17 << 20 and len(descendants(ElementTree.fromstring(answer.body), "session_summary")) == 1
    site.clear_faults()
    site.fault("wrong_type", call="jumpoint")
    assert site.config("jumpoint").header("Content-Type") == "text/xml"


def test_wrong_lengths(site):
    site.start_session(ended=True)
    whole = len(listing(site).body)
    site.fault("wrong_length", size=7, count=1)
    head, body = raw_listing(site).split(b"\r\n\r\n", 1)
    assert f"Content-Length: {whole + 7}".encode() in head and len(body) == whole
    site.fault("short_length", count=1)
    head, body = raw_listing(site).split(b"\r\n\r\n", 1)
    assert f"Content-Length: {whole // 2}".encode() in head and len(body) == whole
    site.fault("truncate")
    head, body = raw_listing(site).split(b"\r\n\r\n", 1)
    assert f"Content-Length: {whole}".encode() in head and len(body) == whole // 2


def test_lost_answers(site):
    for action, bytes_seen in (("drop_before", b""), ("reset", b"<reset>"), ("garbage", b"banana")):
        site.fault(action, count=1)
        assert bytes_seen in raw_listing(site)
    assert raw_listing(site).startswith(b"HTTP/1.1 200 OK")
    site.fault("hang", call="check_health")
    with socket.create_connection((site.host, site.port), 30) as s:
        s.sendall(f"GET /api/command?action=check_health HTTP/1.1\r\nHost: v\r\nConnection: close\r\n"
                  f"Authorization: Bearer {site.access_token}\r\n\r\n".encode())
        until(lambda: site.calls("check_health") == 1)
        assert site.counts()["in_flight"] == 1
    until(lambda: site.counts()["in_flight"] == 0)


def test_slow_answers(site):
    site.start_session(ended=True)
    whole = listing(site).body
    site.fault("slow", call="AccessSessionListing", size=100)
    before = time.monotonic()
    assert listing(site).body == whole
    assert time.monotonic() - before >= 0.25  # about 440 bytes in steps of 100, 100 ms apart; clocks are rounded
    with socket.create_connection((site.host, site.port), 30) as s:  # one that leaves in the middle
        s.sendall(f"GET /api/reporting?generate_report=AccessSessionListing&end_time=0&duration=0 HTTP/1.1\r\nHost: v\r\n"
                  f"Connection: close\r\nAuthorization: Bearer {site.access_token}\r\n\r\n".encode())
        assert s.recv(10)
    until(lambda: site.counts()["in_flight"] == 0)


def test_rules_match_names_clients_and_paths(site):
    site.fault("status", call="TOKEN", status=503, count=1)
    assert [site.ask_token().status for _ in range(2)] == [503, 200]
    site.fault("status", path="/api/config", status=503)
    assert site.config("api-account").status == 503 and site.ask_command("check_health").status == 200
    site.clear_faults()
    site.account(client_id="other", client_secret="its own")
    site.fault("status", user="other", status=503)
    assert site.ask_command("check_health").status == 200
    assert site.ask_token("other", "its own").status == 503
    assert site.faults()[0]["fired"] == 1
    site.clear_faults()
    site.fault("error", call="probe")
    assert site.probe().status == 200 and b"<error>" in site.probe().body


def test_faults_by_option():
    with PraSite("--fault", '{"action":"throttle","call":"token"}', knobs={"token_type": "lower"}) as site:
        assert site.ask_token().status == 429
        site.clear_faults()
        assert site.ask_token().json["token_type"] == "bearer"


# ---- the listener ----

def connects(site):
    try:
        return site.probe().status == 200
    except OSError:
        return False


def test_closed_listener(site):
    lsid = site.start_session()
    site.close_listener()
    until(lambda: not connects(site))
    address = site.address
    site.end_session(lsid)
    site.open_listener()
    until(lambda: connects(site))
    assert site.address == address and site.listing(end_time=0) == [lsid]
    site.close_listener()
    site.open_listener()
    until(lambda: connects(site))


def test_a_paused_site(site):
    site.pause()
    try:
        with pytest.raises(TimeoutError):
            connection = site.connect(timeout=0.3)
            connection.request("GET", "/check_health")
            connection.getresponse()
        connection.close()
    finally:
        site.resume()
    assert site.probe().status == 200


def test_certificates(tmp_path):
    ca = Authority(tmp_path)
    good, other = ca.server(), ca.server("other", sans=("DNS:elsewhere.test",))
    context = ssl.create_default_context(cafile=ca.certificate)

    def names(site):
        with socket.create_connection((site.host, site.port), 30) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as s:
                return [v for k, v in s.getpeercert()["subjectAltName"] if k == "DNS"]

    with PraSite(tls=good) as site:
        assert names(site) == ["localhost"] and site.token()
        site.certificate(other)
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            names(site)
        site.certificate(ca.server("expired", expired=True))
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            names(site)
        site.certificate(good)
        assert names(site) == ["localhost"]
        site.fault("cut", call="check_health")
        with pytest.raises((ElementTree.ParseError, SiteError)):
            site.command("check_health")
        with pytest.raises(RuntimeError, match="400"):
            site.ask("POST", "/tls", {"certificate": "/none", "key": "/none"})
        site.close_listener()
        site.open_listener()
        until(lambda: connects(site))
        assert names(site) == ["localhost"]  # the mistake has changed nothing


def test_a_plain_site_has_no_certificate(site, tmp_path):
    pair = Authority(tmp_path).server()
    with pytest.raises(RuntimeError, match="400"):
        site.certificate(pair)
    with pytest.raises(ssl.SSLError):
        with socket.create_connection((site.host, site.port), 30) as plain:
            ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
