# SPDX-License-Identifier: Apache-2.0
"""Identity of users: candidates, spellings of names, and what is accepted as a name."""

import itertools

import pytest

from harness import session
from stack import SIGN_IN, Stack, problem

BOTH = "{domain}\\{username} {username}"


@pytest.fixture(scope="module")
def walk():
    """A gateway that tries the bare name behind the qualified one."""
    with Stack({"vault main": {"run_as": BOTH}}) as stack:
        stack.vault.change("users", id=4801, name="CORP\\dan", groups=["key only"])  # signs in, may request nothing
        yield stack


def spellings(name, n):
    """n ways to write the name, in ASCII case."""
    letters = [(c.lower(), c.upper()) if c.isascii() and c.isalpha() else (c,) for c in name]
    return ["".join(one) for one in itertools.islice(itertools.product(*letters), n)]


def refusals(stack, who):
    """What each operation that a person has answers him."""
    gateway, body = stack.gateway, {"session": who, "credential_id": "j1.main.l.1.1.0"}
    return [gateway.call("POST", path, body) for path in
            ("/v1/credentials/find", "/v1/credentials/checkout", "/v1/credentials/release", "/v1/endpoints/find",
             "/v1/sessions/started", "/v1/sessions/complete")]


def test_the_list_of_another_candidate_allows_no_check_out(walk):
    box = walk.account(dedicated_user=48)  # dan's, who has no domain
    local = walk.session("dan", box, domain=None)
    credential = walk.credential(local)
    domains = walk.session("dan", box)
    for _ in range(2):
        problem(walk.checkout(domains, credential), 404, "credential_not_found")
    assert walk.live() == []
    assert walk.checkout(local, credential).status == 200
    problem(walk.checkout(domains, credential), 404, "credential_not_found")
    walk.sweep()


def test_an_empty_list_is_no_refusal(walk):
    box = walk.account()
    assert walk.gateway.find(walk.session("dan", box)).json["credentials"] == []
    assert len(walk.gateway.find(walk.session("dan", box, domain=None)).json["credentials"]) == 1
    assert len(walk.gateway.find(walk.session("dan", box, domain="NOWHERE")).json["credentials"]) == 1  # refused there
    walk.sweep()


@pytest.mark.parametrize("domain,why", [
    ("CORP;", "the domain must not contain a semicolon"),
    ("CORP; pwd=[x]", "the domain must not contain a semicolon"),
    ("CO\\RP", "the domain must not contain a backslash"),
    ("é" * 256, "the domain is too long"),
])
def test_a_domain_that_cannot_be_written_ends_the_candidates(walk, domain, why):
    box = walk.account()
    walk.vault.reset_counts()
    who = walk.session("dan", box, domain=domain)
    if len(domain) == 256:
        who["user"]["username"] = "dan" + 20 * "n"
    credential = walk.credential(walk.session("dan", box, domain=None))
    before = walk.vault.calls(SIGN_IN)
    for answer in (walk.gateway.find(who), walk.checkout(who, credential), walk.gateway.endpoints(who)):
        detail = problem(answer, 502, "vault_refused_user")["detail"]
        assert why in detail and "no further rule is tried" in detail
    assert walk.vault.calls(SIGN_IN) == before
    walk.sweep()


def test_a_user_name_that_cannot_be_written_is_no_user(walk):
    walk.vault.reset_counts()
    for domain in ("CORP", None):
        answer = walk.gateway.find(session("dan;", domain, hostname="x"))
        assert "the user name must not contain a semicolon" in problem(answer, 502, "vault_refused_user")["detail"]
        record = walk.gateway.call("GET", f"/v1/explain/{answer.headers['X-Request-Id']}").json
        assert [one["outcome"] for one in record["users"]] == ["unwritable"]
    assert walk.vault.calls(SIGN_IN) == 0


def test_a_backslash_makes_no_user_of_a_domain():
    with Stack({"vault main": {"run_as": "{username}", "user_map": "CORP\\carol:CORP\\ann"}}) as stack:
        stack.vault.reset_counts()
        for name in ("CORP\\ann", "CORP\\carol", "\\ann", "ann\\"):
            for domain in (None, "", "CORP"):
                for answer in refusals(stack, session(name, domain, hostname="x")):
                    detail = problem(answer, 400, "invalid_request")["detail"]
                    assert detail.startswith("session.user.username: must not contain a backslash")
        assert stack.vault.calls(SIGN_IN) == 0


def test_an_at_belongs_to_the_name():
    with Stack({"vault main": {"run_as": "{username}", "user_map": "CORP\\erin:CORP\\bob"}}) as stack:
        box = stack.account(dedicated_user=49)
        assert len(stack.gateway.find(stack.session("erin@corp.test", box, domain=None)).json["credentials"]) == 1
        assert {one["user"] for one in stack.vault.state()["sessions"]} == {"erin@corp.test"}
        stack.sweep()


BAD = [(" dan", "blank"), ("dan ", "blank"), ("dan\u00a0", "blank"), ("\u3000dan", "blank"), ("d\u0007an", "control"),
       ("d\u0085an", "control"), ("d\u2028an", "control"), ("d\u200ban", "without width"), ("dan\ufeff", "without width"),
       ("d\u202ean", "direction"), ("\u2067dan", "direction"), ("da\u0301n", "composed letters")]


@pytest.mark.parametrize("name,why", BAD)
def test_what_cannot_be_seen_is_refused_as_a_name(walk, name, why):
    walk.vault.reset_counts()
    for who in (session(name, None, hostname="x"), session("dan", name, hostname="x")):
        member = "username" if who["user"]["username"] == name else "domain"
        for answer in refusals(walk, who):
            detail = problem(answer, 400, "invalid_request")["detail"]
            assert detail.startswith(f"session.user.{member}: must ") and why in detail
    assert walk.vault.calls(SIGN_IN) == 0


def test_names_are_never_folded_for_identity():
    mapped = "CORP\\kim:CORP\\ann mike:CORP\\ann ACME\\sam:CORP\\ann"
    with Stack({"vault main": {"run_as": BOTH, "user_map": mapped, "domain_map": "SÜD:CORP"}}) as stack:
        box = stack.account(dedicated_user=41)

        def outcome(name, domain):
            answer = stack.gateway.find(stack.session(name, box, domain=domain))
            return len(answer.json["credentials"]) if answer.status == 200 else answer.code
        assert [outcome("Kim", "corp"), outcome("MIKE", None), outcome("ann", "SÜd")] == [1, 1, 1]
        for name, domain in (("\u212aim", "CORP"), ("m\u0130ke", None), ("\u017fam", "ACME"), ("ann", "süd")):
            assert outcome(name, domain) == "vault_refused_user", (name, domain)
        stack.sweep()


def test_every_spelling_of_a_name_is_one_user_of_the_vault(stack):
    box = stack.account()
    stack.vault.reset_counts()
    rows = [stack.gateway.find(stack.session(name, box, domain=domain)) for name, domain in
            zip(spellings("outsider", 40), itertools.cycle(spellings("corp", 16)))]
    assert {answer.code for answer in rows} == {"vault_refused_user"}
    assert stack.vault.calls(SIGN_IN) == 1  # the refusal is remembered, however the name is spelled
    stack.vault.reset_counts()
    for number, name in enumerate(spellings("carol", 32)):
        other = stack.account(f"c{number}", rule="auto")
        assert stack.gateway.find(stack.session(name, other)).status == 200
    signed_in = [one for one in stack.vault.state()["sessions"] if one["user"] and one["user"].lower() == "corp\\carol"]
    assert stack.vault.calls(SIGN_IN) <= 4 and len(signed_in) <= 4  # sessions_per_user
    stack.sweep()


def test_a_session_is_ended_by_its_own_person_alone(stack):
    box = stack.account()
    zoe = stack.session("zoë", box)
    credential = stack.credential(zoe)
    lease = stack.checkout(zoe, credential).json["lease"]["id"]

    def as_(name, domain="CORP"):
        return {**zoe, "user": {"username": name, "domain": domain}}

    def listed(user):
        rows = stack.gateway.call("GET", f"/v1/leases?user={user}&session={zoe['id']}").json["leases"]
        return [row["id"] for row in rows]
    assert listed("CORP%5Czo%C3%AB") == listed("corp%5CZO%C3%AB") == [lease]
    assert listed("CORP%5CZO%C3%8B") == []
    assert stack.gateway.complete(as_("ZOË")).json == {"released": 0}  # beyond ASCII a name is exactly what it is
    assert stack.gateway.release(as_("ZOË"), credential).json["released"] == 0
    assert stack.checkout(as_("ZOë", "corp"), credential).json["lease"]["id"] == lease
    assert stack.gateway.complete(as_("Zoë", "corp")).json == {"released": 1}
    stack.sweep()


def test_names_of_endpoints_are_trimmed(stack):
    box = stack.account()
    for name in (f" {box.name}", f"{box.name} ", f"\u00a0{box.name}\u200b", f"\ufeff{box.name}\u3000"):
        for member in ("hostname", "computer_name", "name"):
            rows = stack.gateway.find(stack.session("ann", **{member: name})).json["credentials"]
            assert [row["system"] for row in rows] == [box.name], (member, name)
    answer = stack.gateway.find(stack.session("ann", hostname=" \u200b "))
    assert "at least one of" in problem(answer, 400, "invalid_request")["detail"]
    stack.sweep()


def test_decomposed_names_of_endpoints_are_found():
    with Stack({"gateway": {"catalogue_cache": "0s"}}) as stack:
        composed = stack.account(box=stack.system("münchen-01"))
        apart = stack.account(box=stack.system("zu\u0308rich-01"))
        for box, given in ((composed, "mu\u0308nchen-01"), (apart, "zu\u0308rich-01"), (composed, "m\u200bünchen-01")):
            rows = stack.gateway.find(stack.session("ann", hostname=given)).json["credentials"]
            assert [row["system"] for row in rows] == [box.name], given
        for box, typed in ((composed, "MU\u0308NCH"), (composed, "mün\u200bch"), (apart, "Zür"), (apart, "zu\u0308r")):
            rows = stack.gateway.endpoints(stack.session("ann", name="x"), {"query": typed, "types": ["shell"]})
            assert {row["name"] for row in rows.json["endpoints"]} == {box.name}, typed
        stack.sweep()
