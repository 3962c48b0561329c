"""One turn from its submission to the end of its thread."""

from contextlib import suppress
from enum import Enum

import attrs

from actors.runtime import ChannelClosed
from actors.supervisor import NewThread
from actors.thread import ThreadClosed
from messages.content import UserInputItem
from messages.events import ErrorEvent, Event, TurnAborted, TurnComplete, TurnStarted
from messages.ids import SubmissionId
from messages.ops import Op, Shutdown, UserInput
from messages.value import Json

from .output import Output
from .refusals import refusal
from .stopping import Stopper
from .tellers import Teller

__all__ = ["Outcome", "TurnRun"]


class Outcome(Enum):
    """How a turn ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@attrs.define(eq=False)
class TurnRun:
    """
    One turn of a thread, after which the thread ends.

    Attributes:
        outcome: How it ended; failed until it is known better.
        last_message: The model's last words; None if it had none.
    """

    _new: NewThread
    _teller: Teller
    _stopper: Stopper
    _output: Output
    outcome: Outcome = attrs.field(default=Outcome.FAILED, init=False)
    last_message: str | None = attrs.field(default=None, init=False)
    _turn_id: SubmissionId = attrs.field(default=SubmissionId(""), init=False)
    _ending_id: SubmissionId | None = attrs.field(default=None, init=False)
    _started: bool = attrs.field(default=False, init=False)
    _failed: bool = attrs.field(default=False, init=False)

    async def run(self, items: tuple[UserInputItem, ...], schema: Json) -> None:
        """
        Submit the input, and tell what happens until the thread has ended.

        Raises:
            OutputFailed: Nobody reads any more.

        Cancellation:
            The thread goes on; whoever opened it ends it.
        """
        thread = self._new.thread
        self._teller.begin(self._new)
        self._stopper.watch(thread)
        self._turn_id = await thread.submit(UserInput(items=items, final_output_json_schema=schema))
        with suppress(ChannelClosed):
            while True:
                event = await thread.next_event()
                self._teller.tell(event)
                if isinstance(event, Event):
                    self._follow(event)
                await self._output.room()

    def _follow(self, event: Event) -> None:
        msg = event.msg
        match msg:
            case TurnStarted() if event.id == self._turn_id:
                self._started = True
                self._stopper.turn_started()
            case ErrorEvent():
                self._on_error(event)
            case TurnComplete(last_agent_message=text) if event.id == self._turn_id:
                self.last_message = text
                self._end(Outcome.FAILED if self._failed else Outcome.COMPLETED)
            case TurnAborted() if event.id == self._turn_id:
                stopped = self._stopper.exit_code is not None
                self._end(Outcome.INTERRUPTED if stopped else Outcome.FAILED)
            case _:
                refused = refusal(msg)
                if refused is not None:
                    self._submit(refused.answer)

    def _on_error(self, event: Event) -> None:
        # Errors of other submissions are answers to what we said too late.
        if event.id in (self._turn_id, self._ending_id, ""):
            self._failed = True
            self.outcome = Outcome.FAILED
        if event.id == self._turn_id and not self._started:
            self._end(Outcome.FAILED)  # refused: there will be no turn

    def _end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self._ending_id = self._submit(Shutdown())

    def _submit(self, op: Op) -> SubmissionId | None:
        # Ends and answers go past queued work, where there is room for many.
        with suppress(ThreadClosed):
            return self._new.thread.submit_nowait(op)
        return None
