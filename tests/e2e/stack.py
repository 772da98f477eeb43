# SPDX-License-Identifier: Apache-2.0
"""The stack of an end-to-end test: the simulated vault with users and policies, and a gateway in front of it.

    with Stack() as stack:
        box = stack.account(password="s3cret")            # a new system with one account
        ann = stack.session("ann", box)                   # a PRA session of CORP\\ann on it
        answer = stack.checkout(ann)                      # finds the credential, checks it out
        assert answer.json["password"] == "s3cret"

The vault begins with users, groups and policies. Each test makes its own systems and accounts, so tests share a stack
and do not disturb each other. `sweep()` ends every session that a test has opened and requires that nothing is left:
no request live in the vault, no lease in the gateway, nothing in flight. It runs after every test.

Users: ann and bob may request everything, carol only what needs nothing; guest may use the key but has no role;
outsider is in no group with the key; mfa has a second factor; boss approves. `pra-gateway` comes by OAuth.
"""

import socket
import time

from api_document import document
from base_stack import BaseStack
from harness import API_KEY, TOKEN, Gateway, eventually
from simulator import Simulator

RULES = ("auto", "approval", "reason", "ticket", "both")
OAUTH_ID, OAUTH_SECRET = "6b1f0c52-aaaa-bbbb", "s+cr/et&=\"%"
DIRECTORY = 300

SIGN_IN = "POST Auth/SignAppin"
SIGN_OUT = "POST Auth/Signout"
LIST = "GET ManagedAccounts"
REQUEST = "POST Requests"
REQUESTS = "GET Requests"
CREDENTIAL = "GET Credentials/{id}"
CHECKIN = "PUT Requests/{id}/Checkin"

PEOPLE = {
    "policies": [
        {"id": 1, "name": "auto", "schedules": [{"id": 11}]},
        {"id": 2, "name": "approval", "schedules": [{"id": 12, "min_approvers": 1}]},
        {"id": 3, "name": "reason", "schedules": [{"id": 13, "require_reason": True}]},
        {"id": 4, "name": "ticket", "schedules": [{"id": 14, "require_ticket": True, "ticket_system": 5}]},
        {"id": 5, "name": "both", "schedules": [{"id": 15, "require_reason": True, "require_ticket": True}]},
    ],
    "groups": [
        {"id": 1, "name": "all", "grants": [{"rule": r, "roles": ["requestor"], "policy": r} for r in RULES]
         + [{"rule": "direct", "roles": ["isa"]}]},
        {"id": 2, "name": "few", "grants": [{"rule": "auto", "roles": ["requestor"], "policy": "auto"}]},
        {"id": 3, "name": "approvers", "grants": [{"rule": "approval", "roles": ["approver"]}]},
        {"id": 4, "name": "key only"},
        {"id": 5, "name": "no key", "registration": False},
    ],
    "users": [
        {"id": 41, "name": "CORP\\ann", "groups": ["all"]},
        {"id": 42, "name": "CORP\\bob", "groups": ["all"]},
        {"id": 43, "name": "CORP\\carol", "groups": ["few"]},
        {"id": 44, "name": "CORP\\guest", "groups": ["key only"]},
        {"id": 45, "name": "CORP\\outsider", "groups": ["no key"]},
        {"id": 46, "name": "CORP\\mfa", "mfa": "402117", "groups": ["all"]},
        {"id": 47, "name": "CORP\\boss", "groups": ["approvers"]},
        {"id": 48, "name": "dan", "groups": ["all"]},
        {"id": 49, "name": "erin@corp.test", "groups": ["all"]},
        {"id": 50, "name": "CORP\\zoë", "groups": ["all"]},
        {"id": 70, "name": "pra-gateway", "application": True, "groups": ["all"]},
    ],
    "systems": [{"id": DIRECTORY, "name": "corp.test", "platform": 12, "directory": True}],
    "oauth_clients": [{"id": OAUTH_ID, "secret": OAUTH_SECRET, "user": "pra-gateway"}],
    "settings": {"require_mfa": True},
}


class Box:
    """A system with its first account, as the vault knows them."""

    def __init__(self, name, system, account):
        self.name, self.system, self.account = name, system, account


class Stack(BaseStack):
    """Simulator and gateway together. `sections` go to the gateway, `arguments` to the simulator."""

    def __init__(self, sections=None, arguments=(), tls=None, client_ca=None):
        super().__init__(Simulator("--users", 0, "--systems", 0, *arguments, api_key=API_KEY, tls=tls,
                                   client_ca=client_ca), 20000)
        self.sections = sections or {}

    def make_gateway(self):
        self.vault.scenario(PEOPLE)
        return Gateway(self.vault.url, self.sections)

    # ---- what is in the vault ----

    def system(self, name=None, **members):
        """A new system; returns it as a Box without account."""
        number = next(self.numbers)
        name = name or f"box{number}"
        self.vault.change("systems", id=number, name=name, **{"platform": 2, **members})
        return Box(name, number, None)

    def account(self, name="root", rule="auto", box=None, **members):
        """A new account on `box`, or on a new system."""
        box = box or self.system()
        number = next(self.numbers)
        self.vault.change("accounts", id=number, system=box.system, name=name, rules=[rule],
                          **{"rotates": False, "max_concurrent": 0, **members})
        return Box(box.name, box.system, number)

    def directory_account(self, *boxes, name="svc", domain="corp.test", **members):
        """A new account of the directory, linked to the boxes; returns its id."""
        number = next(self.numbers)
        self.vault.change("accounts", id=number, system=DIRECTORY, name=name, domain=domain, rules=["auto"],
                          **{"upn": f"{name}@{domain}", "rotates": False, "max_concurrent": 0, **members})
        for box in boxes:
            self.vault.change("links", system=box.system, account=number)
        return number

    def live(self):
        """Requests of the vault that are active or pending."""
        state = self.vault.state(0)
        return state["active"] + state["pending"]

    # ---- asking ----

    def session(self, user, box=None, domain="CORP", **jump_item):
        """A PRA session with an id of its own, on the box unless the jump item says something else."""
        if box is not None:
            jump_item = {"hostname": box.name, **jump_item}
        return self.open_session(user, domain, **jump_item)

    def credential(self, session, account=None):
        """The credential id of the only account found, or of the one of that name."""
        answer = self.gateway.find(session)
        assert answer.status == 200, answer.body
        ids = [c["credential_id"] for c in answer.json["credentials"] if account in (None, c["account"])]
        assert len(ids) == 1, answer.json
        return ids[0]

    def checkout(self, session, credential_id=None, members=None, **more):
        return self.gateway.checkout(session, credential_id or self.credential(session), members, **more)

    def metric(self, name):
        return self.gateway.metrics()[name]

    def quiet(self):
        """Nothing in flight at the gateway."""
        return self.metric("jumpgate_requests_in_flight") == 0

    # ---- the end of a test ----

    def sweep(self):
        """Ends all sessions of the test; nothing may be left."""
        self.vault.clear_faults()
        self.vault.latency(0)
        self.vault.settings(knobs={"11": "404", "12": "newtonsoft", "15": "number", "10": "409", "9": "403", "20": "none"})
        self.complete()
        self.settled()

    def settled(self, seconds=15):
        """No request live in the vault, no lease in the gateway, nothing in flight.

        What is `retrying` does not count: the search for a request whose answer was lost goes on for a while after
        it was not found, which is right.
        """
        eventually(lambda: self.live() == [], seconds)
        self.no_lease(seconds)
        eventually(self.quiet, seconds)


class Wire:
    """A raw TCP connection to a listener, for what no HTTP library would send."""

    def __init__(self, gateway, listener="main", timeout=10):
        host, _, port = gateway.addresses[listener].rpartition(":")
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout)
        self.data = b""
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
        return self

    def end(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def _more(self):
        try:
            part = self.socket.recv(65536)
        except ConnectionResetError:
            part = b""
        self.closed = self.closed or not part
        self.data += part
        return bool(part)

    def answer(self):
        """The next answer as (status, {lower-case header: value}, body); None at the end of the connection."""
        while b"\r\n\r\n" not in self.data:
            if not self._more():
                assert self.data == b"", self.data
                return None
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        status = int(lines[0].split()[1])
        length = 0 if status < 200 or status in (204, 304) else int(headers.get("content-length", 0))
        while len(self.data) < length:
            assert self._more(), "closed within a body"
        body, self.data = self.data[:length], self.data[length:]
        if status >= 200:
            document().check_any(status, headers, body)
        return status, headers, body

    def is_closed(self):
        """Waits for the other side to close, with nothing more said."""
        while not self.closed:
            self._more()
        return self.data == b""


def head(method="GET", path="/livez", token=TOKEN, version="HTTP/1.1", **headers):
    """A request's head as text; header names are written with `_` for `-`."""
    lines = [f"{method} {path} {version}", "Host: gateway"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines) + "\r\n\r\n"


def took(call):
    """(seconds, result) of call()."""
    start = time.monotonic()
    result = call()
    return time.monotonic() - start, result


def problem(answer, status, code):
    """Insists on a problem answer in its full form; returns its JSON."""
    assert (answer.status, answer.code) == (status, code), (answer, answer.body)
    members = answer.json
    names = ["type", "title", "status", "detail", "code", "request_id"]
    assert list(members) in (names, names + ["vault"]), list(members)
    assert members["type"] == f"urn:jumpgate:error:{code}"
    assert members["status"] == status
    assert members["title"] and members["detail"]
    assert members["request_id"] == answer.headers["X-Request-Id"]
    assert answer.headers["Content-Type"].split(";")[0] == "application/problem+json"
    if status in (429, 503):
        assert int(answer.headers["Retry-After"]) >= 1
    if "vault" in members:
        assert list(members["vault"]) in (["status", "code"], ["status", "code", "request_id"])
    for secret in (API_KEY, TOKEN):
        assert secret not in answer.body.decode()
    return members
