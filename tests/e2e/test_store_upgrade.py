# SPDX-License-Identifier: Apache-2.0
"""The gateway of before the lease store had rows of vault requests, killed under load, is replaced without an orphan.

That gateway is built from the history of this repository: of the commit before the one that brought the table
store_tag. It takes a minute or more, so `scripts/test --all` alone runs this file; JG_OLDER_GATEWAY names one that
was built before. 200 leases are open, and others come and go, when it is killed. Then the new one is killed at each
crash point of the migration, and started again.
"""

import os
import pathlib
import shutil
import subprocess
import threading

import pytest

from harness import BIN, ROOT, eventually
from stack import Stack
from test_crash import MIGRATION_POINTS, Scene

pytestmark = pytest.mark.skipif("JG_ALL" not in os.environ, reason="scripts/test --all")

LEASES = 200
STREAMS = 8
SCHEMA = "src/stores/sqlite_schema.c"
SECTIONS = {"gateway": {"reconcile_every": "1s", "reconcile_rate": "off", "sandbox": "off"}}


def output_of(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False, timeout=1800, **more)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module", name="older")
def _older(tmp_path_factory):
    """The path of the older gateway."""
    if "JG_OLDER_GATEWAY" in os.environ:
        return pathlib.Path(os.environ["JG_OLDER_GATEWAY"])
    came = output_of("git", "log", "--format=%H", "-SCREATE TABLE store_tag", "--", SCHEMA, cwd=ROOT).split()
    if not came:
        pytest.skip("the history of the repository is not here")
    source = tmp_path_factory.mktemp("older")
    output_of("tar", "-xf", "-", "-C", source, input=output_of("git", "archive", f"{came[-1].decode()}^", cwd=ROOT))
    output_of("cmake", "--preset", "release", cwd=source)
    output_of("cmake", "--build", "build/release", "-j2", "--target", "jumpgate", cwd=source)
    return source / "build/release/bin/jumpgate"


class Upgrade(Scene):
    """A scene of which the older gateway has been killed under load."""

    def __init__(self, stack, older):
        super().__init__(stack)
        self.sessions = [self.person(user, box, f"{user}-{box}-{n}")
                         for user in ("ann", "bob") for box in range(8) for n in range(LEASES // 16 + 1)][:LEASES]
        self.gate.stop()
        self.state = self.gate.path / "state"
        shutil.rmtree(self.state)
        self.state.mkdir(mode=0o700)
        self.gate.binary = older
        assert self.start(), self.gate.err.text
        self.load()
        self.gate.binary = BIN / "jumpgate"
        self.left = self.gate.path / "left"  # by the older gateway
        shutil.copytree(self.state, self.left, ignore=shutil.ignore_patterns("*.sock"))

    def load(self):
        """Opens all leases, and kills the gateway while others come and go."""
        open_at_once = [threading.Thread(target=lambda part=n: [self.checkout(who) for who in self.sessions[part::STREAMS]])
                        for n in range(STREAMS)]
        for thread in open_at_once:
            thread.start()
        for thread in open_at_once:
            thread.join()
        assert len(self.leases("open")) == LEASES
        over = threading.Event()

        def stream(n):
            while not over.is_set():
                who = self.person("carol", n, f"stream-{n}")
                if self.checkout(who):
                    self.complete(who)

        threads = [threading.Thread(target=stream, args=(n,), daemon=True) for n in range(STREAMS)]
        for thread in threads:
            thread.start()
        over.wait(1)
        self.gate.kill()
        over.set()
        for thread in threads:
            thread.join(30)

    def put_back(self):
        shutil.rmtree(self.state)
        shutil.copytree(self.left, self.state)

    def has_all(self):
        ids = {row["sessions"][0] for row in self.leases("open")}
        assert {who["id"] for who in self.sessions} <= ids
        eventually(lambda: self.live() <= self.held(), 40)


def test_the_older_gateway_is_replaced(older):
    assert len(MIGRATION_POINTS) >= 3
    with Stack(SECTIONS, ["--minute", "60s", "--latency", "3ms"]) as stack:
        scene = Upgrade(stack, older)
        for point in MIGRATION_POINTS:
            scene.put_back()
            assert not scene.start(JG_KILL_AT=point), point
            assert scene.gate.process.returncode == -9, scene.gate.err.text[-3000:]
            assert scene.start(), scene.gate.err.text[-3000:]
            scene.has_all()
            scene.gate.kill()
        scene.put_back()
        assert scene.start(), scene.gate.err.text[-3000:]
        scene.has_all()
        scene.settle()
