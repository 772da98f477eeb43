# SPDX-License-Identifier: Apache-2.0
"""Commands without the unit's credentials: what asks the gateway or its store needs none."""

import json
import os
import subprocess

import pytest

from harness import API_KEY, BIN
from stack import Stack

# Sections that only a service manager's credentials make complete.
NAMED = "$CREDENTIALS_DIRECTORY/api-key"


@pytest.fixture(scope="module", name="shared")
def _shared(tmp_path_factory):
    credentials = tmp_path_factory.mktemp("credentials")
    (credentials / "api-key").write_text(API_KEY)
    (credentials / "api-key").chmod(0o600)
    with Stack() as stack:
        gateway = stack.gateway
        gateway.stop()
        gateway.sections["vault main"]["api_key_file"] = NAMED
        gateway.environment["CREDENTIALS_DIRECTORY"] = str(credentials)
        gateway.start()
        yield stack


@pytest.fixture(name="stack")
def _stack(shared):
    yield shared
    if shared.gateway.stopped:
        shared.gateway.start()
    shared.sweep()


def jumpgate(gateway, *words, path=None):
    environment = {name: value for name, value in os.environ.items() if name != "CREDENTIALS_DIRECTORY"}
    return subprocess.run([BIN / "jumpgate", *words, "-c", path or gateway.path / "jumpgate.conf"], env=environment,
                          capture_output=True, text=True, timeout=60, check=False)


def held(stack):
    ann = stack.session("ann", stack.account())
    assert stack.checkout(ann).status == 200
    leases = json.loads(jumpgate(stack.gateway, "leases", "--json").stdout)["leases"]
    assert len(leases) == 1
    return leases[0]["id"]


def test_online(stack):
    lease = held(stack)
    assert jumpgate(stack.gateway, "status").returncode == 0
    done = jumpgate(stack.gateway, "leases", "release", lease)
    assert (done.returncode, done.stderr) == (0, "")
    done = jumpgate(stack.gateway, "reload")
    assert (done.returncode, done.stderr) == (0, "")


def test_offline(stack):
    lease = held(stack)
    stack.gateway.stop()
    done = jumpgate(stack.gateway, "leases", "--json")
    assert done.returncode == 0 and [one["id"] for one in json.loads(done.stdout)["leases"]] == [lease]
    done = jumpgate(stack.gateway, "leases", "release", lease)
    assert done.returncode == 0, done.stderr
    done = jumpgate(stack.gateway, "status")
    assert done.returncode == 1 and "not running" in done.stderr


def test_mistakes_elsewhere_do_not_matter(stack, tmp_path):
    """The file is spoilt: all but `state_dir` is wrong, and the gateway is reached all the same."""
    path = tmp_path / "spoilt.conf"
    state = stack.gateway.sections["gateway"]["state_dir"]
    path.write_text(f"[gateway]\nlog_level = loud\nstate_dir = {state}\n[vault x]\nurl = nonsense\n[what]\n")
    path.chmod(0o600)
    assert jumpgate(stack.gateway, "status", path=path).returncode == 0
    assert jumpgate(stack.gateway, "leases", path=path).returncode == 0
    stack.gateway.stop()
    done = jumpgate(stack.gateway, "leases", "release", "--all", path=path)  # it would write an audit trail
    assert done.returncode == 1 and "has mistakes" in done.stderr
    path.write_text(f"[gatway]\nstate_dir = {state}\n")
    done = jumpgate(stack.gateway, "status", path=path)
    assert done.returncode == 1 and "has mistakes" in done.stderr


@pytest.mark.parametrize("text", ["state_dir =\n", "state_dir = /a\nstate_dir = /b\n"])
def test_a_mistake_in_state_dir_does(stack, tmp_path, text):
    path = tmp_path / "spoilt.conf"
    path.write_text(f"[gateway]\n{text}")
    path.chmod(0o600)
    done = jumpgate(stack.gateway, "leases", path=path)
    assert done.returncode == 1 and "state_dir" in done.stderr


def test_a_file_that_others_can_write_is_refused(stack, tmp_path):
    path = tmp_path / "open.conf"
    path.write_text(f"[gateway]\nstate_dir = {stack.gateway.sections['gateway']['state_dir']}\n")
    path.chmod(0o666)
    done = jumpgate(stack.gateway, "leases", path=path)
    assert done.returncode == 1 and "can be written by others" in done.stderr
