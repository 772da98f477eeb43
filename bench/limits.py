# SPDX-License-Identifier: Apache-2.0
"""Measures at the edges: nothing to do, too much to do, and the start."""

import shutil
import statistics
import subprocess
import time

from figures import done
from goals import reached
from output import say, table
from stage import BIN, Jumpgate, Vault, load


def context_switches(pid):
    return sum(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if "ctxt_switches" in line)


def idle(folder, options):
    with Vault(folder) as vault, Jumpgate(vault) as gate:
        load(gate, vault, 1, 1)
        time.sleep(1)
        switches, cpu = context_switches(gate.process.pid), gate.cpu_seconds()
        time.sleep(options.seconds)
        say(f"idle for {options.seconds} s: {context_switches(gate.process.pid) - switches} context switches, "
            f"{gate.cpu_seconds() - cpu:.3f} s of CPU, {gate.rss_kb() / 1024:.1f} MB resident")
        reached("idle memory", gate.rss_kb() / 1024)

OPEN_CLIENTS = 2000


class Health:
    """Asks /livez while a load runs."""

    def __init__(self, gate):
        self.gate, self.ms = gate, []

    def __call__(self):
        start = time.monotonic()
        self.gate.get("/livez")
        self.ms.append((time.monotonic() - start) * 1000)

    def __str__(self):
        return f"/livez p50 {statistics.median(self.ms):.0f} ms, worst {max(self.ms):.0f} ms of {len(self.ms)}" if self.ms else "/livez -"


def crowd(folder, options):
    with Vault(folder, users=1000, latency_ms=20) as vault, Jumpgate(vault, connections=256) as gate:
        health = Health(gate)
        r = load(gate, vault, 10000, 2 * options.seconds, warmup=10, beside=health)
    say(f"10,000 clients, 256 vault connections, 20 ms: {r['most_in_flight']} in flight, {done(r)['per_second']:.0f} check-outs/s, "
        f"p50 {done(r)['p50_ms']:.0f} ms, p99 {done(r)['p99_ms']:.0f} ms, {r['errors']} errors, {r['refused']} refused, "
        f"{r['rss_peak_kb'] / 1024:.0f} MB at most, {health}")
    reached("crowd", r["errors"] + r["refused"])
    reached("health", max(health.ms, default=0))


def has_key(name):
    """Whether this build's configuration knows it: an older one is measured without."""
    known = subprocess.run([BIN / "jumpgate", "config", "--defaults"], check=True, capture_output=True, text=True).stdout
    return any(line.lstrip("#; ").startswith(f"{name} =") for line in known.splitlines())


def overload(folder, options):
    crowd(folder, options)
    world = {"users": OPEN_CLIENTS, "latency_ms": 20}  # a user for each client: two of one user share a vault request
    settings = {"connections": 64, "timeout": "2s"}
    with Vault(folder, **world) as vault, Jumpgate(vault, **settings) as gate:
        best = done(load(gate, vault, 256, options.seconds, warmup=3))["per_second"]
    say(f"\n64 vault connections, 20 ms, deadline 2 s: {best:.0f} check-outs/s at most (closed loop, 256 clients); open loop:")
    row = table(("asked/s", ".0f"), "max_wait", ("answered/s", ".0f"), ("of most", ".2f"), ("p50 ms", ".0f"), ("p99 ms", ".0f"), "refused",
                "late", "errors", ("peak MB", ".1f"), "health".ljust(44))
    results = {}
    for factor, wait in [(0.8, None), (2, None)] + ([(2, "250ms")] if has_key("max_wait") else []):
        section = f"max_wait = {wait}" if wait else ""
        with Vault(folder, **world) as vault, Jumpgate(vault, vault_section=section, **settings) as gate:
            health = Health(gate)
            r = load(gate, vault, OPEN_CLIENTS, 2 * options.seconds, warmup=15, rate=max(1, int(best * factor)), beside=health)
        row(r["rate"], wait, done(r)["per_second"], done(r)["per_second"] / max(1, best), done(r)["p50_ms"], done(r)["p99_ms"], r["refused"],
            r["late_turns"], r["errors"], r["rss_peak_kb"] / 1024, str(health))
        results[factor, wait] = done(r)
    reached("overload", results[2, None]["per_second"] / max(1, best))
    if (2, "250ms") in results:
        reached("kept p99", (results[2, "250ms"]["p99_ms"] - 250) / max(1, results[0.8, None]["p99_ms"]))


def start(folder, options):
    times, cpu = [], []
    with Vault(folder) as vault:
        for _ in range(5):
            with Jumpgate(vault) as gate:
                times.append(gate.start_seconds * 1000)
                cpu.append(gate.cpu_seconds() * 1000)
                rss = gate.rss_kb()
    stripped = folder / "stripped"
    shutil.copy(BIN / "jumpgate", stripped)
    subprocess.run(["strip", stripped], check=True)
    size = stripped.stat().st_size / 1024
    say(f"start to ready with an empty store: {statistics.median(times):.0f} ms (least {min(times):.0f}, {statistics.median(cpu):.0f} ms of CPU); "
        f"stripped {size:.0f} kB; {rss / 1024:.1f} MB resident")
    reached("start", statistics.median(times))
    reached("size", size)
