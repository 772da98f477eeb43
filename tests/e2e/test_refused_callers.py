# SPDX-License-Identifier: Apache-2.0
"""What the log shows, at its usual level, of a caller that was refused: what it has shown, and no token."""

import hashlib
import os
import ssl
import subprocess

import pytest

from certificates import Authority
from harness import Gateway, tls_context, token_hash

NOWHERE = "http://127.0.0.1:1/api"
CAPABILITIES = ("GET", "/v1/capabilities")


@pytest.fixture(scope="module", name="ca")
def _ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(name="gateway")
def _gateway(ca):
    server = ca.server()
    with Gateway(NOWHERE, {
            "listener mutual": {"address": "127.0.0.1:0", "tls_certificate": server.certificate,
                                "tls_key": server.key, "client_ca": ca.certificate},
            "listener unix": {"address": f"unix:{os.path.dirname(ca.certificate)}/broker.sock"},
            "client dns": {"certificate_san": "DNS:pra.corp.test", "allow": "broker"}}) as made:
        yield made


def said(gateway, event):
    line = gateway.err.wait_for(lambda line: f" {event} " in line, 10)
    assert line, gateway.err.text
    return line


def openssl(certificate, *what):
    text = subprocess.run(["openssl", "x509", "-noout", "-in", certificate, *what], capture_output=True, text=True,
                          check=True).stdout
    return text.split("=", 1)[1].strip()


def check_certificate(line, certificate):
    assert f" serial={openssl(certificate, '-serial')} " in line, line
    fingerprint = openssl(certificate, "-fingerprint", "-sha256").replace(":", "").lower()
    assert line.endswith(f" fingerprint_sha256={fingerprint}"), line
    subject = openssl(certificate, "-subject", "-nameopt", "RFC2253")
    issuer = openssl(certificate, "-issuer", "-nameopt", "RFC2253")
    assert f'subject="{subject}" issuer="{issuer}"' in line, line


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kind", ["untrusted", "expired"])
def test_a_refused_certificate(gateway, ca, tmp_path, kind, version):
    maker = Authority(tmp_path, "other") if kind == "untrusted" else ca
    pair = maker.client(kind, ["DNS:pra.corp.test"], expired=kind == "expired")
    context = tls_context(ca.certificate, pair.certificate, pair.key)
    context.minimum_version = context.maximum_version = version
    with pytest.raises(OSError):
        gateway.call(*CAPABILITIES, token=None, listener="mutual", tls=context)
    line = said(gateway, "certificate_refused")
    assert " listener=mutual peer=127.0.0.1:" in line
    assert ("expired" if kind == "expired" else "issuer") in line.split(" error=")[1].split(" subject=")[0]
    check_certificate(line, pair.certificate)


def test_no_certificate(gateway, ca):
    with pytest.raises(OSError):
        gateway.call(*CAPABILITIES, token=None, listener="mutual", tls=tls_context(ca.certificate))
    assert 'error="the client has shown none" subject="" ' in said(gateway, "certificate_refused")


def test_a_certificate_that_names_no_client(gateway, ca):
    pair = ca.client("near", ["DNS:xpra.corp.test"])
    context = tls_context(ca.certificate, pair.certificate, pair.key)
    assert gateway.call(*CAPABILITIES, token=None, listener="mutual", tls=context).status == 401
    line = said(gateway, "authentication_failed")
    assert " token_shown=no token_sha256=- name=DNS:xpra.corp.test " in line
    check_certificate(line, pair.certificate)


def test_a_token_is_shown_as_the_beginning_of_its_digest(gateway):
    token = "a-token-that-is-wrong"
    assert gateway.call(*CAPABILITIES, token=token).status == 401
    digest = hashlib.sha256(token.encode()).hexdigest()
    assert digest == token_hash(token)
    line = said(gateway, "authentication_failed")
    assert line.endswith(f" token_shown=yes token_sha256={digest[:8]}"), line
    gateway.stop()
    assert token not in gateway.err.text and digest[:9] not in gateway.err.text


def test_an_unknown_peer_of_a_unix_socket(gateway):
    assert gateway.call(*CAPABILITIES, token=None, listener="unix").status == 401
    line = said(gateway, "authentication_failed")
    assert line.endswith(f" peer=unix token_shown=no token_sha256=- peer_uid={os.getuid()} peer_pid={os.getpid()}")


def test_the_lines_are_bounded(ca):
    server = ca.server()
    with Gateway(NOWHERE, {
            "gateway": {"failed_login_rate": "1/s"},
            "listener mutual": {"address": "127.0.0.1:0", "tls_certificate": server.certificate,
                                "tls_key": server.key, "client_ca": ca.certificate}}) as gateway:
        for _ in range(80):
            with pytest.raises(OSError):
                gateway.call(*CAPABILITIES, token=None, listener="mutual", tls=tls_context(ca.certificate))
        gateway.stop()
        lines = sum(" certificate_refused " in line for line in gateway.err.lines)
        assert 50 <= lines < 80, lines
        assert any(" lines_left_out " in line for line in gateway.err.lines)
