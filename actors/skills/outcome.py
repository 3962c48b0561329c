"""What a look at the skill folders brought."""

from functools import cached_property

import attrs

from messages.events import SkillError, SkillMetadata

from .skill import Skill, to_metadata

__all__ = ["SkillsOutcome"]


@attrs.frozen(kw_only=True)
class SkillsOutcome:
    """
    The skills found, and the files that are none.

    Attributes:
        skills: By scope, then name, then path; also those that are switched off.
        errors: What could not be read or understood; the other skills are not affected.
        disabled_paths: Without links, as `Skill.path` is.
        folders:
            Without links: where each root led to, and where the links below them led to.
            What changes elsewhere changes nothing here.
        lasting:
            False when the system was short of something, such as file descriptors; then
            the next look may find more.
    """

    skills: tuple[Skill, ...] = ()
    errors: tuple[SkillError, ...] = ()
    disabled_paths: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()
    lasting: bool = True

    @cached_property
    def metadata(self) -> tuple[SkillMetadata, ...]:
        """What clients get to know of the skills, in the same order."""
        return tuple(to_metadata(skill, self.is_enabled(skill)) for skill in self.skills)

    def is_enabled(self, skill: Skill) -> bool:
        """Tell whether a skill is not switched off."""
        return skill.path not in self.disabled_paths

    def enabled(self) -> tuple[Skill, ...]:
        """Leave out what is switched off."""
        if not self.disabled_paths:
            return self.skills
        return tuple(filter(self.is_enabled, self.skills))
