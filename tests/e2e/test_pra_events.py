# SPDX-License-Identifier: Apache-2.0
"""POST /v1/events/pra: the outbound events of a PRA site, as the simulated site sends them and as nothing else would.

The site sends its events in order and repeats one until it gets 200. So each test looks at the status that the site
would see, and at what has happened to the leases. The gateway does not poll here, but where polling is the point.
"""

import concurrent.futures
import resource
import threading

import pytest

from certificates import Authority
from harness import TOKEN, Gateway, eventually, tls_context, token_hash
from pra_stack import EVENT_TOKEN, EVENTS, PraStack, fresh_lsid
from stack import CHECKIN, CREDENTIAL, Wire, problem
from test_audit import block, unblock
from test_pra_release import FORMS

END, RIGHT, WRONG = "support_conference_end", f"?token={EVENT_TOKEN}", "wrong-token-of-the-tests"
NO_VAULT = "http://127.0.0.1:9/BeyondTrust/api/public/v3"
MAX_BODY = 65536


@pytest.fixture(scope="module", name="shared")
def _shared():
    sections = {"gateway": {"max_body": MAX_BODY, "log_level": "debug"},
                "listener events": {"address": "127.0.0.1:0", "routes": "events"}}
    with PraStack({"poll_interval": "0s"}, sections) as stack:
        yield stack
        everything = stack.gateway.err.text + (stack.gateway.path / "state" / "audit.jsonl").read_text()
        assert EVENT_TOKEN not in everything and WRONG not in everything  # at the level of debugging, too


def is_malformed(answer, *words):
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json", answer
    assert list(answer.json) == ["accepted", "code", "detail"], answer.json
    assert (answer.json["accepted"], answer.json["code"]) == (False, "invalid_request")
    assert all(word in answer.json["detail"] for word in ("Outbound Events", *words)), answer.json
    return True


def is_accepted(answer, event, ended=0):
    members = {"accepted": True, "event": event, **({"ignored": True} if event == "other" else {}), "ended": ended}
    assert (answer.status, answer.json) == (200, members), answer.body
    assert answer.headers["Content-Type"] == "application/json"


def counted(stack, event, outcome):
    return stack.count("events_total", event=event, outcome=outcome)


# ---- what an event does ----

@pytest.mark.parametrize("name", ["support_conference_end", "access_session_end", "ACCESS_Session_End"])
@pytest.mark.parametrize("form", FORMS)
def test_an_end_ends_the_leases_of_its_session(stack, name, form):
    held, other = stack.hold("ann"), stack.hold("ann")
    bob = stack.hold("bob", lsid=held.lsid)
    before = counted(stack, "end", "accepted")
    lsid = FORMS[form](held.lsid).replace("{", "%7B").replace("}", "%7d")
    is_accepted(stack.event(f"version=1&event={name}&timestamp=1764300000&lsid={lsid}"), "end", 2)
    stack.given_back(held, bob)
    assert stack.is_open(other)
    assert counted(stack, "end", "accepted") == before + 1
    (record,) = [r for r in stack.records("lease_end") if r["lease_id"] == held.lease["id"]]
    assert (record["reason"], record["source"], record["pra"]) == ("session_ended", "event", "site")


def test_the_same_event_again_and_an_unknown_session(stack):
    held = stack.hold()
    is_accepted(stack.end_event(held.lsid), "end", 1)
    is_accepted(stack.end_event(held.lsid), "end", 0)
    is_accepted(stack.end_event(fresh_lsid()), "end", 0)
    is_accepted(stack.event(f"event=support_conference_begin&lsid={held.lsid}"), "begin")  # late: it undoes nothing
    stack.given_back(held)
    answer = stack.gateway.complete(held.session)
    assert (answer.status, answer.json["released"]) == (200, 0)


def test_what_is_released_already_is_left_alone(stack):
    held = stack.hold()
    stack.vault.fault("status", call=CHECKIN, status=500)
    assert stack.gateway.complete(held.session).json["released"] == 1
    assert held.lease["id"] in stack.leases("releasing")
    is_accepted(stack.end_event(held.lsid), "end", 0)
    stack.vault.clear_faults()
    stack.given_back(held)
    (record,) = [r for r in stack.records("lease_end") if r["lease_id"] == held.lease["id"]]
    assert record["reason"] != "session_ended"


@pytest.mark.parametrize("name, kind", [
    ("support_conference_begin", "begin"), ("support_conference_start", "begin"), ("access_session_begin", "begin"),
    ("access_session_start", "begin"), ("ACCESS_SESSION_START", "begin"), ("support_conference_member_added", "other"),
    ("support_conference_ended", "other"), ("support_conference_", "other"), ("access_session_end_of_day", "other"),
    ("conference_end", "other"), ("end", "other"), ("my_support_conference_end", "other")])
def test_other_events_are_answered_and_end_nothing(stack, name, kind):
    held = stack.hold()
    before = counted(stack, kind, "accepted" if kind == "begin" else "ignored")
    is_accepted(stack.event(f"event={name}&lsid={held.lsid}"), kind)
    is_accepted(stack.event(f"event={name}"), kind)
    assert counted(stack, kind, "accepted" if kind == "begin" else "ignored") == before + 2
    assert stack.is_open(held)


def test_what_is_not_looked_at_is_not_read(stack):
    held = stack.hold()
    rest = "external_key=%ff%fe&display_name=%zz%&x=1&x=2&%65xtra&&=&" + "&".join(f"f{n}=" for n in range(180))
    is_accepted(stack.event(b"username=\xff\xc0\x80&" + rest.encode() + f"&event={END}&lsid={held.lsid}".encode()),
                "end", 1)
    fields = "&".join(f"f{n}={n}" for n in range(198))
    is_accepted(stack.event(f"event={END}&lsid={fresh_lsid()}&{fields}"), "end", 0)
    encoded = "".join(f"%{ord(c):02x}" for c in END)
    is_accepted(stack.event(f"%65vent={encoded}&lsid={fresh_lsid()}"), "end", 0)
    is_accepted(stack.event(f"event={END}&lsid={fresh_lsid()}&timestamp=never&appliance_id=&version=%20"), "end", 0)


LSID = "0123456789abcdef0123456789abcdef"
MALFORMED = {
    "multipart": (b"--b\r\nContent-Disposition: form-data; name=\"event\"\r\n\r\nx\r\n--b--\r\n",
                  {"content_type": "multipart/form-data; boundary=b"}, "no form"),
    "json": (b'{"event":"support_conference_end"}', {"content_type": "application/json"}, "no form"),
    "no body": (b"", {}, "no body"),
    "bad escape of the lsid": (f"event={END}&lsid=%zz{LSID}", {}, "lsid"),
    "bad escape of the event": ("event=%a", {}, "event"),
    "escaped byte 0": (f"event={END}%00&lsid={LSID}", {}, "event"),
    "event twice": (f"event={END}&lsid={LSID}&event={END}", {}, "twice"),
    "lsid twice": (f"event={END}&lsid={LSID}&lsid={LSID}", {}, "twice"),
    "no event": (f"lsid={LSID}", {}, "event"),
    "empty event": (f"event=&lsid={LSID}", {}, "event"),
    "end without lsid": (f"event={END}", {}, "lsid"),
    "empty lsid": (f"event={END}&lsid=", {}, "lsid"),
    "short lsid": (f"event={END}&lsid={LSID[1:]}", {}, "lsid"),
    "long lsid": (f"event={END}&lsid={LSID}0", {}, "lsid"),
    "no hex": (f"event={END}&lsid={LSID[1:]}g", {}, "lsid"),
    "dashes elsewhere": (f"event={END}&lsid={LSID[:4]}-{LSID[4:]}", {}, "lsid"),
    "too many fields": (f"event={END}&lsid={LSID}&" + "&".join(f"f{n}=" for n in range(199)), {}, "fields"),
    "too long": (f"event={END}&lsid={LSID}&x=" + "x" * MAX_BODY, {}, "max_body"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_cannot_be_read_is_not_asked_for_again(stack, case):
    body, more, word = MALFORMED[case]
    held = stack.hold(lsid=LSID)
    before = sum(counted(stack, kind, "malformed") for kind in ("begin", "end", "other", "none"))
    is_malformed(stack.event(body, **more), word)
    assert sum(counted(stack, kind, "malformed") for kind in ("begin", "end", "other", "none")) == before + 1
    assert stack.is_open(held)
    line = [x for x in stack.gateway.err.lines if " pra_event_malformed " in x][-1]
    assert " warn " in line and LSID not in line


def test_malformed_events_are_recorded_once_a_minute_with_a_count():
    with PraStack({"poll_interval": "0s"}) as stack:
        for _ in range(5):
            is_malformed(stack.event("lsid=x"))
        (first,) = eventually(lambda: stack.records("pra_event_malformed"))
        assert first["count"] == 1 and first["why"]
        stack.gateway.stop()
        assert [r["count"] for r in stack.records("pra_event_malformed")] == [1, 4]
        assert sum(" pra_event_malformed " in line for line in stack.gateway.err.lines) == 5
        stack.gateway.start()


# ---- who may send ----

@pytest.mark.parametrize("query, header, right", [
    (RIGHT, None, True), ("", EVENT_TOKEN, True), (RIGHT, EVENT_TOKEN, True),
    ("?token=" + "".join(f"%{ord(c):02x}" for c in EVENT_TOKEN), None, True), (f"?a=b&token={EVENT_TOKEN}&c", None, True),
    ("", None, False), ("?token=", None, False), (f"?token={WRONG}", None, False), ("", WRONG, False), ("", "", False),
    (f"?token={WRONG}", EVENT_TOKEN, False), (RIGHT, WRONG, False), (RIGHT, "", False), (RIGHT + "x", None, False),
    (f"?token={EVENT_TOKEN}&token={WRONG}", None, False), (f"?Token={EVENT_TOKEN}", None, False),
    (f"?tokens={EVENT_TOKEN}", None, False), (f"?token=%zz{EVENT_TOKEN}", None, False),
    (f"?token={token_hash(EVENT_TOKEN)}", None, False)])
def test_each_token_that_is_shown_must_be_right(stack, query, header, right):
    held, headers = stack.hold(), {} if header is None else {"X_Jumpgate_Event_Token": header}
    before = counted(stack, "none", "refused")
    answer = stack.end_event(held.lsid, query=query, **headers)
    if right:
        is_accepted(answer, "end", 1)
    else:
        problem(answer, 401, "unauthenticated")
    assert stack.is_open(held) != right
    assert counted(stack, "none", "refused") == before + (not right)


def test_a_client_s_token_neither_helps_nor_harms(stack):
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    problem(stack.end_event(fresh_lsid(), query="", **bearer), 401, "unauthenticated")
    is_accepted(stack.end_event(fresh_lsid(), **bearer), "end")
    is_accepted(stack.end_event(fresh_lsid(), Authorization="Bearer nothing"), "end")
    assert stack.gateway.call("GET", "/v1/leases", token=EVENT_TOKEN).status == 401


def test_refused_events_are_shown_logged_and_recorded():
    with PraStack({"poll_interval": "0s"}) as stack:
        held = stack.hold()
        eventually(lambda: stack.entry["state"] == "up")
        assert stack.entry["detail"] == ""
        for _ in range(4):
            problem(stack.end_event(held.lsid, query=f"?token={WRONG}"), 401, "unauthenticated")
        assert "event" in stack.entry["detail"]
        lines = [line for line in stack.gateway.err.lines if " pra_events_refused " in line]
        assert len(lines) == 1 and " warn " in lines[0] and "events=1 " in lines[0]
        stack.gateway.stop()
        lines = [line for line in stack.gateway.err.lines if " pra_events_refused " in line]
        assert len(lines) == 2 and "events=3 " in lines[1]
        assert sum(r.get("count", 1) for r in stack.records("authentication_failed")) >= 1
        stack.gateway.start()
        assert stack.is_open(held)
        stack.sweep()


def test_events_come_from_the_addresses_that_may_send():
    with PraStack({"poll_interval": "0s", "events_from": "192.0.2.0/24 2001:db8::7"}) as stack:
        held = stack.hold()
        problem(stack.end_event(held.lsid), 401, "unauthenticated")
        problem(stack.end_event(held.lsid, X_Forwarded_For="192.0.2.7", Forwarded="for=192.0.2.7"), 401, "unauthenticated")
        for networks in ("127.0.0.1", "192.0.2.1 127.0.0.0/8"):
            stack.reload(events_from=networks)
            is_accepted(stack.end_event(held.lsid), "end", 1)
            problem(stack.end_event(held.lsid, query=""), 401, "unauthenticated")
            held = stack.hold()
        stack.reload(events_from="::1")
        problem(stack.end_event(held.lsid), 401, "unauthenticated")
        stack.sweep()


def test_the_token_is_changed_while_the_site_sends():
    """A recipient with the new token is held up until the gateway knows it; then nothing is lost, and all is in order."""
    old, new = EVENT_TOKEN, "the-new-token"
    with PraStack({"poll_interval": "0s"}) as stack:
        helds = [stack.hold() for _ in range(4)]
        url = f"http://{stack.gateway.addresses['main']}{EVENTS}?token={new}"
        stack.site.recipient("gateway", url, events=["end"], retry_interval_ms=200)
        stack.site.end_sessions([h.lsid for h in helds])
        eventually(lambda: counted(stack, "none", "refused") >= 2)
        assert all(stack.is_open(h) for h in helds)
        stack.reload(events_token_sha256=f"{token_hash(old)} {token_hash(new)}")
        stack.given_back(*helds)
        eventually(lambda: stack.site.recipients()["gateway"]["queued"] == 0)
        both = stack.hold()
        is_accepted(stack.end_event(both.lsid), "end", 1)
        stack.reload(events_token_sha256=token_hash(new))
        problem(stack.end_event(both.lsid), 401, "unauthenticated")
        is_accepted(stack.end_event(both.lsid, query=f"?token={new}"), "end", 0)
        assert stack.ended("event") == 5
        stack.reload(events_token_sha256=None)
        assert stack.end_event(both.lsid, query=f"?token={new}").status == 404
        stack.sweep()


@pytest.mark.parametrize("names", ["support_conference_begin", "access_session_start", "access_session_begin"])
def test_the_site_s_own_events(stack, names):
    """Whatever the site calls them: begin and end of each session, in order, also of one that ended abnormally."""
    stack.site.knob("event_names", names)
    begun = counted(stack, "begin", "accepted")
    url = f"http://{stack.gateway.addresses['events']}{EVENTS}{RIGHT}"
    stack.site.recipient("gateway", url, events=["begin", "end"], retry_interval_ms=200)
    helds = [stack.hold(lsid=stack.site.start_session(user="ann")) for _ in range(3)]
    stack.site.end_session(helds[0].lsid)
    stack.site.end_session(helds[1].lsid, abnormal=True)
    stack.given_back(*helds[:2])
    eventually(lambda: counted(stack, "begin", "accepted") == begun + 3)
    assert stack.is_open(helds[2])
    stack.site.forget_recipients()


# ---- where it is served ----

def test_a_listener_for_events_serves_nothing_else(stack):
    held = stack.hold()
    for method, path in (("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/status"), ("GET", "/v1/health"),
                         ("GET", "/v1/capabilities"), ("POST", "/v1/credentials/find"), ("GET", "/v1/leases"),
                         ("POST", f"/v1/leases/{held.lease['id']}/release"), ("GET", "/"), ("POST", EVENTS + "/")):
        answer = stack.gateway.call(method, path, {} if method == "POST" else None, listener="events")
        assert answer.status == 404, (method, path, answer)
    assert stack.gateway.call("GET", "/livez", token=None, listener="events").status == 200
    is_accepted(stack.end_event(held.lsid, listener="events"), "end", 1)


def test_beside_a_listener_that_wants_a_certificate(tmp_path):
    """The site has none, so its events come to a listener of their own."""
    ca = Authority(tmp_path)
    server = ca.server()
    tls = {"address": "127.0.0.1:0", "tls_certificate": server.certificate, "tls_key": server.key}
    with PraStack({"poll_interval": "0s"}, {"listener mutual": {**tls, "client_ca": ca.certificate},
                                            "listener events": {**tls, "routes": "events"}}) as stack:
        held = stack.hold()
        url = f"https://127.0.0.1:{stack.gateway.addresses['events'].rsplit(':', 1)[1]}{EVENTS}{RIGHT}"
        stack.site.recipient("gateway", url, ca_file=ca.certificate, events=["end"], retry_interval_ms=200)
        stack.site.end_session(held.lsid)
        stack.given_back(held)
        context = tls_context(ca.certificate)
        assert stack.gateway.call("POST", "/v1/credentials/find", {}, listener="events", tls=context).status == 404
        with pytest.raises(OSError):
            stack.gateway.call("POST", EVENTS + RIGHT, b"event=x", None, listener="mutual", tls=context)
        stack.sweep()


def test_it_is_not_there_unless_it_is_configured():
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with Gateway(NO_VAULT) as gateway:
        problem(gateway.call("POST", EVENTS + RIGHT, b"event=x", None, form), 404, "not_found")


# ---- HTTP ----

def test_methods(stack):
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = stack.event(b"" if method == "GET" else f"event={END}&lsid={fresh_lsid()}", method=method)
        problem(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == "POST"


def raw(body, head="", length=True, path=EVENTS + RIGHT):
    body = body.encode()
    size = f"Content-Length: {len(body)}\r\n" if length else ""
    return (f"POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"{size}{head}\r\n").encode() + body


def test_events_of_one_connection_take_effect_in_their_order(stack):
    first, second = stack.hold(), stack.hold()
    with Wire(stack.gateway) as wire:
        wire.send(b"".join(raw(f"event={END}&lsid={h.lsid}") for h in (first, first, second, second))
                  + raw("event=access_session_start") + raw("nothing"))
        answers = [wire.answer() for _ in range(6)]
    assert [a[0] for a in answers] == [200] * 6
    assert [b'"ended":1' in a[2] for a in answers] == [True, False, True, False, False, False]
    assert b'"accepted":false' in answers[-1][2]
    stack.given_back(first, second)


def test_a_form_in_pieces(stack):
    held = stack.hold()
    with Wire(stack.gateway) as wire:
        for byte in raw(f"event={END}&lsid={held.lsid}"):
            wire.send(bytes([byte]))
        assert wire.answer()[0] == 200
        assert not stack.is_open(held)
        body = f"event={END}&lsid={fresh_lsid()}"
        wire.send(raw("", "Transfer-Encoding: chunked\r\n", length=False))
        for part in (body[:9], body[9:]):
            wire.send(f"{len(part):x}\r\n{part}\r\n")
        wire.send("0\r\n\r\n")
        status, _, answer = wire.answer()
        assert status == 200 and b'"event":"end"' in answer


def test_a_form_that_never_ends_ends_nothing(stack):
    held = stack.hold()
    with Wire(stack.gateway) as wire:
        wire.send(raw(f"event={END}&lsid={held.lsid}")[:-1])
        assert stack.gateway.call("GET", "/livez", token=None).status == 200
    eventually(stack.quiet)
    assert stack.is_open(held)


def test_other_http_is_refused_as_everywhere(stack):
    with Wire(stack.gateway) as wire:
        status, _, body = wire.send(raw(f"event={END}", length=False)).answer()
        assert status == 411 and b"length_required" in body and wire.is_closed()
    with Wire(stack.gateway) as wire:
        assert wire.send(raw("event=x", "X: " + "x" * 100000 + "\r\n")).answer()[0] == 431
    with Wire(stack.gateway) as wire:
        assert wire.send(b"POST\0 / HTTP/1.1\r\n\r\n").answer()[0] == 400


@pytest.mark.parametrize("chunked", [False, True])
def test_an_overlong_form_is_answered_and_its_connection_closes(stack, chunked):
    """The whole of it is sent before anything is read, as the site does; the answer comes all the same."""
    held, size = stack.hold(), 1000000
    body = f"event={END}&lsid={held.lsid}&x=".ljust(size, "x")
    with Wire(stack.gateway) as wire:
        if chunked:
            wire.send(raw("", "Transfer-Encoding: chunked\r\n", length=False) + f"{size:x}\r\n{body}\r\n0\r\n\r\n".encode())
        else:
            wire.send(raw(body))
        status, headers, answer = wire.answer()
        assert (status, headers["connection"]) == (200, "close") and b"max_body" in answer
        assert wire.is_closed()
    assert stack.is_open(held)


def test_more_than_a_megabyte_is_not_read(stack):
    with Wire(stack.gateway) as wire:
        wire.send(raw("x", "Content-Length: 400000000\r\n", length=False))
        status, headers, _ = wire.answer()
        assert (status, headers["connection"]) == (200, "close")
        with pytest.raises(OSError):
            for _ in range(400):
                wire.send(b"x" * 1000000)


def test_an_unknown_sender_is_refused_before_its_body(stack):
    with Wire(stack.gateway) as wire:
        wire.send(raw("", f"Content-Length: {MAX_BODY}\r\n", length=False, path=EVENTS + f"?token={WRONG}"))
        assert wire.answer()[0] == 401


# ---- when it may not be taken ----

def retry_later(answer, code):
    problem(answer, 503, code)
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_full_store_refuses_what_it_cannot_keep():
    with PraStack({"poll_interval": "0s"}, {"gateway": {"audit_policy": "degraded"}}) as stack:
        held, other = stack.hold(), stack.hold()
        resource.prlimit(stack.gateway.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        retry_later(stack.end_event(held.lsid), "store_unavailable")
        retry_later(stack.end_event(other.lsid), "store_unavailable")
        assert counted(stack, "end", "unavailable") == 2
        is_accepted(stack.event("event=access_session_start"), "begin")  # nothing to keep
        resource.prlimit(stack.gateway.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        eventually(lambda: stack.end_event(held.lsid).status == 200)
        eventually(lambda: stack.end_event(other.lsid).status == 200)
        stack.gateway.kill()
        stack.gateway.restart()
        assert not {held.lease["id"], other.lease["id"]} & set(stack.leases())
        stack.given_back(held, other)
        stack.sweep()


def test_what_was_answered_is_on_disk():
    with PraStack({"poll_interval": "0s"}) as stack:
        helds, running = [stack.hold() for _ in range(3)], stack.hold()
        stack.vault.fault("hang", call=CHECKIN)
        for held in helds:
            is_accepted(stack.end_event(held.lsid), "end", 1)
        stack.gateway.kill()
        stack.vault.clear_faults()
        stack.gateway.restart()
        stack.given_back(*helds)
        assert set(stack.leases()) == {running.lease["id"]}
        stack.sweep()


def test_a_strict_audit_trail_that_cannot_be_written():
    with PraStack({"poll_interval": "0s"}) as stack:
        held, other = stack.hold(), stack.told("bob", None)
        wanted = stack.credential(other)
        block(stack)
        assert stack.checkout(other, wanted).code == "audit_unavailable"
        retry_later(stack.end_event(held.lsid), "audit_unavailable")
        assert stack.is_open(held) and counted(stack, "end", "unavailable") == 1
        unblock(stack)
        answer = eventually(lambda: (a := stack.end_event(held.lsid)).status == 200 and a)
        is_accepted(answer, "end", 1)
        stack.given_back(held)
        stack.sweep()


def test_draining_leaves_it_to_the_next_process():
    with PraStack({"poll_interval": "0s"}, {"vault main": {"call_timeout": "20s"}}) as stack:
        held, other = stack.hold(), stack.session("bob", stack.account())
        credential = stack.credential(other)
        stack.vault.fault("latency", call=CREDENTIAL, latency_ms=3000, count=1)
        stack.vault.reset_counts()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            slow = pool.submit(stack.checkout, other, credential)
            eventually(lambda: stack.vault.calls(CREDENTIAL) or stack.vault.counts()["in_flight"])
            stack.gateway.signal(15)
            assert stack.gateway.err.wait_for(lambda line: "to=draining" in line, 20)
            retry_later(stack.end_event(held.lsid), "draining")
            assert slow.result().status == 200
        stack.gateway.stop()
        stack.gateway.restart()
        assert stack.is_open(held)
        is_accepted(stack.end_event(held.lsid), "end", 1)
        stack.sweep()


def test_the_answer_waits_neither_for_the_vault_nor_for_the_site(stack):
    held = stack.hold()
    stack.vault.fault("hang", call=CHECKIN)
    stack.site.fault("hang")
    is_accepted(stack.end_event(held.lsid), "end", 1)
    assert held.lease["request_id"] in stack.vault.active()
    stack.vault.clear_faults()
    stack.given_back(held)


def test_an_event_needs_no_place_among_the_operations():
    sections = {"gateway": {"max_inflight": "1"}, "client pra": {"rate": "1/m"}, "vault main": {"call_timeout": "20s"}}
    with PraStack({"poll_interval": "0s"}, sections) as stack:
        lsids = [fresh_lsid() for _ in range(20)]
        stack.vault.latency(1500)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            finding = pool.submit(stack.gateway.find, stack.session("ann", stack.account()))
            eventually(lambda: stack.metric("jumpgate_requests_in_flight") >= 1)
            for lsid in lsids:
                is_accepted(stack.end_event(lsid), "end")
            assert not finding.done()
            finding.result()
        stack.opened = []


def test_a_storm_of_wrong_tokens_holds_up_no_right_one():
    """From the same address; it is over the rate of failures soon, and then answered 429."""
    with PraStack({"poll_interval": "0s"}, {"gateway": {"failed_login_rate": "60/m"}}) as stack:
        over, seen = threading.Event(), []

        def storm():
            while not over.is_set():
                seen.append(stack.event(f"event={END}&lsid={fresh_lsid()}", query=f"?token={WRONG}").status)

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            storms = [pool.submit(storm) for _ in range(4)]
            try:
                eventually(lambda: 429 in seen, 30)
                for _ in range(25):
                    held = stack.hold()
                    is_accepted(stack.end_event(held.lsid), "end", 1)
            finally:
                over.set()
            for each in storms:
                each.result()
        assert set(seen) == {401, 429} and seen.count(401) >= 60
        assert counted(stack, "none", "refused") == len(seen)
        assert sum(" pra_events_refused " in line for line in stack.gateway.err.lines) == 1
        assert stack.ended("event") == 25
        stack.sweep()


# ---- events and polling ----

def test_whichever_is_first_ends_the_lease():
    with PraStack() as stack:
        url = f"http://{stack.gateway.addresses['main']}{EVENTS}{RIGHT}"
        stack.site.recipient("gateway", url, events=["end"], retry_interval_ms=200)
        helds = [stack.hold() for _ in range(20)]
        for held in helds:
            stack.site.end_session(held.lsid)
        stack.given_back(*helds)
        eventually(lambda: stack.site.recipients()["gateway"]["queued"] == 0)
        ended = stack.entry["ended"]
        assert ended["poll"] + ended["event"] == 20
        ends = [r["lease_id"] for r in stack.records("lease_end")]
        assert sorted(ends) == sorted(h.lease["id"] for h in helds)
        stack.sweep()


def test_polling_makes_good_what_the_site_has_dropped():
    with PraStack() as stack:
        url = f"http://{stack.gateway.addresses['main']}{EVENTS}?token={WRONG}"
        stack.site.recipient("gateway", url, events=["end"], retry_interval_ms=100, retry_duration_ms=300)
        held = stack.hold()
        stack.site.end_session(held.lsid)
        stack.given_back(held)
        assert stack.entry["ended"] == {"poll": 1, "event": 0, "terminate": 0}
        stack.sweep()
