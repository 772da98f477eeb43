# SPDX-License-Identifier: Apache-2.0
"""What the gateway refuses: routes, callers, bodies, rates, time; and in which order it checks."""

import json
import random
import re
import signal
import threading

import pytest

from harness import TOKEN, eventually, session, token_hash
from stack import CREDENTIAL, Stack, Wire, head, problem, took

FIND, CHECKOUT, RELEASE = "/v1/credentials/find", "/v1/credentials/checkout", "/v1/credentials/release"
ENDPOINTS, START, STARTED = "/v1/endpoints/find", "/v1/sessions/start", "/v1/sessions/started"
COMPLETE = "/v1/sessions/complete"
POSTS = [FIND, CHECKOUT, RELEASE, ENDPOINTS, START, STARTED, COMPLETE]
GETS = ["/v1/capabilities", "/v1/health", "/status", "/metrics", "/livez", "/readyz"]
OPEN = ["/livez", "/readyz"]


@pytest.fixture(scope="module", name="shared")
def _shared():
    clients = {
        "client pra": {"allow": "broker operate observe"},
        "client watch": {"token_sha256": token_hash("watch"), "allow": "observe"},
        "client broke": {"token_sha256": token_hash("broke"), "allow": "broker"},
        "client slow": {"token_sha256": token_hash("slow"), "allow": "broker", "rate": "3/s"},
    }
    with Stack({"gateway": {"list_cache": "0s", "max_body": "2k"}, **clients}) as stack:
        yield stack


def post(stack, body, path=FIND, **more):
    """Sends text or bytes as they are."""
    return stack.gateway.call("POST", path, body.encode() if isinstance(body, str) else body, **more)


def body_with(**members):
    return {"session": session(hostname="x"), "credential_id": "j1.main.l.1.1.0", **members}


# ---- plain answers ----

def test_capabilities(stack):
    answer = stack.gateway.call("GET", "/v1/capabilities")
    assert list(answer.json) == ["name", "description", "version", "capabilities"]
    assert answer.json["name"] == "jumpgate" and re.fullmatch(r"\d+\.\d+\.\d+", answer.json["version"])
    assert json.dumps(answer.json["capabilities"]) == json.dumps(
        {"credentials_used": True, "endpoint_search": True, "health_check": True, "session_complete": True,
         "session_started": True, "start_session": False})


def test_health(stack):
    stack.gateway.find(stack.session("ann", stack.account()))
    answer = stack.gateway.call("GET", "/v1/health")
    assert answer.status == 200 and list(answer.json) == ["healthy", "checks"]
    assert answer.json["healthy"] is True and answer.json["checks"]
    for check in answer.json["checks"]:
        assert list(check) == ["name", "ok", "detail", "last_success_age_ms"]
        assert check["ok"] is True and check["last_success_age_ms"] >= 0


def test_livez_and_readyz_need_no_client(stack):
    for path in OPEN:
        assert stack.gateway.call("GET", path, token=None).status == 200
        assert stack.gateway.call("GET", path, token="wrong").status == 200
    assert stack.gateway.call("GET", "/readyz", token=None).json == {"ready": True, "reasons": []}


def test_status(stack):
    status = stack.gateway.call("GET", "/status").json
    assert {"version", "uptime_seconds", "config_digest", "dependencies", "leases", "loop_lag_ms",
            "certificates"} <= set(status)
    assert re.fullmatch("[0-9a-f]{16,}", status["config_digest"])
    assert status["loop_lag_ms"] >= 0 and status["uptime_seconds"] >= 0
    box = stack.account()
    ann = stack.session("ann", box)
    assert stack.checkout(ann).status == 200
    assert stack.gateway.call("GET", "/status").json["leases"]["active"] == 1


def test_metrics(stack):
    answer = stack.gateway.call("GET", "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    helped, typed = set(), set()
    for line in answer.body.decode().splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split()[2])
        elif line.startswith("# TYPE "):
            typed.add(line.split()[2])
            assert line.split()[3] in ("counter", "gauge", "histogram")
        else:
            name = re.fullmatch(r'([a-z_]+)(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? (-?[0-9.e+-]+|\+Inf|NaN)',
                                line).group(1)
            assert name.startswith("jumpgate_")
            assert name in typed or re.sub("_(bucket|sum|count)$", "", name) in typed
    assert helped == typed
    assert "jumpgate_request_duration_seconds" in typed


def test_head_is_get_without_a_body(stack):
    for path in GETS:
        answer = stack.gateway.call("HEAD", path)
        assert (answer.status, answer.body) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 0


# ---- request ids ----

@pytest.mark.parametrize("path", GETS + ["/nowhere"])
def test_request_id_on_every_answer(stack, path):
    given = "Az09._-" + "x" * 121
    for wanted in (given, "r"):
        assert stack.gateway.call("GET", path, headers={"X-Request-Id": wanted}).headers["X-Request-Id"] == wanted
    made = {stack.gateway.call("GET", path).headers["X-Request-Id"] for _ in range(3)}
    assert len(made) == 3 and all(re.fullmatch("[A-Za-z0-9._-]{1,128}", one) for one in made)


@pytest.mark.parametrize("bad", ["", "x" * 129, "a b", "a,b", "ä", "a/b", "<x>"])
def test_bad_request_ids_are_replaced(stack, bad):
    got = stack.gateway.call("GET", "/livez", headers={"X-Request-Id": bad.encode()}).headers["X-Request-Id"]
    assert got != bad and re.fullmatch("[A-Za-z0-9._-]{1,128}", got)


def test_request_id_in_answers_and_log(stack):
    answer = stack.gateway.find(session(hostname="x"), headers={"X-Request-Id": "my-own.id_7"})
    assert answer.json["request_id"] == answer.headers["X-Request-Id"] == "my-own.id_7"
    assert eventually(lambda: [line for line in stack.gateway.err.lines if "my-own.id_7" in line])


def test_traceparent_is_in_the_log(stack):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    stack.gateway.find(session(hostname="x"), headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert eventually(lambda: [line for line in stack.gateway.err.lines if trace in line])
    for bad in ("00-zz-00f067aa0ba902b7-01", "x", "", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "\xff"):
        assert stack.gateway.find(session(hostname="x"), headers={"traceparent": bad}).status == 200


# ---- routes and callers ----

@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", FIND + "/", "/v1//health", "/V1/health", "/v1/health/../health",
                                  "/v1/%68ealth", "/livez/x", "//livez"])
def test_unknown_paths(stack, path):
    with Wire(stack.gateway) as wire:
        status, headers, body = wire.send(head(path=path)).answer()
    assert status == 404 and json.loads(body)["code"] == "not_found" and headers["x-request-id"]


def test_unknown_path_needs_no_caller(stack):
    problem(stack.gateway.call("GET", "/nowhere", token=None), 404, "not_found")


@pytest.mark.parametrize("path", POSTS)
def test_get_on_posts(stack, path):
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = stack.gateway.call(method, path)
        problem(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("path", GETS)
def test_post_on_gets(stack, path):
    answer = stack.gateway.call("POST", path, {})
    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("path", POSTS + [path for path in GETS if path not in OPEN])
def test_without_a_client_no_request_is_served(stack, path):
    method = "POST" if path in POSTS else "GET"
    body = body_with() if path in POSTS else None
    for token in (None, "", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), token_hash(TOKEN)):
        answer = stack.gateway.call(method, path, body, token=token)
        problem(answer, 401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("value", [TOKEN, f"Basic {TOKEN}", f"Bearer{TOKEN}", f"Bearer {TOKEN} x", "Bearer",
                                   f"Token {TOKEN}", f"Bearer {TOKEN},Bearer {TOKEN}"])
def test_other_forms_of_authorization(stack, value):
    problem(stack.gateway.call("GET", "/v1/capabilities", token=None, headers={"Authorization": value}), 401,
            "unauthenticated")


def test_scheme_in_any_letter_case_and_one_header_only(stack):
    assert stack.gateway.call("GET", "/status", token=None, headers={"Authorization": f"bearer {TOKEN}"}).status == 200
    with Wire(stack.gateway) as wire:
        twice = head(path="/status", token=None).replace("\r\n\r\n", f"\r\nAuthorization: Bearer {TOKEN}" * 2
                                                         + "\r\n\r\n")
        assert wire.send(twice).answer()[0] in (400, 401)


def test_permissions(stack):
    for path in ("/status", "/metrics"):
        assert stack.gateway.call("GET", path, token="watch").status == 200
        problem(stack.gateway.call("GET", path, token="broke"), 403, "forbidden")
    for path in POSTS:
        problem(stack.gateway.call("POST", path, body_with(), token="watch"), 403, "forbidden")
    for path in ("/v1/capabilities", "/v1/health"):
        problem(stack.gateway.call("GET", path, token="watch"), 403, "forbidden")
        assert stack.gateway.call("GET", path, token="broke").status == 200
    assert stack.gateway.find(session(hostname="x"), token="broke").status == 200


# ---- bodies ----

GOOD = json.dumps({"session": session(hostname="x")})


@pytest.mark.parametrize("body", [
    "", " ", "{", "}", "null", "[]", "5", '"x"', "{'session':1}", "{session:1}", GOOD[:-1], GOOD + "x", GOOD + GOOD,
    "\ufeff" + GOOD, '{"a":1,"a":2,' + GOOD[1:], GOOD[:-1] + ',"session":null}', GOOD[:-1] + ",}",
    GOOD[:-1] + ',"x":01}', GOOD[:-1] + ',"x":+1}', GOOD[:-1] + ',"x":.5}', GOOD[:-1] + ',"x":NaN}',
    GOOD[:-1] + ',"x":"\\ud800"}', GOOD[:-1] + ',"x":"\\udc00\\ud800"}', GOOD[:-1] + ',"x":"\\x41"}',
    GOOD[:-1] + ',"x":"tab\there"}', GOOD[:-1] + ',"x":tru}', GOOD[:-1] + ',"x":1e}', "/* c */" + GOOD,
    GOOD[:-1] + ',"x":{"b":1,"b":1}}', GOOD[:-1] + ',"x":' + "[" * 32 + "]" * 32 + "}",
])
def test_not_json(stack, body):
    problem(post(stack, body), 400, "invalid_request")


@pytest.mark.parametrize("raw", [b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf", b"\x00"])
def test_bad_utf8(stack, raw):
    problem(post(stack, GOOD[:-1].encode() + b',"x":"' + raw + b'"}'), 400, "invalid_request")


def test_nesting_of_thirty_two_is_the_most(stack):
    deep = lambda n: GOOD[:-1] + ',"x":' + "[" * (n - 1) + "]" * (n - 1) + "}"
    assert post(stack, deep(32)).status == 200
    problem(post(stack, deep(33)), 400, "invalid_request")


def test_whitespace_unknown_members_and_escapes_are_fine(stack):
    assert post(stack, "\r\n\t " + GOOD + " \n").status == 200
    assert post(stack, GOOD[:-1] + ',"later":{"x":[1,2.5e3,null]}}').status == 200
    assert post(stack, GOOD.replace('"ann"', '"\\u0061\\u006en"')).status == 200
    assert post(stack, GOOD[:-1] + ',"x":"\\ud83d\\ude00"}').status == 200


WRONG_SESSIONS = [
    None, [], "x", 5, {}, {"user": None}, {"user": "ann"}, {"user": {}}, {"user": {"username": None}},
    {"user": {"username": ""}}, {"user": {"username": 5}}, {"user": {"username": "x" * 257}},
    {"user": {"username": "ann", "domain": 5}}, {"user": {"username": ["ann"]}},
]


@pytest.mark.parametrize("wrong", WRONG_SESSIONS)
@pytest.mark.parametrize("path", [path for path in POSTS if path != START])
def test_sessions_of_a_wrong_kind(stack, path, wrong):
    problem(stack.gateway.call("POST", path, body_with(session=wrong)), 400, "invalid_request")


@pytest.mark.parametrize("path", [path for path in POSTS if path != START])
def test_missing_session(stack, path):
    body = body_with()
    del body["session"]
    problem(stack.gateway.call("POST", path, body), 400, "invalid_request")


@pytest.mark.parametrize("members", [
    {"id": 5}, {"id": ""}, {"id": "x" * 129}, {"jump_item": "x"}, {"jump_item": []},
    {"jump_item": {"hostname": 5}}, {"jump_item": {"hostname": ["x"]}}, {"jump_item": {"hostname": "x", "port": 0}},
    {"jump_item": {"hostname": "x", "port": 65536}}, {"jump_item": {"hostname": "x", "port": "22"}},
    {"jump_item": {"hostname": "x", "port": 22.5}}, {"jump_item": {"hostname": "x", "method": "ssh"}},
    {"jump_item": {"hostname": "x", "method": "RDP"}}, {"jump_item": {"hostname": "x", "method": 1}},
    {"jump_item": {"hostname": "x", "application": 1}}, {"jump_item": {"hostname": "x", "network_id": 1}},
    {"jump_item": {"hostname": "x", "ip_address": True}}, {"jump_item": {}}, {"jump_item": None},
    {"jump_item": {"port": 22, "method": "rdp"}}, {"jump_item": {"hostname": None}}, {"jump_item": {"hostname": ""}},
])
def test_members_of_the_session_of_a_wrong_kind(stack, members):
    body = {"session": {**session(hostname="x"), **members}}
    problem(stack.gateway.call("POST", FIND, body), 400, "invalid_request")


@pytest.mark.parametrize("members", [
    {"id": None}, {"id": "x" * 128}, {"jump_item": {"hostname": "x", "port": None, "method": None}},
    {"jump_item": {"hostname": "x", "port": 22.0, "method": "jump_client", "network_id": "Office"}},
    {"jump_item": {"name": "x", "hostname": None}}, {"user": {"username": "ann", "domain": "CORP", "more": 1}},
])
def test_members_of_the_session_that_are_right(stack, members):
    assert stack.gateway.call("POST", FIND, {"session": {**session(hostname="x"), **members}}).status == 200


@pytest.mark.parametrize("path", [CHECKOUT, RELEASE, STARTED, COMPLETE])
def test_session_id_is_required(stack, path):
    for missing in (None, "absent"):
        body = body_with()
        if missing is None:
            body["session"]["id"] = None
        else:
            del body["session"]["id"]
        answer = stack.gateway.call("POST", path, body)
        assert "id" in problem(answer, 400, "invalid_request")["detail"]


@pytest.mark.parametrize("path", [CHECKOUT, RELEASE])
@pytest.mark.parametrize("wrong", [None, 5, [], {}, True, "", "absent", "x" * 257])
def test_credential_id_of_a_wrong_kind(stack, path, wrong):
    body = body_with(credential_id=wrong)
    if wrong == "absent":
        del body["credential_id"]
    answer = stack.gateway.call("POST", path, body)
    if wrong == "x" * 257:  # a text, but the id of nothing
        assert answer.status in (200, 400, 404)
    else:
        problem(answer, 400, "invalid_request")


@pytest.mark.parametrize("members", [
    {"reason": 5}, {"reason": ["x"]}, {"ticket_system_id": "5"}, {"ticket_system_id": 1.5}, {"ticket_number": 5},
    {"prefer": "key"}, {"prefer": 5}, {"prefer": "PASSWORD"},
])
def test_members_of_a_check_out_of_a_wrong_kind(stack, members):
    problem(stack.gateway.call("POST", CHECKOUT, body_with(**members)), 400, "invalid_request")


def test_detail_names_the_member(stack):
    answer = stack.gateway.call("POST", FIND, {"session": {"user": {"username": 5}, "jump_item": {"name": "x"}}})
    assert "session.user.username" in problem(answer, 400, "invalid_request")["detail"]


# ---- forms of bodies ----

@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx",
                                  "application/json; charset=latin-1", "", "application/problem+json"])
def test_unsupported_media_types(stack, kind):
    problem(post(stack, GOOD, headers={"Content-Type": kind}), 415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8",
                                  "application/json;charset=\"UTF-8\""])
def test_supported_media_types(stack, kind):
    assert post(stack, GOOD, headers={"Content-Type": kind}).status == 200


def test_post_without_a_length(stack):
    with Wire(stack.gateway) as wire:
        status, headers, body = wire.send(head("POST", FIND, Content_Type="application/json")).answer()
    assert status == 411 and json.loads(body)["code"] == "length_required" and headers["x-request-id"]


def test_body_too_large(stack):
    large = GOOD[:-1] + ',"x":"' + "y" * 2048 + '"}'
    problem(post(stack, large), 413, "body_too_large")
    fits = GOOD[:-1] + ',"x":"' + "y" * (2048 - len(GOOD) - 7) + '"}'
    assert len(fits) == 2048 and post(stack, fits).status == 200
    problem(post(stack, fits + " "), 413, "body_too_large")


def test_chunked_body_too_large(stack):
    with Wire(stack.gateway) as wire:
        wire.send(head("POST", FIND, Content_Type="application/json", Transfer_Encoding="chunked"))
        try:
            for _ in range(40):
                wire.send("100\r\n" + "y" * 256 + "\r\n")
        except OSError:
            pass  # closed meanwhile, which is right
        answer = wire.answer()
    assert answer is None or (answer[0] == 413 and json.loads(answer[2])["code"] == "body_too_large")


def test_chunked_body(stack):
    with Wire(stack.gateway) as wire:
        wire.send(head("POST", FIND, Content_Type="application/json", Transfer_Encoding="chunked"))
        for letter in GOOD:
            wire.send(f"1;x=y\r\n{letter}\r\n")
        status, _, body = wire.send("0\r\nTrailer: x\r\n\r\n").answer()
        assert status == 200 and json.loads(body)["credentials"] == []
        assert wire.send(head()).answer()[0] == 200


# ---- noise ----

def test_noise_leaves_the_gateway_alone(stack):
    dice = random.Random(7)
    good = head("POST", FIND, Content_Type="application/json", Content_Length=len(GOOD)) + GOOD
    for _ in range(200):
        data = bytearray(good.encode())
        for _ in range(dice.randrange(1, 6)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        with Wire(stack.gateway) as wire:
            wire.send(bytes(data[:dice.randrange(1, len(data) + 1)])).end()
            answer = wire.answer()
            assert answer is None or answer[0] in (200, 400, 401, 404, 405, 408, 411, 413, 415, 417, 501, 502, 505)
    assert stack.gateway.call("GET", "/livez").status == 200


# ---- order of refusals ----

@pytest.mark.parametrize("request_text, status", [
    (head("POST", "/" + "x" * 9000, None), 414),
    (head("POST", "/nowhere", None, X="y" * 40000), 431),
    (head("POST", "/nowhere", None), 404),
    (head("PUT", FIND, None), 405),
    (head("POST", FIND, None), 401),
    (head("POST", FIND, "watch"), 403),
    (head("POST", FIND), 411),
    (head("POST", FIND, Content_Length="9999", Content_Type="text/plain"), 413),
    (head("POST", FIND, Content_Length="1", Content_Type="text/plain") + "x", 415),
    (head("POST", FIND, Content_Length="1", Content_Type="application/json") + "x", 400),
])
def test_precedence(stack, request_text, status):
    """Each line is wrong in all that comes after its own mistake as well."""
    with Wire(stack.gateway) as wire:
        assert wire.send(request_text).answer()[0] == status


# ---- time ----

@pytest.mark.parametrize("value", ["0", "-1", "600001", "1.5", "1s", "", "x", "1 2", "+5", "0x10",
                                   "99999999999999999999"])
def test_timeouts_of_a_wrong_kind(stack, value):
    problem(post(stack, GOOD, headers={"X-Request-Timeout-Ms": value}), 400, "invalid_request")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/status", "/metrics", "/v1/health", "/v1/capabilities", "/v1/leases"])
def test_timeout_of_a_wrong_kind_wherever_it_is_sent(stack, path):
    problem(stack.gateway.call("GET", path, headers={"X-Request-Timeout-Ms": "soon"}), 400, "invalid_request")
    assert stack.gateway.call("GET", path, headers={"X-Request-Timeout-Ms": "1"}).status == 200


@pytest.mark.parametrize("value", ["600000", "5000"])
def test_timeouts_that_are_right(stack, value):
    assert post(stack, GOOD, headers={"X-Request-Timeout-Ms": value}).status == 200


def test_callers_deadline_on_each_operation(stack):
    box = stack.account()
    ann = stack.session("ann", box)
    credential = stack.credential(ann)
    stack.vault.fault("hang")
    for path in (FIND, CHECKOUT, ENDPOINTS):
        seconds, answer = took(lambda path=path: stack.gateway.call(
            "POST", path, {"session": ann, "credential_id": credential}, headers={"X-Request-Timeout-Ms": "200"}))
        problem(answer, 504, "deadline_exceeded")
        assert 0.15 < seconds < 1.2, path


def test_own_deadline():
    with Stack({"gateway": {"request_timeout": "300ms", "list_cache": "0s"}}) as stack:
        box = stack.account()
        ann = stack.session("ann", box)
        credential = stack.credential(ann)
        stack.vault.fault("hang", call=CREDENTIAL)
        for headers in ({}, {"X-Request-Timeout-Ms": "5000"}):
            seconds, answer = took(lambda h=headers: stack.checkout(ann, credential, headers=h))
            problem(answer, 504, "deadline_exceeded")
            assert 0.2 < seconds < 1.3
        stack.vault.clear_faults()
        stack.settled(20)


# ---- rate and room ----

def test_rate(stack):
    answers = [stack.gateway.call("GET", "/v1/capabilities", token="slow") for _ in range(8)]
    refused = [a for a in answers if a.status != 200]
    assert 3 <= len(answers) - len(refused) <= 5
    for answer in refused:
        problem(answer, 429, "rate_limited")
    assert stack.gateway.call("GET", "/v1/health", token="slow").status == 200
    assert stack.gateway.call("GET", "/v1/capabilities").status == 200  # another client
    eventually(lambda: stack.gateway.call("GET", "/v1/capabilities", token="slow").status == 200, 5, 0.1)


def test_refused_bodies_come_before_the_rate(stack):
    eventually(lambda: stack.gateway.call("GET", "/v1/capabilities", token="slow").status == 200, 5, 0.1)
    eventually(lambda: stack.gateway.call("GET", "/v1/capabilities", token="slow").status == 429)
    problem(post(stack, "{", token="slow"), 400, "invalid_request")


def test_more_than_max_inflight():
    with Stack({"gateway": {"max_inflight": "2", "list_cache": "0s"}}) as stack:
        box = stack.account()
        credential = stack.credential(stack.session("ann", box))
        stack.vault.fault("latency", call=CREDENTIAL, latency_ms=500)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(
            stack.checkout(stack.session("ann", box), credential))) for _ in range(2)]
        for thread in threads:
            thread.start()
        eventually(lambda: stack.metric("jumpgate_requests_in_flight") == 2)
        problem(stack.gateway.find(stack.session("ann", box)), 503, "overloaded")
        for path in ("/status", "/metrics", "/v1/health", "/livez", "/readyz"):
            assert stack.gateway.call("GET", path).status == 200
        for thread in threads:
            thread.join()
        assert [a.status for a in answers] == [200, 200]
        stack.sweep()


def test_more_than_max_connections():
    with Stack({"gateway": {"max_connections": "3"}}) as stack:
        kept = [stack.gateway.connect() for _ in range(3)]
        for connection in kept:
            assert stack.gateway.call("GET", "/livez", connection=connection).status == 200
        with Wire(stack.gateway) as wire:
            status, headers, body = wire.answer()
            assert status == 503 and headers["retry-after"] and json.loads(body)["code"] == "overloaded"
            assert wire.is_closed()
        for connection in kept:
            assert stack.gateway.call("GET", "/livez", connection=connection).status == 200
        kept.pop().close()
        eventually(lambda: _served(stack))
        for connection in kept:
            connection.close()


def test_a_client_that_has_left_does_not_count():
    """One client after the other, each gone before the next comes: never more than one connection at a time."""
    with Stack({"gateway": {"max_connections": "2"}}) as stack:
        for _ in range(200):
            with Wire(stack.gateway) as wire:
                assert wire.send("GET /livez HTTP/1.1\r\n\r\n").answer()[0] == 400
                assert wire.is_closed()


def _served(stack):
    try:
        return stack.gateway.call("GET", "/livez").status == 200
    except OSError:
        return False


def test_more_than_max_calls():
    with Stack({"vault main": {"max_calls": "2", "connections": "1"}, "gateway": {"list_cache": "0s"}}) as stack:
        boxes = [stack.account() for _ in range(8)]
        stack.vault.latency(150)
        answers = []
        threads = [threading.Thread(target=lambda box=box: answers.append(
            stack.gateway.find(stack.session("ann", box)))) for box in boxes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stack.vault.latency(0)
        assert len(answers) == 8
        for answer in answers:
            assert answer.status == 200 or problem(answer, 503, "overloaded")
        assert {answer.status for answer in answers} == {200, 503}
        stack.sweep()


def test_find_takes_several_calls_and_is_let_in_as_a_whole():
    with Stack({"vault main": {"max_calls": "1"}, "gateway": {"list_cache": "0s"}}) as stack:
        box = stack.account()
        ann = stack.session("ann", box, computer_name=box.name + ".corp.test", ip_address="10.0.0.1", name="a box")
        assert [c["system"] for c in stack.gateway.find(ann).json["credentials"]] == [box.name]
        assert stack.checkout(ann).status == 200
        assert stack.gateway.endpoints(ann).status == 200
        stack.sweep()


# ---- the last errors ----

def last_errors(stack, **more):
    return stack.gateway.call("GET", "/status", **more).json["last_errors"]


def test_the_last_errors_are_in_the_status(stack):
    box = stack.account()
    outsider = stack.session("outsider", box)
    refused = [stack.gateway.find(outsider) for _ in range(3)]
    assert {answer.code for answer in refused} == {"vault_refused_user"}, [answer.body for answer in refused]
    row = last_errors(stack)[0]
    assert list(row) == ["at", "request_id", "operation", "client", "status", "code", "count", "user", "endpoint",
                         "detail"]
    assert row["request_id"] == refused[-1].headers["X-Request-Id"] and row["count"] == 3
    assert (row["operation"], row["client"], row["status"], row["code"]) == ("find", "pra", 502, "vault_refused_user")
    assert (row["user"], row["endpoint"], row["detail"]) == ("CORP\\outsider", box.name, refused[-1].json["detail"])


def test_names_in_the_last_errors_are_for_operators(stack):
    stack.gateway.find(stack.session("outsider", stack.account()))
    seen = last_errors(stack, token="watch")
    assert seen and {(row["user"], row["endpoint"], row["detail"]) for row in seen} == {(None, None, None)}


def test_strangers_take_one_place_in_the_last_errors(stack):
    for number in range(5):
        stack.gateway.call("GET", f"/v1/leases?user={number}", token=f"guess-{number}")
    rows = [row for row in last_errors(stack) if row["code"] == "unauthenticated"]
    assert len(rows) == 1 and rows[0]["client"] is None and rows[0]["count"] >= 5


# ---- the end ----

def test_draining():
    with Stack() as stack:
        box = stack.account()
        ann = stack.session("ann", box)
        credential = stack.credential(ann)
        stack.vault.fault("latency", call=CREDENTIAL, latency_ms=800)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(stack.checkout(ann, credential)))
        thread.start()
        eventually(stack.live)
        kept = stack.gateway.connect()
        stack.gateway.signal(signal.SIGTERM)
        stack.gateway.err.wait_for(lambda line: "to=draining" in line, 20)
        problem(stack.gateway.find(ann, connection=kept), 503, "draining")
        ready = stack.gateway.call("GET", "/readyz", connection=kept)
        assert ready.status == 503 and ready.json["ready"] is False and ready.json["reasons"]
        thread.join()
        assert answers[0].status == 200
        kept.close()
        assert stack.gateway.wait() == 0
        assert stack.vault.active() == [answers[0].json["lease"]["request_id"]]
