# SPDX-License-Identifier: Apache-2.0
"""What the figures should be: one row for each goal, the only place where a number is wanted.

A measure says what it reached with reached(name, value). The line stays in the measure's section of the report, and the table
at the top of the report is gathered from these lines.
"""

import re

from output import say

AT_LEAST, AT_MOST = ">=", "<="

# name: (what it says, direction, wanted)
GOALS = {
    "peer Go, durable, 16": ("CPU time of Go, durable, over jumpgate's, 16 clients", AT_LEAST, 3),
    "peer Go, durable, 256": ("CPU time of Go, durable, over jumpgate's, 256 clients", AT_LEAST, 3),
    "peer nginx + Lua, not durable, 16": ("CPU time of nginx + Lua, not durable, over jumpgate's, 16 clients", AT_LEAST, 1.2),
    "peer nginx + Lua, not durable, 256": ("CPU time of nginx + Lua, not durable, over jumpgate's, 256 clients", AT_LEAST, 2),
    "peer Go, not durable, 16": ("CPU time of Go, not durable, over jumpgate's, 16 clients", AT_LEAST, 1.5),
    "peer Go, not durable, 256": ("CPU time of Go, not durable, over jumpgate's, 256 clients", AT_LEAST, 2.2),
    "peer Node, not durable, 16": ("CPU time of Node, not durable, over jumpgate's, 16 clients", AT_LEAST, 4),
    "peer Node, not durable, 256": ("CPU time of Node, not durable, over jumpgate's, 256 clients", AT_LEAST, 4),
    "static": ("find from memory, operations per CPU second over nginx serving a file of the same size", AT_LEAST, 0.8),
    "search": ("searches among 20,000 systems per CPU second", AT_LEAST, 10000),
    "syscalls": ("system calls per check-out and release, over the floor of 10", AT_MOST, 1.25),
    "many clients": ("check-outs per CPU second, 1,024 clients over 16 (64 connections)", AT_LEAST, 0.85),
    "added p50": ("1,024 in flight, vault at 200 ms: p50 over the ideal", AT_MOST, 1.01),
    "added p99": ("1,024 in flight, vault at 200 ms: p99 over the ideal's p99", AT_MOST, 1.05),
    "per check-out": ("memory of each check-out in flight beside its vault connection, kB", AT_MOST, 6),
    "per connection": ("memory of each vault connection over TLS, kB", AT_MOST, 64),
    "memory": ("memory of 2,000 check-outs in flight, over that of nginx + Lua", AT_MOST, 1.0),
    "crowd": ("10,000 check-outs at once on 256 connections: errors and refusals", AT_MOST, 0),
    "overload": ("answered at twice the sustainable rate, over the most", AT_LEAST, 0.9),
    "kept p99": ("p99 of who is let in at twice the sustainable rate with max_wait 250ms, less that wait, over p99 at 0.8 of it", AT_MOST, 1.5),
    "health": ("/livez with 10,000 check-outs in flight, worst, ms", AT_MOST, 50),
    "durable, 64": ("rate with journal and audit on disk over tmpfs, 64 in flight", AT_LEAST, 0.85),
    "new TLS, full": ("CPU time of a new TLS connection, over that of OpenSSL by itself", AT_MOST, 1.15),
    "new TLS, resumed": ("CPU time of a new TLS connection with a resumed session, over that of OpenSSL by itself", AT_MOST, 1.15),
    "start": ("start to ready, empty store, ms", AT_MOST, 50),
    "size": ("program without symbols, kB", AT_MOST, 3072),
    "idle memory": ("resident when idle, MB", AT_MOST, 12),
    "poll, one": ("4,096 leases, one session ends, polling each 15 s: its check-in, worst, s", AT_MOST, 20),
    "poll, all": ("4,096 leases, all sessions end, polling each 15 s: the last check-in, s", AT_MOST, 35),
    "event, one": ("4,096 leases, one session ends, by event: its check-in, worst, s", AT_MOST, 1),
    "event, all": ("4,096 leases, all sessions end, by event: the last check-in, s", AT_MOST, 20),
    "poll calls": ("reports asked for in each poll, 10,000 leases", AT_MOST, 1),
    "poll calls, no lease": ("reports asked for without a lease", AT_MOST, 0),
    "rows, right": ("a listing of 50,000 rows: leases that are right, of all", AT_LEAST, 1),
    "rows, lag": ("a listing of 50,000 rows: longest iteration of the loop, ms", AT_MOST, 50),
    "rows, memory": ("a listing of 50,000 rows: memory that stays, MB", AT_MOST, 4),
    "faults": ("median of find or check-out with any fault of the PRA site, over that without, ms", AT_MOST, 5),
    "faults, leases": ("leases that a fault of the PRA site ended", AT_MOST, 0),
    "etcd adds, check-out": ("etcd beside a file, one caller: added to the median check-out, ms", AT_MOST, 8),
    "etcd adds, repeat": ("etcd beside a file, one caller: added to the median repeated check-out, ms", AT_MOST, 2),
    "etcd adds, release": ("etcd beside a file, one caller: added to the median release, ms", AT_MOST, 8),
    "flights, 1": ("transactions of etcd for a check-out with release, alone", AT_MOST, 4),
    "flights, 16": ("transactions of etcd for a check-out with release, 16 in flight", AT_MOST, 1),
    "flights, 256": ("transactions of etcd for a check-out with release, 256 in flight", AT_MOST, 0.2),
    "CPU on etcd": ("CPU time of the gateway for a check-out on etcd, over that on a file, 16 clients", AT_MOST, 2),
    "CPU on etcd, same rate": ("CPU time of the gateway for a check-out on etcd, over that on a file, 16 clients, both at one rate", AT_MOST, 2),
    "three gateways": ("three gateways on one etcd, over one: by CPU time each", AT_LEAST, 2.7),
    "death, median": ("death of a gateway to the last check-in of what it had to give back, median, s", AT_MOST, 8.5),
    "death, p99": ("death of a gateway to the last check-in of what it had to give back, p99, s", AT_MOST, 11),
    "death, most": ("death of a gateway to the last check-in of what it had to give back, worst, s", AT_MOST, 15),
    "keyed, wrong": ("500 sessions on 50 credentials of a vault without numbers, a tenth of the answers lost: overlaps and wrong passwords", AT_MOST, 0),
    "keyed, back": ("the same: from the end of the last session until all is given back, less settle, s", AT_MOST, 20),
    "keyed, finds": ("calls that 1,000 finds make to such a vault", AT_MOST, 0),
    "beside, p50": ("p50 of a Password Safe while such a vault hangs with 500 check-outs, over alone", AT_MOST, 1.1),
    "beside, errors": ("the same: errors", AT_MOST, 0),
    "soak memory": ("growth of memory at the end of the soak, % per minute", AT_MOST, 0.1),
    "soak errors": ("errors and refusals in the soak", AT_MOST, 0),
}

LINE = re.compile(r"goal: (?P<what>.+): wanted (?P<way>>=|<=) (?P<wanted>\S+), reached (?P<reached>\S+), (?P<met>yes|no)")


def number(value):
    return f"{value:.2f}".rstrip("0").rstrip(".")


def reached(name, value):
    what, way, wanted = GOALS[name]
    met = value >= wanted if way == AT_LEAST else value <= wanted
    say(f"goal: {what}: wanted {way} {number(wanted)}, reached {number(value)}, {'yes' if met else 'no'}")


def read(lines):
    """The goals in a section's lines: dicts with what, way, wanted, reached, met."""
    return [found.groupdict() for found in map(LINE.fullmatch, lines) if found]


def distance(row):
    """How far from met: 1 = met exactly, below 1 = missed."""
    wanted, value = float(row["wanted"]), float(row["reached"])
    if row["way"] == AT_LEAST:
        return value / wanted if wanted else 1
    return wanted / value if value else 1
