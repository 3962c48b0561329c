"""Small records, and a home for them."""

from pathlib import Path

from messages.content import InputText, OutputText
from messages.events import (
    AgentMessage,
    ExecCommandEnd,
    ExecCommandStatus,
    ThreadRolledBack,
    TurnComplete,
    TurnStarted,
    UserMessage,
)
from messages.ids import CallId, ThreadId, TurnId
from messages.items import Message
from messages.rollout import RolloutItem, SessionMeta, TurnContextItem
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    GitInfo,
    ReasoningSummary,
    TruncationMode,
    TruncationPolicy,
)
from messages.value import Seconds

START = 1_771_000_000.0  # 2026-02-13T16:26:40Z
THREAD = ThreadId("01a1fa57-f3a8-7fe2-baad-52cf57f91661")
OTHER = ThreadId("01a1fa61-3824-70b2-9721-a8c78e21cce3")
GIT = GitInfo(commit_hash="0" * 40, branch="main")
POLICY = TruncationPolicy(mode=TruncationMode.BYTES, limit=10_000)


def meta(thread_id: ThreadId = THREAD, **more: object) -> SessionMeta:
    fields: dict[str, object] = {
        "id": thread_id,
        "timestamp": "2026-02-13T16:26:40.000Z",
        "cwd": "/nowhere",
        "originator": "test",
        "cli_version": "0.1.0",
        "git": GIT,
        **more,
    }
    return SessionMeta(**fields)  # type: ignore[arg-type]


def user(text: str) -> Message:
    return Message(role="user", content=(InputText(text=text),))


def assistant(text: str) -> Message:
    return Message(role="assistant", content=(OutputText(text=text),))


def said(text: str) -> UserMessage:
    return UserMessage(message=text)


def answered(text: str) -> AgentMessage:
    return AgentMessage(message=text)


def started(turn: str) -> TurnStarted:
    return TurnStarted(turn_id=TurnId(turn))


def completed(turn: str) -> TurnComplete:
    return TurnComplete(turn_id=TurnId(turn))


def rolled_back(turns: int) -> ThreadRolledBack:
    return ThreadRolledBack(num_turns=turns)


def turn_context(model: str) -> TurnContextItem:
    return TurnContextItem(
        cwd="/nowhere",
        approval_policy=AskForApproval.NEVER,
        sandbox_policy=DangerFullAccess(),
        model=model,
        summary=ReasoningSummary.AUTO,
    )


def command_end(output: str) -> ExecCommandEnd:
    return ExecCommandEnd(
        call_id=CallId("c"),
        turn_id=TurnId("t"),
        command=("ls",),
        cwd="/nowhere",
        parsed_cmd=(),
        stdout=output,
        stderr=output,
        exit_code=0,
        duration=Seconds(1.5),
        formatted_output=output,
        status=ExecCommandStatus.COMPLETED,
        aggregated_output=output,
    )


def turn(number: int) -> list[RolloutItem]:
    """One small turn as it is recorded."""
    name = f"turn-{number}"
    question, answer = f"question {number}", f"answer {number}"
    return [
        started(name),
        user(question),
        said(question),
        turn_context("model-a"),
        assistant(answer),
        answered(answer),
        completed(name),
    ]


def rollout_path(home: Path, thread_id: ThreadId = THREAD) -> Path:
    day = home / "sessions" / "2026" / "02" / "13"
    return day / f"rollout-2026-02-13T16-26-40-{thread_id}.jsonl"
