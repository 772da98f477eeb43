# SPDX-License-Identifier: Apache-2.0
"""A simulated Privileged Identity and a gateway in front of it.

    with PiStack() as stack:
        ann = stack.session("ann", hostname="web01")
        answer = stack.checkout(ann, "adm1")
        assert answer.json["password"] == stack.vault.credential(ADM1)["password"]

ann and bob of CORP may use every credential of the map on every endpoint but `only-ann`. `settled()` requires that nothing
of the gateway's is checked out, and that the simulator has counted nothing against it.
"""

from base_stack import BaseStack
from harness import Gateway, eventually
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


class PiStack(BaseStack):
    """Simulator and gateway together. `keys` go to [vault main], `more` are further sections."""

    def __init__(self, *arguments, knobs=None, tls=None, client_ca=None, more=None, **keys):
        super().__init__(PiVault(*arguments, knobs=knobs, tls=tls, client_ca=client_ca))
        self.keys, self.more = keys, more or {}

    def make_gateway(self):
        gateway = Gateway()
        gateway.sections.update(sections(self.vault, gateway.secret, **self.keys))
        for name, keys in self.more.items():
            gateway.sections.setdefault(name, {}).update(keys)
        return gateway

    # ---- asking ----

    def session(self, user="ann", domain="CORP", **jump_item):
        return self.open_session(user, domain, **(jump_item or {"hostname": "web01"}))

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

    def settled(self, seconds=30, violations=None):
        """Every session ends; then nothing of the gateway's is out, and it has no lease."""
        self.complete()
        eventually(lambda: self.ours() == [], seconds)
        self.no_lease(seconds)
        assert self.vault.violations() == (violations or {})
