# SPDX-License-Identifier: Apache-2.0
"""`jumpgate top`: the live screen in a terminal, and the plain one for scripts."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from harness import BIN, SANITIZER, eventually
from terminal import Terminal

UP, DOWN, HOME, END, ESCAPE = "\x1bOA", "\x1bOB", "\x1bOH", "\x1bOF", "\x1b"
SMALL, LARGE = (24, 80), (50, 132)


def command(stack, *words):
    return [BIN / "jumpgate", "top", "-c", stack.gateway.path / "jumpgate.conf", *words]


def top(stack, size=SMALL, interval="0.3", **environment):
    return Terminal(command(stack, "--interval", interval), *size, **environment)


def once(stack, *words, expect=0, **environment):
    """The plain screen, and what is on stderr."""
    done = subprocess.run([str(word) for word in command(stack, "--interval", "0.3", *words)], capture_output=True,
                          text=True, timeout=60, stdin=subprocess.DEVNULL, check=False,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "", **environment})
    assert not SANITIZER.search(done.stderr), done.stderr
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
    return done.stdout, done.stderr


def hold(stack, user="ann", **members):
    """A check-out of an account of its own; (box, lease)."""
    box = stack.account(**members)
    answer = stack.checkout(stack.session(user, box))
    assert answer.status == 200, answer.body
    return box, answer.json["lease"]


def leave(terminal):
    terminal.type("q")
    code = terminal.wait()
    assert code == 0, (code, terminal.process.stderr.read())
    assert terminal.is_restored()


@contextlib.contextmanager
def traffic(stack):
    """Finds, one after the other."""
    ann, stop = stack.session("ann", stack.account()), threading.Event()

    def run():
        while not stop.is_set():
            stack.gateway.find(ann)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


# ---- once ----

def test_once_prints_one_screen(stack):
    box, _ = hold(stack, name="zoë-日本")
    stack.gateway.find(stack.session("outsider", box))
    with traffic(stack):
        out, err = once(stack, "--once")
    assert err == "" and "\x1b" not in out
    assert re.match(r"jumpgate \d+\.\d+\.\d+  ready  up \d+:\d\d", out)
    rates = re.search(r"^find +([\d.]+) +[\d.]+ +([\d.]+m?s) ", out, re.M)
    assert rates and float(rates[1]) > 0, out
    assert re.search(r"(?:^| )main +reachable +[\d.]+ ", out, re.M), out
    assert re.search(rf"^ {box.name} +zoë-日本 +CORP\\ann +open +\d", out, re.M), out
    assert re.search(rf"^\d\d:\d\d:\d\d +\d+ find +vault_refused_user +CORP\\outsider +{box.name} ", out, re.M), out


def test_without_a_terminal_it_prints_once(stack):
    out, _ = once(stack, COLUMNS="80")
    assert "OPERATIONS" in out and max(map(len, out.splitlines())) <= 80


def test_once_without_utf8_asks_for_none(stack):
    box, _ = hold(stack, name="zoë")
    out, _ = once(stack, LC_ALL="C")
    assert re.search(rf"{box.name} +zo\? ", out) and out.isascii()


def test_once_needs_a_gateway(stack):
    stack.gateway.stop()
    try:
        out, err = once(stack, "--once", expect=1)
        assert out == "" and "no gateway answers at" in err and "control.sock" in err
    finally:
        stack.gateway.restart()


@pytest.mark.parametrize("interval", ["0", "0.1", "nan", "-1", "3601", "1s", ""])
def test_an_interval_has_bounds(stack, interval):
    done = subprocess.run([str(w) for w in command(stack, "--once", "--interval", interval)], capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 2 and "--interval" in done.stderr


# ---- live ----

def test_a_small_and_a_large_terminal(stack):
    box, _ = hold(stack)
    with top(stack) as terminal:
        terminal.wait_for("ready", "OPERATIONS", "VAULTS", "LEASES 1-1 of 1, by time left", "ERRORS", box.name, "q quit")
        assert not terminal.line_with("session")
        terminal.resize(*LARGE)
        terminal.wait_for("session", "S-", "detail")
        wide = terminal.line_with("OPERATIONS")
        assert "VAULTS" in wide  # beside each other
        terminal.resize(20, 60)
        terminal.wait_for("needs 80x24, and has 60x20")
        terminal.resize(*SMALL)
        terminal.wait_for("LEASES 1-1 of 1", "q quit")
        leave(terminal)


def test_a_lease_is_released(stack):
    kept, gone = hold(stack, "ann"), hold(stack, "bob")
    with top(stack) as terminal:
        terminal.wait_for(kept[0].name, gone[0].name)
        terminal.type("/CORP\\bob\r")
        terminal.wait_without(kept[0].name)
        terminal.type("r")
        terminal.wait_for(f"release root on {gone[0].name}, held by CORP\\bob? y/N")
        terminal.type("n")
        terminal.wait_for("not released")
        assert len(stack.live()) == 2
        terminal.type("r")
        terminal.wait_for("? y/N")
        terminal.type("y")
        terminal.wait_for("released", "LEASES none, by time left, filter: CORP\\bob")
        eventually(lambda: stack.vault.active() == [kept[1]["request_id"]])
        terminal.type(ESCAPE)
        terminal.wait_for(kept[0].name)
        terminal.wait_without(gone[0].name, "filter:")
        leave(terminal)


def test_the_list_is_sorted_and_scrolled(stack):
    boxes = [hold(stack, name=f"a{number:02}")[0] for number in range(15)]
    with top(stack) as terminal:
        terminal.wait_for("of 15, by time left")
        terminal.type("sss" + HOME)  # the line marked stays marked: whichever ends first
        terminal.wait_for("of 15, by account", " a00 ")
        terminal.wait_without(" a14 ")
        terminal.type(END)
        terminal.wait_for(" a14 ")
        assert terminal.line_with(f">{boxes[14].name} ")
        terminal.type(UP)
        terminal.wait_for(f">{boxes[13].name} ")
        leave(terminal)


def test_names_keep_the_columns(stack):
    names = ["plain", "日本語", "e\u0301", "evil\u202egnp", "a\x1b[31mred"]
    for name in names:
        hold(stack, name=name)
    with top(stack) as terminal:
        terminal.wait_for("of 5", "日", "evil\\u202egnp", "a\\u001b[31mred")
        rows = [line for line in terminal.lines if " CORP\\ann " in line]
        assert len(rows) == 5
        with terminal.lock:
            columns = {tuple(terminal.screen.buffer[y][x].data for x in range(39, 47))
                       for y, line in enumerate(terminal.screen.display) if "CORP\\ann " in line}
        assert len(columns) == 1 and "".join(columns.pop()).strip() == "CORP\\ann"
        leave(terminal)


def test_pause_and_interval(stack):
    with top(stack) as terminal:
        terminal.wait_for("every 0.3s", "ready")
        terminal.type("p")
        terminal.wait_for("paused")
        box, _ = hold(stack)
        terminal.type("+")
        terminal.wait_for("every 0.5s")
        time.sleep(1.5)  # several intervals
        assert box.name not in terminal.text
        terminal.type(" ")
        terminal.wait_for(box.name)
        assert "paused" not in terminal.text
        terminal.type("?")
        terminal.wait_for("this help")
        terminal.type("x")
        terminal.wait_without("this help")
        leave(terminal)


def test_the_gateway_goes_away_and_comes_back(stack):
    box, _ = hold(stack)
    with top(stack) as terminal:
        terminal.wait_for("ready", box.name)
        stack.gateway.kill()
        terminal.wait_for("no answer", "since", "no gateway answers at")
        assert box.name in terminal.text  # what was known stays
        stack.gateway.restart()
        terminal.wait_for("ready", box.name)
        terminal.wait_without("no answer")
        leave(terminal)


def test_it_waits_for_a_gateway(stack):
    stack.gateway.stop()
    try:
        with top(stack) as terminal:
            terminal.wait_for("no answer", "no gateway answers at")
            stack.gateway.restart()
            terminal.wait_for("ready", "OPERATIONS")
            leave(terminal)
    finally:
        if stack.gateway.stopped:
            stack.gateway.restart()


def test_a_gateway_that_hangs_does_not_stop_the_keys(stack):
    with top(stack) as terminal:
        terminal.wait_for("ready")
        stack.gateway.signal(signal.SIGSTOP)
        try:
            terminal.wait_for("no answer within")
            terminal.type("?")
            terminal.wait_for("this help")
            terminal.type("q")
            assert terminal.wait() == 0 and terminal.is_restored()
        finally:
            stack.gateway.signal(signal.SIGCONT)


# ---- the terminal ----

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_restores_the_terminal(stack, number):
    with top(stack) as terminal:
        terminal.wait_for("ready")
        terminal.signal(number)
        assert terminal.wait() == -number
        assert terminal.is_restored()


def test_ctrl_c_restores_the_terminal(stack):
    with top(stack) as terminal:
        terminal.wait_for("ready")
        terminal.type("\x03")
        assert terminal.wait() == -signal.SIGINT
        assert terminal.is_restored()


def test_colours_are_a_choice(stack):
    colour = re.compile(rb"\x1b\[(?:\d+;)*3[1-7](?:;\d+)*m")
    with top(stack) as terminal:
        terminal.wait_for("ready")
        leave(terminal)
        assert colour.search(terminal.written)
    with top(stack, NO_COLOR="1") as terminal:
        terminal.wait_for("ready")
        leave(terminal)
        assert not colour.search(terminal.written)


def test_only_what_changes_is_written(stack):
    hold(stack)
    with top(stack, LARGE) as terminal:
        terminal.wait_for("ready", "LEASES 1-1 of 1")
        clock = terminal.lines[0][-12:]
        eventually(lambda: terminal.lines[0][-12:] != clock, 15)
        before, clock = len(terminal.written), terminal.lines[0][-12:]
        eventually(lambda: terminal.lines[0][-12:] != clock, 15)
        written = terminal.written[before:]
        assert b"\x1b[2J" not in written and b"\x1b[H\x1b[J" not in written
        assert len(written) < 132 * 50 / 2, written
        leave(terminal)


@pytest.mark.parametrize("kind", ["no-such-terminal", "dumb"])
def test_a_terminal_that_can_show_no_screen_is_named(stack, kind):
    with top(stack, TERM=kind) as terminal:
        assert terminal.wait() == 1
        assert b"--once" in terminal.process.stderr.read()
