# SPDX-License-Identifier: Apache-2.0
"""jumpgate-reports as a process with a page and the user ann, on SQLite or on a PostgreSQL of the tests.

    with Program(folder, authority, server, {"main": site}, {"database": server.database("BGSessions")}) as program:
        ann = program.browser().sign_in("ann")
"""

from postgres_server import PASSWORDS
from reports_program import Reports, reports, secret
from reports_server import OBSERVE_TOKEN, PASSWORD, Browser, scrypt_text, token_hash

USERS = (f"[user ann]\npassword = {scrypt_text(PASSWORD)}\nallow = view export recordings admin\n"
         f"[reader prometheus]\ntoken_sha256 = {token_hash(OBSERVE_TOKEN)}\nallow = observe\n")


class Program(Reports):
    """A configuration with a database of its own on the server, a page, and the user ann."""

    def __init__(self, folder, authority, server=None, sites=(), database=None, page=True, **keys):
        folder.mkdir(exist_ok=True)
        self.authority, self.server, self.keys = authority, server, dict(database or {})
        super().__init__(folder, authority if page else None, sites, **keys)
        self.plain = self.text.replace("url = http", "rate = 20/s\nhourly = 15000\nurl = http") + USERS
        self.configure()

    def configure(self, **keys):
        """With these keys of [database] beside those that are there; None takes one out."""
        self.keys.update(keys)
        values = {}
        if self.server:
            values = {"type": "postgresql", "server": "127.0.0.1", "port": self.server.port, "user": "writer",
                      "password_file": secret(self.folder / "password", PASSWORDS["writer"]),
                      "ca_file": self.authority.certificate, "read_user": "reader",
                      "read_password_file": secret(self.folder / "read-password", PASSWORDS["reader"]), **self.keys}
        lines = "".join(f"{key} = {value}\n" for key, value in values.items() if value is not None)
        self.write(self.plain + (f"[database]\n{lines}" if values else ""))

    @property
    def addresses(self):
        return {"web": self.address}

    def command(self, *words):
        return reports(*words, "-c", self.conf)

    def browser(self):
        return Browser(self)
