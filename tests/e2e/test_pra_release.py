# SPDX-License-Identifier: Apache-2.0
"""Early release by polling: a lease ends when the site's list of closed sessions shows its session, and at no other time.

The real gateway between the simulated vault and the simulated site, which it polls each second. The list is asked for by
`AccessSessionListing`; what else a listing may be like is in tests/unit/test_pra_poll.c.
"""

import concurrent.futures
import contextlib
import functools
import sqlite3
import time
import urllib.parse

import pytest

from harness import eventually
from pra_stack import LISTING, PraStack, fresh_lsid
from stack import CREDENTIAL, problem
from test_leases import database

STARTED = "/v1/sessions/started"
HOUR = 3600


def dashes(lsid):
    return "-".join((lsid[:8], lsid[8:12], lsid[12:16], lsid[16:20], lsid[20:]))


FORMS = {"plain": str, "upper": str.upper, "dashes": dashes, "braces": lambda lsid: "{" + dashes(lsid).upper() + "}"}


@pytest.fixture(scope="module", name="shared")
def _shared():
    with PraStack({"check_interval": "1s"}) as stack:
        yield stack


# Tests with a stack of their own spend their time waiting, so they run a few at a time, beside those that share one.
ALONE = {}
AT_ONCE = 6


def alone(*cases):
    """Registers a test to be run so, once for each case; without cases, once."""
    def register(test):
        for case in cases or [None]:
            name = test.__name__.removeprefix("check_") + (f"-{case}" if cases else "")
            ALONE[name] = functools.partial(test, case) if cases else test
        return test
    return register


@pytest.fixture(scope="module", autouse=True, name="results")
def _results(request):
    wanted = [item.callspec.params["name"] for item in request.session.items if item.name.startswith("test_alone[")]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(ALONE[name]) for name in wanted if name in ALONE}


def times(listing):
    """(end_time, duration) of a listing of the site's log."""
    query = dict(urllib.parse.parse_qsl(listing["params"]))
    assert set(query) == {"generate_report", "end_time", "duration"}, query
    return int(query["end_time"]), int(query["duration"])


def failures(stack):
    """Listings without a valid answer, as the gateway has counted them."""
    page = stack.gateway.metrics()
    return sum(value for name, value in page.items()
               if name.startswith('jumpgate_pra_calls_total{call="session_listing"')
               and 'outcome="ok"' not in name and 'outcome="no_rows"' not in name)


def one_record(stack, event, lease):
    (record,) = eventually(lambda: [r for r in stack.records(event) if r.get("lease_id") == lease])
    return record


# ---- which leases end ----

@pytest.mark.parametrize("shown", FORMS)
def test_a_session_is_known_in_any_form_of_its_lsid(stack, shown):
    """Each lease was given one form, by `lsid` or as the session's id; the site shows another."""
    stack.site.knob("lsid_form", shown)
    ending = [stack.site.start_session(user="ann", events=False) for _ in range(2 * len(FORMS))]
    helds = [stack.hold("ann", lsid=form(lsid)) for form, lsid in zip(FORMS.values(), ending)]
    for form, lsid in zip(FORMS.values(), ending[len(FORMS):]):
        helds.append(stack.hold("bob", lsid=form(lsid), id=form(lsid)))
    running = stack.hold("ann")
    no_key = stack.checkout(stack.session("ann", stack.account())).json["lease"]["id"]
    before = stack.ended("poll")
    stack.site.end_sessions(ending, events=False)
    stack.given_back(*helds)
    assert stack.ended("poll") - before == len(helds)
    assert set(stack.leases()) == {running.lease["id"], no_key}
    stack.site.knob("lsid_form", "plain")


def test_the_id_is_the_key_where_no_lsid_is_given(stack):
    lsid = stack.site.start_session(events=False)
    session = stack.told("ann", None, id=lsid)
    lease = stack.checkout(session).json["lease"]
    other = stack.hold(lsid=fresh_lsid(), id=lsid.upper())  # its lsid is the key, not its id
    stack.site.end_session(lsid)
    eventually(lambda: set(stack.leases()) == {other.lease["id"]}, 20)
    assert one_record(stack, "lease_end", lease["id"])["lsid"] == lsid


def test_started_gives_the_key(stack):
    lsid = stack.site.start_session(events=False)
    session = stack.session("ann", stack.account())
    lease = stack.checkout(session).json["lease"]
    assert stack.gateway.call("POST", STARTED, {"session": {**session, "lsid": lsid}}).status == 204
    stack.site.end_session(lsid)
    eventually(lambda: lease["id"] not in stack.leases(), 20)


def test_all_leases_of_the_session_end_and_no_other_holder_loses_its_request(stack):
    box = stack.account()
    ending = stack.hold("ann", box)
    other = stack.hold("ann", box)
    assert other.lease["request_id"] == ending.lease["request_id"]
    second = stack.hold("ann", lsid=ending.lsid)
    bob = stack.hold("bob", lsid=ending.lsid)
    stack.site.end_session(ending.lsid)
    stack.given_back(second, bob)
    assert set(stack.leases()) == {other.lease["id"]}
    assert [r["id"] for r in stack.live()] == [other.lease["request_id"]]
    assert stack.gateway.complete(other.session).json["released"] == 1
    eventually(lambda: stack.live() == [])


def test_what_is_recorded_and_logged(stack):
    held, other = stack.hold(), stack.hold()
    unknown = stack.site.start_session(events=False)
    stack.site.end_sessions([held.lsid, unknown], events=False)
    stack.given_back(held)
    record = one_record(stack, "lease_end", held.lease["id"])
    assert {k: record[k] for k in ("reason", "source", "lsid", "pra", "session", "vault_request_id")} == {
        "reason": "session_ended", "source": "poll", "lsid": held.lsid, "pra": "site", "session": held.session["id"],
        "vault_request_id": held.lease["request_id"]}
    lines = [line for line in stack.gateway.err.lines if " session_ended " in line]
    assert sum(held.lsid in line for line in lines) == 1
    assert not any(lsid in line for line in lines for lsid in (unknown, other.lsid))
    sessions, leases = (stack.count(name, source="poll") for name in ("sessions_ended_total", "early_releases_total"))
    assert sessions == len(lines) and leases == stack.ended("poll") >= sessions


def test_what_the_ecm_sends_later_finds_nothing(stack):
    held = stack.hold()
    stack.site.end_session(held.lsid)
    stack.given_back(held)
    for answer in (stack.gateway.release(held.session, held.credential), stack.gateway.complete(held.session)):
        assert (answer.status, answer.json["released"]) == (200, 0)


def test_a_check_out_after_the_end_is_an_ordinary_one(stack):
    """It ends by the next listing that still shows the session."""
    held = stack.hold()
    stack.site.end_session(held.lsid)
    stack.given_back(held)
    again = stack.checkout(held.session, held.credential)
    assert (again.status, again.json["password"]) == (200, held.password)
    assert again.json["lease"]["id"] != held.lease["id"]
    eventually(lambda: again.json["lease"]["id"] not in stack.leases(), 20)


def test_a_check_out_in_flight_is_answered_and_ends_when_it_lands(stack):
    box = stack.account(password="in flight")
    lsid = stack.site.start_session(events=False)
    session = stack.told("ann", lsid, box)
    credential = stack.credential(session)
    stack.vault.fault("latency", call=CREDENTIAL, latency_ms=1900, count=1)
    stack.vault.reset_counts()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(stack.checkout, session, credential)
        eventually(lambda: stack.vault.counts()["in_flight"], 20, 0.005)
        stack.site.end_session(lsid)
        answer = answer.result()
    assert (answer.status, answer.json["password"]) == (200, "in flight")
    eventually(lambda: answer.json["lease"]["id"] not in stack.leases() and stack.live() == [], 20)
    assert one_record(stack, "lease_end", answer.json["lease"]["id"])["source"] == "poll"


def test_a_pending_approval_is_untouched(stack):
    stack.vault.knob(19, "403")  # it cannot be withdrawn
    held, running = stack.hold(), stack.hold()  # so that there is something to poll for, then and later
    session = stack.told("ann", held.lsid, stack.account(rule="approval"))
    problem(stack.checkout(session), 409, "approval_pending")
    known = {held.lease["request_id"], running.lease["request_id"]}
    (pending,) = [r["id"] for r in stack.live() if r["id"] not in known]
    stack.site.end_session(held.lsid)
    stack.given_back(held)
    stack.next_listings(2)
    assert {r["id"] for r in stack.live()} == {pending, running.lease["request_id"]}
    stack.vault.knob(19, "204")
    stack.vault.deny(pending)


def test_an_abnormal_end_is_in_no_list(stack):
    held = stack.hold()
    stack.site.end_session(held.lsid, abnormal=True)
    stack.next_listings(3)
    assert stack.is_open(held) and stack.entry["state"] == "up"
    assert stack.end_event(held.lsid).json["ended"] == 1
    stack.given_back(held)


def test_a_session_that_is_forgotten_has_not_ended(stack):
    held = stack.hold()
    stack.site.forget_sessions()
    stack.next_listings(3)
    assert stack.is_open(held)


# ---- the cursor ----

def test_an_end_that_the_reports_show_late_is_within_the_overlap(stack):
    held = stack.hold()
    stack.site.settings(report_lag_ms=3500)
    stack.site.end_session(held.lsid)
    stack.next_listings(2)
    assert stack.is_open(held)
    stack.given_back(held)
    stack.site.settings(report_lag_ms=0)


def test_nothing_is_asked_without_a_key(stack):
    assert stack.leases() == {}
    stack.site.clear_log()
    assert stack.checkout(stack.session("ann", stack.account())).status == 200
    before = stack.entry["cursor"]
    eventually(lambda: len(stack.site.log("probe")) >= 4, 30)
    assert stack.listings() == [] and stack.entry["cursor"] > before
    held = stack.hold()
    stack.next_listings()
    stack.site.end_session(held.lsid)
    stack.given_back(held)


def test_one_listing_a_poll_and_no_other_report(stack):
    stack.site.clear_log()
    helds = [stack.hold() for _ in range(12)]
    stack.site.end_sessions([h.lsid for h in helds[:6]], events=False)
    stack.given_back(*helds[:6])
    polled = [e for e in stack.site.log() if e["path"] == "/api/reporting"]
    assert {e["call"] for e in polled} == {LISTING}
    seconds = (polled[-1]["at_ms"] - polled[0]["at_ms"]) / 1000
    assert len(polled) <= seconds + 2
    assert stack.site.violations() == {}


def cursor_on_disk(gateway):
    with contextlib.closing(sqlite3.connect(database(gateway))) as store:
        return store.execute("SELECT cursor_ms FROM pra_cursor WHERE site = 'site'").fetchone()[0]


@alone()
def check_the_cursor_moves_by_success_alone_and_outlives_the_process():
    with PraStack({"poll_overlap": "0s", "report_timeout": "2s"}) as stack:
        held = stack.hold()
        asked = [times(entry)[0] for entry in stack.next_listings(4)]
        assert asked == sorted(asked) and asked[-1] > asked[1]
        stack.site.fault("html", call=LISTING)
        eventually(lambda: failures(stack) >= 1, 20)
        stood, shown = times(stack.listings()[-1])[0], stack.entry["cursor"]
        eventually(lambda: failures(stack) >= 3, 20)
        assert {times(entry)[0] for entry in stack.listings()[-2:]} == {stood} and stack.entry["cursor"] == shown
        assert stack.is_open(held)
        stack.gateway.kill()
        kept = cursor_on_disk(stack.gateway)
        assert kept // 1000 == stood
        stack.site.end_session(held.lsid)
        stack.site.clear_faults()
        stack.site.clear_log()
        stack.gateway.restart()
        stack.given_back(held)
        assert times(stack.listings()[0])[0] == stood
        eventually(lambda: stack.entry["cursor"] > shown)
        stack.sweep()


@alone(24, 10)
def check_a_long_gap_is_made_good_window_by_window(catch_up):
    ago = {"first": 13, "second": 7.5, "third": 1, "running": None}
    with PraStack({"catch_up": f"{catch_up}h"}) as stack:
        helds = {name: stack.hold(lsid=fresh_lsid()) for name in ago}
        stack.gateway.stop()
        for name, hours in ago.items():
            stack.site.start_session(lsid=helds[name].lsid, events=False, start_ago_ms=15 * HOUR * 1000,
                                     **({"ended": True, "end_ago_ms": int(hours * HOUR * 1000)} if hours else {}))
        with contextlib.closing(sqlite3.connect(database(stack.gateway))) as store, store:
            for table in ("lease", "vault_request"):
                store.execute(f"UPDATE {table} SET created_ms = created_ms - ?", (15 * HOUR * 1000,))
            cursor = int((time.time() - 14 * HOUR) * 1000)
            store.execute("INSERT OR REPLACE INTO pra_cursor VALUES ('site', ?)", (cursor,))
        stack.site.clear_log()
        stack.gateway.restart()
        first = 14 * HOUR + 120 if catch_up == 24 else 10 * HOUR
        ended = ["first", "second", "third"] if catch_up == 24 else ["second", "third"]
        stack.given_back(*(helds[name] for name in ended))
        assert {h.lease["id"] for name, h in helds.items() if name not in ended} == set(stack.leases())
        windows = first // (6 * HOUR) + 1
        asked = [times(entry) for entry in stack.listings()[:windows]]
        assert len(asked) == windows
        assert abs(stack.site.now() - first - asked[0][0]) < 60
        for (begin, duration), (following, _) in zip(asked, asked[1:]):
            assert (duration, following) == (6 * HOUR, begin + 6 * HOUR - 120)
        assert asked[-1][1] == 0
        stack.sweep()


@alone(HOUR, -HOUR)
def check_the_site_s_clock_counts(skew):
    with PraStack({"check_interval": "1s", "poll_overlap": "0s"}) as stack:
        stack.gateway.stop()  # a clock that is set while it runs makes it look back further
        stack.site.skew(skew)
        stack.gateway.restart()
        eventually(lambda: abs((stack.entry["clock_skew_ms"] or 0) - skew * 1000) < 60000, 20)
        held = stack.hold()
        asked, _ = times(stack.next_listings(2)[-1])
        assert abs(asked - stack.site.now()) < 60
        stack.site.end_session(held.lsid)
        stack.given_back(held)
        stack.sweep()


# ---- whatever the site does ----

BAD_ANSWERS = [
    ("status", {"status": 404}), ("status", {"status": 500}), ("html500", {}), ("page", {}), ("error", {}), ("html", {}),
    ("redirect", {}), ("token_refused", {}), ("status_after", {"status": 502}), ("page_after", {}), ("error_after", {}),
    ("html_after", {}), ("drop_before", {}), ("reset", {}), ("hang", {}), ("drop_after", {}), ("truncate", {}),
    ("garbage", {}), ("slow", {"size": 2}), ("wrong_length", {}), ("short_length", {}), ("cut", {}), ("empty", {}),
    ("oversize", {"size": 3000000}), ("wrong_type", {}), ("unknown_root", {}), ("doctype", {}), ("entities", {}),
    ("deep", {}), ("no_end", {}), ("trailing", {}), ("bad_utf8", {}), ("unavailable", {}), ("throttle", {}),
]
GROUPS = 4


@alone(*range(GROUPS))
def check_a_listing_that_is_not_sound_releases_nothing(group):
    """A session has ended, and the listing that shows it is bad in each of these ways."""
    wrong = []
    keys = {"report_timeout": "1s", "check_interval": "1s", "max_answer": "1M", "terminate": "no"}
    with PraStack(keys) as stack:
        running = stack.hold()
        for action, more in BAD_ANSWERS[group::GROUPS]:
            stack.site.fault(action, call=LISTING, **more)
            held = stack.hold()
            stack.site.end_session(held.lsid)
            before = failures(stack)
            eventually(lambda: failures(stack) > before, 40)  # pylint: disable=cell-var-from-loop
            if not stack.is_open(held) or not stack.is_open(running):
                wrong.append((action, "released"))
            stack.site.clear_faults()
            try:
                stack.given_back(held, seconds=50)  # after a pause, where the site has asked for one
            except AssertionError:
                wrong.append((action, "not released afterwards"))
        assert wrong == []
        stack.sweep()


SITES = {
    "hanging": lambda site: site.fault("hang"),
    "paused": lambda site: site.pause(),
    "gone": lambda site: site.close_listener(),
    "resetting": lambda site: site.fault("reset"),
    "failing": lambda site: site.fault("html500"),
    "refusing": lambda site: site.change_secret("another"),
    "nonsense": lambda site: site.fault("garbage"),
}


def broker_once(stack, lsid):
    """The whole life of a credential, without a word to the site."""
    session = stack.told("ann", lsid, stack.account(password="brokered"))
    answer = stack.checkout(session)
    assert (answer.status, answer.json["password"]) == (200, "brokered")
    assert stack.gateway.call("POST", STARTED, {"session": session}).status == 204
    assert stack.gateway.release(session, answer.json["credential_id"]).json["released"] == 1
    assert stack.gateway.complete(session).json["released"] == 0
    assert stack.gateway.call("GET", "/readyz", token=None).status == 200


@alone(*SITES)
def check_brokering_needs_no_site(kind):
    """With calls to the site in flight or failing, and with a restart: nothing is refused, nothing waits for the site."""
    with PraStack({"call_timeout": "60s", "report_timeout": "60s", "connect_timeout": "60s"}) as stack:
        held = stack.hold()
        stack.next_listings()
        try:
            SITES[kind](stack.site)
            broker_once(stack, held.lsid)
            stack.gateway.kill()
            stack.gateway.restart()  # ready without the site
            for _ in range(3):
                broker_once(stack, fresh_lsid())
            assert stack.is_open(held)
        finally:
            stack.site.resume()
        if kind == "hanging":
            assert stack.site.counts()["in_flight"] >= 1  # those of before the death, and of after
        stack.site.open_listener()
        stack.site.change_secret(stack.site.client_secret)
        stack.site.clear_faults()
        if kind != "refusing":
            stack.gateway.stop()
            stack.site.end_session(held.lsid)
            stack.gateway.restart()
            stack.given_back(held)
        stack.sweep()


# ---- the end ----

@alone()
def check_sigterm_does_not_wait_for_the_site():
    """Each call hangs, a termination too: all end at once, and what waits for one is answered."""
    sections = {"gateway": {"drain_timeout": "50s", "request_timeout": "50s"}}
    with PraStack({"call_timeout": "50s", "report_timeout": "50s", "check_interval": "1s"}, sections) as stack:
        held, running = stack.hold(), stack.hold()
        stack.site.fault("hang")
        eventually(lambda: stack.site.counts()["in_flight"] >= 2, 20)  # a probe, and a listing or a check
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            path = f"/v1/leases/{held.lease['id']}/release"
            answer = pool.submit(stack.gateway.call, "POST", path, {"terminate": True}, timeout=55)
            eventually(lambda: held.lease["id"] not in stack.leases(), 20)
            stack.gateway.stop()
            answer = answer.result()
        assert not any(" drain_timeout " in line for line in stack.gateway.err.lines)
        assert (answer.status, answer.code) in ((504, "deadline_exceeded"), (503, "pra_unavailable"))
        assert answer.json["released"] == 1
        outcomes = [r["outcome"] for r in stack.records("operator_terminate")]
        assert outcomes[0] == "asked" and outcomes[1:] in (["lost"], ["unavailable"])
        stack.site.clear_faults()
        stack.gateway.restart()
        assert set(stack.leases()) == {running.lease["id"]}
        stack.sweep()


@pytest.mark.parametrize("name", ALONE)
def test_alone(results, name):
    results[name].result()
