"""Whatever a thread says, in whichever order, clients are told something whole."""

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.server.client_answers import answer_op, refusal_op
from actors.server.projection import ThreadProjection
from actors.server.server_requests import ServerRequestDraft
from messages import events
from messages.codec import to_json
from messages.content import OutputText, TextInput
from messages.events import Errored, Event, EventMsg, StatusKind
from messages.ids import CallId, SubmissionId, ThreadId, TurnId
from messages.items import FunctionCallOutput, Message
from messages.rpc.item_notifications import ItemCompletedNotification, ItemStartedNotification
from messages.turn_items import (
    AgentMessageItem,
    AgentText,
    ContextCompactionItem,
    PlanItem,
    ReasoningTurnItem,
    TurnItem,
    UnknownTurnItem,
    UserMessageItem,
)
from messages.value import Seconds
from tests.effort import examples

from .outgoing import LINGERING, Client
from .projection_stage import ASK, BEGIN, END, INVOCATION, PATCH, snapshot

T = ThreadId("t")
TURNS = st.sampled_from([TurnId("u"), TurnId("v"), TurnId("")])
CALLS = st.sampled_from([CallId("c"), CallId("d")])
SOURCES = st.sampled_from(list(events.ExecCommandSource))
ITEMS = st.sampled_from(["c", "m", "n"])

TURN_ITEMS: st.SearchStrategy[TurnItem] = st.one_of(
    st.builds(UserMessageItem, id=ITEMS, content=st.just((TextInput(text="x"),))),
    st.builds(AgentMessageItem, id=ITEMS, content=st.just((AgentText(text="x"),))),
    st.builds(ReasoningTurnItem, id=ITEMS, summary_text=st.just(("x",))),
    st.builds(PlanItem, id=ITEMS, text=st.just("x")),
    st.builds(ContextCompactionItem, id=ITEMS),
    st.just(UnknownTurnItem(tag="Odd", raw={"type": "Odd"})),
)


def of(kind: Any, **fields: Any) -> st.SearchStrategy[EventMsg]:
    given: dict[str, Any] = {"thread_id": st.just(T), "turn_id": TURNS, "call_id": CALLS}
    names = {field.name for field in attrs.fields(kind)}
    wanted = {name: strategy for name, strategy in given.items() if name in names}
    return st.builds(kind, **wanted | fields)


def changed(value: Any) -> st.SearchStrategy[EventMsg]:
    return CALLS.map(lambda call_id: attrs.evolve(value, call_id=call_id))


def piece(kind: Any) -> st.SearchStrategy[EventMsg]:
    return of(kind, item_id=ITEMS, delta=st.just("x"))


SENDER: Any = {"sender_thread_id": st.just(T)}
CHUNKS = st.sampled_from([b"x", b"\xc3", b""])
MESSAGES: st.SearchStrategy[EventMsg] = st.one_of(
    of(events.TurnStarted),
    of(events.TurnComplete),
    of(events.TurnAborted, reason=st.sampled_from(list(events.TurnAbortReason))),
    st.just(events.TurnAborted(reason=events.TurnAbortReason.REPLACED)),
    of(events.ErrorEvent, message=st.just("e")),
    of(events.StreamError, message=st.just("e")),
    of(events.ItemStarted, item=TURN_ITEMS),
    of(events.ItemCompleted, item=TURN_ITEMS),
    piece(events.AgentMessageContentDelta),
    piece(events.PlanDelta),
    piece(events.ReasoningContentDelta),
    of(events.AgentReasoningSectionBreak, item_id=ITEMS),
    of(events.AgentMessage, message=st.sampled_from(["", "x"])),
    SOURCES.flatmap(lambda source: changed(attrs.evolve(BEGIN, source=source))),
    of(
        events.ExecCommandOutputDelta,
        stream=st.sampled_from(list(events.ExecOutputStream)),
        chunk=CHUNKS,
    ),
    SOURCES.flatmap(lambda source: changed(attrs.evolve(END, source=source))),
    of(events.TerminalInteraction, process_id=st.just("1"), stdin=st.just("x")),
    changed(ASK),
    st.just(attrs.evolve(ASK, approval_id="e")),
    changed(PATCH),
    of(events.ApplyPatchApprovalRequest, changes=st.just({})),
    of(
        events.PatchApplyEnd,
        stdout=st.just("x"),
        stderr=st.just(""),
        success=st.booleans(),
        status=st.sampled_from(list(events.ApplyPatchStatus)),
    ),
    of(events.McpToolCallBegin, invocation=st.just(INVOCATION)),
    of(
        events.McpToolCallEnd,
        invocation=st.just(INVOCATION),
        duration=st.just(Seconds(1.0)),
        result=st.just(events.McpCallFailed(err="x")),
    ),
    of(events.ElicitationRequest, server_name=st.just("s"), id=st.just(1), message=st.just("x")),
    of(events.RequestUserInput, questions=st.just(())),
    of(events.DynamicToolCallRequest, tool=st.just("f"), arguments=st.just({})),
    CALLS.map(
        lambda call_id: events.RawResponseItem(item=FunctionCallOutput(call_id=call_id, output="x"))
    ),
    st.just(
        events.RawResponseItem(
            item=Message(
                role="assistant",
                id="review_rollout_assistant",
                content=(OutputText(text="x"),),
            )
        )
    ),
    of(events.ViewImageToolCall, path=st.just("/x")),
    of(events.EnteredReviewMode, target=st.just(events.UncommittedChangesTarget())),
    of(events.ExitedReviewMode),
    of(events.CollabCloseBegin, receiver_thread_id=st.just(T), **SENDER),
    of(
        events.CollabCloseEnd,
        receiver_thread_id=st.just(T),
        status=st.sampled_from([StatusKind.RUNNING, Errored(errored="x")]),
        **SENDER,
    ),
    of(events.PlanUpdate, plan=st.just(())),
    of(events.TurnDiff, unified_diff=st.sampled_from(["x", "y"])),
    of(events.ContextCompacted),
)
STEPS = st.one_of(
    st.tuples(TURNS, MESSAGES),
    st.sampled_from(["answer", "refuse", "cancel", "lose", "join"]),
)


@pytest.mark.slow
@given(st.lists(STEPS, max_size=60))
@settings(max_examples=examples(100), deadline=None)
def test_any_order_of_events_tells_something_whole(steps: list[Any]) -> None:
    """
    Nothing is raised; turns and items begin and end once, pieces in between.

    Every item that started was completed, or its turn is over; every question was put
    and settled once.
    """
    projection, client = ThreadProjection(T, lambda: 1.0, raw_items=True), Client(strict=False)
    seq = 0
    for step in steps:
        if isinstance(step, str):
            act(projection, client, step, seq)
            continue
        turn_id, msg = step
        seq += 1
        told = projection.take(Event(id=SubmissionId(turn_id), msg=msg, seq=seq))
        client.take_all(told)
        writable(told)
        assert projection.turn_id == client.running
        assert {draft.key for draft in projection.open_requests()} == client.asked

    client.take_all(projection.close())

    assert client.running is None
    assert client.asked == set()
    assert all(getattr(item, "source", None) in LINGERING for _, item in client.open.values())


def act(projection: ThreadProjection, client: Client, step: str, seq: int) -> None:
    drafts = projection.open_requests()
    match step:
        case "lose":
            projection.lagged(snapshot(seq + 3, "v", questions=(ASK,)))
        case "join":
            for item in projection.open_items():
                assert client.open[item.id] == (client.running, item)  # type: ignore[union-attr]
        case "refuse" if drafts:
            client.take_all(projection.answered(drafts[0].key, refusal_op(drafts[0])))
        case "answer" | "cancel" if drafts:
            decision = {"decision": "cancel" if step == "cancel" else "accept"}
            op = answer_op(drafts[-1], decision)
            client.take_all(projection.answered(drafts[-1].key, op))
        case _:
            pass


def writable(told: tuple[Any, ...]) -> None:
    """All of it has a form in JSON, and the item names what the notification is about."""
    for entry in told:
        if isinstance(entry, ServerRequestDraft):
            assert entry.method
            continue
        if isinstance(entry, ItemStartedNotification | ItemCompletedNotification):
            assert to_json(entry)["item"]["id"] is not None  # type: ignore[index]
