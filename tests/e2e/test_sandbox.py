# SPDX-License-Identifier: Apache-2.0
"""What the running gateway has given up, and that it still does its work."""

import os
import pathlib
import pwd
import re
import signal

import pytest

from certificates import Authority
from harness import Gateway, eventually
from manager import Manager
from pra_site import PraSite
from stack import Stack
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
    with Stack(FRESH) as stack:
        ann = stack.session("ann", stack.account(password="pw"))
        assert stack.checkout(ann).status == 200
        states = threads(stack.gateway)
        assert len(states) > 1  # a thread of its own writes the journal
        for state in states:
            assert state["Seccomp"] == "2"
            assert state["NoNewPrivs"] == "1"
            for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(state[kind], 16) == 0, (kind, state)
        limits = pathlib.Path(f"/proc/{stack.gateway.process.pid}/limits").read_text()
        assert "Max core file size        0                    0" in limits
        stack.sweep()


def test_vault_is_found_by_name():
    """The resolver has a thread of its own and reads files of the system."""
    with Stack(FRESH) as stack:
        url = stack.vault.url.replace("127.0.0.1", "localhost")
        with Gateway(url, FRESH) as gateway:
            found = gateway.find(stack.session("ann", stack.account()))
            assert found.status == 200 and len(found.json["credentials"]) == 1
        stack.opened = []


def site_entry(gateway):
    return [d for d in gateway.call("GET", "/status").json["dependencies"] if d["type"] == "pra"][0]


def test_site_over_tls_with_files_of_its_own(tmp_path):
    """Its secret and authority are in a folder that nothing else is in, and are read again by a reload."""
    authority = Authority(tmp_path / "trust")
    folder = tmp_path / "secrets"
    folder.mkdir()
    secret = folder / "pra-secret"
    with PraSite(tls=authority.server()) as site:
        site.permit(perm_reporting_support="1", perm_configuration="1")
        site.jumpoint("dc1", connected=True)
        secret.touch(mode=0o600)
        secret.write_text(site.client_secret)
        keys = {"url": site.url.replace("127.0.0.1", "localhost"), "client_id": site.client_id, "rate": "10/s",
                "client_secret_file": str(secret), "ca_file": authority.certificate, "jumpoints": "dc1",
                "probe_interval": "1s", "check_interval": "1s", "poll_interval": "1s"}
        with Stack({**FRESH, "pra site": keys}) as stack:
            gateway = stack.gateway
            eventually(lambda: site_entry(gateway)["state"] == "up")
            box = stack.account(password="pw")
            ann = stack.session("ann", box)
            ann["lsid"] = site.start_session(user="ann", endpoint=box.name)
            assert stack.checkout(ann).status == 200
            site.end_session(ann["lsid"])
            eventually(lambda: stack.live() == [], 20)
            site.change_secret("changed-secret")
            secret.unlink()
            secret.touch(mode=0o600)
            secret.write_text("changed-secret")
            gateway.signal(signal.SIGHUP)
            eventually(lambda: site_entry(gateway)["tokens"] == 2)
            eventually(lambda: site_entry(gateway)["state"] == "up")
            assert {state["Seccomp"] for state in threads(gateway)} == {"2"}
            stack.sweep()
        assert not site.violations()


def test_state_directory_is_made(tmp_path):
    """It is made before the fence is put up around it."""
    state = tmp_path / "state"
    with Stack({"gateway": {"state_dir": str(state)}}) as stack:
        assert state.stat().st_mode & 0o7777 == 0o700
        stack.checkout(stack.session("ann", stack.account()))
        stack.sweep()


def test_unix_listener_and_log_are_kept(tmp_path):
    log = tmp_path / "log" / "jumpgate.log"
    log.parent.mkdir()
    sock = tmp_path / "run" / "broker.sock"
    sock.parent.mkdir()
    sections = {"gateway": {"log_file": str(log)}, "listener local": {"address": f"unix:{sock}"},
                "client local": {"peer_uid": str(os.getuid()), "allow": "observe"}}
    with Stack(sections) as stack:
        gateway = stack.gateway
        assert gateway.call("GET", "/status", listener="local").status == 200
        log.rename(tmp_path / "log" / "old")
        gateway.signal(signal.SIGUSR1)
        eventually(log.exists)
        gateway.call("GET", "/v1/capabilities")
        eventually(lambda: "operation=capabilities" in log.read_text())
    assert not sock.exists()


@pytest.mark.parametrize("mode, seccomp, line", [("log", "2", "mode=log"), ("off", "0", "mode=off")])
def test_other_modes(mode, seccomp, line):
    with Stack({"gateway": {"sandbox": mode, "list_cache": "0s"}}) as stack:
        ann = stack.session("ann", stack.account(password="pw"))
        assert stack.checkout(ann).json["password"] == "pw"
        assert {state["Seccomp"] for state in threads(stack.gateway)} == {seccomp}
        assert line in stack.gateway.err.text
        stack.sweep()


as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can change users")


def give_away(gateway, user):
    """What the gateway reads and writes becomes another user's, down to its directory."""
    entry = pwd.getpwnam(user)
    for path in (gateway.path, *gateway.path.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid)
    return entry


@as_root
def test_root_becomes_another_user():
    with Stack(FRESH) as stack:
        gateway = Gateway(stack.vault.url, {"gateway": {"user": "nobody", "sandbox": "off", "list_cache": "0s"}})
        gateway.write_configuration()
        entry = give_away(gateway, "nobody")
        with gateway:
            ann = stack.session("ann", stack.account(password="pw"))
            assert gateway.find(ann).status == 200
            for state in threads(gateway):
                assert state["Uid"].split() == [str(entry.pw_uid)] * 4
                assert state["Gid"].split() == [str(entry.pw_gid)] * 4
                assert "0" not in state["Groups"].split()
                assert int(state["CapPrm"], 16) == int(state["CapBnd"], 16) == 0
            assert (gateway.path / "state" / "audit.jsonl").stat().st_uid == entry.pw_uid


@as_root
def test_site_of_another_user():
    """The secret belongs to that user, and a reload reads it again."""
    with PraSite() as site:
        gateway = Gateway("http://127.0.0.1:9/BeyondTrust/api/public/v3", {"gateway": {"user": "nobody"}})
        secret = gateway.secret("pra-secret", site.client_secret)
        gateway.sections["pra site"] = {"url": site.url, "insecure_http": "yes", "client_id": site.client_id,
                                        "client_secret_file": secret, "probe_interval": "1s", "check_interval": "1s"}
        gateway.write_configuration()
        entry = give_away(gateway, "nobody")
        with gateway:
            eventually(lambda: site_entry(gateway)["state"] != "unknown")
            assert site_entry(gateway)["tokens"] == 1
            assert {state["Uid"].split()[1] for state in threads(gateway)} == {str(entry.pw_uid)}
            site.change_secret("changed-secret")
            pathlib.Path(secret).write_text("changed-secret")
            gateway.signal(signal.SIGHUP)
            eventually(lambda: site_entry(gateway)["tokens"] == 2)


@as_root
def test_state_directory_is_made_for_the_other_user():
    gateway = Gateway("http://127.0.0.1:9/BeyondTrust/api/public/v3", {"gateway": {"user": "nobody"}})
    gateway.write_configuration()
    entry = give_away(gateway, "nobody")
    os.chown(gateway.path, 0, 0)
    gateway.path.chmod(0o755)
    (gateway.path / "state").rmdir()
    with gateway:
        made = (gateway.path / "state").stat()
        assert (made.st_uid, made.st_mode & 0o7777) == (entry.pw_uid, 0o700)


@as_root
def test_other_user_must_be_able_to_read_the_files():
    gateway = Gateway("http://127.0.0.1:9/BeyondTrust/api/public/v3", {"gateway": {"user": "nobody"}})
    gateway.write_configuration()
    give_away(gateway, "nobody")
    os.chown(gateway.path / "api-key", 0, 0)
    gateway.launch()
    assert gateway.wait() == 1
    assert f"cannot read {gateway.path / 'api-key'}: Permission denied" in gateway.err.text


@as_root
@pytest.mark.parametrize("user", [None, "nobody"])
def test_state_directory_of_another_is_refused(user):
    gateway = Gateway("http://127.0.0.1:9/BeyondTrust/api/public/v3", {"gateway": {"user": user}})
    os.chown(gateway.path / "state", *((1, 1) if user is None else (0, 0)))
    if user:
        gateway.write_configuration()
        give_away(gateway, "nobody")
        os.chown(gateway.path / "state", 0, 0)
    gateway.launch()
    assert gateway.wait() == 1
    assert f"{gateway.path / 'state'} (mode 0700) belongs to uid" in gateway.err.text
    assert "runs as uid" in gateway.err.text


@as_root
@pytest.mark.parametrize("arguments, power", [((), False), (("--allow-root",), True)])
def test_root_keeps_its_capabilities_only_where_it_is_allowed(arguments, power):
    """`sandbox = off` alone does not leave root its power."""
    with Gateway("http://127.0.0.1:9/BeyondTrust/api/public/v3", {"gateway": {"sandbox": "off"}},
                 arguments=arguments) as gateway:
        assert ("running_as_root" in gateway.err.text) is not power
        for state in threads(gateway):
            assert (int(state["CapEff"], 16) != 0) is power
            assert state["NoNewPrivs"] == ("0" if power else "1")


def test_no_unix_socket_and_no_code_can_come():
    """By the filter of a running gateway: reading its status shows that it is there; its rules are tested beside."""
    with Gateway("http://127.0.0.1:9/BeyondTrust/api/public/v3") as gateway:
        maps = pathlib.Path(f"/proc/{gateway.process.pid}/maps").read_text()
        assert not [line for line in maps.splitlines() if "wx" in line.split()[1]]


def test_no_library_of_the_session_reports_is_loaded():
    with Gateway("http://127.0.0.1:9/BeyondTrust/api/public/v3") as gateway:
        maps = pathlib.Path(f"/proc/{gateway.process.pid}/maps").read_text()
        assert "libuv" in maps and not re.search("libzip|libodbc|libglib", maps)


def test_little_memory_for_secrets_is_enough_for_a_few():
    with Stack({"gateway": {"secret_memory": "4M", "list_cache": "0s"}}) as stack:
        ann = stack.session("ann", stack.account(password="pw"))
        assert stack.checkout(ann).json["password"] == "pw"
        stack.sweep()


def test_passed_sockets_work_in_the_sandbox(tmp_path):
    """The folder of a passed Unix socket is not among the gateway's files; it serves and hands over all the same."""
    folder = tmp_path / "run"
    folder.mkdir()
    with Stack(FRESH) as stack, Manager() as manager:
        manager.unix("broker", folder / "s")
        sections = {"listener broker": {"address": f"unix:{folder}/s"}}
        with manager.starts(Gateway(stack.vault.url, FRESH | sections)) as gateway:
            assert threads(gateway)[0]["Seccomp"] == "2"
            for _ in range(2):
                found = gateway.find(stack.session("ann", stack.account()), listener="broker")
                assert found.status == 200
                gateway.stop()
                gateway.restart()
        stack.opened = []
