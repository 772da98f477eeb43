"""Collecting session reports from simulated sites: all of it, once, whatever breaks, and by reading alone."""

import collections
import re
import time

import pytest

from collector import Collector, Trail
from pra_month import Month
from simulator_process import until

PERMISSIONS = [word for name in ("perm_reporting_syslog", "perm_reporting_vault", "perm_configuration_vault_account")
               for word in ("--permission", f"{name}=1")]


class Site(Month):
    """A month of few sessions of few events, with all permissions, at a time that stands still."""

    def __init__(self, *arguments, sessions=120, running=5, seed=1):
        super().__init__("--events", 8, "--seed", seed, "--users", 20, "--endpoints", 40, *PERMISSIONS, *arguments,
                         sessions=sessions, running=running)

    def start(self):
        super().start()
        self.make_month(stream_hour=1, vault_activity=40, team_activity=40, syslog_messages=60, vault_accounts=12)
        self.at(0)
        for index in (3, 30, 50):
            self.change_session(index=index, abnormal=True)


@pytest.fixture(name="site")
def _site():
    with Site() as site:
        yield site


@pytest.fixture(name="collector")
def _collector(site, tmp_path):
    return Collector(tmp_path, site, reports={"backfill": "40d", "abnormal_after": "1s"})


def complete(collector, site):
    """Everything is stored, and once."""
    totals = site.totals()
    states = collector.counts("SELECT state, count(*) FROM session GROUP BY 1")
    assert states == {"closed": totals["states"]["ended"], "running": totals["states"]["running"],
                      "abnormal": totals["states"]["abnormal"]}
    assert states["abnormal"] >= 3
    assert collector.counts("SELECT type, count(*) FROM session_event GROUP BY 1") == totals["by_event_type"]
    assert collector.counts("SELECT jump_group_name, count(*) FROM session GROUP BY 1") == totals["by_jump_group"]
    assert collector.counts("SELECT endpoint_name, count(*) FROM session GROUP BY 1") == totals["by_endpoint"]
    assert collector.counts("SELECT coalesce(jumpoint_name, '(none)'), count(*) FROM session GROUP BY 1") == \
        totals["by_jumpoint"]
    assert collector.counts("SELECT user_name, count(*) FROM session GROUP BY 1") == totals["by_user"]
    for name in ("file_transfers", "file_moves", "file_deletes"):
        assert collector.value(f"SELECT sum({name}) FROM session") == totals[name]
    assert collector.value("SELECT sum(n) FROM jg_tally WHERE grain = 'm' AND dim = 'site'") in (None, sum(states.values()))
    assert collector.value("SELECT sum(sessions) FROM jg_slot") == sum(states.values())


def settle(collector):
    """Sessions that are not active are asked for again a second later."""
    assert collector.once() == 0, collector.errors
    time.sleep(1.1)
    assert collector.once() == 0, collector.errors


def test_a_month_adds_up_and_nothing_is_changed_at_the_site(site, collector):
    settle(collector)
    complete(collector, site)
    assert collector.value("SELECT count(*) FROM team") > 0
    assert collector.value("SELECT count(*) FROM jg_vault_activity") == 40
    assert collector.value("SELECT count(*) FROM jg_syslog_event") > 0
    assert collector.value("SELECT count(*) FROM jg_vault_account WHERE gone_at IS NULL") > 0
    assert collector.value("SELECT count(*) FROM jg_jump_item") > 0
    assert collector.value("SELECT count(*) FROM jg_jumpoint") > 0
    tables = ["session", "session_event", "team", "jg_vault_activity", "jg_syslog_event", "jg_jump_item"]
    before = [collector.value(f"SELECT count(*) FROM {table}") for table in tables]
    revisions = collector.value("SELECT sum(revision) FROM session")
    assert collector.once() == 0
    assert [collector.value(f"SELECT count(*) FROM {table}") for table in tables] == before
    assert collector.value("SELECT sum(revision) FROM session") == revisions
    calls = site.log()
    assert {(c["method"], c["path"]) for c in calls if c["method"] != "GET"} == \
        {("POST", "/oauth2/token"), ("POST", "/api/reporting")}
    assert not [c for c in calls if c.get("violation")]
    names = {c["call"] for c in calls}
    assert {"AccessSessionListing", "AccessSession", "Team", "VaultAccountActivity", "Syslog"} <= names
    assert not [n for n in names if "terminate" in n or "set_" in n]


@pytest.mark.parametrize("point", ["reports.store.before_commit", "reports.store.after_commit"])
def test_killed_at_any_commit_nothing_is_lost_or_doubled(site, collector, point):
    killed = 0
    for nth in (1, 2, 3, 4, 6, 9, 13):
        code = collector.once(kill_at=f"{point}:{nth}")
        killed += code == -9
        assert code in (-9, 0), collector.errors
    assert killed >= 5
    settle(collector)
    complete(collector, site)
    assert collector.value("SELECT max(revision) FROM session WHERE state = 'closed'") <= 2


def test_sessions_that_run_end_or_are_closed_abnormally(site, tmp_path):
    site.clock(frozen=False)
    collector = Collector(tmp_path, site, reports={"poll_interval": "1s", "running_interval": "1s", "overlap": "5m",
                                                   "abnormal_after": "1s"})
    collector.start()
    first, second = (site.start_session(user="ann", endpoint=name) for name in ("web01", "web02"))
    state = "SELECT state FROM session WHERE lsid = ?"
    until(lambda: collector.column(state, first) == collector.column(state, second) == ["running"], 60)
    site.end_session(first)
    until(lambda: collector.column(state, first) == ["closed"], 60)
    site.end_session(second, abnormal=True)
    until(lambda: collector.column(state, second) == ["abnormal"], 60)
    assert collector.value("SELECT end_unix FROM session WHERE lsid = ?", second) is None
    assert collector.stop() == 0
    late = site.start_session(user="bob", endpoint="web03")  # while no collector runs
    site.end_session(late)
    collector.start()
    until(lambda: collector.column(state, late) == ["closed"], 60)
    assert collector.stop() == 0


@pytest.mark.parametrize("call", ["AccessSessionListing", "AccessSession", "VaultAccountActivity", "Syslog", "vault/account"])
def test_a_source_that_fails_for_a_while(site, collector, call):
    """One fault of each kind, and the round is complete; one that lasts, and the others are."""
    for action in ("error", "truncate"):
        site.fault(action, call=call, count=1)
    settle(collector)
    complete(collector, site)
    site.fault("html500", call=call)
    assert collector.once() == 3, collector.errors
    site.clear_faults()
    assert collector.once() == 0, collector.errors


def test_a_round_does_not_wait_out_a_site_that_asks_for_a_long_pause(site, collector):
    site.fault("status", status=429, headers={"Retry-After": "1000000000000000000000"}, call="AccessSessionListing", count=1)
    assert collector.once() == 3, collector.errors
    site.clear_faults()
    settle(collector)
    complete(collector, site)


def test_what_the_account_may_not_do(site, collector):
    site.permit(perm_reporting_vault="0", perm_command="deny")
    assert collector.once() == 3
    assert collector.value("SELECT count(*) FROM session") == 125
    assert collector.value("SELECT count(*) FROM jg_vault_activity") == 0
    state, reason = collector.rows("SELECT state, reason FROM jg_site")[0]
    assert state == "Action Required" and reason.startswith("permission ")


def test_a_secret_that_is_wrong(site, collector):
    (collector.folder / "secret-0").write_text("another", encoding="ascii")
    assert collector.once() == 1
    assert collector.rows("SELECT state, reason FROM jg_site") == [("Action Required", "credentials")]
    assert "another" not in collector.errors
    assert site.counts()["calls"]["token"]["calls"] <= 2


def test_two_gateways_trails_are_joined(site, tmp_path):
    collector = Collector(tmp_path, site, reports={"backfill": "40d"},
                          gateways={"east": tmp_path / "east.jsonl*", "west": tmp_path / "west.jsonl*"})
    lsids = site.listing(end_time=0)[:2]
    stamp = "2026-03-20T10:00:00.000Z"
    for number, name in enumerate(("east", "west")):
        trail = Trail(tmp_path / f"{name}.jsonl")
        trail.add("gateway_started", stamp)
        trail.add("checkout", stamp, outcome="ok", user="ann", session="S-1", lsid=lsids[number], lease_id="l1",
                  credential_id="c1", system="web01", account="root", kind="password")
        (tmp_path / f"{name}.jsonl").rename(tmp_path / f"{name}.jsonl.1")
        trail.add("lease_end", stamp, reason="released", user="ann", lease_id="l1")
        trail.add("checkin", stamp, outcome="checked_in", lease_id="l1")
    assert collector.once() == 0, collector.errors
    found = collector.rows("SELECT gateway, u.lsid, joined_by, reason, checkin_outcome, s.lsid FROM jg_credential_use u "
                           "JOIN session s ON s.id = u.session_id ORDER BY gateway")
    assert found == [("east", lsids[0], "lsid", "released", "checked_in", lsids[0]),
                     ("west", lsids[1], "lsid", "released", "checked_in", lsids[1])]


def test_two_sites_in_one_database(site, tmp_path):
    with Site(seed=2, sessions=60) as other:
        collector = Collector(tmp_path, site, other, reports={"backfill": "40d", "abnormal_after": "1s"})
        settle(collector)
        assert collector.counts("SELECT host_name, count(*) FROM session GROUP BY 1") == {
            "site0.example.com": 125, "site1.example.com": 65}
        assert collector.counts("SELECT host_name, count(*) FROM jg_vault_account GROUP BY 1")["site1.example.com"] > 0
        other.close_listener()
        assert collector.once() == 3
        assert dict(collector.rows("SELECT host_name, state FROM jg_site"))["site1.example.com"] == "Action Required"
        other.open_listener()


def test_nothing_secret_is_in_the_log(site, collector):
    site.fault("html500", call="AccessSession", count=2)
    collector.once()
    assert site.client_secret not in collector.errors and not re.search("Bearer|access_token", collector.errors)
    assert collections.Counter(collector.column("SELECT enabled FROM jg_site")) == {1: 1}
