# SPDX-License-Identifier: Apache-2.0
"""Floods of callers that show no client: authenticated work and the control socket go on, and the log stays short."""

import multiprocessing
import re
import selectors
import socket
import ssl
import time

import pytest

from certificates import Authority
from harness import BIN, TOKEN, UnixConnection, eventually, tls_context, token_hash
from stack import Stack, Wire, head

SECONDS = 3  # of one flood
RATE = {"failed_login_rate": "60/m"}  # so many lines in the log for each peer, at once
LINES = 60
LIVEZ = head(path="/livez", token=None).encode() * 60
UNKNOWN = head(path="/no/such/path", token=None).encode() * 60
LONG = b"GET / HTTP/1.1\r\nHost: h\r\nX-Long: " + b"a" * 30000  # never finished
MALFORMED = b"NONSENSE\r\n\r\n"


class Stranger:
    """One connection of a flood; a new one follows when it is closed."""

    def __init__(self, watched, address, payload, once):
        self.watched, self.address, self.payload, self.once = watched, address, payload, once
        self.socket = None
        self.open()

    def open(self):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(self.address)
        self.left = self.payload
        self.watched.register(self.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self)

    def move(self, events):
        try:
            if events & selectors.EVENT_READ and not self.socket.recv(65536):
                raise ConnectionError
            if events & selectors.EVENT_WRITE:
                self.left = self.left[self.socket.send(self.left):] or (b"" if self.once else self.payload)
                if not self.left:
                    self.watched.modify(self.socket, selectors.EVENT_READ, self)
        except BlockingIOError:
            pass
        except OSError:
            self.watched.unregister(self.socket)
            self.socket.close()
            self.open()


def pour(address, payload, connections, once, begun, end):
    watched = selectors.DefaultSelector()
    for _ in range(connections):
        Stranger(watched, address, payload, once)
    begun.set()
    last = time.monotonic() + 60
    while not end.is_set() and time.monotonic() < last:
        for key, events in watched.select(0.05):
            key.data.move(events)


class Flood:
    """In a process of its own, so that it does not take its time from the callers of the test."""

    def __init__(self, gateway, payload, connections, once=False, listener="main"):
        host, _, port = gateway.addresses[listener].rpartition(":")
        self.begun, self.end = multiprocessing.Event(), multiprocessing.Event()
        self.process = multiprocessing.Process(
            target=pour, args=((host, int(port)), payload, connections, once, self.begun, self.end), daemon=True)

    def __enter__(self):
        self.process.start()
        assert self.begun.wait(10)
        return self

    def __exit__(self, *_):
        self.end.set()
        self.process.join(10)
        assert self.process.exitcode == 0


def control(gateway, path="/readyz"):
    connection = UnixConnection(str(gateway.path / "state" / "control.sock"), 30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def work(stack, took=None):
    """Everything that must go on, over and over for the time of a flood; how often it did."""
    box = stack.account()
    session = stack.session("ann", box)
    end, rounds = time.monotonic() + SECONDS, 0
    while time.monotonic() < end or rounds < 5:
        for what, call in (("find", lambda: stack.gateway.find(session).status),
                           ("livez", lambda: stack.gateway.call("GET", "/livez", token=None).status),
                           ("control", lambda: control(stack.gateway))):
            begun = time.monotonic()
            assert call() == 200, what
            if took is not None:
                took.setdefault(what, []).append(time.monotonic() - begun)
        rounds += 1
    return rounds


def left_out(gateway):
    return sum(int(n) for n in re.findall(r" lines_left_out lines=(\d+)", gateway.err.text))


def about_strangers(gateway):
    return [line for line in gateway.err.lines
            if re.search(r" (request|request_refused|authentication_failed) ", line) and "client=pra" not in line]


@pytest.mark.parametrize("payload, once", [(LIVEZ, False), (UNKNOWN, False), (LONG, True), (MALFORMED, False), (b"", True)],
                         ids=["livez", "unknown", "unfinished", "malformed", "silent"])
def test_work_goes_on_in_a_flood(payload, once):
    share = 300 if payload else 600  # silent ones come and go: a new connection needs time to send
    with Stack({"gateway": {"max_connections": str(2 * share), "list_cache": "0s", **RATE}}) as stack:
        connections = share + 200 if once else 50
        with Flood(stack.gateway, payload, connections, once):
            assert work(stack) >= 5
            assert stack.metric("jumpgate_stranger_connections") <= share
            assert stack.metric("jumpgate_stranger_bytes") <= 8 << 20
            assert stack.metric("jumpgate_loop_lag_seconds") < 5  # a watchdog would wait for 15
        assert len(about_strangers(stack.gateway)) <= 3 * LINES
        stack.sweep()


def test_unfinished_heads_are_closed_before_they_fill_the_memory():
    with Stack({"gateway": {"max_connections": "2000", "secret_memory": "8M"}}) as stack:
        with Flood(stack.gateway, LONG, 800, once=True):
            eventually(lambda: stack.metric('jumpgate_strangers_closed_total{reason="bytes"}') > 0, 20)
            assert stack.metric("jumpgate_stranger_bytes") <= 8 << 20
            work(stack)
        assert any(" strangers_closed reason=bytes " in line for line in stack.gateway.err.lines)
        stack.sweep()


def test_the_peer_with_all_connections_gives_way():
    with Stack({"gateway": {"max_connections": "40"}}) as stack:
        kept = stack.gateway.connect()
        assert stack.gateway.call("GET", "/livez", connection=kept).status == 200  # it has shown its client
        first = Wire(stack.gateway)
        others = [Wire(stack.gateway) for _ in range(60)]
        assert first.is_closed()
        assert stack.metric("jumpgate_stranger_connections") <= 20
        session = stack.session("ann", stack.account())
        for _ in range(20):
            assert stack.gateway.find(session).status == 200
            assert stack.checkout(session).status == 200
            assert control(stack.gateway) == 200
        assert stack.gateway.call("GET", "/livez", connection=kept).status == 200  # clients are not closed for others
        for connection in (kept, first.socket, *(wire.socket for wire in others)):
            connection.close()
        stack.sweep()


def test_the_control_socket_does_not_count():
    with Stack({"gateway": {"max_connections": "2"}}) as stack:
        controls = [UnixConnection(str(stack.gateway.path / "state" / "control.sock"), 10) for _ in range(5)]
        for connection in controls:
            connection.request("GET", "/livez")
            assert connection.getresponse().read()
        assert stack.metric("jumpgate_connections") == 1
        kept = [stack.gateway.connect() for _ in range(2)]
        for connection in kept:
            assert stack.gateway.call("GET", "/livez", connection=connection).status == 200
        assert control(stack.gateway) == 200
        for connection in controls + kept:
            connection.close()


def test_few_descriptors_are_kept_for_the_vault(tmp_path):
    small = tmp_path / "jumpgate"
    small.write_text(f'#!/bin/sh\nulimit -n 240\nexec "{BIN}/jumpgate" "$@"\n')
    small.chmod(0o700)
    with Stack({"gateway": {"list_cache": "0s"}}) as stack:
        stack.gateway.stop()
        stack.gateway.binary = small
        stack.gateway.restart()
        assert any(" few_descriptors " in line for line in stack.gateway.err.lines)
        with Flood(stack.gateway, b"", 400, once=True):
            work(stack)
            assert stack.metric("jumpgate_process_open_fds") <= 200
            session = stack.session("ann", stack.account())
            credential = stack.credential(session)
            for _ in range(5):
                assert stack.checkout(session, credential).status == 200
                assert stack.gateway.release(session, credential).status == 200
        assert "accept_paused" not in stack.gateway.err.text
        stack.sweep()


def test_what_the_log_is_spared_is_counted():
    with Stack({"gateway": dict(RATE)}) as stack:
        asked = 300
        for i in range(asked):
            with Wire(stack.gateway) as wire:
                wire.send(MALFORMED if i % 2 else head(path="/nowhere", token=None))
                assert wire.answer()[0] == (400 if i % 2 else 404)
        written = asked - stack.metric("jumpgate_stranger_lines_left_out_total")
        assert LINES <= written <= LINES + 30
        eventually(lambda: len(about_strangers(stack.gateway)) == written)
        # what a client does is logged all the same, whatever its neighbours do
        assert stack.gateway.call("GET", "/v1/capabilities", headers={"X-Request-Id": "mine"}).status == 200
        eventually(lambda: any("request_id=mine " in line for line in stack.gateway.err.lines))
        stack.gateway.stop()
        assert left_out(stack.gateway) == asked - written


def test_lines_of_strangers_are_bounded_at_debug_too():
    with Stack({"gateway": {"log_level": "debug", **RATE}}) as stack:
        for _ in range(200):
            with Wire(stack.gateway) as wire:
                assert wire.send(head(token=None)).answer()[0] == 200

        def lines():
            return [line for line in stack.gateway.err.lines if " connection_end " in line or "operation=livez" in line]

        eventually(lambda: len(lines()) >= LINES)
        assert len(lines()) <= LINES + 30



def livez_served(stack):
    return stack.gateway.metrics().get('jumpgate_requests_total{operation="livez",status="200"}', 0)


def test_urgent_requests_leave_room_for_others():
    monitor = {"token_sha256": token_hash("monitor-token"), "allow": "observe"}
    with Stack({"gateway": {"list_cache": "15s"}, "client monitor": monitor}) as stack:
        session, kept = stack.session("ann", stack.account()), stack.gateway.connect()
        assert stack.gateway.find(session, connection=kept).status == 200
        with Flood(stack.gateway, head(path="/livez", token="monitor-token").encode() * 8, 70):
            eventually(lambda: livez_served(stack) > 500, 20)
            before = livez_served(stack)
            for _ in range(20):
                assert stack.gateway.find(session, connection=kept).status == 200
            assert livez_served(stack) - before < 20 * 1000
        kept.close()
        stack.sweep()


@pytest.fixture(name="authority", scope="module")
def make_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


def tls_stack(authority, **gateway):
    server = authority.server()
    return Stack({"gateway": gateway, "listener tls": {"address": "127.0.0.1:0", "tls_certificate": server.certificate,
                                                       "tls_key": server.key}})


def hello():
    """What a client sends first."""
    context = ssl.create_default_context()
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        return out.read()
    raise AssertionError("no handshake is over with its first flight")


def slow_call(gateway, context, round_trip):
    """A request of a client whose network takes so long."""
    host, _, port = gateway.addresses["tls"].rpartition(":")
    with socket.create_connection((host, int(port)), 60) as wire:
        received, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(received, out, server_hostname="localhost")

        def exchange(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    wire.sendall(out.read())
                    answer = wire.recv(65536)
                    assert answer, "closed by the gateway"
                    received.write(answer)
                    time.sleep(round_trip)

        exchange(tls.do_handshake)
        tls.write(head(path="/v1/capabilities", token=TOKEN).encode())
        return exchange(lambda: tls.read(12))


def test_a_client_with_a_slow_network_is_let_in(authority):
    with tls_stack(authority, max_connections="400") as stack:
        context = tls_context(authority.certificate)
        with Flood(stack.gateway, b"", 800, once=True):
            eventually(lambda: stack.metric('jumpgate_strangers_closed_total{reason="connections"}') > 500, 20)
            for _ in range(8):
                assert slow_call(stack.gateway, context, 0.1) == b"HTTP/1.1 200"
        stack.sweep()


def test_handshakes_that_go_nowhere_let_others_in(authority):
    with tls_stack(authority, max_connections="400") as stack:
        context = tls_context(authority.certificate)
        with Flood(stack.gateway, hello(), 600, once=True, listener="tls"):
            eventually(lambda: stack.metric('jumpgate_strangers_closed_total{reason="connections"}') > 500, 20)
            for _ in range(8):
                answer = stack.gateway.call("GET", "/v1/capabilities", listener="tls", tls=context)
                assert answer.status == 200
        stack.sweep()


def test_a_flooded_listener_leaves_room_to_another(authority):
    with tls_stack(authority, max_connections="8") as stack:
        context = tls_context(authority.certificate)
        with Flood(stack.gateway, b"", 200, once=True):
            eventually(lambda: stack.metric('jumpgate_strangers_closed_total{reason="connections"}') > 20, 20)
            before = stack.metric('jumpgate_strangers_closed_total{reason="connections"}')
            answer = stack.gateway.call("GET", "/v1/capabilities", listener="tls", tls=context)
            assert answer.status == 200
            assert stack.metric('jumpgate_strangers_closed_total{reason="connections"}') - before < 1000
        stack.sweep()
