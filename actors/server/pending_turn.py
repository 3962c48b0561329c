"""One turn while it is put together from recorded items."""

import attrs

from messages.rpc.items import ThreadItem
from messages.rpc.turn import Turn, TurnItemsView, TurnStatus
from messages.rpc.turn_error import TurnError

__all__ = ["PendingTurn"]


@attrs.define(eq=False)
class PendingTurn:
    """
    One turn of a rollout, to which items may still come.

    Attributes:
        explicit: Its start is recorded, so that more user messages belong to it.
        compaction: A compaction was recorded in it, so that it counts without items.
        end: How it ended, as recorded; None when no end is.
        error: The last error that was recorded of it.
        superseded: Another turn began after it.
        reviewing: It is in review mode, and what begins is the reviewer's.
        reviewer: The reviewer's own turn, where its start is recorded.
        answer_due:
            Review mode was left, and the message that says the result to the model
            comes next.
        answer: Text of that message; clients see it once, however often it is recorded.
        started_at: In seconds since the Unix epoch; None when that is not recorded.
    """

    id: str
    explicit: bool = False
    items: list[ThreadItem] = attrs.field(factory=list[ThreadItem])
    compaction: bool = False
    end: TurnStatus | None = None
    error: TurnError | None = None
    superseded: bool = False
    reviewing: bool = False
    reviewer: str | None = None
    answer_due: bool = False
    answer: str | None = None
    started_at: int | None = None
    completed_at: int | None = None
    duration_ms: int | None = None

    @property
    def counts(self) -> bool:
        """Whether there is anything to show of it."""
        return bool(self.items) or self.explicit or self.compaction

    @property
    def takes_one_message(self) -> bool:
        """
        Whether another user message begins another turn.

        In old files, where no start is recorded; but a compaction that has nothing else
        waits for the message it was made for.
        """
        return not self.explicit and (bool(self.items) or not self.compaction)

    @property
    def status(self) -> TurnStatus:
        """
        Say how it went.

        A turn whose end is not recorded is in progress, as long as no other one began:
        then it was broken off.  Turns of old files, whose starts are not recorded, have
        no ends either.
        """
        if self.end is TurnStatus.INTERRUPTED:
            return TurnStatus.INTERRUPTED
        if self.error is not None:
            return TurnStatus.FAILED
        if self.end is not None or not self.explicit:
            return TurnStatus.COMPLETED
        return TurnStatus.INTERRUPTED if self.superseded else TurnStatus.IN_PROGRESS

    def complete(self) -> None:
        """Note that it ended by itself; that it was interrupted before stays."""
        if self.end is not TurnStatus.INTERRUPTED:
            self.end = TurnStatus.COMPLETED

    def abort(self) -> None:
        """Note that it was stopped from outside."""
        self.end = TurnStatus.INTERRUPTED
        self.reviewing = False

    def turn(self) -> Turn:
        """Make the turn that clients see."""
        status = self.status
        return Turn(
            id=self.id,
            items=tuple(self.items),
            items_view=TurnItemsView.FULL,
            status=status,
            error=self.error if status is TurnStatus.FAILED else None,
            started_at=self.started_at,
            completed_at=self.completed_at,
            duration_ms=self.duration_ms,
        )
