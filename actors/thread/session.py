"""The state of one life of a thread; only its actor and what the actor calls change it."""

from collections.abc import Mapping
from functools import partial

import attrs

from actors.models import ModelInfo
from actors.tools import Toolbox
from messages.ids import SubmissionId, ThreadId, TurnId
from messages.tool_settings import McpServerConfig
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
            Whether the history is known to hold the initial context.  That of a thread with
            a past waits for its first turn, which may change settings.
        variables: What the user gave for commands of skills to use; never recorded.
        mcp_servers: Those asked for, until the next turn begins to use them; else None.
    """

    blueprint: ThreadBlueprint
    services: ThreadServices
    ports: ThreadPorts
    outlet: Outlet
    settings: SessionSettings
    told_settings: SessionSettings
    previous_model: str | None = None
    has_context: bool = False
    mcp_servers: Mapping[str, McpServerConfig] | None = None
    variables: dict[str, str] = attrs.field(factory=dict[str, str], repr=False)
    _turn: Turn | None = attrs.field(default=None, init=False)
    # None until the first turn, and often between turns: a thread that only waits needs
    # none (P14).
    _toolbox: Toolbox | None = attrs.field(default=None, init=False)
    # Whether it must stay, because there are MCP servers.
    _keeps_tools: bool = attrs.field(default=False, init=False)

    @property
    def thread_id(self) -> ThreadId:
        """Which thread."""
        return self.ports.thread_id

    @property
    def turn(self) -> Turn | None:
        """The running turn."""
        return self._turn

    @turn.setter
    def turn(self, turn: Turn | None) -> None:
        before, self._turn = self._turn, turn
        if turn is None and before is not None and not before.stopping:
            self._rest()

    def _rest(self) -> None:
        """
        Let go of tools that the next turn can have anew, for 50 us and 4 kB.

        Not after a turn that was stopped: what is left of it may still use them.
        """
        toolbox = self._toolbox
        if toolbox is None or self._keeps_tools:
            return
        sessions = toolbox.sessions.statistics()
        if not (sessions.running or sessions.unread):
            self._toolbox = None
            toolbox.close()

    @property
    def toolbox(self) -> Toolbox:
        """The tools of this life; built when they are asked for."""
        if self._toolbox is None:
            config = self.blueprint.config
            self._keeps_tools |= bool(config.mcp_servers)
            self._toolbox = self.services.tools.open(
                cwd=self.settings.cwd,
                approvals=self.ports.approvals,
                features=config.features,
                environment_policy=config.environment_policy,
                mcp_servers=config.mcp_servers,
                dynamic_tools=self.blueprint.dynamic_tools,
                rule_folders=config.rule_folders,
            )
        return self._toolbox

    @property
    def questions(self) -> OpenQuestions:
        """What clients are asked just now."""
        return self.ports.questions

    @property
    def keeps_rollout(self) -> bool:
        """Whether the thread is recorded."""
        return self.outlet.recorder is not None

    @property
    def model_info(self) -> ModelInfo:
        """What the model of the next turn can do."""
        return self.find_model_info(self.settings.model)

    def find_model_info(self, model: str) -> ModelInfo:
        """Say what a model can do, with what the configuration knows better."""
        overrides = self.blueprint.config.model_overrides
        return overrides.apply(self.services.provider.model_info(model))

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
            features=self.blueprint.config.features,
        )

    def with_model(self, context: TurnContext, model: str) -> TurnContext:
        """Let a turn's context be one for another model."""
        mode, info = context.settings.collaboration, self.find_model_info(model)
        effort = info.fit_effort(mode.settings.reasoning_effort)
        settings = attrs.evolve(mode.settings, model=model, reasoning_effort=effort)
        return attrs.evolve(
            context,
            settings=attrs.evolve(
                context.settings, collaboration=attrs.evolve(mode, settings=settings)
            ),
            model_info=info,
        )

    def stop_background(self) -> None:
        """End what calls of earlier turns left running; never waits."""
        if self._toolbox is not None:
            self._toolbox.stop_background()

    def close_tools(self) -> None:
        """Let go of the tools at the end of this life; never waits."""
        if self._toolbox is not None:
            self._toolbox.close()

    def start_tools(self) -> None:
        """Let the tools get ready for a turn, with the MCP servers last asked for."""
        servers, self.mcp_servers = self.mcp_servers, None
        if servers is not None:
            self._keeps_tools = True
            self.toolbox.use_mcp_servers(servers)
        self.toolbox.start(partial(self.outlet.emit, START))

    async def recall(self) -> None:
        """Let the history hold what was recorded before this life, as a turn needs it."""
        await self.outlet.history.recall(initial_context(self.settings))

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
