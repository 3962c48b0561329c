"""What clients get to know of a skill."""

from actors.skills import SkillDependency, SkillInterface, SkillScope, SkillsOutcome, to_metadata
from messages.codec import decode_item, encode_line
from messages.events import ListSkillsResponse, SkillMetadata, SkillsListEntry

from .trees import skill


def test_everything_that_is_said_is_listed() -> None:
    """What is not said has no member."""
    one = skill(
        "one",
        scope=SkillScope.REPO,
        short_description="Short.",
        interface=SkillInterface(display_name="One", brand_color="#000000"),
        dependencies=(SkillDependency(type="env_var", value="A"),),
    )

    assert to_metadata(one, enabled=True) == SkillMetadata(
        name="one",
        description="Does one.",
        path="/skills/one/SKILL.md",
        scope="repo",
        enabled=True,
        short_description="Short.",
        interface={"display_name": "One", "brand_color": "#000000"},
        dependencies={"tools": [{"type": "env_var", "value": "A"}]},
    )
    assert to_metadata(skill(), enabled=False) == SkillMetadata(
        name="one",
        description="Does one.",
        path="/skills/one/SKILL.md",
        scope="user",
        enabled=False,
    )


def test_list_survives_the_codec() -> None:
    """As part of the answer that it is made for."""
    skills = (skill("a", interface=SkillInterface(icon_small="/x")), skill("b"))
    outcome = SkillsOutcome(skills=skills, disabled_paths=frozenset({skills[1].path}))
    entry = SkillsListEntry(cwd="/", skills=outcome.metadata, errors=outcome.errors)
    answer = ListSkillsResponse(skills=(entry,))

    line = encode_line(answer, timestamp="2026-02-11T09:30:00.000Z", seq=0)

    assert decode_item(line) == answer
    assert [listed.enabled for listed in outcome.metadata] == [True, False]
    assert outcome.metadata is outcome.metadata
