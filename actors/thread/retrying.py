"""Waiting between the attempts at a model request, and telling clients about it."""

import attrs
import trio

from actors.models import (
    ContextWindowExceeded,
    ModelError,
    ModelProvider,
    UnexpectedStatus,
    UsageLimitReached,
    retry_delay,
)
from actors.runtime import World
from messages.events import ResponseStreamDisconnected, StreamError
from messages.ids import SubmissionId

from .outlet import Outlet
from .settings import TurnContext

__all__ = ["Retries"]


@attrs.frozen(eq=False)
class Retries:
    """The budget of retries that each model request of a turn has (L20)."""

    _context: TurnContext
    _outlet: Outlet
    _provider: ModelProvider
    _world: World

    async def wait(self, error: ModelError, failures: int) -> None:
        """
        Wait for the next attempt, or raise *error* because there is none.

        Args:
            failures: Attempts of this request that failed so far, this one included.
        """
        self._note_limits(error)
        provider = self._provider.info
        delay = retry_delay(
            error, failures=failures, provider=provider, random=self._world.random.random()
        )
        if delay is None:
            raise error
        before = error.before_stream
        limit = provider.request_max_retries if before else provider.stream_max_retries
        self._outlet.emit(
            SubmissionId(self._context.turn_id),
            StreamError(
                message=f"Reconnecting... {failures}/{limit}",
                codex_error_info=ResponseStreamDisconnected(http_status_code=_status(error)),
                additional_details=str(error),
            ),
        )
        await trio.sleep(delay)

    def _note_limits(self, error: ModelError) -> None:
        """Tell clients what an error says about windows and limits."""
        usage, window = self._outlet.usage, self._context.model_info.effective_context_window
        if isinstance(error, ContextWindowExceeded) and window is not None:
            usage.fill(window)
        elif isinstance(error, UsageLimitReached) and error.rate_limits is not None:
            usage.heard(error.rate_limits)
        else:
            return
        self._outlet.emit(SubmissionId(self._context.turn_id), usage.event())


def _status(error: ModelError) -> int | None:
    if isinstance(error, UnexpectedStatus):
        return error.status
    status: int | None = getattr(error.info, "http_status_code", None)
    return status
