"""One `jumpgate-reports run` over a database of made-up sessions, and a browser's side without a browser.

    with Reports(sections) as reports:
        ann = reports.browser().sign_in("ann")
        ann.get("/api/records/sessions?range=all").json

The database is made by `jumpgate-reports migrate`, filled through Python's sqlite3, and counted by `migrate --recount`.
"""

import base64
import hashlib
import http.client
import json
import sqlite3
import ssl
import subprocess
import time
import urllib.parse

from certificates import Authority
from harness import BIN, Answer, Gateway, eventually

BINARY = BIN / "jumpgate-reports"
PASSWORD = "correct horse"
FEED_TOKEN, OBSERVE_TOKEN = "feed-token-of-the-tests", "observe-token-of-the-tests"
ONE, TWO = "one.example.com", "two.example.com"
BEGIN = int(time.time()) // 86400 * 86400 - 2 * 86400


def scrypt_text(password, ln=12, r=8, p=1):
    salt = b"salt-of-16-bytes"
    digest = hashlib.scrypt(password.encode(), salt=salt, n=1 << ln, r=r, p=p, dklen=32, maxmem=1 << 26)
    texts = [base64.b64encode(part).rstrip(b"=").decode() for part in (salt, digest)]
    return f"$scrypt$ln={ln},r={r},p={p}${texts[0]}${texts[1]}"


def lsid(number):
    return f"{number:032x}"


def token_hash(token):
    return hashlib.sha256(token.encode()).hexdigest()


class Browser:
    """Keeps its cookie and its token against forged requests."""

    def __init__(self, reports, certificate=None, source=None):
        self.reports = reports
        self.context = ssl.create_default_context(cafile=reports.authority.certificate)
        if certificate:
            self.context.load_cert_chain(certificate.certificate, certificate.key)
        self.source = (source, 0) if source else None
        self.cookie = self.csrf = None

    def connect(self):
        host, _, port = self.reports.addresses["web"].rpartition(":")
        return http.client.HTTPSConnection(host, int(port), timeout=30, context=self.context, source_address=self.source)

    def ask(self, method, path, body=None, headers=None):
        sent = {"Cookie": self.cookie} if self.cookie else {}
        if method not in ("GET", "HEAD") and self.csrf:
            sent["X-Jumpgate-Csrf"] = self.csrf
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        connection = self.connect()
        try:
            connection.request(method, path, body, {name: value for name, value in sent.items() if value is not None})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def raw(self, bytes_sent):
        """Everything that comes back on a connection of its own."""
        connection = self.connect()
        connection.connect()
        received = b""
        try:
            connection.sock.sendall(bytes_sent)
            connection.sock.settimeout(10)
            while part := connection.sock.recv(65536):
                received += part
        except (OSError, ssl.SSLError):
            pass
        finally:
            connection.close()
        return received

    def try_sign_in(self, user, password=PASSWORD, **headers):
        answer = self.ask("POST", "/api/sign-in", {"user": user, "password": password}, headers)
        cookie = answer.headers.get("Set-Cookie")
        if cookie:
            self.cookie = cookie.split(";")[0]
        return answer

    def sign_in(self, user, password=PASSWORD):
        answer = self.try_sign_in(user, password)
        assert answer.status == 204, answer
        self.csrf = self.get("/api/me").json["csrf"]
        return self


class Reports(Gateway):
    """Users `ann` (may all), `bob` (views), `eve` (views and exports site two alone); readers siem and prometheus."""

    def __init__(self, sections=None, sessions=20, events=3, **more):
        super().__init__(sections=sections, binary=BINARY, **more)
        self.fill(sessions, events)

    def _defaults(self, vault):
        self.authority = Authority(self.path / "ca")
        server = self.authority.server()
        self.state = self.path / "state"
        self.state.mkdir(mode=0o700)
        secret = self.secret("client-secret", "secret of the tests")
        sites = {f"pra {name}": {"url": f"https://{host}", "client_id": "reports", "client_secret_file": secret}
                 for name, host in (("one", ONE), ("two", TWO))}
        password = scrypt_text(PASSWORD)
        return {
            "reports": {"state_dir": str(self.state), "collect": "no", "drain_timeout": "5s", "keep": "3650d"},
            **sites,
            "web": {"address": "127.0.0.1:0", "tls_certificate": server.certificate, "tls_key": server.key,
                    "public_url": "https://reports.example.com", "sign_in_attempts": "3"},
            "user ann": {"password": password, "allow": "view export recordings admin"},
            "user bob": {"password": password, "allow": "view"},
            "user eve": {"password": password, "allow": "view export", "sites": "two"},
            "reader siem": {"token_sha256": token_hash(FEED_TOKEN), "allow": "feed"},
            "reader prometheus": {"token_sha256": token_hash(OBSERVE_TOKEN), "allow": "observe"},
        }

    # ---- data ----

    def command(self, *words):
        return subprocess.run([str(self.binary), *words, "-c", str(self.write_configuration())], capture_output=True, text=True,
                              timeout=60, check=False)

    @property
    def database(self):
        return self.state / "reports.db"

    def fill(self, sessions, events):
        made = self.command("migrate")
        assert made.returncode == 0, made.stdout + made.stderr
        with sqlite3.connect(self.database) as database:
            for number in range(1, sessions + 1):
                self._add(database, number, events)
        counted = self.command("migrate", "--recount")
        assert counted.returncode == 0, counted.stdout + counted.stderr

    def _add(self, database, number, events):
        start = BEGIN + number * 600
        self._insert(database, "session", {
            "id": number, "lsid": lsid(number), "type": "support", "host_name": TWO if number % 4 == 0 else ONE, "duration": "00:05:00",
            "start_unix": start, "end_unix": start + 300, "duration_seconds": 300, "state": "closed", "primary_rep": f"user {number % 3}",
            "primary_customer": f"=cmd|{number}", "jump_group_name": "servers", "jump_item_type": "shell-jump", "stored_at": start, "fetched_at": start,
            "changed_at": start, "revision": 1, "seq": number, "public_site_id": 1, "public_site_name": "Default", "injections": 0,
            "injections_failed": 0, "outside_hours": 0, "has_recording": 1, "digest": f"{number:064x}",
            "session_recording_view_url": f"https://{ONE}/view?key=secret-{number}"})
        for position in range(events):
            self._insert(database, "session_event", {
                "session_id": number, "type": "Chat Message", "timestamp_unix": start + position, "position": position,
                "performed_by": "user", "performed_by_type": "representative", "body": "<script>alert(1)</script>"})

    def _insert(self, database, table, values):
        names = ", ".join(f'"{name}"' for name in values)
        database.execute(f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(values))})', list(values.values()))

    # ---- life ----

    def start(self):
        super().start()
        self.addresses["web"] = self._address_of("web")
        return self

    def browser(self, **more):
        return Browser(self, **more)

    def records(self, event):
        """The records of an event, of which there is one: not every answer waits for its record."""
        eventually(lambda: self._records(event))
        return self._records(event)

    def _records(self, event):
        trail = self.state / "audit.127.0.0.1:0" / "audit.jsonl"  # of a page alone, by its address
        lines = trail.read_text().splitlines() if trail.exists() else []
        return [record for record in map(json.loads, lines) if record["event"] == event]


def quoted(text):
    return urllib.parse.quote(text, safe="")
