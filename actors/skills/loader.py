"""Looks for skills and reads them: what is wrong is told, and never in the way; blocks."""

import errno
import re
from typing import TYPE_CHECKING, Final

import attrs

from messages.events import SkillError

from .discovery import discover, is_passing, show_path
from .errors import BadSkillFile
from .files import real_path
from .outcome import SkillsOutcome
from .skill import Skill, SkillRoot, SkillScope, SkillsQuery

if TYPE_CHECKING:
    from .details import SkillDetails

__all__ = ["load_skills"]

# A path is put into the prompt, on a line of its own, and into JSON.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# Not a file any more, or a link by now, which it was not when its folder was listed.
_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


def load_skills(query: SkillsQuery) -> SkillsOutcome:
    """
    Look for skills below all roots and read the head of each.

    Never raises: whatever cannot be read or understood becomes an entry of the errors,
    except files in the system's scope, about which the user can do nothing.  A file that
    several roots lead to counts once, for the first of them.  Skills of the same name in
    different files are all kept.

    Source:
        Codex, ``load_skills_from_roots``.
    """
    loading = _Loading()
    for root in query.roots:
        loading.add(root)
    return loading.outcome(query.disabled)


@attrs.define(eq=False)
class _Loading:
    _skills: list[Skill] = attrs.field(factory=list[Skill], init=False)
    # By path: roots may overlap.
    _errors: dict[SkillError, None] = attrs.field(factory=dict[SkillError, None], init=False)
    _folders: dict[str, None] = attrs.field(factory=dict[str, None], init=False)
    _seen: set[str] = attrs.field(factory=set[str], init=False)
    _lasting: bool = attrs.field(default=True, init=False)

    def add(self, root: SkillRoot) -> None:
        found = discover(root)
        self._errors.update(dict.fromkeys(found.errors))
        self._folders.update(dict.fromkeys(found.folders))
        self._lasting = self._lasting and found.lasting
        for path in found.files:
            if path not in self._seen:
                self._seen.add(path)
                self._load(path, root.scope)

    def outcome(self, disabled: frozenset[str]) -> SkillsOutcome:
        self._skills.sort(key=lambda skill: (skill.scope.rank, skill.name, skill.path))
        outcome = SkillsOutcome(
            skills=tuple(self._skills),
            errors=tuple(self._errors),
            disabled_paths=frozenset(map(real_path, disabled)),
            folders=tuple(self._folders),
            lasting=self._lasting,
        )
        # Listed here, in our OS thread, and not by the first client that asks.
        assert len(outcome.metadata) == len(outcome.skills)
        return outcome

    def _load(self, path: str, scope: SkillScope) -> None:
        # Imported here: 15 ms that a home without skills does not need.
        from .skill_file import read_skill_file  # noqa: PLC0415

        if _UNFIT.search(path):
            self._report(path, scope, "its path is not plain text; rename that folder")
            return
        try:
            skill, details = read_skill_file(path, scope)
        except BadSkillFile as error:
            self._report(path, scope, error.problem)
        except OSError as error:
            if error.errno not in _GONE:
                self._lasting = self._lasting and not is_passing(error)
                self._report(path, scope, f"failed to read file: {error.strerror or error}")
        else:
            self._skills.append(skill)
            self._tell_details(scope, details)

    def _tell_details(self, scope: SkillScope, details: "SkillDetails") -> None:
        if details.trouble is not None:
            self._lasting = self._lasting and not is_passing(details.trouble)
        if details.problems:
            self._report(details.path, scope, "; ".join(details.problems))

    def _report(self, path: str, scope: SkillScope, message: str) -> None:
        if scope is not SkillScope.SYSTEM:
            self._errors[SkillError(path=show_path(path), message=message)] = None
