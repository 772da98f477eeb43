# SPDX-License-Identifier: Apache-2.0
"""Every operation, every call that it needs, every fault, once and as long as it lasts: faults.txt.

Each row is done as it says: the answer, how often that call came, and what is left when the fault is over. Then the
operation is done once more, and nothing may be left. The rows mostly wait, so they are done first, side by side on a few
gateways; each test then looks at its own. JG_FAULTS=write writes down what comes out; read `git diff` then.
"""

import collections
import itertools
import os
import threading

import pytest

import api_document
from fault_operations import CALLS, OPERATIONS, STACKS, shut_down
from fault_table import HARMLESS, PATH, SITE_HARMLESS, Row, every, rows
from harness import eventually
from stack import took

GATEWAYS = {"plain": 4, "full": 3, "oauth": 1, "shutdown": 1}  # of each kind, at once
PATIENCE, SHORT, LONG = 3000, 1000, 6000  # ms that a caller waits; for what never comes; where the vault asks to wait
FAILURES = 'jumpgate_vault_failures_total{vault="main"}'
UNKNOWN = "?"
WRITE = os.environ.get("JG_FAULTS") == "write"


def patience_for(row):
    return {"hang": SHORT, "throttle": LONG}.get(row.fault, PATIENCE)


def rule_of(row, operation):
    rule = {"count": 1} if row.often == "once" else {}
    if operation.held:
        rule["latency_ms"] = operation.held
    if row.fault == "unavailable" and operation.is_of_the_site(row.step):
        rule["headers"] = {"Retry-After": "1"}  # else the site is left alone for half a minute
    return rule


def seen(source, **of):
    """How often the call of a fault came."""
    return sum(rule["seen"] for rule in source.faults() if of.items() <= rule.items())


def come_out(stack, row):
    """What comes of a row: answer, calls, afterwards."""
    operation = OPERATIONS[row.operation]
    case = operation.before(stack)
    operation.prepare(case, row.step)
    source, call = operation.source(stack, row.step)
    failures = stack.metric(FAILURES)
    source.fault(row.fault, **call, **rule_of(row, operation))
    patience = patience_for(row)
    seconds, answer = took(lambda: operation.ask(case, patience))
    assert seconds < patience / 1000 + 1
    assert b'"pw"' not in answer.body or answer.status == 200
    count = seen(source)
    source.clear_faults()
    result = operation.words(answer), count, operation.left(case, answer)
    if row.fault in HARMLESS + SITE_HARMLESS:
        assert stack.metric(FAILURES) == failures
    elif answer.status in (502, 503) and source is stack.vault:
        eventually(lambda: stack.metric(FAILURES) > failures)
    operation.again(case)
    operation.over(case)
    stack.sweep()
    return result


def come_out_at_shutdown(stack, group):
    """The same for rows that are done together."""
    operations = [OPERATIONS[row.operation] for row in group]
    cases = [operation.before(stack) for operation in operations]
    for row, operation, case in zip(group, operations, cases):
        stack.vault.fault(row.fault, **CALLS[row.step], user=case.user, **rule_of(row, operation))
    asking = [lambda one=one: one[1].ask(one[2], patience_for(one[0])) for one in zip(group, operations, cases)]
    answers = shut_down(stack.gateway, asking, lambda: all(rule["seen"] for rule in stack.vault.faults()))
    counts = [seen(stack.vault, user=case.user) for case in cases]
    stack.vault.clear_faults()
    found = {}
    for row, operation, case, answer, count in zip(group, operations, cases, answers, counts):
        found[row] = operation.words(answer), count, operation.left(case, answer)
        operation.again(case)
    stack.sweep()
    return found


class Done:
    """The rows as they came out: of each what came of it, or the exception."""

    def __init__(self, chosen):
        self.found = {}
        self.broken = []
        self.waiting = collections.defaultdict(collections.deque)
        for row in chosen:
            self.waiting[OPERATIONS[row.operation].stack].append(row)
        threads = [threading.Thread(target=self._work, args=(kind,)) for kind, n in GATEWAYS.items() for _ in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, kind):
        """One gateway after the other: what fails may leave one that is no good for the next row."""
        while self.waiting[kind]:
            rows_now = []
            try:
                with STACKS[kind]() as stack:
                    while rows_now := self._next(kind):
                        self.found.update(self._come_out(stack, rows_now))
            except BaseException as error:  # pylint: disable=broad-exception-caught
                self.found.update((row, error) for row in rows_now)
                self.broken += [] if rows_now else [error]

    def _next(self, kind):
        waiting = self.waiting[kind]
        try:
            return [waiting.popleft() for _ in range(len(waiting) if kind == "shutdown" else 1)]
        except IndexError:  # another gateway has it
            return []

    @staticmethod
    def _come_out(stack, group):
        if OPERATIONS[group[0].operation].stack == "shutdown":
            return come_out_at_shutdown(stack, group)
        return {row: come_out(stack, row) for row in group}


@pytest.fixture(scope="module", name="done")
def _done(request):
    mine = [item.callspec.params["row"] for item in request.session.items if item.module is request.module]
    api_document.offences.clear()
    done = Done(mine)
    assert not api_document.offences, "\n".join(api_document.offences)
    for error in done.broken:
        raise error
    yield done
    if WRITE:
        write(done.found)


def within(count, calls):
    """Whether a number of calls is `2`, `1-3` or `3+`."""
    if calls.endswith("+"):
        return count >= int(calls[:-1])
    low, _, high = calls.partition("-")
    return int(low) <= count <= int(high or low)


def cases():
    """The rows; to write them down, also those that the table lacks."""
    known = {row[:4]: row for row in rows()}
    return [known.get(case, Row(*case, *[UNKNOWN] * 3)) for case in every()] if WRITE else list(known.values())


@pytest.mark.parametrize("row", cases(), ids=lambda row: "-".join(row[:4]).replace(" ", "_"))
def test_fault(done, row):
    found = done.found[row]
    if isinstance(found, BaseException):
        raise found
    answer, count, afterwards = found
    if not WRITE:
        assert (answer, afterwards) == (row.answer, row.afterwards)
        assert within(count, row.calls), count


def widened(calls, count):
    """The number of calls, with this count in it."""
    ends = [int(end) for end in calls.split("-")] + [count]
    return f"{min(ends)}-{max(ends)}"


def write(found):
    """A row whose calls have been seen before gets a range; what depends on time needs a wider one, by hand."""
    with open(PATH, encoding="utf-8") as file:
        head = list(itertools.takewhile(lambda line: line.startswith("#"), file))
    lines = []
    for row in cases():
        if isinstance(found.get(row), tuple):
            answer, count, afterwards = found[row]
            calls = str(count) if row.calls == UNKNOWN else row.calls if within(count, row.calls) else widened(row.calls, count)
            row = Row(*row[:4], answer, calls, afterwards)
        lines.append("{:23}  {:17}  {:13}  {:6}  {:34}  {:5}  {}\n".format(*row))
    with open(PATH, "w", encoding="utf-8") as file:
        file.writelines(head + lines)
