"""The page's API of jumpgate-reports as a client sees it, over TLS: each call, its errors, and what a hostile client sends."""

import csv
import gzip
import io
import json
import os
import re
import signal
import socket
import sqlite3
import time

import pytest

from harness import eventually
from reports_server import FEED_TOKEN, OBSERVE_TOKEN, ONE, PASSWORD, TWO, Reports, lsid, quoted

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                               "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; "
                               "trusted-types 'none'",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SESSION = f"/api/sessions/{ONE}/{lsid(1)}"
FAILED = {"host_name": ONE, "lsid": lsid(77), "tries": 5, "next_at": "2096-10-02T07:06:40Z", "error": "too large"}
BEARER = {"Authorization": f"Bearer {FEED_TOKEN}"}
OBSERVE = {"Authorization": f"Bearer {OBSERVE_TOKEN}"}


@pytest.fixture(scope="module", name="reports")
def _reports():
    with Reports() as running:
        yield running


@pytest.fixture(scope="module", name="ann")
def _ann(reports):
    return reports.browser().sign_in("ann")


@pytest.fixture(scope="module", name="eve")
def _eve(reports):
    return reports.browser().sign_in("eve")


# ---- every call ----

def test_every_call_answers_in_its_form(ann):
    assert set(ann.get("/api/me").json) == {"user", "allow", "sites", "csrf", "time_zone", "expires_at"}
    tiles = ann.get("/api/tiles").json["tiles"]
    assert len(tiles) == 22
    for tile in tiles:
        answer = ann.get(f"/api/tiles/{tile['id']}?range=all")
        assert answer.status == 200 and answer.json["id"] == tile["id"], answer
    columns = ann.get("/api/records/sessions/columns").json["columns"]
    assert {"name", "title", "type", "sortable", "filterable", "default"} == set(columns[0])
    grid = ann.get("/api/records/sessions?range=all&limit=5").json
    assert grid["total"] == 20 and len(grid["rows"]) == 5 and grid["next"] and grid["previous"] is None
    page = ann.get(f"/api/records/sessions?range=all&limit=5&after={quoted(grid['next'])}").json
    assert not {row["lsid"] for row in grid["rows"]} & {row["lsid"] for row in page["rows"]}
    assert ann.get("/api/values/sessions/user").json["values"] == ["user 0", "user 1", "user 2"]
    assert ann.get(SESSION).json["event_count"] == 3
    assert len(ann.get(f"{SESSION}/events").json["events"]) == 3
    collector = ann.get("/api/collector").json
    assert {site["host_name"] for site in collector["sites"]} == {ONE, TWO}
    assert collector["database"]["type"] == "sqlite"


def test_a_site_that_is_removed_or_disabled_is_off():
    """Of a process that collects: by its own state, and by the rows of sites that it has no more."""
    reports = Reports({"reports": {"collect": "yes"}, "pra two": {"enabled": "no"}})
    with sqlite3.connect(reports.database) as database:
        database.execute("INSERT INTO jg_site (host_name, name, state, since, skew_ms, last_success, enabled) "
                         "VALUES ('gone.example.com', 'three', 'Connected', 86400, 0, 86401, 1)")
        database.execute("INSERT INTO jg_todo (host_name, lsid, why, tries, next_at, error) VALUES (?, ?, 'listed', 5, 4000000000, 'too large')",
                         (ONE, lsid(77)))
    database.close()
    with reports:
        ann = reports.browser().sign_in("ann")

        def sites():
            return {site["host_name"]: site for site in ann.get("/api/collector").json["sites"]}

        eventually(lambda: "gone.example.com" in sites())
        gone = sites()["gone.example.com"]
        assert gone["state"] == "Off" and gone["name"] == "three" and gone["last_success"] == "1970-01-02T00:00:01Z"
        assert gone["sources"] == {} and gone["todo"] == gone["failed"] == 0
        assert sites()[TWO]["state"] == "Off" and sites()[ONE]["state"] != "Off"
        eventually(lambda: sites()[ONE]["failed"] == 1)
        assert ann.get("/api/collector").json["failed_sessions"] == [FAILED]


def test_every_answer_has_the_headers(reports, ann):
    answers = [ann.get(path) for path in ("/", "/nothing", "/api/nothing", "/api/me", "/api/export/sessions.csv?range=all", "/livez",
                                          "/metrics", "/feed/sessions", "/api/records/sessions?x=1", "/assets/x/y.js")]
    answers += [reports.browser().get("/"), reports.browser().ask("POST", "/api/sign-in", b"x"),
                ann.ask("GET", "/feed/sessions", headers=BEARER), ann.ask("OPTIONS", "/api/me"), ann.ask("HEAD", "/api/me")]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers.get_all(name) == [value], (name, answer)
        assert answer.headers["X-Request-Id"]
    hashed = re.search(r"/assets/[0-9a-f]+/[a-z_]+\.js", ann.get("/").body.decode())
    assert hashed, "the page names no script"
    asset = ann.get(hashed[0], Accept_Encoding="gzip")
    assert asset.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert gzip.decompress(asset.body) == ann.get(hashed[0]).body


# ---- who may ----

def test_sign_in_and_out(reports):
    browser = reports.browser()
    assert browser.get("/api/me").code == "unauthenticated"
    assert browser.get("/records/sessions?range=7d").headers["Location"] == "/sign-in?next=%2Frecords%2Fsessions%3Frange%3D7d"
    answer = browser.try_sign_in("bob", "wrong")
    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert browser.try_sign_in("nobody").body.replace(b"nobody", b"") and browser.cookie is None
    assert browser.try_sign_in("bob", PASSWORD, Origin="https://evil.example.com").code == "csrf"
    browser.sign_in("bob")
    assert re.fullmatch(r"__Host-jumpgate=[0-9a-f]{64}", browser.cookie)
    token, browser.csrf = browser.csrf, None
    assert browser.ask("POST", "/api/sign-out").code == "csrf"
    browser.csrf = token
    assert browser.ask("POST", "/api/sign-out").status == 204
    assert browser.get("/api/me").status == 401
    assert [record["user"] for record in reports.records("sign_out")] == ["bob"]


def test_locked_out_by_user_and_network(reports):
    browser = reports.browser(source="127.0.0.9")
    for _ in range(3):
        assert browser.try_sign_in("bob", "wrong").status == 401
    answer = browser.try_sign_in("bob")
    assert (answer.status, answer.code) == (429, "locked_out")
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    assert reports.browser(source="127.0.0.10").try_sign_in("bob").status == 204
    assert reports.records("locked_out")[0]["peer"] == "127.0.0.9"


def test_sites_of_a_user_limit_every_answer(eve, ann):
    assert eve.get("/api/me").json["sites"] == [TWO]
    whole = {dataset: ann.get(f"/api/records/{dataset}?range=all").json["total"] for dataset in ("sessions", "events")}
    assert whole == {"sessions": 20, "events": 60}
    for dataset, total in (("sessions", 5), ("events", 15)):
        grid = eve.get(f"/api/records/{dataset}?range=all").json
        assert grid["total"] == total and {row["site"] for row in grid["rows"]} == {TWO}
        assert eve.get(f"/api/records/{dataset}?range=all&site={ONE}").json["total"] == 0
        export = eve.get(f"/api/export/{dataset}.ndjson?range=all").body.decode().splitlines()
        assert len(export) == total and all(ONE not in line for line in export)
    cursor = ann.get("/api/records/sessions?range=all&limit=1").json["next"]
    answer = eve.get(f"/api/records/sessions?range=all&limit=50&after={quoted(cursor)}")
    assert answer.status == 400 or {row["site"] for row in answer.json["rows"]} == {TWO}
    for tile in eve.get("/api/tiles").json["tiles"]:
        assert ONE not in eve.get(f"/api/tiles/{tile['id']}?range=all").body.decode(), tile
    assert eve.get(SESSION).status == eve.get(f"{SESSION}/events").status == 404
    assert eve.get(f"/api/sessions/{TWO}/{lsid(4)}").status == 200
    assert eve.get(f"/api/values/sessions/site").json["values"] == [TWO]
    assert eve.get("/api/collector").code == "forbidden"


def test_links_are_for_those_who_may(ann, eve):
    assert "secret-4" not in eve.get(f"/api/sessions/{TWO}/{lsid(4)}").body.decode()
    assert "secret-1" in ann.get(SESSION).body.decode()
    for path in ("/api/records/sessions?range=all", "/api/export/sessions.csv?range=all", "/api/export/sessions.ndjson?range=all"):
        assert "secret-" not in ann.get(path).body.decode()


def test_readers(reports, ann):
    browser = reports.browser()
    page = browser.ask("GET", "/feed/sessions?limit=3", headers=BEARER)
    assert page.status == 200 and len(page.body.splitlines()) == 3 and page.headers["X-Jumpgate-More"] == "1"
    rest = browser.ask("GET", f"/feed/sessions?cursor={quoted(page.headers['X-Jumpgate-Next'])}", headers=BEARER)
    assert len(rest.body.splitlines()) == 17 and rest.headers["X-Jumpgate-More"] == "0"
    assert b"secret-" not in page.body + rest.body
    assert browser.ask("GET", "/feed/sessions?cursor=x", headers=BEARER).code == "invalid_cursor"
    assert browser.ask("GET", "/feed/nothing", headers=BEARER).code == "not_found"
    assert browser.ask("GET", "/feed/sessions", headers=OBSERVE).code == "forbidden"
    assert browser.ask("GET", "/metrics", headers=BEARER).code == "forbidden"
    assert ann.get("/feed/sessions").code == "unauthenticated"
    reads = [(record["reader"], record["first_seq"], record["last_seq"]) for record in reports.records("feed_read")]
    assert ("siem", 1, 3) in reads and ("siem", 4, 20) in reads


def test_sites_of_a_reader_limit_the_feed_and_the_metrics():
    with Reports({"reader siem": {"sites": "two"}, "reader prometheus": {"sites": "two"}}) as reports:
        browser = reports.browser()
        page = browser.ask("GET", "/feed/sessions", headers=BEARER)
        assert len(page.body.splitlines()) == 5 and ONE.encode() not in page.body
        for path in ("/metrics", "/status"):
            body = browser.ask("GET", path, headers=OBSERVE).body.decode()
            assert TWO in body and ONE not in body


# ---- data ----

def test_exports(ann):
    answer = ann.get("/api/export/sessions.csv?range=all&columns=lsid,user,endpoint")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="sessions-\d{8}T\d{6}Z\.csv"', answer.headers["Content-Disposition"])
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert len(rows) == 20 and all(row["endpoint"].startswith("'=cmd|") for row in rows)
    lines = ann.get("/api/export/sessions.ndjson?range=all&f.user=eq:user%201").body.decode().splitlines()
    assert {json.loads(line)["user"] for line in lines} == {"user 1"}
    assert ann.get("/api/export/sessions.csv?x=1").code == "invalid_request"
    assert ann.get("/api/export/nothing.csv").code == ann.get("/api/export/sessions").code == "not_found"


def test_a_layout_is_lost_to_no_other_tab(ann):
    tiles = [{"id": "top_users", "width": 4, "height": 2}]
    revision = ann.get("/api/layout").json["revision"]
    put = {"If-Match": f'"{revision}"'}
    assert ann.ask("PUT", "/api/layout", {"tiles": tiles}, put).json == {"revision": revision + 1, "tiles": tiles}
    answer = ann.ask("PUT", "/api/layout", {"tiles": []}, put)
    assert (answer.status, answer.code) == (412, "conflict")
    assert ann.get("/api/layout").json["tiles"] == tiles
    twice = ann.ask("PUT", "/api/layout", {"tiles": tiles * 2}, {"If-Match": f'"{revision + 1}"'})
    assert twice.code == "invalid_request"
    assert ann.ask("PUT", "/api/layout", b" " * 70000, {"If-Match": '"1"', "Content-Type": "application/json"}).status == 413
    assert len(ann.ask("DELETE", "/api/layout").json["tiles"]) == 12


def test_the_trail_has_who_looked_at_what(reports, ann):
    ann.get(f"/api/records/events?range=all&f.type=eq:{quoted('Chat Message')}")
    ann.get(f"/api/sessions/{TWO}/{lsid(8)}")
    viewed = [record for record in reports.records("viewed") if record["dataset"] == "events"][-1]
    assert viewed["user"] == "ann" and viewed["rows"] == 50 and "Chat" in viewed["filters"]
    assert reports.records("session_viewed")[-1].items() >= {"lsid": lsid(8), "host_name": TWO}.items()
    exported = [record["complete"] for record in reports.records("exported")]
    assert exported and all(exported)


# ---- hostile clients ----

@pytest.mark.parametrize("query", [
    "range=1d", "range=7d&range=30d", "from=x", "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "tz=Nowhere/City", "x=1", "sort=body",
    "sort=-", "limit=0", "limit=201", "limit=1e2", "after=AAAA", "after=x&before=y", "columns=nothing", "f.nothing=eq:1", "f.user=like:a",
    "f.start_time=ge:yesterday", "range=%00", "range=%ff", "range=%zz", "f.user=in:" + ",".join("a" * 101), "%3D=%26", "=", "f.=eq:1",
])
def test_a_query_that_is_none(ann, query):
    answer = ann.get(f"/api/records/sessions?{query}")
    assert answer.status == 400 and answer.code in ("invalid_request", "invalid_cursor"), answer


@pytest.mark.parametrize("value", ["' OR 1=1 --", "\"; DROP TABLE session; --", "%", "_", "a\\", "\u202e", "*", "NULL", "x" * 4000])
def test_values_are_values(ann, value):
    for op in ("eq", "contains", "starts", "notin"):
        answer = ann.get(f"/api/records/sessions?range=all&f.user={op}:{quoted(value)}")
        assert answer.status == 400 or answer.json["total"] == (20 if op == "notin" else 0), (op, answer)
    assert ann.get("/api/records/sessions?range=all").json["total"] == 20


@pytest.mark.parametrize("path", [
    "/api/records/..%2fsessions", "/api/records/%2e%2e", "/api/records//sessions", "/api/sessions/a/b/c", "/assets/..%2f..%2fetc/passwd",
    "/assets/%2e%2e/index.html", "/api/tiles/%00", "/api/tiles/%ff", "/api//me", "/API/me", "/api/me/", "/api/me%2f", "/api/me;x", "//api/me",
])
def test_a_path_that_is_none(ann, path):
    assert ann.get(path).status in (400, 404)


SMUGGLED = b"GET /api/me HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize("head", [
    b"Content-Length: 0\r\nContent-Length: 44\r\n", b"Content-Length: 44\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked, identity\r\n",
    b"Transfer-Encoding : chunked\r\n", b"Content-Length: +5\r\n", b"Host: other\r\n", b"X: a\nContent-Length: 5\r\n", b"X: a\x00b\r\n",
    b" folded: x\r\n", b"Content-Length: 99999999999999999999\r\n",
])
def test_no_request_hides_in_another(reports, head):
    received = reports.browser().raw(b"POST /api/sign-in HTTP/1.1\r\nHost: h\r\n" + head + b"\r\n" + SMUGGLED)
    assert received.count(b"HTTP/1.1 ") == 1 and received.startswith(b"HTTP/1.1 4")
    assert b"Content-Security-Policy: default-src 'none'" in received


def test_nothing_sent_becomes_a_header(reports):
    browser = reports.browser()
    for path in ("/records/sessions?x=%0d%0aSet-Cookie:%20a=b", "/sessions/a%0d%0aX:%20y/b"):
        answer = browser.get(path)
        assert answer.status == 303 and answer.headers.get("Set-Cookie") is None and answer.headers.get("X") is None
    assert browser.get("/livez", X_Request_Id="a\tb").headers["X-Request-Id"] != "a\tb"


@pytest.mark.parametrize("cookie", [
    "__Host-jumpgate=" + "0" * 64, "__Host-jumpgate=", "__Host-jumpgate", ";;;", "__Host-jumpgate=" + "a" * 9000, "\x80", "x=" + "y" * 4000,
])
def test_a_cookie_that_is_none(reports, cookie):
    answer = reports.browser().ask("GET", "/api/me", headers={"Cookie": cookie})
    assert answer.status in (401, 431) and answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"user":1,"password":2}', b'{"user":"a","user":"b","password":"c"}', b'{"user":"\\u0000","password":"x"}',
                                  b"[" * 5000, b'{"user":"' + b"a" * 60000 + b'","password":"x"}', "{\"user\":\"\udcff\"}".encode("utf-8", "surrogateescape")])
def test_a_body_that_is_none(reports, body):
    answer = reports.browser().ask("POST", "/api/sign-in", body, {"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (400, "invalid_request")


# ---- life ----

def test_health_and_metrics(reports):
    browser = reports.browser()
    assert browser.get("/livez").json == {"alive": True}
    assert browser.get("/readyz").json == {"ready": True, "reasons": []}
    status = browser.ask("GET", "/status", headers=OBSERVE).json
    assert status["name"] == "jumpgate-reports" and {d["name"] for d in status["dependencies"]} == {"database", "audit"}
    metrics = browser.ask("GET", "/metrics", headers=OBSERVE).body.decode()
    families = re.findall(r"^# TYPE (\S+)", metrics, re.M)
    assert len(families) == len(set(families)) and all(name.startswith("jumpgate_reports_") for name in families)
    series = re.findall(r"^([^#\s]\S*(?: \S+})?) \S+$", metrics, re.M)
    assert len(series) == len(set(series)) > 50
    for name in ("site_state", "database_seconds", "tile_seconds", "exports_total", "sign_ins_total", "web_sessions", "audit_writable"):
        assert f"jumpgate_reports_{name}" in families, name
    assert not re.search(r"user [012]|[0-9a-f]{32}|=cmd", metrics)


def test_the_log_has_no_value_of_a_request():
    with Reports({"reports": {"log_level": "debug"}}) as reports:
        ann = reports.browser().sign_in("ann")
        ann.get(f"/api/records/sessions?range=all&f.user=eq:{quoted('a-value-to-look-for')}")
        ann.get("/api/records/sessions?a-parameter-to-look-for=1")
        ann.ask("GET", "/feed/sessions", headers=BEARER)
        reports.browser().try_sign_in("bob", "a-password-to-look-for")
        cookie, csrf = ann.cookie, ann.csrf
        reports.stop()
        text = reports.err.text
    assert "operation=records" in text or '"operation":"records"' in text
    for secret in ("to-look-for", cookie, cookie.split("=")[1], csrf, FEED_TOKEN, PASSWORD, "secret of the tests"):
        assert secret not in text


def test_a_reload_signs_out_whom_it_changes():
    with Reports() as reports:
        ann, bob = reports.browser().sign_in("ann"), reports.browser().sign_in("bob")
        reports.sections["user bob"]["allow"] = "view export"
        reports.write_configuration()
        reports.signal(signal.SIGHUP)
        eventually(lambda: bob.get("/api/me").status == 401)
        assert ann.get("/api/me").status == 200
        assert [record["user"] for record in reports.records("user_changed")] == ["bob"]


def test_sign_outs_with_the_process_and_an_export_that_is_cut_is_seen():
    with Reports({"reports": {"readers": "1"}}, sessions=300, events=160) as reports:
        ann = reports.browser().sign_in("ann")
        connection, waits = ann.connect(), ann.connect()
        connection.connect()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)  # it does not grow from now on
        connection.request("GET", "/api/export/events.ndjson?range=all", headers={"Cookie": ann.cookie})
        response = connection.getresponse()
        assert response.read(1000)
        waits.request("GET", "/api/export/sessions.csv?range=all", headers={"Cookie": ann.cookie})
        assert ann.get("/api/me").status == 200  # the loop has read the other request
        reports.signal(signal.SIGTERM)
        refused = waits.getresponse()
        assert (refused.status, json.loads(refused.read())["code"]) == (503, "draining")
        began = time.monotonic()
        with pytest.raises(Exception):  # cut, or reset
            time.sleep(6)  # reads nothing until drain_timeout is over
            while response.read(65536):
                pass
        reports.wait(20)
        assert time.monotonic() - began < 20
        assert "drain_timeout is over" in reports.err.text
        assert [record["complete"] for record in reports.records("exported")] == [False]
        reports.start()
        assert ann.get("/api/me").status == 401
        assert os.path.exists(reports.database)
