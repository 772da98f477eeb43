# SPDX-License-Identifier: Apache-2.0
"""The benchmark's own tools: the load tool notices wrong answers, and a report keeps what was not measured again.

No test here measures time.
"""

import json
import pathlib
import subprocess
import sys

import pytest

from simulator_process import until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import figures  # noqa: E402
import goals  # noqa: E402
import handshakes  # noqa: E402
import output  # noqa: E402
import pra  # noqa: E402
import report  # noqa: E402
import reports_web  # noqa: E402
import stage  # noqa: E402


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    stage.certificates(folder)
    return folder


@pytest.fixture(scope="module", name="vault")
def _vault(folder):
    with stage.Vault(folder, users=4) as vault:
        yield vault


@pytest.fixture(scope="module", name="gate")
def _gate(vault):
    unix = f"[listener unix]\naddress = unix:{vault.folder}/gate.sock\n"
    with stage.Jumpgate(vault, tls=True, vault_section=unix) as gate:
        yield gate


def run(gate, vault, clients=2, seconds=60, warmup=0, **more):
    """A run that ends by its number of turns, so that no clock decides."""
    return stage.load(gate, vault, clients, seconds, warmup, **{"count": 20, **more})


def over_tls(gate, folder, **more):
    return {"address": gate.tls_address, "tls": True, "ca": folder / "ca.pem", **more}


# ---- the load tool ----

def test_each_checkout_is_held_against_the_vault(gate, vault):
    r = run(gate, vault)
    assert r["errors"] == 0 and r["verified"] == 20, r


def test_a_wrong_password_is_an_error(gate, vault, folder):
    wrong = folder / "wrong.json"
    rows = json.loads(vault.truth.read_text())
    wrong.write_text(json.dumps(rows[1:] + rows[:1]))
    r = run(gate, vault, truth=wrong)
    assert r["errors"] == 20 and r["verified"] == 0 and "password" in r["first_error"], r["errors"]


@pytest.mark.parametrize("op", ("find", "search"))
def test_other_operations(gate, vault, op):
    assert run(gate, vault, op=op)["errors"] == 0


def test_unix_socket(gate, vault, folder):
    r = run(gate, vault, address=f"unix:{folder}/gate.sock")
    assert r["errors"] == 0 and r["verified"] == 20, r


def test_a_get_wants_its_status(gate, vault):
    assert run(gate, vault, op="get", path="/livez")["errors"] == 0
    assert run(gate, vault, op="get", path="/livez", status=404)["errors"] == 20


def test_tls_kept(gate, vault, folder):
    r = run(gate, vault, **over_tls(gate, folder))
    assert r["errors"] == 0 and r["verified"] == 20 and r["connections"] <= 2, r


@pytest.mark.parametrize("resume", (False, True))
def test_tls_connection_for_each_request(gate, vault, folder, resume):
    more = {"resume": True} if resume else {}
    r = run(gate, vault, clients=1, op="find", **over_tls(gate, folder, reconnect=True, **more))
    assert r["errors"] == 0, r
    assert 19 <= r["connections"] <= 20  # the first may be made before the measurement begins
    assert r["resumed"] >= 19 if resume else r["resumed"] == 0


def test_tls_of_an_unknown_authority(gate, vault, folder, tmp_path):
    stage.certificates(tmp_path)
    r = run(gate, vault, **over_tls(gate, folder, ca=tmp_path / "ca.pem"))
    assert r["errors"] == 2 and r["verified"] == 0, r


def test_plain_client_at_a_tls_listener(gate, vault):
    r = run(gate, vault, address=gate.tls_address)
    assert r["errors"] == 2 and r["verified"] == 0, r


def test_rows_add_up(gate, vault):
    rows = []
    r = stage.load(gate, vault, 2, 3, 0, rate=50, every=1, on_row=rows.append)
    assert r["errors"] == 0 and rows
    counted = sum(row.get("checkout", {"count": 0})["count"] for row in rows)
    assert 0 < counted <= r["checkout"]["count"]


@pytest.mark.parametrize("resume", (False, True))
def test_handshakes(folder, resume):
    command = [stage.BIN / "jumpgate-load", "--handshakes", "5", "--certificate", folder / "server.pem", "--key", folder / "server.key"]
    r = json.loads(subprocess.run(command + ["--resume"] * resume, check=True, capture_output=True).stdout)
    assert r["handshakes"] == 5 and r["resumed"] == 5 * resume and r["server_us"] > 0


@pytest.mark.parametrize("more, resumed", (({}, 0), ({"reconnect": True}, 0), ({"reconnect": True, "resume": True}, 19)))
def test_the_least_server(vault, folder, more, resumed):
    with handshakes.Bare(vault) as bare:
        r = run(bare, vault, clients=1, op="get", tls=True, ca=folder / "ca.pem", **more)
    assert bare.process.returncode == 0
    assert r["errors"] == 0 and r["get"]["count"] >= 19 and r["resumed"] >= resumed, r
    assert r["connections"] >= (19 if more else 0)


@pytest.mark.parametrize("options", (
    ["--address", "127.0.0.1:1"], ["--address", "127.0.0.1:0", "--token-file", "x"], ["--address", "unix:", "--token-file", "x"],
    ["--address", "127.0.0.1:1", "--token-file", "x", "--tls"], ["--address", "127.0.0.1:1", "--token-file", "x", "--op", "release"],
    ["--handshakes", "5"], ["--serve"]))
def test_options_that_make_no_sense(options):
    assert subprocess.run([stage.BIN / "jumpgate-load", *options], check=False, capture_output=True).returncode == 2


# ---- the PRA site ----

@pytest.mark.parametrize("events", (False, True))
def test_an_end_at_the_site_is_awaited_at_the_vault(folder, events):
    keys = {"poll_interval": "0s" if events else "1s"}
    with stage.Vault(folder, users=4, truth=False) as vault, pra.Site(folder) as site, pra.linked(vault, site, keys) as gate:
        lsids = site.start(4)
        pra.open_leases(gate, lsids, threads=2)
        if events:
            site.recipient(gate)
        assert pra.ended(vault, site, lsids[:1], events) > 0
        assert pra.checked_in(vault) == 1
        pra.settled(gate, 3)
        pra.ended(vault, site, lsids[1:], events)
        pra.settled(gate, 0)
        if events:
            until(lambda: gate.metric("jumpgate_pra_events_total") == 4)  # an event may be answered after its check-in was sent
            assert site.calls(pra.LISTING) == 0


def test_an_end_that_never_comes_is_an_error(folder, monkeypatch):
    monkeypatch.setattr(pra, "PATIENCE", 1)
    with stage.Vault(folder, users=2, truth=False) as vault, pra.Site(folder) as site, \
            pra.linked(vault, site, {"poll_interval": "0s"}) as gate:
        lsids = site.start(2)
        pra.open_leases(gate, lsids, threads=1)
        with pytest.raises(AssertionError, match="1 of 1 check-ins are missing"):
            pra.ended(vault, site, lsids[:1], True)  # the site has no recipient of events


# ---- session reports ----

def test_everything_that_session_reports_are_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(reports_web, "RANGES", ("12m",))
    monkeypatch.setattr(reports_web, "DEEP", 1)
    stage.certificates(tmp_path)
    database = tmp_path / "reports.db"
    subprocess.run([stage.BIN / "reports-seed", database, "300", "1"], check=True, capture_output=True)
    result = reports_web.measure(tmp_path, database, 1)
    asked = [(row.kind, row.name) for row in result["answers"]]
    assert {name for kind, name in asked if kind == "tile"} >= set(reports_web.DEFAULT_TILES)
    assert {"grid", "session", "dashboard", "sign-in"} <= {kind for kind, _ in asked}
    assert all(row.wall and row.bytes for row in result["answers"] if row.kind in ("tile", "grid", "session"))
    assert [rows for dataset, form, _, rows, *_ in result["exports"] if (dataset, form) == ("sessions", "csv")][0] > 250
    assert {dataset: records for dataset, records, *_ in result["feed"]} == {"sessions": 301, "events": 40 * 301}


# ---- the report ----

@pytest.fixture(name="said")
def _said(monkeypatch):
    sections = {}
    monkeypatch.setattr(output, "_sections", sections)

    def say(name, *lines, **values):
        output.begin(name)
        for line in lines:
            output.say(line)
        for goal, value in values.items():
            goals.reached(goal, value)
        return dict(sections)

    return say


def test_a_section_is_replaced_and_others_stay(said, tmp_path):
    path, order = tmp_path / "report.md", ("one", "two")
    report.write(path, said("two", "second", size=100), order, tmp_path)
    report.write(path, {"one": ["first"]}, order, tmp_path)
    report.write(path, {"one": ["", "first again", ""]}, order, tmp_path)
    sections = report.read(path)
    assert list(sections) == ["one", "two"]
    assert sections["one"][1] == ["first again"]
    assert sections["two"][1][0] == "second"
    text = path.read_text()
    assert "| program without symbols, kB | <= 3072 | 100 | yes | two |" in text
    assert "| start to ready, empty store, ms | <= 50 | not measured | | |" in text


def test_missed_goals_come_first_the_farthest_before(said, tmp_path):
    path = tmp_path / "report.md"
    lines = said("two", "most CPU time: kernel 50 %", size=4096, start=500, syscalls=1.2)
    report.write(path, {"profile": lines["two"]}, ("profile",), tmp_path)
    end = path.read_text().split("## next bottleneck")[1].strip().splitlines()
    assert end[0].startswith("- missed: start to ready") and end[1].startswith("- missed: program without")
    assert end[2] == "- profile: most CPU time: kernel 50 %"


def test_a_report_of_another_form_is_replaced(tmp_path):
    path = tmp_path / "report.md"
    path.write_text("# Figures of one run\n\n## one\n\n```text\nold\n```\n")
    report.write(path, {"two": ["new"]}, ("one", "two"), tmp_path)
    assert list(report.read(path)) == ["two"]


def test_slope():
    assert figures.slope([]) == figures.slope([(1, 5)]) == 0
    assert figures.slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2)
