"""The knobs of the simulated PRA site: each changes what its name says, and nothing refuses its values."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from simulator_process import ROOT
from pra_site import FORM, PraSite, SiteError, child, descendants, local, parse

COMMAND = {"sra": "http://www.beyondtrust.com/sra/namespaces/API/command",
           "docs": "https://www.beyondtrust.com/namespaces/API/command",
           "bomgar": "http://www.bomgar.com/namespaces/API/command", "none": None}


@pytest.fixture(name="site", scope="module")
def _shared():
    with PraSite() as site:
        site.settings(rate_second=1000)
        site.token()
        yield site


@pytest.fixture(autouse=True)
def _defaults(site):
    yield
    site.settings(knobs={name: values[0] for name, values in KNOBS.items()})
    site.forget_sessions()
    site.clear_faults()
    site.permit(perm_command="full_access", perm_reporting_support="1")


def table():
    """Names and values of all knobs, as the source has them."""
    text = (ROOT / "bench/pra-sim/knob_table.c").read_text(encoding="utf-8")
    rows = re.findall(r'\[KNOB_\w+\] = \{\s*"(\w+)",\s*"[^"]*",\s*\{([^}]*)\}', text)
    return {name: re.findall('"([^"]*)"', values) for name, values in rows}


KNOBS = table()


def test_the_table_is_read_and_documented(site):
    assert len(KNOBS) >= 45
    page = (ROOT / "docs/pra-simulator.md").read_text(encoding="utf-8").split("## Knobs")[1].split("\n## ")[0]
    for name, values in KNOBS.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        for value in values:
            site.knob(name, value)
            assert f"`{value}`" in row, (name, value)


def namespace(root):
    return root.tag[1:].split("}")[0] if root.tag.startswith("{") else None


@pytest.mark.parametrize("value", list(COMMAND))
def test_namespaces(site, value):
    site.start_session(ended=True)
    site.settings(knobs={"command_namespace": value, "reporting_namespace": value})
    assert namespace(site.command("check_health")) == COMMAND[value]
    reporting = COMMAND[value] and COMMAND[value].replace("command", "reporting")
    assert namespace(site.report("AccessSessionListing", end_time=0, duration=0)) == reporting


def test_layout_of_xml(site):
    lsid = site.start_session(ended=True, external_key="a<b")
    site.settings(knobs={"prefix": "bt", "xml_layout": "indented", "xml_declaration": "off", "xml_type": "application/xml",
                         "attribute_order": "reversed"})
    answer = site.ask_report("AccessSession", lsid=lsid)
    assert answer.body.startswith(b"<bt:session_list xmlns:bt=") and b"\n  <bt:session " in answer.body
    assert answer.header("Content-Type") == "application/xml"
    (row,) = parse(answer)
    assert child(row, "external_key").text == "a<b" and child(row, "session_type").text == "support"
    listed = site.ask_report("AccessSessionListing", end_time=0, duration=0)
    assert b'<bt:session_summary has_recording="0" lsid="' in listed.body


def test_errors(site):
    for place, root in (("root", "error"), ("child", "session_list")):
        site.settings(knobs={"error_place": place, "error_code": "on", "error_status": "400"})
        answer = site.ask_report("AccessSession", lsid="0" * 32)
        tree = ElementTree.fromstring(answer.body)
        assert answer.status == 400 and local(tree) == root
        assert descendants(tree, "error")[0].get("code") == "1"
        with pytest.raises(SiteError, match="Invalid lsid"):
            parse(answer)


@pytest.mark.parametrize("value, text", [
    ("criteria", "No session data matching your chosen criteria is available."),
    ("found", "No sessions found for the given search criteria."),
])
def test_no_rows(site, value, text):
    site.knob("no_rows", value)
    with pytest.raises(SiteError, match=re.escape(text)):
        site.report("AccessSessionListing", end_time=0, duration=0)
    site.knob("invalid_lsid", "no_rows")
    with pytest.raises(SiteError, match=re.escape(text)):
        site.report("AccessSession", lsid="0" * 32)


def test_empty_lists(site):
    site.knob("no_rows", "empty")
    root = site.report("AccessSessionListing", end_time=0, duration=0)
    assert local(root) == "session_summary_list" and len(root) == 0


def test_missing_permissions(site):
    site.permit(perm_reporting_support="0", perm_command="deny")
    for value, status, xml in (("error", 200, True), ("403", 403, False), ("403_error", 403, True)):
        site.knob("denied", value)
        for answer in (site.ask_report("AccessSession", lsid="0" * 32), site.ask_command("check_health")):
            assert answer.status == status and (b"<error" in answer.body) == xml
    assert site.ask_command("get_api_info").status == 200
    site.knob("info_denied", "denied")
    assert site.ask_command("get_api_info").status == 403


def test_terminate(site):
    lsid = site.start_session()
    site.knob("success_place", "child")
    root = site.command("terminate_session", lsid=lsid)
    assert local(root) == "terminate_session" and child(root, "success").text == "Successfully terminated"
    with pytest.raises(SiteError):
        site.command("terminate_session", lsid=lsid)
    site.settings(knobs={"success_place": "root", "terminate_ended": "success"})
    assert local(site.command("terminate_session", lsid=lsid)) == "success"


def permissions(site):
    return child(site.command("get_api_info"), "permissions")


def test_forms_of_permissions(site):
    assert {e.get("name"): e.text for e in permissions(site)}["perm_command"] == "full_access"
    site.knob("permission_form", "element")
    assert child(permissions(site), "perm_command").text == "full_access"
    site.knob("permission_form", "attribute")
    assert [e.get("perm_command") for e in permissions(site) if e.get("perm_command")] == ["full_access"]


def test_names_of_permissions(site):
    def names():
        return {e.get("name") for e in permissions(site)}

    assert "perm_reporting" in names() and not names() & {"perm_reporting_support", "perm_reporting_syslog"}
    site.knob("permission_names", "configuration")
    assert "perm_reporting" not in names() and {"perm_reporting_support", "perm_reporting_syslog"} <= names()
    site.knob("permission_names", "all")
    assert {"perm_reporting", "perm_reporting_support"} <= names()
    assert "perm_configuration_vault_acount" in names()
    site.knob("vault_permission", "account")
    assert "perm_configuration_vault_account" in names()


@pytest.mark.parametrize("value", ["check_health", "health", "check_health_response", "appliance_health"])
def test_health_root(site, value):
    site.knob("health_root", value)
    assert local(site.command("check_health")) == value


def test_timestamps(site):
    for value, pattern in (("unix", r"\d+"), ("iso", r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")):
        site.knob("timestamp", value)
        assert re.fullmatch(pattern, child(site.command("get_api_info"), "timestamp").text)
    site.knob("timestamp", "ts")
    assert abs(int(child(site.command("get_api_info"), "timestamp").get("ts")) - site.now()) < 30
    site.knob("timestamp", "absent")
    assert child(site.command("get_api_info"), "timestamp") is None


def test_times_of_sessions(site):
    lsid = site.start_session(ended=True)

    def end():
        return child(site.report("AccessSession", lsid=lsid)[0], "end_time")

    assert end().get("timestamp").isdigit() and end().text.endswith("+00:00")
    site.knob("session_time", "ts")
    assert end().get("ts").isdigit() and end().get("timestamp") is None
    site.knob("session_time", "iso")
    assert not end().attrib and end().text.endswith("+00:00")
    site.knob("session_time", "unix")
    assert not end().attrib and end().text.isdigit()


def test_open_ends_and_running_events(site):
    lsid = site.start_session(credential_id="c")
    row = site.report("AccessSession", lsid=lsid)[0]
    assert child(row, "end_time") is None and descendants(row, "event")
    site.settings(knobs={"open_end": "empty", "running_events": "off"})
    row = site.report("AccessSession", lsid=lsid)[0]
    assert child(row, "end_time").text is None and not descendants(row, "event")


def test_forms_of_an_lsid(site):
    lsid = site.start_session(lsid="0123456789abcdef0123456789ABCDEF", ended=True)
    shown = {"plain": lsid, "upper": lsid.upper(), "dashes": "01234567-89ab-cdef-0123-456789abcdef",
             "braces": "{01234567-89ab-cdef-0123-456789abcdef}"}
    for value, text in shown.items():
        site.knob("lsid_form", value)
        assert site.listing(end_time=0) == [text]
        assert site.report("AccessSession", lsid=text)[0].get("lsid") == text


def test_parameters(site):
    lsid = site.start_session(ended=True)
    site.settings(knobs={"both_times": "tolerate", "unknown_parameter": "ignore", "kept_connection": "serve"})
    assert site.listing(start_time=0, start_date="2020-01-01") == [lsid]
    with pytest.raises(SiteError):
        site.report("AccessSessionListing", start_time=0, end_time=0, duration=0)
    assert site.listing(end_time=0, limit="all") == [lsid]
    assert site.config("jumpoint", limit="all").status == 401  # that one is documented
    assert site.call("GET", "/api/command?action=check_health", Connection=None).status == 200


def test_refused_tokens(site):
    good, site.access_token = site.access_token, "0" * 40
    for status in KNOBS["token_refused"]:
        site.knob("token_refused", status)
        answer = site.ask_command("check_health")
        assert (answer.status, answer.json["error"]) == (int(status), "access_denied")
    site.settings(knobs={"token_refused": "401", "token_refused_form": "xml"})
    assert b"<error" in site.ask_command("check_health").body
    site.knob("token_refused_form", "empty")
    answer = site.ask_command("check_health")
    assert (answer.status, answer.body) == (401, b"")
    site.access_token = None
    assert site.ask_command("check_health").status == 401
    site.access_token = good


def test_refused_secrets(site):
    site.knob("lock_out", "off")
    for status in KNOBS["client_refused"]:
        site.knob("client_refused", status)
        assert site.ask_token(client_secret="wrong").status == int(status)
    for error in KNOBS["client_refused_error"]:
        site.knob("client_refused_error", error)
        assert site.ask_token(client_secret="wrong").json.get("error", "none") == error


def test_token_answers(site):
    site.settings(knobs={"token_type": "lower", "expires_in": "text"})
    assert site.ask_token().json["token_type"] == "bearer" and site.ask_token().json["expires_in"] == "3600"
    for value, expected in (("absent", None), ("zero", 0), ("huge", 4_000_000_000)):
        site.knob("expires_in", value)
        assert site.ask_token().json.get("expires_in") == expected
    site.knob("token_json", "accept")
    assert site.ask_token(body='{"grant_type":"client_credentials"}', Content_Type="application/json").status == 200
    assert site.ask_token(body="[", Content_Type="application/json").status == 400
    assert site.ask_token(Content_Type=FORM).status == 200


def test_rate_limit(site):
    site.clock(frozen=True)
    site.clock(advance_ms=1000)
    site.settings(rate_second=0, knobs={"rate_headers": "off"})
    for status in KNOBS["rate_status"]:
        site.knob("rate_status", status)
        answer = site.ask_command("check_health")
        assert answer.status == int(status) and answer.header("Retry-After") is None
        assert answer.header("X-RateLimit-Remaining") is None
    site.knob("retry_after", "date")
    assert site.ask_command("check_health").header("Retry-After").endswith(" GMT")
    site.settings(rate_second=1000)
    site.clock(frozen=False)


def test_probe_with_token(site):
    site.knob("probe_token", "yes")
    assert site.probe().status == 401 and site.call("GET", "/check_health").status == 200


def test_times_of_the_configuration_api(site):
    site.knob("config_time", "unix")
    assert isinstance(site.config("jumpoint/1/node").json[0]["last_connect_timestamp"], int)
