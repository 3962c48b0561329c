"""What tests of the session tools share: a gate that lets pass, and calls."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import trio

from actors.tools.command_gate import CommandRequest, Launch
from actors.tools.exec_command import ExecCommandTool
from actors.tools.exec_sessions import ExecSessions
from actors.tools.tool import ToolOutput
from actors.tools.write_stdin import WriteStdinTool

from .fake_context import FakeContext, function_call


@attrs.define(eq=False)
class OpenGate:
    """Lets everything pass, as it is; once more when `retry` says so."""

    requests: list[CommandRequest] = attrs.field(factory=list)
    retry: bool = False
    env_extra: dict[str, str] = attrs.field(factory=dict)
    before_return: Callable[[], Awaitable[object]] | None = None

    async def run(self, request: CommandRequest, context: Any, attempt: Any, *, denied: Any) -> Any:
        self.requests.append(request)
        launch = Launch(argv=request.argv, sandboxed=self.retry, env_extra=self.env_extra)
        result = await attempt(launch)
        if self.retry and denied(result):
            result = await attempt(attrs.evolve(launch, sandboxed=False, env_extra={}))
        if self.before_return is not None:
            await self.before_return()
        return result


@attrs.define(eq=False)
class Exec:
    """Both tools of one thread, and a turn."""

    context: FakeContext
    environ: dict[str, str]
    sessions: ExecSessions = attrs.field(factory=ExecSessions)
    gate: Any = attrs.field(factory=OpenGate)
    command: ExecCommandTool = attrs.field(init=False)
    stdin: WriteStdinTool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.command = ExecCommandTool(
            sessions=self.sessions, gate=self.gate, environ=self.environ, shell="/bin/sh"
        )
        self.stdin = WriteStdinTool(sessions=self.sessions, typing_patience=0.2)

    async def start(self, cmd: str, call_id: str = "call-1", **arguments: object) -> ToolOutput:
        arguments = {"login": False, **arguments}
        call = function_call("exec_command", call_id=call_id, cmd=cmd, **arguments)
        return await self.command.run(call, self.context)

    async def type(self, session_id: int, chars: str = "", **arguments: object) -> ToolOutput:
        call = function_call(
            "write_stdin", call_id="call-w", session_id=session_id, chars=chars, **arguments
        )
        return await self.stdin.run(call, self.context)

    async def start_lasting(self, cmd: str, until: str = "", **arguments: object) -> int:
        """Start what does not end in its call, and see that it writes this; give back its id."""
        output = await self.start(cmd, **{"yield_time_ms": 1, **arguments})
        number = session_id(output)
        if until not in body(output):
            await self.type_until(number, until)
        return number

    async def type_until(self, number: int, text: str, chars: str = "") -> str:
        """Type, then look until this was written."""
        seen = ""
        with trio.fail_after(10):
            while text not in seen:
                seen += body(await self.type(number, chars))
                chars = ""
        return seen


def session_id(output: ToolOutput) -> int:
    found = re.search(r"^Process running with session ID (\d+)$", str(output.output), re.MULTILINE)
    assert found is not None, output
    return int(found[1])


def exit_code(output: ToolOutput) -> int:
    found = re.search(r"^Process exited with code (-?\d+)$", str(output.output), re.MULTILINE)
    assert found is not None, output
    return int(found[1])


def body(output: ToolOutput) -> str:
    return str(output.output).partition("\nOutput:\n")[2]
