# SPDX-License-Identifier: Apache-2.0
"""Machines on one switch, made of network namespaces, whose cables are pulled.

    with Network(["g1", "e0"]) as network:
        network.address("g1")                 # 10.213.0.1
        subprocess.run([*network.starter("g1"), "ip", "address"])
        network.pull("g1"); network.plug("g1")
        network.deafen("g1", to=["e0"])       # what e0 sends to g1 is lost; what g1 sends comes through
        network.hear("g1", to=["e0"])

Each name has a namespace with one cable to the switch, a namespace of its own, which the process enters until the end:
sockets and programs that it makes meanwhile are there, at 10.213.0.254. Nothing of it is seen by the machine's own
network, and nothing is left behind: a namespace ends with the last process in it and the descriptor that is kept here.
A Unix socket is reached from every namespace: so a gateway without cable can be asked.

Skipped with one line where namespaces cannot be made (they need root, and iproute2).
"""

import ctypes
import os
import shutil
import subprocess
import threading

import pytest

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def current():
    """A descriptor of the calling thread's namespace."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def new_namespace():
    """A descriptor of a new namespace; None where it cannot be made."""
    made = []

    def make():
        if LIBC.unshare(CLONE_NEWNET) == 0:
            made.append(current())

    thread = threading.Thread(target=make)  # the thread that makes it is in it
    thread.start()
    thread.join()
    return made[0] if made else None


class Network:
    """`names` get the addresses 1, 2, …"""

    SWITCH = "switch"

    def __init__(self, names):
        self.numbers = {name: number + 1 for number, name in enumerate(names)} | {self.SWITCH: 254}
        self.spaces = {}
        self.before = None

    def address(self, name=SWITCH):
        return f"10.213.0.{self.numbers[name]}"

    def starter(self, name):
        """What starts the rest of a command line there."""
        return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self.spaces[name]}", "--"]

    def ip(self, name, *commands):
        done = subprocess.run([*self.starter(name), "ip", "-batch", "-"], input="\n".join(commands), capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    # ---- life ----

    def __enter__(self):
        if not all(map(shutil.which, ("ip", "nsenter"))):
            pytest.skip("network namespaces need ip and nsenter")
        try:
            for name in self.numbers:
                self.spaces[name] = new_namespace()
                if self.spaces[name] is None:
                    pytest.skip("network namespaces cannot be made here: they need root")
            self._wire()
            self.before = current()
            LIBC.setns(self.spaces[self.SWITCH], CLONE_NEWNET)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wire(self):
        self.ip(self.SWITCH, "link set lo up", "link add bridge type bridge", "link set bridge up",
                f"address add {self.address()}/24 dev bridge")
        for name, space in self.spaces.items():
            if name == self.SWITCH:
                continue
            self.ip(self.SWITCH, f"link add {name} type veth peer name cable netns /proc/{os.getpid()}/fd/{space}",
                    f"link set {name} master bridge", f"link set {name} up")
            self.ip(name, "link set lo up", "link set cable up", f"address add {self.address(name)}/24 dev cable")

    def __exit__(self, *_):
        if self.before is not None:
            LIBC.setns(self.before, CLONE_NEWNET)
            os.close(self.before)
            self.before = None
        for space in self.spaces.values():
            if space is not None:
                os.close(space)
        self.spaces = {}

    # ---- harm ----

    def pull(self, *names):
        self.ip(self.SWITCH, *(f"link set {name} down" for name in names))

    def plug(self, *names):
        self.ip(self.SWITCH, *(f"link set {name} up" for name in names))

    def deafen(self, name, to):
        """What the others send to `name` is lost."""
        for other in to:
            self.ip(other, f"route add blackhole {self.address(name)}/32")

    def hear(self, name, to):
        for other in to:
            self.ip(other, f"route del blackhole {self.address(name)}/32")
