# SPDX-License-Identifier: Apache-2.0
"""More calls than the vault can serve: those admitted are answered in time, the others are refused, nothing is left."""

import threading

import pytest

from harness import eventually
from stack import Stack, problem

SLOW = {"vault main": {"connections": "2"}, "gateway": {"request_timeout": "10s"}}
USERS = ("ann", "bob")
REFUSALS = 'jumpgate_vault_refusals_total{vault="main",reason="%s"}'


class Burst:
    """Check-outs side by side, each of an account and in a session of its own."""

    def __init__(self, stack, n):
        self.stack, self.answers, self.threads = stack, [None] * n, []
        self.sessions, self.credentials = [], []
        for i in range(n):
            box = stack.account("root", password=f"secret of {i}")
            self.sessions.append(stack.session(USERS[i % len(USERS)], box))
            self.credentials.append(stack.credential(self.sessions[i]))

    def ask(self, i):
        self.answers[i] = self.stack.checkout(self.sessions[i], self.credentials[i])

    def start(self, some):
        for i in some:
            self.threads.append(threading.Thread(target=self.ask, args=(i,)))
            self.threads[-1].start()

    def end(self):
        for thread in self.threads:
            thread.join()

    def check(self):
        """Served with the right secret, or refused with a time to come back; never late."""
        served = 0
        for i, answer in enumerate(self.answers):
            if answer.status == 200:
                served += 1
                assert answer.json["password"] == f"secret of {i}"
            else:
                problem(answer, 503, "overloaded")
                assert 1 <= int(answer.headers["Retry-After"]) <= 60
        return served


def refusals(stack, reason):
    return stack.metric(REFUSALS % reason)


def test_more_than_the_vault_can_do():
    with Stack(SLOW) as stack:
        burst = Burst(stack, 60)
        stack.vault.latency(200)
        burst.start(range(50))
        # The estimate of the wait is learned from calls that waited, so some must have been served.
        eventually(lambda: sum(answer is not None and answer.status == 200 for answer in burst.answers) >= 5, 10)
        burst.start(range(50, 60))
        burst.end()
        served = burst.check()
        assert 5 <= served < 60
        status = stack.gateway.call("GET", "/status").json["dependencies"][0]
        assert status["refused"] == 60 - served
        assert refusals(stack, "deadline") >= 1
        stack.vault.latency(0)
        again = stack.session("ann")
        answer = stack.checkout(again, burst.credentials[0])  # what was learned of the bad time refuses no later check-out
        assert answer.status == 200
        stack.sweep()


def test_the_operator_wants_short_lines():
    with Stack({"vault main": {"connections": "1", "max_wait": "1ms"}, "gateway": {"request_timeout": "20s"}}) as stack:
        burst = Burst(stack, 20)
        stack.vault.latency(100)
        burst.start(range(10))
        eventually(lambda: any(burst.answers), 10)
        burst.start(range(10, 20))
        burst.end()
        assert burst.check() >= 1
        assert refusals(stack, "max_wait") >= 1 and refusals(stack, "in_vain") == 0
        stack.sweep()


@pytest.mark.parametrize("calls", ["8"])
def test_one_script_and_one_person(calls):
    """The script has the room of the vault; a person still finds a place, and is served before the script's last."""
    with Stack({"vault main": {"connections": "1", "max_calls": calls}, "gateway": {"request_timeout": "20s"}}) as stack:
        script = [stack.session("bob", stack.account("root", password="x")) for _ in range(16)]
        credentials = [stack.credential(s) for s in script]
        person = stack.session("ann", stack.account("root", password="hers"))
        hers = stack.credential(person)
        stack.vault.latency(200)
        answers = []
        threads = [threading.Thread(target=lambda s=s, c=c: answers.append(stack.checkout(s, c)))
                   for s, c in zip(script, credentials)]
        for thread in threads:
            thread.start()
        eventually(lambda: refusals(stack, "share") >= 1, 10)
        answer = stack.checkout(person, hers)
        assert answer.status == 200 and answer.json["password"] == "hers"
        for thread in threads:
            thread.join()
        assert any(a.status == 200 for a in answers)
        for refused in (a for a in answers if a.status != 200):
            problem(refused, 503, "overloaded")
        stack.sweep()
