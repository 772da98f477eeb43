"""The simulated Privileged Identity: its three faces, sign-in, check-outs, its record, and what it counts against clients."""

import pytest

from certificates import Authority
from pi_vault import (ADM1, ADM2, DB01, FACES, IDENTITY, PASSWORD, SIGN_IN, WEB01, WEB01_PASSWORD, Client, PiVault, Shared, Stored,
                      text_of)
from simulator_process import until


@pytest.fixture(name="vault")
def _vault():
    with PiVault() as vault:
        vault.clock(frozen=True)  # only what a test says passes
        yield vault


# -- faces --


@pytest.mark.parametrize("face", FACES)
def test_a_shared_credential_goes_out_and_in_on_every_face(vault, face):
    client = vault.sign_in(face=face)
    password = client.password(ADM1)
    assert password == vault.credential(ADM1)["password"]
    assert vault.live() == [(ADM1.text, IDENTITY)]
    assert client.check_in(ADM1).status == 200
    assert vault.live() == []
    assert client.sign_out().status == 200
    assert vault.tokens() == [] and vault.violations() == {}


@pytest.mark.parametrize("face", FACES)
def test_a_stored_credential_goes_out_and_in_on_every_face(vault, face):
    client = vault.sign_in(face=face)
    assert client.password(WEB01) == WEB01_PASSWORD
    assert client.password(DB01) == vault.credential(DB01)["password"]
    assert client.check_in(WEB01).status == client.check_in(DB01).status == 200
    assert vault.live() == [] and vault.violations() == {}


def test_the_token_has_its_place_on_each_face(vault):
    v2 = vault.ask_sign_in()
    assert set(v2.json) == {"OperationSucceeded", "OperationMessage"} and v2.json["OperationSucceeded"] is True
    assert isinstance(vault.ask_sign_in(face="json-v1").json, str)
    assert isinstance(vault.ask_sign_in(face="rest").json, str)


def test_a_path_is_found_in_any_letter_case(vault):
    body = {"LoginType": 1, "Username": IDENTITY, "Password": PASSWORD}
    assert vault.call("POST", "/JSON/v2/authservice.SVC/dologin2", body).status == 200


def test_what_is_not_there_is_a_page(vault):
    client = vault.sign_in()
    for answer, status in ((client.post("AccountStoreOps_Nothing"), 404), (vault.call("GET", FACES["rest"] + "Login"), 405),
                           (vault.call("GET", "/elsewhere"), 404), (client.spin(ADM1), 404)):
        assert answer.status == status and answer.header("Content-Type").startswith("text/html")
    probe = vault.call("GET", "/AuthService.svc")
    assert probe.status == 200 and b"Service" in probe.body
    assert vault.calls("probe") == 1 and vault.violations() == {}


def test_a_face_that_is_not_installed(vault):
    vault.settings(**{"json-v1": False})
    assert vault.ask_sign_in(face="json-v1").status == 404
    assert vault.ask_sign_in(face="rest").status == vault.ask_sign_in().status == 200


def test_members_that_an_operation_does_not_know_are_ignored(vault):
    client = vault.sign_in()
    assert client.post("DoLogout", {"Comment": "x", **ADM1.body}).status == 200


def test_management_sets(vault):
    client = vault.sign_in(face="rest")
    assert client.get("ManagementSets").json == {"ListValues": [{"Value": "All servers"}]}
    assert client.get("ManagementSet/System/Linux?Name=All%20servers").json == [{"SystemName": "vip01"}, {"SystemName": "fin01"}]
    assert client.get("ManagementSet/System/Windows?Name=all%20servers").json == [{"SystemName": "web01"}]
    assert vault.call("GET", FACES["rest"] + "ManagementSets").status == 500
    old = vault.sign_in(face="json-v1")
    assert old.post("ManagementSetOps_GetManagementSetList").json == {"ListValues": [{"Value": "All servers"}]}
    systems = old.post("ManagementSetOps_GetLinuxSystemListForManagementSet", {"ManagementSetName": "All servers"})
    assert len(systems.json) == 2
    assert vault.violations() == {"missing_token": 1}


# -- sign-in --


def test_login_types(vault):
    domain = {"name": "svc-domain", "password": "Domain word 5"}
    assert vault.ask_sign_in(**domain, authenticator="corp").status == 200
    assert vault.ask_sign_in(**domain).status == 500
    assert vault.ask_sign_in(**domain, authenticator="OTHER").status == 500
    assert vault.ask_sign_in(authenticator="CORP").status == 500
    assert vault.ask_sign_in(**domain, LoginType="2", Authenticator="CORP").status == 200
    assert vault.ask_sign_in(Authenticator="is not looked at with LoginType 1").status == 200
    assert vault.ask_sign_in(LoginType=3).status == 500


def test_wrong_passwords_lock_the_identity(vault):
    for _ in range(5):
        assert "incorrect" in text_of(vault.ask_sign_in(password="wrong"))
    assert vault.ask_sign_in().status == 500
    assert next(i for i in vault.state()["identities"] if i["name"] == IDENTITY)["locked"]
    assert [o for _, o in vault.events("sign_in")] == ["wrong"] * 5 + ["locked"]
    vault.clock(advance_ms=30 * 60000)
    assert vault.ask_sign_in().status == 200


def test_a_right_password_forgives_the_wrong_ones(vault):
    for _ in range(2):
        for _ in range(4):
            vault.ask_sign_in(password="wrong")
        vault.sign_in()


def test_an_unlocked_identity_signs_in(vault):
    for _ in range(5):
        vault.ask_sign_in(password="wrong")
    vault.change("identities", name=IDENTITY, unlock=True)
    assert vault.ask_sign_in().status == 200
    vault.change("identities", name=IDENTITY, enabled=False)
    assert vault.ask_sign_in().status == 500


def test_a_second_factor(vault):
    who = {"name": "svc-mfa", "password": "Two steps 2"}
    assert "multi-factor" in text_of(vault.ask_sign_in(**who))
    assert vault.ask_sign_in(**who, MFATokenCode="000000").status == 500
    assert vault.ask_sign_in(**who, MFATokenCode="402117").status == 200
    assert vault.ask_sign_in(**who, face="rest", MFATokenCode="402117").status == 200


def test_tokens_age(vault):
    client = vault.sign_in()
    for _ in range(3):  # use does not make it younger
        vault.clock(advance_ms=9 * 60000)
        assert client.check_out(ADM1).status == 200
    vault.clock(advance_ms=3 * 60000)
    refused = client.check_out(ADM1)
    assert refused.status == 500 and "token" in text_of(refused)


def test_tokens_idle_out(vault):
    client = vault.sign_in()
    vault.clock(advance_ms=19 * 60000)
    assert client.check_out(ADM1).status == 200
    vault.clock(advance_ms=20 * 60000)
    assert client.check_out(ADM1).status == 500
    assert vault.tokens() == []


def test_tokens_end(vault):
    first, second = vault.sign_in(), vault.sign_in()
    assert first.check_out(ADM1).status == second.check_out(ADM1).status == 200
    assert vault.expire_tokens(IDENTITY) == 2
    assert first.check_out(ADM1).status == 500
    third = vault.sign_in()
    third.sign_out()
    assert third.check_out(ADM1).status == 500


def test_at_most_so_many_tokens_of_an_identity(vault):
    vault.settings(tokens=2)
    clients = [vault.sign_in() for _ in range(3)]
    assert [c.check_out(ADM1).status for c in clients] == [500, 200, 200]
    assert len(vault.tokens()) == 2


# -- check-outs --


def test_what_is_refused_in_words(vault):
    client = vault.sign_in()
    vault.change("identities", name=IDENTITY, all_access=False)
    for credential, words in ((Stored("vip01", "root"), "request"), (Stored("fin01", "root"), "denied"),
                              (Stored("nowhere", "root"), "not found"), (Shared("nobody"), "not found")):
        answer = client.check_out(credential)
        assert answer.status == 500 and words in text_of(answer)
    assert client.check_out(Stored("new01", "root")).json["Password"] == ""
    assert [o for _, o in vault.events("checkout")] == ["approval", "denied", "absent", "absent", "done"]
    assert vault.violations() == {}


def test_the_type_of_a_system_matters(vault):
    client = vault.sign_in()
    assert client.check_out(Stored("db01", "sa", type=1)).status == 500
    assert client.check_out(Stored("DB01", "SA", type=3)).status == 200
    assert client.check_out(Stored("app01", "deploy", type=9)).status == 500
    assert client.check_out(Stored("app01", "deploy", type=9, custom_type="appliance")).status == 200


def test_an_account_with_a_namespace_has_two_names(vault):
    client = vault.sign_in()
    plain, qualified = Stored("corp.test", "svc_backup"), Stored("corp.test", "corp\\svc_backup")
    assert client.password(plain) == client.password(qualified)
    assert client.check_out(Stored("corp.test", "OTHER\\svc_backup")).status == 500
    assert vault.live() == [(plain.text, IDENTITY)]
    assert client.check_in(qualified).status == 200 and vault.live() == []


def test_somebody_else_has_it(vault):
    client = vault.sign_in()
    number = vault.person_checks_out(ADM1)
    answer = client.check_out(ADM1)
    assert answer.status == 500 and "checked out by CORP\\ann" in text_of(answer)
    assert client.check_out(ADM2).status == 200
    assert "checked out by CORP\\ann" in text_of(client.check_in(ADM1))
    vault.end_checkout(number)
    assert client.check_out(ADM1).status == 200
    other = vault.sign_in("svc-other", "Other word 7")
    assert IDENTITY in text_of(other.check_out(ADM1))


def test_check_outs_are_ignored(vault):
    client = vault.sign_in()
    vault.change("identities", name=IDENTITY, ignore_checkout=True)
    vault.person_checks_out(ADM1)
    assert client.password(ADM1) == vault.credential(ADM1)["password"]
    assert vault.live() == [(ADM1.text, "CORP\\ann"), (ADM1.text, IDENTITY)]
    vault.knob("checkin_password", "changed")
    client.check_in(ADM1)
    (left,) = vault.state()["live"]
    assert left["who"] == "CORP\\ann" and left["cut_off"]  # its password is no longer right


def test_a_repeat_reads_the_password_again(vault):
    client = vault.sign_in()
    first = client.password(ADM1)
    vault.change("credentials", **ADM1.names, change=True)
    second = client.password(ADM1)
    assert first != second == vault.credential(ADM1)["password"]
    (one,) = vault.checkouts()
    assert (one["outs"], one["version"], one["state"]) == (2, 2, "live")
    client.check_in(ADM1)
    assert "not checked out" in text_of(client.check_in(ADM1))


def test_the_vaults_own_end(vault):
    vault.settings(checkout_life_ms=3600000)
    client = vault.sign_in()
    client.check_out(ADM1)
    vault.clock(advance_ms=1200000)
    client.check_out(ADM1)  # does not move the end
    vault.clock(advance_ms=2399000)
    assert len(vault.live()) == 1
    vault.clock(advance_ms=1000)
    assert vault.live() == [] and vault.checkouts()[0]["state"] == "expired"
    assert vault.events()[-1] == ("expired", None)
    client = vault.sign_in()
    assert "not checked out" in text_of(client.check_in(ADM1))
    assert vault.violations() == {}  # the client could not know


def test_a_spin_changes_the_password_later(vault):
    vault.knob("spin_rows", "served")
    client = vault.sign_in()
    assert client.spin(ADM1).status == 200
    assert vault.credential(ADM1)["version"] == 1
    vault.clock(advance_ms=2000)
    assert vault.credential(ADM1)["version"] == 2 and vault.events()[-1] == ("changed", None)
    other = vault.sign_in("svc-other", "Other word 7")
    assert "denied" in text_of(other.spin(ADM1))
    vault.change("credentials", **ADM1.names, unreachable=True)
    assert client.spin(ADM1).status == 200
    vault.clock(advance_ms=2000)
    assert vault.credential(ADM1)["version"] == 2 and vault.events()[-1] == ("change_failed", None)


def test_listings_where_they_are_served(vault):
    vault.knob("list_rows", "served")
    vault.change("identities", name=IDENTITY, all_access=False)
    client = vault.sign_in()
    rows = client.post("AccountStoreOps_SharedCredential_List", {"SharedCredentialListName": "domain ADMINS"}).json
    assert [r["AccountName"] for r in rows] == ["adm1", "adm2"]
    assert client.post("AccountStoreOps_StoredCredential_List", {"SystemName": "fin01"}).json == []
    other = vault.sign_in("svc-other", "Other word 7")
    assert len(other.post("AccountStoreOps_StoredCredential_List", {"SystemName": "fin01"}).json) == 1
    assert client.post("AccountStoreOps_StoredCredential_List").status == 500


def test_the_record_has_each_call_and_its_comment(vault):
    client = vault.sign_in()
    client.check_out(ADM1, "ticket 7 [jumpgate L1]")
    client.check_in(ADM1, "[jumpgate L1]")
    out, back = vault.history()[1:]
    assert (out["what"], out["outcome"], out["comment"]) == ("checkout", "done", "ticket 7 [jumpgate L1]")
    assert (out["credential"], out["identity"], out["status"], out["version"]) == (ADM1.text, IDENTITY, 200, 1)
    assert (back["what"], back["checkout"], back["comment"]) == ("checkin", out["checkout"], "[jumpgate L1]")
    assert vault.history(after=out["number"]) == [back]
    whole = str(vault.history())
    assert client.token not in whole and PASSWORD not in whole
    assert client.password(ADM1) not in str(vault.state())


# -- limits --


def test_the_rate_and_the_size_of_a_body_are_limited(vault):
    client = vault.sign_in()
    vault.settings(max_body=400)
    assert client.check_out(ADM1, "x" * 400).status == 413
    vault.settings(rate_second=2)
    vault.clock(advance_ms=1000)
    assert [client.check_out(ADM1).status for _ in range(3)] == [200, 200, 429]
    vault.clock(advance_ms=1000)
    assert client.check_out(ADM1).status == 200


def test_client_certificates(tmp_path):
    ca = Authority(tmp_path / "ca")
    for when in ("handshake", "late"):
        with PiVault(tls=ca.server("server"), client_ca=ca.certificate, knobs={"client_certificate": when}) as vault:
            if when == "late":
                assert vault.ask_sign_in().status == 403
            else:
                with pytest.raises(OSError):
                    vault.ask_sign_in()
            vault.client = ca.client("gateway")
            vault.sign_in().password(ADM1)


# -- what a right client never does --


def seen(vault, **expected):
    found = vault.violations()
    vault.reset_counts()
    assert found == expected


def test_secrets_in_a_url_are_counted(vault):
    client = vault.sign_in()
    assert vault.call("GET", FACES["rest"] + "ManagementSets?AuthenticationToken=x").status == 400
    assert client.vault.call("GET", FACES["rest"] + f"ManagementSets?a={client.token}").status == 400
    assert vault.call("GET", f"/{client.token}/x").status == 400
    seen(vault, secret_in_url=3)
    client.post("DoLogout?x=1")
    vault.ask_sign_in()
    vault.call("POST", FACES["json-v2"] + "DoLogin2", {"LoginType": 1, "Username": IDENTITY, "Password": PASSWORD}, Cookie="a=b")
    seen(vault, query=1, cookie=1)


def test_bodies_that_are_wrong_are_counted(vault):
    client = vault.sign_in()
    path = FACES["json-v2"] + "AccountStoreOps_SharedCredential_CheckOut"
    assert vault.call("POST", path, raw="{", Content_Type="application/json").status == 500
    assert vault.call("POST", path, raw="<x/>", Content_Type="text/xml").status == 415
    assert vault.call("POST", path, ADM1.body, Content_Type="application/jsonp").status == 415
    shared = dict(ADM1.body["SharedCredentialIdentifier"])
    del shared["SystemName"]  # required even for a domain account
    assert client.post("AccountStoreOps_SharedCredential_CheckOut", {"SharedCredentialIdentifier": shared}).status == 500
    seen(vault, bad_body=4)


def test_tokens_that_are_no_good_are_counted(vault):
    client = vault.sign_in()
    vault.settings(dead_token_ms=0)
    Client(vault, "json-v2", "0" * 36).check_out(ADM1)
    Client(vault, "json-v2", None).check_out(ADM1)
    seen(vault, unknown_token=1, missing_token=1)
    vault.expire_tokens()
    client.check_out(ADM1)  # it could not know
    client.sign_out()
    seen(vault)
    until(lambda: client.check_out(ADM1) and vault.violations() == {"dead_token": 1})


def test_sign_ins_at_a_time_are_counted(vault):
    vault.fault("hang", call="sign_in", count=1)
    waits = vault.begin(FACES["json-v2"] + "DoLogin2", {"LoginType": 1, "Username": IDENTITY, "Password": PASSWORD})
    until(lambda: vault.counts()["in_flight"] == 1)
    vault.sign_in("svc-other", "Other word 7")
    assert vault.violations() == {}
    vault.sign_in()
    seen(vault, parallel_sign_in=1)
    waits.close()
    until(lambda: vault.counts()["in_flight"] == 0)
    vault.sign_in()
    seen(vault)


def test_a_refused_password_again_is_counted(vault):
    vault.ask_sign_in(password="wrong")
    vault.ask_sign_in(password="another")
    assert vault.violations() == {}
    vault.ask_sign_in(password="another")
    seen(vault, sign_in_again=1)
    vault.sign_in()
    vault.settings(sign_in_ms=0)
    vault.ask_sign_in(password="wrong")
    vault.ask_sign_in(password="wrong")
    seen(vault)


def test_a_check_in_of_what_one_does_not_hold_is_counted(vault):
    client = vault.sign_in()
    client.check_in(ADM1)
    seen(vault, checkin_unheld=1)
    client.check_out(ADM1)
    client.check_in(ADM1)
    seen(vault)
    client.check_in(ADM1)
    seen(vault, checkin_unheld=1)
    vault.doubt()  # a client that was killed may repeat what it cannot remember
    client.check_in(ADM1)
    seen(vault)
    vault.person_checks_out(ADM1)
    client.check_out(ADM1)
    client.check_in(ADM1)  # the vault said that a person has it
    seen(vault, checkin_unheld=1)


def test_a_check_in_after_a_lost_answer_is_right(vault):
    client = vault.sign_in()
    vault.fault("drop_after", call="checkout_shared", count=1)
    with pytest.raises(OSError):
        client.check_out(ADM1)
    vault.fault("drop_after", call="checkin_shared", count=1)
    with pytest.raises(OSError):
        client.check_in(ADM1)
    assert "not checked out" in text_of(client.check_in(ADM1))
    seen(vault)
    client.check_in(ADM1)
    seen(vault, checkin_unheld=1)


def test_a_refusal_that_says_nothing_certain_leaves_a_doubt(vault):
    vault.settings(max_comment=8, knobs={"long_comment": "refused", "no_password": "refused"})
    client = vault.sign_in()
    assert client.check_out(ADM1, "too long a comment").status == 500
    assert vault.credential(ADM1)["claims"] == {IDENTITY: 1}
    client.check_in(ADM1, "")
    assert vault.credential(ADM1)["claims"] == {}
    vault.person_checks_out(ADM2)
    client.check_out(ADM2, "")
    assert vault.credential(ADM2)["claims"] == {}
    vault.settings(texts={"conflict": "Somebody else is faster."})
    client.check_out(ADM2, "")
    assert vault.credential(ADM2)["claims"] == {IDENTITY: 1}
    seen(vault)


def test_calls_that_cross_are_counted(vault):
    client = vault.sign_in()
    client.check_out(ADM1)
    client.check_out(ADM2)
    vault.fault("hang", call="checkin_shared", count=1)
    waits = client.begin("CheckIn", ADM1)
    until(lambda: vault.counts()["in_flight"] == 1)
    client.check_in(ADM1)  # may be repeated
    client.check_in(ADM2)
    assert vault.violations() == {}
    client.check_out(ADM1)
    seen(vault, crossed_calls=1)
    waits.close()


def test_a_call_that_crosses_a_lost_one_is_counted_apart(vault):
    client = vault.sign_in()
    client.check_out(ADM1)
    vault.fault("latency", call="checkin_shared", latency_ms=3600000, count=1)
    waits = client.begin("CheckIn", ADM1)
    until(lambda: vault.counts()["in_flight"] == 1)
    waits.close()
    until(lambda: vault.counts()["abandoned"] == 1)
    client.check_out(ADM1)
    seen(vault, crossed_lost=1)


def test_what_a_late_check_in_gives_back(vault):
    client = vault.sign_in()
    client.check_out(ADM1)
    vault.fault("late", call="checkin_shared", latency_ms=3000, count=1)
    with pytest.raises(OSError):
        client.check_in(ADM1)
    client.check_out(ADM1)
    assert len(vault.live()) == 1
    until(lambda: vault.live() == [])  # what the new check-out got


def test_a_repeat_that_the_vault_refuses_is_counted(vault):
    vault.knob("repeat_checkout", "refused")
    client = vault.sign_in()
    client.check_out(ADM1)
    assert "checked out by " + IDENTITY in text_of(client.check_out(ADM1))
    seen(vault, repeated_checkout=1)
    assert len(vault.live()) == 1


def test_a_spin_of_what_one_holds_is_counted(vault):
    vault.knob("spin_rows", "served")
    client = vault.sign_in()
    client.check_out(ADM1)
    client.spin(ADM1)
    seen(vault, spin_held=1)
    client.check_in(ADM1)
    client.spin(ADM1)
    seen(vault)


# -- data --


def test_data_of_a_scenario(tmp_path):
    path = tmp_path / "data.json"
    path.write_text('{"identities":[{"name":"me","password":"secret word"}],"credentials":[{"list":"L","system":"s","account":"a",'
                    '"password":"p1"}],"checkouts":[{"list":"L","system":"s","account":"a","who":"ann"}]}')
    with PiVault("--empty", "--scenario", path, "--stored", 2, "--shared", 3) as vault:
        assert len(vault.ask("GET", "/credentials")) == 6
        client = vault.sign_in("me", "secret word")
        assert client.check_out(Shared("a", "L", "s")).status == 500
        assert client.password(Stored("srv2", "admin")) != client.password(Shared("pool3", "Pool", "pool.test"))


def test_mistakes_in_data_are_refused(vault):
    for kind, entry in (("settings", {"knobs": {"flag": "no"}}), ("settings", {"texts": {"nothing": "x"}}), ("settings", {"tokens": -1}),
                        ("identities", {}), ("credentials", {"system": "x"}), ("credentials", {"id": 99}), ("checkouts", {"id": 1}),
                        ("credentials", {"id": 1, "may": ["nobody"]}), ("sets", {}), ("scenario", {"nothing": []})):
        with pytest.raises(RuntimeError, match="400"):
            vault.ask("POST", f"/{kind}", entry)
    with pytest.raises(RuntimeError, match="404"):
        vault.end_checkout(77)


def test_passwords_are_those_of_the_seed():
    found = []
    for seed in (1, 1, 2):
        with PiVault("--seed", seed) as vault:
            found.append(vault.credential(ADM1)["password"])
    assert found[0] == found[1] != found[2]


def test_names_of_sign_ins_are_those_of_the_faces():
    assert set(SIGN_IN) == set(FACES)
