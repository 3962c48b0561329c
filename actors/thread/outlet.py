"""The funnel: the only way from a thread and its turns to history, rollout and clients."""

import logging
from typing import Final, TypeVar

import attrs
import trio

from actors.rollout import Recorder, RolloutError, RolloutFull
from messages.errors import EncodeError
from messages.events import (
    AgentMessageContentDelta,
    EventMsg,
    ExecCommandOutputDelta,
    RawResponseItem,
    ReasoningContentDelta,
    ReasoningRawContentDelta,
    WarningEvent,
)
from messages.ids import SubmissionId
from messages.items import ResponseItem
from messages.rollout import RolloutItem

from .clean_text import cleaned
from .history import History
from .legacy import legacy_events
from .ports import ThreadPorts
from .usage import Usage

__all__ = ["START", "Outlet"]

_log = logging.getLogger("actors")

START: Final = SubmissionId("")
"""The submission id of whatever no client's submission caused."""

_PIECES: Final[frozenset[type[EventMsg]]] = frozenset(
    {
        AgentMessageContentDelta,
        ExecCommandOutputDelta,
        ReasoningContentDelta,
        ReasoningRawContentDelta,
    }
)
"""Most events of a turn: nothing of them, nor of their older forms, is kept by any policy."""

T = TypeVar("T", bound=RolloutItem)


@attrs.define(eq=False)
class Outlet:
    """
    Writes and publishes for one life of a thread.

    Invariant: whatever is both persisted and published is written first, so that a
    reader never knows more than the file does.  A rollout that is not on disk yet, and
    one that cannot be written, hold it in memory.
    """

    ports: ThreadPorts
    history: History
    usage: Usage
    recorder: Recorder | None

    def emit(self, submission_id: SubmissionId, msg: EventMsg) -> None:
        """Persist an event as policy says, and publish it with its older forms."""
        tell = self.ports.tell
        if msg.__class__ in _PIECES:
            tell(submission_id, msg)
            for event in legacy_events(msg):
                tell(submission_id, event)
            return
        told = self.store((msg, *legacy_events(msg)))
        self._settle()
        for event in told:
            tell(submission_id, event)

    def publish(self, submission_id: SubmissionId, msg: EventMsg) -> None:
        """Publish an event that is already stored, or that never is."""
        self._settle()
        self.ports.tell(submission_id, msg)

    def record(
        self, submission_id: SubmissionId, items: tuple[ResponseItem, ...], *, raw: bool = True
    ) -> None:
        """
        Take items into history and rollout; text that cannot be written is `cleaned`.

        Args:
            raw: Whether each is published as `RawResponseItem`.

        Raises:
            RolloutFull: The disk takes nothing and the buffer is full; the items
                are in neither place.
            messages.errors.EncodeError: As RolloutFull, for what has no form in JSON.
        """
        # What is in no file may still be sent to a model, so it is cleaned as well.
        items = cleaned(items) if self.recorder is None else _record(self.recorder, items)
        self.history.record(items)
        if raw:
            self._settle()
            for item in items:
                self.ports.tell(submission_id, RawResponseItem(item=item))

    def keep(
        self, submission_id: SubmissionId, items: tuple[ResponseItem, ...], *, raw: bool = True
    ) -> None:
        """Take in, as `record` does, what must bring nobody down: what is lost is told."""
        try:
            self.record(submission_id, items, raw=raw)
        except (RolloutError, EncodeError) as error:
            self.warn(submission_id, f"lost for the model: {error}")

    def warn(self, submission_id: SubmissionId, message: str) -> None:
        """Tell clients of a problem, and nobody else: the rollout may be the problem."""
        self.publish(submission_id, WarningEvent(message=message))

    def store(self, items: tuple[T, ...]) -> tuple[T, ...]:
        """
        Hand records to the recorder without publishing them.

        When the disk takes nothing and the buffer is full they are dropped with a
        warning in the log: what a turn cannot do without goes through `record`.

        Returns:
            What to publish: the items, their text `cleaned` where it had to be.
        """
        if self.recorder is None:
            return items
        try:
            return _record(self.recorder, items)
        except (RolloutFull, EncodeError) as error:
            _log.warning("thread %s: a record is lost: %s", self.ports.thread_id, error)
            return items

    def store_all(self, items: tuple[RolloutItem, ...]) -> None:
        """
        Hand records to the recorder, or raise.

        Raises:
            RolloutFull: None of them was taken.
        """
        if self.recorder is not None:
            _record(self.recorder, items)

    def _settle(self) -> None:
        """See to it that what waits is written before anybody reads of it."""
        if self.recorder is not None and self.recorder.is_waiting:
            self.ports.channel.before_read(self.recorder.write_early)

    async def persist(self) -> None:
        """
        Make the rollout file exist, with all that was recorded.

        Raises:
            RolloutError: It could not be made; what was recorded stays buffered.

        Cancellation:
            The file may be there or not.
        """
        if self.recorder is not None:
            await self.recorder.persist()
            # Making a file cannot be cancelled, and may have taken long.
            await trio.lowlevel.checkpoint_if_cancelled()

    async def flush(self) -> str | None:
        """
        Wait until all that was recorded is acknowledged.

        Returns:
            Why it is not, for people; it stays buffered then and is tried again.
        """
        if self.recorder is not None:
            try:
                await self.recorder.flush()
            except RolloutError as error:
                return f"not saved yet: {error}"
        return None


def _record(recorder: Recorder, items: tuple[T, ...]) -> tuple[T, ...]:
    try:
        recorder.record(items)
    except EncodeError:
        items = cleaned(items)
        recorder.record(items)
    except RolloutFull:
        # Perhaps it is only what was to be written in a few milliseconds.
        recorder.write_now()
        recorder.record(items)
    return items
