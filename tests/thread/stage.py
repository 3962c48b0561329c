"""A thread on a stage: the test plays the model, the tools, the client and the disk."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Never

import attrs

from actors.config import ThreadConfig
from actors.rollout import load_rollout
from actors.runtime import Lagged
from actors.supervisor import NewThread, Supervisor
from actors.testing import ManualModel, ManualResponse, ManualTool, open_test_supervisor
from actors.thread import Thread
from messages.content import InputText, OutputText, TextInput
from messages.events import (
    AgentMessage,
    AgentMessageContentDelta,
    CodexErrorCode,
    ErrorEvent,
    Event,
    EventMsg,
    ItemCompleted,
    ItemStarted,
    RawResponseItem,
    StreamError,
    ThreadNameUpdated,
    ThreadRolledBack,
    TokenCount,
    TurnAborted,
    TurnComplete,
    UserMessage,
    WarningEvent,
)
from messages.ids import SubmissionId
from messages.items import (
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Message,
    ReasoningItem,
    ResponseItem,
)
from messages.ops import Op, UserInput
from messages.rollout import RolloutItem, TurnContextItem
from messages.settings import AskForApproval, DangerFullAccess

CONFIG = ThreadConfig(
    cwd="/", approval_policy=AskForApproval.NEVER, sandbox_policy=DangerFullAccess()
)

TURN_ENDS = (TurnComplete, TurnAborted)


def text_input(text: str) -> UserInput:
    return UserInput(items=(TextInput(text=text),))


@attrs.define(eq=False)
class Stage:
    """One thread, whose model and tools wait for the test."""

    supervisor: Supervisor
    model: ManualModel
    new: NewThread

    @property
    def thread(self) -> Thread:
        return self.new.thread

    async def say(self, text: str) -> SubmissionId:
        """Submit what the user says."""
        return await self.thread.submit(text_input(text))

    async def do(self, op: Op) -> SubmissionId:
        return await self.thread.submit(op)

    async def begin(self, text: str = "hi") -> ManualResponse:
        """Start a turn, and return its first model request."""
        await self.say(text)
        return await self.model.next_request()

    async def run_turn(self, text: str = "hi", answer: str = "hello") -> list[str]:
        """Play a whole turn of one request, and return what was told."""
        (await self.begin(text)).say(answer).complete()
        return await self.until(*TURN_ENDS)

    async def answer_all(self, answer: str) -> Never:
        """Answer every request of the model in the same words, until cancelled."""
        while True:
            (await self.model.next_request()).say(answer).complete()

    async def run_to_end(self, text: str) -> list[str]:
        """Say something that gets no answer, and return what was told."""
        await self.say(text)
        return await self.until(*TURN_ENDS)

    async def events_until(self, *last: type[EventMsg]) -> list[Event]:
        events: list[Event] = []
        while not events or not isinstance(events[-1].msg, last):
            event = await self.thread.next_event()
            assert not isinstance(event, Lagged)
            events.append(event)
        return events

    async def until(self, *last: type[EventMsg]) -> list[str]:
        """Read up to the first event of one of these classes; return the outline."""
        return outline(await self.events_until(*last))

    async def rest(self) -> list[str]:
        """Read what there is until the thread has ended."""
        return outline([event async for event in self.thread.events()])

    def rollout(self) -> list[str]:
        """Outline what is on disk, without the first line."""
        return recorded(self.thread.rollout_path)


@asynccontextmanager
async def open_stage(
    *tools: ManualTool,
    config: ThreadConfig = CONFIG,
    model: ManualModel | None = None,
    **kwargs: Any,
) -> AsyncGenerator[Stage]:
    """Start one thread, and read the events of its beginning away."""
    model = model or ManualModel()
    start = {key: kwargs.pop(key) for key in ("dynamic_tools",) if key in kwargs}
    async with open_test_supervisor(
        provider=model, make_tools=lambda _: tools, **kwargs
    ) as supervisor:
        new = await supervisor.start_thread(config, **start)
        stage = Stage(supervisor, model, new)
        drain(new.thread)
        yield stage


def read(path: str | Path) -> bytes:
    """Read a small file at once; in a function of its own, because it blocks."""
    return Path(path).read_bytes()


def write(path: str | Path, content: bytes) -> None:
    Path(path).write_bytes(content)


def drain(thread: Thread) -> list[str]:
    """Outline what the thread's reader would get without waiting."""
    events: list[Event] = []
    reader = thread.events()
    while reader.next_seq < thread.statistics().next_seq:
        event = reader.receive_nowait()
        assert not isinstance(event, Lagged)
        events.append(event)
    return outline(events)


def recorded(path: str | Path | None) -> list[str]:
    assert path is not None
    return [record_line(item) for item in load_rollout(Path(path)).items[1:]]


def outline(events: Iterable[Event | Lagged]) -> list[str]:
    """Say what was told in a line each, without ids and times; deltas and older forms left out."""
    lines: list[str] = []
    for event in events:
        assert isinstance(event, Event)
        name = type(event.msg).__name__
        if name not in _OLDER:
            lines.append(line(event.msg))
    return lines


_OLDER = frozenset({"UserMessage", "AgentMessage", "AgentMessageDelta", "AgentReasoning"})


def line(msg: EventMsg) -> str:
    match msg:
        case RawResponseItem(item=item):
            return item_line(item)
        case ItemStarted(item=item) | ItemCompleted(item=item):
            return f"{type(msg).__name__} {type(item).__name__}"
        case AgentMessageContentDelta(delta=delta):
            return f"Delta {delta}"
        case UserMessage(message=text) | AgentMessage(message=text):
            return f"{type(msg).__name__} {text}"
        case TokenCount(info=info):
            return f"TokenCount {info.last_token_usage.total_tokens if info else None}"
        case TurnComplete(last_agent_message=text):
            return f"TurnComplete {text}"
        case TurnAborted(reason=reason):
            return f"TurnAborted {reason.value}"
        case ErrorEvent(message=text, codex_error_info=info):
            code = info.value if isinstance(info, CodexErrorCode) else info
            return f"Error {code}: {text}"
        case WarningEvent(message=text) | StreamError(message=text):
            return f"{type(msg).__name__} {text}"
        case ThreadRolledBack(num_turns=count):
            return f"ThreadRolledBack {count}"
        case ThreadNameUpdated(thread_name=name):
            return f"ThreadNameUpdated {name}"
        case _:
            return type(msg).__name__


def item_line(item: ResponseItem) -> str:
    match item:
        case Message(role=role):
            return f"{role}: {text_of(item)}"
        case FunctionCall(name=name, call_id=call_id):
            return f"call {call_id} {name}"
        case FunctionCallOutput(output=output) | CustomToolCallOutput(output=output):
            return f"output {item.call_id}: {output}"
        case ReasoningItem(summary=summary):
            return f"reasoning: {' '.join(getattr(part, 'text', '') for part in summary)}"
        case _:
            return type(item).__name__


def text_of(message: Message) -> str:
    """The text; of context messages only the tag."""
    text = "".join(
        part.text for part in message.content if isinstance(part, InputText | OutputText)
    )
    if text.startswith("<") and "\n" in text:
        return text.partition("\n")[0]
    return text


def record_line(item: RolloutItem) -> str:
    if isinstance(item, TurnContextItem):
        return f"TurnContext {item.model}"
    if isinstance(item, Message | FunctionCall | FunctionCallOutput | ReasoningItem):
        return item_line(item)
    return line(item)  # type: ignore[arg-type]


def request_lines(response: ManualResponse) -> list[str]:
    """Outline what a model request holds, without the initial context."""
    return [item_line(item) for item in response.request.input if not is_context(item)]


def is_context(item: ResponseItem) -> bool:
    return isinstance(item, Message) and text_of(item) in CONTEXT


CONTEXT = ("<permissions instructions>", "<environment_context>")


def history_lines(items: Sequence[ResponseItem]) -> list[str]:
    return [item_line(item) for item in items if not is_context(item)]
