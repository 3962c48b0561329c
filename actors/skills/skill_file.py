"""Reads one skill: the head of its ``SKILL.md``, and the details beside it; blocks."""

from typing import Final, NoReturn

import attrs

from .details import SkillDetails, read_details
from .discovery import SKILL_FILE
from .errors import BadSkillFile
from .fields import find_mapping, find_text
from .files import read_head
from .plain_yaml import parse_yaml
from .skill import Skill, SkillScope

__all__ = ["MAX_NAME", "MAX_TEXT", "FrontMatter", "parse_front_matter", "read_skill_file"]

MAX_NAME: Final = 64
"""How long a name may be, in characters."""

MAX_TEXT: Final = 1024
"""How long a description may be, in characters."""


@attrs.frozen(kw_only=True)
class FrontMatter:
    """What a ``SKILL.md`` says about itself; see `Skill`."""

    name: str
    description: str
    short_description: str | None


def read_skill_file(path: str, scope: SkillScope) -> tuple[Skill, SkillDetails]:
    """
    Read a skill, and the details out of which it was made.

    Args:
        path: Of the ``SKILL.md``; absolute and without links.
        scope: Whose it is.

    Raises:
        BadSkillFile: It is none.  Details never are the reason.
        OSError: It cannot be read.
    """
    front = parse_front_matter(read_head(path))
    details = read_details(path.removesuffix(f"/{SKILL_FILE}"))
    skill = Skill(
        name=front.name,
        description=front.description,
        path=path,
        scope=scope,
        short_description=front.short_description,
        interface=details.interface,
        dependencies=details.dependencies,
        allow_implicit=details.allow_implicit,
    )
    return skill, details


def parse_front_matter(text: str) -> FrontMatter:
    """
    Understand what is between the fences; keys that we do not know say nothing.

    Raises:
        BadSkillFile: It is not YAML, or lacks what it needs, or has too much of it.
    """
    # The text begins below the first fence.
    table = find_mapping(parse_yaml(text, first_line=2))
    metadata = find_mapping(table, "metadata")
    return FrontMatter(
        name=find_text(table, "name", MAX_NAME) or _missing("name"),
        description=find_text(table, "description", MAX_TEXT) or _missing("description"),
        short_description=find_text(metadata, "short-description", MAX_TEXT, within="metadata."),
    )


def _missing(field: str) -> NoReturn:
    raise BadSkillFile(f"missing field `{field}`; add a line {field}: ... to the frontmatter")
