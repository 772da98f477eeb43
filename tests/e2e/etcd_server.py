# SPDX-License-Identifier: Apache-2.0
"""An etcd of a test's own: one or more members on free ports of the loopback address, in a temporary folder.

    with Etcd(members=3) as etcd:
        etcd.endpoints                      # for `endpoints` of [store]
        etcd.keys("/jumpgate/")             # {key: value} as text
        etcd.kill(etcd.led()); etcd.start_member(0)
        etcd.pause(1); etcd.resume(1)       # SIGSTOP: it is there and says nothing

Skipped with one line where etcd is not installed. Nothing is kept: the folder is in memory where that is possible.
"""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

import pytest

from harness import eventually

ROOT_PASSWORD, USER, PASSWORD = "root of etcd", "jumpgate", "the gateways' own, \"quoted\" \\ and plain"


def program():
    found = shutil.which("etcd") or shutil.which("etcd", path="/usr/bin:/usr/local/bin")
    if not found:
        assert not os.environ.get("CI"), "scripts/install-dependencies installs etcd"
        pytest.skip("etcd is not installed (scripts/install-dependencies)")
    return found


def free_ports(n):
    """Ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as held:
        taken = [held.enter_context(socket.socket()) for _ in range(n)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]


def coded(text):
    return base64.b64encode(text.encode()).decode()


def plain(text):
    return base64.b64decode(text).decode()


def after(prefix):
    """The end of the range of all keys with this prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


class Etcd:
    """`tls` is (certificate pair of the server, authority), both as certificates.py makes them; `client`, the pair of those who
    ask, makes the members want one. With `network` (network.py)
    the members are its machines e0, e1, …"""

    def __init__(self, members=1, tls=None, arguments=(), network=None, client=None):
        self.program = program()
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.TemporaryDirectory(prefix="jumpgate-etcd-", dir=memory)
        self.path = pathlib.Path(self.folder.name)
        ports = free_ports(2 * members)
        self.client_ports, self.peer_ports = ports[:members], ports[members:]
        self.tls, self.client = tls, client
        self.network = network
        self.arguments = list(arguments)
        self.processes = [None] * members
        self.token = None

    # ---- life ----

    def host(self, member):
        return self.network.address(f"e{member}") if self.network else "127.0.0.1"

    def url(self, member):
        return f"{'https' if self.tls else 'http'}://{self.host(member)}:{self.client_ports[member]}"

    @property
    def endpoints(self):
        return [self.url(member) for member in range(len(self.processes))]

    def start_member(self, member):
        """Starts the process; it keeps what it has had."""
        peers = [f"http://{self.host(other)}:{port}" for other, port in enumerate(self.peer_ports)]
        starter = self.network.starter(f"e{member}") if self.network else []
        command = [*starter, self.program, "--name", f"m{member}", "--data-dir", str(self.path / f"m{member}"),
                   "--listen-client-urls", self.url(member), "--advertise-client-urls", self.url(member),
                   "--listen-peer-urls", peers[member], "--initial-advertise-peer-urls", peers[member],
                   "--initial-cluster", ",".join(f"m{i}={peer}" for i, peer in enumerate(peers)),
                   "--initial-cluster-token", self.path.name, *self.arguments]
        if self.tls:
            server, authority = self.tls
            command += ["--cert-file", server.certificate, "--key-file", server.key]
            if self.client:
                command += ["--client-cert-auth", "--trusted-ca-file", authority.certificate]
        with open(self.path / f"m{member}.log", "ab") as log:
            self.processes[member] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        for member in range(len(self.processes)):
            self.start_member(member)
        eventually(self.serves, 60, 0.05)
        return self

    def kill(self, member):
        """SIGKILL, as a power failure would."""
        self.processes[member].kill()
        self.processes[member].wait()

    def pause(self, member):
        self.processes[member].send_signal(signal.SIGSTOP)

    def resume(self, member):
        self.processes[member].send_signal(signal.SIGCONT)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(self, *_):
        for process in self.processes:
            if process:
                process.kill()
                process.wait()
        self.folder.cleanup()

    # ---- asking ----

    def ask(self, path, body, member=0, token=None):
        """(status, JSON); None where the member does not answer."""
        context = ssl.create_default_context(cafile=self.tls[1].certificate) if self.tls else None
        if context and self.client:
            context.load_cert_chain(self.client.certificate, self.client.key)
        host, port = self.host(member), self.client_ports[member]
        connection = http.client.HTTPSConnection(host, port, timeout=5, context=context) if context \
            else http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("POST", path, json.dumps(body), {"Authorization": token} if token else {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or "{}")
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def any(self, path, body):
        """The answer of the first member that has one."""
        for member in range(len(self.processes)):
            answer = self.ask(path, body, member, self.token)
            if answer and answer[0] == 401 and self.token:
                self.sign_in(member)
                answer = self.ask(path, body, member, self.token)
            if answer and answer[0] == 200:
                return answer[1]
        return None

    def sign_in(self, member=0):
        answer = self.ask("/v3/auth/authenticate", {"name": "root", "password": ROOT_PASSWORD}, member)
        self.token = answer[1]["token"] if answer and answer[0] == 200 else self.token

    def serves(self):
        """Is there a quorum?"""
        return self.any("/v3/kv/range", {"key": coded("x")}) is not None

    def keys(self, prefix):
        answer = self.any("/v3/kv/range", {"key": coded(prefix), "range_end": coded(after(prefix))})
        assert answer is not None, "etcd does not answer"
        return {plain(one["key"]): plain(one.get("value", "")) for one in answer.get("kvs", [])}

    def put(self, key, value):
        assert self.any("/v3/kv/put", {"key": coded(key), "value": coded(value)}) is not None

    def remove(self, key):
        assert self.any("/v3/kv/deleterange", {"key": coded(key)}) is not None

    def leader(self):
        """The number of the member that leads; None while there is none."""
        for member in range(len(self.processes)):
            answer = self.ask("/v3/maintenance/status", {}, member)
            if answer and answer[0] == 200 and answer[1].get("leader", "0") != "0" and \
                    answer[1]["leader"] == answer[1]["header"]["member_id"]:
                return member
        return None

    def led(self, seconds=60):
        """Waits until a member leads; its number, which may be 0."""
        return eventually(lambda: [member for member in [self.leader()] if member is not None], seconds)[0]

    # ---- etcd's own users ----

    def with_users(self, prefix):
        """Turns etcd's users on: root, and one for the gateways that has all below `prefix`."""
        for path, body in (("user/add", {"name": "root", "password": ROOT_PASSWORD}),
                           ("role/add", {"name": "root"}),
                           ("user/grant", {"user": "root", "role": "root"}),
                           ("user/add", {"name": USER, "password": PASSWORD}),
                           ("role/add", {"name": "gateways"}),
                           ("role/grant", {"name": "gateways", "perm": {
                               "permType": "READWRITE", "key": coded(prefix), "range_end": coded(after(prefix))}}),
                           ("user/grant", {"user": USER, "role": "gateways"}),
                           ("auth/enable", {})):
            path = path if path.startswith("auth/") else f"auth/{path}"
            assert self.any(f"/v3/{path}", body) is not None, path
        self.sign_in()
