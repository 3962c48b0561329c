"""A whole thread with the real tools, and a model, played by the test, that means no good."""

import json
import re
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.config import ThreadConfig
from actors.models import ItemDone
from actors.rollout import load_rollout
from actors.runtime import Lagged
from actors.testing import ManualModel, ManualResponse, open_test_supervisor
from messages.content import InputText
from messages.events import (
    CollabAgentInteractionBegin,
    CollabAgentInteractionEnd,
    CollabAgentSpawnBegin,
    CollabAgentSpawnEnd,
    CollabCloseBegin,
    CollabCloseEnd,
    CollabResumeBegin,
    CollabResumeEnd,
    CollabWaitingBegin,
    CollabWaitingEnd,
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    McpStartupComplete,
    McpToolCallBegin,
    McpToolCallEnd,
    PatchApplyBegin,
    PatchApplyEnd,
    TurnAborted,
    TurnComplete,
    TurnStarted,
)
from messages.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    FunctionOutput,
    LocalShellCall,
    Message,
    ResponseItem,
)
from messages.ops import Interrupt
from messages.settings import AskForApproval, DangerFullAccess, DynamicToolSpec
from messages.tool_settings import McpServerConfig, McpStdio
from messages.value import Json

from .. import leaks
from ..thread.stage import TURN_ENDS, Stage

BEGINS_AND_ENDS = (
    (ExecCommandBegin, ExecCommandEnd),
    (PatchApplyBegin, PatchApplyEnd),
    (McpToolCallBegin, McpToolCallEnd),
    (CollabAgentSpawnBegin, CollabAgentSpawnEnd),
    (CollabAgentInteractionBegin, CollabAgentInteractionEnd),
    (CollabWaitingBegin, CollabWaitingEnd),
    (CollabCloseBegin, CollabCloseEnd),
    (CollabResumeBegin, CollabResumeEnd),
)
"""What is told once at the beginning of something and once at its end."""

CALLS = (FunctionCall, CustomToolCall, LocalShellCall)
OUTPUTS = (FunctionCallOutput, CustomToolCallOutput)

_PLAIN_MCP = Path(__file__).parents[1] / "tools" / "mcp" / "servers" / "plain.py"

SOON = 30.0
"""
Seconds in which a turn of one call has to be over, on a machine that is very busy.

It takes milliseconds; what hangs does so for longer than this.
"""


def call(tool: str, arguments: Json = None, call_id: str = "c") -> FunctionCall:
    """Call a function; text goes to the tool as it is, everything else as JSON."""
    if not isinstance(arguments, str):
        arguments = json.dumps({} if arguments is None else arguments)
    return FunctionCall(name=tool, arguments=arguments, call_id=call_id)


def custom(tool: str, text: str, call_id: str = "c") -> CustomToolCall:
    return CustomToolCall(name=tool, input=text, call_id=call_id)


def patch(*lines: str, call_id: str = "c") -> CustomToolCall:
    text = "\n".join(["*** Begin Patch", *lines, "*** End Patch"])
    return custom("apply_patch", text, call_id)


def shell(script: str, call_id: str = "c", **arguments: Json) -> FunctionCall:
    return call("shell", {"command": ["bash", "-c", script], **arguments}, call_id)


def exec_command(script: str, call_id: str = "c", **arguments: Json) -> FunctionCall:
    """Start a process; not in a login shell, whose profile may be slow."""
    return call("exec_command", {"cmd": script, "login": False, **arguments}, call_id)


def session_of(answer: str) -> int:
    """Read the id of a process that goes on."""
    found = re.search(r"session ID (\d+)", answer)
    assert found is not None, answer
    return int(found[1])


def plain_mcp(mode: str = "usual", **settings: Any) -> McpServerConfig:
    """Configure an MCP server by hand, in one of its modes."""
    stdio = McpStdio(command=sys.executable, args=("-I", "-S", str(_PLAIN_MCP), mode))
    return McpServerConfig(transport=stdio, **settings)


@attrs.define(eq=False)
class Arena(Stage):
    """
    One thread, and everything that it told.

    Attributes:
        told: The events, oldest first.
        of_agents: What its agents asked their models meanwhile.
        quiet: The processes and descriptors when nothing ran; None to let the end of the
            test look for what is left.
    """

    told: list[EventMsg] = attrs.field(factory=list)
    changed: trio.Event = attrs.field(factory=trio.Event)
    of_agents: list[ManualResponse] = attrs.field(factory=list)
    quiet: leaks.Snapshot | None = None

    # What the test sees ---------------------------------------------------

    def of(self, *kinds: type[Any]) -> list[Any]:
        return [msg for msg in self.told if isinstance(msg, kinds)]

    async def wait_for(self, kind: type[Any], count: int = 1) -> Any:
        """Wait until so many events of a kind were told; return the last of these."""
        while len(self.of(kind)) < count:
            await self.changed.wait()
        return self.of(kind)[count - 1]

    async def wait_end(self) -> EventMsg:
        """Wait until every turn that was begun has ended; return the last end."""
        while not self.of(TurnStarted) or len(self.of(*TURN_ENDS)) < len(self.of(TurnStarted)):
            await self.changed.wait()
        return self.of(*TURN_ENDS)[-1]

    async def wait_commands(self) -> None:
        """Wait until every command has told its end, also those that earlier turns left."""
        with trio.fail_after(SOON):
            while len(self.of(ExecCommandEnd)) < len(self.of(ExecCommandBegin)):
                await self.changed.wait()

    async def collect(self) -> None:
        """Read every event, for as long as the thread lives."""
        async for event in self.thread.events():
            assert not isinstance(event, Lagged), f"{event.missed} events were lost"
            self.told.append(event.msg)
            self.changed.set()
            self.changed = trio.Event()

    # What the model does --------------------------------------------------

    async def request(self) -> ManualResponse:
        """Wait for the thread to ask its model; what its agents ask stays for later."""
        while True:
            response = await self.model.next_request()
            if response.request.prompt_cache_key == self.thread.thread_id:
                return response
            self.of_agents.append(response)

    async def agent_request(self) -> ManualResponse:
        """Wait for the next request of an agent of the thread."""
        if self.of_agents:
            return self.of_agents.pop(0)
        response = await self.model.next_request()
        assert response.request.prompt_cache_key != self.thread.thread_id
        return response

    async def start_calls(self, *items: ResponseItem) -> None:
        """Begin a turn whose first response is these calls."""
        await self.say("hi")
        (await self.request()).give(*map(ItemDone, items)).complete()

    async def outputs(self) -> list[str]:
        """Wait until all calls are answered, end the turn, and return the answers."""
        response = await self.request()
        answers = answers_since_input(response.request.input)
        response.say("done").complete()
        await self.wait_end()
        return answers

    async def turn(self, *items: ResponseItem, within: float = SOON) -> list[str]:
        """Run a turn with these calls in one response; return what the model reads of each."""
        with trio.fail_after(within):
            await self.start_calls(*items)
            return await self.outputs()

    async def answer(self, item: ResponseItem, within: float = SOON) -> str:
        """Run a turn with one call; return what the model reads of it."""
        [answer] = await self.turn(item, within=within)
        return answer

    async def interrupt(self, within: float = SOON) -> list[str]:
        """Stop the running turn; return what the model reads of its calls in the next one."""
        with trio.fail_after(within):
            await self.do(Interrupt())
            assert isinstance(await self.wait_end(), TurnAborted)
        return await self.answers_of_last()

    async def answers_of_last(self) -> list[str]:
        """Return what the model reads in the next turn of the calls of the last one."""
        items = await self.usual_turn()
        return answers_since_input(items[:-1])  # without what the user says now

    async def usual_turn(self) -> Sequence[ResponseItem]:
        """Run a turn without calls; return what the model was told."""
        with trio.fail_after(SOON):
            await self.say("still there?")
            response = await self.request()
            response.say("yes").complete()
            ended = await self.wait_end()
        assert isinstance(ended, TurnComplete)
        assert ended.last_agent_message == "yes"
        return response.request.input

    # What holds afterwards ------------------------------------------------

    async def check(self, *, usual: bool) -> Sequence[ResponseItem]:
        """
        Check that nothing is left, all has ended, and the thread goes on as usual.

        Returns:
            What the model was told in the last turn.
        """
        last: Sequence[ResponseItem] = ()
        if self.quiet is not None:
            # In an OS thread: what is left may go when the loop runs on.
            left = await trio.to_thread.run_sync(leaks.left_since, self.quiet)
            assert not left, "\n".join(left)
        if usual:
            last = await self.usual_turn()
        check_pairs(last)
        self._check_ends()
        assert self.thread.rollout_path is not None
        loaded = load_rollout(Path(self.thread.rollout_path))
        assert (loaded.damaged, loaded.torn_tail_offset) == ((), None)
        check_pairs(loaded.items)
        return last

    async def resume(self, config: ThreadConfig) -> None:
        """End the thread, and let it go on from its file."""
        path = self.thread.rollout_path
        assert path is not None
        await self.supervisor.remove_thread(self.thread.thread_id)
        self.new = await self.supervisor.resume_thread_from_rollout(config, path)

    def _check_ends(self) -> None:
        for begin, end in BEGINS_AND_ENDS:
            running: Counter[str] = Counter()
            for msg in self.of(begin, end):
                running[msg.call_id] += 1 if isinstance(msg, begin) else -1
                assert running[msg.call_id] >= 0, f"an end without a beginning: {msg}"
            assert not +running, f"{begin.__name__} without an end: {+running}"
        turns = [msg.turn_id for msg in self.of(TurnStarted)]
        assert [msg.turn_id for msg in self.of(*TURN_ENDS)] == turns


def answers_since_input(items: Iterable[ResponseItem]) -> list[str]:
    """The answers to calls behind the last input of the user's, in their order."""
    answers: list[str] = []
    for item in items:
        if isinstance(item, OUTPUTS):
            answers.append(text_of(item.output))
        elif getattr(item, "role", None) == "user" and not _joined(item):
            answers = []
    return answers


def _joined(item: Any) -> bool:
    """Whether a message joined a running turn: a warning of ours, an image, a mark."""
    text = "".join(getattr(part, "text", "") for part in item.content)
    return text.startswith(("Warning:", "<image", "<turn_aborted>"))


def text_of_message(item: ResponseItem) -> str:
    """The texts of a message, one below the other."""
    assert isinstance(item, Message)
    return "\n".join(getattr(part, "text", "") for part in item.content)


def text_of(output: FunctionOutput) -> str:
    if isinstance(output, str):
        return output
    return "\n".join(part.text if isinstance(part, InputText) else "<image>" for part in output)


def check_pairs(items: Iterable[object]) -> None:
    """Check that each call has one answer behind it, and each answer a call before it."""
    waiting: Counter[str] = Counter()
    nameless = 0
    for item in items:
        if isinstance(item, LocalShellCall) and item.call_id is None:
            nameless += 1  # no request can answer it
        elif isinstance(item, CALLS):
            waiting[item.call_id] += 1
        elif isinstance(item, OUTPUTS) and not item.call_id and nameless:
            nameless -= 1
        elif isinstance(item, OUTPUTS):
            waiting[item.call_id] -= 1
            assert waiting[item.call_id] >= 0, f"an answer without a call: {item}"
    assert not +waiting, f"calls without an answer: {+waiting}"


@asynccontextmanager
async def open_arena(
    cwd: Path,
    *,
    processes: bool = False,
    usual: bool = True,
    resumes: bool = False,
    dynamic_tools: Sequence[DynamicToolSpec] = (),
    **settings: Any,
) -> AsyncGenerator[Arena]:
    """
    Start a thread with all the real tools; afterwards check what always holds.

    Args:
        processes: Whether the test runs commands; what starts them is there then.
        usual: Whether the thread can run turns at all.
        resumes: Whether to go on from the file at the end, with all that the model knew.
        settings: Of the thread, beside the working directory; everything is allowed.
    """
    everything = {"approval_policy": AskForApproval.NEVER, "sandbox_policy": DangerFullAccess()}
    config = ThreadConfig(cwd=str(cwd), **{**everything, **settings})
    model = ManualModel()
    async with open_test_supervisor(provider=model) as supervisor:
        new = await supervisor.start_thread(config, dynamic_tools=dynamic_tools)
        arena = Arena(supervisor, model, new)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(arena.collect)
            if processes:
                await arena.answer(call("shell", {"command": ["true"]}, "first"))
            elif usual:
                await arena.usual_turn()
            if usual and config.mcp_servers:
                with trio.fail_after(20):  # the first time, much is imported
                    await arena.wait_for(McpStartupComplete)
            if usual:
                arena.quiet = leaks.look()
            yield arena
            before = await arena.check(usual=usual)
            nursery.cancel_scope.cancel()
        if resumes:
            await arena.resume(config)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(arena.collect)
                assert (await arena.usual_turn())[: len(before)] == before
                nursery.cancel_scope.cancel()
