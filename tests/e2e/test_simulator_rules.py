"""The simulator's rules for any call: routes, sign-in, lists, the session lock, administration, TLS.

What is expected here is the vendor's behaviour, not what the gateway sends.
"""

import concurrent.futures
import http.client
import json
import urllib.parse

import pytest

from certificates import Authority
from simulator import BASE, BOSS, JDOE, KEY, MARIA, SECRET, Simulator, is_code, until


# ---- any call ----

def test_routes(vault, maria):
    assert maria.get("Nonsense").status == 404
    assert maria.call("DELETE", "Requests").status == 405
    assert vault.anonymous().get("Nonsense").status == 404
    assert maria.get("managedaccounts/").status == 200
    connection = vault.connect()
    connection.request("GET", "/beyondtrust/API/Public/V3/REQUESTS", headers={
        "Cookie": f"ASP.NET_SessionId={maria.cookie}"})
    assert connection.getresponse().read() == b"[]"
    connection.close()


def test_session_before_body(vault):
    answer = vault.anonymous().call("POST", "Requests", raw=b"<xml/>", headers={"Content-Type": "text/xml"})
    assert (answer.status, answer.json) == (401, "User not authenticated")


def test_media_type_before_content(maria):
    assert maria.call("POST", "Requests", raw=b"{", headers={"Content-Type": "text/xml"}).status == 415
    assert maria.call("POST", "Requests", raw=b"{").status == 400
    assert maria.call("POST", "Requests", raw=b"[]").status == 400
    assert maria.call("POST", "Requests", raw=b"").status == 400


def test_post_without_length(vault):
    answer = vault.raw(f"POST {BASE}/Auth/Signout HTTP/1.1\r\nHost: v\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 411 ")


def test_one_cookie_line(vault, maria):
    good = f"ASP.NET_SessionId={maria.cookie}"
    for line, status in ((good, 200), (f"a=1; {good}; b=2", 200), (f"{good}; path=/; HttpOnly", 401), ("a=1", 401)):
        assert maria.call("GET", "Requests", headers={"Cookie": line}).status == status
    two = vault.raw(f"GET {BASE}/Requests HTTP/1.1\r\nHost: v\r\nCookie: {good}\r\nCookie: a=1\r\n"
                    "Connection: close\r\n\r\n".encode())
    assert two.startswith(b"HTTP/1.1 401 ")


def test_header_alone_is_no_session(vault):
    answer = vault.anonymous().call("GET", "Requests", headers={"Authorization": f"PS-Auth key={KEY}; runas={MARIA};"})
    assert answer.status == 401


def test_permissions(vault, maria):
    for path in ("ManagedSystems", "Users", "UserGroups", "AccessPolicies"):
        assert is_code(maria.get(path), 4031), path
    reader = vault.sign_in("svc-directory")
    assert reader.get("AccessPolicies").status == 200
    assert reader.get("Users", username=MARIA).json[0]["UserID"] == 41
    assert reader.get("Users/41/UserGroups").json[0]["Name"] == "Secure Remote Access Requesters"
    assert [u["UserID"] for u in reader.get("UserGroups/2/Users").json] == [50]


# ---- sign-in ----

@pytest.mark.parametrize("header, status", [
    ("PS-Auth key={k}; runas=ACME\\mrivera;", 200),
    ("PS-Auth key={k};runas=acme\\MRIVERA", 200),
    ("PS-Auth key={k}; runas=m.rivera@acme.test", 200),
    ("PS-Auth key={k}; runas=ACME\\\\mrivera;", 401),
    ("PS-Auth key=wrong; runas=ACME\\mrivera;", 401),
    ("PS-Auth key={k}; runas=nobody;", 401),
    ("PS-Auth key={k};", 401),
    ("PS-Auth runas=ACME\\mrivera; key={k};", 200),
    ("Bearer nonsense", 401),
    ("Basic eDp5", 401),
])
def test_sign_in_header(vault, header, status):
    answer = vault.anonymous().post("Auth/SignAppin", headers={"Authorization": header.format(k=KEY)})
    assert answer.status == status
    assert status == 200 or answer.body == b""


def test_password_in_brackets(vault):
    vault.settings(require_user_password=True)
    for extra, status in (("pwd=[ma;ria]x];", 200), ("pwd=[wrong];", 401), ("", 401)):
        answer = vault.anonymous().post("Auth/SignAppin", headers={
            "Authorization": f"PS-Auth key={KEY}; runas={MARIA}; {extra}"})
        assert answer.status == status, extra
    vault.knob(3, "first")
    vault.change("users", id=41, password="ma;ria")
    vault.sign_in(MARIA, " pwd=[ma;ria]x];")


def test_disabled_quarantined_and_inactive(vault):
    def status():
        return vault.anonymous().post("Auth/SignAppin", headers={
            "Authorization": f"PS-Auth key={KEY}; runas={MARIA};"}).status

    for change in ({"enabled": False}, {"quarantined": True}, {"groups": ["No key"]}):
        assert status() == 200
        vault.change("users", id=41, **change)
        assert status() == 401
        vault.change("users", id=41, enabled=True, quarantined=False, groups=["Secure Remote Access Requesters"])
    vault.settings(registration_active=False)
    assert status() == 401
    vault.settings(registration_active=True, allow_from="192.0.2.1")
    assert status() == 401
    vault.settings(allow_from="127.0.0.1")
    assert status() == 200


def test_second_sign_in_keeps_or_changes_the_cookie(vault, maria):
    header = {"Authorization": f"PS-Auth key={KEY}; runas={JDOE};"}
    again = maria.post("Auth/SignAppin", headers=header)
    assert again.header("Set-Cookie") is None and again.json["UserId"] == 42
    maria.request(17, 203)
    assert vault.state()["active"][0]["user"] == JDOE
    vault.knob(18, "no")
    again = maria.post("Auth/SignAppin", headers=header)
    assert again.header("Set-Cookie") is not None
    assert maria.get("Requests").status == 401


def test_signout(vault, maria):
    maria.request(17, 203)
    assert maria.post("Auth/Signout").status == 200
    assert maria.get("Requests").status == 401
    assert len(vault.active()) == 1  # signing out releases nothing
    assert maria.post("Auth/Signout").status == 200
    vault.knob(4, "401")
    assert maria.post("Auth/Signout").status == 401


def test_idle_is_sliding(vault, maria):
    vault.clock(frozen=True)
    for _ in range(3):
        vault.clock(advance_ms=19 * 60000)
        assert maria.get("Requests").status == 200
    vault.clock(advance_ms=20 * 60000)
    assert maria.get("Requests").status == 401


def test_verification_cookie():
    with Simulator("--fixture", "worked", "--verification-cookie") as vault:
        maria = vault.sign_in(MARIA)
        assert maria.get("Requests").status == 401
        both = f"ASP.NET_SessionId={maria.cookie}; __RequestVerificationToken=v{maria.cookie}"
        assert maria.call("GET", "Requests", headers={"Cookie": both}).status == 200


def test_header_always_setting(vault, maria):
    vault.knob(16, "yes")
    assert maria.get("Requests").status == 401
    for user, status in ((MARIA, 200), (JDOE, 401)):
        assert maria.call("GET", "Requests",
                          headers={"Authorization": f"PS-Auth key={KEY}; runas={user};"}).status == status


def token(vault, **form):
    fields = {"grant_type": "client_credentials", "client_id": "6b1f0c52-aaaa-bbbb", "client_secret": "s+cr/et"}
    fields.update(form)
    return vault.anonymous().call("POST", "Auth/Connect/Token", raw=urllib.parse.urlencode(fields).encode(),
                                  headers={"Content-Type": "application/x-www-form-urlencoded"})


def test_tokens(vault):
    assert (token(vault, client_secret="no").status, token(vault, client_secret="no").json) == \
        (401, {"error": "invalid_client"})
    assert token(vault, grant_type="password").status == 400
    text = token(vault).json["access_token"]
    session = vault.anonymous()
    bearer = {"Authorization": f"Bearer {text}"}
    answer = session.post("Auth/SignAppIn", headers=bearer)
    session.cookie = answer.header("Set-Cookie").split(";")[0].split("=", 1)[1]
    vault.clock(frozen=True)
    for _ in range(4):
        vault.clock(advance_ms=15 * 60000)
        assert session.get("Requests").status == 200
    vault.clock(advance_ms=60000)
    assert vault.anonymous().post("Auth/SignAppIn", headers=bearer).status == 401
    assert session.get("Requests").status == 200
    vault.knob(5, "yes")
    assert session.get("Requests").status == 401


# ---- lists ----

def test_list_or_object(vault, maria):
    assert isinstance(maria.get("ManagedAccounts", systemName="ledger01").json, list)
    assert isinstance(maria.get("ManagedAccounts", accountName="root").json, list)
    assert maria.get("ManagedAccounts", systemName="LEDGER01", accountName="ROOT").json["AccountId"] == 203
    assert maria.get("ManagedAccounts", systemName="ledger01", accountName="nobody").status == 404
    domain = "acme.test\\adm-mrivera"
    assert [r["SystemId"] for r in maria.get("ManagedAccounts", accountName=domain).json] == [31, 32]
    assert maria.get("ManagedAccounts", accountName="adm-mrivera").json == []
    vault.knob(6, "object")
    assert maria.get("ManagedAccounts", accountName=domain).json["SystemId"] == 31


@pytest.mark.parametrize("query, status", [
    ({"type": "nonsense"}, 400), ({"limit": "-1"}, 400), ({"offset": "x"}, 400), ({"systemID": "x"}, 400),
    ({"ipAddress": "10.20.0.17"}, 400), ({"ipAddress": "10.20.0.17", "type": "application"}, 400),
    ({"applicationDisplayName": "x"}, 400), ({"applicationDisplayName": "x", "type": "application"}, 200),
    ({"ipAddress": "10.20.0.17", "type": "system"}, 200), ({"limit": "0"}, 200), ({"type": "cloud"}, 200),
])
def test_list_query(maria, query, status):
    assert maria.get("ManagedAccounts", **query).status == status


def test_list_filters(vault, maria):
    def ids(**query):
        return [(r["SystemId"], r["AccountId"]) for r in maria.get("ManagedAccounts", **query).json]

    everything = [(17, 203), (22, 310), (31, 507), (32, 507), (40, 410), (45, 601)]
    assert ids() == everything
    assert ids(type="system") == [(17, 203), (22, 310), (40, 410), (45, 601)]
    assert ids(type="domainlinked") == [(31, 507), (32, 507)]
    assert ids(systemID=31) == ids(ipAddress="10.20.0.31", type="domainlinked") == [(31, 507)]
    assert ids(limit=2, offset=1) == everything[1:3]
    assert ids(offset=6) == []
    assert ids(workgroupName="default") == everything and ids(workgroupName="other") == []
    assert ids(type="recent") == []
    maria.request(17, 203)
    maria.request(31, 507)
    assert ids(type="recent") == [(31, 507), (17, 203)]
    vault.change("accounts", id=203, dedicated_user=42)
    assert ids(systemName="ledger01") == []
    vault.change("accounts", id=203, dedicated_user=41)
    assert ids(systemName="ledger01") == [(17, 203)]
    vault.change("links", system=31, account=507, remove=True)
    assert ids(type="domainlinked") == [(32, 507)]


def test_nothing_requestable_setting(vault):
    guest = vault.sign_in(r"ACME\guest")
    assert guest.get("ManagedAccounts").json == []
    vault.knob(7, "403")
    assert is_code(guest.get("ManagedAccounts"), 4031)


def test_isa_access_shows_in_the_row(vault, maria):
    vault.change("groups", id=2, grants=[{"rule": "servers", "roles": ["isa"]}])
    boss = vault.sign_in(BOSS)
    rows = boss.get("ManagedAccounts", systemName="ledger01").json
    assert rows[0]["IsISAAccess"] is True
    assert maria.get("ManagedAccounts", systemName="ledger01").json[0]["IsISAAccess"] is False
    answer = boss.post("ISARequests?type=password", {"SystemID": 17, "AccountID": 203})
    assert (answer.status, answer.json) == (201, SECRET)
    assert is_code(maria.post("ISARequests", {"SystemID": 17, "AccountID": 203}), 4031)


def test_paging_over_a_thousand():
    with Simulator("--systems", 600, "--users", 2, "--local-accounts", 2, "--domain-links", 0) as vault:
        user = vault.sign_in(r"ACME\user1")
        first = user.get("ManagedAccounts").json
        second = user.get("ManagedAccounts", limit=1000, offset=1000).json
        assert (len(first), len(second)) == (1000, 204)
        pairs = [(r["SystemId"], r["AccountId"]) for r in first + second]
        assert len(set(pairs)) == 1204 and pairs == sorted(pairs)
        reader = vault.sign_in("svc-reader")
        assert isinstance(reader.get("ManagedSystems").json, list)
        page = reader.get("ManagedSystems", limit=100, offset=600).json
        assert (page["TotalCount"], len(page["Data"])) == (605, 5)
        assert reader.get("ManagedSystems", limit=5, offset=9999).json == {"TotalCount": 605, "Data": []}
        assert reader.get("ManagedSystems", name="srv7").json[0]["ManagedSystemID"] == 100007


def test_same_seed_same_data():
    def rows(seed):
        with Simulator("--systems", 5, "--seed", seed) as vault:
            session = vault.sign_in(r"ACME\user1")
            names = [(r["SystemName"], r["AccountName"]) for r in session.get("ManagedAccounts").json]
            return names, vault.account(100025)["password"]

    assert rows(7) == rows(7)
    assert rows(7)[1] != rows(8)[1]


# ---- the session lock ----

def test_calls_of_one_session_follow_one_another(vault, maria):
    vault.fault("hang", call="GET Requests", count=1)
    first, second = vault.connect(), vault.connect()
    header = {"Cookie": f"ASP.NET_SessionId={maria.cookie}"}
    first.request("GET", f"{BASE}/Requests", headers=header)
    until(lambda: vault.counts()["in_flight"] == 1)
    second.request("GET", f"{BASE}/ManagedAccounts?systemName=ledger01", headers=header)
    until(lambda: vault.counts()["in_flight"] == 2)
    assert vault.state()["sessions"][0]["inside"] == 2
    assert vault.sign_in(JDOE).get("Requests").status == 200  # others go on
    assert "GET ManagedAccounts" not in json.dumps(
        {k: v for k, v in vault.counts()["calls"].items() if v["statuses"]})
    first.close()  # the hanging call lets go of the lock
    assert second.getresponse().status == 200
    second.close()
    assert vault.counts()["session_concurrent_max"] == 2


def test_many_at_once(vault):
    vault.latency(20, 20)
    vault.change("accounts", id=203, max_concurrent=0)

    def work(user):
        session = vault.sign_in(user)
        number = session.request(17, 203, ConflictOption="reuse").json
        assert session.get(f"Credentials/{number}").status == 200
        return session.put(f"Requests/{number}/Checkin").status

    vault.scenario({"users": [{"id": 200 + i, "name": f"load{i}", "groups": ["Secure Remote Access Requesters"]}
                              for i in range(20)]})
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert set(pool.map(work, [f"load{i}" for i in range(20)])) == {204}
    assert vault.active() == []


# ---- admin, TLS ----

def test_admin_acts_on_requests(vault, maria):
    number = maria.request(22, 310).json
    vault.approve(number)
    assert vault.active() == [number]
    vault.terminate(number)
    with pytest.raises(RuntimeError, match="409"):
        vault.terminate(number)
    with pytest.raises(RuntimeError, match="404"):
        vault.deny(4)
    assert vault.ask("GET", f"/requests/{number}")["state"] == "terminated"
    assert vault.expire_sessions(JDOE) == 0 and vault.expire_sessions(MARIA) == 1
    assert maria.get("Requests").status == 401


def test_admin_role_removed(vault, maria):
    vault.change("groups", id=1, grants=[])
    assert is_code(maria.request(17, 203), 4031)
    assert maria.get("ManagedAccounts").json == []


def test_state_tells_no_cookie(vault, maria):
    assert maria.cookie not in json.dumps(vault.state())


def test_tls(tmp_path):
    authority = Authority(tmp_path)
    pair = authority.server()
    for extra in ((), ("--tls12",)):
        with Simulator("--fixture", "worked", *extra, tls=pair) as vault:
            assert vault.sign_in(MARIA).get("Requests").json == []


@pytest.mark.parametrize("late", ["off", "on"])
@pytest.mark.parametrize("version", [(), ("--tls12",)])
def test_client_certificate(tmp_path, late, version):
    authority = Authority(tmp_path)
    client, stranger = authority.client(), Authority(tmp_path, "untrusted").client("stranger")
    with Simulator("--fixture", "worked", "--knob", f"2={late}", *version, tls=authority.server(),
                   client_ca=authority.certificate) as vault:
        vault.client = client
        assert vault.sign_in(MARIA).get("Requests").json == []
        for nobody in (None, stranger):
            vault.client = nobody
            with pytest.raises((OSError, http.client.HTTPException, AssertionError)) as refused:
                vault.sign_in(MARIA)
            # Asked late, the absence is the registration's affair: 401. Otherwise there is no connection at all.
            assert (refused.type is AssertionError) == (late == "on" and nobody is None)


def test_ends_cleanly_with_calls_open():
    with Simulator("--fixture", "worked") as vault:
        maria = vault.sign_in(MARIA)
        vault.fault("hang", call="GET Requests")
        waiting = []
        for _ in range(3):
            waiting.append(vault.connect())
            waiting[-1].request("GET", f"{BASE}/Requests", headers={"Cookie": f"ASP.NET_SessionId={maria.cookie}"})
        until(lambda: vault.counts()["in_flight"] == 3)
        vault.stop()  # insists on exit code 0
        for connection in waiting:
            connection.close()
