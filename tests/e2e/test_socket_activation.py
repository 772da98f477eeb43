# SPDX-License-Identifier: Apache-2.0
"""Sockets that the service manager passes, and restarts that lose no request."""

import contextlib
import http.client
import os
import signal
import socket
import stat
import threading
import time

import pytest

from certificates import Authority
from harness import TOKEN, CheckedConnection, Gateway, UnixConnection, eventually, tls_context, token_hash
from manager import Manager
from stack import Stack, Wire, head

FIND = "/v1/credentials/find"
RESTARTS = 20
PLAIN = {"gateway": {"list_cache": "0s"}}


@pytest.fixture(name="manager")
def _manager():
    with Manager() as manager:
        yield manager


@pytest.fixture(name="vault", scope="module")
def _vault():
    with Stack(PLAIN) as stack:
        yield stack


def gateway_with(manager, vault, sections):
    return manager.starts(Gateway(vault.vault.url, {"listener main": None, **sections}))


# ---- the kinds of listeners ----

def test_every_kind_of_listener(manager, vault, tmp_path):
    authority = Authority(tmp_path / "tls")
    pair = authority.server()
    path = tmp_path / "broker.sock"
    manager.unix("broker", path, 0o622)
    with gateway_with(manager, vault, {
            "listener v6": {"address": manager.tcp("v6", "::1")},
            "listener safe": {"address": manager.tcp("safe"), "tls_certificate": pair.certificate, "tls_key": pair.key},
            "listener plain": {"address": manager.tcp("plain")},
            "listener broker": {"address": f"unix:{path}", "unix_mode": "0600"},
            "listener own": {"address": f"unix:{tmp_path}/own.sock"}}) as gateway:
        for listener in ("v6", "plain", "broker", "own"):
            assert gateway.call("GET", "/livez", listener=listener).status == 200
        assert gateway.call("GET", "/livez", listener="safe", tls=tls_context(authority.certificate)).status == 200
        passed = [line for line in gateway.err.lines if " passed_socket " in line]
        assert len(passed) == 4 and not any("listener=own" in line for line in passed)
        assert stat.S_IMODE(path.stat().st_mode) == 0o622  # not the listener's unix_mode
        gateway.stop()
        assert path.exists() and not (tmp_path / "own.sock").exists()

        # What connects while no gateway runs waits for the next one.
        waiting = UnixConnection(str(path), 30)
        waiting.request("GET", "/livez")
        gateway.restart()
        assert waiting.getresponse().status == 200
        waiting.close()




def start_error(gateway):
    gateway.launch()
    code = gateway.wait()
    assert code != 0, gateway.err.text
    return gateway.err.text


def datagram(path):
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(path))
    return made


def not_listening(path):
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    return made


def both_families():
    made = socket.socket(socket.AF_INET6)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(("::", 0))
    made.listen()
    return made


def without_file(manager, path):
    manager.unix("broker", path)
    path.unlink()


MISTAKES = {
    "unknown name": (lambda m, p: m.unix("other", p / "s"), "passed as other, has no [listener] of that name"),
    "other path": (lambda m, p: m.unix("broker", p / "t"), "t, and the listener's address is another one"),
    "other family": (lambda m, p: m.tcp("broker"), "listens on 127.0.0.1:"),
    "datagrams": (lambda m, p: m.add("broker", datagram(p / "s")), "is no stream socket"),
    "not listening": (lambda m, p: m.add("broker", not_listening(p / "s")), "does not listen"),
    "no socket": (lambda m, p: m.add("broker", open("/dev/null", encoding="utf-8")), "is no socket"),
    "no file": (lambda m, p: without_file(m, p / "s"), "has lost its file: restart the socket unit"),
    "twice": (lambda m, p: (m.unix("broker", p / "s"), m.unix("broker", p / "t")), "is the second one of that name"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_descriptor_that_does_not_fit_is_refused(manager, vault, tmp_path, mistake):
    make, words = MISTAKES[mistake]
    make(manager, tmp_path)
    gateway = gateway_with(manager, vault, {"listener broker": {"address": f"unix:{tmp_path}/s"}})
    assert words in start_error(gateway)
    gateway.folder.cleanup()


def test_socket_of_both_families_is_refused(manager, vault, tmp_path):
    pair = Authority(tmp_path).server()
    port = manager.add("all", both_families()).getsockname()[1]
    gateway = gateway_with(manager, vault, {
        "listener all": {"address": f"[::]:{port}", "tls_certificate": pair.certificate, "tls_key": pair.key}})
    assert "BindIPv6Only=ipv6-only" in start_error(gateway)
    gateway.folder.cleanup()


def test_malformed_variables_are_refused(manager, vault, tmp_path):
    manager.unix("broker", tmp_path / "s")
    gateway = gateway_with(manager, vault, {"listener broker": {"address": f"unix:{tmp_path}/s"}})
    gateway.environment["LISTEN_FDS"] = "many"
    assert "LISTEN_FDS" in start_error(gateway)
    gateway.folder.cleanup()


def test_variables_of_another_process_are_not_meant(vault):
    with Gateway(vault.vault.url, PLAIN, environment={"LISTEN_PID": "1", "LISTEN_FDS": "1"}) as gateway:
        assert gateway.call("GET", "/livez").status == 200


def test_reload_keeps_the_sockets(manager, vault, tmp_path):
    first, second = Authority(tmp_path / "first"), Authority(tmp_path / "second")
    before, after = first.server(), second.server()
    sections = {"listener safe": {"address": manager.tcp("safe"), "tls_certificate": before.certificate,
                                  "tls_key": before.key}}
    with gateway_with(manager, vault, sections) as gateway:
        gateway.sections["listener safe"] |= {"tls_certificate": after.certificate, "tls_key": after.key}
        gateway.write_configuration()
        gateway.signal(signal.SIGHUP)
        assert gateway.err.wait_for(lambda line: " reloaded " in line, 10)
        assert gateway.call("GET", "/livez", listener="safe", tls=tls_context(second.certificate)).status == 200
        gateway.sections["listener more"] = {"address": "127.0.0.1:0"}
        gateway.write_configuration()
        gateway.signal(signal.SIGHUP)
        assert gateway.err.wait_for(lambda line: " reload_failed " in line, 10)
        assert gateway.call("GET", "/livez", listener="safe", tls=tls_context(second.certificate)).status == 200


# ---- the drain ----

def test_answers_of_a_drain_close_their_connections(vault):
    """Without passed sockets: idle connections are closed, and each answer says so."""
    with Gateway(vault.vault.url, PLAIN) as gateway, Wire(gateway) as idle, Wire(gateway) as fresh:
        idle.send(head())
        assert "connection" not in idle.answer()[1]
        vault.vault.latency(300)
        try:
            box = vault.account()
            slow = threading.Thread(target=gateway.find, args=(vault.session("ann", box),))
            slow.start()
            eventually(lambda: gateway.metrics()["jumpgate_requests_in_flight"] == 1)
            gateway.signal(signal.SIGTERM)
            assert idle.is_closed()
            fresh.send(head())
            assert fresh.answer()[1]["connection"] == "close"
            assert fresh.is_closed()
            slow.join()
        finally:
            vault.vault.latency(0)
        assert gateway.wait() == 0
    vault.opened = []


def test_silent_connections_do_not_hold_up_a_restart(manager, vault, tmp_path):
    path = tmp_path / "broker.sock"
    manager.unix("broker", path)
    sections = {"gateway": {"drain_timeout": "1h", "drain_notice": "200ms"}, "listener broker": {"address": f"unix:{path}"}}
    with gateway_with(manager, vault, sections) as gateway, socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(path))
        kept = gateway.connect("broker")
        assert gateway.call("GET", "/livez", connection=kept).status == 200
        gateway.stop()
        assert silent.recv(1) == b""
        with pytest.raises(BrokenPipeError):
            silent.send(b"GET")


def test_half_requests_do_not_hold_up_a_restart(manager, vault, tmp_path):
    path = tmp_path / "broker.sock"
    manager.unix("broker", path)
    sections = {"gateway": {"drain_timeout": "1h", "drain_notice": "200ms", "header_timeout": "10m", "body_timeout": "10m"},
                "listener broker": {"address": f"unix:{path}"}}
    whole = head("POST", FIND, Content_Length=100, Content_Type="application/json").encode()
    with gateway_with(manager, vault, sections) as gateway, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2)]
        for client, sent in zip(clients, (whole[:40], whole + b"{")):
            client.connect(str(path))
            client.sendall(sent)
        gateway.stop()
        assert [client.recv(12) for client in clients] == [b"HTTP/1.1 408"] * 2


def test_idle_connection_may_ask_once_more(manager, vault, tmp_path):
    """Within the notice a kept connection is served in full, and is told that it was the last time."""
    path = tmp_path / "broker.sock"
    manager.unix("broker", path)
    sections = {"gateway": {"drain_notice": "1m", "drain_timeout": "2m"}, "listener broker": {"address": f"unix:{path}"}}
    with gateway_with(manager, vault, sections) as gateway:
        box = vault.account()
        kept = gateway.connect("broker")
        assert gateway.call("GET", "/livez", connection=kept).status == 200
        gateway.signal(signal.SIGTERM)
        assert gateway.err.wait_for(lambda line: "to=handing_over" in line, 20)
        answer = gateway.find(vault.session("ann", box), listener="broker")  # a new connection, too
        assert answer.status == 200 and answer.headers["Connection"] == "close"
        answer = gateway.find(vault.session("ann", box), connection=kept)
        assert answer.status == 200 and answer.headers["Connection"] == "close"
        assert gateway.wait() == 0
    vault.opened = []


# ---- restarts under load ----

class Load(threading.Thread):
    """Asks again and again, with a new connection each time or with a kept one."""

    def __init__(self, connect, kept, box, pause=0.0):
        super().__init__(daemon=True)
        self.connect, self.kept, self.box, self.pause = connect, kept, box, pause
        self.connection = None
        self.answers, self.reopened, self.failures = 0, 0, []
        self.end = threading.Event()

    def ask(self, body):
        """True if it was answered. A kept connection that was closed before the request was sent is opened again."""
        fresh = self.connection is None
        self.connection = self.connection or self.connect()
        try:
            self.connection.request("POST", FIND, body, {"Authorization": f"Bearer {TOKEN}",
                                                         "Content-Type": "application/json"})
        except BrokenPipeError:
            if fresh:
                raise
            self.connection = None
            self.reopened += 1
            return False
        answer = self.connection.getresponse()
        answer.read()
        if answer.status != 200:
            self.failures.append(answer.status)
        self.answers += 1
        if not self.kept or answer.will_close:
            self.connection.close()
            self.connection = None
        return True

    def run(self):
        body = ('{"session": {"id": "S-load", "user": {"username": "ann", "domain": "CORP"}, '
                f'"jump_item": {{"hostname": "{self.box.name}"}}}}}}').encode()
        while not self.end.wait(self.pause):
            try:
                while not self.ask(body):
                    pass
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                self.connection = None


class Brokering(threading.Thread):
    """Checks a credential out and gives it back, again and again; each request on a connection of its own."""

    def __init__(self, gateway, connect, session, credential):
        super().__init__(daemon=True)
        self.gateway, self.connect, self.session, self.credential = gateway, connect, session, credential
        self.answers, self.failures = 0, []
        self.end = threading.Event()

    def run(self):
        while not self.end.is_set():
            try:
                answers = []
                for ask in (lambda c: self.gateway.checkout(self.session, self.credential, connection=c),
                            lambda c: self.gateway.complete(self.session, connection=c)):
                    connection = self.connect()
                    answers.append(ask(connection))
                    connection.close()
                self.failures += [answer for answer in answers if answer.status != 200]
                self.answers += len(answers)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))


def test_restarts_lose_no_request(manager, vault, tmp_path):
    path = tmp_path / "broker.sock"
    manager.unix("broker", path)
    port = manager.tcp("plain")
    box = vault.account()
    gateway = gateway_with(manager, vault, {"gateway": {"drain_notice": "200ms"},
                                            "listener broker": {"address": f"unix:{path}"},
                                            "listener plain": {"address": port}})
    host, _, number = port.rpartition(":")

    def unix():
        return UnixConnection(str(path), 60)

    def tcp():
        return CheckedConnection(host, int(number), timeout=60)

    # The last one is idle for longer than the notice: it may find its connection closed before it sends.
    loads = [Load(unix, False, box), Load(tcp, False, box), Load(unix, True, box), Load(tcp, True, box),
             Load(unix, True, box, pause=0.05), Load(unix, True, box, pause=0.3)]
    with gateway:
        ann = vault.session("ann", box)
        found = gateway.find(ann, listener="broker").json["credentials"][0]["credential_id"]
        brokering = Brokering(gateway, unix, ann, found)
        everything = [*loads, brokering]
        for load in everything:
            load.start()
        for _ in range(RESTARTS):
            before = [load.answers for load in [brokering, *loads[:4]]]
            eventually(lambda: all(load.answers > n for load, n in zip([brokering, *loads[:4]], before)), 30)
            gateway.stop()
            gateway.restart()
        for load in everything:
            load.end.set()
        for load in everything:
            load.join(60)
        print([(load.answers, load.reopened) for load in loads], brokering.answers)
        assert [load.failures for load in everything] == [[]] * len(everything)
        assert not any(load.reopened for load in loads[:4])
        assert vault.live() == []
    vault.opened = []
