# SPDX-License-Identifier: Apache-2.0
"""docs/openapi.yaml as a contract: complete against the code, true examples, and bounds that the gateway has.

That every answer of all other tests is one of the document's is checked where it is read (api_document.py).
"""

import copy
import json
import re
import urllib.parse

import jsonschema
import pytest

from api_document import PROBLEM, Document, document, offences, types
from harness import ROOT, TOKEN, UnixConnection, session, token_hash
from pra_stack import EVENT_TOKEN, EVENTS, PraStack
from stack import DIRECTORY

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PASSWORD, PHRASE = "Tr0ut-lamp-42", "plum-orbit-77"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nexample\n-----END OPENSSH PRIVATE KEY-----\n"
OF_TRANSPORT = {400, 408, 417, 501, 505}  # HTTP that is not understood is invalid_request with one of these


# ---- what the code has ----

def code_of(path):
    return (ROOT / "src" / path).read_text(encoding="utf-8")


def code_routes():
    """Each row of the table of routes as {member: value}; the last one, for unknown paths, has no path."""
    row = re.compile(r'^    \{ ("[^"]*"|NULL),\s+HTTP_(\w+)_,\s+(\w+),\s+([A-Z_0| ]+),\s+"(\w+)",\s+(\w+),', re.M)
    names = ("path", "method", "permit", "flags", "operation", "session")
    return [dict(zip(names, found)) for found in row.findall(code_of("handlers/routes.c"))]


def code_faults():
    """{code: (status, title, seconds to retry after)} of every fault."""
    row = re.compile(r'\[FAULT_\w+\] = \{"(\w+)",\s*(\d+),\s*"([^"]*)",\s*(\d+)\}')
    found = row.findall(code_of("base/fault.c"))
    return {code: (int(status), title, int(after)) for code, status, title, after in found if code != "none"}


# ---- what the document has ----

def examples_of(media):
    """{name: value} of a media type."""
    return {name: document().resolve(example)["value"] for name, example in media.get("examples", {}).items()}


def problems_of(response):
    """{(status, code)} that a response describes."""
    media = response.get("content", {}).get(PROBLEM)
    if not media:
        return set()
    schema = media["schema"]
    found = set()
    for part in schema.get("oneOf", [schema]):
        status, code = part["properties"]["status"], part["properties"]["code"]
        found |= {(s, c) for s in status.get("enum", [status.get("const")])
                  for c in code.get("enum", [code.get("const")])}
    return found


def all_responses():
    """(operationId, status, response) of each."""
    return [(operation["operationId"], status, response) for _, _, operation in document().operations()
            for status, response in document().responses(operation)]


# ---- complete, and nothing more ----

def test_each_route_and_method_is_described_and_no_other():
    routes = [row for row in code_routes() if row["path"] != "NULL"]
    assert len(routes) == code_of("handlers/routes.c").count("    { \"/"), "a row was not read"
    served = set()
    for row in routes:
        path = row["path"].strip('"')
        served |= {(path, row["method"].lower())} | ({(path, "head")} if row["method"] == "GET" else set())
    assert {(path, method) for path, method, _ in document().operations()} == served


def test_permission_and_body_are_those_of_the_route():
    roles = {"PERMIT_BROKER": "broker", "PERMIT_OPERATE": "operate", "PERMIT_OBSERVE": "observe"}
    for row in code_routes()[:-1]:
        operation = document().operation(row["method"], row["path"].strip('"'))
        role = roles.get(row["permit"])
        assert operation["security"] == ([{"bearer": [role]}, {"mutualTLS": [role]}] if role else []), row["path"]
        assert operation["tags"] == [role or ("events" if "ROUTE_FORM" in row["flags"] else "open")], row["path"]
        body = operation.get("requestBody")
        assert (body is not None) == (row["method"] == "POST"), row["path"]
        if body:
            assert body["required"] == ("ROUTE_NO_BODY" not in row["flags"]), row["path"]
            assert list(body["content"]) == [FORM if "ROUTE_FORM" in row["flags"] else JSON], row["path"]


def test_each_code_is_described_and_no_other():
    faults = code_faults()
    assert len(faults) + 1 == code_of("base/fault.c").count("    [FAULT_"), "a row was not read"
    assert set(document().at("#/components/schemas/Code")["enum"]) == set(faults)
    assert set(document().at("#/components/examples")) == set(faults)
    described = set()
    for name, status, response in all_responses():
        for number, code in problems_of(response):
            described.add(code)
            assert status in (str(number), "default"), (name, status, number)
            of_transport = code == "invalid_request" and number in OF_TRANSPORT
            assert number == faults[code][0] or of_transport, (name, number, code)
    assert described == set(faults)


def test_each_operation_has_what_its_route_can_be_refused_with():
    for row in code_routes()[:-1]:
        operation = document().operation(row["method"], row["path"].strip('"'))
        pairs = set().union(*(problems_of(response) for _, response in document().responses(operation)))
        needed = set()
        if row["permit"] != "0":
            needed |= {(400, "invalid_request"), (401, "unauthenticated"), (403, "forbidden"), (429, "rate_limited")}
        if row["method"] == "POST":
            needed |= {(411, "length_required")}
        if row["method"] == "POST" and "ROUTE_FORM" not in row["flags"]:
            needed |= {(413, "body_too_large"), (415, "unsupported_media_type")}
        if "ROUTE_ALWAYS" not in row["flags"]:
            needed |= {(503, "draining"), (503, "overloaded"), (504, "deadline_exceeded")}
        assert needed <= pairs, (row["path"], needed - pairs)


def test_operations_of_the_last_errors_are_those_of_the_routes():
    named = document().at("#/components/schemas/LastError/properties/operation")["enum"]
    assert named == [row["operation"] for row in code_routes()]


def test_retry_after_is_described_where_it_is_sent():
    faults = code_faults()
    for name, status, response in all_responses():
        for number, code in problems_of(response):
            if faults[code][2]:
                assert "Retry-After" in response["headers"], (name, status, code)


# ---- examples ----

def test_each_answer_has_an_example_for_each_code_and_success():
    for name, status, response in all_responses():
        for kind, media in response.get("content", {}).items():
            assert media.get("examples"), (name, status, kind)
            if kind == PROBLEM and status not in ("default", "501"):
                assert set(media["examples"]) == {code for _, code in problems_of(response)}, (name, status)


def test_examples_of_problems_are_those_of_the_code():
    for code, (status, title, _) in code_faults().items():
        value = document().at(f"#/components/examples/{code}")["value"]
        assert (value["type"], value["status"], value["title"]) == (f"urn:jumpgate:error:{code}", status, title)


def all_media():
    """(where, schema, examples) of each request and each answer."""
    for path, method, operation in document().operations():
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{method} {path} request {kind}", media, False
        for status, response in document().responses(operation):
            for kind, media in response.get("content", {}).items():
                yield f"{method} {path} {status} {kind}", media, True


def test_examples_fit_their_schemas_and_schemas_are_schemas():
    checker = jsonschema.FormatChecker()
    for where, media, is_answer in all_media():
        for strict in (False, True) if is_answer else (False,):
            schema = document().whole(media["schema"], strict)
            jsonschema.Draft202012Validator.check_schema(schema)
            validator = jsonschema.Draft202012Validator(schema, format_checker=checker)
            for name, value in examples_of(media).items():
                assert not list(validator.iter_errors(value)), (where, name, list(validator.iter_errors(value)))


# ---- docs/api.md ----

def page():
    return (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_examples_of_the_page_are_those_of_the_document():
    shown = [value for _, media, is_answer in all_media() if is_answer for value in examples_of(media).values()]
    shown += [row for value in shown if isinstance(value, dict) for row in value.get("last_errors", [])]
    blocks = re.findall(r"```json\n(.*?)```", page(), re.S)
    assert blocks
    for block in blocks:
        assert json.loads(block) in shown, block


def test_page_names_each_route_and_each_code_with_its_status():
    text = page()
    for path, method, _ in document().operations():
        assert method == "head" or f"{method.upper()} {path}" in text, (method, path)
    named = {}
    for statuses, codes in re.findall(r"^\| (\d{3}(?:, \d{3})*) \| (`[^|]*) \|$", text, re.M):
        codes = re.findall(r"`(\w+)`", codes)
        statuses = statuses.split(", ")
        named.update(zip(codes, statuses if len(statuses) > 1 else statuses * len(codes)))
    assert named == {code: str(row[0]) for code, row in code_faults().items()}


# ---- the check itself ----

def success():
    """An answer that is described: method, target, status, headers, members."""
    value = examples_of(document().operation("POST", "/v1/credentials/checkout")["responses"]["200"]["content"][JSON])
    return ("POST", "/v1/credentials/checkout", 200,
            {"Content-Type": JSON, "X-Request-Id": "a", "Cache-Control": "no-store", "Content-Length": "1"},
            copy.deepcopy(value["password"]))


def refused(method, target, status, headers, members):
    with pytest.raises(AssertionError, match="does not describe this answer"):
        document().check(method, target, status, headers, json.dumps(members).encode())
    assert offences.pop()


def test_check_refuses_what_is_not_described():
    method, target, status, headers, members = success()
    document().check(method, target, status, headers, json.dumps(members).encode())
    refused(method, target, status, headers, {**members, "more": 1})
    refused(method, target, status, headers, {**members, "lease": {**members["lease"], "more": 1}})
    refused(method, target, status, headers, {**members, "kind": "ssh_key"})
    refused(method, target, status, headers, {k: v for k, v in members.items() if k != "domain"})
    refused(method, target, status, {**headers, "X-More": "1"}, members)
    refused(method, target, status, {k: v for k, v in headers.items() if k != "Cache-Control"}, members)
    refused(method, target, status, {**headers, "Content-Type": "text/plain"}, members)
    refused(method, target, 201, headers, members)
    refused("GET", "/status", status, headers, members)
    refused("GET", "/no/such/path", status, headers, members)


def test_check_tells_the_dependencies_of_the_status_apart():
    media = document().operation("GET", "/status")["responses"]["200"]["content"][JSON]
    members = examples_of(media)["status"]
    headers = {"Content-Type": JSON, "X-Request-Id": "a"}
    document().check("GET", "/status", 200, headers, json.dumps(members).encode())
    for row in members["dependencies"]:
        for wrong in ({**row, "more": 1}, {**row, "type": "else"}, {**row, "state": "else"}, row["name"]):
            rows = [wrong if found is row else found for found in members["dependencies"]]
            refused("GET", "/status", 200, headers, {**members, "dependencies": rows})


def test_check_refuses_a_problem_of_another_operation():
    problem = document().at("#/components/examples/credential_not_found")["value"]
    headers = {"Content-Type": PROBLEM, "X-Request-Id": "a"}
    document().check("POST", "/v1/credentials/checkout", 404, headers, json.dumps(problem).encode())
    refused("POST", "/v1/credentials/find", 404, headers, problem)
    refused("POST", "/v1/credentials/checkout", 422, headers, problem)
    with pytest.raises(AssertionError):
        document().check_any(400, headers, json.dumps(problem).encode())
    assert offences.pop()


def test_check_sees_a_change_of_the_document():
    text = (ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8")
    method, target, status, headers, members = success()
    for before, after in (("        passphrase: {type: string,", "        phrase: {type: string,"),
                          ("required: [id, request_id, request_key, expires_at]", "required: [id, request_id, request_key, expires_at, more]"),
                          ("\n        account: {type: string}\n", "\n")):
        assert before in text
        changed = Document(text.replace(before, after))
        value = examples_of(document().operation(method, target)["responses"]["200"]["content"][JSON])["ssh_key"]
        with pytest.raises(AssertionError):
            changed.check(method, target, status, headers, json.dumps(value).encode())
        assert offences.pop()
    Document(text).check(method, target, status, headers, json.dumps(members).encode())


# ---- a gateway of which the examples are true ----

@pytest.fixture(scope="module", name="shared")
def _shared():
    clients = {"client pra": {"token_sha256": token_hash(TOKEN), "allow": "broker operate observe"}}
    with PraStack({"poll_interval": "0s"}, clients) as stack:
        for system, (host, account, name, more) in enumerate((
                ("web01", 31, "root", {}),
                ("git01", 33, "deploy", {"password": None, "key": KEY, "passphrase": PHRASE}),
                ("db01", 34, "oracle", {"rules": ["both"]}), ("web02", 35, "own", {}),
                ("web03", 36, "careful", {"rules": ["reason"]}),
                ("web04", 37, "guarded", {"rules": ["approval"]})), 20):
            stack.vault.change("systems", id=system, name=host, platform=2)
            stack.vault.change("accounts", id=account, system=system, name=name, rotates=False, max_concurrent=0,
                               **{"rules": ["auto"], "password": PASSWORD, **more})
            if account == 31:
                stack.vault.change("accounts", id=32, system=DIRECTORY, name="svc", domain="corp.test", rules=["auto"],
                                   upn="svc@corp.test", rotates=False, max_concurrent=0, password=PASSWORD)
                stack.vault.change("links", system=20, account=32)
        yield stack


def example_session(id="S-4711", **more):
    return {**session("ann", "CORP", id, method="shell", hostname="web01"), **more}


def checked_out(stack, id="S-4711", **more):
    answer = stack.checkout(example_session(id, **more), "j1.main.l.20.31.0")
    assert answer.status == 200, answer.body
    stack.opened.append(example_session(id))
    return answer.json["lease"]["id"]


def own_request(stack):
    stack.person = stack.vault.sign_in("CORP\\ann")
    stack.own = stack.person.request(23, 35, Reason="by hand").json


def terminable(stack):
    lsid = stack.site.start_session(user="ann", events=False)
    return checked_out(stack, lsid=lsid)


# What must be there before an example of a request is sent; a text is the id in its path.
BEFORE = {
    ("checkoutCredential", "adopted"): own_request,
    ("releaseCredential", "held"): checked_out,
    ("findEndpoints", "recent"): checked_out,
    ("sessionComplete", "held"): checked_out,
    ("releaseLease", "plain"): checked_out,
    ("releaseLease", "terminate"): terminable,
}
OVER_CONTROL = {"clusterRecord"}  # for the commands of the machine alone
AFTER = {("checkoutCredential", "adopted"): lambda stack: stack.person.put(f"Requests/{stack.own}/Checkin")}
FREE = {"request_id", "request_key", "id", "expires_at", "created_at", "at", "started_at", "age_ms", "took_ms",
        "last_success_age_ms", "version", "build", "config_digest", "secret_sha256", "count"}
# Of these the example shows some; what a user has used is up to the tests before.
SOME = {"configuration", "calls", "names", "filters", "dependencies", "checks", "last_errors", "leases", "endpoints"}


def unlike(example, answer, path=""):
    """Where an answer is not of the example's shape and values; None where it is. Times and ids are free."""
    name = path.rpartition(".")[2]
    if isinstance(example, dict) and isinstance(answer, dict):
        if list(example) != list(answer):
            return f"{path}: {list(answer)}"
        return next(filter(None, (unlike(example[key], answer[key], f"{path}.{key}") for key in example)), None)
    if path == "recent.truncated":
        return None
    if isinstance(example, list) and isinstance(answer, list) and name in SOME:
        missing = [part for part in example if all(unlike(part, found, path + "[]") for found in answer)]
        return f"{path}: none is like {missing[0]}, but {answer}" if missing else None
    if isinstance(example, list) and isinstance(answer, list) and len(example) == len(answer):
        return next(filter(None, map(unlike, example, answer, [path + "[]"] * len(example))), None)
    free = name in FREE or path.startswith(("status.dependencies", "status.leases", "status.operations", "status.co"))
    number = isinstance(example, (int, float)) and isinstance(answer, (int, float)) and path.startswith("status.")
    fits = example == answer or number or (free and isinstance(answer, type(example)))
    return None if fits else f"{path}: {answer!r}"


def expected(operation, name):
    """(status, kind, value) of the answer that is shown for the example of a request."""
    for status, response in document().responses(operation):
        for kind, media in response.get("content", {}).items():
            if name in media.get("examples", {}):
                return int(status), kind, examples_of(media)[name]
    return (204, "", None) if "204" in operation["responses"] else None


def request_examples():
    for path, method, operation in document().operations():
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            for name, value in examples_of(media).items():
                yield pytest.param(path, method, kind, name, value, id=f"{operation['operationId']}-{name}")


@pytest.mark.parametrize("path, method, kind, name, value", request_examples())
def test_example_of_a_request_is_answered_as_shown(stack, path, method, kind, name, value):
    operation = document().operation(method, path)
    prepare = BEFORE.get((operation["operationId"], name), lambda stack: None)
    target = re.sub(r"\{\w+\}", urllib.parse.quote(prepare(stack) or ""), path)
    if path == EVENTS:
        target += f"?token={EVENT_TOKEN}"
    if "session" in value:
        stack.opened.append(example_session())
    body = urllib.parse.urlencode(value).encode() if kind == FORM else value
    over = UnixConnection(str(stack.gateway.path / "state" / "control.sock"), 30) \
        if operation["operationId"] in OVER_CONTROL else None
    answer = stack.gateway.call(method.upper(), target, body, headers={"Content-Type": kind}, connection=over)
    if over:
        over.close()
    AFTER.get((operation["operationId"], name), lambda stack: None)(stack)
    shown = expected(operation, name)
    assert shown, "no answer of that name is shown"
    assert answer.status == shown[0], answer.body
    assert answer.headers.get("Content-Type", "").partition(";")[0] == shown[1]
    assert answer.json is None if shown[2] is None else not unlike(shown[2], answer.json, name), \
        (unlike(shown[2], answer.json, name), answer.json)


def get_targets(path, operation):
    """The targets that the examples of the parameters make: each alone, and all but the cursor."""
    found = [document().resolve(p) for p in operation["parameters"]]
    for p in found:
        if p["in"] == "path":
            path = path.replace("{" + p["name"] + "}", urllib.parse.quote(str(p["example"])))
    query = [(p["name"], p["example"]) for p in found if p["in"] == "query" and "example" in p]
    yield path
    for one in query:
        yield f"{path}?{urllib.parse.urlencode([one])}"
    if query:
        yield f"{path}?{urllib.parse.urlencode([one for one in query if one[0] != 'cursor'])}"


@pytest.mark.parametrize("path, operation", [pytest.param(path, operation, id=operation["operationId"])
                                             for path, method, operation in document().operations() if method == "get"])
def test_examples_of_a_get_are_answered_as_shown(stack, path, operation):
    checked_out(stack)
    stack.gateway.find(example_session(), headers={"X-Request-Id": "find-1"})
    assert stack.checkout(example_session(), "j1.main.l.9.9.0").code == "credential_not_found"
    ((kind, media),) = operation["responses"]["200"]["content"].items()
    name, shown = next(iter(examples_of(media).items()))
    for target in get_targets(path, operation):
        answer = stack.gateway.call("GET", target)
        assert answer.status == 200, (target, answer.body)
        empty = stack.gateway.call("HEAD", target)
        assert (empty.status, empty.body) == (answer.status, b"")
    if kind == JSON:
        assert not unlike(shown, answer.json, name), (unlike(shown, answer.json, name), answer.json)
    else:
        assert set(shown.strip().splitlines()) <= set(answer.body.decode().splitlines())


# ---- bounds ----

def members_of(schema, value, path=()):
    """(path, schema) of each member that a request may have, also those that the example has not."""
    schema = document().whole(schema, False)
    for part in schema.get("allOf", [schema]):
        for name, member in part.get("properties", {}).items():
            yield path + (name,), member
            yield from members_of(member, value, path + (name,))


def changed(value, path, new):
    """A copy with the member at path replaced, or taken out where new is Ellipsis."""
    value = copy.deepcopy(value)
    place = value
    for name in path[:-1]:
        place = place.setdefault(name, {}) if isinstance(place.get(name, {}), dict) else place[name]
    if new is ...:
        place.pop(path[-1], None)
    else:
        place[path[-1]] = new
    return value


def candidates(schema):
    """Values on both sides of each bound that the schema names, and of every type."""
    yield from (None, True, 0, 1, -1, 1.5, 22.0, 2 ** 53, "", "x", "a\u0007b", "a\\b", [], ["x"], ["rdp"], {}, ...)
    yield from schema.get("enum", ())
    yield "5c1f3d0a9b8e47f6a1c2d3e4f5061728"
    yield "{5c1f3d0a-9b8e-47f6-a1c2-d3e4f5061728}"
    for bound in ("minLength", "maxLength"):
        if bound in schema:
            yield from ("ü" * n for n in (schema[bound] - 1, schema[bound], schema[bound] + 1) if n >= 0)
    for bound in ("minimum", "maximum"):
        if bound in schema:
            yield from (schema[bound] - 1, schema[bound], schema[bound] + 1)


def bounded():
    for path, method, operation in document().operations():
        media = operation.get("requestBody", {}).get("content", {}).get(JSON)
        if media and document().whole(media["schema"], False).get("properties"):
            name, value = next(iter(examples_of(media).items()))
            yield pytest.param(path, media["schema"], value, id=operation["operationId"])


@pytest.mark.parametrize("path, schema, value", bounded())
def test_what_the_schema_refuses_is_400_and_nothing_else_is(stack, path, schema, value):
    """Every member, on both sides of each bound: the gateway and the schema agree."""
    valid = jsonschema.Draft202012Validator(document().whole(schema, False)).is_valid
    target = path.replace("{id}", "nothing")
    connection = stack.gateway.connect()
    asked = set()
    for member, described in members_of(schema, value):
        for new in candidates(described):
            body = changed(value, member, new)
            text = json.dumps(body)
            if text in asked:
                continue
            asked.add(text)
            if isinstance(body.get("session"), dict):
                stack.opened += [body["session"]] if valid(body) and body["session"].get("id") else []
            answer = stack.gateway.call("POST", target, body, connection=connection)
            assert (answer.status == 400) == (not valid(body)), (member, new, answer.body)
    assert len(asked) > 3
    connection.close()


@pytest.mark.parametrize("name, valid, wrong", [
    ("limit", ("1", "1000"), ("0", "1001", "x", "-1", "")), ("state", ("lapsed", "intent"), ("gone", "")),
    ("cursor", ("000000000000000a",), ("a", "g" * 16, "")), ("user", ("x",), ("",)), ("session", ("x",), ("",))])
def test_bounds_of_the_query(stack, name, valid, wrong):
    (parameter,) = [p for p in document().operation("GET", "/v1/leases")["parameters"] if p.get("name") == name]
    schema = document().whole(parameter["schema"], False)
    for values, good in ((valid, True), (wrong, False)):
        for value in values:
            read = int(value) if "integer" in types(schema) and re.fullmatch(r"-?\d+", value) else value
            assert jsonschema.Draft202012Validator(schema).is_valid(read) == good, value
            answer = stack.gateway.call("GET", f"/v1/leases?{name}={value}")
            assert answer.status == (200 if good else 400), (value, answer.body)


def test_bounds_of_the_timeout(stack):
    schema = document().at("#/components/parameters/Timeout")["schema"]
    for value in (0, 1, 600000, 600001):
        answer = stack.gateway.call("GET", "/v1/capabilities", headers={"X-Request-Timeout-Ms": str(value)})
        valid = schema["minimum"] <= value <= schema["maximum"]
        assert answer.status in ((200, 504) if valid else (400,)), value
