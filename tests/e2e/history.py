# SPDX-License-Identifier: Apache-2.0
"""What the gateways of a cluster have answered, held against the vault's own record of requests.

A history is a list of events, one JSON object a line in a file, so that any program can write one. Times are seconds since
1970 on one clock.

    {"kind": "checkout", "node", "begun", "done", "status", "user", "session", "credential", "lease", "request", "expires"}
    {"kind": "release",  "node", "begun", "done", "status", "user", "session", "credential", "released",
                 "pending"}
    {"kind": "complete", "node", "begun", "done", "status", "user", "session", "released", "pending"}
    {"kind": "fence",    "node", "at", "until"}    others have counted the gateway as dead; `until` then it was cut off
    {"kind": "outage",   "begun", "done"}          a part was dead, cut off or stopped
    {"kind": "listing",  "begun", "done", "requests": [id, …]}    all pages of GET /v1/leases
    {"kind": "request",  "id", "user", "account", "start", "ended"}    of the vault; `ended` null = it is live

`status` 0: the answer was lost, so that it is not known what has become of it. `pending`: it is done when etcd is back,
and takes along what the session was given meanwhile of the lease that it ends. `request` and `expires` of a check-out are
null where the vault keeps no request.

    offences(events)    a list of sentences; none = the history is sound
    python3 history.py FILE...    prints them; exit code 1 where there are any

A second later than a rule allows is no offence at the end of a lease (`SLACK`): the vault counts in its own time.
"""

import calendar
import collections
import contextlib
import http.client
import json
import sys
import threading
import time

SLACK = 2.5  # seconds: an end is at most 2 s off


def offences(events, within=None):
    """`within`: seconds after its last holder in which a request must have ended; None = that is not judged."""
    by_kind = collections.defaultdict(list)
    for event in events:
        by_kind[event["kind"]].append(event)
    answered = [one for one in by_kind["checkout"] if one["status"] == 200]
    ends = by_kind["release"] + by_kind["complete"]
    requests = {one["id"]: one for one in by_kind["request"]}
    found = []
    found += held_to_the_end(answered, ends, requests)
    found += secrets_of_the_living(answered, requests)
    found += silent_after_a_fence(answered, by_kind["fence"])
    found += one_request_at_a_time(requests.values())
    found += one_lease_one_id(answered)
    found += one_lease_at_all_gateways(answered, ends)
    found += released_once(by_kind["release"], by_kind["checkout"])
    found += all_are_listed(by_kind["listing"], requests.values())
    if within is not None:
        found += gone_in_time(by_kind["checkout"], ends, requests, within, by_kind["outage"])
    return found


def whose(event):
    return event["user"], event["session"], event["credential"]


def ends_of(checkout, ends):
    """The releases and completions that may have ended this check-out's lease: all that were not over before it began.
    One that was pending may be carried out later."""
    return [end for end in ends
            if (end["user"], end["session"]) == (checkout["user"], checkout["session"])
            and end.get("credential") in (None, checkout["credential"])
            and (end["status"] != 200 or end.get("pending") or end["done"] >= checkout["begun"])]


def held_to_the_end(answered, ends, requests):
    """No request ends while a session that was answered holds it."""
    for one in answered:
        ended = requests.get(one["request"], {}).get("ended")
        if ended is None or ended < one["begun"] or ended >= one["expires"] - SLACK:
            continue
        if not any(end["begun"] <= ended for end in ends_of(one, ends)):
            yield f"request {one['request']} ended while {one['session']} held it (lease {one['lease']} of {one['node']})"


def secrets_of_the_living(answered, requests):
    """No secret of a request that had ended before it was asked for."""
    for one in answered:
        ended = requests.get(one["request"], {}).get("ended")
        if ended is not None and ended < one["begun"]:
            yield f"{one['node']} handed out lease {one['lease']} of request {one['request']}, which had ended"
        if one["request"] is not None and requests and one["request"] not in requests:
            yield f"lease {one['lease']} of {one['node']} has request {one['request']}, of which the vault knows nothing"


def silent_after_a_fence(answered, fences):
    """No secret from a gateway that was asked before its fence, and answers after it, nor from one that is cut off."""
    for fence in fences:
        for one in answered:
            if one["node"] == fence["node"] and one["done"] > fence["at"] and \
                    (one["begun"] < fence["at"] or one["done"] < fence.get("until", 0)):
                yield f"{one['node']} handed out lease {one['lease']} after it was fenced"


def one_request_at_a_time(requests):
    """Never two live requests of one user and account."""
    last = {}
    for one in sorted(requests, key=lambda one: one["start"]):
        before = last.get((one["user"], one["account"]))
        if before and (before["ended"] is None or before["ended"] > one["start"]):
            yield f"requests {before['id']} and {one['id']} of {one['user']} for account {one['account']} live at once"
        last[one["user"], one["account"]] = one


def one_lease_one_id(answered):
    """Every lease id is of one session, credential and request, and has one end."""
    first = {}
    for one in answered:
        facts = (*whose(one), one["request"], one["expires"])
        if first.setdefault(one["lease"], facts) != facts:
            yield f"lease {one['lease']} is {first[one['lease']]}, and at {one['node']} {facts}"


def one_lease_at_all_gateways(answered, ends):
    """A session that has not given its lease up gets the same one, wherever it asks. Check-outs at once have no order."""
    for mine in groups(answered).values():
        mine.sort(key=lambda one: one["begun"])
        for n, one in enumerate(mine):
            before = next((other for other in reversed(mine[:n]) if other["done"] <= one["begun"]), one)
            if before["lease"] == one["lease"] or one["begun"] >= before["expires"] - SLACK:
                continue
            if not any(end["begun"] <= one["done"] for end in ends_of(before, ends)):
                yield (f"{one['session']} has lease {before['lease']} of {before['node']}, "
                       f"and got {one['lease']} at {one['node']}")


def groups(answered):
    of_whom = collections.defaultdict(list)
    for one in answered:
        of_whom[whose(one)].append(one)
    return of_whom


def released_once(releases, checkouts):
    """The answers of all gateways together release no more leases than were handed out, or may have been: answers are lost.
    What is pending may be released by another answer before."""
    given = {who: len({one["lease"] for one in mine if one["status"] == 200}) + sum(one["status"] == 0 for one in mine)
             for who, mine in groups(checkouts).items()}
    taken = collections.Counter()
    for one in releases:
        taken[whose(one)] += 0 if one.get("pending") else one.get("released") or 0
    for who, n in taken.items():
        if n > given.get(who, 0):
            yield f"{who[1]} has had {given.get(who, 0)} leases of {who[2]}, and {n} were released"


def all_are_listed(listings, requests):
    """Every request that was live all the time is in each listing."""
    for listing in listings:
        for one in requests:
            if one["start"] < listing["begun"] and (one["ended"] is None or one["ended"] > listing["done"]) and \
                    one["id"] not in listing["requests"]:
                yield f"request {one['id']} of {one['user']} is live, and in no row of the listing"


def gone_in_time(checkouts, ends, requests, within, outages=()):
    """A request ends soon after its last holder, or after the check-outs that may have made it where none of them was
    answered. The time begins with the end of an outage that it touches."""
    last = {}
    for one in checkouts:
        if one["status"] == 200 and one["request"] is not None:
            over = min([one["expires"], *(end["done"] for end in ends_of(one, ends)
                                          if end["status"] == 200 and end["done"] >= one["begun"])])
            last[one["request"]] = max(last.get(one["request"], 0), over)
    for number, request in requests.items():
        over = last.get(number) or max([request["start"], *(one["done"] for one in checkouts if one["user"] == request["user"]
                                                            and one["begun"] <= request["start"])])
        for outage in sorted(outages, key=lambda one: one["begun"]):
            if outage["begun"] < over + within:
                over = max(over, outage["done"])
        if request["ended"] is None or request["ended"] > over + within:
            yield f"request {number} was not gone {within} s after its last holder"


# ---- making one ----

class Recorder:
    """Asks gateways, and keeps what was asked and answered. Any number of threads: `failed.error` is of each one's own.
    The vault's clock is `ahead` by so many seconds."""

    def __init__(self, ahead=0):
        self.ahead = ahead
        self.events = []
        self.lock = threading.Lock()
        self.failed = threading.local()

    def add(self, **event):
        with self.lock:
            self.events.append(event)
        return event

    def _ask(self, call):
        begun = time.time()
        answer = self.failed.error = None
        try:
            answer = call()
        except (OSError, http.client.HTTPException, KeyError) as error:  # KeyError: between two lives it has no address
            self.failed.error = error
        return answer, {"begun": begun, "done": time.time(), "status": answer.status if answer else 0}

    def _own(self, text):
        """A time of the vault's in the time of the record."""
        at = seconds(text)
        return at if at is None else at - self.ahead

    @staticmethod
    def _who(node, session):
        return {"node": node.name, "session": session["id"],
                "user": f"{session['user'].get('domain', '')}\\{session['user']['username']}"}

    @staticmethod
    def _ended(answer):
        body = answer.json if answer and answer.status == 200 else {}
        return {"released": body.get("released"), "pending": body.get("pending", False)}

    def checkout(self, node, session, credential, timeout=30, **members):
        answer, event = self._ask(lambda: node.checkout(session, credential, members, timeout=timeout))
        lease = answer.json["lease"] if answer and answer.status == 200 else {}
        self.add(kind="checkout", credential=credential, lease=lease.get("id"), request=lease.get("request_id"),
                 expires=self._own(lease.get("expires_at")), **event, **self._who(node, session))
        return answer

    def release(self, node, session, credential, timeout=30):
        answer, event = self._ask(lambda: node.release(session, credential, timeout=timeout))
        self.add(kind="release", credential=credential, **event, **self._who(node, session), **self._ended(answer))
        return answer

    def complete(self, node, session, timeout=30):
        answer, event = self._ask(lambda: node.complete(session, timeout=timeout))
        self.add(kind="complete", **event, **self._who(node, session), **self._ended(answer))
        return answer

    def death(self):
        """Something has died now."""
        at = time.time()
        self.add(kind="outage", begun=at, done=at)

    @contextlib.contextmanager
    def outage(self):
        """What happens within is an outage, until its end."""
        event = self.add(kind="outage", begun=time.time(), done=None)
        try:
            yield
        finally:
            event["done"] = time.time()

    def listing(self, cluster, node=None):
        begun = time.time()
        rows = cluster.leases(node)
        self.add(kind="listing", begun=begun, done=time.time(), requests=[row["request_id"] for row in rows])

    def vault(self, simulator):
        """The vault's own record, as it is now."""
        state = simulator.state(100000)
        for one in state["active"] + state["finished"]:
            self.add(kind="request", id=one["id"], user=one["user"], account=one["account"], start=self._own(one["start"]),
                     ended=self._own(one.get("ended")))

    def write(self, path):
        with open(path, "w", encoding="utf-8") as out:
            for event in self.events:
                out.write(json.dumps(event) + "\n")


def seconds(text):
    """Seconds since 1970 of "2026-11-29T17:33:47.431" or "…:47Z", both UTC; None of nothing."""
    if not text:
        return None
    whole, _, rest = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + (float("0." + rest) if rest else 0)


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


if __name__ == "__main__":
    all_found = [(path, one) for path in sys.argv[1:] for one in offences(read(path))]
    for path, one in all_found:
        print(f"{path}: {one}")
    sys.exit(1 if all_found else 0)
