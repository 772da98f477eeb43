# SPDX-License-Identifier: Apache-2.0
"""Every section of docs/runbook.md, as it is written: the fault is made, its scripts run, the gateway is whole again.

A test gets the scripts of its section (the blocks of `sh`) by its heading. Words in capitals that a script sets for
its reader are set to the test's values; nothing else of it is changed.
"""

import json
import pathlib
import re
import signal

import pytest

import machine as machines
from harness import ROOT, TOKEN, eventually
from simulator import Simulator
from stack import PEOPLE

PAGE = (ROOT / "docs/runbook.md").read_text()
REASON = machines.possible()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
SECTIONS = {part.split("\n", 1)[0]: re.findall(r"^```sh\n(.*?)^```", part, re.M | re.S)
            for part in PAGE.split("\n## ")[1:]}
SESSION = '{"id":"S-1","user":{"username":"ann","domain":"CORP"},"jump_item":{"hostname":"web01"}}'


def scripts(heading, **words):
    """The scripts of a section, with the words that it sets for its reader replaced."""
    found = SECTIONS[heading]
    assert found, heading
    for word, value in words.items():
        changed = [re.sub(rf"(^|\s){word}=\S+", rf"\g<1>{word}={value}", text) for text in found]
        assert changed != found, f"{heading} does not set {word}"
        found = changed
    return found


@pytest.fixture(name="vault")
def _vault():
    with Simulator("--users", 0, "--systems", 0, api_key=machines.API_KEY) as vault:
        vault.scenario(PEOPLE)
        vault.change("systems", id=1, name="web01", platform=2)
        vault.change("accounts", id=1, system=1, name="root", rules=["auto"], rotates=False, max_concurrent=0)
        yield vault


@pytest.fixture(name="machine")
def _machine(vault):
    with machines.Machine(vault.url) as made:
        made.run("systemctl start jumpgate")
        yield made


def ask(machine, path, body):
    """The body of an answer over the broker's socket."""
    machine.write("/run/token", f"Authorization: Bearer {TOKEN}\n", 0o600)
    return machine.run("curl -sS --unix-socket /run/jumpgate/broker.sock -H @/run/token -H 'Content-Type: application/json' "
                       f"-d '{body}' http://gateway/v1/{path}").stdout


def checkout(machine):
    found = ask(machine, "credentials/find", '{"session":' + SESSION + "}")
    credential = re.search(r'"credential_id": ?"([^"]+)"', found)
    assert credential, found
    answer = ask(machine, "credentials/checkout",
                 '{"session":' + SESSION + f',"credential_id":"{credential[1]}"' + "}")
    assert '"password"' in answer, answer
    return credential[1]


def live(vault):
    state = vault.state(0)
    return len(state["active"]) + len(state["pending"])


def test_vault_down(machine, vault):
    see, mended = scripts("Vault down")
    checkout(machine)
    vault.process.send_signal(signal.SIGSTOP)
    eventually(lambda: machine.run("jumpgate status", check=False).returncode == 3, 60)
    shown = machine.run(see).stdout
    assert "main" in shown and "root" in shown
    vault.process.send_signal(signal.SIGCONT)
    machine.run(mended)
    checkout(machine)


def test_disk_full(machine):
    machine.run("systemctl stop jumpgate")
    machine.run("mount -t tmpfs -o size=24m,mode=0700 none /var/lib/jumpgate; chown jumpgate:jumpgate /var/lib/jumpgate")
    machine.run("systemctl start jumpgate")
    checkout(machine)
    machine.run("mv /var/lib/jumpgate/audit.jsonl /var/lib/jumpgate/audit.jsonl.1; kill -USR1 $(cat /run/jumpgate.pid)")
    eventually(lambda: machine.run("test -s /var/lib/jumpgate/audit.jsonl", check=False).returncode == 0 or checkout(machine))
    # The rotated file is what fills the disk: its last line is followed by nothing but free space that it takes.
    machine.run("fallocate --keep-size --length 64m /var/lib/jumpgate/audit.jsonl.1 || "
                "fallocate --keep-size --length $(df --output=avail -B1 /var/lib/jumpgate | tail -1) "
                "/var/lib/jumpgate/audit.jsonl.1", check=False)
    see, mend = scripts("Disk full")
    assert "audit.jsonl.1" in machine.run(see).stdout
    machine.run(mend)
    machine.run("test -s /var/backups/jumpgate/audit.jsonl.1")
    checkout(machine)


def as_setup_writes(machine):
    """The key of the listener is a credential."""
    machine.write("/etc/systemd/system/jumpgate.service.d/10-setup.conf",
                  "[Service]\nLoadCredential=server.key:/etc/jumpgate/secrets/server.key\n")
    machine.run("mv /etc/jumpgate/tls/server.key /etc/jumpgate/secrets; systemctl stop jumpgate; "
                "sed -i 's|^tls_key = .*|tls_key = $CREDENTIALS_DIRECTORY/server.key|' /etc/jumpgate/jumpgate.conf; "
                "systemctl start jumpgate")


def another_key(machine):
    machine.certificate("/root/another", days=90)
    machine.run("cp /root/another/server.key /root/new-certificate/server.key")


def test_certificate_ended(machine):
    machine.certificate("/root/new-certificate", days=90)
    as_setup_writes(machine)
    before = machine.run("openssl x509 -in /etc/jumpgate/tls/server.pem -noout -fingerprint").stdout
    mend, _ = scripts("Certificate ended")
    machine.run(mend)
    assert machine.run("openssl x509 -in /etc/jumpgate/tls/server.pem -noout -fingerprint").stdout != before
    another_key(machine)
    running = machine.run("cat /run/jumpgate.pid").stdout
    refused = machine.run(mend, check=False)
    assert refused.returncode == 1 and "is not the key" in refused.stdout
    assert machine.run("cat /run/jumpgate.pid").stdout == running, "the gateway that serves is not stopped"


def test_certificate_ended_with_a_path(machine):
    machine.certificate("/root/new-certificate", days=90)
    _, mend = scripts("Certificate ended")
    machine.run(mend)
    assert "reloaded" in machine.log()


def test_a_certificate_of_another_key_is_refused(machine):
    machine.certificate("/root/new-certificate", days=90)
    another_key(machine)
    _, mend = scripts("Certificate ended")
    assert machine.run(mend, check=False).returncode == 1
    machine.run("jumpgate status")


def test_orphan_found(machine, vault):
    checkout(machine)
    lease = json.loads(machine.run("jumpgate leases --json").stdout)["leases"][0]["id"]
    see, end, compare = scripts("Orphan found", LEASE=lease)
    assert lease in machine.run(see).stdout
    assert live(vault) == 1
    machine.run(end)
    eventually(lambda: live(vault) == 0)
    machine.run(compare)


def test_key_rotated(machine, vault):
    vault.settings(api_key="f" * 128)
    machine.write("/root/new-api-key", "f" * 128 + "\n", 0o600)
    (mend,) = scripts("Key rotated")
    assert "CORP\\ann" in machine.run(mend).stdout
    checkout(machine)


def test_lease_store_damaged(machine, vault):
    checkout(machine)
    machine.run("kill -KILL $(cat /run/jumpgate.pid); while kill -0 $(cat /run/jumpgate.pid) 2>/dev/null; do sleep 0.1; done; "
                "rm /var/lib/jumpgate/leases.db-wal; head -c 64k /dev/urandom >/var/lib/jumpgate/leases.db")
    assert machine.run("systemctl start jumpgate", check=False).returncode == 1
    (mend,) = scripts("Lease store damaged")
    assert "leases.db.damaged-" in machine.run(mend).stdout
    eventually(lambda: live(vault) == 0, 30)
    checkout(machine)


def test_upgrade(machine):
    machine.write("/usr/local/sbin/apt-get", '#!/bin/sh\n[ "$*" = "install -y /root/jumpgate.deb" ] && systemctl restart jumpgate\n',
                  0o755)
    checkout(machine)
    (script,) = scripts("Upgrade")
    shown = machine.run(script).stdout
    (lease,) = json.loads(machine.run("cat /root/leases-before").stdout)["leases"]
    assert lease["id"] in shown


def test_restore(machine, vault):
    checkout(machine)
    (backup,) = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs/backup.md").read_text(), re.M | re.S)
    machine.write("/etc/systemd/system/jumpgate.service.d/10-setup.conf", "[Service]\n")
    machine.run(backup)
    assert "etc/jumpgate/secrets/api-key" in machine.run("tar -tf /root/configuration.tar").stdout
    assert machine.run("stat -c %a /root/*.tar").stdout.split() == ["600", "600"]
    machine.run("systemctl stop jumpgate; rm -r /var/lib/jumpgate")
    (script,) = scripts("Restore")
    assert re.search(r"root +web01 +CORP.ann", machine.run(script).stdout)
    assert live(vault) == 1


def test_first_checkout_of_the_installation(vault):
    """docs/install.md, as the user of a `[client]` section."""
    (script,) = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs/install.md").read_text(), re.M | re.S)
    with machines.Machine(vault.url, "[client local]\npeer_uid = 0\nallow = broker\n") as machine:
        machine.run("systemctl start jumpgate")
        found = ask(machine, "credentials/find", '{"session":' + SESSION + "}")
        credential = re.search(r'"credential_id": ?"([^"]+)"', found)[1]
        shown = machine.run(re.sub(r"^ID=\S+", f"ID={credential}", script, flags=re.M)).stdout
        assert '"password"' in shown and '"released":1' in shown, shown


def test_every_section_is_drilled():
    assert set(SECTIONS) == set(re.findall(r'= scripts\("([^"]+)"', pathlib.Path(__file__).read_text()))
