# SPDX-License-Identifier: Apache-2.0
"""axe finds nothing serious in both themes; 320 pixels without sideways scrolling; the keyboard reaches everything, visibly."""

import os
import shutil
import subprocess

import pytest
from selenium.webdriver.common.keys import Keys

HERE = os.path.dirname(os.path.abspath(__file__))
# Few rows: axe looks at each element of a page, and another row of a table is nothing new to it.
PAGES = ["/sign-in", "/", "/records/sessions?range=24h&limit=25&f.state=ne:x&user=alice&user=bob", "/collector", "/nowhere", "SESSION", "EDITOR", "COLUMNS", "ERRORS", "EMPTY"]


@pytest.fixture(scope="session")
def axe():
    """The text of axe, which the first run installs; without npm or its registry the tests with it are left out."""
    script = os.path.join(HERE, "node_modules/axe-core/axe.min.js")
    if not os.path.exists(script):
        if not shutil.which("npm"):
            pytest.skip("left out: axe, since npm is not installed")
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=HERE, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            pytest.skip("left out: axe, since no npm registry has it")
    with open(script, encoding="utf-8") as file:
        return file.read()


# What of a page the others do not have already; axe looks at it alone.
PARTS = {"EDITOR": ".editor-bar, .tile:first-child", "COLUMNS": "dialog", "ERRORS": ".error-box", "EMPTY": ".grid-region"}


def open_page(signed_in, fake, page):
    """The page of a name, in the state that the name says."""
    session = next(row for row in fake.data["sessions"].rows if row["injections_failed"] and row["state"] == "closed")
    fake.empty = page == "EMPTY"
    if page in ("/", "EDITOR"):
        fake.layout["tiles"] = None
    if page == "ERRORS":
        fake.fail = {f"/api/tiles/{ident}": (504, "deadline_exceeded", "x") for ident in ("top_users", "running_now")}
    paths = {"SESSION": f"/sessions/{session['site']}/{session['lsid']}", "COLUMNS": "/records/jumpoints", "EDITOR": "/", "ERRORS": "/", "EMPTY": "/records/sessions?user=x"}
    browser = signed_in(paths.get(page, page))
    if page == "EDITOR":
        browser.find("button", "Edit dashboard").click()
        browser.find("button", "Add tile")
    if page == "COLUMNS":
        browser.find("button", "Columns").click()
        browser.find("dialog", "Columns")
    return browser


@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_serious(signed_in, fake, axe, page):
    browser = open_page(signed_in, fake, page)
    browser.js(axe)
    run = """axe.run(PART, OPTIONS).then((r) => arguments[0](r.violations.filter((v) => v.impact !== 'minor').map((v) =>
        [v.id, v.impact, v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200) + ' ' + n.failureSummary)])))"""
    # A list of all time zones is not looked at: 400 options, all alike.
    run = run.replace("PART", f"{{include: {PARTS.get(page, 'html').split(', ')}, exclude: ['.zone option']}}")
    assert browser.driver.execute_async_script(run.replace("OPTIONS", "{resultTypes: ['violations']}")) == []
    # In the dark only colours are other ones.
    browser.scheme("dark")
    assert browser.driver.execute_async_script(run.replace("OPTIONS", "{resultTypes: ['violations'], runOnly: ['color-contrast']}")) == []


@pytest.mark.parametrize("page", PAGES)
def test_320_pixels_without_sideways_scrolling(signed_in, fake, page):
    browser = open_page(signed_in, fake, page)
    browser.size(320, 640)
    browser.wait(lambda: browser.js("return innerWidth") == 320, "320 pixels")
    width, widest = browser.js("""const inside = (e) => e.closest('.grid-region, .hidden, select, .skip') === null || e.matches('.grid-region');
        const wide = [...document.body.querySelectorAll('*')].filter((e) => inside(e) && e.getBoundingClientRect().right > 321 && e.getClientRects().length);
        return [document.documentElement.scrollWidth, wide.slice(0, 3).map((e) => e.outerHTML.slice(0, 120))]""")
    assert width <= 320 and widest == []


@pytest.mark.parametrize("page", ["/", "/records/sessions", "SESSION"])
def test_the_keyboard_goes_through_the_page_visibly_and_in_order(signed_in, fake, page):
    browser = open_page(signed_in, fake, page)
    seen = []
    for _ in range(32):
        browser.press(Keys.TAB)
        at = browser.js("""const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
            return [e.tagName, [...document.querySelectorAll('*')].indexOf(e), s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0, r.width > 0 && r.height > 0]""")
        if at[0] == "BODY":
            break
        seen.append(at)
    assert len(seen) > 15
    order = [place for _, place, *_ in seen]
    turn = next((i for i in range(1, len(order)) if order[i] < order[i - 1]), len(order))
    assert order[:turn] == sorted(order[:turn]) and turn > 15
    assert [at for at in seen if not at[2] or not at[3]] == []


def test_a_region_that_scrolls_takes_the_focus(signed_in):
    browser = signed_in("/records/sessions")
    region = browser.js("const r = document.querySelector('.grid-region'); return [r.tabIndex, r.getAttribute('role'), r.getAttribute('aria-label')]")
    assert region == [0, "region", "Table of sessions"]


def test_400_percent_zoom(signed_in, whole):
    browser = signed_in("/")
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 320, "height": 256, "deviceScaleFactor": 4, "mobile": False})
    assert browser.js("return document.documentElement.scrollWidth") <= 320
    assert len(browser.all("article")) == 12


def test_nothing_moves(signed_in):
    browser = signed_in("/")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]})
    moving = browser.js("return [...document.querySelectorAll('*')].filter((e) => { const s = getComputedStyle(e); return s.animationName !== 'none' || s.transitionDuration !== '0s'; }).length")
    assert moving == 0


def test_it_prints(signed_in):
    browser = signed_in("/records/sessions?range=7d&user=alice")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    text = browser.js("return document.body.innerText")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert "Last 7 days · UTC · User alice" in text
    assert "Sign out" not in text and "Next page" not in text


def test_the_shell_is_small():
    import gzip

    page = os.path.join(HERE, "../../src/reports/page")
    sizes = {}
    for name in os.listdir(page):
        if name.endswith((".js", ".css", ".html", ".svg")):
            with open(os.path.join(page, name), "rb") as file:
                sizes[name] = len(gzip.compress(file.read(), 9))
    assert sum(sizes.values()) < 60000, sizes
