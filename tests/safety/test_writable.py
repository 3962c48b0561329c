"""Where policies let commands and patches write."""

import os
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.safety import WritableRoot, may_write, writable_roots
from messages.settings import (
    DangerFullAccess,
    ExternalSandbox,
    ReadOnly,
    SandboxPolicy,
    UnknownSandbox,
    WorkspaceWrite,
)

ONLY = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
NAMES = (".agents", ".codex", ".git", ".treadle")


def roots(policy: SandboxPolicy, cwd: Path, **environ: str) -> list[str] | None:
    found = writable_roots(policy, cwd=str(cwd), environ=environ)
    return None if found is None else [root.path for root in found]


def test_policy_says_where_may_be_written(tmp_path):
    """Everywhere, nowhere, or below some folders."""
    cwd, tmpdir, extra = (tmp_path / name for name in ("cwd", "tmpdir", "extra"))
    for folder in (cwd, tmpdir, extra):
        folder.mkdir()

    assert roots(DangerFullAccess(), cwd) is None
    assert roots(ExternalSandbox(), cwd) is None
    assert roots(ReadOnly(), cwd) == []
    assert roots(UnknownSandbox(tag="x", raw={}), cwd) == []
    assert roots(ONLY, cwd, TMPDIR=str(tmpdir)) == [str(cwd)]
    assert roots(WorkspaceWrite(exclude_slash_tmp=True), cwd, TMPDIR=str(tmpdir)) == [
        str(cwd),
        str(tmpdir),
    ]
    assert roots(WorkspaceWrite(exclude_tmpdir_env_var=True), cwd, TMPDIR=str(tmpdir)) == sorted(
        ["/tmp", str(cwd)]
    )
    assert roots(WorkspaceWrite(), cwd, TMPDIR="") == sorted(["/tmp", str(cwd)])
    named = WorkspaceWrite(
        writable_roots=(str(extra), "../extra", str(cwd), "/no/such", "/proc/self", "\0"),
        exclude_slash_tmp=True,
    )
    assert roots(named, cwd, TMPDIR="relative") == [str(cwd), str(extra)]


def test_linked_root_is_where_the_link_leads(tmp_path):
    """There it can be made writable."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    assert roots(ONLY, tmp_path / "link") == [f"{tmp_path}/real"]
    assert may_write(f"{tmp_path}/link/x", ONLY, cwd=f"{tmp_path}/link", environ={})
    assert may_write("x", ONLY, cwd=f"{tmp_path}/link", environ={})


def test_settings_of_git_and_ours_are_protected_in_every_root(tmp_path):
    """Whether they exist or not; below the top they are ordinary."""
    cwd = str(tmp_path)
    (tmp_path / ".git").mkdir()

    assert writable_roots(ONLY, cwd=cwd, environ={}) == (
        WritableRoot(cwd, tuple(f"{cwd}/{name}" for name in NAMES)),
    )
    for name in NAMES:
        assert not may_write(f"{cwd}/{name}", ONLY, cwd=cwd, environ={})
        assert not may_write(f"{cwd}/{name}/hooks/x", ONLY, cwd=cwd, environ={})
        assert may_write(f"{cwd}/{name}x", ONLY, cwd=cwd, environ={})
        assert may_write(f"{cwd}/sub/{name}", ONLY, cwd=cwd, environ={})


def test_root_that_is_a_file_is_writable_itself(tmp_path):
    """And has nothing to protect in it."""
    (tmp_path / "file").touch()
    policy = WorkspaceWrite(writable_roots=(f"{tmp_path}/file",), exclude_slash_tmp=True)

    found = writable_roots(policy, cwd="/no/such", environ={})

    assert found == (WritableRoot(f"{tmp_path}/file"),)


def test_worktree_protects_the_repository_it_belongs_to(tmp_path):
    """The file that points there, the folder it points to, and the one that all share."""
    shared = tmp_path / "main" / "git"
    own = shared / "worktrees" / "x"
    own.mkdir(parents=True)
    (own / "commondir").write_text("../..\n")
    (tmp_path / ".git").write_text(f"gitdir: {own}\n")

    found = writable_roots(ONLY, cwd=str(tmp_path), environ={})

    assert found is not None
    assert {str(shared), str(own), f"{tmp_path}/.git"} < set(found[0].protected)
    assert not may_write(f"{shared}/config", ONLY, cwd=str(tmp_path), environ={})


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"gitdir:", b"gitdir: \0", b"gitdir: /"])
def test_strange_pointer_protects_no_more_than_itself(tmp_path, content):
    """And reading it does not fail."""
    (tmp_path / ".git").write_bytes(content)

    found = writable_roots(ONLY, cwd=str(tmp_path), environ={})

    assert found is not None
    assert {Path(path).name for path in found[0].protected} <= {*NAMES, "\0"}


def test_where_a_protected_link_leads_is_protected(tmp_path):
    """If that is writable at all."""
    (tmp_path / "config").mkdir()
    (tmp_path / ".codex").symlink_to("config")
    (tmp_path / ".agents").symlink_to("/etc")

    found = writable_roots(ONLY, cwd=str(tmp_path), environ={})

    assert found is not None
    assert found[0].protected == (
        *(f"{tmp_path}/{name}" for name in NAMES),
        f"{tmp_path}/config",
    )
    assert not may_write(f"{tmp_path}/config/x", ONLY, cwd=str(tmp_path), environ={})
    assert not may_write(f"{tmp_path}/.codex", ONLY, cwd=str(tmp_path), environ={})


def test_rules_are_protected_with_the_folder_around_them(tmp_path):
    """Also deep inside of a root; a folder around them that is replaced would replace them."""
    dotted = tmp_path / "sub" / ".codex"
    rules = dotted / "rules"

    def allowed(path: Path, *named: Path) -> bool:
        policy = attrs.evolve(ONLY, writable_roots=tuple(map(str, named)))
        return may_write(str(path), policy, cwd=str(tmp_path), environ={}, guarded=(str(rules),))

    for there in (False, True):
        if there:
            rules.mkdir(parents=True)
        assert not allowed(dotted)
        assert not allowed(rules)
        assert not allowed(rules / "x.rules")
        assert allowed(dotted.parent / "x")
    assert allowed(dotted / "x", dotted)
    assert not allowed(rules / "x.rules", dotted)


def test_what_links_among_the_rules_lead_to_is_protected(tmp_path):
    """It decides as much as a file beside the link would."""
    for name in (".codex", "dotted", "other", "third"):
        (tmp_path / name).mkdir()
    (tmp_path / ".codex" / "rules").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "x.rules").symlink_to(tmp_path / "third" / "x")
    guarded = (f"{tmp_path}/.codex/rules",)

    def allowed(path: str) -> bool:
        return may_write(path, ONLY, cwd=str(tmp_path), environ={}, guarded=guarded)

    assert not allowed("other/y.rules")
    assert not allowed("third/x")
    assert allowed("third/y")


@pytest.mark.parametrize("variable", ["TREADLE_HOME", "CODEX_HOME", "HOME"])
def test_home_of_settings_is_protected_in_a_root_around_it(tmp_path, variable):
    """But a root inside of it is a root."""
    home = tmp_path / "home"
    project = home / "project"
    project.mkdir(parents=True)
    rules = home / ".treadle/rules" if variable == "HOME" else home / "rules"
    environ = {variable: str(home)}

    assert not may_write(str(rules), ONLY, cwd=str(tmp_path), environ=environ)
    named = WorkspaceWrite(writable_roots=(str(project),), exclude_slash_tmp=True)
    assert may_write(f"{project}/x", named, cwd=str(tmp_path), environ=environ)
    assert not may_write(f"{project}/.git", named, cwd=str(tmp_path), environ=environ)
    assert not may_write(str(rules), named, cwd=str(tmp_path), environ=environ)
    assert may_write(f"{home}/x", ONLY, cwd=str(home), environ={variable: str(home)})


@pytest.mark.parametrize("path", ["a\0b", "/etc/passwd", "..", "../x", "/", ""])
def test_what_is_elsewhere_may_not_be_written(tmp_path, path):
    """Nor what is no path at all."""
    (tmp_path / "cwd").mkdir()

    assert may_write(path, ONLY, cwd=str(tmp_path / "cwd"), environ={}) is (path == "")
    assert may_write(path, DangerFullAccess(), cwd=str(tmp_path), environ={})


def test_link_counts_by_where_it_lies_and_where_it_leads(tmp_path):
    """Writing goes through it, removing does not."""
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    (cwd / "out").symlink_to(tmp_path / "new")
    (cwd / "in").symlink_to("file")
    (cwd / "folder").symlink_to("..")
    (cwd / "loop").symlink_to("loop")
    (tmp_path / "inwards").symlink_to(cwd / "file")

    def may(path: Path) -> bool:
        return may_write(str(path), ONLY, cwd=str(cwd), environ={})

    assert not may(cwd / "out")
    assert may(cwd / "in")
    assert not may(cwd / "folder" / "x")
    assert may(cwd / "folder" / "cwd" / "x")
    assert not may(tmp_path / "inwards")
    assert may(cwd / "missing" / ".." / "x")
    assert not may(cwd / "folder" / ".git" / "..")
    assert may(cwd / "loop") in {True, False}


parts = st.lists(
    st.sampled_from(["a", "b", "l", "m", "..", "out", ".git", "x"]), min_size=1, max_size=5
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(
    st.dictionaries(
        st.sampled_from(["r/l", "r/m", "r/a/l", "out/l"]),
        st.lists(
            st.sampled_from(["..", "a", "b", "l", "m", "out", ".git"]), min_size=1, max_size=3
        ),
        max_size=4,
    ),
    parts,
)
def test_no_write_that_is_allowed_leaves_the_root(tmp_path_factory, links, path):
    """Whatever links there are: the file system itself says where a write arrives."""
    top = tmp_path_factory.mktemp("top")
    root = top / "r"
    for folder in (root / ".git", root / "a", root / "b", top / "out"):
        folder.mkdir(parents=True)
    for place, target in links.items():
        if (top / place).parent.is_dir() and not os.path.lexists(top / place):
            (top / place).symlink_to("/".join(target))
    before = {*top.rglob("*")}
    target = root.joinpath(*path)

    allowed = may_write(str(target), ONLY, cwd=str(root), environ={})
    try:
        target.write_text("written")
    except OSError:
        return
    [*written] = [
        found
        for found in top.rglob("*")
        if found not in before and found.is_file() and not found.is_symlink()
    ]

    inside = all(f.is_relative_to(root) and not f.is_relative_to(root / ".git") for f in written)
    assert not allowed or inside
    # And what plainly lies inside is allowed.
    assert allowed or any(part in {"..", "out", ".git", *"lmb"} for part in path) or links
