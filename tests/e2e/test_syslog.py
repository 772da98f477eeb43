# SPDX-License-Identifier: Apache-2.0
"""The audit trail as a real rsyslogd reads it: with its own rules, every field arrives in its place."""

import json
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

from harness import eventually
from stack import Stack

RSYSLOGD = shutil.which("rsyslogd", path=f"{os.environ['PATH']}:/usr/sbin")

pytestmark = pytest.mark.skipif(not RSYSLOGD, reason="rsyslog is not installed")

FIELDS = {"host": "hostname", "source": "fromhost", "app": "app-name", "program": "programname", "pid": "procid",
          "msgid": "msgid", "severity": "syslogseverity", "facility": "syslogfacility", "time": "timereported",
          "data": "structured-data", "version": "protocol-version", "message": "msg"}


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Rsyslog:
    """An rsyslogd of its own. It writes one JSON object per message."""

    def __init__(self, folder):
        self.folder, self.out = folder, folder / "messages"
        self.socket, self.port = folder / "log", free_udp_port()

    def __enter__(self):
        dates = {"time": ' dateFormat="rfc3339"'}
        parts = " ".join(f'property(name="{name}" outname="{key}" format="jsonf"{dates.get(key, "")}) constant(value=",")'
                         for key, name in FIELDS.items())
        parts = parts.removesuffix(' constant(value=",")')
        conf = self.folder / "rsyslog.conf"
        conf.write_text(f'''
global(workDirectory="{self.folder}")
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
input(type="imuxsock" Socket="{self.socket}" CreatePath="off")
input(type="imudp" address="127.0.0.1" port="{self.port}")
template(name="json" type="list") {{ constant(value="{{") {parts} constant(value="}}\\n") }}
action(type="omfile" file="{self.out}" template="json")
''')
        self.process = subprocess.Popen([RSYSLOGD, "-n", "-f", conf, "-i", self.folder / "pid"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        eventually(lambda: self.socket.is_socket() or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.stdout.read()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()

    def messages(self):
        if not self.out.exists():
            return []
        return [json.loads(line) for line in self.out.read_text().splitlines() if line.startswith("{")]

    def audit(self, event):
        """The message of that event, once it is there, and its record."""
        def found():
            for message in self.messages():
                if f'"event":"{event}"' in message["message"]:
                    return message
            return None
        message = eventually(found)
        return message, json.loads(message["message"])


@pytest.fixture
def collector():
    folder = pathlib.Path(subprocess.run(["mktemp", "-d", "/tmp/jumpgate-syslog-XXXXXX"], capture_output=True, text=True,
                                         check=True).stdout.strip())
    try:
        with Rsyslog(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder)


def check(message, record, stack):
    assert message["app"] == message["program"] == "jumpgate"
    assert message["pid"] == str(stack.gateway.process.pid)
    assert (message["facility"], message["severity"]) == ("13", "5")
    line = message["message"].lstrip(" ").encode() + b"\n"
    assert line in (stack.gateway.path / "state" / "audit.jsonl").read_bytes().splitlines(keepends=True)
    assert record["user"] == "Zoë" and record["domain"] == "CORP"


def checked_out(stack):
    answer = stack.checkout(stack.session("Zoë", stack.account()))
    assert answer.status == 200, answer.body


def test_the_local_form_on_a_unix_socket(collector):
    """As on /dev/log, where the collector knows the host and expects none."""
    keys = {"audit_syslog": f"unix:{collector.socket}", "audit_syslog_format": "rfc3164"}
    with Stack({"gateway": keys}) as stack:
        checked_out(stack)
        message, record = collector.audit("checkout")
        check(message, record, stack)
        assert message["host"].split(".")[0] == socket.gethostname().split(".")[0]
        assert message["host"] == message["source"]
        stack.sweep()


def test_rfc_5424_by_udp(collector):
    with Stack({"gateway": {"audit_syslog": f"udp:127.0.0.1:{collector.port}"}}) as stack:
        checked_out(stack)
        message, record = collector.audit("checkout")
        check(message, record, stack)
        assert message["version"] == "1" and message["host"] == socket.gethostname()
        assert message["msgid"] == "checkout"
        assert message["time"].startswith(record["time"][:19])
        number = f'[meta sequenceId="{record["seq"]}"]'
        assert message["data"].startswith(f'{number}[origin software="jumpgate" swVersion="'), message["data"]
        assert stack.metric("jumpgate_audit_syslog_dropped_total") == 0
        stack.sweep()
