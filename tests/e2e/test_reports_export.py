# SPDX-License-Identifier: Apache-2.0
"""`jumpgate-reports export` as a command: what it writes, its last line, and what ends it."""

import os
import signal
import subprocess

import pytest

from harness import eventually
from reports_server import Reports


@pytest.fixture(scope="module", name="reports")
def _reports():
    with Reports(sessions=40, events=5) as running:
        yield running


def export(reports, *words, **more):
    return subprocess.run([str(reports.binary), "export", "-c", str(reports.write_configuration()), *words],
                          capture_output="stdout" not in more, timeout=60, check=False, **more)


def begin(reports, *words, stdout):
    return subprocess.Popen([str(reports.binary), "export", "-c", str(reports.write_configuration()), *words],
                            stdout=stdout, stderr=subprocess.PIPE)


def cursor_of(stderr):
    last = stderr.decode().splitlines()[-1]
    assert last.startswith("cursor="), stderr
    return last.removeprefix("cursor=")


def whole(reports):
    done = export(reports, "events")
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 200), done.stderr
    return done.stdout


def test_from_a_cursor_it_goes_on(reports):
    first = export(reports, "sessions")
    after = export(reports, "--cursor", cursor_of(first.stderr), "sessions")
    assert (first.returncode, first.stdout.count(b"\n"), after.returncode, after.stdout) == (0, 40, 0, b"")
    assert cursor_of(after.stderr) == cursor_of(first.stderr)
    assert export(reports, "--until", "2020-01-01", "sessions").returncode == 0


def test_what_is_wrong_is_said(reports):
    for words, code in ((["none"], 2), (["--format", "xml", "events"], 2), (["--since", "soon", "events"], 2),
                        (["--since", "1d", "--cursor", "00", "events"], 2), (["--cursor", "00", "events"], 1)):
        done = export(reports, *words)
        assert (done.returncode, done.stdout) == (code, b"") and done.stderr, words


def test_a_full_disk(reports):
    with open("/dev/full", "wb") as full:
        done = export(reports, "events", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"No space left" in done.stderr
    assert cursor_of(done.stderr) == ""
    assert export(reports, "--cursor", "", "events").stdout == whole(reports)


def test_a_broken_pipe_leaves_a_cursor_behind_what_was_taken(reports):
    everything = whole(reports)
    reader, writer = os.pipe()
    process = begin(reports, "events", stdout=writer)
    os.close(writer)
    taken = os.read(reader, 1000)
    os.close(reader)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode in (0, 1) and everything.startswith(taken)
    rest = export(reports, "--cursor", cursor_of(stderr), "events").stdout
    assert everything.endswith(rest)


def test_follow_ends_between_records(reports, tmp_path):
    path = tmp_path / "events"
    with open(path, "wb") as out:
        process = begin(reports, "--follow", "events", stdout=out)
    eventually(lambda: path.read_bytes() == whole(reports), 30)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert cursor_of(stderr) == cursor_of(export(reports, "events").stderr)
