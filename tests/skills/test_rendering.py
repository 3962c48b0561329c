"""The list of skills in the model's instructions."""

import pytest

from actors.skills import SkillsOutcome, render_skills
from actors.skills.rendering import MAX_LIST_CHARACTERS

from .trees import skill


def lines(outcome: SkillsOutcome) -> list[str]:
    """Give the lines of the list alone."""
    text = render_skills(outcome)
    assert text is not None
    return text.split("### Available skills\n")[1].split("### How to use")[0].splitlines()


def many(count: int, length: int) -> SkillsOutcome:
    return SkillsOutcome(
        skills=tuple(skill(f"s{number:04}", description="d" * length) for number in range(count))
    )


def test_skills_are_listed_with_what_the_model_needs_to_choose() -> None:
    """Name, description and file, in the order of the outcome, under the known headings."""
    outcome = SkillsOutcome(skills=(skill("b"), skill("a")))

    text = render_skills(outcome)

    assert text is not None
    assert text.startswith("## Skills\n")
    assert not text.endswith("\n")
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "## Skills",
        "### Available skills",
        "### How to use skills",
    ]
    assert lines(outcome) == [
        "- b: Does b. (file: /skills/b/SKILL.md)",
        "- a: Does a. (file: /skills/a/SKILL.md)",
    ]


def test_only_what_the_model_may_choose_is_listed() -> None:
    """Neither what is switched off nor what only the user may choose."""
    off, hidden, on = skill("off"), skill("hidden", allow_implicit=False), skill("on")
    disabled = frozenset({off.path})

    assert render_skills(SkillsOutcome()) is None
    assert render_skills(SkillsOutcome(skills=(off, hidden), disabled_paths=disabled)) is None
    [line] = lines(SkillsOutcome(skills=(off, hidden, on), disabled_paths=disabled))
    assert line.startswith("- on: ")


@pytest.mark.parametrize(
    ("count", "length", "shown"),
    [(30, 1024, 1024), (50, 1024, 512), (100, 1024, 256), (200, 600, 128), (300, 100, 64)],
)
def test_long_descriptions_are_shortened_all_alike(count: int, length: int, shown: int) -> None:
    """Rather than that skills are left out."""
    listed = lines(many(count, length))

    assert len(listed) == count
    end = "" if shown == length else "…"
    assert {line.split(": ")[1].split(" (")[0] for line in listed} == {
        "d" * (shown - len(end)) + end
    }
    assert sum(map(len, listed)) + count <= MAX_LIST_CHARACTERS


def test_skills_for_which_there_is_no_room_are_counted() -> None:
    """The last ones; the list stays within its limit."""
    listed = lines(many(1000, 1024))

    left = 1000 - (len(listed) - 1)
    assert listed[-1] == f"- {left} more, which the user may name; there is no room for them here"
    assert listed[-2].startswith(f"- s{len(listed) - 2:04}: ")
    assert sum(map(len, listed[:-1])) + len(listed[:-1]) <= MAX_LIST_CHARACTERS
    assert left < 1000
