"""One model request with its retries: the only place where a request is repeated."""

import attrs
import trio

from actors.models import (
    ContextWindowExceeded,
    ModelError,
    ModelProvider,
    ModelRequest,
    StreamDisconnected,
    TurnState,
    UnexpectedStatus,
    UsageLimitReached,
    retry_delay,
)
from actors.rollout import RolloutFull
from actors.runtime import World
from actors.tools import ToolContext, ToolRouter
from messages.errors import EncodeError
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
        """
        Record what a stopped request leaves: finished items, and an answer to each call.

        Whatever still runs of the request counts for nothing from now on.

        Raises:
            RolloutFull: See `Outlet.record`; part of it is lost.
        """
        attempt, self.attempt = self.attempt, None
        try:
            if attempt is not None:
                attempt.commit()
        finally:
            self._record_outputs()

    async def _attempt(self) -> Sampled:
        self.progress.move(TurnPhase.SAMPLING)
        async with trio.open_nursery() as nursery:
            calls = self.running = ToolCalls(self.router, self.tools, nursery)
            attempt = self.attempt = Attempt(
                self.context, self.outlet, self.router, calls, self.world.new_id
            )
            # In here, where an error is still one error: the nursery would wrap it.
            failure = await self._play(attempt)
            if len(calls) and self.attempt is attempt:
                self.progress.move(TurnPhase.TOOLS)
        if self.attempt is not attempt:
            # A provider or tool that did not stop in time: the turn has ended without us.
            await trio.sleep_forever()  # in a cancelled scope, so not for long
        self.attempt = None
        self._record_outputs()
        calls.check()
        if failure is not None:
            raise failure
        return Sampled(needs_follow_up=len(calls) > 0, last_message=attempt.last_message)

    async def _play(self, attempt: Attempt) -> Exception | None:
        """Act on the events of one response; return what broke it off."""
        try:
            async with self.provider.stream(self._request()) as stream:
                # To its end in any case: it may be a generator, which minds being dropped.
                async for event in stream:
                    if self.attempt is attempt:  # else abandoned; see _attempt
                        attempt.take(event)
        except (ModelError, RolloutFull, EncodeError) as error:
            return error
        if attempt.completed or self.attempt is not attempt:
            return None
        return StreamDisconnected("stream closed before response.completed")

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
        self._note_limits(error)
        provider = self.provider.info
        delay = retry_delay(
            error, failures=retries, provider=provider, random=self.world.random.random()
        )
        if delay is None:
            raise error
        before = error.before_stream
        limit = provider.request_max_retries if before else provider.stream_max_retries
        self.outlet.emit(
            self._id,
            StreamError(
                message=f"Reconnecting... {retries}/{limit}",
                codex_error_info=ResponseStreamDisconnected(http_status_code=_status(error)),
                additional_details=str(error),
            ),
        )
        await trio.sleep(delay)

    def _note_limits(self, error: ModelError) -> None:
        """Tell clients what an error says about windows and limits."""
        usage, window = self.outlet.usage, self.context.model_info.effective_context_window
        if isinstance(error, ContextWindowExceeded) and window is not None:
            usage.fill(window)
        elif isinstance(error, UsageLimitReached) and error.rate_limits is not None:
            usage.heard(error.rate_limits)
        else:
            return
        self.outlet.emit(self._id, usage.event())

    @property
    def _id(self) -> SubmissionId:
        return SubmissionId(self.context.turn_id)


def _status(error: ModelError) -> int | None:
    if isinstance(error, UnexpectedStatus):
        return error.status
    status: int | None = getattr(error.info, "http_status_code", None)
    return status
