# SPDX-License-Identifier: Apache-2.0
"""The gateway watches a PRA site: state, detail, /status, health, metrics, reload, and what the site is sent.

Whatever the site does, the gateway brokers as without it.
"""

import contextlib
import datetime
import re
import time

import pytest

from harness import Gateway, eventually
from pra_site import PraSite
from stack import Stack

NO_VAULT = "http://127.0.0.1:9/BeyondTrust/api/public/v3"
SECOND = {"probe_interval": "1s", "check_interval": "1s", "poll_interval": "1s", "rate": "10/s"}
ALL = {"perm_command": "full_access", "perm_reporting_support": "1", "perm_configuration": "1", "perm_ecm": "1",
       "perm_configuration_vault_account": "1", "perm_reporting_syslog": "1"}
MEMBERS = ["name", "type", "state", "detail", "last_success_age_ms", "clock_skew_ms", "version", "api_version",
           "appliance_id", "failover_role", "permissions", "missing", "lists", "jumpoints", "cursor", "last_poll_age_ms",
           "ended", "calls", "tokens"]


@pytest.fixture(name="site")
def _site():
    with PraSite() as site:
        site.permit(**ALL)
        yield site
        assert not site.violations(), site.violations()


def section(gateway_or_folder, site, **keys):
    """The [pra] section. A folder is where the secret file goes."""
    path = gateway_or_folder / "pra-secret"
    path.touch(mode=0o600)
    path.write_text(site.client_secret + "\n")
    return {"pra site": {"url": site.url, "insecure_http": "yes", "client_id": site.client_id,
                         "client_secret_file": str(path), "call_timeout": "1s", "report_timeout": "1s",
                         "connect_timeout": "1s", **keys}}


@pytest.fixture(name="linked")
def _linked(site, tmp_path):
    """linked(key=value, …) is a gateway with a [pra] section."""
    with contextlib.ExitStack() as stack:
        def make(**keys):
            return stack.enter_context(Gateway(NO_VAULT, section(tmp_path, site, **{**SECOND, **keys})))
        yield make


def entry(gateway):
    found = [d for d in gateway.call("GET", "/status").json["dependencies"] if d["type"] == "pra"]
    assert len(found) == 1
    return found[0]


def becomes(gateway, state, *words, seconds=30):
    """Waits until the site has that state and the detail names all of this; returns the entry."""
    last = []

    def there():
        last[:] = [entry(gateway)]
        return last[0]["state"] == state and all(word in last[0]["detail"] for word in words)
    try:
        eventually(there, seconds)
    except AssertionError:
        raise AssertionError((state, words, last)) from None
    return last[0]


def reload(gateway, **keys):
    """Changes keys of the section and reloads."""
    gateway.sections["pra site"].update(keys)
    gateway.write_configuration()
    return gateway


def needs_restart(gateway, what):
    return any("reload_needs_restart" in line and what in line for line in gateway.err.lines)


def hup(gateway):
    before = gateway.err.text.count("reload")
    gateway.signal(1)
    eventually(lambda: gateway.err.text.count("reload") > before)
    return [line for line in gateway.err.lines if "reload" in line][-1]


# ---- what is shown ----

def test_every_member(site, linked):
    site.jumpoint("dc1", connected=True)
    site.settings(version="25.2.1 (build 12345)", api_version="1.25.0")
    site.failover("primary", sync_age_seconds=10)
    gateway = linked(jumpoints="dc1", terminate="yes", ecm="yes")
    e = becomes(gateway, "up")
    assert list(e) == MEMBERS
    assert (e["name"], e["detail"], e["missing"]) == ("site", "", [])
    assert (e["version"], e["api_version"], e["failover_role"]) == ("25.2.1 (build 12345)", "1.25.0", "primary")
    assert e["appliance_id"] and 0 <= e["last_success_age_ms"] < 60000 and abs(e["clock_skew_ms"]) < 5000
    assert e["permissions"]["perm_command"] == "full_access"
    assert all(isinstance(value, str) for value in e["permissions"].values())
    assert e["lists"] == {"password_safe": "complete", "insights": "unknown"}, "get_api_info does not name all"
    assert e["jumpoints"] == [{"name": "dc1", "connected": True}]
    assert e["ended"] == {"poll": 0, "event": 0, "terminate": 0}
    assert e["tokens"] == 1 and e["calls"] >= 5
    assert e["last_poll_age_ms"] is None, "without a lease nothing is asked"
    text = eventually(lambda: entry(gateway)["cursor"])
    cursor = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    assert abs(cursor.timestamp() - site.now()) < 60


def test_what_is_not_known_is_null(site, linked):
    site.pause()
    try:
        gateway = linked(call_timeout="1m", connect_timeout="1m", report_timeout="1m", jumpoints='dc1 "B 2"', poll_interval="1h")
        e = entry(gateway)
        assert list(e) == MEMBERS
        assert e["state"] == "unknown" and e["detail"]
        assert {n for n in MEMBERS if e[n] is None} == {
            "last_success_age_ms", "clock_skew_ms", "version", "api_version", "appliance_id", "failover_role",
            "permissions", "missing", "cursor", "last_poll_age_ms"}
        assert e["lists"] == {"password_safe": "unknown", "insights": "unknown"}
        assert e["jumpoints"] == [{"name": "dc1", "connected": None}, {"name": "B 2", "connected": None}]
        assert gateway.metrics()["jumpgate_pra_up"] == 0
        reload(gateway, jumpoints="all")
        hup(gateway)
        assert entry(gateway)["jumpoints"] is None
    finally:
        site.resume()
    becomes(gateway, "up")


def test_health_and_ready(site, linked):
    gateway = linked()
    becomes(gateway, "up")

    def look():
        health = gateway.call("GET", "/v1/health")
        checks = {c["name"]: c for c in health.json["checks"]}
        return health.status, health.json["healthy"], gateway.call("GET", "/readyz").status, checks["pra:site"]
    healthy = look()
    assert (healthy[3]["ok"], healthy[3]["required"]) == (True, False)
    site.failover("backup")
    becomes(gateway, "standby")
    assert look()[3]["ok"] is True
    site.failover("none")
    becomes(gateway, "up")
    for spoil, mend, state in ((lambda: site.settings(healthy=False), lambda: site.settings(healthy=True), "degraded"),
                               (site.close_listener, site.open_listener, "down")):
        spoil()
        becomes(gateway, state)
        after = look()
        assert (after[3]["ok"], after[3]["required"]) == (False, False) and after[3]["detail"]
        assert after[:3] == healthy[:3]
        mend()
        becomes(gateway, "up")


def test_without_a_section():
    with Gateway(NO_VAULT) as gateway:
        assert [d for d in gateway.call("GET", "/status").json["dependencies"] if d["type"] == "pra"] == []
        assert not [c for c in gateway.call("GET", "/v1/health").json["checks"] if c["name"].startswith("pra")]
        assert not [name for name in gateway.metrics() if name.startswith("jumpgate_pra")]
        answer = gateway.call("POST", "/v1/events/pra?token=x", b"event=x",
                              headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status == 404
        answer = gateway.call("POST", "/v1/leases/nothing/release", {"terminate": True})
        assert answer.status in (404, 501)


LABELS = {
    "jumpgate_pra_up": {}, "jumpgate_pra_tokens_total": {}, "jumpgate_pra_clock_skew_seconds": {},
    "jumpgate_pra_last_success_age_seconds": {}, "jumpgate_pra_cursor_age_seconds": {},
    "jumpgate_pra_calls_total": {"call": None, "outcome": {"ok", "error", "no_rows", "refused", "unavailable", "timeout"}},
    "jumpgate_pra_call_duration_seconds_bucket": {"call": None, "le": None},
    "jumpgate_pra_call_duration_seconds_count": {"call": None}, "jumpgate_pra_call_duration_seconds_sum": {"call": None},
    "jumpgate_pra_events_total": {"event": {"begin", "end", "other", "none"},
                                  "outcome": {"accepted", "ignored", "malformed", "refused", "unavailable"}},
    "jumpgate_pra_sessions_ended_total": {"source": {"poll", "event", "terminate"}},
    "jumpgate_pra_early_releases_total": {"source": {"poll", "event", "terminate"}},
    "jumpgate_pra_terminations_total": {"outcome": None},
    "jumpgate_pra_jumpoint_connected": {"jumpoint": {"dc1", "B 2"}},
}


def test_metrics(site, linked):
    """Every name, every label, every value of a label."""
    site.jumpoint("dc1", connected=True)
    site.jumpoint("dc3", connected=True)
    gateway = linked(jumpoints='dc1 "B 2"')
    becomes(gateway, "degraded", "B 2")
    seen = {}
    for series in gateway.metrics():
        name, _, inside = series.partition("{")
        if name.startswith("jumpgate_pra"):
            labels = seen.setdefault(name, {})
            for label, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', inside):
                labels.setdefault(label, set()).add(value)
    assert seen.keys() == LABELS.keys()
    for name, labels in LABELS.items():
        assert seen[name].keys() == labels.keys(), name
        for label, values in labels.items():
            assert values is None or seen[name][label] == values, (name, label)
    m = gateway.metrics()
    assert m["jumpgate_pra_up"] == 1 and m["jumpgate_pra_tokens_total"] == 1
    assert m['jumpgate_pra_jumpoint_connected{jumpoint="dc1"}'] == 1
    assert m['jumpgate_pra_jumpoint_connected{jumpoint="B 2"}'] == 0
    assert m['jumpgate_pra_calls_total{call="probe",outcome="ok"}'] >= 1
    assert 0 <= m["jumpgate_pra_last_success_age_seconds"] < 60
    site.close_listener()
    becomes(gateway, "down")
    m = gateway.metrics()
    assert m["jumpgate_pra_up"] == 0
    assert m['jumpgate_pra_calls_total{call="probe",outcome="unavailable"}'] >= 1
    assert m['jumpgate_pra_jumpoint_connected{jumpoint="dc1"}'] in (0, 1)
    site.open_listener()


# ---- degraded ----

def test_unhealthy(site, linked):
    gateway = linked()
    becomes(gateway, "up")
    site.settings(healthy=False, error_message="Disk\u202e is\nfull.")
    e = becomes(gateway, "degraded", "unhealthy", "full.")
    assert "\n" not in e["detail"] and "\u202e" not in e["detail"]
    site.settings(healthy=True, error_message="")
    becomes(gateway, "up")


NEEDS = [({}, {"perm_command": "deny"}, "watch"), ({"terminate": "yes"}, {"perm_command": "read_only"}, "kill_switch"),
         ({}, {"perm_reporting_support": "0"}, "early_release"),
         ({"jumpoints": "dc1"}, {"perm_configuration": "0"}, "jumpoints"), ({"ecm": "yes"}, {"perm_ecm": "0"}, "ecm")]


@pytest.mark.parametrize("form", ["name", "element", "attribute"])
def test_missing_permission(site, linked, form):
    site.knob("permission_form", form)
    site.knob("permission_names", "all")
    site.jumpoint("dc1", connected=True)
    gateway = linked(terminate="yes", ecm="yes", jumpoints="dc1")
    becomes(gateway, "up")
    for _, spoil, feature in NEEDS:
        name = next(iter(spoil))
        site.permit(**spoil)
        e = becomes(gateway, "degraded", name, feature)
        assert {"permission": name, "feature": feature} in e["missing"]
        assert e["permissions"][name] == spoil[name]
        site.permit(**ALL)
        e = becomes(gateway, "up")
        assert e["missing"] == []


def test_what_is_off_is_not_missed(site, linked):
    site.permit(perm_command="read_only", perm_reporting_support="0", perm_configuration="0", perm_ecm="0")
    gateway = linked(poll_interval="0s")
    e = becomes(gateway, "up")
    assert e["missing"] == [] and e["lists"]["password_safe"] == "incomplete"
    assert {"jumpoint", "AccessSessionListing"}.isdisjoint(call["call"] for call in site.log())


def test_calls_that_a_known_permission_does_not_allow_are_not_made(site, linked):
    site.permit(perm_configuration="0", perm_command="deny")
    gateway = linked(jumpoints="all")
    becomes(gateway, "degraded", "perm_configuration")
    checks = len(site.log("get_api_info"))
    eventually(lambda: len(site.log("get_api_info")) > checks + 1)
    assert {call["call"] for call in site.log()} == {"probe", "token", "get_api_info"}


@pytest.mark.parametrize("spelling", ["acount", "account"])
def test_vendor_lists(site, linked, spelling):
    site.settings(knobs={"vault_permission": spelling, "permission_names": "all"})
    gateway = linked()
    e = becomes(gateway, "up")
    assert e["lists"] == {"password_safe": "complete", "insights": "complete"}
    assert e["permissions"]["perm_configuration_vault_account"] == "1"
    site.permit(perm_configuration_vault_account="0", perm_ecm="0")
    eventually(lambda: entry(gateway)["lists"] == {"password_safe": "incomplete", "insights": "incomplete"})
    assert entry(gateway)["state"] == "up"


def test_unknown_permissions_are_tried(site, linked):
    info = "<get_api_info><api_version>1.9</api_version><permissions></permissions></get_api_info>"
    site.fault("status", call="get_api_info", status=200, body=info, content_type="text/xml")
    site.jumpoint("dc1", connected=True)
    gateway = linked(jumpoints="dc1", terminate="yes", ecm="yes")
    e = becomes(gateway, "up")
    assert e["permissions"] == {} and e["missing"] == [] and e["api_version"] == "1.9"
    assert e["jumpoints"] == [{"name": "dc1", "connected": True}]
    site.permit(perm_configuration="0")
    becomes(gateway, "degraded", "jumpoints")


@pytest.mark.parametrize("form", ["unix", "absent"])
def test_skew(site, linked, form):
    site.knob("timestamp", form)
    gateway = linked()
    becomes(gateway, "up")
    for seconds, word in ((90, "ahead"), (-7200, "behind")):
        site.skew(seconds)
        becomes(gateway, "degraded", "clock", word)
        eventually(lambda: abs(entry(gateway)["clock_skew_ms"] - seconds * 1000) < 5000)
        assert abs(gateway.metrics()["jumpgate_pra_clock_skew_seconds"] - seconds) < 5
    site.skew(30)
    assert abs(becomes(gateway, "up")["clock_skew_ms"] - 30000) < 5000


def test_jumpoints(site, linked):
    site.jumpoint("dc1", connected=True)
    site.jumpoint("B 2", connected=True)
    site.jumpoint("other", connected=False)
    gateway = linked(jumpoints='dc1 "B 2"')
    assert becomes(gateway, "up")["jumpoints"] == [{"name": "dc1", "connected": True}, {"name": "B 2", "connected": True}]
    site.jumpoint("B 2", connected=False)
    e = becomes(gateway, "degraded", "B 2", "not connected")
    assert e["jumpoints"][1] == {"name": "B 2", "connected": False} and "dc1" not in e["detail"]
    site.jumpoint("B 2", enabled=False)
    becomes(gateway, "degraded", "B 2", "disabled")
    site.jumpoint("B 2", connected=True, enabled=True)
    becomes(gateway, "up")
    reload(gateway, jumpoints="dc1 dc9")
    hup(gateway)
    becomes(gateway, "degraded", "dc9", "not exist")
    reload(gateway, jumpoints="all")
    hup(gateway)
    e = becomes(gateway, "degraded", "other")
    names = {j["name"]: j["connected"] for j in e["jumpoints"]}
    assert len(names) > 3 and names.pop("other") is False and set(names.values()) == {True}, "also those of the simulator"
    site.jumpoint("other", connected=True)
    becomes(gateway, "up")


def test_worst_first(site, linked):
    site.settings(healthy=False, error_message="Disk is full.")
    site.permit(perm_ecm="0")
    site.skew(120)
    gateway = linked(ecm="yes", jumpoints="dc9")
    wanted = ["unhealthy", "Disk is full.", "perm_ecm", "clock", "dc9"]
    e = becomes(gateway, "degraded", *wanted)
    places = [e["detail"].index(word) for word in wanted]
    assert places == sorted(places), e["detail"]
    site.close_listener()
    e = becomes(gateway, "down", *wanted)
    assert e["detail"].index("refuses the connection") < e["detail"].index("unhealthy")
    site.open_listener()


# ---- standby, refused, down ----

def test_standby(site, linked):
    """Only probes and check_health are sent."""
    gateway = linked(jumpoints="all")
    becomes(gateway, "up")
    site.failover("backup")
    becomes(gateway, "standby", "backup")
    site.clear_log()
    eventually(lambda: len(site.log("check_health")) >= 3)
    assert {call["call"] for call in site.log()} <= {"probe", "check_health", "token"}
    site.failover("primary")
    assert becomes(gateway, "up")["failover_role"] == "primary"


def test_refused_secret(site, linked, tmp_path):
    """One token call, then a pause; a changed secret ends it at once."""
    old = site.client_secret
    site.account(client_secret="another/secret")
    gateway = linked()
    e = becomes(gateway, "refused", "client id or secret")
    assert e["tokens"] == 0
    probes = len(site.log("probe"))
    eventually(lambda: len(site.log("probe")) >= probes + 4)
    assert len(site.log("token")) == 1
    assert {call["call"] for call in site.log()} == {"probe", "token"}
    assert gateway.metrics()['jumpgate_pra_calls_total{call="token",outcome="refused"}'] == 1
    assert gateway.call("GET", "/readyz").status in (200, 503)
    hup(gateway)  # the same secret as before: the pause stays
    (tmp_path / "pra-secret").write_text("another/secret")
    hup(gateway)
    assert becomes(gateway, "up", seconds=10)["tokens"] == 1
    assert len(site.log("token")) == 2
    for text in (old, "another/secret"):
        assert text not in gateway.err.text


def test_changed_secret_ends_the_token(site, linked, tmp_path):
    gateway = linked()
    becomes(gateway, "up")
    site.change_secret("brand-new")
    (tmp_path / "pra-secret").write_text("brand-new")
    hup(gateway)
    eventually(lambda: entry(gateway)["tokens"] == 2)
    becomes(gateway, "up")
    tokens = [call for call in site.log("token")]
    assert [call["status"] for call in tokens] == [200, 200]


def test_down_and_back(site, linked):
    gateway = linked()
    becomes(gateway, "up")
    site.close_listener()
    began = time.monotonic()
    e = becomes(gateway, "down", "no valid answer")
    assert time.monotonic() - began < 20
    assert e["version"] and e["permissions"], "what was known stays"
    site.open_listener()
    becomes(gateway, "up")
    site.pause()
    try:
        becomes(gateway, "down", "in time")
    finally:
        site.resume()
    becomes(gateway, "up")
    lines = [line for line in gateway.err.lines if line.startswith("pra_state") or " pra_state " in line or "pra_state" in line]
    assert any("to=down" in line for line in lines)


def test_site_that_is_there_later(site, linked):
    site.close_listener()
    gateway = linked()
    becomes(gateway, "down")
    site.open_listener()
    becomes(gateway, "up")


# ---- reload ----

def test_section_does_not_come_or_go(site, linked, tmp_path):
    gateway = linked()
    becomes(gateway, "up")
    kept = gateway.sections.pop("pra site")
    gateway.write_configuration()
    hup(gateway)
    assert needs_restart(gateway, "[pra]")
    becomes(gateway, "up")
    gateway.sections["pra site"] = kept
    with Gateway(NO_VAULT) as other:
        other.sections.update(section(tmp_path, site))
        other.write_configuration()
        hup(other)
        assert needs_restart(other, "[pra]")
        assert [d for d in other.call("GET", "/status").json["dependencies"] if d["type"] == "pra"] == []


@pytest.mark.parametrize("key, value", [("url", "http://127.0.0.1:1"), ("client_id", "another")])
def test_fixed_keys(linked, key, value):
    gateway = linked()
    becomes(gateway, "up")
    reload(gateway, **{key: value})
    hup(gateway)
    assert needs_restart(gateway, f"`{key}`")
    becomes(gateway, "up")


def test_every_other_key_changes(site, linked, tmp_path):
    gateway = linked(probe_interval="1h", check_interval="1h")
    becomes(gateway, "up")
    other = tmp_path / "other-secret"
    other.touch(mode=0o600)
    other.write_text(site.client_secret)
    site.permit(perm_ecm="0")
    reload(gateway, probe_interval="1s", check_interval="2s", poll_interval="2s", poll_overlap="1m", catch_up="2h",
           rate="9/s", max_answer="1M", call_timeout="2s", report_timeout="3s", connect_timeout="1s", terminate="yes",
           ecm="yes", jumpoints="all", events_token_sha256="0" * 64, events_from="127.0.0.1",
           client_secret_file=str(other))
    line = hup(gateway)
    assert "restart" not in line, line
    becomes(gateway, "degraded", "perm_ecm")
    site.clear_log()
    eventually(lambda: len(site.log("probe")) >= 3 and site.log("jumpoint"))
    reload(gateway, ecm="no")
    hup(gateway)
    becomes(gateway, "up")


# ---- what the site is sent ----

def test_budget(site, linked):
    """The rhythm of the defaults, fifteen times as fast: an hour is four minutes."""
    gateway = linked(check_interval="20s")
    becomes(gateway, "up")
    site.clear_log()
    began = time.monotonic()
    eventually(lambda: len(site.log("probe")) >= 12, 60)
    hours = (time.monotonic() - began) / 240
    log = site.log()
    assert len(log) <= 700 * hours + 5, [call["call"] for call in log]
    assert site.tokens() == 1
    assert entry(gateway)["tokens"] == 1


def test_tokens_are_renewed_at_80_percent(site, linked):
    site.settings(token_seconds=5)
    gateway = linked()
    becomes(gateway, "up")
    eventually(lambda: len(site.log("token")) >= 3, 30)
    times = [call["at_ms"] for call in site.log("token")]
    assert all(b - a >= 3900 for a, b in zip(times, times[1:])), times
    assert {call["status"] for call in site.log()} == {200}
    becomes(gateway, "up")


# ---- brokering beside it ----

@pytest.fixture(scope="module", name="beside")
def _beside(tmp_path_factory):
    with PraSite() as site:
        site.permit(**ALL)
        site.knob("permission_names", "all")
        site.jumpoint("dc1", connected=True)
        folder = tmp_path_factory.mktemp("pra")
        with Stack(section(folder, site, **SECOND, jumpoints="dc1")) as stack:
            stack.site = site
            box = stack.account(password="s3cret")
            lsid = site.start_session(user="ann", endpoint=box.name)
            ann = stack.session("ann", box)
            ann["lsid"] = lsid
            assert stack.checkout(ann).status == 200  # so that reports are asked for
            yield stack
            site.clear_faults()
            site.end_session(lsid)
            stack.sweep()
        assert not site.violations(), site.violations()


CALLS = {"probe": "probe", "token": "token", "get_api_info": "get_api_info", "check_health": "check_health",
         "jumpoint": "jumpoints", "AccessSessionListing": "session_listing"}
FAULTS = ["status", "html", "redirect", "reset", "hang", "truncate", "wrong_type", "oversize", "throttle", "doctype",
          "error", "cut"]


CASES = [("get_api_info", action) for action in FAULTS] + \
    [(call, action) for call in CALLS if call != "get_api_info" for action in FAULTS[:6] if action != "redirect"]


@pytest.mark.parametrize("call, action", CASES)
def test_any_fault(beside, call, action):
    """State and detail name the call; brokering goes on; it comes back by itself."""
    gateway, site = beside.gateway, beside.site
    becomes(gateway, "up", seconds=60)
    more = {"status": 404 if call == "probe" else 500} if action == "status" else {}  # 500 of a probe: unhealthy
    site.fault(action, call=call, **more)
    if call == "token":
        site.drop_tokens()
    try:
        def seen():
            e = entry(gateway)
            return e["state"] in ("degraded", "down") and CALLS[call] in e["detail"] and e
        eventually(seen, 30)
        bob = beside.session("bob", beside.account(password="pw"))
        assert beside.checkout(bob).json["password"] == "pw"
        assert gateway.complete(bob).status == 200
        assert gateway.call("GET", "/readyz").status == 200
    finally:
        site.clear_faults()
    leases = gateway.call("GET", "/v1/leases").json["leases"]
    assert [lease for lease in leases if lease["lsid"]], "a fault proves nothing"


def test_reports_denied(beside):
    gateway, site = beside.gateway, beside.site
    becomes(gateway, "up", seconds=90)
    site.fault("error", call="AccessSessionListing", body="<error>Permission denied.</error>")
    becomes(gateway, "degraded", "reports are denied", "Permission denied.")
    site.clear_faults()
    becomes(gateway, "up", seconds=60)
    site.fault("status", call="AccessSessionListing", status=500)
    becomes(gateway, "degraded", "reports fail")
    site.clear_faults()
    becomes(gateway, "up", seconds=60)


# ---- what is not publicly known of the site: every form works ----

FORMS = {  # the usual one first
    "command_namespace": ["sra", "docs", "bomgar", "none"], "reporting_namespace": ["sra", "docs", "bomgar", "none"],
    "prefix": ["none", "bt"], "xml_declaration": ["on", "off"], "xml_layout": ["compact", "indented"],
    "xml_type": ["text/xml", "text/xml; charset=utf-8", "application/xml", "application/xml; charset=UTF-8"],
    "attribute_order": ["usual", "reversed"], "no_rows": ["criteria", "found", "empty"], "error_place": ["root", "child"],
    "error_code": ["off", "on"], "timestamp": ["unix", "iso", "ts", "absent"],
    "session_time": ["timestamp", "ts", "iso", "unix"], "lsid_form": ["plain", "upper", "dashes", "braces"],
    "token_type": ["capital", "lower"], "expires_in": ["number", "absent", "text", "zero", "huge"],
    "rate_headers": ["on", "off"], "config_time": ["rfc3339", "unix"],
    "health_root": ["check_health", "health", "check_health_response", "appliance_health"],
    "permission_form": ["name", "element", "attribute"], "permission_names": ["all", "documented", "configuration"],
}


@pytest.mark.parametrize("turn", range(1, max(map(len, FORMS.values()))))
def test_every_form(beside, turn):
    """Checks and listings are understood, and the session that ends at the site is released."""
    gateway, site = beside.gateway, beside.site
    becomes(gateway, "up", seconds=90)
    site.settings(knobs={name: values[turn % len(values)] for name, values in FORMS.items()})
    try:
        site.drop_tokens()
        box = beside.account(password="pw")
        bob = beside.session("bob", box)
        bob["lsid"] = site.start_session(user="bob", endpoint=box.name)
        assert beside.checkout(bob).status == 200
        site.clear_log()
        eventually(lambda: len(site.log("get_api_info")) >= 2 and len(site.log("AccessSessionListing")) >= 2, 30)
        assert entry(gateway)["state"] == "up", entry(gateway)["detail"]
        ended = entry(gateway)["ended"]["poll"]
        site.end_session(bob["lsid"])
        eventually(lambda: entry(gateway)["ended"]["poll"] == ended + 1, 20)
        assert entry(gateway)["state"] == "up", entry(gateway)["detail"]
    finally:
        site.settings(knobs={name: values[0] for name, values in FORMS.items()})


# ---- the site's own budget, refused tokens, failover ----

def test_refused_token_is_replaced_once(beside):
    gateway, site = beside.gateway, beside.site
    becomes(gateway, "up", seconds=90)
    tokens = site.tokens()
    site.push_out_tokens()
    issued = site.tokens()
    assert issued == tokens + 30
    eventually(lambda: site.tokens() == issued + 1)
    becomes(gateway, "up")
    assert site.tokens() == issued + 1
    calls = len(site.log("get_api_info"))
    site.account(ip_addresses="192.0.2.1")  # from now on each token is refused
    try:
        becomes(gateway, "degraded", "refuses a new token")
        eventually(lambda: len(site.log("get_api_info")) > calls + 4, 30)
        assert site.tokens() - issued <= 1 + 2, "one for each kind of call within a minute"
    finally:
        site.account(ip_addresses="")
    becomes(gateway, "up", seconds=60)


def test_failover_looks_back_further(beside):
    gateway, site = beside.gateway, beside.site
    becomes(gateway, "up", seconds=90)
    site.clear_log()
    since = eventually(lambda: [e["params"] for e in site.log("AccessSessionListing")], 20)[-1]
    before = int(re.search(r"end_time=(\d+)", since)[1])
    site.failover("primary", appliance_id="0f0e0d0c-0b0a-4908-8706-050403020100")
    eventually(lambda: entry(gateway)["appliance_id"].startswith("0f0e0d0c"))

    def times():
        return [int(re.search(r"end_time=(\d+)", e["params"])[1]) for e in site.log("AccessSessionListing")]
    eventually(lambda: min(times()) <= before - 600, 20)
    eventually(lambda: times()[-1] > before - 600, 20)  # once
    site.failover("none")
    becomes(gateway, "up", seconds=60)


def test_little_is_left_of_the_rate_limit(site, linked):
    gateway = linked()
    becomes(gateway, "up")
    site.account(rate_used=15000 - 900)
    becomes(gateway, "up", "few calls are left")
    site.account(rate_used=15000 - 150)
    becomes(gateway, "up", "only probes and terminations")
    site.clear_log()
    eventually(lambda: len(site.log("probe")) >= 4)
    assert {call["call"] for call in site.log()} == {"probe"}


@pytest.mark.parametrize("rule", [{"action": "status", "status": 429}, {"action": "unavailable"}])
def test_pause_of_background_calls(site, linked, rule):
    """Without Retry-After it is 30 s. Probes go on; a success of theirs does not end the pause."""
    gateway = linked()
    becomes(gateway, "up")
    site.fault(call="get_api_info", count=1, **rule)
    becomes(gateway, "degraded", "get_api_info")
    site.clear_log()
    eventually(lambda: len(site.log("probe")) >= 3)
    assert {call["call"] for call in site.log()} == {"probe"}
