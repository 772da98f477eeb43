# SPDX-License-Identifier: Apache-2.0
"""System calls planted into a running process, as code of an attacker in it would make them.

    with planted(pid) as call:
        call("openat", AT_FDCWD, b"/etc/shadow", os.O_RDONLY, 0)     # -EACCES

The main thread is stopped in the call that it waits in, makes these instead, and then goes on waiting. Needs root and
x86-64; tests are skipped elsewhere. A call that the kernel ends the process for seems to return, and no other follows: the
process ends with the block.
"""

import contextlib
import ctypes
import os
import platform
import signal
import time

import pytest

NUMBERS = {"open": 2, "socket": 41, "fork": 57, "execve": 59, "kill": 62, "mmap": 9, "ptrace": 101, "setuid": 105,
           "openat": 257, "memfd_create": 319}
ATTACH, DETACH, SYSCALL, GET, SET = 16, 17, 24, 12, 13
SYSCALL_CODE = b"\x0f\x05"
NAMES = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs "
         "gs").split()

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
libc.ptrace.restype = ctypes.c_long


class Registers(ctypes.Structure):
    """struct user_regs_struct of x86-64."""

    _fields_ = [(name, ctypes.c_ulonglong) for name in NAMES]


def trace(request, pid, data=None):
    if libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def wait(pid):
    _, status = os.waitpid(pid, 0x40000000)  # __WALL
    assert os.WIFSTOPPED(status), status
    return os.WSTOPSIG(status)


def registers(pid):
    found = Registers()
    trace(GET, pid, ctypes.addressof(found))
    return found


class Thread:
    """A stopped thread that is in a system call."""

    def __init__(self, pid):
        self.pid, self.before = pid, registers(pid)
        self.memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)
        self.code = self.before.rip - 2
        self.waits = os.pread(self.memory, 2, self.code) == SYSCALL_CODE

    def call(self, name, *arguments):
        """What the call returns: -errno of a failed one. Bytes become a text on the thread's stack."""
        wanted = Registers.from_buffer_copy(self.before)
        at = self.before.rsp - 8192
        values = []
        for argument in arguments:
            if isinstance(argument, bytes):
                os.pwrite(self.memory, argument + b"\0", at)
                argument, at = at, at + len(argument) + 1
            values.append(argument & 0xffffffffffffffff)
        for register, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), values):
            setattr(wanted, register, value)
        wanted.rip, wanted.rax, wanted.orig_rax = self.code, NUMBERS[name], 0xffffffffffffffff
        trace(SET, self.pid, ctypes.addressof(wanted))
        for _ in range(2):  # into the call, and out of it
            trace(SYSCALL, self.pid)
            stopped = wait(self.pid)
            assert stopped == signal.SIGTRAP, stopped
        return ctypes.c_longlong(registers(self.pid).rax).value

    def restore(self):
        """It repeats the call that it was in; -ERESTARTSYS and the like never show."""
        self.before.rip, self.before.rax, self.before.orig_rax = self.code, self.before.orig_rax, 0xffffffffffffffff
        trace(SET, self.pid, ctypes.addressof(self.before))


def stopped_thread(pid):
    """One that computes when it is stopped is left alone until it waits in a system call."""
    for _ in range(200):
        try:
            trace(ATTACH, pid)
        except OSError as error:
            pytest.skip(f"this system does not let processes be traced: {error}")
        wait(pid)
        thread = Thread(pid)
        if thread.waits:
            return thread
        os.close(thread.memory)
        trace(DETACH, pid)
        time.sleep(0.05)
    raise AssertionError("the thread is never in a system call")


@contextlib.contextmanager
def planted(pid):
    """Gives a function that makes calls in the process."""
    if platform.machine() != "x86_64" or os.geteuid() != 0:
        pytest.skip("calls are planted by root, on x86-64")
    thread = stopped_thread(pid)
    try:
        yield thread.call
        with contextlib.suppress(ProcessLookupError):  # it has ended
            thread.restore()
            trace(DETACH, pid)
    finally:
        os.close(thread.memory)
