# SPDX-License-Identifier: Apache-2.0
"""The page of a session, and that of the collector."""

import pytest


@pytest.fixture
def running(fake):
    return fake.data["sessions"].rows[0]


def path(session):
    return f"/sessions/{session['site']}/{session['lsid']}"


def events(browser):
    return browser.js("return document.querySelectorAll('ol[aria-label=Timeline] > li').length")


def test_session_by_role_and_name(signed_in, running):
    browser = signed_in(path(running))
    assert browser.find("heading", f"Session {running['lsid']}").properties["level"] == 1
    for name in ("Summary", "People", "Timeline", "System information", "Custom attributes", "Credentials", "Recordings"):
        browser.find("region", name)
    browser.find("list", "Timeline")
    browser.find("combobox", "Event type")
    browser.find("button", "More events")
    assert events(browser) == 200
    assert "This session is running" in browser.js("return document.querySelector('.running-note').innerText")


def test_more_events_until_there_are_none(signed_in, running):
    browser = signed_in(path(running))
    browser.find("button", "More events").click()
    browser.wait(lambda: events(browser) == 400, "400 events")
    browser.find("button", "More events").click()
    browser.gone("button", "More events")
    assert events(browser) > 450
    assert browser.js("return document.activeElement === document.querySelectorAll('ol[aria-label=Timeline] > li')[400]")


def test_events_of_a_type(signed_in, running, fake):
    browser = signed_in(path(running))
    n = len([e for e in fake.data["events"].rows if e["lsid"] == running["lsid"] and e["type"] == "Session Start"])
    browser.find("combobox", "Event type").choose(f"Session Start ({n})")
    browser.wait(lambda: events(browser) == n, f"{n} events")
    browser.gone("button", "More events")


def test_data_of_events_is_unfolded(signed_in, fake):
    failed = next(e for e in fake.data["events"].rows if e["failure_reason"])
    session = next(s for s in fake.data["sessions"].rows if s["lsid"] == failed["lsid"])
    browser = signed_in(path(session))
    text = browser.js("return document.querySelector('ol[aria-label=Timeline]').innerText")
    assert failed["failure_reason"] in text and "credential_name" in text


def test_descriptions_of_system_information_are_no_rows(signed_in, running):
    """A row of data is pairs, several are a table; the description names fields alone."""
    browser = signed_in(path(running))
    shown = browser.js("""return [...document.querySelectorAll('.information')].map((part) =>
        [...part.querySelectorAll('h3, dt, dd, th, td, p')].map((one) => one.textContent))""")
    assert shown == [["Processor", "Name", "Intel Xeon"], ["Disks", "Drive", "Size", "C:", "120 GB", "D:", "120 GB"],
                     ["Printers", "No rows"]]


def test_recordings_lead_to_the_site_alone(signed_in, running):
    browser = signed_in(path(running))
    links = browser.js("return [...document.querySelectorAll('.recordings a')].map((a) => [a.href, a.rel, a.target])")
    host = running["site"]
    assert links == [[f"https://{host}/session_download?key={n}", "noopener noreferrer", "_blank"] for n in (1, 2)]
    assert "http://elsewhere.example.net/chat" in browser.js("return document.querySelector('.recordings').innerText")
    browser = signed_in(path(running), "viewer")
    assert not browser.all("region", "Recordings")


def test_a_running_session_is_asked_for_again_and_grows(signed_in, running, fake):
    session = next(s for s in fake.data["sessions"].rows[1:] if s["state"] == "running")
    browser = signed_in(path(session))
    before = events(browser)
    first = browser.js("return window.first = document.querySelector('ol[aria-label=Timeline] > li'), window.first.textContent")
    fake.extra_events = [{**fake.data["events"].rows[0], "timestamp": session["start_time"] + 50, "type": "Chat Message"}]
    browser.pass_time(30)
    browser.wait(lambda: events(browser) == before + 1, "one more event")
    assert first and browser.js("return window.first.isConnected")
    assert [h for p, h in fake.asked("/api/sessions/") if h.get("X-Jumpgate-Refresh") == "1"]


def test_collector(signed_in, fake):
    browser = signed_in("/collector")
    for name in ("east", "west", "Gateways", "Database"):
        browser.find("region", name)
    browser.find("table", "sources of east")
    text = browser.js("return document.querySelector('main').innerText")
    assert "Action Required" in text and "Check client_id and its secret." in text and "1,234 sessions" in text and "2026-11-30 07:24:11" in text
    browser.find("table", "sessions of west that cannot be read")
    assert "ab" * 16 in text and "a session of more than 64M" in text and "1,005" in text
