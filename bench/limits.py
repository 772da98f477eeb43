# SPDX-License-Identifier: Apache-2.0
"""Measures at the edges: nothing to do, too much to do, the start, and where the time goes."""

import shutil
import statistics
import subprocess
import time

from output import say
from stage import BIN, Jumpgate, Vault, load, load_command, pinned


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
    done = r.get("checkout", {"per_second": 0, "p50_ms": 0, "p99_ms": 0})
    say(f"10,000 clients, 256 vault connections, 20 ms: {r['most_in_flight']} in flight, {done['per_second']:.0f} check-outs/s, "
        f"p50 {done['p50_ms']:.0f} ms, p99 {done['p99_ms']:.0f} ms, {r['errors']} errors, {r['refused']} refused, "
        f"{r['rss_peak_kb'] / 1024:.0f} MB at most, {health}")


def overload(folder, options):
    crowd(folder, options)
    with Vault(folder, users=1000, latency_ms=20) as vault, Jumpgate(vault, connections=64, timeout="2s") as gate:
        best = load(gate, vault, 256, options.seconds, warmup=3)["checkout"]["per_second"]
    say(f"\n64 vault connections, 20 ms, deadline 2 s: {best:.0f} check-outs/s at most (closed loop, 256 clients); open loop:")
    say(f"{'asked/s':>8} {'answered/s':>11} {'of most':>8} {'p50 ms':>7} {'p99 ms':>7} {'refused':>8} {'late':>6} {'errors':>7} {'peak MB':>8}")
    for factor in (0.8, 2):
        with Vault(folder, users=1000, latency_ms=20) as vault, Jumpgate(vault, connections=64, timeout="2s") as gate:
            health = Health(gate)
            r = load(gate, vault, 4000, 2 * options.seconds, warmup=5, rate=max(1, int(best * factor)), beside=health)
        done = r.get("checkout", {"per_second": 0, "p50_ms": 0, "p99_ms": 0})
        say(f"{r['rate']:8.0f} {done['per_second']:11.0f} {done['per_second'] / best:8.2f} {done['p50_ms']:7.0f} {done['p99_ms']:7.0f}"
            f" {r['refused']:8} {r['late_turns']:6} {r['errors']:7} {r['rss_peak_kb'] / 1024:8.1f}  {health}")


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
    say(f"start to ready with an empty store: {statistics.median(times):.0f} ms (least {min(times):.0f}, {statistics.median(cpu):.0f} ms of CPU); "
        f"stripped {stripped.stat().st_size / 1024:.0f} kB; {rss / 1024:.1f} MB resident")


def profile(folder, options):
    if not shutil.which("perf"):
        say("perf is not installed")
        return
    data = folder / "perf.data"
    with Vault(folder, users=256) as vault, Jumpgate(vault) as gate:
        running = pinned(1, load_command(gate, vault, 64, options.seconds + 2, warmup=1), stdout=subprocess.DEVNULL)
        time.sleep(1.5)
        subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "-o", data, "-p", str(gate.process.pid), "--",
                        "sleep", str(options.seconds)], check=False, capture_output=True)
        running.wait()
    for sort, rows in (("comm", 6), ("dso", 12), ("dso,symbol", 40)):
        report = subprocess.run(["perf", "report", "-i", data, "--stdio", "--no-children", "-g", "none", "-s", sort], check=False,
                                capture_output=True, text=True).stdout
        say("\n".join([line.rstrip() for line in report.splitlines() if line.strip() and not line.startswith("#")][:rows]) + "\n")
