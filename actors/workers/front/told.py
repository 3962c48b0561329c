"""What one client was told by one worker that is not over, and must be ended if the worker dies."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from actors.server.rpc_errors import NotAMessage
from messages.ids import ThreadId
from messages.value import Json

__all__ = ["HOME_ONLY", "NOTED", "Told"]

HOME_ONLY: Final = frozenset({b"configWarning", b"deprecationNotice"})
"""What every worker says by itself; a client hears it from its own worker alone."""


@attrs.define(eq=False)
class Told:
    """
    What a client was told that has no end yet.

    Attributes:
        turns:
            The running turn by thread; None for one whose id was not said.  As many as
            threads are told of.
        active: Threads that were last said to be busy.
        on_status: Called with each status that is told.
    """

    on_status: Callable[[ThreadId, Json], None]
    turns: dict[ThreadId, str | None] = attrs.field(factory=dict[ThreadId, str | None])
    active: set[ThreadId] = attrs.field(factory=set[ThreadId])

    def began(self, thread_id: ThreadId, turn_id: str | None) -> None:
        """Note that the client knows of a running turn."""
        self.turns[thread_id] = turn_id

    def forget(self, thread_id: ThreadId) -> None:
        """Note that the client does not follow a thread any more."""
        self.turns.pop(thread_id, None)

    def note(self, method: bytes, params: dict[str, Any]) -> None:
        """
        Take in a notification of `NOTED` that is told.

        Raises:
            NotAMessage: It does not say what it should.
        """
        try:
            NOTED[method](self, params)
        except (KeyError, TypeError) as exc:
            raise NotAMessage(f"{method.decode()} without what belongs to it") from exc

    def turn_started(self, params: dict[str, Any]) -> None:
        """A turn began."""
        self.turns[params["threadId"]] = params["turn"]["id"]

    def turn_completed(self, params: dict[str, Any]) -> None:
        """A turn ended."""
        # Of a turn that was joined without its id, this is the end as well.
        if self.turns.get(params["threadId"]) in {None, params["turn"]["id"]}:
            self.turns.pop(params["threadId"], None)

    def status_changed(self, params: dict[str, Any]) -> None:
        """A thread began or ended to be busy."""
        thread_id, status = params["threadId"], params["status"]
        if status["type"] == "active":
            self.active.add(thread_id)
        else:
            self.active.discard(thread_id)
        self.on_status(thread_id, status)

    def closed(self, params: dict[str, Any]) -> None:
        """A thread is not loaded any more."""
        self.turns.pop(params["threadId"], None)
        self.active.discard(params["threadId"])

    def task_started(self, params: dict[str, Any]) -> None:
        """The same as `turn_started`, for who hears core events."""
        self.turns[params["conversationId"]] = params["msg"].get("turn_id") or params["id"]

    def task_over(self, params: dict[str, Any]) -> None:
        """The same as `turn_completed`, for who hears core events."""
        turn_id = params["msg"].get("turn_id") or params["id"]
        if self.turns.get(params["conversationId"]) in {None, turn_id}:
            self.turns.pop(params["conversationId"], None)


NOTED: Final[Mapping[bytes, Callable[[Told, dict[str, Any]], None]]] = MappingProxyType(
    {
        b"turn/started": Told.turn_started,
        b"turn/completed": Told.turn_completed,
        b"thread/status/changed": Told.status_changed,
        b"thread/closed": Told.closed,
        b"codex/event/task_started": Told.task_started,
        b"codex/event/task_complete": Told.task_over,
        b"codex/event/turn_aborted": Told.task_over,
    }
)
"""Notifications that are looked into on their way; all others just pass."""
