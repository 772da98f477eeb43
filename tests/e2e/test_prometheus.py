# SPDX-License-Identifier: Apache-2.0
"""The real Prometheus: its tools on the alert rules and the /metrics page, and a server that scrapes the gateway as
docs/monitoring.md says. Debian's package, or what scripts/test has unpacked; skipped where neither is there."""

import json
import re
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from alert_cases import CASES
from certificates import Authority
from harness import ROOT, Gateway, eventually, token_hash
from pi_stack import PiStack
from pra_site import PraSite
from test_conf_files import DASHBOARD, alerts

UNPACKED = ROOT / "build" / "prometheus" / "usr" / "bin"
MONITORING = (ROOT / "docs" / "monitoring.md").read_text()
TOKEN = "token-of-prometheus"


def tool(name):
    """The path of the program; without it the test is skipped."""
    found = shutil.which(name) or shutil.which(name, path=str(UNPACKED))
    if not found:
        pytest.skip(f"{name} is not here: install Debian's prometheus, or run scripts/test, which unpacks it")
    return found


def run(*words, text=None):
    done = subprocess.run([str(word) for word in words], input=text, capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module", name="ca")
def _ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module", name="gateway")
def _gateway(ca):
    """With everything that has metrics of its own: store, audit, TLS, a PRA site with a Jumpoint."""
    server = ca.server()
    with PraSite() as site:
        gateway = Gateway("http://127.0.0.1:9/BeyondTrust/api/public/v3")
        gateway.sections["pra site"] = {"url": site.url, "insecure_http": "yes", "client_id": site.client_id,
                                        "client_secret_file": gateway.secret("pra-secret", site.client_secret),
                                        "jumpoints": "dc1"}
        gateway.sections["listener tls"] = {"address": "127.0.0.1:0", "tls_certificate": server.certificate,
                                            "tls_key": server.key}
        gateway.sections["client prometheus"] = {"token_sha256": token_hash(TOKEN), "allow": "observe"}
        with gateway:
            eventually(lambda: site.log("jumpoint"))
            gateway.call("GET", "/v1/capabilities")  # so that requests have been counted
            yield gateway


def blocks(page):
    """{metric: its HELP, TYPE and series} of a /metrics page."""
    return {re.match(r"# HELP (\w+)", one)[1]: one for one in re.findall(r"^# HELP .*\n(?:(?!# HELP).*\n)*", page, re.M)}


@pytest.fixture(scope="module", name="own")
def _own(gateway):
    """What the gateway that Prometheus scrapes serves."""
    return gateway.call("GET", "/metrics").body.decode()


@pytest.fixture(scope="module", name="page")
def _page(own):
    """All metrics that there are: those of the gateway, and those that only a shared store or another vault has."""
    page = own
    sections = {"store": {"type": "etcd", "endpoints": "http://127.0.0.1:9", "node": "g1"}}
    with Gateway("http://127.0.0.1:9/BeyondTrust/api/public/v3", sections) as other:
        shared = blocks(other.call("GET", "/metrics").body.decode())
    with PiStack() as stack:
        keyed = blocks(stack.gateway.call("GET", "/metrics").body.decode())
    return page + "".join(text for name, text in {**shared, **keyed}.items() if name not in blocks(page))


# ---- the tools ----

def test_the_rules_are_good():
    assert f"SUCCESS: {len(alerts())} rules found" in run(tool("promtool"), "check", "rules", ROOT / "conf" / "alerts.yml")


def test_the_page_is_good(page):
    assert run(tool("promtool"), "check", "metrics", text=page) == ""


def rule_tests(cases):
    """The cases as promtool takes them; ALERTS is the series of alerts that fire."""
    severity = {name: re.search(r"severity: (\w+)", rule)[1] for name, _, rule in alerts()}
    tests = []
    for case in cases:
        labels = {"alertname": case.alert, "alertstate": "firing", "severity": severity[case.alert], **case.labels}
        series = "ALERTS{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
        expression = f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}'
        tests.append({
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
            "promql_expr_test":
                [{"expr": expression, "eval_time": f"{at}m", "exp_samples": []} for at in case.quiet] +
                [{"expr": expression, "eval_time": f"{at}m", "exp_samples": [{"labels": series, "value": 1}]}
                 for at in case.fires],
        })
    return tests


@pytest.mark.parametrize("name", [name for name, _, _ in alerts()])
def test_an_alert_fires_when_it_should(tmp_path, name):
    cases = [case for case in CASES if case.alert == name]
    assert cases, f"{name} has no case in tests/e2e/alert_cases.py"
    assert all(case.quiet and case.fires for case in cases)
    path = tmp_path / "cases.yml"
    path.write_text(json.dumps({"rule_files": [str(ROOT / "conf" / "alerts.yml")], "evaluation_interval": "1m",
                                "tests": rule_tests(cases)}))  # JSON is YAML
    assert "SUCCESS" in run(tool("promtool"), "test", "rules", path)


def test_every_case_has_its_alert():
    assert {case.alert for case in CASES} <= {name for name, _, _ in alerts()}


# ---- the documents ----

def families(page):
    """{metric: (kind, labels, help)} of a /metrics page."""
    found = {}
    helps = dict(re.findall(r"^# HELP (\w+) (.*)$", page, re.M))
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", page, re.M):
        series = re.findall(rf"^{name}(?:_bucket|_sum|_count)?(?:{{(.*)}})? ", page, re.M)
        labels = [label for label in re.findall(r'(\w+)="', series[0]) if label != "le"] if series else []
        found[name] = (kind, labels, helps[name])
    return found


def test_every_metric_is_documented(page):
    """The table in docs/monitoring.md is what the gateway serves: no metric more, none less, in the same words."""
    table = "\n".join(f"| `{name}{'{' + ','.join(labels) + '}' if labels else ''}` | {kind} | {text} |"
                      for name, (kind, labels, text) in sorted(families(page).items()))
    documented = MONITORING.partition("| metric | kind | |\n| --- | --- | --- |\n")[2].partition("\n\n")[0]
    assert documented.strip() == table, f"docs/monitoring.md should have:\n{table}"


def test_documents_name_metrics_that_exist(page):
    served = families(page)
    for path in [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]:
        if path.name.startswith("reports"):  # metrics of the other program: test_reports_alerts.py
            continue
        for name in re.findall(r"`(jumpgate_[a-z_]*[a-z])(?:\{[^`]*\})?`", path.read_text()):
            assert name in served or name == "jumpgate_pra_client", f"{path.name}: {name} is not served"


# ---- the server ----

def configuration(folder, gateway, ca):
    """The one of docs/monitoring.md with the names of this machine, and a scrape every second."""
    text = re.search(r"```yaml\n(rule_files:.*?)```", MONITORING, re.S)[1]
    token = folder / "jumpgate.token"
    token.write_text(TOKEN)
    for name, here in {"/etc/prometheus/jumpgate/alerts.yml": ROOT / "conf" / "alerts.yml",
                       "/etc/prometheus/jumpgate.token": token, "/etc/prometheus/jumpgate-ca.pem": ca.certificate,
                       "jump01.example.test:8443": "localhost:" + gateway.addresses["tls"].rpartition(":")[2]}.items():
        assert name in text
        text = text.replace(name, str(here))
    path = folder / "prometheus.yml"
    path.write_text("global: {scrape_interval: 1s, evaluation_interval: 1s}\n" + text)
    return path


class Prometheus:
    def __init__(self, folder, config):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.log = open(folder / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [tool("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address={self.address}"], stdout=self.log, stderr=subprocess.STDOUT, cwd=folder)

    def get(self, path, **query):
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}",
                                    timeout=30) as answer:
            page = json.load(answer)
        assert page["status"] == "success", page
        return page["data"]

    def is_there(self):
        assert self.process.poll() is None, "prometheus has ended"
        try:
            return self.get("status/runtimeinfo")
        except (urllib.error.URLError, ConnectionError):
            return None

    def target(self):
        targets = self.get("targets")["activeTargets"]
        return targets[0] if targets else None

    def value(self, expression):
        result = self.get("query", query=expression)["result"]
        return float(result[0]["value"][1]) if result else None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@pytest.fixture(scope="module", name="prometheus")
def _prometheus(tmp_path_factory, gateway, ca):
    folder = tmp_path_factory.mktemp("prometheus")
    config = configuration(folder, gateway, ca)
    run(tool("promtool"), "check", "config", config)
    server = Prometheus(folder, config)
    try:
        eventually(server.is_there, 60)
        eventually(lambda: server.target() and server.target()["health"] != "unknown", 60)
        yield server
    finally:
        server.stop()


def test_prometheus_scrapes_the_gateway(prometheus, gateway, own):
    target = prometheus.target()
    assert (target["health"], target["lastError"], target["scrapeUrl"][:8]) == ("up", "", "https://"), target
    eventually(lambda: prometheus.value('up{job="jumpgate"}') == 1, 30)
    known = {entry["metric"]: entry for entry in prometheus.get("targets/metadata")}
    for name, (kind, _, text) in families(own).items():
        assert (known[name]["type"], known[name]["help"]) == (kind, text)
    series = set(prometheus.get("label/__name__/values"))
    for name, (kind, _, _) in families(own).items():
        assert {f"{name}_bucket", f"{name}_sum", f"{name}_count"} <= series if kind == "histogram" else name in series, name
    assert prometheus.value("jumpgate_start_time_seconds") == gateway.metrics()["jumpgate_start_time_seconds"]


def test_every_sample_is_taken(prometheus, own):
    lines = [line for line in own.splitlines() if line and not line.startswith("#")]
    eventually(lambda: (prometheus.value('scrape_samples_scraped{job="jumpgate"}') or 0) >= len(lines), 30)
    assert prometheus.value('scrape_samples_scraped{job="jumpgate"} - scrape_samples_post_metric_relabeling') == 0


def test_prometheus_evaluates_the_rules(prometheus):
    def rules():
        return [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    eventually(lambda: rules() and all(rule["health"] != "unknown" for rule in rules()), 30)
    assert [rule["name"] for rule in rules()] == [name for name, _, _ in alerts()]
    assert {(rule["health"], rule.get("lastError", "")) for rule in rules()} == {("ok", "")}

    def state(name):
        return next(rule["state"] for rule in rules() if rule["name"] == name)
    eventually(lambda: state("JumpgateJumpointAway") == "pending", 30)  # there is none
    assert state("JumpgateDown") == "inactive"


def test_every_panel_can_be_asked_for(prometheus):
    expressions = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    assert expressions
    for expression in expressions:
        prometheus.get("query", query=expression.replace("$__rate_interval", "1m").replace("$__range", "1h"))


def test_another_token_is_refused(prometheus, gateway, ca, tmp_path):
    config = configuration(tmp_path, gateway, ca)
    (tmp_path / "jumpgate.token").write_text("another")
    server = Prometheus(tmp_path, config)
    try:
        eventually(server.is_there, 60)
        eventually(lambda: server.target() and server.target()["health"] == "down", 60)
        assert "401" in server.target()["lastError"]
    finally:
        server.stop()
