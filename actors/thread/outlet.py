"""The funnel: the only way from a thread and its turns to history, rollout and clients."""

import logging
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from actors.rollout import Recorder, RolloutFull
from messages.events import EventMsg, RawResponseItem
from messages.ids import SubmissionId
from messages.items import ResponseItem
from messages.rollout import RolloutItem

from .history import History
from .legacy import legacy_events
from .ports import ThreadPorts
from .usage import Usage

__all__ = ["START", "Outlet"]

_log = logging.getLogger("actors")

START: Final = SubmissionId("")
"""The submission id of whatever no client's submission caused."""


@attrs.define(eq=False)
class Outlet:
    """
    Writes and publishes for one life of a thread.

    Invariant: whatever is both persisted and published is handed to the recorder
    first, so that a reader never knows more than the file will.
    """

    ports: ThreadPorts
    history: History
    usage: Usage
    recorder: Recorder | None

    def emit(self, submission_id: SubmissionId, msg: EventMsg) -> None:
        """Persist an event as policy says, and publish it with its older forms."""
        older = legacy_events(msg)
        self.store((msg, *older))
        self.publish(submission_id, msg)
        for event in older:
            self.publish(submission_id, event)

    def publish(self, submission_id: SubmissionId, msg: EventMsg) -> None:
        """Publish an event that is already stored, or that never is."""
        self.ports.tell(submission_id, msg)

    def record(self, submission_id: SubmissionId, items: Sequence[ResponseItem]) -> None:
        """
        Take items into history and rollout, and publish each as `RawResponseItem`.

        Raises:
            RolloutFull: The disk takes nothing and the buffer is full; the items
                are in neither place.
        """
        if self.recorder is not None:
            self.recorder.record(items)
        self.history.record(items)
        for item in items:
            self.publish(submission_id, RawResponseItem(item=item))

    def store(self, items: Iterable[RolloutItem]) -> None:
        """
        Hand records to the recorder without publishing them.

        When the disk takes nothing and the buffer is full they are dropped with a
        warning in the log: what a turn cannot do without goes through `record`.
        """
        if self.recorder is None:
            return
        try:
            self.recorder.record(items)
        except RolloutFull as error:
            _log.warning("%s", error)

    async def persist(self) -> None:
        """
        Make the rollout file exist, with all that was recorded.

        Raises:
            RolloutError: It could not be made; what was recorded stays buffered.
        """
        if self.recorder is not None:
            await self.recorder.persist()

    async def flush(self) -> None:
        """
        Wait until all that was recorded is acknowledged.

        Raises:
            RolloutNotWritten: The disk does not take it now; it stays buffered and
                is tried again.
        """
        if self.recorder is not None:
            await self.recorder.flush()
