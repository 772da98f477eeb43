# SPDX-License-Identifier: Apache-2.0
"""Hours in small: a mix at half of what can be sustained, a row each minute, and whether anything grows.

Two load tools run beside each other: the mix over kept connections in an open loop, and finds each over a TLS connection of its
own. A list is remembered for 5 s, so that some finds ask the vault. The audit file is rotated as an operator would: renamed, then
SIGUSR1; older files are removed.
"""

import json
import os
import signal
import subprocess
import threading

from figures import NONE, done, slope
from goals import reached
from output import say, table
from stage import Jumpgate, Vault, load, load_command, pinned

MIX = {"op": ["checkout=2", "find=3", "search=1"]}
CLIENTS = 256
ROTATE_BYTES = 64 << 20


def soaked(vault):
    return Jumpgate(vault, tls=True, list_cache="5s")


def sustainable(vault, options):
    with soaked(vault) as gate:
        r = load(gate, vault, CLIENTS, options.seconds, warmup=5, **MIX)
    return sum(done(r, op)["per_second"] for op in ("checkout", "find", "search"))


def size_mb(folder, *names):
    return sum((folder / name).stat().st_size for name in names if (folder / name).exists()) / 1048576


class Watch:
    """What is read from outside at the end of each minute."""

    def __init__(self, gate):
        self.gate, self.rotated, self.points, self.bad = gate, 0, [], 0

    def rotate(self):
        audit = self.gate.state / "audit.jsonl"
        if audit.exists() and audit.stat().st_size > ROTATE_BYTES:
            self.rotated += 1
            audit.rename(audit.with_name("audit.old"))
            self.gate.process.send_signal(signal.SIGUSR1)

    def now(self):
        pid = self.gate.process.pid
        return (self.gate.rss_kb() / 1024, len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task")),
                int(self.gate.metric("jumpgate_leases")), size_mb(self.gate.state, "leases.db", "leases.db-wal"),
                size_mb(self.gate.state, "audit.jsonl"))


def new_connections(gate, vault, folder, seconds, rate, stop):
    """The second load tool; its errors and refusals when it has ended."""
    process = pinned(1, load_command(gate, vault, 16, seconds, 1, address=gate.tls_address, op="find", reconnect=True, tls=True,
                                     ca=folder / "ca.pem", rate=rate), stdout=subprocess.PIPE)

    def read():
        for line in process.stdout:
            row = json.loads(line)
            if "errors" in row:
                stop.append(row)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return process, thread


def verdict(watch, seconds_each, errors):
    second_half = watch.points[len(watch.points) // 2:]
    kb = slope([(at * seconds_each / 60, rss * 1024) for at, rss in second_half])
    end = watch.points[-1][1] if watch.points else 1
    share = kb / 1024 / end * 100
    say(f"memory in the second half: {kb:+.1f} kB a minute ({share:+.2f} %), {errors} errors and refusals, audit rotated {watch.rotated} times")
    reached("soak memory", max(0.0, share))
    reached("soak errors", errors)


def soak(folder, options):
    minutes = options.minutes
    row_seconds = 60 if minutes >= 5 else 15
    with Vault(folder, users=CLIENTS, options=("--max-concurrent", 0)) as vault:
        rate = max(10, int(sustainable(vault, options) / 2))
        say(f"{minutes} minutes at {rate} turns a second (half of the most): two check-outs with release to three finds and one search; "
            f"{max(1, rate // 50)} finds a second over new TLS connections\n")
        row = table("minute", ("turns/s", ".0f"), ("check-out p50", ".1f"), ("p99 ms", ".1f"), ("find p99", ".1f"), ("RSS MB", ".1f"), "files",
                    "threads", "leases", ("journal MB", ".1f"), ("audit MB", ".1f"), "refused", "errors")
        with soaked(vault) as gate:
            watch, others = Watch(gate), []

            def on_row(r):
                now = watch.now()
                watch.points.append((len(watch.points) + 1, now[0]))
                watch.bad += r["errors"] + r["refused"]
                turns = sum(r.get(op, NONE)["per_second"] for op in ("checkout", "find", "search"))
                row(f"{len(watch.points) * row_seconds / 60:g}", turns, done(r)["p50_ms"], done(r)["p99_ms"], done(r, "find")["p99_ms"], *now,
                    r["refused"], r["errors"])
                watch.rotate()

            seconds = minutes * 60 + 1  # the last row is said before the end
            process, thread = new_connections(gate, vault, folder, seconds, max(1, rate // 50), others)
            load(gate, vault, CLIENTS, seconds, warmup=5, rate=rate, every=row_seconds, on_row=on_row, **MIX)
            process.wait(60)
            thread.join(10)
            left = gate.metric("jumpgate_leases")
        newest = others[-1] if others else {"errors": 1, "refused": 0, "connections": 0}
        say(f"over new connections: {newest['connections']} connections, {newest['errors']} errors, {newest['refused']} refused; "
            f"{left:.0f} leases open at the end")
        verdict(watch, row_seconds, watch.bad + newest["errors"] + newest["refused"])
