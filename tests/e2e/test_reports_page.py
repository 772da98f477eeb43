# SPDX-License-Identifier: Apache-2.0
"""The page in Chromium against `jumpgate-reports run`: signing in, a tile's number and its grid, a session, an export, a layout that is kept.

What the page does by itself is in tests/page, against a server of made-up records; here the two halves meet.
"""

import os
import re
import sys

import pytest

from reports_server import ONE, PASSWORD, Reports, lsid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../page"))
from browser import Browser  # noqa: E402 (the folder is known from here on)


@pytest.fixture(scope="module", name="reports")
def _reports():
    # Browsers say where they are: the page's origin is the address that it is served under.
    with Reports({"web": {"public_url": None}}, sessions=120, events=5) as running:
        yield running


@pytest.fixture(scope="module", name="chromium")
def _chromium():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(name="page")
def _page(chromium, reports):
    """Opens a page as a user who signs in by the form."""
    url = f"https://{reports.addresses['web']}"

    def open_page(path, user="ann"):
        chromium.forget(url)
        chromium.get(url + path)
        chromium.find("textbox", "User name").type(user)
        chromium.find("textbox", "Password").type(PASSWORD)
        chromium.find("button", "Sign in").click()
        chromium.wait(lambda: chromium.path == path, path)
        chromium.settled()
        return chromium

    yield open_page
    assert chromium.violations() == []


def rows(browser):
    return browser.js("return document.querySelector('.rows-status').textContent")


def test_a_number_leads_to_as_many_rows_and_to_a_session(page):
    browser = page("/?range=7d")
    assert not browser.js("return [...document.querySelectorAll('main [role=alert]')].map((a) => a.textContent).join('')")
    found = next(node for node in browser.all("link") if re.fullmatch(re.escape(ONE) + r": \d+", node.name))
    number = found.name.rsplit(": ", 1)[1]
    found.click()
    browser.find("heading", "Sessions")
    browser.wait(lambda: rows(browser) == f"Rows 1 to 50 of {number}", f"{number} rows")
    browser.find("button", "Next page").click()
    browser.wait(lambda: rows(browser).startswith("Rows 51 to "), "the second page")
    name = browser.js("return document.querySelector('tbody a').textContent")
    browser.find("link", name).click()
    browser.find("heading", f"Session {name}")
    browser.settled()
    browser.find("region", "Recordings")
    assert browser.js("return document.querySelectorAll('ol[aria-label=Timeline] > li').length") == 5
    assert "<script>alert(1)</script>" in browser.js("return document.querySelector('ol[aria-label=Timeline]').innerText")


def test_every_tile_every_grid_and_the_collector_answer(page):
    browser = page("/collector")
    browser.find("region", "Database")
    for dataset in ("sessions", "events", "vault_activity", "accounts", "syslog", "credential_use", "jump_items", "jumpoints", "team"):
        browser.js("const a = document.createElement('a'); a.href = arguments[0]; document.querySelector('main').append(a); a.click()", f"/records/{dataset}?range=all&tz=Europe/Berlin")
        browser.wait(lambda dataset=dataset: browser.path.startswith(f"/records/{dataset}?") and re.match("Rows 1 to |No rows", rows(browser)), dataset)


def test_filters_that_the_page_writes_are_understood(page):
    browser = page("/records/sessions?range=all")
    for title, typed, count in (("Session", f"={lsid(7)}", 1), ("Endpoint", "^=cmd|11", 11), ("Duration", "4m..5m", 120), ("Jumpoint", "empty", 120), ("Type", "CLIENT", 120)):
        browser.find("textbox", f"Filter {title}").type(typed)
        browser.press("\ue007")
        browser.wait(lambda: "f." in browser.path, f"{typed} in the address")
        browser.settled()
        assert rows(browser) == f"Rows 1 to {min(count, 50)} of {count}", typed
        browser.find("button", "Clear").click()
        browser.wait(lambda: rows(browser) == "Rows 1 to 50 of 120", "all rows")


def test_a_layout_is_kept(page, reports):
    browser = page("/", "bob")
    browser.find("button", "Edit dashboard").click()
    browser.js("document.querySelector('[role=toolbar][aria-label=\"Running now\"] [aria-label=\"Move earlier\"]').click()")
    browser.find("button", "Save").click()
    browser.find("button", "Edit dashboard")
    browser.get(f"https://{reports.addresses['web']}/")
    browser.settled()
    assert browser.names("article")[:2] == ["Running now", "Sessions over time"]
    assert len(reports.records("layout_saved")) == 1


def test_signing_out_and_a_page_that_is_not_there(page, reports):
    browser = page("/records/events", "bob")
    browser.get(f"https://{reports.addresses['web']}/nothing-is-here")
    browser.find("heading", "Page not found")
    browser.get(f"https://{reports.addresses['web']}/records/events")
    browser.find("button", "Sign out").click()
    browser.find("heading", "Sign in")
    browser.get(f"https://{reports.addresses['web']}/nothing-is-here")
    browser.find("heading", "Sign in")  # what there is, those who are signed in learn
