"""The simulated PRA site's reports: made-up sessions, by period and by lsid, against what they add up to."""

import base64
import collections
import http.client
import re
import time
import urllib.parse

import pytest

from pra_month import DAY, UNTIL, UNTIL_S, Month, everything, stamp, steps, text, values
from pra_site import SiteError, child, descendants, local, parse
from simulator_process import until


@pytest.fixture(name="site")
def _site():
    with Month() as site:
        site.at(0)
        yield site


# ---- the same again ----

def test_sessions_follow_from_the_seed():
    def body(site):
        site.at(0)
        listed = site.listing(start_time=0)
        answer = site.ask_report("AccessSession", lsids=",".join(listed[::97])).body
        answer = answer.replace(f"127.0.0.1:{site.port}".encode(), b"site")  # links name the host that is asked
        return listed, re.sub(rb"%3Bh%3D[0-9a-f]{32}", b"", answer)

    with Month(sessions=500, running=5) as one, Month(sessions=500, running=5) as two:
        assert body(one) == body(two)
        first = body(one)[0]
    with Month("--seed", 2, sessions=500, running=5) as other:
        second = body(other)[0]
    assert len(first) == len(second) == 505 and not set(first) & set(second)


def test_more_sessions_than_memory_would_hold(site):
    site.make_month(sessions=20_000_000, days=365, running=0, until=UNTIL)
    count = len(site.listing(start_time=UNTIL_S - 3600))
    assert count > 1000
    found = site.listing(start_time=UNTIL_S - 180 * DAY, duration=20)
    assert found and len(site.sessions(found)) == len(found)
    status = open(f"/proc/{site.process.pid}/status", encoding="utf-8").read()
    assert int(re.search(r"VmRSS:\s+(\d+)", status)[1]) < 400_000


# ---- periods ----

def test_periods_by_start_and_by_end(site):
    listed = site.listing(start_time=0)
    assert len(listed) == len(set(listed)) == 620
    sessions = {e.get("lsid"): e for e in everything(site, listed)}
    assert list(sessions) == listed
    starts = {lsid: stamp(e, "start_time") for lsid, e in sessions.items()}
    ends = {lsid: stamp(e, "end_time") for lsid, e in sessions.items() if child(e, "end_time") is not None}
    assert [starts[lsid] for lsid in listed] == sorted(starts.values())
    assert min(starts.values()) >= UNTIL_S - 30 * DAY and max(ends.values()) <= UNTIL_S
    for begin, length in ((UNTIL_S - 20 * DAY, 3 * DAY), (UNTIL_S - 3 * DAY, 7200), (UNTIL_S - DAY, 0)):
        to = begin + length if length else UNTIL_S + 1
        for name, times in (("start_time", starts), ("end_time", ends)):
            expected = {x for x, at in times.items() if begin <= at < to}
            assert set(site.listing(duration=length, **{name: begin})) == expected
    day = {x for x, at in starts.items() if time.strftime("%F", time.gmtime(at)) == "2026-03-18"}
    assert day and set(site.listing(start_date="2026-03-18", duration=1)) == day
    over_midnight = [x for x, end in ends.items() if end // DAY > starts[x] // DAY]
    assert over_midnight
    whole = site.report("AccessSession", end_time=UNTIL_S - 7200, duration=0)
    assert [e.get("lsid") for e in whole] == site.listing(end_time=UNTIL_S - 7200)


def test_reports_add_up_to_the_totals(site):
    totals = site.totals()
    sessions = everything(site, site.listing(start_time=0))
    events = [e for s in sessions for e in descendants(s, "event")]
    assert totals["states"]["running"] == 20 and totals["states"]["abnormal"] > 0
    assert sum(totals["states"].values()) == len(sessions) == 620
    assert totals["with_end"] == sum(child(s, "end_time") is not None for s in sessions)
    assert totals["by_event_type"] == collections.Counter(e.get("event_type") for e in events)
    assert totals["by_jump_group"] == collections.Counter(text(s, "jump_group") for s in sessions)
    assert totals["by_endpoint"] == collections.Counter(text(s, "primary_customer") for s in sessions)
    assert totals["by_jumpoint"] == collections.Counter(text(s, "jumpoint") or "(none)" for s in sessions)
    owners = [r for s in sessions for r in descendants(s, "representative") if text(r, "session_owner") == "1"]
    assert totals["by_user"] == collections.Counter(text(r, "username") for r in owners)
    failed = [values(e) for e in events if e.get("event_type") == "Credential Injection Attempt Failed"]
    assert totals["by_failure_reason"] == collections.Counter(v["failure_reason"] for v in failed) and failed
    for name, element in (("file_transfers", "file_transfer_count"), ("file_moves", "file_move_count"),
                          ("file_deletes", "file_delete_count")):
        assert totals[name] == sum(int(text(s, element)) for s in sessions) > 0
    assert 35 < totals["events"] / len(sessions) < 45


def test_the_kinds_of_content(site):
    sessions = everything(site, site.listing(start_time=0))
    for s in sessions:
        times = [int(e.get("timestamp")) for e in descendants(s, "event")]
        assert times == sorted(times) and times[0] == stamp(s, "start_time")
        assert times[-1] <= (stamp(s, "end_time") or UNTIL_S)
        types = collections.Counter(e.get("event_type") for e in descendants(s, "event"))
        assert int(text(s, "file_transfer_count")) == types["File Upload"] + types["File Download"]
        assert int(text(s, "file_move_count")) == types["File Moved"]
        assert int(text(s, "file_delete_count")) == types["File Deleted"]
        people = {e.get("gsnumber") for kind in ("customer", "representative") for e in descendants(s, kind)}
        for actor in descendants(s, "performed_by") + descendants(s, "destination"):
            assert actor.get("gsnumber") == "0" or actor.get("gsnumber") in people
    events = [e for s in sessions for e in descendants(s, "event")]
    attempts = [values(e) for e in events if e.get("event_type") == "Credential Injection Attempt"]
    assert all(set(v) == {"attempt_id", "credential_id", "credential_name"} for v in attempts) and attempts
    decoded = [base64.b64decode(text(e, "encoded_body")) for e in events if child(e, "encoded_body") is not None]
    assert decoded and all(b"\x07" in d for d in decoded)
    bodies = {text(e, "body") for e in events}
    assert any(b and "<nginx> &" in b for b in bodies) and any(b and b.startswith("=") for b in bodies)
    assert {e.get("type") for s in sessions for e in descendants(s, "jump_group")} == {"shared", "personal"}
    assert {len(descendants(s, "representative")) for s in sessions} == {1, 2, 3}
    assert any(text(r, "invited") == "1" for s in sessions for r in descendants(s, "representative"))
    assert any(descendants(s, "command_shell_recording") for s in sessions)
    assert any(descendants(e, "system_information") for e in events) and any(descendants(e, "file") for e in events)
    kinds = {values(e).get("jump_item_type") for e in events} - {None}
    assert {"remote-rdp", "shell-jump"} <= kinds
    groups = collections.Counter(text(s, "jump_group") for s in sessions)
    assert groups["Servers"] > 3 * groups["Laboratory"]


def test_links_are_signed_anew_and_only_for_ended_sessions(site):
    listed = site.listing(start_time=0)
    names = {"session_chat_view_url", "session_chat_download_url", "session_recording_view_url",
             "session_recording_download_url"}
    for s in everything(site, listed):
        found = {local(e) for e in s} & names
        if child(s, "end_time") is None:
            assert not found
        else:
            recorded = {n for n in names if "recording" in n}
            assert found == names or found == names - recorded
    done = site.listing(end_time=0)[0]
    first, second = (text(site.sessions([done])[0], "session_chat_view_url") for _ in range(2))
    assert first != second and f"lsid=l%3D{done}%3Bh%3D" in first
    assert urllib.parse.urlsplit(first).netloc == urllib.parse.urlsplit(site.url).netloc
    rows = site.report("AccessSessionListing", start_time=0, duration=0)
    assert {e.get("has_recording") for e in rows} == {"0", "1"}


# ---- what changes ----

def test_running_sessions_end_by_the_clock(site):
    running = [e for e in everything(site, site.listing(start_time=UNTIL_S - DAY)) if child(e, "end_time") is None]
    running = [e.get("lsid") for e in running
               if b"not active" not in site.ask_command("get_session_attributes", lsid=e.get("lsid")).body]
    assert len(running) == 20
    assert not set(running) & set(site.listing(end_time=0))
    before = {e.get("lsid"): len(descendants(e, "event")) for e in site.sessions(running)}
    site.at(5 * 3600)
    after = {e.get("lsid"): e for e in site.sessions(running)}
    assert sum(child(e, "end_time") is not None for e in after.values()) >= 19
    with_end = [x for x in before if child(after[x], "end_time") is not None]
    assert all(len(descendants(after[x], "event")) > before[x] for x in with_end)
    assert len(set(running) & set(site.listing(end_time=UNTIL_S))) >= 19
    with pytest.raises(SiteError, match="not active"):
        site.command("get_session_attributes", lsid=running[0])


def test_abnormal_ends_have_no_end_and_some_get_one_late(site):
    site.make_month(sessions=4000, running=0, events=5, until=UNTIL)
    listed, ended = site.listing(start_time=0), set(site.listing(end_time=0))
    abnormal = site.sessions([x for x in listed if x not in ended])
    assert len(abnormal) == site.totals()["states"]["abnormal"] > 10
    assert all(child(e, "end_time") is None for e in abnormal)
    last = collections.Counter(descendants(e, "event")[-1].get("event_type") == "Session End" for e in abnormal)
    assert last[True] and last[False]
    site.make_month(sessions=10000, running=0, days=1, until=UNTIL)
    before = site.totals()["states"]["abnormal"]
    early = set(site.listing(end_time=0))
    site.at(3 * 3600)
    assert site.totals()["states"]["abnormal"] < before
    late = set(site.listing(end_time=0)) - early
    assert len(late) == before - site.totals()["states"]["abnormal"]


def test_corrections_change_reports_later(site):
    site.make_month(sessions=1500, running=0, days=1, events=5, until=UNTIL)

    def plain():
        found = everything(site, site.listing(start_time=0))
        return {e.get("lsid"): steps(e) for e in found}

    before = plain()
    site.at(21 * 3600)
    after = plain()
    changed = [x for x in before if before[x] != after[x]]
    assert 2 < len(changed) < 50
    assert all(set(before[x]) <= set(after[x]) for x in changed)


def test_a_test_changes_single_sessions(site):
    lsid = site.listing(end_time=0)[10]
    before = site.sessions([lsid])[0]
    site.change_session(lsid=lsid, revise=True)
    after = site.sessions([lsid])[0]
    assert len(descendants(after, "event")) == len(descendants(before, "event")) + 1
    site.change_session(lsid=lsid, gone="report")
    assert lsid in site.listing(end_time=0)
    with pytest.raises(SiteError, match="Invalid lsid."):
        site.report("AccessSession", lsid=lsid)
    site.change_session(lsid=lsid, gone="all")
    assert lsid not in site.listing(end_time=0) + site.listing(start_time=0)
    site.change_session(lsid=lsid, gone="no")
    assert lsid in site.listing(end_time=0)
    running = site.month_session(603)
    assert running["state"] == "running"
    site.at(60)
    parts = steps(site.sessions([running["lsid"]])[0])
    site.change_session(index=603, end=True)
    ended = steps(site.sessions([running["lsid"]])[0])
    assert ended[:len(parts)] == parts and ended[-1] == (str(UNTIL_S + 60), "Session End")
    assert running["lsid"] in site.listing(end_time=UNTIL_S + 1)
    site.change_session(index=604, abnormal=True)
    assert site.month_session(604)["state"] == "abnormal"


def test_live_sessions_begin_as_time_passes(site):
    site.make_month(sessions=100, running=0, live_hour=600, until=UNTIL)
    assert len(site.listing(start_time=UNTIL_S)) == 0
    site.at(3600)
    listed = site.listing(start_time=UNTIL_S + 1)
    assert 595 <= len(listed) <= 601
    found = site.sessions(listed)
    assert [e.get("lsid") for e in found] == listed
    assert any(child(e, "end_time") is None for e in found) and any(child(e, "end_time") is not None for e in found)
    assert site.month_session(100 + 599)["lsid"] in listed or len(listed) < 600


def test_late_rows_come_to_lists_by_end_later(site):
    all_of_them = site.listing(end_time=0)
    site.settings(late_permille=500, late_ms=7 * DAY * 1000)
    early = site.listing(end_time=0)
    assert set(early) < set(all_of_them)
    assert len(site.listing(start_time=0)) == 620
    site.at(8 * DAY)
    assert set(all_of_them) <= set(site.listing(end_time=0))


# ---- by lsid ----

def test_lists_of_lsids(site):
    listed = site.listing(start_time=0)
    many = listed[:300]
    assert [e.get("lsid") for e in site.sessions(many)] == many
    made = site.start_session(user="zoe", endpoint="by hand", ended=True, recording=True)
    found = site.sessions([made, "0" * 32, many[0].upper()])
    first = text(site.sessions(many[:1])[0], "primary_customer")
    assert [text(e, "primary_customer") for e in found] == ["by hand", first]
    assert text(found[0], "session_recording_view_url")
    assert made in site.listing(end_time=UNTIL_S - 60)
    other_end = many[0][:31] + ("1" if many[0][31] == "0" else "0")
    for wrong in ("0" * 32, other_end, "x", ""):
        with pytest.raises(SiteError, match="Invalid lsid."):
            site.report("AccessSession", lsid=wrong)
    site.change_session(lsid=made, external_key="CHG9", gone="no")
    assert text(site.sessions([made])[0], "external_key") == "CHG9"
    assert made in site.listing(start_time=UNTIL_S - 60)
    site.change_session(lsid=made, gone="report")
    assert made in site.listing(end_time=0)
    with pytest.raises(SiteError, match="Invalid lsid."):
        site.sessions([made])
    site.change_session(lsid=made, gone="all")
    assert made not in site.listing(start_time=UNTIL_S - 60) + site.listing(end_time=0)


def test_summary_counts_each_user_once(site):
    rows = site.report("AccessSessionSummary", start_time=0, duration=0, report_type="user")
    counted = sorted(int(text(r, "total_sessions")) for r in rows)
    assert counted == sorted(site.totals()["by_user"].values())
    assert len({text(r, "display_name") for r in rows}) == len(rows)


# ---- order and faults of rows ----

def test_orders_of_rows(site):
    oldest = site.listing(start_time=0)
    site.knob("row_order", "newest")
    assert site.listing(start_time=0) == oldest[::-1]
    site.knob("row_order", "any")
    mixed = site.listing(start_time=0)
    assert mixed != oldest and sorted(mixed) == sorted(oldest)
    site.knob("row_order", "oldest")
    site.fault("rows_twice", count=1)
    assert sorted(site.listing(start_time=0)) == sorted(oldest * 2)
    site.fault("rows_shuffled", count=1)
    assert site.listing(start_time=0) != oldest == site.listing(start_time=0)


def test_rows_twice_by_lsid_and_of_activity(site):
    lsid = site.month_session(3)["lsid"]
    site.fault("rows_twice", call="AccessSession", count=1)
    assert [e.get("lsid") for e in site.sessions([lsid])] == [lsid, lsid]
    begin = UNTIL_S - 4 * DAY
    teams = descendants(site.report("Team", start_time=begin, duration=DAY), "event")
    site.fault("rows_twice", call="Team", count=1)
    assert len(descendants(site.report("Team", start_time=begin, duration=DAY), "event")) == 2 * len(teams)


SOURCES = {
    "AccessSessionListing": lambda site: site.ask_report("AccessSessionListing", start_time=0, duration=0),
    "AccessSession": lambda site: site.ask_report("AccessSession", lsid=site.month_session(3)["lsid"]),
    "Team": lambda site: site.ask_report("Team", start_time=UNTIL_S - DAY, duration=0),
    "VaultAccountActivity": lambda site: site.ask_report("VaultAccountActivity", start_time=UNTIL_S - DAY, duration=0),
    "Syslog": lambda site: site.ask_report("Syslog"),
    "vault/account": lambda site: site.config("vault/account", per_page=5),
    "jump-item/web-jump": lambda site: site.config("jump-item/web-jump", per_page=5),
    "jump-client": lambda site: site.config("jump-client", per_page=5),
    "jump-group": lambda site: site.config("jump-group"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_faults_and_refusals_of_each_source(site, source):
    site.permit(perm_reporting_vault="1", perm_reporting_syslog="1", perm_configuration_vault_account="1")
    ask = SOURCES[source]
    sound = ask(site)
    assert sound.status == 200 and b"<error" not in sound.body[:200]
    kind = sound.header("Content-Type").split(";")[0]
    assert kind == {"Syslog": "application/zip"}.get(source, "application/json" if "j" in source[0] or "/" in source
                                                     else "text/xml")
    site.fault("html", call=source, count=1)
    site.fault("throttle", call=source, count=1)
    site.fault("token_refused", call=source, count=1)
    site.fault("cut", call=source, count=1)
    site.fault("wrong_type", call=source, count=1)
    assert ask(site).body.startswith(b"<!DOCTYPE html>")
    throttled = ask(site)
    assert throttled.status == 429 and throttled.header("Retry-After") == "1"
    assert ask(site).json["error"] == "access_denied"
    assert 0 < len(ask(site).body) < len(sound.body)
    assert ask(site).header("Content-Type") != sound.header("Content-Type")
    site.fault("reset", call=source, count=1)
    with pytest.raises((ConnectionError, http.client.BadStatusLine)):
        ask(site)
    assert ask(site).status == 200
    site.permit(perm_reporting_support="0", perm_reporting_vault="0", perm_reporting_syslog="0", perm_configuration="0")
    refused = ask(site)
    assert b"permission" in refused.body and refused.status in (200, 403)
    site.knob("denied", "403")
    assert ask(site).status == 403
    site.clock(advance_ms=3600_000)
    assert ask(site).status == 401


def test_system_information_has_two_forms(site):
    lsids = site.listing(start_time=0)[:200]
    fields = [f for s in site.sessions(lsids) for f in descendants(s, "field")]
    assert fields and not any(f.get("name") for f in fields)
    site.knob("system_information", "named")
    assert all(f.get("name") for s in site.sessions(lsids) for f in descendants(s, "field"))


def test_running_sessions_may_come_without_events(site):
    running = site.month_session(601)["lsid"]
    assert child(site.sessions([running])[0], "session_details") is not None
    site.knob("running_events", "off")
    site.knob("open_end", "empty")
    one = site.sessions([running])[0]
    assert child(one, "session_details") is None and text(one, "end_time") == ""


def test_connected_clients_have_made_up_ones(site):
    reps = site.command("get_logged_in_reps")
    assert len(descendants(reps, "rep")) == 20
    site.forget_month()
    assert not descendants(site.command("get_logged_in_reps"), "rep")
    assert not site.listing(start_time=0) and parse(site.ask_command("check_health")) is not None


# ---- other reports ----

def test_team_activity(site):
    rows = site.report("Team", start_time=0, duration=0)
    teams = [e for e in rows if local(e) == "team_activity"]
    assert len({e.get("id") for e in teams}) == len(teams) == 5
    assert "Vendors <ext>" in {e.get("name") for e in teams}
    events = descendants(rows, "event")
    assert len(events) == 3000
    for team in teams:
        times = [int(e.get("timestamp")) for e in descendants(team, "event")]
        assert times == sorted(times) and UNTIL_S - 30 * DAY <= times[0] and times[-1] <= UNTIL_S
    assert all(values(e)["user_id"] and values(e)["public_ip"] for e in events)
    begin = UNTIL_S - 5 * DAY
    some = descendants(site.report("Team", start_time=begin, duration=DAY), "event")
    assert len(some) == sum(begin <= int(e.get("timestamp")) < begin + DAY for e in events) > 0
    site.at(3 * 3600)
    assert len(descendants(site.report("Team", start_time=UNTIL_S + 1, duration=0), "event")) in range(58, 62)
    with pytest.raises(SiteError, match="No team activity"):
        site.report("Team", start_time=UNTIL_S + DAY, duration=0)
    site.permit(perm_reporting_support="0")
    with pytest.raises(SiteError, match="permission"):
        site.report("Team", start_time=0, duration=0)


def test_vault_activity(site):
    with pytest.raises(SiteError, match="permission"):
        site.report("VaultAccountActivity", start_time=0, duration=0)
    site.permit(perm_reporting_vault="1")
    rows = list(site.report("VaultAccountActivity", start_time=0, duration=0))
    assert len(rows) == 2000 and {local(e) for e in rows} == {"vault_account_activity"}
    known = set(site.listing(start_time=0))
    used = [e for e in rows if e.get("event_type") == "Credentials Used"]
    assert used and all(text(e, "data") in known for e in used)
    assert any(text(e, "data") == "Manually Edited" for e in rows)
    assert any(child(e, "performed_by") is None for e in rows)
    assert {child(e, "performed_by").get("type") for e in used} == {"User", "API Account"}
    account = rows[3].get("account")
    only = list(site.report("VaultAccountActivity", start_time=0, duration=0, limit=f"account:{account}"))
    assert [e.get("account") for e in only] == [account] * len(only) and len(only) < 100
    site.at(75 * DAY)
    kept = site.report("VaultAccountActivity", start_time=0, duration=0)
    oldest = min(int(e.get("timestamp")) for e in kept)
    assert oldest >= UNTIL_S - 15 * DAY and len(kept) > 75 * 24 * 19
    site.at(1000 * DAY)
    site.make_month(stream_hour=1, until=UNTIL, vault_activity=10)
    with pytest.raises(SiteError, match="No vault account activity matching your chosen criteria is available"):
        site.report("VaultAccountActivity", start_time=UNTIL_S - 30 * DAY, duration=30 * DAY)


# ---- answers that are too much, or too little ----

def test_a_flood_is_well_formed_and_needs_no_memory(site):
    site.fault("flood", call="AccessSessionListing", size=12_000_000, count=1)
    answer = site.ask_report("AccessSessionListing", start_time=0, duration=0)
    rows = parse(answer)
    assert len(answer.body) > 11_900_000 and len(rows) % 620 == 0 and len(rows) > 100 * 620
    site.fault("flood", count=1)  # two gigabytes, of which the client reads some
    connection = site.connect()
    connection.request("GET", "/api/reporting?generate_report=AccessSessionListing&start_time=0&duration=0",
                       headers={"Authorization": f"Bearer {site.access_token}", "Connection": "close"})
    begun = connection.getresponse()
    assert len(begun.read(10_000_000)) == 10_000_000
    for _ in range(500):
        site.calls("AccessSessionListing")  # the site does other things meanwhile, and waits for the client
    connection.close()
    begun.close()
    until(lambda: site.counts()["in_flight"] == 0)
    status = open(f"/proc/{site.process.pid}/status", encoding="utf-8").read()
    assert int(re.search(r"VmHWM:\s+(\d+)", status)[1]) < 400_000


def test_a_reset_in_the_middle(site):
    site.fault("reset_middle", call="AccessSession", count=1)
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        site.sessions(site.listing(start_time=0)[:100])
    assert len(site.sessions(site.listing(start_time=0)[:100])) == 100


# ---- the inventory ----

KINDS = ("jump-client", "jump-item/remote-rdp", "jump-item/remote-vnc", "jump-item/shell-jump", "jump-item/web-jump",
         "jump-item/protocol-tunnel-jump", "jump-item/mysql-tunnel-jump", "jump-item/psql-tunnel-jump",
         "jump-item/network-tunnel-jump")


def test_inventory_has_the_endpoints_of_sessions(site):
    site.make_month(endpoints=300, users=50, until=UNTIL)
    items = {kind: site.config_all(kind) for kind in KINDS}
    assert all(items.values()) and sum(map(len, items.values())) == 350
    for rows in items.values():
        assert len({r["id"] for r in rows}) == len(rows)
    assert {r["id"] for r in items["jump-item/remote-rdp"]} & {r["id"] for r in items["jump-item/shell-jump"]}
    assert all("jumpoint_id" not in r for r in items["jump-client"])
    jumpoints = {j["id"]: j["name"] for j in site.config_all("jumpoint")}
    groups = {g["id"]: g["name"] for g in site.config_all("jump-group")}
    assert len(jumpoints) == 10 and len(groups) == 20
    by_name = {r["name"]: r for rows in items.values() for r in rows}
    unknown = set()
    for s in site.sessions(site.listing(start_time=0)[:300]):
        row = by_name.get(text(s, "primary_customer"))
        if row is None:
            unknown.add(text(s, "primary_customer"))
            continue
        assert row["jump_group_type"] == child(s, "jump_group").get("type")
        assert str(row["jump_group_id"]) == child(s, "jump_group").get("id")
        assert jumpoints.get(row.get("jumpoint_id")) == text(s, "jumpoint")
        if row["jump_group_type"] == "shared":
            assert groups[row["jump_group_id"]] == text(s, "jump_group")
    assert unknown and all(name.startswith("vaulted-") for name in unknown)


def test_inventory_in_pages_with_filters(site):
    one = site.config("jump-item/remote-rdp", per_page=5)
    assert len(one.json) == 5 and 'rel="next"' in one.header("Link")
    rows = site.config_all("jump-item/remote-rdp")
    assert rows == site.config_all("jump-item/remote-rdp", per_page=40) and len(rows) > 200
    some = rows[40]
    assert site.config("jump-item/remote-rdp", name=some["name"].upper()).json == [some]
    same_group = {"jump_group_id": some["jump_group_id"], "jump_group_type": "shared"}
    assert some in site.config_all("jump-item/remote-rdp", **same_group)
    assert site.config(f"jump-item/remote-rdp/{some['id']}").json == some
    assert site.config("jump-item/remote-rdp/999999").status == 404 and site.config("jump-item/nothing").status == 404
    unknown = site.config("jump-item/web-jump", colour="red")
    assert unknown.status == 401 and set(unknown.json) == {"message"}
    assert site.log("jump-item/protocol-tunnel-jump") == []
    site.config("jump-item/protocol-tunnel-jump/5")
    assert len(site.log("jump-item/protocol-tunnel-jump/{id}")) == 1


def test_vault_accounts_need_a_permission_of_their_own(site):
    denied = site.config("vault/account")
    assert denied.status == 403 and set(denied.json) == {"message"}
    site.permit(perm_configuration_vault_account="1")
    shared = site.config_all("vault/account")
    rows = site.config_all("vault/account", include_personal="true")
    assert len(rows) == 800 > len(shared) and not any(r.get("personal") for r in shared)
    assert {r["type"] for r in rows} >= {"password_safe", "windows_domain", "ssh"}
    stamps = [r["last_checkout_timestamp"] for r in rows]
    assert None in stamps and any(s and s.endswith("+00:00") for s in stamps)
    site.knob("config_time", "unix")
    assert any(isinstance(r["last_checkout_timestamp"], int) for r in site.config("vault/account").json)
    only = site.config_all("vault/account", type="ssh")
    assert {r["type"] for r in only} == {"ssh"}
    assert site.config("vault/account/7").json["id"] == 7


def test_rows_leave_the_inventory_and_come_back(site):
    site.permit(perm_configuration_vault_account="1")
    for kind in ("jump-item/shell-jump", "jump-client", "jump-group", "jumpoint", "vault/account"):
        rows = site.config_all(kind)
        path = f"{kind}/{rows[2]['id']}"
        site.out_of_inventory(path)
        assert site.config_all(kind) == rows[:2] + rows[3:]
        assert site.config(path).status == 404
        site.out_of_inventory(path, gone=False)
        assert site.config_all(kind) == rows


def test_calls_that_change_something_are_counted(site):
    for method, path in (("POST", "vault/account/7/check-out"), ("POST", "vault/account/7/force-check-in"),
                         ("POST", "jump-group"), ("DELETE", "jump-item/web-jump/3"), ("PATCH", "jump-client/4")):
        assert site.config(path, method=method).status == 405
    assert site.violations() == {"changing_call": 5}
    assert [e["violation"] for e in site.log()[-5:]] == ["changing_call"] * 5


def test_too_many_calls_are_counted(site):
    site.settings(rate_second=3)
    site.reset_counts()
    site.clock(advance_ms=1000)  # and it stands still again: all calls are in one second
    for _ in range(5):
        site.ask_report("AccessSessionListing", start_time=0, duration=0)
    assert site.violations() == {"rate_second": 2}
    site.settings(rate_second=1000, rate_hour=10)
    site.account(rate_used=10)
    site.reset_counts()
    refused = site.ask_report("AccessSessionListing", start_time=0, duration=0)
    assert refused.status == 429 and site.violations() == {"rate_hour": 1}
    assert refused.header("X-RateLimit-Remaining") == "0"
    site.settings(rate_hour=100000)
    site.reset_counts()
    assert site.call("PUT", "/api/reporting").status == 405 and site.violations() == {"wrong_method": 1}
