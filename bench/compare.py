# SPDX-License-Identifier: Apache-2.0
"""Two builds against each other: round by round, each in turn, and the ratio within the round."""

import shutil
import statistics

from figures import cpu_us, done
from instructions import measure
from output import begin, say, table
from stage import Jumpgate, Vault, load

LOADS = (("check-out and release", 16, "checkout"), ("check-out and release", 256, "checkout"), ("find, from memory", 64, "find"))


def rounds_of(vault, pair, clients, op, options):
    rounds = []
    for at in range(options.rounds):
        results = {}
        for name in pair if at % 2 == 0 else reversed(pair):  # what comes second finds a warmer machine
            with Jumpgate(vault, binary=pair[name]) as gate:
                results[name] = load(gate, vault, clients, options.seconds, warmup=2, op=op)
        rounds.append(results)
    return rounds


def compare(folder, options):
    pair = {"A": options.ab[0] / "jumpgate", "B": options.ab[1] / "jumpgate"}
    begin("A against B")
    for name, path in pair.items():
        say(f"{name} = {path}")
    for title, clients, op in LOADS:
        with Vault(folder, users=256) as vault:
            rounds = rounds_of(vault, pair, clients, op, options)
        say(f"\n{title}, {clients} clients")
        row = table("build", ("per second", ".0f"), ("CPU us each", ".1f"), ("p50 ms", ".2f"), ("p99 ms", ".2f"), ("peak MB", ".1f"), "errors")
        for name in pair:
            median = lambda value: statistics.median(value(r[name]) for r in rounds)
            row(name, median(lambda r: done(r, op)["per_second"]), median(lambda r: cpu_us(r, op)), median(lambda r: done(r, op)["p50_ms"]),
                median(lambda r: done(r, op)["p99_ms"]), median(lambda r: r["rss_peak_kb"]) / 1024, sum(r[name]["errors"] for r in rounds))
        ratios = sorted(cpu_us(r["B"], op) / max(0.001, cpu_us(r["A"], op)) for r in rounds)
        say(f"CPU time of B over A: {statistics.median(ratios):.3f} (rounds from {ratios[0]:.3f} to {ratios[-1]:.3f})")
    if not shutil.which("valgrind"):
        say("left out, not installed: valgrind")
        return
    say("\ninstructions")
    row = table("operation".ljust(24), ("A each", ",.0f"), ("B each", ",.0f"), ("B over A", ".3f"))
    for title, op in (("check-out and release", "checkout"), ("find, from memory", "find")):
        each = {}
        for name, path in pair.items():
            with Vault(folder, users=64) as vault:
                each[name] = measure(folder, vault, options, op=op, binary=path)["total"]
        row(title, each["A"], each["B"], each["B"] / max(1, each["A"]))
