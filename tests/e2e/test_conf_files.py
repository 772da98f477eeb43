# SPDX-License-Identifier: Apache-2.0
"""Alert rules and dashboard in conf/ name what a running gateway serves: every metric, every label."""

import json
import re
import subprocess

import pytest

from harness import ROOT, Gateway, eventually
from pi_stack import PiStack
from pra_site import PraSite

ALERTS = (ROOT / "conf" / "alerts.yml").read_text()
DASHBOARD = json.loads((ROOT / "conf" / "dashboard.json").read_text())
OF_THE_SCRAPE = {"instance", "job"}
SUFFIX = re.compile(r"_(bucket|sum|count)$")


@pytest.fixture(scope="module")
def served():
    """{metric: its labels}, also of series that have no value yet."""
    with PraSite() as site, Gateway("http://127.0.0.1:9/BeyondTrust/api/public/v3") as gateway:
        gateway.stop()
        gateway.sections["pra site"] = {"url": site.url, "insecure_http": "yes", "client_id": site.client_id,
                                        "client_secret_file": gateway.secret("pra-secret", site.client_secret),
                                        "jumpoints": "dc1"}
        gateway.sections["store"] = {"type": "etcd", "endpoints": "http://127.0.0.1:9", "node": "g1"}
        gateway.restart()
        eventually(lambda: site.log("jumpoint"))
        gateway.call("GET", "/status")  # so that requests have been counted
        page = gateway.call("GET", "/metrics").body.decode()
    with PiStack() as stack:  # which does not go with etcd
        page += stack.gateway.call("GET", "/metrics").body.decode()
    labels = {name: set() for name in re.findall(r"^# TYPE (\w+) ", page, re.M)}
    for name, inside in re.findall(r"^(\w+)(?:\{(.*)\})? ", page, re.M):
        labels.setdefault(name, labels.get(SUFFIX.sub("", name), set())).update(re.findall(r'(\w+)="', inside))
    return labels


def alerts():
    """[(name, expression, whole rule)]"""
    rules = re.split(r"^ +- alert: ", ALERTS, flags=re.M)[1:]
    return [(rule.split("\n", 1)[0], re.search(r"expr: (?:>-)?(.*?)\n +(?:for|labels):", rule, re.S)[1], rule) for rule in rules]


def asked_of(expression):
    """The metrics and the labels that an expression names."""
    named = set(re.findall(r"jumpgate_\w+", expression))
    labels = set(re.findall(r"(\w+)\s*[!=]~?\s*\"", expression))
    for group in re.findall(r"\bby \((.*?)\)", expression):
        labels.update(group.split(", "))
    return named, labels


def check(expression, served, more=frozenset()):
    named, labels = asked_of(expression)
    assert named <= served.keys(), f"not served: {named - served.keys()}"
    known = OF_THE_SCRAPE.union(*(served[name] for name in named))
    assert labels | set(more) <= known, f"{expression}: no such label: {(labels | set(more)) - known}"


@pytest.mark.parametrize("name, expression, rule", alerts(), ids=[name for name, _, _ in alerts()])
def test_alert(served, name, expression, rule):
    assert "jumpgate" in expression
    check(expression, served, re.findall(r"\$labels\.(\w+)", rule))
    assert re.search(r"severity: (critical|warning)\b", rule)
    assert "summary:" in rule and "action:" in rule


def test_alerts_have_names_of_their_own():
    names = [name for name, _, _ in alerts()]
    assert len(names) == len(set(names)) == ALERTS.count("- alert:") > 10


TARGETS = [(panel["title"], target) for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


@pytest.mark.parametrize("title, target", TARGETS, ids=[f"{title} {target['refId']}" for title, target in TARGETS])
def test_panel(served, title, target):
    legend = re.findall(r"{{(\w+)}}", target["legendFormat"])
    check(target["expr"], served, legend)
    grouped = re.search(r"\bby \((.*?)\)", target["expr"])
    assert not grouped or set(legend) <= set(grouped[1].split(", "))


def test_dashboard_is_the_generated_one():
    printed = subprocess.run([ROOT / "tools" / "dashboard"], check=True, capture_output=True, timeout=60).stdout
    assert printed.decode() == (ROOT / "conf" / "dashboard.json").read_text()
