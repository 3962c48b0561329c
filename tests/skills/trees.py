"""Skill folders on disk, and what is expected of them."""

from pathlib import Path

from actors.skills import Skill, SkillRoot, SkillScope, SkillsOutcome, SkillsQuery, load_skills

__all__ = ["front", "load", "query", "skill", "write_details", "write_skill"]


def front(name: str = "one", description: str = "Does one thing.", more: str = "") -> str:
    return f"---\nname: {name}\ndescription: {description}\n{more}---\n# Text of {name}\n"


def write_skill(folder: Path, text: str | None = None) -> Path:
    """Write a SKILL.md, by default a good one that is called like its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "SKILL.md"
    path.write_text(front(folder.name) if text is None else text)
    return path


def write_details(folder: Path, text: str) -> Path:
    path = folder / "agents" / "openai.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def query(*roots: Path, disabled: tuple[Path, ...] = ()) -> SkillsQuery:
    return SkillsQuery(
        roots=tuple(SkillRoot(str(root), SkillScope.USER) for root in roots),
        disabled=frozenset(map(str, disabled)),
    )


def load(*roots: Path) -> SkillsOutcome:
    return load_skills(query(*roots))


def skill(name: str = "one", path: str | None = None, **more: object) -> Skill:
    fields = {
        "name": name,
        "description": f"Does {name}.",
        "path": path or f"/skills/{name}/SKILL.md",
        "scope": SkillScope.USER,
        **more,
    }
    return Skill(**fields)
