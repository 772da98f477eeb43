"""jumpgate doctor --pra names the box to check, once, also where two features lack one permission."""

import json
import subprocess

import pytest

from harness import API_KEY, BIN
from pra_site import CLIENT_ID, CLIENT_SECRET, PraSite


@pytest.fixture(scope="module", name="site")
def _site():
    with PraSite() as site:
        yield site


@pytest.fixture(name="ask")
def _ask(site, tmp_path):
    """Runs the doctor with the keys given, and answers its stages by name."""
    for name, text in (("secret", CLIENT_SECRET), ("key", API_KEY)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    site.settings(xml_api=True)
    site.permit(perm_command="full_access", perm_reporting_support="1")

    def ask(*keys):
        conf = tmp_path / "jumpgate.conf"
        conf.write_text("\n".join([
            "[gateway]", f"state_dir = {tmp_path}", "[listener main]", "address = 127.0.0.1:0", "[client pra]",
            f"token_sha256 = {'0' * 64}", "allow = broker", "[vault main]",
            "url = https://vault.example.com/BeyondTrust/api/public/v3", f"api_key_file = {tmp_path / 'key'}",
            "[pra site]", f"url = {site.url}", "insecure_http = yes", f"client_id = {CLIENT_ID}",
            f"client_secret_file = {tmp_path / 'secret'}", *keys, ""]))
        done = subprocess.run([str(BIN / "jumpgate"), "doctor", "-c", str(conf), "--pra", "--json"],
                              capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, {row["stage"]: row for row in json.loads(done.stdout)["stages"]}

    return ask


@pytest.mark.parametrize("value", ["deny", "read_only"])
def test_one_box_for_two_features(site, ask, value):
    site.permit(perm_command=value)
    code, stages = ask("terminate = yes")
    assert code == 37
    assert stages["pra_permissions"]["remedy"] == "Management > API Configuration, set Command API: Full Access"


def test_reading_is_enough_without_termination(site, ask):
    site.permit(perm_command="deny")
    code, stages = ask()
    assert code == 37
    assert stages["pra_permissions"]["remedy"] == (
        "Management > API Configuration, set Command API: Read Only or Full Access")


def test_boxes_of_two_permissions(site, ask):
    site.permit(perm_command="read_only", perm_reporting_support="0")
    remedy = ask("terminate = yes")[1]["pra_permissions"]["remedy"]
    assert remedy == ("Management > API Configuration, set "
                      "Reporting API: Allow Access to Access Session Reports and Recordings; Command API: Full Access")


def test_xml_api_off_has_one_remedy(site, ask):
    """Reports go by the same box as the Command API."""
    site.settings(xml_api=False)
    code, stages = ask()
    assert code == 36
    assert stages["pra_reporting"]["fault"] == "reporting_error"
    assert stages["pra_reporting"]["remedy"] == stages["pra_command"]["remedy"]
    assert "Enable XML API" in stages["pra_command"]["remedy"]
