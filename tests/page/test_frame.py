# SPDX-License-Identifier: Apache-2.0
"""What stands around every page: banner, navigation, theme; the filters; the address that holds the whole state."""

import pytest
from selenium.webdriver.common.keys import Keys

MAIN = ["Dashboard", "Sessions", "Events", "Vault activity", "Accounts", "Syslog", "Check-outs"]
PATHS = {"/": "Dashboard", "/records/sessions": "Sessions", "/records/events": "Events", "/records/vault_activity": "Vault activity", "/records/accounts": "Accounts",
         "/records/syslog": "Syslog", "/records/credential_use": "Check-outs", "/records/jump_items": "Jump Items", "/records/jumpoints": "Jumpoints", "/records/team": "Teams",
         "/collector": "Collector"}


def test_every_page_has_a_frame_and_one_heading(signed_in):
    browser = signed_in("/records/team")
    for path, title in PATHS.items():
        browser.js("const a = document.createElement('a'); a.href = arguments[0]; document.querySelector('main').append(a); a.click()", path)
        browser.wait(lambda title=title: browser.js("return document.title") == f"{title} · jumpgate", title)
        browser.settled()
        assert [n.name for n in browser.all("heading") if n.properties["level"] == 1] == [title]
        assert len(browser.all("banner")) == len(browser.all("main")) == 1
        current = browser.js("return [...document.querySelectorAll('nav[aria-label=Main] [aria-current=page]')].map((a) => a.textContent)")
        assert current == ([title] if title in [*MAIN, "Collector"] else [])


def test_main_navigation_by_what_a_user_may(signed_in, fake):
    links = "return [...document.querySelectorAll('nav[aria-label=Main] a')].map((a) => a.textContent)"
    browser = signed_in("/records/team")
    browser.find("navigation", "Main")
    assert browser.js(links) == [*MAIN, "Collector"]
    browser = signed_in("/records/team", "viewer")
    assert browser.js(links) == MAIN
    browser = signed_in("/collector", "viewer")
    browser.find("heading", "Page not found")
    browser.get(fake.url + "/records/sessions")
    browser.settled()
    assert not browser.all("link", "Export as CSV")


def test_the_first_stop_of_the_keyboard_skips_to_the_content(signed_in):
    browser = signed_in("/records/sessions")
    browser.press(Keys.TAB)
    assert browser.focused == ("link", "Skip to content")
    browser.press(Keys.ENTER)
    assert browser.js("return document.activeElement.tagName") == "MAIN"


def test_the_theme_is_kept(signed_in, fake):
    browser = signed_in("/")
    background = lambda: browser.js("return getComputedStyle(document.body).backgroundColor")  # noqa: E731
    light = background()
    theme = browser.find("combobox", "Theme")
    assert browser.js("return [...document.querySelectorAll('.theme option')].map((o) => o.textContent)") == ["System", "Light", "Dark"]
    theme.choose("Dark")
    dark = background()
    assert dark != light
    browser.get(fake.url + "/records/sessions")
    browser.settled()
    assert background() == dark
    browser.find("combobox", "Theme").choose("System")
    assert background() == light
    browser.scheme("dark")
    assert background() == dark


def test_an_unknown_page(signed_in, fake):
    browser = signed_in("/nowhere")
    browser.find("heading", "Page not found")
    browser.find("link", "Go to the dashboard").click()
    browser.find("heading", "Dashboard")
    browser.get(fake.url + "/sessions/pra-east.example.com/0000")
    browser.wait(lambda: "no such session" in browser.js("return document.querySelector('main [role=alert]').textContent"), "the text")


def test_links_keep_filters_and_the_focus_goes_to_the_heading(signed_in):
    browser = signed_in("/?range=7d&tz=Europe/Berlin&site=pra-east.example.com")
    browser.find("link", "Events").click()
    browser.settled()
    browser.find("heading", "Events")
    assert browser.path == "/records/events?range=7d&tz=Europe/Berlin&site=pra-east.example.com"
    assert browser.focused == ("heading", "Events")


FILTERS = {"Range": "Last 30 days", "Time zone": "UTC", "Site": "All sites", "Jump group": "All jump groups"}


@pytest.mark.parametrize("path", ["/", "/records/sessions"])
def test_filters_by_role_and_name(signed_in, path):
    browser = signed_in(path)
    browser.find("search", "Filters")
    for name in FILTERS:
        browser.find("combobox", name)
    for name in ("User", "Endpoint"):
        browser.find("textbox", name)
    shown = browser.js("return [...document.querySelectorAll('[role=search] select')].map((s) => s.selectedOptions[0].textContent)")
    assert shown == list(FILTERS.values())
    ranges = browser.js("return [...document.querySelector('[role=search] select').options].map((o) => o.textContent)")
    assert ranges == ["Last 24 hours", "Last 7 days", "Last 30 days", "Last 90 days", "Last 12 months", "All time", "Custom"]
    assert not browser.all("textbox", "From") and not browser.all("textbox", "To")
    browser.find("button", "Apply")
    browser.find("button", "Clear")


def test_comboboxes_apply_at_once_and_back_goes_back(signed_in, fake):
    browser = signed_in("/records/sessions")
    browser.find("combobox", "Range").choose("Last 7 days")
    browser.wait(lambda: browser.path == "/records/sessions?range=7d", "the range in the address")
    browser.find("combobox", "Site").choose("pra-west.example.com")
    browser.wait(lambda: browser.path == "/records/sessions?range=7d&site=pra-west.example.com", "the site in the address")
    browser.settled()
    assert browser.focused == ("combobox", "Site")
    assert "range=7d&site=pra-west.example.com" in fake.asked("/api/records/sessions?")[-1][0]
    browser.driver.back()
    browser.wait(lambda: browser.path == "/records/sessions?range=7d", "the address before")
    browser.settled()
    assert browser.js("return document.querySelectorAll('[role=search] select')[2].selectedOptions[0].textContent") == "All sites"
    browser.driver.forward()
    browser.wait(lambda: browser.js("return document.querySelectorAll('[role=search] select')[2].value") == "pra-west.example.com", "the site again")
    browser.find("button", "Clear").click()
    browser.wait(lambda: browser.path == "/records/sessions", "no filter")


def test_texts_apply_by_the_button_and_by_enter(signed_in, fake):
    browser = signed_in("/?range=90d")
    browser.find("textbox", "User").type("alice")
    assert browser.path == "/?range=90d"
    browser.find("button", "Apply").click()
    browser.wait(lambda: browser.path == "/?range=90d&user=alice", "the user in the address")
    browser.settled()
    browser.find("textbox", "Endpoint").type("srv-001")
    browser.press(Keys.ENTER)
    browser.wait(lambda: browser.path == "/?range=90d&user=alice&endpoint=srv-001", "the endpoint in the address")
    browser.settled()
    assert fake.asked("/api/tiles/top_users")[-1][0].endswith("?range=90d&user=alice&endpoint=srv-001")


def test_a_range_of_ones_own(signed_in):
    browser = signed_in("/?tz=Europe/Berlin")
    browser.find("combobox", "Range").choose("Custom")
    browser.wait(lambda: "from=" in browser.path and "to=" in browser.path and "range=" not in browser.path, "from and to in the address")
    browser.find("textbox", "From").type("2026-11-02 09:00")
    browser.find("textbox", "To").type("2026-11-01")
    browser.find("button", "Apply").click()
    browser.wait(lambda: "From must be before To." in browser.js("return document.querySelector('[role=search] [role=alert]').textContent"), "the complaint")
    assert browser.focused[1] == "From"
    browser.find("textbox", "To").type("2026-11-03")
    browser.press(Keys.ENTER)
    browser.wait(lambda: browser.path == "/?from=2026-11-02T09:00:00%2B01:00&to=2026-11-03T00:00:00%2B01:00&tz=Europe/Berlin", "both in the address")
    browser.settled()
    assert browser.js("return document.querySelector('input[name=from]').value") == "2026-11-02 09:00"


def test_several_values_of_one_kind_can_be_taken_away(signed_in):
    browser = signed_in("/records/sessions?user=alice&user=bob")
    browser.find("list", "Active filters")
    browser.find("button", "Remove filter User alice").click()
    browser.wait(lambda: browser.path == "/records/sessions?user=bob", "one user left")
    browser.settled()
    assert browser.js("return document.querySelector('input[name=user]').value") == "bob"


def test_the_server_away(signed_in, fake):
    browser = signed_in("/")
    fake.fail["/api/me"] = (503, "database_unavailable", "x")
    browser.get(fake.url + "/")
    browser.find("alert")
    fake.fail.clear()
    browser.find("button", "Retry").click()
    browser.find("heading", "Dashboard")
