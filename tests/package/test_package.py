# SPDX-License-Identifier: Apache-2.0
"""The Debian packages as files: contents, permissions, notices, lintian, the same bytes from two folders.

JG_PACKAGES names a folder where scripts/package has put them; without it they are built. Installing and upgrading is
tests/package/install-test.
"""

import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = {page.name for page in (ROOT / "docs").glob("*.md")}
PROGRAMS = {"jumpgate": "jumpgate.conf", "jumpgate-reports": "reports.conf"}  # package and program: configuration
# What a program's package has besides pages of docs/.
FILES = """
etc/logrotate.d/NAME
usr/bin/NAME
usr/lib/systemd/system/NAME.service
usr/lib/sysusers.d/NAME.conf
usr/lib/tmpfiles.d/NAME.conf
usr/share/bash-completion/completions/NAME
usr/share/doc/NAME/changelog.gz
usr/share/doc/NAME/copyright
usr/share/doc/NAME/NAME.spdx.json
usr/share/doc/NAME/openapi.yaml
usr/share/fish/vendor_completions.d/NAME.fish
usr/share/NAME/alerts.yml
usr/share/NAME/dashboard.json
usr/share/NAME/CONF
usr/share/NAME/openapi.yaml
usr/share/man/man1/NAME.1.gz
usr/share/man/man5/CONF.5.gz
usr/share/zsh/vendor-completions/_NAME
""".split()
MORE = {"jumpgate": {"usr/lib/systemd/system/jumpgate.socket"},
        "jumpgate-reports": {f"usr/share/doc/jumpgate-reports/pictures/{file.name}"
                             for file in (ROOT / "docs/pictures").iterdir()}}
each_program = pytest.mark.parametrize("name", PROGRAMS)


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source, folder, *options, **environment):
    """The packages of a source tree, built with scripts/package in a build folder of their own."""
    run(source / "scripts/package", "--output", folder, "--build", folder / "build", *options, env={**os.environ, **environment})
    return folder


@pytest.fixture(scope="module", name="packages")
def _packages(tmp_path_factory):
    """{name of the package: its file}"""
    named = os.environ.get("JG_PACKAGES")
    folder = pathlib.Path(named) if named else build(ROOT, tmp_path_factory.mktemp("packages"))
    return {file.name.partition("_")[0]: file for file in folder.glob("*.deb")}


@pytest.fixture(scope="module", name="tree")
def _tree(packages, tmp_path_factory):
    """All packages, unpacked into one folder."""
    folder = tmp_path_factory.mktemp("tree")
    for file in packages.values():
        run("dpkg-deb", "-x", file, folder)
    return folder


def names(package):
    """The files of a package, without folders: {name: permissions}"""
    rows = [line.split(None, 5) for line in run("dpkg-deb", "-c", package).splitlines()]
    assert all(row[1] == "root/root" for row in rows), rows
    assert len({tuple(row[3:5]) for row in rows}) == 1, "one time for all files"
    return {row[5].removeprefix("./").split(" -> ")[0]: row[0] for row in rows if not row[5].endswith("/")}


@each_program
def test_what_is_in_the_package(packages, name):
    found = names(packages[name])
    pages = {page for page in PAGES if page.startswith("reports") == (name == "jumpgate-reports")}
    expected = {file.replace("NAME", name).replace("CONF", PROGRAMS[name]) for file in FILES} | MORE[name]
    assert len(pages) >= 4 and set(found) == expected | {f"usr/share/doc/{name}/{page}" for page in pages}
    for file, mode in found.items():
        assert mode == ("-rwxr-xr-x" if file.startswith("usr/bin/") else
                        "lrwxrwxrwx" if file.endswith(f"doc/{name}/openapi.yaml") else "-rw-r--r--"), file


def test_the_plug_in_is_its_sources(packages):
    tracked = run("git", "-C", ROOT, "ls-files", "contrib/ecm-plugin").split()
    expected = {f"usr/share/jumpgate/{name.removeprefix('contrib/')}" for name in tracked
                if not pathlib.Path(name).name.startswith(".")}
    found = {name for name in names(packages["jumpgate-ecm-plugin"]) if "/ecm-plugin/" in name}
    assert found == expected and len(found) > 40


LIBRARIES = "libc6 libcjson1 libcurl4 libexpat1 libinih1 libseccomp2 libsqlite3-0 libssl3 libsystemd0 libuv1 zlib1g".split()
OF_REPORTS = ["libglib2.0-0", "libodbc2", "libzip"]


@each_program
def test_depends_on_what_is_linked(packages, name):
    depends = run("dpkg-deb", "-f", packages[name], "Depends")
    for library in LIBRARIES + (OF_REPORTS if name == "jumpgate-reports" else []):
        assert re.search(rf"\b{library}\d?(t64)?\b", depends), (library, depends)
    version = run("dpkg-deb", "-f", packages[name], "Version").strip()
    symbols = run("dpkg-deb", "-f", packages["jumpgate-dbgsym"], "Depends").strip()
    assert symbols == f"jumpgate (= {version}) | jumpgate-reports (= {version})"


def test_the_gateway_needs_nothing_of_the_reports(packages, tree):
    assert not [library for library in OF_REPORTS if library in run("dpkg-deb", "-f", packages["jumpgate"], "Depends")]
    loaded = run("ldd", tree / "usr/bin/jumpgate")
    assert "libuv" in loaded and not re.search("libzip|libodbc|libglib", loaded), loaded


@each_program
def test_the_configuration_is_the_text_of_the_program(tree, name):
    text = run(tree / "usr/bin" / name, "config", "--defaults")
    assert (tree / "usr/share" / name / PROGRAMS[name]).read_text(encoding="utf-8") == text


def test_links_of_the_documents_lead_to_packaged_files(tree):
    folder = tree / "usr/share/doc"
    links = [(page, link) for page in folder.glob("*/*.md")
             for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))]
    assert len(links) > 100 and not [(page, link) for page, link in links if not (page.parent / link).exists()]
    assert "bench/report.md (in the sources)" in (folder / "jumpgate/README.md").read_text(encoding="utf-8")


@each_program
def test_the_scripts_are_sound(packages, tmp_path, name):
    run("dpkg-deb", "-e", packages[name], tmp_path)
    for script in ("preinst", "postinst", "prerm", "postrm"):
        assert (tmp_path / script).stat().st_mode & 0o777 == 0o755
        run("sh", "-n", tmp_path / script)
    assert (tmp_path / "conffiles").read_text(encoding="ascii") == f"/etc/logrotate.d/{name}\n"


def test_users_and_folders(tree, tmp_path):
    """systemd's own tools take the two files, in a tree of their own."""
    for tool in ("systemd-sysusers", "systemd-tmpfiles"):
        if not shutil.which(tool) or os.geteuid() != 0:
            pytest.skip(f"{tool} as root")
    for name in ("sysusers.d", "tmpfiles.d"):
        shutil.copytree(tree / "usr/lib" / name, tmp_path / "usr/lib" / name)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("root:x:0:\nadm:x:4:\n", encoding="ascii")
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n", encoding="ascii")
    run("systemd-sysusers", f"--root={tmp_path}", "jumpgate.conf")
    users = {line.split(":")[0]: line.split(":") for line in (tmp_path / "etc/passwd").read_text(encoding="utf-8").splitlines()}
    groups = {line.split(":")[0]: line.split(":") for line in (tmp_path / "etc/group").read_text(encoding="utf-8").splitlines()}
    assert users["jumpgate"][5:] == ["/var/lib/jumpgate", "/usr/sbin/nologin"]
    assert groups["jumpgate-clients"][3] == "jumpgate"
    run("systemd-tmpfiles", f"--root={tmp_path}", "--create", "jumpgate.conf")
    user, group = int(users["jumpgate"][2]), int(groups["jumpgate"][2])
    for name, mode, owner in (("etc/jumpgate", 0o750, (0, group)), ("etc/jumpgate/secrets", 0o700, (0, 0)),
                              ("etc/jumpgate/tls", 0o750, (0, group)), ("var/lib/jumpgate", 0o700, (user, group)),
                              ("var/log/jumpgate", 0o750, (user, 4)), ("run/jumpgate", 0o755, (user, group))):
        found = (tmp_path / name).stat()
        assert (found.st_mode & 0o777, (found.st_uid, found.st_gid)) == (mode, owner), name


@each_program
def test_the_program_is_hardened(tree, name):
    program = tree / "usr/bin" / name
    header, dynamic = run("readelf", "-h", program), run("readelf", "-dlW", program)
    assert "DYN (Position-Independent Executable" in header
    assert "BIND_NOW" in dynamic and "GNU_RELRO" in dynamic
    assert re.search(r"GNU_STACK.* RW +0x", dynamic)
    symbols = run("readelf", "--dyn-syms", "-W", program)
    assert "__stack_chk_fail" in symbols and "_chk@" in symbols.replace("__stack_chk_fail", "")
    assert str(ROOT).encode() not in program.read_bytes()


@pytest.mark.parametrize("name, function", [("jumpgate", "broker_checkout"), ("jumpgate-reports", "store_open")])
def test_the_symbols_belong_to_the_program(tree, name, function):
    build_id = re.search(r"Build ID: (\w\w)(\w+)", run("readelf", "-n", tree / "usr/bin" / name))
    symbols = tree / "usr/lib/debug/.build-id" / build_id[1] / f"{build_id[2]}.debug"
    assert re.search(rf"FUNC .* {function}$", run("readelf", "-sW", symbols), re.MULTILINE)
    assert ".symtab" not in run("readelf", "-SW", tree / "usr/bin" / name)
    assert str(ROOT) not in run("readelf", "--debug-dump=line", symbols)


def test_the_changelog_begins_with_the_version(packages, tree):
    version = run("dpkg-deb", "-f", packages["jumpgate"], "Version").strip()
    raw = (tree / "usr/share/doc/jumpgate/changelog.gz").read_bytes()
    assert gzip.decompress(raw).decode().startswith(f"jumpgate ({version}) ")
    assert raw[3] == 0 and raw[4:8] == bytes(4), "no name and no time in it"


# ---- what it is made from ----

def read_list(tree, name):
    return json.loads((tree / f"usr/share/doc/{name}/{name}.spdx.json").read_text(encoding="utf-8"))


@each_program
def test_the_list_is_spdx(tree, name):
    """What SPDX 2.3 requires of a document, its packages and their relationships."""
    sbom = read_list(tree, name)
    assert (sbom["spdxVersion"], sbom["dataLicense"], sbom["SPDXID"]) == ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
    assert sbom["name"] and re.fullmatch(r"https://[^#\s]+", sbom["documentNamespace"])
    made = sbom["creationInfo"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["created"]) and not made["created"].startswith("1970")
    assert all(re.fullmatch(r"(Tool|Organization|Person): \S.*", creator) for creator in made["creators"]) and made["creators"]
    ids = [package["SPDXID"] for package in sbom["packages"]]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", one) for one in ids)
    for package in sbom["packages"]:
        assert package["name"] and package["versionInfo"] and package["downloadLocation"] == "NOASSERTION"
        assert package["filesAnalyzed"] is False
        assert re.fullmatch(r"NOASSERTION|[A-Za-z0-9.-]+", package["licenseDeclared"])
        for reference in package.get("externalRefs", []):
            assert reference["referenceCategory"] == "PACKAGE-MANAGER" and reference["referenceType"] == "purl"
            assert re.fullmatch(r"pkg:deb/\w+/[a-z0-9.+-]+@[^?\s:]+\?arch=\w+(&distro=\w+)?", reference["referenceLocator"])
    known = set(ids) | {"SPDXRef-DOCUMENT"}
    for row in sbom["relationships"]:
        assert {row["spdxElementId"], row["relatedSpdxElement"]} <= known
        assert row["relationshipType"] in ("DESCRIBES", "STATIC_LINK", "DYNAMIC_LINK", "DEPENDS_ON")
    assert {row["relatedSpdxElement"] for row in sbom["relationships"]} == set(ids), "each package is in a relationship"


@each_program
def test_the_list_is_what_is_linked(packages, tree, name):
    sbom, related = read_list(tree, name), {}
    for row in sbom["relationships"]:
        related.setdefault(row["relationshipType"], set()).add(row["relatedSpdxElement"].removeprefix("SPDXRef-Package-"))
    assert "uthash-dev" in related["STATIC_LINK"]
    assert ("libjs-chart.js" in related["STATIC_LINK"]) == (name == "jumpgate-reports")
    depends = run("dpkg-deb", "-f", packages[name], "Depends")
    linked = {word.split(" ")[0] for word in depends.split(", ") if not word.startswith("systemd")}
    assert related["DYNAMIC_LINK"] == linked
    declared = {package["name"]: package["licenseDeclared"] for package in sbom["packages"]}
    assert not [one for one in related["DYNAMIC_LINK"] | related["STATIC_LINK"] if declared[one] == "NOASSERTION"]
    notices = (tree / f"usr/share/doc/{name}/copyright").read_text(encoding="utf-8")
    assert not [one for one in related["DYNAMIC_LINK"] if not re.search(rf"\b{re.escape(one.removesuffix('t64'))}\b", notices)]


# ---- the whole ----

def test_lintian(packages):
    if not shutil.which("lintian"):
        pytest.skip("lintian is not installed: scripts/install-dependencies --package")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", *packages.values()],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_another_folder_gives_the_same_bytes(packages, tmp_path):
    """The source in another folder, built in another folder."""
    source = tmp_path / "elsewhere"
    for name in filter(None, run("git", "-C", ROOT, "ls-files", "-z").split("\0")):
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or run("git", "-C", ROOT, "log", "-1", "--format=%ct").strip()
    revision = run("git", "-C", ROOT, "rev-parse", "--short=12", "HEAD").strip()  # the copy is no checkout
    others = build(source, tmp_path / "out", f"-DJG_REVISION={revision}", SOURCE_DATE_EPOCH=epoch)
    assert sorted(file.name for file in others.glob("*.deb")) == sorted(file.name for file in packages.values())
    for file in packages.values():
        run("cmp", file, others / file.name)


def test_32_bits_are_refused(tmp_path):
    """The compiler makes 32-bit objects without a 32-bit C library; programs are not linked for the question."""
    done = subprocess.run(["cmake", "-S", ROOT, "-B", tmp_path, "-DCMAKE_C_FLAGS=-m32",
                           "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY"], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "jumpgate needs a 64-bit target" in done.stderr
