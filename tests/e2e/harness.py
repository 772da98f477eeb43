# SPDX-License-Identifier: Apache-2.0
"""The real gateway under test: started from Python arguments, asked over every kind of listener, stopped cleanly.

    with Gateway(vault="http://127.0.0.1:4711/BeyondTrust/api/public/v3") as gw:
        answer = gw.call("POST", "/v1/credentials/find", {"session": session("ann", hostname="web01")})
        assert answer.status == 200 and answer.json["credentials"]

Leaving the block stops the gateway with SIGTERM and asserts what every test wants: exit code 0 (which includes an
empty loop), and nothing from a sanitizer. A test that expects another end says so: `gw.stop(expect=1)` or `gw.kill()`.

Every answer that is read is held against docs/openapi.yaml (api_document.py).

Binaries come from $JG_BIN_DIR (default build/dev/bin). Nothing here sleeps to wait for something: start-up is read
line by line, and `eventually()` polls with a limit.
"""

import hashlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from api_document import document

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / os.environ.get("JG_BIN_DIR", "build/dev/bin")
TOKEN = "test-token-of-the-pra-side"
API_KEY = "0123456789abcdef" * 8
START_SECONDS = 30
STOP_SECONDS = 60
os.umask(0o022)  # the gateway refuses files that others can write
SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:)")


class Answer:
    """Status, headers (any case) and body of one answer."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body) if self.body else None

    @property
    def code(self):
        """The error code of a problem answer, None for others."""
        kind = self.headers.get("Content-Type", "")
        return self.json["code"] if kind.startswith("application/problem+json") else None

    def __repr__(self):
        return f"<Answer {self.status} {self.code or ''} {len(self.body)} bytes>"


class CheckedResponse(http.client.HTTPResponse):
    """An answer that is held against docs/openapi.yaml when its body is read."""

    asked = None  # (method, target)

    def read(self, amt=None):
        body = super().read(amt)
        if amt is None and self.asked:
            asked, self.asked = self.asked, None
            document().check(*asked, self.status, self.headers, body)
        return body


class Checked:
    """A connection to the gateway: each answer is checked when it is read."""

    response_class = CheckedResponse
    asked = None

    def putrequest(self, method, url, *arguments, **more):
        self.asked = method, url
        super().putrequest(method, url, *arguments, **more)

    def getresponse(self):
        response = super().getresponse()
        response.asked = self.asked
        return response


class CheckedConnection(Checked, http.client.HTTPConnection):
    """To a TCP listener."""


class CheckedTlsConnection(Checked, http.client.HTTPSConnection):
    """To a TLS listener."""


class UnixConnection(Checked, http.client.HTTPConnection):
    """HTTP over a Unix socket of the gateway."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Lines:
    """Collects the lines of a stream while the process runs, and wakes the caller that waits for one.

    The gateway writes its log by a thread, so a line may come after the answer it is about: `lines` and `text` wait until
    the stream has been quiet for a moment.
    """

    def __init__(self, stream):
        self.collected = []
        self.ended = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream):
        for raw in stream:
            with self.changed:
                self.collected.append(raw.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait_for(self, found, seconds):
        """The first line for which found(line) holds, or None at the end of the stream or of patience."""
        limit = time.monotonic() + seconds
        seen = 0
        with self.changed:
            while True:
                for line in self.collected[seen:]:
                    if found(line):
                        return line
                seen = len(self.collected)
                left = limit - time.monotonic()
                if self.ended or left <= 0:
                    return None
                self.changed.wait(left)

    @property
    def lines(self):
        limit = time.monotonic() + 1
        with self.changed:
            while not self.ended and time.monotonic() < limit and self.changed.wait(0.03):
                pass
            return list(self.collected)

    @property
    def text(self):
        return "\n".join(self.lines)


def token_hash(token):
    return hashlib.sha256(token.encode()).hexdigest()


def session(username="ann", domain="CORP", id="S-1", **jump_item):
    """A session object; keyword arguments become jump_item members."""
    made = {"id": id, "user": {"username": username, "domain": domain}}
    if jump_item:
        made["jump_item"] = jump_item
    return made


def eventually(question, seconds=30, every=0.02):
    """The first true answer of question(), asked again and again; fails after `seconds`."""
    limit = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < limit, f"did not come true within {seconds} s"
        time.sleep(every)


class Gateway:
    """One `jumpgate run` with its configuration in a directory of its own.

    `sections` adds to or replaces what is there by default: a value of None takes a key out, a section of None
    takes the section out. Keys are written as they are; lists are joined by blanks.
    """

    def __init__(self, vault=None, sections=None, binary=None, environment=None, arguments=()):
        self.binary = pathlib.Path(binary or BIN / "jumpgate")
        self.folder = tempfile.TemporaryDirectory(prefix="jumpgate-test-")
        self.path = pathlib.Path(self.folder.name)
        self.sections = self._defaults(vault)
        self._merge(sections or {})
        self.environment = environment or {}
        self.arguments = list(arguments)
        self.starter = []  # a command that starts the rest of its command line
        self.passed = ()   # descriptors that the process inherits
        self.addresses = {}
        self.process = None
        self.out = self.err = None
        self.stopped = False

    # ---- configuration ----

    def secret(self, name, text):
        """Writes a secret to a file only the owner may read; returns its path."""
        path = self.path / name
        path.touch(mode=0o600)
        path.write_text(text)
        return str(path)

    def _defaults(self, vault):
        state = self.path / "state"
        state.mkdir(mode=0o700)
        made = {
            "gateway": {"state_dir": str(state), "drain_timeout": "10s"},
            "listener main": {"address": "127.0.0.1:0"},
            "client pra": {"token_sha256": token_hash(TOKEN), "allow": "broker operate observe"},
        }
        if vault:
            made["vault main"] = {
                "type": "password_safe",
                "url": vault,
                "api_key_file": self.secret("api-key", API_KEY),
                "insecure_http": "yes" if vault.startswith("http:") else None,
            }
        return made

    def _merge(self, sections):
        for name, keys in sections.items():
            if keys is None:
                self.sections.pop(name, None)
            else:
                self.sections.setdefault(name, {}).update(keys)

    def write_configuration(self):
        lines = []
        for name, keys in self.sections.items():
            lines.append(f"[{name}]")
            for key, value in keys.items():
                if value is not None:
                    text = " ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
                    lines.append(f"{key} = {text}")
            lines.append("")
        path = self.path / "jumpgate.conf"
        path.write_text("\n".join(lines))
        path.chmod(0o600)
        return path

    # ---- life ----

    def launch(self, stderr=subprocess.PIPE, **more):
        """Starts the process without waiting for anything. A descriptor as `stderr` is the caller's to read."""
        command = [*self.starter, str(self.binary), "run", "-c", str(self.write_configuration()), *self.arguments]
        environment = {**os.environ, **self.environment}
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99")
        environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
        self.stopped = False
        self.addresses = {}
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=stderr, env=environment, pass_fds=self.passed, **more)
        self.out = Lines(self.process.stdout)
        self.err = Lines(self.process.stderr or ())

    def start(self):
        """Starts the process and waits for `ready`."""
        self.launch()
        if self.out.wait_for(lambda line: line == "ready", START_SECONDS) is None:
            self.process.kill()
            self.process.wait()
            self.err.thread.join(5)
            raise AssertionError(f"the gateway did not become ready:\n{self.err.text}")
        for listener in [name.split()[1] for name in self.sections if name.startswith("listener ")]:
            self.addresses[listener] = self._address_of(listener)
        return self

    def _address_of(self, listener):
        start = f"listening listener={listener} address="
        as_json = f'"event":"listening","listener":"{listener}",'
        line = self.err.wait_for(lambda line: line.startswith(start) or as_json in line, 20)
        assert line, f"no listening line for {listener}:\n{self.err.text}"
        return json.loads(line)["address"] if line.startswith("{") else line[len(start):].strip('"')

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_SECONDS):
        """The exit code, once the process has ended and all of its output is here."""
        code = self.process.wait(seconds)
        self.out.thread.join(5)
        self.err.thread.join(5)
        self.stopped = True
        return code

    def stop(self, expect=0):
        """SIGTERM; asserts the exit code and that no sanitizer complained."""
        if self.stopped:
            return
        self.signal(signal.SIGTERM)
        try:
            code = self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the gateway did not stop:\n{self.err.text}") from None
        complaint = SANITIZER.search(self.err.text)
        assert not complaint, f"sanitizer:\n{self.err.text}"
        assert code == expect, f"exit code {code}, not {expect}:\n{self.err.text}"

    def kill(self):
        """SIGKILL, as a power failure would."""
        self.process.kill()
        self.wait()

    def restart(self):
        """A new process on the same configuration and state."""
        assert self.stopped, "stop() or kill() it first"
        return self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        try:
            if self.process and not self.stopped:
                if kind is None:
                    self.stop()
                else:
                    print(self.err.text)
                    self.kill()
        finally:
            self.folder.cleanup()

    # ---- asking ----

    def connect(self, listener="main", tls=None, timeout=30):
        """An open http.client connection to a listener; `tls` is an ssl.SSLContext."""
        address = self.addresses[listener]
        if address.startswith("unix:"):
            connection = UnixConnection(address[5:], timeout)
        else:
            host, _, port = address.rpartition(":")
            host = host.strip("[]")
            if tls:
                connection = CheckedTlsConnection(host, int(port), timeout=timeout, context=tls)
            else:
                connection = CheckedConnection(host, int(port), timeout=timeout)
        connection.connect()
        return connection

    def call(self, method, path, body=None, token=TOKEN, headers=None, listener="main", tls=None, timeout=30,
             connection=None):
        """One request; `body` is made JSON unless it is bytes. Without `connection` a new one is used and closed."""
        lines = dict(headers or {})
        if token is not None:
            lines.setdefault("Authorization", f"Bearer {token}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            lines.setdefault("Content-Type", "application/json")
        own = connection is None
        connection = connection or self.connect(listener, tls, timeout)
        try:
            connection.request(method, path, body, lines)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            if own:
                connection.close()

    # The operations, by name.

    def find(self, session, **more):
        return self.call("POST", "/v1/credentials/find", {"session": session}, **more)

    def checkout(self, session, credential_id, members=None, **more):
        body = {"session": session, "credential_id": credential_id, **(members or {})}
        return self.call("POST", "/v1/credentials/checkout", body, **more)

    def release(self, session, credential_id, **more):
        body = {"session": session, "credential_id": credential_id, "session_ended_at": None}
        return self.call("POST", "/v1/credentials/release", body, **more)

    def complete(self, session, **more):
        return self.call("POST", "/v1/sessions/complete", {"session": session}, **more)

    def endpoints(self, session, members=None, **more):
        return self.call("POST", "/v1/endpoints/find", {"session": session, **(members or {})}, **more)

    def metrics(self, **more):
        """The /metrics page as {"name{labels}": value}."""
        page = self.call("GET", "/metrics", **more).body.decode()
        rows = (line.rpartition(" ") for line in page.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in rows}


def tls_context(ca_file, certificate=None, key=None):
    """A client's TLS context that verifies the gateway, with a client certificate if one is given."""
    context = ssl.create_default_context(cafile=str(ca_file))
    if certificate:
        context.load_cert_chain(str(certificate), str(key) if key else None)
    return context
