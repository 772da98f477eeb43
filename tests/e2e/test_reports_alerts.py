# SPDX-License-Identifier: Apache-2.0
"""conf/reports-alerts.yml and conf/reports-dashboard.json: the real promtool on the rules and on cases of each, and the
dashboard that tools/dashboard prints. That both name what the program serves is in test_reports_documents.py."""

import json
import re
import subprocess

import pytest

from harness import ROOT
from reports_alert_cases import CASES
from test_prometheus import run, tool

RULES = ROOT / "conf" / "reports-alerts.yml"


def alerts():
    """{name: the whole rule}"""
    rules = re.split(r"^ +- alert: ", RULES.read_text(), flags=re.M)[1:]
    return {rule.split("\n", 1)[0]: rule for rule in rules}


def expectation(case, minutes, fires):
    severity = re.search(r"severity: (\w+)", alerts()[case.alert])[1]
    labels = {"alertname": case.alert, "alertstate": "firing", "severity": severity, **case.labels}
    series = "ALERTS{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
    samples = [{"labels": series, "value": 1}] if fires else []
    return [{"expr": f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}', "eval_time": f"{at}m", "exp_samples": samples}
            for at in minutes]


def test_the_rules_are_good():
    assert f"SUCCESS: {len(alerts())} rules found" in run(tool("promtool"), "check", "rules", RULES)


@pytest.mark.parametrize("name", alerts())
def test_each_names_what_to_do_and_fires_when_it_should(tmp_path, name):
    assert "summary:" in alerts()[name] and "action:" in alerts()[name]
    cases = [case for case in CASES if case.alert == name]
    assert cases and all(case.quiet and case.fires for case in cases)
    tests = [{"interval": "1m", "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
              "promql_expr_test": expectation(case, case.quiet, False) + expectation(case, case.fires, True)} for case in cases]
    path = tmp_path / "cases.yml"
    path.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))  # JSON is YAML
    assert "SUCCESS" in run(tool("promtool"), "test", "rules", path)


def test_every_case_has_its_alert():
    assert {case.alert for case in CASES} == set(alerts())


def test_dashboard_is_the_generated_one():
    printed = subprocess.run([ROOT / "tools" / "dashboard", "reports"], check=True, capture_output=True, timeout=60).stdout
    assert printed.decode() == (ROOT / "conf" / "reports-dashboard.json").read_text()
