"""Sorts commands by what they can do: only read, run others, destroy, or nobody knows."""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Final

from .dangerous import is_dangerous
from .git_command import only_shows
from .programs import resolve_program
from .script_split import ScriptForm, Split, Words, has_pattern, split_command

__all__ = [
    "CommandClass",
    "classify_command",
    "classify_split",
    "known_split",
    "worst_class",
]


class CommandClass(Enum):
    """What a command can do."""

    READS = "reads"
    """It reads and prints, changes nothing and runs no other program."""

    CONTAINED = "contained"
    """It is as harmless as long as a sandbox holds it: its configuration may run others."""

    UNKNOWN = "unknown"
    """Anything."""

    DANGEROUS = "dangerous"
    """It destroys what nobody can bring back."""


_FROM_BEST: Final = tuple(CommandClass)

_BUILT_IN: Final = frozenset({"cd", "echo", "false", "pwd", "true"})
"""What a shell does by itself, wherever a program of that name lies."""

# fmt: off
_READERS: Final = frozenset({
    "cat", "cd", "cut", "echo", "expr", "false", "grep", "head", "id", "ls", "nl", "numfmt",
    "paste", "pwd", "rev", "seq", "stat", "tac", "tail", "tr", "true", "uname", "wc", "which",
    "whoami",
})
# fmt: on
"""Programs that only read, whatever their words are."""

_FIND_ACTS: Final = frozenset(
    {
        "-delete",
        "-exec",
        "-execdir",
        "-fls",
        "-fprint",
        "-fprint0",
        "-fprintf",
        "-ok",
        "-okdir",
    }
)

_RG_RUNS: Final = ("--hostname-bin", "--pre", "--search-zip")

_LINES: Final = re.compile(r"\d+(,\d+)?p")


def classify_command(argv: Sequence[str], *, search_path: str) -> CommandClass:
    """
    Say what a command can do: the worst of all that a plain script runs; blocks shortly.

    A program counts by the place where it really lies, not by its name: one outside the
    system's folders is unknown.  So is a script whose commands only a shell can tell.

    Args:
        search_path: The value of ``PATH``, as the command will find it.

    Source:
        Codex, ``is_safe_command.rs``, which goes by names (L39), and by the same lists;
        ``uniq`` with two files, which writes one, is safe there.
    """
    split = known_split(argv, search_path=search_path)
    return worst_class(classify_split(split, search_path=search_path))


def known_split(argv: Sequence[str], *, search_path: str) -> Split:
    """
    Take a command line apart, if the system's own shell runs it; blocks shortly.

    What any other program of that name makes of a script, only it can tell.
    """
    split = split_command(argv)
    if split.in_shell and resolve_program(argv[0], search_path) is None:
        return Split((tuple(argv),), ScriptForm.OPAQUE)
    return split


def classify_split(split: Split, *, search_path: str) -> tuple[CommandClass, ...]:
    """Say what each of the commands can do, which `known_split` found; blocks shortly."""
    return tuple(_classify(words, split, search_path) for words in split.commands)


def worst_class(classes: Sequence[CommandClass]) -> CommandClass:
    """Return the worst of some classes; of none, the best there is."""
    return max(classes, key=_FROM_BEST.index, default=CommandClass.READS)


def _classify(words: Words, split: Split, search_path: str) -> CommandClass:
    if is_dangerous(words):
        return CommandClass.DANGEROUS
    if not words or split.form not in {ScriptForm.PLAIN, ScriptForm.PATTERNS}:
        return CommandClass.UNKNOWN
    known = _known_class(words, patterns=split.form is ScriptForm.PATTERNS)
    if known is not CommandClass.UNKNOWN and not (split.in_shell and words[0] in _BUILT_IN):
        return known if resolve_program(words[0], search_path) else CommandClass.UNKNOWN
    return known


def _known_class(words: Words, *, patterns: bool) -> CommandClass:
    """Go by names alone."""
    name = words[0].rpartition("/")[2]
    if name in _READERS:
        return CommandClass.READS
    # A pattern may become an option that changes what the program does.
    if patterns and any(map(has_pattern, words)):
        return CommandClass.UNKNOWN
    known, test = _TESTS.get(name, _NO_TEST)
    return known if test(words) else CommandClass.UNKNOWN


def _base64(words: Words) -> bool:
    return not any(
        word.startswith("-o") or (len(word) > len("--") and "--output".startswith(_option(word)))
        for word in words
    )


def _find(words: Words) -> bool:
    return not _FIND_ACTS.intersection(words)


def _rg(words: Words) -> bool:
    # In a group of short options "z" may come late, as in -lz.
    return not any(
        _option(word) in _RG_RUNS or re.fullmatch(r"-[^-]*z.*", word) for word in words[1:]
    )


def _sed(words: Words) -> bool:
    match words:
        case (_, "-n", lines):
            return _LINES.fullmatch(lines) is not None
        case (_, "-n", lines, file):
            # An option in the place of the file could name a script, which makes files.
            return _LINES.fullmatch(lines) is not None and not file.startswith("-")
        case _:
            return False


def _uniq(words: Words) -> bool:
    # A second file is written to; an option's value looks like a file, and is refused too.
    return sum(not word.startswith("-") for word in words[1:]) <= 1


def _option(word: str) -> str:
    return word.partition("=")[0]


def _never(_words: Words) -> bool:
    return False


_NO_TEST: Final = (CommandClass.UNKNOWN, _never)

_TESTS: Final[Mapping[str, tuple[CommandClass, Callable[[Words], bool]]]] = {
    "base64": (CommandClass.READS, _base64),
    "find": (CommandClass.READS, _find),
    "git": (CommandClass.CONTAINED, only_shows),
    "rg": (CommandClass.CONTAINED, _rg),
    "sed": (CommandClass.READS, _sed),
    "uniq": (CommandClass.READS, _uniq),
}
