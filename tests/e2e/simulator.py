"""The vault simulator for a test: started on free ports, inspected, changed, ended cleanly.

    with Simulator("--fixture", "worked") as vault:
        vault.url                     # http://127.0.0.1:PORT/BeyondTrust/api/public/v3
        session = vault.sign_in(r"ACME\\mrivera")
        session.post("Requests", {...})
        assert vault.state()["active"] == []

Leaving the block sends SIGTERM and requires exit code 0: the simulator has closed its loop. The binary is taken
from JG_BIN_DIR, else from build/dev/bin.
"""

import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

BASE = "/BeyondTrust/api/public/v3"
KEY = "K1example0key000" * 8
# People of the worked fixture, and what the account 203 holds.
MARIA, JDOE, BOSS = r"ACME\mrivera", r"ACME\jdoe", r"ACME\boss"
SECRET = 'Tr0ut\\lamp"42&co'
ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary(name):
    """Path of one of the project's programs."""
    return str(pathlib.Path(os.environ.get("JG_BIN_DIR", ROOT / "build" / "dev" / "bin")) / name)


def until(condition, seconds=20):
    """Waits for something that must come; asks again without a pause worth the name."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.002)


class Answer:
    """One HTTP answer: status, headers (list of pairs), body bytes."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:80]!r}>"


def is_code(answer, code):
    """Whether the answer is this refusal of the vault, and nothing else."""
    status = 409 if code == 4091 else 403
    return (answer.status, answer.body) == (status, str(code).encode())


class Session:
    """A signed-in user on one connection, opened again when it was closed."""

    def __init__(self, vault, cookie):
        self.vault, self.cookie = vault, cookie
        self._connection = None

    def call(self, method, path, body=None, headers=None, raw=None):
        lines = dict(headers or {})
        if self.cookie and "Cookie" not in lines:
            lines["Cookie"] = f"ASP.NET_SessionId={self.cookie}"
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            lines.setdefault("Content-Type", "application/json")
        elif method in ("POST", "PUT"):
            data = b""
        if self._connection is None:
            self._connection = self.vault.connect()
        try:
            self._connection.request(method, f"{BASE}/{path}", body=data, headers=lines)
            answer = self._connection.getresponse()
            result = Answer(answer.status, answer.getheaders(), answer.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.will_close:
            self.close()
        return result

    def get(self, path, **query):
        if query:
            path += "?" + urllib.parse.urlencode(query)
        return self.call("GET", path)

    def post(self, path, body=None, **more):
        return self.call("POST", path, body, **more)

    def put(self, path, body=None, **more):
        return self.call("PUT", path, {} if body is None else body, **more)

    def request(self, system, account, **more):
        """POST Requests for View with defaults."""
        body = {"SystemID": system, "AccountID": account, "DurationMinutes": 60}
        body.update(more)
        return self.post("Requests", body)

    def close(self):
        if self._connection:
            self._connection.close()
        self._connection = None


class Simulator:
    """passwordsafe-sim as a context manager."""

    def __init__(self, *arguments, api_key=KEY, tls=None, client_ca=None, stderr=None):
        self.api_key = api_key
        self.tls = tls  # certificates.Pair of the server
        self.arguments = [binary("passwordsafe-sim"), "--api-key", api_key, *map(str, arguments)]
        if tls:
            self.arguments += ["--certificate", tls.certificate, "--key", tls.key]
        if client_ca:
            self.arguments += ["--client-ca", client_ca]
        self.client = None  # certificates.Pair that connect() shows
        self.stderr = stderr
        self.addresses = {}
        self.process = None
        self._sessions = []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stop(check=kind is None)

    def start(self):
        self.process = subprocess.Popen(self.arguments, stdout=subprocess.PIPE, stderr=self.stderr, text=True)
        for line in self.process.stdout:
            words = dict(w.split("=", 1) for w in line.split() if "=" in w)
            if line.startswith("listening"):
                self.addresses[words["listener"]] = words["address"]
            if line.startswith("ready"):
                return
        self.process.wait()
        raise RuntimeError(f"the simulator ended at once with {self.process.returncode}")

    def stop(self, check=True):
        for session in self._sessions:
            session.close()
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
        watchdog = threading.Timer(20, self.process.kill)
        watchdog.start()
        code = self.process.wait()
        watchdog.cancel()
        self.process.stdout.close()
        self.process = None
        if check and code != 0:
            raise AssertionError(f"the simulator ended with {code}")

    # -- where it is --

    @property
    def address(self):
        return self.addresses["api"]

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    @property
    def host(self):
        return self.address.rsplit(":", 1)[0].strip("[]")

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.address}{BASE}"

    # -- calls to the vault --

    def connect(self, timeout=30):
        if not self.tls:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        context = ssl.create_default_context()
        context.post_handshake_auth = True
        if self.client:
            context.load_cert_chain(self.client.certificate, self.client.key)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the simulator's own tests; the gateway never does this
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)

    def anonymous(self):
        session = Session(self, None)
        self._sessions.append(session)
        return session

    def sign_in(self, user, extra=""):
        session = self.anonymous()
        header = f"PS-Auth key={self.api_key}; runas={user};{extra}"
        answer = session.call("POST", "Auth/SignAppin", headers={"Authorization": header})
        assert answer.status == 200, answer
        session.cookie = answer.header("Set-Cookie").split(";")[0].split("=", 1)[1]
        session.user = answer.json
        return session

    def raw(self, data, timeout=30):
        """Sends bytes on a fresh plain connection; returns all that comes until the other side closes."""
        with socket.create_connection((self.host, self.port), timeout) as s:
            s.sendall(data)
            try:
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # reset already; what came before it can still be read
            return _read_all(s)

    # -- the admin port --

    def ask(self, method, path, body=None):
        host, port = self.addresses["admin"].rsplit(":", 1)
        connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=30)
        try:
            data = None if body is None else json.dumps(body).encode()
            headers = {"Content-Type": "application/json"} if data else {}
            if data is None and method != "GET":
                data = b""
            connection.request(method, path, body=data, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{method} {path}: {answer.status} {text!r}")
            return json.loads(text)
        finally:
            connection.close()

    def state(self, finished=1000):
        return self.ask("GET", f"/state?finished={finished}")

    def active(self):
        """Ids of the requests that are active now: a test's "no orphan" is this being empty."""
        return [r["id"] for r in self.state()["active"]]

    def counts(self):
        return self.ask("GET", "/counts")

    def calls(self, name):
        """How often a call came, by name ("POST Requests")."""
        return self.counts()["calls"].get(name, {}).get("calls", 0)

    def reset_counts(self):
        return self.ask("DELETE", "/counts")

    def fault(self, action, **rule):
        return self.ask("POST", "/faults", {"action": action, **rule})

    def faults(self):
        return self.ask("GET", "/faults")

    def clear_faults(self):
        return self.ask("DELETE", "/faults")

    def change(self, kind, **entry):
        """Makes or changes one user, account, system, group, policy or link: change("accounts", id=203, …)."""
        return self.ask("POST", f"/{kind}", entry)

    def scenario(self, data):
        return self.ask("POST", "/scenario", data)

    def settings(self, **values):
        return self.ask("POST", "/settings", values)

    def knob(self, number, value):
        return self.settings(knobs={str(number): value})

    def latency(self, latency_ms, jitter_ms=0):
        return self.ask("POST", "/latency", {"latency_ms": latency_ms, "jitter_ms": jitter_ms})

    def clock(self, **values):
        """advance_ms=…, wall="2026-03-10T09:00:12.5", frozen=True."""
        return self.ask("POST", "/clock", values)

    def expire_sessions(self, user=None):
        return self.ask("POST", "/expire-sessions", {"user": user} if user else {})["expired"]

    def approve(self, request):
        return self.ask("POST", f"/requests/{request}/approve")

    def deny(self, request):
        return self.ask("POST", f"/requests/{request}/deny")

    def terminate(self, request):
        return self.ask("POST", f"/requests/{request}/terminate")

    def account(self, account):
        """What an account hides: password, key, passphrase, version."""
        return self.ask("GET", f"/accounts/{account}")


def _read_all(s):
    parts = []
    while True:
        try:
            part = s.recv(65536)
        except ConnectionResetError:
            parts.append(b"<reset>")
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts)
