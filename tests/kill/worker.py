"""What the killed process does: conversations, on and on, reporting what it was promised."""

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

import attrs
import trio

from actors import Durability, ScriptedProvider, Supervisor, Thread, ThreadConfig, open_supervisor
from actors.models import parse_scenario
from actors.rollout import Files, Recorder
from actors.tools import (
    FunctionPayload,
    Tool,
    ToolCall,
    ToolContext,
    ToolOutput,
    ToolParts,
    builtin_tools,
)
from messages.content import TextInput
from messages.events import Event, ExecCommandBegin, TurnAborted, TurnComplete, TurnStarted
from messages.ops import Interrupt, UserInput
from messages.settings import AskForApproval, DangerFullAccess
from messages.value import Json

__all__ = ["ANSWER", "MARK", "SCENARIO", "NoteTool", "work"]

T = TypeVar("T")

Report = Callable[..., None]

MARK: Final = "TREADLE_KILL_MARK"
"""Variable by which the processes of a worker are found."""

ANSWER: Final = "I heard: "

SCENARIO: Final = """
name = "kill"
delta_chars = 8
[[reply]]
times = "always"
when = { last = "output" }
[[reply.steps]]
say = "I heard: {user}"
[[reply]]
times = "always"
when = { user = "note" }
[[reply.steps]]
think = "That is worth a note."
[[reply.steps]]
call = "note"
arguments = { text = "{user}" }
[[reply]]
times = "always"
when = { user = "hang" }
[[reply.steps]]
call = "shell"
arguments = { command = ["sleep", "1000"], timeout_ms = 1000000 }
[[reply]]
times = "always"
[[reply.steps]]
think = "Nothing to do but to answer."
[[reply.steps]]
say = "I heard: {user}"
"""

_PROVIDER: Final = ScriptedProvider(parse_scenario(SCENARIO, syntax="toml"))


@attrs.define(eq=False)
class NoteTool:
    """Answers at once, so that a turn with a tool takes no process."""

    name: str = "note"
    parallel: bool = True

    def spec(self, _offer: object) -> Json:
        return {"type": "function", "name": "note", "parameters": {"type": "object"}}

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        await trio.lowlevel.checkpoint()
        assert isinstance(call.payload, FunctionPayload)
        return ToolOutput(output=f"noted {call.payload.arguments}", success=True)


def _tools(parts: ToolParts) -> tuple[Tool, ...]:
    return (NoteTool(), *builtin_tools(parts))


@attrs.define(eq=False)
class CrashingFiles(Files):
    """
    Kills its own process at one certain operation.

    Attributes:
        at: Which operation, from 1.
        how: ``before``, ``after`` or ``within`` it; within anything but a write is before.
    """

    at: int
    how: str
    # Shared by OS threads; taking the next number is one step of the interpreter.
    _numbers: Iterator[int] = attrs.field(factory=lambda: count(1), init=False)

    def _around(self, operation: Callable[..., T], *args: Any) -> T:
        hit = next(self._numbers) == self.at
        if hit and self.how != "after":
            if self.how == "within" and operation == super().write:
                fd, data = args
                operation(fd, data[: len(data) * 2 // 3])
            os.kill(os.getpid(), signal.SIGKILL)
        result = operation(*args)
        if hit:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    def make_folder(self, path: Path) -> None:
        self._around(super().make_folder, path)

    def create(self, path: Path) -> int:
        return self._around(super().create, path)

    def open(self, path: Path) -> int:
        return self._around(super().open, path)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        return self._around(super().write, fd, data)

    def sync(self, fd: int) -> None:
        self._around(super().sync, fd)

    def truncate(self, fd: int, size_bytes: int) -> None:
        self._around(super().truncate, fd, size_bytes)

    def close(self, fd: int) -> None:
        self._around(super().close, fd)

    def append_aside(self, path: Path, data: bytes) -> None:
        self._around(super().append_aside, path, data)

    def sync_name(self, path: Path) -> None:
        self._around(super().sync_name, path)


def work(spec: dict[str, Any], report: Report) -> None:
    """
    Converse until killed; blocks.

    Args:
        spec:
            ``home``; ``seed``; ``name``, which no other worker has; ``fsync``;
            ``resume`` and ``fork``, paths of rollouts; ``new``, how many threads to
            start; ``tools``, whether commands are run; ``turns`` of each thread, None
            for no end; ``crash``, where to kill oneself, None for nowhere.
        report: Tells the parent, at once.
    """
    os.environ[MARK] = spec["name"]
    _report_flushes(report)
    trio.run(_main, spec, report)


def _report_flushes(report: Report) -> None:
    """Let every flush report how many lines of which file were acknowledged."""
    flush = Recorder.flush

    async def reporting(recorder: Recorder) -> None:
        lines = recorder._next_seq  # pyright: ignore[reportPrivateUsage]  # nobody else counts lines
        await flush(recorder)
        if recorder.is_persisted:
            report("flushed", path=str(recorder.path), lines=lines)

    setattr(Recorder, "flush", reporting)  # noqa: B010 -- the worker is a process of its own


async def _main(spec: dict[str, Any], report: Report) -> None:
    crash = spec["crash"]
    async with open_supervisor(
        home=spec["home"],
        provider=_PROVIDER,
        durability=Durability.FSYNC if spec["fsync"] else Durability.WRITE,
        make_tools=_tools,
        files=CrashingFiles(crash["at"], crash["how"]) if crash else None,
    ) as supervisor:
        async with trio.open_nursery() as nursery:
            for number, (way, path) in enumerate(_ways(spec)):
                talk = _Talk(supervisor, spec, f"{spec['name']}-{number}", report)
                nursery.start_soon(partial(talk.run, way, path), name=f"{way} {number}")
        report("closing")
        closed = await supervisor.close_all_threads(grace=5)
        report(
            "closed", completed=len(closed.completed), failed=[*closed.timed_out, *closed.failed]
        )


def _ways(spec: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [
        *(("resume", path) for path in spec["resume"]),
        *(("fork", path) for path in spec["fork"]),
        *(("start", None) for _ in range(spec["new"])),
    ]


@attrs.define(eq=False)
class _Talk:
    """One thread of the worker, and who talks to it."""

    supervisor: Supervisor
    spec: dict[str, Any]
    name: str
    report: Report
    chance: Random = attrs.field(init=False)
    said: int = 0

    def __attrs_post_init__(self) -> None:
        self.chance = Random(f"{self.spec['seed']} {self.name}")

    @property
    def _config(self) -> ThreadConfig:
        return ThreadConfig(
            cwd=self.spec["home"],
            approval_policy=AskForApproval.NEVER,
            sandbox_policy=DangerFullAccess(),
            base_instructions="Answer.",
        )

    async def run(self, way: str, path: str | None) -> None:
        thread = await self._open(way, path)
        while self.spec["turns"] is None or self.said < self.spec["turns"]:
            await self._turn(thread)
            if thread.rollout_path and self.chance.random() < 0.1:
                self.report("removing", path=thread.rollout_path)
                await self.supervisor.remove_thread(thread.thread_id)
                thread = await self._open("resume", thread.rollout_path)

    async def _open(self, way: str, path: str | None) -> Thread:
        supervisor = self.supervisor
        self.report(f"{way}...", path=path)
        match way, path:
            case "resume", str():
                new = await supervisor.resume_thread_from_rollout(self._config, path)
            case "fork", str():
                new = await supervisor.fork_thread(None, self._config, path)
            case _:
                new = await supervisor.start_thread(self._config)
        messages = new.session_configured.initial_messages or ()
        self.report(
            way,
            path=new.thread.rollout_path,
            source=path,
            thread=new.thread_id,
            started=[m.turn_id for m in messages if isinstance(m, TurnStarted)],
            ended=[m.turn_id for m in messages if isinstance(m, TurnComplete | TurnAborted)],
        )
        return new.thread

    async def _turn(self, thread: Thread) -> None:
        self.said += 1
        kind = self.chance.choice(("chat", "chat", "note", "note", "hang"))
        if kind == "hang" and not self.spec["tools"]:
            kind = "chat"
        text = f"{kind} {self.name}-{self.said}"
        turn_id = await thread.submit(UserInput(items=(TextInput(text=text),)))
        fields = {"path": thread.rollout_path, "turn": turn_id, "text": text}
        self.report("input", **fields)
        while True:
            event = await thread.next_event()
            assert isinstance(event, Event), event
            match event.msg:
                case ExecCommandBegin():
                    self.report("running", **fields)
                    await trio.sleep(self.chance.uniform(0, 0.05))
                    await thread.submit(Interrupt())
                case TurnComplete(last_agent_message=answer):
                    self.report("ended", end="complete", answer=answer, **fields)
                    return
                case TurnAborted():
                    self.report("ended", end="aborted", answer=None, **fields)
                    return
                case _:
                    pass
