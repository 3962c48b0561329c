"""
Turns of a real Codex, run to their end.

Codex 0.104.0 loses the end of a turn now and then: in some 0.1 to 0.8 % of
turns with fast streams all items come and the thread goes idle, but neither
``turn/completed`` nor its record in the rollout.  The likely cause is that the
task of a turn aborts itself before it has told.  So whoever waits here also
asks, once it is quiet, whether the turn is still active.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import trio

from tests.interop.app_server import AppServer, JsonObject, RpcError

__all__ = [
    "NO_TURN",
    "FinishedTurn",
    "is_turn_active",
    "run_turn",
    "start_turn",
    "text_input",
    "wait_recorded",
    "wait_turn_end",
]

NO_TURN = "no such turn"
"""The turn that `is_turn_active` tries to steer."""

# Longer than Codex ever needs from the last item to turn/completed (a few
# milliseconds), even on a busy machine.
_QUIET = 2.0


@attrs.frozen(kw_only=True)
class FinishedTurn:
    """
    A turn that is over.

    Attributes:
        turn_id: As ``turn/start`` answered it.
        status:
            ``completed``, ``interrupted`` or ``failed``; None when Codex lost
            the end of the turn, and with it the ``task_complete`` in the rollout.
        error: What made it fail, else None.
        items: Of ``item/completed``, oldest first.
    """

    turn_id: str
    status: str | None
    error: JsonObject | None
    items: tuple[JsonObject, ...]

    @property
    def is_lost(self) -> bool:
        """Codex finished the turn without saying so."""
        return self.status is None

    @property
    def is_good(self) -> bool:
        """It completed, whether Codex said so or forgot to."""
        return self.status in {"completed", None}

    @property
    def text(self) -> str:
        """What the agent said, all its messages joined by line ends."""
        return "\n".join(item["text"] for item in self.items if item["type"] == "agentMessage")


def text_input(text: str) -> list[JsonObject]:
    """The member ``input`` of ``turn/start`` and ``turn/steer``: one text."""
    return [{"type": "text", "text": text, "text_elements": []}]


async def run_turn(
    server: AppServer, thread_id: str, text: str, **settings: object
) -> FinishedTurn:
    """
    Start a turn with *text* and wait for its end.

    Args:
        server: Must be subscribed to the thread, by start, resume or fork.
        thread_id: Of a thread without an active turn.
        text: What the user says.
        settings: Further params of ``turn/start``, by their names on the wire.
    """
    turn_id = await start_turn(server, thread_id, text, **settings)
    return await wait_turn_end(server, thread_id, turn_id)


async def start_turn(server: AppServer, thread_id: str, text: str, **settings: object) -> str:
    """Start a turn with *text* and return its id; *settings* as for `run_turn`."""
    params = {"threadId": thread_id, "input": text_input(text), **settings}
    turn_id: str = (await server.request("turn/start", params))["turn"]["id"]
    return turn_id


async def wait_turn_end(server: AppServer, thread_id: str, turn_id: str) -> FinishedTurn:
    """
    Wait until the turn is over, also when Codex forgets to say so.

    Raises:
        AppServerClosedError: The process went away before.

    Cancellation:
        Nothing is lost; it can be called again.
    """
    was_idle = False
    while True:
        with trio.move_on_after(_QUIET) as patience:
            completed = await server.wait_notification(
                "turn/completed", lambda params: params["turn"]["id"] == turn_id
            )
            return _finished(server, turn_id, completed["turn"])
        assert patience.cancelled_caught
        if was_idle:
            return _finished(server, turn_id, None)
        # The task is removed a moment before the notification is sent, so being
        # idle counts only when nothing came for one more time.
        was_idle = not await is_turn_active(server, thread_id)


async def is_turn_active(server: AppServer, thread_id: str) -> bool:
    """
    Ask whether the thread has an active turn, without touching it.

    Tries to steer a turn that can not exist: Codex refuses, with one reason
    when there is no turn and another when there is a different one.
    """
    params = {
        "threadId": thread_id,
        "input": text_input("never delivered"),
        "expectedTurnId": NO_TURN,
    }
    try:
        await server.request("turn/steer", params)
    except RpcError as refused:
        if refused.message == "no active turn to steer":
            return False
        if refused.message.startswith("expected active turn id"):
            return True
        raise
    raise AssertionError("codex steered a turn that does not exist")


async def wait_recorded(server: AppServer, path: Path, turn: FinishedTurn) -> None:
    """
    Wait until the rollout at *path* holds the end of the turn.

    Codex announces the end of a turn before its writer has written it.  There
    is nothing to wait on but the file, so it is looked at after each round
    trip to the process.  A lost turn has no end; what it has is written.
    """
    rollout = trio.Path(path)
    while not turn.is_lost and not _holds_end(await rollout.read_text("utf-8"), turn.turn_id):
        await server.request("thread/loaded/list")


def _holds_end(rollout: str, turn_id: str) -> bool:
    # What follows the last line end is still being written.
    for line in rollout.split("\n")[:-1]:
        match json.loads(line):
            case {"payload": {"type": "task_complete" | "turn_aborted", "turn_id": ended}}:
                if ended == turn_id:
                    return True
            case _:
                pass
    return False


def _finished(server: AppServer, turn_id: str, turn: Mapping[str, Any] | None) -> FinishedTurn:
    items = (
        notification.params["item"]
        for notification in server.notifications
        if notification.method == "item/completed" and notification.params["turnId"] == turn_id
    )
    return FinishedTurn(
        turn_id=turn_id,
        status=None if turn is None else turn["status"],
        error=None if turn is None else turn["error"],
        items=tuple(items),
    )
