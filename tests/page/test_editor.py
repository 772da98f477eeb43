# SPDX-License-Identifier: Apache-2.0
"""Arranging the dashboard: toolbars, adding, saving under the revision that was read, another tab that was first."""

import pytest
from selenium.webdriver.common.keys import Keys

BUTTONS = ["Move earlier", "Move later", "Wider", "Narrower", "Taller", "Shorter", "Remove"]


@pytest.fixture
def editing(signed_in, fake):
    fake.layout["tiles"] = [{"id": "running_now", "width": 3, "height": 1}, {"id": "top_users", "width": 4, "height": 2}, {"id": "by_site", "width": 12, "height": 3}]
    browser = signed_in("/")
    browser.find("button", "Edit dashboard").click()
    browser.find("button", "Save")
    return browser


def press(browser, title, button):
    browser.js("document.querySelector(`[role=toolbar][aria-label='${arguments[0]}'] [aria-label='${arguments[1]}']`).click()", title, button)


def status(browser):
    return browser.js("return document.querySelector('.editor-bar [role=status]').textContent")


def test_each_tile_has_a_toolbar(editing):
    assert editing.names("toolbar") == ["Running now", "Top users", "Sessions by site"]
    for name in BUTTONS:
        assert len(editing.all("button", name)) == 3
    for name in ("Add tile", "Save", "Cancel", "Reset to default"):
        editing.find("button", name)
    assert not editing.all("button", "Edit dashboard")
    disabled = [n.name for n in editing.all("button") if n.properties.get("disabled")]
    assert disabled == ["Move earlier", "Narrower", "Shorter", "Move later", "Wider", "Taller"]


def test_each_step_is_told_and_keeps_the_focus(editing, fake):
    browser = editing
    browser.js("document.querySelector(`[role=toolbar][aria-label='Top users'] [aria-label='Move later']`).focus()")
    browser.press(Keys.ENTER)
    assert status(browser) == "Top users moved to 3 of 3"
    assert browser.names("article") == ["Running now", "Sessions by site", "Top users"]
    assert browser.focused == ("button", "Move later")
    browser.press(Keys.ARROW_RIGHT, Keys.SPACE)
    assert status(browser) == "Top users is 6 of 12 wide"
    for title, button, text in (("Top users", "Taller", "Top users is 3 of 3 high"), ("Running now", "Remove", "Running now removed"), ("Sessions by site", "Narrower", "Sessions by site is 6 of 12 wide"),
                                ("Sessions by site", "Move earlier", "Sessions by site cannot be changed so")):
        press(browser, title, button)
        assert status(browser) == text
    browser.find("button", "Save").click()
    browser.find("button", "Edit dashboard")
    assert browser.focused == ("button", "Edit dashboard")
    assert status(browser) == "Dashboard saved"
    assert fake.layout == {"revision": 2, "tiles": [{"id": "by_site", "width": 6, "height": 3}, {"id": "top_users", "width": 6, "height": 3}]}
    assert fake.asked("/api/layout", "PUT")[0][1]["If-Match"] == '"1"'
    assert not browser.all("toolbar")


def test_adding_by_the_keyboard(editing, fake):
    browser = editing
    assert browser.focused == ("button", "Add tile")
    browser.press(Keys.ENTER)
    browser.find("dialog", "Add tile")
    names = [name for name in browser.names("button") if name.startswith("Add ") and name != "Add tile"]
    assert len(names) == 19 and "Add Session durations" in names and "Add Top users" not in names
    browser.press(Keys.ESCAPE)
    browser.gone("dialog")
    assert browser.focused == ("button", "Add tile")
    browser.press(Keys.ENTER)
    browser.find("button", "Add Session durations").click()
    browser.gone("dialog")
    assert browser.names("article")[-1] == "Session durations"
    assert status(browser) == "Session durations added at 4 of 4"
    assert browser.focused == ("button", "Add tile")
    browser.find("list", "Session durations")


def test_cancel_and_reset(editing, fake):
    browser = editing
    press(browser, "Top users", "Remove")
    browser.find("button", "Cancel").click()
    assert browser.names("article") == ["Running now", "Top users", "Sessions by site"]
    assert fake.asked("/api/layout", "PUT") == []
    browser.find("button", "Edit dashboard").click()
    browser.find("button", "Reset to default").click()
    browser.wait(lambda: len(browser.all("article")) == 12, "the default")
    assert status(browser) == "Dashboard reset to default"
    assert len(fake.asked("/api/layout", "DELETE")) == 1


def test_another_tab_was_first(editing, fake):
    browser = editing
    press(browser, "Top users", "Remove")
    fake.layout = {"revision": 5, "tiles": [{"id": "by_type", "width": 6, "height": 2}]}
    browser.find("button", "Save").click()
    browser.wait(lambda: "this dashboard was changed elsewhere meanwhile" in browser.js("return document.querySelector('.editor-trouble').innerText"), "the text")
    assert browser.names("article") == ["Running now", "Sessions by site"]
    assert fake.layout["revision"] == 5
    browser.find("button", "Replace it by mine").click()
    browser.find("button", "Edit dashboard")
    assert [tile["id"] for tile in fake.layout["tiles"]] == ["running_now", "by_site"] and fake.layout["revision"] == 6
    browser.find("button", "Edit dashboard").click()
    press(browser, "Running now", "Remove")
    fake.layout = {"revision": 9, "tiles": [{"id": "by_type", "width": 6, "height": 2}]}
    browser.find("button", "Save").click()
    browser.find("button", "Show the other one").click()
    browser.find("button", "Edit dashboard")
    assert browser.names("article") == ["Sessions by jump item type"]


def test_dragging_is_an_extra(editing):
    browser = editing
    browser.js("""
      const tiles = document.querySelectorAll('.tile'), data = new DataTransfer();
      const fire = (tile, type) => tile.dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: data}));
      fire(tiles[2], 'dragstart'); fire(tiles[0], 'dragover'); fire(tiles[0], 'drop'); fire(tiles[2], 'dragend');""")
    assert browser.names("article") == ["Sessions by site", "Running now", "Top users"]
    assert status(browser) == "Sessions by site moved to 1 of 3"
    assert browser.js("return document.querySelectorAll('.drop, .dragged').length") == 0


def test_a_save_that_fails_loses_nothing(editing, fake):
    browser = editing
    press(browser, "Top users", "Remove")
    fake.fail["/api/layout"] = (503, "database_unavailable", "x")
    browser.find("button", "Save").click()
    browser.wait(lambda: "Not saved." in browser.js("return document.querySelector('.editor-trouble').innerText"), "the text")
    fake.fail.clear()
    browser.find("button", "Save").click()
    browser.find("button", "Edit dashboard")
    assert [tile["id"] for tile in fake.layout["tiles"]] == ["running_now", "by_site"]
