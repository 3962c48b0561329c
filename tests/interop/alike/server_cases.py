"""Scripts about the server itself: handshakes, catalogues, and what is no request."""

from __future__ import annotations

from typing import Any, Final

from tests.interop.alike.client import Client
from tests.interop.alike.playing import Group
from tests.interop.mock_responses import answer, text_message

__all__ = ["SERVER"]

SERVER: Final = Group("server")

_NOBODY: Final = "01a1fad3-e9a3-77df-86ee-000000000000"
_CLIENT: Final = {"name": "treadle_interop", "title": None, "version": "1"}


# What there is --------------------------------------------------------------


@SERVER.case()
async def model_list(client: Client) -> None:
    """Page by page."""
    await client.ask("model/list", includeHidden=True)
    page = await client.ask("model/list", limit=2)
    await client.ask("model/list", limit=2, cursor=page["nextCursor"])
    await client.ask("model/list", limit=0)
    await client.try_("model/list", cursor="x")
    await client.try_("model/list", cursor="999")


@SERVER.case()
async def collaboration_modes(client: Client) -> None:
    """The presets."""
    await client.ask("collaborationMode/list")


@SERVER.case()
async def small_answers(client: Client) -> None:
    """What clients ask at their start."""
    await client.ask("account/read")
    await client.try_("account/rateLimits/read")
    await client.ask("mcpServerStatus/list")
    await client.ask("config/mcpServer/reload")
    await client.ask("app/list")
    await client.ask("configRequirements/read")
    await client.ask("mock/experimentalMethod", value="x")


@SERVER.case(own_server=True)
async def skills(client: Client) -> None:
    """Those of the user and of the project, switched off ones, what is wrong with others; and one in a turn."""
    for folder, name, text in (
        (client.home / "skills", "tidy", "---\nname: tidy\ndescription: Tidies up.\n---\nDo.\n"),
        (client.home / "skills", "broken", "no front matter"),
        (client.home / "skills", "nameless", "---\ndescription: What?\n---\nDo.\n"),
        (
            client.project / ".agents" / "skills",
            "ours",
            "---\nname: ours\ndescription: Of the project.\nmetadata:\n  short-description: Ours\n---\n",
        ),
    ):
        (folder / name).mkdir(parents=True)
        (folder / name / "SKILL.md").write_text(text)
    (client.project / ".git").mkdir()
    async with client.running():
        here = str(client.project)
        await client.ask("skills/list", cwds=[here])
        await client.ask("skills/list", cwds=[here, str(client.home)], forceReload=True)
        await client.try_(
            "skills/list",
            cwds=[here],
            perCwdExtraUserRoots=[{"cwd": here, "extraUserRoots": ["relative"]}],
        )
        client.model_says(answer(text_message("done")))
        thread_id = await client.start()
        path = str(client.home / "skills" / "tidy" / "SKILL.md")
        skill = {"type": "skill", "name": "tidy", "path": path}
        said = await client.ask(
            "turn/start", threadId=thread_id, input=[*client.text("use $tidy"), skill]
        )
        await client.turn_end(thread_id, said["turn"]["id"])


# Handshakes -----------------------------------------------------------------


@SERVER.case(own_server=True)
async def handshake(client: Client) -> None:
    """Nothing before it, nothing twice."""
    async with client.running(handshake=False):
        await client.try_("thread/start")
        await client.try_("no/such/method")
        await client.try_("thread/read")
        await client.try_("initialize")
        await client.ask("initialize", clientInfo=_CLIENT, capabilities={"experimentalApi": True})
        await client.server.notify("initialized")
        await client.try_("initialize", clientInfo=_CLIENT)
        await client.ask("thread/loaded/list")


@SERVER.case(own_server=True)
async def experimental_gate(client: Client) -> None:
    """What is experimental is for those who said so."""
    async with client.running(experimental=False):
        here = str(client.project)
        await client.try_("collaborationMode/list")
        await client.try_("thread/start", cwd=here, persistExtendedHistory=True)
        await client.try_("thread/start", cwd=here, persistExtendedHistory=False)
        await client.try_("thread/start", cwd=here, dynamicTools=[])
        await client.try_("thread/resume", threadId=_NOBODY, path="/x")
        await client.try_("mock/experimentalMethod")


@SERVER.case()
async def requests_that_are_none(client: Client) -> None:
    """Unknown methods, wrong params, in the words that clients know."""
    for method, params in (
        ("no/such/method", {}),
        ("thread/start", {"cwd": 7}),
        ("thread/start", {"dynamicTools": "none"}),
        ("thread/read", {}),
        ("thread/read", {"threadId": 7}),
        ("thread/read", {"threadId": _NOBODY, "includeTurns": "yes"}),
        ("turn/start", {"threadId": _NOBODY}),
        ("turn/start", {"threadId": _NOBODY, "input": [{"type": "song"}]}),
        ("turn/start", {"threadId": _NOBODY, "input": [{"type": "text"}]}),
        ("turn/start", {"threadId": _NOBODY, "input": [], "sandboxPolicy": {"type": "no"}}),
        ("turn/start", {"threadId": _NOBODY, "input": client.text("x")}),
        ("turn/start", {"threadId": "nobody", "input": client.text("x")}),
        ("turn/interrupt", {"threadId": _NOBODY, "turnId": "x"}),
        ("turn/steer", {"threadId": _NOBODY, "input": [], "expectedTurnId": "x"}),
        ("thread/rollback", {"threadId": _NOBODY, "numTurns": -1}),
        ("thread/rollback", {"threadId": _NOBODY, "numTurns": 1}),
        ("thread/compact/start", {"threadId": "nobody"}),
        ("thread/list", {"limit": -1}),
        ("thread/list", {"limit": "x"}),
        ("review/start", {"threadId": _NOBODY, "target": {"type": "custom", "instructions": ""}}),
        ("review/start", {"threadId": _NOBODY, "target": {"type": "moon"}}),
    ):
        await client.try_(method, **params)


@SERVER.case()
async def lines_that_are_none(client: Client) -> None:
    """Are passed over, and the next request is answered; ids come back as they were."""
    lines: tuple[bytes, ...] = (
        b"",
        b"rubbish",
        b"{",
        b"[]",
        b"7",
        b"null",
        b"{}",
        b'{"method": 7, "id": 1}',
        b'{"id": "nobody asked", "result": {}}',
        b'{"id": 999, "error": {"code": 1, "message": "x"}}',
        b'{"method": "no/such/notification"}',
        b'{"method": "thread/loaded/list", "id": null}',
        b'{"method": "thread/loaded/list", "id": 1.5}',
        b'{"method": "thread/loaded/list", "id": [1]}',
        b'[{"method": "thread/loaded/list", "id": 1}]',
    )
    for line in lines:
        await client.post(line)
    ids: tuple[Any, ...] = ("text", "", -7, 9007199254740993)
    for request_id in ids:
        await client.call({"method": "model/list", "id": request_id, "params": {"limit": 1}})
    await client.call({"method": "account/read", "id": "no params"})
    await client.call({"method": "account/read", "id": "null params", "params": None})
    await client.call({"method": "account/read", "id": "list", "params": []})
    await client.call({"method": "config/mcpServer/reload", "id": "none wanted"})
    await client.call({"jsonrpc": "2.0", "method": "model/list", "id": "v", "params": {"limit": 1}})
    await client.ask("model/list", limit=1)
