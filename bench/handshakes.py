# SPDX-License-Identifier: Apache-2.0
"""New connections of clients: what the gateway pays for each, against OpenSSL's handshake by itself."""

import json
import statistics
import subprocess

from figures import cpu_us, done
from goals import reached
from output import say, table
from stage import BIN, Jumpgate, Vault, load, pinned

CLIENTS = 16
WAYS = (  # name, over TLS, options of the load tool
    ("kept", False, {}),
    ("new for each request", False, {"reconnect": True}),
    ("TLS, kept", True, {}),
    ("TLS, new, full handshake", True, {"reconnect": True}),
    ("TLS, new, resumed", True, {"reconnect": True, "resume": True}),
)


def alone_us(folder, resume):
    """The server's CPU time of a handshake in memory, on the gateway's core."""
    command = [BIN / "jumpgate-load", "--handshakes", 1000, "--certificate", folder / "server.pem", "--key", folder / "server.key"]
    process = pinned(0, command + (["--resume"] if resume else []), stdout=subprocess.PIPE)
    return json.loads(process.communicate()[0])["server_us"]


def one_round(folder, vault, options):
    with Jumpgate(vault, tls=True) as gate:
        ways = []
        for _, tls, more in WAYS:
            to = {"address": gate.tls_address, "tls": True, "ca": folder / "ca.pem"} if tls else {}
            ways.append(load(gate, vault, CLIENTS, options.seconds, op="find", **to, **more))
    return ways, alone_us(folder, False), alone_us(folder, True)


def handshakes(folder, options):
    with Vault(folder, users=64) as vault:
        rounds = [one_round(folder, vault, options) for _ in range(options.rounds)]
    row = table("connection".ljust(26), ("finds/s", ".0f"), ("CPU us each", ".0f"), ("p50 ms", ".2f"), ("p99 ms", ".2f"), "resumed", "errors")
    for at, (name, _, _) in enumerate(WAYS):
        median = lambda value: statistics.median(value(ways[at]) for ways, _, _ in rounds)
        row(name, median(lambda r: done(r, "find")["per_second"]), median(lambda r: cpu_us(r, "find")), median(lambda r: done(r, "find")["p50_ms"]),
            median(lambda r: done(r, "find")["p99_ms"]), f"{median(lambda r: r['resumed'] / max(1, r['connections'])):.0%}",
            sum(ways[at]["errors"] for ways, _, _ in rounds))
    full, resumed = (statistics.median(r[at] for r in rounds) for at in (1, 2))
    say(f"OpenSSL by itself, in memory, the server's side: {full:.0f} us full, {resumed:.0f} us resumed (TLS 1.3, P-256, one ticket)")
    say("a connection is what a find over it costs beyond one over a kept TLS connection: TCP, handshake, ticket, close")
    for name, at, alone in (("new TLS, full", 3, 1), ("new TLS, resumed", 4, 2)):
        reached(name, statistics.median((cpu_us(r[0][at], "find") - cpu_us(r[0][2], "find")) / r[alone] for r in rounds))
