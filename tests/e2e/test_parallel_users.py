# SPDX-License-Identifier: Apache-2.0
"""Several users at once: each acts under its own name in the vault, and gets what it asked for."""

import random
import threading

from certificates import Authority
from harness import eventually, tls_context
from stack import Stack

OPERATIONS = 200


def crew(n, work):
    """Runs work(i) in n threads; the first exception is raised here."""
    errors = []

    def run(i):
        try:
            work(i)
        except BaseException as error:  # reported by the test below
            errors.append(error)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def check_requests(stack, taken):
    """Every request of the vault belongs to the user whose session it was made for."""
    for request, user in taken.items():
        assert stack.vault.ask("GET", f"/requests/{request}")["user"] == f"CORP\\{user}"
    state = stack.vault.state()
    for row in state["active"] + state["finished"]:
        if row["id"] in taken:
            assert row["user"] == f"CORP\\{taken[row['id']]}"
    assert state["session_totals"]["concurrent_max"] == 1  # the gateway never queues on one vault session


def test_two_users_two_hundred_operations(stack):
    """Accounts of ann's, of bob's and of both; the vault is asked in parallel and answers at different speed."""
    boxes = []
    for number in range(12):
        owner = (None, 41, 42)[number % 3]
        box = stack.account(f"acc{number}", password=f"secret-{number}-\"\\é", **({"dedicated_user": owner}
                                                                               if owner else {}))
        boxes.append((box, owner, f"secret-{number}-\"\\é"))
    stack.vault.latency(0, 6)
    taken, lock = {}, threading.Lock()

    def work(i):
        who, number = (("ann", 41), ("bob", 42))[i % 2]
        dice = random.Random(i)
        connection = stack.gateway.connect()
        for _ in range(OPERATIONS // 8 // 2):
            box, owner, password = dice.choice(boxes)
            asked = stack.session(who, box)
            rows = stack.gateway.find(asked, connection=connection).json["credentials"]
            if owner not in (None, number):
                assert rows == []
                continue
            answer = stack.gateway.checkout(asked, rows[0]["credential_id"], connection=connection)
            assert answer.status == 200, answer.body
            assert answer.json["password"] == password
            assert answer.json["account"] == rows[0]["account"]
            with lock:
                assert taken.setdefault(answer.json["lease"]["request_id"], who) == who
            if dice.random() < 0.7:
                ended = stack.gateway.release(asked, rows[0]["credential_id"], connection=connection)
                assert ended.json["released"] == 1
        connection.close()
    crew(8, work)
    stack.vault.latency(0)
    assert set(taken.values()) == {"ann", "bob"}
    check_requests(stack, taken)


def test_equal_check_outs_of_two_users_at_the_same_moment(stack):
    box = stack.account(password="shared")
    sessions = [stack.session(who, box) for who in ("ann", "bob") * 8]
    credential = stack.credential(sessions[0])
    stack.vault.latency(20)
    answers = {}

    def work(i):
        answers[i] = stack.checkout(sessions[i], credential)
    crew(len(sessions), work)
    stack.vault.latency(0)
    assert {a.status for a in answers.values()} == {200}
    requests = {who: {answers[i].json["lease"]["request_id"] for i in answers if i % 2 == number}
                for number, who in enumerate(("ann", "bob"))}
    assert len(requests["ann"]) == len(requests["bob"]) == 1
    assert len({a.json["lease"]["id"] for a in answers.values()}) == len(sessions)
    check_requests(stack, {requests[who].copy().pop(): who for who in requests})
    left = [stack.gateway.complete(one).json for one in sessions]
    assert left == [{"released": 1}] * len(sessions)
    assert stack.live() == []


def test_check_out_and_release_race_for_one_account(stack):
    """Holders come and go on one vault request: never a secret of a request that has ended, never one left."""
    box = stack.account(password="raced", max_concurrent=1)
    credential = stack.credential(stack.session("ann", box))
    stack.vault.latency(0, 8)

    def work(i):
        for _ in range(12):
            asked = stack.session("ann", box)
            answer = stack.checkout(asked, credential)
            assert answer.status == 200, answer.body
            assert answer.json["password"] == "raced"
            request = answer.json["lease"]["request_id"]
            assert stack.vault.ask("GET", f"/requests/{request}")["state"] == "active"
            assert stack.gateway.release(asked, credential).json["released"] == 1
    crew(6, work)
    stack.vault.latency(0)
    eventually(lambda: stack.live() == [])


def test_sessions_are_lost_meanwhile(stack):
    box = stack.account(password="pw")
    credential = stack.credential(stack.session("ann", box))
    stack.vault.latency(0, 5)
    over = threading.Event()
    codes = []

    def lose():
        """Once for every four check-outs, however long they take: one that loses its session twice in a row is refused."""
        lost_at = 0
        while not over.wait(0.002):
            if len(codes) >= lost_at + 4:
                lost_at = len(codes)
                stack.vault.expire_sessions()
    thief = threading.Thread(target=lose)
    thief.start()

    def work(i):
        for _ in range(15):
            asked = stack.session(("ann", "bob")[i % 2], box)
            answer = stack.checkout(asked, credential)
            codes.append(answer.code)
            if answer.status == 200:
                assert answer.json["password"] == "pw"
                assert stack.gateway.release(asked, credential).json["released"] == 1
    try:
        crew(4, work)
    finally:
        over.set()
        thief.join()
    assert codes.count(None) >= len(codes) * 3 // 4
    assert set(codes) <= {None, "vault_refused_user"}


def test_two_users_over_mutual_tls(tmp_path):
    """What the issue asks for in one line: TLS with client certificate, find, check-out, release, two users."""
    ca = Authority(tmp_path)
    server, pra = ca.server(), ca.client("pra", ["DNS:pra.corp.test"])
    listener = {"address": "127.0.0.1:0", "tls_certificate": server.certificate, "tls_key": server.key,
                "client_ca": ca.certificate}
    with Stack({"listener main": listener, "vault main": {"ca_file": ca.certificate},
                "client pra": {"token_sha256": None, "certificate_san": "DNS:pra.corp.test"}},
               tls=ca.server("vault")) as stack:
        context = tls_context(ca.certificate, pra.certificate, pra.key)
        box = stack.account(password="over tls")

        def work(i):
            asked = stack.session(("ann", "bob")[i], box)
            for _ in range(5):
                found = stack.gateway.find(asked, tls=context, token=None)
                (row,) = found.json["credentials"]
                answer = stack.gateway.checkout(asked, row["credential_id"], tls=context, token=None)
                assert answer.json["password"] == "over tls"
                ended = stack.gateway.release(asked, row["credential_id"], tls=context, token=None)
                assert ended.json == {"released": 1, "remaining_holders": 0}
        crew(2, work)
        assert stack.live() == []
        assert {r["user"] for r in stack.vault.state()["finished"]} == {"CORP\\ann", "CORP\\bob"}
