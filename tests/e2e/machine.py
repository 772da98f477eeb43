# SPDX-License-Identifier: Apache-2.0
"""A machine on which the package is installed, as far as the gateway and the shipped unit can see.

    with Machine(vault.url) as machine:
        machine.run("systemctl start jumpgate")
        machine.run("jumpgate status")

It is a mount namespace: /etc, /usr, /var and /root are overlays, /run is empty, so that paths and users are those of
the package and nothing of the real machine is touched. `jumpgate` is /usr/bin/jumpgate. systemd does not run in it:
`systemctl` is a program of the tests (`unit_runner.py`) that does with conf/jumpgate.service what systemd would do
with the settings that matter here: user and groups, credentials, environment, readiness, exit codes. `systemd-run` is
one as well (`transient_unit.py`). Needs root.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

from harness import API_KEY, BIN, ROOT, SANITIZER, TOKEN, token_hash

OVERLAYS = ("etc", "usr", "var", "root")
UID, CLIENTS_GID = 61990, 61991

CONFIGURATION = """
[listener broker]
address = unix:/run/jumpgate/broker.sock
unix_group = jumpgate-clients

[listener web]
address = 127.0.0.1:0
tls_certificate = /etc/jumpgate/tls/server.pem
tls_key = /etc/jumpgate/tls/server.key

[client pra]
token_sha256 = {token}
allow = broker operate observe

[vault main]
url = {vault}
insecure_http = yes
api_key_file = $CREDENTIALS_DIRECTORY/api-key
run_as = {{domain}}\\{{username}}
call_timeout = 1s
"""


def possible():
    """Why a machine cannot be made here; None where it can."""
    if os.geteuid() != 0:
        return "needs root"
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                           "mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w && "
                           "mount -t overlay none -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w /etc"],
                          capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"no overlay in a mount namespace: {done.stderr.strip()}"


class Machine:
    """One machine. `vault` is the url of the simulated vault; `more` is added to the configuration."""

    def __init__(self, vault, more=""):
        self.vault, self.more = vault, more
        self.holder = None
        self.folder = None

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="jg-machine-"))
        mounts = ["set -e", f"mount -t tmpfs -o mode=0755 none {self.folder}"]
        for name in OVERLAYS:
            upper, work = self.folder / f"{name}.upper", self.folder / f"{name}.work"
            mounts += [f"mkdir {upper} {work}",
                       f"mount -t overlay none -o lowerdir=/{name},upperdir={upper},workdir={work} /{name}"]
        mounts += ["mount -t tmpfs -o mode=0755 none /run", "echo made", "exec sleep 600"]
        self.holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(mounts)],
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = self.holder.stdout.readline()
        assert line == "made\n", line + self.holder.stdout.read()
        self._install()
        return self

    def __exit__(self, kind, value, trace):
        try:
            stopped = self.run("systemctl stop jumpgate", check=False)
            log = self.log()
        finally:
            self.holder.kill()
            self.holder.wait()
            shutil.rmtree(self.folder)
        if kind is None:
            assert stopped.returncode == 0, stopped.stdout + log
            assert not SANITIZER.search(log), log

    def run(self, script, check=True, seconds=40):
        """Runs the script as root on the machine, as an administrator's shell would."""
        done = subprocess.run(["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "sh", "-euc", script],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=seconds, check=False, cwd="/",
                              env={"PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"})
        assert not check or done.returncode == 0, f"{script}\nended with {done.returncode}:\n{done.stdout}{self.log()}"
        return done

    def write(self, path, text, mode=0o644, owner="root:root"):
        """Writes a file of the machine, its folders included."""
        done = subprocess.run(["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "sh", "-euc",
                               f"mkdir -p {os.path.dirname(path)}; cat >{path}; chmod {mode:o} {path}; chown {owner} {path}"],
                              input=text, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr

    def log(self):
        """What the unit has written to its standard error since the machine was made."""
        return self.run("cat /run/jumpgate.journal 2>/dev/null || true", check=False).stdout

    def _install(self):
        """Users, folders, configuration and certificate, as the package and `jumpgate setup` leave them."""
        self.write("/usr/local/sbin/systemctl", (ROOT / "tests/e2e/unit_runner.py").read_text(), 0o755)
        self.write("/usr/bin/systemd-run", f'#!/bin/sh\nexec /usr/bin/python3 -B {ROOT}/tests/e2e/transient_unit.py "$@"\n', 0o755)
        self.write("/usr/lib/systemd/system/jumpgate.service", (ROOT / "conf/jumpgate.service").read_text())
        self.run(f"""
            mkdir -p /run/systemd/system
            groupadd -g {UID} jumpgate
            groupadd -g {CLIENTS_GID} jumpgate-clients
            useradd -u {UID} -g jumpgate -G jumpgate-clients -d / -s /usr/sbin/nologin -M jumpgate
            ln -sf {BIN}/jumpgate /usr/bin/jumpgate
            install -d -m 0750 -g jumpgate /etc/jumpgate /etc/jumpgate/tls
            install -d -m 0700 /etc/jumpgate/secrets
            install -d -m 0700 -o jumpgate -g jumpgate /var/lib/jumpgate
            """)
        self.write("/etc/jumpgate/secrets/api-key", API_KEY + "\n", 0o600)
        self.certificate("/etc/jumpgate/tls", days=30)
        self.write("/etc/jumpgate/jumpgate.conf",
                   CONFIGURATION.format(vault=self.vault, token=token_hash(TOKEN)) + self.more, 0o640, "root:jumpgate")

    def certificate(self, folder, days):
        """A new key with a self-signed certificate, server.key and server.pem, into the folder."""
        self.run(f"""
            mkdir -p {folder}
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days {days} -subj /CN=gateway \
                -addext subjectAltName=DNS:localhost -keyout {folder}/server.key -out {folder}/server.pem 2>/dev/null
            chmod 0600 {folder}/server.key; chown jumpgate {folder}/server.key; chmod 0644 {folder}/server.pem
            """)
