"""The collector of session reports against simulated sites: its configuration, its process, its database.

    with Month() as site, tempfile.TemporaryDirectory() as folder:
        collector = Collector(folder, site)
        assert collector.once() == 0
        collector.column("SELECT lsid FROM session")
"""

import hashlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess

from simulator_process import binary


class Collector:
    """reports.conf, the program, and what it has stored."""

    def __init__(self, folder, *sites, gateways=None, reports=None, pra=None):
        self.folder = pathlib.Path(folder)
        self.state = self.folder / "state"
        self.state.mkdir(mode=0o700, exist_ok=True)
        self.process = None
        self.errors = ""
        self.write(sites, gateways or {}, reports or {}, pra or {})

    def write(self, sites, gateways, reports, pra):
        lines = ["[reports]", f"state_dir = {self.state}"]
        lines += [f"{key} = {value}" for key, value in {"keep_syslog": "400d", **reports}.items()]
        for number, site in enumerate(sites):
            secret = self.folder / f"secret-{number}"
            secret.write_text(site.client_secret, encoding="ascii")
            secret.chmod(0o600)
            values = {"url": site.url, "host_name": f"site{number}.example.com", "insecure_http": "yes",
                      "client_id": site.client_id, "client_secret_file": secret, "rate": "20/s",
                      "hourly": "15000", **pra}
            lines += [f"[pra s{number}]", *(f"{key} = {value}" for key, value in values.items())]
        for name, pattern in gateways.items():
            lines += [f"[gateway {name}]", f"audit = {pattern}"]
        self.conf = self.folder / "reports.conf"
        self.conf.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def command(self, *arguments):
        return [binary("jumpgate-reports"), *arguments, "-c", str(self.conf)]

    def once(self, kill_at=None):
        """One round. Its exit code, below 0 for a signal."""
        environment = dict(os.environ)
        environment.pop("JG_KILL_AT", None)
        if kill_at:
            environment["JG_KILL_AT"] = kill_at
        done = subprocess.run(self.command("collect", "--once"), env=environment, timeout=120,
                              capture_output=True, text=True, check=False)
        self.errors = done.stderr
        return done.returncode

    def start(self):
        self.process = subprocess.Popen(self.command("run"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process.stdout.close()
        self.process = None
        return code

    # -- the database --

    def rows(self, sql, *values):
        with sqlite3.connect(f"file:{self.state}/reports.db?mode=ro", uri=True, timeout=30) as database:
            found = database.execute(sql, values).fetchall()
        database.close()
        return found

    def column(self, sql, *values):
        return [row[0] for row in self.rows(sql, *values)]

    def value(self, sql, *values):
        return self.rows(sql, *values)[0][0]

    def counts(self, sql):
        return dict(self.rows(sql))


class Trail:
    """A gateway's audit trail, as the gateway writes it."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.seq, self.prev = 0, "0" * 64

    def add(self, event, time, **members):
        self.seq += 1
        rest = f'","seq":{self.seq},"time":"{time}","prev":"{self.prev}","event":"{event}"'
        rest += "".join(f",{json.dumps(name)}:{json.dumps(value)}" for name, value in members.items()) + "}\n"
        line = '{"check":"' + hashlib.sha256(rest.encode()).hexdigest()[:16] + rest
        self.prev = hashlib.sha256(line.encode()).hexdigest()
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(line)
