# SPDX-License-Identifier: Apache-2.0
"""No secret stays: memory, core, logs, state, metrics and errors after 500 check-outs that have all been released.

Half of them come as a JSON string, half in an object. Every password is distinct, awkward to escape, and has the same
two marks, one at its head and one at its tail. So a copy is found in every form (plain, JSON of either dialect), and a
piece of one as well. Tokens and the
API key are looked for in pieces; vault cookies by their name and then by their value. The same holds for the client
secret of a PRA site, its access tokens and the token of its events, over TLS, after all of them have been used.

Memory is read from /proc/PID/mem, which the kernel grants to root alone (the gateway is not dumpable). A core is what
it would hold: all writable mappings that are not left out by MADV_DONTDUMP.
"""

import base64
import hashlib
import http.client
import pathlib
import re
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

import harness
from certificates import Authority
from harness import API_KEY, eventually, tls_context, token_hash
from pra_site import FORM, PraSite
from stack import Stack
from plain_build import plain_build  # noqa: F401, a fixture

CHECKOUTS = 500
PEOPLE = ("ann", "bob")
RUN = secrets.token_hex(6)
HEAD, TAIL = f"Hd{RUN}", f"{RUN}tL"
TOKEN = "tok-" + secrets.token_hex(24)
SITE_SECRET = "sec-" + secrets.token_urlsafe(48)
EVENTS_TOKEN = "evt-" + secrets.token_hex(32)
COOKIE = re.compile(rb"ASP\.NET_SessionId=([!-:<-~]{8,})")


def password(number):
    return f'{HEAD}-{number:04}-"\\/ é€\U0001f511 <&>\t-{TAIL}'


def pieces(text, length=16):
    """Head, middle and tail of a secret, each long enough to be no accident."""
    middle = (len(text) - length) // 2
    return {text[:length].encode(), text[middle:middle + length].encode(), text[-length:].encode()}


class Mapping:
    """One writable mapping of the gateway."""

    def __init__(self, line):
        span, self.perms = line.split()[:2]
        self.start, self.end = (int(n, 16) for n in span.split("-"))
        self.name = " ".join(line.split()[5:]) or "anonymous"
        self.flags = []

    @property
    def secret(self):
        """Locked into RAM and left out of cores."""
        return "lo" in self.flags and "dd" in self.flags

    def __repr__(self):
        return f"{self.start:x}-{self.end:x} {self.name} {' '.join(self.flags)}"


def mappings(pid):
    found = []
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as smaps:
        for line in smaps:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                found.append(Mapping(line))
            elif line.startswith("VmFlags:"):
                found[-1].flags = line.split()[1:]
    return [m for m in found if "w" in m.perms]


def contents(pid):
    """(mapping, bytes) of each writable mapping."""
    made = []
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for mapping in mappings(pid):
                memory.seek(mapping.start)
                try:
                    made.append((mapping, memory.read(mapping.end - mapping.start)))
                except OSError:
                    made.append((mapping, b""))  # a guard or a device: nothing can be read there
    except PermissionError:
        pytest.skip("the memory of the gateway can only be read by root")
    assert sum(len(data) for _, data in made) > 1 << 20
    return made


def places(image, marks):
    """Where any of the marks is: [(mapping, mark, what surrounds it)]."""
    wanted = re.compile(b"|".join(map(re.escape, marks)))
    return [(mapping, found.group(), data[max(0, found.start() - 32):found.end() + 48])
            for mapping, data in image for found in wanted.finditer(data)]


def all_files(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def site_section(folder, site, ca):
    path = folder / "pra-secret"
    path.touch(mode=0o600)
    path.write_text(SITE_SECRET)
    return {"url": site.url, "client_id": site.client_id, "client_secret_file": str(path), "ca_file": ca.certificate,
            "rate": "10/s", "probe_interval": "1s", "check_interval": "1s", "poll_interval": "1s",
            "terminate": "yes", "events_token_sha256": hashlib.sha256(EVENTS_TOKEN.encode()).hexdigest()}


class Scene(Stack):
    """TLS on all sides and a plain listener; debug log in a file; tokens of its own."""

    def __init__(self, folder, ca, site):
        server = ca.server()
        self.site = site
        self.access_tokens = []
        self.tls = tls_context(ca.certificate)
        self.said = []  # every answer but those with a secret
        super().__init__({
            "gateway": {"log_level": "debug", "log_file": str(folder / "gateway.log"), "list_cache": "1m"},
            "listener tls": {"address": "127.0.0.1:0", "tls_certificate": server.certificate,
                             "tls_key": server.key},
            "client pra": {"token_sha256": token_hash(TOKEN), "allow": "broker operate observe"},
            "vault main": {"ca_file": ca.certificate, "insecure_http": None},
            "pra site": site_section(folder, site, ca),
        }, tls=server)
        self.folder = folder

    def ask(self, method, path, body=None, connection=None, listener="tls", token=TOKEN):
        answer = self.gateway.call(method, path, body, token=token, listener=listener, connection=connection,
                                   tls=self.tls if listener == "tls" else None)
        if b'"password"' not in answer.body:
            self.said.append(answer.body + str(answer.headers).encode())
        return answer


def one_walk(scene, boxes, person, listener):
    """Finds, checks out and releases each box over one connection."""
    with_tls = scene.tls if listener == "tls" else None
    connection = scene.gateway.connect(listener, with_tls)
    for number, box in boxes:
        who = harness.session(person, "CORP", f"S-{number}", hostname=box.name)
        found = scene.ask("POST", "/v1/credentials/find", {"session": who}, connection)
        credential = found.json["credentials"][0]["credential_id"]
        body = {"session": who, "credential_id": credential}
        answer = scene.ask("POST", "/v1/credentials/checkout", body, connection)
        assert answer.status == 200 and answer.json["password"] == password(number), answer.body
        released = scene.ask("POST", "/v1/credentials/release", {**body, "session_ended_at": None}, connection)
        assert released.json["released"] == 1
    connection.close()


def event(scene, body, listener, token=EVENTS_TOKEN, header=False):
    """One event of the site; its answer is looked at as well."""
    connection = scene.gateway.connect(listener, scene.tls if listener == "tls" else None)
    path = "/v1/events/pra" + ("" if header else f"?token={token}")
    heads = {"Content-Type": FORM, **({"X-Jumpgate-Event-Token": token} if header else {})}
    connection.request("POST", path, body, heads)
    answer = connection.getresponse()
    scene.said.append(answer.read() + str(answer.headers).encode())
    connection.close()
    return answer.status


def site_entry(scene):
    return [d for d in scene.ask("GET", "/status").json["dependencies"] if d["type"] == "pra"][0]


def site_traffic(scene):
    """Tokens granted, refused and replaced, sessions ended by poll, event and an operator, wrong tokens of events."""
    site = scene.site
    eventually(lambda: site_entry(scene)["state"] == "up")
    for kind in ("poll", "event", "terminate"):
        box = scene.account(password=password(8000))
        who = harness.session("ann", "CORP", f"S-site-{kind}", hostname=box.name)
        who["lsid"] = site.start_session(user="ann", endpoint=box.name)
        found = scene.ask("POST", "/v1/credentials/find", {"session": who})
        body = {"session": who, "credential_id": found.json["credentials"][0]["credential_id"]}
        lease = scene.ask("POST", "/v1/credentials/checkout", body).json["lease"]["id"]
        if kind == "poll":
            site.end_session(who["lsid"])
        elif kind == "event":
            for listener in ("tls", "main"):
                for header in (False, True):
                    assert event(scene, f"event=access_session_end&lsid={who['lsid']}", listener, header=header) == 200
        else:
            assert scene.ask("POST", f"/v1/leases/{lease}/release", {"terminate": True}).json["terminated"]
        eventually(lambda: scene.live() == [])
    assert event(scene, "event=x", "tls", token=EVENTS_TOKEN + "x") == 401
    assert event(scene, "nonsense", "main") == 200
    tokens = site.tokens()
    scene.access_tokens += site.live_tokens()
    site.drop_tokens()
    eventually(lambda: site.tokens() > tokens)
    eventually(lambda: site_entry(scene)["state"] == "up")


def errors(scene):
    """Refusals of many kinds, some of them with secrets in the wrong place."""
    who = harness.session("ann", "CORP", "S-x", hostname="nowhere")
    scene.ask("POST", "/v1/credentials/checkout", {"session": who, "credential_id": "no-such-one"})
    scene.ask("POST", "/v1/credentials/find", b'{"session":')
    scene.ask("POST", "/v1/credentials/find", {"session": harness.session("outsider", "CORP", hostname="nowhere")})
    scene.ask("GET", "/status", token="wrong-" + TOKEN)
    scene.ask("GET", "/nothing")
    find = {"session": harness.session("ann", "CORP", hostname="nowhere")}
    request = scene.ask("POST", "/v1/credentials/find", find).headers["X-Request-Id"]
    assert scene.ask("GET", f"/v1/explain/{request}").status == 200
    scene.vault.fault("html500", path="Credentials", times=1)
    number, box = 9999, scene.account(password=password(9999))
    who = harness.session("ann", "CORP", f"S-{number}", hostname=box.name)
    credential = scene.ask("POST", "/v1/credentials/find", {"session": who}).json["credentials"][0]["credential_id"]
    scene.ask("POST", "/v1/credentials/checkout", {"session": who, "credential_id": credential})
    scene.ask("POST", "/v1/sessions/complete", {"session": who})
    scene.vault.clear_faults()


@pytest.fixture(scope="module", name="scene")
def _scene(plain_build, tmp_path_factory):  # noqa: F811
    """The gateway after all of it, the check-outs last."""
    folder = tmp_path_factory.mktemp("scan")
    ca = Authority(folder)
    with PraSite(client_secret=SITE_SECRET, tls=ca.server("site")) as site, Scene(folder, ca, site) as scene:
        site.permit(perm_command="full_access", perm_reporting_support="1")
        harness_token, harness.TOKEN = harness.TOKEN, TOKEN
        try:
            errors(scene)
            site_traffic(scene)
            for path in ("/status", "/metrics", "/v1/leases", "/readyz", "/v1/health"):
                scene.ask("GET", path)
            boxes = [(n, scene.account(password=password(n))) for n in range(CHECKOUTS)]
            for form, some in (("string", boxes[::2]), ("object", boxes[1::2])):
                scene.vault.knob(21, form)
                with ThreadPoolExecutor(8) as pool:
                    walks = [pool.submit(one_walk, scene, some[i::8], PEOPLE[i % 2], ("tls", "main")[i % 4 == 3])
                             for i in range(8)]
                    for walk in walks:
                        walk.result()
            eventually(lambda: scene.live() == [])
            scene.access_tokens += scene.site.live_tokens()
            # The last to pass through the shared buffers, with nothing behind it that would cover its traces.
            scene.ask("GET", "/livez", listener="main")
            yield scene
        finally:
            harness.TOKEN = harness_token


@pytest.fixture(scope="module", name="image")
def _image(scene):
    return contents(scene.gateway.process.pid)


def test_no_password_is_left_in_memory(image):
    assert places(image, [HEAD.encode(), TAIL.encode()]) == []


def test_no_client_token_is_left_in_memory(image):
    assert places(image, pieces(TOKEN)) == []


def test_the_api_key_is_in_secret_memory_alone(image):
    found = places(image, pieces(API_KEY))
    assert found, "the key must be somewhere, or this test looks at nothing"
    assert [place for place in found if not place[0].secret] == []


def test_the_secrets_of_the_site_are_in_secret_memory_alone(scene, image):
    dropped, present = scene.access_tokens[0], scene.access_tokens[-1]
    assert dropped != present
    assert places(image, pieces(dropped)) == []
    for secret in (present, SITE_SECRET):
        found = places(image, pieces(secret))
        assert found, "it must be somewhere, or this test looks at nothing"
        assert [place for place in found if not place[0].secret] == []
    basic = base64.b64encode(f"{scene.site.client_id}:{SITE_SECRET}".encode()).decode()
    assert places(image, pieces(basic)) == [], "it is made for one call"


def test_no_token_of_events_is_left_in_memory(image):
    assert places(image, pieces(EVENTS_TOKEN)) == []


def of_the_site(scene):
    """Pieces of all secrets of the site."""
    return set().union(*map(pieces, [SITE_SECRET, EVENTS_TOKEN, *scene.access_tokens]))


def test_cookies_are_in_secret_memory_alone(image):
    values = {value for _, data in image for value in COOKIE.findall(data)}
    assert values, "sessions are kept, so there must be cookies"
    assert [place for place in places(image, values) if not place[0].secret] == []


def test_a_core_holds_no_secret(scene, image):
    core = [(mapping, data) for mapping, data in image if "dd" not in mapping.flags]
    values = {value for _, data in image for value in COOKIE.findall(data)}
    assert places(core, {HEAD.encode(), TAIL.encode()} | pieces(TOKEN) | pieces(API_KEY) | values | of_the_site(scene)) == []


def test_nothing_secret_is_written_or_said(scene, image):
    cookies = {value for _, data in image for value in COOKIE.findall(data)}
    marks = {HEAD.encode(), TAIL.encode()} | pieces(TOKEN) | pieces(API_KEY) | cookies | of_the_site(scene)
    wanted = re.compile(b"|".join(map(re.escape, marks)))
    state = scene.gateway.path / "state"
    texts = {f"state/{name}": data for name, data in all_files(state).items()}
    texts["log"] = (scene.folder / "gateway.log").read_bytes()
    texts["stderr"] = scene.gateway.err.text.encode()
    texts["stdout"] = scene.gateway.out.text.encode()
    texts["answers"] = b"\n".join(scene.said)
    process = pathlib.Path(f"/proc/{scene.gateway.process.pid}")
    texts["argv"], texts["environment"] = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
    assert b"level=debug" in texts["log"] or b" debug " in texts["log"]
    assert len(scene.said) > CHECKOUTS
    for name, data in texts.items():
        found = wanted.search(data)
        assert not found, (name, data[max(0, found.start() - 60):found.end() + 20])
