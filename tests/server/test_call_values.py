"""Events of calls to agents, clients and reviewers, as items."""

from typing import Any

import pytest

from messages import events
from messages.codec import to_json
from messages.content import InputImage, InputText, UnknownContent
from messages.events import Completed, Errored, EventMsg, StatusKind
from messages.ids import ThreadId, TurnId
from messages.items import FunctionCallOutput
from messages.ops import DynamicToolResponse, DynamicToolResult
from messages.turn_items import AgentMessageItem, AgentText

from .outgoing import outline
from .projection_stage import CALL, TURN, T, in_turn, said

STATES = {
    StatusKind.PENDING_INIT: ("pendingInit", None),
    StatusKind.RUNNING: ("running", None),
    StatusKind.SHUTDOWN: ("shutdown", None),
    StatusKind.NOT_FOUND: ("notFound", None),
    Completed(completed="bye"): ("completed", "bye"),
    Errored(errored="no"): ("errored", "no"),
}


@pytest.mark.parametrize("status", STATES)
def test_wait_for_agents_says_how_far_they_are(status: Any) -> None:
    """It fails when one of them did, or is not there."""
    fed = in_turn()
    agent = ThreadId("a")
    [started] = fed.take(
        events.CollabWaitingBegin(call_id=CALL, sender_thread_id=T, receiver_thread_ids=(agent,))
    )

    [completed] = fed.take(
        events.CollabWaitingEnd(call_id=CALL, sender_thread_id=T, statuses={"a": status})
    )

    before, after = (to_json(told)["item"] for told in (started, completed))  # type: ignore[index]
    assert (before["status"], before["receiverThreadIds"], before["agentsStates"]) == (
        "inProgress",
        ["a"],
        {},
    )
    state, message = STATES[status]
    assert after["agentsStates"] == {"a": {"status": state, "message": message}}
    assert after["status"] == ("failed" if state in {"errored", "notFound"} else "completed")


def _collab(kind: str) -> tuple[EventMsg, EventMsg]:
    base: Any = {"call_id": CALL, "sender_thread_id": T}
    agent: Any = {"receiver_thread_id": ThreadId("a")}
    status: Any = {"status": StatusKind.RUNNING}
    match kind:
        case "spawnAgent":
            return (
                events.CollabAgentSpawnBegin(prompt="p", **base),
                events.CollabAgentSpawnEnd(
                    prompt="p", new_thread_id=ThreadId("a"), **base, **status
                ),
            )
        case "sendInput":
            return (
                events.CollabAgentInteractionBegin(prompt="p", **base, **agent),
                events.CollabAgentInteractionEnd(prompt="p", **base, **agent, **status),
            )
        case "closeAgent":
            return (
                events.CollabCloseBegin(**base, **agent),
                events.CollabCloseEnd(**base, **agent, **status),
            )
        case _:
            return (
                events.CollabResumeBegin(**base, **agent),
                events.CollabResumeEnd(**base, **agent, **status),
            )


@pytest.mark.parametrize("tool", ["spawnAgent", "sendInput", "closeAgent", "resumeAgent"])
def test_calls_about_agents_are_items(tool: str) -> None:
    """A new agent is named at the end, others from the beginning."""
    fed = in_turn()
    begin, end = _collab(tool)

    [started] = fed.take(begin)
    [completed] = fed.take(end)

    before, after = (to_json(told)["item"] for told in (started, completed))  # type: ignore[index]
    assert before["tool"] == after["tool"] == tool
    assert before["receiverThreadIds"] == ([] if tool == "spawnAgent" else ["a"])
    assert after["receiverThreadIds"] == ["a"]
    assert after["prompt"] == ("p" if tool in {"spawnAgent", "sendInput"} else None)
    assert after["agentsStates"] == {"a": {"status": "running", "message": None}}
    assert after["status"] == "completed"


def test_agent_that_could_not_be_started_is_a_failure() -> None:
    """There is nobody to name."""
    fed = in_turn()
    base: Any = {"call_id": CALL, "sender_thread_id": T, "prompt": "p"}

    [_, completed] = fed.take(events.CollabAgentSpawnEnd(status=StatusKind.NOT_FOUND, **base))

    item = to_json(completed)["item"]  # type: ignore[index]
    assert (item["status"], item["receiverThreadIds"]) == ("failed", [])


def test_dynamic_call_that_no_client_answered_has_failed() -> None:
    """With what the model was told instead."""
    fed = in_turn()
    fed.take(
        events.DynamicToolCallRequest(call_id=CALL, turn_id=TURN, tool="f", arguments={"a": 1})
    )

    told = fed.take(events.RawResponseItem(item=FunctionCallOutput(call_id="c", output="aborted")))

    assert outline(told) == ["resolved c", "item/completed dynamicToolCall failed"]
    item = to_json(told[-1])["item"]  # type: ignore[index]
    assert item["contentItems"] == [{"type": "inputText", "text": "aborted"}]


def test_dynamic_call_shows_texts_and_images() -> None:
    """As the client gave them."""
    fed = in_turn()
    fed.take(
        events.DynamicToolCallRequest(call_id=CALL, turn_id=TURN, tool="f", arguments={"a": 1})
    )
    odd = UnknownContent(tag="odd", raw={"type": "odd"})
    content = (InputText(text="x"), InputImage(image_url="u"), odd)
    result = DynamicToolResult(content_items=content, success=True)

    told = fed.projection.answered("c", DynamicToolResponse(id=CALL, response=result))

    item = to_json(told[-1])["item"]  # type: ignore[index]
    assert item["contentItems"] == [
        {"type": "inputText", "text": "x"},
        {"type": "inputImage", "imageUrl": "u"},
    ]
    assert (item["success"], item["arguments"], item["durationMs"]) == (True, {"a": 1}, 0)


@pytest.mark.parametrize(
    ("target", "hint", "review"),
    [
        (events.UncommittedChangesTarget(), None, "current changes"),
        (events.UncommittedChangesTarget(), "my words", "my words"),
        (events.BaseBranchTarget(branch="b"), None, "changes against 'b'"),
        (events.CommitTarget(sha="0123456789"), None, "commit 0123456"),
        (events.CustomTarget(instructions=" look "), None, "look"),
    ],
)
def test_review_begins_with_a_word_on_what_is_reviewed(
    target: events.ReviewTarget, hint: str | None, review: str
) -> None:
    """The client's own words go before ours."""
    entered = events.EnteredReviewMode(target=target, user_facing_hint=hint)

    [started, _] = in_turn().take(entered)

    assert to_json(started)["item"]["review"] == review  # type: ignore[index]


def test_review_hides_the_announcements_of_the_reviewers_messages() -> None:
    """They are told when they are there, and the last, which is the result, never."""
    fed = in_turn()
    target = events.CommitTarget(sha="0123456789", title="Fix")
    message = AgentMessageItem(id="m", content=(AgentText(text=""),))

    told = fed.take(
        events.EnteredReviewMode(target=target),
        events.ItemStarted(thread_id=ThreadId("r"), turn_id=TurnId("r"), item=message),
        events.AgentMessage(message="Let me see."),
        events.ItemStarted(thread_id=ThreadId("r"), turn_id=TurnId("r"), item=message),
        events.ExitedReviewMode(review_output=None),
    )

    assert outline(told) == [
        "item/started enteredReviewMode",
        "item/completed enteredReviewMode",
        "item/started agentMessage",
        "item/completed agentMessage",
        "item/started exitedReviewMode",
        "item/completed exitedReviewMode",
    ]
    bodies = [body["item"] for _, body in said(told)]
    assert bodies[0]["review"] == "commit 0123456: Fix"
    assert bodies[-1]["review"] == "Reviewer failed to output a response."
    assert {body["turnId"] for _, body in said(told)} == {"u"}
