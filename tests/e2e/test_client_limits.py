# SPDX-License-Identifier: Apache-2.0
"""Limits of clients: failed log-ins, connections of one peer, versions of TLS."""

import socket
import ssl
import subprocess

import pytest

from certificates import Authority
from harness import API_KEY, TOKEN, Gateway, eventually, tls_context
from stack import head, problem, Wire

VAULT = {"url": "http://127.0.0.1:9/BeyondTrust/api/public/v3", "insecure_http": "yes"}


def gateway_with(sections):
    gateway = Gateway(sections={"vault main": dict(VAULT), **sections})
    gateway.sections["vault main"]["api_key_file"] = gateway.secret("api-key", API_KEY)
    return gateway


@pytest.fixture(name="strict")
def _strict():
    with gateway_with({"gateway": {"failed_login_rate": "5/m", "max_connections_per_peer": "8"},
                       "listener sock": {}}) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def _socket_path(monkeypatch):
    """Each gateway's Unix socket lies in its own directory."""
    original = Gateway.write_configuration

    def write(self):
        if "listener sock" in self.sections:
            self.sections["listener sock"]["address"] = f"unix:{self.path}/broker.sock"
        return original(self)
    monkeypatch.setattr(Gateway, "write_configuration", write)


def test_failures_are_slowed(strict):
    codes = [strict.call("GET", "/v1/capabilities", token="guess").status for _ in range(8)]
    assert codes == [401] * 5 + [429] * 3
    answer = strict.call("GET", "/v1/capabilities", token="guess")
    problem(answer, 429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 12
    assert "guess" not in strict.err.text
    # a known client at the same address is not held up, an unknown one at another place is heard
    assert strict.call("GET", "/v1/capabilities").status == 200
    assert strict.call("GET", "/v1/capabilities", token="guess", listener="sock").status == 401
    assert strict.metrics()["jumpgate_authentication_failures_total"] == 10
    assert sum("authentication_failed" in line for line in strict.err.lines) == 6


def test_who_goes_on_failing_loses_the_connection(strict):
    with Wire(strict) as wire:
        for _ in range(5):
            wire.send(head(path="/v1/capabilities", token="wrong"))
            assert wire.answer()[0] == 401
        wire.send(head(path="/v1/capabilities", token="wrong") + head(path="/livez"))
        status, headers, _ = wire.answer()
        assert (status, headers["connection"]) == (429, "close")
        assert wire.is_closed()


def test_no_credentials_at_all_count_too(strict):
    codes = [strict.call("GET", "/status", token=None).status for _ in range(6)]
    assert codes == [401] * 5 + [429]
    assert strict.call("GET", "/livez", token=None).status == 200


def test_connections_of_one_peer(strict):
    wires = [Wire(strict) for _ in range(8)]
    for wire in wires:
        wire.send(head())
        assert wire.answer()[0] == 200
    with Wire(strict) as ninth:
        assert ninth.is_closed()
    assert strict.call("GET", "/livez", listener="sock").status == 200
    eventually(lambda: any("too_many_connections" in line for line in strict.err.lines))
    assert sum("too_many_connections" in line for line in strict.err.lines) == 1
    wires.pop().socket.close()
    eventually(lambda: served(strict))
    for wire in wires:
        wire.socket.close()


def served(gateway):
    with Wire(gateway) as wire:
        try:
            wire.send(head())
        except OSError:
            return False
        got = wire.answer()
        return got is not None and got[0] == 200


# ---- TLS ----

@pytest.fixture(scope="module", name="tls")
def _tls(tmp_path_factory):
    ca = Authority(tmp_path_factory.mktemp("pki"))
    server = ca.server()
    with gateway_with({"listener tls": {"address": "127.0.0.1:0", "tls_certificate": server.certificate,
                                        "tls_key": server.key}}) as gateway:
        gateway.ca = ca
        yield gateway


def s_client(gateway, *options, text=b""):
    command = ["openssl", "s_client", "-connect", gateway.addresses["tls"], "-CAfile", gateway.ca.certificate, *options]
    done = subprocess.run(command, input=text, capture_output=True, timeout=30, check=False)
    return (done.stdout + done.stderr).decode("latin-1")


@pytest.mark.parametrize("options, good", [
    (["-tls1_2"], True), (["-tls1_3"], True),
    (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], False), (["-tls1", "-cipher", "ALL:@SECLEVEL=0"], False),
    (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], True),
    (["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], True),
    (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0"], False),
    (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"], False),
    (["-tls1_2", "-cipher", "NULL:@SECLEVEL=0"], False),
    (["-tls1_3", "-groups", "X25519"], True), (["-tls1_3", "-groups", "P-256"], True),
    (["-tls1_3", "-groups", "P-521"], False), (["-tls1_3", "-groups", "ffdhe2048"], False),
])
def test_what_is_spoken(tls, options, good):
    out = s_client(tls, *options)
    assert ("Verify return code: 0 (ok)" in out and "Cipher is (NONE)" not in out) == good, out


def test_no_compression_and_no_renegotiation(tls):
    out = s_client(tls, "-tls1_2", "-comp", text=b"R\n")
    assert "Compression: NONE" in out
    assert "HTTP/1.1 200" not in out
    assert tls.call("GET", "/livez", listener="tls", tls=tls_context(tls.ca.certificate)).status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(tls, version):
    context = tls_context(tls.ca.certificate)
    context.minimum_version = context.maximum_version = version

    def once(session):
        with socket.create_connection(tuple(tls.addresses["tls"].rsplit(":", 1)), 10) as plain:
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as sock:
                sock.sendall(head(token=TOKEN).encode())
                assert sock.recv(65536).startswith(b"HTTP/1.1 200")
                return sock.session_reused, sock.session
    reused, session = once(None)
    assert not reused
    reused, _ = once(session)
    assert reused


def test_days_left(tls):
    row, = tls.call("GET", "/status").json["certificates"]
    assert (row["name"], row["kind"]) == ("tls", "listener")
    assert 8 <= row["days_left"] <= 10
    assert tls.metrics()["jumpgate_certificate_end_timestamp_seconds"] > 1.7e9


def test_the_vaults_client_certificate_is_watched(tmp_path):
    ca = Authority(tmp_path)
    pair = ca.client("to-the-vault", expired=True)
    with gateway_with({"vault main": {**VAULT, "client_certificate": pair.certificate,
                                      "client_key": pair.key}}) as gateway:
        row, = gateway.call("GET", "/status").json["certificates"]
        assert (row["name"], row["kind"]) == ("main", "vault") and row["days_left"] < 0
        assert "the certificate of vault main has expired" in gateway.call("GET", "/readyz").json["reasons"]
        assert any("certificate_ends" in line and "kind=vault" in line for line in gateway.err.lines)
