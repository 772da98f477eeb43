# SPDX-License-Identifier: Apache-2.0
"""`jumpgate audit verify` on trails that are made here, line by line: whichever way the files are given, what is
missing is named, and what could not be read is never called sound."""

import gzip
import hashlib
import json
import os
import resource
import subprocess
import threading

import pytest

from harness import BIN


class Trail:
    """A trail in two files, `audit.jsonl.1` and `audit.jsonl`, with its head."""

    def __init__(self, folder):
        self.folder, self.seq, self.last = folder, 0, "0" * 64
        self.old = self.lines("audit_begin", *["release"] * 9)
        self.first = self.seq + 1
        self.new = self.lines("audit_continue", *["release"] * 4)
        self.older, self.newer = folder / "audit.jsonl.1", folder / "audit.jsonl"
        self.older.write_bytes(self.old)
        self.newer.write_bytes(self.new)
        self.head = folder / "audit.head"
        self.head.write_text(f"{self.seq:020d} {self.last} {self.first:020d}\n")

    def lines(self, *events):
        made = []
        for event in events:
            self.seq += 1
            more = {"cause": "rotated"} if event == "audit_continue" else {}
            rest = json.dumps({"seq": self.seq, "time": "2026-11-21T20:31:35.123Z", "prev": self.last,
                               "event": event, **more}, separators=(",", ":"))
            rest = '",' + rest[1:] + "\n"
            line = ('{"check":"' + hashlib.sha256(rest.encode()).hexdigest()[:16] + rest).encode()
            self.last = hashlib.sha256(line).hexdigest()
            made.append(line)
        return b"".join(made)


@pytest.fixture
def trail(tmp_path):
    return Trail(tmp_path)


def verify(*words, stdin=b"", **options):
    done = subprocess.run([BIN / "jumpgate", "audit", "verify", *map(str, words)], input=stdin, capture_output=True,
                          timeout=60, **options)
    return done.returncode, (done.stdout + done.stderr).decode()


def test_order_and_repetition_do_not_matter(trail):
    for words in ([trail.older, trail.newer], [trail.newer, trail.older], [trail.newer, trail.older, trail.newer],
                  [trail.folder / ".." / trail.folder.name / "audit.jsonl", trail.newer, trail.older]):
        code, said = verify(*words)
        assert (code, said.splitlines()[-1].split(",")[0]) == (0, "sound: 15 lines in 2 files"), said


def test_a_newer_file_that_is_missing_or_empty_is_a_defect(trail):
    missing = "seq 11 to 15 missing at the end"
    code, said = verify(trail.older)
    assert code == 1 and missing in said, said
    code, said = verify("--part", trail.older)
    assert code == 0 and "no head" in said
    trail.newer.write_bytes(b"")
    code, said = verify(trail.older, trail.newer)
    assert code == 1 and missing in said and "is empty" in said
    trail.newer.unlink()
    assert verify(trail.older, trail.newer)[0] == 2
    code, said = verify("-", "--head", trail.head, stdin=trail.old)
    assert code == 1 and missing in said


def test_nothing_is_not_sound(trail, tmp_path):
    trail.head.unlink()
    empty = tmp_path / "empty"
    for data in (b"", b"\n", b"x", b"{}\n", b"\0" * 5000, gzip.compress(b"")):
        empty.write_bytes(data)
        for words, stdin in (([empty], b""), (["-"], data)):
            code, said = verify(*words, stdin=stdin)
            assert code == 1 and "NOT SOUND" in said and "there is no sound line" in said, (data, said)
    assert verify(tmp_path)[0] == 2 and "directory" in verify(tmp_path)[1]
    assert verify("/dev/null")[0] == 1


def test_standard_input_and_pipes(trail):
    code, said = verify("-", trail.newer, stdin=trail.old)
    assert code == 0 and "15 lines in 2 files" in said and "note" not in said, said
    code, said = verify(trail.newer, "-", "-", stdin=trail.old)
    assert code == 0 and "15 lines in 2 files" in said
    fifo = trail.folder / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(gzip.compress(trail.old),))
    writer.start()
    code, said = verify(trail.newer, fifo)
    writer.join()
    assert code == 0 and "15 lines in 2 files" in said
    changed = trail.old.replace(b"release", b"Release", 1)
    code, said = verify("-", trail.newer, stdin=changed)
    assert code == 1 and "-:2: seq 2: the line was changed" in said


def test_a_long_pipe_is_read_to_its_end(trail):
    trail.seq, trail.last = 0, "0" * 64
    text = trail.lines("audit_begin", *["release"] * 20000)
    code, said = verify("-", stdin=text)
    assert code == 0 and "20001 lines" in said, said
    code, said = verify("-", stdin=gzip.compress(text))
    assert code == 0 and "20001 lines" in said
    code, said = verify("-", stdin=text[:-1])
    assert code == 1 and "cut off" in said
    # more than is kept of a pipe before its first sound line
    code, said = verify("-", stdin=b"x" * 79 + b"\n" + b"y" * 3000000 + b"\n" + text)
    assert code == 1 and "20001 lines" in said, said


def test_gzip(trail):
    for name, data in (("audit.jsonl.2.gz", gzip.compress(trail.old)),
                       ("no-name-for-it", gzip.compress(trail.old)),
                       ("two-members.gz", gzip.compress(trail.old[:500]) + gzip.compress(trail.old[500:]))):
        packed = trail.folder / name
        packed.write_bytes(data)
        code, said = verify(trail.newer, packed)
        assert code == 0 and "15 lines in 2 files" in said, (name, said)


def test_damaged_gzip_is_a_defect(trail):
    packed, data = trail.folder / "audit.jsonl.1.gz", gzip.compress(trail.old)
    for cut in range(2, len(data), 40):
        packed.write_bytes(data[:cut])
        code, said = verify(packed, trail.newer)
        assert code == 1 and "the gzip data are cut off" in said, (cut, said)
    for place in (12, len(data) // 2, len(data) - 6):
        packed.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1:])
        code, said = verify(packed, trail.newer)
        assert code == 1 and "the gzip data are" in said, (place, said)
    packed.write_bytes(data + b"more")
    code, said = verify(packed, trail.newer)
    assert code == 1 and "bytes behind the compressed data are not gzip" in said


def test_a_bomb_takes_no_memory(trail):
    bomb = gzip.compress(b"\0" * 100_000_000)  # 100 kB
    limit = 50_000_000

    def with_little_memory():
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    sanitized = "asan" in str(BIN)
    code, said = verify("-", stdin=bomb, **({} if sanitized else {"preexec_fn": with_little_memory}))
    assert code == 1 and "NOT SOUND" in said, said


def test_other_compressions_are_named(trail):
    packed = trail.folder / "audit.jsonl.3.xz"
    packed.write_bytes(b"\xfd7zXZ\0" + bytes(50))
    code, said = verify(packed)
    assert code == 2 and "is compressed with xz" in said


def test_json(trail):
    code, said = verify("--json", trail.newer, trail.older)
    assert code == 0
    assert json.loads(said) == {
        "remarks": [], "sound": True, "head": "found", "files": 2, "lines": 15, "first_seq": 1, "last_seq": 15,
        "first_time": "2026-11-21T20:31:35.123Z", "last_time": "2026-11-21T20:31:35.123Z", "defects": 0, "notes": 0}
    trail.newer.write_bytes(trail.new.replace(b"release", b"Release", 1))
    code, said = verify("--json", trail.newer, trail.older)
    answer = json.loads(said)
    assert code == 1 and not answer["sound"] and answer["defects"] == 1
    assert answer["remarks"] == [{"kind": "defect", "file": str(trail.newer), "line": 2, "seq": 12,
                                  "text": "the line was changed"}]
    trail.head.write_bytes(b"nonsense")
    trail.newer.write_bytes(trail.new)
    done = subprocess.run([BIN / "jumpgate", "audit", "verify", "--json", trail.newer, trail.older],
                          capture_output=True, timeout=60)
    assert done.returncode == 1 and json.loads(done.stdout)["head"] == "damaged"
    assert json.loads(done.stdout)["sound"] is False
    done = subprocess.run([BIN / "jumpgate", "audit", "verify", trail.newer, trail.older], capture_output=True, timeout=60)
    assert done.returncode == 1 and b"NOT SOUND: 15 lines" in done.stdout and b"the head is damaged" in done.stdout


def test_wrong_command_lines(trail):
    for words in ([], ["--head"], ["--part", "--head", trail.head, trail.newer], ["--nonsense", trail.newer]):
        assert verify(*words)[0] == 2, words
