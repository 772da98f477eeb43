# SPDX-License-Identifier: Apache-2.0
"""The part of a service manager that socket activation needs: it holds listening sockets and passes them on.

    with Manager() as manager:
        manager.unix("broker", path)
        gateway = Gateway(vault, {"listener broker": {"address": f"unix:{path}"}})
        manager.starts(gateway)

The sockets stay open while the gateway is down; what connects meanwhile waits in their backlog.
"""

import os
import socket
import sys

# Moves the descriptors to 3, 4, ... and names them to the program, as the process that becomes the program.
STARTER = """
import os, sys
n = int(sys.argv[1])
held = [os.dup(int(fd)) for fd in sys.argv[2:2 + n]]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(held)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
os.closerange(3 + n, 200)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2 + n], sys.argv[2 + n:])
"""


class Manager:
    def __init__(self):
        self.sockets = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for _, held in self.sockets:
            held.close()

    def add(self, name, made):
        self.sockets.append((name, made))
        return made

    def unix(self, name, path, mode=0o660):
        made = self.add(name, socket.socket(socket.AF_UNIX))
        made.bind(str(path))
        os.chmod(path, mode)
        made.listen(512)
        return made

    def tcp(self, name, host="127.0.0.1"):
        """Returns the address in the configuration's form."""
        made = self.add(name, socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
        if ":" in host:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, 0))
        made.listen(512)
        return f"[{host}]:{made.getsockname()[1]}" if ":" in host else f"{host}:{made.getsockname()[1]}"

    def starts(self, gateway):
        """From now on the gateway is started with the sockets."""
        numbers = [made.fileno() for _, made in self.sockets]
        for number in numbers:
            os.set_inheritable(number, True)
        gateway.starter = [sys.executable, "-c", STARTER, str(len(numbers)), *map(str, numbers)]
        gateway.environment |= {"LISTEN_FDS": str(len(numbers)),
                                "LISTEN_FDNAMES": ":".join(name for name, _ in self.sockets)}
        gateway.passed = numbers
        return gateway
