"""The rules about commands, as the files that hold them say at each moment."""

import json
import os
import weakref
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import trio

from actors.safety import RuleBook, RulesNotSaved, load_rules, save_prefix

__all__ = ["RulesSource", "show_prefix"]

_FOLDER: Final = "rules"
_SUFFIX: Final = ".rules"

_Signature: TypeAlias = tuple[tuple[str, int, int, int, int], ...]
"""Of each file: path, inode, size, times of content and of anything; in their order."""


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
        beside: Further folders of rules, absolute; what allows something there counts, too.
    """

    home: Path
    beside: tuple[str, ...] = ()
    _read: tuple[_Signature, RuleBook] | None = attrs.field(default=None, init=False, repr=False)
    # Those of `with_folders`, as long as somebody has them.
    _others: "weakref.WeakValueDictionary[tuple[str, ...], RulesSource]" = attrs.field(
        factory=weakref.WeakValueDictionary[tuple[str, ...], "RulesSource"],
        init=False,
        repr=False,
    )

    @property
    def folders(self) -> tuple[str, ...]:
        """All folders of rules, absolute."""
        return (str(self.home.absolute() / _FOLDER), *self.beside)

    def with_folders(self, beside: tuple[str, ...]) -> "RulesSource":
        """Give the source of these rules and those of other folders; threads share it."""
        if beside == self.beside:
            return self
        other = self._others.get(beside)
        if other is None:
            other = self._others[beside] = RulesSource(self.home, beside)
        return other

    async def book(self) -> RuleBook:
        """
        Give the rules in force now.

        Files that cannot be read make a book that says so; see `RuleBook`.

        Cancellation:
            Nothing changes.
        """
        # The OS thread changes nothing of ours, so that it may be left behind.
        self._read = await trio.to_thread.run_sync(
            _refresh, self.folders, self._read, abandon_on_cancel=True
        )
        return self._read[1]

    async def approved(self) -> tuple[tuple[str, ...], ...]:
        """
        List the beginnings of commands that run unasked; see `RuleBook.allowed_prefixes`.

        Empty while any file cannot be read: then every command needs a person.
        """
        # Most have no rules and are spared the way to another OS thread for one short look.
        if not any(map(os.path.isdir, self.folders)):
            return ()
        book = await self.book()
        return () if book.problem is not None else book.allowed_prefixes()

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
    folders: tuple[str, ...], before: tuple[_Signature, RuleBook] | None
) -> tuple[_Signature, RuleBook]:
    """Read the files if they are not as they were; blocks."""
    # Signed before they are read: a change in between shows the next time.
    signature = tuple(chain.from_iterable(map(_sign, folders)))
    if before is not None and before[0] == signature:
        return before
    return signature, load_rules([*map(Path, folders)])


def _sign(folder: str) -> _Signature:
    try:
        with os.scandir(folder) as entries:
            return tuple(sorted(map(_sign_file, (e for e in entries if e.name.endswith(_SUFFIX)))))
    except OSError as error:  # a folder that is not there is not one that may not be read
        return ((folder, error.errno or 0, -1, 0, 0),)


def _sign_file(entry: "os.DirEntry[str]") -> tuple[str, int, int, int, int]:
    try:
        status = entry.stat()
    except OSError:
        return entry.path, 0, -1, 0, 0
    return entry.path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
