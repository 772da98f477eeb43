# SPDX-License-Identifier: Apache-2.0
"""What a benchmark run is made of: the simulated vault, one broker under test (jumpgate or a peer), and the load tool.

Everything runs on loopback and ends with its `with` block. The broker is pinned to core 0, simulator and load tool to core 1.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("JG_BIN_DIR", ROOT / "build" / "release" / "bin"))
PEERS = ROOT / "bench" / "peers"
TOKEN = "bench-token"
KEY = "k" * 128
FIRST_ACCOUNT = 100001  # of generated accounts, one per system, in the order of the systems
TICK = os.sysconf("SC_CLK_TCK")
os.umask(0o022)  # the gateway refuses files that others can write


def pinned(core, command, **more):
    cores = os.sched_getaffinity(0)
    core = core if core in cores else min(cores)
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(["taskset", "-c", str(core), *map(str, command)], **more)


def addresses(process, wanted):
    """Reads `listening` lines until `ready`; {name: address}."""
    found, seen = {}, []
    for raw in process.stdout:
        line = raw.decode().strip()
        seen.append(line)
        if line.startswith("listening "):
            fields = dict(part.split("=", 1) for part in line.split()[1:])
            found[fields["listener"]] = fields["address"]
        if line == "ready":
            break
    assert wanted <= found.keys(), "did not start:\n" + "\n".join(seen)
    threading.Thread(target=process.stdout.read, daemon=True).start()
    return found


def certificates(folder):
    def run(*command):
        subprocess.run(["openssl", *command], check=True, cwd=folder, capture_output=True)

    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run("req", "-x509", *ec, "-days", "2", "-subj", "/CN=bench CA", "-keyout", "ca.key", "-out", "ca.pem")
    run("req", *ec, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (folder / "san").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", "san", "-out", "server.pem")


def private(path, text):
    """One that is there as it should be stays: another process may be reading it."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    path.chmod(0o600)
    return path


class Broker:
    """What every broker under test has: a process (with children), its memory and its CPU time."""

    name = "?"

    def family(self):
        """The process and its children: nginx works in one."""
        pids = [self.process.pid]
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    fields = open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                if int(fields[1]) == self.process.pid:
                    pids.append(int(entry))
        return pids

    def cpu_seconds(self):
        total = 0
        for pid in self.family():
            fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def rss_kb(self):
        total = 0
        for pid in self.family():
            for line in open(f"/proc/{pid}/status"):
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1])
        return total

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:  # a drain that takes long is not what is measured
            self.process.kill()
            self.process.wait(60)


class Vault(Broker):
    """passwordsafe-sim over TLS with `users` users and `systems` systems (as many), one local account each."""

    def __init__(self, folder, users=100, systems=None, latency_ms=0, options=(), truth=True):
        self.folder, self.users, self.systems = folder, users, systems or users
        none = ["--domain-accounts", 0, "--domain-links", 0, "--databases", 0, "--applications", 0, "--ssh-keys", 0,
                "--approval-systems", 0, "--reason-systems", 0, "--ticket-systems", 0]
        command = [BIN / "passwordsafe-sim", "--users", users, "--systems", self.systems, "--local-accounts", 1, *none,
                   "--api-key-file", private(folder / "api.key", KEY), "--latency", f"{latency_ms}ms", "--rotation-delay", "24h",
                   "--certificate", folder / "server.pem", "--key", folder / "server.key", *options]
        self.process = pinned(1, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        found = addresses(self.process, {"api", "admin"})
        self.address, self.admin = found["api"], found["admin"]
        self.truth = self.passwords() if truth else None

    def ask(self, path, body=None, method=None):
        """A question to the simulator's own side; with a body it is a POST."""
        data = json.dumps(body).encode() if body is not None else None
        asked = urllib.request.Request(f"http://{self.admin}{path}", data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.loads(answer.read() or "null")

    def calls(self):
        """Calls answered so far, sign-ins included."""
        return sum(row["calls"] for row in self.ask("/counts")["calls"].values())

    def passwords(self):
        """The file the load tool compares answers with: the password of srv1, srv2, ... as the vault itself has it."""
        rows = [self.ask(f"/accounts/{FIRST_ACCOUNT + i}")["password"] for i in range(self.systems)]
        return private(self.folder / "truth.json", json.dumps(rows))


TLS_LISTENER = """[listener tls]
address = 127.0.0.1:0
tls_certificate = {folder}/server.pem
tls_key = {folder}/server.key
"""


class Jumpgate(Broker):
    name = "jumpgate"

    def __init__(self, vault, connections=64, sessions=4, binary=None, gateway="", list_each_time=False, state=None, timeout="60s",
                 keep_state=False, tls=False, vault_section="", under=(), list_cache="60s", home=None, core=0):
        """`under` is a command that runs the gateway's; with `tls` there is a second listener, its address is `tls_address`.

        Configuration and state are in `home`, or in the vault's folder; `vault_section` is written behind that of the vault.
        """
        folder, home = vault.folder, home or vault.folder
        self.state = state = state or home / "state"
        if not keep_state:
            shutil.rmtree(state, ignore_errors=True)
            state.mkdir(mode=0o700)
        caches = "list_cache = 0s\ncatalogue_cache = 1ms" if list_each_time else f"list_cache = {list_cache}"
        conf = home / "jumpgate.conf"
        conf.write_text(f"""
[gateway]
state_dir = {state}
log_level = warn
{caches}
request_timeout = {timeout}
max_connections = 20000
max_inflight = 20000
{gateway}
[listener main]
address = 127.0.0.1:0
{TLS_LISTENER.format(folder=folder) if tls else ""}
[client load]
token_sha256 = {hashlib.sha256(TOKEN.encode()).hexdigest()}
allow = broker observe operate
[vault sim]
type = password_safe
url = https://{vault.address}/BeyondTrust/api/public/v3
ca_file = {folder / "ca.pem"}
api_key_file = {folder / "api.key"}
reason = PRA session {{session}}
connections = {connections}
sessions_per_user = {sessions}
max_calls = 20000
call_timeout = 60s
{vault_section}
""")
        command = [*under, binary or BIN / "jumpgate", "run", "-c", conf]
        started = time.monotonic()
        self.process = pinned(core, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        found = addresses(self.process, {"main", "tls"} if tls else {"main"})
        self.address, self.tls_address = found["main"], found.get("tls")
        self.start_seconds = time.monotonic() - started

    def get(self, path):
        request = urllib.request.Request(f"http://{self.address}{path}", headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def metric(self, name):
        """The sum over all label sets."""
        rows = [line.rsplit(" ", 1) for line in self.get("/metrics").splitlines() if not line.startswith("#")]
        return sum(float(value) for key, value in rows if key.split("{")[0] == name)


class JumpgateListing(Jumpgate):
    """Without what it remembers: the account is listed for each check-out, as the peers do."""

    name = "jumpgate, listing"

    def __init__(self, vault, **more):
        super().__init__(vault, list_each_time=True, **more)


class JumpgateMemory(Jumpgate):
    """Journal and audit on a tmpfs: what is left of the cost when a disk costs nothing."""

    name = "jumpgate, tmpfs"

    def __init__(self, vault, **more):
        self.memory = pathlib.Path("/dev/shm") / vault.folder.name
        super().__init__(vault, state=self.memory, **more)

    def __exit__(self, *left):
        super().__exit__(*left)
        shutil.rmtree(self.memory, ignore_errors=True)


def load_command(broker, vault, clients, seconds, warmup=1, address=None, **more):
    command = [BIN / "jumpgate-load", "--address", address or broker.address, "--token-file", private(vault.folder / "token", TOKEN),
               "--clients", clients, "--seconds", seconds, "--warmup", warmup, "--users", vault.users, "--hosts", vault.systems,
               "--user-format", "user%u", "--domain", "ACME", "--host-format", "srv%u"]
    command += ["--truth", vault.truth] if vault.truth else []
    for name, value in more.items():
        for one in value if isinstance(value, list) else [value]:
            command += [f"--{name}"] + ([] if one is True else [one])
    return command


class Count:
    """The broker's counters at the load tool's word: CPU time at "measuring" and "over", rows as they come."""

    def __init__(self, process, broker, on_row, on_measuring, on_over):
        self.cpu, self.result, self.phase = {}, None, "warmup"
        self.broker, self.on_row = broker, on_row
        self.beside = {"measuring": on_measuring, "over": on_over}
        self.thread = threading.Thread(target=self.read, args=(process.stdout,), daemon=True)
        self.thread.start()

    def read(self, lines):
        for raw in lines:
            line = json.loads(raw)
            if "event" in line:
                self.phase = line["event"]
                self.cpu[self.phase] = self.broker.cpu_seconds()
                if self.beside[self.phase]:
                    self.beside[self.phase]()
            elif "row" in line:
                if self.on_row:
                    self.on_row(line["row"])
            else:
                self.result = line

    def cpu_seconds(self):
        return self.cpu.get("over", 0) - self.cpu.get("measuring", 0)


def load(broker, vault, clients, seconds, warmup=1, beside=None, on_row=None, on_measuring=None, on_over=None, **more):
    """One run of jumpgate-load; its result, with the broker's CPU time and memory beside it.

    `beside` is called again and again while it measures, the others once at their moment.
    """
    process = pinned(1, load_command(broker, vault, clients, seconds, warmup, **more), stdout=subprocess.PIPE)
    base = peak = broker.rss_kb()
    count = Count(process, broker, on_row, on_measuring, on_over)
    while process.poll() is None:
        peak = max(peak, broker.rss_kb())
        if beside and count.phase == "measuring":
            beside()
        time.sleep(0.02)
    count.thread.join()
    assert count.result and process.returncode in (0, 1), f"the load tool ended with {process.returncode}"
    return {**count.result, "cpu_seconds": count.cpu_seconds(), "rss_before_kb": base, "rss_peak_kb": peak}
