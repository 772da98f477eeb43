# SPDX-License-Identifier: Apache-2.0
"""The peers: the same work by nginx + Lua, Go and Node in interleaved rounds, Go also durable, and nginx with a file against a
find.

What they are and leave out: bench/peers/README.md.
"""

import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import time
import urllib.request

from figures import cpu_us, done
from goals import reached
from output import say, table
from stage import KEY, PEERS, TOKEN, Broker, Jumpgate, JumpgateListing, JumpgateMemory, Vault, load, pinned


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Peer(Broker):
    """A peer from bench/peers on a port of its own. It opens as many connections to the vault as it wants."""

    def __init__(self, vault, **_):
        self.folder = vault.folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        environment = {**os.environ, "PEER_PORT": str(self.port), "PEER_VAULT": f"https://{vault.address}",
                       "PEER_CA": str(vault.folder / "ca.pem"), "PEER_KEY": KEY, "GOMAXPROCS": "1",
                       "PEER_JOURNAL": str(self.journal(vault))}
        self.process = pinned(0, self.command(vault), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None, f"{self.name} did not start"
                time.sleep(0.05)
        raise AssertionError(f"{self.name} does not listen")

    def journal(self, vault):
        """Path of what it keeps on disk; "" = it is not durable."""
        return ""


class Nginx(Peer):
    name = "nginx + Lua, not durable"

    @staticmethod
    def available():
        return pathlib.Path("/usr/lib/nginx/modules/ngx_http_lua_module.so").exists()

    def command(self, vault):
        values = {"folder": vault.folder, "vault": vault.address, "port": self.port, "peers": PEERS,
                  "user": "user root;" if os.geteuid() == 0 else ""}  # the folder is open to its owner alone
        text = (PEERS / "nginx.conf").read_text()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        (vault.folder / "static-head.conf").touch()
        conf = vault.folder / "nginx.conf"
        conf.write_text(text)
        (vault.folder / "modules").exists() or (vault.folder / "modules").symlink_to("/usr/lib/nginx/modules")
        return ["nginx", "-p", vault.folder, "-c", conf]


class Go(Peer):
    name = "Go, not durable"

    @staticmethod
    def available():
        return shutil.which("go")

    def command(self, vault):
        binary = vault.folder / "peer-go"
        if not binary.exists():
            subprocess.run(["go", "build", "-o", binary, PEERS / "broker.go", PEERS / "journal.go"], check=True, cwd=vault.folder,
                           env={**os.environ, "GOCACHE": str(vault.folder / "go-cache"), "GOFLAGS": "-mod=mod"})
        return [binary]


class GoDurable(Go):
    name = "Go, durable"

    def journal(self, vault):
        path = vault.folder / "peer.journal"
        path.unlink(missing_ok=True)
        return path


class Node(Peer):
    name = "Node, not durable"

    @staticmethod
    def available():
        return shutil.which("node")

    def command(self, vault):
        return ["node", PEERS / "broker.js"]


def available():
    """The peers that are installed; says which are not."""
    every = (GoDurable, Nginx, Go, Node)
    there = [peer for peer in every if peer.available()]
    for peer in every:
        if peer not in there:
            say(f"left out, not installed: {peer.name}")
    return there


def rounds_of(brokers, vault, clients, options):
    """{broker: [result]}; round by round, each broker in turn."""
    results = {broker: [] for broker in brokers}
    for _ in range(options.rounds):
        for broker in brokers:
            with broker(vault, connections=vault.users) as running:
                warmup = 2 if clients < 256 else 6  # until all have signed in, on a busy machine too
                results[broker].append(load(running, vault, clients, options.seconds, warmup=warmup))
    return results


def peers(folder, options):
    """Ratios are medians over rounds of the ratio within a round."""
    brokers = [Jumpgate, JumpgateMemory, JumpgateListing] + available()
    for clients in (16, 256):
        with Vault(folder, users=256) as vault:
            results = rounds_of(brokers, vault, clients, options)
        say(f"\n{clients} clients")
        row = table("broker".ljust(24), ("check-outs/s", ".0f"), ("CPU us each", ".0f"), ("ratio", ".2f"), ("p50 ms", ".2f"),
                    ("p99 ms", ".2f"), ("peak MB", ".1f"), "errors")
        ratios = {}
        for broker, rounds in results.items():
            median = lambda value: statistics.median(value(r) for r in rounds)
            ratios[broker] = statistics.median(cpu_us(r) / cpu_us(own) for r, own in zip(rounds, results[Jumpgate]))
            row(broker.name, median(lambda r: done(r)["per_second"]), median(cpu_us), ratios[broker],
                median(lambda r: done(r)["p50_ms"]), median(lambda r: done(r)["p99_ms"]),
                median(lambda r: r["rss_peak_kb"]) / 1024, sum(r["errors"] for r in rounds))
        for broker in brokers[3:]:
            if all(done(r)["count"] for r in results[broker]):
                reached(f"peer {broker.name}, {clients}", ratios[broker])
    say("ratio = CPU time per check-out and release, relative to jumpgate with journal and audit on disk in the same round;\n"
        "durable = on disk before the vault is asked and before the answer, as jumpgate is")


# ---- a find against a file --------------------------------------------------------------------------------------------------


def raw_answer(gate):
    """Head and body of one find, as the gateway sends them."""
    session = {"id": "static", "user": {"username": "user1", "domain": "ACME"}, "jump_item": {"method": "shell", "hostname": "srv1"}}
    request = urllib.request.Request(f"http://{gate.address}/v1/credentials/find", json.dumps({"session": session}).encode(),
                                     {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.headers.items(), answer.read()


def static_conf(folder, head):
    """nginx's own head and what is missing of the gateway's. What nginx says in its own way stays its own."""
    own = {"content-length", "content-type", "connection", "date", "server"}
    lines = [f'      add_header {name} "{value}";' for name, value in head if name.lower() not in own]
    (folder / "static-head.conf").write_text("\n".join(lines) + "\n")


def static(folder, options):
    if not Nginx.available():
        say(f"left out, not installed: {Nginx.name}")
        return
    rounds = []
    with Vault(folder, users=64) as vault:
        with Jumpgate(vault) as gate:
            head, body = raw_answer(gate)
        static_conf(folder, head)
        (folder / "static").mkdir(exist_ok=True)
        (folder / "static" / "find.json").write_bytes(body)
        for _ in range(options.rounds):
            with Jumpgate(vault) as gate:
                find = load(gate, vault, 64, options.seconds, warmup=2, op="find")
            with Nginx(vault) as nginx:
                file = load(nginx, vault, 64, options.seconds, warmup=1, op="get", path="/static/find.json")
            rounds.append((find, file))
    row = table("".ljust(22), ("per second", ".0f"), ("CPU us each", ".1f"), ("p50 ms", ".2f"), ("p99 ms", ".2f"), "errors")
    for name, op, at in (("find, from memory", "find", 0), ("nginx, a file", "get", 1)):
        median = lambda value: statistics.median(value(r[at]) for r in rounds)
        row(name, median(lambda r: done(r, op)["per_second"]), median(lambda r: cpu_us(r, op)), median(lambda r: done(r, op)["p50_ms"]),
            median(lambda r: done(r, op)["p99_ms"]), sum(r[at]["errors"] for r in rounds))
    say(f"64 clients; {len(body)} bytes with the same head; a find is a POST that names a session, the file a GET")
    if all(done(find, "find")["count"] and done(file, "get")["count"] for find, file in rounds):
        reached("static", statistics.median(cpu_us(file, "get") / cpu_us(find, "find") for find, file in rounds))
