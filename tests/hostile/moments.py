"""Moments at which a turn may be stopped, one or more of every tool."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs
from trio.testing import wait_all_tasks_blocked

from actors.models import SCRIPTED_MODEL, ItemAdded, TextDelta
from messages.events import (
    ApplyPatchApprovalRequest,
    CollabWaitingBegin,
    DynamicToolCallRequest,
    EventMsg,
    ExecApprovalRequest,
    ExecCommandBegin,
    ExecCommandOutputDelta,
    McpToolCallBegin,
    RequestUserInput,
    TurnStarted,
)
from messages.items import Message, ResponseItem
from messages.ops import Compact
from messages.settings import (
    AskForApproval,
    CollaborationMode,
    CollaborationSettings,
    DynamicToolSpec,
    ModeKind,
    ReadOnly,
)
from messages.tool_settings import ToolFeatures

from .arena import Arena, call, exec_command, patch, plain_mcp, session_of, shell

COOPERATIVE: Final = 0.25
"""Seconds from the interrupt to the terminal event, where everything stops when it is told."""

REGARDLESS: Final = 1.25
"""Seconds where it does not: SIGTERM, 0.25 s, SIGKILL, and what that may take."""

DEAF: Final = "trap '' TERM; echo up; while :; do sleep 0.05; done"
DEAF_TERMINAL: Final = "trap '' TERM HUP; echo up; while :; do sleep 0.05; done"

OWN_TOOL: Final = DynamicToolSpec(
    name="own", description="The client's own.", input_schema={"type": "object"}
)
PLANNING: Final = CollaborationMode(
    mode=ModeKind.PLAN, settings=CollaborationSettings(model=SCRIPTED_MODEL)
)
AGENTS: Final = ToolFeatures(collab=True)

QUESTION: Final = {
    "id": "q",
    "header": "h",
    "question": "?",
    "options": [{"label": "yes", "description": "do it"}],
}

_ASKING: Final = {"approval_policy": AskForApproval.UNTRUSTED, "sandbox_policy": ReadOnly()}

Begin: TypeAlias = Callable[[Arena], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Moment:
    """
    Attributes:
        begin: Lets a turn come to it.
        within: Seconds in which an interrupt has to end the turn.
        settings: What the thread needs for it.
        processes: Whether real processes are involved, so that no clock stands still.
    """

    begin: Begin
    within: float = COOPERATIVE
    settings: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    processes: bool = False


def _asking(item: ResponseItem, event: type[EventMsg], **settings: Any) -> Moment:
    """Build the moment when a call has asked somebody who does not answer."""

    async def begin(arena: Arena) -> None:
        await arena.start_calls(item)
        await arena.wait_for(event)

    return Moment(begin=begin, settings=settings)


def _running(
    item: ResponseItem, *earlier: ResponseItem, within: float = COOPERATIVE, **settings: Any
) -> Moment:
    """Build the moment when a command runs, and others that earlier turns left running."""

    async def begin(arena: Arena) -> None:
        for one in earlier:
            await arena.answer(one)
        await arena.start_calls(item)
        await arena.wait_for(ExecCommandBegin, 2 + len(earlier))
        while {msg.call_id for msg in arena.of(ExecCommandOutputDelta)} < _commands(arena):
            await arena.changed.wait()

    return Moment(begin=begin, within=within, settings=settings, processes=True)


def _commands(arena: Arena) -> set[str]:
    return {msg.call_id for msg in arena.of(ExecCommandBegin)} - {"first"}


def _at_stdin(script: str, **typed: Any) -> Moment:
    """Build the moment when a call waits for a process that an earlier one left running."""

    async def begin(arena: Arena) -> None:
        left = exec_command(script, "s", tty=True, yield_time_ms=250)
        session = session_of(await arena.answer(left))
        await arena.start_calls(call("write_stdin", {"session_id": session, **typed}))
        await wait_all_tasks_blocked(0.01)

    return Moment(begin=begin, processes=True)


async def _waiting_for_agent(arena: Arena) -> None:
    await arena.answer(call("spawn_agent", {"message": "work"}))
    agent_id = (await arena.agent_request()).request.prompt_cache_key
    await arena.start_calls(call("wait", {"ids": [agent_id], "timeout_ms": 300_000}))
    await arena.wait_for(CollabWaitingBegin)


async def _model_silent(arena: Arena) -> None:
    await arena.say("hi")
    await arena.request()


async def _model_stalled(arena: Arena) -> None:
    await arena.say("hi")
    half = Message(role="assistant", content=(), id="m")
    (await arena.request()).give(ItemAdded(half), TextDelta("a"))
    await wait_all_tasks_blocked()


async def _compacting(arena: Arena) -> None:
    turns = len(arena.of(TurnStarted))
    await arena.do(Compact())
    await arena.request()
    await arena.wait_for(TurnStarted, turns + 1)


async def _mcp_hanging(arena: Arena) -> None:
    await arena.start_calls(call("mcp__a__hang"))
    await arena.wait_for(McpToolCallBegin)
    await wait_all_tasks_blocked(0.01)


async def _mcp_starting(arena: Arena) -> None:
    turns = len(arena.of(TurnStarted))
    await arena.say("hi")
    await arena.wait_for(TurnStarted, turns + 1)
    await wait_all_tasks_blocked(0.01)


_LEFT_RUNNING: Final = tuple(
    exec_command("echo up; sleep 60", name, yield_time_ms=250) for name in ("one", "two")
)

MOMENTS: Final[Mapping[str, Moment]] = {
    "model, silent": Moment(begin=_model_silent),
    "model, stalled": Moment(begin=_model_stalled),
    "compaction": Moment(begin=_compacting),
    "apply_patch, unanswered": _asking(
        patch("*** Add File: a", "+a"), ApplyPatchApprovalRequest, **_ASKING
    ),
    "shell, unanswered": _asking(shell("rm -rf /nowhere"), ExecApprovalRequest, **_ASKING),
    "exec_command, unanswered": _asking(
        exec_command("rm -rf /nowhere"), ExecApprovalRequest, **_ASKING
    ),
    "request_user_input": _asking(
        call("request_user_input", {"questions": [QUESTION]}),
        RequestUserInput,
        collaboration_mode=PLANNING,
    ),
    "dynamic tool": _asking(call("own"), DynamicToolCallRequest, dynamic_tools=[OWN_TOOL]),
    "wait for an agent": Moment(begin=_waiting_for_agent, settings={"features": AGENTS}),
    "shell": _running(shell("echo up; sleep 60")),
    "shell, deaf to SIGTERM": _running(shell(DEAF), within=REGARDLESS),
    "exec_command": _running(exec_command("echo up; sleep 60")),
    "exec_command, deaf to SIGTERM": _running(
        exec_command(DEAF_TERMINAL, tty=True), within=REGARDLESS
    ),
    "exec_command, beside two of earlier turns": _running(
        exec_command("echo up; sleep 60"), *_LEFT_RUNNING
    ),
    "write_stdin, looking": _at_stdin("echo up; sleep 60"),
    "write_stdin, typing what nobody reads": _at_stdin(
        "stty raw -echo; echo up; sleep 60", chars="x" * 1_000_000
    ),
    "MCP tool": Moment(
        begin=_mcp_hanging, settings={"mcp_servers": {"a": plain_mcp()}}, processes=True
    ),
    "MCP server that starts": Moment(
        begin=_mcp_starting,
        settings={"mcp_servers": {"a": plain_mcp("mute")}, "usual": False},
        processes=True,
    ),
}
