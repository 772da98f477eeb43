# SPDX-License-Identifier: Apache-2.0
"""The table of faults, faults.txt: operation, step, fault, how often, answer, calls, afterwards.

test_faults.py does what a row says and looks whether it comes out so; tools/check-faults makes docs/faults.md of the
rows. Every operation has a row for each of its steps and each fault, for once and always where it does harm.
"""

import collections
import os

STEPS = {  # of each operation: the calls of the vault that it needs, in their order
    "find": ["sign-in", "list"],
    "endpoints": ["sign-in", "list"],
    "checkout": ["sign-in", "list", "request", "credential"],
    "direct": ["sign-in", "list", "isa"],
    "release": ["check-in"],
    "complete": ["check-in"],
}
HARMFUL = ["html500", "unavailable", "throttle", "drop_before", "drop_after", "reset", "truncate", "garbage", "hang", "page",
           "page_after", "lost_session"]
HARMLESS = ["extra", "chunked", "no_length", "informational", "close"]  # forms of an answer that must make no difference
PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "faults.txt")

Row = collections.namedtuple("Row", "operation step fault often answer calls afterwards")


def rows():
    """Every row; the columns are separated by two blanks or more."""
    with open(PATH, encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    return [Row(*(word.strip() for word in line.split("  ") if word.strip())) for line in lines]


def every():
    """What the table must have a row for."""
    often = [(fault, how) for fault in HARMFUL for how in ("once", "always")] + [(fault, "always") for fault in HARMLESS]
    return [(operation, step, *one) for operation, steps in STEPS.items() for step in steps for one in often]
