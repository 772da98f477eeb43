# SPDX-License-Identifier: Apache-2.0
"""What is asked of a running `jumpgate-reports` over TLS: tiles, grids, pages of sessions, exports, feed, signing in.

CPU time is that of the whole process, in nanoseconds, from before a request is sent until its answer has been read. The first answer
to each question does not count.
"""

import base64
import hashlib
import http.client
import json
import pathlib
import ssl
import statistics
import subprocess
import threading
import time
import urllib.parse

from stage import BIN, private

PASSWORD, TOKEN = "correct horse battery", "feed-token-of-the-benchmark"
HOSTS = ("pra-one.example.com", "pra-two.example.com")
RANGES = ("24h", "30d", "90d", "12m")
FILTERS = ("", f"&site={HOSTS[0]}&group=group-3")
SORTS = ("-start_time", "start_time", "-end_time", "-duration", "user", "endpoint", "jump_group")
ATTEMPTS = "&f.type=eq:Credential%20Injection%20Attempt"
DEFAULT_TILES = ("sessions_over_time", "running_now", "injections", "by_site", "by_jump_group", "top_users", "top_endpoints",
                 "durations", "event_types", "outside_hours", "abnormal", "collector")
DEEP, FEED_PAGES = 10, 20


def scrypt_text(password, ln=14, r=8):
    salt = b"salt of 16 bytes"
    digest = hashlib.scrypt(password.encode(), salt=salt, n=1 << ln, r=r, p=1, dklen=32, maxmem=1 << 26)
    texts = [base64.b64encode(part).rstrip(b"=").decode() for part in (salt, digest)]
    return f"$scrypt$ln={ln},r={r},p=1${texts[0]}${texts[1]}"


class Reports:
    """`jumpgate-reports run` with the page on loopback; certificates are in the folder. `sites`: sections of sites."""

    def __init__(self, folder, database, sites, vendor_indexes="yes", **keys):
        self.folder = folder
        state = folder / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        (folder / "server.key").chmod(0o600)
        rows = "".join(f"{key} = {value}\n" for key, value in {"state_dir": state, "keep": "3650d", **keys}.items())
        text = (f"[reports]\n{rows}[database]\npath = {database}\nvendor_indexes = {vendor_indexes}\n{sites}"
                f"[web]\naddress = 127.0.0.1:0\ntls_certificate = {folder}/server.pem\ntls_key = {folder}/server.key\n"
                f"[user bench]\npassword = {scrypt_text(PASSWORD)}\nallow = view export admin\n"
                f"[reader siem]\ntoken_sha256 = {hashlib.sha256(TOKEN.encode()).hexdigest()}\nallow = feed observe\n")
        self.conf = private(folder / "reports.conf", text)

    def __enter__(self):
        self.log = open(self.folder / "reports.log", "wb")
        self.process = subprocess.Popen([BIN / "jumpgate-reports", "run", "-c", self.conf], stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline()
        text = (self.folder / "reports.log").read_text()
        assert line == b"ready\n", text
        found = [word for word in text.split() if word.startswith("address=")]
        self.address = found[0].split("=", 1)[1]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        self.process.stdout.close()
        self.log.close()

    def cpu_ms(self):
        return time.clock_gettime(~self.process.pid << 3 | 2) * 1e3  # clock_getcpuclockid(3)

    def thread_seconds(self):
        """CPU time of each thread that there is."""
        folder = pathlib.Path(f"/proc/{self.process.pid}/task")
        return {task.name: int((task / "schedstat").read_text().split()[0]) / 1e9 for task in folder.iterdir()}

    def memory_kb(self, name="VmHWM"):
        lines = open(f"/proc/{self.process.pid}/status").readlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))

    def client(self):
        return Client(self)


class Client:
    """One kept connection, signed in."""

    def __init__(self, reports):
        self.reports = reports
        context = ssl.create_default_context(cafile=reports.folder / "ca.pem")
        host, _, port = reports.address.rpartition(":")
        self.connection = http.client.HTTPSConnection(host, int(port), timeout=900, context=context)
        self.headers = {}

    def sign_in(self):
        body = json.dumps({"user": "bench", "password": PASSWORD})
        answer = self.begin("POST", "/api/sign-in", body, {"Content-Type": "application/json"})
        assert answer.status == 204, answer.read()
        answer.read()
        self.headers = {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}
        return self

    def reader(self):
        self.headers = {"Authorization": f"Bearer {TOKEN}"}
        return self

    def begin(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body, {**self.headers, **(headers or {})})
        return self.connection.getresponse()

    def get(self, path):
        answer = self.begin("GET", path)
        body = answer.read()
        assert answer.status == 200, f"{path}: {answer.status} {body[:300]}"
        return answer, body

    def json(self, path):
        return json.loads(self.get(path)[1])


class Row:
    """One question: milliseconds by the clock and of CPU, each of as many answers; bytes of the last one."""

    def __init__(self, kind, name, query):
        self.kind, self.name, self.query = kind, name, query
        self.wall, self.cpu, self.bytes, self.total = [], [], 0, None

    def percentile(self, part):
        return sorted(self.wall)[min(len(self.wall) - 1, int(len(self.wall) * part))]

    @property
    def cpu_median(self):
        return statistics.median(self.cpu)


def ask(client, kind, name, path, times, title=None):
    row = Row(kind, name, title if title is not None else urllib.parse.unquote(path.partition("?")[2]))
    for i in range(-1, times):
        wall, cpu = time.monotonic(), client.reports.cpu_ms()
        _, body = client.get(path)
        if i < 0:
            continue
        row.wall.append((time.monotonic() - wall) * 1e3)
        row.cpu.append(client.reports.cpu_ms() - cpu)
    row.bytes = len(body)
    if kind == "grid":
        row.total = json.loads(body)["total"]
    return row


# ---- the questions ----

def tiles(client, times):
    for tile in client.json("/api/tiles")["tiles"]:
        for query in FILTERS:
            for word in RANGES:
                yield ask(client, "tile", tile["id"], f"/api/tiles/{tile['id']}?range={word}{query}", times)


def deep(client, path):
    """The address of the page after DEEP pages of 200, or None."""
    cursor = ""
    for _ in range(DEEP):
        following = client.json(f"{path}&limit=200{cursor}")["next"]
        if not following:
            return None
        cursor = f"&after={following}"
    return f"{path}&limit=200{cursor}"


def grids(client, times):
    questions = [("sessions", sort, query) for query in FILTERS for sort in SORTS]
    questions += [("events", sort, query) for query in (*FILTERS, ATTEMPTS) for sort in ("-timestamp", "timestamp")]
    questions += [(name, "", "") for name in ("vault_activity", "accounts", "jump_items", "jumpoints", "syslog", "credential_use", "team")]
    for name, sort, query in questions:
        path = f"/api/records/{name}?range=12m" + (f"&sort={sort}" if sort else "") + query
        yield ask(client, "grid", name, path, times)
        beyond = deep(client, path)
        if beyond:
            title = urllib.parse.unquote(beyond.partition("?")[2].partition("&after=")[0])
            yield ask(client, "grid", name, beyond, times, f"{title} (page {DEEP + 1})")


def session_pages(client, times):
    rows = client.json("/api/records/sessions?range=12m&columns=site,lsid&limit=25")["rows"]
    lsid = rows[len(rows) // 2]
    path = f"/api/sessions/{lsid['site']}/{lsid['lsid']}"
    yield ask(client, "session", "summary", path, times)
    yield ask(client, "session", "timeline", f"{path}/events", times)


def exports(client):
    """dataset, format, query, rows, ms, ms to the first byte, ms of CPU, bytes."""
    for dataset, form, query in (("sessions", "csv", "range=12m"), ("sessions", "ndjson", "range=12m"),
                                 ("sessions", "csv", f"range=12m{FILTERS[1]}&sort=endpoint"), ("events", "csv", "range=24h"),
                                 ("events", "csv", "range=7d")):
        wall, cpu = time.monotonic(), client.reports.cpu_ms()
        answer = client.begin("GET", f"/api/export/{dataset}.{form}?{query}")
        assert answer.status == 200, answer.read()
        piece, first, size, lines = answer.read1(65536), (time.monotonic() - wall) * 1e3, 0, 0
        while piece:
            size, lines, piece = size + len(piece), lines + piece.count(b"\n"), answer.read1(65536)
        answer.read()
        yield (dataset, form, urllib.parse.unquote(query), lines - (form == "csv"), (time.monotonic() - wall) * 1e3, first,
               client.reports.cpu_ms() - cpu, size)


def feed(client):
    """dataset, records, ms, ms of CPU, bytes, of FEED_PAGES pages of 1,000 from the oldest."""
    for dataset in ("sessions", "events"):
        wall, cpu, records, size, cursor = time.monotonic(), client.reports.cpu_ms(), 0, 0, ""
        for _ in range(FEED_PAGES):
            answer, body = client.get(f"/feed/{dataset}?limit=1000{cursor}")
            records, size, cursor = records + body.count(b"\n"), size + len(body), f"&cursor={answer.headers['X-Jumpgate-Next']}"
            if answer.headers["X-Jumpgate-More"] != "1":
                break
        yield dataset, records, (time.monotonic() - wall) * 1e3, client.reports.cpu_ms() - cpu, size


def dashboard(reports, cookie, times):
    """Milliseconds until all tiles of the default layout are there, asked at once on connections of their own."""
    row = Row("dashboard", "all tiles of the default layout", "range=30d")
    clients = [reports.client() for _ in DEFAULT_TILES]
    for client in clients:
        client.headers = cookie
    for i in range(-1, times):
        threads = [threading.Thread(target=client.get, args=(f"/api/tiles/{tile}?range=30d",))
                   for client, tile in zip(clients, DEFAULT_TILES)]
        wall, cpu = time.monotonic(), reports.cpu_ms()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if i >= 0:
            row.wall.append((time.monotonic() - wall) * 1e3)
            row.cpu.append(reports.cpu_ms() - cpu)
    return row


def sign_ins(reports, times):
    row = Row("sign-in", "signing in", "scrypt ln=14")
    for _ in range(times):
        client = reports.client()
        wall, cpu = time.monotonic(), reports.cpu_ms()
        client.sign_in()
        row.wall.append((time.monotonic() - wall) * 1e3)
        row.cpu.append(reports.cpu_ms() - cpu)
        client.connection.close()
    return row


def measure(folder, database, times):
    """Everything above on a database that is not collected into; and the largest memory after each part, in kB."""
    sites = "".join(f"[pra {host.split('.')[0]}]\nurl = https://{host}\nclient_id = bench\nclient_secret_file = "
                    f"{private(folder / 'pra.secret', 'secret')}\n" for host in HOSTS)
    result, memory = {}, []
    with Reports(folder, database, sites, collect="no", query_timeout="60s", export_timeout="1h") as reports:
        memory.append(("started", reports.memory_kb()))
        result["answers"] = [sign_ins(reports, min(times, 8))]
        client = reports.client().sign_in()
        memory.append(("signed in", reports.memory_kb()))
        for name, questions in (("tiles", tiles), ("grids", grids), ("session pages", session_pages)):
            result["answers"] += list(questions(client, times))
            memory.append((name, reports.memory_kb()))
        result["answers"].append(dashboard(reports, client.headers, times))
        memory.append(("a dashboard's tiles at once", reports.memory_kb()))
        result["exports"] = list(exports(client))
        memory.append(("exports", reports.memory_kb()))
        result["feed"] = list(feed(reports.client().reader()))
        memory.append(("feed", reports.memory_kb()))
    result["memory"] = memory
    return result
