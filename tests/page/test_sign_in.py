# SPDX-License-Identifier: Apache-2.0
"""Signing in and out; what happens to the page when the server no longer knows who is signed in."""


def sign_in(browser, user, password):
    browser.find("textbox", "User name").type(user)
    browser.find("textbox", "Password").type(password)
    browser.find("button", "Sign in").click()


def test_signing_in_leads_to_where_one_wanted_to_go(browser, fake):
    browser.get(fake.url + "/records/sessions?range=7d&user=alice")
    assert browser.find("heading", "Sign in").properties["level"] == 1
    assert browser.focused == ("textbox", "User name")
    sign_in(browser, "demo", "demo")
    browser.find("heading", "Sessions")
    assert browser.path == "/records/sessions?range=7d&user=alice"
    assert b"demo" not in str([call[1] for call in fake.calls]).encode()  # not in an address


def test_a_wrong_password_and_too_many(browser, fake):
    browser.get(fake.url + "/sign-in")
    sign_in(browser, "demo", "wrong")
    browser.wait(lambda: [n for n in browser.all("alert") if "User name or password is wrong." in browser.js("return document.querySelector('[role=alert]').textContent")], "the alert")
    browser.wait(lambda: browser.focused == ("textbox", "Password"), "the focus on the password")
    assert browser.js("return document.querySelector('#password').value") == ""
    fake.failures["demo"] = 5
    sign_in(browser, "demo", "demo")
    browser.wait(lambda: browser.js("return document.querySelector('[role=alert]').textContent") == "Too many attempts. Try again in 15 minutes.", "the lock-out's text")


def test_another_address_than_the_public_one(browser, fake):
    fake.fail["/api/sign-in"] = (403, "csrf", "x")
    browser.get(fake.url + "/sign-in")
    sign_in(browser, "demo", "demo")
    browser.wait(lambda: "`public_url`" in browser.js("return document.querySelector('[role=alert]').textContent"), "the key that is to be set")


def test_a_foreign_next_is_not_followed(browser, fake):
    browser.get(fake.url + "/sign-in?next=//example.net/")
    sign_in(browser, "demo", "demo")
    browser.find("heading", "Dashboard")
    assert browser.path == "/"


def test_signing_out(signed_in, fake):
    browser = signed_in("/records/events")
    browser.find("button", "Sign out").click()
    browser.find("heading", "Sign in")
    assert fake.sessions == {}
    browser.get(fake.url + "/records/events")
    browser.find("heading", "Sign in")


def test_an_end_of_the_session_leads_to_sign_in_and_back(signed_in, fake):
    browser = signed_in("/records/sessions?range=90d")
    fake.sign_out()
    browser.find("button", "Next page").click()
    browser.find("heading", "Sign in")
    sign_in(browser, "demo", "demo")
    browser.wait(lambda: [s for s in browser.all("status") if browser.js("return document.querySelector('[role=status]').textContent").startswith("Rows 51 to 100 of ")], "the second page")
    assert "range=90d" in browser.path


def test_an_unsaved_dashboard_outlives_the_session(signed_in, fake):
    browser = signed_in("/")
    browser.find("button", "Edit dashboard").click()
    browser.js("document.querySelector('[role=toolbar][aria-label=\"Running now\"] [aria-label=Remove]').click()")
    fake.sign_out()
    browser.find("button", "Save").click()
    browser.find("heading", "Sign in")
    sign_in(browser, "demo", "demo")
    browser.find("button", "Save")
    assert "Running now" not in browser.names("article")
    browser.find("button", "Save").click()
    browser.find("button", "Edit dashboard")
    assert "running_now" not in [tile["id"] for tile in fake.layout["tiles"]]
