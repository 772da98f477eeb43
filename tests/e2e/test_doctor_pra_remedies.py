"""jumpgate doctor --pra names the box to check, once, also where two features lack one permission."""

import http.server
import json
import subprocess
import threading

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
    site.clear_faults()
    site.permit(perm_configuration="1", perm_command="full_access", perm_reporting_support="1")

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


# ---- a machine before the site ----

PAGE = "<!DOCTYPE html><html><body>Request blocked</body></html>"
WAF = {"action": "status", "status": 403, "body": PAGE, "content_type": "text/html"}


@pytest.mark.parametrize("call, stage", [("token", "pra_token"), ("get_api_info", "pra_command"),
                                         ("AccessSessionListing", "pra_reporting"), ("jumpoint", "pra_jumpoint")])
def test_page_of_a_firewall(site, ask, call, stage):
    """The site answers its probe; a firewall before it blocks a path of the API."""
    site.fault(call=call, **WAF)
    row = ask('jumpoints = "dc1"')[1][stage]
    assert row["state"] == "failed" and "an HTML page came" in row["cause"] and "(WAF)" in row["cause"], row


def test_refusal_of_the_site_itself_is_no_page(site, ask):
    site.account(client_secret="another")
    row = ask()[1]["pra_token"]
    site.account(client_secret=CLIENT_SECRET)
    assert row["state"] == "failed" and "HTML" not in row["cause"] and "`client_id`" in row["cause"], row


class Proxy(http.server.BaseHTTPRequestHandler):
    """Refuses every tunnel."""

    def do_CONNECT(self):  # noqa: N802
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("status, words", [(407, ("credentials", "sends none")), (403, ("allow-list", "rules")),
                                           (503, ("cannot reach",))])
def test_proxy_that_refuses(ask, status, words):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        server.status = status
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code, stages = ask(f"proxy = http://127.0.0.1:{server.server_port}")
        server.shutdown()
    row = stages["pra_tcp"]
    assert (code, row["fault"]) == (32, "connect_refused"), row
    for word in (str(status), *words):
        assert word in " ".join([row["detail"], row["cause"], row["remedy"]]), (word, row)


# ---- many Jumpoints ----

def test_jumpoints_are_read_until_all_are_found(site, ask):
    for number in range(120):
        site.jumpoint(f"j-{number:04}", connected=True, enabled=True)
    site.clear_log()
    assert ask("jumpoints = j-0000")[1]["pra_jumpoint"]["state"] == "ok"
    assert len(site.log("jumpoint")) == 1


def test_jumpoints_behind_the_last_page_that_is_read(site, ask):
    for number in range(120, 1010):
        site.jumpoint(f"j-{number:04}", connected=True, enabled=True)
    site.clear_log()
    for names in ("j-0000 nowhere", "all"):
        code, stages = ask(f"jumpoints = {names}")
        row = stages["pra_jumpoint"]
        assert (code, row["state"], row["fault"]) == (0, "warning", "jumpoints_cut"), row
        assert "the first 1000 Jumpoints" in row["detail"] and ("nowhere" in row["detail"]) == (names != "all"), row
    assert len(site.log("jumpoint")) == 20
