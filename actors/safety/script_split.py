"""Takes a command apart into the commands that it runs, as exactly as that can be done."""

import re
import shlex
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final, TypeAlias

import attrs

from .plain_script import plain_commands, shell_script

__all__ = ["ScriptForm", "Split", "Words", "commands_within", "has_pattern", "split_command"]

Words: TypeAlias = tuple[str, ...]

_PATTERN: Final = re.compile(r"[*?\[\]{}~!^]")

_HEREDOC: Final = re.compile(r"(?<!<)<<-?[ \t]*(?P<quote>['\"]?)(?P<end>\w+)(?P=quote)")
"""Where a here-document begins."""

_EXPANDED: Final = re.compile(r"[$`\\]")

_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")

_BEFORE_COMMANDS: Final = frozenset(
    {"!", "$", "coproc", "do", "elif", "else", "if", "then", "time", "until", "while"}
)

_OPERATORS: Final = "();<>|&\n`{}"

_LONGEST: Final = 64 * 1024
"""Characters of a script that are looked through; the reading is slow, and a guess anyway."""

_DEEPEST: Final = 3
"""Scripts inside scripts that are looked into."""


class ScriptForm(Enum):
    """How well the commands of a command line are known."""

    PLAIN = "plain"
    """Each word is known: there is no script, or one of plain commands only."""

    PATTERNS = "patterns"
    """As plain, but the shell makes other words of those with ``* ? [ ] { } ~ ! ^``."""

    HEREDOC = "here-document"
    """One command, whose words are known, reads a text that the shell leaves alone."""

    OPAQUE = "opaque"
    """It takes a shell to tell: the only command that is known is the shell itself."""


@attrs.frozen
class Split:
    """
    The commands of a command line.

    Attributes:
        commands: In order, never empty.
        in_shell: Whether a shell runs them, which has some programs built in.
    """

    commands: tuple[Words, ...]
    form: ScriptForm
    in_shell: bool = False


def split_command(argv: Sequence[str]) -> Split:
    """
    Take a command line apart.

    Source:
        Codex, ``commands_for_exec_policy``.  Here a text is left alone by the shell only
        when its end word is quoted or nothing in it is expanded.
    """
    words = tuple(argv)
    script = shell_script(words)
    if script is None:
        return Split((words,), ScriptForm.PLAIN)
    if commands := plain_commands(script):
        return Split(commands, ScriptForm.PLAIN, in_shell=True)
    if commands := plain_commands(script, globs=True):
        return Split(commands, ScriptForm.PATTERNS, in_shell=True)
    if command := _heredoc_command(script):
        return Split((command,), ScriptForm.HEREDOC, in_shell=True)
    return Split((words,), ScriptForm.OPAQUE)


def has_pattern(word: str) -> bool:
    """Whether the shell may make other words of this one where it is not quoted."""
    return _PATTERN.search(word) is not None


def commands_within(script: str, depth: int = 0) -> Iterator[Words]:
    """
    List whatever looks like a command in a script of any form.

    A guess to be used against a script, never in its favour: it may list what is not
    run, and miss what is well hidden.
    """
    plain = plain_commands(script)
    if plain is not None:
        yield from plain
        return
    for words in _segments(_tokens(_without_texts(script[:_LONGEST]))):
        while words and (words[0] in _BEFORE_COMMANDS or _ASSIGNMENT.match(words[0])):
            words.pop(0)
        if words:
            yield tuple(words)
        for word in words if depth < _DEEPEST else ():
            _, substitution, inner = word.replace("`", "$(").partition("$(")
            if substitution:
                yield from commands_within(inner, depth + 1)


def _heredoc_command(script: str) -> Words | None:
    """Return the one command of a script that is nothing but it and a text for it."""
    first, _, rest = script.lstrip(" \t\n").rstrip("\n").partition("\n")
    start = _HEREDOC.search(first)
    if start is None or first[start.end() :].strip(" \t"):
        return None
    *body, last = rest.split("\n")
    end = start["end"]
    # The first line that is the end word ends the text; what follows would be commands.
    if last.lstrip("\t") != end or any(line.strip("\t") == end for line in body):
        return None
    if not start["quote"] and _EXPANDED.search(rest):
        return None
    commands = plain_commands(first[: start.start()])
    return commands[0] if commands and len(commands) == 1 else None


def _without_texts(script: str) -> str:
    """Leave out here-documents, which are no commands."""
    lines = script.split("\n")
    places: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        places.setdefault(line.strip("\t"), []).append(number)
    kept: list[str] = []
    position = 0
    while position < len(lines):
        kept.append(lines[position])
        position += 1
        for start in _HEREDOC.finditer(kept[-1]):
            ends = places.get(start["end"], [])
            following = bisect_left(ends, position)
            # Without an end it is no text, or bash reads to the end of the script.
            position = ends[following] + 1 if following < len(ends) else position
    return "\n".join(kept)


def _tokens(script: str) -> list[str]:
    """Divide a script into words without their quotes, and runs of operators."""
    try:
        return list(_lexer(script))
    except ValueError:  # a quote that is never closed, perhaps in a comment
        return list(_lexer(re.sub(r"[\"'\\]", " ", script)))


def _lexer(script: str) -> shlex.shlex:
    lexer = shlex.shlex(script, posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    return lexer


def _segments(tokens: Sequence[str]) -> Iterator[list[str]]:
    """Gather the words between operators; where output goes is none of them."""
    words: list[str] = []
    target = comment = False
    for token in tokens:
        if not token.strip(_OPERATORS) and token:
            comment = comment and "\n" not in token
            target = token.strip("<>&") == "" and token.strip("&") != ""
            if not target and not comment:
                yield words
                words = []
        elif comment or token.startswith("#"):
            comment = True
        elif target:
            target = False
        else:
            words.append(token)
    yield words
