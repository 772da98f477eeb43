# SPDX-License-Identifier: Apache-2.0
"""credentials/checkout: the secret as it is in the vault, the lease as it is promised, and what policies want."""

import datetime
import threading

import pytest

from harness import API_KEY, TOKEN, eventually
from house import CHECKIN, CREDENTIAL, OAUTH_ID, OAUTH_SECRET, REQUEST, House, problem

DIFFICULT = [
    'quo"te', "back\\slash", "\\\\double\\\"", "amp&lt;<>'+`", "{json:[1,\"2\"]}", "%41%00", "tab\there",
    "line\r\nend\n", "control\x01\x08\x0c\x1f\x7f", "é ß €", "𝄞 and 😀", "\u2028\u2029\ufeff", " blanks at the ends ",
    "/solidus\\/", "null", "0", "x" * 4000,
]
KEY = ("-----BEGIN OPENSSH PRIVATE KEY-----\r\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU+/==\r\n"
       "-----END OPENSSH PRIVATE KEY-----\r\n")


def moment(text):
    """Seconds since 1970 of a date of the contract (RFC 3339, UTC)."""
    assert text.endswith("Z"), text
    return datetime.datetime.fromisoformat(text[:-1] + "+00:00").timestamp()


def vault_moment(text):
    return datetime.datetime.fromisoformat(text + "+00:00").timestamp()


def good(answer):
    assert answer.status == 200, answer.body
    return answer.json


def minutes_of(house, answer):
    """How long the vault was asked for, in minutes."""
    asked = house.vault.ask("GET", f"/requests/{answer['lease']['request_id']}")
    return round((vault_moment(asked["expires"]) - vault_moment(asked["start"])) / 60)


# ---- the answer ----

def test_password_members_and_their_order(house):
    box = house.account("root", password="s3cret")
    ann = house.session("ann", box)
    credential = house.credential(ann)
    answer = house.gateway.checkout(ann, credential)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    assert answer.headers["X-Request-Id"]
    secret = good(answer)
    assert list(secret) == ["credential_id", "kind", "username", "account", "domain", "password", "lease"]
    assert secret["credential_id"] == credential
    assert (secret["kind"], secret["username"], secret["account"]) == ("password", "root", "root")
    assert (secret["domain"], secret["password"]) == (None, "s3cret")
    assert list(secret["lease"]) == ["id", "request_id", "expires_at"]
    (live,) = house.live()
    assert (live["id"], live["user"], live["access"]) == (secret["lease"]["request_id"], "CORP\\ann", "View")
    assert abs(moment(secret["lease"]["expires_at"]) - vault_moment(live["expires"])) <= 2
    assert live["reason"] == f"[jumpgate {secret['lease']['id']}]"


def test_key_with_passphrase(house):
    box = house.account("deploy", password=None, key=KEY, passphrase="plum-\"Orbit\"\\77")
    answer = house.checkout(house.session("ann", box))
    secret = good(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    assert list(secret) == ["credential_id", "kind", "username", "account", "domain", "private_key", "passphrase",
                            "lease"]
    assert (secret["kind"], secret["private_key"], secret["passphrase"]) == ("ssh_key", KEY, "plum-\"Orbit\"\\77")


@pytest.mark.parametrize("absent", ["404", "empty", "400"])
def test_key_without_passphrase(house, absent):
    house.vault.knob(11, absent)
    secret = good(house.checkout(house.session("ann", house.account("deploy", password=None, key=KEY))))
    assert list(secret) == ["credential_id", "kind", "username", "account", "domain", "private_key", "lease"]
    assert (secret["kind"], secret["private_key"]) == ("ssh_key", KEY)


@pytest.mark.parametrize("absent", ["404", "empty", "400"])
def test_account_with_both_kinds(house, absent):
    house.vault.knob(11, absent)
    box = house.account("deploy", password="pass", key=KEY, passphrase="phrase")
    ann = house.session("ann", box)
    assert good(house.checkout(ann))["password"] == "pass"
    asked = {"prefer": "password"}
    assert good(house.checkout(ann, members=asked))["kind"] == "password"
    secret = good(house.checkout(ann, members={"prefer": "ssh_key"}))
    assert (secret["kind"], secret["private_key"], secret["passphrase"]) == ("ssh_key", KEY, "phrase")
    assert "password" not in secret
    only = house.account("root", password="pass")
    assert good(house.checkout(house.session("ann", only), members={"prefer": "ssh_key"}))["kind"] == "password"


def test_account_without_any_secret(house):
    house.account("hollow", box=(box := house.system()), password=None)
    answer = house.checkout(house.session("ann", box))
    assert answer.status in (404, 502), answer.body
    eventually(lambda: house.live() == [])


@pytest.mark.parametrize("dialect", ["newtonsoft", "stj"])
def test_difficult_passwords(house, dialect):
    house.vault.knob(12, dialect)
    box = house.system()
    for number, password in enumerate(DIFFICULT):
        house.account(f"a{number}", box=box, password=password)
    ann = house.session("ann", box)
    ids = {c["account"]: c["credential_id"] for c in house.gateway.find(ann).json["credentials"]}
    for number, password in enumerate(DIFFICULT):
        assert good(house.gateway.checkout(ann, ids[f"a{number}"]))["password"] == password, password


@pytest.mark.parametrize("dialect", ["newtonsoft", "stj"])
def test_made_up_passwords_are_those_of_the_vault(house, dialect):
    house.vault.knob(12, dialect)
    box = house.system()
    boxes = {name: house.account(name, box=box) for name in (f"b{i}" for i in range(30))}
    ann = house.session("ann", box)
    for row in house.gateway.find(ann).json["credentials"]:
        secret = good(house.gateway.checkout(ann, row["credential_id"]))
        assert secret["password"] == house.vault.account(boxes[row["account"]].account)["password"]


# ---- user names ----

def test_user_name_of_a_directory_account(house):
    box = house.account("root")
    house.directory_account(box, name="svc")
    ann = house.session("ann", box)
    secret = good(house.checkout(ann, house.credential(ann, "svc")))
    assert (secret["username"], secret["account"], secret["domain"]) == ("corp.test\\svc", "svc", "corp.test")
    assert good(house.checkout(ann, house.credential(ann, "root")))["username"] == "root"


def test_user_name_as_upn():
    with House({"vault main": {"username_form": "upn"}}) as house:
        box = house.account("root")
        house.directory_account(box, name="svc", upn="service.web@corp.example")
        ann = house.session("ann", box)
        secret = good(house.checkout(ann, house.credential(ann, "svc")))
        assert (secret["username"], secret["account"]) == ("service.web@corp.example", "svc")
        assert good(house.checkout(ann, house.credential(ann, "root")))["username"] == "root"
        house.sweep()


def test_directory_account_on_two_hosts_are_two_credentials(house):
    one, two = house.system(), house.system()
    house.directory_account(one, two, name="svc")
    first, second = house.session("ann", one), house.session("ann", two)
    a, b = good(house.checkout(first)), good(house.checkout(second))
    assert a["credential_id"] != b["credential_id"] and a["password"] == b["password"]
    assert sorted(r["system"] for r in house.live()) == sorted([one.system, two.system])


def test_database_and_application_accounts(house):
    database = house.account("oracle", box=house.system(database=True), password="dbpw")
    assert good(house.checkout(house.session("ann", database)))["password"] == "dbpw"
    house.account("web-admin", application="Ledger 2", application_id=501, password="apppw")
    assert good(house.checkout(house.session("ann", application="Ledger 2")))["password"] == "apppw"


# ---- duration ----

def test_duration_by_default_is_release_duration(house):
    ann = house.session("ann", house.account())
    assert minutes_of(house, good(house.checkout(ann))) == 60


def test_duration_of_the_caller(house):
    ann = house.session("ann", house.account())
    secret = good(house.checkout(ann, members={"duration_minutes": 7}))
    assert minutes_of(house, secret) == 7
    other = house.session("ann", house.account())
    assert minutes_of(house, good(house.checkout(other, members={"duration_minutes": 22.0}))) == 22


def test_duration_is_clamped_where_the_caller_named_none(house):
    ann = house.session("ann", house.account(max_duration=30))
    assert minutes_of(house, good(house.checkout(ann))) == 30


@pytest.mark.parametrize("form", ["403", "400"])
def test_duration_over_the_maximum_is_refused(house, form):
    house.vault.knob(9, form)
    ann = house.session("ann", house.account(max_duration=30))
    problem(house.checkout(ann, members={"duration_minutes": 31}), 422, "duration_too_long")
    assert house.live() == []
    assert minutes_of(house, good(house.checkout(ann, members={"duration_minutes": 30}))) == 30


@pytest.mark.parametrize("value", [0, -1, 1.5, "60", True, 525601, 1e300, [60]])
def test_duration_of_a_wrong_kind(house, value):
    ann = house.session("ann", house.account())
    problem(house.checkout(ann, members={"duration_minutes": value}), 400, "invalid_request")
    assert house.live() == []


# ---- leases ----

def test_same_session_twice_is_the_same_lease(house):
    box = house.account(password="one")
    ann = house.session("ann", box)
    credential = house.credential(ann)
    first = good(house.checkout(ann, credential))
    house.vault.change("accounts", id=box.account, password="two")
    reads = house.vault.calls(CREDENTIAL)
    second = good(house.checkout(ann, credential, {"duration_minutes": 5}))
    assert second["lease"] == first["lease"]
    assert (first["password"], second["password"]) == ("one", "two")
    assert house.vault.calls(CREDENTIAL) == reads + 1
    assert len(house.live()) == 1


def test_same_session_at_the_same_time_is_the_same_lease(house):
    ann = house.session("ann", house.account())
    credential = house.credential(ann)
    house.vault.latency(50)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(good(house.checkout(ann, credential))))
               for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    house.vault.latency(0)
    assert len({a["lease"]["id"] for a in answers}) == 1
    assert len({a["lease"]["request_id"] for a in answers}) == 1
    assert house.gateway.complete(ann).json == {"released": 1}


def test_two_sessions_on_one_vault_request(house):
    box = house.account(max_concurrent=1)
    one, two = house.session("ann", box), house.session("ann", box)
    credential = house.credential(one)
    a, b = good(house.checkout(one, credential)), good(house.checkout(two, credential, {"duration_minutes": 5}))
    assert a["lease"]["request_id"] == b["lease"]["request_id"]
    assert a["lease"]["id"] != b["lease"]["id"]
    assert a["lease"]["expires_at"] == b["lease"]["expires_at"]
    assert "adopted" not in b["lease"]


def test_one_session_id_under_two_users_is_two_leases(house):
    box = house.account()
    ann = house.session("ann", box)
    bob = {**house.session("bob", box), "id": ann["id"]}
    credential = house.credential(ann)
    a, b = good(house.checkout(ann, credential)), good(house.checkout(bob, credential))
    assert a["lease"]["id"] != b["lease"]["id"] and a["lease"]["request_id"] != b["lease"]["request_id"]
    assert sorted(r["user"] for r in house.live()) == ["CORP\\ann", "CORP\\bob"]
    assert house.gateway.release(bob, credential).json == {"released": 1, "remaining_holders": 0}
    assert [r["user"] for r in house.live()] == ["CORP\\ann"]
    assert house.gateway.complete(bob).json == {"released": 0}
    assert [r["user"] for r in house.live()] == ["CORP\\ann"]


def test_absent_domain_is_one_identity():
    with House({"vault main": {"run_as": "{username}"}}) as house:
        box = house.account()
        dan = house.session("dan", box, domain=None)
        first = good(house.checkout(dan))
        for domain in ("", "absent"):
            again = {**dan, "user": {"username": "dan"} if domain == "absent" else {"username": "dan", "domain": ""}}
            assert good(house.checkout(again))["lease"] == first["lease"]
        assert house.gateway.complete({**dan, "user": {"username": "dan"}}).json == {"released": 1}
        house.sweep()


def test_request_of_the_person_is_adopted_and_never_checked_in(house):
    box = house.account()
    person = house.vault.sign_in("CORP\\ann")
    own = person.request(box.system, box.account, Reason="by hand").json
    ann = house.session("ann", box)
    credential = house.credential(ann)
    secret = good(house.checkout(ann, credential))
    assert list(secret["lease"]) == ["id", "request_id", "expires_at", "adopted"]
    assert secret["lease"]["request_id"] == own and secret["lease"]["adopted"] is True
    checkins = house.vault.calls(CHECKIN)
    assert house.gateway.release(ann, credential).json == {"released": 1, "remaining_holders": 0}
    good(house.checkout(ann, credential))
    assert house.gateway.complete(ann).json == {"released": 1}
    assert house.vault.calls(CHECKIN) == checkins
    assert house.vault.active() == [own]
    person.put(f"Requests/{own}/Checkin")


def test_request_already_checked_in_by_hand_gives_way_to_a_new_one(house):
    ann = house.session("ann", house.account())
    credential = house.credential(ann)
    first = good(house.checkout(ann, credential))
    house.vault.terminate(first["lease"]["request_id"])
    answer = house.checkout(ann, credential)
    second = good(answer)
    assert second["lease"]["request_id"] != first["lease"]["request_id"]
    assert house.vault.active() == [second["lease"]["request_id"]]


# ---- reasons, tickets, approvals ----

def test_reason_is_required(house):
    box = house.account(rule="reason")
    ann = house.session("ann", box)
    problem(house.checkout(ann), 422, "reason_required")
    problem(house.checkout(ann, members={"reason": None}), 422, "reason_required")
    assert house.live() == []
    secret = good(house.checkout(ann, members={"reason": "CHG-1 \"quoted\" ünd\tso"}))
    (live,) = house.live()
    assert live["reason"] == f"CHG-1 \"quoted\" ünd\tso [jumpgate {secret['lease']['id']}]"


def test_ticket_is_required(house):
    box = house.account(rule="ticket")
    ann = house.session("ann", box)
    problem(house.checkout(ann), 422, "ticket_required")
    assert house.live() == []
    good(house.checkout(ann, members={"ticket_system_id": 5, "ticket_number": "T-77"}))
    assert [r["ticket"] for r in house.live()] == ["T-77"]


def test_reason_and_ticket_are_required(house):
    box = house.account(rule="both")
    ann = house.session("ann", box)
    assert house.checkout(ann).code in ("reason_required", "ticket_required")
    problem(house.checkout(ann, members={"reason": "why"}), 422, "ticket_required")
    problem(house.checkout(ann, members={"ticket_number": "T"}), 422, "reason_required")
    good(house.checkout(ann, members={"reason": "why", "ticket_number": "T"}))


def test_long_reason_is_cut_from_its_middle(house):
    ann = house.session("ann", house.account())
    reason = "START" + "ä" * 2000 + "END"
    secret = good(house.checkout(ann, members={"reason": reason}))
    (live,) = house.live()
    assert len(live["reason"]) <= 1000
    assert live["reason"].startswith("STARTää")
    assert live["reason"].endswith(f"ääEND [jumpgate {secret['lease']['id']}]")


def test_reason_from_the_configuration():
    with House({"vault main": {"reason": "PRA {session} of {user} on {jump_item}, {lease}"}}) as house:
        box = house.account(rule="reason")
        ann = house.session("ann", box, name="the box")
        secret = good(house.checkout(ann))
        (live,) = house.live()
        lease = secret["lease"]["id"]
        assert live["reason"].startswith(f"PRA {ann['id']} of ") and "ann" in live["reason"]
        assert live["reason"].endswith(f", {lease} [jumpgate {lease}]")
        house.sweep()


def test_approval_is_withdrawn_at_once(house):
    box = house.account(rule="approval")
    ann = house.session("ann", box)
    refused = problem(house.checkout(ann), 409, "approval_pending")
    assert "withdrawn" in refused["detail"] and "approve" in refused["detail"]
    assert refused["vault"] == {"status": 403, "code": 4034}
    eventually(lambda: house.live() == [])
    problem(house.checkout(ann), 409, "approval_pending")


def test_pending_request_that_is_reused(house):
    """A vault whose `reuse` also hands over what is still pending: the person's own stays as it was."""
    house.vault.knob(10, "reuse")
    box = house.account(rule="approval")
    problem(house.checkout(house.session("ann", box)), 409, "approval_pending")
    eventually(lambda: house.live() == [])
    person = house.vault.sign_in("CORP\\ann")
    own = person.request(box.system, box.account).json
    problem(house.checkout(house.session("ann", box)), 409, "approval_pending")
    eventually(house.quiet)
    assert [r["id"] for r in house.live()] == [own]
    house.vault.deny(own)


def test_request_approved_by_hand_can_be_used(house):
    box = house.account(rule="approval", password="after approval")
    person = house.vault.sign_in("CORP\\ann")
    own = person.request(box.system, box.account).json
    house.vault.approve(own)
    ann = house.session("ann", box)
    secret = good(house.checkout(ann))
    assert (secret["password"], secret["lease"]["request_id"]) == ("after approval", own)
    assert secret["lease"]["adopted"] is True
    assert house.gateway.complete(ann).json == {"released": 1}
    assert house.vault.active() == [own]
    house.vault.terminate(own)


def test_pending_request_that_cannot_be_withdrawn(house):
    house.vault.knob(19, "403")
    ann = house.session("ann", house.account(rule="approval"))
    problem(house.checkout(ann), 409, "approval_pending")
    (live,) = house.live()
    assert house.checkout(ann).code in ("approval_pending", "vault_conflict")
    house.vault.knob(19, "204")
    house.vault.deny(live["id"])


# ---- refusals ----

def test_conflict_with_another_user(house):
    box = house.account(max_concurrent=1)
    ann, bob = house.session("ann", box), house.session("bob", box)
    good(house.checkout(ann))
    refused = problem(house.checkout(bob), 409, "vault_conflict")
    assert refused["vault"] == {"status": 409, "code": 4091}
    assert [r["user"] for r in house.live()] == ["CORP\\ann"]


def test_not_entitled_any_more():
    """The list is remembered, the entitlement is not: the vault decides at each check-out."""
    with House({"gateway": {"list_cache": "1m"}}) as house:
        box = house.account()
        ann = house.session("ann", box)
        credential = house.credential(ann)
        house.vault.change("accounts", id=box.account, api_enabled=False)
        for form in ("number", "text", "string"):
            house.vault.knob(15, form)
            refused = problem(house.checkout(ann, credential), 403, "not_entitled")
            assert refused["vault"] == {"status": 403, "code": 4031}
        house.sweep()


@pytest.mark.parametrize("form", ["number", "text", "string"])
@pytest.mark.parametrize("code", [4031, 4032, 4033])
def test_refusals_by_code(house, form, code):
    body, kind = {"number": (f"{code}", "application/json; charset=utf-8"), "text": (f"{code}", "text/plain"),
                  "string": (f"\"{code}\"", "application/json")}[form]
    house.vault.fault("status", call=REQUEST, status=403, body=body, content_type=kind)
    refused = problem(house.checkout(house.session("ann", house.account())), 403, "not_entitled")
    assert refused["vault"] == {"status": 403, "code": code}


def test_account_unknown_to_the_vault(house):
    box = house.account()
    ann = house.session("ann", box)
    credential = house.credential(ann)
    for unknown in (credential.replace(str(box.account), "999999"), credential + "x", "x", "ä", "j1.main.l.1.1.0"):
        problem(house.checkout(ann, unknown), 404, "credential_not_found")
    assert house.live() == []


def test_account_of_somebody_else_is_not_found(house):
    box = house.account(dedicated_user=42)
    credential = house.credential(house.session("bob", box))
    answer = house.checkout(house.session("ann", box), credential)
    assert (answer.status, answer.code) in ((404, "credential_not_found"), (403, "not_entitled"))
    guest = house.checkout(house.session("guest", box), credential)
    assert (guest.status, guest.code) in ((404, "credential_not_found"), (403, "not_entitled"))
    assert house.live() == []


@pytest.mark.parametrize("who", ["outsider", "nobody", "mfa", "pra-gateway"])
def test_users_the_vault_refuses(house, who):
    box = house.account()
    credential = house.credential(house.session("ann", box))
    refused = problem(house.checkout(house.session(who, box), credential), 502, "vault_refused_user")
    assert refused["vault"]["status"] == 401
    if who == "mfa":
        assert "MFA" in refused["detail"] or "factor" in refused["detail"]


# ---- OAuth ----

def test_oauth_vault(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(OAUTH_SECRET)
    secret.chmod(0o600)
    with House({"vault main": {"api_key_file": None, "oauth_client_id": OAUTH_ID,
                               "oauth_client_secret_file": str(secret)}}) as house:
        box = house.account(password="by token")
        for who, domain in (("ann", "CORP"), ("nobody", None)):
            assert good(house.checkout(house.session(who, box, domain=domain)))["password"] == "by token"
        assert {r["user"] for r in house.live()} == {"pra-gateway"}
        house.vault.expire_sessions()
        assert good(house.checkout(house.session("bob", box)))["password"] == "by token"
        house.sweep()


def test_oauth_with_a_wrong_secret(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("wrong")
    secret.chmod(0o600)
    with House({"vault main": {"api_key_file": None, "oauth_client_id": OAUTH_ID,
                               "oauth_client_secret_file": str(secret)}}) as house:
        problem(house.gateway.find(house.session("ann", house.account())), 502, "vault_refused_user")
        house.sweep()


def test_user_password_is_sent(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("winter ]; Sun 9")
    secret.chmod(0o600)
    with House({"vault main": {"run_as_password_file": str(secret)}}, ["--require-user-password"]) as house:
        house.vault.change("users", id=41, password="winter ]; Sun 9")
        box = house.account(password="pw")
        assert good(house.checkout(house.session("ann", box)))["password"] == "pw"
        problem(house.gateway.find(house.session("bob", box)), 502, "vault_refused_user")
        house.sweep()


# ---- secrets stay where they belong ----

def test_no_secret_in_the_log():
    with House({"gateway": {"log_level": "debug", "log_format": "json"}}) as house:
        box = house.account(password="Very-Secret-Pass", key=KEY, passphrase="Very-Secret-Phrase")
        ann = house.session("ann", box)
        good(house.checkout(ann))
        good(house.checkout(ann, members={"prefer": "ssh_key"}))
        house.vault.fault("truncate", call=CREDENTIAL)
        house.checkout(ann)
        house.vault.clear_faults()
        house.vault.fault("status", call=CREDENTIAL, status=500, body='"Very-Secret-Pass"')
        assert "Very-Secret" not in house.checkout(ann).body.decode()
        house.sweep()
        house.gateway.stop()
        text = house.gateway.err.text + house.gateway.out.text
        for secret in ("Very-Secret", "b3BlbnNz", API_KEY, TOKEN, "ASP.NET_SessionId="):
            assert secret not in text
