"""The commands that the user types: as turns of their own, or beside a turn."""

from functools import partial
from typing import Final

import attrs
import trio

from actors.tools import ToolContext, run_user_shell
from messages.events import CodexErrorCode
from messages.ids import SubmissionId
from messages.items import Message

from .jobs import Jobs
from .session import Session
from .turn import Turn

__all__ = ["COMMANDS_CAPACITY", "UserCommands"]

COMMANDS_CAPACITY: Final = 16
"""Commands of the user's that may run beside a turn; each is a process or more."""


@attrs.define(eq=False)
class UserCommands:
    """
    Runs them, and puts what came out before the model.

    One that began beside a turn may outlast it.
    """

    _session: Session
    _jobs: Jobs
    _scopes: list[trio.CancelScope] = attrs.field(factory=list[trio.CancelScope], init=False)

    def start_beside(
        self, submission_id: SubmissionId, turn: Turn, command: str, tools: ToolContext
    ) -> None:
        """Run a command beside the running turn; refuse it when there are too many."""
        if len(self._scopes) >= COMMANDS_CAPACITY:
            message = (
                f"{COMMANDS_CAPACITY} of your commands run beside the turn already; "
                "wait for one to end, or interrupt them"
            )
            self._session.ports.refuse(submission_id, message, CodexErrorCode.BAD_REQUEST)
            return
        scope = trio.CancelScope()
        self._scopes.append(scope)
        run = partial(self._run_beside, scope, turn, command, tools)
        self._jobs.start(f"shell {submission_id}", run)

    def cancel(self) -> None:
        """Stop those that run beside a turn."""
        for scope in self._scopes:
            scope.cancel()

    async def run(self, turn: Turn, command: str, tools: ToolContext) -> None:
        """
        Run a command to its end and record it for the model.

        Cancellation:
            It is ended, and recorded as stopped.
        """
        record = partial(self._record, SubmissionId(turn.id))
        policy = self._session.blueprint.config.environment_policy
        await run_user_shell(command, tools, record=record, policy=policy)

    async def _run_beside(
        self, scope: trio.CancelScope, turn: Turn, command: str, tools: ToolContext
    ) -> None:
        try:
            with scope:
                await self.run(turn, command, tools)
        finally:
            self._scopes.remove(scope)

    def _record(self, submission_id: SubmissionId, message: Message) -> None:
        running = self._session.turn
        if running is None or running.sampler is None or not running.has_room:
            self._session.outlet.keep(submission_id, (message,))
        else:
            # In front of the next request, not in the midst of this one.
            running.pending.append(message)
