"""The faults of the simulated Privileged Identity: what the vault has done, and what the client gets."""

import http.client
import json

import pytest

from pi_vault import ADM1, ADM2, IDENTITY, WEB01, PiVault
from simulator_process import until

LOST = (OSError, http.client.HTTPException)


@pytest.fixture(name="vault", scope="module")
def _shared():
    with PiVault() as vault:
        yield vault


@pytest.fixture(name="client")
def _client(vault):
    yield vault.sign_in()
    vault.clear_faults()
    for one in vault.ask("GET", "/checkouts?live=1"):
        vault.end_checkout(one["number"])


def once(vault, action, **rule):
    vault.fault(action, **{"call": "checkout_shared", "count": 1, **rule})


def done(vault):
    return len(vault.live()) == 1


@pytest.mark.parametrize("action, status, kind, changed", [
    ("html", 200, "text/html", False), ("html_after", 200, "text/html", True), ("redirect", 302, "text/html", False),
    ("redirect_after", 302, "text/html", True), ("not_found", 404, "text/html", False), ("gateway_timeout", 504, "text/html", True),
    ("fault", 500, "application/json", False), ("fault_after", 500, "application/json", True), ("soap_fault_after", 500, "text/xml", True),
    ("token_refused", 401, "application/json", False), ("nonsense", 200, "application/json", True), ("not_json", 200, "application/json", True),
    ("html500", 500, "text/html", False), ("unavailable", 503, "text/html", False), ("throttle", 429, "application/json", False),
    ("page", 403, "text/html", False), ("page_after", 403, "text/html", True), ("empty", 200, "application/json", True),
    ("wrong_type", 200, "text/html", True)])
def test_answers_of_another_kind(vault, client, action, status, kind, changed):
    once(vault, action)
    answer = client.check_out(ADM1)
    assert answer.status == status and answer.header("Content-Type").startswith(kind)
    assert done(vault) == changed
    assert client.check_out(ADM2).status == 200  # once


@pytest.mark.parametrize("action, changed", [("drop_before", False), ("reset", False), ("drop_after", True), ("garbage", True),
                                             ("truncate", True)])
def test_answers_that_are_lost(vault, client, action, changed):
    once(vault, action)
    with pytest.raises(LOST):
        client.check_out(ADM1)
    assert done(vault) == changed
    if changed:
        assert vault.history()[-1]["fault"] == action


@pytest.mark.parametrize("action", ["latency", "slow", "close", "extra", "chunked", "no_length"])
def test_answers_that_are_right_in_the_end(vault, client, action):
    once(vault, action, latency_ms=20, size=64)
    assert client.check_out(ADM1).json["Password"] == vault.credential(ADM1)["password"]
    assert done(vault)


def test_an_answer_after_another_one(vault, client):
    once(vault, "informational")
    connection = client.begin("CheckOut", ADM1)
    whole = connection.sock.makefile("rb").read()
    connection.close()
    assert whole.startswith(b"HTTP/1.1 103 ") and b"HTTP/1.1 200 OK" in whole and done(vault)


def test_bodies_that_are_wrong(vault, client):
    once(vault, "cut")
    answer = client.check_out(ADM1)
    with pytest.raises(ValueError):
        json.loads(answer.body)
    once(vault, "trailing")
    with pytest.raises(ValueError):
        json.loads(client.check_out(ADM1).body)
    once(vault, "bad_utf8")
    with pytest.raises(UnicodeDecodeError):
        client.check_out(ADM1).body.decode()
    once(vault, "deep", size=50)
    assert client.check_out(ADM1).body.count(b"[") >= 50
    once(vault, "oversize", size=70000)
    answer = client.check_out(ADM1)
    assert len(answer.body) == 70000 and answer.json["Password"]


@pytest.mark.parametrize("action, check", [
    ("password_empty", lambda p: p == ""), ("password_null", lambda p: p is None), ("password_number", lambda p: p == 123456),
    ("password_long", lambda p: p == "p" * 5000)])
def test_passwords_that_are_none(vault, client, action, check):
    once(vault, action)
    answer = client.check_out(ADM1)
    assert answer.status == 200 and check(answer.json["Password"]) and done(vault)


@pytest.mark.parametrize("action", ["late", "late_page"])
def test_an_effect_that_comes_late(vault, client, action):
    once(vault, action, latency_ms=300)
    if action == "late":
        with pytest.raises(LOST):
            client.check_out(ADM1)
    else:
        answer = client.check_out(ADM1)
        assert answer.status == 504
    until(lambda: done(vault))
    last = vault.history()[-1]
    assert (last["what"], last["outcome"], last["status"], last["fault"]) == ("checkout", "done", 0, action)


def test_an_effect_that_comes_after_the_client_gave_up(vault, client):
    client.check_in(ADM1)
    once(vault, "latency", latency_ms=3000)
    connection = client.begin("CheckOut", ADM1)
    until(lambda: vault.counts()["in_flight"] == 1)
    connection.close()
    until(lambda: done(vault))
    assert vault.history()[-1]["status"] == 0
    assert vault.credential(ADM1)["claims"] == {IDENTITY: 1}


def test_an_effect_that_comes_twice(vault, client):
    vault.knob("checkins", "each")
    once(vault, "doubled")
    client.check_out(ADM1)
    assert vault.ask("GET", "/checkouts?live=1")[0]["outs"] == 2
    client.check_in(ADM1)
    assert done(vault)
    client.check_in(ADM1)
    vault.knob("checkins", "one")
    once(vault, "doubled_late", latency_ms=3000)
    vault.reset_counts()
    assert client.check_out(ADM1).status == 200
    assert client.check_in(ADM1).status == 200
    assert vault.violations() == {}  # for its client the call is over
    assert not done(vault)
    until(lambda: done(vault))  # what no client knows of


def test_a_token_that_is_lost(vault, client):
    once(vault, "lost_token")
    assert client.check_out(ADM1).status == 500
    assert client.check_out(ADM1).status == 500
    assert vault.sign_in().check_out(ADM1).status == 200


def test_a_hanging_call_ends_with_its_client(vault, client):
    once(vault, "hang")
    connection = client.begin("CheckOut", ADM1)
    until(lambda: vault.counts()["in_flight"] == 1)
    connection.close()
    until(lambda: vault.counts()["in_flight"] == 0)
    assert not done(vault)


def test_a_slow_answer_ends_with_its_client(vault, client):
    once(vault, "slow", size=1)
    connection = client.begin("CheckOut", ADM1)
    assert connection.sock.recv(1) == b"H"
    connection.close()
    until(lambda: vault.counts()["in_flight"] == 0)
    assert done(vault)
    once(vault, "slow", call="checkin_shared", size=1)
    connection = client.begin("CheckIn", ADM1)
    assert connection.sock.recv(1) == b"H"
    connection.close()
    until(lambda: vault.counts()["in_flight"] == 0)
    assert not done(vault) and IDENTITY in vault.credential(ADM1)["claims"]  # it may check in once more


def test_a_rule_names_face_and_identity(vault, client):
    vault.fault("fault", path="/REST/", call="checkout_shared")
    vault.fault("fault", user="svc-other", call="checkout_shared")
    assert client.check_out(ADM1).status == 200
    client.face = "rest"
    assert client.check_out(ADM1).status == 500
    other = vault.sign_in("svc-other", "Other word 7")
    assert other.check_out(ADM2).status == 500
    assert [rule["fired"] for rule in vault.faults()] == [1, 1]


def test_the_program_ends_with_calls_inside():
    with PiVault("--fault", '{"action":"hang","call":"checkin_shared"}') as vault:
        client = vault.sign_in()
        client.check_out(ADM1)
        vault.fault("slow", call="checkout_shared", size=1)
        vault.fault("doubled_late", call="checkout_stored", latency_ms=60000)
        client.check_out(WEB01)
        connections = [client.begin("CheckIn", ADM1), client.begin("CheckOut", ADM1)]
        until(lambda: vault.counts()["in_flight"] == 3)
    for connection in connections:
        connection.close()
