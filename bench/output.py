# SPDX-License-Identifier: Apache-2.0
"""What a benchmark run says: on standard output as it comes, and kept for the report."""

import os
import pathlib
import platform
import subprocess
import time

_lines = []


def say(text=""):
    _lines.append(text)
    print(text, flush=True)


def _output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.strip()
    except OSError:
        return ""


def _machine(folder):
    model = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    memory = int(open("/proc/meminfo").readline().split()[1]) / 1048576
    disk = _output("df", "--output=fstype", folder).split("\n")[-1]
    return [f"- {model[0] if model else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB, Linux {platform.release()}",
            f"- temporary files on {disk}; load average at the end {os.getloadavg()[0]:.1f} (over the number of cores: "
            "others were using the machine)",
            f"- {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, "
            f"revision {_output('git', '-C', str(pathlib.Path(__file__).parent), 'rev-parse', '--short', 'HEAD') or 'unknown'}"]


def write_report(path):
    """Tables stay as they were printed, in fenced blocks; what they mean is in docs/benchmarks.md."""
    out = ["# Figures of one run", "", "Written by `bench/run --report`. How to read them: docs/benchmarks.md.", ""]
    out += _machine("/tmp")
    fenced = False
    for line in "\n".join(_lines).split("\n"):
        heading = line.startswith("## ")
        if heading and fenced:
            while out[-1] == "":
                out.pop()
            out.append("```")
            fenced = False
        if heading:
            out += ["", line, ""]
        elif fenced or line:
            if not fenced:
                out.append("```text")
                fenced = True
            out.append(line)
    while out[-1] == "":
        out.pop()
    path.write_text("\n".join(out + (["```"] if fenced else [])) + "\n")
