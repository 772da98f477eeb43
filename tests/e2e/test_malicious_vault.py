# SPDX-License-Identifier: Apache-2.0
"""A malicious or broken vault: whatever it sends, the gateway neither crashes nor grows.

The vault here is a socket server that accepts every sign-in and then answers the list of accounts with
bytes of the test's choosing. Each case names those bytes and the error the caller must get, in time. Afterwards the
gateway must serve the next caller as before, and its memory must stay bounded.
"""

import json
import re
import socketserver
import threading
import time

import pytest

from harness import Gateway, eventually, session, API_KEY

BASE = "/BeyondTrust/api/public/v3"
OK = b"HTTP/1.1 200 OK\r\n"
ROW = {"SystemId": 1, "SystemName": "box", "AccountId": 2, "AccountName": "root", "DefaultReleaseDuration": 60,
       "MaximumReleaseDuration": 60}
CALL_TIMEOUT = 3
GROWTH_MB = 220  # a list of max_answer bytes, parsed, with the sanitizer's own cost


def answer(body=b"", *fields, status=b"200 OK"):
    lines = b"".join(f + b"\r\n" for f in fields)
    return b"HTTP/1.1 " + status + b"\r\n" + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


class Handler(socketserver.StreamRequestHandler):
    """One connection of the gateway's: requests are read whole, answers come from the server's script."""

    def handle(self):
        try:
            while self.one():
                pass
        except OSError:
            pass

    def one(self):
        line = self.rfile.readline()
        if not line:
            return False
        length = 0
        while (field := self.rfile.readline().strip()):
            name, _, value = field.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            elif name.lower() == b"cookie":
                self.server.cookie = value.strip()
        self.rfile.read(length)
        target = line.split()[1].decode()
        if "/Auth/SignAppin" in target:
            self.wfile.write(self.server.sign_in)
        elif "/ManagedAccounts" in target:
            self.server.lists += 1
            return self.play(self.server.script)
        else:
            self.wfile.write(answer())
        return True

    def play(self, script):
        """Bytes are sent; a callable gets the handler and returns whether the connection goes on."""
        if callable(script):
            return script(self)
        self.wfile.write(script)
        return True


class Vault(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    good_sign_in = answer(b'{"UserId":1,"UserName":"x"}', b"Set-Cookie: ASP.NET_SessionId=abc; path=/; HttpOnly")

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.sign_in = self.good_sign_in
        self.script = answer(b"[]")
        self.lists = 0
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def stop(self):
        self.shutdown()
        self.server_close()
        self.thread.join(5)


@pytest.fixture(scope="module", name="stage")
def _stage():
    vault = Vault()
    port = vault.server_address[1]
    gateway = Gateway(f"http://127.0.0.1:{port}{BASE}", {
        "gateway": {"list_cache": "0s", "catalogue_cache": "0s", "request_timeout": "20s"},
        "vault main": {"call_timeout": f"{CALL_TIMEOUT}s", "retries": "0", "match": "hostname",
                       "kinds": "local", "max_answer": "4M", "max_rows": "5000"},
    })
    try:
        with gateway:
            yield vault, gateway
    finally:
        vault.stop()


@pytest.fixture(name="play")
def _play(stage):
    """find() against a script; afterwards the vault is good again and must be served at once."""
    vault, gateway = stage
    people = iter(range(1000))

    def play(script=None, sign_in=None):
        vault.script = script if script is not None else answer(b"[]")
        vault.sign_in = sign_in or Vault.good_sign_in
        start = time.monotonic()
        got = gateway.find(session(f"user{next(people)}x{time.monotonic_ns()}", "CORP", "S", hostname="box"))
        got.took = time.monotonic() - start
        return got
    yield play
    good = play(answer(json.dumps([ROW]).encode()))
    assert good.status == 200 and len(good.json["credentials"]) == 1
    eventually(lambda: gateway.metrics()["jumpgate_requests_in_flight"] == 0)


def memory_mb(gateway):
    """The most it ever had."""
    with open(f"/proc/{gateway.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) / 1024


# ---- bytes that are no answer, or too much of one ----

def chunked(*chunks, end=b"0\r\n\r\n"):
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + end


def then_close(data):
    def script(handler):
        handler.wfile.write(data)
        return False
    return script


def for_ever(first, piece, pause=0.0):
    """Sends until the gateway hangs up."""
    def script(handler):
        handler.wfile.write(first)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            handler.wfile.write(piece)
            if pause:
                time.sleep(pause)
        return False
    return script


def rows(n, **more):
    return json.dumps([{**ROW, "AccountId": i + 1, **more} for i in range(n)]).encode()


NONSENSE = {"vault_error", "vault_unavailable"}

CASES = {
    # not HTTP
    "random bytes": (then_close(bytes(range(256)) * 20), NONSENSE),
    "a TLS alert": (then_close(b"\x15\x03\x01\x00\x02\x02\x28"), NONSENSE),
    "HTTP/2": (then_close(b"HTTP/2 200 OK\r\n\r\n[]"), NONSENSE),
    "an SSH banner": (then_close(b"SSH-2.0-OpenSSH_9.2\r\n"), NONSENSE),
    "nothing": (then_close(b""), NONSENSE),
    "half a status line": (then_close(b"HTTP/1.1 2"), NONSENSE),
    "status 99": (then_close(b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n"), NONSENSE),
    "101": (then_close(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), NONSENSE),
    # lengths
    "two lengths": (then_close(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]"), NONSENSE),
    "both lengths": (then_close(OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n"),
                     NONSENSE),
    "negative length": (then_close(OK + b"Content-Length: -2\r\n\r\n[]"), NONSENSE),
    "huge length": (then_close(OK + b"Content-Length: 99999999999999\r\n\r\n[]"), NONSENSE),
    "length of 64 bits": (then_close(OK + b"Content-Length: 18446744073709551615\r\n\r\n[]"), NONSENSE),
    "length over the limit": (then_close(OK + b"Content-Length: 5000000\r\n\r\n["), NONSENSE),
    "cut body": (then_close(OK + b"Content-Length: 4000000\r\n\r\n["), NONSENSE),
    "cut chunk": (then_close(OK + b"Transfer-Encoding: chunked\r\n\r\n8\r\n[]"), NONSENSE),
    "chunk size overflow": (then_close(OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n[]"), NONSENSE),
    "gzip not asked for": (then_close(answer(b"\x1f\x8b\x08\x00", b"Transfer-Encoding: gzip")), NONSENSE),
    # floods
    "endless headers": (for_ever(OK, b"X-Flood: " + b"y" * 1000 + b"\r\n"), NONSENSE),
    "one endless header": (for_ever(OK + b"X: ", b"y" * 4096), NONSENSE),
    "one endless header name": (for_ever(OK, b"y" * 4096), NONSENSE),
    "many small headers": (for_ever(OK, b"a:b\r\n" * 200), NONSENSE),
    "endless status line": (for_ever(b"HTTP/1.1 200 ", b"OK " * 1000), NONSENSE),
    "Set-Cookie flood": (for_ever(OK, b"Set-Cookie: a=" + b"y" * 500 + b"\r\n"), NONSENSE),
    "endless 1xx": (for_ever(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 20), NONSENSE),
    "endless body": (for_ever(OK + b"\r\n", b" " * 65536), NONSENSE),
    "endless chunks": (for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 2000), NONSENSE),
    "endless chunk extension": (for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n2;", b"x" * 4096), NONSENSE),
    "endless trailers": (for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n", b"X: y\r\n" * 200),
                         NONSENSE),
    # slowness
    "silence": (for_ever(b"", b"", 0.2), {"deadline_exceeded"}),
    "a slow drip in the head": (for_ever(OK, b"X", 0.1), {"deadline_exceeded"}),
    "a slow drip in the body": (for_ever(OK + b"Content-Length: 100000\r\n\r\n[", b" ", 0.1), {"deadline_exceeded"}),
    "a slow drip of 1xx": (for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.1), {"deadline_exceeded"}),
    "a slow drip of chunks": (for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.1),
                              {"deadline_exceeded"}),
    # JSON
    "no JSON": (answer(b"<html>hello</html>"), NONSENSE),
    "empty": (answer(b""), NONSENSE),
    "deep": (answer(b"[" * 100000 + b"]" * 100000), NONSENSE),
    "deep objects": (answer(b'{"a":' * 50000 + b"1" + b"}" * 50000), NONSENSE),
    "a million empty arrays": (answer(b"[" + b"[]," * 1300000 + b"[]]"), NONSENSE),
    "a million numbers": (answer(b"[" + b"1," * 1900000 + b"1]"), NONSENSE),
    "one long string": (answer(b'"' + b"x" * 3000000 + b'"'), NONSENSE),
    "bad UTF-8 outside of a text": (answer(b'[\xff\xfe]'), NONSENSE),
    "unknown escape": (answer(b'[{"AccountName":"\\x00","AccountId":1,"SystemId":1}]'), NONSENSE),
    "204": (answer(status=b"204 No Content"), NONSENSE),
    "a digit behind a blank in a chunk's size": (then_close(
        OK + b"Transfer-Encoding: chunked\r\n\r\n2 2\r\n[]\r\n0\r\n\r\n"), NONSENSE),
    "endless blanks behind a chunk's size": (for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n2", b" " * 4096), NONSENSE),
    "text after": (answer(b"[][]"), NONSENSE),
    # redirects and refusals
    "a redirect elsewhere": (answer(b"", b"Location: http://127.0.0.1:1/steal", status=b"302 Found"), NONSENSE),
    "401 for ever": (answer(b"", status=b"401 Unauthorized"), {"vault_refused_user", "vault_error"}),
    "500 with a long page": (answer(b"x" * 3000000, status=b"500 Oops"), NONSENSE),
    "403 with a long text": (answer(b'"' + b"4033" * 500000 + b'"', status=b"403 Forbidden"), None),
}


@pytest.mark.parametrize("name", CASES)
def test_one(stage, play, name):
    script, codes = CASES[name]
    before = memory_mb(stage[1])
    got = play(script)
    if codes is not None:
        assert got.code in codes, (got, got.body[:500])
    assert got.took < CALL_TIMEOUT + 8
    assert len(got.body) < 4096
    assert memory_mb(stage[1]) - before < GROWTH_MB


# ---- answers that are whole, and hostile ----

def test_more_rows_than_allowed(stage, play):
    vault, gateway = stage

    def pages(handler):
        offset = vault.lists * 1000
        handler.wfile.write(answer(json.dumps([{**ROW, "AccountId": offset + i + 1} for i in range(1000)]).encode()))
        return True
    vault.lists = 0
    got = play(pages)
    assert got.status == 200
    assert len(got.json["credentials"]) == 5000
    assert vault.lists <= 7
    assert any("vault_list_cut" in line for line in gateway.err.lines)


def test_one_page_with_more_rows_than_allowed(play):
    """The vault ignores that a page has a thousand rows."""
    got = play(answer(rows(8000)))
    assert got.status == 200 and len(got.json["credentials"]) == 5000


def test_the_same_page_for_ever(stage, play):
    vault, _ = stage
    vault.lists = 0
    got = play(answer(rows(1000)))
    assert got.status == 200 and len(got.json["credentials"]) == 1000
    assert vault.lists <= 3


def test_fat_pages(stage, play):
    """Each page nearly max_answer, each row new: the pages together have a bound as well."""
    vault, gateway = stage

    def pages(handler):
        offset = vault.lists * 1000
        body = json.dumps([{**ROW, "AccountId": offset + i + 1, "AccountDescription": "x" * 3000}
                           for i in range(1000)]).encode()
        handler.wfile.write(answer(body))
        return True
    vault.lists = 0
    before = memory_mb(gateway)
    got = play(pages)
    assert got.code in (None, "internal_error", "deadline_exceeded", "vault_error")
    assert memory_mb(gateway) - before < GROWTH_MB


@pytest.mark.parametrize("letter", [b"\\u0000", b"\\ud800", b"\\udfff", b"\xff", b"\xe9", b"\x07"], ids=repr)
def test_a_letter_that_cannot_stand_spoils_its_own_text_alone(stage, play, letter):
    """The row is served with U+FFFD, counted each time and logged once."""
    _, gateway = stage
    name = 'jumpgate_vault_texts_mended_total{vault="main"}'
    before = gateway.metrics()[name]
    body = json.dumps([{**ROW, "AccountDescription": "x?y"}, {**ROW, "AccountId": 3, "AccountName": "other"}]).encode()
    for _ in range(2):
        got = play(answer(body.replace(b"?", letter)))
        assert got.status == 200, got
        assert {c["account"]: c["description"] for c in got.json["credentials"]} == {"root": "x\ufffdy", "other": None}
    assert gateway.metrics()[name] == before + 2
    assert gateway.err.text.count("vault_texts_mended") == 1


@pytest.mark.parametrize("letter", [b"\\u0000", b"\\ud800", b"\xff", b"\x07"], ids=repr)
def test_clients_are_read_as_strictly_as_ever(stage, letter):
    body = json.dumps({"session": session("kim?", "CORP", "S", hostname="box")}).encode().replace(b"?", letter)
    got = stage[1].call("POST", "/v1/credentials/find", body)
    assert (got.status, got.code) == (400, "invalid_request")


def test_an_id_is_read_exactly_or_its_row_left_out(stage, play):
    _, gateway = stage
    name = 'jumpgate_vault_rows_refused_total{vault="main"}'
    before = gateway.metrics()[name]
    big, odd = {**ROW, "AccountId": 2**53 + 1}, {**ROW, "AccountId": 2**63, "AccountName": "odd"}
    got = play(answer(json.dumps([big, odd, {**ROW, "AccountId": 1e17}, {**ROW, "ApplicationID": 2.5}]).encode()))
    assert got.status == 200
    assert [c["account"] for c in got.json["credentials"]] == ["root"]
    assert str(2**53 + 1) in got.json["credentials"][0]["credential_id"]
    assert gateway.metrics()[name] == before + 3
    assert gateway.err.text.count("vault_row_refused") == 1


def test_blanks_behind_the_size_of_a_chunk(play):
    body = json.dumps([ROW]).encode()
    parts = [body[:10], body[10:11], body[11:]]
    sent = b"".join(b"%x %s\r\n%s\r\n" % (len(p), b" \t" * i, p) for i, p in enumerate(parts))
    got = play(OK + b"Transfer-Encoding: chunked\r\n\r\n" + sent + b"0 \r\n\r\n")
    assert got.status == 200 and len(got.json["credentials"]) == 1


def test_cookies_taken_back_at_sign_in_are_not_kept(stage, play):
    gone = (b"Set-Cookie: old=1; Max-Age=0", b"Set-Cookie: older=1; expires=Tue, 12-Oct-1999 07:00:00 GMT; path=/")
    got = play(sign_in=answer(b"{}", *gone, b"Set-Cookie: ok=1; path=/"))
    assert got.status == 200, got
    assert stage[0].cookie == b"ok=1"
    got = play(sign_in=answer(b"{}", *gone))
    assert got.code == "vault_error", got  # a sign-in without a session


def test_cookies(stage, play):
    """Too many or too large cookies at sign-in are an error; forging a header line by one is not possible."""
    flood = b"".join(b"Set-Cookie: c%d=%s\r\n" % (i, b"y" * 900) for i in range(40))
    got = play(sign_in=b"HTTP/1.1 200 OK\r\n" + flood + b"Content-Length: 2\r\n\r\n{}")
    assert got.code in NONSENSE, got.body
    got = play(sign_in=answer(b"{}", b"Set-Cookie: a=b\x0bX: y; path=/", b"Set-Cookie: ok=1"))
    assert got.status in (200, 502, 503)


def test_answers_not_asked_for(stage, play):
    """Bytes behind an answer are not the next call's answer."""
    extra = answer(json.dumps([{**ROW, "AccountName": "forged"}]).encode())
    got = play(answer(b"[]") + extra)
    assert got.status == 200 and got.json["credentials"] == []
    got = play(answer(b"[]"))
    assert got.status == 200 and got.json["credentials"] == []


def test_all_at_once(stage, play):
    """Sixty callers while the vault floods each of them: the bound holds for all together."""
    vault, gateway = stage
    vault.script = for_ever(OK + b"Content-Length: 4000000\r\n\r\n", b"[" * 4096)
    before = memory_mb(gateway)
    codes = []

    def one(i):
        codes.append(gateway.find(session(f"burst{i}", "CORP", "S", hostname="box")).status)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(codes) == 60 and all(code >= 500 for code in codes)
    assert memory_mb(gateway) - before < 64 * 4 * 2 + GROWTH_MB
    assert play(answer(b"[]")).status == 200
    assert API_KEY not in gateway.err.text
