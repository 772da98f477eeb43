# SPDX-License-Identifier: Apache-2.0
"""credentials/checkout: the secret as it is in the vault, the lease as it is promised, and what policies require."""

import datetime
import threading

import pytest

from harness import API_KEY, TOKEN, eventually
from stack import CHECKIN, CREDENTIAL, OAUTH_ID, OAUTH_SECRET, REQUEST, Stack, problem

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


def minutes_of(stack, answer):
    """How long the vault was asked for, in minutes."""
    asked = stack.vault.ask("GET", f"/requests/{answer['lease']['request_id']}")
    return round((vault_moment(asked["expires"]) - vault_moment(asked["start"])) / 60)


# ---- the answer ----

def test_password_members_and_their_order(stack):
    box = stack.account("root", password="s3cret")
    ann = stack.session("ann", box)
    credential = stack.credential(ann)
    answer = stack.gateway.checkout(ann, credential)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    assert answer.headers["X-Request-Id"]
    secret = good(answer)
    assert list(secret) == ["credential_id", "kind", "username", "account", "domain", "password", "lease"]
    assert secret["credential_id"] == credential
    assert (secret["kind"], secret["username"], secret["account"]) == ("password", "root", "root")
    assert (secret["domain"], secret["password"]) == (None, "s3cret")
    assert list(secret["lease"]) == ["id", "request_id", "request_key", "expires_at"]
    assert secret["lease"]["request_key"] == str(secret["lease"]["request_id"])
    (live,) = stack.live()
    assert (live["id"], live["user"], live["access"]) == (secret["lease"]["request_id"], "CORP\\ann", "View")
    assert abs(moment(secret["lease"]["expires_at"]) - vault_moment(live["expires"])) <= 2
    assert live["reason"] == f"[jumpgate {secret['lease']['id']}]"


def test_key_with_passphrase(stack):
    box = stack.account("deploy", password=None, key=KEY, passphrase="plum-\"Orbit\"\\77")
    answer = stack.checkout(stack.session("ann", box))
    secret = good(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    assert list(secret) == ["credential_id", "kind", "username", "account", "domain", "private_key", "passphrase",
                            "lease"]
    assert (secret["kind"], secret["private_key"], secret["passphrase"]) == ("ssh_key", KEY, "plum-\"Orbit\"\\77")


@pytest.mark.parametrize("absent", ["404", "empty", "400"])
def test_key_without_passphrase(stack, absent):
    stack.vault.knob(11, absent)
    secret = good(stack.checkout(stack.session("ann", stack.account("deploy", password=None, key=KEY))))
    assert list(secret) == ["credential_id", "kind", "username", "account", "domain", "private_key", "lease"]
    assert (secret["kind"], secret["private_key"]) == ("ssh_key", KEY)


@pytest.mark.parametrize("absent", ["404", "empty", "400"])
def test_account_with_both_kinds(stack, absent):
    stack.vault.knob(11, absent)
    box = stack.account("deploy", password="pass", key=KEY, passphrase="phrase")
    ann = stack.session("ann", box)
    assert good(stack.checkout(ann))["password"] == "pass"
    asked = {"prefer": "password"}
    assert good(stack.checkout(ann, members=asked))["kind"] == "password"
    secret = good(stack.checkout(ann, members={"prefer": "ssh_key"}))
    assert (secret["kind"], secret["private_key"], secret["passphrase"]) == ("ssh_key", KEY, "phrase")
    assert "password" not in secret
    only = stack.account("root", password="pass")
    assert good(stack.checkout(stack.session("ann", only), members={"prefer": "ssh_key"}))["kind"] == "password"


def test_account_without_any_secret(stack):
    stack.account("hollow", box=(box := stack.system()), password=None)
    answer = stack.checkout(stack.session("ann", box))
    assert answer.status in (404, 502), answer.body
    eventually(lambda: stack.live() == [])


@pytest.mark.parametrize("dialect", ["newtonsoft", "stj"])
def test_difficult_passwords(stack, dialect):
    stack.vault.knob(12, dialect)
    box = stack.system()
    for number, password in enumerate(DIFFICULT):
        stack.account(f"a{number}", box=box, password=password)
    ann = stack.session("ann", box)
    ids = {c["account"]: c["credential_id"] for c in stack.gateway.find(ann).json["credentials"]}
    for number, password in enumerate(DIFFICULT):
        assert good(stack.gateway.checkout(ann, ids[f"a{number}"]))["password"] == password, password


@pytest.mark.parametrize("dialect", ["newtonsoft", "stj"])
def test_made_up_passwords_are_those_of_the_vault(stack, dialect):
    stack.vault.knob(12, dialect)
    box = stack.system()
    boxes = {name: stack.account(name, box=box) for name in (f"b{i}" for i in range(30))}
    ann = stack.session("ann", box)
    for row in stack.gateway.find(ann).json["credentials"]:
        secret = good(stack.gateway.checkout(ann, row["credential_id"]))
        assert secret["password"] == stack.vault.account(boxes[row["account"]].account)["password"]


# ---- user names ----

def test_user_name_of_a_directory_account(stack):
    box = stack.account("root")
    stack.directory_account(box, name="svc")
    ann = stack.session("ann", box)
    secret = good(stack.checkout(ann, stack.credential(ann, "svc")))
    assert (secret["username"], secret["account"], secret["domain"]) == ("corp.test\\svc", "svc", "corp.test")
    assert good(stack.checkout(ann, stack.credential(ann, "root")))["username"] == "root"


def test_user_name_as_upn():
    with Stack({"vault main": {"username_form": "upn"}}) as stack:
        box = stack.account("root")
        stack.directory_account(box, name="svc", upn="service.web@corp.example")
        ann = stack.session("ann", box)
        secret = good(stack.checkout(ann, stack.credential(ann, "svc")))
        assert (secret["username"], secret["account"]) == ("service.web@corp.example", "svc")
        assert good(stack.checkout(ann, stack.credential(ann, "root")))["username"] == "root"
        stack.sweep()


def test_directory_account_on_two_hosts_are_two_credentials(stack):
    one, two = stack.system(), stack.system()
    stack.directory_account(one, two, name="svc")
    first, second = stack.session("ann", one), stack.session("ann", two)
    a, b = good(stack.checkout(first)), good(stack.checkout(second))
    assert a["credential_id"] != b["credential_id"] and a["password"] == b["password"]
    assert sorted(r["system"] for r in stack.live()) == sorted([one.system, two.system])


def test_database_and_application_accounts(stack):
    database = stack.account("oracle", box=stack.system(database=True), password="dbpw")
    assert good(stack.checkout(stack.session("ann", database)))["password"] == "dbpw"
    stack.account("web-admin", application="Ledger 2", application_id=501, password="apppw")
    assert good(stack.checkout(stack.session("ann", application="Ledger 2")))["password"] == "apppw"


# ---- duration ----

def test_duration_by_default_is_release_duration(stack):
    ann = stack.session("ann", stack.account())
    assert minutes_of(stack, good(stack.checkout(ann))) == 60


def test_duration_of_the_caller(stack):
    ann = stack.session("ann", stack.account())
    secret = good(stack.checkout(ann, members={"duration_minutes": 7}))
    assert minutes_of(stack, secret) == 7
    other = stack.session("ann", stack.account())
    assert minutes_of(stack, good(stack.checkout(other, members={"duration_minutes": 22.0}))) == 22


def test_duration_is_clamped_where_the_caller_named_none(stack):
    ann = stack.session("ann", stack.account(max_duration=30))
    assert minutes_of(stack, good(stack.checkout(ann))) == 30


@pytest.mark.parametrize("form", ["403", "400"])
def test_duration_over_the_maximum_is_refused(stack, form):
    stack.vault.knob(9, form)
    ann = stack.session("ann", stack.account(max_duration=30))
    problem(stack.checkout(ann, members={"duration_minutes": 31}), 422, "duration_too_long")
    assert stack.live() == []
    assert minutes_of(stack, good(stack.checkout(ann, members={"duration_minutes": 30}))) == 30


@pytest.mark.parametrize("value", [0, -1, 1.5, "60", True, 525601, 1e300, [60]])
def test_duration_of_a_wrong_kind(stack, value):
    ann = stack.session("ann", stack.account())
    problem(stack.checkout(ann, members={"duration_minutes": value}), 400, "invalid_request")
    assert stack.live() == []


# ---- leases ----

def test_same_session_twice_is_the_same_lease(stack):
    box = stack.account(password="one")
    ann = stack.session("ann", box)
    credential = stack.credential(ann)
    first = good(stack.checkout(ann, credential))
    stack.vault.change("accounts", id=box.account, password="two")
    reads = stack.vault.calls(CREDENTIAL)
    second = good(stack.checkout(ann, credential, {"duration_minutes": 5}))
    assert second["lease"] == first["lease"]
    assert (first["password"], second["password"]) == ("one", "two")
    assert stack.vault.calls(CREDENTIAL) == reads + 1
    assert len(stack.live()) == 1


def test_same_session_at_the_same_time_is_the_same_lease(stack):
    ann = stack.session("ann", stack.account())
    credential = stack.credential(ann)
    stack.vault.latency(50)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(good(stack.checkout(ann, credential))))
               for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stack.vault.latency(0)
    assert len({a["lease"]["id"] for a in answers}) == 1
    assert len({a["lease"]["request_id"] for a in answers}) == 1
    assert stack.gateway.complete(ann).json == {"released": 1}


def test_two_sessions_on_one_vault_request(stack):
    box = stack.account(max_concurrent=1)
    one, two = stack.session("ann", box), stack.session("ann", box)
    credential = stack.credential(one)
    a, b = good(stack.checkout(one, credential)), good(stack.checkout(two, credential, {"duration_minutes": 5}))
    assert a["lease"]["request_id"] == b["lease"]["request_id"]
    assert a["lease"]["id"] != b["lease"]["id"]
    assert a["lease"]["expires_at"] == b["lease"]["expires_at"]
    assert "adopted" not in b["lease"]


def test_one_session_id_under_two_users_is_two_leases(stack):
    box = stack.account()
    ann = stack.session("ann", box)
    bob = {**stack.session("bob", box), "id": ann["id"]}
    credential = stack.credential(ann)
    a, b = good(stack.checkout(ann, credential)), good(stack.checkout(bob, credential))
    assert a["lease"]["id"] != b["lease"]["id"] and a["lease"]["request_id"] != b["lease"]["request_id"]
    assert sorted(r["user"] for r in stack.live()) == ["CORP\\ann", "CORP\\bob"]
    assert stack.gateway.release(bob, credential).json == {"released": 1, "remaining_holders": 0}
    assert [r["user"] for r in stack.live()] == ["CORP\\ann"]
    assert stack.gateway.complete(bob).json == {"released": 0}
    assert [r["user"] for r in stack.live()] == ["CORP\\ann"]


def test_absent_domain_is_one_identity():
    with Stack({"vault main": {"run_as": "{username}"}}) as stack:
        box = stack.account()
        dan = stack.session("dan", box, domain=None)
        first = good(stack.checkout(dan))
        for domain in ("", "absent"):
            again = {**dan, "user": {"username": "dan"} if domain == "absent" else {"username": "dan", "domain": ""}}
            assert good(stack.checkout(again))["lease"] == first["lease"]
        assert stack.gateway.complete({**dan, "user": {"username": "dan"}}).json == {"released": 1}
        stack.sweep()


def test_request_of_the_person_is_adopted_and_never_checked_in(stack):
    box = stack.account()
    person = stack.vault.sign_in("CORP\\ann")
    own = person.request(box.system, box.account, Reason="by hand").json
    ann = stack.session("ann", box)
    credential = stack.credential(ann)
    secret = good(stack.checkout(ann, credential))
    assert list(secret["lease"]) == ["id", "request_id", "request_key", "expires_at", "adopted"]
    assert secret["lease"]["request_id"] == own and secret["lease"]["adopted"] is True
    checkins = stack.vault.calls(CHECKIN)
    assert stack.gateway.release(ann, credential).json == {"released": 1, "remaining_holders": 0}
    good(stack.checkout(ann, credential))
    assert stack.gateway.complete(ann).json == {"released": 1}
    assert stack.vault.calls(CHECKIN) == checkins
    assert stack.vault.active() == [own]
    person.put(f"Requests/{own}/Checkin")


def test_request_already_checked_in_by_hand_gives_way_to_a_new_one(stack):
    ann = stack.session("ann", stack.account())
    credential = stack.credential(ann)
    first = good(stack.checkout(ann, credential))
    stack.vault.terminate(first["lease"]["request_id"])
    answer = stack.checkout(ann, credential)
    second = good(answer)
    assert second["lease"]["request_id"] != first["lease"]["request_id"]
    assert stack.vault.active() == [second["lease"]["request_id"]]


# ---- reasons, tickets, approvals ----

def test_reason_is_required(stack):
    box = stack.account(rule="reason")
    ann = stack.session("ann", box)
    problem(stack.checkout(ann), 422, "reason_required")
    problem(stack.checkout(ann, members={"reason": None}), 422, "reason_required")
    assert stack.live() == []
    secret = good(stack.checkout(ann, members={"reason": "CHG-1 \"quoted\" ünd\tso"}))
    (live,) = stack.live()
    assert live["reason"] == f"CHG-1 \"quoted\" ünd\tso [jumpgate {secret['lease']['id']}]"


def test_ticket_is_required(stack):
    box = stack.account(rule="ticket")
    ann = stack.session("ann", box)
    problem(stack.checkout(ann), 422, "ticket_required")
    assert stack.live() == []
    good(stack.checkout(ann, members={"ticket_system_id": 5, "ticket_number": "T-77"}))
    assert [r["ticket"] for r in stack.live()] == ["T-77"]


def test_reason_and_ticket_are_required(stack):
    box = stack.account(rule="both")
    ann = stack.session("ann", box)
    assert stack.checkout(ann).code in ("reason_required", "ticket_required")
    problem(stack.checkout(ann, members={"reason": "why"}), 422, "ticket_required")
    problem(stack.checkout(ann, members={"ticket_number": "T"}), 422, "reason_required")
    good(stack.checkout(ann, members={"reason": "why", "ticket_number": "T"}))


def test_long_reason_is_cut_from_its_middle(stack):
    ann = stack.session("ann", stack.account())
    reason = "START" + "ä" * 2000 + "END"
    secret = good(stack.checkout(ann, members={"reason": reason}))
    (live,) = stack.live()
    assert len(live["reason"]) <= 1000
    assert live["reason"].startswith("STARTää")
    assert live["reason"].endswith(f"ääEND [jumpgate {secret['lease']['id']}]")


def test_reason_from_the_configuration():
    with Stack({"vault main": {"reason": "PRA {session} of {user} on {jump_item}, {lease}"}}) as stack:
        box = stack.account(rule="reason")
        ann = stack.session("ann", box, name="the box")
        secret = good(stack.checkout(ann))
        (live,) = stack.live()
        lease = secret["lease"]["id"]
        assert live["reason"].startswith(f"PRA {ann['id']} of ") and "ann" in live["reason"]
        assert live["reason"].endswith(f", {lease} [jumpgate {lease}]")
        stack.sweep()


def test_approval_is_withdrawn_at_once(stack):
    box = stack.account(rule="approval")
    ann = stack.session("ann", box)
    refused = problem(stack.checkout(ann), 409, "approval_pending")
    assert "withdrawn" in refused["detail"] and "approve" in refused["detail"]
    assert refused["vault"] == {"status": 403, "code": 4034}
    eventually(lambda: stack.live() == [])
    problem(stack.checkout(ann), 409, "approval_pending")


def test_pending_request_that_is_reused(stack):
    """A vault whose `reuse` also hands over what is still pending: the person's own stays as it was."""
    stack.vault.knob(10, "reuse")
    box = stack.account(rule="approval")
    problem(stack.checkout(stack.session("ann", box)), 409, "approval_pending")
    eventually(lambda: stack.live() == [])
    person = stack.vault.sign_in("CORP\\ann")
    own = person.request(box.system, box.account).json
    problem(stack.checkout(stack.session("ann", box)), 409, "approval_pending")
    eventually(stack.quiet)
    assert [r["id"] for r in stack.live()] == [own]
    stack.vault.deny(own)


def test_request_approved_by_hand_can_be_used(stack):
    box = stack.account(rule="approval", password="after approval")
    person = stack.vault.sign_in("CORP\\ann")
    own = person.request(box.system, box.account).json
    stack.vault.approve(own)
    ann = stack.session("ann", box)
    secret = good(stack.checkout(ann))
    assert (secret["password"], secret["lease"]["request_id"]) == ("after approval", own)
    assert secret["lease"]["adopted"] is True
    assert stack.gateway.complete(ann).json == {"released": 1}
    assert stack.vault.active() == [own]
    stack.vault.terminate(own)


def test_request_is_kept_until_it_is_approved():
    with Stack({"vault main": {"approval_wait": "1h"}}) as stack:
        box, other = (stack.account(rule="approval", password=p) for p in ("after approval", "never"))
        ann = stack.session("ann", box)
        kept = problem(stack.checkout(ann), 409, "approval_pending")["vault"]
        assert kept == {"status": 403, "code": 4034, "request_id": stack.live()[0]["id"]}
        assert stack.gateway.complete(ann).json == {"released": 0}
        (row,) = stack.gateway.call("GET", "/v1/leases?state=pending").json["leases"]
        assert (row["request_id"], row["sessions"]) == (kept["request_id"], [ann["id"]])
        assert stack.gateway.call("GET", "/status").json["leases"]["pending"] == 1
        assert stack.metric('jumpgate_leases{state="pending"}') == 1
        stack.gateway.kill()
        stack.gateway.restart()
        later = stack.session("ann", box)
        assert problem(stack.checkout(later), 409, "approval_pending")["vault"]["request_id"] == kept["request_id"]
        stack.vault.approve(kept["request_id"])
        secret = good(stack.checkout(later))
        assert (secret["password"], secret["lease"]["request_id"]) == ("after approval", kept["request_id"])
        assert stack.gateway.complete(later).json == {"released": 1}
        eventually(lambda: stack.live() == [])
        session = stack.session("ann", other)
        problem(stack.checkout(session), 409, "approval_pending")
        (row,) = stack.gateway.call("GET", "/v1/leases?state=pending").json["leases"]
        assert stack.gateway.call("POST", f"/v1/leases/{row['id']}/release").json == {"released": 0, "pending": True}
        eventually(lambda: stack.live() == [])


@pytest.mark.parametrize("status, code", [("403", "not_entitled"), ("404", "approval_pending")])
def test_denied_request_ends(status, code):
    """A vault that answers 404 does not say that it was denied: it is gone, and a new one is asked for."""
    with Stack({"vault main": {"approval_wait": "1h"}}) as stack:
        stack.vault.knob(13, status)
        session = stack.session("ann", stack.account(rule="approval"))
        number = problem(stack.checkout(session), 409, "approval_pending")["vault"]["request_id"]
        stack.vault.deny(number)
        answer = stack.checkout(session)
        assert (answer.code, answer.json["vault"].get("request_id") == number) == (code, False)
        eventually(lambda: number not in {r["id"] for r in stack.live()})
        assert problem(stack.checkout(session), 409, "approval_pending")["vault"]["request_id"] != number


def test_pending_request_that_cannot_be_withdrawn(stack):
    stack.vault.knob(19, "403")
    ann = stack.session("ann", stack.account(rule="approval"))
    problem(stack.checkout(ann), 409, "approval_pending")
    (live,) = stack.live()
    assert stack.checkout(ann).code in ("approval_pending", "vault_conflict")
    stack.vault.knob(19, "204")
    stack.vault.deny(live["id"])


# ---- refusals ----

def test_conflict_with_another_user(stack):
    box = stack.account(max_concurrent=1)
    ann, bob = stack.session("ann", box), stack.session("bob", box)
    good(stack.checkout(ann))
    refused = problem(stack.checkout(bob), 409, "vault_conflict")
    assert refused["vault"] == {"status": 409, "code": 4091}
    assert [r["user"] for r in stack.live()] == ["CORP\\ann"]


def test_not_entitled_any_more():
    """The list is remembered, the entitlement is not: the vault decides at each check-out."""
    with Stack({"gateway": {"list_cache": "1m"}}) as stack:
        box = stack.account()
        ann = stack.session("ann", box)
        credential = stack.credential(ann)
        stack.vault.change("accounts", id=box.account, api_enabled=False)
        for form in ("number", "text", "string"):
            stack.vault.knob(15, form)
            refused = problem(stack.checkout(ann, credential), 403, "not_entitled")
            assert refused["vault"] == {"status": 403, "code": 4031}
        stack.sweep()


@pytest.mark.parametrize("form", ["number", "text", "string"])
@pytest.mark.parametrize("code", [4031, 4032, 4033])
def test_refusals_by_code(stack, form, code):
    body, kind = {"number": (f"{code}", "application/json; charset=utf-8"), "text": (f"{code}", "text/plain"),
                  "string": (f"\"{code}\"", "application/json")}[form]
    stack.vault.fault("status", call=REQUEST, status=403, body=body, content_type=kind)
    refused = problem(stack.checkout(stack.session("ann", stack.account())), 403, "not_entitled")
    assert refused["vault"] == {"status": 403, "code": code}


def test_account_unknown_to_the_vault(stack):
    box = stack.account()
    ann = stack.session("ann", box)
    credential = stack.credential(ann)
    for unknown in (credential.replace(str(box.account), "999999"), credential + "x", "x", "ä", "j1.main.l.1.1.0"):
        problem(stack.checkout(ann, unknown), 404, "credential_not_found")
    assert stack.live() == []


def test_account_of_another_user_is_not_found(stack):
    box = stack.account(dedicated_user=42)
    credential = stack.credential(stack.session("bob", box))
    answer = stack.checkout(stack.session("ann", box), credential)
    assert (answer.status, answer.code) in ((404, "credential_not_found"), (403, "not_entitled"))
    guest = stack.checkout(stack.session("guest", box), credential)
    assert (guest.status, guest.code) in ((404, "credential_not_found"), (403, "not_entitled"))
    assert stack.live() == []


@pytest.mark.parametrize("who", ["outsider", "nobody", "mfa", "pra-gateway"])
def test_users_the_vault_refuses(stack, who):
    box = stack.account()
    credential = stack.credential(stack.session("ann", box))
    refused = problem(stack.checkout(stack.session(who, box), credential), 502, "vault_refused_user")
    assert refused["vault"]["status"] == 401
    if who == "mfa":
        assert "MFA" in refused["detail"] or "factor" in refused["detail"]


# ---- OAuth ----

def test_oauth_vault(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(OAUTH_SECRET)
    secret.chmod(0o600)
    with Stack({"vault main": {"api_key_file": None, "oauth_client_id": OAUTH_ID,
                               "oauth_client_secret_file": str(secret),
                               "oauth_shared_identity": "yes"}}) as stack:
        box = stack.account(password="by token")
        for who, domain in (("ann", "CORP"), ("nobody", None)):
            assert good(stack.checkout(stack.session(who, box, domain=domain)))["password"] == "by token"
        assert {r["user"] for r in stack.live()} == {"pra-gateway"}
        stack.vault.expire_sessions()
        assert good(stack.checkout(stack.session("bob", box)))["password"] == "by token"
        stack.sweep()


def test_oauth_with_a_wrong_secret(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("wrong")
    secret.chmod(0o600)
    with Stack({"vault main": {"api_key_file": None, "oauth_client_id": OAUTH_ID,
                               "oauth_client_secret_file": str(secret),
                               "oauth_shared_identity": "yes"}}) as stack:
        problem(stack.gateway.find(stack.session("ann", stack.account())), 502, "vault_refused_user")
        stack.sweep()


def test_user_password_is_sent(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("winter ]; Sun 9")
    secret.chmod(0o600)
    with Stack({"vault main": {"run_as_password_file": str(secret)}}, ["--require-user-password"]) as stack:
        stack.vault.change("users", id=41, password="winter ]; Sun 9")
        box = stack.account(password="pw")
        assert good(stack.checkout(stack.session("ann", box)))["password"] == "pw"
        problem(stack.gateway.find(stack.session("bob", box)), 502, "vault_refused_user")
        stack.sweep()


# ---- secrets stay where they belong ----

def test_no_secret_in_the_log():
    with Stack({"gateway": {"log_level": "debug", "log_format": "json"}}) as stack:
        box = stack.account(password="Very-Secret-Pass", key=KEY, passphrase="Very-Secret-Phrase")
        ann = stack.session("ann", box)
        good(stack.checkout(ann))
        good(stack.checkout(ann, members={"prefer": "ssh_key"}))
        stack.vault.fault("truncate", call=CREDENTIAL)
        stack.checkout(ann)
        stack.vault.clear_faults()
        stack.vault.fault("status", call=CREDENTIAL, status=500, body='"Very-Secret-Pass"')
        assert "Very-Secret" not in stack.checkout(ann).body.decode()
        stack.sweep()
        stack.gateway.stop()
        text = stack.gateway.err.text + stack.gateway.out.text
        for secret in ("Very-Secret", "b3BlbnNz", API_KEY, TOKEN, "ASP.NET_SessionId="):
            assert secret not in text
