"""A command's arguments as one line, quoted as clients know it from Codex."""

import string
from collections.abc import Sequence
from typing import Final

__all__ = ["command_line"]

_BARE: Final = frozenset(string.ascii_letters + string.digits + "+-./:@]_")
"""Characters that need no quotes in any shell."""

_NOT_IN_SINGLE: Final = frozenset("'^\\")
"""The caret for bash, which may expand it in a history; the backslash for fish."""

_NOT_IN_DOUBLE: Final = frozenset("`$!^")

_UNSPEAKABLE: Final = "<command included NUL byte>"


def command_line(argv: Sequence[str]) -> str:
    """
    Join arguments into a line that a shell would split into the same arguments.

    Source:
        The ``shlex`` crate, which Codex uses: unlike `shlex.join` it puts what holds a
        single quote into double quotes where it can, and words in the same quotes compare
        equal for clients.
    """
    if any("\0" in word for word in argv):
        return _UNSPEAKABLE
    return " ".join(map(_quoted, argv))


def _quoted(word: str) -> str:
    if not word:
        return "''"
    if _BARE.issuperset(word):
        return word
    pieces: list[str] = []
    while word:
        length, quotes = _stretch(word)
        pieces.append(_wrapped(word[:length], quotes))
        word = word[length:]
    return "".join(pieces)


def _stretch(word: str) -> tuple[int, str]:
    """Say how far one kind of quotes reaches, and which: bare before single before double."""
    # A caret is safe only right behind an opening single quote.
    fits = ["'"] if word[0] == "^" else ["", "'", '"']
    length = 1 if word[0] == "^" else 0
    for character in word[length:]:
        left = [quotes for quotes in fits if _fits(character, quotes)]
        if not left:
            break
        fits = left
        length += 1
    return length, fits[0]


def _fits(character: str, quotes: str) -> bool:
    if not quotes:
        return character in _BARE
    return character not in (_NOT_IN_SINGLE if quotes == "'" else _NOT_IN_DOUBLE)


def _wrapped(piece: str, quotes: str) -> str:
    if quotes == '"':
        piece = piece.replace("\\", "\\\\").replace('"', '\\"')
    return f"{quotes}{piece}{quotes}"
