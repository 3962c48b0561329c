"""
What it costs to know a home's skills: to look for them, and to list them when they are known.

``python -m tests.bench skills``.  The reference of a look is `os.walk` and the opening of
each ``SKILL.md`` to read its first 4 KB: what anybody has to do who has no index.  Files
are in the system's cache; what is cold is ours.
"""

import os
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import trio
import yaml

from actors.skills import (
    SkillRoot,
    SkillsCache,
    SkillScope,
    SkillsQuery,
    load_skills,
    mentioned_skills,
)
from messages.content import TextInput

from .line import Line, Measure, Spent, Stopwatch

__all__ = ["lines", "write_home"]

_SKILLS: Final = 1000
_COLD: Final = 150.0
"""Milliseconds that 1,000 skills may take."""
_WARM: Final = 1.0
"""Milliseconds, however many there are."""

_FRONT: Final = """\
---
name: skill-{number:04}
description: >-
  Use this when somebody asks for thing number {number} and wants it done with care, which
  means with tests, with a report of what was done, and without touching anything else.
metadata:
  short-description: Does thing {number}
---
"""
_BODY: Final = "A line of instructions, of which there are many.\n" * 200
_DETAILS: Final = """\
interface:
  display_name: Thing {number}
  brand_color: "#1a2b3c"
dependencies:
  tools:
    - type: env_var
      value: KEY_{number}
"""


def write_home(root: Path, skills: int, *, details: int) -> SkillsQuery:
    """Write that many skills of 10 KB, every *details*-th with the optional file beside it."""
    for number in range(skills):
        folder = root / f"group-{number % 10}" / f"skill-{number:04}"
        folder.mkdir(parents=True)
        (folder / "SKILL.md").write_text(_FRONT.format(number=number) + _BODY)
        if number % details == 0:
            (folder / "agents").mkdir()
            (folder / "agents" / "openai.yaml").write_text(_DETAILS.format(number=number))
    return SkillsQuery(roots=(SkillRoot(str(root), SkillScope.USER),))


def _walk(root: Path) -> Spent:
    with Stopwatch() as watch:
        heads: list[bytes] = []
        for folder, _, files in os.walk(root):
            for file in files:
                if file == "SKILL.md":
                    with open(f"{folder}/{file}", "rb") as opened:  # noqa: PTH123 -- without detours
                        heads.append(opened.read(4096))
    assert heads
    return watch.spent


def _look(query: SkillsQuery, skills: int) -> Spent:
    with Stopwatch() as watch:
        outcome = load_skills(query)
    assert len(outcome.skills) == skills
    assert outcome.errors == ()
    return watch.spent


async def _list(query: SkillsQuery, skills: int) -> Spent:
    cache = SkillsCache()
    await cache.outcome(query)
    with Stopwatch() as watch:
        outcome = await cache.outcome(query)
        listed = outcome.metadata
        enabled = outcome.enabled()
    assert len(listed) == len(enabled) == skills
    return watch.spent


async def _mention(query: SkillsQuery, skills: int) -> Spent:
    cache = SkillsCache()
    await cache.outcome(query)
    said = TextInput(text=f"please use $skill-{skills - 1:04} for this")
    with Stopwatch() as watch:
        found = mentioned_skills(await cache.outcome(query), [said])
    assert len(found) == 1
    return watch.spent


def lines(rounds: int = 5, scale: float = 1.0) -> Iterator[Line]:
    """Measure a cold look at 1,000 skills, and what is asked of them when they are known."""
    # Loaded here, with the C parser: importing it is not counted.
    assert yaml.__with_libyaml__
    skills = max(10, int(_SKILLS * scale))
    with TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        query = write_home(root, skills, details=10)
        _look(query, skills)
        pairs = [(_walk(root), _look(query, skills)) for _ in range(rounds)]
        yield Line(
            name=f"look for {skills} skills, cold : os.walk and 4 KB of each",
            unit="ms",
            plain=statistics.median(plain.wall for plain, _ in pairs) * 1e3,
            ours=statistics.median(ours.wall for _, ours in pairs) * 1e3,
            cpu=statistics.median(ours.cpu for _, ours in pairs) * 1e3,
            ratio=statistics.median(ours.wall / plain.wall for plain, ours in pairs),
            cpu_ratio=statistics.median(ours.cpu / plain.cpu for plain, ours in pairs),
            target=_COLD * skills / _SKILLS,
            measure=Measure.OURS,
        )
        yield _warm(f"list {skills} skills, warm", partial(_list, query, skills), rounds, _WARM)
        yield _warm(
            f"find 1 mention in {skills} skills, warm", partial(_mention, query, skills), rounds
        )


def _warm(name: str, side: Callable[[], object], rounds: int, target: float | None = None) -> Line:
    spent: list[Spent] = [trio.run(side) for _ in range(rounds)]
    return Line(
        name=name,
        unit="ms",
        ours=statistics.median(one.wall for one in spent) * 1e3,
        cpu=statistics.median(one.cpu for one in spent) * 1e3,
        target=target,
        measure=Measure.OURS,
    )


if __name__ == "__main__":
    for each in lines():
        print(each, flush=True)
