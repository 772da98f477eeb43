# SPDX-License-Identifier: Apache-2.0
"""Which unit test programs are made of which sources, as Ninja knows it; for scripts/coverage and scripts/mutate."""

import json
import os
import subprocess

PARTS = ("src/broker/", "src/backends/", "src/stores/")


def programs(build, tree="."):
    """For each test of ctest but the long ones its program in the build folder and the sources of PARTS that are linked into it.

    A library's source counts for each program that links the library, whether or not the linker takes its object.
    """
    listing = subprocess.run(["ctest", "--test-dir", build, "-LE", "long", "--show-only=json-v1"], capture_output=True, text=True, check=True)
    targets = subprocess.run(["ninja", "-C", build, "-t", "targets", "all"], capture_output=True, text=True, check=True).stdout
    made = {line.partition(":")[0] for line in targets.splitlines()}
    found = {}
    for test in json.loads(listing.stdout)["tests"]:
        program = "tests/" + test["name"]  # as jg_test() puts them; other tests are no programs of their own
        if program in made:
            found[test["name"]] = program, sources(build, tree, program)
    return found


def sources(build, tree, program):
    """The sources of PARTS that are linked into a program, as Ninja knows it."""
    inputs = subprocess.run(["ninja", "-C", build, "-t", "inputs", program], capture_output=True, text=True, check=True)
    paths = {os.path.relpath(line.strip(), tree) for line in inputs.stdout.splitlines() if line.strip().endswith(".c")}
    return {path for path in paths if path.startswith(PARTS)}
