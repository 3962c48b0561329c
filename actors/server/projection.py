"""From the events of a thread to what its clients are told and asked, in this order."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import ClassVar, Final, TypeAlias

import attrs

from actors.thread import ThreadSnapshot
from actors.thread.answers import Question
from messages import events
from messages.content import UserInputItem
from messages.events import Errored, Event, EventMsg
from messages.ids import TurnId
from messages.items import CustomToolCallOutput, FunctionCallOutput
from messages.ops import (
    DynamicToolResponse,
    ExecApproval,
    Op,
    PatchApproval,
    ReviewDecisionKind,
)
from messages.rpc.account import AccountRateLimitsUpdatedNotification
from messages.rpc.item_notifications import (
    ErrorNotification,
    RawResponseItemCompletedNotification,
    TurnCompletedNotification,
    TurnDiffUpdatedNotification,
    TurnStartedNotification,
)
from messages.rpc.items import ThreadItem
from messages.rpc.notifications import (
    ServerNotification,
    ThreadStatusChangedNotification,
    ThreadTokenUsageUpdatedNotification,
)
from messages.rpc.thread import (
    ActiveThreadStatus,
    IdleThreadStatus,
    SystemErrorThreadStatus,
    ThreadStatus,
)
from messages.rpc.turn import Turn, TurnStatus
from messages.rpc.turn_error import TurnError

from .item_projection import ItemProjection
from .note_projection import note
from .server_requests import (
    OpenRequests,
    RequestResolved,
    ServerRequestDraft,
    draft_of,
    question_key,
)
from .turn_values import turn_error
from .usage_values import rate_limits, usage_notification

__all__ = ["PIECES", "Outgoing", "ThreadProjection"]

Outgoing: TypeAlias = ServerNotification | ServerRequestDraft | RequestResolved
"""What is to be sent: told, asked, or no longer asked."""

_Told: TypeAlias = Iterable[Outgoing]

_REPEATED: Final[frozenset[type[EventMsg]]] = frozenset(
    {
        events.AgentMessageDelta,
        events.AgentReasoningDelta,
        events.AgentReasoningRawContentDelta,
    }
)
"""Older forms of pieces, which nobody is told."""

_TOLD_PIECES: Final[frozenset[type[EventMsg]]] = frozenset(
    {
        events.AgentMessageContentDelta,
        events.PlanDelta,
        events.ReasoningContentDelta,
        events.ReasoningRawContentDelta,
    }
)
"""Pieces that say something of their item, and nothing else."""

PIECES: Final = _REPEATED | _TOLD_PIECES
"""Most events of a turn; they neither begin nor end nor answer anything."""

_COMMAND_ASKED: Final = (events.ExecApprovalRequest,)

_STOPS: Final = frozenset({"Interrupted", "Replaced", "ReviewEnded"})
"""What a status says after a turn was stopped."""


@attrs.frozen
class _RunningTurn:
    id: str
    started_at_ms: int
    error: TurnError | None = None

    def turn(self, status: TurnStatus, now_ms: int | None = None) -> Turn:
        """Make what clients are told of it, without its items; at its end with the time."""
        return Turn(
            id=self.id,
            status=status,
            error=self.error,
            started_at=self.started_at_ms // 1000,
            completed_at=None if now_ms is None else now_ms // 1000,
            duration_ms=None if now_ms is None else now_ms - self.started_at_ms,
        )


def _says_much(limits: events.RateLimitSnapshot) -> bool:
    """Tell whether anything is known but whose limits they are."""
    return any((limits.primary, limits.secondary, limits.credits, limits.plan_type))


@attrs.define(eq=False)
class ThreadProjection:
    """
    What one loaded thread tells its clients.

    Feed it every event once, in order, from the first on; it needs no more memory than
    what is open: a turn, its unfinished items, commands in the background, questions.
    The promises to clients: ``turn/started`` before anything of a turn, and its
    ``turn/completed`` once, after everything of it but the rest of commands that outlast
    it; each item started once and completed once, its pieces in between; a question after
    the item it is about, and its `RequestResolved` once.

    Events carry the id of the turn of *this* thread that they belong to, also those that
    a reviewer's thread said first; their own members may name the reviewer's.

    Args:
        now: Wall clock, in seconds since the Unix epoch.

    Attributes:
        raw_items: Whether clients want each item as it enters the history.

    Source:
        Codex, ``bespoke_event_handling.rs`` and versions 0.104 and 0.169 on the wire.  What
        the two say differently is said once, so that both kinds of clients are served.
    """

    thread_id: str
    _now: Callable[[], float]
    raw_items: bool = attrs.field(default=False, kw_only=True)
    # None while there are none, and none are expected: most threads are between two turns.
    _kept_items: ItemProjection | None = attrs.field(default=None, init=False)
    # Whether a client has ever given a message a name, which may be read in any later turn.
    _names: bool = attrs.field(default=False, init=False)
    _requests: OpenRequests = attrs.field(factory=OpenRequests, init=False)
    _turn: _RunningTurn | None = attrs.field(default=None, init=False)
    _status: ThreadStatus = attrs.field(factory=IdleThreadStatus, init=False)
    _usage: ThreadTokenUsageUpdatedNotification | None = attrs.field(default=None, init=False)
    _limits: events.RateLimitSnapshot | None = attrs.field(default=None, init=False)
    # What the running turn changed in files, as clients were told.
    _diff: str | None = attrs.field(default=None, init=False)
    # Where the thread stood when events had been lost; None when nothing is missing.
    _ahead: ThreadSnapshot | None = attrs.field(default=None, init=False)

    @property
    def _items(self) -> ItemProjection:
        if self._kept_items is None:
            self._kept_items = ItemProjection(self.thread_id, self._now)
        return self._kept_items

    def _forget_items(self) -> None:
        """Forget all items, if none of them is open any more."""
        if not (self._names or len(self._items.open)):
            self._kept_items = None

    # For those who join -------------------------------------------------

    @property
    def status(self) -> ThreadStatus:
        """What the thread does, as clients were told."""
        return self._status

    @property
    def turn_id(self) -> str | None:
        """The turn that runs, as clients were told; None for none."""
        return None if self._turn is None else self._turn.id

    @property
    def last_usage(self) -> ThreadTokenUsageUpdatedNotification | None:
        """What clients were told of tokens; None when nothing was yet."""
        return self._usage

    @property
    def last_limits(self) -> events.RateLimitSnapshot | None:
        """What the provider told of its limits; None when it never did."""
        return self._limits

    def open_items(self) -> tuple[ThreadItem, ...]:
        """List the items of the running turn that have started and not ended."""
        return () if self._turn is None else self._items.open.of_turn(self._turn.id)

    def open_requests(self) -> tuple[ServerRequestDraft, ...]:
        """List what clients are asked just now, oldest first; to be asked of new ones, too."""
        return self._requests.drafts()

    # Events -------------------------------------------------------------

    def take(self, event: Event) -> tuple[Outgoing, ...]:
        """Take the next event, and return what to send, in order."""
        if self._ahead is None:
            kind = event.msg.__class__
            if kind in _REPEATED:
                return ()
            if kind in _TOLD_PIECES:
                return tuple(self._items.take(event.id, event.msg))
        told = (*self._catch_up(event), *self._tell(event.id, event.msg))
        ahead = self._ahead
        if ahead is not None and event.seq + 1 >= ahead.next_seq:
            self._ahead = None
            return (*told, *self._settle(ahead))
        return told

    def lagged(self, snapshot: ThreadSnapshot) -> tuple[Outgoing, ...]:
        """
        Note that events were lost before they could be taken.

        Turns and questions that began or ended unseen are made good as soon as that is
        sure; items that did are lost to clients, who may read them back.

        Args:
            snapshot: Of the thread, taken behind the loss.
        """
        self._ahead = snapshot
        return ()

    def expect(self, content: Iterable[UserInputItem], client_id: str) -> None:
        """Give the next user message of this content the name that its client uses."""
        self._names = True
        self._items.expect(content, client_id)

    def answered(self, key: str, op: Op) -> tuple[Outgoing, ...]:
        """
        Note a client's answer, and return what to send; the op is the caller's to submit.

        Returns:
            Nothing when the question is not open any more: the answer is for nobody, and
            must not be submitted.
        """
        draft = self._requests.find(key)
        if draft is None:
            return ()
        told = [*self._resolve((key,))]
        match op:
            case DynamicToolResponse(id=call_id, response=response):
                told.extend(self._items.dynamic_answer(call_id, response))
            case (
                ExecApproval(decision=ReviewDecisionKind.ABORT)
                | PatchApproval(decision=ReviewDecisionKind.ABORT)
            ):
                told.extend(self._items.decline(getattr(draft.question, "call_id", "")))
            case _:
                pass
        return tuple(told)

    def close(self) -> tuple[Outgoing, ...]:
        """End what is open, because the thread has ended and says nothing more."""
        told = tuple(self._end(TurnStatus.INTERRUPTED)) if self._turn is not None else ()
        self._items.open.clear()
        self._forget_items()
        return told

    def _tell(self, turn_id: str, msg: EventMsg) -> _Told:
        handler = self._HANDLERS.get(type(msg))
        if handler is not None:
            yield from handler(self, turn_id, msg)
            return
        said = note(self.thread_id, turn_id, msg)
        if said is not None:
            yield said
            return
        yield from self._resolve(self._implied(msg))
        yield from self._items.take(turn_id, msg)

    # Turns --------------------------------------------------------------

    def _on_start(self, _: str, event: events.TurnStarted) -> _Told:
        if self._turn is not None and self._turn.id == event.turn_id:
            return
        if self._turn is not None:
            yield from self._end(TurnStatus.INTERRUPTED)
        yield from self._begin(event.turn_id)

    def _begin(self, turn_id: str) -> Iterator[Outgoing]:
        self._turn = _RunningTurn(turn_id, self._items.open.now_ms())
        self._items.begin_turn(turn_id)
        yield from self._become(ActiveThreadStatus())
        yield TurnStartedNotification(
            thread_id=self.thread_id, turn=self._turn.turn(TurnStatus.IN_PROGRESS)
        )

    def _on_complete(self, _: str, event: events.TurnComplete) -> _Told:
        turn = self._turn
        failed = turn is not None and turn.id == event.turn_id and turn.error is not None
        return self._finish(event.turn_id, TurnStatus.FAILED if failed else TurnStatus.COMPLETED)

    def _on_abort(self, turn_id: str, event: events.TurnAborted) -> _Told:
        return self._finish(event.turn_id or turn_id, TurnStatus.INTERRUPTED)

    def _finish(self, turn_id: str, status: TurnStatus) -> _Told:
        if self._turn is not None and self._turn.id != turn_id:
            yield from self._end(TurnStatus.INTERRUPTED)
        if self._turn is None:
            # Its start was lost, and somebody may wait for its end.
            yield from self._begin(turn_id)
        yield from self._end(status)

    def _end(self, status: TurnStatus) -> Iterator[Outgoing]:
        turn, self._turn = self._turn, None
        assert turn is not None
        self._diff = None
        self._items.end_turn()
        open_keys = [draft.key for draft in self._requests.drafts()]
        settled = [RequestResolved(key=key) for key in open_keys if self._requests.settle(key)]
        if status is TurnStatus.FAILED:
            yield from self._become(SystemErrorThreadStatus())
        else:
            turn = attrs.evolve(turn, error=None)
            yield from self._become(IdleThreadStatus())
        ended = turn.turn(status, self._items.open.now_ms())
        self._forget_items()
        yield TurnCompletedNotification(thread_id=self.thread_id, turn=ended)
        yield from settled

    def _on_error(self, turn_id: str, event: events.ErrorEvent) -> _Told:
        if event.codex_error_info is events.CodexErrorCode.THREAD_ROLLBACK_FAILED:
            return  # that is the answer to a request
        error = turn_error(event)
        if self._turn is not None and self._turn.id == turn_id:
            self._turn = attrs.evolve(self._turn, error=error)
            yield from self._become(SystemErrorThreadStatus())
        yield ErrorNotification(
            thread_id=self.thread_id, turn_id=turn_id, error=error, will_retry=False
        )

    def _become(self, status: ThreadStatus) -> _Told:
        if status != self._status:
            self._status = status
            yield ThreadStatusChangedNotification(thread_id=self.thread_id, status=status)

    # Tokens, files and the history --------------------------------------

    def _on_tokens(self, turn_id: str, event: events.TokenCount) -> _Told:
        """Tell what is news: the thread repeats one number when the other changes."""
        if event.info is not None:
            said = usage_notification(self.thread_id, turn_id, event.info)
            if self._usage is None or said.token_usage != self._usage.token_usage:
                self._usage = said
                yield said
        limits = event.rate_limits
        if limits is not None and limits != self._limits and (self._limits or _says_much(limits)):
            self._limits = limits
            yield AccountRateLimitsUpdatedNotification(rate_limits=rate_limits(limits))

    def _on_diff(self, turn_id: str, event: events.TurnDiff) -> _Told:
        """Tell it once: the thread repeats it after each request to the model."""
        if event.unified_diff != self._diff:
            self._diff = event.unified_diff
            yield TurnDiffUpdatedNotification(
                thread_id=self.thread_id, turn_id=turn_id, diff=event.unified_diff
            )

    def _on_raw_item(self, turn_id: str, event: events.RawResponseItem) -> _Told:
        if self.raw_items:
            yield RawResponseItemCompletedNotification(
                thread_id=self.thread_id, turn_id=turn_id, item=event.item
            )
        yield from self._resolve(self._implied(event))
        yield from self._items.take(turn_id, event)

    # Questions ----------------------------------------------------------

    def _on_question(self, turn_id: str, question: Question) -> _Told:
        known = self._requests.find(question_key(question))
        if known is not None and known.question == question:
            return
        if known is not None:
            # Answered behind our back, and the same call asks once more.
            yield from self._resolve((known.key,))
        if self._turn is None or self._turn.id != turn_id:
            return  # withdrawn already: a turn that is over waits for nobody
        yield from self._items.take(turn_id, question)
        draft = draft_of(self.thread_id, turn_id, question, self._items.open.now_ms())
        self._requests.put(draft)
        yield from self._become(self._active())
        yield draft

    def _active(self) -> ActiveThreadStatus:
        return ActiveThreadStatus(active_flags=self._requests.flags())

    def _resolve(self, keys: Iterable[str]) -> _Told:
        """Settle questions that are answered while the turn goes on."""
        settled = [key for key in keys if self._requests.settle(key) is not None]
        for key in settled:
            yield RequestResolved(key=key)
        if settled and isinstance(self._status, ActiveThreadStatus):
            yield from self._become(self._active())

    def _implied(self, msg: EventMsg) -> tuple[str, ...]:
        """List the questions that must have been answered, as this happens."""
        if not len(self._requests):
            return ()
        match msg:
            case events.ExecCommandOutputDelta(call_id=call_id):
                return self._requests.of_call(call_id, *_COMMAND_ASKED)
            case events.ExecCommandEnd(call_id=call_id) | events.PatchApplyEnd(call_id=call_id):
                return self._requests.of_call(call_id)
            case events.RawResponseItem(
                item=FunctionCallOutput(call_id=call_id) | CustomToolCallOutput(call_id=call_id)
            ):
                return self._requests.of_call(call_id)
            case events.McpToolCallEnd(invocation=invocation):
                return self._requests.of_server(invocation.server)
            case _:
                return ()

    # After a loss -------------------------------------------------------

    def _catch_up(self, event: Event) -> _Told:
        """Begin the turn whose start was lost, with its first event that was not."""
        ahead = self._ahead
        if ahead is None or ahead.turn_id != TurnId(event.id):
            return
        if self.turn_id != event.id and not isinstance(event.msg, events.TurnStarted):
            if self._turn is not None:
                yield from self._end(TurnStatus.COMPLETED)
            yield from self._begin(event.id)

    def _settle(self, ahead: ThreadSnapshot) -> _Told:
        """Make good what was lost, now that all that is left was taken."""
        if self._turn is not None and self._turn.id != ahead.turn_id:
            yield from self._end_unseen(ahead)
        if self._turn is None and ahead.turn_id is not None:
            yield from self._begin(ahead.turn_id)
        wanted = {question_key(question) for question in ahead.questions}
        open_keys = [draft.key for draft in self._requests.drafts()]
        yield from self._resolve(key for key in open_keys if key not in wanted)
        for question in ahead.questions:
            yield from self._on_question(self.turn_id or "", question)

    def _end_unseen(self, ahead: ThreadSnapshot) -> _Told:
        """End a turn whose end was lost, as well as it is known how it ended."""
        status = ahead.status
        if ahead.turn_id is not None or not isinstance(status, Errored):
            yield from self._end(TurnStatus.COMPLETED)
        elif status.errored in _STOPS or self._turn is None:
            yield from self._end(TurnStatus.INTERRUPTED)
        else:
            error = self._turn.error or TurnError(message=status.errored)
            self._turn = attrs.evolve(self._turn, error=error)
            yield from self._end(TurnStatus.FAILED)

    _HANDLERS: ClassVar[Mapping[type, Callable[..., _Told]]] = {
        events.TurnStarted: _on_start,
        events.TurnComplete: _on_complete,
        events.TurnAborted: _on_abort,
        events.ErrorEvent: _on_error,
        events.TokenCount: _on_tokens,
        events.TurnDiff: _on_diff,
        events.RawResponseItem: _on_raw_item,
        events.ExecApprovalRequest: _on_question,
        events.ApplyPatchApprovalRequest: _on_question,
        events.RequestUserInput: _on_question,
        events.DynamicToolCallRequest: _on_question,
        events.ElicitationRequest: _on_question,
    }
