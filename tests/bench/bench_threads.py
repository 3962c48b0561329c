"""
What a thread costs on the whole runtime: `Thread.submit`, actor, ring, journal, supervisor.

Nothing here is a part of the runtime alone: each row opens a supervisor in a folder
of its own, with the scripted model, and goes through the public API.  The reference
beside it does the same errand on plain trio channels, with nothing that makes a
thread a thread.
"""

import math
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import attrs
import trio
import trio.testing

from actors import (
    Durability,
    NewThread,
    ScriptedProvider,
    Supervisor,
    Thread,
    ThreadConfig,
    open_supervisor,
)
from actors.models import Scenario, parse_scenario
from actors.rollout import PersistMode, open_journal
from actors.runtime import EventChannel, Mailbox, World
from actors.tools import Tool, ToolCall, ToolContext, ToolOutput, builtin_tools
from messages.content import TextInput
from messages.events import (
    AgentMessage,
    DynamicToolCallRequest,
    ErrorEvent,
    Event,
    EventMsg,
    ThreadRolledBack,
    TurnComplete,
    UserMessage,
)
from messages.ids import CallId, SubmissionId, ThreadId
from messages.ops import (
    DynamicToolResponse,
    DynamicToolResult,
    Op,
    Submission,
    ThreadRollback,
    UserInput,
)
from messages.rollout import SessionMeta
from messages.settings import AskForApproval, DangerFullAccess, SourceKind
from messages.value import Json

from .bench_kernel import raw_broadcast, raw_life, raw_round_trips
from .line import Line, Measure, Spent, Stopwatch, compared

__all__ = ["lines", "open_runtime", "say", "start"]

ROLL_BACK: Final = ThreadRollback(num_turns=1)
REFUSED: Final = UserInput(items=())
CALL: Final = CallId("bench")
ANSWER: Final = DynamicToolResponse(
    id=CALL, response=DynamicToolResult(content_items=(), success=True)
)


@asynccontextmanager
async def open_runtime(
    scenario: Scenario | None = None,
    *,
    tools: tuple[Tool, ...] | None = (),
    durability: Durability = Durability.WRITE,
) -> AsyncGenerator[Supervisor, None]:
    """
    Open a supervisor as a program does, in a folder that is gone afterwards.

    Args:
        tools: Of every thread; None for the real ones.
    """
    provider = ScriptedProvider(scenario) if scenario else ScriptedProvider()
    make_tools = builtin_tools if tools is None else lambda _: tools
    with TemporaryDirectory() as home:
        async with open_supervisor(
            home=home, provider=provider, make_tools=make_tools, durability=durability
        ) as supervisor:
            yield supervisor


async def start(supervisor: Supervisor) -> NewThread:
    """Start a thread that asks nobody."""
    return await supervisor.start_thread(
        ThreadConfig(
            cwd="/",
            approval_policy=AskForApproval.NEVER,
            sandbox_policy=DangerFullAccess(),
        )
    )


async def say(thread: Thread, text: str) -> None:
    """Make one turn and read its events."""
    await thread.submit(UserInput(items=(TextInput(text=text),)))
    await read_to(thread, TurnComplete)


async def read_to(thread: Thread, last: type[EventMsg]) -> int:
    """Read events up to one of a class; return how many there were."""
    count = 0
    while True:
        event = await thread.next_event()
        assert isinstance(event, Event), event
        count += 1
        if isinstance(event.msg, last):
            return count


# Submit to event ----------------------------------------------------------------


async def raw(count: int, events: int) -> Spent:
    """Plain trio: an op on one channel, events on another, all awaited."""
    return Spent(*await raw_round_trips(count, events))


async def op_to_event(
    count: int, op: Op, last: type[EventMsg], *, others: int = 0, idle: int = 0
) -> Spent:
    """
    Submit an op, wait for its answer, again and again.

    Args:
        others: Subscribers besides the one that waits.
        idle: Threads that do nothing meanwhile.
    """
    async with open_runtime() as supervisor:
        for _ in range(idle):
            await start(supervisor)
        thread = (await start(supervisor)).thread
        await say(thread, "hello")  # from here on there is a rollout
        async with trio.open_nursery() as nursery:
            for _ in range(others):
                nursery.start_soon(_drain, thread)
            await trio.testing.wait_all_tasks_blocked()
            with Stopwatch() as watch:
                for _ in range(count):
                    await thread.submit(op)
                    await read_to(thread, last)
            nursery.cancel_scope.cancel()
    return watch.spent


async def _drain(thread: Thread) -> None:
    async for _ in thread.subscribe():
        pass


async def parts(count: int) -> Spent:
    """
    Let mailbox, journal and ring do the errand, with no thread around them.

    As `thread` does it: an id for each op, one line for the question and one for the
    answer in the journal, which writes them milliseconds later.
    """
    world = World.system()
    mailbox, channel = Mailbox[Submission]("bench"), EventChannel[Event]()
    with TemporaryDirectory() as home:
        async with open_journal(world=world) as journal, trio.open_nursery() as nursery:
            recorder = journal.recorder(
                Path(home, "rollout.jsonl"), _meta(), PersistMode.LIMITED, on_trouble=print
            )
            await recorder.persist()

            async def serve() -> None:
                for _ in range(count):
                    submission = await mailbox.receive()
                    recorder.record((UserMessage(message="a question"),))
                    answer = AgentMessage(message="an answer")
                    recorder.record((answer,))
                    channel.publish(Event(id=submission.id, msg=answer, seq=channel.next_seq))

            nursery.start_soon(serve)
            reader = channel.subscribe()
            with Stopwatch() as watch:
                for _ in range(count):
                    submission_id = SubmissionId(world.new_id())
                    await mailbox.send(Submission(id=submission_id, op=ROLL_BACK))
                    await reader.receive()
    return watch.spent


def _meta() -> SessionMeta:
    return SessionMeta(
        id=ThreadId("019c4c26-1111-7111-8111-111111111111"),
        timestamp="2026-02-11T09:30:00.000Z",
        cwd="/",
        originator="bench",
        cli_version="0",
        source=SourceKind.EXEC,
        model_provider="scripted",
    )


def submitting(rounds: int, scale: float) -> Iterator[Line]:
    """
    Rows of one op and its answer.

    The op whose answer is recorded is the rollback: of all that answer without a
    turn it alone is.  It estimates the tokens that are left, writes two lines (their
    count and the marker), flushes them to the kernel before it says that it is done,
    and publishes both.
    """
    count = int(3000 * scale)
    yield compared(
        "parts: submit -> event, mailbox, ring and 2 lines journaled",
        partial(raw, count, 1),
        partial(parts, count),
        rounds=rounds,
        operations=count,
        target=1.3,
    )
    yield compared(
        "thread: submit -> event, nothing recorded (a refused op)",
        partial(raw, count, 1),
        partial(op_to_event, count, REFUSED, ErrorEvent),
        rounds=rounds,
        operations=count,
        target=1.2,
    )
    for others, target in ((0, 1.3), (1, 1.6)):
        yield compared(
            f"thread: submit -> event, 2 lines flushed, {others} more readers (rollback)",
            partial(raw, count, 1),
            partial(op_to_event, count, ROLL_BACK, ThreadRolledBack, others=others),
            rounds=rounds,
            operations=count,
            target=target,
        )
    idle = int(1000 * scale)
    yield compared(
        f"thread: submit -> event beside {idle} idle threads : alone",
        partial(op_to_event, count, REFUSED, ErrorEvent),
        partial(op_to_event, count, REFUSED, ErrorEvent, idle=idle),
        rounds=rounds,
        operations=count,
        target=1.2,
    )


# Turns ------------------------------------------------------------------------


@attrs.define(eq=False)
class _Bursts:
    """A tool that tells 20 events each time the client answers, as a busy turn does."""

    count: int
    recorded: bool
    name: str = "burst"
    parallel: bool = True

    def spec(self, _offer: object) -> Json:
        return None

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        request = DynamicToolCallRequest(
            call_id=CALL, turn_id=context.turn_id, tool="burst", arguments=None
        )
        message = AgentMessage(message="nineteen of these come before each question")
        told: EventMsg = message if self.recorded else request
        for _ in range(self.count):
            for _ in range(19):
                context.emit(told)
            await context.ask_client(request)
        return ToolOutput(output="done")


_BURST_SCENARIO: Final = """
name = "burst"
[[reply]]
times = "always"
when = { last = "output" }
[[reply.steps]]
say = "done"
[[reply]]
times = "always"
[[reply.steps]]
call = "burst"
arguments = {}
"""


async def bursts(count: int, *, recorded: bool, others: int = 0) -> Spent:
    """Answer, get 20 events, answer: a submission and 20 events each time, within one turn."""
    scenario = parse_scenario(_BURST_SCENARIO, syntax="toml")
    async with open_runtime(scenario, tools=(_Bursts(count + 1, recorded),)) as supervisor:
        thread = (await start(supervisor)).thread
        await thread.submit(UserInput(items=(TextInput(text="go"),)))
        while not await _asked(thread):
            pass
        async with trio.open_nursery() as nursery:
            for _ in range(others):
                nursery.start_soon(_drain, thread)
            with Stopwatch() as watch:
                for _ in range(count):
                    await thread.submit(ANSWER)
                    for _ in range(20):
                        await thread.next_event()
            nursery.cancel_scope.cancel()
        await thread.submit(ANSWER)
        await read_to(thread, TurnComplete)
    return watch.spent


async def _asked(thread: Thread) -> bool:
    """Whether the next event is the first question, behind its 19 events."""
    event = await thread.next_event()
    assert isinstance(event, Event)
    if not isinstance(event.msg, AgentMessage | DynamicToolCallRequest):
        return False
    for _ in range(19):
        await thread.next_event()
    return True


async def turns(count: int, scenario: Scenario | None) -> Spent:
    """Make whole turns with the scripted model, and read their events."""
    async with open_runtime(scenario) as supervisor:
        thread = (await start(supervisor)).thread
        await say(thread, "hello")
        with Stopwatch() as watch:
            for _ in range(count):
                await say(thread, "hello")
    return watch.spent


def events_of_a_turn(scenario: Scenario | None) -> int:
    """Count the events of one turn."""

    async def main() -> int:
        async with open_runtime(scenario) as supervisor:
            thread = (await start(supervisor)).thread
            await thread.submit(UserInput(items=(TextInput(text="hello"),)))
            return await read_to(thread, TurnComplete)

    return trio.run(main)


def scenario_of(pieces: int) -> Scenario:
    """A model that answers in so many pieces."""
    lines = (
        "name = 'bench'",
        "delta_chars = 4",
        "[[reply]]",
        "times = 'always'",
        "[[reply.steps]]",
        f"say = '{'word' * pieces}'",
    )
    return parse_scenario("\n".join(lines), syntax="toml")


def turning(rounds: int, scale: float) -> Iterator[Line]:
    """Rows of turns."""
    count = int(500 * scale)
    for recorded, others in ((True, 0), (True, 1), (False, 0)):
        yield compared(
            f"thread: 20 events of a turn, {'recorded' if recorded else 'not recorded'}, "
            f"{others} more readers",
            partial(raw, count, 20),
            partial(bursts, count, recorded=recorded, others=others),
            rounds=rounds,
            operations=count,
            target=0.6 if not others else 1.0,
        )
    count = int(100 * scale)
    for name, scenario in (
        ("built-in scenario", None),
        ("one word", scenario_of(1)),
        ("20 events", scenario_of(4)),
    ):
        events = events_of_a_turn(scenario)
        yield compared(
            f"turn with the scripted model, {name} ({events} events)",
            partial(raw, count, events),
            partial(turns, count, scenario),
            rounds=rounds,
            operations=count,
            target=2500,
            measure=Measure.CPU,
        )


# Many readers -------------------------------------------------------------------


async def broadcast(readers: int, burst: int, count: int) -> Spent:
    """Let a tool tell bursts of events to so many subscribers."""
    watch = Stopwatch()

    @attrs.define(eq=False)
    class Teller:
        name: str = "burst"
        parallel: bool = True

        def spec(self, _offer: object) -> Json:
            return None

        async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
            event = DynamicToolCallRequest(
                call_id=CALL, turn_id=context.turn_id, tool="burst", arguments=None
            )
            await trio.testing.wait_all_tasks_blocked()
            with watch:
                for _ in range(count):
                    for _ in range(burst):
                        context.emit(event)
                    await trio.testing.wait_all_tasks_blocked()
            return ToolOutput(output="done")

    scenario = parse_scenario(_BURST_SCENARIO, syntax="toml")
    async with open_runtime(scenario, tools=(Teller(),)) as supervisor:
        thread = (await start(supervisor)).thread
        async with trio.open_nursery() as nursery:
            for _ in range(readers):
                nursery.start_soon(_drain, thread)
            await trio.testing.wait_all_tasks_blocked()
            await say(thread, "go")
            nursery.cancel_scope.cancel()
    return watch.spent


async def raw_readers(readers: int, burst: int, count: int) -> Spent:
    """Plain trio: a channel for each reader."""
    return Spent(*await raw_broadcast(readers, burst, count, drained=False))


def broadcasting(rounds: int, scale: float) -> Iterator[Line]:
    """Rows of many readers of one thread; microseconds a delivery."""
    for burst, readers, target in (
        (1, 10, 0.8),
        (1, 100, 0.8),
        (1, 1000, 0.8),
        (64, 10, None),
        (64, 100, 0.35),
        (64, 1000, 0.15),
    ):
        # The thread's own reader, which nobody drains here, would lag: that costs nothing.
        count = max(1, int(40_000 * scale) // burst // readers)
        yield compared(
            f"thread: broadcast, burst {burst}, {readers} readers",
            partial(raw_readers, readers, burst, count),
            partial(broadcast, readers, burst, count),
            rounds=rounds,
            operations=count * burst * readers,
            target=target,
        )


# Many threads -------------------------------------------------------------------


async def raw_children(count: int, part: str) -> Spent:
    """Plain trio: a task with two channels for each thread."""
    return Spent(*await raw_life(count, part))


async def raw_cycles(count: int) -> Spent:
    """Plain trio: a task with two channels is started, told to stop, and has ended."""

    async def run(
        ops: trio.MemoryReceiveChannel[str],
        events: trio.MemorySendChannel[str],
        *,
        task_status: trio.TaskStatus[None],
    ) -> None:
        with ops, events:
            task_status.started()
            await ops.receive()

    async with trio.open_nursery() as nursery:
        with Stopwatch() as watch:
            for _ in range(count):
                send, ops = trio.open_memory_channel[str](64)
                events, received = trio.open_memory_channel[str](64)
                await nursery.start(run, ops, events)
                await send.send("stop")
                async for _ in received:  # ends with the task
                    pass
    return watch.spent


async def cycles(count: int) -> Spent:
    """Start a thread and close it, one after the other."""
    async with open_runtime() as supervisor:
        with Stopwatch() as watch:
            for _ in range(count):
                new = await start(supervisor)
                await supervisor.remove_thread(new.thread_id)
    return watch.spent


async def starts(count: int, *, used: bool = False, shutdown: bool = False) -> Spent:
    """
    Start threads, or end them.

    Args:
        used: Whether each has made a turn, and so has a rollout, when it ends.
        shutdown: Whether the end is measured.
    """
    async with open_runtime(scenario_of(1)) as supervisor:
        threads: list[Thread] = []
        with Stopwatch() as begin:
            for _ in range(count):
                threads.append((await start(supervisor)).thread)
        if used:
            for thread in threads:
                await say(thread, "hello")
        await trio.testing.wait_all_tasks_blocked()
        with Stopwatch() as end:
            report = await supervisor.close_all_threads(grace=math.inf)
        assert len(report.completed) == count
    return end.spent if shutdown else begin.spent


def living(rounds: int, scale: float) -> Iterator[Line]:
    """Rows of starting and ending threads; microseconds a thread."""
    count = int(1000 * scale)
    yield compared(
        "thread: start and close, one after the other",
        partial(raw_cycles, count),
        partial(cycles, count),
        rounds=rounds,
        operations=count,
        target=800,
        measure=Measure.CPU,
    )
    for count in (int(1000 * scale), int(10_000 * scale)):
        # Ten thousand take half a minute a round; three are enough to see the growth.
        times = rounds if count <= 1000 else min(rounds, 3)
        yield compared(
            f"thread: start, {count} of them",
            partial(raw_children, count, "start"),
            partial(starts, count),
            rounds=times,
            operations=count,
            target=800,
            measure=Measure.CPU,
        )
        yield compared(
            f"thread: shutdown of {count} that never had input",
            partial(raw_children, count, "stop"),
            partial(starts, count, shutdown=True),
            rounds=times,
            operations=count,
            target=1.5,
        )
    count = int(500 * scale)
    yield compared(
        f"thread: shutdown of {count} with a rollout",
        partial(raw_children, count, "stop"),
        partial(starts, count, used=True, shutdown=True),
        rounds=rounds,
        operations=count,
    )


def lines(rounds: int = 5, scale: float = 1.0) -> Iterator[Line]:
    """Measure everything."""
    yield from submitting(rounds, scale)
    yield from turning(rounds, scale)
    yield from broadcasting(rounds, scale)
    yield from living(rounds, scale)


if __name__ == "__main__":
    for each in lines():
        print(each, flush=True)
