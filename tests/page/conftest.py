# SPDX-License-Identifier: Apache-2.0
"""One server and one browser for all tests of the page; each test begins signed out, on a server as after a start."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from browser import Browser  # noqa: E402
from fake_api import FakeApi  # noqa: E402


@pytest.fixture(scope="session")
def server():
    with FakeApi() as fake:
        yield fake


@pytest.fixture(scope="session")
def chromium():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def fake(server):
    """With a dashboard of two tiles: a whole one takes a second to load. `whole` has all of the default."""
    server.reset()
    server.layout["tiles"] = [{"id": "running_now", "width": 3, "height": 1}, {"id": "top_users", "width": 6, "height": 2}]
    return server


@pytest.fixture
def whole(fake):
    fake.layout["tiles"] = None


@pytest.fixture
def browser(chromium, fake):
    """Signed out, 1280 pixels wide, nothing kept. Whatever the test did, the page's policy was never broken."""
    chromium.forget(fake.url)
    yield chromium
    assert chromium.violations() == []


@pytest.fixture
def signed_in(browser, fake):
    """Opens a page for a user: signed_in(path, user="demo")."""

    def open_page(path="/", user="demo"):
        browser.cookie(fake.url, fake.new_session(user))
        browser.get(fake.url + path)
        browser.settled()
        return browser

    return open_page
