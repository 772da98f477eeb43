# SPDX-License-Identifier: Apache-2.0
"""Every way in: TCP over both families, TLS with and without client certificates, Unix sockets; and raw HTTP."""

import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time

import pytest

from certificates import Authority
from harness import TOKEN, Gateway, eventually, session, tls_context, token_hash
from stack import Stack, Wire, head, problem, took

NOWHERE = "http://127.0.0.1:9/BeyondTrust/api/public/v3"  # for gateways whose vault does not matter
FIND = "/v1/credentials/find"
GOOD = json.dumps({"session": session(hostname="x")})


def post(body=GOOD, path=FIND, **headers):
    return head("POST", path, Content_Type="application/json", Content_Length=len(body.encode()), **headers) + body


def refused(wire, status, code="invalid_request", close=True):
    """A problem answer on the wire, and the connection closed behind it."""
    got, headers, body = wire.answer()
    assert got == status, (got, body)
    members = json.loads(body)
    assert headers["content-type"].startswith("application/problem+json")
    assert (members["code"], members["status"]) == (code, status)
    assert members["request_id"] == headers["x-request-id"]
    if close:
        assert wire.is_closed(), wire.data


# ---- keep-alive and pipelining ----

def test_keep_alive(stack):
    with Wire(stack.gateway) as wire:
        for _ in range(50):
            assert wire.send(head()).answer()[0] == 200
            assert wire.send(post()).answer()[0] == 200
        assert wire.send(head(path="/nowhere")).answer()[0] == 404
        assert wire.send(head()).answer()[0] == 200  # an error that leaves framing alone keeps the connection


def test_connection_close_is_obeyed(stack):
    with Wire(stack.gateway) as wire:
        status, headers, _ = wire.send(head(Connection="close")).answer()
        assert status == 200 and headers["connection"] == "close" and wire.is_closed()


def test_http_1_0(stack):
    with Wire(stack.gateway) as wire:
        answer = wire.send(head(version="HTTP/1.0")).answer()
        assert answer[0] in (200, 505) and wire.is_closed()


def test_pipelined_answers_come_in_order(stack):
    slow = stack.account()
    stack.credential(stack.session("ann", slow))
    stack.vault.fault("latency", call="GET ManagedAccounts", path=slow.name, latency_ms=200)
    first = json.dumps({"session": stack.session("ann", slow)})
    ids = [f"p{i}" for i in range(20)]
    text = "".join(post(first if i == 0 else GOOD, X_Request_Id=one) if i % 2 == 0
                   else head(X_Request_Id=one) for i, one in enumerate(ids))
    with Wire(stack.gateway) as wire:
        wire.send(text)
        answers = [wire.answer() for _ in ids]
    assert [a[1]["x-request-id"] for a in answers] == ids
    assert {a[0] for a in answers} == {200}


def test_pipelined_byte_by_byte(stack):
    with Wire(stack.gateway) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for letter in (post() + head()).encode():
            wire.send(bytes([letter]))
        assert [wire.answer()[0] for _ in range(2)] == [200, 200]


def test_mistake_in_a_pipeline_ends_it(stack):
    with Wire(stack.gateway) as wire:
        wire.send(head(X_Request_Id="a") + "GARBAGE\r\n\r\n" + head(X_Request_Id="c"))
        assert wire.answer()[1]["x-request-id"] == "a"
        refused(wire, 400)


def test_empty_lines_before_a_request(stack):
    with Wire(stack.gateway) as wire:
        assert wire.send("\r\n\r\n" + head()).answer()[0] == 200


def test_large_answer_to_a_slow_reader(stack):
    box = stack.system()
    first = 700000
    stack.vault.scenario({"accounts": [{"id": first + i, "system": box.system, "name": f"u{i}", "rules": ["auto"],
                                        "description": "d" * 200} for i in range(2500)]})
    body = json.dumps({"session": stack.session("ann", box)})
    with Wire(stack.gateway, timeout=30) as wire:
        wire.send(post(body) * 3)
        eventually(stack.quiet)  # all of it waits for us now
        for _ in range(3):
            status, _, data = wire.answer()
            assert status == 200 and len(json.loads(data)["credentials"]) == 2500


# ---- malformed HTTP ----

@pytest.mark.parametrize("text", [
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET\r\n\r\n", "G@T /livez HTTP/1.1\r\n\r\n",
    "GET  /livez HTTP/1.1\r\nHost: x\r\n\r\n", "GET /livez HTTP/1.1\r\nBad Header: x\r\n\r\n",
    "GET /livez HTTP/1.1\r\nHost x\r\n\r\n", "GET /livez HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
    "GET /livez HTTP/1.1\r\nA: \x00\r\n\r\n", "GET /livez HTTP/1.1\r\n: x\r\n\r\n", "\x00" * 64,
    "GET /li vez HTTP/1.1\r\nHost: x\r\n\r\n", "GET /livez FTP/1.1\r\n\r\n",
    "GET /livez HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
    "GET /livez HTTP/1.1\r\nHost: x y\r\n\r\n", "GET /livez HTTP/1.1\r\nHost: x, y\r\n\r\n",
    "GET /livez HTTP/1.1\r\nHost: a@x/\r\n\r\n",
])
def test_malformed_heads(stack, text):
    with Wire(stack.gateway) as wire:
        wire.send(text).end()
        refused(wire, 400)


@pytest.mark.parametrize("headers", [
    "Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5",
    "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5\r\nContent-Length: 5", "Content-Length: -5",
    "Content-Length: 5x", "Content-Length: 0x5", "Content-Length: 5, 5", "Content-Length: +5", "Content-Length:",
    "Content-Length: 99999999999999999999999", "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked, chunked",
])
def test_lengths_in_doubt(stack, headers):
    with Wire(stack.gateway) as wire:
        wire.send(head("POST", FIND, Content_Type="application/json").replace("\r\n\r\n", f"\r\n{headers}\r\n\r\n")
                  + "5\r\nhello\r\n0\r\n\r\n")
        status, _, body = wire.answer()
        assert status in (400, 501) and json.loads(body)["code"] in ("invalid_request", "unsupported"), body
        assert wire.is_closed()


def test_both_lengths_are_refused_with_400(stack):
    with Wire(stack.gateway) as wire:
        wire.send(head("POST", FIND, Content_Type="application/json", Content_Length=5,
                       Transfer_Encoding="chunked") + "0\r\n\r\n" + head())
        refused(wire, 400)


@pytest.mark.parametrize("chunks", ["x\r\n", "5\r\nhelloX", "-1\r\n", "5 5\r\n", "fffffffffffffffff\r\n", "\r\n",
                                    "0x5\r\nhello\r\n", "5\nhello\n0\n\n"])
def test_bad_chunks(stack, chunks):
    with Wire(stack.gateway) as wire:
        wire.send(head("POST", FIND, Content_Type="application/json", Transfer_Encoding="chunked") + chunks)
        refused(wire, 400)


@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "deflate", "x-unknown"])
def test_unknown_transfer_coding(stack, coding):
    with Wire(stack.gateway) as wire:
        wire.send(head("POST", FIND, Content_Type="application/json", Transfer_Encoding=coding))
        refused(wire, 501)


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/1.2", "HTTP/3.0", "HTTP/0.9"])
def test_other_versions(stack, version):
    with Wire(stack.gateway) as wire:
        wire.send(head(version=version))
        refused(wire, 505)


def test_http2_preface(stack):
    with Wire(stack.gateway) as wire:
        wire.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        status, _, body = wire.answer()
        assert status in (400, 505) and json.loads(body)["code"] == "invalid_request"
        assert wire.is_closed()


def test_expect_continue(stack):
    with Wire(stack.gateway) as wire:
        wire.send(head("POST", FIND, Content_Type="application/json", Content_Length=len(GOOD),
                       Expect="100-continue"))
        assert wire.answer() == (100, {}, b"")
        assert wire.send(GOOD).answer()[0] == 200


def test_expect_continue_is_not_said_to_the_refused(stack):
    with Wire(stack.gateway) as wire:
        wire.send(head("POST", FIND, token="wrong", Content_Type="application/json", Content_Length=len(GOOD),
                       Expect="100-continue"))
        assert wire.answer()[0] == 401


def test_unknown_expectation(stack):
    with Wire(stack.gateway) as wire:
        wire.send(post(Expect="200-ok"))
        refused(wire, 417)


# ---- limits ----

def test_length_of_the_target(stack):
    with Wire(stack.gateway) as wire:
        assert wire.send(head(path="/livez?" + "x" * 8000)).answer()[0] == 200
        wire.send(head(path="/livez?" + "x" * 8300))
        refused(wire, 414, "uri_too_long", close=False)


def test_target_without_end(stack):
    with Wire(stack.gateway) as wire:
        try:
            wire.send("GET /")
            for _ in range(100):
                wire.send("x" * 1000)
        except OSError:
            pass
        got = wire.answer()
        assert got is None or got[0] == 414


def test_size_and_number_of_headers(stack):
    fields = lambda n: "".join(f"X-{i}: y\r\n" for i in range(n))
    with Wire(stack.gateway) as wire:
        start = "GET /livez HTTP/1.1\r\nHost: x\r\n"
        assert wire.send(start + fields(99) + "\r\n").answer()[0] == 200
        wire.send(start + fields(100) + "\r\n")
        refused(wire, 431, "headers_too_large", close=False)
    with Wire(stack.gateway) as wire:
        assert wire.send(head(X="y" * 31000)).answer()[0] == 200
        wire.send(head(X="y" * 33000))
        refused(wire, 431, "headers_too_large", close=False)


def test_headers_without_end(stack):
    with Wire(stack.gateway) as wire:
        try:
            wire.send("GET /livez HTTP/1.1\r\nX: ")
            for _ in range(100):
                wire.send("y" * 1000)
        except OSError:
            pass
        got = wire.answer()
        assert got is None or got[0] == 431


# ---- time-outs ----

@pytest.fixture(scope="module", name="hasty")
def _hasty():
    with Gateway(NOWHERE, {
            "gateway": {"header_timeout": "300ms", "body_timeout": "300ms", "idle_timeout": "300ms"}}) as gateway:
        yield gateway


@pytest.mark.parametrize("sent", ["", "GET /li", head()[:-2], head("POST", FIND, Content_Length=10,
                                                                  Content_Type="application/json") + "x"])
def test_slow_clients_are_closed(hasty, sent):
    with Wire(hasty) as wire:
        wire.send(sent)
        seconds, answer = took(wire.answer)
        assert 0.2 < seconds < 3
        if answer:
            assert answer[0] == 408 and json.loads(answer[2])["code"] == "invalid_request"
        assert wire.is_closed()


def test_idle_connection_is_closed_and_a_busy_one_is_not(hasty):
    with Wire(hasty) as wire:
        start = time.monotonic()
        while time.monotonic() < start + 0.8:  # longer than the limit, never idle for as long
            assert wire.send(head()).answer()[0] == 200
        seconds, closed = took(wire.is_closed)
        assert closed and 0.1 < seconds < 3


# ---- families of addresses ----

def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_ipv6():
    with Gateway(NOWHERE, {"listener six": {"address": "[::1]:0"}}) as gateway:
        assert gateway.addresses["six"].startswith("[::1]:")
        assert gateway.call("GET", "/v1/capabilities", listener="six").status == 200


def test_vault_over_ipv6():
    if not has_ipv6():
        pytest.skip("no IPv6 here")
    with Stack(arguments=["--listen", "[::1]:0"]) as stack:
        assert "[::1]" in stack.vault.url
        assert stack.checkout(stack.session("ann", stack.account(password="six"))).json["password"] == "six"
        stack.sweep()


# ---- TLS ----

@pytest.fixture(scope="module", name="ca")
def _ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module", name="pairs")
def _pairs(ca, tmp_path_factory):
    other = Authority(tmp_path_factory.mktemp("other"), "other")
    return {
        "dns": ca.client("dns", ["DNS:pra.corp.test"]),
        "uri": ca.client("uri", ["URI:spiffe://corp.test/pra"]),
        "email": ca.client("email", ["email:pra@corp.test"]),
        "ip": ca.client("ip", ["IP:10.1.2.3"]),
        "several": ca.client("several", ["DNS:other.corp.test", "DNS:pra.corp.test"]),
        "near": ca.client("near", ["DNS:xpra.corp.test", "URI:pra.corp.test", "email:x@pra.corp.test"]),
        "kind": ca.client("kind", ["DNS:10.1.2.3", "URI:pra@corp.test"]),
        "wild": ca.client("wild", ["DNS:*.corp.test"]),
        "none": ca.client("none", []),
        "both": ca.client("both", ["DNS:both.corp.test"]),
        "expired": ca.client("expired", ["DNS:pra.corp.test"], expired=True),
        "untrusted": other.client("untrusted", ["DNS:pra.corp.test"]),
    }


@pytest.fixture(scope="module", name="tls")
def _tls(ca):
    server = ca.server()
    listener = {"address": "127.0.0.1:0", "tls_certificate": server.certificate, "tls_key": server.key}
    with Gateway(NOWHERE, {
            "listener plain": {"address": "127.0.0.1:0"},
            "listener tls": listener,
            "listener mutual": {**listener, "client_ca": ca.certificate},
            "client pra": {"allow": "operate"},
            "client dns": {"certificate_san": "DNS:PRA.corp.test", "allow": "broker"},
            "client uri": {"certificate_san": "URI:spiffe://corp.test/pra", "allow": "broker"},
            "client email": {"certificate_san": "email:pra@corp.test", "allow": "broker"},
            "client ip": {"certificate_san": "IP:10.1.2.3", "allow": "broker"},
            "client both": {"certificate_san": "both.corp.test", "token_sha256": token_hash("both"),
                            "allow": "broker observe"},
            "client tokened": {"token_sha256": token_hash("tokened"), "allow": "broker"},
            "listener main": None}) as gateway:
        yield gateway


CAPABILITIES = ("GET", "/v1/capabilities")


def test_https(tls, ca):
    answer = tls.call(*CAPABILITIES, token="tokened", listener="tls", tls=tls_context(ca.certificate))
    assert answer.status == 200
    problem(tls.call(*CAPABILITIES, token=None, listener="tls", tls=tls_context(ca.certificate)), 401,
            "unauthenticated")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_versions(tls, ca, pairs, version):
    context = tls_context(ca.certificate, pairs["dns"].certificate, pairs["dns"].key)
    context.minimum_version = context.maximum_version = version
    assert tls.call(*CAPABILITIES, token=None, listener="mutual", tls=context).status == 200
    for _ in range(3):  # resumed or not, the certificate counts each time
        assert tls.call(*CAPABILITIES, token=None, listener="mutual", tls=context).status == 200


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(tls):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options |= ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3  # leaves 1.0 and 1.1
    with pytest.raises(OSError):
        tls.call(*CAPABILITIES, token="tokened", listener="tls", tls=context)


@pytest.mark.parametrize("name", ["dns", "uri", "email", "ip", "several"])
def test_certificate_names_the_client(tls, ca, pairs, name):
    context = tls_context(ca.certificate, pairs[name].certificate, pairs[name].key)
    assert tls.call(*CAPABILITIES, token=None, listener="mutual", tls=context).status == 200
    problem(tls.call("GET", "/status", token=None, listener="mutual", tls=context), 403, "forbidden")


@pytest.mark.parametrize("name", ["near", "kind", "wild", "none"])
def test_certificate_that_names_no_client(tls, ca, pairs, name):
    context = tls_context(ca.certificate, pairs[name].certificate, pairs[name].key)
    problem(tls.call(*CAPABILITIES, token=None, listener="mutual", tls=context), 401, "unauthenticated")
    assert tls.call(*CAPABILITIES, token="tokened", listener="mutual", tls=context).status == 200


def test_all_identities_of_a_client_are_required(tls, ca, pairs):
    both = tls_context(ca.certificate, pairs["both"].certificate, pairs["both"].key)
    dns = tls_context(ca.certificate, pairs["dns"].certificate, pairs["dns"].key)
    assert tls.call("GET", "/status", token="both", listener="mutual", tls=both).status == 200
    assert tls.call("GET", "/status", token=None, listener="mutual", tls=both).status == 401
    assert tls.call("GET", "/status", token="wrong", listener="mutual", tls=both).status == 401
    assert tls.call("GET", "/status", token="both", listener="mutual", tls=dns).status in (401, 403)
    assert tls.call("GET", "/status", token="both", listener="tls", tls=tls_context(ca.certificate)).status == 401
    assert tls.call("GET", "/status", token="both", listener="plain").status == 401


@pytest.mark.parametrize("name", [None, "expired", "untrusted"])
def test_handshake_without_a_valid_certificate_is_refused(tls, ca, pairs, name):
    context = tls_context(ca.certificate, *([pairs[name].certificate, pairs[name].key] if name else []))
    with pytest.raises(OSError):
        tls.call(*CAPABILITIES, token="tokened", listener="mutual", tls=context)
    with pytest.raises(OSError):
        tls.call("GET", "/livez", token=None, listener="mutual", tls=context)


def test_plain_http_on_a_tls_port(tls):
    with Wire(tls, "tls") as wire:
        wire.send(head())
        try:
            wire.answer()
        except (AssertionError, ValueError, IndexError):
            pass  # a TLS alert, or nothing
        assert b"200" not in wire.data


def test_tls_in_pieces(tls, ca):
    """A client that sends its records byte by byte, and one that stops in the handshake."""
    context = tls_context(ca.certificate)
    host, _, port = tls.addresses["tls"].rpartition(":")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=host)
    with socket.create_connection((host, int(port)), 10) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def turn(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    flush()
                    incoming.write(raw.recv(65536))

        def flush():
            for letter in outgoing.read():
                raw.send(bytes([letter]))
        turn(client.do_handshake)
        client.write(head(path="/v1/capabilities", token="tokened").encode())
        flush()
        assert turn(lambda: client.read(65536)).startswith(b"HTTP/1.1 200")
    with Wire(tls, "tls") as wire:
        wire.send(b"\x16\x03\x01\x02\x00\x01").end()
        assert wire.is_closed() or wire.data[0] in (0x15, 0x16)


def test_status_shows_the_certificates(tls, ca, pairs):
    context = tls_context(ca.certificate, pairs["both"].certificate, pairs["both"].key)
    rows = tls.call("GET", "/status", token="both", listener="mutual", tls=context).json["certificates"]
    assert rows and all(row["days_left"] in (9, 10) and row["kind"] == "listener" for row in rows)


def test_expired_server_certificate_is_reported(ca):
    server = ca.server("late", expired=True)
    gateway = Gateway(NOWHERE, {
        "listener plain": {"address": "127.0.0.1:0"},
        "listener main": {"address": "127.0.0.1:0", "tls_certificate": server.certificate, "tls_key": server.key}})
    with gateway:
        answer = gateway.call("GET", "/readyz", token=None, listener="plain")
        assert answer.status == 503 and [reason for reason in answer.json["reasons"] if "certificate" in reason]


# ---- Unix sockets ----

@pytest.fixture(scope="module", name="unix")
def _unix():
    with tempfile.TemporaryDirectory(prefix="jumpgate-unix-") as folder, Gateway(NOWHERE, {
            "listener main": {"address": f"unix:{folder}/broker.sock", "unix_mode": "0666"},
            "listener tight": {"address": f"unix:{folder}/tight.sock"},
            "listener tcp": {"address": "127.0.0.1:0"},
            "client pra": {"token_sha256": None, "peer_uid": str(os.getuid()), "allow": "broker"},
            "client nobody": {"peer_uid": "65534", "token_sha256": token_hash("nobody"), "allow": "broker observe"},
    }) as gateway:
        os.chmod(folder, 0o711)
        yield gateway


def test_unix_socket_by_peer_uid(unix):
    assert unix.addresses["main"].startswith("unix:/")
    assert unix.call(*CAPABILITIES, token=None).status == 200
    assert unix.call(*CAPABILITIES, token="whatever").status == 200
    problem(unix.call("GET", "/status", token=None), 403, "forbidden")
    problem(unix.call(*CAPABILITIES, token=None, listener="tcp"), 401, "unauthenticated")
    problem(unix.call(*CAPABILITIES, token="nobody", listener="tcp"), 401, "unauthenticated")


def test_modes_of_unix_sockets(unix):
    mode = lambda name: stat.S_IMODE(os.stat(unix.addresses[name][5:]).st_mode)
    assert (mode("main"), mode("tight")) == (0o666, 0o660)


AS_NOBODY = """
import os, socket, sys
os.setgroups([]), os.setgid(65534), os.setuid(65534)
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(sys.stdin.buffer.read())
    print(s.recv(65536).decode().split()[1])
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs to become another user")
def test_unix_socket_for_another_user(unix):
    def status(token, listener="main"):
        return subprocess.run([sys.executable, "-c", AS_NOBODY, unix.addresses[listener][5:]], capture_output=True,
                              input=head(path="/status", token=token).encode(), timeout=20, check=False).stdout
    assert status("nobody") == b"200\n"
    assert status(None) == b"401\n"
    assert status("x") == b"401\n"
    assert status("nobody", "tight") == b""


def test_unix_socket_goes_with_the_gateway_and_a_stale_one_is_replaced(tmp_path):
    path = tmp_path / "s.sock"
    sections = {"listener main": {"address": f"unix:{path}"}}
    with Gateway(NOWHERE, sections) as gateway:
        assert gateway.call("GET", "/livez").status == 200
        gateway.kill()
        assert path.exists()
        gateway.restart()
        assert gateway.call("GET", "/livez").status == 200
        second = Gateway(NOWHERE, sections)
        second.launch()
        assert second.wait() == 3 and "main" in second.err.text
        second.folder.cleanup()
        assert gateway.call("GET", "/livez").status == 200  # still the first one's
        gateway.stop()
        assert not path.exists()


def test_find_checkout_release_over_a_unix_socket(tmp_path):
    with Stack({"listener main": {"address": f"unix:{tmp_path}/s.sock"}}) as stack:
        box = stack.account(password="by socket")
        ann = stack.session("ann", box)
        assert stack.checkout(ann).json["password"] == "by socket"
        stack.sweep()


# ---- client certificates towards the vault ----

@pytest.mark.parametrize("arguments", [[], ["--tls12"], ["--knob", "2=on"], ["--knob", "2=on", "--tls12"]],
                         ids=["1.3", "1.2", "late-1.3", "late-1.2"])
def test_vault_that_wants_a_certificate(ca, arguments):
    mine = ca.client("gateway" + "".join(a.strip("-=") for a in arguments), ["DNS:gateway.corp.test"])
    keys = {"ca_file": ca.certificate, "client_certificate": mine.certificate, "client_key": mine.key}
    with Stack({"vault main": keys}, arguments, tls=ca.server("v"), client_ca=ca.certificate) as stack:
        assert stack.checkout(stack.session("ann", stack.account(password="mutual"))).json["password"] == "mutual"
        stack.sweep()


def test_nothing_is_left_after_many_connections(stack):
    eventually(lambda: stack.metric("jumpgate_connections") == 1)
    before = stack.metric("jumpgate_process_open_fds")
    for _ in range(200):
        with Wire(stack.gateway) as wire:
            wire.send(head(token=TOKEN))
    eventually(lambda: stack.metric("jumpgate_connections") == 1)
    # a connection to the vault may have been opened meanwhile; two hundred of clients would show
    assert stack.metric("jumpgate_process_open_fds") <= before + 5


def test_metrics_show_the_vaults_time_by_operation():
    with Stack() as stack:
        ann = stack.session("ann", stack.account())
        assert stack.checkout(ann).status == 200
        assert stack.gateway.complete(ann).status == 200
        told = stack.gateway.metrics()
        for operation, least in (("sign-in", 1), ("list", 3), ("request", 1), ("credential", 1), ("checkin", 1)):
            name = f'jumpgate_vault_call_duration_seconds_count{{vault="main",operation="{operation}"}}'
            assert told[name] >= least, operation
        assert told['jumpgate_vault_call_duration_seconds_count{vault="main",operation="isa"}'] == 0
        stack.sweep()


def test_vault_of_an_unknown_authority(ca, tmp_path):
    """What is wrong is said as it is: a certificate that is not trusted is no refused connection."""
    other = Authority(tmp_path, "other")
    with Stack({"vault main": {"ca_file": other.certificate}}, tls=ca.server("vault")) as stack:
        answer = stack.gateway.find(stack.session("ann", hostname="x"))
        assert "certificate" in problem(answer, 503, "vault_unavailable")["detail"]
        stack.opened = []
        (reason,) = stack.gateway.call("GET", "/readyz").json["reasons"]
        assert reason.startswith("vault main is not reachable: SSL certificate problem"), reason
