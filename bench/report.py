# SPDX-License-Identifier: Apache-2.0
"""bench/report.md: put together from one section for each measure, so that a measure made anew replaces its own alone.

    # Figures
    facts of the machine, goals
    ## NAME            (revision and date, then what the measure said, in a fenced block)
    ## next bottleneck (made from the sections above)
    remarks            (bench/remarks.md, where there is one)
"""

import os
import pathlib
import platform
import re
import subprocess
import time

import goals

FOLDER = pathlib.Path(__file__).resolve().parent
BOTTLENECK = "next bottleneck"


def _output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout.strip()
    except OSError:
        return ""


def revision():
    git = ["git", "-C", str(FOLDER)]
    text = _output(*git, "rev-parse", "--short", "HEAD")
    if not text:
        return "revision unknown"
    return f"revision {text}" + (" and changes" if _output(*git, "status", "--porcelain", "--", "../src") else "")


def machine(folder):
    model = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    memory = int(open("/proc/meminfo").readline().split()[1]) / 1048576
    disk = _output("df", "--output=fstype", str(folder)).split("\n")[-1]
    return f"{model[0] if model else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB, Linux {platform.release()}, {disk}"


def note(folder):
    """Under each heading: what was measured, when, and how busy the machine was."""
    return (f"{revision()}, {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, load average {os.getloadavg()[0]:.1f}, "
            f"{machine(folder)}")


def read(path):
    """{name: (note, lines)} of an earlier report. Of one in another form nothing is kept."""
    if not path.exists():
        return {}
    found = re.findall(r"^## ([^\n]+)\n\n(revision [^\n]+)\n\n```text\n(.*?)\n```$", path.read_text(), re.M | re.S)
    return {name: (text, body.split("\n")) for name, text, body in found}


def _trim(lines):
    start, end = 0, len(lines)
    while start < end and not lines[start].strip():
        start += 1
    while end > start and not lines[end - 1].strip():
        end -= 1
    return lines[start:end]


def _goal_table(sections):
    rows = [(name, goal) for name, (_, lines) in sections.items() for goal in goals.read(lines)]
    out = ["| goal | wanted | reached | met | section |", "| --- | --- | --- | --- | --- |"]
    out += [f"| {g['what']} | {g['way']} {g['wanted']} | {g['reached']} | {g['met']} | {name} |" for name, g in rows]
    missing = {what for what, _, _ in goals.GOALS.values()} - {g["what"] for _, g in rows}
    out += [f"| {what} | {way} {goals.number(wanted)} | not measured | | |"
            for what, way, wanted in goals.GOALS.values() if what in missing]
    return out


def _bottleneck(sections):
    """The goals that are missed, the farthest first, and where the time goes."""
    missed = [g for _, lines in sections.values() for g in goals.read(lines) if g["met"] == "no"]
    out = [f"- missed: {g['what']}: {g['reached']}, wanted {g['way']} {g['wanted']}" for g in sorted(missed, key=goals.distance)]
    out = out or ["- every goal that was measured is met"]
    for name in ("profile", "instructions", "syscalls"):
        out += [f"- {name}: {line}" for line in sections.get(name, ("", []))[1] if line.startswith("most ")]
    return out


def write(path, said, order, folder):
    """`said` is {name: lines} of what was measured just now, which gets a note of this moment; all other sections stay."""
    sections = read(path)
    sections.update({name: (note(folder), _trim(lines)) for name, lines in said.items()})
    sections = {name: sections[name] for name in order if name in sections}
    out = ["# Figures", "", "Written by `bench/run --report`. How to read them: docs/benchmarks.md. Each section is of the revision and",
           "the moment it names; a load average above the number of cores means that others were using the machine.", "",
           "## goals", "", *_goal_table(sections), ""]
    for name, (text, lines) in sections.items():
        out += [f"## {name}", "", text, "", "```text", *lines, "```", ""]
    out += [f"## {BOTTLENECK}", "", *_bottleneck(sections), ""]
    remarks = FOLDER / "remarks.md"
    if remarks.exists():
        out += ["## remarks", "", remarks.read_text().strip(), ""]
    fresh = path.with_suffix(".new")
    fresh.write_text("\n".join(out))
    fresh.replace(path)
