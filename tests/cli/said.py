"""Events of a thread, as tests tell them to renderers."""

from typing import Final

from messages.events import (
    AgentMessage,
    AgentMessageContentDelta,
    AgentReasoning,
    Event,
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandStatus,
    ItemCompleted,
    ItemStarted,
    ReasoningContentDelta,
    TokenCount,
    TokenUsage,
    TokenUsageInfo,
    TurnComplete,
    TurnStarted,
)
from messages.ids import CallId, SubmissionId, ThreadId, TurnId
from messages.turn_items import AgentMessageItem, AgentText, ReasoningTurnItem
from messages.value import Seconds

THREAD: Final = ThreadId("01a1fad3-e9a3-77df-86ee-ac4611ccb9da")
TURN: Final = TurnId("turn")


def event(msg: EventMsg) -> Event:
    return Event(id=SubmissionId("turn"), msg=msg)


def started() -> TurnStarted:
    return TurnStarted(turn_id=TURN)


def completed(text: str | None = None) -> TurnComplete:
    return TurnComplete(turn_id=TURN, last_agent_message=text)


def message(text: str, *deltas: str, item_id: str = "m1") -> list[EventMsg]:
    """A message as a thread tells it: begin, deltas, end, and the older event."""
    item = AgentMessageItem(id=item_id, content=(AgentText(text=text),))
    empty = AgentMessageItem(id=item_id, content=())
    pieces = [
        AgentMessageContentDelta(thread_id=THREAD, turn_id=TURN, item_id=item_id, delta=delta)
        for delta in deltas
    ]
    return [
        ItemStarted(thread_id=THREAD, turn_id=TURN, item=empty),
        *pieces,
        ItemCompleted(thread_id=THREAD, turn_id=TURN, item=item),
        AgentMessage(message=text),
    ]


def reasoning(*parts: str, deltas: tuple[str, ...] = ()) -> list[EventMsg]:
    item = ReasoningTurnItem(id="r1", summary_text=parts)
    pieces = [
        ReasoningContentDelta(thread_id=THREAD, turn_id=TURN, item_id="r1", delta=delta)
        for delta in deltas
    ]
    done = ItemCompleted(thread_id=THREAD, turn_id=TURN, item=item)
    return [*pieces, done, *(AgentReasoning(text=part) for part in parts)]


def command_begin(*words: str, call_id: str = "c1") -> ExecCommandBegin:
    return ExecCommandBegin(
        call_id=CallId(call_id), turn_id=TURN, command=words, cwd="/w", parsed_cmd=()
    )


def command_end(
    *words: str,
    output: str = "",
    exit_code: int = 0,
    call_id: str = "c1",
    status: ExecCommandStatus | None = None,
) -> ExecCommandEnd:
    ok = ExecCommandStatus.COMPLETED if exit_code == 0 else ExecCommandStatus.FAILED
    return ExecCommandEnd(
        call_id=CallId(call_id),
        turn_id=TURN,
        command=words,
        cwd="/w",
        parsed_cmd=(),
        stdout=output,
        stderr="",
        aggregated_output=output,
        exit_code=exit_code,
        duration=Seconds(0.25),
        formatted_output=output,
        status=status or ok,
    )


def tokens(given: int, taken: int, cached: int = 0) -> TokenCount:
    usage = TokenUsage(
        input_tokens=given,
        cached_input_tokens=cached,
        output_tokens=taken,
        total_tokens=given + taken,
    )
    return TokenCount(info=TokenUsageInfo(total_token_usage=usage, last_token_usage=usage))
