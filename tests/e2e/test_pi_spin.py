# SPDX-License-Identifier: Apache-2.0
"""The change of a password after its check-in, before a simulated Privileged Identity: when it is asked for and when not,
what an operator sees, faults, restarts, and a death at each of its crash points."""

import contextlib
import http.client
import json
import re

import pytest

from harness import ROOT, START_SECONDS, eventually
from pi_stack import PiStack
from pi_vault import ADM1, ADM2, WEB01
from test_leases import command

NAMES = {
    "shared": '"SharedCredentialIdentifier":{"AccountName":"{account}","SharedCredentialListName":"{list}",'
              '"SystemName":"{system}"}',
    "stored": '"AccountIdentificationInfo":{"AccountName":"{account}","AccountStore":{"CustomTypeName":"{custom_type}",'
              '"TargetName":"{system}","Type":"{type}"}}',
}
ROWS = "".join(f'[spin_{kind}]\npath = AccountStoreOps_{kind.capitalize()}Credential_Spin\n'
               f'body = {{"AuthenticationToken":"{{token}}","Comment":"{{comment}}",{names}}}\n'
               for kind, names in NAMES.items())
POINTS = sorted({name for path in (ROOT / "src/broker").rglob("*.c")
                 for name in re.findall(r'"(spin\.[a-z.]+)"', path.read_text())})


def make(tmp_path_factory, *arguments, knobs=None, **keys):
    rows = tmp_path_factory.mktemp("profile") / "rows"
    rows.write_text(ROWS)
    rows.chmod(0o600)
    return PiStack("--change-delay", "0s", *arguments, knobs={"spin_rows": "served", **(knobs or {})},
                   profile_file=str(rows), **{"spin": "all", **keys})


@pytest.fixture(scope="module", name="shared")
def _shared(tmp_path_factory):
    with make(tmp_path_factory) as stack:
        yield stack


@pytest.fixture(name="stack")
def _stack(shared):
    yield shared
    shared.vault.clear_faults()
    shared.vault.settings(knobs={"spin_unreachable": "accepted"})
    shared.settled(60)
    eventually(lambda: shared.status()["spinning"] == 0, 60)


@pytest.fixture(name="later")
def _later(tmp_path_factory):
    """A gateway that changes passwords long after the check-in."""
    with make(tmp_path_factory, spin_delay="1h") as stack:
        yield stack


def version(stack, credential):
    return stack.vault.credential(credential)["version"]


def spins(stack):
    return [outcome for what, outcome in stack.vault.events("spin") if what == "spin"]


def counter(stack, outcome):
    page = stack.gateway.call("GET", "/metrics").body.decode()
    return int(re.search(rf'^jumpgate_vault_spins_total{{vault="main",outcome="{outcome}"}} (.*)$', page, re.M)[1])


def audited(stack, since=0):
    lines = (stack.gateway.path / "state" / "audit.jsonl").read_text().splitlines()[since:]
    return [r["outcome"] for r in map(json.loads, lines) if r["event"] == "spin"]


def lines(stack):
    return len((stack.gateway.path / "state" / "audit.jsonl").read_text().splitlines())


def use(stack, account="adm1", user="ann"):
    asked = stack.session(user)
    answer = stack.checkout(asked, account)
    assert answer.status == 200, answer.body
    assert stack.gateway.complete(asked).status == 200
    return answer.json["password"]


def changed(stack, credential, before, seconds=60):
    eventually(lambda: version(stack, credential) == before + 1, seconds)


def due(stack):
    """A change is due, and its row is written."""
    def seen():
        rows = {row["name"]: row for row in stack.gateway.call("GET", "/status").json["dependencies"]}
        return rows["store"]["queued"] == 0 and rows["main"]["spinning"] == 1
    eventually(seen)


# ---- when ----

@pytest.mark.parametrize("account, credential", [("adm1", ADM1), ("Administrator", WEB01)])
def test_the_password_is_changed_when_the_last_holder_is_gone(stack, account, credential):
    before, told = version(stack, credential), counter(stack, "accepted")
    ann, bob = stack.session("ann"), stack.session("bob")
    for asked in (ann, bob):
        assert stack.checkout(asked, account).status == 200
    assert stack.gateway.complete(ann).status == 200
    assert version(stack, credential) == before
    assert stack.gateway.complete(bob).status == 200
    changed(stack, credential, before)
    eventually(lambda: counter(stack, "accepted") == told + 1)
    eventually(lambda: audited(stack)[-1:] == ["accepted"])
    comment = [e for e in stack.vault.history() if e["what"] == "spin"][-1]["comment"]
    assert re.fullmatch(r"\[jumpgate [a-z0-9]{26}\]", comment)


def test_kinds_that_are_not_meant_stay(tmp_path_factory):
    with make(tmp_path_factory, spin="stored") as stack:
        before = version(stack, ADM1), version(stack, WEB01)
        use(stack, "adm1")
        use(stack, "Administrator")
        changed(stack, WEB01, before[1])
        assert version(stack, ADM1) == before[0] and len(spins(stack)) == 1
        stack.settled()


def test_a_lost_checkout_changes_nothing(stack):
    before, asked = version(stack, ADM1), len(spins(stack))
    stack.vault.fault("drop_after", call="checkout_shared", count=1)
    assert stack.checkout(stack.session("ann"), "adm1").status in (502, 503, 504)
    eventually(lambda: stack.ours() == [] and stack.status()["settling"] == 0, 60)
    assert (version(stack, ADM1), len(spins(stack))) == (before, asked)


@pytest.mark.parametrize("profile", ["json-v1", "rest"])
def test_other_faces(tmp_path_factory, profile):
    with make(tmp_path_factory, profile=profile) as stack:
        before = version(stack, ADM1)
        use(stack)
        changed(stack, ADM1, before)
        stack.settled()


@pytest.mark.parametrize("form", ["flag", "empty", "true", "null"])
def test_answers_that_are_an_acceptance(stack, form):
    before, asked, since = version(stack, ADM1), len(spins(stack)), lines(stack)
    stack.vault.knob("done_answer", form)
    use(stack)
    eventually(lambda: audited(stack, since) == ["accepted"])
    assert (version(stack, ADM1), len(spins(stack))) == (before + 1, asked + 1)
    stack.vault.knob("done_answer", "message")


# ---- what an operator sees ----

def test_what_is_due_is_shown_and_a_checkout_takes_it_back(later):
    use(later)
    due(later)
    assert later.status()["returning"] == later.status()["held"] == 0
    (row,) = json.loads("".join(command(later.gateway, "list", "--state", "spinning", "--json")[0]))["leases"]
    assert (row["state"], row["user"], row["expires_at"]) == ("spinning", "CORP\\ann", None)
    bob = later.session("bob")
    answer = later.checkout(bob, "adm1")
    assert answer.status == 200, answer.body
    assert later.status()["spinning"] == 0 and later.status()["held"] == 1
    assert counter(later, "withdrawn") == 1
    assert later.gateway.complete(bob).status == 200
    due(later)
    later.gateway.kill()
    shown = json.loads("".join(command(later.gateway, "list", "--json")[0]))["leases"]
    assert [r["state"] for r in shown] == ["spinning"]
    later.gateway.restart()
    assert later.status()["spinning"] == 1 and spins(later) == []
    refused = later.gateway.call("POST", f"/v1/leases/{row['id']}/release", {"forget": True})
    assert (refused.status, refused.code) == (409, "vault_conflict")


def test_what_is_due_outlives_a_stop(tmp_path_factory):
    with make(tmp_path_factory, spin_delay="3s") as stack:
        before = version(stack, ADM1)
        use(stack)
        stack.gateway.stop()
        assert version(stack, ADM1) == before
        stack.gateway.start()
        changed(stack, ADM1, before)
        eventually(lambda: audited(stack) == ["accepted"])
        assert stack.vault.violations() == {}


# ---- faults ----

def test_an_unreachable_system_is_tried_again(stack):
    before, since = version(stack, ADM2), lines(stack)
    stack.vault.settings(knobs={"spin_unreachable": "refused"})
    stack.vault.change("credentials", **ADM2.names, unreachable=True)
    use(stack, "adm2")
    eventually(lambda: stack.gateway.err.text.count("spin_failed") >= 1)
    assert version(stack, ADM2) == before and stack.status()["spinning"] == 1
    stack.vault.change("credentials", **ADM2.names, unreachable=False)
    changed(stack, ADM2, before)
    eventually(lambda: audited(stack, since) == ["accepted"])


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_a_lost_answer_keeps_the_credential_until_settle(stack, fault):
    before, since = version(stack, ADM1), lines(stack)
    stack.vault.fault(fault, call="spin_shared", count=1)
    use(stack)
    eventually(lambda: stack.gateway.err.text.count("spin_failed") >= 1)
    answer = stack.checkout(stack.session("bob"), "adm1", timeout=60)
    assert answer.status in (200, 503), answer.body  # it waits for its turn, or would wait too long
    stack.complete()
    eventually(lambda: version(stack, ADM1) > before, 60)
    eventually(lambda: "accepted" in audited(stack, since), 60)


def test_many_keys_and_lost_answers(stack):
    """Nothing overlaps: the simulator counts a check-out beside a spin, and a spin of what is held."""
    stack.vault.fault("drop_after", call="spin_shared", every=3)
    for _ in range(6):
        for account in ("adm1", "adm2"):
            asked = stack.session("ann")
            stack.checkout(asked, account, timeout=60)
            assert stack.gateway.complete(asked).status == 200
    stack.vault.clear_faults()
    eventually(lambda: set(v for k, v in stack.status().items() if k in ("spinning", "settling", "returning")) == {0}, 90)


# ---- deaths ----

@pytest.mark.parametrize("point", POINTS)
def test_death_at(tmp_path_factory, point):
    with make(tmp_path_factory, spin_delay="2s" if point.startswith("spin.again") else "0s") as stack:
        before = version(stack, ADM1)
        stack.gateway.stop()
        stack.gateway.environment = {"JG_KILL_AT": point, "JG_KILL_LIST": "1"}
        stack.gateway.launch()
        assert stack.gateway.out.wait_for(lambda line: line == "ready", START_SECONDS)
        stack.gateway.addresses["main"] = stack.gateway._address_of("main")
        with contextlib.suppress(OSError, http.client.HTTPException):  # it may die over an answer
            use(stack)
            if point.startswith("spin.again"):
                due(stack)
                stack.checkout(stack.session("bob"), "adm1")
        eventually(lambda: stack.gateway.process.poll() is not None)
        stack.gateway.wait()
        assert stack.gateway.process.returncode == -9
        stack.vault.doubt()
        stack.gateway.environment = {}
        stack.gateway.launch()
        assert stack.gateway.out.wait_for(lambda line: line == "ready", START_SECONDS)
        stack.gateway.addresses["main"] = stack.gateway._address_of("main")
        stack.settled(60)
        lost = point == "spin.row.before"  # the check-in is made once more, and finds nothing
        eventually(lambda: lost or version(stack, ADM1) > before, 60)
        eventually(lambda: {stack.status()[name] for name in ("spinning", "settling", "returning")} == {0}, 60)
