"""Being told by the system: the ``watchfiles`` package, as far as it is used."""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias

import attrs

__all__ = ["DELETED", "Heard", "Notify", "OpenNotify", "hear", "open_rust_notify"]

DELETED: Final = 3
"""Kind of the change that something is no longer at its path."""

_STEP: Final = 0.025
"""Seconds between two looks of the OS thread that waits, so also until it can be stopped."""

_GATHER: Final = 0.1
"""Seconds in which changes that follow each other are taken together."""


class Notify(Protocol):
    """Folders watched by the system, from the making of this object to its closing."""

    def watch(
        self, debounce_ms: int, step_ms: int, timeout_ms: int, stop_event: threading.Event
    ) -> "set[tuple[int, str]] | str":
        """
        Block until something happens, and return it as pairs of kind and path.

        Returns ``"timeout"`` or ``"stop"`` if nothing does; then what happened
        just before may be lost.
        """
        ...

    def close(self) -> None:
        """Watch nothing any more."""


OpenNotify: TypeAlias = Callable[[Sequence[str]], Notify]
"""
Watches folders, not what is in their folders; blocks shortly.

Raises ImportError if there is no such thing here, FileNotFoundError if one of the
folders is gone, and another OSError or a RuntimeError if the system refuses.
"""


def open_rust_notify(folders: Sequence[str]) -> Notify:
    """
    Watch folders with one inotify instance and one watch for each; see `OpenNotify`.

    One OS thread of the package reads the instance.  It ends by itself, about 25 ms
    after it is closed: the kernel takes that long.
    """
    # Loaded here, in an OS thread: 35 ms, and it need not be installed.
    from watchfiles._rust_notify import (  # noqa: PLC0415 -- documented, never exported
        RustNotify,
    )

    # Not recursive: it would go into hidden folders and deeper than anybody looks.
    # Permission errors are not ignored: it would ignore a lack of watches, too.
    return RustNotify(list(folders), False, False, 0, False, False)


@attrs.frozen(kw_only=True)
class Heard:
    """
    What the system told.

    Attributes:
        events: Kinds and paths; empty if nothing happened for a while.
        dead: Whether something may be lost, so that it takes a new `Notify`.
    """

    events: frozenset[tuple[int, str]] = frozenset()
    dead: bool = False


def hear(notify: Notify, patience: float, stop: threading.Event) -> Heard:
    """
    Block until something happens, *patience* seconds are over, or *stop* is set.

    A failure is no error: the next `Notify` will tell whether it was one.
    """
    try:
        found = notify.watch(
            round(_GATHER * 1000), round(_STEP * 1000), max(1, round(patience * 1000)), stop
        )
    except (OSError, RuntimeError):
        # For example a new file whose name is not UTF-8.
        return Heard(dead=True)
    if isinstance(found, str):
        return Heard(dead=found != "timeout")
    return Heard(events=frozenset(found))
