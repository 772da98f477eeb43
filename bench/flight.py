# SPDX-License-Identifier: Apache-2.0
"""Many at once: what waiting for a slow vault costs in time and in memory."""

import resource
import socket
import ssl
import statistics

from figures import done
from goals import reached
from output import say, table
from peers import Nginx
from stage import TOKEN, Jumpgate, Vault, load

LATENCY_MS = 200
VAULT_PATH = "/BeyondTrust/api/public/v3/ManagedAccounts"


def slopes(folder, options):
    """Two slopes: 1,000 more check-outs with all else equal, and 744 more vault connections with all else equal."""
    row = table("pool", "in flight", "errors", ("p50 ms", ".0f"), ("p99 ms", ".0f"), ("idle MB", ".1f"), ("peak MB", ".1f"))
    peak = {}
    for pool, clients in ((256, 1000), (256, 2000), (1000, 2000)):
        with Vault(folder, users=500, latency_ms=LATENCY_MS) as vault, Jumpgate(vault, connections=pool) as gate:
            r = load(gate, vault, clients, options.seconds, warmup=10)
        peak[pool, clients] = r["rss_peak_kb"]
        row(pool, r["most_in_flight"], r["errors"], done(r)["p50_ms"], done(r)["p99_ms"], r["rss_before_kb"] / 1024, r["rss_peak_kb"] / 1024)
    reached("per check-out", (peak[256, 2000] - peak[256, 1000]) / 1000)
    reached("per connection", (peak[1000, 2000] - peak[256, 2000]) / 744)


def against_nginx(folder, options):
    """A user for each client: the peer keeps no leases and would check in what two sessions of one user share."""
    clients, peak = 2000, {}
    for broker in (Jumpgate, Nginx):
        with Vault(folder, users=clients, latency_ms=LATENCY_MS) as vault, broker(vault) as running:
            r = load(running, vault, clients, options.seconds, warmup=12)
        peak[broker] = r["rss_peak_kb"]
        say(f"{broker.name}, {clients} clients of as many users: {r['rss_peak_kb'] / 1024:.1f} MB at most, {r['errors']} errors")
    reached("memory", peak[Jumpgate] / peak[Nginx])


def in_flight(folder, options):
    slopes(folder, options)
    if Nginx.available():
        against_nginx(folder, options)
    else:
        say(f"left out, not installed: {Nginx.name}")
    connections(folder, options)


# ---- connections of clients that say nothing ---------------------------------------------------------------------------------


def open_connection(address, context):
    host, port = address.rsplit(":", 1)
    plain = socket.create_connection((host, int(port)), 30)
    link = context.wrap_socket(plain, server_hostname=host) if context else plain
    link.sendall(f"GET /livez HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    assert link.recv(4096).startswith(b"HTTP/1.1 200")
    return link


def weight(gate, address, context, count):
    """kB for each of `count` connections that have been answered once and are kept."""
    first = [open_connection(address, context) for _ in range(100)]  # what is set up once is not theirs
    before = gate.rss_kb()
    more = [open_connection(address, context) for _ in range(count)]
    after = gate.rss_kb()
    for link in first + more:
        link.close()
    return (after - before) / count


def connections(folder, options):
    count = 2000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 200:
        say(f"left out: {soft} descriptors are too few for {count} idle connections (of {hard})")
        return
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    sizes = {}
    for name, chosen in (("plain", None), ("TLS", context)):
        with Vault(folder, users=4) as vault, Jumpgate(vault, tls=True) as gate:
            sizes[name] = weight(gate, gate.tls_address if chosen else gate.address, chosen, count)
    say("per idle connection of a client: " + ", ".join(f"{name} {kb:.1f} kB" for name, kb in sizes.items()))


# ---- time -------------------------------------------------------------------------------------------------------------------


def added(folder, options):
    """The ideal is what a client sees that calls the simulator itself, as many at once: without a session, so that it waits
    for nothing but the latency, and is refused (401) as it should be."""
    clients = 1024
    row = table("".ljust(28), ("p50 ms", ".1f"), ("p99 ms", ".1f"), ("per second", ".0f"), "errors")
    p50, p99 = [], []
    for _ in range(options.rounds):
        with Vault(folder, users=clients, latency_ms=LATENCY_MS) as vault:
            direct = load(vault, vault, clients, options.seconds, warmup=3, op="get", path=VAULT_PATH, status=401, tls=True, ca=folder / "ca.pem")
            with Jumpgate(vault, connections=clients) as gate:
                own = load(gate, vault, clients, options.seconds, warmup=8)
        call, checkout = done(direct, "get"), done(own)
        row("one call, simulator itself", call["p50_ms"], call["p99_ms"], call["per_second"], direct["errors"])
        row("check-out, two calls", checkout["p50_ms"], checkout["p99_ms"], checkout["per_second"], own["errors"])
        p50.append(checkout["p50_ms"] / max(0.001, 2 * call["p50_ms"]))
        p99.append(checkout["p99_ms"] / max(0.001, 2 * call["p99_ms"]))
    say(f"{clients} clients, vault at {LATENCY_MS} ms, {clients} vault connections; the ideal is twice the call")
    reached("added p50", statistics.median(p50))
    reached("added p99", statistics.median(p99))
