# SPDX-License-Identifier: Apache-2.0
"""Made-up records for the page's tests: two sites, two months, the same ones at every run but for the time they end at.

A dataset is a Dataset: its columns, its rows (times in Unix seconds), and which of its columns the shared filters mean.
"""

import random
from dataclasses import dataclass, field

SITES = ["pra-east.example.com", "pra-west.example.com"]
GROUPS = ["Windows servers", "Linux servers", "Network", "Databases", "Factory, hall 3"]
USERS = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "niaj", "olivia", "peggy"]
TYPES = ["remote-rdp", "shell-jump", "jump-client", "web-jump", "protocol-tunnel-jump"]
POINTS = ["jp-east-1", "jp-east-2", "jp-west-1", None]
REASONS = ["Access denied by the vault", "Credential is checked out", "No reply within 10 s"]
EVENTS = ["Session Start", "Conference Owner Changed", "Conference Member Added", "Credential Injection Attempt", "Session Foreground Window Changed",
          "File Upload", "File Download", "Command Shell Session Started", "Chat Message", "Credential Injection Attempt Failed", "Session End"]
# What a site may hold: markup, a script's end, a formula, controls of writing direction, a long word.
HOSTILE = ["<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "=HYPERLINK(\"http://example.net\")", "user\u202egnp.exe", "x" * 300, "日本語 مرحبا 🚪"]
DAY = 86400


@dataclass
class Dataset:
    columns: list
    rows: list
    time: str
    shared: dict = field(default_factory=lambda: {"site": "site"})


def column(name, title, kind="text", sortable=False, default=True):
    return {"name": name, "title": title, "type": kind, "sortable": sortable, "filterable": True, "default": default}


SESSION_COLUMNS = [
    column("start_time", "Start", "time", True), column("end_time", "End", "time", True, False), column("duration", "Duration", "duration", True),
    column("state", "State", default=False), column("site", "Site"), column("user", "User", sortable=True), column("endpoint", "Endpoint", sortable=True),
    column("jump_group", "Jump group", sortable=True), column("jumpoint", "Jumpoint"), column("type", "Type"), column("injections", "Injections", "number", default=False),
    column("injections_failed", "Failed injections", "number", default=False), column("file_transfers", "File transfers", "number", default=False),
    column("external_key", "External key", default=False), column("outside_hours", "Outside hours", "bool", default=False), column("lsid", "Session"),
]
EVENT_COLUMNS = [
    column("timestamp", "Time", "time", True), column("type", "Type"), column("performed_by", "By"), column("performed_by_type", "By type", default=False),
    column("destination", "To"), column("filename", "File"), column("failure_reason", "Reason"), column("site", "Site"), column("user", "User"),
    column("endpoint", "Endpoint"), column("jump_group", "Jump group", default=False), column("lsid", "Session"),
]
ALL_SHARED = {"site": "site", "group": "jump_group", "user": "user", "endpoint": "endpoint"}


def session(rng, n, now):
    start = now - int(rng.random() ** 1.4 * 60 * DAY) - 60
    length = int(rng.lognormvariate(6.5, 1.5))
    state = "closed"
    if now - start < 2 * 3600 and rng.random() < 0.6:
        state = "running"
    elif rng.random() < 0.03:
        state = "abnormal"
    length = min(length, max(30, now - start - 30))
    return {
        "lsid": f"{rng.getrandbits(128):032x}", "start_time": start, "end_time": start + length if state == "closed" else None,
        "duration": length if state == "closed" else None, "state": state, "site": SITES[rng.random() < 0.3], "user": USERS[min(int(rng.expovariate(0.35)), 13)],
        "endpoint": f"srv-{int(rng.expovariate(0.06)):03d}", "jump_group": GROUPS[min(int(rng.expovariate(0.8)), 4)], "jumpoint": rng.choice(POINTS),
        "type": TYPES[min(int(rng.expovariate(0.9)), 4)], "injections": 0, "injections_failed": 0, "file_transfers": 0,
        "external_key": f"CHG{n:05d}" if rng.random() < 0.3 else None, "outside_hours": int(rng.random() < 0.12),
    }


def events_of(rng, one):
    """Events of a session, in order."""
    end = one["end_time"] or one["start_time"] + 300
    middle = [e for e in rng.choices(EVENTS[3:10], [5, 6, 2, 2, 2, 2, 1], k=rng.randint(2, 9))]
    names = EVENTS[:3] + middle + (EVENTS[-1:] if one["state"] == "closed" else [])
    for i, name in enumerate(names):
        person = name not in ("Session Start", "Session End")
        row = {"timestamp": one["start_time"] + (end - one["start_time"]) * i // max(1, len(names) - 1), "type": name,
               "performed_by": one["user"] if person else None, "performed_by_type": "representative" if person else "system",
               "destination": one["endpoint"] if name.startswith(("Credential", "File")) else None, "filename": None, "failure_reason": None,
               "site": one["site"], "user": one["user"], "endpoint": one["endpoint"], "jump_group": one["jump_group"], "lsid": one["lsid"]}
        if name.startswith("File"):
            row["filename"] = f"C:\\temp\\report-{rng.randint(1, 40)}.xlsx"
            one["file_transfers"] += 1
        if name == "Credential Injection Attempt":
            one["injections"] += 1
        if name == "Credential Injection Attempt Failed":
            one["injections_failed"] += 1
            row["failure_reason"] = rng.choice(REASONS)
        yield row


def others(rng, now):
    """The datasets beside sessions and events."""
    def times(n):
        return sorted((now - int(rng.random() * 60 * DAY) for _ in range(n)), reverse=True)

    vault = [{"timestamp": t, "event_type": rng.choice(["Credentials Used", "Password Changed", "Account Created"]), "account_name": f"svc-{rng.randint(1, 30)}",
              "performed_by": rng.choice(USERS), "site": rng.choice(SITES)} for t in times(260)]
    accounts = [{"name": f"svc-{n}", "type": rng.choice(["Username and password", "SSH key"]), "username": f"svc{n}", "site": rng.choice(SITES),
                 "last_used": None if n % 3 == 0 else now - n * DAY, "gone_at": None} for n in range(1, 45)]
    syslog = [{"timestamp": t, "event": rng.choice(["login", "user_changed", "jump_group_added", "security_provider_changed", "team_removed"]),
               "status": rng.choice(["success", "success", "failure"]), "who": rng.choice(USERS), "who_ip": f"192.0.2.{rng.randint(1, 99)}", "site": rng.choice(SITES)} for t in times(300)]
    uses = [{"checkout": t, "user_name": rng.choice(USERS), "vault": "east", "system": f"srv-{rng.randint(0, 60):03d}", "account": rng.choice(["root", "Administrator"]),
             "joined_by": rng.choice(["lsid", "lsid", "credential_id", "none"]), "checkin": t + 900, "late_seconds": rng.choice([None, 2, 40, 1800]), "site": rng.choice(SITES)} for t in times(150)]
    items = [{"name": f"srv-{n:03d}", "type": rng.choice(TYPES), "hostname": f"srv-{n:03d}.example.com", "site": rng.choice(SITES), "first_seen": now - n * DAY} for n in range(30)]
    points = [{"name": name, "platform": "linux-x86_64", "connected": 1, "site": SITES["west" in name], "first_seen": now - 90 * DAY} for name in POINTS[:3]]
    team = [{"timestamp": t, "type": "Conference Member Added", "name": "Operators", "performed_by": rng.choice(USERS), "site": rng.choice(SITES)} for t in times(40)]
    who = {"site": "site", "user": "performed_by"}
    return {
        "vault_activity": Dataset([column("timestamp", "Time", "time", True), column("event_type", "Event type"), column("account_name", "Account name"), column("performed_by", "Performed by"), column("site", "Site")], vault, "timestamp", who),
        "accounts": Dataset([column("name", "Name"), column("type", "Type"), column("username", "Username"), column("site", "Site"), column("last_used", "Last used", "time", True), column("gone_at", "Gone at", "time", True)], accounts, "last_used"),
        "syslog": Dataset([column("timestamp", "Time", "time", True), column("event", "Event"), column("status", "Status"), column("who", "Who"), column("who_ip", "Who ip"), column("site", "Site")], syslog, "timestamp", {"site": "site", "user": "who"}),
        "credential_use": Dataset([column("checkout", "Checkout", "time", True), column("user_name", "User name"), column("vault", "Vault"), column("system", "System"), column("account", "Account"), column("joined_by", "Joined by"), column("checkin", "Checkin", "time", True), column("late_seconds", "Late seconds", "duration"), column("site", "Site")], uses, "checkout", {"site": "site", "user": "user_name"}),
        "jump_items": Dataset([column("name", "Name"), column("type", "Type"), column("hostname", "Hostname"), column("site", "Site"), column("first_seen", "First seen", "time", True)], items, "first_seen"),
        "jumpoints": Dataset([column("name", "Name"), column("platform", "Platform"), column("connected", "Connected", "bool"), column("site", "Site"), column("first_seen", "First seen", "time", True)], points, "first_seen"),
        "team": Dataset([column("timestamp", "Time", "time", True), column("name", "Name"), column("type", "Type"), column("performed_by", "Performed by"), column("site", "Site")], team, "timestamp", who),
    }


def datasets(now, sessions=900, hostile=False):
    rng = random.Random(20261128)
    rows = [session(rng, n, now) for n in range(sessions)]
    for i, text in enumerate(HOSTILE if hostile else []):
        rows[i].update(user=text, endpoint=text, start_time=now - 120 - i, state="running", end_time=None, duration=None)
    # One session of many events, running, and the newest.
    rows[0].update(start_time=now - 90, state="running", end_time=None, duration=None)
    events = [event for one in rows for event in events_of(rng, one)]
    for i in range(450):
        events.append({**events[0], "timestamp": rows[0]["start_time"] + i // 8, "type": "Session Foreground Window Changed"})
    return {"sessions": Dataset(SESSION_COLUMNS, rows, "start_time", ALL_SHARED), "events": Dataset(EVENT_COLUMNS, events, "timestamp", ALL_SHARED), **others(rng, now)}
