"""Recorded items to turns."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.rollout import RecordedItems, load_rollout
from actors.server.history_builder import HistoryBuilder, overlay_live, turns_of
from messages import events
from messages.codec import encode_line, to_json
from messages.content import ByteRange, OutputText, TextElement
from messages.ids import CallId, ThreadId, TurnId
from messages.items import Message, OtherSearchAction
from messages.rollout import CompactedItem, RolloutItem
from messages.rpc.items import CommandExecutionThreadItem
from messages.rpc.turn import Turn, TurnItemsView, TurnStatus
from messages.turn_items import AgentMessageItem, AgentText, PlanItem, UnknownTurnItem
from messages.value import Seconds

from .projection_stage import END, snapshot

FIXTURES = Path(__file__).parent.parent / "fixtures" / "rollouts"


def start(turn_id: str = "a") -> events.TurnStarted:
    return events.TurnStarted(turn_id=TurnId(turn_id))


def complete(turn_id: str = "a") -> events.TurnComplete:
    return events.TurnComplete(turn_id=TurnId(turn_id))


def abort(turn_id: str | None = "a") -> events.TurnAborted:
    named = None if turn_id is None else TurnId(turn_id)
    return events.TurnAborted(reason=events.TurnAbortReason.INTERRUPTED, turn_id=named)


def user(text: str = "hi") -> events.UserMessage:
    return events.UserMessage(message=text)


def agent(text: str = "yes") -> events.AgentMessage:
    return events.AgentMessage(message=text)


def error(text: str = "no", **info: Any) -> events.ErrorEvent:
    return events.ErrorEvent(message=text, **info)


def command(call_id: str = "c", turn_id: str = "a") -> events.ExecCommandEnd:
    return attrs.evolve(END, call_id=CallId(call_id), turn_id=TurnId(turn_id))


def plan(text: str) -> events.ItemCompleted:
    item = PlanItem(id="a-plan", text=text)
    return events.ItemCompleted(thread_id=ThreadId("t"), turn_id=TurnId("a"), item=item)


def lines(items: Iterable[RolloutItem]) -> list[str]:
    """Each turn as ``id status: item item``, each item as ``type=id``."""
    return [line(turn) for turn in turns_of(items)]


def line(turn: Turn) -> str:
    raw: Any = to_json(turn)
    items = " ".join(f"{item['type']}={item['id']}" for item in raw["items"])
    problem = f" ({turn.error.message})" if turn.error else ""
    return f"{turn.id} {turn.status.value}{problem}: {items}"


SAID = "userMessage=item-1 agentMessage=item-2"

CASES: list[tuple[str, list[RolloutItem], list[str]]] = [
    ("a whole turn", [start(), user(), agent(), complete()], [f"a completed: {SAID}"]),
    ("nothing", [], []),
    ("a turn without items", [start(), complete()], ["a completed: "]),
    ("an end that nothing began", [complete()], []),
    (
        "a running turn, or one that a crash ended",
        [start(), user(), agent()],
        [f"a inProgress: {SAID}"],
    ),
    (
        "one that another one followed",
        [start(), user(), start("b"), complete("b")],
        ["a interrupted: userMessage=item-1", "b completed: "],
    ),
    ("a stopped turn", [start(), user(), abort()], ["a interrupted: userMessage=item-1"]),
    ("stopped, and then ended", [start(), abort(), complete()], ["a interrupted: "]),
    ("stopped without a name", [start(), abort(None)], ["a interrupted: "]),
    (
        "stopped when it was over",
        [start(), complete(), start("b"), abort()],
        ["a interrupted: ", "b inProgress: "],
    ),
    ("stopped with a strange name", [start(), abort("x")], ["a interrupted: "]),
    (
        "a failed turn",
        [start(), user(), error(), complete()],
        ["a failed (no): userMessage=item-1"],
    ),
    ("the last error counts", [start(), error("x"), error(), complete()], ["a failed (no): "]),
    ("failed and stopped", [start(), error(), abort()], ["a interrupted: "]),
    (
        "a rollback that failed",
        [
            start(),
            error(codex_error_info=events.CodexErrorCode.THREAD_ROLLBACK_FAILED),
            complete(),
        ],
        ["a completed: "],
    ),
    ("an error outside of turns", [error()], []),
    (
        "an end with another name",
        [start(), user(), complete("x"), user("more")],
        ["a completed: userMessage=item-1", "turn-2 completed: userMessage=item-2"],
    ),
    (
        "old files without starts: each message begins a turn",
        [user(), agent(), user(), agent()],
        [
            f"turn-1 completed: {SAID}",
            "turn-2 completed: userMessage=item-3 agentMessage=item-4",
        ],
    ),
    (
        "several messages in one turn with a start",
        [start(), user(), user("more"), complete()],
        ["a completed: userMessage=item-1 userMessage=item-2"],
    ),
    ("an empty answer", [start(), agent(""), complete()], ["a completed: "]),
    (
        "reasoning in parts is one item",
        [
            start(),
            events.AgentReasoning(text="a"),
            events.AgentReasoning(text=""),
            events.AgentReasoningRawContent(text="c"),
            events.AgentReasoning(text="b"),
            agent(),
            events.AgentReasoningRawContent(text=""),
            events.AgentReasoning(text="d"),
            complete(),
        ],
        ["a completed: reasoning=item-1 agentMessage=item-2 reasoning=item-3"],
    ),
    (
        "a compaction before the message it is for",
        [CompactedItem(message="s"), user()],
        ["turn-1 completed: userMessage=item-1"],
    ),
    (
        "a compaction of its own",
        [start(), CompactedItem(message="s"), events.ContextCompacted(), complete()],
        ["a completed: contextCompaction=item-1"],
    ),
    (
        "an old compaction counts as a turn",
        [CompactedItem(message="s"), start(), complete()],
        ["turn-1 completed: ", "a completed: "],
    ),
    ("an empty plan", [start(), plan(""), complete()], ["a completed: "]),
    (
        "a plan",
        [start(), plan("x"), user(), complete()],
        ["a completed: plan=a-plan userMessage=item-1"],
    ),
    (
        "a command that ended in a later turn",
        [start(), complete(), start("b"), command(), complete("b")],
        ["a completed: commandExecution=c", "b completed: "],
    ),
    (
        "a command of a turn that nobody knows",
        [start("b"), command(), complete("b")],
        ["b completed: commandExecution=c"],
    ),
    (
        "a command after all turns",
        [start(), complete(), command("d", "x")],
        ["a completed: ", "turn-2 completed: commandExecution=d"],
    ),
    (
        "tools keep their ids and are not counted",
        [
            start(),
            command(),
            events.WebSearchEnd(
                call_id=CallId("w"), query="q", action=OtherSearchAction(tag="", raw={})
            ),
            events.ViewImageToolCall(call_id=CallId("i"), path="/i"),
            user(),
            complete(),
        ],
        ["a completed: commandExecution=c webSearch=w imageView=i userMessage=item-1"],
    ),
    (
        "a rollback drops turns and counts anew",
        [
            start(),
            user(),
            command(),
            complete(),
            start("b"),
            user(),
            complete("b"),
            events.ThreadRolledBack(num_turns=1),
            start("c"),
            user(),
            complete("c"),
        ],
        ["a completed: userMessage=item-1 commandExecution=c", "c completed: userMessage=item-3"],
    ),
    (
        "a rollback of more than there is",
        [start(), user(), complete(), events.ThreadRolledBack(num_turns=9), user()],
        ["turn-1 completed: userMessage=item-1"],
    ),
    (
        "a review by us, whose answer is in the history only",
        [
            start(),
            events.EnteredReviewMode(target=events.UncommittedChangesTarget()),
            user(),
            events.ExitedReviewMode(),
            Message(role="user", content=()),
            Message(role="assistant", content=(OutputText(text="x"),)),
            Message(role="assistant", content=(OutputText(text="y"),)),
            complete(),
        ],
        [
            "a completed: enteredReviewMode=item-1 userMessage=item-2 "
            "exitedReviewMode=item-3 agentMessage=item-4"
        ],
    ),
    (
        "a review by Codex, which records the reviewer's start and two of most things",
        [
            events.EnteredReviewMode(target=events.UncommittedChangesTarget()),
            start("r"),
            user(),
            user(),
            events.ExitedReviewMode(),
            Message(role="assistant", content=(OutputText(text="x"),)),
            agent("x"),
            complete("t"),
        ],
        [
            "t completed: enteredReviewMode=item-1 userMessage=item-2 "
            "exitedReviewMode=item-3 agentMessage=item-4"
        ],
    ),
    (
        "a reviewer's end does not end the review",
        [
            start(),
            events.EnteredReviewMode(target=events.UncommittedChangesTarget()),
            start("r"),
            complete("r"),
            events.ExitedReviewMode(),
            agent("z"),
            complete(),
        ],
        ["a completed: enteredReviewMode=item-1 exitedReviewMode=item-2 agentMessage=item-3"],
    ),
    (
        "items that newer programs record whole",
        [
            start(),
            events.ItemCompleted(
                thread_id=ThreadId("t"),
                turn_id=TurnId("a"),
                item=AgentMessageItem(id="m", content=(AgentText(text="x"),)),
                extra={"started_at_ms": 1, "completed_at_ms": 2},
            ),
            complete(),
        ],
        ["a completed: agentMessage=m"],
    ),
]


@pytest.mark.parametrize(
    ("items", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_records_make_turns(items: list[RolloutItem], expected: list[str]) -> None:
    """The table of what may stand in a file."""
    assert lines(items) == expected


def test_user_message_has_its_text_its_marks_and_its_images() -> None:
    """Blank text is none."""
    mark = TextElement(byte_range=ByteRange(start=0, end=1), placeholder="x")
    full = events.UserMessage(
        message="hi", images=("u",), local_images=("/i",), text_elements=(mark,)
    )

    [first, second] = turns_of([full, events.UserMessage(message=" \n", images=("u",))])

    [item] = to_json(first)["items"]  # type: ignore[index]
    element = {"byteRange": {"start": 0, "end": 1}, "placeholder": "x"}
    assert item["content"] == [
        {"type": "text", "text": "hi", "text_elements": [element]},
        {"type": "image", "url": "u"},
        {"type": "localImage", "path": "/i"},
    ]
    [item] = to_json(second)["items"]  # type: ignore[index]
    assert item["content"] == [{"type": "image", "url": "u"}]


FIRST = "0195a0c0-bbbb-7000-8000-000000000001"
FILES = {
    "0.104.0-limited": [
        f"{FIRST} completed: userMessage=item-1 reasoning=item-2 agentMessage=item-3",
        "turn-2 completed: contextCompaction=item-4",
    ],
    "0.169.0": [f"{FIRST} completed: userMessage=u1 commandExecution=call_1 agentMessage=m1"],
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_codex_are_read(name: str) -> None:
    """Of both generations; the newer one names all items."""
    assert lines(load_rollout(FIXTURES / f"{name}.jsonl").items) == FILES[name]


def test_extended_file_of_codex_has_the_items_of_tools() -> None:
    """And the failure; the error ends the turn as failed."""
    [turn] = turns_of(load_rollout(FIXTURES / "0.104.0-extended.jsonl").items)

    raw: Any = to_json(turn)
    assert [item["type"] for item in raw["items"]] == [
        "userMessage",
        "commandExecution",
        "fileChange",
        "mcpToolCall",
        "mcpToolCall",
        "webSearch",
        "imageView",
        "collabAgentToolCall",
        "collabAgentToolCall",
        "enteredReviewMode",
        "exitedReviewMode",
        "plan",
    ]
    assert raw["status"] == "failed"
    assert raw["error"]["message"] == "stream disconnected before completion"


FOREIGN: list[tuple[str, Any, dict[str, object] | None]] = [
    (
        "CommandExecution",
        {
            "id": "c",
            "command": ["ls", "a b"],
            "cwd": "file:///x",
            "parsed_cmd": [{"type": "unknown", "cmd": "ls"}],
            "source": "unified_exec_startup",
            "status": "failed",
            "aggregated_output": "no",
            "exit_code": 2,
            "duration": {"secs": 1, "nanos": 0},
        },
        {"command": "ls 'a b'", "cwd": "/x", "exitCode": 2, "durationMs": 1000, "status": "failed"},
    ),
    (
        "FileChange",
        {"id": "c", "changes": {"/a": {"type": "add", "content": "x"}}, "status": "completed"},
        {"changes": [{"path": "/a", "kind": {"type": "add"}, "diff": "x"}], "status": "completed"},
    ),
    ("CommandExecution", {"id": 7, "command": "ls"}, None),
    ("FileChange", {}, None),
    ("Sleep", {"id": "c"}, None),
]


@pytest.mark.parametrize(("tag", "members", "expected"), FOREIGN)
def test_items_that_only_newer_programs_know_are_read(
    tag: str, members: dict[str, Any], expected: dict[str, object] | None
) -> None:
    """Commands and patches; what cannot be read is left out."""
    item = UnknownTurnItem(tag=tag, raw={"type": tag, **members})
    done = events.ItemCompleted(
        thread_id=ThreadId("t"),
        turn_id=TurnId("a"),
        item=item,
        extra={"started_at_ms": 5, "completed_at_ms": True},
    )

    [turn] = turns_of([start(), done])

    found: Any = to_json(turn)["items"]  # type: ignore[index]
    if expected is None:
        assert found == []
    else:
        assert found[0] | {**expected, "startedAtMs": 5, "completedAtMs": None} == found[0]


def test_running_turn_is_told_from_one_that_was_broken_off() -> None:
    """By the thread, not by the file."""
    turns = turns_of([start(), complete(), start("b"), user()])

    def states(*args: Any) -> list[str]:
        return [f"{turn.id} {turn.status.value}" for turn in overlay_live(turns, *args)]

    assert states(None) == ["a completed", "b interrupted"]
    assert states(snapshot(1)) == ["a completed", "b interrupted"]
    assert states(snapshot(1, "b")) == ["a completed", "b inProgress"]
    assert states(snapshot(1, "c")) == ["a completed", "b interrupted", "c inProgress"]
    assert states(snapshot(1, "a")) == ["a completed", "b interrupted"]


def test_running_turn_shows_what_has_not_ended() -> None:
    """Behind what has; once each, and not when it is over."""
    turns = turns_of([start(), command("c"), start("b"), command("d", "b")])
    [first], [second] = turns[0].items, turns[1].items
    other = attrs.evolve(second, id="e")  # type: ignore[misc]
    assert isinstance(first, CommandExecutionThreadItem)

    [_, running] = overlay_live(turns, snapshot(1, "b"), (second, other))
    ended = overlay_live(turns_of([start(), complete()]), snapshot(1, "a"), (first,))

    assert running.items == (second, other)
    assert running.items_view is TurnItemsView.FULL
    assert ended[0].items == ()


def test_turns_may_be_asked_for_in_between() -> None:
    """Which changes nothing."""
    builder, items = HistoryBuilder(), [start(), user(), complete(), start("b")]
    seen = []
    for item in items:
        builder.take(item)
        seen.append(len(builder.turns()))

    assert seen == [1, 1, 1, 2]
    assert builder.turns() == turns_of(items)
    assert builder.turns()[-1].status is TurnStatus.IN_PROGRESS


RECORDS = st.sampled_from(
    [
        start(), start("b"), complete(), complete("b"), abort(), abort(None), user(), agent(),
        error(), plan("x"), command(), command("d", "b"), CompactedItem(message="s"),
        events.ContextCompacted(), events.AgentReasoning(text="t"),
        events.EnteredReviewMode(target=events.UncommittedChangesTarget()),
        events.ExitedReviewMode(), events.ThreadRolledBack(num_turns=1),
        Message(role="assistant", content=(OutputText(text="yes"),)),
        events.McpToolCallEnd(
            call_id=CallId("m"),
            invocation=events.McpInvocation(server="s", tool="t"),
            duration=Seconds(1.0),
            result=events.McpCallFailed(err="e"),
        ),
    ]
)  # fmt: skip


@given(st.lists(RECORDS, max_size=40))
def test_any_records_make_turns_and_the_same_ones_each_time(items: list[RolloutItem]) -> None:
    """At most the last runs, and no generated name is used twice."""
    turns = turns_of(items)

    assert turns == turns_of(items)
    assert all(turn.status is not TurnStatus.IN_PROGRESS for turn in turns[:-1])
    raw: Any = [item for turn in turns for item in to_json(turn)["items"]]  # type: ignore[index]
    made = [item["id"] for item in raw if item["id"].startswith("item-")]
    if events.ThreadRolledBack(num_turns=1) not in items:
        assert len(set(made)) == len(made)


@given(st.lists(RECORDS, max_size=40), st.integers(0, 40), st.booleans())
def test_records_may_come_in_two_lots(items: list[RolloutItem], cut: int, as_file: bool) -> None:
    """The turns are those of all of them at once, also where lines are not decoded yet."""
    builder = HistoryBuilder()
    for lot in (items[:cut], items[cut:]):
        builder.take_all(_as_recorded(lot) if as_file else lot)
        builder.turns()

    assert builder.turns() == turns_of(items)


def _as_recorded(items: list[RolloutItem]) -> RecordedItems:
    lines = [encode_line(item, timestamp="2026-02-13T16:26:40.000Z", seq=0) for item in items]
    return RecordedItems([*lines], [type(item) for item in items])
