"""One model request with its retries: the only place where a request is repeated."""

import attrs
import trio

from actors.models import (
    ContextWindowExceeded,
    ModelError,
    ModelProvider,
    ModelRequest,
    TurnState,
    retry_delay,
)
from actors.rollout import RolloutFull
from actors.runtime import World
from actors.tools import ToolContext, ToolRouter
from messages.events import ResponseStreamDisconnected, StreamError
from messages.ids import SubmissionId

from .calls import ToolCalls
from .outlet import Outlet
from .prompt import for_model
from .settings import TurnContext
from .states import TurnPhase, TurnProgress
from .streaming import Attempt

__all__ = ["Sampled", "Sampler"]


@attrs.frozen
class Sampled:
    """
    What a request came to.

    Attributes:
        needs_follow_up: Whether tools answered, so that the model must go on.
        last_message: Text of its last message, if it has any.
    """

    needs_follow_up: bool
    last_message: str | None


@attrs.define(eq=False)
class Sampler:
    """Makes the model requests of one turn, with one budget of retries for each (L20)."""

    context: TurnContext
    outlet: Outlet
    provider: ModelProvider
    router: ToolRouter
    tools: ToolContext
    progress: TurnProgress
    world: World
    turn_state: TurnState = attrs.field(factory=TurnState)
    # Invariant: holds the calls of the running attempt, so that whoever stops the
    # turn can answer them; None between attempts.
    running: ToolCalls | None = None
    attempt: Attempt | None = None

    async def sample(self) -> Sampled:
        """
        Ask the model, run the tools it calls, and record both.

        Raises:
            ModelError: It failed in a way that no retry mends, or too often.
            FatalToolError: A tool ended the turn.
            RolloutFull: See `Outlet.record`.

        Cancellation:
            Answered calls and finished items stay in `running` and `attempt`;
            `abandon` records them.
        """
        retries = 0
        while True:
            try:
                return await self._attempt()
            except ModelError as error:
                retries += 1
                await self._before_retry(error, retries)

    def abandon(self) -> None:
        """Record what a stopped request leaves: finished items, and an answer to each call."""
        if self.attempt is not None:
            self.attempt.commit()
        self._record_outputs()
        self.attempt = None

    async def _attempt(self) -> Sampled:
        failure: ModelError | RolloutFull | None = None
        self.progress.move(TurnPhase.SAMPLING)
        async with trio.open_nursery() as nursery:
            calls = self.running = ToolCalls(self.router, self.tools, nursery)
            attempt = self.attempt = Attempt(
                self.context, self.outlet, self.router, calls, self.world.new_id
            )
            # Caught in here, where it is still one error: the nursery would wrap it.
            try:
                async with self.provider.stream(self._request()) as stream:
                    async for event in stream:
                        attempt.take(event)
            except (ModelError, RolloutFull) as error:
                failure = error
            if len(calls):
                self.progress.move(TurnPhase.TOOLS)
        self.attempt = None
        self._record_outputs()
        calls.check()
        if failure is not None:
            raise failure
        return Sampled(needs_follow_up=len(calls) > 0, last_message=attempt.last_message)

    def _record_outputs(self) -> None:
        calls, self.running = self.running, None
        if calls is not None and len(calls):
            self.outlet.record(self._id, calls.outputs())

    def _request(self) -> ModelRequest:
        # Built anew for each attempt: a repeated request must hold what the tools of
        # the broken one did.
        context, settings = self.context, self.context.settings
        return ModelRequest(
            model=settings.model,
            instructions=settings.base_instructions,
            input=for_model(self.outlet.history.items, images=context.model_info.supports_images),
            tools=self.router.specs(),
            parallel_tool_calls=context.model_info.supports_parallel_tool_calls,
            effort=settings.effort,
            summary=settings.summary,
            verbosity=None,
            output_schema=context.output_schema,
            prompt_cache_key=context.thread_id,
            turn_id=context.turn_id,
            subagent=None,
            turn_state=self.turn_state,
        )

    async def _before_retry(self, error: ModelError, retries: int) -> None:
        """Wait for the next attempt, or raise *error* because there is none."""
        provider = self.provider.info
        window = self.context.model_info.effective_context_window
        if isinstance(error, ContextWindowExceeded) and window is not None:
            self.outlet.usage.fill(window)
            self.outlet.emit(self._id, self.outlet.usage.event())
        delay = retry_delay(
            error, failures=retries, provider=provider, random=self.world.random.random()
        )
        if delay is None:
            raise error
        status = getattr(error.info, "http_status_code", None)
        self.outlet.emit(
            self._id,
            StreamError(
                message=f"Reconnecting... {retries}/{provider.stream_max_retries}",
                codex_error_info=ResponseStreamDisconnected(http_status_code=status),
                additional_details=str(error),
            ),
        )
        await trio.sleep(delay)

    @property
    def _id(self) -> SubmissionId:
        return SubmissionId(self.context.turn_id)
