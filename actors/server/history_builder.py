"""Turns and their items as they are read back from a rollout."""

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Final

import attrs

from actors.rollout import RecordedItems, chosen
from actors.thread import ThreadSnapshot
from messages import events
from messages.content import ImageInput, LocalImageInput, OutputText, TextInput, UserInputItem
from messages.items import Message
from messages.rollout import CompactedItem, RolloutItem
from messages.rpc.items import (
    AgentMessageThreadItem,
    ContextCompactionThreadItem,
    ImageViewThreadItem,
    PlanThreadItem,
    ReasoningThreadItem,
    ThreadItem,
    UnknownThreadItem,
    UserMessageThreadItem,
    WebSearchThreadItem,
)
from messages.rpc.turn import Turn, TurnItemsView, TurnStatus
from messages.rpc.user_input import TextUserInput, UserInput
from messages.turn_items import UnknownTurnItem
from messages.value import Value

from .call_values import COLLAB_ENDS, CollabEnd, collab_item, entered_review, exited_review
from .foreign_items import foreign_item
from .item_values import (
    ended_command,
    ended_mcp_call,
    ended_patch,
    thread_item,
    web_search_action,
)
from .pending_turn import PendingTurn
from .turn_values import turn_error, user_inputs

__all__ = ["HistoryBuilder", "overlay_live", "turns_of"]


def turns_of(items: Iterable[RolloutItem]) -> tuple[Turn, ...]:
    """Build the turns of a whole rollout; see `HistoryBuilder`."""
    builder = HistoryBuilder()
    builder.take_all(items)
    return builder.turns()


def overlay_live(
    turns: tuple[Turn, ...],
    snapshot: ThreadSnapshot | None,
    open_items: Iterable[ThreadItem] = (),
) -> tuple[Turn, ...]:
    """
    Say which of the turns runs: what a file cannot tell.

    A turn without a recorded end that does not run was broken off.  The running one is
    added if nothing of it is on disk yet.

    Args:
        snapshot: Of the thread, taken before its rollout was read; None when it is not
            loaded, so that nothing runs.
        open_items: Items of the running turn that have started and not ended; see
            `ThreadProjection.open_items`.
    """
    running = None if snapshot is None else snapshot.turn_id
    known = turns
    if any(turn.status is TurnStatus.IN_PROGRESS for turn in turns):
        known = tuple(_settled(turn, running) for turn in turns)
    if running is None:
        return known
    if all(turn.id != running for turn in known):
        started = Turn(id=running, status=TurnStatus.IN_PROGRESS, items_view=TurnItemsView.FULL)
        known = (*known, started)
    return tuple(_with_items(turn, open_items) if turn.id == running else turn for turn in known)


def _settled(turn: Turn, running: str | None) -> Turn:
    if turn.status is TurnStatus.IN_PROGRESS and turn.id != running:
        return attrs.evolve(turn, status=TurnStatus.INTERRUPTED)
    return turn


def _with_items(turn: Turn, open_items: Iterable[ThreadItem]) -> Turn:
    if turn.status is not TurnStatus.IN_PROGRESS:
        return turn  # it has ended since the snapshot was taken
    known = {item.id for item in turn.items if not isinstance(item, UnknownThreadItem)}
    added = (i for i in open_items if isinstance(i, UnknownThreadItem) or i.id not in known)
    return attrs.evolve(turn, items=(*turn.items, *added))


@attrs.define(eq=False)
class HistoryBuilder:
    """
    Builds turns from recorded items, taken in file order.

    Reads what Codex 0.104, Codex 0.169 and we record, in both modes.  What is not
    recorded is not there: in limited mode the items of tools and the errors, always the
    calls of clients' own tools and raw reasoning.  Two items of reasoning in a row read
    back as one, and an agent message of several parts as several.  Messages, reasoning
    and reviews are named ``item-1``, ``item-2`` and so on over the whole thread, where
    the file does not name them; tools keep their call ids.  Turns whose start is not
    recorded are named by their number.

    Source:
        Codex, ``thread_history.rs``.  There a turn that runs or was broken off reads as
        completed, turns without a recorded start have another id at every reading, and a
        review falls apart into the reviewer's turns, without what it found.
    """

    _finished: list[PendingTurn] = attrs.field(factory=list[PendingTurn], init=False)
    _current: PendingTurn | None = attrs.field(default=None, init=False)
    _next_item: int = attrs.field(default=1, init=False)

    def take(self, item: RolloutItem) -> None:
        """Take the next recorded item."""
        handler = self.HANDLERS.get(type(item))
        if handler is not None:
            handler(self, item)

    def take_all(self, items: Iterable[RolloutItem]) -> None:
        """Take the next recorded items, decoding none that change nothing."""
        handlers = self.HANDLERS  # a call for each item makes a difference
        for _, item in chosen(items, self._taken(items)):
            handlers[type(item)](self, item)

    def _taken(self, items: Iterable[RolloutItem]) -> frozenset[type]:
        due = self._current is not None and self._current.answer_due
        if due or not isinstance(items, RecordedItems) or items.places((events.ExitedReviewMode,)):
            return _TAKEN
        return _TAKEN_WITHOUT_REVIEWS

    def turns(self) -> tuple[Turn, ...]:
        """Return the turns so far, oldest first; may be asked in between."""
        current = self._current
        last = () if current is None or not current.counts else (current,)
        return tuple(turn.turn() for turn in (*self._finished, *last))

    # The turns ----------------------------------------------------------

    def _open(self) -> PendingTurn:
        """Return the turn that the next item belongs to."""
        if self._current is None:
            self._current = PendingTurn(f"turn-{len(self._finished) + 1}")
        return self._current

    def _close(self) -> None:
        current, self._current = self._current, None
        if current is not None and current.counts:
            current.reviewing = current.answer_due = False
            self._finished.append(current)

    def _finished_turn(self, turn_id: str | None) -> PendingTurn | None:
        # From the end: what comes late comes of a late turn.
        found = (turn for turn in reversed(self._finished) if turn.id == turn_id)
        return next(found, None)

    def _find(self, turn_id: str | None) -> PendingTurn | None:
        """Find the turn of this id, or else the one that is open."""
        if self._current is not None and self._current.id == turn_id:
            return self._current
        return self._finished_turn(turn_id) or self._current

    def _on_start(self, event: events.TurnStarted) -> None:
        current = self._current
        if current is not None and current.reviewing and current.reviewer is None:
            current.reviewer = event.turn_id
            return
        if current is not None:
            current.superseded = True
        self._close()
        self._current = turn = PendingTurn(event.turn_id, explicit=True)
        if event.extra is not None:
            turn.started_at = _number(event, "started_at")

    def _on_complete(self, event: events.TurnComplete) -> None:
        current = self._current
        if current is not None and current.reviewing and current.reviewer == event.turn_id:
            return
        turn = self._find(event.turn_id)
        if turn is None:
            return
        if turn is current and turn.reviewer is not None and not turn.explicit:
            turn.id = event.turn_id  # Codex records no start of a review's turn
        turn.complete()
        if event.extra is not None:
            turn.started_at = turn.started_at or _number(event, "started_at")
            turn.completed_at = _number(event, "completed_at")
            turn.duration_ms = _number(event, "duration_ms")
        if turn is current:
            self._close()

    def _on_abort(self, event: events.TurnAborted) -> None:
        turn = self._find(event.turn_id)
        if turn is not None:
            turn.abort()

    def _on_error(self, event: events.ErrorEvent) -> None:
        rollback = events.CodexErrorCode.THREAD_ROLLBACK_FAILED
        if self._current is not None and event.codex_error_info is not rollback:
            self._current.error = turn_error(event)

    def _on_rollback(self, event: events.ThreadRolledBack) -> None:
        self._close()
        left = max(0, len(self._finished) - max(0, event.num_turns))
        del self._finished[left:]
        self._next_item = sum(len(turn.items) for turn in self._finished) + 1

    # What was said ------------------------------------------------------

    def _new_id(self) -> str:
        number = self._next_item
        self._next_item += 1
        return f"item-{number}"

    def _append(self, item: ThreadItem) -> None:
        self._open().items.append(item)

    def _on_user_message(self, event: events.UserMessage) -> None:
        content = _content(event)
        current = self._current
        if current is not None and current.reviewing:
            last = current.items[-1] if current.items else None
            if isinstance(last, UserMessageThreadItem) and last.content == content:
                return  # Codex records the reviewer's input twice
        elif current is not None and current.takes_one_message:
            self._close()
        self._append(UserMessageThreadItem(id=self._new_id(), content=content))

    def _on_agent_message(self, event: events.AgentMessage) -> None:
        if not event.message:
            return
        turn = self._open()
        if turn.answer == event.message:
            turn.answer = None
            return
        turn.answer_due, turn.answer = False, None
        turn.items.append(AgentMessageThreadItem(id=self._new_id(), text=event.message))

    def _on_message(self, message: Message) -> None:
        """Take the answer of a review: Codex tells it by an event as well, we do not."""
        turn = self._current
        if turn is None or not turn.answer_due or message.role != "assistant":
            return
        text = "".join(part.text for part in message.content if isinstance(part, OutputText))
        if text:
            turn.answer_due, turn.answer = False, text
            turn.items.append(AgentMessageThreadItem(id=self._new_id(), text=text))

    def _on_reasoning(self, event: events.AgentReasoning) -> None:
        if event.text:
            items, last = self._thoughts()
            if last is None:
                items.append(ReasoningThreadItem(id=self._new_id(), summary=(event.text,)))
            else:
                items[-1] = attrs.evolve(last, summary=(*last.summary, event.text))

    def _on_raw_reasoning(self, event: events.AgentReasoningRawContent) -> None:
        if event.text:
            items, last = self._thoughts()
            if last is None:
                items.append(ReasoningThreadItem(id=self._new_id(), content=(event.text,)))
            else:
                items[-1] = attrs.evolve(last, content=(*last.content, event.text))

    def _thoughts(self) -> tuple[list[ThreadItem], ReasoningThreadItem | None]:
        """Return the items, and the last one if the next part of reasoning belongs to it."""
        items = self._open().items
        last = items[-1] if items else None
        return items, last if isinstance(last, ReasoningThreadItem) else None

    def _on_item(self, event: events.ItemCompleted) -> None:
        item = event.item
        made = foreign_item(item) if isinstance(item, UnknownTurnItem) else thread_item(item)
        if made is None or (isinstance(made, PlanThreadItem) and not made.text):
            return
        if not isinstance(made, UnknownThreadItem):
            made = attrs.evolve(
                made,
                started_at_ms=_number(event, "started_at_ms"),
                completed_at_ms=_number(event, "completed_at_ms"),
            )
        turn = self._finished_turn(event.turn_id) if self._belongs_back(event.turn_id) else None
        (turn or self._open()).items.append(made)

    # Compactions and reviews --------------------------------------------

    def _on_compacted(self, _: CompactedItem) -> None:
        self._open().compaction = True

    def _on_context_compacted(self, _: events.ContextCompacted) -> None:
        self._append(ContextCompactionThreadItem(id=self._new_id()))

    def _on_entered_review(self, event: events.EnteredReviewMode) -> None:
        self._append(entered_review(self._new_id(), event))
        self._open().reviewing = True

    def _on_exited_review(self, event: events.ExitedReviewMode) -> None:
        self._append(exited_review(self._new_id(), event))
        turn = self._open()
        turn.reviewing, turn.answer_due = False, True

    # Tools --------------------------------------------------------------

    def _belongs_back(self, turn_id: str) -> bool:
        return self._current is None or self._current.id != turn_id

    def _on_command(self, event: events.ExecCommandEnd) -> None:
        turn = self._finished_turn(event.turn_id) if self._belongs_back(event.turn_id) else None
        (turn or self._open()).items.append(ended_command(event))

    def _on_patch(self, event: events.PatchApplyEnd) -> None:
        self._append(ended_patch(event))

    def _on_mcp_call(self, event: events.McpToolCallEnd) -> None:
        self._append(ended_mcp_call(event))

    def _on_collab(self, event: CollabEnd) -> None:
        self._append(collab_item(event))

    def _on_web_search(self, event: events.WebSearchEnd) -> None:
        action = web_search_action(event.action)
        self._append(WebSearchThreadItem(id=event.call_id, query=event.query, action=action))

    def _on_image(self, event: events.ViewImageToolCall) -> None:
        self._append(ImageViewThreadItem(id=event.call_id, path=event.path))

    HANDLERS: ClassVar[Mapping[type, Callable[..., None]]] = {
        Message: _on_message,
        CompactedItem: _on_compacted,
        events.TurnStarted: _on_start,
        events.TurnComplete: _on_complete,
        events.TurnAborted: _on_abort,
        events.ErrorEvent: _on_error,
        events.ThreadRolledBack: _on_rollback,
        events.UserMessage: _on_user_message,
        events.AgentMessage: _on_agent_message,
        events.AgentReasoning: _on_reasoning,
        events.AgentReasoningRawContent: _on_raw_reasoning,
        events.ItemCompleted: _on_item,
        events.ContextCompacted: _on_context_compacted,
        events.EnteredReviewMode: _on_entered_review,
        events.ExitedReviewMode: _on_exited_review,
        events.ExecCommandEnd: _on_command,
        events.WebSearchEnd: _on_web_search,
        events.ViewImageToolCall: _on_image,
        events.PatchApplyEnd: _on_patch,
        events.McpToolCallEnd: _on_mcp_call,
        **dict.fromkeys(COLLAB_ENDS, _on_collab),
    }


_TAKEN: Final = frozenset(HistoryBuilder.HANDLERS)
# Messages of the model say the answers of reviews, all else is said by events.
_TAKEN_WITHOUT_REVIEWS: Final = _TAKEN - {Message}


def _content(event: events.UserMessage) -> tuple[UserInput, ...]:
    has_text = bool(event.message.strip())
    if has_text and not (event.text_elements or event.images or event.local_images):
        return (TextUserInput(text=event.message),)
    texts: list[UserInputItem] = []
    if has_text:
        texts.append(TextInput(text=event.message, text_elements=event.text_elements))
    images = [ImageInput(image_url=url) for url in event.images or ()]
    paths = [LocalImageInput(path=path) for path in event.local_images]
    return user_inputs((*texts, *images, *paths))


def _number(event: Value, name: str) -> int | None:
    """Return a member that only newer Codex programs write, if it is there."""
    value = (event.extra or {}).get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
