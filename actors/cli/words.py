"""The words of a command line, put into the order that the parser wants."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from .options import SWITCHES

__all__ = ["COMMANDS", "Commands", "commands_first"]

Commands: TypeAlias = "Mapping[str, Commands]"

_STDIN: Final = "-"

COMMANDS: Final[Commands] = {
    "exec": {"resume": {}},
    "threads": {"show": {}, "fork": {}},
    "config": {},
    "models": {},
    "login": {"status": {}},
    "logout": {},
    "app-server": {},
    "serve": {},
    "pool": {},
    "ps": {},
}
"""The commands, and the commands of the commands."""


def commands_first(words: Sequence[str]) -> list[str]:
    """
    Move commands to the front, so that options may stand before them.

    ``exec --json resume ID`` becomes ``exec resume --json ID``.  Only a first
    argument can be a command: behind another argument, or behind ``--``, there is
    none.  A lone ``-`` goes to the end, where it cannot be taken for an option.
    """
    known: Commands = COMMANDS
    commands: list[str] = []
    others: list[str] = []
    dashes: list[str] = []
    rest = list(words)
    while rest and rest[0] != "--":
        word = rest.pop(0)
        if word in known:
            commands.append(word)
            known = known[word]
        elif word == _STDIN:
            known = {}
            dashes = ["--", _STDIN]
        else:
            others.append(word)
            if not word.startswith("-"):
                known = {}
            elif _takes_next(word) and rest:
                others.append(rest.pop(0))
    return [*commands, *others, *dashes, *rest]


def _takes_next(word: str) -> bool:
    """Tell whether an option's value is the next word."""
    if word in SWITCHES or "=" in word:
        return False
    # "-mNAME" and the like have their value with them.
    is_short = not word.startswith("--")
    return not (is_short and len(word) > len("-m"))
