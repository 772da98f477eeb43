# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of a test's own, with TLS, on a free port and on a Unix socket, in a temporary folder.

    with Postgres(authority) as server:
        server.database("BGSessions", owner="writer", reader="reader")
        server.rows("BGSessions", "SELECT 1")       # as the superuser, by psql and the Unix socket
        server.kill(); server.start()               # as a power failure, and back

PostgreSQL does not run as root: then its processes belong to the package's user. The log has every statement with its
login.
"""

import contextlib
import csv
import io
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from harness import eventually

PASSWORDS = {"writer": "wr}i;t'er s\\%41", "reader": "the reader's"}
CONFIGURATION = """listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
ssl = on
fsync = off
full_page_writes = off
autovacuum = off
max_connections = 40
shared_buffers = 16MB
wal_level = minimal
max_wal_senders = 0
log_statement = all
log_line_prefix = '<%u@%d> '
lc_messages = 'C'
"""
ACCESS = "local all admin trust\nlocal all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n"


def programs():
    """The folder with the newest version's programs; skips the test where there is none."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        assert not os.environ.get("CI"), "scripts/install-dependencies installs PostgreSQL"
        pytest.skip("PostgreSQL is not installed (scripts/install-dependencies)")
    return found[-1].parent


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def children(process):
    return [int(n) for n in pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def signal_all(processes, number):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


class Postgres:
    """The server's processes and files."""

    def __init__(self, authority):
        self.authority, self.bin = authority, programs()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="jumpgate-postgres-"))
        self.folder.chmod(0o755)
        self.data, self.log = self.folder / "data", self.folder / "log"
        self.port, self.process = free_port(), None
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self._own(self.folder)

    def _own(self, path):
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def _put(self, name, text):
        path = self.data / name
        path.write_text(text)
        path.chmod(0o600)
        self._own(path)

    def _command(self, *words, **more):
        if self.user:
            more.update(user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[])
        return subprocess.Popen([self.bin / words[0], *map(str, words[1:])], stdin=subprocess.DEVNULL, cwd=self.folder, **more)

    def make(self):
        made = self._command("initdb", "-D", self.data, "-U", "admin", "-A", "trust", "-E", "UTF8", "--locale=C", "-N",
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said, _ = made.communicate(timeout=120)
        assert made.returncode == 0, said
        self._put("postgresql.conf", CONFIGURATION.format(port=self.port, folder=self.folder))
        self._put("pg_hba.conf", ACCESS)
        pair = self.authority.server("postgres")
        self._put("server.crt", pathlib.Path(pair.certificate).read_text())
        self._put("server.key", pathlib.Path(pair.key).read_text())
        self.start()
        for name, password in PASSWORDS.items():
            self.rows("postgres", f"CREATE ROLE {name} LOGIN PASSWORD {literal(password)}")

    # ---- life ----

    def start(self):
        with open(self.log, "ab") as log:
            self.process = self._command("postgres", "-D", self.data, stdout=log, stderr=subprocess.STDOUT)
        eventually(lambda: self.process.poll() is not None or self._psql("postgres", "SELECT 1").returncode == 0, 60, 0.05)
        assert self.process.poll() is None, self.log.read_text()

    def kill(self):
        """At once, without a word to those connected."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)

    @contextlib.contextmanager
    def frozen(self):
        """In the block it accepts connections and answers nothing, as a machine whose disk hangs."""
        processes = [self.process.pid, *children(self.process.pid)]
        signal_all(processes, signal.SIGSTOP)
        try:
            yield
        finally:
            signal_all(processes, signal.SIGCONT)

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder)

    # ---- asking ----

    def _psql_command(self, database, *words):
        return [self.bin / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port), "-U", "admin",
                *words, database]

    def _psql(self, database, sql):
        return subprocess.run(self._psql_command(database, "--csv", "-t", "-c", sql), capture_output=True, text=True,
                              timeout=60, check=False)

    def rows(self, database, sql):
        """Texts, as the superuser."""
        done = self._psql(database, sql)
        assert done.returncode == 0, done.stderr
        return [tuple(row) for row in csv.reader(io.StringIO(done.stdout))]

    def value(self, database, sql):
        return self.rows(database, sql)[0][0]

    @contextlib.contextmanager
    def transaction(self, database, sql):
        """The superuser has run this, and commits at the end of the block."""
        with subprocess.Popen(self._psql_command(database, "-A", "-t"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as psql:
            psql.stdin.write(f"BEGIN;\n{sql};\n\\echo done\n")
            psql.stdin.flush()
            while psql.stdout.readline() not in ("done\n", ""):
                pass
            yield
            psql.stdin.write("COMMIT;\n")
            psql.stdin.close()
            psql.wait(30)

    def database(self, name):
        """One that `writer` owns, and `reader` may read all of."""
        self.rows("postgres", f'CREATE DATABASE "{name}" OWNER writer TEMPLATE template0')
        self.rows(name, "ALTER DEFAULT PRIVILEGES FOR ROLE writer GRANT SELECT ON TABLES TO reader")
        return name

    def statements(self, database, login):
        """What the login has said in this database, from the log."""
        mark = f"<{login}@{database}> LOG:  "
        return [line[len(mark):] for line in self.log.read_text(errors="replace").splitlines() if line.startswith(mark)]
