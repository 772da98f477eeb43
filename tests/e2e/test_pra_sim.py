"""The simulated PRA site: tokens, the Command, Reporting and Configuration APIs, and what it refuses."""

import http.client
import re
import time

import pytest

from simulator_process import until
from pra_site import CLIENT_ID, FORM, PraSite, SiteError, child, descendants, local, parse

MULTIPART = "multipart/form-data; boundary=x"


@pytest.fixture(name="site")
def _site():
    with PraSite() as site:
        site.settings(rate_second=1000)
        site.token()
        yield site


# ---- tokens ----

def test_token_call(site):
    answer = site.ask_token()
    assert answer.status == 200
    assert answer.json["token_type"] == "Bearer" and answer.json["expires_in"] == 3600
    assert re.fullmatch("[0-9a-f]{40}", answer.json["access_token"])
    assert site.ask_token(body="grant_type=password").json["error"] == "unsupported_grant_type"
    assert site.ask_token(Authorization=None).status == 401
    assert site.violations() == {"no_basic": 1}
    assert site.call("GET", "/oauth2/token").status == 405


def test_the_31st_token_ends_the_oldest(site):
    first = site.access_token
    for _ in range(29):
        site.token()
    last, site.access_token = site.access_token, first
    assert site.ask_command("check_health").status == 200
    site.token()
    site.access_token = first
    assert site.ask_command("check_health").json["error"] == "access_denied"
    site.access_token = last
    assert site.ask_command("check_health").status == 200
    account = site.state()["accounts"][0]
    assert (account["tokens"], account["issued"], account["pushed_out"]) == (30, 31, 1)


def test_another_program_uses_the_account(site):
    site.push_out_tokens()
    assert site.ask_command("check_health").status == 401 and site.tokens() == 31
    site.token()
    assert site.ask_command("check_health").status == 200


def test_tokens_expire_by_the_sites_clock(site):
    site.clock(advance_ms=3599_000)
    assert site.ask_command("check_health").status == 200
    site.clock(advance_ms=1000)
    assert site.ask_command("check_health").status == 401


def test_a_new_secret_ends_all_tokens(site):
    site.account(client_secret="new")
    assert site.ask_command("check_health").status == 401
    assert site.ask_token().json["error"] == "invalid_client"
    site.change_secret("newer")
    site.token()
    assert site.ask_command("check_health").status == 200


def test_wrong_secrets_lock_the_account_and_leave_its_tokens(site):
    for _ in range(5):
        assert site.ask_token(client_secret="wrong").status == 401
    assert site.state()["accounts"][0]["locked"]
    assert site.ask_token().status == 401
    assert site.ask_command("check_health").status == 200
    site.clock(advance_ms=1800_000)
    assert site.ask_token().status == 200
    site.knob("lock_out", "off")
    for _ in range(9):
        site.ask_token(client_secret="wrong")
    assert site.ask_token().status == 200


def test_right_secret_forgets_wrong_ones(site):
    for _ in range(3):
        for _ in range(4):
            site.ask_token(client_secret="wrong")
        assert site.ask_token().status == 200


def test_disabled_accounts_and_addresses(site):
    site.account(enabled=False)
    assert site.ask_command("check_health").status == 401 and site.ask_token().status == 401
    site.account(enabled=True, ip_addresses="192.0.2.1,192.0.2.2")
    assert site.ask_token().status == 200 and site.ask_command("check_health").status == 401
    site.account(ip_addresses="192.0.2.1,127.0.0.1")
    assert site.ask_command("check_health").status == 200
    site.knob("address_check", "token")
    site.account(ip_addresses="192.0.2.1")
    assert site.ask_token().status == 401 and site.ask_command("check_health").status == 200


def test_a_second_account(site):
    site.account(client_id="other", client_secret="its own", permissions={"perm_command": "deny"})
    first = site.access_token
    site.access_token = site.ask_token("other", "its own").json["access_token"]
    with pytest.raises(SiteError, match="permission"):
        site.command("check_health")
    site.access_token = first
    assert site.command("check_health") is not None
    assert [e["client"] for e in site.log("check_health")] == ["other", CLIENT_ID]


# ---- probe and Command API ----

def test_probe_needs_no_token(site):
    assert site.probe().status == 200
    site.settings(healthy=False, error_message="The disk is full.")
    assert site.probe().status == 500
    health = site.command("check_health")
    assert child(health, "success").text == "0" and child(health, "error_message").text == "The disk is full."


def test_api_info(site):
    site.permit(perm_command="read_only", perm_reporting_support="0")
    info = site.command("get_api_info")
    named = {e.get("name"): e.text for e in child(info, "permissions")}
    assert named["perm_command"] == "read_only" and named["perm_reporting"] == "0"
    assert "perm_configuration_vault_acount" in named and "perm_reporting_support" not in named
    site.clock(advance_ms=90_000)
    later = int(child(site.command("get_api_info"), "timestamp").text)
    assert 90 <= later - int(child(info, "timestamp").text) < 120


@pytest.mark.parametrize("seconds", [90, -90])
def test_skewed_clock(site, seconds):
    site.skew(seconds)
    at = int(child(site.command("get_api_info"), "timestamp").text)
    assert abs(at - time.time() - seconds) < 30
    lsid = site.start_session(ended=True)
    assert site.listing(end_time=at - 5) == [lsid] and abs(site.session(lsid)["end_ms"] / 1000 - at) < 30


def test_date_follows_the_sites_clock(site):
    site.clock(wall="2026-03-10T09:00:12", frozen=True)
    assert site.probe().header("Date") == "Tue, 10 Mar 2026 09:00:12 GMT"


def test_health_of_a_failover_pair(site):
    health = site.command("check_health")
    assert child(health, "failover_role").text == "none" and child(health, "last_data_sync_time") is None
    site.failover("primary", appliance_id="B", shared_ips="192.0.2.7,192.0.2.8", sync_age_seconds=60)
    assert site.ask_command("check_health").status == 401  # the tokens are the other appliance's
    site.token()
    health = site.command("check_health")
    assert child(health, "appliance").get("id") == "B" and child(health, "failover_role").text == "primary"
    assert [e.text for e in child(health, "enabled_shared_ips")] == ["192.0.2.7", "192.0.2.8"]
    assert abs(int(child(health, "last_data_sync_time").get("ts")) - (site.now() - 60)) <= 2
    site.knob("failover_tokens", "kept")
    site.failover("backup")
    assert child(site.command("check_health"), "failover_role").text == "backup"
    site.knob("backup_calls", "refuse")
    with pytest.raises(SiteError, match="backup"):
        site.command("get_api_info")
    assert child(site.command("check_health"), "failover_role").text == "backup"


def test_terminate_session(site):
    lsid = site.start_session(user="ann")
    assert child(site.command("get_session_attributes", lsid=lsid), "custom_attribute") is not None
    assert local(site.command("terminate_session", lsid=lsid)) == "success"
    assert site.session(lsid)["state"] == "ended" and site.state()["sessions"]["terminated"] == 1
    for action in ("terminate_session", "get_session_attributes"):
        with pytest.raises(SiteError):
            site.command(action, lsid=lsid)
    with pytest.raises(SiteError, match="Invalid lsid"):
        site.command("terminate_session", lsid="0" * 32)
    site.permit(perm_command="read_only")
    other = site.start_session()
    with pytest.raises(SiteError, match="permission"):
        site.command("terminate_session", lsid=other)
    assert site.session(other)["state"] == "running"


def test_connected_clients(site):
    site.start_session(user="ann", endpoint="web01")
    site.jumpoint("Branch office", connected=False)
    assert [child(e, "display_name").text for e in site.command("get_logged_in_reps")] == ["ann"]
    listed = site.command("get_connected_client_list")
    assert [e.get("type") for e in listed][1:] == ["representative", "support_customer", "push_agent"]
    summary = site.command("get_connected_client_list", type="push_agent", summary_only=1)
    assert len(summary) == 1 and descendants(summary, "count")[0].text == "1"
    number = listed[-1].get("id")
    found = site.command("get_connected_clients", type="all", id=number, include_connections=1)
    assert [local(e) for e in found] == ["connected_push_agent"]
    assert child(found[0], "name").text == "Head office" and child(found[0], "event_log") is not None


def test_xml_api_off(site):
    site.settings(xml_api=False)
    assert site.ask_command("check_health").status == 404 and site.ask_report("AccessSession").status == 404
    assert site.ask_token().status == 200 and site.config("jumpoint").status == 200


# ---- Reporting API ----

def at(site, seconds):
    return int(site.now()) - seconds


def test_listing_by_start_and_by_end(site):
    running = site.start_session(start_ago_ms=50_000)
    ended = site.start_session(start_ago_ms=100_000, ended=True, end_ago_ms=30_000)
    broken = site.start_session(start_ago_ms=100_000, abnormal=True, end_ago_ms=30_000)
    assert set(site.listing(start_time=at(site, 200))) == {running, ended, broken}
    assert site.listing(start_time=at(site, 60)) == [running]
    assert site.listing(end_time=at(site, 200)) == [ended]
    assert site.listing(end_time=at(site, 20)) == []
    assert site.listing(end_time=at(site, 200), duration=100) == []
    assert site.listing(end_time=at(site, 200), duration=180) == [ended]
    site.end_session(running)
    assert site.listing(end_time=at(site, 20)) == [running]


def test_listing_by_date(site):
    site.clock(wall="2026-03-10T12:00:00", frozen=True)
    lsid = site.start_session(ended=True)
    assert site.listing(end_date="2026-03-10") == [lsid] and site.listing(start_date="2026-03-10") == [lsid]
    assert site.listing(end_date="2026-03-08", duration=2) == [] and site.listing(end_date="2026-03-11") == []
    assert site.listing(end_date="2026-03-09", duration=2) == [lsid]


def test_reports_that_lag(site):
    site.settings(report_lag_ms=30_000)
    site.clock(frozen=True)
    lsid = site.start_session(ended=True)
    site.clock(advance_ms=29_999)
    assert site.listing(end_time=0) == [] and site.listing(start_time=0) == [lsid]
    site.clock(advance_ms=1)
    assert site.listing(end_time=0) == [lsid]


def test_many_rows(site):
    lsids = site.start_sessions(50_000, ended=True, events=False)
    assert site.listing(end_time=0) == lsids


def test_access_session(site):
    lsid = site.start_session(user="ann & <bob>", credential_id="cred-1", external_key="T-1", jumpoint="")
    (row,) = site.report("AccessSession", lsid=lsid)
    assert row.get("lsid") == lsid and child(row, "end_time") is None and child(row, "jumpoint") is None
    assert child(row, "primary_rep").text == "ann & <bob>" and child(row, "external_key").text == "T-1"
    data = {e.get("name"): e.get("value") for e in descendants(row, "value")}
    assert data["credential_id"] == "cred-1"
    site.end_session(lsid)
    other = site.start_session()
    rows = site.report("AccessSession", lsids=f"{lsid},{other}")
    assert [r.get("lsid") for r in rows] == [lsid, other]
    end = child(rows[0], "end_time")
    assert end.text.startswith("20") and abs(int(end.get("timestamp")) - site.now()) < 30
    with pytest.raises(SiteError, match="Invalid lsid"):
        site.report("AccessSession", lsid="f" * 32)
    assert len(site.report("AccessSession", start_time=0, duration=0)) == 2


def test_summary(site):
    site.start_session(user="ann", start_ago_ms=60_000, ended=True)
    site.start_session(user="bob")
    site.start_session(user="ann")
    rows = site.report("AccessSessionSummary", start_time=0, duration=0, report_type="user")
    assert [(child(r, "display_name").text, child(r, "total_sessions").text) for r in rows] == [("ann", "2"), ("bob", "1")]
    with pytest.raises(SiteError):
        site.report("AccessSessionSummary", start_time=0, duration=0)


def test_denied_reports(site):
    site.permit(perm_reporting_support="0")
    answer = site.ask_report("AccessSessionListing", end_time=0, duration=0)
    assert answer.status == 200 and b"<error" in answer.body and b"permission" in answer.body
    site.knob("denied", "403")
    assert site.ask_report("AccessSessionListing", end_time=0, duration=0).status == 403


# ---- Configuration API ----

def test_jumpoints_in_pages(site):
    for n in range(10):
        site.jumpoint(f"J{n}", connected=n % 2 == 0)
    first = site.config("jumpoint", per_page=5)
    assert [j["name"] for j in first.json] == ["Head office", "Branch office", "J0", "J1", "J2"]
    assert [first.header(f"X-BT-Pagination-{n}") for n in ("Current-Page", "Last-Page", "Per-Page", "Total")] == \
        ["1", "3", "5", "12"]
    assert 'current_page=2>; rel="next"' in first.header("Link") and "previous" not in first.header("Link")
    last = site.config("jumpoint", per_page=5, current_page=3)
    assert [j["name"] for j in last.json] == ["J8", "J9"] and 'rel="next"' not in last.header("Link")
    assert site.config("jumpoint", current_page=4).json == []
    assert [j["connected"] for j in site.config("jumpoint", name="j3").json] == [False]
    assert site.config("jumpoint", per_page=4).status == 422
    node = site.config("jumpoint/1/node").json[0]
    assert node["last_connect_timestamp"].endswith("+00:00") and node["last_disconnect_timestamp"] is None


def test_configuration_api_habits(site):
    unknown = site.config("jumpoint", colour="red")
    assert unknown.status == 401 and "error" not in unknown.json and "colour" in unknown.json["message"]
    assert site.config("jumpoint").status == 200  # the token is still good
    assert site.config("jumpoint/99").status == 404 and site.config("nonsense").status == 404
    refused = site.config("jumpoint", method="DELETE")
    assert (refused.status, refused.header("Allow")) == (405, "GET, HEAD, OPTIONS")
    assert site.config("jumpoint", method="OPTIONS").header("Allow") == "GET, HEAD, OPTIONS"
    assert site.config("jumpoint/1", method="HEAD").body == b""
    site.call("GET", "/api/config/v1/jumpoint")
    assert site.violations() == {"unknown_parameter": 1, "no_accept": 1, "changing_call": 1}
    site.permit(perm_configuration="0")
    assert site.config("jumpoint").status == 403


def test_api_accounts(site):
    (account,) = site.config("api-account").json
    assert account["client_id"] == CLIENT_ID and account["perm_command"] == "full_access"
    assert account["failed_login_expiration"] is None
    assert site.config("api-account/1").json == account
    for _ in range(5):
        site.ask_token(client_secret="wrong")
    locked = site.config("api-account/1").json
    assert locked["failed_login_attempts"] == 5 and locked["failed_login_expiration"]


# ---- rate limit ----

def test_rate_limit(site):
    site.settings(rate_second=3)
    site.clock(frozen=True)
    site.clock(advance_ms=1000)
    answers = [site.ask_command("check_health") for _ in range(4)]
    assert [a.status for a in answers] == [200, 200, 200, 429]
    left = [int(a.header("X-RateLimit-Remaining")) for a in answers]
    assert left == [left[0], left[0] - 1, left[0] - 2, left[0] - 2]
    assert answers[0].header("X-RateLimit-Limit") == "15000"
    site.clock(advance_ms=1000)
    assert site.ask_command("check_health").status == 200
    site.account(rate_used=15_000)
    site.knob("retry_after", "seconds")
    refused = site.ask_command("check_health")
    assert (refused.status, refused.header("Retry-After")) == (429, "3600")
    assert site.probe().status == 200
    site.clock(advance_ms=3600_000)
    site.token()
    assert site.ask_command("check_health").status == 200


# ---- what it refuses ----

def test_a_kept_connection_is_refused(site):
    for target in ("/api/command?action=check_health", "/api/reporting?generate_report=AccessSession&lsid=1",
                   "/api/config/v1/jumpoint"):
        assert site.call("GET", target, Connection="keep-alive").status == 400
        assert site.call("GET", target, Connection=None).status == 400
    assert site.violations() == {"kept_connection": 6}
    connection = http.client.HTTPConnection(site.host, site.port, timeout=30)
    connection.request("GET", "/check_health")
    answer = connection.getresponse()
    assert answer.status == 200 and answer.will_close
    connection.close()


def test_bodies(site):
    form = "action=check_health"
    assert parse(site.call("POST", "/api/command", form, Content_Type=FORM)) is not None
    assert site.call("POST", "/api/command", form, Content_Type=MULTIPART).status == 415
    assert site.call("POST", "/api/command", form, Content_Type="application/json").status == 415
    assert site.ask_token(Content_Type=MULTIPART).status == 400
    assert site.ask_token(body='{"grant_type":"client_credentials"}', Content_Type="application/json").status == 400
    assert site.violations() == {"multipart": 2, "content_type": 2}


@pytest.mark.parametrize("query, violation", [
    ("action=check_health&verbose=1", "unknown_parameter"),
    ("action=check_health&action=check_health", "repeated_parameter"),
    ("action=terminate_session", "missing_parameter"),
    ("", "missing_parameter"),
    ("action=dance", "bad_parameter"),
    ("action=set_failover_role&role=backup", "changing_action"),
    ("action=get_connected_clients&type=cats", "bad_parameter"),
])
def test_wrong_commands(site, query, violation):
    answer = site.call("GET", f"/api/command?{query}")
    assert answer.status == 200 and b"<error" in answer.body
    assert site.violations() == {violation: 1} and site.log()[-1]["violation"] == violation


@pytest.mark.parametrize("params, violation", [
    ({"end_time": 1, "start_time": 1, "duration": 0}, "both_times"),
    ({"start_time": 1, "start_date": "2026-01-01", "duration": 0}, "both_times"),
    ({"end_time": 1}, "missing_parameter"),
    ({"duration": 0}, "missing_parameter"),
    ({"end_time": "yesterday", "duration": 0}, "bad_parameter"),
    ({"end_date": "2026-13-01", "duration": 0}, "bad_parameter"),
    ({"end_time": 1, "duration": -1}, "bad_parameter"),
    ({"end_time": 1, "duration": 0, "lsid": "0" * 32}, "unknown_parameter"),
    ({"end_time": 1, "duration": 0, "limit": "all"}, "unknown_parameter"),
])
def test_wrong_listings(site, params, violation):
    with pytest.raises(SiteError):
        site.report("AccessSessionListing", **params)
    assert site.violations() == {violation: 1}


def test_wrong_reports(site):
    lsid = site.start_session()
    for report, params in (("AccessSession", {"lsid": lsid, "start_time": 1}),
                           ("AccessSession", {"lsid": lsid, "lsids": lsid})):
        with pytest.raises(SiteError):
            site.report(report, **params)
    for report in ("JumpItem", "Nonsense"):
        with pytest.raises(SiteError):
            site.report(report, start_time=0, duration=0)
    assert site.violations() == {"both_times": 2, "not_simulated": 1, "bad_parameter": 1}


def test_secrets_in_the_url_are_refused_and_not_logged(site):
    for name in ("access_token", "token", "client_secret"):
        assert site.call("GET", f"/api/command?action=check_health&{name}=hush").status == 400
    assert site.violations() == {"token_in_url": 3}
    assert "hush" not in str(site.log())


# ---- the admin port ----

def test_log_and_counts(site):
    site.clear_log()
    site.reset_counts()
    site.listing(end_time=7)
    site.call("POST", "/api/reporting", "generate_report=AccessSession&lsid=0", Content_Type=FORM)
    site.config("jumpoint/1")
    first, second, third = site.log()
    assert first["call"] == "AccessSessionListing"
    assert set(first["params"].split("&")) == {"generate_report=AccessSessionListing", "end_time=7", "duration=0"}
    assert (second["call"], second["params"]) == ("AccessSession", "generate_report=AccessSession&lsid=0")
    assert (third["call"], third["status"], third["host"]) == ("jumpoint/{id}", 200, site.address)
    assert site.counts()["total"] == 3 and site.calls("AccessSession") == 1
    assert site.access_token not in str(site.log())


def test_mistaken_changes_are_refused(site):
    for path, change in (("/settings", {"knobs": {"prefix": "klingon"}}), ("/settings", [5]),
                        ("/accounts", {"client_id": "nobody"}), ("/accounts", {"permissions": {"perm_x": "1"}}),
                        ("/sessions", {"lsid": "short"}), ("/sessions", {"count": 0}), ("/sessions/end", {}),
                        ("/sessions/end", {"lsid": "0" * 32}), ("/failover", {"role": "king"}),
                        ("/recipients", {"name": "x"}), ("/events", {}), ("/jumpoints", {}), ("/tls", {})):
        with pytest.raises(RuntimeError, match="400"):
            site.ask("POST", path, change)


def test_ending_many(site):
    lsids = site.start_sessions(10)
    assert site.end_sessions(lsids[:3]) == 3 and site.end_sessions(lsids[:3]) == 0
    assert site.end_sessions(limit=2) == 2 and site.end_sessions(abnormal=True) == 5
    assert site.state()["sessions"] == {"running": 0, "ended": 5, "abnormal": 5, "terminated": 0}
    site.forget_sessions()
    assert site.listing(start_time=0) == []


def test_a_client_that_leaves_does_not_stop_the_site(site):
    lsid = site.start_session()
    site.latency(200)
    connection = site.connect()
    connection.request("GET", f"/api/command?action=terminate_session&lsid={lsid}",
                       headers={"Authorization": f"Bearer {site.access_token}", "Connection": "close"})
    until(lambda: site.counts()["in_flight"] == 1)
    connection.close()
    until(lambda: site.session(lsid)["state"] == "ended")
