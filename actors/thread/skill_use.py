"""The skills of a thread: what its model is told of them, and which of them a turn uses."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import attrs
import trio

from actors.skills import (
    Skill,
    SkillDependency,
    SkillRoot,
    SkillScope,
    SkillsError,
    SkillsOutcome,
    SkillsQuery,
    mentioned_skills,
    missing_variables,
    read_skill,
    render_skills,
    skill_message,
    skill_roots,
)
from actors.tools import ToolContext
from messages.content import InputText
from messages.events import (
    ListSkillsResponse,
    RequestUserInput,
    SkillError,
    SkillsListEntry,
    UserInputQuestion,
)
from messages.ids import CallId, SubmissionId
from messages.items import Message
from messages.ops import UserInputResponse

from .context import is_kind_told, is_last_word
from .session import Session
from .states import TurnPhase
from .turn import Turn

__all__ = ["SkillUse"]

_NONE: Final = "There are no skills any more; those that were listed before are gone."
_NOTE: Final = "user_note: "


@attrs.define(eq=False)
class SkillUse:
    """
    Looks skills up for one life of a thread.

    A thread without places to look in has no skills and pays nothing for them.
    """

    _session: Session
    # What the model was told last; None when that is not known.
    _told: SkillsOutcome | None = attrs.field(default=None, init=False)
    _message: Message | None = attrs.field(default=None, init=False)

    @property
    def context(self) -> tuple[Message, ...]:
        """What the model was told of skills, for a history that begins anew."""
        return () if self._message is None else (self._message,)

    def forget(self) -> None:
        """Take nothing for told: part of the history is gone."""
        self._told = self._message = None

    async def introduce(self, turn: Turn) -> SkillsOutcome | None:
        """
        Tell the model which skills there are, if that is news to it (L24).

        Returns:
            The skills; None when the thread has none.

        Raises:
            RolloutError: See `Outlet.record`.
        """
        if not self._session.blueprint.config.skill_roots:
            return None
        outcome = await self.outcome(turn.context.settings.cwd)
        if outcome is not self._told:
            self._tell(turn, outcome)
            self._told = outcome
        return outcome

    async def inject(self, turn: Turn, outcome: SkillsOutcome, tools: ToolContext) -> None:
        """
        Put the skills that the turn's input names before the model.

        One that cannot be read is warned of.

        Raises:
            RolloutError: See `Outlet.record`.
        """
        skills = mentioned_skills(outcome, turn.input)
        if not skills:
            return
        if self._session.blueprint.config.features.skill_env_var_dependency_prompt:
            await self._ask_for_variables(turn, skills, tools)
        outlet, submission_id = self._session.outlet, SubmissionId(turn.id)
        for skill in skills:
            try:
                text = await read_skill(skill)
            except SkillsError as error:
                outlet.warn(submission_id, str(error))
            else:
                outlet.record(submission_id, (skill_message(skill, text),))

    async def outcome(self, cwd: str, *, force: bool = False) -> SkillsOutcome:
        """Find the skills for a working directory: kept, or looked for now."""
        config = self._session.blueprint.config
        roots = config.skill_roots
        if cwd != config.cwd:
            # The project's own skills are those of where the turn works.
            others = tuple(root for root in roots if root.scope is not SkillScope.REPO)
            roots = await trio.to_thread.run_sync(_project_roots, cwd) + others
        query = SkillsQuery(roots=roots, disabled=config.disabled_skills)
        return await self._session.services.skills.outcome(query, force=force)

    async def listing(self, cwds: Iterable[str], *, force: bool) -> ListSkillsResponse:
        """List the skills of each working directory, for people; none means the thread's own."""
        places = tuple(cwds) or (self._session.settings.cwd,)
        return ListSkillsResponse(
            skills=tuple([await self._entry(cwd, force=force) for cwd in places])
        )

    async def _entry(self, cwd: str, *, force: bool) -> SkillsListEntry:
        if not Path(cwd).is_absolute():
            problem = SkillError(path=cwd, message="the working directory is not an absolute path")
            return SkillsListEntry(cwd=cwd, skills=(), errors=(problem,))
        outcome = await self.outcome(cwd, force=force)
        return SkillsListEntry(
            cwd=cwd,
            skills=outcome.metadata,
            errors=tuple(SkillError(path=e.path, message=e.message) for e in outcome.errors),
        )

    def _tell(self, turn: Turn, outcome: SkillsOutcome) -> None:
        history = self._session.outlet.history.items
        text = render_skills(outcome)
        message = _developer(text or _NONE)
        if text is None and not is_kind_told(message, history):
            return
        if not is_last_word(message, history):
            self._session.outlet.record(SubmissionId(turn.id), (message,))
        self._message = message

    async def _ask_for_variables(
        self, turn: Turn, skills: Iterable[Skill], tools: ToolContext
    ) -> None:
        session = self._session
        environ = session.services.tools.environ
        missing = missing_variables(skills, environ, session.variables)
        if not missing:
            return
        turn.progress.move(TurnPhase.SAMPLING)
        answers = await tools.ask_user(
            RequestUserInput(
                call_id=CallId(f"skill-deps-{turn.id}"),
                turn_id=turn.id,
                questions=tuple(map(_question, missing)),
            )
        )
        if answers is not None:
            session.variables.update(_values(missing, answers))


def _project_roots(cwd: str) -> tuple[SkillRoot, ...]:
    """Find where the project of *cwd* keeps skills; for an OS thread."""
    nowhere = Path(cwd)
    roots = skill_roots(home=nowhere, user_home=nowhere, cwd=Path(cwd))
    return tuple(root for root in roots if root.scope is SkillScope.REPO)


def _developer(text: str) -> Message:
    whole = f"<skills_instructions>\n{text}\n</skills_instructions>"
    return Message(role="developer", content=(InputText(text=whole),))


def _question(variable: SkillDependency) -> UserInputQuestion:
    text = f"A skill needs the environment variable {variable.value}."
    purpose = f" {variable.description}" if variable.description else ""
    return UserInputQuestion(
        id=variable.value,
        header="Skill requires environment variable",
        question=f"{text}{purpose} Its value stays in memory, for this session.",
        is_other=True,
        is_secret=True,
    )


def _values(variables: Iterable[SkillDependency], answers: UserInputResponse) -> dict[str, str]:
    """Read the values that were given; whoever gives none goes on without."""
    values: dict[str, str] = {}
    for variable in variables:
        entry = answers.answers.get(variable.value)
        notes = (
            [a.removeprefix(_NOTE) for a in entry.answers if a.startswith(_NOTE)] if entry else []
        )
        if notes and notes[-1].strip():
            values[variable.value] = notes[-1]
    return values
