"""What a client can look up, and commands without a thread."""

import json
import sys
from pathlib import Path

import pytest

from .app_stage import open_app

_PLAIN = Path(__file__).parents[1] / "tools" / "mcp" / "servers" / "plain.py"

_SKILL = """\
---
name: {name}
description: Does {name}
---
Do it.
"""


async def test_models_are_listed_page_by_page(tmp_path: Path) -> None:
    """A cursor is a number; one that is none, or beyond the end, is refused."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        listed = await client.ask("model/list")
        page = await client.ask("model/list", limit=0)
        bad = await client.refused("model/list", cursor="x")
        far = await client.refused("model/list", cursor="9")

    [model] = listed["data"]
    assert model["isDefault"] is True
    assert page["data"] == listed["data"]
    assert bad == (-32600, "invalid cursor: x")
    assert far == (-32600, "cursor 9 exceeds total models 1")


async def test_modes_are_listed_in_the_words_of_the_protocol(tmp_path: Path) -> None:
    """Members in snake_case, and no built-in texts."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        listed = await client.ask("collaborationMode/list")

    assert [(m["name"], m["mode"], m["reasoning_effort"]) for m in listed["data"]] == [
        ("Plan", "plan", "medium"),
        ("Default", "default", None),
    ]


async def test_skills_are_listed_for_each_folder(tmp_path: Path) -> None:
    """Those of the user, of the project, and of further folders."""
    for folder, name in (("home/skills", "ours"), ("work/.codex/skills", "theirs"), ("x", "more")):
        place = tmp_path / folder / name
        place.mkdir(parents=True)
        (place / "SKILL.md").write_text(_SKILL.format(name=name))
    work, extra = str(tmp_path / "work"), str(tmp_path / "x")
    (tmp_path / "work" / ".git").mkdir()
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        own = await client.ask("skills/list")
        both = await client.ask(
            "skills/list",
            cwds=[work, str(tmp_path)],
            forceReload=True,
            perCwdExtraUserRoots=[{"cwd": work, "extraUserRoots": [extra]}],
        )
        bad = await client.refused(
            "skills/list", perCwdExtraUserRoots=[{"cwd": work, "extraUserRoots": ["rel"]}]
        )

    def names(entry: dict[str, list[dict[str, str]]]) -> list[str]:
        return sorted(skill["name"] for skill in entry["skills"])

    assert [entry["cwd"] for entry in own["data"]] == [work]
    assert names(own["data"][0]) == ["ours", "theirs"]
    assert names(both["data"][0]) == ["more", "ours", "theirs"]
    assert names(both["data"][1]) == ["ours"]
    assert bad[1].endswith("paths must be absolute: rel")


async def test_the_configuration_is_read_with_its_origins(tmp_path: Path) -> None:
    """Secrets are hidden, and layers are there when asked for."""
    config = 'model = "gpt-5.2"\n[mcp_servers.x]\ncommand = "y"\nenv = { KEY = "secret" }\n'
    async with open_app(tmp_path, config=config) as stage:
        client = await stage.connect()
        read = await client.ask("config/read", includeLayers=True)
        plain = await client.ask("config/read")
        demands = await client.ask("configRequirements/read")

    assert read["config"]["model"] == "gpt-5.2"
    assert read["origins"]["model"]["name"]["type"] == "user"
    [user] = [layer for layer in read["layers"] if layer["name"]["type"] == "user"]
    assert user["config"]["model"] == "gpt-5.2"
    assert user["version"] == read["origins"]["model"]["version"]
    assert "secret" not in str(read)
    assert plain["layers"] is None
    assert demands == {"requirements": None}


async def test_what_there_is_not_is_an_empty_list(tmp_path: Path) -> None:
    """No features to try, no apps, no servers, nobody logged in."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        answers = [
            await client.ask(method)
            for method in ("experimentalFeature/list", "app/list", "mcpServerStatus/list")
        ]
        account = await client.ask("account/read")
        limits = await client.refused("account/rateLimits/read")
        echoed = await client.ask("mock/experimentalMethod", value="x")

    assert answers == [{"data": [], "nextCursor": None}] * 3
    assert account == {"account": None, "requiresOpenaiAuth": False}
    assert limits[0] == -32600
    assert echoed == {"echoed": "x"}


async def test_a_command_runs_without_a_thread(tmp_path: Path) -> None:
    """Where the client says, in the sandbox that it says, for as long as it says."""
    free = {"type": "dangerFullAccess"}
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        ran = await client.ask(
            "command/exec",
            command=["sh", "-c", "pwd; echo oops >&2; exit 3"],
            sandboxPolicy=free,
        )
        late = await client.ask(
            "command/exec", command=["sleep", "60"], timeoutMs=50, sandboxPolicy=free
        )
        empty = await client.refused("command/exec", command=[])
        missing = await client.refused("command/exec", command=["/no/such"], sandboxPolicy=free)

    assert ran == {"exitCode": 3, "stdout": f"{tmp_path / 'work'}\n", "stderr": "oops\n"}
    assert late["exitCode"] == 124
    assert empty == (-32600, "command must not be empty")
    assert missing[0] == -32603
    assert missing[1].startswith("exec failed: ")


@pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are built on Linux")
async def test_a_command_without_a_thread_stays_in_the_configured_sandbox(
    tmp_path: Path,
) -> None:
    """Read only, when nobody says otherwise."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        number = client.send("command/exec", command=["touch", "x"])
        answer = await client.until(lambda m: m.get("id") == number)

    # Either it was held back, or there is no sandbox and it was not run.
    assert answer.get("result", {"exitCode": 1})["exitCode"] != 0
    assert not (tmp_path / "work" / "x").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are built on Linux")
async def test_a_command_without_a_thread_cannot_write_rules(tmp_path: Path) -> None:
    """Those of a trusted project are inside of what it may write otherwise."""
    work = tmp_path / "work"
    rules = work / ".codex" / "rules" / "x.rules"
    rules.parent.mkdir(parents=True)
    (work / ".git").mkdir()
    rules.write_text("")
    trust = f"[projects.{json.dumps(str(work))}]\ntrust_level = 'trusted'\n"
    policy = {"type": "workspaceWrite", "writableRoots": [str(work / ".codex")]}
    script = f"touch made; echo >> {rules}; echo > {rules.with_name('y.rules')}"
    async with open_app(tmp_path, config=trust) as stage:
        client = await stage.connect()
        number = client.send("command/exec", command=["sh", "-c", script], sandboxPolicy=policy)
        answer = await client.until(lambda m: m.get("id") == number)

    assert (work / "made").exists() is ("result" in answer)  # else there is no sandbox here
    assert rules.read_text() == ""
    assert [path.name for path in rules.parent.iterdir()] == ["x.rules"]


async def test_mcp_servers_are_listed_with_their_tools_and_read_again(tmp_path: Path) -> None:
    """By a thread that nobody sees; what the file says later counts from then on."""
    server = f'command = "{sys.executable}"\nargs = ["-I", "-S", "{_PLAIN}", "usual"]\n'
    # Machines may be busy: a server that is required is waited for as long as it may take.
    server += "startup_timeout_sec = 100\nrequired = true\n"
    async with open_app(tmp_path, config=f"[mcp_servers.one]\n{server}") as stage:
        client = await stage.connect()
        before = await client.ask("mcpServerStatus/list")
        loaded = await client.ask("thread/loaded/list")
        thread_id = await client.start_thread()
        (stage.home / "config.toml").write_text(f"[mcp_servers.two]\n{server}")
        assert await client.ask("config/mcpServer/reload") == {}
        turn_id = await client.start_turn(thread_id)
        response = await stage.model.next_request()
        response.say("x").complete()
        await client.completed(turn_id)

    [status] = before["data"]
    assert status["name"] == "one"
    assert "echo" in status["tools"]
    assert status["authStatus"] == "unsupported"
    assert loaded["data"] == []
    assert "mcp__two__echo" in str(response.request.tools)
    assert "mcp__one__echo" not in str(response.request.tools)
