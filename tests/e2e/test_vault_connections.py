# SPDX-License-Identifier: Apache-2.0
"""Which calls go over which connection to the vault, seen by a relay between gateway and vault."""

import re
import socket
import threading

from harness import eventually
from stack import Stack
from test_parallel_users import crew


class Relay:
    """Listens in the vault's place and keeps what each connection carried, as (of the gateway, of the vault)."""

    def __init__(self):
        self.vault, self.known = None, threading.Event()
        self.carried, self.ended = [], 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "%s:%d" % self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            self.known.wait(10)
            far = socket.create_connection(self.vault)
            both = (bytearray(), bytearray())
            self.carried.append(both)
            threading.Thread(target=self.carry, args=(near, far, both[0], True), daemon=True).start()
            threading.Thread(target=self.carry, args=(far, near, both[1], False), daemon=True).start()

    def carry(self, source, sink, kept, counts):
        try:
            while data := source.recv(65536):
                kept += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.ended += counts

    def leads_to(self, url):
        host, port = re.match(r"http://([^:]+):(\d+)/", url).groups()
        self.vault = (host, int(port))
        self.known.set()

    def open(self):
        return len(self.carried) - self.ended

    def users(self):
        """For each connection whose calls it carried."""
        owner = {}
        for asked, answered in self.carried:
            names = re.findall(rb"runas=([^;\r]+)", asked)
            owner.update(zip(re.findall(rb"Set-Cookie: ([^;\r]+)", answered), names))
        return [{*re.findall(rb"runas=([^;\r]+)", asked), *(owner[cookie] for cookie in re.findall(rb"Cookie: ([^;\r]+)", asked))}
                for asked, _ in self.carried]

    def close(self):
        self.listener.close()


def relayed(relay, **vault):
    return Stack({"vault main": {"url": f"http://{relay.address}/BeyondTrust/api/public/v3", **vault}})


def test_a_connection_carries_one_vault_user():
    """Three users at once, more users than connections; each call carries the session of its own user."""
    relay = Relay()
    with relayed(relay, connections="2") as stack:
        relay.leads_to(stack.vault.url)
        boxes = [stack.account(password=f"secret-{i}") for i in range(4)]

        def work(user):
            for i, box in enumerate(boxes):
                opened = stack.session(user, box)
                answer = stack.checkout(opened)
                assert answer.status == 200 and answer.json["password"] == f"secret-{i}", answer.body
                assert stack.gateway.complete(opened).status == 200
        crew(3, lambda i: work(("ann", "bob", "carol")[i]))
        stack.sweep()
        users = relay.users()
        assert {user for some in users for user in some} == {b"CORP\\ann", b"CORP\\bob", b"CORP\\carol"}
        assert all(len(some) <= 1 for some in users), users
    relay.close()


def test_connections_end_at_their_age():
    """Connections end at their age, long before the idle limit, and a later call opens another."""
    relay = Relay()
    with relayed(relay, connection_max_age="500ms", connection_idle="10m") as stack:
        relay.leads_to(stack.vault.url)
        box = stack.account(password="aged")
        for _ in range(2):
            before = len(relay.carried)
            opened = stack.session("ann", box)
            assert stack.checkout(opened).json["password"] == "aged"
            assert len(relay.carried) > before
            eventually(lambda: relay.open() == 0)
        stack.sweep()
    relay.close()
