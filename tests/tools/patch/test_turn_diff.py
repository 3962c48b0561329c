"""The diff of a turn is one that git itself would make, and can apply."""

import subprocess
from pathlib import Path

import pytest

from actors.tools.patch.disk import Disk
from actors.tools.patch.turn_diff import TurnChanges

from .trees import apply, contents, patch, update, write

ENV = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


def git(root: Path, *words: str, feed: str | None = None) -> str:
    run = subprocess.run(
        ["git", *words],
        cwd=root,
        env=ENV,
        input=None if feed is None else feed.encode(),
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout.decode()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    git(root, "init", "-q")
    return root


def diff_of(root: Path, *patches: str, cwd: Path | None = None) -> str | None:
    changes = TurnChanges.around(str(cwd or root))
    for text in patches:
        changes.add(apply(cwd or root, text), Disk())
    return changes.diff


LONG = "".join(f"line {n}\n" for n in range(40))

CASES = {
    "change": ({"a": LONG}, [update("a", "-line 3", "+three", "@@", "-line 30", "+thirty")]),
    "add": ({}, [patch("*** Add File: x/y", "+one", "+two")]),
    "add empty": ({}, [patch("*** Add File: empty")]),
    "delete": ({"a": "1\n2\n"}, [patch("*** Delete File: a")]),
    "delete without last line end": ({"a": "1\n2"}, [patch("*** Delete File: a")]),
    "empty it": ({"a": "1\n"}, [update("a", "-1")]),
    "line end at the end": ({"a": "1\n2"}, [update("a", "-1", "+x")]),
    "crlf": ({"a": "1\r\n2\r\n"}, [update("a", "-1", "+x", "+y")]),
    "rename with change": ({"a": LONG}, [update("a", "*** Move to: b/c", "-line 3", "+three")]),
    "rename twice": (
        {"a": LONG},
        [
            update("a", "*** Move to: b", "-line 3", "+three"),
            update("b", "*** Move to: c", "-line 4", "+four"),
        ],
    ),
    "rename onto another": (
        {"a": LONG, "b": "b\n"},
        [update("a", "*** Move to: b", "-line 3", "+three")],
    ),
    "rename and new at the old place": (
        {"a": LONG},
        [update("a", "*** Move to: b", "-line 3", "+three"), patch("*** Add File: a", "+new")],
    ),
    "several patches": (
        {"a": LONG, "z": "z\n"},
        [
            update("a", "-line 3", "+three"),
            patch("*** Add File: n", "+n"),
            update("a", "-three", "+drei"),
            patch("*** Delete File: z"),
            update("n", "-n", "+m"),
        ],
    ),
    "odd names": (
        {"a b": "1\n", 'q"uote': "1\n", "tab\tin": "1\n", "back\\slash": "1\n", "ümlaut": "1\n"},
        [
            patch(
                "*** Update File: a b", "-1", "+2", '*** Update File: q"uote', "-1", "+2",
                "*** Update File: tab\tin", "-1", "+2", "*** Update File: back\\slash", "-1", "+2",
                "*** Update File: ümlaut", "-1", "+2", "*** Add File: new one", "+x",
            )
        ],
    ),
    "file becomes a folder": (
        {"a": "1\n"},
        [patch("*** Delete File: a", "*** Add File: a/b", "+2")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_git_applies_the_diff_of_a_turn_to_what_was_before(
    root: Path, tmp_path: Path, case: str
) -> None:
    """What comes out is, byte by byte, what the patches made."""
    files, patches = CASES[case]
    write(root, files)
    other = tmp_path / "other"
    git(tmp_path, "init", "-q", str(other))
    write(other, files)

    diff = diff_of(root, *patches)

    assert diff is not None
    if case != "file becomes a folder":  # git looks for what is in the way before it removes it
        git(other, "apply", "--check", feed=diff)
        git(other, "apply", feed=diff)
        assert _plain(other) == _plain(root)
    git(root, "apply", "--check", "--reverse", feed=diff)


def _plain(root: Path) -> dict[str, bytes]:
    return {name: data for name, data in contents(root).items() if not name.startswith(".git/")}


@pytest.mark.parametrize("case", sorted(CASES.keys() - {"odd names", "file becomes a folder"}))
def test_diff_of_a_turn_is_that_of_git(root: Path, case: str) -> None:
    """Headers, modes and blob names agree with ``git diff`` word for word."""
    files, patches = CASES[case]
    write(root, {"keep": "", **files})
    git(root, "add", "-A")
    git(root, "commit", "-qm", "before")

    diff = diff_of(root, *patches) or ""

    git(root, "add", "-A")
    expected = git(root, "diff", "--cached", "--full-index", "-M50%", "--no-color")
    theirs = [line for line in expected.splitlines() if not line.startswith("similarity")]
    assert _without_places(diff.splitlines()) == _without_places(theirs)


def _without_places(lines: list[str]) -> list[str]:
    """Hunk headers without the function name that git adds."""
    return [line[: line.find("@@", 2) + 2] if line.startswith("@@") else line for line in lines]


def test_rights_and_links_are_in_it(root: Path) -> None:
    write(root, {"run": "1\n"})
    (root / "run").chmod(0o755)
    (root / "link").symlink_to("run")

    assert diff_of(root, update("run", "-1", "+2"), patch("*** Delete File: link")) == (
        "diff --git a/link b/link\n"
        "deleted file mode 120000\n"
        "index e5224d588ca22d93b22bcef9e67a36d1b91ceb98..0000000000000000000000000000000000000000\n"
        "--- a/link\n"
        "+++ /dev/null\n"
        "@@ -1 +0,0 @@\n"
        "-run\n"
        "\\ No newline at end of file\n"
        "diff --git a/run b/run\n"
        "index d00491fd7e5bb6fa28c517a0bb32b8b506539d4d..0cfbf08886fca9a91cb753ec8734c84fcbe52c9f "
        "100755\n"
        "--- a/run\n"
        "+++ b/run\n"
        "@@ -1 +1 @@\n"
        "-1\n"
        "+2\n"
    ).replace("e5224d588ca22d93b22bcef9e67a36d1b91ceb98", _blob(root, "run"))


def _blob(root: Path, text: str) -> str:
    return git(root, "hash-object", "--stdin", feed=text).strip()


def test_link_that_becomes_a_file_goes_away_first(root: Path) -> None:
    write(root, {"a": "1\n"})
    (root / "link").symlink_to("a")

    diff = diff_of(root, patch("*** Delete File: link", "*** Add File: link", "+x"))

    assert diff is not None
    assert [line for line in diff.splitlines() if "file mode" in line] == [
        "deleted file mode 120000",
        "new file mode 100644",
    ]


def test_binary_content_is_only_named(root: Path) -> None:
    """It has no lines to show."""
    write(root, {"a": b"\xff\xfe", "z": "ok\n"})

    old, new = _blob_of(root, b"\xff\xfe"), _blob(root, "text\n")
    ok, odd = _blob(root, "ok\n"), _blob_of(root, b"a\0b\n")

    assert diff_of(root, patch("*** Add File: a", "+text", "*** Add File: z", "+a\0b")) == (
        "diff --git a/a b/a\n"
        f"index {old}..{new} 100644\n"
        "Binary files a/a and b/a differ\n"
        "diff --git a/z b/z\n"
        f"index {ok}..{odd} 100644\n"
        "Binary files a/z and b/z differ\n"
    )


def _blob_of(root: Path, data: bytes) -> str:
    path = root / ".git" / "blob"
    path.write_bytes(data)
    return git(root, "hash-object", str(path)).strip()


def test_what_ends_as_it_began_is_not_in_it(root: Path) -> None:
    """Also not a file that came and went, nor a pure rename."""
    write(root, {"a": "1\n", "b": "1\n"})

    assert diff_of(root, update("a", "-1", "+2"), update("a", "-2", "+1")) is None
    assert diff_of(root, patch("*** Add File: n", "+1"), patch("*** Delete File: n")) is None
    assert diff_of(root, update("b", "*** Move to: c", " 1")) is None


def test_what_commands_did_to_the_same_files_is_in_it(root: Path) -> None:
    """The turn is what counts, not who wrote."""
    write(root, {"a": "1\n2\n", "b": "1\n"})
    changes = TurnChanges.around(str(root))
    changes.add(apply(root, update("a", "-1", "+x")), Disk())
    (root / "a").write_text("x\ny\n")

    changes.add(apply(root, update("b", "-1", "+2")), Disk())

    assert changes.diff is not None
    assert "-1\n-2\n+x\n+y\n" in changes.diff


def test_paths_start_at_the_repository_or_at_the_working_folder(tmp_path: Path) -> None:
    """Inside a repository at its root, also from a folder in it; what is outside is absolute."""
    repository = tmp_path / "repository"
    git(tmp_path, "init", "-q", str(repository))
    (repository / "sub").mkdir()
    (tmp_path / "plain").mkdir()

    inside = diff_of(repository, patch("*** Add File: n", "+1"), cwd=repository / "sub")
    plain = diff_of(tmp_path, patch("*** Add File: n", "+1"), cwd=tmp_path / "plain")
    outside = diff_of(repository, patch(f"*** Add File: {tmp_path}/out", "+1"))

    assert (inside or "").startswith("diff --git a/sub/n b/sub/n\n")
    assert (plain or "").startswith("diff --git a/n b/n\n")
    assert (outside or "").startswith(f"diff --git a/{tmp_path}/out b/{tmp_path}/out\n")
