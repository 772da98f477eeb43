#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An HTTPS server that speaks the page's API over made-up records, with the headers, cookies and checks of the real one.

    with FakeApi() as fake: fake.url …

What a test may set: `fail` {path: (status, code, detail, headers)}, `delay` {path: seconds}, `tiles` {id: members that replace
those of the answer}, `empty` (no records), `me` (members that replace), `sign_out()`. What it may read: `calls`, `layout`.
`python3 tests/page/fake_api.py PORT` serves until it is interrupted; user demo, password demo.
"""

import base64
import collections
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import fake_data

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, "../../src/reports/page")
CHART = "/usr/share/javascript/chart.js/chart.min.js"
ASSETS = "/assets/0123456789abcdef"
MIME = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Strict-Transport-Security": "max-age=31536000", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
}
USERS = {"demo": ("demo", ["view", "export", "recordings", "admin"]), "viewer": ("viewer", ["view"])}
TILES = [
    ("sessions_over_time", "Sessions over time", "series", "sessions", []), ("running_now", "Running now", "number", "sessions", ["range"]),
    ("by_site", "Sessions by site", "bars", "sessions", []), ("by_jump_group", "Sessions by jump group", "bars", "sessions", []),
    ("top_users", "Top users", "table", "sessions", []), ("top_endpoints", "Top endpoints", "table", "sessions", []),
    ("by_jumpoint", "Sessions by Jumpoint", "bars", "sessions", []), ("by_type", "Sessions by jump item type", "bars", "sessions", []),
    ("durations", "Session durations", "bars", "sessions", []), ("injections", "Credential injections", "bars", "events", []),
    ("injection_failures", "Injection failures by reason", "bars", "events", []), ("file_transfers", "File transfers", "bars", "events", []),
    ("event_types", "Event types", "bars", "events", []), ("outside_hours", "Outside working hours", "bars", "sessions", []),
    ("abnormal", "Closed abnormally", "bars", "sessions", []), ("vault_activity", "Vault account activity", "bars", "vault_activity", ["group", "user", "endpoint"]),
    ("unused_accounts", "Accounts never used", "bars", "accounts", ["range", "group", "user", "endpoint"]),
    ("config_changes", "Configuration changes", "bars", "syslog", ["group", "user", "endpoint"]),
    ("checkouts_without_session", "Check-outs without a session", "bars", "credential_use", []), ("late_releases", "Late releases", "bars", "credential_use", []),
    ("failed_sign_ins", "Failed sign-ins", "bars", "syslog", ["group", "user", "endpoint"]), ("collector", "Collector", "table", None, ["range", "group", "user", "endpoint"]),
]
# By what column a tile counts, and filters that its links carry.
COUNTS = {
    "by_site": ("site", {}), "by_jump_group": ("jump_group", {}), "top_users": ("user", {}), "top_endpoints": ("endpoint", {}), "by_jumpoint": ("jumpoint", {}),
    "by_type": ("type", {}), "injection_failures": ("failure_reason", {"type": "eq:Credential Injection Attempt Failed"}),
    "file_transfers": ("type", {"type": "starts:File "}), "event_types": ("type", {}), "outside_hours": ("user", {"outside_hours": "eq:true"}),
    "abnormal": ("site", {"state": "eq:abnormal"}), "vault_activity": ("event_type", {}), "unused_accounts": ("type", {"last_used": "empty:"}),
    "config_changes": ("event", {"event": "in:user_changed,jump_group_added,security_provider_changed,team_removed"}),
    "checkouts_without_session": ("user_name", {"joined_by": "eq:none"}), "late_releases": ("user_name", {"late_seconds": "ge:301"}),
    "failed_sign_ins": ("who", {"event": "eq:login", "status": "ne:success"}),
}
DURATIONS = [("<1 min", 0, 59), ("1-5 min", 60, 299), ("5-15 min", 300, 899), ("15-60 min", 900, 3599), ("1-4 h", 3600, 14399), ("4-8 h", 14400, 28799), (">=8 h", 28800, None)]
DEFAULT_LAYOUT = [("sessions_over_time", 6, 2), ("running_now", 3, 1), ("injections", 3, 1), ("by_site", 3, 1), ("by_jump_group", 3, 1), ("top_users", 4, 2),
                  ("top_endpoints", 4, 2), ("durations", 4, 2), ("event_types", 4, 2), ("outside_hours", 4, 2), ("abnormal", 4, 1), ("collector", 4, 1)]


class Problem(Exception):
    def __init__(self, status, code, detail, headers=None):
        super().__init__(detail)
        self.status, self.code, self.detail, self.headers = status, code, detail, headers or {}


def split_list(text):
    return [re.sub(r"\\(.)", r"\1", one) for one in re.findall(r"(?:^|,)((?:\\.|[^,\\])*)", text)]


def escaped(value):
    return str(value).replace("\\", "\\\\").replace(",", "\\,")


class Records:
    """Filters, order and pages over fake_data's datasets."""

    def __init__(self, data, now):
        self.data, self.now = data, now

    def bounds(self, query, zone):
        if "from" in query or "to" in query:
            limits = [self.instant(query[name][0]) if name in query else None for name in ("from", "to")]
            if None not in limits and limits[0] >= limits[1]:
                raise Problem(400, "invalid_request", "the parameter `from` is not before `to`")
            return limits[0] or 0, limits[1] or 2**40
        word = query.get("range", ["30d"])[0]
        days = {"7d": 7, "30d": 30, "90d": 90, "12m": 365}
        if word == "all":
            return 0, 2**40
        if word == "24h":
            return self.now // 3600 * 3600 - 23 * 3600, 2**40
        if word not in days:
            raise Problem(400, "invalid_request", "the parameter `range` is none of 24h, 7d, 30d, 90d, 12m, all")
        midnight = datetime.fromtimestamp(self.now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return int((midnight - timedelta(days=days[word] - 1)).timestamp()), 2**40

    @staticmethod
    def instant(text):
        try:
            return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())
        except ValueError:
            raise Problem(400, "invalid_request", f"`{text}` is not a time") from None

    def matches(self, row, column, text):
        op, _, operand = text.partition(":")
        value = row[column["name"]]
        numbers = column["type"] in ("number", "duration", "bool")
        typed = self.instant if column["type"] == "time" else (lambda one: int({"true": "1", "false": "0"}.get(one, one))) if numbers else str
        operands = split_list(operand) if op in ("in", "notin", "between") else [re.sub(r"\\([\\,])", r"\1", operand)]
        try:
            if op != "empty":
                operands = [typed(one) for one in operands]
        except ValueError:
            raise Problem(400, "invalid_request", f"the parameter `f.{column['name']}` is not a number") from None
        lower = str(value).lower()
        test = {
            "eq": lambda: value == operands[0], "ne": lambda: value is not None and value != operands[0], "in": lambda: value in operands,
            "notin": lambda: value not in operands, "contains": lambda: operands[0].lower() in lower, "starts": lambda: lower.startswith(operands[0].lower()),
            "ge": lambda: value is not None and value >= operands[0], "le": lambda: value is not None and value <= operands[0],
            "between": lambda: value is not None and operands[0] <= value <= operands[1], "empty": lambda: (value in (None, "")) == (operands[0] not in ("0", "no", "false")),
        }.get(op)
        if test is None:
            raise Problem(400, "invalid_request", f"the parameter `f.{column['name']}` has no known operator")
        return (value is not None or op in ("notin", "empty")) and test()

    def select(self, name, query, zone, ignores=()):
        dataset = self.data[name]
        first, end = (0, 2**40) if "range" in ignores or name in ("accounts", "jump_items", "jumpoints") else self.bounds(query, zone)
        rows = [row for row in dataset.rows if row[dataset.time] is None or first <= row[dataset.time] < end]
        for shared, column in dataset.shared.items():
            if shared in query and shared not in ignores:
                rows = [row for row in rows if row[column] in query[shared]]
        for parameter, values in query.items():
            if parameter.startswith("f."):
                column = next((c for c in dataset.columns if c["name"] == parameter[2:]), None)
                if column is None:
                    raise Problem(400, "invalid_request", f"the parameter `{parameter}` names no column")
                for text in values:
                    rows = [row for row in rows if self.matches(row, column, text)]
        return rows

    def order(self, name, rows, query):
        dataset = self.data[name]
        sort = query.get("sort", [f"-{dataset.time}"])[0]
        column = next((c for c in dataset.columns if c["name"] == sort.lstrip("-") and c["sortable"]), None)
        if column is None:
            raise Problem(400, "invalid_request", "the parameter `sort` names no column that sorts")
        return sorted(rows, key=lambda row: (row[column["name"]] is not None, row[column["name"]] or 0 if column["type"] != "text" else row[column["name"]] or ""), reverse=sort.startswith("-"))


def shown(value, column, zone):
    if value is None or column["type"] != "time":
        return bool(value) if column["type"] == "bool" and value is not None else value
    return datetime.fromtimestamp(value, zone).isoformat()


def information(category, row, field, value):
    return {"category": category, "row": row, "field": field, "value": value}


def encode(pairs):
    return "?" + urllib.parse.urlencode(pairs, safe=":,") if pairs else ""


class Tiles:
    def __init__(self, records):
        self.records = records

    def answer(self, definition, query, zone, admin):
        ident, title, kind, dataset, ignores = definition
        answer = {"id": ident, "title": title, "from": None, "to": None, "tz": str(zone), "bucket": None, "total": None, "items": [], "other": 0, "ignores": ignores,
                  "age_ms": 1200, "incomplete": []}
        base = [(k, v) for k, values in query.items() for v in values if k not in ignores]
        if "range" in ignores:
            base = [("range", "all")] + [(k, v) for k, v in base if k not in ("range", "from", "to")]
        if ident == "collector":
            answer["items"] = [{"label": site, "value": age, "seconds": age, "state": word, "reason": None, "href": "/collector" if admin else None} for site, word, age in zip(fake_data.SITES, ["Connected", "Action Required"], [42, 9000])]
        elif ident == "sessions_over_time":
            self.series(answer, self.records.select(dataset, query, zone), base, zone)
        elif ident == "running_now":
            rows = self.records.select(dataset, {**query, "f.state": ["eq:running"]}, zone, ignores)
            answer.update(total=len(rows), items=[{"label": title, "value": len(rows), "href": f"/records/sessions{encode(base + [('f.state', 'eq:running')])}"}])
        elif ident == "durations":
            self.durations(answer, self.records.select(dataset, query, zone), base)
        elif ident == "injections":
            for label, word in (("Attempts", "Credential Injection Attempt"), ("Failed", "Credential Injection Attempt Failed")):
                n = len(self.records.select(dataset, {**query, "f.type": [f"eq:{word}"]}, zone))
                answer["items"].append({"label": label, "value": n, "href": f"/records/events{encode(base + [('f.type', f'eq:{word}')])}"})
        else:
            self.counts(answer, ident, dataset, query, zone, base, ignores)
            answer["href"] = f"/records/{dataset}{encode(base + [(f'f.{name}', text) for name, text in COUNTS[ident][1].items()])}"
        return answer

    def series(self, answer, rows, base, zone):
        days = collections.Counter(datetime.fromtimestamp(row["start_time"], zone).date() for row in rows)
        first, last = min(days, default=None), max(days, default=None)
        base = [(k, v) for k, v in base if k not in ("range", "from", "to")]
        answer.update(bucket="day", total=len(rows))
        while first and first <= last:
            start = datetime(first.year, first.month, first.day, tzinfo=zone)
            end = start + timedelta(days=1)
            answer["items"].append({"label": str(first), "value": days[first], "from": start.isoformat(), "to": end.isoformat(),
                                    "href": f"/records/sessions{encode([('from', start.isoformat()), ('to', end.isoformat())] + base)}"})
            first += timedelta(days=1)

    def durations(self, answer, rows, base):
        closed = [row for row in rows if row["state"] == "closed"]
        answer["total"] = len(closed)
        for label, low, high in DURATIONS:
            n = sum(1 for row in closed if row["duration"] >= low and (high is None or row["duration"] <= high))
            text = f"ge:{low}" if high is None else f"between:{low},{high}"
            answer["items"].append({"label": label, "value": n, "href": f"/records/sessions{encode(base + [('f.state', 'eq:closed'), ('f.duration', text)])}"})

    def counts(self, answer, ident, dataset, query, zone, base, ignores):
        column, extra = COUNTS[ident]
        extra = {f"f.{name}": text for name, text in extra.items()}
        rows = self.records.select(dataset, {**query, **{name: [text] for name, text in extra.items()}}, zone, ignores)
        counted = collections.Counter(row[column] for row in rows).most_common()
        answer["total"] = len(rows)
        seconds = collections.Counter()
        for row in rows:
            seconds[row[column]] += row.get("duration") or 0
        for value, n in counted[:10]:
            own = "empty:" if value is None else f"eq:{escaped(value)}"
            links = [(k, v) for k, v in extra.items() if k != f"f.{column}"] + [(f"f.{column}", own)]
            item = {"label": "(none)" if value is None else value, "value": n, "href": f"/records/{dataset}{encode(base + links)}"}
            answer["items"].append(item | ({"seconds": seconds[value]} if ident in ("top_users", "top_endpoints") else {}))
        rest = counted[10:]
        if rest:
            links = list(extra.items()) + [(f"f.{column}", "notin:" + ",".join(escaped(value) for value, _ in counted[:10]))]
            answer["items"].append({"label": "Other", "value": sum(n for _, n in rest), "href": f"/records/{dataset}{encode(base + links)}"})
            answer["other"] = len(rest)


class FakeApi:
    def __init__(self, port=0, hostile=False):
        self.now = int(time.time())
        self.records = Records(fake_data.datasets(self.now, hostile=hostile), self.now)
        self.data = self.records.data
        self.folder = tempfile.TemporaryDirectory(prefix="jumpgate-page-")
        self.port = port
        self.reset()

    def reset(self):
        """As after a start: nobody signed in, nothing fails."""
        self.fail, self.delay, self.tiles, self.me = {}, {}, {}, {}
        self.empty, self.total_known = False, True
        self.sessions, self.failures, self.calls = {}, collections.Counter(), []
        self.layout = {"revision": 1, "tiles": None}
        self.extra_events = []

    def sign_out(self):
        self.sessions.clear()

    def new_session(self, user):
        """The cookie of a user who has just signed in."""
        cookie = os.urandom(32).hex()
        self.sessions[cookie] = {"user": user, "allow": USERS[user][1], "csrf": os.urandom(16).hex()}
        return cookie

    def asked(self, path, method="GET"):
        """Calls of a path's beginning, as (path, headers)."""
        return [(called, headers) for verb, called, headers in self.calls if verb == method and called.startswith(path)]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        key, certificate = (os.path.join(self.folder.name, name) for name in ("key.pem", "cert.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate,
                        "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        handler = type("Handler", (Handler,), {"fake": self})
        self.server = Server(("127.0.0.1", self.port), handler)
        self.server.context = context
        self.port = self.server.server_address[1]
        self.url = f"https://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.folder.cleanup()

    def tile_layout(self):
        tiles = self.layout["tiles"] or [{"id": i, "width": w, "height": h} for i, w, h in DEFAULT_LAYOUT]
        return {"revision": self.layout["revision"], "tiles": tiles}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def finish_request(self, request, client_address):
        try:
            super().finish_request(self.context.wrap_socket(request, server_side=True), client_address)
        except OSError:
            pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake = None

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", mime=None, headers=None):
        self.send_response(status)
        for name, value in {**HEADERS, **(headers or {})}.items():
            self.send_header(name, value)
        if mime:
            self.send_header("Content-Type", mime)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def json(self, value, status=200, headers=None):
        self.answer(status, json.dumps(value).encode(), "application/json", {"Cache-Control": "no-store", **(headers or {})})

    def do_GET(self):
        self.handle_call()

    do_POST = do_PUT = do_DELETE = do_GET

    def handle_call(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length) if length else b""
        url = urllib.parse.urlsplit(self.path)
        self.url_path = url.path
        self.query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        self.fake.calls.append((self.command, self.path, dict(self.headers)))
        time.sleep(next((s for path, s in list(self.fake.delay.items()) if url.path.startswith(path)), 0))
        try:
            failure = next((f for path, f in list(self.fake.fail.items()) if url.path.startswith(path)), None)
            if failure:
                raise Problem(*failure)
            if url.path.startswith("/api/"):
                self.api()
            elif url.path.startswith("/assets/"):
                self.asset()
            else:
                self.page()
        except Problem as p:
            body = {"type": f"urn:jumpgate:error:{p.code}", "title": p.code, "status": p.status, "detail": p.detail, "code": p.code, "request_id": "r1"}
            self.answer(p.status, json.dumps(body).encode(), "application/problem+json", p.headers)

    def user(self):
        cookie = re.search(r"__Host-jumpgate=([0-9a-f]+)", self.headers.get("Cookie") or "")
        return self.fake.sessions.get(cookie.group(1)) if cookie else None

    def asset(self):
        name = os.path.basename(self.url_path)
        path = CHART if name == "chart.js" else os.path.join(PAGE, name)
        if not self.url_path.startswith(ASSETS + "/") or not os.path.exists(path):
            raise Problem(404, "not_found", "no such file")
        with open(path, "rb") as file:
            self.answer(200, file.read(), MIME[os.path.splitext(name)[1]], {"Cache-Control": "public, max-age=31536000, immutable"})

    def page(self):
        known = re.fullmatch(r"/|/collector|/records/[a-z_]+|/sessions/[^/]+/[^/]+", self.url_path)
        name = "sign-in.html" if self.url_path == "/sign-in" else "index.html" if known else "not-found.html"
        if known and not self.user():
            return self.answer(303, headers={"Location": "/sign-in?next=" + urllib.parse.quote(self.path, safe="/")})
        with open(os.path.join(PAGE, name), encoding="utf-8") as file:
            text = file.read().replace("@ASSETS@", ASSETS)
        return self.answer(404 if name == "not-found.html" else 200, text.encode(), MIME[".html"], {"Cache-Control": "no-store"})

    def api(self):
        words = [urllib.parse.unquote(word) for word in self.url_path.split("/")[2:]]
        if words == ["sign-in"] and self.command == "POST":
            return self.sign_in()
        me = self.user()
        if me is None:
            raise Problem(401, "unauthenticated", "sign in first")
        if self.command != "GET" and self.headers.get("X-Jumpgate-Csrf") != me["csrf"]:
            raise Problem(403, "csrf", "the header X-Jumpgate-Csrf is missing or wrong")
        self.zone = self.read_zone()
        route = getattr(self, "api_" + words[0].replace("-", "_"), None)
        if route is None:
            raise Problem(404, "not_found", "no such call")
        return route(me, *words[1:])

    def read_zone(self):
        try:
            return ZoneInfo(self.query.get("tz", ["UTC"])[0])
        except (KeyError, ValueError, OSError):
            raise Problem(400, "invalid_request", "the parameter `tz` is no time zone") from None

    def sign_in(self):
        try:
            given = json.loads(self.body)
        except ValueError:
            raise Problem(400, "invalid_request", "not JSON") from None
        user, password = given["user"], given["password"]
        if self.fake.failures[user] >= 5:
            raise Problem(429, "locked_out", "too many attempts", {"Retry-After": "900"})
        if USERS.get(user, (None,))[0] != password:
            self.fake.failures[user] += 1
            raise Problem(401, "unauthenticated", "wrong")
        return self.answer(204, headers={"Set-Cookie": f"__Host-jumpgate={self.fake.new_session(user)}; Secure; HttpOnly; SameSite=Strict; Path=/"})

    def api_sign_out(self, me):
        self.fake.sessions = {cookie: one for cookie, one in self.fake.sessions.items() if one is not me}
        self.answer(204)

    def api_me(self, me):
        self.json({**me, "sites": fake_data.SITES, "time_zone": "UTC", "expires_at": "2027-01-01T00:00:00Z", **self.fake.me})

    def api_tiles(self, me, ident=None):
        if ident is None:
            return self.json({"tiles": [{"id": i, "title": t, "kind": k, "dataset": d, "ignores": g} for i, t, k, d, g in TILES]})
        definition = next((tile for tile in TILES if tile[0] == ident), None)
        if definition is None:
            raise Problem(404, "not_found", "no such tile")
        answer = Tiles(self.fake.records).answer(definition, self.query, self.zone, "admin" in me["allow"])
        if self.fake.empty:
            answer.update(items=[] if definition[2] != "number" else answer["items"], total=0)
        return self.json(answer | self.fake.tiles.get(ident, {}))

    def columns_named(self, dataset):
        names = self.query.get("columns", [""])[0].split(",")
        chosen = [c for name in names for c in dataset.columns if c["name"] == name]
        return chosen or [c for c in dataset.columns if c["default"]]

    def api_records(self, _, name, columns=None):
        if name not in self.fake.data:
            raise Problem(404, "not_found", "no such dataset")
        dataset = self.fake.data[name]
        if columns:
            return self.json({"columns": dataset.columns})
        rows = [] if self.fake.empty else self.fake.records.order(name, self.fake.records.select(name, self.query, self.zone), self.query)
        limit = int(self.query.get("limit", ["50"])[0])
        first = self.place(limit)
        part = rows[first : first + limit]
        chosen = self.columns_named(dataset)
        cursor = lambda n: base64.urlsafe_b64encode(f"row {n}".encode()).decode()  # noqa: E731
        return self.json({
            "dataset": name, "columns": [{k: c[k] for k in ("name", "title", "type")} for c in chosen],
            "rows": [{c["name"]: shown(row.get(c["name"]), c, self.zone) for c in chosen} for row in part], "total": len(rows) if self.fake.total_known else None,
            "next": cursor(first + limit) if first + limit < len(rows) else None, "previous": cursor(first) if first > 0 else None,
        })

    def place(self, limit):
        try:
            if "after" in self.query:
                return int(base64.urlsafe_b64decode(self.query["after"][0])[4:])
            if "before" in self.query:
                return max(0, int(base64.urlsafe_b64decode(self.query["before"][0])[4:]) - limit)
        except ValueError:
            raise Problem(400, "invalid_cursor", "the cursor is none of ours") from None
        return 0

    def api_values(self, _, name, column):
        prefix = self.query.get("prefix", [""])[0].lower()
        values = sorted({row[column] for row in self.fake.data[name].rows if row[column] is not None and str(row[column]).lower().startswith(prefix)})
        self.json({"values": values[:50]})

    def api_sessions(self, me, host, lsid, events=None):
        session = next((row for row in self.fake.data["sessions"].rows if row["lsid"] == lsid.lower() and row["site"] == host.lower()), None)
        if session is None:
            raise Problem(404, "not_found", "no such session")
        rows = [event for event in self.fake.data["events"].rows if event["lsid"] == session["lsid"]] + self.fake.extra_events
        if events:
            return self.session_events(rows)
        return self.json(self.session_answer(me, session, rows))

    def session_events(self, rows):
        wanted = self.query.get("type", [None])[0]
        rows = [row for row in rows if wanted in (None, row["type"])]
        first, limit = int(self.query.get("after", ["0"])[0]), int(self.query.get("limit", ["200"])[0])
        answer = []
        for row in rows[first : first + limit]:
            data = {"credential_id": "c-17", "credential_name": "root (vault east)"} if row["type"].startswith("Credential") else {}
            if row["failure_reason"]:
                data["failure_reason"] = row["failure_reason"]
            answer.append({"timestamp": datetime.fromtimestamp(row["timestamp"], self.zone).isoformat(), "type": row["type"], "performed_by": row["performed_by"],
                           "performed_by_type": row["performed_by_type"], "destination": row["destination"], "destination_type": "customer" if row["destination"] else None,
                           "body": "Is the restart done?" if row["type"] == "Chat Message" else None, "filename": row["filename"], "data": data})
        self.json({"events": answer, "next": str(first + limit) if first + limit < len(rows) else None})

    def session_answer(self, me, session, rows):
        by_name = {c["name"]: c for c in fake_data.SESSION_COLUMNS}
        answer = {
            "session": {name: shown(value, by_name[name], self.zone) for name, value in session.items()},
            "representatives": [{"username": session["user"], "display_name": session["user"].title(), "public_ip": "198.51.100.7:51544", "private_ip": "10.1.2.3", "hostname": "laptop-7", "os": "Windows 11",
                                 "session_owner": True, "seconds_involved": session["duration"] or 80, "invited": None}],
            "customers": [{"username": session["endpoint"], "public_ip": None, "private_ip": "10.9.8.7", "hostname": f"{session['endpoint']}.example.com", "os": "Windows Server 2022"}],
            "custom_attributes": [{"display_name": "Ticket", "code_name": "ticket", "value": session["external_key"] or "none"}],
            "system_information": [information("Processor", -1, "0", "Name"), information("Processor", 0, "Name", "Intel Xeon"),
                                   information("Disks", -1, "0", "Drive"), information("Disks", -1, "1", "Size"),
                                   *(information("Disks", n, field, value) for n in range(2) for field, value in (("Drive", "CD"[n] + ":"), ("Size", "120 GB"))),
                                   information("Printers", -1, "0", "Printer")],
            "credentials": [{"user_name": session["user"], "vault": "east", "system": session["endpoint"], "account": "root", "checkout": shown(session["start_time"] + 5, {"type": "time"}, self.zone), "joined_by": "lsid"}],
            "event_types": dict(collections.Counter(row["type"] for row in rows)), "event_count": len(rows),
        }
        if "recordings" in me["allow"]:
            answer["recordings"] = [
                {"kind": "recording", "view_url": f"https://{session['site']}/session_download?key=1", "download_url": f"https://{session['site']}/session_download?key=2"},
                {"kind": "chat", "view_url": None, "view_text": "http://elsewhere.example.net/chat", "download_url": None},
            ]
        return answer

    def api_layout(self, _):
        fake = self.fake
        if self.command == "PUT":
            if self.headers.get("If-Match") != f'"{fake.layout["revision"]}"':
                raise Problem(412, "conflict", "the layout was changed by another tab")
            tiles = json.loads(self.body)["tiles"]
            if any(set(tile) != {"id", "width", "height"} for tile in tiles):
                raise Problem(400, "invalid_request", "unknown member")
            fake.layout = {"revision": fake.layout["revision"] + 1, "tiles": tiles}
        elif self.command == "DELETE":
            fake.layout = {"revision": fake.layout["revision"] + 1, "tiles": None}
        self.json(fake.tile_layout(), headers={"ETag": f'"{fake.layout["revision"]}"'})

    def api_collector(self, me):
        if "admin" not in me["allow"]:
            raise Problem(403, "forbidden", "for admin alone")
        when = datetime.fromtimestamp(self.fake.now - 42, self.zone).isoformat()
        source = lambda state, error=None: {"state": state, "cursor": when, "lag_seconds": 42, "error": error}  # noqa: E731
        sites = [
            {"name": "east", "host_name": fake_data.SITES[0], "state": "Connected", "reason": None, "since": when, "last_success": when, "skew_ms": -120,
             "sources": {"closed": {**source("idle"), "cursor": "1796023451"}, "running": source("idle"), "syslog": source("off", None)}, "todo": 0, "failed": 0},
            {"name": "west", "host_name": fake_data.SITES[1], "state": "Action Required", "reason": "credentials", "since": when, "last_success": None, "skew_ms": 900,
             "sources": {"closed": source("failing", "the site refuses the client's secret")}, "todo": 1234, "failed": 2},
        ]
        failed = [{"host_name": fake_data.SITES[1], "lsid": "ab" * 16, "tries": 5, "next_at": when, "error": "a session of more than 64M"},
                  {"host_name": fake_data.SITES[1], "lsid": "cd" * 16, "tries": 1005, "next_at": when, "error": None}]
        self.json({"sites": sites, "failed_sessions": failed, "gateways": [{"name": "gw1", "state": "ok", "seq": 40123}], "database": {"type": "sqlite", "bytes": 1532000000}})

    def api_export(self, me, _):
        if "export" not in me["allow"]:
            raise Problem(403, "forbidden", "without export")
        self.answer(200, b"lsid\r\n", "text/csv", {"Content-Disposition": 'attachment; filename="sessions.csv"'})


if __name__ == "__main__":
    with FakeApi(int(sys.argv[1]) if len(sys.argv) > 1 else 8443, hostile="--hostile" in sys.argv) as server:
        print(server.url, flush=True)
        threading.Event().wait()
