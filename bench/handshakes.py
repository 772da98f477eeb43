# SPDX-License-Identifier: Apache-2.0
"""New connections of clients: what the gateway pays for each, against the least server that OpenSSL makes.

That server (jumpgate-load --serve) does nothing but accept, shake hands, answer and close. It stands where the gateway stands: the
same core, sockets, certificate and clients. OpenSSL's handshake in memory is shown beside it: without sockets, and with its code in
the caches all the time, it is what no server can reach.
"""

import json
import statistics
import subprocess

from figures import cpu_us, done
from goals import reached
from output import say, table
from stage import BIN, Broker, Jumpgate, Vault, addresses, load, pinned

CLIENTS = 16
KEPT, FULL, RESUMED = {}, {"reconnect": True}, {"reconnect": True, "resume": True}
WAYS = (  # name, over TLS, options of the load tool
    ("kept", False, KEPT),
    ("new for each request", False, FULL),
    ("TLS, kept", True, KEPT),
    ("TLS, new, full handshake", True, FULL),
    ("TLS, new, resumed", True, RESUMED),
)


class Bare(Broker):
    name = "OpenSSL"

    def __init__(self, vault):
        folder = vault.folder
        command = [BIN / "jumpgate-load", "--serve", "--certificate", folder / "server.pem", "--key", folder / "server.key"]
        self.process = pinned(0, command, stdout=subprocess.PIPE)
        self.address = self.tls_address = addresses(self.process, {"main"})["main"]


def in_memory_us(folder, resume):
    """The server's CPU time of a handshake in memory, on the gateway's core."""
    command = [BIN / "jumpgate-load", "--handshakes", 1000, "--certificate", folder / "server.pem", "--key", folder / "server.key"]
    process = pinned(0, command + (["--resume"] if resume else []), stdout=subprocess.PIPE)
    return json.loads(process.communicate()[0])["server_us"]


def one_way(server, vault, options, op, tls, more):
    to = {"address": server.tls_address, "tls": True, "ca": vault.folder / "ca.pem"} if tls else {}
    return load(server, vault, CLIENTS, options.seconds, op=op, **to, **more)


def one_round(vault, options):
    """Results of the gateway, one for each way; of OpenSSL by itself, for the last three; and in memory."""
    with Jumpgate(vault, tls=True) as gate:
        ours = [one_way(gate, vault, options, "find", tls, more) for _, tls, more in WAYS]
    with Bare(vault) as bare:
        least = [one_way(bare, vault, options, "get", True, more) for more in (KEPT, FULL, RESUMED)]
    return ours, least, [in_memory_us(vault.folder, resume) for resume in (False, True)]


def rows(rounds, which, op, names):
    row = table({"find": "connection", "get": "OpenSSL by itself"}[op].ljust(26), (f"{op}s/s", ".0f"), ("CPU us each", ".0f"),
                ("p50 ms", ".2f"), ("p99 ms", ".2f"), "resumed", "errors")
    for at, name in enumerate(names):
        median = lambda value: statistics.median(value(r[which][at]) for r in rounds)
        row(name, median(lambda r: done(r, op)["per_second"]), median(lambda r: cpu_us(r, op)), median(lambda r: done(r, op)["p50_ms"]),
            median(lambda r: done(r, op)["p99_ms"]), f"{median(lambda r: r['resumed'] / max(1, r['connections'])):.0%}",
            sum(r[which][at]["errors"] for r in rounds))


def new_us(results, at, op):
    """What a new connection costs beyond a kept one; `at` counts from the last of the three ways over TLS."""
    return cpu_us(results[at], op) - cpu_us(results[-3], op)


def handshakes(folder, options):
    with Vault(folder, users=64) as vault:
        rounds = [one_round(vault, options) for _ in range(options.rounds)]
    rows(rounds, 0, "find", [name for name, _, _ in WAYS])
    rows(rounds, 1, "get", [name for name, _, _ in WAYS[2:]])
    full, resumed = (statistics.median(r[2][at] for r in rounds) for at in (0, 1))
    say(f"OpenSSL in memory, without sockets, the server's side: {full:.0f} us full, {resumed:.0f} us resumed (TLS 1.3, P-256, one ticket)")
    say("a connection is what a request over it costs beyond one over a kept TLS connection: TCP, handshake, ticket, close")
    for name, at, memory in (("new TLS, full", -2, full), ("new TLS, resumed", -1, resumed)):
        ours = statistics.median(new_us(r[0], at, "find") for r in rounds)
        least = statistics.median(new_us(r[1], at, "get") for r in rounds)
        say(f"{name}: {ours:.0f} us, OpenSSL by itself {least:.0f} us; over OpenSSL in memory {ours / memory:.2f}")
        reached(name, statistics.median(new_us(r[0], at, "find") / new_us(r[1], at, "get") for r in rounds))
