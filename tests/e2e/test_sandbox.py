# SPDX-License-Identifier: Apache-2.0
"""What the running gateway has given up, and that it still does its work."""

import os
import pathlib
import signal

import pytest

from harness import Gateway, eventually
from house import House
from plain_build import plain_build  # noqa: F401, a fixture

pytestmark = pytest.mark.usefixtures("plain_build")
FRESH = {"gateway": {"list_cache": "0s"}}


def threads(gateway):
    """The status file of every thread as {name: value}."""
    found = []
    for task in pathlib.Path(f"/proc/{gateway.process.pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        found.append({name: value.strip() for name, _, value in (line.partition(":") for line in lines)})
    return found


def test_every_thread_is_confined():
    with House(FRESH) as house:
        ann = house.session("ann", house.account(password="pw"))
        assert house.checkout(ann).status == 200
        states = threads(house.gateway)
        assert len(states) > 1  # a thread of its own writes the journal
        for state in states:
            assert state["Seccomp"] == "2"
            assert state["NoNewPrivs"] == "1"
            for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(state[kind], 16) == 0, (kind, state)
        limits = pathlib.Path(f"/proc/{house.gateway.process.pid}/limits").read_text()
        assert "Max core file size        0                    0" in limits
        house.sweep()


def test_vault_is_found_by_name():
    """The resolver has a thread of its own and reads files of the system."""
    with House(FRESH) as house:
        url = house.vault.url.replace("127.0.0.1", "localhost")
        with Gateway(url, FRESH) as gateway:
            found = gateway.find(house.session("ann", house.account()))
            assert found.status == 200 and len(found.json["credentials"]) == 1
        house.opened = []


def test_state_directory_is_made(tmp_path):
    """It is made before the fence is put up around it."""
    state = tmp_path / "state"
    with House({"gateway": {"state_dir": str(state)}}) as house:
        assert state.stat().st_mode & 0o7777 == 0o700
        house.checkout(house.session("ann", house.account()))
        house.sweep()


def test_unix_listener_and_log_are_kept(tmp_path):
    log = tmp_path / "log" / "jumpgate.log"
    log.parent.mkdir()
    sock = tmp_path / "run" / "broker.sock"
    sock.parent.mkdir()
    sections = {"gateway": {"log_file": str(log)}, "listener local": {"address": f"unix:{sock}"},
                "client local": {"peer_uid": str(os.getuid()), "allow": "observe"}}
    with House(sections) as house:
        gateway = house.gateway
        assert gateway.call("GET", "/status", listener="local").status == 200
        log.rename(tmp_path / "log" / "old")
        gateway.signal(signal.SIGUSR1)
        eventually(log.exists)
        gateway.call("GET", "/v1/capabilities")
        eventually(lambda: "operation=capabilities" in log.read_text())
    assert not sock.exists()


@pytest.mark.parametrize("mode, seccomp, line", [("log", "2", "mode=log"), ("off", "0", "mode=off")])
def test_other_modes(mode, seccomp, line):
    with House({"gateway": {"sandbox": mode, "list_cache": "0s"}}) as house:
        ann = house.session("ann", house.account(password="pw"))
        assert house.checkout(ann).json["password"] == "pw"
        assert {state["Seccomp"] for state in threads(house.gateway)} == {seccomp}
        assert line in house.gateway.err.text
        house.sweep()


def test_little_memory_for_secrets_is_enough_for_a_few():
    with House({"gateway": {"secret_memory": "4M", "list_cache": "0s"}}) as house:
        ann = house.session("ann", house.account(password="pw"))
        assert house.checkout(ann).json["password"] == "pw"
        house.sweep()
