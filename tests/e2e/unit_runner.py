#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`systemctl start|stop|restart|reload|is-active jumpgate` where systemd does not run.

It reads the unit and its drop-ins, and does with them what systemd would do, as far as the gateway notices: user and
groups, folders, EnvironmentFile and Environment, LoadCredential, ExecStartPre, Type=notify, ExecReload, the signal of
a stop. Settings of isolation are left out.
"""

import glob
import grp
import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

UNIT = "/usr/lib/systemd/system/jumpgate.service"
DROP_INS = "/etc/systemd/system/jumpgate.service.d/*.conf"
PID, JOURNAL, CREDENTIALS, NOTIFY = "/run/jumpgate.pid", "/run/jumpgate.journal", "/run/credentials/jumpgate", "/run/notify"
SECONDS = 60


def settings():
    """Every setting of [Service] as a list; an empty value empties the list."""
    found = {}
    for path in [UNIT] + sorted(glob.glob(DROP_INS)):
        section = ""
        for line in open(path, encoding="utf-8"):
            line = line.strip()
            if line.startswith("["):
                section = line
            elif section == "[Service]" and "=" in line and line[0] not in "#;":
                key, value = line.split("=", 1)
                found[key] = found.get(key, []) + [value] if value else []
    return found


def environment(unit):
    """What the processes of the unit get; files are later than settings, as with systemd."""
    made = {"PATH": "/usr/sbin:/usr/bin", "CREDENTIALS_DIRECTORY": CREDENTIALS, "STATE_DIRECTORY": "/var/lib/jumpgate"}
    for line in unit.get("Environment", []):
        made.update(word.split("=", 1) for word in shlex.split(line))
    for path in unit.get("EnvironmentFile", []):
        if path.startswith("-") and not os.path.exists(path[1:]):
            continue
        for line in open(path.lstrip("-"), encoding="utf-8"):
            if "=" in line and line[0] != "#":
                made.update([line.strip().split("=", 1)])
    return made


def command(line, values):
    """The words of an Exec line: a variable as a word of its own becomes any number of words."""
    words = []
    for word in shlex.split(line.lstrip("-+!@:")):
        words += values.get(word[1:].strip("{}"), "").split() if word.startswith("$") else [word]
    return words


def become(unit):
    user = pwd.getpwnam(unit["User"][-1])
    gid = grp.getgrnam(unit.get("Group", [unit["User"][-1]])[-1]).gr_gid
    more = [grp.getgrnam(name).gr_gid for line in unit.get("SupplementaryGroups", []) for name in line.split()]

    def change():
        os.setgroups([gid] + os.getgrouplist(user.pw_name, gid) + more)
        os.setgid(gid)
        os.setuid(user.pw_uid)
        os.umask(0o077)
    return user, gid, change


def running():
    try:
        pid = int(open(PID, encoding="utf-8").read())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    try:
        state = open(f"/proc/{pid}/stat", encoding="utf-8").read().rsplit(") ", 1)[1][0]
    except OSError:
        return None
    return None if state == "Z" else pid


def start():
    if running():
        return 0
    unit = settings()
    user, gid, change = become(unit)
    shutil.rmtree(CREDENTIALS, ignore_errors=True)
    os.makedirs(CREDENTIALS, 0o755)
    for line in unit.get("LoadCredential", []):
        name, path = line.split(":", 1)
        if os.path.exists(path):
            shutil.copy(path, f"{CREDENTIALS}/{name}")
            os.chmod(f"{CREDENTIALS}/{name}", 0o400)
            os.chown(f"{CREDENTIALS}/{name}", user.pw_uid, gid)
    os.makedirs("/run/jumpgate", 0o755, exist_ok=True)
    os.chown("/run/jumpgate", user.pw_uid, gid)
    values = environment(unit)
    journal = open(JOURNAL, "a", encoding="utf-8")
    for line in unit.get("ExecStartPre", []):
        code = subprocess.run(command(line, values), env=values, preexec_fn=change, stdout=journal, stderr=journal,
                              stdin=subprocess.DEVNULL, check=False).returncode
        if code and not line.startswith("-"):
            print(f"jumpgate.service: ExecStartPre ended with {code}")
            return 1
    if os.path.exists(NOTIFY):
        os.unlink(NOTIFY)
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(NOTIFY)
    os.chmod(NOTIFY, 0o777)
    notify.settimeout(0.1)
    gateway = subprocess.Popen(command(unit["ExecStart"][-1], values), env={**values, "NOTIFY_SOCKET": NOTIFY},
                               preexec_fn=change, stdout=journal, stderr=journal, stdin=subprocess.DEVNULL,
                               start_new_session=True)
    open(PID, "w", encoding="utf-8").write(str(gateway.pid))
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if gateway.poll() is not None:
            print(f"jumpgate.service: ended with {gateway.returncode}")
            return 1
        try:
            if b"READY=1" in notify.recv(4096):
                return 0
        except TimeoutError:
            pass
    print("jumpgate.service: not ready in time")
    return 1


def stop():
    pid = running()
    if not pid:
        return 0
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + SECONDS
    while running():
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            print("jumpgate.service: killed")
            return 1
        time.sleep(0.02)
    return 0


def reload():
    pid = running()
    if not pid:
        return 1
    unit = settings()
    values = {**environment(unit), "MAINPID": str(pid)}
    _, _, change = become(unit)
    return max(subprocess.run(command(line, values), env=values, preexec_fn=change, check=False).returncode
               for line in unit["ExecReload"])


VERBS = {"start": start, "stop": stop, "restart": lambda: stop() or start(), "reload": reload,
         "is-active": lambda: 0 if running() else 3}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in ("jumpgate", "jumpgate.service"):
        sys.exit("usage: systemctl start|stop|restart|reload|is-active jumpgate")
    sys.exit(VERBS[sys.argv[1]]())
