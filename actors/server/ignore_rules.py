"""The language of ``.gitignore``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import attrs

__all__ = ["IgnoreRules"]

_RULES_AT_MOST: Final = 1000

_CLASSES: Final = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "lower": "a-z",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}
_CLASS: Final = re.compile(r"\[([!^]?)(\]?(?:\[:\w+:\]|\\.|[^]])*)\]", re.DOTALL)
_MEMBER: Final = re.compile(r"\[:(\w+):\]|\\(.)|(.)", re.DOTALL)
_ESCAPE: Final = re.compile(r"(\\[^/])|\\/")
_STAR: Final = "*"
_FOLDERS: Final = "(?:[^/]+/)*?"


@attrs.frozen
class IgnoreRules:
    """
    The rules of one file, of which the last that fits a path decides.

    A path costs a moment and never more, whatever the rules are: they come from anywhere.
    Of more than a thousand rules the rest is not looked at.

    Attributes:
        groups: Whether what fits is left out, and what fits; the last rules first.

    Source:
        ``gitignore(5)``.  Libraries for it try rule by rule, which takes five times as long.
    """

    groups: tuple[tuple[bool, re.Pattern[str]], ...]

    @classmethod
    def read(cls, text: str) -> IgnoreRules:
        """Read the contents of a file; rules that cannot fit anything are skipped."""
        lines = (line.removesuffix("\r") for line in text.split("\n"))
        found = (rule for line in lines if (rule := _rule(line)) is not None)
        rules = [*itertools.islice(found, _RULES_AT_MOST)]
        return cls(
            tuple(
                (leaves_out, re.compile("|".join(pattern for _, pattern in group), re.DOTALL))
                # Neighbours that say the same are one pattern: the last of them need not be found.
                for leaves_out, group in itertools.groupby(
                    reversed(rules), key=lambda rule: rule[0]
                )
            )
        )

    def leaves_out(self, path: str) -> bool | None:
        """
        Say whether a path is left out; None when no rule is about it.

        Args:
            path: From the folder of the file, with a slash behind if it is a folder.  The
                folders that it is in are not left out.
        """
        for leaves_out, pattern in self.groups:
            if pattern.match(path):
                return leaves_out
        return None


def _rule(line: str) -> tuple[bool, str] | None:
    """Read a line; None when it is no rule."""
    if line.startswith("#"):
        return None
    while line.endswith(" ") and not line.endswith("\\ "):
        line = line[:-1]
    leaves_out = not line.startswith("!")
    glob = line if leaves_out else line[1:]
    glob = _ESCAPE.sub(lambda found: found[1] or "/", glob)
    end = "/" if glob.endswith("/") else "/?"
    glob = glob.removesuffix("/")
    if not glob:
        return None
    anywhere = "/" not in glob
    try:
        fits = _path("**/" + glob if anywhere else glob.removeprefix("/"))
    except ValueError:
        return None
    return leaves_out, rf"{fits}{end}\Z"


def _path(glob: str) -> str:
    """
    Translate a glob of a whole path.

    What stands between two ``**`` is looked for once, as in `_segment`.

    Raises:
        ValueError: It fits nothing.
    """
    groups: list[list[str]] = [[]]
    for each in glob.split("/"):
        if each == "**":
            groups.append([])
        else:
            groups[-1].append(_segment(each))
    first, *others = ("/".join(group) for group in groups)
    if not others:
        return first
    *middle, last = others
    begin = f"{first}/" if first else ""
    between = "".join(f"(?>{_FOLDERS}{group}/)" for group in middle if group)
    return f"{begin}{between}" + (f"{_FOLDERS}{last}" if last else ".+?")


def _segment(glob: str) -> str:
    """
    Translate what stands between two slashes.

    Of a text between two stars the first place is as good as any later one, so that it is
    never looked for again: else some rules would take years for some names.
    """
    tokens = [*_tokens(glob)]
    texts = ["".join(group) for is_star, group in _runs(tokens) if not is_star]
    if _STAR not in tokens:
        return "".join(texts)
    if not texts:
        return "[^/]+"  # a name has a character at least
    first = "" if tokens[0] == _STAR else texts.pop(0)
    last = "" if tokens[-1] == _STAR else texts.pop()
    middle = "".join(f"(?>[^/]*?{text})" for text in texts)
    return f"{first}{middle}[^/]*{last}"


def _runs(tokens: Sequence[str]) -> Iterator[tuple[bool, Iterator[str]]]:
    return itertools.groupby(tokens, key=lambda token: token == _STAR)


def _tokens(glob: str) -> Iterator[str]:
    """Yield a pattern for each character that must be there, and stars as they are."""
    place = 0
    while place < len(glob):
        letter = glob[place]
        place += 1
        if letter == "*":
            yield _STAR
        elif letter == "?":
            yield "[^/]"
        elif letter == "[":
            found = _CLASS.match(glob, place - 1)
            if found is None:
                raise ValueError(glob)
            yield _class(found[1] != "", found[2])
            place = found.end()
        elif letter == "\\":
            if place == len(glob):
                raise ValueError(glob)
            yield re.escape(glob[place])
            place += 1
        else:
            yield re.escape(letter)


class _Member(NamedTuple):
    """What can stand in brackets: a class with a name, or a character."""

    name: str | None
    letter: str
    is_dash: bool

    @classmethod
    def of(cls, found: re.Match[str]) -> _Member:
        return cls(found[1], found[2] or found[3] or "", found[0] == "-")


def _class(negated: bool, members: str) -> str:  # noqa: FBT001 -- one caller
    """
    Translate what stands in brackets.

    Raises:
        ValueError: Nothing can be in there.
    """
    inner = ""
    found = [*map(_Member.of, _MEMBER.finditer(members))]
    while found:
        one, *found = found
        if one.name is not None:
            inner += _CLASSES.get(one.name, "")
            continue
        last = one.letter
        if len(found) > 1 and found[0].is_dash and found[1].name is None:
            last = found[1].letter
            found = found[2:]
        # A range the wrong way round is its first character, to git.
        inner += re.escape(one.letter) + (f"-{re.escape(last)}" if one.letter < last else "")
    if not inner:
        raise ValueError(members)
    return f"(?!/)[{'^' if negated else ''}{inner}]"
