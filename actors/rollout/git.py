"""Where a working tree stands, read from the files of git without running it."""

import re
from collections.abc import Iterator
from pathlib import Path

from messages.settings import GitInfo

__all__ = ["read_git_info"]

# Configurations are some kilobytes; packed-refs of the largest repositories some
# megabytes.  What is longer is cut off and then names nothing.
_LIMIT_BYTES = 16 << 20
# `ref: ` may lead to a file that is again a `ref: `; git itself follows five.
_MAX_LINKS = 5

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BRANCHES = "refs/heads/"
_SECTION = re.compile(r'\s*\[\s*(?i:remote)\s+"origin"\s*\]\s*(?:[#;].*)?')
_ANY_SECTION = re.compile(r"\s*\[")
_URL = re.compile(r"\s*url\s*=\s*(.*)", re.IGNORECASE)


def read_git_info(cwd: Path) -> GitInfo | None:
    """
    Tell commit, branch and origin of the repository around *cwd*.

    None outside a repository.  What cannot be told is None by itself; nothing
    raises.  Reads a handful of small files, so call it in an OS thread.

    Source:
        Codex, ``git_info.rs``, which runs git three times.  URL rewriting
        (``insteadOf``) and included configuration files are not followed here.
    """
    git = _find_git_folder(cwd)
    if git is None:
        return None
    common = _common_folder(git)
    reference = _head(git)
    return GitInfo(
        commit_hash=_commit(git, common, reference),
        branch=reference.removeprefix(_BRANCHES) if _is_branch(reference) else None,
        repository_url=_origin(common),
    )


def _find_git_folder(cwd: Path) -> Path | None:
    for folder in (cwd, *cwd.parents):
        git = folder / ".git"
        if _exists(git / "HEAD"):
            return git
        if link := _read(git):  # a worktree or submodule: `gitdir: <path>`
            return folder / link.removeprefix("gitdir:").strip()
        if _exists(folder / "HEAD") and _exists(folder / "objects") and _exists(folder / "refs"):
            return folder  # inside a bare repository or a .git folder itself
    return None


def _common_folder(git: Path) -> Path:
    """Return the folder that all worktrees of the repository share."""
    link = _read(git / "commondir")
    return git / link.strip() if link else git


def _head(git: Path) -> str:
    """Return what HEAD says: a reference, a commit or nothing."""
    text = (_read(git / "HEAD") or "").strip()
    return text.removeprefix("ref:").strip()


def _is_branch(reference: str) -> bool:
    # Repositories in the reftable format keep a placeholder where HEAD was.
    return reference.startswith(_BRANCHES) and reference != "refs/heads/.invalid"


def _commit(git: Path, common: Path, reference: str) -> str | None:
    for _ in range(_MAX_LINKS):
        if not reference or _COMMIT.fullmatch(reference):
            return reference or None
        text = _read(git / reference) or _read(common / reference)
        if text is None:
            return _packed(common, reference)
        reference = text.strip().removeprefix("ref:").strip()
    return None


def _packed(common: Path, reference: str) -> str | None:
    # <commit> <reference>, beside comments (#) and peeled tags (^)
    for line in (_read(common / "packed-refs") or "").splitlines():
        commit, _, name = line.partition(" ")
        if name == reference and _COMMIT.fullmatch(commit):
            return commit
    return None


def _origin(common: Path) -> str | None:
    lines = (_read(common / "config") or "").splitlines()
    return next(_urls(lines), None)


def _urls(lines: list[str]) -> Iterator[str]:
    inside = False
    for line in lines:
        if _ANY_SECTION.match(line):
            inside = _SECTION.fullmatch(line) is not None
        elif inside and (match := _URL.fullmatch(line)) and (url := _value(match[1])):
            yield url


def _value(text: str) -> str:
    """Return a configuration value without its quotes and comment."""
    text = text.strip()
    if text.startswith('"'):
        return text[1:].partition('"')[0]
    return re.split(r"\s[#;]", text, maxsplit=1)[0].strip()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _read(path: Path) -> str | None:
    """Read a regular file's beginning as text; None if that is not possible."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(_LIMIT_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None
