"""Scripts about commands, patches and the client's own tools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from tests.interop.alike.client import Client
from tests.interop.alike.playing import Group, Script
from tests.interop.app_server import JsonObject, RpcError, ServerRequest
from tests.interop.mock_responses import (
    Part,
    RecordedRequest,
    Reply,
    answer,
    custom_tool_call,
    function_call,
    text_message,
)

__all__ = ["TOOLS"]

TOOLS: Final = Group("tools")

_ADD: Final = "*** Begin Patch\n*** Add File: new.txt\n+hello\n+you\n*** End Patch"
_CHANGE: Final = """\
*** Begin Patch
*** Update File: old.txt
@@
 one
-two
+2
 three
*** Update File: moved.txt
*** Move to: there.txt
@@
-a
+b
*** Delete File: gone.txt
*** End Patch"""
_WRONG: Final = "*** Begin Patch\n*** Update File: old.txt\n@@\n-nowhere\n+2\n*** End Patch"
_NO_PATCH: Final = "*** Begin Patch\n*** Nothing: x\n*** End Patch"


def _command(text: str, call_id: str = "c1", **more: Any) -> Part:
    return function_call("exec_command", {"cmd": text, **more}, call_id=call_id)


def _deciding(*decisions: object) -> tuple[Any, list[JsonObject]]:
    """Answer questions with these, one by one; an error for an exception."""
    left, asked = list(decisions), []

    async def decide(request: ServerRequest) -> JsonObject:
        asked.append(request.params)
        decision = left.pop(0)
        if isinstance(decision, RpcError):
            raise decision
        return {"decision": decision}

    return decide, asked


# Commands -------------------------------------------------------------------


@TOOLS.case()
async def commands(client: Client) -> None:
    """One that ends well, one that fails, one that is not there, in a thread that asks nobody."""
    client.model_says(
        answer(_command("echo hi; ls", "c1")),
        answer(_command("echo no >&2; exit 3", "c2")),
        answer(_command("no-such-program-anywhere", "c3")),
        answer(function_call("shell_command", {"command": "echo shell"}, call_id="c4")),
        answer(text_message("done")),
    )
    await client.turn(await client.start())


@TOOLS.case()
async def command_parts(client: Client) -> None:
    """What a command does is told in parts, where it can be read."""
    (client.project / "a.txt").write_text("one\n")
    client.model_says(
        answer(_command("cat a.txt", "c1")),
        answer(_command("ls -la", "c2")),
        answer(_command("rg -n one a.txt", "c3")),
        answer(_command("cd . && sed -n 1,2p a.txt | head -3", "c4")),
        answer(text_message("done")),
    )
    await client.turn(await client.start())


@TOOLS.case()
async def commands_beside_each_other(client: Client) -> None:
    """Two calls in one answer."""
    client.model_says(
        answer(_command("echo first", "c1"), _command("echo second", "c2")),
        answer(text_message("done")),
    )
    await client.turn(await client.start())


@TOOLS.case()
async def calls_that_cannot_be(client: Client) -> None:
    """The model hears of it; clients hear nothing."""
    client.model_says(
        answer(function_call("no_such_tool", {}, call_id="c1")),
        answer(function_call("exec_command", "{broken", call_id="c2")),
        answer(text_message("done")),
    )
    await client.turn(await client.start())


def _written(request: RecordedRequest) -> Reply:
    """Write to the command that the last output is of."""
    [session] = re.findall(r"session ID (\d+)", request.json["input"][-1]["output"])
    arguments = {"session_id": int(session), "chars": "hello\n", "yield_time_ms": 2000}
    return answer(function_call("write_stdin", arguments, call_id="c2"))


@TOOLS.case()
async def command_that_lasts(client: Client) -> None:
    """It goes on behind the call, is written to, and its end is told when it comes."""
    call = _command("read x; echo got $x", "c1", yield_time_ms=250, tty=True)
    client.model_says(answer(call), _written, answer(text_message("done")))
    await client.turn(await client.start())


def _asked(*decisions: object, calls: int = 1) -> Script:
    async def play(client: Client) -> None:
        client.answer, _ = _deciding(*decisions)
        client.model_says(
            *(answer(_command("touch x; echo made", f"c{n}")) for n in range(1, calls + 1)),
            answer(text_message("done")),
        )
        thread_id = await client.start(approvalPolicy="untrusted", persistExtendedHistory=True)
        await client.turn(thread_id)
        await client.ask("thread/read", threadId=thread_id, includeTurns=True)

    return play


TOOLS.add("command_accepted", _asked("accept"))
TOOLS.add("command_accepted_for_session", _asked("acceptForSession", calls=2))
TOOLS.add("command_declined", _asked("decline"))
TOOLS.add("command_cancelled", _asked("cancel"))
TOOLS.add("command_answered_with_nonsense", _asked({"perhaps": True}))
TOOLS.add("command_answered_with_an_error", _asked(RpcError(-32000, "no client")))


@TOOLS.case()
async def command_asks_to_leave_the_sandbox(client: Client) -> None:
    """The model's reason and the rule that it proposes reach the client."""
    client.answer, _ = _deciding("decline")
    call = _command(
        "touch x",
        sandbox_permissions="require_escalated",
        justification="May I?",
        prefix_rule=["touch"],
    )
    client.model_says(answer(call), answer(text_message("done")))
    await client.turn(await client.start(approvalPolicy="on-request", sandbox="read-only"))


@TOOLS.case()
async def command_exec(client: Client) -> None:
    """Commands of the client's own."""
    here = str(client.project)
    await client.try_(
        "command/exec", command=["sh", "-c", "echo hi; echo no >&2; exit 3"], cwd=here
    )
    await client.try_("command/exec", command=[])
    await client.try_("command/exec", command=["no-such-program-anywhere"])
    await client.try_("command/exec", command=["sleep", "9"], timeoutMs=50)


# Patches --------------------------------------------------------------------


def _patched(patch: str, *decisions: object, calls: int = 1, **params: Any) -> Script:
    async def play(client: Client) -> None:
        for name, text in (
            ("old.txt", "one\ntwo\nthree\n"),
            ("moved.txt", "a\n"),
            ("gone.txt", ""),
        ):
            (client.project / name).write_text(text)
        client.answer, _ = _deciding(*decisions)
        client.model_says(
            *(
                answer(custom_tool_call("apply_patch", patch, call_id=f"p{n}"))
                for n in range(1, calls + 1)
            ),
            answer(text_message("done")),
        )
        thread_id = await client.start(persistExtendedHistory=True, **params)
        await client.turn(thread_id)
        await client.ask("thread/read", threadId=thread_id, includeTurns=True)

    return play


_ASKING: Final = {"approvalPolicy": "untrusted"}
TOOLS.add("patch_applied", _patched(_CHANGE))
TOOLS.add("patch_accepted", _patched(_ADD, "accept", **_ASKING))
TOOLS.add("patch_accepted_for_session", _patched(_ADD, "acceptForSession", calls=2, **_ASKING))
TOOLS.add("patch_declined", _patched(_ADD, "decline", **_ASKING))
TOOLS.add("patch_cancelled", _patched(_ADD, "cancel", **_ASKING))
TOOLS.add("patch_answered_with_nonsense", _patched(_ADD, 7, **_ASKING))
TOOLS.add("patch_does_not_fit", _patched(_WRONG))
TOOLS.add("patch_is_none", _patched(_NO_PATCH))


@TOOLS.case()
async def patch_in_a_command(client: Client) -> None:
    """A patch that is called like a program is told as a patch."""
    text = f"apply_patch <<'EOF'\n{_ADD}\nEOF\n"
    client.model_says(answer(_command(text)), answer(text_message("done")))
    await client.turn(await client.start())


# Tools of the client --------------------------------------------------------

_TOOL: Final = {
    "name": "weather",
    "description": "Says how the weather is.",
    "inputSchema": {
        "type": "object",
        "properties": {"town": {"type": "string"}},
        "required": ["town"],
        "additionalProperties": False,
    },
}
_TEXT: Final = [{"type": "inputText", "text": "rain"}]
_PICTURE: Final = {"type": "inputImage", "imageUrl": "data:image/png;base64,AAAA"}


def _called(*answers: object) -> Script:
    async def play(client: Client) -> None:
        left = list(answers)

        async def give(request: ServerRequest) -> Any:
            said = left.pop(0)
            if isinstance(said, RpcError):
                raise said
            return said

        client.answer = give
        client.model_says(
            *(
                answer(function_call("weather", {"town": "Ulm"}, call_id=f"d{n}"))
                for n, _ in enumerate(answers, 1)
            ),
            answer(text_message("wet")),
        )
        thread_id = await client.start(dynamicTools=[_TOOL], persistExtendedHistory=True)
        await client.turn(thread_id)
        await client.ask("thread/read", threadId=thread_id, includeTurns=True)

    return play


TOOLS.add("dynamic_tool", _called({"contentItems": _TEXT, "success": True}))
TOOLS.add(
    "dynamic_tool_with_a_picture", _called({"contentItems": [*_TEXT, _PICTURE], "success": True})
)
TOOLS.add("dynamic_tool_without_success", _called({"contentItems": _TEXT, "success": False}))
TOOLS.add("dynamic_tool_says_nothing", _called({"contentItems": [], "success": True}))
TOOLS.add("dynamic_tool_answers_nonsense", _called({"rain": True}))
TOOLS.add("dynamic_tool_answers_with_an_error", _called(RpcError(-32000, "no")))


def _tools(*names: str) -> Sequence[JsonObject]:
    return [{**_TOOL, "name": name} for name in names]


@TOOLS.case()
async def dynamic_tools_that_cannot_be(client: Client) -> None:
    """Names and schemas that are refused."""
    for tools in (
        _tools(""),
        _tools(" weather"),
        _tools("mcp"),
        _tools("mcp__x"),
        _tools("weather", "weather"),
        [{"name": "weather"}],
        [{**_TOOL, "inputSchema": {"type": "null"}}],
    ):
        await client.try_("thread/start", cwd=str(client.project), dynamicTools=tools)
