"""Compaction: a summary by the model takes the place of what was said before."""

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from actors.models import (
    Completed,
    ContextWindowExceeded,
    ItemDone,
    ModelError,
    ModelProvider,
    ModelRequest,
    RateLimits,
    StreamDisconnected,
    TurnState,
)
from actors.rollout import SUMMARY_PREFIX, build_compacted_history, collect_user_messages
from actors.runtime import World
from messages.content import InputText, OutputText
from messages.events import BackgroundEvent, ItemCompleted, ItemStarted, WarningEvent
from messages.ids import SubmissionId
from messages.items import GhostSnapshot, Message, ResponseItem
from messages.rollout import CompactedItem
from messages.turn_items import ContextCompactionItem

from .context import initial_context
from .outlet import Outlet
from .prompt import for_model
from .retrying import Retries
from .settings import TurnContext
from .usage import estimated_tokens

__all__ = ["COMPACTION_PROMPT", "Compactor", "compaction_limit"]

COMPACTION_PROMPT: Final = (
    "The conversation above is getting too long and will be replaced by what you write now. "
    "Write a hand-over for somebody who continues this work and sees nothing else of it: what "
    "the user wants, with constraints and preferences in their words; what was done and found, "
    "with the names of files, commands and values that matter; what is decided and why; what "
    "is left, in the order you would do it. Leave out what no longer matters. Write only the "
    "hand-over, and call no tools."
)

_LOSS: Final = (
    "the conversation was compacted: the model goes on from a summary and may have lost "
    "details; start a new thread for a new subject"
)


def compaction_limit(context: TurnContext, configured: int | None) -> int | None:
    """
    Say from how many tokens on a turn compacts; None means never.

    Args:
        configured: The user's own limit; the model's goes before it where it is lower.
    """
    info = context.model_info
    if configured is None:
        return info.compaction_limit
    return attrs.evolve(info, auto_compact_token_limit=configured).compaction_limit


@attrs.frozen(eq=False, kw_only=True)
class Compactor:
    """
    Compacts the history of one thread on behalf of one turn.

    Attributes:
        context: Of the turn; its model writes the summary.
        known:
            Says what the history says besides the initial context, and is to say again.
            Asked when it is replaced: a turn may have told it after this was made.
        prompt: What the model is told to do.
        limit: Tokens from which on the turn compacts by itself; None means never.
    """

    context: TurnContext
    outlet: Outlet
    provider: ModelProvider
    world: World
    known: Callable[[], tuple[Message, ...]]
    prompt: str = COMPACTION_PROMPT
    limit: int | None = None

    @property
    def due(self) -> bool:
        """Whether the next request would be over the limit."""
        return self.limit is not None and self.tokens >= self.limit

    @property
    def tokens(self) -> int:
        """What the next request would count, about."""
        return self.outlet.usage.context_tokens(self.outlet.history.items)

    async def compact(self) -> None:
        """
        Replace the history by the initial context, the user's latest words and a summary.

        Raises:
            ModelError: No summary could be had; nothing was changed.
            RolloutFull: See `Outlet.record`; nothing was changed.

        Cancellation:
            Nothing was changed.

        Source:
            Codex, ``compact.rs``.  There it cannot be cancelled, repeats what cannot
            succeed, and leaves one item out per refused request (L23).
        """
        item = ContextCompactionItem(id=self.world.new_id())
        thread_id, turn_id = self.context.thread_id, self.context.turn_id
        self.outlet.emit(self._id, ItemStarted(thread_id=thread_id, turn_id=turn_id, item=item))
        summary, dropped = await self._summary()
        self._replace(f"{SUMMARY_PREFIX}\n{summary}")
        self.outlet.emit(self._id, self.outlet.usage.event())
        self.outlet.emit(self._id, ItemCompleted(thread_id=thread_id, turn_id=turn_id, item=item))
        if dropped:
            message = (
                f"Left out the {dropped} oldest items of the conversation while compacting, "
                "because all of it does not fit the model's context window."
            )
            self.outlet.emit(self._id, BackgroundEvent(message=message))
        self.outlet.emit(self._id, WarningEvent(message=_LOSS))

    @property
    def _id(self) -> SubmissionId:
        return SubmissionId(self.context.turn_id)

    def _replace(self, summary: str) -> None:
        outlet, settings = self.outlet, self.context.settings
        before = outlet.history.items
        after = [
            *build_compacted_history(
                (*initial_context(settings), *self.known()), collect_user_messages(before), summary
            ),
            *(item for item in before if isinstance(item, GhostSnapshot)),
        ]
        outlet.store_all((CompactedItem(message=summary),))
        outlet.history.replace(after)
        tokens = estimated_tokens(settings.base_instructions, after)
        outlet.usage.estimate(tokens, self.context.model_info.effective_context_window)

    async def _summary(self) -> tuple[str, int]:
        """Ask for the summary; return it and how many of the oldest items were left out."""
        retries = Retries(self.context, self.outlet, self.provider, self.world)
        items = list(self.outlet.history.items)
        failures = dropped = 0
        step = 1
        while True:
            try:
                return await self._ask(items), dropped
            except ContextWindowExceeded:
                if len(items) <= step:
                    raise
                # Ever more at once: a history of thousands must not take thousands of requests.
                del items[:step]
                dropped, step, failures = dropped + step, step * 2, 0
            except ModelError as error:
                failures += 1
                await retries.wait(error, failures)

    async def _ask(self, items: Sequence[ResponseItem]) -> str:
        said, completed = "", False
        async with self.provider.stream(self._request(items)) as stream:
            async for event in stream:
                match event:
                    case ItemDone(item=Message(role="assistant", content=content)):
                        said = "".join(p.text for p in content if isinstance(p, OutputText))
                    case RateLimits(snapshot=snapshot):
                        self.outlet.usage.heard(snapshot)
                    case Completed(usage=usage):
                        completed = True
                        if usage is not None:
                            window = self.context.model_info.effective_context_window
                            self.outlet.usage.add(usage, window)
                            self.outlet.emit(self._id, self.outlet.usage.event())
                    case _:  # how the summary comes about is nobody's business
                        pass
        if not completed:
            raise StreamDisconnected("stream closed before response.completed")
        return said

    def _request(self, items: Sequence[ResponseItem]) -> ModelRequest:
        settings, info = self.context.settings, self.context.model_info
        prompt = Message(role="user", content=(InputText(text=self.prompt),))
        return ModelRequest(
            model=settings.model,
            instructions=settings.base_instructions,
            input=for_model((*items, prompt), images=info.supports_images),
            effort=settings.effort,
            summary=settings.summary,
            prompt_cache_key=self.context.thread_id,
            turn_id=self.context.turn_id,
            subagent="compact",
            model_info=info,
            turn_state=TurnState(),
        )
