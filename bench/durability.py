# SPDX-License-Identifier: Apache-2.0
"""Measures around the lease store: what durability costs, how long a restart takes, what an open lease weighs."""

import os
import pathlib
import shutil
import sqlite3
import statistics
import time

from figures import cpu_us, done
from goals import reached
from output import say, table
from stage import FIRST_ACCOUNT, Jumpgate, Vault, load

LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"


def fdatasync_rate(folder, seconds=1.0):
    """Appends of 4 kB made durable one by one, per second: what the disk gives a writer without group commit."""
    path, n = folder / "fdatasync", 0
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        os.pwrite(fd, b"x" * 4096, n * 4096)
        os.fdatasync(fd)
        n += 1
    os.close(fd)
    path.unlink()
    return n / seconds


def durable_run(vault, clients, seconds, state):
    with Jumpgate(vault, connections=256, state=state) as gate:
        load(gate, vault, clients, 1)
        commits, made = gate.metric("jumpgate_store_commits_total"), gate.metric("jumpgate_requests_total")
        r = load(gate, vault, clients, seconds, warmup=4 if clients > 256 else 2)
        # counted over the whole run, warm-up included: both counters are the gateway's own
        made = (gate.metric("jumpgate_requests_total") - made) / 2
        r["commits"] = (gate.metric("jumpgate_store_commits_total") - commits) / max(1, made)
    return r


def durable(folder, options):
    memory, ratios = pathlib.Path("/dev/shm") / folder.name, {}
    row = table("in flight", ("fdatasync/s", ".0f"), ("check-outs/s", ".0f"), ("on tmpfs", ".0f"), ("ratio", ".2f"), ("CPU ratio", ".2f"),
                ("commits each", ".2f"), ("p99 ms", ".1f"), "errors")
    for clients in (1, 64, 1024):
        rounds = []
        with Vault(folder, users=1024) as vault:
            for _ in range(options.rounds):
                raw = fdatasync_rate(folder)
                rounds.append((raw, durable_run(vault, clients, options.seconds, folder / "state"),
                               durable_run(vault, clients, options.seconds, memory)))
        middle = lambda value: statistics.median(value(*r) for r in rounds)
        rate = lambda r: done(r)["per_second"]
        ratio = middle(lambda raw, d, m: rate(d) / max(1, rate(m)))
        row(clients, middle(lambda raw, d, m: raw), middle(lambda raw, d, m: rate(d)), middle(lambda raw, d, m: rate(m)), ratio,
            middle(lambda raw, d, m: cpu_us(m) / max(0.001, cpu_us(d))), middle(lambda raw, d, m: d["commits"]),
            middle(lambda raw, d, m: done(d)["p99_ms"]), sum(d["errors"] + m["errors"] for _, d, m in rounds))
        ratios[clients] = ratio
    shutil.rmtree(memory, ignore_errors=True)
    say("a check-out with its release is four steps of the store (ask, open, return, close) and at least two records of the audit; `ratio` is its rate on disk\n"
        "over that on a tmpfs in the same round, `CPU ratio` the same of operations per CPU second")
    reached("durable, 64", ratios[64])


def lease_id(n):
    text = ""
    while n:
        n, digit = divmod(n, 32)
        text = LETTERS[digit] + text
    return text.rjust(26, "0")


def fill_store(path, count, due, vault):
    """Open leases: the first `due` end 5 to 10 seconds from now, the others in a day."""
    now = int(time.time() * 1000)

    def rows(i):
        user, system = f"user{1 + i % vault.users}", FIRST_ACCOUNT + i // vault.users % vault.systems
        ends = now + 5000 + 5000 * i // due if i < due else now + 86400000 + i
        holder = (user, "ACME", f"restart-{i}", f"j1.sim.l.{system}.{system}.0", now - 60000)
        return ((lease_id(i + 1), f"ACME\\{user}", str(1000000 + i), ends, *holder), (lease_id(i + 1), lease_id(i + 1), *holder))

    with sqlite3.connect(path) as store:
        both = [rows(i) for i in range(count)]
        store.executemany("INSERT INTO vault_request (mark, state, vault, url, user, name, adopted, expires_ms, attempts, next_ms, "
                          "last_error, lsid, username, domain, session, credential, system, account, created_ms) "
                          "VALUES (?,1,'sim','',?,?,0,?,0,0,'','',?,?,?,?,'','',?)", (request for request, _ in both))
        store.executemany("INSERT INTO lease (request, id, username, domain, session, credential, created_ms, lsid, ended, ended_site, "
                          "system, account) VALUES (?,?,?,?,?,?,?,'',0,'','','')", (lease for _, lease in both))
    store.close()
    return now


def restart(folder, options):
    """The simulator does not know the requests: a check-in of one that is gone counts as done, as it should."""
    with Vault(folder, users=1000, systems=200, latency_ms=20) as vault:
        rates = "reconcile_every = 24h\nreconcile_rate = 1/s"
        with Jumpgate(vault, gateway=rates) as gate:
            empty_kb, empty_cpu = gate.rss_kb(), gate.cpu_seconds()
        count, due = 100000, 2000
        began = fill_store(gate.state / "leases.db", count, due, vault)
        with Jumpgate(vault, gateway=rates, keep_state=True) as gate:
            cpu, full_kb = gate.cpu_seconds(), gate.rss_kb()
            ends, late, watched = began / 1000 + 10, 0.0, []
            while time.time() < ends + 8:
                late = max(late, gate.metric("jumpgate_lease_oldest_overdue_seconds"))
                watched.append((time.time() - began / 1000, count - gate.metric("jumpgate_leases")))
                if watched[-1][1] >= due:
                    break
                time.sleep(0.1)
            sim = vault.ask("/state")
            check_ins = sum(row["calls"] for name, row in sim["calls"].items() if "heckin" in name)
        say(f"{count} open leases: ready after {gate.start_seconds * 1000:.0f} ms, {cpu:.2f} s of CPU (empty store: {empty_cpu:.2f} s), "
            f"{(full_kb - empty_kb) * 1024 / count:.0f} bytes resident per lease")
        say(f"{due} due from 5 s to 10 s after the store was written: all but {max(0, due - watched[-1][1]):.0f} checked in "
            f"{watched[-1][0]:.1f} s after it, oldest overdue at any time {late:.2f} s, "
            f"most vault calls at once {sim['in_flight_max']}, {check_ins} check-in calls")


def leases(folder, options):
    """Each lease a session, user and account of its own, so that each has its own request at the vault."""
    with Vault(folder, users=200, systems=100, options=("--max-concurrent", 0)) as vault, \
            Jumpgate(vault, gateway="explain_entries = 0") as gate:
        sizes = []
        for count in (1000, 19000):
            r = load(gate, vault, 16, 600, warmup=0, keep=True, count=count, **({"first-turn": 1000} if count > 1000 else {}))
            time.sleep(1)
            sizes.append((gate.metric("jumpgate_leases"), gate.rss_kb(), r["errors"]))
        (n0, kb0, _), (n1, kb1, _) = sizes
        say(f"{n0:.0f} open leases: {kb0 / 1024:.1f} MB; {n1:.0f}: {kb1 / 1024:.1f} MB; "
            f"{(kb1 - kb0) * 1024 / (n1 - n0):.0f} bytes per open lease; {sum(s[2] for s in sizes)} errors")
