# SPDX-License-Identifier: Apache-2.0
"""A vault without numbers, ends and marks (Privileged Identity, pi-sim): many sessions that share few credentials while answers are
lost, finds that make no call, and a Password Safe beside it while it hangs.
"""

import concurrent.futures
import http.client
import itertools
import json
import statistics
import subprocess
import threading
import time

from figures import done
from goals import reached
from output import say, table
from stage import BIN, TOKEN, Broker, Jumpgate, Vault, addresses, load, pinned, private

KEYS, SESSIONS, USERS = 50, 500, ("ann", "bob")
SETTLE, LOST = 10, 0.1  # seconds; the share of answers
CALLERS = 50
IDENTITY, PASSWORD = "svc-gateway", "Wheel+of/fortune=9"
PATIENCE = 180  # seconds until a wait is given up
WAITING = 500  # check-outs at the vault that hangs, beside those that are measured
FINDS = 1000
RATE = 40  # of the vault that is measured: slow enough for a busy machine


class Keyed(Broker):
    """pi-sim with KEYS credentials of one shared list."""

    def __init__(self, folder, latency_ms=5):
        self.folder = folder
        self.process = pinned(1, [BIN / "pi-sim", "--shared", KEYS, "--latency", f"{latency_ms}ms"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        found = addresses(self.process, {"api", "admin"})
        self.address, self.admin = found["api"], found["admin"]
        self.passwords = {row["credential"].split()[-1]: row["password"] for row in self.ask("GET", "/credentials")}

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.admin, timeout=60)
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status < 300, text
        return json.loads(text or "null")

    def fault(self, **rule):
        self.ask("POST", "/faults", rule)

    def calls(self):
        return sum(row["calls"] for row in self.ask("GET", "/counts")["calls"].values())

    def live(self):
        return len(self.ask("GET", "/checkouts?live=1"))

    def section(self):
        """The gateway's sections for it, written behind those of the other vault."""
        rows = {"type": "privileged_identity", "provisional": "yes", "url": f"http://{self.address}", "insecure_http": "yes",
                "login_name": IDENTITY, "login_password_file": private(self.folder / "erpm.password", PASSWORD),
                "settle": f"{SETTLE}s", "call_timeout": "5s", "max_calls": 20000}
        text = "[vault erpm]\n" + "".join(f"{key} = {value}\n" for key, value in rows.items())
        for n in range(1, KEYS + 1):
            text += (f"[access pool{n}]\nvault = erpm\nshared_list = Pool\nshared_system = pool.test\nshared_account = pool{n}\n"
                     f"users = {' '.join(chr(92).join(('CORP', user)) for user in USERS)}\nhosts = *\n")
        return text


class Caller:
    """One kept connection to the gateway."""

    def __init__(self, gate):
        host, port = gate.address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)

    def post(self, path, body):
        """(status, JSON, seconds)"""
        begun = time.monotonic()
        self.connection.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read() or "{}"), time.monotonic() - begun


def session(n):
    return {"id": f"K-{n}", "user": {"username": USERS[n % 2], "domain": "CORP"}, "jump_item": {"method": "shell", "hostname": "web01"}}


def each(gate, numbers, work):
    """work(caller, number) for all numbers, by CALLERS at once; the results."""
    own = threading.local()

    def one(number):
        if not hasattr(own, "caller"):
            own.caller = Caller(gate)
        return work(own.caller, number)

    with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(one, numbers))


def credentials(gate):
    """{account: credential id}"""
    status, answer, _ = Caller(gate).post("/v1/credentials/find", {"session": session(0)})
    assert status == 200, answer
    return {row["account"]: row["credential_id"] for row in answer["credentials"]}


def check_out(keyed, ids):
    """A function for each(): (answered, right, seconds)."""
    def work(caller, n):
        account = f"pool{1 + n % KEYS}"
        status, answer, seconds = caller.post("/v1/credentials/checkout", {"session": session(n), "credential_id": ids[account]})
        assert status in (200, 502, 503, 504), answer
        return status == 200, status != 200 or answer["password"] == keyed.passwords[account], seconds
    return work


def complete(caller, n):
    status, answer, _ = caller.post("/v1/sessions/complete", {"session": session(n)})
    assert status == 200, answer


def come_and_go(work):
    def once(caller, n):
        result = work(caller, n)
        complete(caller, n)
        return result
    return once


def empty(keyed, gate):
    """Seconds until nothing is checked out, and the gateway has no row and no lease."""
    begun = time.monotonic()
    while keyed.live() or any(json.loads(gate.get("/status"))["leases"][state] for state in ("active", "releasing")):
        assert time.monotonic() - begun < PATIENCE, f"{keyed.live()} check-outs are left"
        time.sleep(0.05)
    return time.monotonic() - begun


def lost_answers(folder):
    """All sessions hold at once and end at once; then each comes and goes, so that check-outs and check-ins of a key meet."""
    say(f"{SESSIONS} sessions of {len(USERS)} users on {KEYS} credentials, {LOST:.0%} of the answers to check-outs and check-ins lost, "
        f"settle = {SETTLE}s, vault at 5 ms:")
    row = table("sessions".ljust(14), "answered", "refused", "wrong", ("p50, ms", ".0f"), ("p99, ms", ".0f"), ("all back, s", ".1f"),
                "overlaps", ("CPU s", ".2f"))
    longest = wrong_in_all = 0
    with Vault(folder, users=2, truth=False) as vault, Keyed(folder) as keyed, \
            Jumpgate(vault, vault_section=keyed.section()) as gate:
        ids = credentials(gate)
        for call in ("checkout_shared", "checkin_shared"):
            keyed.fault(action="drop_after", call=call, probability=LOST)
        work = check_out(keyed, ids)
        for title in ("hold at once", "come and go"):
            cpu = gate.cpu_seconds()
            if title == "hold at once":
                results = each(gate, range(SESSIONS), work)
                each(gate, range(SESSIONS), complete)
            else:
                results = each(gate, range(SESSIONS, 2 * SESSIONS), come_and_go(work))
            back = empty(keyed, gate)
            times = sorted(seconds * 1000 for good, _, seconds in results if good)
            wrong = sum(not right for _, right, _ in results)
            violations = keyed.ask("GET", "/counts")["violations"]
            row(title, len(times), SESSIONS - len(times), wrong, statistics.median(times), times[int(len(times) * 0.99)], back,
                sum(violations.values()), gate.cpu_seconds() - cpu)
            longest, wrong_in_all = max(longest, back), wrong_in_all + wrong + sum(violations.values())
    reached("keyed, wrong", wrong_in_all)
    reached("keyed, back", longest - SETTLE)


def finds(folder):
    with Vault(folder, users=2, truth=False) as vault, Keyed(folder) as keyed, Jumpgate(vault, vault_section=keyed.section()) as gate:
        credentials(gate)
        before, cpu = keyed.calls(), gate.cpu_seconds()

        def find(caller, n):
            status, answer, seconds = caller.post("/v1/credentials/find", {"session": session(n)})
            assert status == 200 and len([row for row in answer["credentials"] if row["account"].startswith("pool")]) == KEYS
            return seconds * 1000

        each(gate, range(FINDS), find)
        say(f"\n{FINDS} finds of {KEYS} credentials: {keyed.calls() - before} calls, {1e6 * (gate.cpu_seconds() - cpu) / FINDS:.0f} us of "
            "CPU time each (the other vault's lists included)")
        reached("keyed, finds", keyed.calls() - before)


class Waiting:
    """Check-outs that wait at a vault that hangs, as many as given, for as long as the block lasts."""

    def __init__(self, gate, ids):
        self.gate, self.ids, self.over, self.threads = gate, ids, False, []
        self.numbers = itertools.count(10 * SESSIONS)

    def one(self):
        caller = Caller(self.gate)
        while not self.over:
            n = next(self.numbers)
            status, _, _ = caller.post("/v1/credentials/checkout",
                                       {"session": session(n), "credential_id": self.ids[f"pool{1 + n % KEYS}"]})
            complete(caller, n)
            if status != 200 and not self.over:
                time.sleep(10)  # its key settles: it would be refused at once

    def __enter__(self):
        self.threads = [threading.Thread(target=self.one, daemon=True) for _ in range(WAITING)]
        for thread in self.threads:
            thread.start()
        time.sleep(2)
        return self

    def __exit__(self, *_):
        self.over = True
        for thread in self.threads:
            thread.join(PATIENCE)


def beside(folder, options):
    say(f"\nA Password Safe, {RATE} check-outs and releases a second, alone and while {WAITING} check-outs wait at a vault that hangs; medians of {options.rounds} rounds:")
    row = table("the other vault".ljust(15), ("per second", ".0f"), ("p50, ms", ".2f"), ("p99, ms", ".2f"), ("CPU us each", ".0f"), "errors",
                "refused")
    seen = {"still": [], "hangs": []}
    with Vault(folder, users=100, latency_ms=10) as vault, Keyed(folder) as keyed, \
            Jumpgate(vault, vault_section=keyed.section(), timeout="15s") as gate:
        ids = credentials(gate)
        for _ in range(options.rounds):
            seen["still"].append(load(gate, vault, 16, options.seconds, rate=RATE))
            keyed.fault(action="hang")
            with Waiting(gate, ids):
                seen["hangs"].append(load(gate, vault, 16, options.seconds, rate=RATE))
                keyed.ask("DELETE", "/faults")
            empty(keyed, gate)

    def median(which, of):
        return statistics.median(of(result) for result in seen[which])

    for which in seen:
        row(which, median(which, lambda r: done(r)["per_second"]), median(which, lambda r: done(r)["p50_ms"]),
            median(which, lambda r: done(r)["p99_ms"]),
            median(which, lambda r: r["cpu_seconds"] / max(1, done(r)["count"]) * 1e6), sum(r["errors"] for r in seen[which]),
            sum(r.get("refused", 0) for r in seen[which]))
    reached("beside, p50", median("hangs", lambda r: done(r)["p50_ms"]) / median("still", lambda r: done(r)["p50_ms"]))
    reached("beside, errors", sum(r["errors"] for r in seen["hangs"]))


def keyed(folder, options):
    lost_answers(folder)
    finds(folder)
    beside(folder, options)
