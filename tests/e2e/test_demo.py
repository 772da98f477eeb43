# SPDX-License-Identifier: Apache-2.0
"""scripts/demo walks to its end, shows no password, and leaves nothing behind. Without the .NET SDK: its tests are the plug-in's own."""

import os
import pathlib
import re
import subprocess

import pytest

from etcd_server import program
from simulator_process import ROOT, binary


@pytest.fixture(name="demo")
def _demo(tmp_path):
    """Runs it with the programs under test, and with a dotnet that has no SDK."""
    shim, temp = tmp_path / "bin", tmp_path / "temp"
    shim.mkdir()
    temp.mkdir()
    (shim / "dotnet").write_text("#!/bin/sh\n")
    (shim / "dotnet").chmod(0o755)

    def run(*words):
        environment = {**os.environ, "PATH": f"{shim}:{os.environ['PATH']}", "TMPDIR": str(temp),
                       "JG_BIN_DIR": str(pathlib.Path(binary("jumpgate")).parent)}
        done = subprocess.run([ROOT / "scripts" / "demo", *words], env=environment, stdin=subprocess.DEVNULL, check=False,
                              capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout, done.stderr, list(temp.iterdir())

    return run


def test_list_checkout_release(demo):
    code, out, err, left = demo()
    assert code == 0, out + err
    assert re.findall(r"active requests in the vault: (\d)", out) == ["1", "0"]
    assert '"password":"********"' in out and len(re.findall(r'"password":"[^*]', out)) == 0
    assert not left


def test_privileged_identity(demo):
    code, out, err, left = demo("--vault", "privileged_identity")
    assert code == 0, out + err
    assert re.findall(r"live check-outs at the vault: (\d)", out) == ["1", "1", "1", "0"]
    assert "Nothing of the checklist is refuted" in out and '"provisional":true' in out
    assert '"password":"********"' in out and len(re.findall(r'"password":"[^*]', out)) == 0
    assert not left


def test_a_session_ends_at_the_site_and_the_kill_switch(demo):
    code, out, err, left = demo("--pra")
    assert code == 0, out + err
    assert "curl makes the calls that the plug-in would make" in out
    assert re.findall(r"active requests in the vault: (\d)", out) == ["1", "0", "1", "0"]
    assert "session_ended source=event" in out
    assert "the session was ended" in out and '"state":"ended"' in out
    assert '"event":"operator_terminate"' in out and "sound: " in out
    assert len(re.findall(r'"password":"[^*]', out)) == 0
    assert not left


def test_session_reports(demo):
    code, out, err, left = demo("--reports", "--sessions", "60", "--events", "8", "--running", "3", "--faults")
    assert code == 0, out + err
    assert re.search(r"the page is on https://127\.0\.0\.1:\d+, for the user demo with the password [0-9a-f]{18}$", out, re.M)
    totals = dict(re.findall(r"^(\w+) +total (\d+)$", out, re.M))
    assert int(totals["running_now"]) >= 3
    # The tiles are asked one after the other, and collecting goes on: sessions may come between two of them.
    counts = [int(totals[tile]) for tile in ("by_site", "top_users", "sessions_over_time")]
    assert min(counts) >= 50 and max(counts) <= int(totals["running_now"]) + 66
    grids = re.search(r"grid of all sessions (\d+), events (\d+), syslog (\d+), check-outs (\d+)", out)
    assert int(grids[1]) >= 60 and int(grids[2]) > int(grids[1]) and int(grids[3]) > 0 and grids[4] == "3"
    assert '"class_uid":4001' in out and "X-Jumpgate-More: 1" in out
    assert re.search(r"on standard error: cursor=[0-9a-f]{52}$", out, re.M)
    assert not left


def test_a_wrong_word(demo):
    for words in (["--prae"], ["--pra", "--reports"], ["--reports", "--sessions", "many"]):
        code, _, err, left = demo(*words)
        assert code == 2 and err.startswith("usage: ") and not left


def test_several_gateways(demo):
    program()
    code, out, err, left = demo("--cluster")
    assert code == 0, out + err
    assert re.findall(r"active requests in the vault: (\d)", out) == ["0"]
    assert len(set(re.findall(r'"lease":\{"id":"(\w+)"', out))) == 1
    before, _, after = out.partition("3. kill -9 of g1")
    assert re.search(r" open +g1 .*mrivera", before) and not re.search(r" open +g1 .*mrivera", after), out
    assert re.search(r" open +g[23] .*mrivera", after), out
    assert len(re.findall(r'"password":"[^*]', out)) == 0
    assert not left
