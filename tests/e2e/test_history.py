# SPDX-License-Identifier: Apache-2.0
"""The checker of histories finds each kind of offence, and none in a sound history."""

import json
import subprocess
import sys

import pytest

import history

WHO = {"user": "CORP\\ann", "session": "S-1", "credential": "j1"}


def checkout(begun, done, node="g1", lease="L1", request=7, expires=1000.0, status=200, **more):
    return {"kind": "checkout", "node": node, "begun": begun, "done": done, "status": status, "lease": lease,
            "request": request, "expires": expires, **WHO, **more}


def release(begun, done, node="g1", released=1, status=200, **more):
    return {"kind": "release", "node": node, "begun": begun, "done": done, "status": status, "released": released, **WHO,
            **more}


def request(start, ended, id=7, user="CORP\\ann", account=3):
    return {"kind": "request", "id": id, "user": user, "account": account, "start": start, "ended": ended}


SOUND = [checkout(1, 2), checkout(3, 4, node="g2"), release(10, 11, node="g3"), request(1.5, 10.5),
         checkout(20, 21, lease="L2", request=8, node="g3"), request(20.5, None, id=8),
         {"kind": "listing", "begun": 22, "done": 23, "requests": [8]}, {"kind": "fence", "node": "g1", "at": 15},
         checkout(30, 31, status=503, lease=None, request=None, expires=None)]


def test_a_sound_history_has_no_offence():
    assert history.offences(SOUND) == []
    assert history.offences(SOUND[:4], within=15) == []


OFFENCES = {
    "held while it ends": ([checkout(1, 2), request(1.5, 5), release(10, 11)], "ended while S-1 held it"),
    "given back by an older release": ([release(0.1, 0.2, released=0), checkout(1, 2), request(1.5, 5)], "ended while"),
    "handed out after its end": ([checkout(1, 2), request(0.1, 0.5)], "which had ended"),
    "not the vault's": ([checkout(1, 2), request(1, None, id=9)], "the vault knows nothing"),
    "after a fence": ([checkout(1, 9), request(2, None), {"kind": "fence", "node": "g1", "at": 5}], "after it was fenced"),
    "cut off": ([checkout(6, 9), request(2, None), {"kind": "fence", "node": "g1", "at": 5, "until": 10}], "after it was fenced"),
    "two at once": ([request(1, 9), request(5, 12, id=8)], "live at once"),
    "one id for two": ([checkout(1, 2), checkout(3, 4, request=8), request(1, None), request(1, None, id=8, account=4)],
                       "lease L1 is"),
    "two ends": ([checkout(1, 2), checkout(3, 4, expires=1001.0), request(1, None)], "lease L1 is"),
    "two leases": ([checkout(1, 2), checkout(3, 4, node="g2", lease="L2"), request(1, None)], "got L2 at g2"),
    "released twice": ([checkout(1, 2), release(5, 6), release(5, 6, node="g2"), request(1, 5.5)], "2 were released"),
    "not listed": ([request(1, None), {"kind": "listing", "begun": 5, "done": 6, "requests": []}], "in no row"),
}


@pytest.mark.parametrize("name", OFFENCES)
def test_an_offence_is_found(name):
    events, words = OFFENCES[name]
    found = history.offences(events)
    assert any(words in one for one in found), found


def test_what_is_not_gone_in_time():
    late = [checkout(1, 2), release(5, 6), request(1.5, 30)]
    assert history.offences(late) == []
    assert "was not gone" in history.offences(late, within=15)[0]
    assert "was not gone" in history.offences([checkout(1, 2), release(5, 6), request(1.5, None)], within=15)[0]
    lost = [checkout(1, 9, status=0, lease=None, request=None, expires=None), request(1.5, 22)]
    assert history.offences(lost, within=15) == []
    assert "was not gone" in history.offences([*lost, request(3, 26, id=8, account=4)], within=15)[0]


def test_a_release_that_is_pending_is_carried_out_later():
    """It takes along what the session was given in the meantime. It does not count as done before that."""
    rest = [checkout(7, 9, node="g2"), checkout(10, 11, lease="L2", request=8), request(1.5, 9.5), request(10.5, None, id=8)]
    assert "got L2" in " ".join(history.offences([checkout(1, 2), release(5, 6), *rest]))
    assert history.offences([checkout(1, 2), release(5, 6, pending=True), *rest]) == []
    late = [checkout(1, 2), release(5, 6, pending=True), checkout(7, 9), release(30, 31), request(1.5, 32)]
    assert history.offences(late, within=15) == []


def test_an_outage_gives_time():
    late = [checkout(1, 2), release(5, 6), request(1.5, 30)]
    assert history.offences([*late, {"kind": "outage", "begun": 4, "done": 16}], within=15) == []
    for begun, done in ((4, 14), (22, 28)):
        assert "was not gone" in history.offences([*late, {"kind": "outage", "begun": begun, "done": done}], within=15)[0]


def test_what_is_no_offence():
    assert history.offences([checkout(1, 2, expires=10.0), request(1.5, 9)]) == []          # its time was over
    assert history.offences([checkout(1, 2), release(5, 6, status=0, released=None), request(1.5, 6)]) == []  # lost answer
    assert history.offences([checkout(1, 2), {"kind": "complete", "node": "g2", "begun": 3, "done": 4, "status": 200,
                                              "user": WHO["user"], "session": "S-1", "released": 1}, request(1.5, 3.5)]) == []


def test_an_answer_after_it_was_cut_off():
    assert history.offences([checkout(6, 11), request(2, None), {"kind": "fence", "node": "g1", "at": 5, "until": 10}]) == []


def test_a_lease_of_a_lost_answer_is_released():
    assert history.offences([checkout(1, 2, status=0, lease=None, request=None, expires=None), release(5, 6)]) == []


def test_check_outs_at_once_have_no_order():
    assert history.offences([checkout(1, 10), checkout(2, 5, node="g2", lease="L2"), release(5.5, 6),
                             request(0.5, None)]) == []


def test_a_file_of_lines(tmp_path):
    path = tmp_path / "history.jsonl"
    for events, code in ((SOUND, 0), (OFFENCES["two at once"][0], 1)):
        path.write_text("".join(json.dumps(one) + "\n" for one in events))
        done = subprocess.run([sys.executable, history.__file__, path], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr


def test_times():
    assert history.seconds("1970-01-01T00:00:01.500") == 1.5
    assert history.seconds("1970-01-01T00:01:00Z") == 60
    assert history.seconds(None) is None
