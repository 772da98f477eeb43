"""The simulator against eleven worked sequences of requests and answers, byte for byte.

Requests are sent as printed below over a raw socket; of the answers the status line, every header but the server's
own (Date, Connection) and the body must be exactly those printed. `K1…` stands for the real key.
"""

import socket

import pytest

from simulator import KEY, Simulator

COOKIE = "Cookie: ASP.NET_SessionId=q3v0mzt1h2xk5c4n"
OWN_HEADERS = {"date", "connection", "server", "keep-alive"}


@pytest.fixture(name="vault")
def _vault():
    with Simulator("--fixture", "worked") as vault:
        vault.clock(frozen=True, wall="2026-03-10T09:00:12.5")
        yield vault


def parse(text):
    head, body = text.split("\n\n", 1)
    lines = head.split("\n")
    return lines[0], sorted(lines[1:]), body.rstrip("\n")


def send(vault, text):
    """Sends a request as printed; returns status line, sorted headers, body."""
    head, body = text.strip("\n").split("\n\n", 1) if "\n\n" in text.strip("\n") else (text.strip("\n"), "")
    data = (head.replace("K1…", KEY) + "\n\n").replace("\n", "\r\n").encode() + body.encode()
    with socket.create_connection((vault.host, vault.port), 30) as s:
        s.sendall(data)
        return read_answer(s)


def read_answer(s):
    data = b""
    while b"\r\n\r\n" not in data:
        part = s.recv(65536)
        assert part, f"closed in the head: {data!r}"
        data += part
    head, body = data.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    length = next((int(l.split(":")[1]) for l in lines if l.lower().startswith("content-length:")), 0)
    while len(body) < length:
        part = s.recv(65536)
        assert part, "closed in the body"
        body += part
    headers = sorted(l for l in lines[1:] if l.split(":")[0].lower() not in OWN_HEADERS)
    return lines[0], headers, body.decode()


def exchange(vault, request, answer):
    got = send(vault, request)
    assert got == parse(answer.lstrip("\n") if "\n\n" in answer.strip("\n") else answer.strip("\n") + "\n\n")


def sign_in(vault, user=r"ACME\mrivera"):
    line, headers, _ = send(vault, f"""
POST /BeyondTrust/api/public/v3/Auth/SignAppin HTTP/1.1
Host: vault.example.test
Authorization: PS-Auth key=K1…; runas={user};
Content-Length: 0
""")
    assert line == "HTTP/1.1 200 OK"
    return next(h for h in headers if h.startswith("Set-Cookie")).split("=", 1)[1].split(";")[0]


def post_request(body, cookie=COOKIE):
    return f"""
POST /BeyondTrust/api/public/v3/Requests HTTP/1.1
Host: vault.example.test
{cookie}
Content-Type: application/json
Content-Length: {len(body)}

{body}"""


def number(status, value):
    return f"""
HTTP/1.1 {status}
Content-Type: application/json; charset=utf-8
Content-Length: {len(value)}

{value}"""


def get(path, cookie=COOKIE):
    return f"""
GET /BeyondTrust/api/public/v3/{path} HTTP/1.1
Host: vault.example.test
{cookie}
"""


def test_s1_plain_run(vault):
    exchange(vault, """
POST /BeyondTrust/api/public/v3/Auth/SignAppin HTTP/1.1
Host: vault.example.test
Authorization: PS-Auth key=K1…; runas=ACME\\mrivera;
Content-Type: application/json
Content-Length: 0
""", """
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Set-Cookie: ASP.NET_SessionId=q3v0mzt1h2xk5c4n; path=/; secure; HttpOnly; SameSite=None
Content-Length: 132

{"UserId":41,"SID":"S-1-5-21-111-222-333-1107","EmailAddress":"m.rivera@acme.test","UserName":"ACME\\\\mrivera","Name":"Maria Rivera"}""")
    exchange(vault, get("ManagedAccounts?systemName=ledger01&type=system&limit=1000&offset=0"), """
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 483

[{"PlatformID":2,"SystemId":17,"SystemName":"ledger01","InstanceName":"","DomainName":null,"AccountId":203,"AccountName":"root","UserPrincipalName":null,"ApplicationID":null,"ApplicationDisplayName":null,"DefaultReleaseDuration":120,"MaximumReleaseDuration":525600,"LastChangeDate":"2026-03-02T21:14:07.32","NextChangeDate":"2026-04-01T23:30:00","ChangeState":0,"IsChanging":false,"IsISAAccess":false,"PreferredNodeID":"6f0d2f0c-1111-4a7e-8d55-0a1b2c3d4e5f","AccountDescription":""}]""")
    exchange(vault, """
POST /BeyondTrust/api/public/v3/Requests HTTP/1.1
Host: vault.example.test
Cookie: ASP.NET_SessionId=q3v0mzt1h2xk5c4n
Content-Type: application/json
Content-Length: 125

{"AccessType":"View","SystemID":17,"AccountID":203,"DurationMinutes":60,"Reason":"PRA session 7c1e","ConflictOption":"reuse"}""",
             number("201 Created", "9114"))
    exchange(vault, get("Credentials/9114?type=password"), """
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 20

"Tr0ut\\\\lamp\\"42&co\"""")
    exchange(vault, """
PUT /BeyondTrust/api/public/v3/Requests/9114/Checkin HTTP/1.1
Host: vault.example.test
Cookie: ASP.NET_SessionId=q3v0mzt1h2xk5c4n
Content-Type: application/json
Content-Length: 35

{"Reason":"PRA session 7c1e ended"}""", "HTTP/1.1 204 No Content")
    exchange(vault, """
POST /BeyondTrust/api/public/v3/Auth/Signout HTTP/1.1
Host: vault.example.test
Cookie: ASP.NET_SessionId=q3v0mzt1h2xk5c4n
Content-Length: 0
""", """
HTTP/1.1 200 OK
Content-Length: 0

""")
    assert vault.active() == []


def test_s1_other_dialect(vault):
    vault.knob(12, "stj")
    sign_in(vault)
    send(vault, post_request('{"SystemID":17,"AccountID":203,"DurationMinutes":60}'))
    exchange(vault, get("Credentials/9114"), """
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 29

"Tr0ut\\\\lamp\\u002242\\u0026co\"""")


def test_s2_conflict_then_reuse(vault):
    sign_in(vault)
    bare = '{"SystemID":17,"AccountID":203,"DurationMinutes":60}'
    reuse = '{"SystemID":17,"AccountID":203,"DurationMinutes":60,"ConflictOption":"reuse"}'
    assert (len(bare), len(reuse)) == (52, 77)
    exchange(vault, post_request(bare), number("201 Created", "9114"))
    exchange(vault, post_request(bare), number("409 Conflict", "4091"))
    exchange(vault, post_request(reuse), number("200 OK", "9114"))
    other = "Cookie: ASP.NET_SessionId=" + sign_in(vault, r"ACME\jdoe")
    for body in (bare, reuse, reuse.replace("reuse", "renew")):
        exchange(vault, post_request(body, other), number("409 Conflict", "4091"))
    vault.settings(next_request_id=9131)
    exchange(vault, post_request(reuse.replace("reuse", "renew")), number("201 Created", "9131"))
    assert send(vault, get("Credentials/9114"))[0] == "HTTP/1.1 404 Not Found"
    assert vault.active() == [9131]


PENDING = """
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 364

[{"RequestID":9120,"SystemID":22,"SystemName":"pay-db2","AccountID":310,"AccountName":"oracle","DomainName":null,"AliasID":null,"ApplicationID":null,"RequestReleaseDate":"2026-03-10T09:00:12.5","ApprovedDate":null,"CanceledDate":null,"ExpiresDate":"2026-03-10T09:30:12.5","Status":"Pending","AccessType":"View","Reason":"CHG-5521","RequestorName":"ACME\\\\mrivera"}]"""


def pend(vault):
    vault.settings(next_request_id=9120)
    sign_in(vault)
    body = ('{"AccessType":"View","SystemID":22,"AccountID":310,"DurationMinutes":30,"Reason":"CHG-5521",'
            '"ConflictOption":"reuse"}')
    assert len(body) == 117
    exchange(vault, post_request(body), number("201 Created", "9120"))


def test_s3_approval(vault):
    pend(vault)
    exchange(vault, get("Credentials/9120"), number("403 Forbidden", "4034"))
    exchange(vault, get("Requests?status=pending&queue=req"), PENDING)
    assert sign_in(vault, r"ACME\boss") == "zz81approver0session"
    exchange(vault, """
PUT /BeyondTrust/api/public/v3/Requests/9120/Approve HTTP/1.1
Host: vault.example.test
Cookie: ASP.NET_SessionId=zz81approver0session
Content-Type: application/json
Content-Length: 15

{"Reason":"ok"}""", "HTTP/1.1 204 No Content")
    assert send(vault, get("Credentials/9120"))[0] == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("knob, line", [("404", "HTTP/1.1 404 Not Found"), ("403", "HTTP/1.1 403 Forbidden")])
def test_s3_denied(vault, knob, line):
    vault.knob(13, knob)
    pend(vault)
    vault.deny(9120)
    for status in ("pending", "active", "all"):
        assert send(vault, get(f"Requests?status={status}"))[2] == "[]"
    assert send(vault, get("Credentials/9120"))[0] == line


def test_s4_domain_linked(vault):
    vault.settings(next_request_id=9140)
    sign_in(vault)
    row = ('{"PlatformID":25,"SystemId":31,"SystemName":"web07","InstanceName":"","DomainName":"acme.test","AccountId":'
           '507,"AccountName":"adm-mrivera","UserPrincipalName":"adm-mrivera@acme.test","ApplicationID":null,'
           '"ApplicationDisplayName":null,"DefaultReleaseDuration":120,"MaximumReleaseDuration":480,"LastChangeDate":'
           '"2026-03-01T23:30:41.2","NextChangeDate":null,"ChangeState":0,"IsChanging":false,"IsISAAccess":false,'
           '"PreferredNodeID":"6f0d2f0c-1111-4a7e-8d55-0a1b2c3d4e5f","AccountDescription":"tier 1"}')
    assert len(row) == 497
    exchange(vault, get("ManagedAccounts?systemName=web07&type=domainlinked"),
             number("200 OK", f"[{row}]"))
    for name in ("acme.test%5Cadm-mrivera", "adm-mrivera@acme.test", "ACME.TEST%5CADM-mrivera"):
        exchange(vault, get(f"ManagedAccounts?systemName=web07&accountName={name}"), number("200 OK", row))
    exchange(vault, get("ManagedAccounts?systemName=web07&accountName=adm-mrivera"), """
HTTP/1.1 404 Not Found
Content-Type: application/json; charset=utf-8
Content-Length: 27

"Managed Account not found\"""")
    body = '{"AccessType":"View","SystemID":31,"AccountID":507,"DurationMinutes":60,"ConflictOption":"reuse"}'
    assert len(body) == 97
    exchange(vault, post_request(body), number("201 Created", "9140"))


def test_s5_ssh_key(vault):
    vault.settings(next_request_id=9150)
    sign_in(vault)
    exchange(vault, post_request('{"SystemID":40,"AccountID":410,"DurationMinutes":60}'),
             number("201 Created", "9150"))
    exchange(vault, get("Credentials/9150?type=dsskey"), """
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 178

"-----BEGIN RSA PRIVATE KEY-----\\r\\nProc-Type: 4,ENCRYPTED\\r\\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\\r\\n\\r\\nTUFERS1VUC1CT0RZ\\r\\n-----END RSA PRIVATE KEY-----\\r\\n\"""")
    exchange(vault, get("Credentials/9150?type=passphrase"), """
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 15

"plum-Orbit-77\"""")


def test_s6_session_expires(vault):
    sign_in(vault)
    exchange(vault, post_request('{"SystemID":17,"AccountID":203,"DurationMinutes":60}'),
             number("201 Created", "9114"))
    vault.clock(advance_ms=20 * 60 * 1000)
    exchange(vault, get("Credentials/9114"), """
HTTP/1.1 401 Unauthorized
Content-Type: application/json; charset=utf-8
Content-Length: 24

"User not authenticated\"""")
    fresh = sign_in(vault)
    assert fresh != "q3v0mzt1h2xk5c4n"
    line, _, body = send(vault, get("Credentials/9114", f"Cookie: ASP.NET_SessionId={fresh}"))
    assert (line, body) == ("HTTP/1.1 200 OK", '"Tr0ut\\\\lamp\\"42&co"')


def test_s7_second_factor(vault):
    vault.settings(require_user_password=True)
    exchange(vault, """
POST /BeyondTrust/api/public/v3/Auth/SignAppin HTTP/1.1
Host: vault.example.test
Authorization: PS-Auth key=K1…; runas=ACME\\tkoh; pwd=[winter Sun 9];
Content-Length: 0
""", """
HTTP/1.1 401 Unauthorized
WWW-Authenticate-2FA: Enter your one-time code
Set-Cookie: ASP.NET_SessionId=m77qf0challenge; path=/; secure; HttpOnly; SameSite=None
Content-Length: 0

""")
    second = """
POST /BeyondTrust/api/public/v3/Auth/SignAppin HTTP/1.1
Host: vault.example.test
Cookie: ASP.NET_SessionId=m77qf0challenge
Authorization: PS-Auth key=K1…; runas=ACME\\tkoh; pwd=[winter Sun 9]; challenge=402117;
Content-Length: 0
"""
    assert send(vault, second.replace("402117", "000000"))[0] == "HTTP/1.1 401 Unauthorized"
    assert send(vault, get("Requests", "Cookie: ASP.NET_SessionId=m77qf0challenge"))[0] == \
        "HTTP/1.1 401 Unauthorized"
    exchange(vault, second, """
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 84

{"UserId":58,"SID":null,"EmailAddress":null,"UserName":"ACME\\\\tkoh","Name":"T. Koh"}""")
    assert send(vault, get("Requests", "Cookie: ASP.NET_SessionId=m77qf0challenge"))[2] == "[]"


def test_s8_account_without_api_access(vault):
    sign_in(vault)
    assert '"backup"' not in send(vault, get("ManagedAccounts"))[2]
    exchange(vault, get("ManagedAccounts?systemName=ledger01&accountName=backup"), """
HTTP/1.1 404 Not Found
Content-Type: application/json; charset=utf-8
Content-Length: 27

"Managed Account not found\"""")
    exchange(vault, post_request(
        '{"SystemID":17,"AccountID":204,"DurationMinutes":60,"ConflictOption":"reuse"}'),
             number("403 Forbidden", "4031"))


def test_s9_outsider(vault):
    exchange(vault, """
POST /BeyondTrust/api/public/v3/Auth/SignAppin HTTP/1.1
Host: vault.example.test
Authorization: PS-Auth key=K1…; runas=ACME\\outsider;
Content-Length: 0
""", """
HTTP/1.1 401 Unauthorized
Content-Length: 0

""")
    guest = "Cookie: ASP.NET_SessionId=" + sign_in(vault, r"ACME\guest")
    exchange(vault, get("ManagedAccounts", guest), number("200 OK", "[]"))
    exchange(vault, post_request('{"SystemID":17,"AccountID":203,"DurationMinutes":60}', guest),
             number("403 Forbidden", "4031"))


def test_s10_oauth(vault):
    exchange(vault, """
POST /BeyondTrust/api/public/v3/Auth/connect/token HTTP/1.1
Host: vault.example.test
Content-Type: application/x-www-form-urlencoded
Content-Length: 84

client_id=6b1f0c52-aaaa-bbbb&client_secret=s%2Bcr%2Fet&grant_type=client_credentials""", """
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 108

{"access_token":"eyJhbGciOiJSUzI1NiJ9.e30.c2ln","expires_in":3600,"token_type":"Bearer","scope":"publicapi"}""")
    line, headers, body = send(vault, """
POST /BeyondTrust/api/public/v3/Auth/SignAppIn HTTP/1.1
Host: vault.example.test
Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln
Content-Type: application/json
Content-Length: 0
""")
    assert line == "HTTP/1.1 200 OK" and '"UserName":"pra-gateway"' in body
    cookie = next(h for h in headers if h.startswith("Set-Cookie: ASP.NET_SessionId="))
    name = cookie.removeprefix("Set-Cookie: ").split(";")[0]
    assert send(vault, get("Requests", f"Cookie: {name}"))[2] == "[]"


def test_s11_released(vault):
    sign_in(vault)
    send(vault, post_request('{"SystemID":17,"AccountID":203,"DurationMinutes":60}'))
    gone = """
HTTP/1.1 404 Not Found
Content-Type: application/json; charset=utf-8
Content-Length: 41

"Request has been released or is expired\""""
    assert send(vault, get("Credentials/9114"))[0] == "HTTP/1.1 200 OK"
    vault.clock(advance_ms=10 * 60 * 1000)
    sign_in(vault)  # the second sign-in has a cookie of its own; the first one is still good
    vault.clock(advance_ms=10 * 60 * 1000 - 1)
    assert send(vault, get("Credentials/9114"))[0] == "HTTP/1.1 200 OK"
    for _ in range(3):
        vault.clock(advance_ms=15 * 60 * 1000)
        send(vault, get("Requests"))
    exchange(vault, get("Credentials/9114"), gone)
    assert vault.state()["requests"]["expired"] == 1
