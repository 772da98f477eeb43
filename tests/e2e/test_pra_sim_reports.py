"""The simulated PRA site's reports: made-up sessions, by period and by lsid, against what they add up to."""

import base64
import calendar
import collections
import re
import time

import pytest

from pra_site import PraSite, SiteError, child, descendants, local, parse

UNTIL = "2026-03-31T12:00:00"
UNTIL_S = calendar.timegm(time.strptime(UNTIL, "%Y-%m-%dT%H:%M:%S"))
DAY = 86400


class Month(PraSite):
    """A site with made-up sessions, and no limit of calls."""

    def __init__(self, *arguments, sessions=600, running=20, **more):
        super().__init__("--sessions", sessions, "--running", running, "--until", UNTIL, *arguments, **more)

    def start(self):
        super().start()
        self.settings(rate_second=100000, rate_hour=10000000)
        self.token()

    def at(self, seconds):
        """The site's clock stands still, so long after the end of the period."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(UNTIL_S + seconds))
        self.clock(frozen=True)
        self.clock(wall=stamp)


@pytest.fixture(name="site")
def _site():
    with Month() as site:
        site.at(0)
        yield site


def text(element, name):
    found = child(element, name)
    return None if found is None else found.text or ""


def stamp(element, name):
    found = child(element, name)
    return None if found is None else int(found.get("timestamp"))


def everything(site, lsids):
    """All these sessions, in calls of 200."""
    return [e for i in range(0, len(lsids), 200) for e in site.sessions(lsids[i:i + 200])]


def values(event):
    return {e.get("name"): e.get("value") for e in descendants(event, "value")}


# ---- the same again ----

def test_sessions_follow_from_the_seed():
    def body(site):
        site.at(0)
        listed = site.listing(start_time=0)
        answer = site.ask_report("AccessSession", lsids=",".join(listed[::97])).body
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
        assert set(site.listing(start_time=begin, duration=length)) == {x for x, at in starts.items() if begin <= at < to}
        assert set(site.listing(end_time=begin, duration=length)) == {x for x, at in ends.items() if begin <= at < to}
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
    rows = site.report("AccessSessionListing", start_time=0, duration=0)
    assert {e.get("has_recording") for e in rows} == {"0", "1"}


# ---- what changes ----

def test_running_sessions_end_by_the_clock(site):
    running = [e for e in everything(site, site.listing(start_time=UNTIL_S - DAY)) if child(e, "end_time") is None]
    running = [e.get("lsid") for e in running if site.ask_command("get_session_attributes", lsid=e.get("lsid")).body.count(b"not active") == 0]
    assert len(running) == 20
    assert not set(running) & set(site.listing(end_time=0))
    before = {e.get("lsid"): len(descendants(e, "event")) for e in site.sessions(running)}
    site.at(5 * 3600)
    after = {e.get("lsid"): e for e in site.sessions(running)}
    assert sum(child(e, "end_time") is not None for e in after.values()) >= 19
    assert all(len(descendants(after[x], "event")) > n for x, n in before.items() if child(after[x], "end_time") is not None)
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
        return {e.get("lsid"): [(x.get("timestamp"), x.get("event_type")) for x in descendants(e, "event")] for e in found}

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
    site.change_session(index=603, end=True)
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
    assert [text(e, "primary_customer") for e in found] == ["by hand", text(site.sessions(many[:1])[0], "primary_customer")]
    assert text(found[0], "session_recording_view_url")
    assert made in site.listing(end_time=UNTIL_S - 60)
    for wrong in ("0" * 32, "x", ""):
        with pytest.raises(SiteError, match="Invalid lsid."):
            site.report("AccessSession", lsid=wrong)
    site.change_session(lsid=made, external_key="CHG9", gone="no")
    assert text(site.sessions([made])[0], "external_key") == "CHG9"


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
