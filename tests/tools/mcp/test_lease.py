"""What a thread sees of its servers: their start, their tools, and changes of both."""

import json

import pytest
import trio

from actors.tools.mcp import McpPool, RequiredServersFailed
from messages.events import McpServerFailure, McpStartupComplete, WarningEvent
from messages.tool_settings import McpHttp, McpServerConfig, McpStdio

from ..fake_context import FakeContext, function_call
from ..processes import kill, wait_gone
from .conftest import plain

RESOURCE_TOOLS = ["list_mcp_resources", "list_mcp_resource_templates", "read_mcp_resource"]


async def test_lease_without_servers_offers_nothing_and_tells_nothing(hold) -> None:
    """There is no start that could be complete."""
    async with hold() as held:
        await held.lease.wait_ready()

        assert held.lease.tools() == ()
        assert held.told.events == []


async def test_lease_starts_nothing_before_it_is_started(pool: McpPool) -> None:
    """Nothing optional sits on the start path of a thread."""
    lease = pool.lease({"a": plain()}, cwd="/")
    await lease.wait_ready()

    assert pool.statistics().servers == 0
    assert [tool.name for tool in lease.tools()] == RESOURCE_TOOLS
    lease.release()


async def test_lease_offers_the_tools_of_a_server_once_it_is_ready(hold) -> None:
    """Starting, ready, complete; then the tools, by name, after those for resources."""
    async with hold(b=plain("odd"), a=plain()) as held:
        await held.lease.wait_ready()

        assert held.told.states("a") == held.told.states("b") == ["starting", "ready"]
        assert held.told.events[-1] == McpStartupComplete(ready=("a", "b"))
        names = held.names()
        assert names[:3] == RESOURCE_TOOLS
        assert names[3:] == sorted(names[3:])
        assert "mcp__a__echo" in names


async def test_lease_gives_the_same_tuple_as_long_as_nothing_changes(hold) -> None:
    """So that specs are not built anew for each request."""
    async with hold(a=plain()) as held:
        await held.lease.wait_ready()
        before = held.lease.tools()

        await held.call("mcp__a__echo")

        assert held.lease.tools() is before


@pytest.mark.slow
async def test_slow_server_delays_nobody_beyond_the_patience(pool: McpPool, hold) -> None:
    """The others' tools are there; the slow one's come when they come."""
    async with hold(fast=plain(), slow=plain("mute", startup_timeout=20)) as held:
        await held.told.wait_states("fast", 2)
        held.lease._deadline = trio.current_time() + 0.1

        await held.lease.wait_ready()

        assert "mcp__fast__echo" in held.names()
        assert held.told.states("slow") == ["starting"]
        await held.lease.wait_ready()
        [warning] = [event for event in held.told.events if isinstance(event, WarningEvent)]
        assert "still starting (`slow`)" in warning.message


async def test_dead_server_takes_only_its_own_tools_away(hold) -> None:
    """Each server is ready by itself."""
    async with hold(dead=plain("leave"), well=plain()) as held:
        complete = await held.told.complete()

        assert complete.ready == ("well",)
        [failure] = complete.failed
        assert failure.server == "dead"
        assert "exit code 7" in failure.error
        assert "mcp__well__echo" in held.names()


async def test_disabled_servers_and_tools_are_not_offered(hold) -> None:
    """Allowed and not denied; a server that is off is never started."""
    some = plain(enabled_tools=("echo", "who", "gone"), disabled_tools=("who",))
    async with hold(off=plain(enabled=False), some=some) as held:
        await held.lease.wait_ready()

        assert held.names() == [*RESOURCE_TOOLS, "mcp__some__echo"]
        assert held.told.states("off") == []


async def test_server_with_an_impossible_name_fails_and_says_the_rule(hold) -> None:
    """The others start."""
    async with hold(**{"a b": plain(), "ok": plain()}) as held:
        complete = await held.told.complete()

        rule = "Invalid MCP server name 'a b': must match pattern ^[a-zA-Z0-9_-]+$"
        assert complete == McpStartupComplete(
            ready=("ok",), failed=(McpServerFailure(server="a b", error=rule),)
        )


async def test_required_server_that_fails_fails_the_turn(hold) -> None:
    """With the names and the reasons; one that is well does not."""
    async with hold(bad=plain("leave", required=True), ok=plain(required=True)) as held:
        with pytest.raises(RequiredServersFailed) as raised:
            await held.lease.wait_ready()

    assert list(raised.value.problems) == ["bad"]
    assert "exit code 7" in str(raised.value)


async def test_two_threads_share_one_process_and_the_last_one_ends_it(hold) -> None:
    """Equal configurations are one server, whatever they call it and filter of it."""
    async with hold(one=plain()) as first:
        async with hold(two=plain(enabled_tools=("who",), required=True)) as second:
            await first.lease.wait_ready()
            await second.lease.wait_ready()
            pid = await first.call("mcp__one__who")
            assert await second.call("mcp__two__who") == pid
            assert second.told.states("two") == ["starting", "ready"]

        assert await first.call("mcp__one__who") == pid
    await wait_gone(_pid(pid))


async def test_thread_that_joins_a_server_that_is_ready_has_its_tools(hold) -> None:
    """Nothing changes any more then, of which it could hear."""
    async with hold(a=plain()) as first:
        await first.lease.wait_ready()
        async with hold(a=plain()) as second:
            await second.lease.wait_ready()

            assert second.names() == first.names()
            assert second.told.events[-1] == McpStartupComplete(ready=("a",))


async def test_servers_in_different_folders_are_different_servers(
    pool: McpPool, tmp_path, hold
) -> None:
    """A process has one working directory: the thread's, unless configured."""
    fixed = plain()
    stdio = fixed.transport
    assert isinstance(stdio, McpStdio)
    (tmp_path / "sub").mkdir()
    relative = McpServerConfig(
        transport=McpStdio(
            command=stdio.command, args=stdio.args, env_vars=stdio.env_vars, cwd="sub"
        )
    )
    async with hold(here=fixed, there=relative) as held:
        await held.lease.wait_ready()

        assert str(tmp_path) + '"' in (await held.call("mcp__here__where")).output
        assert str(tmp_path / "sub") in (await held.call("mcp__there__where")).output


async def test_refresh_restarts_only_what_changed(hold) -> None:
    """What stays keeps its process; the new sum is told."""
    async with hold(stay=plain(), go=plain("odd"), change=plain()) as held:
        await held.lease.wait_ready()
        before = [await held.call(f"mcp__{name}__who") for name in ("stay", "change")]
        assert before[0] == before[1], "equal configurations are shared"

        held.lease.refresh({"stay": plain(), "change": plain(startup_timeout=9), "new": plain()})
        complete = await held.told.complete(2)

        assert complete == McpStartupComplete(ready=("change", "new", "stay"))
        after = [await held.call(f"mcp__{name}__who") for name in ("stay", "change")]
        assert after[0] == before[0]
        assert after[1] != before[1]
        assert held.told.states("stay") == ["starting", "ready"]
        assert not any(name.startswith("mcp__go__") for name in held.names())


@pytest.mark.slow
async def test_refresh_tries_failed_servers_again_and_calls_off_those_that_went(hold) -> None:
    """A person who refreshes expects that something happens."""
    slow = plain("mute", startup_timeout=20)
    async with hold(bad=plain("leave"), slow=slow) as held:
        await held.told.wait_states("bad", 2)

        held.lease.refresh({"bad": plain("leave")})
        complete = await held.told.complete()

        assert complete.cancelled == ("slow",)
        assert [failure.server for failure in complete.failed] == ["bad"]
        states = held.told.states("bad")
        assert [states[0], states[2]] == ["starting", "starting"]
        assert len(states) == 4


async def test_server_that_changes_its_tools_is_listed_again(hold) -> None:
    """The snapshot is swapped; nobody has to ask."""
    async with hold(a=plain()) as held:
        await held.lease.wait_ready()
        before = held.lease.tools()

        await held.call("mcp__a__change")
        await held.wait_names("mcp__a__late")

        assert (
            await held.call("mcp__a__late", x=1)
        ).output == '[{"type":"text","text":"{\\"x\\": 1}"}]'
        assert "mcp__a__late" not in [tool.name for tool in before]
        assert held.told.states("a") == ["starting", "ready"]


@pytest.mark.slow
async def test_server_that_is_killed_comes_back_and_a_call_meanwhile_waits_for_it(hold) -> None:
    """After a short while, with a new process; clients hear of it."""
    async with hold(a=plain()) as held:
        await held.lease.wait_ready()
        who = held.tool("mcp__a__who")
        pid = _pid(await held.call("mcp__a__who"))

        kill(pid)
        await held.told.wait_states("a", 3)
        assert held.names() == RESOURCE_TOOLS
        output = await who.run(function_call("mcp__a__who"), FakeContext())

        assert _pid(output) != pid
        assert held.told.states("a") == ["starting", "ready", "starting", "ready"]
        assert "mcp__a__who" in held.names()


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
async def test_server_that_keeps_dying_is_given_up(hold) -> None:
    """A few attempts, then its tools are gone and the reason is told."""
    async with hold(a=plain("flapping")) as held:
        await held.told.wait_states("a", 9)

        states = held.told.states("a")
        assert states[:8] == ["starting", "ready"] * 4
        while held.told.states("a")[-1] == "starting":
            await held.told.changed.wait()
        assert "ended too often" in held.told.states("a")[-1]
        assert "exit code 9" in held.told.states("a")[-1]
        assert held.names() == RESOURCE_TOOLS


async def test_failed_server_is_tried_again_when_a_later_turn_begins(hold) -> None:
    """Not at once, and not waited for."""
    async with hold(a=plain("leave")) as held:
        await held.lease.wait_ready()
        await held.lease.wait_ready()
        assert len(held.told.states("a")) == 2

        held.lease.revive_after = 0.0
        held.lease._deadline = trio.current_time()
        await held.lease.wait_ready()

        assert held.told.states("a")[2:] == ["starting"]


async def test_listing_shows_tools_resources_and_how_one_logs_in(pool: McpPool, tmp_path) -> None:
    """Also before anybody started the servers: then it starts them."""
    http = McpServerConfig(
        transport=McpHttp(url="http://127.0.0.1:1/mcp", bearer_token_env_var="TOKEN"),
        enabled=False,
    )
    lease = pool.lease({"a": plain(enabled_tools=("echo",)), "h": http}, cwd=str(tmp_path))

    listing = await lease.listing()

    assert listing.auth_statuses == {"a": "unsupported", "h": "bearer_token"}
    assert listing.tools == {
        "mcp__a__echo": {
            "name": "echo",
            "description": "A tool.",
            "inputSchema": {"type": "object"},
        }
    }
    assert [entry["uri"] for entry in listing.resources["a"]] == [
        "memo://0",
        "memo://1",
        "memo://2",
    ]
    assert [entry["name"] for entry in listing.resource_templates["a"]] == ["memo"]
    lease.release()


async def test_release_ends_a_server_that_still_starts(pool: McpPool, hold) -> None:
    """At once: nobody waits for it any more."""
    async with hold(a=plain("mute", startup_timeout=20)) as held:
        assert held.told.states("a") == ["starting"]
        await trio.testing.wait_all_tasks_blocked()

    while pool._supervisor.child_ids():
        await trio.testing.wait_all_tasks_blocked(0.01)
    assert pool.statistics().leases == 0
    assert held.told.states("a") == ["starting"]


def _pid(output) -> int:
    [block] = json.loads(output.output)
    return int(block["text"])
