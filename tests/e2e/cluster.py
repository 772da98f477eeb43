# SPDX-License-Identifier: Apache-2.0
"""Several gateways on one etcd, in front of one simulated vault.

    with Cluster(gateways=3) as cluster:
        one, two, three = cluster.gateways
        box = cluster.account(password="s3cret")
        ann = cluster.session("ann", box)
        lease = cluster.at(two).checkout(ann)

A Cluster is a Stack (stack.py): accounts and sessions are made in the same way. What a Stack asks of its gateway it asks
here of the gateway that was named last with at(), of the first one otherwise. settled() looks at all that live.
"""

from harness import Gateway, eventually
from etcd_server import PASSWORD, USER, Etcd
from stack import PEOPLE, Stack

PREFIX = "/jg/"
TTL = 3  # seconds: the shortest one, so that a death is seen soon


class Node(Gateway):
    """A gateway with a name in the cluster; on the machine of this name, if there is a network (network.py)."""

    def __init__(self, vault, etcd, name, sections=None):
        store = {"type": "etcd", "endpoints": etcd.endpoints, "node": name, "prefix": PREFIX, "ttl": f"{TTL}s"}
        super().__init__(vault, {**(sections or {}), "store": {**store, **(sections or {}).get("store", {})}})
        self.name = name
        if etcd.token:
            self.sections["store"].update(user=USER, password_file=self.secret("etcd-password", PASSWORD))
        if etcd.network:
            self.starter = etcd.network.starter(name)
            self.sections["store"]["insecure_http"] = "yes"
            self.sections["listener main"]["address"] = f"unix:{self.path}/socket"

    def ready(self):
        """Is it one that a load balancer would send requests to?"""
        return self.call("GET", "/readyz").status == 200

    def reasons(self):
        return self.call("GET", "/readyz").json["reasons"]

    def joined(self, seconds=60):
        """Waits until it is ready."""
        eventually(self.ready, seconds)
        return self

    def lives(self):
        return self.process is not None and not self.stopped and self.process.poll() is None


class Cluster(Stack):
    """Vault, etcd, gateways g1, g2, …; with `network` etcd's members and the gateways are on its machines, with `users` etcd
    wants a sign-in."""

    def __init__(self, gateways=3, members=1, sections=None, arguments=(), network=None, tls=None, users=False,
                 etcd_arguments=()):
        if network:
            arguments = ["--listen", f"{network.address()}:0", *arguments]
        super().__init__({"gateway": {"list_cache": "0s", "catalogue_cache": "0s"}, **(sections or {})}, arguments, tls)
        self.etcd = Etcd(members, network=network, arguments=etcd_arguments)
        self.users = users
        self.names = [f"g{i + 1}" for i in range(gateways)]
        self.gateways = []

    def __enter__(self):
        self.etcd.__enter__()
        try:
            if self.users:
                self.etcd.with_users(PREFIX)
            self.vault.start()
        except BaseException:
            self.etcd.__exit__(None, None, None)
            raise
        try:
            self.vault.scenario(PEOPLE)
            for name in self.names:
                self.gateways.append(self.node(name).start())
            for gateway in self.gateways:
                gateway.joined()
            self.gateway = self.gateways[0]
        except BaseException:
            self._end(RuntimeError)
            raise
        return self

    def node(self, name, sections=None):
        """A further gateway, not started; the test ends it."""
        return Node(self.vault.url, self.etcd, name, {**self.sections, **(sections or {})})

    def at(self, gateway):
        self.gateway = gateway
        return self

    def living(self):
        return [one for one in self.gateways if one.lives()]

    def _end(self, kind):
        """Everything is ended, whatever fails on the way."""
        ends = [lambda one=one: one.__exit__(kind, None, None) for one in self.gateways]
        ends += [lambda: self.vault.stop(check=kind is None), lambda: self.etcd.__exit__(None, None, None)]
        failed = None
        for end in ends:
            try:
                end()
            except BaseException as error:  # pylint: disable=broad-except
                failed = failed or error
        if failed and kind is None:
            raise failed

    def __exit__(self, kind, value, trace):
        self._end(kind)

    def leases(self, gateway=None):
        """All rows of GET /v1/leases, as this gateway shows them."""
        rows, cursor = [], ""
        while True:
            answer = (gateway or self.living()[0]).call("GET", "/v1/leases?limit=1000" + cursor)
            assert answer.status == 200, answer.body
            rows += answer.json["leases"]
            if not answer.json["next"]:
                return rows
            cursor = "&cursor=" + answer.json["next"]

    def rows(self):
        """The keys below the prefix without those of members, of the cluster itself, and of sessions that have ended."""
        kept = ("c/", "m/", "p/", "n/", "x/")
        return {key[len(PREFIX):]: value for key, value in self.etcd.keys(PREFIX).items()
                if not key[len(PREFIX):].startswith(kept)}

    def all_there(self):
        """Starts the gateways that are not running, and waits until each is ready."""
        for gateway in self.gateways:
            if not gateway.lives():
                gateway.restart()
            gateway.joined()
        return self

    def swept(self):
        """Ends all sessions of the test; nothing may be left."""
        for opened in self.opened:
            answer = self.living()[0].complete(opened)
            assert answer.status == 200, answer.body
        self.opened = []
        self.settled()

    def settled(self, seconds=60):
        """No request live in the vault, no row of a lease or request in etcd, nothing in flight at the gateways that live.

        Intents of unknown outcome do not count: they are looked for again after 60 s and after 10 min, which is right.
        """
        eventually(lambda: self.live() == [], seconds)
        eventually(lambda: not [key for key in self.rows() if key.startswith(("s/", "r/", "h/", "w/"))], seconds)
        for gateway in self.living():
            eventually(lambda at=gateway: at.metrics()["jumpgate_requests_in_flight"] == 0, seconds)

