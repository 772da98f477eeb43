# SPDX-License-Identifier: Apache-2.0
"""The endpoint catalogue at size: 500 users, 20,000 systems, and the vault's own lists as the truth.

Each user is in a few groups of sixteen, each system's accounts belong to some of them. What a search answers is
compared with what brute force makes of the same data; and for some users that data is compared with what the vault
itself lists for them, page by page, so that the truth is the vault's and not this file's.
"""

import random
import threading
import time

import pytest

from harness import eventually, session
from stack import Stack, problem

USERS, SYSTEMS, GROUPS, CHUNK = 500, 20000, 16, 2000
FIRST_SYSTEM, FIRST_ACCOUNT, FIRST_USER = 1000000, 2000000, 5000
LIMIT = 100
SYSTEMS_CALL = "GET ManagedSystems"
LIST = "GET ManagedAccounts"
CHECKED_USERS = 200  # of the first 440: the others belong to one test each
PLATFORMS = {2: "shell", 25: "rdp", 4: "shell"}
ROLES = ("web", "db", "app", "file", "mail", "print")
SITES = ("ber", "muc", "lon", "nyc")

CONFIGURATION = {
    "gateway": {"endpoint_limit": LIMIT, "catalogue_cache": "5s", "catalogue_max_age": "60s"},
    "vault main": {"directory_user": "reader", "max_answer": "64M", "sessions_per_user": 2},
}


class Company:
    """The data, and what may be found in it."""

    def __init__(self, seed):
        rnd = random.Random(seed)
        self.systems = [self._system(rnd, i) for i in range(SYSTEMS)]
        self.last = None, []
        self.users = [sorted(rnd.sample(range(GROUPS), rnd.randint(1, 3))) for _ in range(USERS)]

    @staticmethod
    def _system(rnd, i):
        name = f"{rnd.choice(SITES)}-{rnd.choice(ROLES)}-{i:05}"
        return {
            "id": FIRST_SYSTEM + i, "name": name.upper() if i % 50 == 0 else name, "dns": f"{name}.corp.test",
            "ip": f"10.{i // 62500}.{i // 250 % 250}.{i % 250 + 1}", "platform": rnd.choice(list(PLATFORMS)),
            "workgroup": rnd.choice(("North", "South")), "group": rnd.randrange(GROUPS),
            "second": rnd.randrange(GROUPS) if i % 3 == 0 else None,
        }

    def scenarios(self):
        groups = [{"id": 100 + g, "name": f"g{g}",
                   "grants": [{"rule": f"r{g}", "roles": ["requestor"], "policy": "auto"}]} for g in range(GROUPS)]
        users = [{"id": FIRST_USER + u, "name": f"CORP\\user{u}", "groups": [f"g{g}" for g in mine]}
                 for u, mine in enumerate(self.users)]
        users.append({"id": FIRST_USER - 1, "name": "reader", "groups": ["readers"]})
        yield {"groups": groups + [{"id": 99, "name": "readers", "permissions": ["systems"]}], "users": users}
        for start in range(0, SYSTEMS, CHUNK):
            part = self.systems[start:start + CHUNK]
            yield {"systems": [{k: s[k] for k in ("id", "name", "dns", "ip", "platform", "workgroup")} for s in part],
                   "accounts": [self._account(s, n, g) for s in part
                                for n, g in enumerate((s["group"], s["second"])) if g is not None]}

    @staticmethod
    def _account(system, n, group):
        return {"id": FIRST_ACCOUNT + 2 * (system["id"] - FIRST_SYSTEM) + n, "system": system["id"],
                "name": ("root", "admin")[n], "rules": [f"r{group}"], "rotates": False, "max_concurrent": 0}

    def entitled(self, user):
        if self.last[0] != user:
            mine = set(self.users[user])
            self.last = user, [s for s in self.systems if s["group"] in mine or s["second"] in mine]
        return self.last[1]

    def search(self, user, query, types):
        """The slow way: every system, every word, then all sorted."""
        hits = []
        words = query.lower().split()
        for s in self.entitled(user):
            if PLATFORMS[s["platform"]] not in types:
                continue
            names = [s["name"].lower(), s["dns"], s["ip"]]
            ranks = [min(rank(word, n) for n in names) for word in words]
            if any(r == 9 for r in ranks):
                continue
            worst = 0 if query.strip().lower() in names or not words else \
                1 if ranks[0] == 1 else max(ranks)
            hits.append((worst, s["name"].lower(), s["name"], s["id"]))
        return [hit[2] for hit in sorted(hits)]


def rank(word, name):
    """1 at the beginning, 2 at a word's, 3 inside, 9 not at all."""
    if name.startswith(word):
        return 1
    best, at = 9, name.find(word)
    while at >= 0:
        best = min(best, 2 if not name[at - 1].isalnum() and name[at].isalnum() else 3)
        at = name.find(word, at + 1)
    return best


def random_query(rnd, company):
    some = rnd.choice(company.systems)
    return rnd.choice([
        some["name"], some["name"][:6], some["dns"].upper(), some["ip"], some["ip"][:7],
        f"{rnd.choice(SITES)} {rnd.choice(ROLES)}", f"{rnd.choice(ROLES)} {rnd.randrange(100):02}",
        str(rnd.randrange(100, 999)), "corp", "", "nothing-like-it", some["name"][4:9] + " " + some["ip"],
    ])


@pytest.fixture(scope="module", name="big")
def _big():
    company = Company(20261121)
    with Stack(CONFIGURATION) as stack:
        for scenario in company.scenarios():
            stack.vault.scenario(scenario)
        stack.company = company
        yield stack


def search(stack, user, query, types=("rdp", "shell"), **item):
    answer = stack.gateway.endpoints(session(f"user{user}", **item), {"types": list(types), "query": query})
    assert answer.status == 200, answer.body
    return answer.json


def vault_truth(stack, user):
    """What the vault lists for the user, page by page."""
    mine, offset = stack.vault.sign_in(f"CORP\\user{user}"), 0
    seen = set()
    while True:
        rows = mine.get("ManagedAccounts", limit=1000, offset=offset).json
        seen.update(row["SystemId"] for row in rows)
        offset += len(rows)
        if len(rows) < 1000:
            mine.close()
            return seen


def test_the_truth_is_the_vaults(big):
    rnd = random.Random(1)
    for user in rnd.sample(range(USERS), 10):
        assert vault_truth(big, user) == {s["id"] for s in big.company.entitled(user)}


def test_searches_agree_with_brute_force(big):
    """200 random users; the catalogue of each is read once, several searches run over it."""
    rnd = random.Random(2)
    for user in rnd.sample(range(440), CHECKED_USERS):
        for _ in range(2):
            query, types = random_query(rnd, big.company), rnd.choice((("rdp",), ("shell",), ("rdp", "shell")))
            expected = big.company.search(user, query, types)
            got = search(big, user, query, types)
            names = [row["name"] for row in got["endpoints"]]
            assert names == expected[:LIMIT], (user, query, types)
            assert got["truncated"] == (len(expected) > LIMIT), (user, query, types)


def test_rows_are_complete(big):
    user = 7
    rows = search(big, user, "")["endpoints"]
    by_name = {s["name"]: s for s in big.company.entitled(user)}
    for row in rows:
        system = by_name[row["name"]]
        method = PLATFORMS[system["platform"]]
        assert row["hostname"] == system["dns"] and row["ip_address"] == system["ip"]
        assert (row["method"], row["port"]) == (method, {"rdp": 3389, "shell": 22}[method])
        assert row["network_id"] == system["workgroup"]
        assert row["endpoint_id"] == f"e1.main.{system['id']}.{method}"


def test_the_directory_is_read_once_for_all(big):
    big.vault.reset_counts()
    for user in range(300, 305):
        search(big, user, "web")
    assert big.vault.calls(SYSTEMS_CALL) <= 2 * (SYSTEMS // 1000 + 1)


def test_equal_searches_cost_one_reading(big):
    search(big, 480, "")
    big.vault.reset_counts()
    search(big, 481, "")
    alone = big.vault.calls(LIST)
    big.vault.reset_counts()
    threads = [threading.Thread(target=search, args=(big, 482, word)) for word in ("web", "db", "", "10.", "corp")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert big.vault.calls(LIST) <= alone + 2  # and not five times that; one page more or less


def test_a_change_of_entitlement_is_seen(big):
    user = 450
    before = search(big, user, "")
    big.vault.change("users", id=FIRST_USER + user, name=f"CORP\\user{user}", groups=[])

    def gone():
        answer = search(big, user, "")
        return not answer["endpoints"] and answer["age_ms"] < 60000
    eventually(gone, 20)
    assert before["endpoints"]
    big.vault.change("users", id=FIRST_USER + user, name=f"CORP\\user{user}",
                     groups=[f"g{g}" for g in big.company.users[user]])
    eventually(lambda: search(big, user, "")["endpoints"] == before["endpoints"], 20)


def test_a_search_is_answered_while_the_vault_is_slow_or_away(big):
    user = 451
    first = search(big, user, "web")
    eventually(lambda: search(big, user, "web")["age_ms"] >= 4900, 20)
    big.vault.fault("latency", call=LIST, latency_ms=6000)
    began = time.monotonic()
    stale = search(big, user, "web")
    assert stale["endpoints"] == first["endpoints"] and stale["age_ms"] >= 4900
    assert time.monotonic() - began < 6  # not the vault's answer was waited for
    big.vault.clear_faults()
    big.vault.fault("html500", call=LIST)
    assert search(big, user, "web")["endpoints"] == first["endpoints"]
    problem(big.gateway.endpoints(session("user452"), {"query": "web"}), 502, "vault_error")
    big.vault.clear_faults()
    assert search(big, 452, "web")["age_ms"] == 0


def test_a_directory_that_may_not_be_read_stops_no_search():
    with Stack({"vault main": {"directory_user": "nobody", "platform_method": "2:shell"}}) as stack:
        box = stack.account(box=stack.system(dns="x.corp.test"))
        (row,) = stack.gateway.endpoints(stack.session("ann", box), {"query": box.name}).json["endpoints"]
        assert (row["hostname"], row["method"], row["network_id"]) == (box.name, "shell", None)
        stack.sweep()


def test_restricted_to_the_network_of_the_session():
    with Stack({"gateway": {"catalogue_cache": "0s"},
                "vault main": {"directory_user": "reader", "restrict_network": "yes"}}) as stack:
        stack.vault.scenario({"groups": [{"id": 99, "name": "readers", "permissions": ["systems"]}],
                              "users": [{"id": 4999, "name": "reader", "groups": ["readers"]}]})
        north = stack.account(box=stack.system(workgroup="North"))
        south = stack.account(box=stack.system(workgroup="South"))

        def names(**item):
            asked = stack.session("ann", name="x", **item)
            return {row["name"] for row in stack.gateway.endpoints(asked, {"types": ["shell"]}).json["endpoints"]}
        assert names() == {north.name, south.name}
        assert names(network_id="NORTH") == {north.name}
        assert names(network_id="East") == set()
        found = stack.gateway.find(stack.session("ann", north, network_id="South")).json["credentials"]
        assert found == []
        found = stack.gateway.find(stack.session("ann", south, network_id="south")).json["credentials"]
        assert [row["system"] for row in found] == [south.name]
        stack.sweep()


def test_users_and_domains_are_mapped():
    with Stack({"vault main": {"domain_map": "ACME:CORP", "user_map": "EXT\\ann.lee:CORP\\bob op:CORP\\carol",
                               "run_as": "{domain}\\{username}"}}) as stack:
        box = stack.account(box=stack.system())
        stack.account("bobs", box=box, dedicated_user=42)

        def accounts(user, domain):
            answer = stack.gateway.find(stack.session(user, box, domain=domain))
            return [row["account"] for row in answer.json["credentials"]] if answer.status == 200 else answer
        assert accounts("ann", "acme") == ["root"]
        assert accounts("Ann.Lee", "ext") == ["bobs", "root"]
        assert accounts("op", None) == ["root"]
        refused = accounts("dan", None)  # the vault's own dan is never tried
        assert "dan" in problem(refused, 502, "vault_refused_user")["detail"]
        refused = accounts("ann.lee", "OTHER")
        assert "OTHER\\ann.lee" in problem(refused, 502, "vault_refused_user")["detail"]
        stack.sweep()


def test_display_hide_favourites_and_cap():
    with Stack({"vault main": {"display": "{account}@{system}", "hide": "svc-* corp.test\\secret",
                               "favourites": "zed", "credential_limit": "3"}}) as stack:
        box = stack.account("root")
        for name in ("zed", "adm", "svc-backup", "beta"):
            stack.account(name, box=box)
        stack.directory_account(box, name="secret")
        rows = stack.gateway.find(stack.session("ann", box)).json["credentials"]
        assert [row["display_value"] for row in rows] == [f"{n}@{box.name}" for n in ("zed", "adm", "beta")]
        stack.sweep()
