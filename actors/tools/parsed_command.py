"""Says what a command is for, for display: it reads, lists, searches, or nobody knows."""

import re
import shlex
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Final, TypeAlias

from actors.safety import plain_commands, shell_script
from messages.events import (
    ListFilesCommand,
    ParsedCommand,
    ReadCommand,
    SearchCommand,
    UnknownCommand,
)

__all__ = ["parse_command"]

_Words: TypeAlias = tuple[str, ...]

_LONGEST: Final = 64 * 1024
"""Characters of a script that are read; everything else of the thread waits meanwhile."""

_LINES: Final = re.compile(r"\d+(,\d+)?p")
_NUMBER_FLAG: Final = re.compile(r"-[nc]?\+?\d+")

# These only say something or change how output looks, when they name no file.
_SILENT: Final = frozenset({"echo", "true", ":", "printf"})
# fmt: off
_FORMATTERS: Final = frozenset({
    "awk", "column", "cut", "head", "less", "more", "nl", "sed", "sort", "tail", "tee", "tr",
    "uniq", "wc", "xargs",
})
# fmt: on

# fmt: off
_SEARCH_VALUES: Final = frozenset({
    "-A", "-B", "-C", "-g", "-m", "-t", "-T", "--after-context", "--before-context", "--context",
    "--exclude", "--exclude-dir", "--glob", "--include", "--max-count", "--max-depth", "--type",
})
# fmt: on
_PATTERN_FLAGS: Final = frozenset({"-e", "--regexp"})
_FIND_TESTS: Final = frozenset({"-name", "-iname", "-path", "-ipath", "-regex", "-iregex"})
_FIND_ACTIONS: Final = frozenset({"-delete", "-exec", "-execdir", "-ok", "-okdir"})


def parse_command(argv: Sequence[str]) -> tuple[ParsedCommand, ...]:
    """
    Say what a command does, part by part.

    For display only, never a basis for permission: it goes by names, and a name may lie.
    A command with one part that is not understood is not understood as a whole, and so is
    a script of more than 64 KiB.

    Returns:
        Never empty; equal neighbours are told once.

    Source:
        Codex, ``parse_command.rs``; ours knows fewer commands and does not guess.
    """
    script = shell_script(argv)
    whole = shlex.join(argv) if script is None else script
    parsed = _parse_all(_commands(argv, script))
    return tuple(parsed) if parsed else (UnknownCommand(cmd=whole),)


def _commands(argv: Sequence[str], script: str | None) -> Sequence[_Words]:
    if script is None:
        return (tuple(argv),)
    return () if len(script) > _LONGEST else plain_commands(script, globs=True) or ()


def _parse_all(commands: Sequence[_Words]) -> list[ParsedCommand]:
    """Parse the parts that matter; empty when one of them is not understood."""
    parsed: list[ParsedCommand] = []
    directory = PurePosixPath()
    for number, words in enumerate(commands):
        if words[:1] == ("cd",) and len(words) == 2:  # noqa: PLR2004 -- cd and where to
            directory /= words[1]
            continue
        if words[0] in _SILENT or (number and _only_formats(words)):
            continue
        one = _parse_one(words, directory)
        if one is None:
            return []
        if one not in parsed[-1:]:
            parsed.append(one)
    return parsed


def _only_formats(words: _Words) -> bool:
    return words[0] in _FORMATTERS and _read_file(words) is None


def _parse_one(words: _Words, directory: PurePosixPath) -> ParsedCommand | None:
    file = _read_file(words)
    if file is not None:
        path = str(directory / file)
        return ReadCommand(cmd=shlex.join(words), name=PurePosixPath(file).name, path=path)
    parser = _PARSERS.get(words[0])
    return None if parser is None else parser(words)


def _read_file(words: _Words) -> str | None:
    """Find the one file that a command prints."""
    program, *rest = words
    match program:
        case "cat" | "bat" | "batcat" | "nl":
            files = _operands(rest)
        case "head" | "tail":
            files = _operands(_without_counts(rest))
        case "sed" if rest[:1] == ["-n"] and len(rest) > 1 and _LINES.fullmatch(rest[1]):
            files = rest[2:]
        case _:
            return None
    return files[0] if len(files) == 1 and files[0] != "-" else None


def _without_counts(words: list[str]) -> list[str]:
    """Leave out ``-n 5``, ``-n5`` and ``-5``."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in {"-n", "-c"}:
            skip = True
        elif not _NUMBER_FLAG.fullmatch(word):
            kept.append(word)
    return kept


def _operands(words: Sequence[str], with_value: frozenset[str] = frozenset()) -> list[str]:
    """Leave out flags, and the values of those that have one."""
    operands: list[str] = []
    skip = False
    for number, word in enumerate(words):
        if skip:
            skip = False
        elif word == "--":
            return [*operands, *words[number + 1 :]]
        elif word in with_value:
            skip = True
        elif word == "-" or not word.startswith("-"):
            operands.append(word)
    return operands


def _list(words: _Words) -> ParsedCommand | None:
    operands = _operands(words[1:])
    return ListFilesCommand(cmd=shlex.join(words), path=operands[0] if operands else None)


def _search(words: _Words) -> ParsedCommand | None:
    if "--files" in words:
        return _list(words)
    return _search_for(words, words[1:])


def _search_for(words: _Words, rest: Sequence[str]) -> ParsedCommand | None:
    operands = _operands(rest, _SEARCH_VALUES | _PATTERN_FLAGS)
    patterns = [after for word, after in pairwise(rest) if word in _PATTERN_FLAGS]
    if not patterns:
        patterns, operands = operands[:1], operands[1:]
    return SearchCommand(
        cmd=shlex.join(words),
        query=patterns[0] if patterns else None,
        path=operands[0] if operands else None,
    )


def _find(words: _Words) -> ParsedCommand | None:
    if _FIND_ACTIONS.intersection(words):
        return None
    path = words[1] if len(words) > 1 and not words[1].startswith("-") else None
    for word, after in pairwise(words):
        if word in _FIND_TESTS:
            return SearchCommand(cmd=shlex.join(words), query=after, path=path)
    return ListFilesCommand(cmd=shlex.join(words), path=path)


def _fd(words: _Words) -> ParsedCommand | None:
    if {"-x", "--exec", "-X", "--exec-batch"}.intersection(words):
        return None
    operands = _operands(words[1:], frozenset({"-e", "-t", "-d"}))
    if not operands:
        return ListFilesCommand(cmd=shlex.join(words))
    path = operands[1] if len(operands) > 1 else None
    return SearchCommand(cmd=shlex.join(words), query=operands[0], path=path)


def _git(words: _Words) -> ParsedCommand | None:
    match words[1:2]:
        case ("grep",):
            return _search_for(words, words[2:])
        case ("ls-files",):
            operands = _operands(words[2:])
            return ListFilesCommand(cmd=shlex.join(words), path=operands[0] if operands else None)
        case _:
            return None


_PARSERS: Final[dict[str, Callable[[_Words], ParsedCommand | None]]] = {
    **dict.fromkeys(("ls", "eza", "exa", "tree", "du"), _list),
    **dict.fromkeys(("rg", "rga", "grep", "egrep", "fgrep", "ag", "ack"), _search),
    "find": _find,
    "fd": _fd,
    "git": _git,
}
