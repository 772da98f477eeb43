"""The simulated PRA site's Syslog report: lines and their segments, and archives that are wrong."""

import collections
import gzip
import io
import re
import zipfile
import zlib

import pytest

from pra_month import DAY, UNTIL_S, Month


@pytest.fixture(name="site")
def _site():
    with Month() as site:
        site.at(0)
        yield site


def archive(site):
    answer = site.ask_report("Syslog")
    assert answer.header("Content-Type") == "application/zip", answer
    return zipfile.ZipFile(io.BytesIO(answer.body))


def log_lines(site):
    found = []
    with archive(site) as z:
        assert z.testzip() is None
        for name in z.namelist():
            data = z.read(name)
            found += (gzip.decompress(data) if name.endswith(".gz") else data).decode("latin-1").split("\n")[:-1]
    return found


LINE = re.compile(r"([A-Z][a-z]{2} [ \d]\d [\d:]{8}) (pra-[ab]) BG(?:\[(\d+)\])?: (\d{4}):(\d\d):(\d\d):(.*)")


def messages(lines):
    """The payloads, joined by host and process. A cut may be inside a letter, so lines are bytes until then."""
    waiting, found = {}, []
    for line in lines:
        match = LINE.fullmatch(line)
        if not match:
            continue
        _, host, pid, _, nth, total, part = match.groups()
        parts = waiting.setdefault((host, pid), [])
        assert int(nth) == len(parts) + 1, line
        parts.append(part)
        if int(nth) == int(total):
            payload = "".join(waiting.pop((host, pid))).encode("latin-1").decode()
            pairs = re.findall(r"((?:[^\\=;]|\\.)+)=((?:[^\\=;]|\\.)*)(?:;|$)", payload)
            assert sum(len(k) + len(v) + 2 for k, v in pairs) == len(payload) + 1, payload
            found.append({k: re.sub(r"\\(.)", r"\1", v) for k, v in pairs})
    assert not waiting
    return found


def test_syslog_archive(site):
    answer = site.ask_report("Syslog")
    assert b"permission" in answer.body and "xml" in answer.header("Content-Type")
    site.permit(perm_reporting_syslog="1")
    with archive(site) as z:
        assert len(z.namelist()) == 14 and sum(n.endswith(".gz") for n in z.namelist()) == 13
    lines = log_lines(site)
    found = messages(lines)
    assert 1000 < len(found) < 3000
    assert any(not LINE.fullmatch(line) for line in lines)
    events = collections.Counter(m["event"] for m in found)
    assert {"login", "logout", "token", "setting_changed", "api_account_changed", "account_added"} <= set(events)
    assert all(UNTIL_S - 14 * DAY <= int(m["when"]) <= UNTIL_S for m in found)
    changed = next(m for m in found if m["event"] == "setting_changed")
    assert changed["old_value"] == "C:\\old=1;x" and changed["new_value"].endswith("\\\\server\\share")
    secret = next(m for m in found if m["event"] == "user_changed")
    assert (secret["old_password"], secret["new_password"], secret["new_photo"][:3]) == ("***", "***NEW***", "@@@")
    assert all(len(m) > 50 for m in found if m["event"] == "api_account_changed")
    matches = [m for m in map(LINE.fullmatch, lines) if m]
    assert {m[2] for m in matches} == {"pra-a", "pra-b"} and len({m[3] for m in matches}) > 20
    # the parts of a long message have lines of other processes between them
    assert any(a[6] != "01" and a[5] == "01" and a[3] != b[3] for a, b in zip(matches, matches[1:]))
    assert {m["status"] for m in found if m["event"] == "login"} == {"success", "failure"}
    site.at(DAY)
    assert len(messages(log_lines(site))) > 24 * 19


def test_syslog_forms(site):
    site.permit(perm_reporting_syslog="1")
    whole = [m for m in messages(log_lines(site))]
    site.settings(syslog_segment=40)
    lines = log_lines(site)
    key = lambda m: sorted(m.items())
    assert sorted(messages(lines), key=key) == sorted(whole, key=key)
    assert any(re.search(r":\d\d:\d\d:[^=]*$", line) for line in lines)  # split inside a key or a value
    site.knob("syslog_pid", "off")
    assert all("BG: " in line for line in log_lines(site) if " BG" in line)
    assert sorted(messages(log_lines(site)), key=key) == sorted(whole, key=key)
    site.knob("syslog_when", "off")
    assert all("when" not in m for m in messages(log_lines(site)))
    site.at(5 * DAY)
    assert any(line.startswith("Apr  1 ") for line in log_lines(site))
    site.knob("syslog_day", "zero")
    assert any(line.startswith("Apr 01 ") for line in log_lines(site))
    site.knob("syslog_type", "application/octet-stream")
    assert site.ask_report("Syslog").header("Content-Type") == "application/octet-stream"


def test_wrong_archives(site):
    site.permit(perm_reporting_syslog="1")

    def faulty(action, **rule):
        site.fault(action, count=1, call="Syslog", **rule)
        return site.ask_report("Syslog").body

    bomb = faulty("zip_bomb", size=50_000_000)
    with zipfile.ZipFile(io.BytesIO(bomb)) as z:
        assert z.getinfo("messages.1").file_size == 50_000_000 and len(bomb) < 1_000_000
        assert z.read("messages.1").count(0) == 50_000_000
    with zipfile.ZipFile(io.BytesIO(faulty("zip_gzip_bomb", size=50_000_000))) as z:
        assert len(gzip.decompress(z.read("messages.1.gz"))) == 50_000_000
    with zipfile.ZipFile(io.BytesIO(faulty("zip_members", size=1200))) as z:
        assert len(z.namelist()) == 1214
    with zipfile.ZipFile(io.BytesIO(faulty("zip_names"))) as z:
        assert {"../../etc/cron.d/evil", "/etc/passwd", "logs/", ""} <= set(z.namelist())
        assert z.namelist().count("twice") == 2
    with zipfile.ZipFile(io.BytesIO(faulty("zip_crc"))) as z:
        assert z.testzip() is not None
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(faulty("zip_directory")[:-22]))
    with zipfile.ZipFile(io.BytesIO(faulty("zip_encrypted"))) as z, pytest.raises(RuntimeError):
        z.read(z.namelist()[0])
    with zipfile.ZipFile(io.BytesIO(faulty("zip_sizes"))) as z:
        assert z.infolist()[0].file_size == 0xfffffff0
    with zipfile.ZipFile(io.BytesIO(faulty("zip_gzip"))) as z, pytest.raises((EOFError, zlib.error)):
        gzip.decompress(next(z.read(n) for n in z.namelist() if n.endswith(".gz")))
    with zipfile.ZipFile(io.BytesIO(faulty("zip_empty"))) as z:
        assert not z.namelist()
    assert faulty("html").startswith(b"<!DOCTYPE html>") and len(faulty("cut")) < 200_000
    assert log_lines(site)
