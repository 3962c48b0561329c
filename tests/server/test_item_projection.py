"""Events of items to notifications: commands, patches, calls, messages and what they say meanwhile."""

from typing import Any

import attrs
import pytest

from actors.server.item_projection import EXPECTED_CAPACITY
from actors.server.open_items import LINGERING_CAPACITY
from messages import events
from messages.codec import to_json
from messages.content import (
    ImageInput,
    LocalImageInput,
    MentionInput,
    SkillInput,
    TextInput,
    UnknownInput,
)
from messages.ids import CallId
from messages.items import (
    FindInPageAction,
    Message,
    OpenPageAction,
    OtherSearchAction,
    SearchAction,
)
from messages.turn_items import ReasoningTurnItem, UserMessageItem, WebSearchItem
from messages.value import Seconds

from .outgoing import outline
from .projection_stage import BEGIN, CALL, END, INVOCATION, PATCH, TURN, T, in_turn, said


def ended(status: events.ExecCommandStatus, **changes: Any) -> events.ExecCommandEnd:
    return attrs.evolve(END, status=status, **changes)


def test_command_item_has_all_its_members() -> None:
    """The same item at both ends, in the end with what came out."""
    fed = in_turn()

    [started] = fed.take(BEGIN)
    [completed] = fed.take(END)

    item = to_json(started)["item"]  # type: ignore[index]
    assert item == {
        "type": "commandExecution",
        "id": "c",
        "startedAtMs": 1_800_000_000_000,
        "completedAtMs": None,
        "command": "ls",
        "cwd": "/x",
        "processId": "7",
        "source": "agent",
        "status": "inProgress",
        "commandActions": [
            {"type": "read", "command": "cat a", "name": "a", "path": "/a"},
            {"type": "listFiles", "command": "ls", "path": None},
            {"type": "search", "command": "rg x", "query": "x", "path": "/p"},
            {"type": "unknown", "command": "make"},
        ],
        "aggregatedOutput": None,
        "exitCode": None,
        "durationMs": None,
    }
    done = to_json(completed)["item"]  # type: ignore[index]
    assert (done["status"], done["aggregatedOutput"], done["exitCode"]) == ("completed", "out", 0)
    assert (done["durationMs"], done["completedAtMs"]) == (1500, 1_800_000_000_000)


@pytest.mark.parametrize(
    ("status", "members"),
    [
        (events.ExecCommandStatus.COMPLETED, ("completed", "out", 0, 1500)),
        (events.ExecCommandStatus.FAILED, ("failed", "out", 0, 1500)),
        (events.ExecCommandStatus.DECLINED, ("declined", None, None, None)),
    ],
)
def test_command_ends_as_its_event_says(
    status: events.ExecCommandStatus, members: tuple[object, ...]
) -> None:
    """What was declined did not run."""
    fed = in_turn()
    fed.take(BEGIN)

    [completed] = fed.take(ended(status))

    item = to_json(completed)["item"]  # type: ignore[index]
    found = item["status"], item["aggregatedOutput"], item["exitCode"], item["durationMs"]
    assert found == members


def test_end_without_output_says_null() -> None:
    """Not an empty text."""
    fed = in_turn()
    fed.take(BEGIN)

    [completed] = fed.take(attrs.evolve(END, aggregated_output=""))

    assert to_json(completed)["item"]["aggregatedOutput"] is None  # type: ignore[index]


def test_end_whose_beginning_nobody_saw_starts_and_completes_the_item() -> None:
    """Of the running turn; of any other it is not told."""
    fed = in_turn()

    assert outline(fed.take(END)) == [
        "item/started commandExecution completed",
        "item/completed commandExecution completed",
    ]
    assert fed.take(END, of="other") == ()


def test_item_that_is_open_does_not_start_again() -> None:
    """An id that the model uses twice at once is one item."""
    fed = in_turn()
    fed.take(BEGIN)

    assert fed.take(BEGIN) == ()
    assert fed.take(PATCH) == ()
    patched = events.PatchApplyEnd(
        call_id=CALL, stdout="", stderr="", success=True, status=events.ApplyPatchStatus.COMPLETED
    )
    assert fed.take(patched) == ()
    assert outline(fed.take(END)) == ["item/completed commandExecution completed"]


def test_patch_has_its_changes_by_path_and_says_what_it_did() -> None:
    """Whole contents, diffs, and where a file went."""
    fed = in_turn()

    [started] = fed.take(PATCH)
    told = fed.take(
        events.PatchApplyEnd(
            call_id=CALL,
            stdout="Success",
            stderr="",
            success=True,
            status=events.ApplyPatchStatus.COMPLETED,
        )
    )

    update = {"type": "update"}
    changes = [
        {"path": "/a", "kind": {"type": "add"}, "diff": "one"},
        {"path": "/b", "kind": {**update, "move_path": "/c"}, "diff": "@@\n\nMoved to: /c"},
        {"path": "/d", "kind": {"type": "delete"}, "diff": "two"},
        {"path": "/e", "kind": {**update, "move_path": None}, "diff": "@@2"},
        {"path": "/f", "kind": {**update, "move_path": None}, "diff": ""},
    ]
    assert to_json(started)["item"]["changes"] == changes  # type: ignore[index]
    assert outline(told) == [
        "item/fileChange/outputDelta 'Success'",
        "item/completed fileChange completed",
    ]
    assert to_json(told[-1])["item"]["changes"] == changes  # type: ignore[index]


@pytest.mark.parametrize(
    ("result", "status", "given", "error"),
    [
        (
            events.McpCallOk(ok=events.McpToolResult(content=("x",), structured_content={"a": 1})),
            "completed",
            {"content": ["x"], "structuredContent": {"a": 1}, "_meta": None},
            None,
        ),
        (
            events.McpCallOk(ok=events.McpToolResult(is_error=True, meta={"m": 1})),
            "failed",
            {"content": [], "structuredContent": None, "_meta": {"m": 1}},
            None,
        ),
        (events.McpCallFailed(err="gone"), "failed", None, {"message": "gone"}),
    ],
)
def test_mcp_call_ends_with_a_result_or_an_error(
    result: events.McpCallResult, status: str, given: object, error: object
) -> None:
    """A tool's own failure keeps its result."""
    fed = in_turn()
    fed.take(events.McpToolCallBegin(call_id=CALL, invocation=INVOCATION))

    [completed] = fed.take(
        events.McpToolCallEnd(
            call_id=CALL, invocation=INVOCATION, duration=Seconds(0.25), result=result
        )
    )

    item = to_json(completed)["item"]  # type: ignore[index]
    assert (item["status"], item["result"], item["error"]) == (status, given, error)
    assert (item["arguments"], item["durationMs"]) == ({"a": 1}, 250)


@pytest.mark.parametrize(
    ("action", "written"),
    [
        (SearchAction(query="q"), {"type": "search", "query": "q", "queries": None}),
        (OpenPageAction(url="u"), {"type": "openPage", "url": "u"}),
        (
            FindInPageAction(url="u", pattern="p"),
            {"type": "findInPage", "url": "u", "pattern": "p"},
        ),
        (OtherSearchAction(tag="odd", raw={"type": "odd"}), {"type": "other"}),
    ],
)
def test_web_search_says_what_it_did(action: Any, written: object) -> None:
    """In camelCase; the older events that repeat it are passed over."""
    fed = in_turn()
    item = WebSearchItem(id="w", query="q", action=action)

    [started] = fed.take(events.ItemStarted(thread_id=T, turn_id=TURN, item=item))
    told = fed.take(
        events.WebSearchBegin(call_id=CallId("w")),
        events.ItemCompleted(thread_id=T, turn_id=TURN, item=item),
        events.WebSearchEnd(call_id=CallId("w"), query="q", action=action),
    )

    assert to_json(started)["item"]["action"] == written  # type: ignore[index]
    assert outline(told) == ["item/completed webSearch"]


def test_user_message_says_all_that_was_given() -> None:
    """What this version does not know is left out."""
    fed = in_turn()
    content = (
        TextInput(text="hi"),
        ImageInput(image_url="u"),
        LocalImageInput(path="/i"),
        SkillInput(name="s", path="/s"),
        MentionInput(name="m", path="app://m"),
        UnknownInput(tag="audio", raw={"type": "audio"}),
    )

    [started] = fed.take(
        events.ItemStarted(thread_id=T, turn_id=TURN, item=UserMessageItem(id="m", content=content))
    )

    assert to_json(started)["item"]["content"] == [  # type: ignore[index]
        {"type": "text", "text": "hi", "text_elements": []},
        {"type": "image", "url": "u"},
        {"type": "localImage", "path": "/i"},
        {"type": "skill", "name": "s", "path": "/s"},
        {"type": "mention", "name": "m", "path": "app://m"},
    ]


def test_reasoning_is_told_by_parts() -> None:
    """Summary and raw content, each with its index."""
    fed = in_turn()
    item = ReasoningTurnItem(id="r", summary_text=())
    place: Any = {"thread_id": T, "turn_id": TURN}

    told = fed.take(
        events.ItemStarted(item=item, **place),
        events.AgentReasoningSectionBreak(item_id="r", summary_index=0),
        events.ReasoningContentDelta(item_id="r", delta="s", summary_index=0, **place),
        events.AgentReasoningDelta(delta="s"),
        events.ReasoningRawContentDelta(item_id="r", delta="c", content_index=2, **place),
        events.AgentReasoningRawContentDelta(delta="c"),
    )

    assert [
        (method, body.get("summaryIndex"), body.get("contentIndex")) for method, body in said(told)
    ] == [
        ("item/started", None, None),
        ("item/reasoning/summaryPartAdded", 0, None),
        ("item/reasoning/summaryTextDelta", 0, None),
        ("item/reasoning/textDelta", None, 2),
    ]


def test_pieces_of_items_that_are_not_open_are_not_told() -> None:
    """Nobody could put them anywhere."""
    fed = in_turn()
    place: Any = {"thread_id": T, "turn_id": TURN, "item_id": "x", "delta": "d"}

    assert (
        fed.take(
            events.AgentMessageContentDelta(**place),
            events.PlanDelta(**place),
            events.ReasoningContentDelta(**place),
            events.ReasoningRawContentDelta(**place),
            events.AgentReasoningSectionBreak(item_id="x"),
            events.ExecCommandOutputDelta(
                call_id=CALL, stream=events.ExecOutputStream.STDERR, chunk=b"x"
            ),
        )
        == ()
    )


def test_commands_in_the_background_are_remembered_up_to_a_limit() -> None:
    """Beyond it the oldest are forgotten, and their ends are not told."""
    fed = in_turn()
    for number in range(LINGERING_CAPACITY + 1):
        begin = attrs.evolve(
            BEGIN,
            call_id=CallId(f"c{number}"),
            source=events.ExecCommandSource.UNIFIED_EXEC_STARTUP,
        )
        fed.take(begin)
    fed.take(BEGIN, events.TurnComplete(turn_id=TURN))

    assert fed.take(END) == ()
    assert fed.take(attrs.evolve(END, call_id=CallId("c0"))) == ()
    assert outline(fed.take(attrs.evolve(END, call_id=CallId("c1")))) == [
        "item/completed commandExecution completed"
    ]


def test_names_of_messages_are_remembered_up_to_a_limit() -> None:
    """The oldest are forgotten; each counts once, for the message of its content."""
    fed = in_turn()
    for number in range(EXPECTED_CAPACITY + 1):
        fed.projection.expect((TextInput(text=str(number)),), f"n{number}")

    def name_of(text: str) -> object:
        item = UserMessageItem(id=f"m{text}", content=(TextInput(text=text),))
        told = fed.take(events.ItemCompleted(thread_id=T, turn_id=TURN, item=item))
        return to_json(told[-1])["item"]["clientId"]  # type: ignore[index]

    assert (name_of("0"), name_of("1"), name_of("1")) == (None, "n1", None)


# When events are lost ---------------------------------------------------------


def test_message_of_the_history_is_no_item() -> None:
    """Only the answer of a review is told by nothing else."""
    message = Message(role="assistant", content=(), id="x")

    assert in_turn().take(events.RawResponseItem(item=message)) == ()
