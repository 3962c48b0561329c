"""Writes the list of skills for the model's instructions."""

from collections.abc import Sequence
from typing import Final

from .outcome import SkillsOutcome
from .skill import Skill

__all__ = ["MAX_LIST_CHARACTERS", "render_skills"]

MAX_LIST_CHARACTERS: Final = 40_000
"""How long the list may be: some 10,000 tokens, which every request has to carry."""

# What descriptions are shortened to, one after the other, when the list is too long.
_SHORTENED: Final = (512, 256, 128, 64)

_HEAD: Final = """\
## Skills
A skill is a folder with instructions for one kind of task. The instructions are in its \
`SKILL.md`; only names and purposes are given here.
### Available skills
"""

_GUIDE: Final = """\
### How to use skills
- When: use a skill in the turn in which the user names it (`$name`, or in plain words), or when \
the task is clearly what its description says. Use the fewest that cover the task. A skill does \
not carry over to later turns unless it is named again.
- How: read its `SKILL.md` before you act, unless its text is already in the conversation, and \
follow it. Paths in it are relative to the folder it is in. Of the files it points to, read those \
that this task needs, and no others.
- Scripts, templates and assets in the folder are there to be used: run or copy them instead of \
writing your own.
- Say in a few words which skill you use and what for; if you pass over one that seems to fit, \
say why.
- If a skill that the user names is not listed, or cannot be read, say so briefly and do the task \
as well as you can without it."""


def render_skills(outcome: SkillsOutcome) -> str | None:
    """
    Write the section about skills; None when there is none that the model may choose.

    Skills that are switched off, or that only the user may choose, are not in it.  When
    the list is too long, descriptions are shortened, and if that is not enough, the last
    skills are left out, which the list then says.
    """
    skills = [skill for skill in outcome.enabled() if skill.allow_implicit]
    return f"{_HEAD}{_list(skills)}{_GUIDE}" if skills else None


def _list(skills: Sequence[Skill]) -> str:
    lines = [_line(skill, len(skill.description)) for skill in skills]
    for limit in _SHORTENED:
        if _length(lines) <= MAX_LIST_CHARACTERS:
            break
        lines = [_line(skill, limit) for skill in skills]
    kept = _fitting(lines)
    if kept < len(lines):
        left = len(lines) - kept
        lines[kept:] = [f"- {left} more, which the user may name; there is no room for them here\n"]
    return "".join(lines)


def _line(skill: Skill, limit: int) -> str:
    description = skill.description
    if len(description) > limit:
        description = description[: limit - 1].rstrip() + "…"
    return f"- {skill.name}: {description} (file: {skill.path})\n"


def _length(lines: Sequence[str]) -> int:
    return sum(map(len, lines))


def _fitting(lines: Sequence[str]) -> int:
    """Count how many of the first lines there is room for."""
    length = 0
    for count, line in enumerate(lines):
        length += len(line)
        if length > MAX_LIST_CHARACTERS:
            return count
    return len(lines)
