# SPDX-License-Identifier: Apache-2.0
"""Measures of the link to a PRA site: how soon a lease ends after its session, and what the site costs the gateway.

The site is pra-sim over TLS, on the core of the vault and the load tool. The vault answers after 10 ms. Each lease has a session,
a user and a vault request of its own, so each end is a check-in at the vault. A time runs from the end at the site to the check-in
at the vault, as the vault's admin port shows it.
"""

import concurrent.futures
import hashlib
import http.client
import json
import statistics
import subprocess
import time
import urllib.request

from figures import NONE, done
from goals import reached
from output import say, table
from stage import BIN, FIRST_ACCOUNT, TOKEN, Broker, Jumpgate, Vault, addresses, load, pinned, private

CLIENT_ID, CLIENT_SECRET, EVENTS_TOKEN = "c" * 40, "bench-secret", "bench-events"
LEASES, MANY_LEASES, ROWS, AMONG_ROWS = 4096, 10000, 50000, 1000
POLL = 15  # seconds; the default
PATIENCE = 180  # seconds until a wait is given up
LISTING = "AccessSessionListing"
SENT_SEPARATELY = ("AccessSession", "AccessSessionSummary")  # the reports of single sessions: never asked for by polling

# Faults of pra-sim; "refused" and "paused" are made by its listener and by a stopped process.
FAULTS = ("status", "html500", "unavailable", "throttle", "page", "error", "html", "redirect", "token_refused", "status_after",
          "page_after", "error_after", "html_after", "drop_before", "reset", "hang", "drop_after", "truncate", "garbage", "slow",
          "wrong_length", "short_length", "cut", "empty", "oversize", "wrong_type", "namespace", "unknown_root", "doctype", "entities",
          "bad_row", "deep", "no_end", "trailing", "bad_utf8", "close", "extra", "chunked", "no_length", "informational")


class Site(Broker):
    """pra-sim over TLS with one API account."""

    def __init__(self, folder, options=()):
        command = [BIN / "pra-sim", "--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET, "--certificate", folder / "server.pem",
                   "--key", folder / "server.key", *options]
        self.folder = folder
        self.process = pinned(1, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        found = addresses(self.process, {"api", "admin"})
        self.address, self.admin = found["api"], found["admin"]

    def ask(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.admin}{path}", data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def start(self, count, **values):
        """Starts sessions; their lsids."""
        return self.ask("/sessions", {"count": count, "events": False, **values})["lsids"]

    def end(self, lsids, events):
        return self.ask("/sessions/end", {"lsids": lsids, "events": events})["ended"]

    def calls(self, *names):
        rows = self.ask("/counts")["calls"]
        return sum(rows[name]["calls"] for name in names if name in rows)

    def recipient(self, gate):
        self.ask("/recipients", {"name": "gateway", "url": f"https://{gate.tls_address}/v1/events/pra?token={EVENTS_TOKEN}",
                                 "ca_file": str(self.folder / "ca.pem"), "events": ["end"]})

    def section(self, **keys):
        """The gateway's section for this site; written behind the vault's."""
        private(self.folder / "pra.secret", CLIENT_SECRET)
        rows = {"url": f"https://{self.address}", "ca_file": self.folder / "ca.pem", "client_id": CLIENT_ID,
                "client_secret_file": self.folder / "pra.secret",
                "events_token_sha256": hashlib.sha256(EVENTS_TOKEN.encode()).hexdigest(), **keys}
        return "\n[pra site]\n" + "".join(f"{key} = {value}\n" for key, value in rows.items())


def linked(vault, site, keys=None, **more):
    return Jumpgate(vault, connections=64, tls=True, vault_section=site.section(**(keys or {})), **more)


def check_out(gate, numbers, lsids):
    """Check-outs over one kept connection; how many were refused."""
    host, port = gate.address.rsplit(":", 1)
    connection, bad = http.client.HTTPConnection(host, int(port), timeout=60), 0
    for i, lsid in zip(numbers, lsids):
        account = FIRST_ACCOUNT + i
        body = json.dumps({"session": {"id": lsid, "user": {"username": f"user{1 + i}", "domain": "ACME"},
                                       "jump_item": {"method": "shell", "hostname": f"srv{1 + i}"}},
                           "credential_id": f"j1.sim.l.{account}.{account}.0", "duration_minutes": 120})
        connection.request("POST", "/v1/credentials/checkout", body, {"Authorization": f"Bearer {TOKEN}",
                                                                      "Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        bad += answer.status != 200
    connection.close()
    return bad


def open_leases(gate, lsids, threads=16):
    """A lease for each session, the i-th on the i-th system for the i-th user."""
    parts = [range(k, len(lsids), threads) for k in range(threads)]
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        bad = sum(pool.map(lambda part: check_out(gate, part, [lsids[i] for i in part]), parts))
    assert not bad, f"{bad} of {len(lsids)} check-outs were refused"


def checked_in(vault):
    """Check-ins that the vault has answered."""
    return vault.ask("/counts")["calls"].get("PUT Requests/{id}/Checkin", {}).get("statuses", {}).get("204", 0)


def ended(vault, site, lsids, events):
    """Seconds from the ends at the site to the last check-in at the vault. No other lease may end."""
    wanted, start = checked_in(vault) + len(lsids), time.monotonic()
    assert site.end(lsids, events) == len(lsids)
    while checked_in(vault) < wanted:
        assert time.monotonic() - start < PATIENCE, f"{wanted - checked_in(vault)} of {len(lsids)} check-ins are missing"
        time.sleep(0.01)
    seconds = time.monotonic() - start
    assert checked_in(vault) == wanted
    return seconds


def settled(gate, leases):
    """The gateway has the answers to the check-ins that the vault has counted."""
    end = time.monotonic() + PATIENCE
    while gate.metric("jumpgate_leases") != leases:
        assert time.monotonic() < end, f"{gate.metric('jumpgate_leases'):.0f} leases are open, {leases} expected"
        time.sleep(0.05)


def early_release(folder, options):
    """By polling with the default interval, and by events without polling."""
    row = table("way".ljust(26), ("one, s", ".2f"), ("worst, s", ".2f"), (f"all {LEASES}, s", ".1f"), ("CPU s/1000", ".2f"))
    results = {}
    ways = [("poll", "polling, each 15 s", "close", {}), ("event", "events, connection closed", "close", {"poll_interval": "0s"}),
            ("kept", "events, connection kept", "keep", {"poll_interval": "0s"})]
    for way, title, connection, keys in ways:
        with Vault(folder, users=LEASES, latency_ms=10, truth=False) as vault, \
                Site(folder, ["--knob", f"event_connection={connection}"]) as site, linked(vault, site, keys) as gate:
            lsids = site.start(LEASES)
            open_leases(gate, lsids)
            if way != "poll":
                site.recipient(gate)
            count = options.rounds if way == "poll" else 20
            single = [ended(vault, site, [lsids[i]], way != "poll") for i in range(count)]
            cpu = gate.cpu_seconds()
            results[way] = (max(single), ended(vault, site, lsids[count:], way != "poll"))
            row(title, statistics.median(single), *results[way], 1000 * (gate.cpu_seconds() - cpu) / (LEASES - count))
            settled(gate, 0)
    say(f"{LEASES} leases open, one vault request each, vault at 10 ms; one session ends ({options.rounds} times by polling, 20 by\n"
        "events), then all others in one moment; until their check-ins are at the vault. CPU of the gateway for 1,000 of these, check-ins\n"
        "included")
    reached("poll, one", results["poll"][0])
    reached("poll, all", results["poll"][1])
    reached("event, one", results["event"][0])
    reached("event, all", results["event"][1])


def quiet_polls(folder, seconds):
    """What the site is asked without a lease and with many, none of which ends."""
    with Vault(folder, users=MANY_LEASES, truth=False) as vault, Site(folder) as site, linked(vault, site) as gate:
        lsids = site.start(MANY_LEASES)
        time.sleep(seconds)
        without = site.calls(LISTING, *SENT_SEPARATELY)
        open_leases(gate, lsids)
        site.ask("/log", method="DELETE")
        cpu, start = gate.cpu_seconds(), time.monotonic()
        time.sleep(4 * POLL + 2)
        seconds, cpu = time.monotonic() - start, gate.cpu_seconds() - cpu
        listings = [entry["at_ms"] for entry in site.ask("/log?last=20000") if entry["call"] == LISTING]
        other = site.calls(*SENT_SEPARATELY)
        left = gate.metric("jumpgate_leases")
    polls = 1 + round((listings[-1] - listings[0]) / (1000 * POLL))
    say(f"{MANY_LEASES} leases, none ends, {seconds:.0f} s: {len(listings)} listings in {polls} polls, {other} other reports, "
        f"{left:.0f} leases left, {cpu:.2f} s of CPU; without a lease, {without} reports")
    reached("poll calls", (len(listings) + other) / polls)
    reached("poll calls, no lease", without)


class Lag:
    """Asks for the longest iteration of the loop while something runs."""

    def __init__(self, gate):
        self.gate, self.worst_ms = gate, 0.0

    def __call__(self):
        self.worst_ms = max(self.worst_ms, 1000 * self.gate.metric("jumpgate_loop_lag_seconds"))


def long_listing(folder):
    """A listing with many rows that are no lease's, and some that are."""
    keys = {"poll_interval": "2s", "max_answer": "64M"}
    with Vault(folder, users=AMONG_ROWS, latency_ms=10, truth=False) as vault, Site(folder) as site, linked(vault, site, keys) as gate:
        lsids = site.start(AMONG_ROWS)
        open_leases(gate, lsids)
        time.sleep(12)  # the lag of the check-outs is forgotten after 10 s
        idle_kb, peak_kb, lag = gate.rss_kb(), 0, Lag(gate)
        lag()
        before_ms, lag.worst_ms = lag.worst_ms, 0.0
        ending = lsids[::2]
        site.start(ROWS, ended=True, end_ago_ms=0)
        site.end(ending, False)
        start = time.monotonic()
        while checked_in(vault) < len(ending) and time.monotonic() - start < PATIENCE:
            peak_kb = max(peak_kb, gate.rss_kb())
            lag()
            time.sleep(0.05)
        seconds = time.monotonic() - start
        for _ in range(12):
            peak_kb = max(peak_kb, gate.rss_kb())
            lag()
            time.sleep(0.5)
        with urllib.request.urlopen(request_leases(gate), timeout=60) as answer:
            kept = {lease["lsid"] for lease in json.load(answer)["leases"]}
        site.ask("/sessions", method="DELETE")
        time.sleep(5)  # listings without rows
        right = sum(lsid in kept for lsid in lsids[1::2]) + sum(lsid not in kept for lsid in ending)
        after_kb = gate.rss_kb()
    say(f"a listing of {ROWS + len(ending)} rows, {len(ending)} of {AMONG_ROWS} leases end: {right} leases right after {seconds:.1f} s; "
        f"longest iteration of the loop {lag.worst_ms:.1f} ms ({before_ms:.1f} ms before); "
        f"{idle_kb / 1024:.1f} MB before, {peak_kb / 1024:.1f} at most, {after_kb / 1024:.1f} after")
    reached("rows, right", right / AMONG_ROWS)
    reached("rows, lag", lag.worst_ms)
    reached("rows, memory", (after_kb - idle_kb) / 1024)


def request_leases(gate):
    return urllib.request.Request(f"http://{gate.address}/v1/leases?limit=1000", headers={"Authorization": f"Bearer {TOKEN}"})


def medians(gate, vault, seconds):
    """Median of find and of check-out in a closed loop of 4 clients."""
    r = load(gate, vault, 4, seconds, warmup=0, op=["find=1", "checkout=1"])
    assert r["errors"] + r["refused"] == 0, r
    return [done(r, op)["p50_ms"] for op in ("find", "checkout")]


def faults(folder, options):
    """Each fault on every call to the site, against the mean of the runs without a fault before and behind it."""
    keys = {"poll_interval": "1s", "probe_interval": "1s", "check_interval": "1s", "rate": "10/s"}
    seconds, worst = max(1, options.seconds // 3), {}
    with Vault(folder, users=64) as vault, Site(folder) as site, linked(vault, site, keys) as gate:
        check_out(gate, [60], site.start(1))  # a lease with a key, so that there are polls
        before = medians(gate, vault, seconds)
        nothing = []
        for fault in FAULTS:
            site.ask("/faults", {"action": fault})
            time.sleep(0.5)
            with_fault = medians(gate, vault, seconds)
            site.ask("/faults", method="DELETE")
            after = medians(gate, vault, seconds)
            slower = [with_fault[k] - (before[k] + after[k]) / 2 for k in (0, 1)]
            worst[fault] = max(slower)
            nothing += [abs(after[k] - before[k]) for k in (0, 1)]
            before = after
        left = gate.metric("jumpgate_leases")
    slowest = sorted(worst, key=worst.get, reverse=True)[:3]
    say(f"{len(FAULTS)} faults, each on all calls to the site: median of find or check-out slower by {worst[slowest[0]]:.2f} ms at most ("
        + ", ".join(f"{fault} {worst[fault]:.2f}" for fault in slowest)
        + f"); two runs without a fault differ by {max(nothing):.2f} ms at most; {left:.0f} of 1 leases left")
    reached("faults", worst[slowest[0]])
    reached("faults, leases", 1 - left)


def pra(folder, options):
    early_release(folder, options)
    say()
    quiet_polls(folder, 2 * POLL)
    say()
    long_listing(folder)
    say()
    faults(folder, options)
