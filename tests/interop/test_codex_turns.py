"""Waiting for the end of a turn ends, also when Codex never tells it; no Codex here."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.interop.app_server import AppServer, JsonObject, Notification, RpcError
from tests.interop.codex_turns import FinishedTurn, is_turn_active, wait_recorded, wait_turn_end

_ITEM = {"type": "agentMessage", "id": "msg_1", "text": "done"}


@attrs.define(eq=False)
class _FakeServer:
    """Tells the end of the turn after *end* seconds, and is idle after *idle* seconds."""

    idle: float
    end: float
    status: str = "completed"
    refusal: str | None = None

    @property
    def notifications(self) -> list[Notification]:
        own = {"item": _ITEM, "threadId": "thread", "turnId": "turn"}
        return [
            Notification("item/completed", {**own, "turnId": "earlier"}),
            Notification("item/completed", own),
        ]

    async def wait_notification(self, method: str, predicate: object) -> JsonObject:
        assert (method, callable(predicate)) == ("turn/completed", True)
        await trio.sleep_until(self.end)
        return {"turn": {"id": "turn", "status": self.status, "error": None}}

    async def request(self, method: str, params: JsonObject) -> JsonObject:
        assert (method, params["threadId"]) == ("turn/steer", "thread")
        if self.refusal is not None:
            raise RpcError(-32600, self.refusal)
        if trio.current_time() >= self.idle:
            raise RpcError(-32600, "no active turn to steer")
        raise RpcError(-32600, "expected active turn id `no such turn` but found `turn`")


def _as_server(fake: _FakeServer) -> AppServer:
    return cast("AppServer", fake)  # it has what the functions under test use


@pytest.mark.parametrize(
    ("idle", "end", "took"),
    [
        (0.1, 0.1, 0.1),  # as it should be
        (9.0, 9.0, 9.0),  # slow, but active all the time
        (1.9, 2.1, 2.1),  # idle when asked, and told just after that
    ],
)
async def test_turn_that_is_told_to_have_ended_has_its_status(
    autojump_clock: MockClock, idle: float, end: float, took: float
) -> None:
    """Being asked costs a turn nothing that Codex tells the end of."""
    server = _as_server(_FakeServer(idle=idle, end=end))

    turn = await wait_turn_end(server, "thread", "turn")

    assert turn == FinishedTurn(turn_id="turn", status="completed", error=None, items=(_ITEM,))
    assert (turn.is_good, turn.is_lost, turn.text) == (True, False, "done")
    assert trio.current_time() == pytest.approx(took)


async def test_turn_whose_end_is_lost_is_given_back_without_status(
    autojump_clock: MockClock,
) -> None:
    """Idle twice, with nothing told between, is the end."""
    server = _as_server(_FakeServer(idle=3, end=float("inf")))

    turn = await wait_turn_end(server, "thread", "turn")
    await wait_recorded(server, Path("not looked at"), turn)

    assert turn == FinishedTurn(turn_id="turn", status=None, error=None, items=(_ITEM,))
    assert (turn.is_good, turn.is_lost, turn.text) == (True, True, "done")
    assert trio.current_time() == 6  # quiet, asked, active; again, idle; again, idle


async def test_failed_turn_is_not_good(autojump_clock: MockClock) -> None:
    """Only a lost end is forgiven."""
    server = _as_server(_FakeServer(idle=0, end=0.1, status="failed"))

    turn = await wait_turn_end(server, "thread", "turn")

    assert (turn.is_good, turn.is_lost) == (False, False)


async def test_other_refusals_are_errors() -> None:
    """A thread that is not there is neither active nor idle."""
    server = _as_server(_FakeServer(idle=0, end=0, refusal="thread not found: thread"))

    with pytest.raises(RpcError, match="thread not found"):
        await is_turn_active(server, "thread")
