# SPDX-License-Identifier: Apache-2.0
"""The binaries without sanitizers, for tests about memory and the sandbox.

A sanitizer keeps freed memory and traces its own process, so such a build has no sandbox and proves nothing about
what is left in memory. Where JG_BIN_DIR is one, $JG_PLAIN_BIN_DIR, build/dev/bin or build/release/bin takes its place,
and without these the tests are skipped.
"""

import os

import pytest

import harness


def has_sanitizer(binary):
    return b"__asan_init" in binary.read_bytes()


def folder():
    """The folder with the binaries; skips the test where there is none."""
    named = [harness.ROOT / os.environ["JG_PLAIN_BIN_DIR"]] if "JG_PLAIN_BIN_DIR" in os.environ else []
    for place in (harness.BIN, *named, harness.ROOT / "build/dev/bin", harness.ROOT / "build/release/bin"):
        if (place / "jumpgate").exists() and not has_sanitizer(place / "jumpgate"):
            return place
    pytest.skip("needs a build without sanitizers: cmake --preset dev && cmake --build --preset dev")
    return None


@pytest.fixture(scope="module")
def plain_build():
    """Gateways started while this is in use are of that build."""
    before, harness.BIN = harness.BIN, folder()
    yield harness.BIN
    harness.BIN = before
