# SPDX-License-Identifier: Apache-2.0
"""The lsid of a session: what is taken, which leases have it, and that it outlives the process and earlier stores."""

import json
import sqlite3
import time

import pytest

from harness import ROOT, Gateway, session
from stack import Stack, problem
from test_leases import NO_VAULT, cells, command, database, every_lease, hold, lease_list, trail

ONE = "0123456789abcdef0123456789abcdef"
FORMS = [ONE, ONE.upper(), "01234567-89ab-CDEF-0123-456789abcdef", "{01234567-89ab-cdef-0123-456789abcdef}"]
NONE = ["", "S-1", ONE[:31], ONE + "0", ONE[:31] + "g", "{" + ONE, "01234567-89abcdef-0123-456789abcdef", 7, True, [ONE], {}]
STARTED = "/v1/sessions/started"
OPERATIONS = [("/v1/credentials/find", {}), ("/v1/credentials/checkout", {"credential_id": "x"}),
              ("/v1/credentials/release", {"credential_id": "x"}), ("/v1/endpoints/find", {"query": ""}),
              (STARTED, {}), ("/v1/sessions/complete", {})]
OLD_STORE = (ROOT / "tests" / "unit" / "stores" / "leases-2.sql").read_text()
OLD_END_MS = "1795899228000"  # when its leases end


def lsids(gateway, **query):
    return {row["sessions"][0]: row["lsid"] for row in every_lease(gateway, **query)}


@pytest.mark.parametrize("path, members", OPERATIONS, ids=[path for path, _ in OPERATIONS])
def test_what_is_no_lsid_is_refused(stack, path, members):
    for lsid in NONE:
        one = {**session("ann", hostname="srv01"), "lsid": lsid}
        refused = problem(stack.gateway.call("POST", path, {"session": one, **members}), 400, "invalid_request")
        assert "session.lsid" in refused["detail"], refused


@pytest.mark.parametrize("lsid", FORMS)
def test_a_lease_shows_the_lsid_as_it_was_given(stack, lsid):
    one = {**stack.session("ann", stack.account()), "lsid": lsid}
    assert stack.checkout(one).status == 200
    assert lsids(stack.gateway, session=one["id"]) == {one["id"]: lsid}
    lines, _ = command(stack.gateway, "list", "--wide", "--session", one["id"])
    assert dict(zip(cells(lines[0]), cells(lines[1])))["LSID"] == lsid


def test_an_id_of_that_form_is_the_lsid(stack):
    one = {**stack.session("ann", stack.account()), "id": ONE.upper()}
    stack.opened[-1] = one
    assert stack.checkout(one).status == 200
    two = {**stack.session("bob", stack.account()), "lsid": None}
    assert stack.checkout(two).status == 200
    assert lsids(stack.gateway) == {ONE.upper(): ONE.upper(), two["id"]: None}


def test_started_gives_it_to_the_leases_of_that_session_and_user(stack):
    ann, _, _ = hold(stack, "ann")
    bob = {**stack.session("bob", stack.account()), "id": ann["id"]}
    stack.opened[-1] = bob
    assert stack.checkout(bob).status == 200
    answer = stack.gateway.call("POST", STARTED, {"session": {**ann, "lsid": FORMS[2]}})
    assert (answer.status, answer.body) == (204, b"")
    rows = every_lease(stack.gateway, session=ann["id"])
    assert {row["user"]: row["lsid"] for row in rows} == {"CORP\\ann": FORMS[2], "CORP\\bob": None}
    assert stack.gateway.call("POST", STARTED, {"session": {**ann, "id": ONE}}).status == 204  # no leases


def test_it_outlives_the_process_and_is_recorded():
    with Stack() as stack:
        ann, _, _ = hold(stack, "ann")
        bob = {**stack.session("bob", stack.account()), "lsid": FORMS[3]}
        assert stack.checkout(bob).status == 200
        assert stack.gateway.call("POST", STARTED, {"session": {**ann, "lsid": FORMS[2]}}).status == 204
        stack.gateway.kill()
        lines, errors = command(stack.gateway, "--json")
        assert "not running" in errors
        expected = {ann["id"]: FORMS[2], bob["id"]: FORMS[3]}
        assert {row["sessions"][0]: row["lsid"] for row in json.loads("".join(lines))["leases"]} == expected
        stack.gateway.restart()
        assert lsids(stack.gateway) == expected
        assert stack.gateway.complete(ann).json["released"] == 1
        stack.gateway.stop()
        records = trail(stack.gateway)
        seen = {(r["event"], r["session"]): r.get("lsid") for r in records if "session" in r}
        assert seen == {("checkout", ann["id"]): None, ("session_started", ann["id"]): FORMS[2],
                        ("lease_end", ann["id"]): FORMS[2], ("release", ann["id"]): FORMS[2],
                        ("checkin", ann["id"]): FORMS[2], ("checkout", bob["id"]): FORMS[3]}
        stack.gateway.start()


def test_a_store_of_an_earlier_version_is_read_and_migrated():
    expected = {"S-1": None, "S-2": None, "S-3": None, ONE: ONE}
    gateway = Gateway(NO_VAULT)
    with gateway:
        gateway.stop()
        database(gateway).unlink()
        with sqlite3.connect(database(gateway)) as store:
            store.executescript(OLD_STORE.replace(OLD_END_MS, str(int(time.time() + 3600) * 1000)))
        store.close()
        database(gateway).chmod(0o600)
        lines, _ = command(gateway, "--json")
        assert {row["sessions"][0]: row["lsid"] for row in json.loads("".join(lines))["leases"]} == expected
        gateway.start()
        shown = {row["id"]: row["lsid"] for row in lease_list(gateway)["leases"]}
        assert shown["her45a4wrk2mv6rsf1xed5njrs"] == ONE and len(shown) == 4
        gateway.stop()
        with sqlite3.connect(database(gateway)) as store:
            assert store.execute("PRAGMA user_version").fetchone() == (9,)
            assert store.execute("SELECT COUNT(*) FROM pra_cursor").fetchone() == (0,)
        store.close()
