# SPDX-License-Identifier: Apache-2.0
"""The operations of the table of faults: the gateway that each needs, what comes before it, how it is asked, what it leaves.

    operation = OPERATIONS["checkout"]
    with STACKS[operation.stack]() as stack:
        case = operation.before(stack)                    # session, credential id, whatever the operation needs
        answer = operation.ask(case, patience=1000)       # the operation itself, with the caller's deadline in ms
        operation.left(case, answer)                      # "lease", "pending" or "nothing", once the fault is over

Operations "at a reload" and "at shutdown" are under way at the gateway when that comes: the fault's call waits for HELD
ms first, so that it does.
"""

import concurrent.futures
import itertools
import pathlib
import signal
import tempfile

from harness import SANITIZER, eventually, session
from pra_stack import PraStack
from stack import CHECKIN, CREDENTIAL, LIST, OAUTH_ID, OAUTH_SECRET, REQUEST, REQUESTS, SIGN_IN, Stack

HELD = 400  # ms
KEPT = {"gateway": {"list_cache": "0s", "catalogue_cache": "0s"}, "vault main": {"call_timeout": "2s"}}
CALLS = {
    "sign-in": {"call": SIGN_IN}, "list": {"call": LIST}, "request": {"call": REQUEST}, "credential": {"call": CREDENTIAL},
    "check-in": {"call": CHECKIN}, "isa": {"call": "POST ISARequests"}, "policy": {"call": "POST AccessPolicies/Test"},
    "password": {"call": CREDENTIAL, "query": "type=password"}, "key": {"call": CREDENTIAL, "query": "type=dsskey"},
    "passphrase": {"call": CREDENTIAL, "query": "type=passphrase"}, "requests": {"call": REQUESTS},
    "systems": {"call": "GET ManagedSystems"}, "platforms": {"call": "GET Platforms"}, "workgroups": {"call": "GET Workgroups"},
    "token": {"call": "POST Auth/connect/token"}, "any": {},
}
OF_THE_SITE = {"token": {"call": "token"}, "terminate_session": {"call": "terminate_session"},
               "AccessSession": {"call": "AccessSession"}}
USERS = itertools.count(1000)
SECRETS = itertools.count(1)


# ---- gateways ----

class PlainStack(Stack):
    def __init__(self):
        super().__init__(KEPT)


class FullStack(PraStack):
    """A gateway that asks for all that may be asked for: policies, the directory, approvals; and a PRA site."""

    def __init__(self):
        super().__init__({"poll_interval": "0s", "check_interval": "1h"}, {**KEPT, "vault main": {
            "call_timeout": "2s", "approval_wait": "1h", "ask_policy": "yes", "directory_user": "reader"}})

    def __enter__(self):
        super().__enter__()
        self.vault.scenario({"groups": [{"id": 99, "name": "readers", "permissions": ["systems"]}],
                             "users": [{"id": 4999, "name": "reader", "groups": ["readers"]}]})
        return self


class OAuthStack(Stack):
    """A gateway that comes to the vault by OAuth."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="jumpgate-oauth-")
        secret = pathlib.Path(self.folder.name) / "secret"
        secret.touch(mode=0o600)
        secret.write_text(OAUTH_SECRET)
        super().__init__({**KEPT, "vault main": {
            "call_timeout": "2s", "api_key_file": None, "oauth_client_id": OAUTH_ID, "oauth_client_secret_file": str(secret),
            "oauth_shared_identity": "yes"}})

    def __enter__(self):
        super().__enter__()
        self.vault.settings(token_minutes=1)
        self.vault.clock(advance_ms=3600000)  # the end of those that were issued before
        return self

    def __exit__(self, kind, value, trace):
        try:
            super().__exit__(kind, value, trace)
        finally:
            self.folder.cleanup()


STACKS = {"plain": PlainStack, "full": FullStack, "oauth": OAuthStack, "shutdown": PlainStack}


# ---- what a row is done with ----

class Case:
    """An operation that is prepared: the session, its credential, and what else its class has put there."""

    def __init__(self, stack, asked, credential=None, **more):
        self.stack, self.asked, self.credential = stack, asked, credential
        self.__dict__.update(more)


def headers(patience):
    return {"headers": {"X-Request-Timeout-Ms": str(patience)}}


def new_user(stack):
    """The name of a user that the gateway has never signed in."""
    number = next(USERS)
    stack.vault.change("users", id=number, name=f"CORP\\u{number}", groups=["all"])
    return f"u{number}"


def in_the_background(call):
    pool = concurrent.futures.ThreadPoolExecutor(1)
    future = pool.submit(call)
    pool.shutdown(wait=False)
    return future


class Operation:
    """One operation. Classes below differ in what they override."""

    stack = "plain"
    rule = "auto"
    held = 0  # ms that the fault's call waits first

    def box(self, stack):
        return stack.account(password="pw", rule=self.rule)

    def before(self, stack):
        """A session of a user that the gateway has never signed in, and the credential's id from elsewhere."""
        box = self.box(stack)
        credential = stack.credential(stack.session("ann", box))
        return Case(stack, stack.session(new_user(stack), box), credential)

    def source(self, stack, step):
        """The simulator whose call the step is, and which call."""
        return (stack.site, OF_THE_SITE[step]) if self.is_of_the_site(step) else (stack.vault, CALLS[step])

    def is_of_the_site(self, step):
        return False

    def prepare(self, case, step):
        """What the step needs beyond before()."""

    def ask(self, case, patience):
        raise NotImplementedError

    def words(self, answer):
        words = [str(answer.status), answer.code or ""]
        if answer.status == 200:
            words += [name for name in ("pending", "partial") if answer.json.get(name)]
        return " ".join(word for word in words if word)

    def left(self, case, answer):
        eventually(lambda: case.stack.live() == [], 30)
        return "nothing"

    def again(self, case):
        """Once more, when the fault is over."""
        return eventually(lambda: [a for a in [self.ask(case, 15000)] if a.status == 200])[0]

    def over(self, case):
        """Puts back what the next row must not meet."""


class Find(Operation):
    def before(self, stack):
        return Case(stack, stack.session(new_user(stack), self.box(stack)))

    def ask(self, case, patience):
        return case.stack.gateway.find(case.asked, **headers(patience))


class Endpoints(Find):
    def ask(self, case, patience):
        return case.stack.gateway.endpoints(case.asked, **headers(patience))


class Checkout(Operation):
    def ask(self, case, patience):
        return case.stack.checkout(case.asked, case.credential, **headers(patience))

    def left(self, case, answer):
        if answer.status != 200:
            return super().left(case, answer)
        assert case.stack.vault.active() == [answer.json["lease"]["request_id"]] and "adopted" not in answer.json["lease"]
        return "lease"

    def again(self, case):
        answer = super().again(case)
        assert self.secret(answer.json)
        return answer

    def secret(self, members):
        return members["password"] == "pw"


class Direct(Checkout):
    rule = "direct"

    def left(self, case, answer):
        return Operation.left(self, case, answer)


class Release(Operation):
    def before(self, stack):
        asked = stack.session("ann", self.box(stack))
        credential = stack.credential(asked)
        assert stack.checkout(asked, credential).status == 200
        return Case(stack, asked, credential)

    def ask(self, case, patience):
        return case.stack.gateway.release(case.asked, case.credential, **headers(patience))


class Complete(Release):
    def ask(self, case, patience):
        return case.stack.gateway.complete(case.asked, **headers(patience))


# ---- kinds of accounts, policies, the directory, OAuth ----

class KeyCheckout(Checkout):
    """The account has a key with a passphrase, and no password, which is asked for first."""

    def box(self, stack):
        return stack.account("deploy", password=None, key="the key", passphrase="the phrase")

    def secret(self, members):
        return (members["private_key"], members["passphrase"]) == ("the key", "the phrase") and "password" not in members


class WaitingCheckout(Checkout):
    """The policy wants an approval, and the gateway keeps the request."""

    stack, rule = "full", "approval"

    def left(self, case, answer):
        """`pending`: one request waits, and the next check-out is answered with that one, in place of a second."""
        if answer.code != "approval_pending":
            return Operation.left(self, case, answer)
        number = answer.json["vault"]["request_id"]
        assert [r["id"] for r in case.stack.live()] == [number]
        later = self.ask(case, 15000)
        assert (later.code, later.json["vault"]["request_id"]) == ("approval_pending", number)
        return "pending"

    def again(self, case):
        assert eventually(lambda: self.ask(case, 15000).code == "approval_pending")

    def over(self, case):
        assert case.stack.gateway.release(case.asked, case.credential).status == 200  # withdraws what waits


class ApprovedCheckout(Checkout):
    """A request was kept and has been approved; the check-out reads its secret."""

    stack, rule = "full", "approval"

    def before(self, stack):
        case = super().before(stack)
        answer = self.ask(case, 15000)
        assert answer.code == "approval_pending", answer.body
        case.number = answer.json["vault"]["request_id"]
        stack.vault.approve(case.number)
        return case

    def left(self, case, answer):
        """The approval is not lost: what is left is the approved request, by a lease or waiting for the next check-out."""
        assert [r["id"] for r in case.stack.live()] == [case.number]
        return "lease" if answer.status == 200 else "pending"

    def again(self, case):
        answer = super().again(case)
        assert answer.json["lease"]["request_id"] == case.number
        return answer


class PolicyFind(Find):
    """`ask_policy`: a credential says what its policy requires."""

    stack, rule = "full", "approval"

    def before(self, stack):
        case = super().before(stack)
        assert "requires" in self.words(stack.gateway.find(case.asked))
        return case

    def words(self, answer):
        requires = answer.status == 200 and [row.get("requires") for row in answer.json["credentials"]]
        assert requires in (False, [None], [["approval"]]), answer.json
        return super().words(answer) + (" requires" if requires == [["approval"]] else "")

    def again(self, case):
        return eventually(lambda: [a for a in [self.ask(case, 15000)] if "requires" in self.words(a)])[0]


class PolicyCheckout(Checkout):
    stack = "full"


class DirectoryEndpoints(Endpoints):
    """`directory_user`: an endpoint has its host, its method and its network from the directory of the vault."""

    stack = "full"

    def before(self, stack):
        box = stack.account(box=stack.system(dns="dns.corp.test", workgroup="North"))
        case = Case(stack, stack.session("ann", box), box=box)
        self.again(case)
        stack.vault.expire_sessions("reader")
        return case

    def ask(self, case, patience):
        return case.stack.gateway.endpoints(case.asked, {"query": case.box.name}, **headers(patience))

    def words(self, answer):
        words = super().words(answer)
        if answer.status != 200:
            return words
        found = answer.json["endpoints"]
        words += " host" * all(row["hostname"] == "dns.corp.test" for row in found)
        words += " method" * (len(found) == 1)  # else a row for each
        return words + " network" * all(row["network_id"] == "North" for row in found)

    def again(self, case):
        return eventually(lambda: [a for a in [self.ask(case, 15000)] if self.words(a) == "200 host method network"])[0]


class OAuthFind(Find):
    """The gateway's token has ended, and its session."""

    stack = "oauth"

    def before(self, stack):
        case = Case(stack, stack.session("ann", self.box(stack)))
        self.again(case)
        stack.vault.clock(advance_ms=61000)
        stack.vault.expire_sessions()
        return case


# ---- at a reload, at a shutdown ----

def meanwhile(operation, case, patience, event):
    """Asks, and lets the event happen while the call of the fault is held."""
    answer = in_the_background(lambda: operation(case, patience))
    eventually(lambda: sum(rule["seen"] for rule in case.stack.vault.faults()) or answer.done(), 30)
    assert not answer.done(), answer.result().body
    event()
    return answer.result()


def change_and_reload(gateway):
    """A reload that changes the vault's section."""
    keys = gateway.sections["vault main"]
    keys["call_timeout"] = "2s" if keys["call_timeout"] != "2s" else "2100ms"
    gateway.write_configuration()
    answer = gateway.call("POST", "/v1/reload")
    assert answer.status == 200, answer.body


class AtReload:
    held = HELD

    def ask(self, case, patience):
        if not case.stack.vault.faults():
            return super().ask(case, patience)
        return meanwhile(super().ask, case, patience, lambda: change_and_reload(case.stack.gateway))


class CheckoutAtReload(AtReload, Checkout):
    pass


class ReleaseAtReload(AtReload, Release):
    pass


class CheckoutAtShutdown(Checkout):
    """Under way at SIGTERM. The rows of a gateway are done together (shut_down): each has a user of its own, whom the gateway
    has signed in, and whom alone its fault meets."""

    stack, held = "shutdown", HELD

    def before(self, stack):
        user = new_user(stack)
        asked = stack.session(user, self.box(stack))
        return Case(stack, asked, stack.credential(asked), user=f"CORP\\{user}")

    def left(self, case, answer):
        def live():
            return [r["id"] for r in case.stack.live() if r["user"] == case.user]

        if answer.json.get("lease"):
            assert live() == [answer.json["lease"]["request_id"]]
            return "lease"
        eventually(lambda: not live(), 30)
        return "nothing"


class ReleaseAtShutdown(CheckoutAtShutdown):
    def before(self, stack):
        case = super().before(stack)
        assert stack.checkout(case.asked, case.credential).status == 200
        return case

    def ask(self, case, patience):
        return case.stack.gateway.release(case.asked, case.credential, **headers(patience))

    def again(self, case):
        return Operation.again(self, case)


def shut_down(gateway, asking, are_under_way):
    """The answers of what is asked, which a SIGTERM meets on its way. No more is accepted then, the process ends by itself, and
    another one begins."""
    kept = gateway.connect()
    with concurrent.futures.ThreadPoolExecutor(len(asking)) as pool:
        answers = [pool.submit(ask) for ask in asking]
        eventually(are_under_way, 30)
        gateway.signal(signal.SIGTERM)
        assert gateway.err.wait_for(lambda line: "to=draining" in line, 20)
        refused = gateway.find(session("ann", hostname="x"), connection=kept)
        assert (refused.status, refused.code) == (503, "draining"), refused.body
        kept.close()
    assert gateway.wait() == 0 and not SANITIZER.search(gateway.err.text), gateway.err.text
    gateway.restart()
    return [answer.result() for answer in answers]


# ---- the PRA link ----

class Event(Operation):
    """An end event of the site: the lease ends with the answer, and the check-in follows."""

    stack = "full"

    def before(self, stack):
        held = stack.hold()
        return Case(stack, held.session, held=held)

    def ask(self, case, patience):
        return case.stack.end_event(case.held.lsid)

    def words(self, answer):
        return f"{answer.status} ended {answer.json['ended']}" if answer.status == 200 else super().words(answer)

    def again(self, case):
        """The site sends it again: nothing is left to end."""
        answer = self.ask(case, 15000)
        assert (answer.status, answer.json["ended"]) == (200, 0), answer.body


class Terminate(Event):
    """The kill switch. Another lease of the same session shows whether the end of the session is believed."""

    def is_of_the_site(self, step):
        return step in OF_THE_SITE

    def before(self, stack):
        case = super().before(stack)
        case.other = stack.hold("bob", lsid=case.held.lsid)
        return case

    def prepare(self, case, step):
        if step == "token":
            case.stack.site.drop_tokens()
        if step == "AccessSession":  # it is asked where the site does not say that it has ended the session
            case.stack.site.end_session(case.held.lsid, events=False)

    def ask(self, case, patience):
        return case.stack.gateway.call("POST", f"/v1/leases/{case.held.lease['id']}/release", {"terminate": True},
                                       **headers(patience))

    def words(self, answer):
        released = answer.json.get("released")
        if answer.status != 200:
            return f"{answer.status} {answer.code}" + f" released {released}" * (released is not None)
        return f"200 {answer.json['outcome']}" + " pending" * answer.json.get("pending", False)

    def left(self, case, answer):
        case.stack.given_back(case.held)
        if answer.status != 200:
            assert case.stack.is_open(case.other)
            return "other lease"
        case.stack.given_back(case.other)
        return "nothing"

    def again(self, case):
        answer = self.ask(case, 15000)
        assert (answer.status, answer.code) == (404, "not_found"), answer.body

    def over(self, case):
        """What has failed here is no longer the last that is known of the site; a new secret ends each pause."""
        stack = case.stack
        stack.site.change_secret(f"secret {next(SECRETS)}")
        stack.write_secret(stack.site.client_secret)
        answered = stack.count("calls_total", call="check_health", outcome="ok")
        stack.reload()
        eventually(lambda: stack.count("calls_total", call="check_health", outcome="ok") > answered)


# ---- what needs no vault ----

class SessionStart(Operation):
    path, status = "/v1/sessions/start", 501

    def before(self, stack):
        return Case(stack, stack.session("ann", self.box(stack)))

    def ask(self, case, patience):
        return case.stack.gateway.call("POST", self.path, {"session": case.asked}, **headers(patience))

    def again(self, case):
        assert self.ask(case, 15000).status == self.status


class SessionStarted(SessionStart):
    path, status = "/v1/sessions/started", 204


OPERATIONS = {
    "find": Find(), "endpoints": Endpoints(), "checkout": Checkout(), "direct": Direct(), "release": Release(),
    "complete": Complete(), "checkout of a key": KeyCheckout(), "checkout that waits": WaitingCheckout(),
    "checkout once approved": ApprovedCheckout(), "find, policy asked": PolicyFind(), "checkout, policy asked": PolicyCheckout(),
    "endpoints, directory": DirectoryEndpoints(), "find by OAuth": OAuthFind(), "checkout at a reload": CheckoutAtReload(),
    "release at a reload": ReleaseAtReload(), "checkout at shutdown": CheckoutAtShutdown(),
    "release at shutdown": ReleaseAtShutdown(), "event": Event(), "terminate": Terminate(), "sessions/start": SessionStart(),
    "sessions/started": SessionStarted(),
}
