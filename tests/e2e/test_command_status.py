# SPDX-License-Identifier: Apache-2.0
"""`jumpgate status`, `jumpgate explain` and `jumpgate version`: what they show, and their exit codes."""

import http.server
import json
import os
import re
import shutil
import socketserver
import subprocess
import threading

import pytest

from harness import BIN, SANITIZER, Gateway, eventually
from stack import Stack

NO_VAULT = "http://127.0.0.1:9/BeyondTrust/api/public/v3"


def jumpgate(*words, expect=0):
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:exitcode=99",
                   "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
    done = subprocess.run([str(BIN / "jumpgate"), *map(str, words)], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, env=environment, check=False)
    assert not SANITIZER.search(done.stderr), done.stderr
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
    return done


def page(gateway, *words, expect=0):
    """The rows of the page as {title: (state, detail)}, and all of its text."""
    done = jumpgate("status", "-c", gateway.path / "jumpgate.conf", *words, expect=expect)
    rows = (re.split(r" {2,}", line) for line in done.stdout.splitlines())
    return {row[0]: tuple(row[1:]) for row in rows if len(row) == 3}, done.stdout


@pytest.fixture(name="stack", scope="module")
def _stack():
    with Stack() as stack:
        yield stack


# ---- status ----

def test_page_of_a_ready_gateway(stack):
    one = stack.session("ann", stack.account())
    assert stack.checkout(one, stack.credential(one)).status == 200
    rows, text = page(stack.gateway)
    assert rows["gateway"][0] == "ready" and re.search(r"version \d+\.\d+\.\d+, up \d+\w, since 20\d\d-", rows["gateway"][1])
    assert rows["vault main"][0] == "reachable" and "answered" in rows["vault main"][1]
    assert rows["lease store"][0] == rows["audit trail"][0] == "writable"
    assert rows["leases"][0] == "1 open" and "overdue" not in rows["leases"][1]
    assert re.fullmatch(r"\d+\.\d ms late", rows["event loop"][0])
    assert "ready:" not in text and "\x1b" not in text
    assert stack.gateway.call("POST", "/v1/release", {"lease": "none"}).status >= 400
    last = stack.gateway.call("GET", "/status").json["last_errors"][0]
    code, detail = page(stack.gateway)[0]["last error"]
    assert code == last["code"] and last["request_id"] in detail


def test_json_has_the_members_of_status(stack):
    status = stack.gateway.call("GET", "/status").json
    got = json.loads(jumpgate("status", "-c", stack.gateway.path / "jumpgate.conf", "--json").stdout)
    assert list(got) == ["ready", "reasons", *status]
    assert (got["ready"], got["reasons"], got["config_digest"]) == (True, [], status["config_digest"])
    assert got["leases"] == status["leases"]


def test_page_of_a_gateway_that_is_not_ready():
    with Gateway(NO_VAULT) as gateway:
        eventually(lambda: gateway.call("GET", "/readyz").status == 503, 30)
        rows, text = page(gateway, expect=3)
        assert rows["gateway"][0] == "not ready" and rows["vault main"][0] == "unreachable"
        reasons = text.split("\nnot ready:\n")[1].splitlines()
        assert reasons == ["  " + reason for reason in gateway.call("GET", "/readyz").json["reasons"]]
        got = json.loads(jumpgate("status", "-c", gateway.path / "jumpgate.conf", "--json", expect=3).stdout)
        assert got["ready"] is False and len(got["reasons"]) == len(reasons)


@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("explain", "x")])
def test_gateway_that_does_not_run(words):
    with Gateway(NO_VAULT) as gateway:
        gateway.stop()
        path = gateway.path / "jumpgate.conf"
        for _ in range(2):
            done = jumpgate(words[0], "-c", path, *words[1:], expect=1)
            assert done.stdout == "" and f"nothing answers on {gateway.path}/state/control.sock" in done.stderr
            assert "journalctl -u jumpgate" in done.stderr and f"jumpgate check -c {path}" in done.stderr
            shutil.rmtree(gateway.path / "state", ignore_errors=True)  # then there never was a gateway


# ---- whatever the gateway answers ----

class Pretended(http.server.BaseHTTPRequestHandler):
    """Answers each path with what the test has put into `answers`: (status, text)."""

    def do_GET(self):
        status, text = self.server.answers.get(self.path, (404, '{"detail":"no such path"}'))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@pytest.fixture(name="pretended")
def _pretended():
    """A server of the test's own on the control socket of a gateway that has stopped."""
    with Gateway(NO_VAULT) as gateway:
        gateway.stop()
        path = gateway.path / "state" / "control.sock"
        path.unlink(missing_ok=True)
        with socketserver.ThreadingUnixStreamServer(str(path), Pretended) as server:
            server.answers, server.gateway = {"/readyz": (200, '{"ready":true,"reasons":[]}'), "/status": (200, "{}")}, gateway
            Pretended.address_string = lambda _: "unix"
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield server
            server.shutdown()


def test_members_that_are_missing_are_left_out(pretended):
    rows, _ = page(pretended.gateway)
    assert rows["gateway"][0] == "ready" and rows["leases"][0] == "0 open"
    assert not [title for title in rows if title.startswith(("vault", "site", "certificate", "last"))]


def test_page_names_what_is_wrong(pretended):
    pretended.answers["/readyz"] = (200, '{"ready":true,"reasons":["vault b is not reachable"]}')
    pretended.answers["/status"] = (200, json.dumps({
        "loop_lag_ms": 250.04, "leases": {"active": 3, "oldest_overdue_seconds": 7300},
        "dependencies": [
            {"name": "a\x1b[2J", "type": "password_safe", "state": "reachable", "detail": "", "last_success_age_ms": None,
             "clock_skew_ms": -90000},
            {"name": "b", "type": "password_safe", "state": "unreachable", "detail": "no route\u202e",
             "last_success_age_ms": 65000, "clock_skew_ms": 20000},
            {"name": "store", "type": "sqlite", "state": "not_writable", "writable": False, "why": "disk full"},
            {"name": "s", "type": "pra", "state": "up", "detail": "", "version": "25.2", "failover_role": "backup",
             "missing": [{}, {}]}],
        "certificates": [{"name": "main", "kind": "listener", "not_after": "2026-12-01T00:00:00Z", "days_left": -3}]}))
    rows, text = page(pretended.gateway)
    assert rows["event loop"] == ("250.0 ms late", "the gateway is short of processor time")
    assert rows["leases"][0] == "3 open" and rows["leases"][1].endswith("; the oldest is overdue by 2h 01m")
    assert rows["vault a\\u001b[2J"][1].startswith("has not answered yet, its clock is 1m behind, ")
    assert rows["vault b"][0] == "unreachable" and rows["vault b"][1].startswith("answered 1m ago, 0 connections")
    assert rows["vault b"][1].endswith("; no route\\u202e")
    assert rows["lease store"] == ("not writable", "sqlite, 0 commits; disk full")
    assert rows["site s"] == ("up", "has not answered yet, version 25.2, backup, 2 permissions are missing")
    assert rows["certificate main"] == ("-3 days left", "listener, until 2026-12-01T00:00:00Z")
    assert text.endswith("\nready, but:\n  vault b is not reachable\n")
    assert "\x1b" not in text and "\u202e" not in text


def test_one_is_singular(pretended):
    one = {"connections": 1, "sessions": 1, "calls_queued": 1, "records": 1, "commits": 1, "last_success_age_ms": 1000}
    pretended.answers["/status"] = (200, json.dumps({
        "connections": 1, "operations": {"checkouts": 1, "releases": 1},
        "dependencies": [
            {"name": "v", "type": "password_safe", "state": "reachable", **one},
            {"name": "store", "type": "sqlite", "state": "writable", "writable": True, **one},
            {"name": "audit", "type": "file", "state": "writable", "writable": True, **one},
            {"name": "s", "type": "pra", "state": "limited", "missing": [{}]}],
        "certificates": [{"name": "main", "kind": "listener", "not_after": "2026-12-01T00:00:00Z", "days_left": 1}]}))
    rows, _ = page(pretended.gateway)
    assert rows["vault v"][1] == "answered 1s ago, 1 connection, 1 session, 1 call waiting"
    assert rows["lease store"][1] == "sqlite, 1 commit" and rows["audit trail"][1] == "file, 1 record"
    assert rows["site s"][1] == "has not answered yet, 1 permission is missing"
    assert rows["operations"][1] == "1 client connection; 1 check-out and 1 release since the start"
    assert rows["certificate main"][0] == "1 day left"


@pytest.mark.parametrize("path", ["/readyz", "/status"])
@pytest.mark.parametrize("answer, said", [
    ((200, "[]"), "the gateway's answer is not understood"),
    ((200, "{"), "the gateway's answer is not understood"),
    ((200, '{"ready":true,"ready":true}'), "the gateway's answer is not understood"),
    ((403, '{"detail":"not \\u001b[2J you"}'), "the gateway answers 403: not \\u001b[2J you"),
    ((500, "{}"), "the gateway answers 500: no reason given"),
])
def test_answer_that_is_none(pretended, path, answer, said):
    pretended.answers[path] = answer
    for words in ((), ("--json",)):
        done = jumpgate("status", "-c", pretended.gateway.path / "jumpgate.conf", *words, expect=1)
        assert done.stdout == "" and said in done.stderr


# ---- explain ----

def find(stack, request_id, asked, status=200):
    assert stack.gateway.find(asked, headers={"X-Request-Id": request_id}).status == status


def explain(stack, *words, expect=0):
    return jumpgate("explain", "-c", stack.gateway.path / "jumpgate.conf", *words, expect=expect)


def test_page_of_a_find(stack):
    box = stack.account("root")
    find(stack, "page-1", stack.session("ann", hostname=f"{box.name}.corp.test"))
    text = explain(stack, "page-1").stdout
    assert re.search(r"^user +CORP\\ann$", text, re.M) and re.search(r"^result +ok, 1 row in \d+ ms$", text, re.M)
    assert re.search(r"^  main +CORP\\ann +accepted +-$", text, re.M)
    assert re.search(rf"^  main +hostname +{box.name}\.corp\.test$", text, re.M)
    assert "likely causes" not in text and "\ncalls to the vault:\n" in text


def test_page_of_an_empty_list_has_its_causes(stack):
    find(stack, "page-2", stack.session("ann", hostname="no-such-box"))
    text = explain(stack, "page-2").stdout
    record = json.loads(explain(stack, "page-2", "--json").stdout)
    assert record["request_id"] == "page-2" and record["rows"] == 0 and record["likely"]
    for cause in record["likely"]:
        assert f"\n  -       {cause}\n" in text


def test_explanation_does_not_steer_a_terminal(stack):
    find(stack, "page-3", stack.session("ann", hostname="box\u202e.test"))
    text = explain(stack, "page-3").stdout
    assert "\u202e" not in text and "box\\u202e.test" in text


def test_page_shows_what_waits_for_an_approver():
    with Stack({"vault main": {"approval_wait": "1h"}}) as stack:
        box = stack.account("root", rule="approval")
        asked = stack.session("ann", box)
        find(stack, "page-4", asked)
        assert "approver" not in explain(stack, "page-4").stdout
        assert " 0 pending," in page(stack.gateway)[0]["leases"][1]
        answer = stack.checkout(asked)
        assert answer.status == 409
        assert " 1 pending," in page(stack.gateway)[0]["leases"][1]
        text = explain(stack, "page-4").stdout
        assert "\nthe person's requests that wait for an approver:\n" in text
        assert re.search(rf"^  {box.name} +root +CORP.ann +{answer.json['vault']['request_id']} ", text, re.M)


def test_forgotten_find(stack):
    done = explain(stack, "never-was", expect=4)
    assert done.stdout == "" and done.stderr.startswith("jumpgate: no find with this request id")


# ---- version ----

def test_version_names_its_libraries():
    got = json.loads(jumpgate("version", "--json").stdout)
    names = [library["name"] for library in got["libraries"]]
    assert names == ["OpenSSL", "libuv", "libcurl", "SQLite", "llhttp", "cJSON", "expat", "libseccomp", "libsystemd"]
    assert all(re.match(r"\d+", library["version"] or library["built_with"]) for library in got["libraries"])
    text = jumpgate("version").stdout
    assert text.startswith(jumpgate("--version").stdout) and got["build_type"] in text
    for library in got["libraries"]:
        assert re.search(rf"^{library['name']} +{re.escape(library['version'] or library['built_with'])} ", text, re.M)


def test_version_has_the_revision_of_the_build():
    revision = json.loads(jumpgate("version", "--json").stdout)["revision"]
    assert revision is None or re.fullmatch(r"[0-9A-Za-z._+-]+", revision)
