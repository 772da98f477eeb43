"""A simulated PRA site with made-up sessions, and what tests read from its reports.

    with Month(sessions=600, running=20) as site:
        site.at(3600)                     # the clock stands still, an hour after the period's end
        everything(site, site.listing(start_time=0))
"""

import calendar
import time

from pra_site import PraSite, child, descendants

UNTIL = "2026-03-31T12:00:00"
UNTIL_S = calendar.timegm(time.strptime(UNTIL, "%Y-%m-%dT%H:%M:%S"))
DAY = 86400


class Month(PraSite):
    """A site with made-up sessions, and no limit of calls."""

    def __init__(self, *arguments, sessions=600, running=20, **more):
        super().__init__("--sessions", sessions, "--running", running, "--until", UNTIL, *arguments, **more)

    def start(self):
        super().start()
        self.settings(rate_second=100000, rate_hour=10000000)
        self.token()

    def at(self, seconds):
        """The site's clock stands still, so long after the end of the period."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(UNTIL_S + seconds))
        self.clock(frozen=True)
        self.clock(wall=stamp)


def text(element, name):
    found = child(element, name)
    return None if found is None else found.text or ""


def stamp(element, name):
    found = child(element, name)
    return None if found is None else int(found.get("timestamp"))


def steps(session):
    """Times and types of its events."""
    return [(e.get("timestamp"), e.get("event_type")) for e in descendants(session, "event")]


def everything(site, lsids):
    """All these sessions, in calls of 200."""
    return [e for i in range(0, len(lsids), 200) for e in site.sessions(lsids[i:i + 200])]


def values(event):
    return {e.get("name"): e.get("value") for e in descendants(event, "value")}
