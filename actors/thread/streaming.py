"""From the model's stream to events, staged items and running tools."""

from collections.abc import Callable

import attrs

from actors.models import (
    Completed,
    Created,
    ItemAdded,
    ItemDone,
    RateLimits,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    ResponseEvent,
    ServerReasoningIncluded,
    TextDelta,
)
from actors.rollout import parse_turn_item
from actors.tools import RequestTools
from messages import events
from messages.events import EventMsg, ItemCompleted, ItemStarted
from messages.ids import SubmissionId
from messages.items import ResponseItem
from messages.settings import ModeKind
from messages.turn_items import (
    AgentMessageItem,
    TurnItem,
    UnknownTurnItem,
    UserMessageItem,
)

from .calls import ToolCalls
from .clean_text import cleaned
from .outlet import Outlet
from .plan_messages import PlanMessages
from .settings import TurnContext

__all__ = ["Attempt"]


@attrs.define(eq=False)
class Attempt:
    """
    One attempt at a model request.

    Finished items are shown to clients at once, and what clients were shown is recorded
    with it.  For the model they are recorded only when the response is complete, calls
    a tool or is not repeated: one that breaks off leaves nothing behind that its
    repetition would say again (L19).  In Plan mode clients
    see a message without the plan in it, which is an item of its own, while the
    message is recorded as the model wrote it.

    Attributes:
        last_message: Text of the last assistant message, if it has any.
        completed: Whether the response came to its end.
    """

    _context: TurnContext
    _outlet: Outlet
    _tools: RequestTools
    _calls: ToolCalls
    _new_id: Callable[[], str]
    last_message: str | None = attrs.field(default=None, init=False)
    completed: bool = attrs.field(default=False, init=False)
    # The item that deltas are pieces of; announced last and not finished.
    _active: TurnItem | None = attrs.field(default=None, init=False)
    # Ids that clients know from an ItemStarted, until they get the ItemCompleted.
    _announced: set[str] = attrs.field(factory=set[str], init=False)
    # Finished items that are not recorded for the model yet.
    _staged: list[ResponseItem] = attrs.field(factory=list[ResponseItem], init=False)
    # What makes the events of agent messages in Plan mode; None in other modes.
    _plans: PlanMessages | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        if self._context.settings.collaboration.mode is ModeKind.PLAN:
            self._plans = PlanMessages(self._context)

    def take(self, event: ResponseEvent) -> None:
        """Act on one event of the stream."""
        match event:
            case TextDelta(delta=delta):
                self._tell_text(delta)
            case ReasoningSummaryDelta(delta=delta, summary_index=index):
                self._tell_delta(events.ReasoningContentDelta, delta, summary_index=index)
            case ReasoningContentDelta(delta=delta, content_index=index):
                self._tell_delta(events.ReasoningRawContentDelta, delta, content_index=index)
            case ReasoningSummaryPartAdded(summary_index=index):
                self._tell_section_break(index)
            case ItemAdded(item=item):
                self._begin(item)
            case ItemDone(item=item):
                self._finish(item)
            case RateLimits(snapshot=snapshot):
                self._outlet.usage.heard(snapshot)
                self._tell(self._outlet.usage.event())
            case Completed(usage=usage):
                self._complete(usage)
            case Created() | ServerReasoningIncluded():
                pass

    def commit(self) -> None:
        """
        Record what is staged.

        Raises:
            RolloutFull: See `Outlet.record`.
        """
        staged, self._staged = self._staged, []
        for item in staged:
            self._outlet.record(self._id, (item,))

    @property
    def _id(self) -> SubmissionId:
        return SubmissionId(self._context.turn_id)

    def _tell(self, msg: EventMsg) -> None:
        self._outlet.emit(self._id, msg)

    def _tell_text(self, delta: str) -> None:
        if self._plans is None or not isinstance(self._active, AgentMessageItem):
            self._tell_delta(events.AgentMessageContentDelta, delta)
            return
        for msg in self._plans.take(self._active.id, delta):
            self._tell(msg)

    def _tell_delta(self, kind: Callable[..., EventMsg], delta: str, **place: int) -> None:
        # A piece of nothing in particular is of no use to a client.
        if self._active is None:
            return
        self._tell(
            kind(
                thread_id=self._context.thread_id,
                turn_id=self._context.turn_id,
                item_id=_id_of(self._active),
                delta=delta,
                **place,
            )
        )

    def _tell_section_break(self, index: int) -> None:
        if self._active is not None:
            item_id = _id_of(self._active)
            self._tell(events.AgentReasoningSectionBreak(item_id=item_id, summary_index=index))

    def _begin(self, item: ResponseItem) -> None:
        turn_item = self._visible(item)
        if turn_item is None:
            return
        self._active = turn_item
        self._announced.add(_id_of(turn_item))
        if self._plans is not None and isinstance(turn_item, AgentMessageItem):
            self._plans.begin(turn_item)
        else:
            self._tell(self._started(turn_item))

    def _finish(self, item: ResponseItem) -> None:
        item = cleaned(item)
        call = self._tools.parse(item)
        if call is not None:
            self.commit()
            self._outlet.record(self._id, (item,))
            self._calls.start(call)
            return
        self._show(item)
        self._staged.append(item)

    def _show(self, item: ResponseItem) -> None:
        turn_item = self._visible(item)
        if turn_item is None:
            return
        turn_item, known = self._as_announced(turn_item)
        if self._plans is not None and isinstance(turn_item, AgentMessageItem):
            for msg in self._plans.finish(turn_item):
                self._tell_end(msg)
            return
        if not known:
            self._tell(self._started(turn_item))
        self._tell_end(
            ItemCompleted(
                thread_id=self._context.thread_id, turn_id=self._context.turn_id, item=turn_item
            )
        )

    def _tell_end(self, msg: EventMsg) -> None:
        if isinstance(msg, ItemCompleted) and isinstance(msg.item, AgentMessageItem):
            self.last_message = "".join(part.text for part in msg.item.content) or None
        self._tell(msg)

    def _as_announced(self, item: TurnItem) -> tuple[TurnItem, bool]:
        """Give a finished item the id it was announced with; say whether it was."""
        active = self._active
        if _id_of(item) in self._announced:
            self._announced.remove(_id_of(item))
            if active is not None and _id_of(active) == _id_of(item):
                self._active = None
            return item, True
        if active is not None and type(active) is type(item):
            # The model did not name it both times; it keeps the id it was announced with.
            item = _with_id(item, _id_of(active))
            self._announced.discard(_id_of(item))
            self._active = None
            return item, True
        return item, False

    def _visible(self, item: ResponseItem) -> TurnItem | None:
        turn_item = parse_turn_item(item, self._new_id)
        return None if isinstance(turn_item, UserMessageItem) else turn_item

    def _started(self, item: TurnItem) -> ItemStarted:
        return ItemStarted(
            thread_id=self._context.thread_id, turn_id=self._context.turn_id, item=item
        )

    def _complete(self, usage: events.TokenUsage | None) -> None:
        self.completed = True
        self.commit()
        if usage is not None:
            self._outlet.usage.add(usage, self._context.model_info.effective_context_window)
            self._tell(self._outlet.usage.event())


def _id_of(item: TurnItem) -> str:
    return "" if isinstance(item, UnknownTurnItem) else item.id


def _with_id(item: TurnItem, item_id: str) -> TurnItem:
    return item if isinstance(item, UnknownTurnItem) else attrs.evolve(item, id=item_id)
