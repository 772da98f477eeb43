# SPDX-License-Identifier: Apache-2.0
"""A simulated Privileged Identity and a gateway in front of it.

    with PiStack() as stack:
        ann = stack.session("ann", hostname="web01")
        answer = stack.checkout(ann, "adm1")
        assert answer.json["password"] == stack.vault.credential(ADM1)["password"]

ann and bob of CORP may use every credential of the map on every endpoint but `only-ann`. `settled()` requires that nothing
of the gateway's is checked out, and that the simulator has counted nothing against it.
"""

import itertools

from harness import Gateway, eventually, session
from pi_vault import IDENTITY, PASSWORD, PiVault

USERS = "CORP\\ann CORP\\bob"
MAP = {
    "access adm1": {"shared_list": "Domain admins", "shared_system": "corp.test", "shared_account": "adm1"},
    "access adm2": {"shared_list": "Domain admins", "shared_system": "corp.test", "shared_account": "adm2"},
    "access web01": {"stored_system": "web01", "stored_account": "Administrator"},
}


def sections(vault, folder_secret, **keys):
    """Sections of a gateway for this vault; `folder_secret(name, text)` writes a secret."""
    made = {"vault main": {"type": "privileged_identity", "url": vault.url, "provisional": "guessed",
                           "insecure_http": "yes" if vault.url.startswith("http:") else None,
                           "login_name": IDENTITY, "login_password_file": folder_secret("erpm", PASSWORD),
                           "call_timeout": "5s", "settle": "5s", **keys}}
    for name, names in MAP.items():
        made[name] = {**names, "users": USERS, "hosts": "*"}
    made["access only-ann"] = {**MAP["access web01"], "stored_account": "nobody", "users": "CORP\\ann", "hosts": "web01"}
    return made


class PiStack:
    """Simulator and gateway together. `keys` go to [vault main], `more` are further sections."""

    def __init__(self, *arguments, knobs=None, more=None, **keys):
        self.vault = PiVault(*arguments, knobs=knobs)
        self.keys, self.more = keys, more or {}
        self.gateway = None
        self.numbers = itertools.count(1)
        self.opened = []

    def __enter__(self):
        self.vault.start()
        try:
            self.gateway = Gateway()
            self.gateway.sections.update(sections(self.vault, self.gateway.secret, **self.keys))
            for name, keys in self.more.items():
                self.gateway.sections.setdefault(name, {}).update(keys)
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

    # ---- asking ----

    def session(self, user="ann", domain="CORP", **jump_item):
        made = session(user, domain, f"S-{next(self.numbers)}", **(jump_item or {"hostname": "web01"}))
        self.opened.append(made)
        return made

    def found(self, asked):
        """{account: row} of a find."""
        answer = self.gateway.find(asked)
        assert answer.status == 200, answer.body
        return {row["account"]: row for row in answer.json["credentials"]}

    def checkout(self, asked, account, members=None, **more):
        return self.gateway.checkout(asked, self.found(asked)[account]["credential_id"], members, **more)

    def status(self):
        """The vault's object in /status."""
        rows = self.gateway.call("GET", "/status").json["dependencies"]
        return next(row for row in rows if row["name"] == "main")

    # ---- what must hold ----

    def ours(self):
        return [credential for credential, who in self.vault.live() if who == IDENTITY]

    def complete(self):
        for opened in self.opened:
            answer = self.gateway.complete(opened)
            assert answer.status == 200, answer.body
        self.opened = []

    def settled(self, seconds=30, violations=None):
        """Every session ends; then nothing of the gateway's is out, and it has no lease."""
        self.complete()
        eventually(lambda: self.ours() == [], seconds)

        def leases():
            state = self.gateway.call("GET", "/status").json["leases"]
            return state["active"] == state["releasing"] == 0
        eventually(leases, seconds)
        assert self.vault.violations() == (violations or {})
