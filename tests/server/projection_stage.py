"""A thread's projection that is fed with events, and the events that several tests feed it."""

from collections.abc import Iterable
from typing import Any

import attrs

from actors.server.projection import Outgoing, ThreadProjection
from actors.server.server_requests import RequestResolved, ServerRequestDraft
from actors.thread import SessionSettings, ThreadSnapshot, ThreadState
from messages import events
from messages.codec import to_json
from messages.events import Completed, Event, EventMsg
from messages.ids import CallId, SubmissionId, ThreadId, TurnId
from messages.rpc.notifications import METHOD
from messages.value import Seconds

T, TURN, CALL = ThreadId("t"), TurnId("u"), CallId("c")
NOW = 1_800_000_000.0
SETTINGS: Any = object()

BEGIN = events.ExecCommandBegin(
    call_id=CALL,
    turn_id=TURN,
    command=("ls",),
    cwd="/x",
    parsed_cmd=(
        events.ReadCommand(cmd="cat a", name="a", path="/a"),
        events.ListFilesCommand(cmd="ls"),
        events.SearchCommand(cmd="rg x", query="x", path="/p"),
        events.UnknownCommand(cmd="make"),
    ),
    process_id="7",
)
END = events.ExecCommandEnd(
    call_id=CALL,
    turn_id=TURN,
    command=("ls",),
    cwd="/x",
    parsed_cmd=(),
    stdout="out",
    stderr="",
    exit_code=0,
    duration=Seconds(1.5),
    formatted_output="",
    status=events.ExecCommandStatus.COMPLETED,
    aggregated_output="out",
)
ASK = events.ExecApprovalRequest(
    call_id=CALL,
    command=("rm", "a b"),
    cwd="/x",
    parsed_cmd=(),
    reason="why",
    proposed_execpolicy_amendment=("rm",),
)
PATCH = events.PatchApplyBegin(
    call_id=CALL,
    auto_approved=False,
    changes={
        "/b": events.UpdateFile(unified_diff="@@", move_path="/c"),
        "/a": events.AddFile(content="one"),
        "/d": events.DeleteFile(content="two"),
        "/e": events.UpdateFile(unified_diff="@@2"),
        "/f": events.UnknownFileChange(tag="odd", raw={}),
    },
)
INVOCATION = events.McpInvocation(server="s", tool="f", arguments={"a": 1})


@attrs.define
class Fed:
    """A projection, and how many events it has taken."""

    projection: ThreadProjection = attrs.field(factory=lambda: ThreadProjection(T, lambda: NOW))
    seq: int = 0

    def take(self, *msgs: EventMsg, of: str = TURN) -> tuple[Outgoing, ...]:
        return tuple(told for msg in msgs for told in self._take(msg, of))

    def _take(self, msg: EventMsg, of: str) -> tuple[Outgoing, ...]:
        self.seq += 1
        return self.projection.take(Event(id=SubmissionId(of), msg=msg, seq=self.seq))


def in_turn() -> Fed:
    fed = Fed()
    fed.take(events.TurnStarted(turn_id=TURN))
    return fed


def said(told: Iterable[Outgoing]) -> list[Any]:
    """As JSON, with the method."""
    return [
        (METHOD[type(entry)], to_json(entry))  # type: ignore[index]
        for entry in told
        if not isinstance(entry, ServerRequestDraft | RequestResolved)
    ]


def snapshot(next_seq: int, turn_id: str | None = None, **changes: Any) -> ThreadSnapshot:
    settings: SessionSettings = SETTINGS
    values: dict[str, Any] = {
        "state": ThreadState.IDLE,
        "status": Completed(completed=None),
        "settings": settings,
        "turn_id": turn_id,
        "questions": (),
        "approvals": frozenset(),
        "next_seq": next_seq,
    }
    return ThreadSnapshot(**values | changes)
