"""What the kinds of turns do: converse, compact, review."""

import attrs

from messages.items import Message
from messages.ops import ReviewRequest

from .approved_prefixes import ApprovedPrefixes
from .compaction import COMPACTION_PROMPT, Compactor, compaction_limit
from .jobs import Jobs
from .regular import converse
from .review import run_review
from .sampling import Sampler
from .session import Session
from .settings import TurnContext
from .skill_use import SkillUse
from .tool_context import TurnTools
from .turn import Turn

__all__ = ["Works"]


@attrs.frozen(eq=False)
class Works:
    """Builds what a turn needs from its thread, and runs it."""

    _session: Session
    _jobs: Jobs
    _skills: SkillUse
    _prefixes: ApprovedPrefixes = attrs.field(
        default=attrs.Factory(lambda self: ApprovedPrefixes(self._session), takes_self=True),
        init=False,
    )

    def tools(self, turn: Turn) -> TurnTools:
        """Build what the tools of a turn see of it."""
        return TurnTools(self._session, turn, self._jobs)

    def sampler(self, turn: Turn) -> Sampler:
        """Build what makes the model requests of a turn."""
        session = self._session
        return Sampler(
            context=turn.context,
            outlet=session.outlet,
            provider=session.services.provider,
            router=session.toolbox.router,
            tools=self.tools(turn),
            progress=turn.progress,
            world=session.services.world,
        )

    async def converse(self, turn: Turn) -> None:
        """Talk with the model; see `regular.converse`."""
        assert turn.sampler is not None  # set before it began
        await converse(
            turn,
            turn.sampler,
            self._session.outlet,
            self._session.toolbox,
            self._skills,
            prefixes=self._prefixes,
            compactor=self._compactor(turn.context),
            downshift=self._downshift(turn.context),
        )

    async def compact(self, turn: Turn) -> None:
        """Compact now, whatever the limit is."""
        await self._compactor(turn.context).compact()

    async def review(self, turn: Turn, request: ReviewRequest) -> None:
        """Review code in a thread of its own; see `review.run_review`."""
        await run_review(self._session, turn, request, self.tools(turn))

    def _compactor(self, context: TurnContext) -> Compactor:
        session, config = self._session, self._session.blueprint.config
        return Compactor(
            context=context,
            outlet=session.outlet,
            provider=session.services.provider,
            world=session.services.world,
            known=self._known,
            prompt=config.compact_prompt or COMPACTION_PROMPT,
            limit=compaction_limit(context, config.auto_compact_token_limit),
        )

    def _known(self) -> tuple[Message, ...]:
        """Say what the model was told in developer messages that compactions keep."""
        return (*self._prefixes.context, *self._skills.context)

    def _downshift(self, context: TurnContext) -> Compactor | None:
        """Let the model before compact, when the present one has a smaller window."""
        previous = self._session.previous_model
        if previous in (None, context.settings.model):
            return None
        before = self._session.with_model(context, previous)
        windows = before.model_info.context_window, context.model_info.context_window
        if windows[0] is None or windows[1] is None or windows[0] <= windows[1]:
            return None
        return self._compactor(before)
