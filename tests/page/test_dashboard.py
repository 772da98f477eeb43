# SPDX-License-Identifier: Apache-2.0
"""Tiles: names, numbers that are the totals of the grids that they open, errors of one, age and gaps, asking again."""

import re

import pytest
from selenium.webdriver.common.action_chains import ActionChains

import fake_api

TITLES = {ident: title for ident, title, *_ in fake_api.TILES}
DEFAULT = [TITLES[ident] for ident, *_ in fake_api.DEFAULT_LAYOUT]


def only(fake, *idents):
    fake.layout["tiles"] = [{"id": ident, "width": 6, "height": 2} for ident in idents]


def test_tiles_by_role_and_name(signed_in, whole):
    browser = signed_in("/")
    assert browser.names("article") == DEFAULT
    assert [n.name for n in browser.all("heading") if n.properties["level"] == 2] == DEFAULT
    lists = browser.names("list")
    assert [title for title in DEFAULT if title != "Running now"] == [name for name in lists if name in DEFAULT]
    assert [n for n in browser.names("link") if re.fullmatch(r"Running now: \d+", n)]
    charts = browser.names("img")
    assert len([name for name in charts if name.startswith("Bar chart of Sessions over time: ") and name.endswith(".")]) == 1
    assert len(charts) == 10
    assert re.fullmatch(r"Bar chart of Top users: 11 bars, the longest alice with \d+\.", next(name for name in charts if "Top users" in name))


def test_charts_are_drawn(signed_in, whole):
    browser = signed_in("/")
    drawn = """const c = document.querySelector('[data-id=ID] canvas'); if (!c.width) return 0;
               return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 === 3 && v > 0).length"""
    for ident in ("sessions_over_time", "top_users"):
        browser.wait(lambda: browser.js(drawn.replace("ID", ident)) > 500, f"a chart of {ident}")


def test_bars_stand_in_the_rows_of_their_numbers(signed_in, fake):
    only(fake, "top_users")
    browser = signed_in("/")
    browser.wait(lambda: browser.js("return document.querySelector('canvas').width > 300 || document.querySelector('canvas').style.width"), "the chart")
    rows, canvas = browser.js("return [document.querySelector('.bars .items').getBoundingClientRect().height, document.querySelector('canvas').getBoundingClientRect().height]")
    assert abs(rows - canvas) <= 1


@pytest.mark.parametrize("ident, query", [
    ("running_now", "?range=24h"), ("top_endpoints", ""), ("by_jumpoint", "?range=7d&site=pra-west.example.com"), ("durations", "?range=90d&user=alice&tz=Asia/Tokyo"),
    ("injections", ""), ("sessions_over_time", "?tz=America/New_York"), ("by_jump_group", "?range=90d")])
def test_a_number_is_the_total_of_its_grid(signed_in, fake, ident, query):
    only(fake, ident)
    browser = signed_in("/" + query)
    links = [n for n in browser.all("link") if re.search(r": [\d,]+$", n.name) and not n.name.startswith("All of ") and not n.name.endswith(": 0")]
    link = links[-1]  # "Other" where there is one
    number = link.name.rsplit(": ", 1)[1]
    link.click()
    browser.settled()
    assert browser.path.startswith("/records/")
    browser.wait(lambda: browser.js("return document.querySelector('[role=status]').textContent").endswith(f" of {number}"), f"{number} rows")


def test_large_numbers_are_grouped_and_fit(signed_in, fake):
    only(fake, "running_now", "by_site")
    fake.tiles["running_now"] = {"total": 9007199254740991}
    fake.tiles["by_site"] = {"total": 12345678901, "items": [{"label": "a site with a name that is longer than any tile could ever be wide " * 4, "value": 12345678901, "href": "/records/sessions"}]}
    browser = signed_in("/")
    browser.find("link", "Running now: 9,007,199,254,740,991")
    assert [n for n in browser.names("link") if n.endswith(": 12,345,678,901")]
    assert browser.js("return [...document.querySelectorAll('.tile, .tile *')].filter((e) => e.getBoundingClientRect().right > innerWidth).length") == 0


def test_a_tile_loads_while_the_others_are_there(signed_in, fake, browser):
    only(fake, "top_users", "by_site")
    fake.delay["/api/tiles/top_users"] = 1.5
    browser.cookie(fake.url, fake.new_session("demo"))
    browser.get(fake.url + "/")
    browser.find("list", "Sessions by site")
    busy = "return document.querySelector('[data-id=%s]').getAttribute('aria-busy')"
    assert browser.js(busy % "top_users") == "true" and browser.js(busy % "by_site") == "false"
    browser.find("list", "Top users")


def test_one_failing_tile_and_its_retry(signed_in, fake):
    only(fake, "top_users", "by_site")
    fake.fail["/api/tiles/top_users"] = (504, "deadline_exceeded", "x")
    browser = signed_in("/")
    alert = browser.js("return [...document.querySelectorAll('[role=alert]')].map((a) => a.textContent).filter(Boolean)")
    assert alert == ["This took too long. Choose a shorter range or fewer filters."]
    browser.find("list", "Sessions by site")
    fake.fail.clear()
    browser.find("button", "Retry Top users").click()
    browser.find("list", "Top users")
    assert not browser.all("button", "Retry Top users")
    assert browser.focused[0] == "link"


def test_age_gaps_and_what_a_tile_ignores(signed_in, fake):
    only(fake, "running_now", "by_site")
    fake.tiles["by_site"] = {"age_ms": 125000, "incomplete": [{"site": "pra-east.example.com", "since": "2026-11-28T14:00:00Z", "why": "backfill"}] + [
        {"site": site, "since": None, "why": why} for site, why in (("a.example.com", "Pending"), ("b.example.com", "Pending"), ("c.example.com", "Off"))]}
    browser = signed_in("/")
    foot = lambda ident: browser.js(f"return document.querySelector('[data-id={ident}] footer').innerText")  # noqa: E731
    assert "pra-east.example.com incomplete since 2026-11-28 14:00 (backfill)" in foot("by_site")
    assert "a.example.com, b.example.com incomplete (Pending)" in foot("by_site") and "and 1 more" in foot("by_site")
    assert "2 min old" in foot("by_site")
    assert "Whatever the date range" in foot("running_now")


def test_nothing_there(signed_in, fake):
    fake.empty = True
    browser = signed_in("/")
    browser.find("link", "Running now: 0")
    assert browser.js("return document.querySelector('[data-id=top_users] .tile-body').innerText") == "Nothing in this range."


def test_tiles_ask_again_while_the_page_is_seen(signed_in, fake):
    only(fake, "running_now")
    browser = signed_in("/")
    assert len(fake.asked("/api/tiles/running_now")) == 1
    fake.tiles["running_now"] = {"total": 77}
    browser.pass_time(60)
    browser.find("link", "Running now: 77")
    headers = fake.asked("/api/tiles/running_now")[-1][1]
    assert headers["X-Jumpgate-Refresh"] == "1"
    assert "X-Jumpgate-Refresh" not in fake.asked("/api/tiles/running_now")[0][1]


def test_collector_has_links_for_admin_alone(signed_in, fake):
    only(fake, "collector")
    browser = signed_in("/")
    browser.find("link", "pra-east.example.com: Connected, 42 s ago")
    browser = signed_in("/", "viewer")
    assert browser.all("list", "Collector") and not [n for n in browser.names("link") if n.startswith("pra-east")]


def test_the_chart_library_comes_after_the_first_paint(signed_in):
    browser = signed_in("/")
    browser.wait(lambda: browser.js("return performance.getEntriesByType('resource').some((r) => r.name.endsWith('/chart.js'))"), "the library")
    paint, chart = browser.js("""return [performance.getEntriesByName('first-contentful-paint')[0].startTime,
        performance.getEntriesByType('resource').find((r) => r.name.endsWith('/chart.js')).startTime]""")
    assert paint < chart


def test_a_bar_does_what_its_link_does(signed_in, fake):
    only(fake, "top_users")
    browser = signed_in("/")
    browser.wait(lambda: browser.js("return document.querySelector('canvas').style.width"), "the chart")
    href = browser.js("return document.querySelector('.items a').getAttribute('href')")
    canvas = browser.driver.find_element("css selector", "canvas")
    ActionChains(browser.driver).move_to_element_with_offset(canvas, -canvas.size["width"] // 2 + 20, -canvas.size["height"] // 2 + 12).click().perform()
    browser.settled()
    assert browser.path.startswith("/records/sessions") and "alice" in browser.path and "alice" in href
