# SPDX-License-Identifier: Apache-2.0
"""jumpgate doctor before a Privileged Identity: its stages, and the probe with its checklist."""

import json

import pytest

from certificates import Authority
from clinic import doctor
from harness import TOKEN, token_hash
from pi_stack import PiStack, sections
from pi_vault import ADM1, IDENTITY, PASSWORD, PiVault

VAULT_STAGES = ["configuration", "secrets", "mapping", "dns", "tcp", "tls", "api", "sign_in", "role", "list", "policy", "clock"]
UNKNOWN = {"mapping", "role", "policy"}
PROBE_STAGES = ["configuration", "secrets", "dns", "tcp", "tls", "api", "sign_in", "probe"]


class PiClinic:
    """A simulated vault, and a configuration for it that a test may spoil."""

    def __init__(self, vault, folder):
        self.vault, self.folder = vault, folder
        self.violations = {}  # that the test expects
        self.sections = {
            "gateway": {"state_dir": str(folder / "state")}, "listener main": {"address": "127.0.0.1:0"},
            "client pra": {"token_sha256": token_hash(TOKEN), "allow": "broker"},
            **sections(vault, self.secret, retries=0)}
        (folder / "state").mkdir(mode=0o700)

    def secret(self, name, text):
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return str(path)

    def write(self, **keys):
        lines = []
        for name, values in self.sections.items():
            values = {**values, **(keys if name == "vault main" else {})}
            lines += [f"[{name}]", *[f"{k} = {v}" for k, v in values.items() if v is not None], ""]
        path = self.folder / "jumpgate.conf"
        path.write_text("\n".join(lines))
        path.chmod(0o600)
        return path

    def ask(self, user="CORP\\ann", host="web01", **keys):
        return self.read(["-c", self.write(**keys), "--user", user, "--host", host])

    def probe(self, *words, **keys):
        return self.read(["-c", self.write(**keys), "--vault", "main", "--probe", *words])

    def read(self, words):
        done = doctor(*words, "--json")
        assert done.stderr == ""
        for secret in (PASSWORD, self.vault.credential(ADM1)["password"], *[t["token"] for t in self.vault.tokens()]):
            assert secret not in done.stdout
        return Found(done)


class Found:
    def __init__(self, done):
        self.code, self.text = done.returncode, done.stdout
        self.json = json.loads(done.stdout)
        assert self.json["exit_code"] == self.code
        self.stages = {row["stage"]: row for row in self.json["stages"]}
        self.items = {row["id"]: row for row in self.json.get("checklist", [])}

    def failed(self, stage, fault=None, *words):
        assert self.json["failed"] == stage, self.text
        assert self.stages[stage].get("fault") == fault, self.text
        row = self.stages[stage]
        for word in words:
            assert word in " ".join([row["detail"], row["cause"], row["remedy"], *row["notes"]]), self.text

    def states(self):
        return {name: row["state"] for name, row in self.items.items()}


@pytest.fixture(name="clinic")
def _clinic(tmp_path):
    with PiVault() as vault:
        clinic = PiClinic(vault, tmp_path)
        yield clinic
        assert [who for _, who in vault.live() if who == IDENTITY] == []
        assert vault.violations() == clinic.violations


# ---- stages ----

def test_all_is_well(clinic):
    found = clinic.ask()
    assert found.code == 0, found.text
    assert list(found.stages)[:len(VAULT_STAGES)] == VAULT_STAGES
    for stage in VAULT_STAGES:
        assert found.stages[stage]["state"] == ("unknown" if stage in UNKNOWN else "ok"), found.text
    assert "4 credentials on web01" in found.stages["list"]["detail"]
    assert clinic.vault.calls("sign_in") == clinic.vault.calls("sign_out") == 1
    assert clinic.vault.checkouts() == []


@pytest.mark.parametrize("knob, fault", [
    ("refusal", "password_refused"), ("401", "password_refused"), ("403", "password_refused"), ("html", "wrong_face"),
])
def test_wrong_password(tmp_path, knob, fault):
    with PiVault(knobs={"sign_in_refused": knob}) as vault:
        clinic = PiClinic(vault, tmp_path)
        clinic.secret("erpm", "something else")
        clinic.ask().failed("sign_in", fault)
        assert vault.calls("sign_in") == 1


def test_not_a_token(tmp_path):
    with PiVault(knobs={"token_shape": "short"}) as vault:
        PiClinic(vault, tmp_path).ask().failed("sign_in", "not_a_token")


def test_second_factor(clinic):
    clinic.vault.change("identities", name=IDENTITY, mfa="402117")
    clinic.ask().failed("sign_in", "mfa", "exempt this identity")


def test_wrong_face_and_path(clinic):
    clinic.vault.settings(**{"json-v2": False})
    clinic.ask().failed("sign_in", "wrong_face")
    clinic.ask(base_path="/Elsewhere").failed("api", None, "base_path")


def test_secret_and_network(clinic, tmp_path):
    clinic.secret("erpm", "two\nlines")
    assert clinic.ask().json["failed"] in ("secrets", "configuration")
    clinic.secret("erpm", PASSWORD)
    clinic.ask(url="http://localhost:1").failed("tcp", None)


def test_tls(tmp_path):
    authority = Authority(tmp_path)
    with PiVault(tls=authority.server()) as vault:
        clinic = PiClinic(vault, tmp_path)
        url = vault.url.replace("127.0.0.1", "localhost")
        clinic.ask(url=url).failed("tls", None)
        found = clinic.ask(url=url, ca_file=authority.certificate)
        assert found.code == 0, found.text


def test_user_and_host_that_no_section_names(clinic):
    found = clinic.ask("CORP\\anne")
    found.failed("list", None, "did you mean `CORP\\ann`")
    clinic.sections["access web01"]["hosts"] = "web01.corp.test"
    for name in ("access adm1", "access adm2", "access only-ann"):
        clinic.sections[name]["hosts"] = "db*"
    clinic.ask(host="web1.corp.test").failed("list", None, "did you mean `web01.corp.test`", "[access web01]")


# ---- the probe ----

def test_probe_without_a_credential(clinic):
    found = clinic.probe()
    assert found.code == 0, found.text
    assert list(found.stages) == PROBE_STAGES
    assert list(found.items) == [f"PI-{n:02}" for n in range(1, 19)]
    states = found.states()
    assert states["PI-01"] == "verified"
    assert {states[f"PI-{n:02}"] for n in (4, 5, 6, 7, 8, 9, 10)} == {"open"}
    assert {states[f"PI-{n:02}"] for n in (2, 3, 11, 12, 13, 14, 15, 16, 17, 18)} == {"by hand"}
    assert "OperationMessage: string of" in found.items["PI-01"]["seen"]
    assert clinic.vault.checkouts() == []


@pytest.mark.parametrize("section, item", [("adm1", "PI-05"), ("web01", "PI-06")])
def test_probe_of_a_credential(clinic, section, item):
    found = clinic.probe("--access", section, "--yes")
    assert found.code == 0, found.text
    states = found.states()
    for verified in (item, "PI-01", "PI-04", "PI-07", "PI-08", "PI-09", "PI-10"):
        assert states[verified] == "verified", found.text
    assert len(found.stages["probe"]["notes"]) == 5
    clinic.violations = {"checkin_unheld": 1}  # PI-10 is about that


@pytest.mark.parametrize("knob, value, item, key", [
    ("repeat_checkout", "refused", "PI-08", "repeat_checkout = no"),
    ("checkins", "each", "PI-09", "checkin_calls = each"),
    ("guessed", "absent", "PI-07", "path of the row"),
    ("done_answer", "other_words", "PI-07", "done ="),
])
def test_probe_refutes(tmp_path, knob, value, item, key):
    with PiVault(knobs={knob: value}) as vault:
        clinic = PiClinic(vault, tmp_path)
        found = clinic.probe("--access", "web01" if knob == "guessed" else "adm1", "--yes")
        assert (found.code, found.json["failed"]) == (50, "probe"), found.text
        assert found.items[item]["state"] == "refuted"
        assert key in found.items[item]["set"]


def test_probe_is_refused_while_the_gateway_has_it():
    with PiStack() as stack:
        assert stack.checkout(stack.session("ann"), "adm1").status == 200
        done = doctor("-c", stack.gateway.path / "jumpgate.conf", "--vault", "main", "--probe", "--access", "adm1", "--yes")
        assert done.returncode == 1, done.stdout
        assert "the gateway has a row of this credential" in done.stdout
        assert len(stack.vault.checkouts()) == 1
        stack.settled()


def test_words_of_the_probe(clinic):
    conf = clinic.write()
    for words, text in [
            (["--probe"], "--vault"), (["--probe", "--vault", "main", "--user", "ann"], "--user"),
            (["--vault", "main", "--access", "adm1", "--user", "a", "--host", "b"], "--probe"),
            (["--probe", "--vault", "main", "--access", "adm1"], "--yes"),
            (["--probe", "--vault", "main", "--yes"], "--access")]:
        done = doctor("-c", conf, *words)
        assert done.returncode == 2 and text in done.stderr, done
    found = clinic.probe("--access", "nothing", "--yes")
    assert (found.code, found.json["failed"]) == (1, "configuration")
    page = doctor("-c", conf, "--vault", "main", "--probe").stdout
    assert "Checklist" in page and "PI-18" in page and "Nothing of the checklist is refuted" in page
