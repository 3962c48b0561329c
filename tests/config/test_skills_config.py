"""Where skills are looked for, and which of them are off."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.config import load_config
from actors.skills import SkillRoot, SkillScope

from .places import Places


def test_the_last_word_on_a_skill_counts(places: Places) -> None:
    """By the path of its file or its folder; relative to the file that says it."""
    skill = places.write("home/skills/a/SKILL.md", "x")
    places.write("home/skills/b/SKILL.md", "x")
    (places.home / "link").symlink_to(skill.parent)
    places.write(
        places.user,
        f"""
        [[skills.config]]
        path = "{skill}"
        enabled = true
        [[skills.config]]
        path = "link/SKILL.md"
        enabled = false
        [[skills.config]]
        path = "skills/b"
        enabled = false
        [[skills.config]]
        path = "skills/b/SKILL.md"
        enabled = true
        [[skills.config]]
        path = "gone/SKILL.md"
        enabled = false
        """,
    )

    config = places.load()

    gone = places.home / "gone" / "SKILL.md"
    assert config.disabled_skills == {str(skill), str(gone)}
    assert config.thread_config().disabled_skills == config.disabled_skills
    assert config.warnings == ()
    assert [s.value for s in config.settings if s.key == "skills.config"] == [
        [
            {"path": str(skill), "enabled": False},
            {"path": str(places.home / "skills" / "b" / "SKILL.md"), "enabled": True},
            {"path": str(gone), "enabled": False},
        ]
    ]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{ name = 'x', enabled = false }", "it is not used: it has no path, which names the SKILL.md of a skill"),
        ("{ path = '', enabled = false }", "it is not used: it has no path, which names the SKILL.md of a skill"),
        ("{ path = 5, enabled = false }", "it is not used: it has no path, which names the SKILL.md of a skill"),
        ("{ path = '/a' }", "it is not used: enabled is neither true nor false"),
        ("{ path = '/a', enabled = 'no' }", "it is not used: enabled is neither true nor false"),
        ("{ path = '~nobody-of-that-name/a', enabled = false }", "it is not used: '~nobody-of-that-name/a' names no file: Could not determine home directory."),
        ("{ path = '\\u0000', enabled = false }", None),
        ("7", "it is not used: it has no path, which names the SKILL.md of a skill"),
    ],
)  # fmt: skip
def test_a_wrong_entry_costs_only_itself(places: Places, entry: str, problem: str | None) -> None:
    """It is told with its number."""
    good = "{ path = '/b/SKILL.md', enabled = false }"
    entry = entry.replace("'\\u0000'", '"\\u0000"')
    places.write(places.user, f"skills.config = [{good}, {entry}]")

    config = places.load()

    assert config.disabled_skills == {"/b/SKILL.md"}
    problem = problem or "it is not used: it has no path, which names the SKILL.md of a skill"
    assert config.warnings == (f"{places.user}: skills.config[2]: {problem}",)


def test_something_else_in_their_place_is_told(places: Places) -> None:
    """And switches nothing off."""
    places.write(places.user, "skills.config = 5")

    config = places.load()

    assert config.disabled_skills == frozenset()
    assert config.warnings == (
        f"{places.user}: skills.config: expected a list of tables with path and enabled; "
        "no skill is switched off",
    )


def test_only_the_user_and_the_session_switch_skills_off(places: Places) -> None:
    """Not a project: it would decide what the user sees."""
    entry = 'skills.config = [{ path = "/a/SKILL.md", enabled = false }]\n'
    places.write(places.user, places.trust)
    path = places.write("project/.codex/config.toml", entry)

    config = places.load()

    assert config.disabled_skills == frozenset()
    assert config.warnings == (
        f"{path}: skills: does not count in a project's file; "
        "write it into config.toml of the home",
    )
    mine = {"skills": {"config": [{"path": "b/SKILL.md", "enabled": False}]}}
    assert places.load(mine).disabled_skills == {str(places.top / "b" / "SKILL.md")}


def test_skills_are_looked_for_where_the_markers_say(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the project, the home, the user's own folder, and the system's."""
    monkeypatch.setenv("HOME", str(places.top / "me"))

    roots = places.load().skill_roots

    repo = SkillScope.REPO
    assert roots == (
        SkillRoot(str(places.sub / ".codex/skills"), repo),
        SkillRoot(str(places.project / ".codex/skills"), repo),
        SkillRoot(str(places.home / "skills"), SkillScope.USER),
        SkillRoot(str(places.top / "me/.agents/skills"), SkillScope.USER),
        SkillRoot(str(places.home / "skills/.system"), SkillScope.SYSTEM),
        SkillRoot(str(places.system.parent / "skills"), SkillScope.ADMIN),
        SkillRoot(str(places.project / ".agents/skills"), repo),
        SkillRoot(str(places.sub / ".agents/skills"), repo),
    )
    assert places.load().thread_config().skill_roots == roots
    outside = load_config(places.home, cwd=places.sub, system=None).skill_roots
    assert SkillRoot("/etc/codex/skills", SkillScope.ADMIN) in outside


def test_a_user_without_a_home_folder_has_skills_too(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are found."""

    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)

    assert SkillRoot(str(places.home / "skills"), SkillScope.USER) in places.load().skill_roots
