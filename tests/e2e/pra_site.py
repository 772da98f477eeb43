"""The simulated PRA site for a test: started on free ports, changed, inspected, ended cleanly.

    with PraSite() as site:
        site.url                              # http://127.0.0.1:PORT
        lsid = site.start_session(user="ann", endpoint="web01")
        site.token()                          # asks for an access token, keeps it for the calls below
        site.command("check_health")          # an ElementTree root, or SiteError
        site.end_session(lsid)                # an end event goes to the recipients
        assert site.listing(end_time=0) == [lsid]

docs/pra-simulator.md has the knobs, faults and admin calls.
"""

import base64
import datetime
import http.client
import signal
import ssl
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree

from simulator_process import Answer, SimulatorProcess

CLIENT_ID = "c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f4"
CLIENT_SECRET = "Site+secret/of=the:tests"
FORM = "application/x-www-form-urlencoded"


class SiteError(Exception):
    """An <error> of an XML API, as root or as its child."""


def local(element):
    """The name of an XML element without its namespace."""
    return element.tag.rsplit("}", 1)[-1]


def child(element, name):
    """The first child of that local name, or None."""
    return next((e for e in element if local(e) == name), None)


def descendants(element, name):
    """All elements of that local name below, in the order of the document."""
    return [e for e in element.iter() if local(e) == name]


def parse(answer):
    """The root of an XML answer; SiteError where it is an error."""
    root = ElementTree.fromstring(answer.body)
    error = root if local(root) == "error" else child(root, "error")
    if error is not None:
        raise SiteError(error.text)
    return root


class PraSite(SimulatorProcess):
    """pra-sim as a context manager."""

    def __init__(self, *arguments, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, tls=None, knobs=None,
                 stderr=None):
        arguments = ["--client-id", client_id, "--client-secret", client_secret, *arguments]
        if tls:
            arguments += ["--certificate", tls.certificate, "--key", tls.key]
        for name, value in (knobs or {}).items():
            arguments += ["--knob", f"{name}={value}"]
        super().__init__("pra-sim", arguments, stderr)
        self.client_id, self.client_secret = client_id, client_secret
        self.tls = tls  # certificates.Pair of the server
        self.access_token = None

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.address}"

    # -- calls to the site --

    def connect(self, timeout=30):
        if not self.tls:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the simulator's own tests; the gateway never does this
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)

    def call(self, method, target, body=None, **headers):
        """One call on a connection of its own. A header that is None is left out; names have _ for -."""
        lines = {"Connection": "close"}
        if self.access_token:
            lines["Authorization"] = f"Bearer {self.access_token}"
        lines.update({k.replace("_", "-"): v for k, v in headers.items()})
        connection = self.connect()
        try:
            connection.request(method, target, body=body, headers={k: v for k, v in lines.items() if v is not None})
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def ask_token(self, client_id=None, client_secret=None, body="grant_type=client_credentials", **headers):
        """The token call, as it is answered."""
        plain = f"{client_id or self.client_id}:{client_secret or self.client_secret}"
        basic = "Basic " + base64.b64encode(plain.encode()).decode()
        return self.call("POST", "/oauth2/token", body, **{"Authorization": basic, "Content_Type": FORM, **headers})

    def token(self):
        """A fresh token, kept for the calls that follow."""
        answer = self.ask_token()
        assert answer.status == 200, answer
        self.access_token = answer.json["access_token"]
        return self.access_token

    def probe(self):
        return self.call("GET", "/check_health", Authorization=None)

    def ask_command(self, action, **params):
        return self.call("GET", "/api/command?" + urllib.parse.urlencode({"action": action, **params}))

    def command(self, action, **params):
        return parse(self.ask_command(action, **params))

    def ask_report(self, report, **params):
        return self.call("GET", "/api/reporting?" + urllib.parse.urlencode({"generate_report": report, **params}))

    def report(self, report, **params):
        return parse(self.ask_report(report, **params))

    def sessions(self, lsids):
        """The <session> elements of AccessSession for these lsids, asked by POST."""
        form = urllib.parse.urlencode({"generate_report": "AccessSession", "lsids": ",".join(lsids)})
        return [e for e in parse(self.call("POST", "/api/reporting", form, Content_Type=FORM)) if local(e) == "session"]

    def listing(self, **params):
        """The lsids of AccessSessionListing; none where it has no rows."""
        try:
            return [e.get("lsid") for e in self.report("AccessSessionListing", **{"duration": 0, **params})]
        except SiteError as error:
            assert str(error).startswith("No "), error
            return []

    def config(self, path, method="GET", **params):
        query = "?" + urllib.parse.urlencode(params) if params else ""
        return self.call(method, f"/api/config/v1/{path}{query}", Accept="application/json")

    def config_all(self, path, **params):
        """All pages of a list."""
        found, page = [], 1
        while True:
            answer = self.config(path, current_page=page, **params)
            assert answer.status == 200, answer
            found += answer.json
            if page >= int(answer.header("X-BT-Pagination-Last-Page")):
                assert len(found) == int(answer.header("X-BT-Pagination-Total"))
                return found
            page += 1

    # -- the admin port: what the site is like --

    def state(self):
        return self.ask("GET", "/state")

    def violations(self):
        return self.counts()["violations"]

    def log(self, call=None, last=20000):
        """The calls so far, oldest first, or those of one name."""
        return [e for e in self.ask("GET", f"/log?last={last}") if call in (None, e["call"])]

    def clear_log(self):
        return self.ask("DELETE", "/log")

    def settings(self, **values):
        return self.ask("POST", "/settings", values)

    def knob(self, name, value):
        return self.settings(knobs={name: value})

    def latency(self, latency_ms, jitter_ms=0):
        return self.settings(latency_ms=latency_ms, jitter_ms=jitter_ms)

    def skew(self, seconds):
        """Sets the site's clock ahead of this machine's, or behind it."""
        at = datetime.datetime.fromtimestamp(time.time() + seconds, datetime.timezone.utc)
        return self.clock(wall=at.strftime("%Y-%m-%dT%H:%M:%S.%f"))

    def now(self):
        """The site's clock, Unix seconds."""
        return self.state()["now_ms"] / 1000

    def account(self, **values):
        """Changes an API account, the first where no client_id is named."""
        return self.ask("POST", "/accounts", values)

    def permit(self, **permissions):
        """permit(perm_command="read_only", perm_reporting_support="0")"""
        return self.account(permissions=permissions)

    def change_secret(self, secret):
        self.account(client_secret=secret)
        self.client_secret = secret

    def drop_tokens(self):
        return self.account(drop_tokens=True)

    def push_out_tokens(self):
        """Another program asks for as many tokens as the account may have: all older ones are dead."""
        return self.account(issue_tokens=30)

    def tokens(self):
        """How many tokens were ever made, all accounts together."""
        return sum(a["issued"] for a in self.state()["accounts"])

    def live_tokens(self):
        """The texts of the access tokens that are good."""
        return self.ask("GET", "/tokens")

    def jumpoint(self, name, **values):
        """Makes or changes one: connected, enabled, clustered, hostname, …"""
        return self.ask("POST", "/jumpoints", {"name": name, **values})

    def failover(self, role, **values):
        return self.ask("POST", "/failover", {"role": role, **values})

    def pause(self):
        """Stops the process: the system accepts connections, and no call is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close_listener(self):
        """Connections are refused from now on."""
        return self.ask("POST", "/listener", {"open": False})

    def open_listener(self):
        return self.ask("POST", "/listener", {"open": True})

    def certificate(self, pair):
        """Another certificate for the handshakes to come."""
        return self.ask("POST", "/tls", {"certificate": pair.certificate, "key": pair.key})

    # -- the admin port: sessions and events --

    def start_session(self, **values):
        """Starts one and returns its lsid: lsid, user, endpoint, hostname, jumpoint, external_key,
        credential_id, start_ago_ms; ended or abnormal with end_ago_ms; events=False sends none."""
        return self.ask("POST", "/sessions", values)["lsids"][0]

    def start_sessions(self, count, **values):
        return self.ask("POST", "/sessions", {"count": count, **values})["lsids"]

    def session(self, lsid):
        return self.ask("GET", f"/sessions?lsid={lsid}")

    def end_session(self, lsid, **values):
        """abnormal=True, end_ago_ms=…, events=False. True when it ran."""
        return self.ask("POST", "/sessions/end", {"lsid": lsid, **values})["ended"] == 1

    def end_sessions(self, lsids=None, **values):
        """These, or all that run (limit=N: so many of them); returns how many ended."""
        entry = {"all": True} if lsids is None else {"lsids": list(lsids)}
        return self.ask("POST", "/sessions/end", {**entry, **values})["ended"]

    def change_session(self, **values):
        """One session, by lsid or by the index of a made-up one: end=True, abnormal=True, revise=True,
        gone="report" (AccessSession does not know it), "all" or "no"; texts of one that a test started."""
        return self.ask("POST", "/sessions/change", values)

    def make_month(self, **values):
        """Made-up sessions in place of those that were: sessions, running, live_hour, events, days, seed,
        users, endpoints, groups, jumpoints, until."""
        return self.ask("POST", "/month", values)

    def month(self):
        return self.ask("GET", "/month")

    def totals(self):
        """What the made-up sessions add up to, counted from themselves."""
        found = self.ask("GET", "/month/totals")
        return {name: dict(value) if isinstance(value, list) else value for name, value in found.items()}

    def month_session(self, index):
        return self.ask("GET", f"/month/session?index={index}")

    def out_of_inventory(self, path, gone=True):
        """The Configuration API no longer has it: "vault/account/7", "jump-item/remote-rdp/3"."""
        return self.ask("POST", "/inventory", {"path": path, "gone": gone})

    def forget_month(self):
        return self.ask("DELETE", "/month")

    def forget_sessions(self):
        return self.ask("DELETE", "/sessions")

    def recipient(self, name, url=None, **values):
        """Makes or changes a recipient of outbound events: ca_file, enabled, events=["end"], copies,
        retry_interval_ms, retry_duration_ms."""
        if url:
            values["url"] = url
        return self.ask("POST", "/recipients", {"name": name, **values})

    def recipients(self):
        return {r["name"]: r for r in self.ask("GET", "/recipients")}

    def forget_recipients(self):
        return self.ask("DELETE", "/recipients")

    def event(self, **values):
        """Queues one event: kind="begin" or "end", event=NAME, lsid, external_key; or raw=BODY."""
        return self.ask("POST", "/events", values)
