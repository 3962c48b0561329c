"""The rules about commands, as the files that hold them say at each moment."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import trio

from actors.safety import RuleBook, RulesNotSaved, load_rules, save_prefix

__all__ = ["RulesSource", "show_prefix"]

_FOLDER: Final = "rules"
_SUFFIX: Final = ".rules"

_Signature: TypeAlias = tuple[tuple[str, int, int, int, int], ...]
"""Of each file: name, inode, size, times of content and of anything; in their order."""


def show_prefix(words: Sequence[str]) -> str:
    """Write the first words of a command as rules files do."""
    return json.dumps(list(words), ensure_ascii=False)


@attrs.define(eq=False)
class RulesSource:
    """
    Reads ``rules/*.rules`` of a home folder, and again whenever one of them changed.

    One is shared by all threads of a supervisor.  Nothing is read before somebody asks,
    and the files may be written by other programs at any time.

    Attributes:
        home: The folder that holds ``rules``.
    """

    home: Path
    _read: tuple[_Signature, RuleBook] | None = attrs.field(default=None, init=False, repr=False)

    async def book(self) -> RuleBook:
        """
        Give the rules in force now.

        Files that cannot be read make a book that says so; see `RuleBook`.

        Cancellation:
            Nothing changes.
        """
        # The OS thread changes nothing of ours, so that it may be left behind.
        self._read = await trio.to_thread.run_sync(
            _refresh, self.home / _FOLDER, self._read, abandon_on_cancel=True
        )
        return self._read[1]

    async def add_prefix(self, words: Sequence[str]) -> str | None:
        """
        Allow all commands that begin with these words, from now on and in later sessions.

        Returns:
            None when it is saved and in force, otherwise why it is neither.

        Cancellation:
            Waits for the file: either it is saved or nothing was.
        """
        if not words:
            return "prefix rule requires at least one token"
        try:
            await trio.to_thread.run_sync(save_prefix, self.home / _FOLDER, tuple(words))
        except RulesNotSaved as error:
            return str(error)
        return None


def _refresh(
    folder: Path, before: tuple[_Signature, RuleBook] | None
) -> tuple[_Signature, RuleBook]:
    """Read the files if they are not as they were; blocks."""
    # Signed before they are read: a change in between shows the next time.
    signature = _sign(folder)
    if before is not None and before[0] == signature:
        return before
    return signature, load_rules([folder])


def _sign(folder: Path) -> _Signature:
    try:
        with os.scandir(folder) as entries:
            return tuple(sorted(map(_sign_file, (e for e in entries if e.name.endswith(_SUFFIX)))))
    except OSError as error:  # a folder that is not there is not one that may not be read
        return (("", error.errno or 0, -1, 0, 0),)


def _sign_file(entry: "os.DirEntry[str]") -> tuple[str, int, int, int, int]:
    try:
        status = entry.stat()
    except OSError:
        return entry.name, 0, -1, 0, 0
    return entry.name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
