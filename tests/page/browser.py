# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, asked by roles and names as a screen reader would: elements come from the tree of accessibility."""

import os
import time

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

WAIT_S = 10
# Roles of Chromium's tree that have another name in ARIA.
ROLES = {"image": "img"}
# Policies that were broken are collected in the document, by a script that the policy does not hold for; what the page
# repeats is kept there too, so that a test need not wait for it.
WATCH = """
window.repeated = [];
const wait = window.setInterval;
window.setInterval = (run, ms) => (window.repeated.push([run, ms]), wait(run, ms));
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) => window.violations.push(e.violatedDirective + " " + e.blockedURI + " " + e.sample));
window.addEventListener("error", (e) => window.violations.push("error " + e.message));
window.addEventListener("unhandledrejection", (e) => window.violations.push("rejection " + e.reason));
"""


class Node:
    """An element of the tree: role, name, and what the test may do with it."""

    def __init__(self, browser, raw):
        self.browser, self.raw = browser, raw
        role = raw.get("role", {}).get("value", "")
        self.role = ROLES.get(role, role)
        self.name = raw.get("name", {}).get("value", "")
        self.properties = {p["name"]: p["value"].get("value") for p in raw.get("properties", [])}

    def __repr__(self):
        return f"{self.role} {self.name!r}"

    @property
    def element(self):
        """The element as Selenium knows it."""
        driver = self.browser.driver
        driver.execute_cdp_cmd("DOM.getDocument", {"depth": 0})
        ids = driver.execute_cdp_cmd("DOM.pushNodesByBackendIdsToFrontend", {"backendNodeIds": [self.raw["backendDOMNodeId"]]})["nodeIds"]
        driver.execute_cdp_cmd("DOM.setAttributeValue", {"nodeId": ids[0], "name": "data-test", "value": str(self.raw["backendDOMNodeId"])})
        return driver.find_element(By.CSS_SELECTOR, f'[data-test="{self.raw["backendDOMNodeId"]}"]')

    def click(self):
        self.element.click()

    def choose(self, text):
        Select(self.element).select_by_visible_text(text)

    def type(self, text):
        element = self.element
        element.clear()
        element.send_keys(text)


class Browser:
    def __init__(self, width=1280, height=900):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        options.accept_insecure_certs = True
        for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en-US", f"--window-size={width},{height}", "--disable-extensions"):
            options.add_argument(argument)
        if os.getuid() == 0:
            options.add_argument("--no-sandbox")
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        self.driver.set_page_load_timeout(60)
        self.driver.execute_cdp_cmd("Accessibility.enable", {})
        self.driver.execute_cdp_cmd("DOM.enable", {})

    def close(self):
        self.driver.quit()

    def forget(self, url):
        """No cookie, nothing stored, no page, the usual size and colours."""
        self.driver.get("about:blank")
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.driver.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": url, "storageTypes": "all"})
        self.size(1280)
        self.scheme("light")

    def cookie(self, url, value):
        self.driver.execute_cdp_cmd("Network.setCookie", {"name": "__Host-jumpgate", "value": value, "url": url, "path": "/", "secure": True, "httpOnly": True, "sameSite": "Strict"})

    def get(self, url):
        self.driver.get(url)

    def size(self, width, height=900):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def scheme(self, scheme):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def tree(self):
        """All elements. Takes a second on a large page: for messages, and for what has no name."""
        return self.nodes(self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"])

    def nodes(self, raws):
        return [Node(self, raw) for raw in raws if not raw.get("ignored") and "backendDOMNodeId" in raw]

    def all(self, role, name=None):
        """Elements of this role, in the order of the document."""
        root = self.driver.execute_cdp_cmd("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
        query = {"nodeId": root, "role": next((theirs for theirs, ours in ROLES.items() if ours == role), role)}
        if name is not None:
            query["accessibleName"] = name
        return self.nodes(self.driver.execute_cdp_cmd("Accessibility.queryAXTree", query)["nodes"])

    def wait(self, test, what):
        """What `test` gives, as soon as it is true."""
        end = time.monotonic() + WAIT_S
        while True:
            try:
                found = test()
            except WebDriverException:
                found = None
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"not there: {what}; there are {[node for node in self.tree() if node.name][:120]}")
            time.sleep(0.03)

    def find(self, role, name=None):
        """The element of this role and name, once it is there; it is the only one."""
        found = self.wait(lambda: self.all(role, name), f"{role} {name!r}")
        assert len(found) == 1 or role in ("status", "alert"), found
        return found[0]

    def gone(self, role, name=None):
        self.wait(lambda: not self.all(role, name), f"no {role} {name!r}")

    def settled(self):
        """Nothing on the page is still loading."""
        self.wait(lambda: self.driver.execute_script("return document.readyState === 'complete' && !document.querySelector('[aria-busy=true]') && !!document.querySelector('h1')"), "a page that has loaded")

    def js(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    @property
    def focused(self):
        """Role and name of what has the focus; None where nothing has it."""
        found = self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": "document.activeElement === document.body ? null : document.activeElement"})["result"]
        if "objectId" not in found:
            return None
        nodes = self.driver.execute_cdp_cmd("Accessibility.getPartialAXTree", {"objectId": found["objectId"], "fetchRelatives": False})["nodes"]
        node = Node(self, nodes[0])
        return node.role, node.name

    @property
    def path(self):
        return self.js("return location.pathname + location.search")

    def violations(self):
        return self.js("return window.violations || []")

    def pass_time(self, seconds):
        """What the page does every so many seconds, now."""
        assert self.js("const due = window.repeated.filter(([, ms]) => ms === arguments[0] * 1000); due.forEach(([run]) => run()); return due.length", seconds)

    def press(self, *keys):
        """Keys to whatever has the focus."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def names(self, role):
        return [node.name for node in self.all(role)]
