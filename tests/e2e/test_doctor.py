# SPDX-License-Identifier: Apache-2.0
"""jumpgate doctor: each planted misconfiguration is found: the stage, the exit code, the words.

The doctor needs the vault alone; a gateway runs only where a test says so.
"""

import http.server
import socket
import threading
import time

import pytest

from certificates import Authority
from clinic import OTHER_KEY, Clinic, doctor, tls_clinic
from harness import API_KEY
from stack import CHECKIN, OAUTH_ID, OAUTH_SECRET, PEOPLE, REQUEST, SIGN_IN, Stack
from simulator import Simulator

@pytest.fixture(scope="module", name="plain_vault")
def _plain_vault():
    with Simulator("--users", 0, "--systems", 0, api_key=API_KEY) as vault:
        vault.scenario(PEOPLE)
        vault.change("systems", id=29000, name="somewhere", platform=2)
        vault.change("accounts", id=29000, system=29000, name="root", rules=["auto"])
        yield vault


@pytest.fixture(name="clinic")
def _clinic(plain_vault, tmp_path):
    clinic = Clinic(plain_vault, tmp_path)
    yield clinic
    plain_vault.clear_faults()
    assert plain_vault.calls(REQUEST) == plain_vault.calls(CHECKIN) == 0
    state = plain_vault.state(0)
    assert state["active"] == state["pending"] == []


@pytest.fixture(scope="module", name="authority")
def _authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


# ---- nothing wrong ----

def test_all_is_well(clinic):
    clinic.box("web01")
    finding = clinic.ask().is_well()
    assert "1 local" in " ".join(finding.notes("list"))
    assert finding.stages["mapping"]["notes"] == ["{domain}\\{username} makes CORP\\ann"]
    assert "Nothing found" in finding.page


def test_all_is_well_over_tls(tmp_path, authority):
    with tls_clinic(tmp_path, authority.server()) as clinic:
        finding = clinic.ask(ca_file=authority.certificate).is_well()
        assert "certificate good for" in finding.stages["tls"]["detail"]
        assert any("localhost" in note for note in finding.notes("tls"))
        assert any(note.startswith("signed by") for note in finding.notes("tls"))


def test_while_the_gateway_runs():
    with Stack() as stack:
        stack.account(box=stack.system("web01"))
        page = doctor("-c", stack.gateway.path / "jumpgate.conf", "--user", "CORP\\ann", "--host", "web01")
        assert page.returncode == 0, page.stdout
        assert stack.live() == []


def test_default_domain_and_oauth(clinic):
    clinic.box("web01")
    clinic.ask("ann", default_domain="CORP").is_well()
    assert clinic.ask("anna", user_map="anna:CORP\\ann").is_well().notes("mapping") == ["user_map makes CORP\\ann"]
    secret = clinic.secret("oauth", OAUTH_SECRET)
    oauth = {"api_key_file": None, "oauth_client_id": OAUTH_ID, "oauth_client_secret_file": secret}
    clinic.ask("ann", **oauth).failed("configuration", "oauth_shared_identity")
    oauth["oauth_shared_identity"] = "yes"
    (note,) = clinic.ask("ann", **oauth).is_well().notes("mapping")
    assert "every PRA user acts as the application user" in note
    wrong = clinic.secret("oauth", "something else")
    clinic.ask("ann", **{**oauth, "oauth_client_secret_file": wrong}).failed(
        "sign_in", "OAuth", "secret")


# ---- configuration, secrets, mapping ----

def test_configuration_with_a_mistake(clinic):
    path = clinic.configure(sesion_idle="5m")
    clinic.ask(conf=path).failed("configuration", "sesion_idle", "did you mean `session_idle`", "jumpgate check")


def test_vault_that_is_not_there(clinic):
    clinic.ask(words=("--vault", "nowhere")).failed("configuration", "--vault main")


def test_empty_secret(clinic):
    clinic.configure()
    clinic.ask(api_key_file=clinic.secret("empty", "\n")).failed("configuration", "api_key_file")


def test_local_user_without_domain(clinic):
    finding = clinic.ask("ann").failed("mapping", "without a domain", "default_domain")
    assert finding.stages["dns"]["state"] == "unknown"


def test_a_name_that_is_refused(clinic):
    clinic.ask("CORP\\an\u200bn").failed("mapping", "the gateway refuses this user", "letters without width")
    clinic.ask("CORP\\x\\ann").failed("mapping", "the gateway refuses this user", "backslash")
    keys = {"run_as": "{username} {domain}\\{username}"}
    clinic.ask("CO;RP\\ann", run_as="{domain}\\{username} {username}").failed(
        "mapping", "the domain must not contain a semicolon", "user_map")
    finding = clinic.ask("CO;RP\\dan", **keys)
    assert "no further rule is tried" in finding.stages["mapping"]["notes"][1]


# ---- the way to the vault ----

def test_wrong_host_name(clinic):
    clinic.ask(url="https://vault.invalid/BeyondTrust/api/public/v3").failed("dns", "vault.invalid", "does not resolve")


def test_closed_port(clinic):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refuses, and no other process gets it
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/BeyondTrust/api/public/v3"
        clinic.ask(url=url).failed("tcp", "nothing listens on port", "firewall")


def test_untrusted_ca(tmp_path, authority):
    other = Authority(tmp_path / "other", "untrusted")
    with tls_clinic(tmp_path, authority.server("unknown-ca")) as clinic:
        finding = clinic.ask(ca_file=other.certificate).failed("tls", "does not trust", "CA certificate")
        assert any("ca of the tests" in note for note in finding.notes("tls"))
        clinic.ask().failed("tls", "does not trust", "`ca_file` in [vault main]")


def test_wrong_name(tmp_path, authority):
    pair = authority.server("elsewhere", sans=("DNS:vault.acme.test",))
    with tls_clinic(tmp_path, pair) as clinic:
        named = clinic.vault.url.replace("127.0.0.1", "localhost")
        for url in (clinic.vault.url, named):
            clinic.ask(url=url, ca_file=authority.certificate).failed("tls", "wrong name", "made for: vault.acme.test")


def test_expired_certificate(tmp_path, authority):
    with tls_clinic(tmp_path, authority.server("old", expired=True)) as clinic:
        clinic.ask(ca_file=authority.certificate).failed("tls", "has expired", "2024-02-01", "renew it")


def test_tls_spoken_to_a_server_without_it(clinic):
    url = clinic.vault.url.replace("http:", "https:")
    clinic.ask(url=url).failed("tls", "does not speak TLS")


# ---- API and licence ----

def test_wrong_path(clinic):
    clinic.box("web01")
    clinic.ask(url=clinic.vault.url.replace("/v3", "/v2")).failed("api", "path of `url`", "/BeyondTrust/api/public/v3")


def test_version_disabled(clinic):
    clinic.vault.fault("status", call=SIGN_IN, status=410)
    clinic.ask().failed("api", "disabled", "410")


def test_no_licence(clinic):
    clinic.vault.fault("status", call=SIGN_IN, status=403)
    finding = clinic.ask().failed("sign_in", "licence")
    assert "licence" in finding.stages["sign_in"]["cause"]
    assert [note for note in finding.notes("sign_in") if note.startswith("this is it")] != []


def test_vault_that_fails(clinic):
    clinic.vault.fault("html500", call=SIGN_IN)
    clinic.ask().failed("sign_in", "500", "cannot do its work")


@pytest.mark.parametrize("status", [200, 401, 403])
def test_page_in_the_vaults_place_is_no_refusal(clinic, status):
    clinic.vault.fault("page", call=SIGN_IN, status=status)
    finding = clinic.ask().failed("sign_in", "HTML page", "answers in the vault's place")
    assert not [note for note in finding.notes("sign_in") if note.startswith("possible")]


def test_401_after_a_sign_in_is_no_refusal(clinic):
    clinic.vault.fault("lost_session", call="GET ManagedAccounts")
    finding = clinic.ask().failed("sign_in", "let the user sign in", "stickiness")
    assert not [note for note in finding.notes("sign_in") if note.startswith("possible")]


# ---- sign-in ----

def eight_causes(finding):
    notes = [note for note in finding.notes("sign_in")
             if note.split(":")[0] in ("ruled out", "unlikely", "possible", "this is it")]
    assert len(notes) == 8, notes
    return {note.partition(": ")[2][:30]: note.partition(": ")[0] for note in notes}


def test_wrong_key(clinic):
    wrong = clinic.secret("wrong", OTHER_KEY)
    finding = clinic.ask(api_key_file=wrong, directory_user="CORP\\bob").failed("sign_in", "API key is wrong", "refused as")
    assert finding.stages["sign_in"]["cause"].startswith("the API key is wrong")
    assert list(eight_causes(finding).values()).count("ruled out") == 2


def test_unknown_user(clinic):
    finding = clinic.ask("CORP\\nobody", directory_user="CORP\\bob").failed(
        "sign_in", "does not know the user by this name", "let in with the same key")
    causes = eight_causes(finding)
    assert causes["the API key is wrong, was rotat"[:30]] == "ruled out"


def test_user_in_no_group_with_the_key(clinic):
    finding = clinic.ask("CORP\\outsider", directory_user="CORP\\bob").failed("sign_in", "no group with this API")
    assert finding.stages["sign_in"]["cause"].startswith("the user is in no group with this API registration")


def test_without_a_witness_all_that_is_possible_is_listed(clinic):
    finding = clinic.ask("CORP\\outsider").failed("sign_in", "A directory_user in the configuration")
    assert list(eight_causes(finding).values()).count("possible") == 6


def test_mfa(clinic):
    finding = clinic.ask("CORP\\mfa").failed("sign_in", "MFA", "Enforce multi-factor authentication")
    assert list(eight_causes(finding).values()).count("ruled out") == 7


# ---- role, list ----

def test_user_without_role(clinic):
    clinic.box("web01")
    clinic.ask("CORP\\guest").failed("role", "Requestor role", "empty list", "API enabled")


def test_user_of_more_accounts_than_fit(tmp_path):
    """A find asks for one host at a time: it succeeds, and so the stages that follow are looked at."""
    with Simulator("--users", 0, "--systems", 0, api_key=API_KEY) as vault:
        vault.scenario(PEOPLE)
        clinic = Clinic(vault, tmp_path)
        for number in range(30):
            clinic.box(f"web{number:02}")
        finding = clinic.ask(max_answer="4k").warns("role", "`max_answer`", "one host at a time")
        assert {finding.stages[stage]["state"] for stage in ("list", "policy")} == {"ok"}, finding.page
        clinic.ask(host="absent", max_answer="4k").failed("list", "empty list")


def test_account_without_the_api_flag(clinic):
    clinic.box("flagless", api_enabled=False)
    clinic.ask(host="flagless").failed("list", "empty list", "not enabled for API access", "API enabled")


def test_unknown_host(clinic):
    clinic.box("web01")
    clinic.ask(host="zzzzzzzzzzzz").failed("list", "empty list", "no system of this name")


def test_host_with_another_name_in_the_vault(clinic):
    clinic.box("accounting-db7")
    finding = clinic.ask(host="acounting-db7").failed("list", "the name differs", "accounting-db7")
    assert "nearest system of this user: accounting-db7" in finding.notes("list")


def test_directory_user_tells_the_flag_from_the_name(clinic):
    clinic.vault.change("groups", id=60, name="readers", permissions=["systems"], registration=True)
    clinic.vault.change("users", id=460, name="CORP\\reader", groups=["readers"])
    clinic.box("forgotten", api_enabled=False)
    finding = clinic.ask(host="forgotten", directory_user="CORP\\reader").failed(
        "list", "the vault has the system, but no account on it", "API enabled")
    assert "directory_user CORP\\reader: the vault has this system" in finding.notes("list")
    clinic.ask(host="qqqqqqqqqqqq", directory_user="CORP\\reader").failed("list", "no managed system under this name")


def test_accounts_that_are_hidden(clinic):
    clinic.box("shy")
    clinic.ask(host="shy", hide="ro*").failed("list", "none is shown", "`hide` in [vault main]")
    clinic.ask(host="shy", hide="nobody").is_well()


def test_forms_of_the_name(clinic):
    clinic.box("web01")
    finding = clinic.ask(host="web01.corp.test").is_well()
    told = " ".join(finding.notes("list"))
    assert 'hostname "web01.corp.test": 0 local' in told and 'short_name "web01":' in told


# ---- policy ----

def test_policy_that_wants_a_reason(clinic):
    clinic.box("secretive", rule="reason")
    clinic.ask(host="secretive").failed("policy", "wants a reason", "`reason` is not configured")
    clinic.ask(host="secretive", reason="PRA session {session}").is_well()


def test_policy_that_wants_an_approval_or_a_ticket(clinic):
    clinic.box("guarded", rule="approval")
    clinic.ask(host="guarded").failed("policy", "wants an approval", "automatic approval")
    clinic.box("ticketed", rule="ticket")
    clinic.ask(host="ticketed").failed("policy", "wants a ticket")


# ---- clock ----

class Skewed(http.server.BaseHTTPRequestHandler):
    """Hands every call on to the vault and puts another date on the answer."""

    protocol_version = "HTTP/1.1"

    def pass_on(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        connection = self.server.vault.connect()
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")}
        connection.request(self.command, self.path, body if length or self.command == "POST" else None, headers)
        answer = connection.getresponse()
        data = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("date", "content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Date", self.date_time_string(time.time() + self.server.ahead))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        connection.close()

    do_GET = do_POST = do_PUT = pass_on

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("ahead,words", [(600, "seconds ahead of"), (-600, "seconds behind")])
def test_clock_skew(clinic, ahead, words):
    clinic.box("web01")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Skewed)
    server.daemon_threads = True
    server.vault, server.ahead = clinic.vault, ahead
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/BeyondTrust/api/public/v3"
        clinic.ask(url=url).failed("clock", words, "time server", "timedatectl")
    finally:
        server.shutdown()
        server.server_close()


# ---- the command line ----

def test_usage(clinic):
    path = clinic.configure()
    for words in ((), ("--user", "ann"), ("--host", "web01"), ("--user", "", "--host", "x")):
        done = doctor("-c", path, *words)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert "--host" in done.stderr
    assert doctor("-c", path, "--user", "a", "--host", "b", "--hots", "c").returncode == 2
