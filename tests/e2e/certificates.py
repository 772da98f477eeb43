"""Certificates for tests, made with the openssl command: a CA, servers, clients, and bad ones.

Everything lands in one directory as PEM files, ECDSA P-256, valid for a few days:

    ca = Authority(directory)              # ca.crt, ca.key
    server = ca.server()                   # SAN DNS:localhost, IP:127.0.0.1, IP:::1
    client = ca.client("pra", sans=["DNS:pra.acme.test"])
    expired = ca.server("expired", expired=True)
    member = ca.member(seconds=20)   # of etcd: for a server and a client; ends soon
    other = Authority(directory, "untrusted")

A pair has .certificate and .key (paths as text). Keys are readable by their owner alone.
"""

import os
import pathlib
import subprocess
import time
from dataclasses import dataclass

SERVER_SANS = ("DNS:localhost", "IP:127.0.0.1", "IP:::1")


@dataclass(frozen=True)
class Pair:
    certificate: str
    key: str


def _openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr}")


def _new_key(path):
    old = os.umask(0o077)
    try:
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(path))
    finally:
        os.umask(old)


class Authority:
    """A certificate authority that lives in a directory."""

    def __init__(self, directory, name="ca"):
        self.directory = pathlib.Path(directory)
        self.name = name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.certificate = str(self.directory / f"{name}.crt")
        self.key = str(self.directory / f"{name}.key")
        self._serial = 0
        _new_key(self.key)
        _openssl("req", "-x509", "-new", "-key", self.key, "-out", self.certificate, "-days", "30",
                 "-subj", f"/CN={name} of the tests", "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def server(self, name="server", sans=SERVER_SANS, expired=False, begins_in_days=0, days=10):
        return self._issue(name, sans, "serverAuth", expired, begins_in_days, days)

    def client(self, name="client", sans=("DNS:client.acme.test",), expired=False, days=10):
        return self._issue(name, sans, "clientAuth", expired, days=days)

    def member(self, name="member", sans=SERVER_SANS, seconds=None):
        return self._issue(name, sans, "serverAuth,clientAuth", False, seconds=seconds)

    def nameless(self, name="nameless", seconds=None):
        """A client's without Common Name."""
        return self._issue(name, (), "clientAuth", False, seconds=seconds, subject="/O=jumpgate")

    def _issue(self, name, sans, usage, expired, begins_in_days=0, days=10, seconds=None, subject=None):
        key = self.directory / f"{name}.key"
        request = self.directory / f"{name}.csr"
        certificate = self.directory / f"{name}.crt"
        extensions = self.directory / f"{name}.ext"
        _new_key(key)
        _openssl("req", "-new", "-key", str(key), "-out", str(request), "-subj", subject or f"/CN={name}")
        lines = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                 f"extendedKeyUsage={usage}"]
        if sans:
            lines.append("subjectAltName=" + ",".join(sans))
        extensions.write_text("\n".join(lines) + "\n", encoding="ascii")
        if expired:
            self._sign_dated(request, certificate, extensions, "20240101000000Z", "20240201000000Z")
        elif seconds is not None:
            self._sign_dated(request, certificate, extensions,
                             *(time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + at)) for at in (-60, seconds)))
        elif begins_in_days:
            begin, end = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + day * 86400))
                          for day in (begins_in_days, begins_in_days + days))
            self._sign_dated(request, certificate, extensions, begin, end)
        else:
            self._serial += 1
            _openssl("x509", "-req", "-in", str(request), "-CA", self.certificate, "-CAkey", self.key,
                     "-set_serial", str(1000 + self._serial), "-days", str(days), "-extfile", str(extensions),
                     "-out", str(certificate))
        return Pair(str(certificate), str(key))

    def revocations(self, pairs, days=10, expired=False):
        """Writes the authority's revocation list with these certificates; returns its path."""
        base = self.directory / f"{self.name}.crldb"
        base.mkdir(exist_ok=True)
        (base / "index.txt").write_text("", encoding="ascii")
        (base / "number").write_text("01\n", encoding="ascii")
        config = base / "ca.conf"
        config.write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={base}/index.txt\ncrlnumber={base}/number\n"
                          "default_md=sha256\n", encoding="utf-8")
        path = str(self.directory / f"{self.name}.crl")
        authority = ["-config", str(config), "-cert", self.certificate, "-keyfile", self.key]
        for pair in pairs:
            _openssl("ca", *authority, "-revoke", pair.certificate)
        dates = ["-crl_lastupdate", "20240101000000Z", "-crl_nextupdate", "20240201000000Z"] if expired else [
            "-crldays", str(days)]
        _openssl("ca", *authority, "-gencrl", *dates, "-out", path)
        return path

    def _sign_dated(self, request, certificate, extensions, begin, end):
        """`openssl x509` cannot set both dates; `openssl ca` can, with its little database."""
        base = self.directory / f"{certificate.stem}.db"
        base.mkdir(exist_ok=True)
        (base / "index.txt").write_text("", encoding="ascii")
        (base / "serial").write_text("0F00\n", encoding="ascii")
        config = base / "ca.conf"
        config.write_text(
            "[ca]\ndefault_ca=d\n[d]\n"
            f"database={base}/index.txt\nserial={base}/serial\nnew_certs_dir={base}\n"
            "default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=optional\norganizationName=optional\n", encoding="utf-8")
        _openssl("ca", "-batch", "-config", str(config), "-cert", self.certificate, "-keyfile", self.key,
                 "-in", str(request), "-out", str(certificate), "-extfile", str(extensions), "-notext",
                 "-startdate", begin, "-enddate", end)
