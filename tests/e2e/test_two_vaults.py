# SPDX-License-Identifier: Apache-2.0
"""Two vaults, one away: what is listed, what the answer says of the other, and readiness."""

import threading

import pytest

from harness import API_KEY, eventually
from simulator import Simulator
from stack import LIST, PEOPLE, Stack, problem

BOX = 4711


class Two:
    """A stack with a second vault. Both have the system `shared` with an account of the same name and ids."""

    def __init__(self, stack, second):
        self.stack, self.second = stack, second
        self.gateway = stack.gateway
        for vault in (stack.vault, second):
            vault.change("systems", id=BOX, name="shared", platform=2)
            vault.change("accounts", id=BOX, system=BOX, name="root", rules=["auto"], rotates=False)

    def find(self, user="ann", **more):
        answer = self.gateway.find(self.stack.session(user, hostname="shared"), **more)
        assert answer.status == 200, answer.body
        return answer

    def search(self, **more):
        answer = self.gateway.call("POST", "/v1/endpoints/find", {"session": self.stack.session("ann"), **more})
        assert answer.status == 200, answer.body
        return answer.json

    def count(self):
        return self.gateway.metrics()['jumpgate_partial_answers_total{vault="second"}']

    def sign_ins(self, vault):
        """(accepted, refused)"""
        metrics = self.gateway.metrics()
        return tuple(metrics[f'jumpgate_vault_sign_ins_total{{vault="{vault}",outcome="{outcome}"}}']
                     for outcome in ("accepted", "refused"))

    def lines(self, event):
        return [line for line in self.gateway.err.lines if f" {event} " in f" {line} "]


@pytest.fixture(name="two", scope="module")
def _two():
    with Simulator("--users", 0, "--systems", 0, api_key=API_KEY[::-1]) as second:
        second.scenario(PEOPLE)
        with Stack({"gateway": {"list_cache": "0s", "catalogue_cache": "0s"}}) as stack:
            gateway = stack.gateway
            gateway.stop()
            gateway.sections["vault second"] = {**gateway.sections["vault main"], "url": second.url,
                                                "api_key_file": gateway.secret("second", API_KEY[::-1])}
            gateway.start()
            yield Two(stack, second)


@pytest.fixture(autouse=True)
def _well(two):
    """Both vaults are well before and after each test."""
    yield
    two.second.clear_faults()
    two.stack.vault.clear_faults()
    eventually(lambda: two.find().json["partial"] == [])
    two.stack.opened = []


def vaults(rows):
    return sorted(row["credential_id"].split(".")[1] for row in rows)


def test_both_answer(two):
    answer = two.find()
    assert list(answer.json) == ["credentials", "request_id", "age_ms", "partial"]
    assert answer.json["partial"] == [] and vaults(answer.json["credentials"]) == ["main", "second"]
    found = two.search()
    assert list(found) == ["endpoints", "truncated", "age_ms", "partial"]
    assert found["partial"] == [] and found["truncated"] is False and len(found["endpoints"]) == 4


def test_rows_that_look_alike_name_their_vault(two):
    both = two.find().json["credentials"]
    assert [row["display_value"] for row in both] == ["root (shared) [main]", "root (shared) [second]"]
    two.second.fault("drop_before", call=LIST)
    assert [row["display_value"] for row in two.find().json["credentials"]] == ["root (shared)"]


@pytest.mark.parametrize("fault", ["drop_before", "status"])
def test_one_fails(two, fault):
    """Its rows are missing, and the answer, the record and the metric say so; the log once."""
    before, lines = two.count(), len(two.lines("vault_left_out"))
    two.second.fault(fault, **({"status": 500} if fault == "status" else {"call": LIST}))
    for i in range(5):
        answer = two.find(headers={"X-Request-Id": f"away-{fault}-{i}"})
        assert answer.json["partial"] == ["second"] and vaults(answer.json["credentials"]) == ["main"]
    found = two.search()
    assert found["partial"] == ["second"] and found["truncated"] is True and len(found["endpoints"]) == 2
    assert two.search(recent=5)["partial"] == ["second"]
    assert two.count() == before + 7
    assert len(two.lines("vault_left_out")) <= max(lines, 1)
    record = two.gateway.call("GET", f"/v1/explain/away-{fault}-0").json
    (absent,) = record["partial"]
    assert absent["vault"] == "second" and absent["code"] in ("vault_unavailable", "vault_error")
    assert absent["detail"] and record["outcome"] == "ok"
    assert any("partial" in text for text in record["likely"])


def test_all_fail(two):
    before = two.count()
    for vault in (two.stack.vault, two.second):
        vault.fault("drop_before")
    asked = two.stack.session("ann", hostname="shared")
    problem(two.gateway.find(asked, headers={"X-Request-Id": "none"}), 503, "vault_unavailable")
    assert two.count() == before
    record = two.gateway.call("GET", "/v1/explain/none").json
    assert sorted(absent["vault"] for absent in record["partial"]) == ["main", "second"]


def test_a_vault_that_refuses_the_user_has_answered(two):
    """Nothing of that vault is missing for that user."""
    two.second.change("users", id=41, name="CORP\\ann", groups=["no key"])
    try:
        answer = two.find()
        assert answer.json["partial"] == [] and vaults(answer.json["credentials"]) == ["main"]
    finally:
        two.second.change("users", id=41, name="CORP\\ann", groups=["all"])
    eventually(lambda: vaults(two.find().json["credentials"]) == ["main", "second"])


def test_refused_sign_ins_are_counted(two):
    """A vault that refuses all of them, since its key was revoked, looks to each user as one that refuses that user."""
    main, second = two.sign_ins("main"), two.sign_ins("second")
    two.second.change("users", id=43, name="CORP\\carol", groups=["no key"])
    answer = two.find("carol")
    assert answer.json["partial"] == [] and vaults(answer.json["credentials"]) == ["main"]
    assert two.sign_ins("main")[0] > main[0] and two.sign_ins("main")[1] == main[1]
    assert two.sign_ins("second")[0] == second[0] and two.sign_ins("second")[1] > second[1]


def test_a_kept_catalogue_has_answered_until_it_is_too_old():
    with Simulator("--users", 0, "--systems", 0, api_key=API_KEY[::-1]) as second:
        second.scenario(PEOPLE)
        with Stack({"gateway": {"catalogue_cache": "10ms", "catalogue_max_age": "3s"}}) as stack:
            gateway = stack.gateway
            gateway.stop()
            gateway.sections["vault second"] = {**gateway.sections["vault main"], "url": second.url,
                                                "api_key_file": gateway.secret("second", API_KEY[::-1])}
            gateway.start()
            two = Two(stack, second)
            assert len(two.search()["endpoints"]) == 4
            second.fault("drop_before")
            kept = two.search()
            assert kept["partial"] == [] and len(kept["endpoints"]) == 4 and kept["truncated"] is False
            gone = eventually(lambda: [a for a in [two.search()] if a["partial"]], 10, 0.1)[0]
            assert gone["partial"] == ["second"] and len(gone["endpoints"]) == 2 and gone["truncated"] is True
            second.clear_faults()
            eventually(lambda: two.search()["partial"] == [])


def test_one_vault_is_enough_to_be_ready(two):
    ready = lambda: two.gateway.call("GET", "/readyz", token=None)
    assert (ready().status, ready().json) == (200, {"ready": True, "reasons": []})
    two.second.fault("drop_before")
    two.find()
    reasons = eventually(lambda: ready().json["reasons"])
    assert reasons[0].startswith("vault second is not reachable: ") and len(reasons) == 1
    assert (ready().status, ready().json["ready"]) == (200, True)
    health = two.gateway.call("GET", "/v1/health")
    assert health.status == 200 and health.json["healthy"] is True
    assert {c["name"]: c["ok"] for c in health.json["checks"]}["vault:second"] is False
    state = {d["name"]: d["state"] for d in two.gateway.call("GET", "/status").json["dependencies"]}
    assert (state["main"], state["second"]) == ("reachable", "unreachable")
    two.stack.vault.fault("drop_before")
    problem(two.gateway.find(two.stack.session("ann", hostname="shared")), 503, "vault_unavailable")
    eventually(lambda: ready().status == 503)
    assert two.gateway.call("GET", "/v1/health").json["healthy"] is False
    two.second.clear_faults()
    two.find()
    assert ready().status == 200


def test_a_slow_vault_is_not_away(two):
    """Every answer takes longer than the time after which a probe follows, and less than call_timeout."""
    two.second.latency(2600)
    try:
        seen, done = set(), threading.Event()

        def watch():
            while not done.wait(0.05):
                seen.add(str(two.gateway.call("GET", "/readyz", token=None).json))
        watcher = threading.Thread(target=watch)
        watcher.start()
        answer = two.find("bob")
        done.set()
        watcher.join()
    finally:
        two.second.latency(0)
    assert answer.json["partial"] == [] and len(answer.json["credentials"]) == 2
    assert seen == {str({"ready": True, "reasons": []})}
