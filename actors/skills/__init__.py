"""What a thread can be taught: folders of skills, found, read, mentioned and injected."""

from .cache import SkillsCache, SkillsCacheStatistics
from .errors import SkillsError, SkillUnreadable
from .injection import read_skill, skill_message
from .loader import load_skills
from .mentions import mentioned_skills
from .outcome import SkillsOutcome
from .rendering import render_skills
from .roots import ADMIN_FOLDER, skill_roots
from .skill import (
    Skill,
    SkillDependency,
    SkillInterface,
    SkillRoot,
    SkillScope,
    SkillsQuery,
    to_metadata,
)
from .variables import missing_variables, needed_variables

__all__ = [
    "ADMIN_FOLDER",
    "Skill",
    "SkillDependency",
    "SkillInterface",
    "SkillRoot",
    "SkillScope",
    "SkillUnreadable",
    "SkillsCache",
    "SkillsCacheStatistics",
    "SkillsError",
    "SkillsOutcome",
    "SkillsQuery",
    "load_skills",
    "mentioned_skills",
    "missing_variables",
    "needed_variables",
    "read_skill",
    "render_skills",
    "skill_message",
    "skill_roots",
    "to_metadata",
]
