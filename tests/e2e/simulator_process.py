"""A simulator's process: started on free ports, asked through its admin port, ended cleanly.

Leaving the block sends SIGTERM and requires exit code 0: the simulator has closed its loop. The binary is taken
from JG_BIN_DIR, else from build/dev/bin.
"""

import http.client
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary(name):
    """Path of one of the project's programs."""
    return str(pathlib.Path(os.environ.get("JG_BIN_DIR", ROOT / "build" / "dev" / "bin")) / name)


def until(condition, seconds=20):
    """Waits for a condition that must become true; asks again after 2 ms."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not become true"
        time.sleep(0.002)


class Answer:
    """One HTTP answer: status, headers (list of pairs), body bytes."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:80]!r}>"


class SimulatorProcess:
    """A simulator's process and its admin port, as a context manager."""

    def __init__(self, program, arguments, stderr=None):
        self.arguments = [binary(program), *map(str, arguments)]
        self.stderr = stderr
        self.addresses = {}
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stop(check=kind is None)

    def start(self):
        self.process = subprocess.Popen(self.arguments, stdout=subprocess.PIPE, stderr=self.stderr, text=True)
        for line in self.process.stdout:
            words = dict(w.split("=", 1) for w in line.split() if "=" in w)
            if line.startswith("listening"):
                self.addresses[words["listener"]] = words["address"]
            if line.startswith("ready"):
                return
        self.process.wait()
        raise RuntimeError(f"the simulator ended at once with {self.process.returncode}")

    def stop(self, check=True):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
        watchdog = threading.Timer(20, self.process.kill)
        watchdog.start()
        code = self.process.wait()
        watchdog.cancel()
        self.process.stdout.close()
        self.process = None
        if check and code != 0:
            raise AssertionError(f"the simulator ended with {code}")

    # -- where it is --

    @property
    def address(self):
        return self.addresses["api"]

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    @property
    def host(self):
        return self.address.rsplit(":", 1)[0].strip("[]")

    def raw(self, data, timeout=30):
        """Sends bytes on a fresh plain connection; returns all that comes until the other side closes."""
        with socket.create_connection((self.host, self.port), timeout) as s:
            s.sendall(data)
            try:
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # reset already; what came before it can still be read
            return _read_all(s)

    # -- the admin port --

    def ask(self, method, path, body=None):
        host, port = self.addresses["admin"].rsplit(":", 1)
        connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=30)
        try:
            data = None if body is None else json.dumps(body).encode()
            headers = {"Content-Type": "application/json"} if data else {}
            if data is None and method != "GET":
                data = b""
            connection.request(method, path, body=data, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{method} {path}: {answer.status} {text!r}")
            return json.loads(text)
        finally:
            connection.close()

    def counts(self):
        return self.ask("GET", "/counts")

    def calls(self, name):
        """How often a call came, by name ("POST Requests")."""
        return self.counts()["calls"].get(name, {}).get("calls", 0)

    def reset_counts(self):
        return self.ask("DELETE", "/counts")

    def fault(self, action, **rule):
        return self.ask("POST", "/faults", {"action": action, **rule})

    def faults(self):
        return self.ask("GET", "/faults")

    def clear_faults(self):
        return self.ask("DELETE", "/faults")

    def latency(self, latency_ms, jitter_ms=0):
        return self.ask("POST", "/latency", {"latency_ms": latency_ms, "jitter_ms": jitter_ms})

    def clock(self, **values):
        """advance_ms=…, wall="2026-03-10T09:00:12.5", frozen=True."""
        return self.ask("POST", "/clock", values)


def _read_all(s):
    parts = []
    while True:
        try:
            part = s.recv(65536)
        except ConnectionResetError:
            parts.append(b"<reset>")
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts)
