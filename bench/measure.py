# SPDX-License-Identifier: Apache-2.0
"""Figures of a release build, reported and never asserted.

    bench/run [MEASURE]... [--seconds N] [--rounds N] [--minutes N] [--report [FILE]]
    bench/run --ab DIR_A DIR_B [--seconds N] [--rounds N]

  throughput    check-out + release in a closed loop: rate, CPU time and vault calls of each; find; search in 20,000 systems
  many          16 and 1,024 clients on 64 vault connections: check-outs per CPU second; and with more users than that
  static        find from memory against nginx with a file of the same size
  syscalls      system calls of each operation (needs strace)
  instructions  instructions of each operation by callgrind (needs valgrind)
  in-flight     2,000 check-outs at once against 200 ms vault latency: memory per check-out, vault connection, client connection
  added         1,024 check-outs at once against 200 ms: time above what the vault itself takes
  handshakes    new TLS connections of clients against OpenSSL's own handshake
  durable       journal and audit on disk against tmpfs; commits per check-out; the disk's own fdatasync rate
  restart       100,000 open leases in the store: time to ready, memory per lease, check-ins on time and how many at once
  leases        memory per open lease in the running process
  overload      10,000 check-outs in flight on 256 connections; twice the sustainable rate in an open loop
  idle          wake-ups of an idle gateway, as context switches and CPU time
  start         start to ready with an empty store, size, idle memory
  profile       where the gateway's CPU time goes (needs perf)
  pra           early release by polling and by events, quiet polls, a long listing, find and check-out while the PRA site is faulty
  keyed         500 sessions on 50 credentials of a vault without numbers, with lost answers; a Password Safe beside one that hangs
  peers         the same work by jumpgate, nginx + Lua, Go and Node, Go also durable, in interleaved rounds (those that are installed)
  soak          a mix at half the sustainable rate for --minutes: a row each minute, and whether anything grows

Without a name all run but soak. --report writes what is printed into bench/report.md, in place of the same measures' earlier
figures, and installs what is missing before. --ab compares the gateways of two directories of programs.
"""

import argparse
import pathlib
import resource
import sys
import tempfile
import traceback

import cluster
import compare
import cost
import durability
import flight
import handshakes
import instructions
import keyed
import limits
import peers
import pra
import report
import sampling
import soak
from output import begin, say, section
from stage import certificates

MEASURES = {"throughput": cost.throughput, "many": cost.many, "static": peers.static, "syscalls": cost.syscalls,
            "instructions": instructions.instructions, "in-flight": flight.in_flight, "added": flight.added,
            "handshakes": handshakes.handshakes, "durable": durability.durable, "restart": durability.restart,
            "leases": durability.leases, "overload": limits.overload, "idle": limits.idle, "start": limits.start,
            "profile": sampling.profile, "pra": pra.pra, "cluster": cluster.cluster, "keyed": keyed.keyed, "peers": peers.peers,
            "soak": soak.soak}


def parse():
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="MEASURE")
    parser.add_argument("--seconds", type=int, default=5, help="of each measured run (5)")
    parser.add_argument("--rounds", type=int, default=3, help="where rounds are interleaved (3)")
    parser.add_argument("--deaths", type=int, default=12, help="of gateways, in the measure cluster (12)")
    parser.add_argument("--minutes", type=int, default=30, help="of the soak (30)")
    parser.add_argument("--report", nargs="?", type=pathlib.Path, const=report.FOLDER / "report.md", metavar="FILE")
    parser.add_argument("--ab", nargs=2, type=lambda text: pathlib.Path(text).resolve(), metavar=("DIR_A", "DIR_B"))
    options = parser.parse_args()
    unknown = [name for name in options.what if name not in MEASURES]
    if unknown:
        parser.error(f"no measure {unknown[0]!r}; there are {', '.join(MEASURES)}")
    if options.report and str(options.report) in MEASURES:
        parser.error("--report comes after the measures")
    return options


def many_files():
    """A fresh machine allows 1,024 files by default; 10,000 connections need more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else 1 << 20, hard))


def one(name, folder, options):
    """True = it ran to its end. What fails says so in its section; the others go on."""
    begin(name)
    try:
        MEASURES[name](folder, options)
        return True
    except Exception as error:  # pylint: disable=broad-except
        traceback.print_exc()
        say(f"failed: {error!r}")
        return False


def main():
    options = parse()
    many_files()
    good = True
    with tempfile.TemporaryDirectory(prefix="jumpgate-bench-") as name:
        folder = pathlib.Path(name)
        certificates(folder)
        if options.ab:
            compare.compare(folder, options)
            return 0
        for title in options.what or [name for name in MEASURES if name != "soak"]:
            good = one(title, folder, options) and good
            if options.report:
                report.write(options.report, {title: section(title)}, MEASURES, folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
