# SPDX-License-Identifier: Apache-2.0
"""A stack with a PRA site: simulated vault, simulated site, and a gateway with a [pra] section between them.

    with PraStack() as stack:
        held = stack.hold("ann")                          # a session at the site, and its lease
        stack.site.end_session(held.lsid)
        eventually(lambda: held.lease["id"] not in stack.leases())

Everything of `Stack` is there too. The site polls each second, knows one events token and may terminate.
"""

import json
import pathlib
import tempfile
import uuid

from harness import eventually, token_hash
from pra_site import FORM, PraSite
from stack import Stack
from test_reload import reload

EVENT_TOKEN = "events-token-of-the-tests"
LISTING = "AccessSessionListing"
TERMINATE = "terminate_session"
EVENTS = "/v1/events/pra"
METRIC = "jumpgate_pra_"


class Held:
    """A PRA session with a lease: its lsid at the site, what the gateway was told, the lease and its credential."""

    def __init__(self, lsid, session, answer):
        self.lsid, self.session, self.password = lsid, session, answer["password"]
        self.lease, self.credential = answer["lease"], answer["credential_id"]


class PraStack(Stack):
    """`pra` adds to the section [pra site], `sections` to the gateway, `knobs` to the site."""

    def __init__(self, pra=None, sections=None, knobs=None, arguments=()):
        self.folder = tempfile.TemporaryDirectory(prefix="jumpgate-pra-")
        self.secret = pathlib.Path(self.folder.name) / "pra-secret"
        self.site = PraSite(knobs=knobs)
        self.pra = pra or {}
        super().__init__({"gateway": {"list_cache": "0s", "catalogue_cache": "0s"}, "vault main": {"call_timeout": "2s"},
                          **(sections or {})}, arguments)

    def __enter__(self):
        self.site.start()
        try:
            self.write_secret(self.site.client_secret)
            self.sections["pra site"] = {
                "url": self.site.url, "insecure_http": "yes", "client_id": self.site.client_id,
                "client_secret_file": str(self.secret), "rate": "10/s", "probe_interval": "1s", "poll_interval": "1s",
                "terminate": "yes", "events_token_sha256": token_hash(EVENT_TOKEN), **self.pra}
            return super().__enter__()
        except BaseException:
            self.site.stop(check=False)
            self.folder.cleanup()
            raise

    def __exit__(self, kind, value, trace):
        try:
            super().__exit__(kind, value, trace)
        finally:
            self.site.stop(check=kind is None)
            self.folder.cleanup()

    def write_secret(self, text):
        self.secret.touch(mode=0o600)
        self.secret.write_text(text + "\n")

    def reload(self, **pra):
        """Changes keys of [pra site] by a reload."""
        self.gateway.sections["pra site"].update(pra)
        assert reload(self.gateway)

    def sweep(self):
        self.site.clear_faults()
        self.site.latency(0)
        self.site.end_sessions(events=False)
        super().sweep()

    # ---- sessions and leases ----

    def told(self, user, lsid, box=None, **members):
        """What the gateway is told of a session: an id of its own, and the lsid."""
        made = self.session(user, box or self.account())
        made["lsid"] = lsid
        made.update(members)
        return made

    def hold(self, user="ann", box=None, lsid=None, **members):
        """A session that runs at the site, and its lease."""
        lsid = lsid or self.site.start_session(user=user, events=False)
        session = self.told(user, lsid, box, **members)
        answer = self.checkout(session)
        assert answer.status == 200, answer.body
        return Held(lsid, session, answer.json)

    def leases(self, state="open"):
        """The leases of that state by id."""
        answer = self.gateway.call("GET", f"/v1/leases?state={state}&limit=1000")
        assert answer.status == 200, answer.body
        return {row["id"]: row for row in answer.json["leases"]}

    def is_open(self, held):
        return held.lease["id"] in self.leases()

    def given_back(self, *helds, seconds=20):
        """Waits until these leases have ended and their requests are checked in."""
        gone = {h.lease["request_id"] for h in helds}
        eventually(lambda: not gone & {r["id"] for r in self.live()}, seconds)
        eventually(lambda: not {h.lease["id"] for h in helds} & set(self.leases()), seconds)

    # ---- the site as the gateway sees it ----

    @property
    def entry(self):
        """The site's entry of /status."""
        rows = self.gateway.call("GET", "/status").json["dependencies"]
        return next(row for row in rows if row["type"] == "pra")

    def ended(self, source):
        return self.entry["ended"][source]

    def listings(self):
        return self.site.log(LISTING)

    def next_listings(self, n=1, seconds=30):
        """Waits for n listings that begin from now on, each answered or given up; returns them."""
        before = len(self.listings())
        return eventually(lambda: len(self.listings()) >= before + n and self.listings()[before:before + n], seconds)

    def count(self, name, **labels):
        """A metric of the site; 0 where the page has none of that name."""
        inner = ",".join(f'{k}="{v}"' for k, v in labels.items())
        return self.gateway.metrics().get(f"{METRIC}{name}" + (f"{{{inner}}}" if inner else ""), 0)

    def records(self, event):
        """The audit records of that event, once no record waits for the disk."""
        if not self.gateway.stopped:
            eventually(lambda: self.gateway.metrics()["jumpgate_audit_queued"] == 0)
        lines = (self.gateway.path / "state" / "audit.jsonl").read_bytes().splitlines()
        return [r for r in map(json.loads, lines) if r["event"] == event]

    # ---- events ----

    def event(self, body, query=f"?token={EVENT_TOKEN}", method="POST", content_type=FORM, listener="main", **headers):
        """Sends one outbound event as the site would; header names are written with _ for -."""
        lines = {k.replace("_", "-"): v for k, v in headers.items()}
        if content_type:
            lines["Content-Type"] = content_type
        body = body.encode() if isinstance(body, str) else body
        return self.gateway.call(method, EVENTS + query, body, token=None, headers=lines, listener=listener)

    def end_event(self, lsid, **more):
        return self.event(f"event=support_conference_end&version=1&timestamp=1764300000&lsid={lsid}", **more)


def fresh_lsid():
    """An lsid that no session has."""
    return uuid.uuid4().hex
