"""Reads command lines of git."""

from collections.abc import Sequence
from typing import Final

__all__ = ["git_subcommand", "only_shows"]

_WITH_VALUE: Final = frozenset(
    {
        "-C",
        "-c",
        "--config-env",
        "--exec-path",
        "--git-dir",
        "--namespace",
        "--super-prefix",
        "--work-tree",
    }
)

_HARMLESS: Final = frozenset(
    {"-C", "-P", "--literal-pathspecs", "--no-optional-locks", "--no-pager", "--no-replace-objects"}
)
"""Options before the subcommand that lead to no other configuration or program."""

_SHOWING: Final = frozenset({"branch", "diff", "log", "show", "status"})

_RUNNING: Final = ("--exec", "--ext-diff", "--output", "--paginate", "--textconv")
"""Options that write files or run programs."""

# fmt: off
_LISTING: Final = frozenset({
    "-a", "-l", "-r", "-v", "-vv", "--all", "--list", "--remotes", "--show-current", "--verbose",
})
# fmt: on


def git_subcommand(words: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """Find the subcommand and the words behind it; None when there is none."""
    position = _skip_options(words)
    if position >= len(words):
        return None, ()
    return words[position], tuple(words[position + 1 :])


def only_shows(words: Sequence[str]) -> bool:
    """
    Whether it shows the state of a repository, and changes nothing but by configuration.

    What the repository's configuration makes of it, such as running a monitor or a
    filter, nobody can see here.

    Source:
        Codex, ``is_safe_git_command``, which lets ``--git-dir`` and its like pass.
    """
    subcommand, arguments = git_subcommand(words)
    before = words[1 : len(words) - len(arguments) - 1]
    if subcommand not in _SHOWING or any(map(_configures, words)):
        return False
    if not all(word in _HARMLESS or not word.startswith("-") for word in before):
        return False
    if any(map(_runs, arguments)):
        return False
    return subcommand != "branch" or all(map(_lists, arguments))


def _skip_options(words: Sequence[str]) -> int:
    position = 1
    while position < len(words) and words[position].startswith("-"):
        position += 2 if words[position] in _WITH_VALUE else 1
    return position


def _configures(word: str) -> bool:
    return word.startswith("-c") or word.partition("=")[0] == "--config-env"


def _runs(word: str) -> bool:
    # git takes the beginning of an option for the whole.
    start = word.partition("=")[0]
    return len(start) > len("--") and any(option.startswith(start) for option in _RUNNING)


def _lists(word: str) -> bool:
    return word in _LISTING or word.startswith("--format=")
