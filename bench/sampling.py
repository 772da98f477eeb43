# SPDX-License-Identifier: Apache-2.0
"""Where the gateway's CPU time goes, by sampling: by room (kernel, libraries, our code), by thread, by function."""

import re
import shutil
import subprocess
import time

from output import say
from stage import Jumpgate, Vault, load_command, pinned

ROOMS = (("kernel", r"\[(kernel|vdso|guest|unknown)|\.ko$"), ("libc", r"^libc[.-]|^libpthread|^ld-"), ("TLS", r"^libcrypto|^libssl"),
         ("sqlite", r"^libsqlite"), ("libcurl", r"^libcurl"), ("libuv", r"^libuv"), ("JSON", r"^libcjson"), ("our code", r"^jumpgate"))


def shares(data, sort):
    """[(per cent, what)], the largest first."""
    text = subprocess.run(["perf", "report", "-i", data, "--stdio", "--no-children", "-g", "none", "-s", sort], check=False,
                          capture_output=True, text=True).stdout
    found = re.findall(r"^\s+([\d.]+)%\s+(.*?)\s*$", text, re.M)
    return sorted(((float(share), re.sub(r"\s+-\s+-$", "", what)) for share, what in found), reverse=True)


def room_of(library):
    return next((room for room, pattern in ROOMS if re.search(pattern, library)), "other libraries")


def by_room(data):
    rooms = {}
    for share, library in shares(data, "dso"):
        rooms[room_of(library)] = rooms.get(room_of(library), 0) + share
    return sorted(((share, room) for room, share in rooms.items()), reverse=True)


def by_thread(data, pid):
    """The loop's thread is the one whose id is the process's; perf's "pid" is a thread's."""
    sums = {"the loop's thread": 0.0, "other threads": 0.0}
    for share, thread in shares(data, "pid"):
        sums["the loop's thread" if re.match(rf"{pid}:|.*:{pid}$", thread) else "other threads"] += share
    return sorted(((share, thread) for thread, share in sums.items()), reverse=True)


def listed(rows):
    return ", ".join(f"{what} {share:.0f} %" for share, what in rows if share >= 0.5)


def record(folder, options, clients):
    data = folder / "perf.data"
    with Vault(folder, users=256) as vault, Jumpgate(vault) as gate:
        running = pinned(1, load_command(gate, vault, clients, options.seconds + 2, warmup=1), stdout=subprocess.DEVNULL)
        time.sleep(1.5)
        subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "-o", data, "-p", str(gate.process.pid), "--",
                        "sleep", str(options.seconds)], check=False, capture_output=True)
        running.wait()
    return data, gate.process.pid


def profile(folder, options):
    if not shutil.which("perf"):
        say("left out, not installed: perf")
        return
    data, pid = record(folder, options, 64)
    rooms = by_room(data)
    if not rooms:
        say("left out: perf may not sample here")
        return
    say(f"most CPU time, by room: {listed(rooms)}")
    say(f"most CPU time, by thread: {listed(by_thread(data, pid))}")
    functions = [(share, *re.split(r"\s+\[.\]\s+", what, maxsplit=1)) for share, what in shares(data, "dso,symbol")]
    for room in ("kernel", "libc", "our code"):
        own = [(share, name) for share, library, name in functions if room_of(library) == room]
        say(f"most of {room}: " + ", ".join(f"{name} {share:.1f} %" for share, name in own[:6]))
    say("\n64 clients, check-out and release; share of the samples:")
    for share, library, name in functions[:40]:
        say(f"{share:7.2f} %  {library:22} {name}")
