"""The agent's messages of a response in Plan mode, and the plan that one of them proposes."""

from collections.abc import Iterator
from typing import assert_never

import attrs

from messages.events import (
    AgentMessageContentDelta,
    EventMsg,
    ItemCompleted,
    ItemStarted,
    PlanDelta,
)
from messages.turn_items import AgentMessageItem, AgentText, PlanItem, TurnItem

from .plan_text import PlanBegan, PlanSplitter, PlanText, Said, Segment, split_plan
from .settings import TurnContext

__all__ = ["PlanMessages"]


@attrs.define(eq=False)
class _Message:
    """A message that the model announced, or that it only finished."""

    item: AgentMessageItem
    splitter: PlanSplitter = attrs.field(factory=PlanSplitter)
    # Whether clients know it.
    told: bool = False
    # White space that waits for visible text.
    blank: list[str] = attrs.field(factory=list[str])


@attrs.define(eq=False)
class PlanMessages:
    """
    Makes the events of agent messages in Plan mode.

    The plan becomes an item of its own, which ends when its message does.  The message is
    without it; clients hear of a message when there is visible text in it, or never.  A
    response has one plan: of several in one message the last one counts, and messages
    after it are left as the model wrote them.

    Source:
        Codex, ``PlanModeStreamState``.  There a plan in a later message is cut out and
        seen by nobody.
    """

    _context: TurnContext
    # By the id of the item; announced by the model and not finished.
    _messages: dict[str, _Message] = attrs.field(factory=dict[str, _Message], init=False)
    # The message that has the plan; None before one has, and empty when it is finished,
    # so that no message may have another.
    _owner: str | None = attrs.field(default=None, init=False)
    # The plan as its deltas told it.
    _plan: list[str] = attrs.field(factory=list[str], init=False)

    def begin(self, item: AgentMessageItem) -> None:
        """Take the announcement of a message; clients do not hear of it yet."""
        self._messages[item.id] = _Message(attrs.evolve(item, content=()))

    def take(self, item_id: str, delta: str) -> list[EventMsg]:
        """List the events of the next piece of an announced message."""
        message = self._messages[item_id]
        if self._may_plan(item_id):
            return self._events(message, message.splitter.take(delta))
        return self._events(message, [Said(delta)])

    def finish(self, item: AgentMessageItem) -> list[EventMsg]:
        """
        List the events that are left for a message, now that it is there as a whole.

        The whole counts, where it differs from its pieces.  At the end come the
        `ItemCompleted` of the plan and of the message, of those that there are.
        """
        message = self._messages.pop(item.id, None)
        rest: list[EventMsg] = []
        if message is None:
            message = _Message(item)
        elif self._may_plan(item.id):
            rest = self._events(message, message.splitter.finish())
        text = "".join(part.text for part in item.content)
        said, plan = split_plan(text) if self._may_plan(item.id) else (text, None)
        if said != text:
            item = attrs.evolve(item, content=(AgentText(text=said),))
        return [*rest, *self._finish_plan(item.id, plan), *self._finish_message(message, item)]

    def _may_plan(self, item_id: str) -> bool:
        return self._owner in {None, item_id}

    def _events(self, message: _Message, segments: list[Segment]) -> list[EventMsg]:
        return [event for segment in segments for event in self._of(message, segment)]

    def _of(self, message: _Message, segment: Segment) -> Iterator[EventMsg]:
        match segment:
            case Said(text=text):
                yield from self._say(message, text)
            case PlanBegan():
                yield from self._begin_plan(message.item.id)
            case PlanText(text=text):
                self._plan.append(text)
                yield self._delta(PlanDelta, self._plan_id, text)
            case _:
                assert_never(segment)

    def _say(self, message: _Message, text: str) -> Iterator[EventMsg]:
        if not message.told:
            message.blank.append(text)
            if not text.strip():
                return
            text = "".join(message.blank)
            message.told = True
            yield self._started(message.item)
        yield self._delta(AgentMessageContentDelta, message.item.id, text)

    def _begin_plan(self, item_id: str) -> Iterator[EventMsg]:
        self._plan.clear()
        if self._owner is None:
            self._owner = item_id
            yield self._started(PlanItem(id=self._plan_id, text=""))

    def _finish_plan(self, item_id: str, plan: str | None) -> Iterator[EventMsg]:
        if plan is None:
            if self._owner != item_id:
                return
            plan = "".join(self._plan)  # told in pieces, so it has to have an end
        else:
            yield from self._begin_plan(item_id)
        self._owner = ""
        yield self._completed(PlanItem(id=self._plan_id, text=plan))

    def _finish_message(self, message: _Message, item: AgentMessageItem) -> Iterator[EventMsg]:
        if not message.told:
            if not any(part.text.strip() for part in item.content):
                return
            yield self._started(item)
        yield self._completed(item)

    @property
    def _plan_id(self) -> str:
        return f"{self._context.turn_id}-plan"

    def _started(self, item: TurnItem) -> ItemStarted:
        context = self._context
        return ItemStarted(thread_id=context.thread_id, turn_id=context.turn_id, item=item)

    def _completed(self, item: TurnItem) -> ItemCompleted:
        context = self._context
        return ItemCompleted(thread_id=context.thread_id, turn_id=context.turn_id, item=item)

    def _delta(
        self, kind: type[AgentMessageContentDelta | PlanDelta], item_id: str, delta: str
    ) -> EventMsg:
        context = self._context
        return kind(
            thread_id=context.thread_id, turn_id=context.turn_id, item_id=item_id, delta=delta
        )
