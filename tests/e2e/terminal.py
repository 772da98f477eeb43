# SPDX-License-Identifier: Apache-2.0
"""A terminal for commands under test: a pty, and a screen that understands what is written to it.

    with Terminal(["jumpgate", "top"], rows=24, cols=80) as terminal:
        terminal.wait_for("ready")
        terminal.type("q")
        assert terminal.wait() == 0
"""

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import threading

import pyte

from harness import eventually


class Screen(pyte.Screen):
    """With the two sequences that pyte lacks: a scroll of the region between the margins (SU, SD)."""

    def _scroll(self, line, step, count):
        kept = self.cursor.x, self.cursor.y
        self.cursor.y = line
        for _ in range(count or 1):
            step()
        self.cursor.x, self.cursor.y = kept

    def scroll_up(self, count=1):
        self._scroll(self.margins.bottom if self.margins else self.lines - 1, self.index, count)

    def scroll_down(self, count=1):
        self._scroll(self.margins.top if self.margins else 0, self.reverse_index, count)


class Stream(pyte.ByteStream):
    csi = {**pyte.ByteStream.csi, "S": "scroll_up", "T": "scroll_down"}
    events = pyte.ByteStream.events | {"scroll_up", "scroll_down"}


class Terminal:
    """`environment` is added to the test's own."""

    def __init__(self, command, rows=24, cols=80, **environment):
        self.screen = Screen(cols, rows)
        self.stream = Stream(self.screen)
        self.lock = threading.Lock()
        self.written = b""  # all bytes of the command
        self.ours, theirs = os.openpty()
        self._set_size(rows, cols)
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE,
            env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
                 "ASAN_OPTIONS": "detect_leaks=1:exitcode=99", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
                 **environment},
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.ended = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _set_size(self, rows, cols):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def _read(self):
        while not self.ended:
            if not select.select([self.ours], [], [], 0.1)[0]:
                continue
            try:
                part = os.read(self.ours, 65536)
            except OSError:
                return
            with self.lock:
                self.written += part
                self.stream.feed(part)

    @property
    def lines(self):
        with self.lock:
            return [line.rstrip() for line in self.screen.display]

    @property
    def text(self):
        return "\n".join(self.lines)

    def line_with(self, words):
        """The first line that has the words; None = there is none."""
        return next((line for line in self.lines if words in line), None)

    def wait_for(self, *words, seconds=15):
        """Waits until the screen shows all of the words."""
        try:
            eventually(lambda: all(word in self.text for word in words), seconds)
        except AssertionError:
            raise AssertionError(f"no {words} on the screen:\n{self.text}") from None

    def wait_without(self, *words, seconds=15):
        eventually(lambda: not any(word in self.text for word in words), seconds)

    def type(self, keys):
        os.write(self.ours, keys.encode())

    def resize(self, rows, cols):
        with self.lock:
            self.screen.resize(rows, cols)
        self._set_size(rows, cols)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=20):
        """The exit code; below 0 for a signal."""
        code = self.process.wait(seconds)
        self.ended = True
        self.reader.join(5)
        return code

    def is_restored(self):
        """The terminal has its settings of before, the screen before, and a cursor."""
        now = termios.tcgetattr(self.theirs)
        left, shown = self.written.rfind(b"\x1b[?1049l"), self.written.rfind(b"\x1b[?1049h")
        return now == self.before and left > shown and self.written.rfind(b"\x1b[?25l") < left

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.ended = True
        self.reader.join(5)
        self.process.stderr.close()
        os.close(self.ours)
        os.close(self.theirs)
