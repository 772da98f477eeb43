# SPDX-License-Identifier: Apache-2.0
"""Starting and stopping, against a vault that accepts connections and never answers."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading

import pytest

from harness import SANITIZER, TOKEN, Gateway, eventually, session

FIND = "/v1/credentials/find"
BODY = {"session": session(hostname="web01")}


@pytest.fixture
def vault():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}/BeyondTrust/api/public/v3"


class Bytes:
    """Lines from a descriptor, no byte more than they have."""

    def __init__(self, fd):
        self.fd = fd

    def __iter__(self):
        return self

    def __next__(self):
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self.fd, 1)
            if not byte:
                raise StopIteration
            line += byte
        return line


class Background(threading.Thread):
    """A find that waits for the vault."""

    def __init__(self, gateway, **headers):
        super().__init__()
        self.gateway, self.headers, self.answer, self.error = gateway, headers, None, None
        self.start()
        eventually(lambda: gateway.metrics()["jumpgate_requests_in_flight"] == 1)

    def run(self):
        try:
            self.answer = self.gateway.call("POST", FIND, BODY, headers=self.headers)
        except OSError as error:
            self.error = error


def test_ready_then_clean_end(vault):
    with Gateway(vault, {"listener second": {"address": "127.0.0.1:0"}}) as gateway:
        assert gateway.call("GET", "/livez", token=None).status == 200
        assert gateway.call("GET", "/livez", token=None, listener="second").status == 200


def test_service_manager_is_notified(vault, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        with Gateway(vault, environment={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as gateway:
            assert manager.recv(100) == b"READY=1"
            gateway.signal(signal.SIGHUP)
            assert manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert manager.recv(100) == b"READY=1"
        assert manager.recv(100) == b"STOPPING=1"


def test_drain_waits_for_what_is_in_flight(vault):
    with Gateway(vault) as gateway:
        kept = gateway.connect()
        waiting = Background(gateway, **{"X-Request-Timeout-Ms": "1500"})
        gateway.signal(signal.SIGTERM)
        gateway.err.wait_for(lambda line: "to=draining" in line, 20)
        ready = gateway.call("GET", "/readyz", connection=kept)
        assert ready.status == 503 and "shutting down" in ready.json["reasons"][0]
        refused = gateway.call("POST", FIND, BODY, connection=kept)
        assert (refused.status, refused.code) == (503, "draining") and refused.headers["Retry-After"]
        assert gateway.call("GET", "/livez").status == 200  # a new connection
        waiting.join()
        assert waiting.answer.code == "deadline_exceeded"
        assert gateway.wait() == 0
        assert not SANITIZER.search(gateway.err.text)


def test_drain_timeout_answers_what_is_open(vault):
    with Gateway(vault, {"gateway": {"drain_timeout": "200ms"}}) as gateway:
        waiting = Background(gateway)
        gateway.stop()
        waiting.join()
        assert (waiting.answer.status, waiting.answer.code) == (503, "draining")


def test_second_signal_ends_at_once(vault):
    with Gateway(vault) as gateway:
        waiting = Background(gateway)
        gateway.signal(signal.SIGTERM)
        gateway.err.wait_for(lambda line: "to=draining" in line, 20)
        gateway.signal(signal.SIGINT)
        assert gateway.wait() == 0
        waiting.join()
        assert waiting.answer is None
        assert not SANITIZER.search(gateway.err.text)


def test_client_that_leaves_makes_room(vault):
    with Gateway(vault) as gateway:
        leaver = gateway.connect()
        leaver.request("POST", FIND, json.dumps(BODY).encode(),
                       {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
        eventually(lambda: gateway.metrics()["jumpgate_requests_in_flight"] == 1)
        leaver.close()
        eventually(lambda: gateway.metrics()["jumpgate_requests_in_flight"] == 0)
        assert gateway.metrics()['jumpgate_requests_total{operation="find",status="499"}'] == 1


def test_address_in_use_is_explained(vault):
    port = vault.split(":")[2].split("/")[0]
    gateway = Gateway(vault, {"listener main": {"address": f"127.0.0.1:{port}"}})
    gateway.launch()
    assert gateway.wait() == 3
    assert "Address already in use" in gateway.err.text and "listener main" in gateway.err.text
    assert not SANITIZER.search(gateway.err.text)
    assert "ready" not in gateway.out.lines


def test_log_that_is_not_read_delays_no_request(vault):
    """Standard error is a pipe that is full; requests are answered, and what was left out is counted and said."""
    gateway = Gateway(vault, {"gateway": {"log_level": "debug"}})
    read, write = os.pipe()
    try:
        gateway.launch(stderr=write)
        os.close(write)
        line = next(line for line in Bytes(read) if line.startswith(b"listening "))
        gateway.addresses["main"] = line.decode().split("address=")[1].strip().strip('"')
        assert gateway.out.wait_for(lambda line: line == "ready", 30)
        kept = gateway.connect()
        for _ in range(200000):
            if gateway.metrics(connection=kept)["jumpgate_log_lines_left_out_total"] > 0:
                break
        else:
            raise AssertionError("nothing was left out")
        assert gateway.call("GET", "/livez", token=None).status == 200
        said = next(line for line in Bytes(read) if b"log_lines_left_out lines=" in line)  # it flows again
        assert int(said.split(b"lines=")[1]) > 0
        gateway.signal(signal.SIGTERM)
        assert gateway.process.wait(60) == 0  # also where the rest is not read
    finally:
        os.close(read)
        if gateway.process and gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait()


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_standard_streams(vault, closed, tmp_path):
    """They are opened on /dev/null first, so that nothing else gets their numbers."""
    gateway = Gateway(vault, {"gateway": {"log_level": "debug"},
                              "listener local": {"address": f"unix:{tmp_path / 'sock'}"},
                              "client local": {"peer_uid": str(os.getuid()), "allow": "observe"}})
    gateway.launch(preexec_fn=lambda: [os.close(fd) for fd in closed])
    gateway.addresses["local"] = f"unix:{tmp_path / 'sock'}"

    def answers():
        try:
            return gateway.call("GET", "/status", token=None, listener="local").status == 200
        except OSError:
            return False
    try:
        eventually(answers, 30)
        for fd in closed:
            assert os.readlink(f"/proc/{gateway.process.pid}/fd/{fd}") == "/dev/null"
        assert all(answers() for _ in range(100))
    finally:
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0


def refuse_to_start(gateway):
    gateway.launch()
    try:
        assert gateway.wait(30) == 1
    finally:
        if gateway.process.poll() is None:
            gateway.kill()


@pytest.mark.parametrize("key", ["log_file", "audit_file"])
@pytest.mark.parametrize("kind", ["fifo", "link", "socket"])
def test_only_regular_files_are_written(vault, tmp_path, key, kind):
    gateway = Gateway(vault)
    path = gateway.path / "other"
    gateway.sections["gateway"][key] = str(path)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    with socket.socket(socket.AF_UNIX) as bound:
        if kind == "socket":
            bound.bind(str(path))
        refuse_to_start(gateway)
    assert str(path) in gateway.err.text and not SANITIZER.search(gateway.err.text)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("what, mode", [("state", 0o770), ("state", 0o1777), (".", 0o777), ("jumpgate.conf", 0o622),
                                        ("api-key", 0o620)])
def test_what_others_can_write_is_refused(vault, what, mode):
    gateway = Gateway(vault)
    gateway.write_configuration()
    gateway.write_configuration = lambda: gateway.path / "jumpgate.conf"
    path = gateway.path / what
    path.chmod(mode)
    refuse_to_start(gateway)
    check = subprocess.run([gateway.binary, "check", "-c", gateway.path / "jumpgate.conf"], capture_output=True,
                           text=True, timeout=60, check=False)
    assert check.returncode == 1
    for text in (gateway.err.text, check.stderr):
        assert f"{path.resolve()} can be written by others than its owner (mode {mode:04o})" in text
    path.chmod(0o700)


def test_log_file_is_reopened(vault):
    gateway = Gateway(vault)
    log = gateway.path / "log"
    gateway.sections["gateway"]["log_file"] = str(log)
    with gateway:
        log.rename(gateway.path / "log.1")
        gateway.signal(signal.SIGUSR1)
        eventually(log.exists)
        gateway.call("GET", "/v1/capabilities")
        eventually(lambda: "operation=capabilities" in log.read_text())
        assert (log.stat().st_mode & 0o777) & 0o077 == 0


NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files to another user takes root")
@pytest.mark.parametrize("kind", ["link of another", "link through a directory of another", "chain"])
def test_links_that_others_can_turn_are_refused(vault, tmp_path, kind):
    gateway = Gateway(vault)
    tmp_path.chmod(0o755)
    key, theirs = tmp_path / "real-key", tmp_path / "theirs"
    key.write_text((gateway.path / "api-key").read_text())
    key.chmod(0o600)
    theirs.mkdir()
    (theirs / "turn").symlink_to(key)
    os.chown(theirs, NOBODY, NOBODY)
    named = tmp_path / "key"
    if kind == "link of another":
        named.symlink_to(key)
        os.lchown(named, NOBODY, NOBODY)
    elif kind == "chain":
        (tmp_path / "between").symlink_to(theirs)
        named.symlink_to(tmp_path / "between" / "turn")
    else:
        named.symlink_to(theirs / "turn")
    (gateway.path / "api-key").unlink()
    (gateway.path / "api-key").symlink_to(named)
    refuse_to_start(gateway)
    assert f"belongs to uid {NOBODY}" in gateway.err.text


def test_configuration_that_is_a_pipe_is_not_waited_for(vault):
    gateway = Gateway(vault)
    path = gateway.path / "pipe.conf"
    os.mkfifo(path)
    check = subprocess.run([gateway.binary, "check", "-c", path], capture_output=True, text=True, timeout=60, check=False)
    assert check.returncode == 1 and "it is no regular file" in check.stderr


def test_name_of_the_configuration_is_escaped(vault):
    gateway = Gateway(vault)
    path = gateway.path / "b\u202e\x1b.conf"
    path.write_text("nonsense\n")
    check = subprocess.run([gateway.binary, "check", "-c", path], capture_output=True, text=True, timeout=60, check=False)
    assert check.returncode == 1 and "\\u202e" in check.stderr and "\x1b" not in check.stderr


def test_warnings_that_are_not_read_hold_up_no_start(vault):
    gateway = Gateway(vault)
    (gateway.path / "api-key").chmod(0o644)  # a warning
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(write, b"x" * 4096):
            pass
    os.set_blocking(write, True)
    process = subprocess.Popen([gateway.binary, "run", "-c", gateway.write_configuration()], stderr=write,
                               stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
    finally:
        process.kill()
        process.wait()
        os.close(read)
        os.close(write)
