"""The knobs of the simulated Privileged Identity: each changes what its name says, and the page lists every value."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from pi_vault import ADM1, DB01, FACES, IDENTITY, PASSWORD, WEB01, PiVault, Stored, text_of
from simulator_process import ROOT

NEW01 = Stored("new01", "root")


def table():
    """Names and values of all knobs, as the source has them."""
    text = (ROOT / "bench/pi-sim/knob_table.c").read_text(encoding="utf-8")
    rows = re.findall(r'\[KNOB_\w+\] =\s*\{\s*"(\w+)",\s*"[^"]*",\s*\{([^}]*)\}', text)
    return {name: re.findall('"([^"]*)"', values) for name, values in rows}


KNOBS = table()


@pytest.fixture(name="vault", scope="module")
def _shared():
    with PiVault() as vault:
        vault.settings(dead_token_ms=10**6, sign_in_ms=0)
        vault.clock(frozen=True)  # only what a test says passes
        yield vault


@pytest.fixture(autouse=True)
def _defaults(vault):
    yield
    vault.settings(knobs={name: values[0] for name, values in KNOBS.items()}, checkout_life_ms=0, max_comment=0, rate_second=0,
                   lockout_failures=5)
    vault.change("identities", name=IDENTITY, all_access=True, ignore_checkout=False, unlock=True)
    for one in vault.ask("GET", "/checkouts?live=1"):
        vault.end_checkout(one["number"])
    vault.change("credentials", **ADM1.names, unreachable=False)


@pytest.fixture(name="client")
def _client(vault):
    return vault.sign_in()


def test_the_table_is_read_and_documented(vault):
    assert len(KNOBS) == (ROOT / "bench/pi-sim/knob_table.h").read_text(encoding="utf-8").count("\n    KNOB_") - 1
    page = (ROOT / "docs/pi-simulator.md").read_text(encoding="utf-8").split("## Knobs")[1].split("\n## ")[0]
    for name, values in KNOBS.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        for value in values:
            vault.knob(name, value)
            assert f"`{value}`" in row, (name, value)


# -- forms of answers --


@pytest.mark.parametrize("value, good, bad", [
    ("OperationSucceeded", True, False), ("Success", True, False), ("ErrorCode", 0, 1), ("HasError", False, True),
    ("ErrorText", None, "Failed")])
def test_flag(vault, value, good, bad):
    vault.settings(knobs={"flag": value, "refusal": "message"})
    assert vault.ask_sign_in().json[value] == good
    assert vault.ask_sign_in(password="wrong").json[value] == bad
    vault.knob("flag", "none")
    assert set(vault.ask_sign_in().json) == {"OperationMessage"}


def test_refusal(vault, client):
    wanted = "The password of adm1 on corp.test is not checked out."
    vault.person_checks_out(DB01, who="a <b> & \"c\"")
    for value in KNOBS["refusal"]:
        vault.knob("refusal", value)
        answer, told = client.check_in(ADM1), client.check_out(DB01)
        assert wanted in text_of(answer), value
        assert "a <b> & \"c\"" in text_of(told), value
        assert answer.status == {"html": 400}.get(value, 200 if "message" in value else 500)
        kind = answer.header("Content-Type")
        if value in ("xml", "soap"):
            assert "xml" in kind
            root = ElementTree.fromstring(answer.body).tag
            assert root.endswith("}Envelope" if value == "soap" else "}Fault")
        elif value == "html":
            assert kind.startswith("text/html")
        elif value == "json_string":
            assert answer.json == wanted
        else:
            member = {"json": "Message", "json_exception": "ExceptionMessage", "json_detail": "Detail"}.get(value, "OperationMessage")
            assert answer.json[member] == wanted
            assert answer.json.get("OperationSucceeded") is (False if value == "message" else None)
            assert "Password" not in answer.json
            if "message" in value:
                assert told.json["Password"] is None


def test_refusal_status(vault, client):
    vault.knob("refusal_status", "400")
    assert client.check_in(ADM1).status == 400


@pytest.mark.parametrize("face", FACES)
def test_sign_in_refused(vault, face):
    vault.settings(lockout_failures=0)
    wanted = "Login failed. The user name or password is incorrect."

    def place(answer):
        assert answer.status == 200
        return answer.json["OperationMessage"] if face == "json-v2" else answer.json

    for value in KNOBS["sign_in_refused"]:
        vault.knob("sign_in_refused", value)
        answer = vault.ask_sign_in(password="wrong", face=face)
        if value in ("text", "empty", "null"):
            assert place(answer) == {"text": wanted, "empty": "", "null": None}[value]
        else:
            assert answer.status == {"refusal": 500, "401": 401, "403": 403, "html": 401}[value]
            assert wanted in text_of(answer)
            assert answer.header("Content-Type").startswith("text/html" if value == "html" else "application/json")
        assert vault.ask_sign_in(face=face).status == 200


def test_token_refused(vault, client):
    client.token = "f" * 36
    for value, status in (("refusal", 500), ("401", 401), ("403", 403), ("message", 200), ("html", 403)):
        vault.knob("token_refused", value)
        answer = client.check_out(ADM1)
        assert answer.status == status and "token is invalid" in text_of(answer)
        assert answer.header("Content-Type").startswith("text/html" if value == "html" else "application/json")


def test_done_answer(vault, client):
    for value in KNOBS["done_answer"]:
        vault.knob("done_answer", value)
        client.check_out(ADM1)
        answer = client.check_in(ADM1)
        assert answer.status == 200 and vault.live() == []
        if value == "empty":
            assert answer.body == b""
        else:
            assert answer.json == {
                "message": {"OperationSucceeded": True, "OperationMessage": "The operation completed successfully."},
                "flag": {"OperationSucceeded": True}, "true": True, "null": None, "string": "OK",
                "other_words": {"OperationMessage": "Released."}}[value]


def test_slashes(vault, client):
    for value, text in (("escaped", b"co\\/x"), ("plain", b"co/x")):
        vault.knob("slashes", value)
        answer = client.check_out(WEB01)
        assert text in answer.body and answer.json["Password"].endswith("co/x")


# -- tokens and sign-in --


def test_token_place(vault, client):
    token = {"AuthenticationToken": client.token}
    client.token = None
    for value, body, header in (("body", 200, 500), ("header", 500, 200), ("either", 200, 200)):
        vault.knob("token_place", value)
        assert client.check_out(ADM1, **token).status == body
        answer = vault.call("POST", FACES["json-v2"] + "AccountStoreOps_SharedCredential_CheckOut", ADM1.body, **token)
        assert answer.status == header
        assert vault.call("GET", FACES["rest"] + "ManagementSets", **token).status == 200  # a GET has it in the header


def test_token_shape(vault):
    shapes = {"guid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "base64": r"[A-Za-z0-9+/]{42}==", "long": r"[A-Za-z0-9+/]{2000}",
              "short": r"[A-Za-z0-9+/]{6}", "blank": r"\S{12} \S{17}"}
    for value in KNOBS["token_shape"]:
        vault.knob("token_shape", value)
        client, other = vault.sign_in(), vault.sign_in()
        assert re.fullmatch(shapes[value], client.token) and client.token != other.token
        assert client.check_out(ADM1).status == 200


def test_token_faces(vault):
    for value, status in (("all", 200), ("own", 500)):
        vault.knob("token_faces", value)
        client = vault.sign_in()
        client.face = "rest"
        assert client.check_out(ADM1).status == status


def test_login_type(vault):
    for value, status in (("taken", 200), ("refused", 500)):
        vault.knob("login_type", value)
        assert vault.ask_sign_in(LoginType="1").status == status


def test_locked(vault):
    for value, words in (("same", "incorrect"), ("own", "locked out")):
        vault.knob("locked", value)
        for _ in range(5):
            assert "incorrect" in text_of(vault.ask_sign_in(password="wrong"))
        assert words in text_of(vault.ask_sign_in())
        vault.change("identities", name=IDENTITY, unlock=True)


def test_locked_tokens(vault):
    for value, status in (("kept", 200), ("dead", 500)):
        vault.knob("locked_tokens", value)
        client = vault.sign_in()
        for _ in range(5):
            vault.ask_sign_in(password="wrong")
        assert client.check_out(ADM1).status == status
        vault.change("identities", name=IDENTITY, unlock=True)


def test_mfa_faces(vault):
    who = {"name": "svc-mfa", "password": "Two steps 2", "MFATokenCode": "402117"}
    for value, status in (("all", 200), ("rest", 500)):
        vault.knob("mfa_faces", value)
        assert vault.ask_sign_in(**who).status == status
        assert vault.ask_sign_in(**who, face="rest").status == 200


def test_sign_out_dead(vault, client):
    client.sign_out()
    for value, status in (("refused", 500), ("success", 200)):
        vault.knob("sign_out_dead", value)
        assert client.sign_out().status == status


# -- operations --


def test_guessed(vault, client):
    old = vault.sign_in(face="json-v1")
    vault.knob("guessed", "absent")
    assert client.check_out(WEB01).status == client.check_out(ADM1).status == client.check_in(ADM1).status == 200
    assert client.check_in(WEB01).status == old.check_out(ADM1).status == old.check_in(ADM1).status == 404
    assert old.sign_out().status == 200


def test_spin_and_list_rows(vault, client):
    listing = {"SystemName": "web01"}
    assert client.spin(ADM1).status == client.post("AccountStoreOps_StoredCredential_List", listing).status == 404
    vault.settings(knobs={"spin_rows": "served", "list_rows": "served"})
    assert client.spin(ADM1).status == 200
    for value, rows in (("objects", [{"AccountName": "Administrator", "SystemName": "web01"}]), ("strings", ["Administrator"]),
                        ("nested", {"ListValues": [{"AccountName": "Administrator", "SystemName": "web01"}]})):
        vault.knob("list_form", value)
        assert client.post("AccountStoreOps_StoredCredential_List", listing).json == rows


def test_account_form(vault, client):
    for value, plain, qualified in (("either", 200, 200), ("qualified", 500, 200), ("plain", 200, 500)):
        vault.knob("account_form", value)
        assert client.check_out(Stored("corp.test", "svc_backup")).status == plain
        assert client.check_out(Stored("corp.test", "CORP\\svc_backup")).status == qualified
        assert client.check_out(WEB01).status == 200


def test_empty_members(vault, client):
    info = {"AccountName": "sa", "AccountStore": {"TargetName": "db01", "Type": 3}}
    for value, status in (("taken", 200), ("refused", 500)):
        vault.knob("empty_members", value)
        assert client.post("AccountStoreOps_StoredCredential_CheckOut", {"AccountIdentificationInfo": info}).status == status
        assert client.check_out(DB01).status == 200


# -- check-outs --


def test_repeat_checkout(vault, client):
    for value, status in (("again", 200), ("refused", 500)):
        vault.knob("repeat_checkout", value)
        client.check_out(ADM1)
        assert client.check_out(ADM1).status == status
        client.check_in(ADM1)
    vault.change("identities", name=IDENTITY, ignore_checkout=True)
    assert client.check_out(ADM1).status == client.check_out(ADM1).status == 200


def test_repeat_end(vault):
    vault.settings(checkout_life_ms=600000)
    for value, left in (("kept", 0), ("extended", 1)):
        vault.knob("repeat_end", value)
        client = vault.sign_in()
        client.check_out(ADM1)
        vault.clock(advance_ms=300000)
        client.check_out(ADM1)
        vault.clock(advance_ms=300000)
        assert len(vault.live()) == left


def test_checkins(vault, client):
    for value, left in (("one", 0), ("each", 1)):
        vault.knob("checkins", value)
        client.check_out(ADM1)
        client.check_out(ADM1)
        assert client.check_in(ADM1).status == 200 and len(vault.live()) == left
    assert client.check_in(ADM1).status == 200 and vault.live() == []


def test_check_ins_of_each_check_out_are_no_violation(vault, client):
    vault.knob("checkins", "each")
    vault.reset_counts()
    for _ in range(3):
        client.check_out(ADM1)
    assert [client.check_in(ADM1).status for _ in range(3)] == [200] * 3
    assert vault.violations() == {}
    client.check_in(ADM1)
    assert vault.violations() == {"checkin_unheld": 1}


def test_ignored_checkout(vault, client):
    vault.change("identities", name=IDENTITY, ignore_checkout=True)
    for value, live in (("recorded", 1), ("unrecorded", 0)):
        vault.knob("ignored_checkout", value)
        assert client.password(ADM1) and len(vault.live()) == live
        client.check_in(ADM1)
    assert "not checked out" in text_of(client.check_in(ADM1))


def test_foreign_checkin(vault, client):
    other = vault.sign_in("svc-other", "Other word 7")
    for value, of_one, of_all in (("refused", 500, 500), ("all_access", 500, 200), ("anyone", 200, 500)):
        vault.knob("foreign_checkin", value)
        vault.person_checks_out(ADM1)
        assert (other.check_in(ADM1).status, client.check_in(ADM1).status) == (of_one, of_all)
        assert (vault.live() == []) == (value != "refused")
    ended = [c for c in vault.checkouts() if c["state"] == "by_another"]
    assert [c["who"] for c in ended] == ["CORP\\ann"] * 3


def test_absent_checkin(vault, client):
    for value, status in (("refused", 500), ("success", 200), ("message", 200)):
        vault.knob("absent_checkin", value)
        answer = client.check_in(ADM1)
        assert answer.status == status and ("not checked out" in text_of(answer)) == (value != "success")


@pytest.mark.parametrize("knob", ["checkin_password", "end_password"])
def test_password_after_the_end(vault, knob):
    vault.settings(checkout_life_ms=60000)
    for value, now, later in (("kept", 0, 0), ("changed", 1, 1), ("later", 0, 1)):
        vault.knob(knob, value)
        client = vault.sign_in()
        before = vault.credential(ADM1)["version"]
        client.check_out(ADM1)
        if knob == "checkin_password":
            client.check_in(ADM1)
        else:
            vault.clock(advance_ms=60000)
        assert vault.live() == [] and vault.credential(ADM1)["version"] - before == now
        vault.clock(advance_ms=2000)
        assert vault.credential(ADM1)["version"] - before == later


def test_no_password(vault, client):
    for value in KNOBS["no_password"]:
        vault.knob("no_password", value)
        answer = client.check_out(NEW01)
        if value == "refused":
            assert answer.status == 500 and "No password" in text_of(answer)
        else:
            assert answer.json.get("Password", "none") == {"empty": "", "null": None, "left_out": "none"}[value]


def test_spin_held(vault, client):
    vault.knob("spin_rows", "served")
    vault.person_checks_out(ADM1)
    for value, status in (("runs", 200), ("refused", 500)):
        vault.knob("spin_held", value)
        assert client.spin(ADM1).status == status


def test_spin_unreachable(vault, client):
    vault.knob("spin_rows", "served")
    vault.change("credentials", **ADM1.names, unreachable=True)
    for value, status in (("accepted", 200), ("refused", 500)):
        vault.knob("spin_unreachable", value)
        assert client.spin(ADM1).status == status


# -- limits --


def test_long_comment(vault, client):
    vault.settings(max_comment=8)
    assert client.check_out(ADM1, "123456789").status == 200
    assert vault.history()[-1]["comment"] == "12345678"
    vault.knob("long_comment", "refused")
    assert "too long" in text_of(client.check_out(ADM1, "123456789"))
    assert client.check_out(ADM1, "12345678").status == 200


def test_rate_status_and_retry_after(vault, client):
    vault.settings(rate_second=1)
    for value in KNOBS["rate_status"]:
        for after in KNOBS["retry_after"]:
            vault.settings(knobs={"rate_status": value, "retry_after": after})
            vault.clock(advance_ms=1000)
            assert client.check_out(ADM1).status == 200
            answer = client.check_out(ADM1)
            assert answer.status == int(value) and answer.header("Retry-After") == ("1" if after == "seconds" else None)


def test_texts(vault, client):
    vault.settings(texts={"conflict": "In use by {who}: {account}@{system} ({identity})"})
    vault.person_checks_out(ADM1)
    assert text_of(client.check_out(ADM1)) == f"In use by CORP\\ann: adm1@corp.test ({IDENTITY})"
    vault.settings(texts={"conflict": None})
    assert "checked out by" in text_of(client.check_out(ADM1))


def test_the_password_of_the_identity_from_a_file(tmp_path):
    (tmp_path / "word").write_text("another word\n", encoding="utf-8")
    with PiVault("--password-file", tmp_path / "word") as vault:
        assert vault.ask_sign_in(password=PASSWORD).status == 500
        assert vault.ask_sign_in(password="another word").status == 200
