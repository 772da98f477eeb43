"""The simulated PRA site's outbound events: order, retries, and what the recipient gets."""

import http.server
import ssl
import threading
import urllib.parse

import pytest

from certificates import Authority
from simulator_process import until
from pra_site import PraSite


class Receiver:
    """An HTTP server that keeps the forms it gets, and answers with the statuses of `answers`, then with 200."""

    def __init__(self, tls=None):
        self.forms, self.requests, self.answers = [], [], []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802 pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                receiver.requests.append((self.path, self.headers, body))
                status = receiver.answers.pop(0) if receiver.answers else 200
                if status == 200:
                    receiver.forms.append(dict(urllib.parse.parse_qsl(body, keep_blank_values=True)))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(name="site")
def _site():
    with PraSite() as site:
        yield site


@pytest.fixture(name="receiver")
def _receiver():
    with Receiver() as receiver:
        yield receiver


def lsids(receiver):
    return [f["lsid"] for f in receiver.forms]


def test_begin_and_end(site, receiver):
    site.recipient("gateway", receiver.url + "/v1/events/pra?token=t%20k")
    lsid = site.start_session(external_key="T&1")
    site.end_session(lsid)
    until(lambda: len(receiver.forms) == 2)
    begin, end = receiver.forms
    assert (begin["event"], end["event"]) == ("support_conference_begin", "support_conference_end")
    assert begin["lsid"] == end["lsid"] == lsid and end["external_key"] == "T&1"
    assert set(end) == {"event", "version", "timestamp", "appliance_id", "lsid", "external_key"}
    assert abs(int(end["timestamp"]) - site.now()) < 30
    path, headers, _ = receiver.requests[0]
    assert path == "/v1/events/pra?token=t%20k" and headers["Connection"] == "close"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("knob, names", [
    ("access_session_start", ["access_session_start", "access_session_end"]),
    ("access_session_begin", ["access_session_begin", "access_session_end"]),
])
def test_event_names(site, receiver, knob, names):
    site.knob("event_names", knob)
    site.recipient("gateway", receiver.url)
    site.end_session(site.start_session())
    until(lambda: len(receiver.forms) == 2)
    assert [f["event"] for f in receiver.forms] == names


def test_a_refused_event_holds_up_those_behind_it(site, receiver):
    receiver.answers = [503, 202]
    site.recipient("gateway", receiver.url, events=["end"], retry_interval_ms=60_000)
    first, second = site.start_sessions(2)
    site.end_session(first)
    site.end_session(second)
    until(lambda: site.recipients()["gateway"]["failed"] == 1)
    state = site.recipients()["gateway"]
    assert (state["queued"], state["last_status"], state["last_error"]) == (2, 503, "status 503")
    site.clock(advance_ms=60_000)
    until(lambda: site.recipients()["gateway"]["failed"] == 2)  # 202 is no 200
    assert receiver.forms == []
    site.clock(advance_ms=60_000)
    until(lambda: len(receiver.forms) == 2)
    assert lsids(receiver) == [first, second] and len(receiver.requests) == 4
    until(lambda: site.state()["events_queued"] == 0)


def test_old_events_are_dropped(site, receiver):
    receiver.answers = [500]
    site.recipient("gateway", receiver.url, events=["end"], retry_interval_ms=60_000, retry_duration_ms=50_000)
    first = site.start_session()
    site.end_session(first)
    until(lambda: site.recipients()["gateway"]["failed"] == 1)
    site.clock(advance_ms=60_000)
    assert site.recipients()["gateway"]["dropped"] == 1
    second = site.start_session()
    site.end_session(second)
    until(lambda: lsids(receiver) == [second])


def test_each_recipient_has_a_queue_of_its_own(site, receiver):
    with Receiver() as other:
        other.answers = [500]
        site.recipient("one", receiver.url, events=["end"])
        site.recipient("two", other.url, events=["begin", "end"])
        lsid = site.start_session()
        site.end_session(lsid)
        until(lambda: lsids(receiver) == [lsid])
        assert other.forms == []
        site.recipient("two", retry_interval_ms=1)  # a change tries again at once
        until(lambda: [f["event"][-5:] for f in other.forms] == ["begin", "e_end"])


def test_disabled_recipients_and_copies(site, receiver):
    site.recipient("gateway", receiver.url, events=["end"], enabled=False)
    site.end_session(site.start_session())
    site.recipient("gateway", enabled=True, copies=3)
    lsid = site.start_session()
    site.end_session(lsid)
    until(lambda: lsids(receiver) == [lsid] * 3)
    site.end_session(site.start_session(), events=False)
    site.forget_recipients()
    site.end_session(site.start_session())
    assert site.recipients() == {} and len(receiver.requests) == 3


def test_abnormal_ends_and_terminate(site, receiver):
    site.recipient("gateway", receiver.url, events=["end"])
    broken, terminated = site.start_sessions(2)
    site.end_session(broken, abnormal=True)
    site.token()
    site.command("terminate_session", lsid=terminated)
    until(lambda: lsids(receiver) == [broken, terminated])
    site.knob("abnormal_event", "none")
    site.end_session(site.start_session(), abnormal=True)
    last = site.start_session()
    site.end_session(last)
    until(lambda: lsids(receiver) == [broken, terminated, last])


def test_events_by_hand(site, receiver):
    site.recipient("gateway", receiver.url)
    site.event(kind="end", lsid="A" * 32)
    site.event(event="support_conference_owner_changed", lsid="x")
    site.event(raw="event=%zz&lsid=")
    site.event(raw="{}", content_type="application/json")
    until(lambda: len(receiver.requests) == 4)
    assert receiver.forms[0]["event"] == "support_conference_end" and receiver.forms[0]["lsid"] == "A" * 32
    assert receiver.forms[1]["event"] == "support_conference_owner_changed"
    assert receiver.requests[2][2] == "event=%zz&lsid="
    assert receiver.requests[3][1]["Content-Type"] == "application/json" and receiver.requests[3][2] == "{}"


@pytest.mark.parametrize("knob", ["close", "keep"])
def test_many_events_in_order(site, receiver, knob):
    site.knob("event_connection", knob)
    site.recipient("gateway", receiver.url, events=["end"])
    ended = site.start_sessions(500)
    assert site.end_sessions() == 500
    until(lambda: len(receiver.forms) == 500, 60)
    assert lsids(receiver) == ended
    assert receiver.requests[0][1]["Connection"] == ("close" if knob == "close" else None)


def test_https_with_a_private_authority(site, tmp_path):
    ca = Authority(tmp_path)
    with Receiver(ca.server()) as receiver:
        site.recipient("gateway", receiver.url, events=["end"], retry_interval_ms=60_000)
        lsid = site.start_session()
        site.end_session(lsid)
        until(lambda: site.recipients()["gateway"]["failed"] == 1)  # the system does not know that authority
        assert site.recipients()["gateway"]["last_status"] == 0 and receiver.requests == []
        site.recipient("gateway", ca_file=ca.certificate)
        until(lambda: lsids(receiver) == [lsid])


def test_unreachable_and_impossible_recipients(site, receiver):
    site.recipient("nowhere", "http://127.0.0.1:1/", retry_interval_ms=60_000)
    site.recipient("nonsense", "no address", retry_interval_ms=60_000)
    site.recipient("gateway", receiver.url)
    lsid = site.start_session()
    until(lambda: lsids(receiver) == [lsid])
    until(lambda: all(site.recipients()[n]["failed"] == 1 for n in ("nowhere", "nonsense")))
    assert site.recipients()["nonsense"]["last_error"] and site.recipients()["nowhere"]["queued"] == 1
    site.recipient("nowhere", receiver.url)
    until(lambda: len(receiver.forms) == 2)


def test_the_end_of_the_program_with_events_in_flight(receiver):
    receiver.answers = [500] * 3
    with PraSite() as site:
        site.recipient("gateway", receiver.url)
        site.recipient("nowhere", "http://192.0.2.1:9/")
        site.start_sessions(50)
