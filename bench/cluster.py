# SPDX-License-Identifier: Apache-2.0
"""Several gateways on one etcd, after section 9 of their contract: what etcd adds, how many check-outs, how long a death takes.

etcd runs with one member on the same machine, on a tmpfs and without `fsync`: what it costs in CPU and round trips is
measured, not a disk. The gateways share core 0, unless there is a core for each.
"""

import contextlib
import http.client
import json
import math
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time

from figures import cpu_us, done
from goals import reached
from output import say, table
from stage import TOKEN, Broker, Jumpgate, Vault, load, pinned

TTL = 6  # seconds: the default
TO_GIVE_BACK, KEPT = 100, 20
REPEATED = 400
SHARE = 200  # users of each of several gateways: their sessions are their own


def free_ports(n):
    held = [socket.socket() for _ in range(n)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


class Etcd(Broker):
    """One member; its data in memory where that is possible."""

    name = "etcd"

    def __init__(self):
        program = shutil.which("etcd") or "/usr/bin/etcd"
        if not os.access(program, os.X_OK):
            raise FileNotFoundError("etcd is not installed: scripts/install-dependencies")
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.TemporaryDirectory(prefix="jumpgate-bench-etcd-", dir=memory)
        client, peer = free_ports(2)
        self.url = f"http://127.0.0.1:{client}"
        peers = f"http://127.0.0.1:{peer}"
        with open(pathlib.Path(self.folder.name) / "log", "wb") as log:
            self.process = pinned(1, [program, "--name", "m0", "--data-dir", self.folder.name + "/data", "--listen-client-urls", self.url,
                                      "--advertise-client-urls", self.url, "--listen-peer-urls", peers, "--initial-advertise-peer-urls",
                                      peers, "--initial-cluster", f"m0={peers}", "--unsafe-no-fsync"], stdout=log, stderr=log)
        self.port = client
        while not self.serves():
            assert self.process.poll() is None, "etcd has ended"
            time.sleep(0.05)

    def serves(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("POST", "/v3/kv/range", b'{"key":"eA=="}')
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


class Gate(Jumpgate):
    """A gateway of the cluster; with etcd None one with its own file, on a tmpfs as well."""

    def __init__(self, vault, etcd, number=0, **more):
        self.home = tempfile.TemporaryDirectory(prefix="jumpgate-bench-gate-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        store = f"[store]\ntype = etcd\nendpoints = {etcd.url}\nnode = g{number}\nttl = {TTL}s\n" if etcd else ""
        super().__init__(vault, home=pathlib.Path(self.home.name), core=0 if os.cpu_count() < 8 else 2 + number, vault_section=store,
                         **more)
        host, port = self.address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=60)
        while self.call("GET", "/readyz")[0] != 200:
            time.sleep(0.05)

    def call(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body is not None else None,
                                {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read() or "{}")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.connection.close()
        self.home.cleanup()


class GateAlone(Gate):
    """The only gateway on an etcd of its own."""

    def __init__(self, vault, **more):
        self.etcd = Etcd()
        super().__init__(vault, self.etcd, **more)

    def __exit__(self, *left):
        super().__exit__(*left)
        self.etcd.__exit__()


def session(number, users, name):
    return {"id": f"bench-{name}-{number}", "user": {"username": f"user{1 + number % users}", "domain": "ACME"},
            "jump_item": {"hostname": f"srv{1 + number % users}"}}


def checked_out(gate, asked):
    """(session, credential id)."""
    status, found = gate.call("POST", "/v1/credentials/find", {"session": asked})
    assert status == 200, found
    credential = found["credentials"][0]["credential_id"]
    status, answer = gate.call("POST", "/v1/credentials/checkout", {"session": asked, "credential_id": credential})
    assert status == 200, answer
    return asked, credential


def timed(call):
    before = time.monotonic()
    call()
    return (time.monotonic() - before) * 1000


def latencies(gate, vault):
    """Medians in ms of a check-out alone, the same once more, and its release."""
    first, again, released = [], [], []
    for number in range(REPEATED):
        asked = session(number, vault.users, "latency")
        status, found = gate.call("POST", "/v1/credentials/find", {"session": asked})
        assert status == 200, found
        body = {"session": asked, "credential_id": found["credentials"][0]["credential_id"]}
        first.append(timed(lambda body=body: gate.call("POST", "/v1/credentials/checkout", body)))
        again.append(timed(lambda body=body: gate.call("POST", "/v1/credentials/checkout", body)))
        released.append(timed(lambda body=body: gate.call("POST", "/v1/credentials/release", body)))
    return [statistics.median(values) for values in (first, again, released)]


def added(folder):
    """What etcd adds to one caller's check-out, repeat and release."""
    row = table("store", ("check-out ms", ".2f"), ("repeat ms", ".2f"), ("release ms", ".2f"))
    found = {}
    with Vault(folder, users=100, truth=False) as vault:
        with Gate(vault, None) as gate:
            found["file"] = latencies(gate, vault)
        with Etcd() as etcd, Gate(vault, etcd) as gate:
            found["etcd"] = latencies(gate, vault)
    for name, values in found.items():
        row(name, *values)
    for number, name in enumerate(("check-out", "repeat", "release")):
        reached(f"etcd adds, {name}", found["etcd"][number] - found["file"][number])


def writes(folder, options):
    """Flights, and CPU of gateway and etcd, for a check-out with its release.

    A gateway with a file does some ten times as many of them, and a loop that has much to do takes many of them in one turn. So
    the gateway's CPU is held against that of a file twice: each as fast as it can, and both at one rate, which etcd allows.
    """
    row = table("in flight", ("check-outs/s", ".0f"), ("flights each", ".2f"), ("gateway us", ".0f"), ("of a file's", ".2f"),
                ("at one rate", ".2f"), ("etcd us", ".0f"), "errors")
    with Vault(folder, users=1024) as vault:
        for clients in (1, 16, 256):
            with Gate(vault, None) as gate:
                alone = load(gate, vault, clients, options.seconds)
            with Etcd() as etcd, Gate(vault, etcd) as gate:
                load(gate, vault, clients, 1)
                flights, made, used = gate.metric("jumpgate_store_flights_total"), gate.metric("jumpgate_requests_total"), etcd.cpu_seconds()
                r = load(gate, vault, clients, options.seconds)
                made = (gate.metric("jumpgate_requests_total") - made) / 2
                flights = (gate.metric("jumpgate_store_flights_total") - flights) / max(1, made)
                used = (etcd.cpu_seconds() - used) / max(1, made) * 1e6
                rate = max(1, int(0.8 * done(r)["per_second"]))
                paced = load(gate, vault, clients, options.seconds, rate=rate)
            with Gate(vault, None) as gate:
                slow = load(gate, vault, clients, options.seconds, rate=rate)
            ratio = cpu_us(r) / max(0.001, cpu_us(alone))
            at_rate = cpu_us(paced) / max(0.001, cpu_us(slow))
            row(clients, done(r)["per_second"], flights, cpu_us(r), ratio, at_rate, used, sum(one["errors"] for one in (r, alone, paced, slow)))
            reached(f"flights, {clients}", flights)
            if clients == 16:
                reached("CPU on etcd", ratio)
                reached("CPU on etcd, same rate", at_rate)


def many(folder, options):
    """One to five gateways, a load tool at each."""
    row = table("gateways", ("check-outs/s", ".0f"), ("us each", ".0f"), ("etcd us", ".0f"), "errors")
    each = {}
    for count in (1, 2, 3, 5):
        with Vault(folder, users=5 * SHARE, truth=False) as vault, Etcd() as etcd:
            gates = [Gate(vault, etcd, number) for number in range(count)]
            try:
                etcd_used = etcd.cpu_seconds()
                results = side_by_side(gates, vault, options.seconds)
                etcd_used = etcd.cpu_seconds() - etcd_used
            finally:
                for gate in gates:
                    gate.__exit__()
        rate = sum(done(r)["per_second"] for r in results)
        number = sum(done(r)["count"] for r in results)
        each[count] = sum(r["cpu_seconds"] for r in results) / max(1, number) * 1e6
        row(count, rate, each[count], etcd_used / max(1, number) * 1e6, sum(r["errors"] for r in results))
    reached("three gateways", 3 * each[1] / max(0.001, each[3]))


def side_by_side(gates, vault, seconds):
    """load() at each gateway at once, with users of its own."""
    results = [None] * len(gates)

    def one(number):
        results[number] = load(gates[number], vault, 32, seconds, warmup=4, users=SHARE, hosts=SHARE, first=1 + SHARE * number)
    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(gates))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def give_back_after_death(vault, etcd, number, survivors=1):
    """A gateway is killed while the vault answers none of its check-ins; seconds until each request has ended at the vault,
    and until the survivors have taken over what was open still."""
    first = 5 * number  # names that no gateway has had
    with contextlib.ExitStack() as gates:
        dies, lives, *_ = [gates.enter_context(Gate(vault, etcd, first + n)) for n in range(1 + survivors)]
        held, kept = ([checked_out(dies, session(number * 1000 + n, vault.users, name)) for n in range(count)]
                      for name, count in (("death", TO_GIVE_BACK), ("kept", KEPT)))
        vault.ask("/faults", {"action": "hang", "call": "PUT Requests/{id}/Checkin"})
        with releases_under_way(dies, held):
            waited(0, lambda: sum(lease["state"] == "open" for lease in all_leases(lives)) == KEPT)
        dies.process.kill()
        dies.process.wait()
        died = time.monotonic()
        vault.ask("/faults", method="DELETE")
        orphans = waited(died, lambda: len(vault.ask("/state?finished=0")["active"]) == KEPT)
        taken = waited(died, lambda: all(lease["node"] != f"g{first}" for lease in all_leases(lives)))
        for asked, credential in kept:
            status, answer = lives.call("POST", "/v1/credentials/release", {"session": asked, "credential_id": credential})
            assert status == 200 and answer["released"] == 1, answer
        waited(died, lambda: not vault.ask("/state?finished=0")["active"])
        return orphans, taken


def all_leases(gate):
    return gate.call("GET", "/v1/leases?limit=1000")[1]["leases"]


@contextlib.contextmanager
def releases_under_way(gate, held):
    """Asks for all releases at once, and waits for no answer: they come after the check-in."""
    host, port = gate.address.rsplit(":", 1)
    with contextlib.ExitStack() as connections:
        for asked, credential in held:
            connection = connections.enter_context(contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=60)))
            connection.request("POST", "/v1/credentials/release", json.dumps({"session": asked, "credential_id": credential}),
                               {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
        yield


def waited(since, is_so):
    while not is_so():
        time.sleep(0.05)
    return time.monotonic() - since


def deaths(folder, options):
    """From kill -9 until nothing is left of the dead one, of two to five gateways in turn."""
    with Vault(folder, users=TO_GIVE_BACK + KEPT, truth=False, options=("--max-concurrent", 0)) as vault, Etcd() as etcd:
        both = [give_back_after_death(vault, etcd, number, survivors=1 + number % 4) for number in range(options.deaths)]
    orphans, taken = map(sorted, zip(*both))
    say(f"{len(orphans)} deaths with {TO_GIVE_BACK} requests to give back and {KEPT} open leases; seconds from kill -9")
    row = table(f"{'until':>21}", ("least", ".1f"), ("median", ".1f"), ("p99", ".1f"), ("most", ".1f"))
    for name, values in (("the last check-in", orphans), ("the last lease taken", taken)):
        row(name, values[0], statistics.median(values), values[math.ceil(0.99 * len(values)) - 1], values[-1])
    say("all check-ins: " + " ".join(f"{value:.1f}" for value in orphans))
    reached("death, median", statistics.median(orphans))
    reached("death, p99", orphans[math.ceil(0.99 * len(orphans)) - 1])
    reached("death, most", orphans[-1])


def cluster(folder, options):
    added(folder)
    say()
    writes(folder, options)
    say()
    many(folder, options)
    say()
    deaths(folder, options)
