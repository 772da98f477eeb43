# SPDX-License-Identifier: Apache-2.0
"""The documents of session reports against a running jumpgate-reports: docs/reports-openapi.yaml and docs/reports-api.md
against routes, codes and real answers; alerts and dashboard against the metrics that are served."""

import json
import re

import jsonschema
import pytest

from api_document import PROBLEM, document
from harness import ROOT, eventually
from pra_month import Month
from reports_server import FEED_TOKEN, OBSERVE_TOKEN, ONE, PASSWORD, Reports, lsid

JSON = "application/json"
SESSION = f"/api/sessions/{ONE}/{lsid(1)}"
FEED = {"Authorization": f"Bearer {FEED_TOKEN}"}
OBSERVE = {"Authorization": f"Bearer {OBSERVE_TOKEN}"}
PAGES = {"/", "/records/{dataset}", "/sessions/{host_name}/{lsid}", "/collector", "/sign-in", "/assets/{hash}/{name}"}


def described():
    return document("reports-openapi.yaml")


def code_of(path):
    return (ROOT / "src" / "reports" / path).read_text(encoding="utf-8")


def code_problems():
    """{code: (status, title)} of every error."""
    rows = re.findall(r'\[PROBLEM_\w+\] = \{"(\w+)", (\d+), "([^"]*)"', code_of("web/problem.c"))
    assert len(rows) == code_of("web/problem.c").count("    [PROBLEM_"), "a row was not read"
    return {code: (int(status), title) for code, status, title in rows if code != "none"}


# ---- complete, and nothing more ----

def test_each_route_and_method_is_described_and_no_other():
    rows = re.findall(r'^    \{ "([^"]*)",\s+HTTP_(\w+)_,\s+(\w+),\s+(\w+),', code_of("web/routes.c"), re.M)
    assert len(rows) == code_of("web/routes.c").count("    { \"/"), "a row was not read"
    served = {(path, method.lower()) for path, method, _, _ in rows if path not in PAGES}
    assert {(path, method) for path, method, _ in described().operations()} == served
    needs = {"ACCESS_USER": [{"cookie": []}], "ACCESS_ANYONE": []}
    for path, method, access, permit in rows:
        if path not in PAGES:
            reader = [{"bearer": [permit.removeprefix("REPORTS_").lower()]}]
            assert described().operation(method, path)["security"] == needs.get(access, reader), path


def test_each_code_is_described_and_no_other():
    problems = code_problems()
    assert set(described().at("#/components/schemas/Code")["enum"]) == set(problems)
    for code, (status, title) in problems.items():
        value = described().at(f"#/components/examples/{code}")["value"]
        assert (value["type"], value["status"], value["title"]) == (f"urn:jumpgate:error:{code}", status, title)
        if code != "method_not_allowed":
            assert code in described().at(f"#/components/responses/Problem{status}/content/application~1problem+json/examples")


def test_examples_fit_their_schemas():
    checked = 0
    for _, _, operation in described().operations():
        bodies = list(operation.get("requestBody", {}).get("content", {}).values())
        for _, response in described().responses(operation):
            bodies += response.get("content", {}).values()
        for media in bodies:
            schema = described().whole(media["schema"], True)
            jsonschema.Draft202012Validator.check_schema(schema)
            for example in media["examples"].values():
                jsonschema.validate(described().resolve(example)["value"], schema)
                checked += 1
    assert checked > 100


def test_page_names_each_route_and_each_code_with_its_status():
    text = (ROOT / "docs" / "reports-api.md").read_text(encoding="utf-8")
    for path, method, _ in described().operations():
        assert f"{method.upper()} {path}" in text, (method, path)
    named = {}
    for status, codes in re.findall(r"^\| (\d{3}) \| (`[^|]*) \|$", text, re.M):
        named.update({code: int(status) for code in re.findall(r"`(\w+)`", codes)})
    assert named == {code: status for code, (status, _) in code_problems().items()}


# ---- real answers ----

@pytest.fixture(scope="module", name="reports")
def _reports():
    with Reports() as running:
        yield running


@pytest.fixture(name="ask")
def _ask(reports):
    """ask(browser, method, target, …): the answer, held against the document."""
    def ask(browser, method, target, body=None, headers=None, status=200):
        answer = browser.ask(method, target, body, headers)
        described().check(method, target, answer.status, answer.headers, answer.body)
        assert answer.status == status, (method, target, answer)
        return answer
    return ask


def test_answers_to_users(reports, ask):
    ann = reports.browser().sign_in("ann")
    for tile in ask(ann, "GET", "/api/tiles").json["tiles"]:
        ask(ann, "GET", f"/api/tiles/{tile['id']}?range=all")
        ask(ann, "GET", f"/api/tiles/{tile['id']}?range=7d&tz=Europe/Berlin&site={ONE}")
    for dataset in described().at("#/components/parameters/Dataset/schema/enum"):
        ask(ann, "GET", f"/api/records/{dataset}?range=all&limit=2")
        columns = ask(ann, "GET", f"/api/records/{dataset}/columns").json["columns"]
        ask(ann, "GET", f"/api/values/{dataset}/{columns[0]['name']}?prefix=")
        for kind in ("csv", "ndjson"):
            ask(ann, "GET", f"/api/export/{dataset}.{kind}?range=all")
    for target in ("/api/me", SESSION, f"{SESSION}/events?limit=2", "/api/collector", "/api/layout"):
        ask(ann, "GET", target)


def test_answers_to_changes(reports, ask):
    ann = reports.browser()
    ask(ann, "POST", "/api/sign-in", {"user": "ann", "password": "wrong"}, status=401)
    ask(ann, "POST", "/api/sign-in", {"user": "ann"}, status=400)
    ask(ann, "POST", "/api/sign-in", "user", {"Content-Type": "text/plain"}, status=415)
    ask(ann, "POST", "/api/sign-in", {"user": "ann", "password": PASSWORD}, status=204)
    ann.sign_in("ann")
    layout = ask(ann, "GET", "/api/layout")
    tiles = {"tiles": layout.json["tiles"][:2]}
    stored = ask(ann, "PUT", "/api/layout", tiles, {"If-Match": layout.headers["ETag"]})
    assert stored.json["tiles"] == tiles["tiles"]
    ask(ann, "PUT", "/api/layout", tiles, {"If-Match": layout.headers["ETag"]}, status=412)
    ask(ann, "PUT", "/api/layout", tiles, {"If-Match": stored.headers["ETag"], "X-Jumpgate-Csrf": None}, status=403)
    ask(ann, "DELETE", "/api/layout")
    ask(ann, "POST", "/api/sign-out", status=204)
    ask(ann, "GET", "/api/me", status=401)


def test_answers_to_readers(reports, ask):
    stranger = reports.browser()
    for dataset in described().at("#/components/parameters/FeedDataset/schema/enum"):
        for kind in ("ndjson", "ocsf", "csv"):
            ask(stranger, "GET", f"/feed/{dataset}?format={kind}&limit=3", headers=FEED)
    answer = ask(stranger, "GET", "/feed/events?limit=7&since=2026-01-01", headers=FEED)
    assert (answer.headers["X-Jumpgate-More"], answer.body.count(b"\n")) == ("1", 7)
    ask(stranger, "GET", f"/feed/events?cursor={answer.headers['X-Jumpgate-Next']}", headers=FEED)
    ask(stranger, "GET", f"/feed/sessions?cursor={answer.headers['X-Jumpgate-Next']}", headers=FEED, status=400)
    for target in ("/livez", "/readyz"):
        ask(stranger, "GET", target)
    for target in ("/status", "/metrics"):
        ask(stranger, "GET", target, headers=OBSERVE)
        ask(stranger, "GET", target, headers=FEED, status=403)
        ask(stranger, "GET", target, status=401)


def test_refusals(reports, ask):
    bob, stranger = reports.browser().sign_in("bob"), reports.browser()
    for target, status in {"/api/tiles/none": 404, "/api/tiles/by_site?range=1y": 400, "/api/records/none": 404,
                           "/api/records/sessions?sort=lsid": 400, "/api/records/sessions?after=zz": 400,
                           "/api/values/sessions/none": 404, "/api/export/sessions.csv": 403, "/api/collector": 403,
                           "/api/sessions/one.example.com/none": 404}.items():
        ask(bob, "GET", target, status=status)
        ask(stranger, "GET", target, status=401)
    for target, status in {"/feed/none": 404, "/feed/sessions?limit=0": 400, "/feed/sessions?cursor=x": 400,
                           "/feed/sessions?since=1d&since=1d": 400}.items():
        ask(stranger, "GET", target, headers=FEED, status=status)
        ask(stranger, "GET", target, status=401)


def test_the_command_writes_what_the_feed_answers(reports):
    stranger = reports.browser()
    for dataset in ("sessions", "events", "accounts", "syslog"):
        for kind in ("ndjson", "ocsf", "csv"):
            answer = stranger.ask("GET", f"/feed/{dataset}?format={kind}", headers=FEED)
            done = reports.command("export", dataset, "--format", kind)
            assert (done.returncode, done.stdout.encode()) == (0, answer.body.replace(b"\r\n", b"\n"))
            assert done.stderr.splitlines()[-1] == f"cursor={answer.headers['X-Jumpgate-Next']}"


# ---- metrics ----

@pytest.fixture(scope="module", name="served")
def _served():
    """{metric: labels} of a jumpgate-reports that collects."""
    with Month(sessions=30, running=2) as site, Reports(sessions=0) as reports:
        reports.stop()
        reports.sections["reports"]["collect"] = "yes"
        reports.sections["pra one"].update({"url": site.url, "insecure_http": "yes", "client_id": site.client_id,
                                            "client_secret_file": reports.secret("site", site.client_secret)})
        del reports.sections["pra two"]
        del reports.sections["user eve"]
        reports.start()
        browser = reports.browser().sign_in("ann")
        eventually(lambda: browser.get("/api/records/sessions?range=all").json["total"], 60)
        browser.get("/api/export/sessions.csv?range=all")
        browser.ask("GET", "/feed/sessions", headers=FEED)
        page = browser.ask("GET", "/metrics", headers=OBSERVE).body.decode()
        found = {}
        for name, labels in re.findall(r"^(\w+)(?:\{([^}]*)\})? ", page, re.M):
            found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels or ""))
        yield {**{name: set() for name in re.findall(r"^# TYPE (\w+)", page, re.M)}, **found}


def metrics_of(expression):
    """[(metric, its labels)] of an expression."""
    return [(name, set(re.findall(r"(\w+)(?:=~|!~|!=|=)", labels or "")))
            for name, labels in re.findall(r"\b(jumpgate_reports_\w+)(?:\{([^}]*)\})?", expression)]


def test_alerts_and_panels_name_what_is_served(served):
    board = json.loads((ROOT / "conf" / "reports-dashboard.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    asked += re.findall(r"expr: (.*)", (ROOT / "conf" / "reports-alerts.yml").read_text())
    pairs = [pair for expression in asked for pair in metrics_of(expression)]
    assert len(pairs) > 30
    for name, labels in pairs:
        assert name in served, name
        assert labels - {"instance"} <= served[name] or not served[name], (name, labels, served[name])
    for metric in re.findall(r"^ *summary: .*|^ *action: .*", (ROOT / "conf" / "reports-alerts.yml").read_text(), re.M):
        assert "$labels.host" not in metric
