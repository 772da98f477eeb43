# SPDX-License-Identifier: Apache-2.0
"""The forms of the log: with JSON every line is JSON, from the first to the last; under systemd an event is a record
of the journal. Where this machine permits it, the journal is a real one in a mount namespace of its own."""

import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from harness import BIN, Gateway
from stack import Stack

JOURNALD = pathlib.Path("/lib/systemd/systemd-journald")
VAULT = "http://127.0.0.1:1/api"
AS_JSON = {"gateway": {"log_format": "json"}}


def events(text):
    """Every line is an object; the names of the events."""
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        assert list(line)[:3] == ["time", "level", "event"], line
    return [line["event"] for line in lines]


def refused(gateway):
    gateway.launch()
    assert gateway.wait() != 0
    return events(gateway.err.text)


def test_json_from_the_first_line_to_the_last():
    with Stack({"gateway": {"log_format": "json", "log_level": "debug"}}) as stack:
        assert stack.checkout(stack.session("ann", stack.account())).status == 200
        stack.gateway.signal(signal.SIGHUP)
        stack.sweep()
        stack.gateway.stop()
        said = events(stack.gateway.err.text)
        assert {"starting", "listening", "checkout", "stopped"} <= set(said)
        assert stack.gateway.out.text == "ready"


def test_json_when_the_start_is_refused(tmp_path):
    with Gateway(VAULT, AS_JSON) as gateway:
        for keys in ({"max_inflight": "0", "log_levle": "info"}, {"state_dir": str(tmp_path / "absent" / "x")},
                     {"log_file": "/proc/nonsense"}, {"audit_file": "/dev/null"}):
            before = dict(gateway.sections["gateway"])
            gateway.sections["gateway"].update(keys)
            said = refused(gateway)
            assert "start_failed" in said or "unclean_end" in said, (keys, said)
            assert ("configuration_mistake" in said) == ("log_file" not in keys)
            assert "configuration_warning" in said  # of `url`: no mistake, also beside one
            gateway.sections["gateway"] = before
        gateway.stopped = True


def test_json_on_stderr_beside_a_log_file(tmp_path):
    log = tmp_path / "log"
    with Gateway(VAULT, {"gateway": {"log_format": "json", "log_file": str(log), "sandbox": "off"}}) as gateway:
        gateway.stop()
        assert events(gateway.err.text) == ["configuration_warning", "listening"]
        assert {"starting", "stopped"} <= set(events(log.read_text()))


def test_one_stream_of_json():
    with Gateway(VAULT, AS_JSON) as gateway:
        gateway.stop()
        gateway.launch(stderr=subprocess.STDOUT)
        assert gateway.out.wait_for(lambda line: '"event":"ready"' in line, 20)
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0
        assert "stopped" in events(gateway.out.text)
        gateway.stopped = True


# ---- the journal ----

def with_stderr(gateway):
    """Runs the gateway with a pipe for standard error that $JOURNAL_STREAM calls the journal; what it wrote there."""
    reader, writer = os.pipe()
    status = os.fstat(writer)
    gateway.environment["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
    gateway.launch(stderr=writer)
    os.close(writer)
    assert gateway.out.wait_for(lambda line: line == "ready", 20)
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 0
    gateway.stopped = True
    with os.fdopen(reader) as text:
        return text.read().splitlines()


@pytest.mark.skipif(pathlib.Path("/run/systemd/journal/socket").exists(), reason="the journal of this machine answers")
@pytest.mark.parametrize("form", ["text", "json"])
def test_lines_have_a_priority_where_the_journal_has_no_socket(form):
    with Gateway(VAULT, {"gateway": {"log_format": form}}) as gateway:
        gateway.stop()
        lines = with_stderr(gateway)
        assert all(line[:3] in ("<3>", "<4>", "<6>") for line in lines), lines
        assert any(line[:3] == "<4>" for line in lines)
        if form == "json":
            assert "stopped" in events("\n".join(line[3:] for line in lines))


SCRIPT = """
set -e
mount --make-rprivate /
mount -t tmpfs none /run
mkdir -p /run/systemd/journal /run/log/journal
RUNTIME_DIRECTORY=/run/systemd/journal {journald} >/dev/null 2>&1 &
journald=$!
wait_for() {{ for i in $(seq 300); do if eval "$1"; then return 0; fi; sleep 0.1; done; return 1; }}
wait_for '[ -S /run/systemd/journal/stdout ]'
# as the service manager does; systemd-cat of Debian 12 does not say it
systemd-cat sh -c 'export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); exec {gateway} run -c {conf}' &
gateway=$!
wait_for 'journalctl -q -D /run/log/journal JUMPGATE_EVENT=upstream_unreachable | grep -q main'
kill $gateway
wait $gateway
wait_for 'journalctl -q -D /run/log/journal JUMPGATE_EVENT=stopped | grep -q stopped'
journalctl -q -D /run/log/journal -o json
kill $journald
wait $journald || true
"""


def can_unshare():
    return os.geteuid() == 0 and JOURNALD.exists() and shutil.which("unshare") and subprocess.run(
        ["unshare", "-m", "sh", "-c", "mount --make-rprivate / && mount -t tmpfs none /run"], capture_output=True,
        check=False).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="no journal of its own can be started here")
def test_a_real_journal_has_the_fields():
    with Gateway(VAULT) as gateway:
        gateway.stop()
        script = SCRIPT.format(journald=JOURNALD, gateway=BIN / "jumpgate", conf=gateway.write_configuration())
        done = subprocess.run(["unshare", "-m", "bash", "-c", script], capture_output=True, text=True, timeout=100,
                              check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        found = [json.loads(line) for line in done.stdout.splitlines()]
        mine = [entry for entry in found if entry.get("SYSLOG_IDENTIFIER") == "jumpgate"]
        assert mine and {entry["_TRANSPORT"] for entry in mine} == {"journal"}
        by_event = {entry["JUMPGATE_EVENT"]: entry for entry in mine}
        assert by_event["listening"]["JUMPGATE_ADDRESS"].startswith("127.0.0.1:")
        assert by_event["listening"]["MESSAGE"].startswith("listening listener=main address=127.0.0.1:")
        assert by_event["starting"]["PRIORITY"] == "6" and by_event["starting"]["JUMPGATE_VERSION"]
        assert by_event["upstream_unreachable"]["PRIORITY"] == "4"
        assert by_event["upstream_unreachable"]["JUMPGATE_NAME"] == "main"
        assert by_event["stopped"]["JUMPGATE_EXIT_CODE"] == "0"
        assert by_event["stopped"]["SYSLOG_FACILITY"] == "3"
        gateway.stopped = True
