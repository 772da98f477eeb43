# SPDX-License-Identifier: Apache-2.0
"""docs/openapi.yaml as a contract: whether an answer of the gateway is one that the document describes.

    document().check("POST", "/v1/credentials/find", 200, headers, body)      # AssertionError where it is not
    document("reports-openapi.yaml").check(…)                                 # the same of session reports

An answer is looked up by path, method and status; its content type, its headers and its body must be the document's.
The document lets later versions add members. Here an object is closed: a member that is not described is an offence.
The same holds for headers, but for those of HTTP itself.

Each offence is also kept in `offences`: a test may ask from a thread of its own, where an exception is not seen.
"""

import copy
import functools
import json
import pathlib
import re

import fastjsonschema
import yaml

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
METHODS = ("get", "head", "post", "put", "delete", "patch", "options", "trace")
OF_HTTP = {"date", "content-length", "content-type", "connection", "transfer-encoding"}
PROBLEM = "application/problem+json"
offences = []


class Document:
    """The document, with references followed."""

    def __init__(self, text, name="openapi.yaml"):
        self.name = name
        self.tree = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.paths = self.tree["paths"]
        self.templates = [(re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path))), path)
                          for path in self.paths if "{" in path]
        self.compiled = {}

    # ---- what is in it ----

    def resolve(self, node):
        """The node that a reference stands for; other nodes are returned as they are."""
        while isinstance(node, dict) and "$ref" in node and len(node) == 1:
            node = self.at(node["$ref"])
        return node

    def at(self, reference):
        node = self.tree
        for name in reference.removeprefix("#/").split("/"):
            node = node[name.replace("~1", "/").replace("~0", "~")]
        return node

    def operations(self):
        """(path, method, operation) of each."""
        return [(path, method, item[method]) for path, item in self.paths.items() for method in METHODS
                if method in item]

    def responses(self, operation):
        """(status or `default`, response) of each."""
        return [(status, self.resolve(response)) for status, response in operation["responses"].items()]

    def operation(self, method, target):
        """The operation that a request line asks for; None where there is none."""
        path = target.partition("?")[0]
        if path not in self.paths:
            path = next((known for pattern, known in self.templates if pattern.fullmatch(path)), None)
        return self.paths[path].get(method.lower()) if path else None

    # ---- schemas ----

    def whole(self, schema, strict):
        """The schema without references; `strict` closes each object whose members are described."""
        if isinstance(schema, list):
            return [self.whole(part, strict) for part in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            schema = merged(self.at(schema["$ref"]), {k: v for k, v in schema.items() if k != "$ref"})
            return self.whole(schema, strict)
        made = {}
        for key, value in schema.items():
            if key == "properties":
                made[key] = {name: self.whole(part, strict) for name, part in value.items()}
            elif key not in ("description", "example", "examples", "default", "enum", "const"):
                made[key] = self.whole(value, strict)
            elif key in ("enum", "const"):
                made[key] = value
        if strict and "object" in types(made) and "properties" in made:
            made.setdefault("additionalProperties", False)
        return told_apart(made) if strict else made

    def validator(self, schema, strict=True):
        """validate(value) of a schema of the document; compiled once."""
        key = id(schema), strict
        if key not in self.compiled:
            self.compiled[key] = fastjsonschema.compile(
                {"$schema": "http://json-schema.org/draft-07/schema#", **self.whole(schema, strict)})
        return self.compiled[key]

    # ---- answers ----

    def check(self, method, target, status, headers, body):
        """Insists that the document describes this answer to this request. `headers` is a mapping."""
        operation = self.operation(method, target)
        if operation:
            responses = operation["responses"]
            response = responses.get(str(status), responses.get("default"))
        else:
            response = self.tree["components"]["responses"]["Http"]
        why = "no such status" if response is None else self.differs(self.resolve(response), method, headers, body)
        if not why and status >= 400:
            why = other_status(status, headers, body)
        if why:
            offence(self.name, f"{method} {target}: {status}: {why}: {body[:400]!r}")

    def check_any(self, status, headers, body):
        """The same where the request is not known: some operation has this answer."""
        found = {id(response): response for _, _, operation in self.operations()
                 for at, response in self.responses(operation) if at in (str(status), "default")}
        why = "no such status"
        for response in found.values():
            why = self.differs(response, "GET", headers, body)
            if not why:
                break
        if not why and status >= 400:
            why = other_status(status, headers, body)
        if why:
            offence(self.name, f"{status}: {why}: {body[:400]!r}")

    def differs(self, response, method, headers, body):
        """What is not as described; None where all is."""
        named = {name.lower(): value for name, value in headers.items()}
        return self.headers_differ(response, named) or self.body_differs(response, method, named, body)

    def headers_differ(self, response, named):
        described = {name.lower(): self.resolve(header) for name, header in response.get("headers", {}).items()}
        for name, schema in self.tree["components"].get("x-headers-of-all", {}).items():
            described[name.lower()] = {"required": True, "schema": schema}
        for name, header in described.items():
            if name not in named:
                if header.get("required"):
                    return f"no header {name}"
                continue
            value = int(named[name]) if header["schema"].get("type") == "integer" else named[name]
            try:
                self.validator(header["schema"])(value)
            except fastjsonschema.JsonSchemaException as error:
                return f"header {name}: {error}"
        extra = set(named) - set(described) - OF_HTTP
        return f"headers that are not described: {sorted(extra)}" if extra else None

    def body_differs(self, response, method, named, body):
        content = response.get("content", {})
        kind = named.get("content-type", "").partition(";")[0]
        if not content:
            return "a body" if body or kind else None
        if kind not in content:
            return f"content type {kind!r}"
        if method == "HEAD":
            return "a body" if body else None
        try:
            value = json.loads(body) if kind.endswith("json") and not kind.endswith("-ndjson") else body.decode()
            self.validator(content[kind]["schema"])(value)
        except ValueError as error:
            return str(error)
        return None


def told_apart(schema):
    """The same schema, but of `oneOf` only the variant is tried whose `type` is that of the value: it is faster."""
    named = [variant.get("properties", {}).get("type", {}) for variant in schema.get("oneOf", ())]
    if not named or not all("const" in name or "enum" in name for name in named):
        return schema
    last = False
    for variant, name in reversed(list(zip(schema["oneOf"], named))):
        last = {"if": {"properties": {"type": name}, "required": ["type"]}, "then": variant, "else": last}
    return {**{key: value for key, value in schema.items() if key != "oneOf"}, **last}


def types(schema):
    named = schema.get("type", [])
    return [named] if isinstance(named, str) else named


def merged(schema, more):
    """The schema with the keywords beside its reference; a member described in both is as in the second."""
    made = copy.deepcopy(schema)
    for key, value in more.items():
        made[key] = {**made.get(key, {}), **value} if key == "properties" else value
    return made


def other_status(status, headers, body):
    """A problem names its own status."""
    named = {name.lower(): value for name, value in headers.items()}
    if not body or not named.get("content-type", "").startswith(PROBLEM) or json.loads(body)["status"] == status:
        return None
    return f"a problem of status {json.loads(body)['status']}"


def offence(name, text):
    text = f"docs/{name} does not describe this answer: {text}"
    offences.append(text)
    raise AssertionError(text)


@functools.lru_cache(maxsize=2)
def document(name="openapi.yaml"):
    """The document of this tree."""
    return Document((DOCS / name).read_text(encoding="utf-8"), name)
