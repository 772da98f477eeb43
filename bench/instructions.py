# SPDX-License-Identifier: Apache-2.0
"""Instructions per operation by callgrind: user space only, all threads, repeatable to about two per cent on any machine.

The gateway runs under valgrind, is warmed up, its counts are zeroed, it is measured for some seconds, its counts are dumped; what
the gateway itself counted in between is the number of operations. Valgrind has no SHA instructions and repeats string instructions
one by one: hashing and clearing memory look dearer than they are.
"""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request

from cluster import GateAlone
from output import say, table
from stage import TOKEN, Jumpgate, JumpgateMemory, Vault, load

SYSTEMS = 20000
CATALOGUE = "catalogue_cache = 1h\ncatalogue_max_age = 1h"  # no catalogue is read again while instructions are counted
WARM_SECONDS = 600

TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.M)
ROW = re.compile(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+(?:\S*/)?([^/:]*):(\S+)(?:.*\[(.*)\])?")


def control(gate, what):
    subprocess.run(["callgrind_control", what, str(gate.process.pid)], check=True, capture_output=True)


def parts(out):
    """Instructions by thread: the dump writes a file for each, the loop's thread first."""
    files = sorted(out.parent.glob(out.name + ".*-*"))
    totals = [TOTAL.search(path.read_text()) for path in files]
    return files, [int(total.group(1)) if total else 0 for total in totals]


def functions(files, operations, loop, rows):
    """[(instructions each, function, library)] over all threads. A function that was on the stack when the counts were zeroed has
    its callees' with it: those of the loop's thread, which are as dear as the whole thread, are left out."""
    text = subprocess.run(["callgrind_annotate", "--threshold=100", *map(str, files)], check=False, capture_output=True, text=True).stdout
    found = [match.groups() for match in map(ROW.match, text.splitlines()) if match]
    sums = {}
    for count, _, name, library in found:
        key = re.sub(r"'\d+$", "", name), (library or "?").rsplit("/", 1)[-1]
        sums[key] = sums.get(key, 0) + int(count.replace(",", ""))
    own = sorted(((n / operations, *key) for key, n in sums.items() if n < 0.98 * loop), reverse=True)
    return own[:rows]


def read_catalogues(gate, vault):
    """Searches once for each user and repeats until each is answered: then their catalogues are in memory."""
    for user in range(1, vault.users + 1):
        body = {"session": {"id": "warm", "user": {"username": f"user{user}", "domain": "ACME"}}, "query": "srv1", "types": ["shell"]}
        request = urllib.request.Request(f"http://{gate.address}/v1/endpoints/find", json.dumps(body).encode(),
                                         {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
        end = time.monotonic() + WARM_SECONDS
        while True:
            try:
                with urllib.request.urlopen(request, timeout=WARM_SECONDS):
                    break
            except urllib.error.HTTPError as refused:
                if time.monotonic() > end or refused.code not in (503, 504):
                    raise
                time.sleep(1)


def measure(folder, vault, options, clients=16, op="checkout", kind=Jumpgate, binary=None, rows=0):
    """{total, loop, others, operations, commits, functions, errors}, figures per operation."""
    for old in folder.glob("callgrind.out*"):
        old.unlink()
    out = folder / "callgrind.out"
    under = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"]
    with kind(vault, gateway=f"sandbox = off\n{CATALOGUE}", under=under, binary=binary) as gate:
        if op == "search":
            read_catalogues(gate, vault)
        load(gate, vault, clients, max(5, clients // 12), op=op)  # sign-ins, connections and first lists take long here
        requests, commits = gate.metric("jumpgate_requests_total"), gate.metric("jumpgate_store_commits_total")
        control(gate, "-z")
        r = load(gate, vault, clients, max(3, options.seconds), op=op)
        control(gate, "-d")
        operations = (gate.metric("jumpgate_requests_total") - requests) / (2 if op == "checkout" else 1)
        commits = gate.metric("jumpgate_store_commits_total") - commits
        files, by_thread = parts(out)
    total = sum(by_thread) / max(1, operations)
    return {"total": total, "loop": by_thread[0] / max(1, operations), "others": total - by_thread[0] / max(1, operations),
            "operations": operations, "commits": commits / max(1, operations), "errors": r["errors"],
            "functions": functions(files, max(1, operations), by_thread[0], rows) if rows else []}


def instructions(folder, options):
    if not shutil.which("valgrind"):
        say("left out, not installed: valgrind")
        return
    row = table("operation".ljust(30), "clients", ("instructions each", ",.0f"), ("loop's thread", ",.0f"), ("other threads", ",.0f"),
                ("commits each", ".2f"), "errors")
    tops = []
    few, many = {"users": 64}, {"users": 4, "systems": SYSTEMS, "truth": False}
    for name, clients, op, kind, world in (("check-out and release", 16, "checkout", Jumpgate, few),
                                           ("check-out and release, tmpfs", 16, "checkout", JumpgateMemory, few),
                                           ("check-out and release", 256, "checkout", Jumpgate, few),
                                           ("check-out and release, etcd", 16, "checkout", GateAlone, few),
                                           ("find, from memory", 16, "find", Jumpgate, few),
                                           (f"search, {SYSTEMS} systems", 16, "search", Jumpgate, many)):
        if kind == GateAlone and not shutil.which("etcd"):
            say("left out, not installed: etcd")
            continue
        with Vault(folder, **world) as vault:
            m = measure(folder, vault, options, clients, op, kind, rows=0 if tops else 30)
        tops = tops or m["functions"]
        row(name, clients, m["total"], m["loop"], m["others"], m["commits"], m["errors"])
    say("\nfunctions of the first row:")
    for each, name, library in tops:
        say(f"{each:10,.0f}  {name}  [{library}]")
    ours = [(each, name) for each, name, library in tops if library == "jumpgate"]
    say("most instructions of our own code: " + ", ".join(f"{name} {each:,.0f}" for each, name in ours[:6]))
