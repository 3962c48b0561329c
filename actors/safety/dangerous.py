"""Knows commands that destroy what nobody can bring back."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from .git_command import git_subcommand
from .script_split import Words, commands_within

__all__ = ["is_dangerous"]

# fmt: off
_WRAPPERS: Final = frozenset({
    "builtin", "busybox", "chroot", "command", "doas", "env", "exec", "find", "flock", "ionice",
    "nice", "nohup", "setsid", "stdbuf", "sudo", "time", "timeout", "unshare", "xargs",
})
# fmt: on
"""Programs that run the command which some of their words are."""

_SHELLS: Final = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})

_SCRIPT_FLAG: Final = re.compile(r"-[a-zA-Z]*c[a-zA-Z]*")

_MOST_WRAPPED: Final = 16
"""Words of a wrapper that are tried as a command; with more, it is taken for dangerous."""

_DEEPEST: Final = 3


def is_dangerous(argv: Sequence[str]) -> bool:
    """
    Whether a command, or one that it runs, destroys things by force.

    That is ``rm`` with force, and what git does to lose commits, branches and files.  It
    goes by the program's name wherever it lies, looks through shells, ``sudo``, ``env``
    and their like, and into scripts of any form.  Where somebody hides such a command
    well it is not found: this asks a person in time, it holds nobody back.

    Source:
        Codex, ``is_dangerous_command``, which finds ``rm`` only by that word and ``-f`` or
        ``-rf`` as the very next (L39).
    """
    return _is_dangerous(tuple(argv), 0)


def _is_dangerous(words: Words, depth: int) -> bool:
    if not words:
        return False
    name = _name(words[0])
    if name in _SHELLS or name == "eval":
        return _has_dangerous_script(name, words, depth)
    if name in _WRAPPERS:
        return _wraps_dangerous(words, depth)
    test = _TESTS.get(name)
    return test is not None and test(words)


def _has_dangerous_script(name: str, words: Words, depth: int) -> bool:
    script = " ".join(words[1:]) if name == "eval" else _script(words)
    if script is None:
        return False
    # One that nests deeper than anybody writes hides something.
    return depth >= _DEEPEST or any(
        _is_dangerous(command, depth + 1) for command in commands_within(script)
    )


def _script(words: Words) -> str | None:
    for flag, script in pairwise(words[1:]):
        if _SCRIPT_FLAG.fullmatch(flag):
            return script
    return None


def _wraps_dangerous(words: Words, depth: int) -> bool:
    # Options of wrappers differ, so any word may be the command; wrappers inside wrappers
    # need no look of their own, because their commands end where these do.
    suspects = [
        n for n, word in enumerate(words) if (name := _name(word)) in _TESTS or name in _SHELLS
    ]
    return len(suspects) > _MOST_WRAPPED or any(_is_dangerous(words[n:], depth) for n in suspects)


def _name(word: str) -> str:
    return word.rpartition("/")[2]


def _has_flag(words: Sequence[str], letters: str, *names: str) -> bool:
    """Whether one of the options is there, in a group, shortened or with a value."""
    return any(
        _is_long(word, names) if word.startswith("--") else _is_short(word, letters)
        for word in words
    )


def _is_long(word: str, names: Sequence[str]) -> bool:
    start = word.partition("=")[0]
    return start != "--" and any(name.startswith(start) for name in names)


def _is_short(word: str, letters: str) -> bool:
    return word.startswith("-") and word[1:].isalpha() and bool(set(letters) & set(word))


def _rm(words: Words) -> bool:
    options = words[1 : words.index("--")] if "--" in words else words[1:]
    return _has_flag(options, "f", "--force")


def _git(words: Words) -> bool:
    subcommand, arguments = git_subcommand(words)
    match subcommand:
        case "reset" | "rm":
            return True
        case "branch":
            return _has_flag(arguments, "dD", "--delete")
        case "clean":
            return _has_flag(arguments, "f", "--force")
        case "push":
            forced = ("--force", "--force-with-lease", "--force-if-includes", "--delete")
            return _has_flag(arguments, "fd", *forced) or any(
                word.startswith(("+", ":")) for word in arguments
            )
        case _:
            return False


_TESTS: Final[Mapping[str, Callable[[Words], bool]]] = {"rm": _rm, "git": _git}
