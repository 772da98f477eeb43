# SPDX-License-Identifier: Apache-2.0
"""jumpgate doctor in tests: a vault with a configuration that a test may spoil, and what the doctor finds.

    finding = clinic.ask("CORP\\ann", "web01", kinds="local")
    finding.failed("list", "`kinds`")             # stage, exit code, words
"""

import contextlib
import itertools
import json
import subprocess

from harness import API_KEY, BIN, TOKEN, token_hash
from simulator import Simulator
from stack import OAUTH_SECRET, PEOPLE

VAULT_STAGES = ["configuration", "secrets", "mapping", "dns", "tcp", "tls", "api", "sign_in", "role", "list",
                "policy", "clock"]
OWN_STAGES = ["listener", "certificate", "state", "disk"]
STAGES = VAULT_STAGES + OWN_STAGES
CODES = dict(zip(STAGES, [1, *range(10, 21), *range(60, 64)]))
NUMBERS = itertools.count(30000)  # of systems and accounts, never twice
OTHER_KEY = "fedcba9876543210" * 8


class Clinic:
    """A vault with users, and a configuration for it that a test may spoil."""

    def __init__(self, vault, folder):
        self.vault = vault
        self.folder = folder
        self.keys = {}
        self.gateway = []  # further lines of [gateway]
        self.listener = ["address = 127.0.0.1:0"]
        self.client = [f"token_sha256 = {token_hash(TOKEN)}"]
        self.state_dir = folder

    def secret(self, name, text):
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return str(path)

    def box(self, name, rule="auto", **members):
        """A system with one account; returns their ids."""
        system, account = next(NUMBERS), next(NUMBERS)
        self.vault.change("systems", id=system, name=name, platform=2)
        self.vault.change("accounts", id=account, system=system, name="root", rules=[rule], rotates=False,
                          max_concurrent=0, **members)
        return system, account

    def configure(self, **keys):
        url = keys.get("url", self.vault.url if self.vault else None)
        made = {"type": "password_safe", "url": url, "api_key_file": self.secret("key", API_KEY),
                "insecure_http": "yes" if url.startswith("http:") else None, "call_timeout": "5s", "retries": 0,
                **self.keys, **keys}
        lines = ["[gateway]", f"state_dir = {self.state_dir}", *self.gateway, "[listener main]", *self.listener,
                 "[client pra]", *self.client, "allow = broker", "[vault main]"]
        lines += [f"{key} = {value}" for key, value in made.items() if value is not None]
        path = self.folder / "jumpgate.conf"
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o600)
        return path

    def ask(self, user="CORP\\ann", host="web01", words=(), conf=None, **keys):
        """Runs the doctor twice, as text and as JSON; returns the finding."""
        path = conf or self.configure(**keys)
        page = doctor("-c", path, "--user", user, "--host", host, *words)
        done = doctor("-c", path, "--user", user, "--host", host, "--json", *words)
        return Finding(page, done)


def doctor(*words):
    return subprocess.run([str(BIN / "jumpgate"), "doctor", *map(str, words)], capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL, check=False)


class Finding:
    def __init__(self, page, done):
        assert page.returncode == done.returncode, (page, done)
        assert page.stderr == done.stderr == "", (page.stderr, done.stderr)
        self.code = done.returncode
        self.page = page.stdout
        self.json = json.loads(done.stdout)
        self.stages = {row["stage"]: row for row in self.json["stages"]}
        assert list(self.stages) == STAGES
        assert self.json["exit_code"] == self.code and self.json["ok"] == (self.code == 0)
        for text in (page.stdout, done.stdout):
            for secret in (API_KEY, OTHER_KEY, TOKEN, OAUTH_SECRET):
                assert secret not in text
        for row in self.json["stages"]:
            assert list(row) == ["stage", "state", "detail", "cause", "remedy", "notes"]
            assert row["state"] in ("ok", "warning", "failed", "unknown")
            told = row["state"] in ("warning", "failed")
            assert told == (row["cause"] is not None) == (row["remedy"] is not None)

    def is_well(self):
        assert self.code == 0, self.page
        assert [row["state"] for row in self.json["stages"]] == ["ok"] * len(STAGES), self.page
        assert self.json["failed"] is None
        return self

    def failed(self, stage, *words):
        """Failed at that stage, nothing before it failed, and all these words are said there."""
        assert (self.json["failed"], self.code) == (stage, CODES[stage]), self.page
        if stage in OWN_STAGES:
            assert {self.stages[s]["state"] for s in VAULT_STAGES} <= {"ok", "warning"}, self.page
            return self.says(stage, *words)
        states = [self.stages[s]["state"] for s in VAULT_STAGES]
        at = VAULT_STAGES.index(stage)
        assert set(states[:at]) <= {"ok", "warning"}, self.page
        assert set(states[at + 1:-1]) <= {"unknown"}, self.page
        self.says(stage, *words)
        assert f"exit code {self.code}" in self.page and "likely cause" in self.page
        return self

    def warns(self, stage, *words):
        """It warns there, and nothing has failed."""
        assert (self.code, self.stages[stage]["state"]) == (0, "warning"), self.page
        return self.says(stage, *words)

    def says(self, stage, *words):
        row = self.stages[stage]
        told = " ".join([row["detail"], row["cause"] or "", row["remedy"] or "", *row["notes"]])
        for word in words:
            assert word in told, (word, self.page)
        return self

    def notes(self, stage):
        return self.stages[stage]["notes"]


@contextlib.contextmanager
def tls_clinic(folder, pair, **more):
    with Simulator("--users", 0, "--systems", 0, api_key=API_KEY, tls=pair, **more) as vault:
        vault.scenario(PEOPLE)
        clinic = Clinic(vault, folder)
        clinic.box("web01")
        yield clinic
