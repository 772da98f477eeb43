# SPDX-License-Identifier: Apache-2.0
"""Collecting from pra-sim over TLS, end to end: a backfill, then sessions that begin and end while the page is asked for them."""

import re
import time

from pra import CLIENT_ID, CLIENT_SECRET, Site
from reports_web import Reports
from stage import private

PATIENCE = 1800  # seconds
LIVE = 20


def section(folder, site):
    secret = private(folder / "pra.secret", CLIENT_SECRET)
    return (f"[pra site]\nurl = https://{site.address}\nhost_name = pra-one.example.com\nca_file = {folder}/ca.pem\n"
            f"client_id = {CLIENT_ID}\nclient_secret_file = {secret}\nrate = 20/s\nhourly = 15000\nbatch = 500\nfetch = sessions\n")


def metric(client, name):
    text = client.get("/metrics")[1].decode()
    return sum(float(value) for value in re.findall(rf"^jumpgate_reports_{name}(?:{{[^}}]*}})? (\S+)$", text, re.M))


def wait(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def backfill(reports, observer, sessions):
    wall, cpu, threads = time.monotonic(), reports.cpu_ms(), reports.thread_seconds()
    wait(lambda: metric(observer, "sessions_stored_total") >= sessions, "the backfill does not end")
    busiest = max(seconds - threads.get(thread, 0) for thread, seconds in reports.thread_seconds().items())
    return {"sessions": sessions, "wall": time.monotonic() - wall, "cpu": (reports.cpu_ms() - cpu) / 1e3, "busiest": busiest}


def seen(client, lsid, state):
    rows = client.json(f"/api/records/sessions?range=24h&f.lsid=eq:{lsid}&columns=lsid,state")["rows"]
    return bool(rows) and rows[0]["state"] == state


def live(client, site):
    """Seconds from the start and from the end of a session at the site until a grid has it so."""
    begun, ended = [], []
    for _ in range(LIVE):
        wall = time.monotonic()
        lsid = site.start(1)[0]
        wait(lambda: seen(client, lsid, "running"), "a session that runs is not there")
        begun.append(time.monotonic() - wall)
        wall = time.monotonic()
        site.end([lsid], False)
        wait(lambda: seen(client, lsid, "closed"), "a session that has ended is not there")
        ended.append(time.monotonic() - wall)
    return sorted(begun), sorted(ended)


def measure(folder, sessions):
    folder.mkdir(exist_ok=True)
    for name in ("ca.pem", "server.pem", "server.key"):
        (folder / name).write_bytes((folder.parent / name).read_bytes())
    options = ["--sessions", sessions, "--days", 29, "--settings", '{"rate_second":100000,"rate_hour":10000000}']
    with Site(folder, options) as site, Reports(folder, folder / "reports.db", section(folder, site),
                                                vendor_indexes="no", poll_interval="1s", running_interval="1s") as reports:
        observer = reports.client().reader()
        result = backfill(reports, observer, sessions)
        result["memory"] = reports.memory_kb()
        result["begun"], result["ended"] = live(reports.client().sign_in(), site)
        result["memory_live"] = reports.memory_kb()
    return result
