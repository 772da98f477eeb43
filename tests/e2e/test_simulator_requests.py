"""The simulator's rules for requests: decision order, conflicts, their life, credentials, dialects, rotation.

What is expected here is the vendor's behaviour, not what the gateway sends.
"""

import pytest

from simulator import BOSS, JDOE, MARIA, SECRET, Simulator, is_code


# ---- requests ----

@pytest.mark.parametrize("change", [
    {"SystemID": None}, {"AccountID": None}, {"DurationMinutes": None}, {"DurationMinutes": 0},
    {"DurationMinutes": 525601}, {"DurationMinutes": 1.5}, {"AccessType": "Telnet"}, {"ConflictOption": "maybe"},
    {"Reason": "x" * 1001}, {"AccessType": "App"}, {"SystemID": "seventeen"}, {"Reason": 5},
])
def test_bad_requests(vault, maria, change):
    answer = maria.request(17, 203, **change)
    assert answer.status == 400 and isinstance(answer.json, str)
    assert vault.active() == []


def test_order_of_request_decisions(vault, maria):
    guest = vault.sign_in(r"ACME\guest")
    assert maria.request(99999, 203, DurationMinutes=0).status == 400  # range before lookup
    assert maria.request(99999, 203).status == 404
    assert maria.request(17, 99999).status == 404
    assert guest.request(17, 99999).status == 404  # lookup before role
    assert is_code(guest.request(17, 203), 4031)
    assert is_code(maria.request(17, 310), 4031)  # no such pair
    assert is_code(maria.request(30, 507), 4031)  # a directory account is used through its links
    assert is_code(maria.request(17, 204), 4031)  # not API-enabled
    vault.change("accounts", id=203, dedicated_user=42)
    assert is_code(maria.request(17, 203), 4031)


def test_reason_and_ticket(maria):
    assert maria.request(45, 601).status == 400
    assert maria.request(45, 601, Reason="because").status == 400
    assert maria.request(45, 601, Reason="because", TicketNumber="T-1", TicketSystemID=9).status == 400
    assert maria.request(45, 601, Reason="because", TicketNumber="T-1").status == 201


def test_letter_case_and_lenience(vault, maria):
    body = {"systemid": 17, "ACCOUNTID": 203, "durationMinutes": 60, "accesstype": "vIEW", "ConflictOption": "ReUse"}
    assert maria.post("Requests", body).status == 201
    python = (b"{'SystemID': '17', 'AccountID': '203', 'DurationMinutes': '5', 'Reason': 'it\\'s', "
              b"'ConflictOption': 'renew', 'RotateOnCheckin': False}")
    assert maria.call("POST", "Requests", raw=python).status == 201
    assert vault.state()["active"][0]["reason"] == "it's"
    form = b"SystemID=17&AccountID=203&DurationMinutes=5&ConflictOption=renew&Reason=a+b"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert maria.call("POST", "Requests", raw=form, headers=kind).status == 201
    assert vault.state()["active"][0]["reason"] == "a b"
    vault.knob(1, "off")
    assert maria.call("POST", "Requests", raw=python).status == 400
    assert maria.call("POST", "Requests", raw=form, headers=kind).status == 415
    assert maria.request("17", "203", ConflictOption="reuse").status == 400


def test_maximum_duration(vault, maria):
    assert is_code(maria.request(31, 507, DurationMinutes=481), 4031)
    vault.knob(9, "400")
    assert maria.request(31, 507, DurationMinutes=481).status == 400
    assert maria.request(31, 507, DurationMinutes=480).status == 201


def test_schedule_window(vault, maria):
    vault.change("policies", id=1, schedules=[{"id": 11, "open_from": 480, "open_to": 1020}])
    vault.clock(frozen=True, wall="2026-03-10T07:59:00")
    assert is_code(maria.request(17, 203), 4031)
    assert maria.post("AccessPolicies/Test", {"SystemId": 17, "AccountId": 203, "DurationMinutes": 60}).json == []
    vault.knob(8, "409")
    assert is_code(maria.request(17, 203), 4091)
    vault.clock(wall="2026-03-10T16:30:00")
    assert is_code(maria.request(17, 203), 4091)  # longer than what is left of the window
    assert maria.request(17, 203, DurationMinutes=30).status == 201
    assert maria.request(17, 203, DurationMinutes=30, AccessPolicyScheduleID=99, ConflictOption="renew").status == 409


def test_not_enough_approvers(vault, maria):
    vault.change("policies", id=2, schedules=[{"id": 12, "min_approvers": 2}])
    assert is_code(maria.request(22, 310), 4035)
    vault.change("policies", id=2, schedules=[{"id": 12, "min_approvers": 1}])
    assert maria.request(22, 310).status == 201


def test_policy_test_tells_what_is_wanted(maria):
    answer = maria.post("AccessPolicies/Test", {"SystemId": 45, "AccountId": 601, "DurationMinutes": 60})
    schedule = answer.json[0]["Schedules"][0]
    assert (schedule["RequireReason"], schedule["RequireTicketSystem"], schedule["TicketSystemID"]) == (True, True, 5)
    view = schedule["AccessTypes"][0]
    assert view == {"AccessType": "View", "IsSession": False, "RecordSession": False, "MinApprovers": 0, "MaxConcurrent": 0}
    answer = maria.post("AccessPolicies/Test", {"SystemId": 22, "AccountId": 310, "DurationMinutes": 60})
    assert answer.json[0]["Schedules"][0]["AccessTypes"][0]["MinApprovers"] == 1
    assert is_code(maria.post("AccessPolicies/Test", {"SystemId": 17, "AccountId": 310, "DurationMinutes": 60}), 4031)


# ---- the conflict table (3.4) ----

OPTIONS = (None, "reuse", "renew")


def try_all(session, system, account, **more):
    """Status per option; None, reuse, renew."""
    return [session.request(system, account, **({"ConflictOption": o} if o else {}), **more).status for o in OPTIONS]


def test_conflict_nothing_overlaps(vault, maria):
    for option in OPTIONS:
        answer = maria.request(17, 203, **({"ConflictOption": option} if option else {}))
        assert answer.status == 201
        maria.put(f"Requests/{answer.json}/Checkin")
    assert vault.active() == []


def test_conflict_own_approved(vault, maria):
    first = maria.request(17, 203).json
    assert maria.request(17, 203).status == 409
    expires = vault.state()["active"][0]["expires"]
    again = maria.request(17, 203, ConflictOption="reuse", DurationMinutes=300)
    assert (again.status, again.json) == (200, first)
    assert vault.state()["active"][0]["expires"] == expires  # not extended
    renewed = maria.request(17, 203, ConflictOption="renew")
    assert renewed.status == 201 and renewed.json > first
    assert vault.active() == [renewed.json]
    assert vault.state()["finished"][-1]["state"] == "cancelled"


def test_conflict_own_pending(vault, maria):
    maria.request(22, 310)
    assert try_all(maria, 22, 310) == [409, 409, 409]
    vault.knob(10, "reuse")
    assert try_all(maria, 22, 310) == [409, 200, 201]


def test_conflict_others_at_the_limit(vault, maria):
    held = maria.request(17, 203).json
    assert try_all(vault.sign_in(JDOE), 17, 203) == [409, 409, 409]
    assert vault.active() == [held]


def test_conflict_others_below_the_limit(vault, maria):
    vault.change("accounts", id=203, max_concurrent=2)
    maria.request(17, 203)
    vault.change("users", name=r"ACME\lee", id=43, groups=["Secure Remote Access Requesters"])
    jdoe = vault.sign_in(JDOE)
    assert try_all(jdoe, 17, 203) == [201, 200, 201]
    assert len(vault.active()) == 2
    vault.change("accounts", id=203, max_concurrent=3)
    assert vault.sign_in(r"ACME\lee").request(17, 203).status == 201


def test_conflict_is_per_account_over_links(vault, maria):
    maria.request(31, 507)
    assert maria.request(32, 507).status == 409  # the directory account is one account
    vault.change("accounts", id=507, max_concurrent=2)
    assert maria.request(32, 507).status == 201


def test_conflict_other_access_type(vault, maria):
    maria.request(17, 203, AccessType="SSH")
    assert try_all(maria, 17, 203) == [409, 409, 201]  # reuse has nothing to reuse, and the limit is one
    vault.change("accounts", id=203, max_concurrent=0)
    assert maria.request(17, 203, AccessType="RDP", ConflictOption="reuse").status == 201


def test_schedule_limit(vault, maria):
    vault.change("accounts", id=203, max_concurrent=0)
    vault.change("policies", id=1, schedules=[{"id": 11, "types": [{"type": "View", "max_concurrent": 1}]}])
    maria.request(17, 203)
    assert vault.sign_in(JDOE).request(17, 203).status == 409
    assert is_code(maria.request(17, 203, AccessType="RDP"), 4031)  # not offered


# ---- life of a request ----

def test_only_live_ones_are_listed(vault, maria):
    active = maria.request(17, 203, Reason="a").json
    pending = maria.request(22, 310).json

    def ids(**query):
        return [r["RequestID"] for r in maria.get("Requests", **query).json]

    assert ids() == ids(status="all") == [active, pending]
    assert ids(status="active") == [active] and ids(status="pending") == [pending]
    assert maria.get("Requests", status="odd").status == 400
    boss = vault.sign_in(BOSS)
    assert [r["RequestID"] for r in boss.get("Requests", queue="app").json] == [pending]
    assert boss.get("Requests").json == []
    maria.put(f"Requests/{active}/Checkin")
    assert ids() == [pending]


def test_checkin(vault, maria):
    number = maria.request(17, 203).json
    jdoe = vault.sign_in(JDOE)
    assert is_code(jdoe.put(f"Requests/{number}/Checkin"), 4031)
    assert maria.put(f"Requests/{number}/Checkin", {"Reason": "x" * 1001}).status == 400
    assert vault.active() == [number]
    done = maria.put(f"Requests/{number}/Checkin")
    assert (done.status, done.body) == (204, b"")
    assert maria.put(f"Requests/{number}/Checkin").status == 404
    assert maria.put("Requests/424242/Checkin").status == 404
    again = maria.request(17, 203).json
    assert maria.put(f"Requests/Release/{again}").status == 204


def test_checkin_of_pending(vault, maria):
    number = maria.request(22, 310).json
    vault.knob(19, "403")
    assert is_code(maria.put(f"Requests/{number}/Checkin"), 4034)
    vault.knob(19, "204")
    assert maria.put(f"Requests/{number}/Checkin").status == 204
    assert vault.state()["pending"] == []


def test_approval_needs_the_role_and_enough_of_them(vault, maria):
    vault.change("users", id=51, name=r"ACME\boss2", groups=["Approvers"])
    vault.change("policies", id=2, schedules=[{"id": 12, "min_approvers": 2}])
    number = maria.request(22, 310).json
    assert is_code(maria.put(f"Requests/{number}/Approve"), 4033)
    boss, second = vault.sign_in(BOSS), vault.sign_in(r"ACME\boss2")
    for session in (boss, boss):
        assert session.put(f"Requests/{number}/Approve").status == 204
    assert is_code(maria.get(f"Credentials/{number}"), 4034)
    assert second.put(f"Requests/{number}/Approve").status == 204
    assert maria.get(f"Credentials/{number}").status == 200
    assert [r["RequestID"] for r in boss.get("Requests", queue="app").json] == [number]
    assert boss.put(f"Requests/{number}/Deny").status == 204  # a later approver may still deny
    assert maria.get(f"Credentials/{number}").status == 404
    assert boss.put(f"Requests/{number}/Approve").status == 404


def test_expiry_counts_in_minutes_of_the_option():
    with Simulator("--fixture", "worked", "--minute", "1s") as vault:
        maria = vault.sign_in(MARIA)
        vault.clock(frozen=True)
        number = maria.request(17, 203, DurationMinutes=5).json
        vault.clock(advance_ms=4999)
        assert vault.active() == [number]
        vault.clock(advance_ms=1)
        assert vault.active() == [] and vault.state()["finished"][-1]["state"] == "expired"
        assert maria.get(f"Credentials/{number}").json == "Request has been released or is expired"


def test_mass_termination(vault, maria):
    maria.request(17, 203)
    maria.request(31, 507)
    assert is_code(maria.post("ManagedAccounts/203/Requests/Terminate", {}), 4031)
    officer = vault.sign_in("svc-quarantine")
    assert officer.post("ManagedAccounts/203/Requests/Terminate", {"Reason": "x"}).status == 204
    assert [r["account"] for r in vault.state()["active"]] == [507]
    assert officer.post("Users/41/Requests/Terminate", {}).status == 204
    assert vault.active() == []
    assert officer.post("ManagedSystems/999999/Requests/Terminate", {}).status == 404


def test_session_ticket(vault, maria):
    number = maria.request(17, 203, AccessType="SSH").json
    ticket = maria.post(f"Requests/{number}/Sessions", {"SessionType": "sshticket"})
    assert ticket.status == 201 and ticket.json["Port"] == "4422"
    assert is_code(maria.post(f"Requests/{number}/Sessions", {"SessionType": "rdp"}), 4031)
    assert maria.post(f"Requests/{number}/Sessions", {"SessionType": "x"}).status == 400


# ---- credentials ----

def test_credential_order(vault, maria):
    number = maria.request(17, 203).json
    jdoe = vault.sign_in(JDOE)
    assert jdoe.get(f"Credentials/{number}").status == 404
    vault.knob(14, "403")
    assert is_code(jdoe.get(f"Credentials/{number}"), 4031)
    vault.change("accounts", id=203, api_enabled=False)
    assert is_code(maria.get(f"Credentials/{number}"), 4031)
    assert maria.get("Credentials/99999999").status == 404
    pending = maria.request(22, 310).json
    vault.change("accounts", id=310, api_enabled=False)
    assert is_code(maria.get(f"Credentials/{pending}"), 4031)  # before 4034
    vault.change("accounts", id=310, api_enabled=True)
    assert is_code(maria.get(f"Credentials/{pending}?type=nonsense"), 4034)  # the type comes last


def test_absent_type(vault, maria):
    number = maria.request(17, 203).json
    for value, status in (("404", 404), ("empty", 200), ("400", 400)):
        vault.knob(11, value)
        answer = maria.get(f"Credentials/{number}?type=dsskey")
        assert answer.status == status and (status != 200 or answer.json == "")
        assert maria.get(f"Credentials/{number}?type=PASSWORD").json == SECRET


AWKWARD = ['plain', 'a"b\\c', "é ß ÿ", "𝄞 non-BMP 😀", "<&>'+`", "tab\tnewline\nreturn\r", "a" * 500, "\u2028\x01\x1f"]


@pytest.mark.parametrize("dialect", ["newtonsoft", "stj"])
def test_dialects_say_the_same(vault, maria, dialect):
    vault.knob(12, dialect)
    number = maria.request(17, 203).json
    for password in AWKWARD:
        vault.change("accounts", id=203, password=password)
        answer = maria.get(f"Credentials/{number}")
        assert answer.json == password
        if dialect == "stj":
            assert answer.body.isascii() and not set(b"&<>'+`") & set(answer.body)
            assert b'\\"' not in answer.body
        else:
            assert b"\\u00e9" not in answer.body.lower()


@pytest.mark.parametrize("form, kind, body", [
    ("number", "application/json; charset=utf-8", b"4091"),
    ("text", "text/plain; charset=utf-8", b"4091"),
    ("string", "application/json; charset=utf-8", b'"4091"'),
])
def test_form_of_codes(vault, maria, form, kind, body):
    vault.knob(15, form)
    maria.request(17, 203)
    answer = maria.request(17, 203)
    assert (answer.status, answer.header("Content-Type"), answer.body) == (409, kind, body)


# ---- rotation ----

def test_rotation_after_checkin(vault, maria):
    number = maria.request(17, 203).json
    maria.put(f"Requests/{number}/Checkin")
    vault.clock(frozen=True)
    row = maria.get("ManagedAccounts", systemName="ledger01").json[0]
    assert (row["ChangeState"], row["IsChanging"]) == (2, False)
    assert vault.account(203)["password"] == SECRET
    vault.clock(advance_ms=1000)
    row = maria.get("ManagedAccounts", systemName="ledger01").json[0]
    assert (row["ChangeState"], row["IsChanging"]) == (1, True)
    vault.clock(advance_ms=1000)
    row = maria.get("ManagedAccounts", systemName="ledger01").json[0]
    assert (row["ChangeState"], row["IsChanging"]) == (0, False)
    assert row["LastChangeDate"] > "2026-03-02T21:14:07.32"
    seen = {SECRET}
    for _ in range(3):
        again = maria.request(17, 203).json
        fresh = maria.get(f"Credentials/{again}").json
        assert fresh == vault.account(203)["password"] and fresh not in seen
        seen.add(fresh)
        maria.put(f"Requests/{again}/Checkin")
        vault.clock(advance_ms=1000)
        vault.clock(advance_ms=1000)


def test_rotation_after_expiry_and_renew(vault, maria):
    vault.clock(frozen=True)
    maria.request(17, 203, DurationMinutes=1)
    vault.clock(advance_ms=60000)
    assert vault.account(203)["change_state"] == 2
    vault.clock(advance_ms=1000)
    vault.clock(advance_ms=1000)
    maria.request(17, 203)
    maria.request(17, 203, ConflictOption="renew")
    assert vault.account(203)["change_state"] == 2


def test_rotation_override(vault, maria):
    def checkin(**more):
        number = maria.request(17, 203, **more).json
        assert maria.put(f"Requests/{number}/Checkin").status == 204
        return vault.account(203)["change_state"]

    vault.clock(frozen=True)
    vault.change("accounts", id=203, rotates=False)
    assert checkin(RotateOnCheckin=True) == 0
    vault.change("accounts", id=203, rotates=True)
    vault.change("policies", id=1, rotation_override=True)
    assert checkin(RotateOnCheckin=False) == 0
    number = maria.request(17, 203, RotateOnCheckin=False).json
    assert maria.put(f"Requests/{number}/RotateOnCheckin").status == 204
    maria.put(f"Requests/{number}/Checkin")
    assert vault.account(203)["change_state"] == 2
    vault.clock(advance_ms=1000)
    vault.clock(advance_ms=1000)
    vault.change("policies", id=1, rotation_override=False)
    assert checkin(RotateOnCheckin=False) == 2  # not allowed, so not honoured
