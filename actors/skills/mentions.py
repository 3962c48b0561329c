"""Finds the skills that the user asked for."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from messages.content import SkillInput, TextInput, UserInputItem

from .outcome import SkillsOutcome
from .skill import Skill

__all__ = ["Mentions", "mentioned_skills", "parse_mentions"]

_MENTION: Final = re.compile(
    r"\[\$(?P<linked>[A-Za-z0-9_-]+)\][ \t\n\r\f]*\("  # the path is up to the next )
    r"|\$(?P<plain>[A-Za-z0-9_-]+)"
)

# fmt: off
_VARIABLES: Final = frozenset({
    "PATH", "HOME", "USER", "SHELL", "PWD", "TMPDIR", "TEMP", "TMP", "LANG", "TERM",
    "XDG_CONFIG_HOME",
})
# fmt: on

_SKILL: Final = "skill://"
_OTHERS: Final = ("app://", "mcp://")


@attrs.frozen
class Mentions:
    """
    What a text mentions.

    Attributes:
        names: After a ``$``, outside of links.
        paths: Of links ``[$name](path)``, as they are written; never empty ones.
    """

    names: frozenset[str]
    paths: frozenset[str]


def mentioned_skills(outcome: SkillsOutcome, items: Sequence[UserInputItem]) -> tuple[Skill, ...]:
    """
    Select the skills that an input asks for, each once, in the order of asking.

    First those that a client names by their path, then those that the texts mention: by
    ``[$name](path)``, where only the path counts, or by ``$name``, where the name has to be
    that of exactly one skill.  Skills that are switched off are never selected, and a name
    that a client gave together with a path stands for that path alone, whether it
    leads to a skill or not.  `MentionInput` points at other things than skills.

    Source:
        Codex, ``collect_explicit_skill_mentions``.
    """
    given = [item for item in items if isinstance(item, SkillInput)]
    texts = [item.text for item in items if isinstance(item, TextInput) and "$" in item.text]
    if not given and not texts:
        return ()
    enabled = outcome.enabled()
    by_path = {skill.path: skill for skill in enabled}
    chosen = {item.path: by_path[item.path] for item in given if item.path in by_path}
    counts = Counter(skill.name for skill in enabled)
    blocked = {item.name for item in given}
    for text in texts:
        for skill in _selected(enabled, parse_mentions(text), counts, blocked, chosen):
            chosen[skill.path] = skill
    return tuple(chosen.values())


def parse_mentions(text: str) -> Mentions:
    """
    Find what a text mentions.

    Names of common environment variables are no mentions, with and without a link.  Takes
    time in proportion to the text, whatever it is.
    """
    names: set[str] = set()
    paths: set[str] = set()
    for name, path in _scan(text):
        if name.upper() in _VARIABLES:
            continue
        if path:
            paths.add(path)
        else:
            names.add(name)
    return Mentions(frozenset(names), frozenset(paths))


def _scan(text: str) -> Iterator[tuple[str, str]]:
    """Yield names with the paths of their links, which are empty for plain ones."""
    last_parenthesis = text.rfind(")")
    position = 0
    while match := _MENTION.search(text, position):
        position = match.end()
        if (name := match["plain"]) is not None:
            yield name, ""
            continue
        # Found at once, or known not to be there: else many links that nobody
        # closed would each be followed to the end of the text.
        end = text.find(")", position) if position <= last_parenthesis else -1
        path = text[position:end].strip() if end != -1 else ""
        yield match["linked"], path
        position = end + 1 if path else match.end("linked")


def _selected(
    enabled: Sequence[Skill],
    mentions: Mentions,
    counts: Counter[str],
    blocked: set[str],
    chosen: dict[str, Skill],
) -> Iterator[Skill]:
    targets = {path.removeprefix(_SKILL) for path in mentions.paths if not path.startswith(_OTHERS)}
    linked = [skill for skill in enabled if skill.path in targets]
    yield from linked
    taken = {skill.name for skill in (*chosen.values(), *linked)} | blocked
    for skill in enabled:
        if skill.name in mentions.names and skill.name not in taken and counts[skill.name] == 1:
            yield skill
