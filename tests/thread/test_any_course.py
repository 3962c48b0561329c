"""Whatever clients, models, tools and crashes do, the promises of a thread hold."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import InvalidRequest, StreamDisconnected
from actors.rollout import load_rollout, reconstruct
from actors.supervisor import NewThread
from actors.testing import (
    FailingDisk,
    ManualCall,
    ManualModel,
    ManualResponse,
    ManualTool,
    open_test_supervisor,
)
from actors.thread import SteerError, ThreadClosed, ThreadState, life, user_commands
from actors.thread.actor import ThreadActor
from actors.thread.session import Session
from actors.tools import ToolContext
from messages.content import InputText, TextInput
from messages.events import (
    ErrorEvent,
    Event,
    RawResponseItem,
    TurnAborted,
    TurnComplete,
    TurnStarted,
)
from messages.ids import CallId, SubmissionId
from messages.items import Message
from messages.ops import (
    ExecApproval,
    Interrupt,
    Op,
    OverrideTurnContext,
    ReviewDecisionKind,
    RunUserShellCommand,
    Shutdown,
    ThreadRollback,
    UserInput,
)
from messages.rollout import RolloutItem
from tests.effort import examples

from .stage import CONFIG, text_of

CLOSED_WITHIN = 10.0
"""Seconds: the grace of the supervisor, and what it waits for those it cancelled."""


class Bug(Exception):  # noqa: N818 -- what it is
    """Something that nobody foresaw."""


@attrs.define(eq=False)
class Course:
    """One course of events: who is waiting for what, and what was submitted."""

    model: ManualModel
    tools: tuple[ManualTool, ...]
    new: NewThread
    disk: FailingDisk
    disk_filled: bool = False
    inputs: dict[SubmissionId, str] = attrs.field(factory=dict)
    requests: list[ManualResponse] = attrs.field(factory=list)
    calls: list[ManualCall] = attrs.field(factory=list)
    asked: list[CallId] = attrs.field(factory=list)
    ids: Iterator[int] = attrs.field(factory=lambda: iter(range(1_000_000)))

    def submit(self, op: Op) -> SubmissionId | None:
        try:
            return self.new.thread.submit_nowait(op)
        except ThreadClosed:
            return None

    async def say(self, _: int) -> None:
        text = f"input {next(self.ids)}"
        submission_id = self.submit(UserInput(items=(TextInput(text=text),)))
        if submission_id is not None:
            self.inputs[submission_id] = text

    async def steer(self, _: int) -> None:
        with contextlib.suppress(SteerError, ThreadClosed):
            await self.new.thread.steer_input((TextInput(text=f"steer {next(self.ids)}"),))

    async def interrupt(self, _: int) -> None:
        self.submit(Interrupt())

    async def override(self, number: int) -> None:
        self.submit(OverrideTurnContext(cwd=f"/{number}"))

    async def roll_back(self, number: int) -> None:
        self.submit(ThreadRollback(num_turns=number % 3))

    async def shell(self, number: int) -> None:
        self.submit(RunUserShellCommand(command=f"{number}"))

    async def shut_down(self, number: int) -> None:
        if number == 7:  # not in every course
            self.submit(Shutdown())

    async def answer(self, number: int) -> None:
        decision = list(ReviewDecisionKind)[number % 4]
        for call_id in self.asked[-2:]:
            self.submit(ExecApproval(id=call_id, decision=decision))

    async def model_says(self, number: int) -> None:
        for response in self.open_requests(number):
            response.say(f"answer {next(self.ids)}")
            if number % 2:
                response.complete(number)

    async def model_calls(self, number: int) -> None:
        for response in self.open_requests(number):
            for _ in range(1 + number % 3):
                call_id = f"c{next(self.ids)}"
                response.call(self.tools[number % len(self.tools)].name, call_id=call_id)
            if number % 2:
                response.complete(number)

    async def model_fails(self, number: int) -> None:
        for response in self.open_requests(number):
            response.fail(StreamDisconnected("x") if number % 3 else InvalidRequest("y"))

    async def model_crashes(self, number: int) -> None:
        if number % 2:
            return
        for response in self.open_requests(number):
            response.fail(Bug())

    async def tool_ends(self, number: int) -> None:
        for call in self.calls:
            match number % 4:
                case 0:
                    call.answer("x" * 50 * number)
                case 1:
                    call.refuse("no")
                case 2:
                    call.fail(Bug())
                case _:
                    call.end_turn("fatal")
        self.calls.clear()

    async def tool_asks(self, _: int) -> None:
        if self.calls:
            call = self.calls.pop().ask_approval("x")
            self.asked.append(call.call.call_id)

    async def time_passes(self, number: int) -> None:
        await trio.sleep(number / 4)

    async def disk_fills(self, _: int) -> None:
        self.disk.fill()
        self.disk_filled = True

    async def disk_heals(self, _: int) -> None:
        self.disk.heal()

    def open_requests(self, number: int) -> list[ManualResponse]:
        """Take the requests that the model has not answered to the end."""
        with contextlib.suppress(trio.WouldBlock):
            while True:
                self.requests.append(self.model._receive.receive_nowait())
        for tool in self.tools:
            with contextlib.suppress(trio.WouldBlock):
                while True:
                    self.calls.append(tool._receive.receive_nowait())
        self.requests = [r for r in self.requests if not r.ended.is_set()]
        return [r for r in self.requests if not r._send._closed][: 1 + number % 2]


WEIGHTS = {
    "say": 4,
    "steer": 1,
    "interrupt": 1,
    "override": 1,
    "roll_back": 1,
    "shell": 1,
    "shut_down": 1,
    "answer": 2,
    "model_says": 5,
    "model_calls": 4,
    "model_fails": 1,
    "model_crashes": 1,
    "tool_ends": 3,
    "tool_asks": 3,
    "time_passes": 2,
}
DISK_STEPS = ("disk_fills", "disk_heals", "disk_heals")
STEPS = tuple(name for name, weight in WEIGHTS.items() for _ in range(weight))


async def shell(
    command: str, context: ToolContext, *, record: Callable[[Message], object], policy: object
) -> None:
    """Stand for a command: takes as many seconds as it says."""
    message = Message(role="user", content=(InputText(text=f"<user_shell_command>\n{command}"),))
    try:
        await trio.sleep(int(command))
    finally:
        record(message)


async def play(steps: list[tuple[str, int]], home: Path) -> tuple[list[Event], Course, Session]:
    """Let it all happen, and close; return what was told and what the thread knew."""
    sessions: list[Session] = []

    def actor(session: Session) -> ThreadActor:
        sessions.append(session)
        return ThreadActor(session)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(user_commands, "run_user_shell", shell)
        patch.setattr(life, "ThreadActor", actor)
        model, disk = ManualModel(), FailingDisk()
        tools = (ManualTool("quick"), ManualTool("stubborn", parallel=False, stubborn=3))
        async with open_test_supervisor(
            home=home, provider=model, make_tools=lambda _: tools, files=disk
        ) as supervisor:
            new = await supervisor.start_thread(CONFIG)
            course = Course(model, tools, new, disk)
            if len(steps) % 4:
                # Otherwise the clock runs on while the file is made, as on a slow disk.
                await new.thread.submit(UserInput(items=(TextInput(text="first"),)))
                (await model.next_request()).complete()
                await wait_all_tasks_blocked()
            for name, number in steps:
                await getattr(course, name)(number)
                if number % 4:  # otherwise the next step comes at the same instant
                    await wait_all_tasks_blocked()
            disk.heal()
            begin = trio.current_time()
        assert trio.current_time() - begin <= CLOSED_WITHIN
    events = [event async for event in new.thread.subscribe(from_seq=1)]
    assert all(isinstance(event, Event) for event in events)
    return events, course, sessions[-1]  # type: ignore[return-value]


def check_events(events: list[Event], course: Course) -> None:
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    running: str | None = None
    begun: set[str] = set()
    for event in events:
        match event.msg:
            case TurnStarted(turn_id=turn_id):
                assert running is None
                assert turn_id not in begun
                running = turn_id
                begun.add(turn_id)
            case TurnComplete(turn_id=turn_id) | TurnAborted(turn_id=turn_id):
                assert running == turn_id
                running = None
            case _:
                pass
    assert running is None
    said = {
        text_of(event.msg.item)
        for event in events
        if isinstance(event.msg, RawResponseItem) and isinstance(event.msg.item, Message)
    }
    refused = {event.id for event in events if isinstance(event.msg, ErrorEvent)}
    for submission_id, text in course.inputs.items():
        assert text in said or submission_id in refused


def check_rollout(course: Course, session: Session) -> None:
    path = Path(course.new.thread.rollout_path or "")
    if not path.exists():
        return
    items: tuple[RolloutItem, ...] = load_rollout(path).items
    open_turns: list[Any] = []
    for item in items:
        match item:
            case TurnStarted(turn_id=turn_id):
                open_turns.append(turn_id)
            case TurnComplete(turn_id=turn_id) | TurnAborted(turn_id=turn_id):
                assert open_turns == [turn_id]
                open_turns.clear()
            case _:
                pass
    assert open_turns == []
    policy = session.outlet.history.policy
    assert list(session.outlet.history.items) == reconstruct(
        items, initial_context=(), policy=policy
    )


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.getLogger("actors").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("actors").setLevel(logging.NOTSET)


def run_course(steps: list[tuple[str, int]], home: Path) -> None:
    async def main() -> None:
        events, course, session = await play(steps, home)

        check_events(events, course)
        if not course.disk_filled:
            check_rollout(course, session)
        assert course.new.thread.state in (ThreadState.CLOSED, ThreadState.FAILED)

    trio.run(main, clock=MockClock(autojump_threshold=0))


def courses(steps: tuple[str, ...]) -> st.SearchStrategy[list[tuple[str, int]]]:
    return st.lists(st.tuples(st.sampled_from(steps), st.integers(0, 7)), max_size=40)


@pytest.mark.slow
@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=courses(STEPS))
def test_promises_hold_in_any_course(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Turns end once, numbers have no gap, input is answered, and history is what was recorded."""
    run_course(steps, tmp_path_factory.mktemp("home"))


@pytest.mark.slow
@settings(max_examples=examples(50), deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=courses((*STEPS, *DISK_STEPS)))
def test_promises_to_clients_hold_on_a_failing_disk(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the disk does; what it lost was said, and is another test's affair."""
    run_course(steps, tmp_path_factory.mktemp("home"))
