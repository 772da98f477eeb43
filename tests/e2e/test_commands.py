"""The commands of jumpgate that do not serve: check, config, --version, --help, and wrong command lines.

The binary is taken from JG_BIN_DIR (default build/dev/bin).
"""
import functools
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / os.environ.get("JG_BIN_DIR", "build/dev/bin") / "jumpgate"

NO_DEFAULT = pytest.mark.skipif(Path("/etc/jumpgate/jumpgate.conf").exists(), reason="jumpgate is configured here")

GOOD = """[listener main]
address = 127.0.0.1:0
[client pra]
token_sha256 = {token}
allow = broker
[vault main]
url = https://vault.example/BeyondTrust/api/public/v3
api_key_file = {dir}/key
"""


def jumpgate(*words):
    return subprocess.run([str(BIN), *map(str, words)], capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL, check=False)


@pytest.fixture(name="conf")
def conf_fixture(tmp_path):
    """Writes a configuration: the smallest good one, with text before and after it."""
    key = tmp_path / "key"
    key.write_text("0123456789abcdef")
    key.chmod(0o600)

    def write(before="", after=""):
        path = tmp_path / "jumpgate.conf"
        path.write_text(before + GOOD.format(token="ab" * 32, dir=tmp_path) + after)
        return path
    return write


def test_check_good(conf):
    path = conf()
    done = jumpgate("check", "-c", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}: ok\n", "")


def test_check_names_all_mistakes(conf):
    path = conf(before="[gateway]\nrealease_duration = 1h\nlist_cache = 15\n", after="session_idle = 20m\n")
    done = jumpgate("check", "-c", path)
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0] == (f"{path}:2: unknown key `realease_duration` in [gateway]; "
                        "did you mean `release_duration`?")
    assert [line.split(":")[1] for line in lines] == ["2", "3", "12"]


def test_check_warns_and_passes(conf):
    path = conf(after="minute = 1s\n")
    done = jumpgate("check", "-c", path)
    assert (done.returncode, done.stdout) == (0, f"{path}: ok\n")
    assert done.stderr.startswith(f"{path}:9: warning: `minute`")


@pytest.mark.parametrize("line, words", [
    ("user_map = CORP\\a:CORP\\x;y", "`user_map`: `CORP\\x;y` must not contain a semicolon"),
    ("user_map = k\u200bim:CORP\\kim", "must not contain letters without width"),
    ("domain_map = CORP:AC\\ME", "`domain_map`: `AC\\ME` must not contain a backslash"),
    ("default_domain = AC;ME", "`default_domain`: `AC;ME` must not contain a semicolon"),
    ("run_as = {username};x", "`run_as`: `{username};x` must not contain a semicolon"),
    ("directory_user = zoe\u0308", "must be written with composed letters"),
], ids=["user_map right", "user_map left", "domain_map", "default_domain", "run_as", "directory_user"])
def test_check_names_a_person_who_cannot_be(conf, line, words):
    path = conf(after=line + "\n")
    done = jumpgate("check", "-c", path)
    assert done.returncode == 1
    assert f"{path}:9: " in done.stderr and words in done.stderr


def test_check_missing_file(tmp_path):
    done = jumpgate("check", "-c", tmp_path / "none.conf")
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path}/none.conf: cannot read: No such file or directory\n"


def test_check_never_shows_a_secret(conf):
    done = jumpgate("check", "-c", conf(after="api_key = hunter2hunter2\nrun_as_password_file = hunter2hunter2\n"))
    assert done.returncode == 1
    assert "hunter2" not in done.stdout + done.stderr
    assert "`api_key_file`" in done.stderr


@pytest.mark.parametrize("content, words", [
    (b"s3cret\x00", "a zero byte"),
    ("s3cret".encode("utf-16"), "a zero byte"),
    (b"\xef\xbb\xbfs3cret", "byte-order mark"),
    (b"s3cret\nanother\n", "more than one line"),
    (b"s3cret\tx", "a control character"),
    (b"s3 cret", "a blank or a semicolon"),
    (b"s3cret" * 1000, "longer than 4096 bytes"),
    (b"\r\n", "nothing but line ends"),
], ids=["zero", "utf-16", "mark", "lines", "tab", "blank", "long", "empty"])
def test_check_looks_into_a_key_file(conf, tmp_path, content, words):
    path = conf()
    (tmp_path / "key").write_bytes(content)
    for command in ("check", "run"):
        done = jumpgate(command, "-c", path)
        assert done.returncode == 1
        assert f"{path}:8: `api_key_file`: {tmp_path}/key " in done.stderr and words in done.stderr
        assert "s3" not in done.stderr.replace(str(tmp_path), "")


def test_check_takes_a_key_file_from_another_system(conf, tmp_path):
    path = conf()
    (tmp_path / "key").write_bytes(b"0123456789abcdef\r\n")
    assert jumpgate("check", "-c", path).returncode == 0


def test_run_refuses_a_bad_configuration(conf):
    done = jumpgate("run", "-c", conf(after="retries = many\n"))
    assert done.returncode != 0
    assert "`retries` needs a whole number" in done.stderr


def test_config_is_what_the_tree_holds():
    assert jumpgate("config", "--defaults").stdout == (ROOT / "conf/jumpgate.conf").read_text()
    assert jumpgate("config").stdout == (ROOT / "conf/jumpgate.conf").read_text()
    assert jumpgate("config", "--doc").stdout == (ROOT / "docs/configuration.md").read_text()


def test_config_with_sections_added_is_good(conf):
    path = conf(before=jumpgate("config", "--defaults").stdout)
    done = jumpgate("check", "-c", path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version(flag):
    done = jumpgate(flag)
    assert done.returncode == 0
    assert re.fullmatch(r"jumpgate \d+\.\d+\.\d+\n", done.stdout)


def names(text):
    """The commands that a help lists."""
    return re.findall(r"^  ([a-z]+) ", text.split("\ncommands:\n")[1].split("\n\n")[0], re.M)


@functools.lru_cache
def all_rows():
    """Every command and sub-command, as the words that name it."""
    rows = []
    for name in names(jumpgate("--help").stdout):
        rows.append((name,))
        text = jumpgate("help", name).stdout
        if "\ncommands:\n" in text:
            rows += [(name, sub) for sub in names(text)]
    return rows


def test_overview_has_every_command():
    done = jumpgate("--help")
    assert done.returncode == 0
    assert jumpgate("help").stdout == jumpgate("-h").stdout == done.stdout
    rows = all_rows()
    for name in ("run", "check", "doctor", "status", "explain", "leases", "leases list", "leases release", "audit",
                 "audit verify", "config", "version", "help"):
        assert tuple(name.split()) in rows


def test_help_of_each_command():
    for row in all_rows():
        done = jumpgate("help", *row)
        name = " ".join(row)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"jumpgate {name} - ")
        assert re.search(rf"^usage: jumpgate {name}\b", done.stdout, re.M)
        assert jumpgate(*row, "--help").stdout == jumpgate(*row, "-h").stdout == done.stdout
        for title in ("options:", "examples:", "exit codes:"):
            assert "\ncommands:\n" in done.stdout or f"\n{title}\n" in done.stdout
        assert max(map(len, done.stdout.splitlines()[1:])) <= 90


def test_help_is_found_among_other_words():
    assert jumpgate("leases", "-c", "x", "release", "a", "--help").stdout == jumpgate("help", "leases", "release").stdout
    assert jumpgate("check", "-c", "--help").returncode == 1  # the name of a file
    assert "cannot read" in jumpgate("check", "-c", "--help").stderr


def test_flags_before_the_sub_command_and_with_an_equals_sign(tmp_path):
    for words in (("-c", tmp_path / "none", "list", "--user=ann"), ("list", "--user", "ann", "-c", tmp_path / "none")):
        done = jumpgate("leases", *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"{tmp_path}/none: cannot read: No such file or directory\n"


def test_nothing_is_a_flag_behind_two_dashes(tmp_path):
    (tmp_path / "--head").write_text("")
    done = subprocess.run([str(BIN), "audit", "verify", "--", "--head"], capture_output=True, text=True, timeout=30,
                          cwd=tmp_path, check=False)
    assert done.stderr == "" and "0 lines in 1 files" in done.stdout


@pytest.mark.parametrize("words, message", [
    ((), "usage:"),
    (("chek",), "unknown command `chek`; did you mean `check`?"),
    (("frobnicate",), "unknown command `frobnicate`\n"),
    (("x\x1b[2J",), "unknown command `x\\u001b[2J`\n"),
    (("leases", "list", "--state", "\x1b"), "--state cannot be `\\u001b`\n"),
    (("--verson",), "unknown flag `--verson`; did you mean `--version`?"),
    pytest.param(("check",), "-c FILE is missing", marks=NO_DEFAULT),
    pytest.param(("run",), "-c FILE is missing", marks=NO_DEFAULT),
    (("check", "-c"), "-c needs the name of a file"),
    (("check", "-c", "a", "-c", "b"), "-c is given twice"),
    (("check", "-c", "a", "b"), "unknown argument `b`"),
    (("config", "--default"), "unknown flag `--default`; did you mean `--defaults`?"),
    (("config", "-c", "x"), "unknown flag `-c`"),
    (("config", "--doc", "--defaults"), "exclude each other"),
    (("config", "--doc=x"), "unknown flag `--doc=x`; did you mean `--doc`?"),
    (("check", "-c", ""), "-c is empty"),
    (("help", "chek"), "unknown command `chek`; did you mean `check`?"),
    (("help", "leases", "relase"), "unknown command `relase`; did you mean `release`?\ntry: jumpgate leases --help\n"),
    (("help", "check", "x"), "unknown command `x`"),
    (("leases", "relase", "x"), "unknown command `relase`; did you mean `release`?"),
    (("leases", "list", "--terminate"), "--terminate goes with `leases release`"),
    (("leases", "list", "--state", "ope"), "--state cannot be `ope`; did you mean `open`?"),
    (("audit",), "audit needs `verify`"),
    (("audit", "verify"), "FILE [FILE...] is missing"),
    (("doctor", "--usr", "ann"), "unknown flag `--usr`; did you mean `--user`?\ntry: jumpgate doctor --help\n"),
])
def test_wrong_command_lines(words, message):
    done = jumpgate(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr


@pytest.fixture(name="own_etc", scope="module")
def _own_etc():
    """Runs a shell command with an /etc of its own, empty at first."""
    enter = ["unshare", "--map-root-user", "--mount", "sh", "-ec"]
    try:
        tried = subprocess.run([*enter, "mount -t tmpfs none /etc"], capture_output=True, timeout=30, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if tried.returncode:
        pytest.skip("no mount namespace of one's own may be made here")

    def run(script):
        done = subprocess.run([*enter, "mount -t tmpfs none /etc; " + script], capture_output=True, text=True,
                              timeout=30, stdin=subprocess.DEVNULL, check=False)
        return done.returncode, done.stdout, done.stderr
    return run


def test_configuration_has_a_default(conf, own_etc):
    path = conf()
    default = "/etc/jumpgate/jumpgate.conf"
    code, _, err = own_etc(f"{BIN} check")
    assert code == 2 and err == (f"jumpgate: -c FILE is missing, and there is no {default}\n"
                                 "usage: jumpgate check [-c FILE] [--json]\n"
                                 "       jumpgate check [-c FILE] --diff\n")
    assert own_etc(f"mkdir /etc/jumpgate; cp {path} {default}; {BIN} check") == (0, f"{default}: ok\n", "")
    code, _, err = own_etc(f"mkdir /etc/jumpgate; ln -s /no/such/file {default}; {BIN} check -c {path}")
    assert (code, err) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_lost_output_is_a_failure():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([str(BIN), "config"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30,
                              check=False)
    assert done.returncode == 1
    assert "cannot write" in done.stderr
