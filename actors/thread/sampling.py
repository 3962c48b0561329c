"""One model request with its retries: the only place where a request is repeated."""

from typing import Final

import attrs
import trio

from actors.models import (
    ModelError,
    ModelProvider,
    ModelRequest,
    StreamDisconnected,
    TurnState,
)
from actors.rollout import RolloutFull
from actors.runtime import World
from actors.tools import Offer, RequestTools, ToolContext, ToolRouter
from messages.errors import EncodeError
from messages.ids import SubmissionId

from .calls import ToolCalls
from .outlet import Outlet
from .prompt import for_model
from .retrying import Retries
from .settings import TurnContext
from .states import TurnPhase, TurnProgress
from .streaming import Attempt

__all__ = ["Sampled", "Sampler"]

_BURST: Final = 16
"""Events of the model between two checkpoints, whoever the model is: so few that readers
keep up.  A piece of text becomes two events of the thread, of which a reader takes 64 between
two checkpoints of its own, and then one more to take the next."""


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
    retries: Retries = attrs.field(init=False)
    turn_state: TurnState = attrs.field(factory=TurnState)
    # Invariant: holds the calls of the running attempt, so that whoever stops the
    # turn can answer them; None between attempts.
    running: ToolCalls | None = None
    # The running attempt, or the one that failed and is not repeated yet.
    attempt: Attempt | None = None

    def __attrs_post_init__(self) -> None:
        self.retries = Retries(self.context, self.outlet, self.provider, self.world)

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
                await self.retries.wait(error, retries)

    def abandon(self) -> None:
        """
        Record what a request leaves that is stopped, or failed and is not repeated.

        That is finished items, and an answer to each call.

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
        tools = self.router.for_request(self._offer())
        async with trio.open_nursery() as nursery:
            calls = self.running = ToolCalls(tools, self.tools, nursery)
            attempt = self.attempt = Attempt(
                self.context, self.outlet, tools, calls, self.world.new_id
            )
            # In here, where an error is still one error: the nursery would wrap it.
            failure = await self._play(attempt, tools)
            if len(calls) and self.attempt is attempt:
                self.progress.move(TurnPhase.TOOLS)
        if self.attempt is not attempt:
            # A provider or tool that did not stop in time: the turn has ended without us.
            await trio.sleep_forever()  # in a cancelled scope, so not for long
        if failure is None:
            self.attempt = None
        # Else it stays until the next attempt: if there is none, `abandon` records what
        # clients saw of it.
        self._record_outputs()
        calls.check()
        if failure is not None:
            raise failure
        return Sampled(needs_follow_up=len(calls) > 0, last_message=attempt.last_message)

    async def _play(self, attempt: Attempt, tools: RequestTools) -> Exception | None:
        """Act on the events of one response; return what broke it off."""
        try:
            async with self.provider.stream(self._request(tools)) as stream:
                # To its end in any case: it may be a generator, which minds being dropped.
                taken = 0
                async for event in stream:
                    if self.attempt is attempt:  # else abandoned; see _attempt
                        attempt.take(event)
                    taken += 1
                    if not taken % _BURST:
                        await trio.lowlevel.checkpoint()
        except (ModelError, RolloutFull, EncodeError) as error:
            return error
        if attempt.completed or self.attempt is not attempt:
            return None
        return StreamDisconnected("stream closed before response.completed")

    def _record_outputs(self) -> None:
        calls, self.running = self.running, None
        if calls is not None and len(calls):
            self.outlet.record(self._id, calls.outputs())

    def _offer(self) -> Offer:
        return Offer(
            model=self.context.model_info, mode=self.tools.mode, features=self.context.features
        )

    def _request(self, tools: RequestTools) -> ModelRequest:
        # Built anew for each attempt: a repeated request must hold what the tools of
        # the broken one did.
        context, settings = self.context, self.context.settings
        return ModelRequest(
            model=settings.model,
            instructions=settings.base_instructions,
            input=for_model(self.outlet.history.items, images=context.model_info.supports_images),
            tools=tools.specs,
            parallel_tool_calls=context.model_info.supports_parallel_tool_calls,
            effort=settings.effort,
            summary=settings.summary,
            verbosity=None,
            output_schema=context.output_schema,
            prompt_cache_key=context.thread_id,
            turn_id=context.turn_id,
            subagent=self.context.subagent,
            model_info=context.model_info,
            turn_state=self.turn_state,
        )

    @property
    def _id(self) -> SubmissionId:
        return SubmissionId(self.context.turn_id)
