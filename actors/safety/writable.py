"""Where a sandbox policy lets commands and patches write."""

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, assert_never

import attrs

from messages.settings import (
    DangerFullAccess,
    ExternalSandbox,
    ReadOnly,
    SandboxPolicy,
    UnknownSandbox,
    WorkspaceWrite,
)

__all__ = ["WritableRoot", "is_below", "may_write", "writable_roots"]

_PROTECTED: Final = (".git", ".agents", ".codex", ".treadle")
"""What decides about later commands, ours and git's; at the top of every root."""

_HOMES: Final = ("TREADLE_HOME", "CODEX_HOME")
"""Variables that name folders of rules and settings."""

_POINTER: Final = re.compile(r"gitdir:[ \t]*(?P<target>[^\r\n\0]+)")

_LONGEST_POINTER_BYTES: Final = 64 * 1024


@attrs.frozen
class WritableRoot:
    """
    A folder below which may be written.

    Attributes:
        path: Absolute, without symbolic links.
        protected:
            Absolute paths below it where nothing may be written all the same, whether
            they exist or not.  One may be a symbolic link; where it leads to is then
            another of them.  Another root inside of one is writable.
    """

    path: str
    protected: tuple[str, ...] = ()


def writable_roots(
    policy: SandboxPolicy,
    *,
    cwd: str,
    environ: Mapping[str, str],
    guarded: Collection[str] = (),
) -> tuple[WritableRoot, ...] | None:
    """
    List where may be written, sorted; blocks shortly.

    Args:
        cwd:
            The working directory that the policy is about: the turn's.  Never one that
            the model chose for a command, or it could choose what it may write.
        environ: Of commands; ``TMPDIR`` is writable, the home folders of settings are not.
        guarded:
            Folders of rules, absolute; neither they nor the folders around them are
            writable, nor the files that links in them lead to.

    Returns:
        None for everywhere; empty for nowhere.  What does not exist is left out.
    """
    match policy:
        case DangerFullAccess() | ExternalSandbox():
            return None
        case ReadOnly() | UnknownSandbox():
            return ()
        case WorkspaceWrite():
            named = (path for path in _named(policy, cwd, environ) if "\0" not in path)
            found = set(map(os.path.realpath, named))
            paths = sorted(path for path in found if _counts(path))
            return tuple(WritableRoot(path, _protected(path, environ, guarded)) for path in paths)
        case _:
            assert_never(policy)


def may_write(
    path: str,
    policy: SandboxPolicy,
    *,
    cwd: str,
    environ: Mapping[str, str],
    guarded: Collection[str] = (),
) -> bool:
    """
    Whether the policy lets this path be written, created or removed; blocks shortly.

    Symbolic links count by where they lie and by where they lead to.

    Args:
        path: Absolute; a relative one starts at *cwd*.
        cwd, guarded: See `writable_roots`.

    Source:
        Codex, ``is_write_patch_constrained_to_writable_paths``, which does not look at links.
    """
    roots = writable_roots(policy, cwd=cwd, environ=environ, guarded=guarded)
    if roots is None:
        return True
    full = os.path.join(cwd, path)  # noqa: PTH118 -- text in, text out
    folder, name = os.path.split(full)
    try:
        places = {os.path.realpath(full)}
        if name not in {"", ".", ".."}:
            places.add(os.path.join(os.path.realpath(folder), name))  # noqa: PTH118 -- as above
    except ValueError:  # a NUL
        return False
    return all(_is_writable(place, roots) for place in places)


def is_below(path: str, folder: str) -> bool:
    """Whether a path is the folder or inside of it, by their letters."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _named(policy: WorkspaceWrite, cwd: str, environ: Mapping[str, str]) -> Iterator[str]:
    yield cwd
    for root in policy.writable_roots:
        yield os.path.join(cwd, root)  # noqa: PTH118 -- text in, text out
    if not policy.exclude_slash_tmp:
        yield "/tmp"  # noqa: S108 -- the very folder is meant
    folder = environ.get("TMPDIR", "")
    if not policy.exclude_tmpdir_env_var and folder.startswith("/"):
        yield folder


def _counts(path: str) -> bool:
    # Processes are no files: who may write there may steer others.
    return os.path.lexists(path) and not is_below(path, "/proc")


def _protected(root: str, environ: Mapping[str, str], guarded: Collection[str]) -> tuple[str, ...]:
    if not Path(root).is_dir():
        return ()
    entries = [f"{root.rstrip('/')}/{name}" for name in _PROTECTED]
    found = [*entries, *_git_folders(entries[0]), *_homes(environ)]
    found += _rules(root, guarded)
    found += [os.path.realpath(path) for path in found if os.path.islink(path)]  # noqa: PTH114
    return tuple(sorted({path for path in found if path != root and is_below(path, root)}))


def _git_folders(entry: str) -> Iterator[str]:
    """Find the folders that a ``.git`` file points to: of the worktree, and what it shares."""
    target = _read_pointer(Path(entry), _POINTER)
    if target is None:
        return
    folder = os.path.realpath(Path(entry).parent / target)
    yield folder
    shared = _read_pointer(Path(folder, "commondir"), re.compile(r"(?P<target>[^\r\n\0]+)"))
    if shared is not None:
        yield os.path.realpath(Path(folder, shared))


def _read_pointer(path: Path, pattern: re.Pattern[str]) -> str | None:
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            text = os.fsdecode(file.read(_LONGEST_POINTER_BYTES))
    except (OSError, ValueError):
        return None
    match = pattern.match(text)
    return match["target"].strip() if match else None


def _homes(environ: Mapping[str, str]) -> Iterator[str]:
    for variable in _HOMES:
        if environ.get(variable, "").startswith("/"):
            yield os.path.realpath(environ[variable])
    if environ.get("HOME", "").startswith("/"):
        for name in (".codex", ".treadle"):
            yield os.path.realpath(Path(environ["HOME"], name))


def _rules(root: str, folders: Iterable[str]) -> Iterator[str]:
    """List what rules depend on: what is around their folders, and where links lead."""
    for folder in folders:
        around, name = os.path.split(folder)
        for place in (around, os.path.realpath(around)):
            # A root that lies in there is writable but for the folder itself.
            yield place if place != root and is_below(place, root) else f"{place}/{name}"
        if os.path.islink(folder):  # noqa: PTH114 -- never raises
            yield os.path.realpath(folder)
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            yield from (os.path.realpath(e.path) for e in entries if e.is_symlink())


def _is_writable(path: str, roots: tuple[WritableRoot, ...]) -> bool:
    """Go by the innermost root or protected path that it lies in; at the same place a root."""
    depth = max((len(root.path) for root in roots if is_below(path, root.path)), default=-1)
    protected = (place for root in roots for place in root.protected if is_below(path, place))
    return depth >= 0 and depth >= max(map(len, protected), default=-1)
