#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`systemd-run` where systemd does not run: user, groups and LoadCredential= of a transient unit, and its exit code."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from unit_runner import become


def main(words):
    end = words.index("--")
    options, command = words[:end], words[end + 1:]
    unit, values = {}, {"PATH": "/usr/sbin:/usr/bin"}
    assert {"--pipe", "--wait", "--collect"} <= set(options), options
    for option in options:
        name, _, value = option.partition("=")
        if name == "--property":
            unit.setdefault(value.split("=", 1)[0], []).append(value.split("=", 1)[1])
        elif name == "--setenv":
            values.update([value.split("=", 1)])
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        user, gid, change = become(unit) if "User" in unit else (None, 0, None)
        uid = user.pw_uid if user else 0
        for line in unit.get("LoadCredential", []):
            name, path = line.split(":", 1)
            copy = pathlib.Path(folder, name)
            shutil.copy(path, copy)
            copy.chmod(0o400)
            os.chown(copy, uid, gid)
        os.chown(folder, uid, gid)
        done = subprocess.run(command, env={**values, "CREDENTIALS_DIRECTORY": folder}, preexec_fn=change, cwd="/", check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
