# SPDX-License-Identifier: Apache-2.0
"""The audit trail of a real gateway: what is in it, that nothing can be done to it unseen, and what happens to
check-outs when it cannot be written."""

import hashlib
import json
import os
import pwd
import re
import signal
import socket
import subprocess

import pytest

from harness import API_KEY, BIN, TOKEN, UnixConnection, eventually
from stack import Stack


def trail(stack):
    return stack.gateway.path / "state" / "audit.jsonl"


def raw_lines(path):
    return path.read_bytes().splitlines(keepends=True)


def records(stack, event=None):
    found = [json.loads(line) for line in raw_lines(trail(stack))]
    return [r for r in found if event in (None, r["event"])]


def verify(*words):
    done = subprocess.run([BIN / "jumpgate", "audit", "verify", *map(str, words)], capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stdout + done.stderr


def written(stack, event, n=1):
    """The records of that event, once there are n."""
    return eventually(lambda: len(records(stack, event)) >= n and records(stack, event))


def block(stack):
    """Puts something else where the trail was, so that nothing can be written."""
    trail(stack).rename(trail(stack).with_name("audit.jsonl.1"))
    trail(stack).write_text("not an audit trail\n")


def unblock(stack):
    trail(stack).unlink()


def ready(stack):
    return stack.gateway.call("GET", "/readyz", token=None)


@pytest.fixture
def own():
    with Stack() as made:
        yield made


def test_a_credential_s_life_is_recorded(own):
    box = own.account("root", password="s3cret-of-the-audit")
    ann = own.session("ann", box)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = own.checkout(ann, headers={"X-Request-Id": "job-1", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.status == 200, answer.body
    lease = answer.json["lease"]
    (out,) = records(own, "checkout")  # on disk before the answer
    assert out["outcome"] == "ok" and out["user"] == "ann" and out["domain"] == "CORP"
    assert out["client"] == "pra" and out["session"] == ann["id"] and out["run_as"] == "CORP\\ann"
    assert out["request_id"] == "job-1" and out["trace_id"] == trace
    assert out["lease_id"] == lease["id"] and out["vault_request_id"] == lease["request_id"]
    assert (out["system"], out["account"], out["vault"]) == (box.name, "root", "main")
    assert out["credential_id"] == answer.json["credential_id"]
    started = own.gateway.call("POST", "/v1/sessions/started", {
        "session": ann, "history_url": "https://user:pw@pra.test/history/7?token=abc#x",
        "history_url_expiry_seconds": 600})
    assert started.status == 204
    (begun,) = records(own, "session_started")  # on disk before the answer
    own.sweep()
    assert (begun["history_url"], begun["history_url_expiry_seconds"]) == ("https://pra.test/history/7", 600)
    (end,) = written(own, "lease_end")
    assert (end["lease_id"], end["reason"], end["vault_request_id"]) == (lease["id"], "released", lease["request_id"])
    (checkin,) = written(own, "checkin")
    assert (checkin["outcome"], checkin["attempts"]) == ("checked_in", 1)
    (release,) = written(own, "release")
    assert (release["outcome"], release["released"], release["client"]) == ("ok", 1, "pra")
    own.gateway.stop()
    events = [r["event"] for r in records(own)]
    assert events[:2] == ["audit_begin", "gateway_started"] and events[-1] == "gateway_stopped"
    assert len(records(own, "gateway_started")[0]["config_digest"]) == 64
    text = trail(own).read_text()
    for secret in ("s3cret-of-the-audit", TOKEN, API_KEY, "token=abc", "user:pw"):
        assert secret not in text
    assert trail(own).stat().st_mode & 0o777 == 0o600
    code, said = verify(trail(own))
    assert code == 0 and said.startswith("sound: "), said


def test_all_records_of_a_lease_have_one_domain(own):
    """The session's first spelling, whichever one later requests have, and after a restart too."""
    boxes = [own.account() for _ in range(4)]
    spelled = [own.session("Ann", boxes[0], domain="CORP")]
    spelled += [{**own.session("aNN", box, domain="Corp"), "id": spelled[0]["id"]} for box in boxes[1:]]
    leases = []
    for session in spelled:
        answer = own.checkout(session)
        assert answer.status == 200, answer.body
        leases.append(answer.json["lease"]["id"])
    credential = own.credential(spelled[1])
    assert own.gateway.release({**spelled[1], "user": {"username": "ANN", "domain": "corp"}}, credential).status == 200
    assert own.checkout(spelled[1], "nonsense").status == 404
    path = str(own.gateway.path / "state" / "control.sock")
    assert over(path, "POST", f"/v1/leases/{leases[2]}/release")[0] == 200
    own.gateway.kill()
    own.gateway.restart()
    lapsed = own.gateway.release({**spelled[3], "user": {"username": "ann", "domain": "corp"}},
                                 own.credential(spelled[3]))
    assert lapsed.status == 200
    own.opened = own.opened[:1]
    own.sweep()
    own.gateway.stop()
    for lease in leases:
        mine = [r for r in records(own) if r.get("lease_id") == lease]
        assert {"checkout", "lease_end", "checkin"} <= {r["event"] for r in mine}, mine
        assert {(r["event"], r.get("user"), r.get("domain")) for r in mine} == {
            (r["event"], "Ann", "CORP") for r in mine}
    assert verify(trail(own))[0] == 0


def over(path, method, target):
    """A request over a Unix socket: status and body."""
    connection = UnixConnection(path, 10)
    connection.request(method, target, "{}" if method == "POST" else None, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_records_of_the_control_socket_name_its_user(own):
    path = str(own.gateway.path / "state" / "control.sock")
    assert over(path, "POST", "/v1/leases/unknown/release")[0] == 404
    (record,) = written(own, "operator_release")
    assert (record["client"], record["peer_uid"], record["peer_user"]) == (
        "control", os.getuid(), pwd.getpwuid(os.getuid()).pw_name)


def test_a_reload_is_recorded_with_what_it_changed(own):
    keys = own.gateway.sections
    keys["gateway"]["log_level"] = "debug"
    keys["client two"] = {"token_sha256": "0" * 64, "allow": "observe"}
    keys["client pra"].update(rate="500/s", allow="broker operate observe")
    own.gateway.write_configuration()
    own.gateway.signal(signal.SIGHUP)
    (record,) = written(own, "reloaded")
    assert record["outcome"] == "ok" and record["source"] == "signal" and len(record["config_digest"]) == 64
    assert record["changed"] == ["gateway.log_level", "client pra.rate", "client two (new)"]
    assert (record["changed_count"], record["clients_added"], record["clients_changed"]) == (3, ["two"], ["pra"])
    assert "clients_removed" not in record
    keys.pop("client two")
    own.gateway.write_configuration()
    path = str(own.gateway.path / "state" / "control.sock")
    assert over(path, "POST", "/v1/reload")[0] == 200
    second = written(own, "reloaded", 2)[1]
    assert second["clients_removed"] == ["two"] and second["changed"] == ["client two (removed)"]
    assert (second["source"], second["client"], second["peer_uid"]) == ("request", "control", os.getuid())
    keys["gateway"] = {"release_duration": "90s", **keys["gateway"], "log_level": "loud", "nonsense": "1"}
    own.gateway.write_configuration()
    assert over(path, "POST", "/v1/reload")[0] == 409
    (refused,) = written(own, "reload_refused")
    assert refused["outcome"] == "refused" and refused["mistakes"] == 2 and "log_level" in refused["why"]
    eventually(lambda: "reload_mistake" in own.gateway.err.text)
    assert not re.search("reload_mistake.*whole minutes", own.gateway.err.text)
    assert re.search("reload_warning.*whole minutes", own.gateway.err.text)
    assert refused["config_digest"] == second["config_digest"] and "changed" not in refused
    del keys["gateway"]["nonsense"], keys["gateway"]["release_duration"]
    keys["gateway"]["log_level"] = "debug"
    own.gateway.write_configuration()
    own.gateway.signal(signal.SIGHUP)
    third = written(own, "reloaded", 3)[2]
    assert third["changed"] == [] and third["changed_count"] == 0


def test_lines_hang_together_as_documented(own):
    own.checkout(own.session("ann", own.account()))
    lines = raw_lines(trail(own))
    before = "0" * 64
    for seq, line in enumerate(lines, 1):
        record = json.loads(line)
        assert (record["seq"], record["prev"]) == (seq, before)
        assert list(record)[:5] == ["check", "seq", "time", "prev", "event"]
        assert hashlib.sha256(line[len('{"check":"') + 16:]).hexdigest()[:16] == record["check"]
        before = hashlib.sha256(line).hexdigest()
    own.sweep()


def test_refusals_and_strangers(own):
    ann = own.session("ann", own.account())
    assert own.gateway.checkout(ann, "nonsense").status == 404
    (refused,) = written(own, "checkout")
    assert (refused["outcome"], refused["code"]) == ("refused", "credential_not_found")
    for _ in range(5):
        assert own.gateway.call("GET", "/v1/capabilities", token="wrong").status in (401, 429)
    own.gateway.stop()
    strangers = records(own, "authentication_failed")
    assert sum(r["count"] for r in strangers) == 5 and len(strangers) <= 2
    assert "wrong" not in json.dumps(strangers)


def test_every_kind_of_change_is_found(own, tmp_path):
    own.checkout(own.session("ann", own.account()))
    own.sweep()
    own.gateway.stop()
    lines = raw_lines(trail(own))
    head = (trail(own).parent / "audit.head").read_bytes()
    copy = tmp_path / "audit.jsonl"
    (tmp_path / "audit.head").write_bytes(head)

    def judge(changed):
        copy.write_bytes(b"".join(changed))
        return verify(copy)

    assert judge(lines)[0] == 0
    number = 3
    sound = lines[number - 1]
    for position in range(0, len(sound), 7):
        byte = bytes([sound[position] ^ 1])
        code, said = judge(lines[:2] + [sound[:position] + byte + sound[position + 1:]] + lines[3:])
        assert code == 1 and f"{copy}:{number}: " in said, (position, said)
    assert "seq 3 missing" in judge(lines[:2] + lines[3:])[1]
    assert "out of order" in judge([*lines[:2], lines[3], lines[2], *lines[4:]])[1]
    assert "twice" in judge(lines[:3] + lines[2:])[1]
    code, said = judge(lines[:-1])
    assert code == 1 and "missing at the end" in said
    code, said = judge(lines[:-1] + [lines[-1][:-20]])
    assert code == 1 and "cut off" in said
    assert judge(lines[1:])[0] == 1
    copy.write_bytes(b"")
    assert verify(copy)[0] == 1
    assert verify(tmp_path / "absent")[0] == 2
    assert verify()[0] == 2


def test_rotation_goes_on_without_a_gap(own):
    own.checkout(own.session("ann", own.account()))
    old = trail(own).with_name("audit.jsonl.1")
    trail(own).rename(old)
    own.gateway.signal(signal.SIGUSR1)
    eventually(trail(own).exists)
    own.checkout(own.session("bob", own.account()))
    own.sweep()
    own.gateway.stop()
    code, said = verify(trail(own), old)  # in any order
    assert code == 0 and "note" not in said, said
    assert records(own)[0]["event"] == "audit_continue"
    code, said = verify(trail(own))
    assert code == 0 and "earlier files" in said


def test_a_deleted_trail_is_noticed(own):
    own.checkout(own.session("ann", own.account()))
    trail(own).unlink()
    assert own.checkout(own.session("bob", own.account())).status == 200
    assert own.metric("jumpgate_audit_breaks_total") == 1
    own.sweep()
    own.gateway.stop()
    assert records(own)[0]["cause"] == "deleted"
    code, said = verify(trail(own))
    assert code == 1 and "deleted" in said


def test_a_crash_leaves_a_sound_trail(own):
    ann = own.session("ann", own.account())
    assert own.checkout(ann).status == 200
    own.gateway.kill()
    with trail(own).open("ab") as torn:
        torn.write(b'{"check":"0123456789abcdef","seq":99')
    own.gateway.restart()
    own.sweep()
    own.gateway.stop()
    code, said = verify(trail(own))
    assert code == 0 and "closed it off" in said, said
    starts = [r["event"] for r in records_sound(own)]
    assert starts.count("gateway_started") == 2 and starts.count("gateway_stopped") == 1


def records_sound(stack):
    return [json.loads(line) for line in raw_lines(trail(stack)) if line.endswith(b"}\n")]


def test_strict_hands_out_nothing_unrecorded(own):
    box = own.account()
    ann = own.session("ann", box)
    credential = own.credential(ann)
    block(own)
    refused = own.checkout(ann, credential)
    assert (refused.status, refused.code) == (503, "audit_unavailable")
    assert refused.headers["Retry-After"]
    eventually(lambda: own.live() == [])  # undone
    asked = own.metric("jumpgate_audit_records_total")
    assert own.checkout(ann, credential).code == "audit_unavailable"
    assert own.live() == [] and own.metric("jumpgate_audit_records_total") == asked
    answer = ready(own)
    assert answer.status == 503 and any("audit" in reason for reason in answer.json["reasons"])
    audit = next(d for d in own.gateway.call("GET", "/status").json["dependencies"] if d["name"] == "audit")
    assert audit["writable"] is False and audit["type"] == "strict"
    assert own.metric("jumpgate_audit_writable") == 0
    unblock(own)
    eventually(lambda: ready(own).status == 200)
    assert own.checkout(ann, credential).status == 200
    own.sweep()
    own.gateway.stop()
    kinds = [(r["event"], r.get("outcome"), r.get("code")) for r in records(own)]
    assert ("checkout", "refused", "audit_unavailable") in kinds
    assert any(kind[0] == "audit_gap" for kind in kinds)


def test_degraded_goes_on_and_says_so():
    with Stack({"gateway": {"audit_policy": "degraded"}}) as stack:
        ann = stack.session("ann", stack.account())
        credential = stack.credential(ann)
        block(stack)
        assert stack.checkout(ann, credential).status == 200
        answer = ready(stack)
        assert any("degraded" in reason for reason in answer.json["reasons"])
        unblock(stack)
        eventually(lambda: ready(stack).status == 200)
        (gap,) = written(stack, "audit_gap")
        assert gap["lost"] == 0 and gap["delayed"] >= 1 and gap["from"] <= gap["to"]
        assert [r["outcome"] for r in written(stack, "checkout")] == ["ok"]
        stack.sweep()


def test_a_second_sink_gets_the_same_lines(tmp_path):
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(path))
        log.settimeout(10)
        with Stack({"gateway": {"audit_syslog": f"unix:{path}"}}) as stack:
            stack.checkout(stack.session("ann", stack.account()))
            message = b""
            while b" checkout [meta " not in message:
                message = log.recv(65536)
            assert message.startswith(b"<109>1 2")
            line = message[message.index(b"{"):] + b"\n"
            assert line in raw_lines(trail(stack))
            stack.sweep()


def test_a_second_sink_that_was_restarted_is_found_again(tmp_path):
    """Behind the fence no Unix socket can be made: the one of the start is connected again."""
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as first:
        first.bind(str(path))
        first.settimeout(10)
        with Stack({"gateway": {"audit_syslog": f"unix:{path}"}}) as stack:
            assert b"gateway_started" in first.recv(65536)
            first.close()
            path.unlink()
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as second:
                second.bind(str(path))
                second.settimeout(10)
                stack.checkout(stack.session("ann", stack.account()))
                assert b"checkout" in second.recv(65536)
                stack.sweep()


def test_a_file_of_something_else_is_not_written_to(own):
    own.gateway.stop()
    trail(own).write_text("root:x:0:0\n")
    own.gateway.launch()
    assert own.gateway.wait() == 1
    assert "no audit file of jumpgate" in own.gateway.err.text
    assert trail(own).read_text() == "root:x:0:0\n"
