"""Where a working tree stands, compared with what git itself says."""

import shutil
import subprocess
from pathlib import Path

import pytest

from actors.rollout.git import read_git_info
from messages.settings import GitInfo

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *args: str) -> str:
    command = [
        "git",
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "protocol.file.allow=always",
    ]
    done = subprocess.run([*command, *args], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def make(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@needs_git
def test_real_repository_is_read_as_git_reads_it(tmp_path: Path) -> None:
    """Loose and packed references, sub-folders, worktrees, detached heads."""
    main = tmp_path / "main"
    main.mkdir()
    git(main, "init", "-q", "-b", "trunk")
    assert read_git_info(main) == GitInfo(branch="trunk")
    git(main, "commit", "-q", "--allow-empty", "-m", "one")
    git(main, "remote", "add", "upstream", "https://example.org/other.git")
    git(main, "remote", "add", "origin", "https://example.org/it.git")
    url = "https://example.org/it.git"
    commit = git(main, "rev-parse", "HEAD")
    below = main / "a" / "b"
    below.mkdir(parents=True)

    expected = GitInfo(commit_hash=commit, branch="trunk", repository_url=url)
    assert read_git_info(below) == expected
    assert read_git_info(main / ".git") == expected

    git(main, "pack-refs", "--all")
    assert not (main / ".git/refs/heads/trunk").exists()
    assert read_git_info(main) == expected

    git(main, "worktree", "add", "-q", "-b", "side/branch", str(tmp_path / "side"))
    assert read_git_info(tmp_path / "side") == GitInfo(
        commit_hash=commit, branch="side/branch", repository_url=url
    )

    git(main, "checkout", "-q", "--detach")
    assert read_git_info(main) == GitInfo(commit_hash=commit, repository_url=url)


def test_outside_a_repository_there_is_nothing(tmp_path: Path) -> None:
    """Not even an empty answer."""
    assert read_git_info(tmp_path) is None
    assert read_git_info(tmp_path / "missing") is None
    assert read_git_info(Path("/dev/null/x")) is None


def test_each_thing_that_cannot_be_told_is_none_by_itself(tmp_path: Path) -> None:
    """Broken references and configurations cost only what they hold."""
    repository = make(tmp_path, {".git/HEAD": "ref: refs/heads/main\n"})
    assert read_git_info(repository) == GitInfo(branch="main")

    make(repository, {".git/refs/heads/main": "not a commit\n"})
    assert read_git_info(repository) == GitInfo(branch="main")

    make(repository, {".git/refs/heads/main": "ref: refs/heads/main\n"})
    assert read_git_info(repository) == GitInfo(branch="main")

    make(repository, {".git/HEAD": "\0\n"})
    assert read_git_info(repository) == GitInfo()

    make(repository, {".git/HEAD": ""})
    assert read_git_info(repository) == GitInfo()

    make(repository, {".git/HEAD": "ref: refs/heads/.invalid\n"})
    assert read_git_info(repository) == GitInfo()

    make(repository, {".git/HEAD": "ref: refs/heads/" + "x" * 5000})
    info = read_git_info(repository)
    assert info is not None
    assert info.commit_hash is None


def test_packed_references_are_found_among_others(tmp_path: Path) -> None:
    """Comments, peeled tags and other branches are passed over."""
    packed = (
        "# pack-refs with: peeled fully-peeled sorted\n"
        f"{OTHER} refs/heads/main2\n{OTHER} refs/tags/v1\n^{OTHER}\n"
        f"{COMMIT} refs/heads/main\n"
    )
    make(tmp_path, {".git/HEAD": "ref: refs/heads/main", ".git/packed-refs": packed})
    assert read_git_info(tmp_path) == GitInfo(commit_hash=COMMIT, branch="main")


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ('[remote "origin"]\n\turl = https://a/b.git\n', "https://a/b.git"),
        ('[remote "fork"]\n url = no\n[ REMOTE "origin" ] # x\nURL=git@a:b ; c\n', "git@a:b"),
        ('[remote "origin"]\n url = "https://a/b c"\n url = second\n', "https://a/b c"),
        ('[remote "Origin"]\n url = no\n', None),
        ('[remote "origin"]\n pushurl = no\n[core]\n url = no\n', None),
        ('[remote "origin"]\n url =\n', None),
        ("", None),
    ],
)
def test_origin_is_read_from_the_configuration(
    tmp_path: Path, config: str, url: str | None
) -> None:
    """Sections and keys in any case, names as they are, quotes and comments left out."""
    make(tmp_path, {".git/HEAD": COMMIT, ".git/config": config})
    assert read_git_info(tmp_path) == GitInfo(commit_hash=COMMIT, repository_url=url)


def test_folder_that_may_not_be_entered_is_no_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of the system are answers, not failures."""
    make(tmp_path, {".git/HEAD": COMMIT})

    def refuse(_path: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "exists", refuse)
    monkeypatch.setattr(Path, "is_file", refuse)
    assert read_git_info(tmp_path) is None
