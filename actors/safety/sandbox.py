"""Builds the command line that runs a command inside a sandbox of bubblewrap."""

import functools
import os
import stat
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from messages.settings import (
    DangerFullAccess,
    ExternalSandbox,
    ReadOnly,
    RestrictedReadAccess,
    SandboxPolicy,
    WorkspaceWrite,
)

from . import sandbox_guard
from .programs import find_system_program
from .writable import WritableRoot, is_below, writable_roots

__all__ = [
    "Bubblewrap",
    "NoSandbox",
    "SandboxTool",
    "confine",
    "env_probe_argv",
    "find_bubblewrap",
    "find_env",
    "looks_denied",
    "needs_sandbox",
    "probe_argv",
]


@attrs.frozen
class Bubblewrap:
    """
    Bubblewrap builds sandboxes here.

    Attributes:
        program: Its path.
        env: Path of an ``env`` that can have signals ignored; None when there is none.
    """

    program: str
    env: str | None = None


@attrs.frozen
class NoSandbox:
    """
    No sandbox can be built here.

    Attributes:
        reason: Why, to be put into parentheses.
    """

    reason: str


SandboxTool: TypeAlias = Bubblewrap | NoSandbox

_APART: Final = (
    "--die-with-parent",
    # Always, so that root in there is nobody in particular out here.
    "--unshare-user",
    "--cap-drop",
    "ALL",
    # Nobody outside can be signalled, traced or shared memory with.
    "--unshare-pid",
    "--unshare-ipc",
)

# No --new-session: it would take the terminal from interactive programs, and the terminal
# is one that we made for them, where pushing in characters reaches nobody else.

_IGNORE: Final = "--ignore-signal=INT,QUIT"
_RESTORE: Final = "--default-signal=INT,QUIT"
"""
An interrupt typed at a terminal reaches bubblewrap as well as the command, and would
end it and all in it.  So bubblewrap ignores it, and the command does not.
"""

_NO_NETWORK: Final = ("--unshare-net",)

_DEVICES: Final = (
    *("--dev", "/dev"),
    *("--proc", "/proc"),
    # Settings of the kernel, which root may write even without any capability.
    *(
        word
        for path in ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
        for word in ("--ro-bind-try", path, path)
    ),
)

_PLATFORM: Final = (
    "/bin",
    "/sbin",
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc",
    "/nix/store",
    "/run/current-system",
)
"""What programs need to run at all.  Source: Codex, ``bwrap.rs``."""

_DAEMONS: Final = "/run"
"""Where sockets of daemons lie, by which one may leave any sandbox."""

_KEPT_OF_DAEMONS: Final = ("/run/current-system", "/run/opengl-driver")

_Layer: TypeAlias = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A path, the words for bubblewrap that mount it, and those for the guard that holds it."""

_DENIALS: Final = (
    "operation not permitted",
    "permission denied",
    "read-only file system",
    "seccomp",
    "sandbox",
    "landlock",
    "failed to write file",
)

_KILLED_BY_FILTER: Final = 128 + 31  # SIGSYS


def find_bubblewrap(search_path: str) -> str | None:
    """
    Find bubblewrap among the system's programs; blocks shortly.

    One in a folder of the user's is passed over: a command could have put it there.
    """
    return find_system_program("bwrap", search_path)


def find_env(search_path: str) -> str | None:
    """Find the system's ``env``; blocks shortly."""
    return find_system_program("env", search_path)


def env_probe_argv(env: str) -> tuple[str, ...]:
    """Return a command that ends with code 0 if this ``env`` can have signals ignored."""
    return (env, _IGNORE, env, _RESTORE, "true")


def probe_argv(program: str) -> tuple[str, ...]:
    """Return a command that ends with code 0 if and only if sandboxes can be built here."""
    root = ("--ro-bind", "/", "/")
    return (program, *_APART, *_NO_NETWORK, *root, *_DEVICES, "--", "/bin/sh", "-c", ":")


def needs_sandbox(policy: SandboxPolicy) -> bool:
    """Whether the policy promises limits that a sandbox has to enforce."""
    return not isinstance(policy, DangerFullAccess | ExternalSandbox)


def looks_denied(exit_code: int, output: str) -> bool:
    """
    Guess whether a sandbox held a command back; ask it only of one that ran in a sandbox.

    Source:
        Codex, ``is_likely_sandbox_denied``.
    """
    if exit_code == 0:
        return False
    lowered = output.lower()
    if any(words in lowered for words in _DENIALS):
        return True
    return exit_code == _KILLED_BY_FILTER


def confine(
    argv: Sequence[str],
    bubblewrap: Bubblewrap,
    *,
    policy: SandboxPolicy,
    cwd: str,
    workdir: str,
    environ: Mapping[str, str],
    guarded: Collection[str] = (),
    tty: bool = False,
) -> tuple[str, ...]:
    """
    Build the command line that runs *argv* under the policy; blocks shortly.

    In there everything is read-only but the writable roots, without what is protected in
    them; the network is closed unless the policy opens it, and so are the sockets below
    ``/run``; there are no other processes, and all end when the parent does.  Of a policy
    that restricts reading nothing else is to be seen than it names, *cwd*, the writable
    roots and the platform's own folders.  A policy that needs no sandbox gets the
    tightest.

    What is protected but does not exist cannot be created: `sandbox_guard` holds an empty
    folder in its place while the command runs.

    Args:
        cwd:
            The working directory that the policy is about: the turn's.  Never one that
            the model chose for a command, or it could choose what it may write.
        workdir: Where the command runs, absolute.
        environ: Of commands; see `writable_roots`.
        guarded: Folders of rules; see there, too.
        tty: Whether it gets a terminal, where interrupts may be typed.

    What is not held back: connecting to a process
    that listens on a socket file outside of ``/run``; and moving away a root that lies
    inside another writable one, with all that is protected in it.

    Source:
        Codex, ``linux-sandbox``; there missing files stay behind as empty ones, and
        sockets of daemons are closed by a system call filter.
    """
    roots = writable_roots(policy, cwd=cwd, environ=environ, guarded=guarded) or ()
    layers = sorted(_layers(roots))
    held = [word for _, _, words in layers for word in words]
    network = isinstance(policy, WorkspaceWrite) and policy.network_access
    restricted = _restricted_read(policy) is not None
    hides_daemons = not (network or restricted) and Path(_DAEMONS).is_dir()
    # What was put together from pieces; what is mounted in it stays as it is.
    sealed = [
        *(["/"] if restricted else []),
        *([_DAEMONS] if hides_daemons and all(path != _DAEMONS for path, _, _ in layers) else []),
    ]
    return (
        *(_guard(held) if held else ()),
        *((env, _IGNORE) if (env := bubblewrap.env if tty else None) else ()),
        bubblewrap.program,
        *_APART,
        *(() if network else _NO_NETWORK),
        *_root(policy, cwd, everything=any(root.path == "/" for root in roots)),
        *_DEVICES,
        *(_without_daemons(cwd, workdir) if hides_daemons else ()),
        *(word for _, words, _ in layers for word in words),
        *(() if network else _masks(environ)),
        *(word for path in sealed for word in ("--remount-ro", path)),
        *("--chdir", workdir, "--"),
        *((env, _RESTORE, "--") if env else ()),
        *argv,
    )


def _root(policy: SandboxPolicy, cwd: str, *, everything: bool) -> Iterator[str]:
    """Build what there is to be seen, before anything in it is made writable."""
    access = _restricted_read(policy)
    if everything:
        yield from ("--bind", "/", "/")
    elif access is None:
        yield from ("--ro-bind", "/", "/")
    else:
        yield from ("--tmpfs", "/")
        platform = _PLATFORM if access.include_platform_defaults else ()
        for path in sorted({*access.readable_roots, cwd, *platform}):
            yield from ("--ro-bind-try", path, path)


def _without_daemons(*seen: str) -> Iterator[str]:
    """Hide the sockets of daemons, but not where the command is to run."""
    yield from ("--tmpfs", _DAEMONS)
    for path in sorted({*_KEPT_OF_DAEMONS, *seen}):
        if is_below(path, _DAEMONS) and path != _DAEMONS:
            yield from ("--ro-bind-try", path, path)


def _restricted_read(policy: SandboxPolicy) -> RestrictedReadAccess | None:
    match policy:
        case ReadOnly(access=RestrictedReadAccess() as access):
            return access
        case WorkspaceWrite(read_only_access=RestrictedReadAccess() as access):
            return access
        case _:
            return None


def _layers(roots: Sequence[WritableRoot]) -> Iterator[_Layer]:
    """Make the roots writable and what is protected in them not, to be sorted by path."""
    paths = {root.path for root in roots}
    for path in paths - {"/"}:
        yield path, ("--bind", path, path), ()
    for path in {place for root in roots for place in root.protected} - paths:
        yield _protect(path)


def _protect(path: str) -> _Layer:
    try:
        status = os.lstat(path)
    except OSError:
        return _keep_absent(path)
    if stat.S_ISLNK(status.st_mode):
        return path, (), ("link", path, os.readlink(path))  # noqa: PTH115 -- as above
    if sandbox_guard.is_ours(status):
        return _keep_absent(path)
    return path, ("--ro-bind", path, path), ()


def _keep_absent(path: str) -> _Layer:
    # The uppermost that is missing: what cannot be created has nothing in it.
    while not os.path.lexists(os.path.dirname(path)):  # noqa: PTH120 -- as above
        path = os.path.dirname(path)  # noqa: PTH120 -- as above
    return path, ("--ro-bind-try", path, path), ("absent", path, "")


def _masks(environ: Mapping[str, str]) -> Iterator[str]:
    """Hide sockets in the folder for temporary files by which one may leave the sandbox."""
    for folder in ("/tmp/.X11-unix", f"/tmp/tmux-{os.getuid()}"):  # noqa: S108 -- these very ones
        if Path(folder).is_dir() and not Path(folder).is_symlink():
            yield from ("--tmpfs", folder)
    agent = Path(environ.get("SSH_AUTH_SOCK") or "/")
    if agent.is_socket() and not is_below(str(agent), _DAEMONS):
        yield from ("--ro-bind", "/dev/null", str(agent))


@functools.cache
def _guard_source() -> str:
    # Read once, before the first command of this process could have written to it.
    return Path(sandbox_guard.__file__).read_text("utf-8")


def _guard(held: Sequence[str]) -> tuple[str, ...]:
    """Begin the command line of the guard; what it guards follows."""
    # Not the link to Python that a virtual environment has: that may lie in a writable root.
    python = os.path.realpath(sys.executable)
    return (python, "-I", "-S", "-c", _guard_source(), str(len(held)), *held)
