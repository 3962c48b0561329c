"""MCP servers over the app-server."""

import sys
from pathlib import Path

import pytest

from .app_stage import open_app

_PLAIN = Path(__file__).parents[1] / "tools" / "mcp" / "servers" / "plain.py"
# Far more time than it takes, for machines that are busy, and all of it is waited for.
SERVER = (
    f'command = "{sys.executable}"\nargs = ["-I", "-S", "{_PLAIN}", "usual"]\n'
    "startup_timeout_sec = 100\nrequired = true\n"
)
LIST = "mcpServerStatus/list"
ELICIT = "mcpServer/elicitation/request"


@pytest.mark.slow
async def test_servers_are_listed_as_a_thread_has_them(tmp_path: Path) -> None:
    """Or as they are configured now; one of them, and without what is not wanted."""
    async with open_app(tmp_path, config=f"[mcp_servers.one]\n{SERVER}") as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        (stage.home / "config.toml").write_text(f"[mcp_servers.two]\n{SERVER}")
        own = await client.ask(LIST, threadId=thread_id, detail="toolsAndAuthOnly")
        configured = await client.ask(LIST, serverName="two")
        neither = await client.ask(LIST, threadId=thread_id, serverName="two")
        unknown = await client.refused(LIST, threadId="00000000-0000-7000-8000-000000000000")
        far = await client.refused(LIST, threadId=thread_id, cursor="5")

    [status] = own["data"]
    assert status["name"] == "one"
    assert "echo" in status["tools"]
    assert status["resources"] == []
    assert [status["name"] for status in configured["data"]] == ["two"]
    assert neither == {"data": [], "nextCursor": None}
    assert unknown[1].startswith("thread not found: ")
    assert far[1] == "cursor 5 exceeds total MCP servers 1"


@pytest.mark.slow
async def test_loaded_threads_take_up_other_servers_when_asked_to(tmp_path: Path) -> None:
    """From their next turn on; written and taken up in one request."""
    edit = {"keyPath": "mcp_servers.two", "mergeStrategy": "replace"}
    value = {
        "command": sys.executable,
        "args": ["-I", "-S", str(_PLAIN), "usual"],
        "startup_timeout_sec": 100,
        "required": True,
    }
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        for reload in (False, True):
            await client.ask(
                "config/batchWrite", edits=[{**edit, "value": value}], reloadUserConfig=reload
            )
            turn_id = await client.start_turn(thread_id)
            response = await stage.model.next_request()
            response.say("x").complete()
            await client.completed(turn_id)
            assert ("mcp__two__echo" in str(response.request.tools)) is reload


@pytest.mark.slow
@pytest.mark.parametrize(
    ("result", "action"),
    [
        ({"action": "accept", "content": {}, "_meta": None}, "accept"),
        ({"action": "cancel"}, "cancel"),
        ({"action": "perhaps"}, "decline"),
    ],
)
async def test_what_a_server_asks_goes_to_clients_and_back(
    tmp_path: Path, result: object, action: str
) -> None:
    """An answer that cannot be read is a no."""
    async with open_app(tmp_path, config=f"[mcp_servers.one]\n{SERVER}") as stage:
        client = await stage.connect()
        thread_id = await client.start_thread(approvalPolicy="never", sandbox="danger-full-access")
        turn_id = await client.start_turn(thread_id)
        response = await stage.model.next_request()
        response.call("mcp__one__ask", {}, call_id="c1").complete()
        request = await client.asked(ELICIT)
        client.answer(request, result)
        resolved = await client.notified("serverRequest/resolved")
        response = await stage.model.next_request()
        response.say("done").complete()
        await client.completed(turn_id)

    assert request["params"] == {
        "threadId": thread_id,
        "turnId": turn_id,
        "serverName": "one",
        "mode": "form",
        "message": "question 0",
        "requestedSchema": {"type": "object", "properties": {}},
        "_meta": None,
    }
    assert resolved == {"threadId": thread_id, "requestId": request["id"]}
    assert action in str(response.request.input[-1])


async def test_feedback_is_sent_to_nobody(tmp_path: Path) -> None:
    """As where the configuration forbids it."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        refused = await client.refused("feedback/upload", classification="bug", includeLogs=False)
        unread = await client.refused("feedback/upload")

    assert refused == (-32600, "sending feedback is disabled by configuration")
    assert unread[1].startswith("Invalid request: ")
