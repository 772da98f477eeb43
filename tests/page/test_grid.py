# SPDX-License-Identifier: Apache-2.0
"""Grids: columns, order, filters, pages, exports, as the address has them."""

import urllib.parse

import pytest
from selenium.webdriver.common.keys import Keys

SHOWN = ["Start", "Duration", "Site", "User", "Endpoint", "Jump group", "Jumpoint", "Type", "Session"]
ALL = "start_time,duration,site,user,endpoint,jump_group,jumpoint,type,lsid"


def status(browser):
    return browser.js("return document.querySelector('.rows-status').textContent")


def header(browser, title):
    return next(n for n in browser.all("columnheader") if n.name.startswith(title))


def sort_of(browser, title):
    return browser.js("return [...document.querySelectorAll('th')].find((th) => th.textContent === arguments[0]).getAttribute('aria-sort')", title)


def total(text):
    return int(text.rsplit(" ", 1)[1].replace(",", ""))


def test_grid_by_role_and_name(signed_in):
    browser = signed_in("/records/sessions")
    browser.find("table", "Sessions")
    assert browser.names("columnheader") == SHOWN
    for title in ("Start", "Duration", "User", "Endpoint", "Jump group"):
        browser.find("button", title)
    for title in SHOWN:
        browser.find("textbox", f"Filter {title}")
    assert status(browser).startswith("Rows 1 to 50 of ")
    browser.find("navigation", "Pages")
    for name in ("Previous page", "Next page", "Columns"):
        browser.find("button", name)
    browser.find("combobox", "Rows per page")
    for name in ("Export as CSV", "Export as NDJSON"):
        browser.find("link", name)
    assert len(browser.all("row")) == 52


def test_order(signed_in, fake):
    browser = signed_in("/records/sessions")
    assert sort_of(browser, "Start") == "descending" and sort_of(browser, "User") == "none"
    browser.find("button", "Start").click()
    browser.settled()
    assert browser.path == "/records/sessions?sort=start_time" and sort_of(browser, "Start") == "ascending"
    browser.find("button", "User").click()
    browser.settled()
    assert browser.path == "/records/sessions?sort=user" and sort_of(browser, "User") == "ascending" and sort_of(browser, "Start") == "none"
    browser.find("button", "User").click()
    browser.settled()
    assert browser.path == "/records/sessions?sort=-user" and sort_of(browser, "User") == "descending"
    assert browser.focused == ("button", "User")
    column = browser.js("return [...document.querySelectorAll('tbody tr')].map((tr) => tr.cells[3].textContent)")
    assert column == sorted(column, reverse=True)
    browser.driver.back()
    browser.wait(lambda: sort_of(browser, "User") == "ascending", "the order before")


def test_pages_forward_back_and_by_address(signed_in, fake):
    browser = signed_in("/records/sessions?range=all")
    rows = lambda: browser.js("return [...document.querySelectorAll('tbody tr')].map((tr) => tr.textContent)")  # noqa: E731
    first = rows()
    previous = lambda: browser.find("button", "Previous page").properties.get("disabled")  # noqa: E731
    assert previous() is True
    browser.find("button", "Next page").click()
    browser.wait(lambda: status(browser).startswith("Rows 51 to 100 of "), "the second page")
    second = rows()
    assert len(second) == 50 and not set(first) & set(second)
    address = browser.path
    browser.find("button", "Previous page").click()
    browser.wait(lambda: status(browser).startswith("Rows 1 to 50 of "), "the first page")
    assert rows() == first
    assert browser.focused == ("button", "Next page")  # "Previous page" can do no more
    browser.get(fake.url + address)
    browser.settled()
    assert status(browser).startswith("Rows 51 to 100 of ") and rows() == second
    browser.find("combobox", "Rows per page").choose("200")
    browser.wait(lambda: status(browser).startswith("Rows 1 to 200 of "), "200 rows")
    assert browser.path == "/records/sessions?range=all&limit=200"


def test_no_total_no_rows(signed_in, fake):
    fake.total_known = False
    browser = signed_in("/records/sessions")
    assert status(browser) == "Rows 1 to 50"
    browser.get(fake.url + "/records/sessions?user=no-one")
    browser.settled()
    assert status(browser) == "No rows"
    assert "Nothing matches these filters" in browser.js("return document.querySelector('tbody').innerText")


@pytest.mark.parametrize("title, typed, parameter", [
    ("User", "ali", "f.user=contains:ali"), ("User", "=alice", "f.user=eq:alice"), ("Jump group", "Factory, hall 3", "f.jump_group=contains:Factory\\, hall 3"), ("Duration", "1m..5m", "f.duration=between:60,300"), ("User", "notin:alice,bob", "f.user=notin:alice,bob"),
    ("Jumpoint", "empty", "f.jumpoint=empty:")])
def test_filter_of_a_column(signed_in, fake, title, typed, parameter):
    browser = signed_in("/records/sessions")
    before = total(status(browser))
    browser.find("textbox", f"Filter {title}").type(typed)
    browser.press(Keys.ENTER)
    browser.wait(lambda: urllib.parse.unquote_plus(browser.path).endswith(f"/records/sessions?{parameter}"), parameter)
    browser.settled()
    assert 0 < total(status(browser)) < before
    browser.get(fake.url + browser.path)
    browser.settled()
    browser.find("textbox", f"Filter {title}").type("")
    browser.press("x", Keys.BACKSPACE, Keys.ENTER)
    browser.wait(lambda: browser.path == "/records/sessions", "no filter")


def test_a_filter_of_a_column_that_is_not_shown(signed_in):
    browser = signed_in("/records/sessions?f.state=eq:abnormal")
    assert "State is abnormal" in browser.js("return document.querySelector('.chips').innerText")
    browser.find("button", "Remove filter State is abnormal").click()
    browser.wait(lambda: browser.path == "/records/sessions", "no filter")


def test_values_are_offered_while_typing(signed_in, fake):
    browser = signed_in("/records/sessions")
    browser.find("textbox", "Filter Endpoint").type("srv-00")
    browser.wait(lambda: browser.js("return [...document.querySelectorAll('datalist option')].map((o) => o.value).includes('srv-001')"), "values")
    assert fake.asked("/api/values/sessions/endpoint?prefix=srv-00")
    browser.press(Keys.ENTER, Keys.TAB)
    browser.wait(lambda: browser.all("textbox", "Filter Endpoint"), "a textbox again")


def test_columns_by_the_keyboard(signed_in):
    browser = signed_in("/records/sessions")
    browser.find("button", "Columns").click()
    browser.find("dialog", "Columns")
    boxes = {n.name: n for n in browser.all("checkbox")}
    assert list(boxes)[: len(SHOWN)] == SHOWN and len(boxes) == 16
    boxes["Duration"].click()
    boxes["State"].click()
    browser.find("button", "Move User up").click()
    assert browser.focused == ("button", "Move User up")
    browser.find("button", "Done").click()
    browser.gone("dialog")
    browser.settled()
    assert browser.names("columnheader") == ["Start", "User", "Site", "Endpoint", "Jump group", "Jumpoint", "Type", "Session", "State"]
    assert browser.path == "/records/sessions?columns=start_time,user,site,endpoint,jump_group,jumpoint,type,lsid,state"
    assert browser.focused == ("button", "Columns")
    browser.press(Keys.ENTER)
    browser.find("dialog", "Columns")
    browser.press(Keys.ESCAPE)
    browser.gone("dialog")
    assert browser.focused == ("button", "Columns")
    href = browser.js("return document.querySelector('.exports a').getAttribute('href')")
    assert href.startswith("/api/export/sessions.csv?columns=start_time,user,site")


def test_exports_are_the_whole_set_in_the_order_of_the_grid(signed_in):
    browser = signed_in("/records/sessions?range=7d&sort=-duration&f.user=eq:alice&limit=25&tz=Europe/Berlin")
    browser.find("button", "Next page").click()
    browser.wait(lambda: status(browser).startswith("Rows 26 to "), "the second page")
    hrefs = browser.js("return [...document.querySelectorAll('.exports a')].map((a) => a.getAttribute('href'))")
    query = f"?range=7d&tz=Europe/Berlin&f.user=eq:alice&sort=-duration&columns={ALL}"
    assert hrefs == [f"/api/export/sessions.csv{query}", f"/api/export/sessions.ndjson{query}"]


def test_a_session_opens_from_a_grid_without_the_column_of_its_site(signed_in):
    browser = signed_in("/records/sessions?columns=lsid&tz=Europe/Berlin")
    link = browser.js("return document.querySelector('tbody a').textContent")
    browser.find("link", link).click()
    browser.find("heading", f"Session {link}")
    assert browser.path.endswith(f"/{link}?tz=Europe/Berlin")


def test_errors(signed_in, fake):
    fake.fail = {"/api/records/sessions": (503, "database_unavailable", "x")}
    browser = signed_in("/records/sessions")
    browser.find("button", "Retry")
    fake.fail = {}
    browser.find("button", "Retry").click()
    browser.wait(lambda: status(browser).startswith("Rows 1 to 50"), "rows")
    browser.get(fake.url + "/records/sessions?f.start_time=ge:nonsense")
    browser.settled()
    assert "`nonsense` is not a time" in browser.js("return document.querySelector('[role=alert]:not(:empty)').textContent")
    browser.get(fake.url + "/records/sessions?after=bm9uZQ==zz&row=51")
    browser.settled()
    browser.find("button", "First page").click()
    browser.wait(lambda: browser.path == "/records/sessions", "the first page")


def test_every_dataset_has_a_grid(signed_in, fake):
    browser = signed_in("/records/events?range=all")
    for dataset in ["events", "vault_activity", "accounts", "jump_items", "jumpoints", "syslog", "credential_use", "team"]:
        browser.js("const a = document.createElement('a'); a.href = arguments[0]; document.querySelector('main').append(a); a.click()", f"/records/{dataset}?range=all")
        browser.wait(lambda dataset=dataset: browser.path.startswith(f"/records/{dataset}?") and status(browser).startswith("Rows 1 to "), dataset)
        assert len(browser.all("table")) == 1
