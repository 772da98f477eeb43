# SPDX-License-Identifier: Apache-2.0
"""Malformed HTTP as raw bytes against the real gateway: one answer or a closed connection each, never two answers.

Each row is a name, the bytes, what may come back (a status, or None for nothing but a closed connection), and
whether the connection must be closed afterwards. Behind every request follows a second, whole one (`TAIL`): where
framing is in doubt it must not be answered, since it could be what an attacker has smuggled past a proxy.
"""

import socket

import pytest

from api_document import document
from harness import TOKEN, eventually
from stack import Stack

TAIL = b"GET /v1/capabilities HTTP/1.1\r\nHost: smuggled\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n\r\n"
HOST = b"Host: gateway\r\n"
AUTH = b"Authorization: Bearer " + TOKEN.encode() + b"\r\n"
JSON = b"Content-Type: application/json\r\n"


def get(*fields, target=b"/livez", version=b"HTTP/1.1", method=b"GET", host=HOST):
    return method + b" " + target + b" " + version + b"\r\n" + host + b"".join(f + b"\r\n" for f in fields) + b"\r\n"


def post(*fields, body=b"", target=b"/v1/credentials/find"):
    return (b"POST " + target + b" HTTP/1.1\r\n" + HOST + AUTH + JSON +
            b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body)


CHUNKED = b"Transfer-Encoding: chunked"
OK = b"Content-Length: 2"

ROWS = [
    # lengths
    ("both lengths", post(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"), 400),
    ("both lengths, other order", post(CHUNKED, b"Content-Length: 5", body=b"0\r\n\r\n"), 400),
    ("two lengths that differ", post(OK, b"Content-Length: 3", body=b"{}"), 400),
    ("two lengths that agree", post(OK, OK, body=b"{}"), 400),
    ("length with a plus", post(b"Content-Length: +2", body=b"{}"), 400),
    ("negative length", post(b"Content-Length: -1", body=b"{}"), 400),
    ("length list", post(b"Content-Length: 2, 2", body=b"{}"), 400),
    ("length in hex", post(b"Content-Length: 0x2", body=b"{}"), 400),
    ("length with letters", post(b"Content-Length: 2a", body=b"{}"), 400),
    ("empty length", post(b"Content-Length:", body=b"{}"), 400),
    ("length beyond 64 bits", post(b"Content-Length: 99999999999999999999999", body=b"{}"), 400),
    ("length with a blank inside", post(b"Content-Length: 1 2", body=b"{}"), 400),
    ("length of all bits", post(b"Content-Length: 18446744073709551615", body=b"{}"), 413),
    ("underscore for a hyphen", post(b"Content_Length: 2", body=b"{}"), 411),
    # transfer codings
    ("unknown coding", post(b"Transfer-Encoding: gzip", body=b"xx"), 501),
    ("chunked not last", post(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"), (400, 501)),
    ("chunked twice", post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"), 400),
    ("two coding fields", post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"), 400),
    ("coding with a tab in the name", post(b"Transfer-Encoding\t: chunked", body=b"0\r\n\r\n"), 400),
    ("coding in quotes", post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"), (400, 501)),
    ("coding with a vertical tab", post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"), 400),
    ("coding with a trailing letter", post(b"Transfer-Encoding: chunkedx", body=b"0\r\n\r\n"), (400, 501)),
    ("coding in HTTP/1.0", get(CHUNKED, version=b"HTTP/1.0", method=b"POST"), 400),
    ("identity", post(b"Transfer-Encoding: identity", body=b"{}"), (400, 501)),
    ("empty coding", post(b"Transfer-Encoding:", OK, body=b"{}"), 400),
    # chunks
    ("chunk size no number", post(CHUNKED, body=b"zz\r\n{}\r\n0\r\n\r\n"), 400),
    ("chunk size with 0x", post(CHUNKED, body=b"0x2\r\n{}\r\n0\r\n\r\n"), 400),
    ("chunk size negative", post(CHUNKED, body=b"-2\r\n{}\r\n0\r\n\r\n"), 400),
    ("chunk size overflow", post(CHUNKED, body=b"fffffffffffffffff2\r\n{}\r\n0\r\n\r\n"), 400),
    ("chunk size with a blank before", post(CHUNKED, body=b" 2\r\n{}\r\n0\r\n\r\n"), 400),
    ("chunk ends with bare LF", post(CHUNKED, body=b"2\n{}\n0\n\n"), 400),
    ("chunk longer than said", post(CHUNKED, body=b"2\r\n{}}\r\n0\r\n\r\n"), 400),
    ("chunk shorter than said", post(CHUNKED, body=b"4\r\n{}\r\n0\r\n\r\n"), 400),
    ("last chunk ends with bare LF", post(CHUNKED, body=b"2\r\n{}\r\n0\n\n"), 400),
    ("trailer with bare LF", post(CHUNKED, body=b"2\r\n{}\r\n0\r\nX: y\n\r\n"), 400),
    ("folded trailer", post(CHUNKED, body=b"2\r\n{}\r\n0\r\nX: y\r\n z\r\n\r\n"), 400),
    ("long chunk extension", post(CHUNKED, body=b"2;" + b"x" * 1000 + b"\r\n{}\r\n0\r\n\r\n"), 400),
    ("NUL in a chunk extension", post(CHUNKED, body=b"2;a\x00=b\r\n{}\r\n0\r\n\r\n"), 400),
    # lines
    ("bare LF everywhere", b"GET /livez HTTP/1.1\nHost: a\n\n", 400),
    ("bare LF after a field", b"GET /livez HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
    ("bare CR in a field", get(b"X: a\rContent-Length: 5"), 400),
    ("bare CR at a line's end", b"GET /livez HTTP/1.1\rHost: a\r\r", 400),
    ("folded field", b"GET /livez HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
    ("folded with a tab", b"GET /livez HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n", 400),
    ("blank before the colon", b"GET /livez HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ("blank before the first field", b"GET /livez HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("field without colon", get(b"NoColon"), 400),
    ("field without name", get(b": value"), 400),
    ("NUL in a value", get(b"X: a\x00b"), 400),
    ("NUL in a name", get(b"X\x00Y: a"), 400),
    ("DEL in a value", get(b"X: a\x7fb"), 400),
    ("8-bit in a name", get(b"X\xe9: a"), 400),
    # request lines
    ("no version", b"GET /livez\r\n\r\n", (400, 505)),
    ("two blanks", b"GET  /livez HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("tab for a blank", b"GET\t/livez HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("blank in the target", b"GET /li vez HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("HTTP/2.0", b"GET /livez HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("HTTP/1.2", b"GET /livez HTTP/1.2\r\nHost: a\r\n\r\n", (400, 505)),
    ("HTTP/0.9", b"GET /livez HTTP/0.9\r\nHost: a\r\n\r\n", (400, 505)),
    ("HTTP/11", b"GET /livez HTTP/11\r\nHost: a\r\n\r\n", 400),
    ("lower-case version", b"GET /livez http/1.1\r\nHost: a\r\n\r\n", 400),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("unknown method", get(method=b"FROB"), 400),
    ("lower-case method", get(method=b"get"), 400),
    ("CONNECT", get(method=b"CONNECT", target=b"a:443"), 501),
    ("target without slash", get(target=b"livez"), 400),
    ("fragment in the target", get(target=b"/livez#a"), 400),
    ("8-bit in the target", get(target=b"/l\xc3\xafvez"), 400),
    ("control byte in the target", get(target=b"/li\x01vez"), 400),
    ("NUL in the target", get(target=b"/livez\x00"), 400),
    ("no host", get(host=b""), 400),
    ("two hosts", get(HOST[:-2]), 400),
    ("long target", get(target=b"/" + b"a" * 9000), 414),
    ("many fields", get(*[b"X%d: y" % i for i in range(120)]), 431),
    ("long field", get(b"X: " + b"y" * 40000), 431),
    ("unknown expectation", post(b"Expect: something", OK, body=b"{}"), 417),
    # other protocols
    ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 60, 400),
    ("SSH banner", b"SSH-2.0-OpenSSH_9.2\r\n", 400),
    ("NULs", b"\x00" * 64, 400),
    ("proxy protocol", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + get(), 400),
    ("five blank lines", b"\r\n" * 9 + get(), 400),
]

# Odd, but whole: the first is answered as usual and the second as well.
FINE = [
    ("blank line before", b"\r\n" + get(), 200),
    ("chunk extension", post(CHUNKED, body=b"2;a=b\r\n{}\r\n0\r\n\r\n"), 400),  # the body lacks a session
    ("trailers", post(CHUNKED, body=b"2\r\n{}\r\n0\r\nX: y\r\n\r\n"), 400),
    ("chunk size with zeros", post(CHUNKED, body=b"0002\r\n{}\r\n000\r\n\r\n"), 400),
    ("chunked in capitals", post(b"Transfer-Encoding: CHUNKED", body=b"2\r\n{}\r\n0\r\n\r\n"), 400),
    ("absolute target", get(target=b"http://gateway/livez"), 200),
    ("upgrade not taken", get(b"Connection: upgrade", b"Upgrade: h2c"), 200),
    ("obsolete text in a value", get(b"X: \xe9"), 200),
    ("empty value", get(b"X:"), 200),
]


@pytest.fixture(scope="module", name="shared")
def _shared():
    with Stack({"gateway": {"header_timeout": "2s", "body_timeout": "2s", "idle_timeout": "2s"}}) as stack:
        yield stack


@pytest.fixture(name="gateway")
def _gateway(shared):
    return shared.gateway


def exchange(gateway, pieces):
    """Everything that comes back until the gateway closes (it does: idle_timeout)."""
    host, _, port = gateway.addresses["main"].rpartition(":")
    data = b""
    with socket.create_connection((host, int(port)), 10) as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
            while part := sock.recv(65536):
                data += part
        except (ConnectionResetError, BrokenPipeError):
            pass
    return data


def in_pieces(whole):
    return [whole[i:i + 7] for i in range(0, min(len(whole), 2100), 7)] + [whole[2100:]]


def answers(data):
    """[(status, headers, body)] of the answers in the data; each must be whole."""
    found = []
    while data:
        head, mark, data = data.partition(b"\r\n\r\n")
        assert mark and head.startswith(b"HTTP/1.1 "), data[:200]
        lines = head.decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        status, length = int(lines[0].split()[1]), int(headers.get("content-length", 0))
        if status < 200:
            continue
        assert len(data) >= length
        document().check_any(status, headers, data[:length])
        found.append((status, headers, data[:length]))
        data = data[length:]
    return found


@pytest.mark.parametrize("how", ["at once", "in pieces"])
@pytest.mark.parametrize("name, sent, status", ROWS, ids=[row[0] for row in ROWS])
def test_malformed(gateway, name, sent, status, how):
    whole = sent + TAIL
    pieces = [whole] if how == "at once" else in_pieces(whole)
    found = answers(exchange(gateway, pieces))
    assert len(found) <= 1, (name, found)
    if found:
        allowed = status if isinstance(status, tuple) else (status,)
        assert found[0][0] in allowed, (name, found)
        assert found[0][1]["connection"] == "close"
        assert b"smuggled" not in found[0][2]
        assert found[0][1]["content-type"].startswith("application/problem+json")
    assert found or status is None or how == "in pieces", name


@pytest.mark.parametrize("name, sent, status", FINE, ids=[row[0] for row in FINE])
def test_odd_but_whole(gateway, name, sent, status):
    found = answers(exchange(gateway, [sent + TAIL]))
    assert [row[0] for row in found] == [status, 200], name


def test_still_well(gateway):
    assert gateway.call("GET", "/livez").status == 200
    eventually(lambda: gateway.metrics()["jumpgate_connections"] <= 1)


def test_there_are_enough():
    assert len(ROWS) >= 60
