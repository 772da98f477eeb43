# SPDX-License-Identifier: Apache-2.0
"""What one operation costs: CPU time, calls of the vault, system calls."""

import collections
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

from figures import cpu_us, done
from goals import reached
from output import say, table
from stage import Jumpgate, Vault, load, load_command, pinned

SYSTEMS = 20000
FLOOR = 10  # a read and a write for each of two requests of the client and three calls of the vault


def counted(gate, vault, clients, options, **more):
    """A load whose result says how many calls it made of the vault."""
    calls = []
    count = lambda: calls.append(vault.calls())
    result = load(gate, vault, clients, options.seconds, on_measuring=count, on_over=count, **more)
    result["vault_calls"] = calls[1] - calls[0]
    return result


def throughput(folder, options):
    row = table("clients", ("check-outs/s", ".0f"), ("p50 ms", ".2f"), ("p99 ms", ".2f"), ("CPU s/1000", ".3f"),
                ("vault calls each", ".2f"), ("peak MB", ".1f"), "errors")
    for clients in (1, 16, 256):
        with Vault(folder, users=256) as vault, Jumpgate(vault) as gate:
            r = counted(gate, vault, clients, options)
        row(clients, done(r)["per_second"], done(r)["p50_ms"], done(r)["p99_ms"], cpu_us(r) / 1000,
            r["vault_calls"] / max(1, done(r)["count"]), r["rss_peak_kb"] / 1024, r["errors"])
    say("one check-out here is check-out and release together: three vault calls, two answers\n")
    row = table("from memory", ("per second", ".0f"), ("p50 ms", ".2f"), ("p99 ms", ".2f"), ("CPU s/1000", ".3f"),
                ("vault calls each", ".4f"), ("peak MB", ".1f"), "errors")
    for op, world in (("find", {"users": 256}), ("search", {"users": 4, "systems": SYSTEMS, "truth": False})):
        with Vault(folder, **world) as vault, Jumpgate(vault) as gate:
            r = counted(gate, vault, 64, options, warmup=8 if op == "search" else 2, op=op)
        row(op, done(r, op)["per_second"], done(r, op)["p50_ms"], done(r, op)["p99_ms"], cpu_us(r, op) / 1000,
            r["vault_calls"] / max(1, done(r, op)["count"]), r["rss_peak_kb"] / 1024, r["errors"])
    reached("search", 1e6 / cpu_us(r, "search"))
    say(f"64 clients; the find among one account for each host, the search among {SYSTEMS} systems for each of 4 users")


def many(folder, options):
    """Flat as the load grows: the same pool, more clients. With more vault users than connections a call costs a connect."""
    rounds = []
    variants = ((16, 64, 4), (1024, 64, 4), (1024, 1024, 12))  # clients, users, seconds until all are signed in
    with Vault(folder, users=1024) as vault:
        for _ in range(options.rounds):
            group = []
            for clients, users, warmup in variants:
                with Jumpgate(vault, connections=64) as gate:
                    group.append(load(gate, vault, clients, options.seconds, warmup=warmup, users=users))
            rounds.append(group)
    row = table("clients", "vault users", ("check-outs/s", ".0f"), ("per CPU second", ".0f"), ("p50 ms", ".2f"), ("p99 ms", ".2f"),
                ("peak MB", ".1f"), "errors")
    for at, (clients, users, _) in enumerate(variants):
        median = lambda value: statistics.median(value(r[at]) for r in rounds)
        row(clients, users, median(lambda r: done(r)["per_second"]), median(lambda r: 1e6 / cpu_us(r)), median(lambda r: done(r)["p50_ms"]),
            median(lambda r: done(r)["p99_ms"]), median(lambda r: r["rss_peak_kb"]) / 1024, sum(r[at]["errors"] for r in rounds))
    say("64 vault connections")
    reached("many clients", statistics.median(cpu_us(few) / cpu_us(lots) for few, lots, _ in rounds))


# ---- system calls -----------------------------------------------------------------------------------------------------------


def traced(pid, seconds, count):
    """{system call: times} and how far `count` went while strace looked on."""
    with tempfile.NamedTemporaryFile("r") as out:
        tracer = subprocess.Popen(["strace", "-f", "-c", "-U", "name,calls", "-o", out.name, "-p", str(pid)], stdin=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE)
        tracer.stderr.readline()  # "attached": it counts from now on
        before = count()
        time.sleep(seconds)
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=60)
        operations = count() - before
        rows = [line.split() for line in out]
    return {fields[0]: int(fields[1]) for fields in rows if len(fields) == 2 and fields[1].isdigit() and fields[0] != "total"}, operations


def operations_of(gate, requests):
    return lambda: gate.metric("jumpgate_requests_total") / requests


def syscalls(folder, options):
    if not shutil.which("strace"):
        say("left out, not installed: strace")
        return
    row = table("operation".ljust(22), "clients", ("each", ".2f"), ("floor", "d"), ("over floor", ".2f"))
    kinds = {}
    for name, clients, requests, floor, more in (("check-out and release", 16, 2, FLOOR, {}), ("check-out and release", 256, 2, FLOOR, {}),
                                                 ("find, from memory", 64, 1, 2, {"op": "find"})):
        with Vault(folder, users=256) as vault, Jumpgate(vault, gateway="sandbox = off") as gate:
            running = pinned(1, load_command(gate, vault, clients, options.seconds + 6, warmup=2, **more), stdout=subprocess.DEVNULL)
            time.sleep(2.5)
            calls, operations = traced(gate.process.pid, options.seconds, operations_of(gate, requests))
            running.terminate()
            running.wait()
        each = sum(calls.values()) / max(1, operations)
        row(name, clients, each, floor, each / floor)
        kinds[name, clients] = collections.Counter({call: n / max(1, operations) for call, n in calls.items()})
    for (name, clients), counter in kinds.items():
        say(f"most of {name}, {clients}: " + ", ".join(f"{call} {n:.2f}" for call, n in counter.most_common(9)))
    say("strace slows the gateway, so that more is found ready at once than without it; disk threads included")
    reached("syscalls", sum(kinds["check-out and release", 16].values()) / FLOOR)
