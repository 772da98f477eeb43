# SPDX-License-Identifier: Apache-2.0
"""One stack per test module, swept after each test; a vault of its own for each test of the simulator.

A module that wants another configuration defines its own fixture `stack` or `vault` of the same kind.
"""

import pytest

import api_document
from stack import Stack
from simulator import MARIA, Simulator

# Lists are read again each time, so that a test sees what it has just changed in the vault.
PLAIN = {"gateway": {"list_cache": "0s", "catalogue_cache": "0s"}, "vault main": {"call_timeout": "2s"}}


@pytest.fixture(autouse=True)
def _answers():
    """Every answer of the test was one of docs/openapi.yaml, also those that a thread has read."""
    api_document.offences.clear()
    yield
    assert not api_document.offences, "\n".join(api_document.offences)


@pytest.fixture(scope="module", name="shared")
def _shared():
    with Stack(PLAIN) as stack:
        yield stack


@pytest.fixture(name="stack")
def _stack(shared):
    yield shared
    shared.sweep()


@pytest.fixture(name="vault")
def _vault():
    with Simulator("--fixture", "worked") as vault:
        yield vault


@pytest.fixture(name="maria")
def _maria(vault):
    return vault.sign_in(MARIA)
