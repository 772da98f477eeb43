# SPDX-License-Identifier: Apache-2.0
"""jumpgate-reports as a process: a configuration of its own in a directory, started, asked to stop, judged.

    with Reports(tmp_path, sites={"main": site}, web=True) as reports:
        reports.address                     # where the page listens

Leaving the block stops it with SIGTERM and asserts exit code 0 and nothing from a sanitizer.
"""

import os
import pathlib
import re
import signal
import subprocess
import threading

import harness
from harness import SANITIZER

START_SECONDS, STOP_SECONDS = 60, 60
LEAKS_OF_OTHERS = pathlib.Path(__file__).with_name("odbc-driver.supp")
ENVIRONMENT = {**os.environ, "LSAN_OPTIONS": f"suppressions={LEAKS_OF_OTHERS}:print_suppressions=0"}


def executable():
    return harness.BIN / "jumpgate-reports"


def reports(*words, **more):
    more = {"capture_output": True, "text": True, "timeout": 120, "check": False, "stdin": subprocess.DEVNULL,
            "env": ENVIRONMENT, **more}
    if "input" in more:
        del more["stdin"]
    return subprocess.run([executable(), *map(str, words)], **more)


def secret(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


class Reports:
    """The process and its files."""

    def __init__(self, folder, authority=None, sites=(), more="", **keys):
        self.folder, self.state = folder, folder / "state"
        self.conf = folder / "reports.conf"
        self.process, self.address, self.lines = None, None, []
        text = f"[reports]\nstate_dir = {self.state}\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
        for name, site in dict(sites).items():
            file = secret(folder / f"{name}.secret", site.client_secret)
            text += (f"[pra {name}]\nurl = {site.url}\ninsecure_http = yes\nclient_id = {site.client_id}\n"
                     f"client_secret_file = {file}\nhost_name = {name}.test\n")
        if authority:
            pair = authority.server()
            os.chmod(pair.key, 0o600)
            text += f"[web]\naddress = 127.0.0.1:0\ntls_certificate = {pair.certificate}\ntls_key = {pair.key}\n"
        self.write(text + more)

    def write(self, text):
        self.text = text
        secret(self.conf, text)

    def start(self):
        """Waits for `ready`. The lines of an earlier start are gone."""
        self.lines = []
        self.process = subprocess.Popen([executable(), "run", "-c", self.conf], stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.PIPE, env=ENVIRONMENT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        timer = threading.Timer(START_SECONDS, self.process.kill)
        timer.start()
        ready = self.process.stdout.readline()
        timer.cancel()
        assert ready == "ready\n", self.error
        self.address = self.wait_for(r"listening listener=web address=(\S+)")[1] if "[web]" in self.text else None
        return self

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    @property
    def error(self):
        return "".join(self.lines)

    def wait_for(self, pattern, seconds=30):
        """A line of the log; polled, with a limit."""
        for _ in range(seconds * 20):
            found = re.search(pattern, self.error)
            if found:
                return found
            threading.Event().wait(0.05)
        raise AssertionError(f"{pattern} is not in the log:\n{self.error}")

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, expect=0):
        self.signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS)
        self.reader.join(10)
        self.process.stdout.close()
        self.process.stderr.close()
        assert code == expect and not SANITIZER.search(self.error), (code, self.error)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.stop()
