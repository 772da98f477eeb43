# SPDX-License-Identifier: Apache-2.0
"""Texts of sites that would be markup, scripts, or turn the writing around: shown, and nothing else."""

import pytest

import fake_data
from fake_api import FakeApi


@pytest.fixture(scope="module")
def hostile():
    with FakeApi(hostile=True) as fake:
        yield fake


@pytest.mark.parametrize("path", ["/?range=24h", "/records/sessions?range=24h", "/records/events?range=24h", "SESSION"])
def test_hostile_texts_are_texts(browser, hostile, path):
    if path == "SESSION":
        row = next(row for row in hostile.data["sessions"].rows if row["user"].startswith("<img"))
        path = f"/sessions/{row['site']}/{row['lsid']}"
    browser.cookie(hostile.url, hostile.new_session("demo"))
    browser.get(hostile.url + path)
    browser.settled()
    text = browser.js("return document.body.innerText")
    assert fake_data.HOSTILE[0] in text
    assert browser.js("return document.querySelectorAll('main img').length") == 0
    assert "\u202e" not in browser.js("return document.documentElement.outerHTML")
    assert browser.js("return document.documentElement.scrollWidth <= innerWidth")
    if path.startswith("/records/sessions"):
        assert "user[U+202E]gnp.exe" in text


def test_an_address_cannot_put_markup_into_the_page(signed_in):
    browser = signed_in("/records/sessions?user=%3Cimg%20src%3Dx%3E&user=b&f.state=eq:%3Cb%3E&tz=%3Cscript%3E")
    assert browser.js("return document.querySelectorAll('main img, main b, main script').length") == 0
    assert "<img src=x>" in browser.js("return document.querySelector('.chips').innerText")


def test_a_tiles_link_to_elsewhere_is_none(signed_in, fake):
    fake.layout["tiles"] = [{"id": "by_site", "width": 6, "height": 2}]
    fake.tiles["by_site"] = {"items": [{"label": text, "value": 1, "href": text} for text in ("javascript:alert(1)", "//example.net", "https://example.net", "/\\example.net")]}
    browser = signed_in("/")
    assert browser.js("return document.querySelectorAll('.items a').length") == 0
