# SPDX-License-Identifier: Apache-2.0
"""A site, or what stands in its place, that lies: no answer that is not wholly in order ends a lease.

The site here writes raw bytes, so that an answer may be wrong in any way. Each lie is told to a gateway that holds a
lease for the session that it names; then a listing in order ends that lease.
"""

import gzip
import os
import socket
import subprocess
import threading
import time

import pytest

from harness import BIN, TOKEN, eventually, token_hash
from stack import Stack

LSID = "da4b510ba1b04bd3b9e1fa6bd9ad4f3c"
OTHER = "00112233445566778899aabbccddeeff"
ROW = f'<session_summary lsid="{LSID}" has_recording="0"/>'
NO_ROWS = "<session_summary_list/>"
SECRET = "site-s3cret-of-these-tests"


def listing(inside):
    return f"<session_summary_list>{inside}</session_summary_list>"


def http(body, type="text/xml", status="200 OK", length=None, extra=""):
    body = body.encode() if isinstance(body, str) else body
    head = (f"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {len(body) if length is None else length}\r\n"
            f"{extra}Connection: close\r\n\r\n")
    return head.encode() + body


def chunked(end):
    row = listing(ROW).encode()
    return (b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"%x\r\n%s\r\n" % (len(row), row) + end)


LIES = {
    "no content": http(listing(ROW), status="204 No Content"),
    "a part": http(listing(ROW), status="206 Partial Content"),
    "an early answer alone": b"HTTP/1.1 100 Continue\r\n\r\n",
    "redirect": http(listing(ROW), status="302 Found", extra="Location: /x\r\n"),
    "denied": http(listing(ROW), status="403 Forbidden"),
    "compressed": http(gzip.compress(listing(ROW).encode()), extra="Content-Encoding: gzip\r\n"),
    "length too short": http(listing(ROW), length=len(listing(ROW)) - 1),
    "length too long": http(listing(ROW), length=len(listing(ROW)) + 1),
    "two lengths": http(listing(ROW), extra="Content-Length: 5\r\n"),
    "chunks cut": chunked(b""),
    "no HTTP": listing(ROW).encode(),
    "a web page's type": http(listing(ROW), type="text/html"),
    "another character set": http('<?xml version="1.0" encoding="UTF-16"?>' + listing(ROW)),
    "two documents": http(listing(ROW) * 2),
    "an error behind the rows": http(listing(ROW + "<error>bad</error>")),
    "no rows behind the rows": http(listing(ROW + "<error>No sessions were found</error>")),
    "no rows before the rows": http(listing("<error>No sessions were found</error>" + ROW)),
    "an entity": http(f'<!DOCTYPE x [<!ENTITY e "{LSID}">]>' + listing('<session_summary lsid="&e;"/>')),
    "the same attribute twice": http(listing(f'<session_summary lsid="{LSID}" lsid="{LSID}"/>')),
    "a very long tag": http(listing(f'<session_summary a="{"x" * 100000}" lsid="{LSID}"/>')),
    "a very long head": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000000 + b"\r\n\r\n" + listing(ROW).encode(),
}
IN_ORDER_WITHOUT_THE_SESSION = {
    "a row at another level": listing(f"<a>{ROW}</a>"),
    "a row in a comment": listing(f"<!--{ROW}-->"),
    "a row in CDATA": listing(f"<![CDATA[{ROW}]]>"),
    "the lsid at another element": f'<session_summary_list lsid="{LSID}"><session lsid="{LSID}"/></session_summary_list>',
    "the lsid as an element": listing(f"<session_summary><lsid>{LSID}</lsid></session_summary>"),
    "an attribute of another kind before it": listing(f'<session_summary x:lsid="{LSID}" lsid="{OTHER}"/>'),
    "a namespace of that name": listing(f'<session_summary xmlns:lsid="{LSID}"/>'),
    "blanks around it": listing(f'<session_summary lsid=" {LSID} "/>'),
}


class RawSite:
    """Answers in order, but for the listing, which is `self.listing`: bytes."""

    def __init__(self):
        self.listing = http(NO_ROWS)
        self.listings = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            try:
                line = b""
                while b"\r\n\r\n" not in line:
                    line += connection.recv(65536) or b"\r\n\r\n"
                connection.sendall(self.answer(line.split(b"\r\n")[0].decode()))
            except OSError:
                pass

    def answer(self, line):
        if "Listing" in line:
            answer = self.listing
            self.listings += 1
            return answer
        if "/oauth2/token" in line:
            return http('{"access_token":"t","token_type":"Bearer","expires_in":3600}', "application/json")
        if "get_api_info" in line:
            return http(f"<get_api_info><timestamp>{int(time.time())}</timestamp></get_api_info>")
        if "action=check_health" in line:
            return http('<check_health><appliance id="a">h</appliance><success>1</success></check_health>')
        return http("fine\n", "text/plain")

    def section(self, secret_file, **more):
        return {"pra site": {"url": self.url, "insecure_http": "yes", "client_id": "id", "client_secret_file": secret_file,
                             "poll_interval": "1s", "check_interval": "1s", "rate": "10/s", **more}}


@pytest.fixture(scope="module", name="lied_to")
def _lied_to(tmp_path_factory):
    secret = tmp_path_factory.mktemp("site") / "secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET)
    site = RawSite()
    with Stack(site.section(secret)) as stack:
        yield stack, site
    site.socket.close()


def lsids(stack):
    return [row["lsid"] for row in stack.gateway.call("GET", "/v1/leases").json["leases"]]


def state(stack):
    dependencies = stack.gateway.call("GET", "/status").json["dependencies"]
    return next(d for d in dependencies if d["type"] == "pra")


def hold(stack, site):
    """A lease for the session, with a site that is up and tells the truth."""
    site.listing = http(NO_ROWS)
    eventually(lambda: state(stack)["state"] == "up", 30)
    assert stack.checkout({**stack.session("ann", stack.account()), "lsid": LSID}).status == 200
    eventually(lambda: state(stack)["state"] == "up", 30)


def end_in_order(stack, site):
    site.listing = http(listing(ROW))
    eventually(lambda: not lsids(stack), 30)


@pytest.mark.parametrize("lie", LIES)
def test_a_listing_that_is_not_in_order_ends_nothing(lied_to, lie):
    stack, site = lied_to
    hold(stack, site)
    site.listing = LIES[lie]
    eventually(lambda: state(stack)["state"] == "degraded", 30)  # it was looked at
    assert lsids(stack) == [LSID]
    end_in_order(stack, site)


@pytest.mark.parametrize("body", IN_ORDER_WITHOUT_THE_SESSION)
def test_a_listing_without_the_session_does_not_end_it(lied_to, body):
    stack, site = lied_to
    hold(stack, site)
    site.listing = http(IN_ORDER_WITHOUT_THE_SESSION[body])
    asked = site.listings
    eventually(lambda: site.listings >= asked + 2, 30)  # the first of them has been read
    assert lsids(stack) == [LSID]
    end_in_order(stack, site)


def doctor(folder, secret):
    path = folder / "jumpgate.conf"
    path.write_text(f"[gateway]\nstate_dir = {folder}\n[listener main]\naddress = 127.0.0.1:0\n[client pra]\n"
                    f"token_sha256 = {token_hash(TOKEN)}\nallow = broker\n[vault main]\ntype = password_safe\n"
                    f"url = http://127.0.0.1:1/\ninsecure_http = yes\napi_key_file = {folder}/key\n"
                    f"[pra site]\nurl = http://127.0.0.1:1\ninsecure_http = yes\nclient_id = id\n"
                    f"client_secret_file = {secret}\n")
    done = subprocess.run([BIN / "jumpgate", "doctor", "-c", path, "--pra", "--json"], capture_output=True, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("kind", ["empty", "line end", "fifo"])
def test_the_doctor_tells_an_empty_secret_apart_and_waits_for_none(tmp_path, kind):
    secret = tmp_path / "secret"
    (tmp_path / "key").touch(mode=0o600)
    if kind == "fifo":
        os.mkfifo(secret, 0o600)
    else:
        secret.touch(mode=0o600)
        secret.write_text("\n" if kind == "line end" else "")
    code, text = doctor(tmp_path, secret)
    assert code == 30 and '"fault":"secret_empty"' in text, text
