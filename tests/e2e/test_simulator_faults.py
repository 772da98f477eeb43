"""The simulator's faults: answers that are lost, spoiled or another's, by rule and by option."""

import http.client
import json

import pytest

from simulator import BASE, JDOE, MARIA, Simulator, until


def broken(session, call):
    try:
        answer = call()
    except (OSError, http.client.HTTPException):
        session.close()
        return None
    return answer


def test_dropped_before_and_after_commit(vault, maria):
    vault.fault("drop_before", call="POST Requests", count=1)
    assert broken(maria, lambda: maria.request(17, 203)) is None
    assert vault.active() == []
    vault.clear_faults()
    vault.fault("drop_after", call="post requests", count=1)
    assert broken(maria, lambda: maria.request(17, 203)) is None
    assert len(vault.active()) == 1
    again = maria.request(17, 203, ConflictOption="reuse")
    assert again.status == 200 and vault.active() == [again.json]


def test_client_leaving_does_not_stop_the_vault(vault, maria):
    vault.latency(100)
    connection = vault.connect()
    body = json.dumps({"SystemID": 17, "AccountID": 203, "DurationMinutes": 60})
    connection.request("POST", f"{BASE}/Requests", body=body, headers={
        "Cookie": f"ASP.NET_SessionId={maria.cookie}", "Content-Type": "application/json"})
    until(lambda: vault.counts()["in_flight"] == 1)
    connection.close()
    until(lambda: vault.counts()["in_flight"] == 0)
    assert len(vault.active()) == 1


@pytest.mark.parametrize("action, more, status, text", [
    ("html500", {}, 500, b"<html>"),
    ("unavailable", {}, 503, b"Service Unavailable"),
    ("throttle", {}, 429, b"Too many"),
    ("status", {"status": 418, "body": "tea", "content_type": "text/plain", "headers": {"X-Pot": "1"}}, 418, b"tea"),
])
def test_answers_by_status(vault, maria, action, more, status, text):
    vault.fault(action, call="POST Requests", **more)
    answer = maria.request(17, 203)
    assert answer.status == status and text in answer.body
    assert (answer.header("Retry-After") == "1") == (status == 429)
    assert (answer.header("X-Pot") == "1") == (status == 418)
    assert vault.active() == []


def raw_get(vault, session, path="Requests"):
    cookie = f"Cookie: ASP.NET_SessionId={session.cookie}\r\n"
    return vault.raw(f"GET {BASE}/{path} HTTP/1.1\r\nHost: v\r\n{cookie}\r\n".encode())


def test_spoiled_answers(vault, maria):
    def answer(action):
        vault.clear_faults()
        vault.fault(action)
        return raw_get(vault, maria)

    assert answer("truncate").endswith(b"Content-Length: 2\r\n\r\n[")
    assert not answer("garbage").startswith(b"HTTP/1.1")
    assert answer("extra").count(b"HTTP/1.1 200 OK") == 2
    chunked = answer("chunked")
    assert b"Transfer-Encoding: chunked" in chunked and chunked.endswith(b"0\r\nX-Trailer: done\r\n\r\n")
    bare = answer("no_length")
    assert b"Content-Length" not in bare and bare.endswith(b"\r\n\r\n[]")
    assert answer("informational").startswith(b"HTTP/1.1 103 ")
    plain = answer("close")
    assert plain.endswith(b"[]") and b"Connection: close" not in plain
    assert answer("drop_before") == b""
    assert answer("reset") in (b"", b"<reset>")


def test_chunked_answer_is_whole(vault, maria):
    vault.fault("chunked")
    assert maria.get("ManagedAccounts", systemName="ledger01").json[0]["AccountId"] == 203


def test_lost_session(vault, maria):
    vault.fault("lost_session", call="GET Credentials/{id}", count=1)
    number = maria.request(17, 203).json
    assert maria.get(f"Credentials/{number}").status == 401
    assert maria.get(f"Credentials/{number}").status == 401  # it is really gone
    assert vault.sign_in(MARIA).get(f"Credentials/{number}").status == 200


def test_rules_count_their_matches(vault, maria):
    vault.fault("status", call="GET Requests", after=1, every=2, count=2, status=503)
    assert [maria.get("Requests").status for _ in range(8)] == [200, 200, 503, 200, 503, 200, 200, 200]
    assert vault.faults()[0]["fired"] == 2
    vault.clear_faults()
    vault.fault("status", call="GET Requests", nth=2, user=JDOE, status=503)
    assert [maria.get("Requests").status for _ in range(3)] == [200] * 3
    jdoe = vault.sign_in(JDOE)
    assert [jdoe.get("Requests").status for _ in range(3)] == [200, 503, 200]
    vault.clear_faults()
    vault.fault("status", path="managedACCOUNTS", status=503, probability=0.5)
    some = {maria.get("ManagedAccounts").status for _ in range(64)}
    assert some == {200, 503}


def test_bad_rules_are_refused(vault):
    for rule in ({"action": "explode"}, {"action": "status", "status": 99}, {"action": "hang", "nth": -1},
                 {"action": "status", "headers": {"A": "b\r\nc"}}):
        with pytest.raises(RuntimeError, match="400"):
            vault.ask("POST", "/faults", rule)
    assert vault.faults() == []


def test_faults_by_option():
    with Simulator("--fixture", "worked", "--fault", '{"action":"throttle","call":"GET Requests"}') as vault:
        assert vault.sign_in(MARIA).get("Requests").status == 429
    with Simulator("--fixture", "worked", "--knob", "17=503", "--knob", "15=string") as vault:
        anonymous = vault.anonymous()
        seen = {anonymous.get("Requests").status for _ in range(200)}
        assert seen == {401, 503}
