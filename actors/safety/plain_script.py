"""Reads shell scripts that are nothing but plain commands, and refuses all others."""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final, TypeAlias

__all__ = ["plain_commands", "shell_script"]

_SHELLS: Final = frozenset({"bash", "zsh", "sh"})
_FLAGS: Final = frozenset({"-c", "-lc"})
_SHELL_WORDS: Final = 3

# One piece of a script; what does not match is not plain.
_PIECE: Final = re.compile(
    r"""(?P<space>[ \t]+)
      | (?P<operator>&&|\|\||;|\||\n)
      | (?P<single>'[^']*')
      | (?P<double>"[^"$`\\!]*")
      | (?P<glob>[*?\[\]{}~!^]+)
      | (?P<bare>[^\s'"$`\\!*?\[\]{}~^();&|<>\#]+|(?<=[^\s;&|])\#)""",
    re.VERBOSE,
)

_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")

# fmt: off
_RESERVED: Final = frozenset({
    "!", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if",
    "in", "select", "then", "time", "until", "while",
})
# fmt: on

_Piece: TypeAlias = tuple[str, str]
"""Kind and text."""

_NOT_PLAIN: Final = "not plain"

_LONGEST: Final = 128 * 1024
"""Characters; Linux takes no longer word, and reading one would hold up everybody."""


def shell_script(argv: Sequence[str]) -> str | None:
    """Find the script in ``bash -lc <script>`` and its like; None when it is none of them."""
    if len(argv) != _SHELL_WORDS or argv[1] not in _FLAGS:
        return None
    return argv[2] if PurePosixPath(argv[0]).stem in _SHELLS else None


def plain_commands(script: str, *, globs: bool = False) -> tuple[tuple[str, ...], ...] | None:
    """
    Split a script into its commands, each a list of words.

    Plain are words, quoted or not, joined by ``&&``, ``||``, ``;``, ``|`` and new lines.
    Anything whose meaning takes a shell to tell (variables, substitutions, redirections,
    assignments, escapes, groups, keywords, comments, background jobs) is not plain.

    Args:
        globs:
            Take words with ``* ? [ ] { } ~ ! ^`` outside quotes as they are written.
            For display only: the shell may make other words of them.

    Returns:
        The commands in order, never empty, none of them empty; or None for a script
        that is not plain, or longer than any that could run.

    Source:
        Codex, ``try_parse_word_only_commands_sequence``, which asks a grammar of bash.
    """
    if len(script) > _LONGEST:
        return None
    commands: list[tuple[str, ...]] = []
    words: list[list[_Piece]] = [[]]
    last = ""
    for kind, text in _pieces(script.strip(" \t\n")):
        if kind == _NOT_PLAIN or (kind == "glob" and not globs):
            return None
        if kind == "operator":
            if not _finish(words, commands, optional=text == "\n"):
                return None
            words = [[]]
            last = text
        elif kind == "space":
            words.append([])
        else:
            words[-1].append((kind, text))
    # A script may end with ";", but not with the other operators.
    if not _finish(words, commands, optional=last == ";"):
        return None
    return tuple(commands)


def _pieces(script: str) -> Iterator[_Piece]:
    """Divide a script into pieces of one kind; `_NOT_PLAIN` where that fails."""
    position = 0
    while position < len(script):
        match = _PIECE.match(script, position)
        if match is None or match.lastgroup is None:
            yield _NOT_PLAIN, ""
            return
        yield match.lastgroup, match.group()
        position = match.end()


def _finish(words: list[list[_Piece]], commands: list[tuple[str, ...]], *, optional: bool) -> bool:
    """Add the command made of *words*; False when bash would refuse it or read more into it."""
    written = [word for word in words if word]
    if not written:
        return optional
    first = "".join(text for _, text in written[0])
    if first in _RESERVED or _ASSIGNMENT.match(first):
        return False
    commands.append(tuple("".join(map(_literal, word)) for word in written))
    return True


def _literal(piece: _Piece) -> str:
    kind, text = piece
    return text[1:-1] if kind in {"single", "double"} else text
