"""What a server refuses, as the errors that a supervisor in this process raises."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, cast

from actors.rollout import RolloutError
from actors.runtime import MailboxFull
from actors.supervisor import ThreadNotFound
from actors.thread import (
    NoActiveTurn,
    SteerInputEmpty,
    ThreadClosed,
    TurnInputFull,
    TurnMismatch,
)
from actors.tools import DynamicToolInvalid
from messages.ids import ThreadId, TurnId

from .errors import RpcCallError

__all__ = ["RolloutRefused", "known_refusal", "opening_refusals", "thread_refusals"]

_TOOL: Final = re.compile(r"dynamic tool '(?P<name>[^']*)' (?P<problem>.*)", re.DOTALL)


class RolloutRefused(RpcCallError, RolloutError):  # noqa: N818 -- a condition
    """
    The server could not go on with a recorded thread; no thread was started.

    Attributes:
        method: What was asked.
        code: One of the codes of the protocol.
        message: What is wrong with the rollout, or with what was asked of it.
        data: More for programs; None for nothing.
    """


def known_refusal(error: RpcCallError, thread_id: ThreadId) -> Exception:
    """Find the error that a thread in this process would raise; the same one if there is none."""
    told: Any = error.data
    data = cast("dict[str, Any]", told) if isinstance(told, dict) else dict[str, Any]()
    match data.get("kind"):
        case "ThreadClosed":
            return ThreadClosed(thread_id)
        case "ThreadNotFound":
            return ThreadNotFound(thread_id)
        case "MailboxFull":
            return MailboxFull(f"thread/{thread_id}", int(data.get("capacity", 0)))
        case "SteerInputEmpty":
            return SteerInputEmpty()
        case "NoActiveTurn":
            return NoActiveTurn()
        case "TurnMismatch":
            expected, actual = str(data.get("expected")), str(data.get("actual"))
            return TurnMismatch(TurnId(expected), TurnId(actual))
        case "TurnInputFull":
            return TurnInputFull(TurnId(str(data.get("turnId"))), int(data.get("capacity", 0)))
        case _:
            return error


@contextmanager
def thread_refusals(thread_id: ThreadId, *, handle: bool = True) -> Generator[None]:
    """
    Raise what a thread in this process would.

    Args:
        handle: Whether it is asked by its handle, for which a thread that is not there
            has ended.
    """
    try:
        yield
    except RpcCallError as error:
        known = known_refusal(error, thread_id)
        if handle and isinstance(known, ThreadNotFound):
            known = ThreadClosed(thread_id)
        raise known from error


@contextmanager
def opening_refusals(*, recorded: bool) -> Generator[None]:
    """
    Raise what a supervisor in this process would when it opens a thread.

    Args:
        recorded: Whether the thread is one with a rollout.
    """
    try:
        yield
    except RpcCallError as error:
        tool = _TOOL.fullmatch(error.message)
        if tool is not None:
            raise DynamicToolInvalid(tool["name"], tool["problem"]) from error
        if recorded:
            raise RolloutRefused(*error.args) from error
        raise
