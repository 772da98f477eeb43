# SPDX-License-Identifier: Apache-2.0
"""POST /v1/reload, `jumpgate reload` and GET /v1/configuration: a reload with a verdict."""

import concurrent.futures
import json
import os
import signal
import subprocess
import threading

import pytest

from harness import API_KEY, BIN, TOKEN, Gateway, UnixConnection, eventually, session, token_hash
from stack import Stack, problem

OTHER = "another-token-altogether"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="being another user takes root")


@pytest.fixture(scope="module", name="shared")
def _shared():
    with Stack({"client ops": {"token_sha256": token_hash("ops"), "allow": "operate"},
                "client eye": {"token_sha256": token_hash("eye"), "allow": "observe broker"}}) as stack:
        yield stack


@pytest.fixture(name="gw")
def _gw(shared):
    gateway = shared.gateway
    before = json.loads(json.dumps(gateway.sections))
    yield gateway
    gateway.sections = before
    gateway.write_configuration()
    assert reload(gateway).status == 200
    shared.sweep()


def reload(gateway, token="ops", body=b"", **more):
    return gateway.call("POST", "/v1/reload", body, token=token, headers={"Content-Type": ""}, **more)


def command(gateway, *words, environment=None, **more):
    path = gateway.path / "jumpgate.conf"
    return subprocess.run([BIN / "jumpgate", "reload", "-c", path, *words], capture_output=True, text=True, timeout=60,
                          check=False, env={**os.environ, **(environment or {})}, **more)


def change(gateway, section, **keys):
    gateway.sections.setdefault(section, {}).update(keys)
    gateway.write_configuration()


# ---- the route ----

def test_answers_what_has_changed(gw):
    assert reload(gw).json == {"reloaded": True, "changed": [], "restart": []}
    change(gw, "gateway", list_cache="7s", log_level="debug")
    change(gw, "client new", token_sha256=token_hash(OTHER), allow="observe")
    answer = reload(gw)
    assert answer.json == {"reloaded": True, "restart": [],
                           "changed": ["gateway.list_cache", "gateway.log_level", "client new (new)"]}
    assert gw.call("GET", "/status", token=OTHER).status == 200


def test_refused_with_every_mistake(gw):
    before = gw.call("GET", "/status").json["config_digest"]
    change(gw, "gateway", list_cache="7", log_level="loud")
    change(gw, "vault main", api_key_file="/nowhere/at/all")
    detail = problem(reload(gw), 409, "reload_refused")["detail"]
    for words in ("`list_cache`", "`log_level`", "`api_key_file`: cannot read /nowhere/at/all"):
        assert words in detail, detail
    assert gw.call("GET", "/status").json["config_digest"] == before
    assert gw.metrics()["jumpgate_config_last_reload_successful"] == 0


def test_refused_with_more_mistakes_than_a_detail_of_the_log_holds(gw):
    path = gw.write_configuration()
    path.write_text(path.read_text() + "".join(f"[client c{i}]\nallow = nonsense\n" for i in range(90)))
    detail = problem(reload(gw), 409, "reload_refused")["detail"]
    assert all(f"[client c{i}]" in detail or detail.count("nonsense") >= 90 for i in range(90))


def test_refused_where_a_restart_is_needed(gw):
    change(gw, "gateway", explain_entries="5", list_cache="9s")
    detail = problem(reload(gw), 409, "reload_refused")["detail"]
    assert "[gateway] `explain_entries` cannot change while the gateway runs; restart it" in detail
    assert "list_cache" not in detail


@pytest.mark.parametrize("token, status, code", [("eye", 403, "forbidden"), ("nobody", 401, "unauthenticated"),
                                                 (None, 401, "unauthenticated")])
def test_only_operators_reload(gw, token, status, code):
    seen = gw.metrics()['jumpgate_config_reloads_total{result="done"}']
    problem(reload(gw, token), status, code)
    problem(gw.call("GET", "/v1/configuration", token=token), status, code)
    assert gw.metrics()['jumpgate_config_reloads_total{result="done"}'] == seen


def test_many_at_once_are_all_answered(gw):
    change(gw, "gateway", list_cache="8s")
    seen = gw.metrics()['jumpgate_config_reloads_total{result="done"}']
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = [one.result() for one in [pool.submit(reload, gw) for _ in range(48)]]
    assert {answer.status for answer in answers} == {200}
    assert any(answer.json["changed"] == ["gateway.list_cache"] for answer in answers)
    done = gw.metrics()['jumpgate_config_reloads_total{result="done"}'] - seen
    assert 1 <= done <= 48


def test_pipelined_reloads_are_each_answered(gw):
    connection = gw.connect()
    head = f"POST /v1/reload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ops\r\nContent-Length: 0\r\n\r\n"
    connection.sock.sendall(head.encode() * 5)
    data = b""
    while data.count(b'"reloaded":true') < 5:
        part = connection.sock.recv(65536)
        assert part, data
        data += part
    connection.close()


def test_client_that_leaves_does_not_stop_the_reload(gw):
    change(gw, "client new", token_sha256=token_hash(OTHER), allow="observe")
    connection = gw.connect()
    connection.request("POST", "/v1/reload", b"", {"Authorization": "Bearer ops"})
    connection.close()
    eventually(lambda: gw.call("GET", "/status", token=OTHER).status == 200)


def test_sighup_and_the_route_together(gw):
    change(gw, "gateway", list_cache="6s")
    gw.signal(signal.SIGHUP)
    assert reload(gw).status == 200
    assert any('"gateway.list_cache"' in line or "keys=gateway.list_cache" in line for line in gw.err.lines)


def test_own_removal_is_answered(gw):
    """The client that asks is no client of the new configuration."""
    gw.sections.pop("client ops")
    gw.write_configuration()
    answer = reload(gw)
    assert answer.json["changed"] == ["client ops (removed)"]
    assert reload(gw).status == 401
    gw.sections["client ops"] = {"token_sha256": token_hash("ops"), "allow": "operate"}
    gw.write_configuration()
    assert command(gw).returncode == 0


# ---- the configuration in use ----

def test_configuration_shows_no_secret(gw):
    answer = gw.call("GET", "/v1/configuration", token="ops")
    assert answer.status == 200
    values = {(v["section"], v.get("key")): v for v in answer.json["configuration"]}
    assert values["gateway", "list_cache"]["value"] == "15s"
    assert values["listener main", "address"]["value"] == "127.0.0.1:0"
    assert list(values["client pra", "token_sha256"]) == ["section", "key", "secret_sha256"]
    for secret in (API_KEY, TOKEN, token_hash(TOKEN), token_hash("ops"), "api-key"):
        assert secret not in answer.body.decode()
    assert answer.json["config_digest"] == gw.call("GET", "/status").json["config_digest"]


# ---- the command ----

def test_command_prints_what_has_changed(gw):
    change(gw, "gateway", list_cache="3s")
    done = command(gw)
    assert (done.returncode, done.stdout, done.stderr) == (0, "reloaded\nchanged:\n  gateway.list_cache\n", "")
    assert "no key has changed" in command(gw).stdout


def test_command_prints_mistakes(gw):
    change(gw, "gateway", list_cache="7", log_level="loud")
    done = command(gw)
    assert (done.returncode, done.stdout) == (1, "")
    assert "`list_cache`" in done.stderr and "`log_level`" in done.stderr and "refused" in done.stderr


def test_command_needs_no_credentials(gw):
    """The file names one, and the command has none: the gateway answers."""
    change(gw, "vault main", api_key_file="$CREDENTIALS_DIRECTORY/api-key")
    done = command(gw)
    assert done.returncode == 1
    assert "refused" in done.stderr and "CREDENTIALS_DIRECTORY" in done.stderr  # the gateway has none either
    gw.sections["vault main"]["api_key_file"] = str(gw.path / "api-key")
    gw.write_configuration()
    assert command(gw).returncode == 0


def test_command_without_gateway(tmp_path):
    gateway = Gateway("http://127.0.0.1:9/BeyondTrust/api/public/v3")
    gateway.write_configuration()
    done = command(gateway)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the gateway is not running" in done.stderr
    gateway.folder.cleanup()


def test_command_with_a_missing_file(gw, tmp_path):
    done = subprocess.run([BIN / "jumpgate", "reload", "-c", tmp_path / "none"], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 1 and "cannot read" in done.stderr


@needs_root
def test_another_user_cannot_reload(gw):
    """Neither by the command nor on the control socket itself, where its mode would let the user in."""
    gw.path.chmod(0o755)
    (gw.path / "jumpgate.conf").chmod(0o644)
    done = command(gw, user=61001, group=61001)
    assert done.returncode == 1 and done.stdout == ""
    state = gw.path / "state"
    try:
        state.chmod(0o711)
        (state / "control.sock").chmod(0o666)
        words = ("import socket,sys\n"
                 "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
                 "s.sendall(b'POST /v1/reload HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\n\\r\\n')\n"
                 "print(s.recv(100).decode().split()[1])\n")
        asked = subprocess.run(["/usr/bin/python3", "-c", words, state / "control.sock"], capture_output=True, text=True,
                               timeout=60, check=False, user=61001, group=61001)
        assert asked.stdout == "401\n", asked
    finally:
        state.chmod(0o700)
        (state / "control.sock").chmod(0o600)
        gw.path.chmod(0o700)


# ---- while it drains ----

def test_drain_refuses_a_reload():
    with Stack({"gateway": {"drain_timeout": "20s"}}) as stack:
        box = stack.account()
        ann = stack.session("ann", box)
        stack.vault.latency(1500)
        finding = threading.Thread(target=lambda: stack.gateway.call("POST", "/v1/credentials/find", {"session": ann}))
        finding.start()
        eventually(lambda: stack.gateway.metrics()["jumpgate_requests_in_flight"] >= 1)
        kept = stack.gateway.connect()
        stack.gateway.signal(signal.SIGTERM)
        stack.gateway.err.wait_for(lambda line: "to=draining" in line, 10)
        problem(reload(stack.gateway, TOKEN, connection=kept), 503, "draining")
        done = command(stack.gateway)
        assert done.returncode == 1 and "shutting down" in done.stderr
        finding.join()
        assert stack.gateway.wait() == 0
