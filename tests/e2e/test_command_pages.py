# SPDX-License-Identifier: Apache-2.0
"""What the tables of commands and keys give beside the help: man pages, docs/commands.md, completion for shells.

The formatters and shells that a machine does not have are left out; groff and bash are on every one.
"""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import BIN
from test_commands import ROOT, all_rows, jumpgate

PAGES = {"jumpgate.1": ("help", "--man"), "jumpgate.conf.5": ("config", "--man")}
SHELLS = {"bash": "jumpgate", "zsh": "_jumpgate", "fish": "jumpgate.fish"}


def output(*words):
    done = jumpgate(*words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


def test_page_of_commands_is_current():
    assert (ROOT / "docs/commands.md").read_text() == output("help", "--doc"), "jumpgate help --doc > docs/commands.md"


def test_lines_of_the_page_are_short():
    text = output("help", "--doc")
    assert max(map(len, text.splitlines())) <= 100


# ---- man pages ----

@needs("groff")
@pytest.mark.parametrize("page", PAGES)
def test_man_page_has_no_warnings(page):
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=output(*PAGES[page]), capture_output=True,
                          text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@needs("mandoc")
@pytest.mark.parametrize("page", PAGES)
def test_man_page_is_clean_for_mandoc(page):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"], input=output(*PAGES[page]), capture_output=True,
                          text=True, timeout=60, check=False)
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []


@needs("man")
@pytest.mark.parametrize("page", PAGES)
def test_man_finds_the_name_and_formats_without_warnings(page, tmp_path):
    path = tmp_path / page
    path.write_text(output(*PAGES[page]))
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"}
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(path)], capture_output=True,
                          text=True, timeout=60, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if shutil.which("lexgrog"):
        found = subprocess.run(["lexgrog", str(path)], capture_output=True, text=True, timeout=60, check=False)
        assert found.returncode == 0 and page.rsplit(".", 1)[0] + " - " in found.stdout


def plain(page):
    """The page as a reader sees it, its blanks made one."""
    done = subprocess.run(["groff", "-man", "-Tutf8", "-P-cbou"], input=output(*PAGES[page]), capture_output=True,
                          text=True, timeout=60, check=True)
    return " ".join(done.stdout.split())


@needs("groff")
def test_man_page_has_every_command_and_flag():
    text = plain("jumpgate.1")
    for row in all_rows():
        shown = jumpgate("help", *row).stdout
        if "\ncommands:\n" in shown:
            continue
        assert f"jumpgate {' '.join(row)} " in text
        for flag in re.findall(r"^  (-[-a-z]+)", shown.split("\noptions:\n")[1].split("\n\n")[0], re.M):
            assert f"{flag} " in text


@needs("groff")
def test_man_page_has_every_key():
    text = plain("jumpgate.conf.5")
    for line in output("config").splitlines():
        if re.match(r"#?\w+ =", line):
            assert f" {line.lstrip('#').split(' = ')[0]} " in text
    assert "{domain}\\{username}" in text and "CORP\\ann:EXT\\ann.lee local-bob:CORP\\bob" in text


# ---- completion ----

def complete_bash(tmp_path, *words):
    """What bash offers for the last of the words."""
    script = tmp_path / "completion"
    script.write_text(output("help", "--completion", "bash"))
    lines = [f"source {shlex.quote(str(script))}",
             f"COMP_WORDS=({' '.join(map(shlex.quote, ('jumpgate', *words)))})", f"COMP_CWORD={len(words)}", "_jumpgate",
             'printf "%s\\n" "${COMPREPLY[@]}"']
    done = subprocess.run(["bash", "-eu", "-c", "\n".join(lines)], capture_output=True, text=True, timeout=60, cwd=tmp_path,
                          check=False)
    assert (done.returncode, done.stderr) == (0, ""), (done.stdout, done.stderr)
    return set(done.stdout.split("\n")) - {""}


def test_bash_completes_commands_and_flags(tmp_path):
    commands = {row[0] for row in all_rows()}
    assert complete_bash(tmp_path, "") == commands | {"--help", "--version"}
    assert complete_bash(tmp_path, "stat") == {"status"}
    assert complete_bash(tmp_path, "status", "-") == {"-c", "--json", "--help"}
    assert {"list", "release", "--user", "--help"} <= complete_bash(tmp_path, "leases", "")
    assert complete_bash(tmp_path, "leases", "rel") == {"release"}
    assert complete_bash(tmp_path, "leases", "-c", "list", "release", "--t") == {"--terminate"}
    assert complete_bash(tmp_path, "leases", "list", "--user", "a") == set()
    assert complete_bash(tmp_path, "help", "") >= commands
    assert complete_bash(tmp_path, "help", "leases", "") == {"checkin", "list", "release"}
    for row in all_rows():
        shown = jumpgate("help", *row).stdout
        if "\noptions:\n" in shown:
            flags = set(re.findall(r"^  (-[-a-z]+)", shown.split("\noptions:\n")[1].split("\n\n")[0], re.M))
            assert complete_bash(tmp_path, *row, "-") == flags


def test_bash_completes_values_and_files(tmp_path):
    (tmp_path / "a b.conf").touch()
    assert complete_bash(tmp_path, "leases", "list", "--state", "") == {"intent", "open", "pending", "releasing", "lapsed", "spinning"}
    assert complete_bash(tmp_path, "leases", "--state", "l") == {"lapsed"}
    assert complete_bash(tmp_path, "help", "--completion", "") == {"bash", "zsh", "fish"}
    assert complete_bash(tmp_path, "check", "-c", "a") == {"a b.conf"}
    assert complete_bash(tmp_path, "audit", "verify", "a") == {"a b.conf"}


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_is_well_formed(shell, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "completion"
    path.write_text(output("help", "--completion", shell))
    done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@needs("fish")
def test_fish_completes(tmp_path):
    path = tmp_path / "jumpgate.fish"
    path.write_text(output("help", "--completion", "fish"))
    (tmp_path / "a.conf").touch()

    def offered(line):
        done = subprocess.run(["fish", "--no-config", "-c", f"source {path}; complete -C '{line}'"], capture_output=True,
                              text=True, timeout=60, cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)}, check=True)
        return {row.split("\t")[0] for row in done.stdout.splitlines()}
    assert offered("jumpgate stat") == {"status"} and offered("jumpgate leases ") == {"list", "release"}
    assert offered("jumpgate leases list --state ") == {"intent", "open", "pending", "releasing", "lapsed", "spinning"}
    assert "a.conf" in offered("jumpgate check -c ") and "--terminate" in offered("jumpgate leases release --t")
    assert "--overdue" in offered("jumpgate leases --o") and not offered("jumpgate leases --t")


@needs("zsh")
def test_zsh_takes_every_specification(tmp_path):
    """_arguments refuses a specification that it does not understand; a stub of the completion system's calls it."""
    path = tmp_path / "_jumpgate"
    path.write_text(output("help", "--completion", "zsh"))
    script = r"""
compdef() { }
_describe() { print -r -- "offer ${(P)#2}" }
_arguments() {
  [[ $1 == -C ]] && { state=$want; shift }
  for spec; do
    [[ $spec == ('(-V --version)'|'')(-V|--version|-c|--[a-z-]##)\[[^]]##\](:[A-Z]##:(_files|' '|\([a-z\ ]##\)))# ||
       $spec == ('1:command:->'[a-z]##|'*::argument:->'[a-z]##|'*:file:_files') ]] || print -r -- "bad $spec"
  done
}
setopt extendedglob
source "$1"
for want in command arguments; do
  for command in $=2; do line=($command) want=$want; _jumpgate; done
done
"""
    done = subprocess.run(["zsh", "-f", "-c", script, "zsh", str(path), " ".join(row[0] for row in all_rows())],
                          capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "offer" in done.stdout and "bad" not in done.stdout


# ---- the build folder ----

@pytest.mark.parametrize("file, words", [
    *((f"man/{page}", words) for page, words in PAGES.items()),
    *((f"completion/{name}", ("help", "--completion", shell)) for shell, name in SHELLS.items()),
])
def test_build_writes_the_pages(file, words):
    path = Path(BIN).parent / file
    if not path.exists() or path.stat().st_mtime < (Path(BIN) / "jumpgate").stat().st_mtime:
        pytest.skip("the target `pages` was not built")
    assert path.read_text() == output(*words)
