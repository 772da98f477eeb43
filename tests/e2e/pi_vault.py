"""The simulated Privileged Identity for a test: started on free ports, changed, inspected, ended cleanly.

    with PiVault() as vault:
        vault.url                                  # http://127.0.0.1:PORT
        client = vault.sign_in()                   # svc-gateway on the face json-v2
        password = client.check_out(ADM1).json["Password"]
        client.check_in(ADM1)
        assert vault.live() == [] and vault.violations() == {}

docs/pi-simulator.md has the knobs, faults and admin calls.
"""

import http.client
import json
import ssl
import xml.etree.ElementTree as ElementTree

from simulator_process import Answer, SimulatorProcess

BASE = "/ERPMWebService"
FACES = {"json-v2": "/json/V2/AuthService.svc/", "json-v1": "/AuthService_JSON.svc/", "rest": "/AuthService.svc/REST/"}
SIGN_IN = {"json-v2": "DoLogin2", "json-v1": "DoLogin", "rest": "Login"}
SIGN_OUT = {"json-v2": "DoLogout", "json-v1": "DoLogout", "rest": "Logout"}
IDENTITY, PASSWORD = "svc-gateway", "Wheel+of/fortune=9"


class Shared:
    """An entry of a shared list, as a call names it."""

    kind = "SharedCredential"

    def __init__(self, account, shared_list="Domain admins", system="corp.test"):
        self.names = {"list": shared_list, "system": system, "account": account}
        self.text = f"shared {shared_list} {system} {account}"
        self.body = {"SharedCredentialIdentifier": {"AccountName": account, "SharedCredentialListName": shared_list,
                                                    "SystemName": system}}


class Stored:
    """A stored credential of a system, as a call names it."""

    kind = "StoredCredential"

    def __init__(self, system, account, type=1, custom_type=""):  # pylint: disable=redefined-builtin
        self.names = {"system": system, "account": account, "type": type, "custom_type": custom_type}
        self.text = f"stored {system} {account}"
        self.body = {"AccountIdentificationInfo": {
            "AccountName": account, "AccountStore": {"CustomTypeName": custom_type, "TargetName": system, "Type": type},
            "PasswordList": ""}}


ADM1, ADM2 = Shared("adm1"), Shared("adm2")
WEB01, DB01 = Stored("web01", "Administrator"), Stored("db01", "sa", type=3)
WEB01_PASSWORD = 'Tr0ut\\lamp"42&co/x'


def text_of(answer):
    """What a refusal says, whatever its form."""
    kind = answer.header("Content-Type") or ""
    if "json" not in kind:
        return "".join(ElementTree.fromstring(answer.body.replace(b"<!DOCTYPE html>", b"")).itertext())
    body = answer.json
    if isinstance(body, str):
        return body
    return next(body[n] for n in ("OperationMessage", "ExceptionMessage", "Detail", "Message") if n in body)


class Client:
    """One token on one face; a call is made on a connection of its own."""

    def __init__(self, vault, face, token):
        self.vault, self.face, self.token = vault, face, token

    def post(self, operation, body=None, **headers):
        whole = {**({} if self.token is None else {"AuthenticationToken": self.token}), **(body or {})}
        return self.vault.call("POST", FACES[self.face] + operation, whole, **headers)

    def get(self, path):
        return self.vault.call("GET", FACES[self.face] + path, AuthenticationToken=self.token)

    def operate(self, verb, credential, comment="for a test", **more):
        return self.post(f"AccountStoreOps_{credential.kind}_{verb}", {"Comment": comment, **credential.body, **more})

    def check_out(self, credential, *args, **more):
        return self.operate("CheckOut", credential, *args, **more)

    def check_in(self, credential, *args, **more):
        return self.operate("CheckIn", credential, *args, **more)

    def spin(self, credential):
        return self.operate("Spin", credential)

    def password(self, credential):
        """Checks out; the password."""
        answer = self.check_out(credential)
        assert answer.status == 200, answer
        return answer.json["Password"]

    def begin(self, verb, credential):
        """A call whose answer is not read yet: its connection, for the caller to read or close."""
        body = {"AuthenticationToken": self.token, "Comment": "for a test", **credential.body}
        return self.vault.begin(f"{FACES[self.face]}AccountStoreOps_{credential.kind}_{verb}", body)

    def sign_out(self):
        return self.post(SIGN_OUT[self.face])


class PiVault(SimulatorProcess):
    """pi-sim as a context manager."""

    def __init__(self, *arguments, tls=None, client_ca=None, knobs=None, stderr=None):
        arguments = list(arguments)
        if tls:
            arguments += ["--certificate", tls.certificate, "--key", tls.key]
        if client_ca:
            arguments += ["--client-ca", client_ca]
        for name, value in (knobs or {}).items():
            arguments += ["--knob", f"{name}={value}"]
        super().__init__("pi-sim", arguments, stderr)
        self.tls = tls  # certificates.Pair of the server
        self.client = None  # certificates.Pair that connect() shows

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.address}"

    # -- calls to the vault --

    def connect(self, timeout=30):
        if not self.tls:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        context = ssl.create_default_context()
        context.post_handshake_auth = True
        if self.client:
            context.load_cert_chain(self.client.certificate, self.client.key)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the simulator's own tests; the gateway never does this
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)

    def call(self, method, path, body=None, raw=None, timeout=30, **headers):
        """One call on a connection of its own. A header that is None is left out; names have _ for -."""
        data = raw if body is None else json.dumps(body)
        lines = {} if data is None else {"Content-Type": "application/json"}
        lines.update({name.replace("_", "-"): value for name, value in headers.items()})
        connection = self.connect(timeout)
        try:
            connection.request(method, BASE + path, body=data, headers={k: v for k, v in lines.items() if v is not None})
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def begin(self, path, body):
        connection = self.connect()
        connection.request("POST", BASE + path, body=json.dumps(body), headers={"Content-Type": "application/json"})
        return connection

    def ask_sign_in(self, name=IDENTITY, password=PASSWORD, face="json-v2", authenticator=None, **more):
        """The sign-in call, as it is answered."""
        body = {"LoginType": 2 if authenticator else 1, "Username": name, "Password": password, **more}
        if authenticator:
            body["Authenticator"] = authenticator
        return self.call("POST", FACES[face] + SIGN_IN[face], body)

    def sign_in(self, name=IDENTITY, password=PASSWORD, face="json-v2", **more):
        answer = self.ask_sign_in(name, password, face, **more)
        assert answer.status == 200, answer
        return Client(self, face, answer.json["OperationMessage"] if face == "json-v2" else answer.json)

    # -- the admin port --

    def state(self):
        return self.ask("GET", "/state")

    def live(self):
        """Who has what: (credential, identity or person), in the order of the check-outs."""
        return [(c["credential"], c["identity"] or c["who"]) for c in self.ask("GET", "/checkouts?live=1")]

    def checkouts(self):
        return self.ask("GET", "/checkouts")

    def history(self, after=0):
        return self.ask("GET", f"/history?after={after}")["events"]

    def events(self, what=None):
        """(what, outcome) of the history."""
        return [(e["what"], e["outcome"]) for e in self.history() if what in (None, e["what"])]

    def violations(self):
        return self.counts()["violations"]

    def credential(self, credential):
        """What the vault knows of it: id, version, password, claims."""
        return next(c for c in self.ask("GET", "/credentials") if c["credential"] == credential.text)

    def tokens(self):
        return self.ask("GET", "/tokens")

    def change(self, kind, **entry):
        """Makes or changes an identity, a credential or a set."""
        return self.ask("POST", f"/{kind}", entry)

    def settings(self, **values):
        return self.ask("POST", "/settings", values)

    def knob(self, name, value):
        return self.settings(knobs={name: value})

    def person_checks_out(self, credential, who="CORP\\ann"):
        """A check-out by the web application; its number."""
        self.ask("POST", "/checkouts", {**credential.names, "who": who})
        return self.checkouts()[-1]["number"]

    def end_checkout(self, number):
        return self.ask("POST", f"/checkouts/{number}/end")

    def expire_tokens(self, identity=None):
        return self.ask("POST", "/expire-tokens", {"identity": identity} if identity else {})["expired"]

    def doubt(self):
        return self.ask("POST", "/doubt")
