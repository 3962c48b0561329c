"""From a thread's events to what clients are told of its items."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Final

import attrs

from messages import events
from messages.content import OutputText, UserInputItem
from messages.events import EventMsg, ExecCommandSource
from messages.items import CustomToolCallOutput, FunctionCallOutput, FunctionOutput, Message
from messages.ops import DynamicToolResult
from messages.rpc.item_notifications import (
    AgentMessageDeltaNotification,
    CommandExecutionOutputDeltaNotification,
    FileChangeOutputDeltaNotification,
    PlanDeltaNotification,
    ReasoningSummaryPartAddedNotification,
    ReasoningSummaryTextDeltaNotification,
    ReasoningTextDeltaNotification,
    TerminalInteractionNotification,
)
from messages.rpc.items import (
    AgentMessageThreadItem,
    CommandExecutionStatus,
    CommandExecutionThreadItem,
    DynamicToolCallThreadItem,
    FileChangeThreadItem,
    ImageViewThreadItem,
    ThreadItem,
    UnknownThreadItem,
    UserMessageThreadItem,
)
from messages.rpc.notifications import ServerNotification
from messages.rpc.tool_parts import DynamicToolCallStatus, PatchApplyStatus
from messages.rpc.user_input import UserInput
from messages.turn_items import AgentMessageItem

from .call_values import (
    COLLAB_BEGINS,
    COLLAB_ENDS,
    CollabBegin,
    CollabEnd,
    collab_item,
    dynamic_output,
    entered_review,
    exited_review,
    started_dynamic_call,
)
from .item_values import (
    asked_command,
    asked_patch,
    ended_command,
    ended_mcp_call,
    ended_patch,
    started_command,
    started_mcp_call,
    started_patch,
    thread_item,
)
from .open_items import OpenItems
from .output_text import OutputTexts
from .turn_values import user_inputs

__all__ = ["EXPECTED_CAPACITY", "ItemProjection"]

EXPECTED_CAPACITY: Final = 128
"""Messages that clients gave a name and that no turn has read yet: a queue of submissions,
and as many waiting for the running turn.  Of more, the oldest names are forgotten."""

_REVIEW_ANSWER: Final = "review_rollout_assistant"
"""Id of the message that says a review's result to the model.  Source: Codex."""

_LINGERING: Final = frozenset(
    {ExecCommandSource.UNIFIED_EXEC_STARTUP, ExecCommandSource.USER_SHELL}
)
"""Commands that may outlast their turn."""

Told = Iterable[ServerNotification]


@attrs.define(eq=False)
class ItemProjection:
    """
    Tells each item's start, pieces and completion, of the turn that runs.

    What belongs to a turn that is over is not told, except the rest of commands that
    outlast theirs.  Older events that repeat an item are passed over; but of a reviewer's
    messages nothing else comes, and the last of them, its result, not at all.
    """

    _thread_id: str
    _now: Callable[[], float]
    open: OpenItems = attrs.field(init=False)
    _texts: OutputTexts = attrs.field(factory=OutputTexts, init=False)
    _turn_id: str | None = attrs.field(default=None, init=False)
    # Messages of the reviewer so far; None outside of reviews.
    _reviewer_messages: int | None = attrs.field(default=None, init=False)
    # Calls of the running turn that clients know as declined, and that have no other end.
    _declined: set[str] = attrs.field(factory=set[str], init=False)
    # What clients said, and how they call it.
    _expected: deque[tuple[tuple[UserInput, ...], str]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.open = OpenItems(self._thread_id, self._now)
        self._expected = deque(maxlen=EXPECTED_CAPACITY)

    def begin_turn(self, turn_id: str) -> None:
        """Tell items of this turn from now on."""
        self._turn_id = turn_id

    def end_turn(self) -> None:
        """Tell items of no turn; what is open and does not outlast its turn is forgotten."""
        self._turn_id = self._reviewer_messages = None
        self._declined.clear()
        self.open.end_turn()
        self._texts.keep_only(self.open)

    def expect(self, content: Iterable[UserInputItem], client_id: str) -> None:
        """Give the next user message of this content the name that its client uses."""
        self._expected.append((user_inputs(content), client_id))

    def take(self, turn_id: str, msg: EventMsg) -> Told:
        """List what clients are told of an event; most events say nothing of items."""
        handler = self._HANDLERS.get(type(msg))
        return () if handler is None else handler(self, turn_id, msg)

    def _runs(self, turn_id: str) -> bool:
        return self._turn_id is not None and turn_id == self._turn_id

    def _start(self, turn_id: str, item: ThreadItem | None, *, lingers: bool = False) -> Told:
        if item is None or not self._runs(turn_id) or getattr(item, "id", "") in self._declined:
            return ()
        return self.open.start(turn_id, item, lingers=lingers)

    def _complete(self, turn_id: str, item: ThreadItem | None) -> Told:
        if item is None or isinstance(item, UnknownThreadItem):
            return ()
        entry = self.open.find(item.id)
        if item.id in self._declined:
            return ()
        if entry is None:
            return self.open.complete(turn_id, item) if self._runs(turn_id) else ()
        # One id for a command and a patch: the end is that of the other.
        return self.open.complete(turn_id, item) if type(entry.item) is type(item) else ()

    # What is said -------------------------------------------------------

    def _on_started(self, turn_id: str, event: events.ItemStarted) -> Told:
        if self._is_reviewers(event):
            return ()
        return self._start(turn_id, self._named(thread_item(event.item)))

    def _on_completed(self, turn_id: str, event: events.ItemCompleted) -> Told:
        if self._is_reviewers(event):
            return ()
        item = thread_item(event.item)
        if isinstance(item, UserMessageThreadItem):
            entry = self.open.find(item.id)
            known = None if entry is None else getattr(entry.item, "client_id", None)
            item = self._named(item) if entry is None else attrs.evolve(item, client_id=known)
        return self._complete(turn_id, item)

    def _is_reviewers(self, event: events.ItemStarted | events.ItemCompleted) -> bool:
        return self._reviewer_messages is not None and isinstance(event.item, AgentMessageItem)

    def _named(self, item: ThreadItem | None) -> ThreadItem | None:
        if not isinstance(item, UserMessageThreadItem):
            return item
        for entry in self._expected:
            if entry[0] == item.content:
                self._expected.remove(entry)
                return attrs.evolve(item, client_id=entry[1])
        return item

    def _on_message_delta(self, turn_id: str, event: events.AgentMessageContentDelta) -> Told:
        if event.item_id in self.open:
            yield AgentMessageDeltaNotification(
                thread_id=self._thread_id,
                turn_id=turn_id,
                item_id=event.item_id,
                delta=event.delta,
            )

    def _on_plan_delta(self, turn_id: str, event: events.PlanDelta) -> Told:
        if event.item_id in self.open:
            yield PlanDeltaNotification(
                thread_id=self._thread_id,
                turn_id=turn_id,
                item_id=event.item_id,
                delta=event.delta,
            )

    def _on_section_break(self, turn_id: str, event: events.AgentReasoningSectionBreak) -> Told:
        if event.item_id in self.open:
            yield ReasoningSummaryPartAddedNotification(
                thread_id=self._thread_id,
                turn_id=turn_id,
                item_id=event.item_id,
                summary_index=event.summary_index,
            )

    def _on_summary_delta(self, turn_id: str, event: events.ReasoningContentDelta) -> Told:
        if event.item_id in self.open:
            yield ReasoningSummaryTextDeltaNotification(
                thread_id=self._thread_id,
                turn_id=turn_id,
                item_id=event.item_id,
                delta=event.delta,
                summary_index=event.summary_index,
            )

    def _on_reasoning_delta(self, turn_id: str, event: events.ReasoningRawContentDelta) -> Told:
        if event.item_id in self.open:
            yield ReasoningTextDeltaNotification(
                thread_id=self._thread_id,
                turn_id=turn_id,
                item_id=event.item_id,
                delta=event.delta,
                content_index=event.content_index,
            )

    # Commands -----------------------------------------------------------

    def _on_command(self, turn_id: str, event: events.ExecCommandBegin) -> Told:
        lingers = event.source in _LINGERING
        if event.source is ExecCommandSource.USER_SHELL:
            # It may have to wait for the end of the turn beside which it was wanted.
            return self.open.start(turn_id, started_command(event), lingers=lingers)
        return self._start(turn_id, started_command(event), lingers=lingers)

    def _on_output(self, turn_id: str, event: events.ExecCommandOutputDelta) -> Told:
        if event.call_id in self.open:
            text = self._texts.text(event.call_id, event.stream, event.chunk)
            yield from self._output(turn_id, event.call_id, text)

    def _output(self, turn_id: str, item_id: str, text: str) -> Told:
        if text:
            yield CommandExecutionOutputDeltaNotification(
                thread_id=self._thread_id, turn_id=turn_id, item_id=item_id, delta=text
            )

    def _on_input(self, turn_id: str, event: events.TerminalInteraction) -> Told:
        # The thread says it before it types.  The command may have ended by then all the same:
        # a call that only looks for its last words is told, too.
        if event.call_id in self.open or self._runs(turn_id):
            yield TerminalInteractionNotification(
                thread_id=self._thread_id,
                turn_id=turn_id,
                item_id=event.call_id,
                process_id=event.process_id,
                stdin=event.stdin,
            )

    def _on_command_end(self, turn_id: str, event: events.ExecCommandEnd) -> Told:
        entry, rest = self.open.find(event.call_id), self._texts.rest(event.call_id)
        if entry is not None and isinstance(entry.item, CommandExecutionThreadItem):
            yield from self._output(entry.turn_id, event.call_id, rest)
        yield from self._complete(turn_id, ended_command(event))

    def _on_command_asked(self, turn_id: str, event: events.ExecApprovalRequest) -> Told:
        return self._start(turn_id, asked_command(event))

    # Patches ------------------------------------------------------------

    def _on_patch(self, turn_id: str, event: events.PatchApplyBegin) -> Told:
        return self._start(turn_id, started_patch(event))

    def _on_patch_end(self, turn_id: str, event: events.PatchApplyEnd) -> Told:
        item, entry = ended_patch(event), self.open.find(event.call_id)
        if entry is not None and isinstance(entry.item, FileChangeThreadItem):
            if not item.changes:  # they were told at the beginning only
                item = attrs.evolve(item, changes=entry.item.changes)
            said = event.stdout or event.stderr
            if said and event.status is not events.ApplyPatchStatus.DECLINED:
                yield FileChangeOutputDeltaNotification(
                    thread_id=self._thread_id, turn_id=turn_id, item_id=item.id, delta=said
                )
        yield from self._complete(turn_id, item)

    def _on_patch_asked(self, turn_id: str, event: events.ApplyPatchApprovalRequest) -> Told:
        return self._start(turn_id, asked_patch(event))

    def decline(self, item_id: str) -> Told:
        """
        Tell that a command or patch was declined by stopping the whole turn.

        The thread says of it only that it was stopped, when it is.
        """
        entry = self.open.find(item_id)
        if entry is None:
            return
        told: ThreadItem
        match entry.item:
            case CommandExecutionThreadItem():
                told = attrs.evolve(entry.item, status=CommandExecutionStatus.DECLINED)
            case FileChangeThreadItem():
                told = attrs.evolve(entry.item, status=PatchApplyStatus.DECLINED)
            case _:
                return
        yield from self.open.complete(entry.turn_id, told)
        self._declined.add(item_id)

    # Other tools --------------------------------------------------------

    def _on_mcp_call(self, turn_id: str, event: events.McpToolCallBegin) -> Told:
        return self._start(turn_id, started_mcp_call(event))

    def _on_mcp_call_end(self, turn_id: str, event: events.McpToolCallEnd) -> Told:
        return self._complete(turn_id, ended_mcp_call(event))

    def _on_image(self, turn_id: str, event: events.ViewImageToolCall) -> Told:
        return self._complete(turn_id, ImageViewThreadItem(id=event.call_id, path=event.path))

    def _on_collab(self, turn_id: str, event: CollabBegin) -> Told:
        return self._start(turn_id, collab_item(event))

    def _on_collab_end(self, turn_id: str, event: CollabEnd) -> Told:
        return self._complete(turn_id, collab_item(event))

    def _on_dynamic_call(self, turn_id: str, event: events.DynamicToolCallRequest) -> Told:
        return self._start(turn_id, started_dynamic_call(event))

    def dynamic_answer(self, call_id: str, result: DynamicToolResult) -> Told:
        """Tell what a client's tool answered; the thread itself tells it to the model only."""
        return self._end_dynamic(call_id, result.content_items, success=result.success)

    def _end_dynamic(self, call_id: str, output: FunctionOutput, *, success: bool) -> Told:
        entry = self.open.find(call_id)
        if entry is None or not isinstance(entry.item, DynamicToolCallThreadItem):
            return ()
        status = DynamicToolCallStatus.COMPLETED if success else DynamicToolCallStatus.FAILED
        item = attrs.evolve(
            entry.item,
            status=status,
            content_items=dynamic_output(output),
            success=success,
            duration_ms=self.open.now_ms() - entry.started_at_ms,
        )
        return self.open.complete(entry.turn_id, item)

    # Reviews ------------------------------------------------------------

    def _on_entered_review(self, turn_id: str, event: events.EnteredReviewMode) -> Told:
        if not self._runs(turn_id):
            return ()
        self._reviewer_messages = 0
        return self._complete(turn_id, entered_review(f"{turn_id}-review-entered", event))

    def _on_exited_review(self, turn_id: str, event: events.ExitedReviewMode) -> Told:
        if self._runs(turn_id):
            self._reviewer_messages = None
        return self._complete(turn_id, exited_review(f"{turn_id}-review-exited", event))

    def _on_message(self, turn_id: str, event: events.AgentMessage) -> Told:
        """Tell a message of the reviewer's; any other was told as an item."""
        if self._reviewer_messages is None or not event.message:
            return ()
        self._reviewer_messages += 1
        item_id = f"{turn_id}-review-message-{self._reviewer_messages}"
        return self._complete(turn_id, AgentMessageThreadItem(id=item_id, text=event.message))

    def _on_raw_item(self, turn_id: str, event: events.RawResponseItem) -> Told:
        """Tell what comes as an item of the history only."""
        match event.item:
            case Message(id=item_id, role="assistant", content=parts) if item_id == _REVIEW_ANSWER:
                text = "".join(part.text for part in parts if isinstance(part, OutputText))
                return self._complete(turn_id, AgentMessageThreadItem(id=item_id, text=text))
            case FunctionCallOutput(call_id=call_id, output=output):
                # No client of ours answered: it was stopped, or answered behind our back.
                return self._end_dynamic(call_id, output, success=False)
            case CustomToolCallOutput(call_id=call_id, output=output):
                return self._end_dynamic(call_id, output, success=False)
            case _:
                return ()

    _HANDLERS: ClassVar[Mapping[type, Callable[..., Told]]] = {
        events.ItemStarted: _on_started,
        events.ItemCompleted: _on_completed,
        events.AgentMessageContentDelta: _on_message_delta,
        events.PlanDelta: _on_plan_delta,
        events.AgentReasoningSectionBreak: _on_section_break,
        events.ReasoningContentDelta: _on_summary_delta,
        events.ReasoningRawContentDelta: _on_reasoning_delta,
        events.AgentMessage: _on_message,
        events.ExecCommandBegin: _on_command,
        events.ExecCommandOutputDelta: _on_output,
        events.ExecCommandEnd: _on_command_end,
        events.ExecApprovalRequest: _on_command_asked,
        events.TerminalInteraction: _on_input,
        events.PatchApplyBegin: _on_patch,
        events.PatchApplyEnd: _on_patch_end,
        events.ApplyPatchApprovalRequest: _on_patch_asked,
        events.McpToolCallBegin: _on_mcp_call,
        events.McpToolCallEnd: _on_mcp_call_end,
        events.ViewImageToolCall: _on_image,
        events.DynamicToolCallRequest: _on_dynamic_call,
        events.EnteredReviewMode: _on_entered_review,
        events.ExitedReviewMode: _on_exited_review,
        events.RawResponseItem: _on_raw_item,
        **dict.fromkeys(COLLAB_BEGINS, _on_collab),
        **dict.fromkeys(COLLAB_ENDS, _on_collab_end),
    }
