"""The state of one life of a thread; only its actor and what the actor calls change it."""

import attrs

from actors.models import ModelInfo
from actors.tools import ToolRouter
from messages.ids import SubmissionId, ThreadId, TurnId
from messages.value import Json

from .answers import OpenQuestions
from .context import initial_context, is_last_word, settings_updates
from .outlet import START, Outlet
from .ports import ThreadPorts
from .services import ThreadBlueprint, ThreadServices
from .settings import SessionSettings, TurnContext
from .turn import Turn

__all__ = ["Session"]


@attrs.define(eq=False)
class Session:
    """
    Attributes of a thread while it runs.

    Attributes:
        settings: In force for the next turn.
        told_settings: Those the model was last told of.
        previous_model: The model asked last; None before the first turn.
        has_context:
            Whether the history is known to hold the initial context.  A resumed thread's
            waits for its first turn, which may change settings.
        turn: The running turn.
        mcp_config: The last one asked for; None when never.
    """

    blueprint: ThreadBlueprint
    services: ThreadServices
    ports: ThreadPorts
    outlet: Outlet
    router: ToolRouter
    settings: SessionSettings
    told_settings: SessionSettings
    previous_model: str | None = None
    has_context: bool = False
    turn: Turn | None = None
    mcp_config: Json = None
    questions: OpenQuestions = attrs.field(factory=OpenQuestions, init=False)

    @property
    def thread_id(self) -> ThreadId:
        """Which thread."""
        return self.ports.thread_id

    @property
    def keeps_rollout(self) -> bool:
        """Whether the thread is recorded."""
        return self.outlet.recorder is not None

    @property
    def model_info(self) -> ModelInfo:
        """What the model of the next turn can do."""
        return self.services.provider.model_info(self.settings.model)

    def configure(self, settings: SessionSettings) -> None:
        """Let these settings be in force from the next turn on."""
        self.settings = self.ports.settings = settings

    def turn_context(self, turn_id: TurnId, output_schema: Json = None) -> TurnContext:
        """Fix the settings as they are for one turn."""
        info = self.model_info
        policy = self.settings.truncation_policy or info.truncation_policy
        self.outlet.history.policy = policy
        return TurnContext(
            thread_id=self.thread_id,
            turn_id=turn_id,
            settings=self.settings,
            model_info=info,
            truncation_policy=policy,
            output_schema=output_schema,
        )

    def seed_context(self, submission_id: SubmissionId = START) -> None:
        """
        Record the initial context, as far as the history does not hold it.

        A resumed history whose context still says the same is left alone: Codex
        repeats all of it on every resume (L24).

        Raises:
            RolloutFull: See `Outlet.record`; it is tried again at the next turn.
        """
        if self.has_context:
            return
        known = self.outlet.history.items
        wanted = initial_context(self.settings)
        fresh = tuple(item for item in wanted if not is_last_word(item, known))
        self.outlet.record(submission_id, fresh)
        self.has_context = True
        self.told_settings = self.settings

    def record_updates(self, context: TurnContext) -> None:
        """
        Tell the model, in the history, what changed since it was last told.

        Raises:
            RolloutFull: See `Outlet.record`.
        """
        updates = settings_updates(self.told_settings, context, previous_model=self.previous_model)
        if updates:
            self.outlet.record(SubmissionId(context.turn_id), updates)
        self.told_settings = context.settings
