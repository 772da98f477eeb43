# SPDX-License-Identifier: Apache-2.0
"""Every operation, every call of the vault that it needs, every fault, once and as long as it lasts: faults.txt.

Each row is done as it says: the answer, how often that call came, and what is left when the fault is over. Then the
operation is done once more, and nothing may be left. JG_FAULTS=write writes down what comes out; read `git diff` then.
"""

import itertools
import os

import pytest

from fault_table import HARMLESS, PATH, Row, rows
from harness import eventually
from stack import CHECKIN, CREDENTIAL, LIST, REQUEST, SIGN_IN, took

CALLS = {"sign-in": SIGN_IN, "list": LIST, "request": REQUEST, "credential": CREDENTIAL, "check-in": CHECKIN,
         "isa": "POST ISARequests"}
PATIENCE = 1000  # ms that a caller waits
LONG = 6000  # where the vault asks to wait: Retry-After is honoured
FAILURES = 'jumpgate_vault_failures_total{vault="main"}'
FOUND = []
USERS = itertools.count(1000)


def before(stack, operation):
    """The session, of a user that the gateway has never signed in where that can be, and the credential's id."""
    box = stack.account(password="pw", rule="direct" if operation == "direct" else "auto")
    if operation in ("release", "complete"):
        asked = stack.session("ann", box)
        credential = stack.credential(asked)
        assert stack.checkout(asked, credential).status == 200
        return asked, credential
    number = next(USERS)
    stack.vault.change("users", id=number, name=f"CORP\\u{number}", groups=["all"])
    credential = None if operation in ("find", "endpoints") else stack.credential(stack.session("ann", box))
    return stack.session(f"u{number}", box), credential


def do(stack, operation, asked, credential, patience=PATIENCE):
    more = {"headers": {"X-Request-Timeout-Ms": str(patience)}}
    if operation == "find":
        return stack.gateway.find(asked, **more)
    if operation == "endpoints":
        return stack.gateway.endpoints(asked, **more)
    if operation == "release":
        return stack.gateway.release(asked, credential, **more)
    if operation == "complete":
        return stack.gateway.complete(asked, **more)
    return stack.checkout(asked, credential, **more)


def words_of(answer):
    words = [str(answer.status), answer.code or ""]
    if answer.status == 200:
        words += ["pending"] * bool(answer.json.get("pending")) + ["partial"] * bool(answer.json.get("partial"))
    return " ".join(word for word in words if word)


def left(stack, operation, answer):
    """What is left once the fault is over and the gateway has put things right."""
    if operation == "checkout" and answer.status == 200:
        assert stack.vault.active() == [answer.json["lease"]["request_id"]] and "adopted" not in answer.json["lease"]
        return "lease"
    eventually(lambda: stack.live() == [], 30)
    return "nothing"


def within(count, calls):
    """Whether a number of calls is `2`, `1-3` or `3+`."""
    if calls.endswith("+"):
        return count >= int(calls[:-1])
    low, _, high = calls.partition("-")
    return int(low) <= count <= int(high or low)


def come_out(stack, row):
    asked, credential = before(stack, row.operation)
    stack.vault.reset_counts()
    failures = stack.metric(FAILURES)
    stack.vault.fault(row.fault, call=CALLS[row.step], **({"count": 1} if row.often == "once" else {}))
    patience = LONG if row.fault == "throttle" else PATIENCE
    seconds, answer = took(lambda: do(stack, row.operation, asked, credential, patience))
    assert seconds < patience / 1000 + 1
    assert b'"pw"' not in answer.body or answer.status == 200
    count = stack.vault.calls(CALLS[row.step])
    stack.vault.clear_faults()
    result = words_of(answer), count, left(stack, row.operation, answer)
    if row.fault in HARMLESS:
        assert stack.metric(FAILURES) == failures
    elif answer.status in (502, 503):
        eventually(lambda: stack.metric(FAILURES) > failures)
    again = eventually(lambda: [a for a in [do(stack, row.operation, asked, credential, 15000)] if a.status == 200])[0]
    if row.operation in ("checkout", "direct"):
        assert again.json["password"] == "pw"
    stack.sweep()
    return result


@pytest.mark.parametrize("row", rows(), ids=lambda row: "-".join(row[:4]))
def test_fault(stack, row):
    answer, count, afterwards = come_out(stack, row)
    if os.environ.get("JG_FAULTS") == "write":
        FOUND.append(Row(*row[:4], answer, str(count), afterwards))
        return
    assert (answer, afterwards) == (row.answer, row.afterwards)
    assert within(count, row.calls), count


@pytest.fixture(scope="module", autouse=True)
def _write():
    yield
    if FOUND:
        with open(PATH + ".new", "w", encoding="utf-8") as file:
            for row in FOUND:
                file.write("{:11}  {:11}  {:14}  {:7}  {:26}  {:7}  {}\n".format(*row))
