# SPDX-License-Identifier: Apache-2.0
"""What the stacks of all kinds of vault have in common: a simulated vault and a gateway in front of it.

A stack makes its simulator in __init__ and its gateway in make_gateway(). Both run within `with`; the gateway ends first.
"""

import itertools

from harness import eventually, session


class BaseStack:
    def __init__(self, vault, first_number=1):
        self.vault = vault
        self.gateway = None
        self.numbers = itertools.count(first_number)
        self.opened = []

    def make_gateway(self):
        """The gateway for the running vault, not started."""
        raise NotImplementedError

    def __enter__(self):
        self.vault.start()
        try:
            self.gateway = self.make_gateway()
            self.gateway.start()
        except BaseException:
            self.vault.stop(check=False)
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.gateway.__exit__(kind, value, trace)
        finally:
            self.vault.stop(check=kind is None)

    def open_session(self, user, domain, **jump_item):
        """A PRA session with an id of its own, which complete() ends."""
        made = session(user, domain, f"S-{next(self.numbers)}", **jump_item)
        self.opened.append(made)
        return made

    def complete(self):
        """Every session ends."""
        for opened in self.opened:
            answer = self.gateway.complete(opened)
            assert answer.status == 200, answer.body
        self.opened = []

    def no_lease(self, seconds):
        """The gateway has no lease any more, before long."""
        def leases():
            state = self.gateway.call("GET", "/status").json["leases"]
            return state["active"] == state["releasing"] == 0
        eventually(leases, seconds)
