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
import ssl
import urllib.parse

from simulator_process import ROOT, Answer, SimulatorProcess, binary, until  # noqa: F401 pylint: disable=unused-import

BASE = "/BeyondTrust/api/public/v3"
KEY = "K1example0key000" * 8
# People of the worked fixture, and what the account 203 holds.
MARIA, JDOE, BOSS = r"ACME\mrivera", r"ACME\jdoe", r"ACME\boss"
SECRET = 'Tr0ut\\lamp"42&co'


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


class Simulator(SimulatorProcess):
    """passwordsafe-sim as a context manager."""

    def __init__(self, *arguments, api_key=KEY, tls=None, client_ca=None, stderr=None):
        arguments = ["--api-key", api_key, *arguments]
        if tls:
            arguments += ["--certificate", tls.certificate, "--key", tls.key]
        if client_ca:
            arguments += ["--client-ca", client_ca]
        super().__init__("passwordsafe-sim", arguments, stderr)
        self.api_key = api_key
        self.tls = tls  # certificates.Pair of the server
        self.client = None  # certificates.Pair that connect() shows
        self._sessions = []

    def stop(self, check=True):
        for session in self._sessions:
            session.close()
        super().stop(check)

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

    # -- the admin port --

    def state(self, finished=1000):
        return self.ask("GET", f"/state?finished={finished}")

    def active(self):
        """Ids of the requests that are active now: a test's "no orphan" is this being empty."""
        return [r["id"] for r in self.state()["active"]]

    def change(self, kind, **entry):
        """Makes or changes one user, account, system, group, policy or link: change("accounts", id=203, …)."""
        return self.ask("POST", f"/{kind}", entry)

    def scenario(self, data):
        return self.ask("POST", "/scenario", data)

    def settings(self, **values):
        return self.ask("POST", "/settings", values)

    def knob(self, number, value):
        return self.settings(knobs={str(number): value})

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
