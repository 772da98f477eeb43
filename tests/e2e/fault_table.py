# SPDX-License-Identifier: Apache-2.0
"""The table of faults, faults.txt: operation, step, fault, how often, answer, calls, afterwards.

test_faults.py does what a row says and looks whether it comes out so; fault_operations.py has what each operation is;
tools/check-faults makes docs/faults.md of the rows. Every operation has a row for each case of each of its steps.
"""

import collections
import os

HARMFUL = ["html500", "unavailable", "throttle", "drop_before", "drop_after", "reset", "truncate", "garbage", "hang", "page",
           "page_after", "lost_session"]
HARMLESS = ["extra", "chunked", "no_length", "informational", "close"]  # forms of an answer that must make no difference
SITE_HARMFUL = ["html500", "unavailable", "throttle", "page", "html", "redirect", "error", "error_after", "html_after",
                "token_refused", "drop_before", "drop_after", "reset", "hang", "truncate", "garbage", "cut", "empty", "wrong_type",
                "unknown_root", "doctype"]
SITE_HARMLESS = [*HARMLESS, "namespace"]

# Cases: a fault, and how often it happens.
HARM = [(fault, how) for fault in HARMFUL for how in ("once", "always")]
VAULT = HARM + [(fault, "always") for fault in HARMLESS]
SITE = [(fault, "always") for fault in SITE_HARMFUL + SITE_HARMLESS]  # no call of a termination is made twice
NONE = [("html500", "always"), ("hang", "always")]

STEPS = {  # of each operation: the calls that it needs, in their order, and the cases of each
    "find": {"sign-in": VAULT, "list": VAULT},
    "endpoints": {"sign-in": VAULT, "list": VAULT},
    "checkout": {"sign-in": VAULT, "list": VAULT, "request": VAULT, "credential": VAULT},
    "direct": {"sign-in": VAULT, "list": VAULT, "isa": VAULT},
    "release": {"check-in": VAULT},
    "complete": {"check-in": VAULT},
    "checkout of a key": {"password": HARM, "key": HARM, "passphrase": HARM},
    "checkout that waits": {"request": HARM, "credential": HARM},
    "checkout once approved": {"credential": HARM, "requests": HARM},
    "find, policy asked": {"policy": HARM},
    "checkout, policy asked": {"policy": HARM},
    "endpoints, directory": {"sign-in": HARM, "systems": HARM, "platforms": HARM, "workgroups": HARM},
    "find by OAuth": {"token": HARM, "sign-in": HARM},
    "checkout at a reload": {"request": HARM, "credential": HARM},
    "release at a reload": {"check-in": HARM},
    "checkout at shutdown": {"request": HARM, "credential": HARM},
    "release at shutdown": {"check-in": HARM},
    "event": {"check-in": HARM},
    "terminate": {"check-in": HARM, "token": SITE, "terminate_session": SITE, "AccessSession": SITE},
    "sessions/start": {"any": NONE},
    "sessions/started": {"any": NONE},
}
PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "faults.txt")

Row = collections.namedtuple("Row", "operation step fault often answer calls afterwards")


def rows():
    """Every row; the columns are separated by two blanks or more."""
    with open(PATH, encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    return [Row(*(word.strip() for word in line.split("  ") if word.strip())) for line in lines]


def every():
    """What the table must have a row for."""
    return [(operation, step, *one) for operation, steps in STEPS.items() for step, cases in steps.items() for one in cases]
