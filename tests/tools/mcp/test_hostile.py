"""Servers that misbehave: each ends in a clear error within its time, with nothing left."""

import logging
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from actors.runtime import World
from actors.tools.mcp import open_mcp_pool
from messages.tool_settings import McpServerConfig, McpStdio
from tests.waiting import wait_ended

from ..processes import MARK, marked_processes
from .conftest import PLAIN, SECRET, Teller, plain


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("mute", "timed out after 0.3 seconds"),
        ("silent_list", "timed out after 0.3 seconds"),
        ("rubbish", "the server writes lines that are no messages"),
        ("endless_line", "the server sent a message of more than 8 MiB"),
        ("leave", "the server ended with exit code 7; it last wrote: "),
        ("close", "the server closed the connection"),
        ("old", "the server speaks no version of the protocol that we know"),
        ("refusing", "not today"),
        ("wrong_answer", "timed out after 0.3 seconds"),
        ("circles", "the server returned duplicate cursor"),
    ],
)
async def test_server_that_cannot_start_fails_with_the_reason(hold, mode, problem) -> None:
    """Within its time; the raw reason in the sum, a friendly one in the update."""
    timeout = 0.3 if "0.3" in problem else 10
    async with hold(a=plain(mode, startup_timeout=timeout)) as held:
        complete = await held.told.complete()

        [failure] = complete.failed
        assert failure.error.startswith(problem)
        [starting, friendly] = held.told.states("a")
        assert starting == "starting"
        assert friendly.startswith("MCP client for `a` ")
        assert SECRET not in friendly + failure.error


async def test_command_that_is_missing_fails_by_name(hold, tmp_path) -> None:
    """Neither the shell's words nor a stack."""
    missing = McpServerConfig(transport=McpStdio(command="no-such-command"))
    (tmp_path / "file").touch()
    unfit = McpServerConfig(transport=McpStdio(command="./file"))
    nowhere = McpServerConfig(transport=McpStdio(command="sh", cwd="/nowhere"))
    async with hold(missing=missing, nowhere=nowhere, unfit=unfit) as held:
        complete = await held.told.complete()

    assert {failure.server: failure.error for failure in complete.failed} == {
        "missing": "command not found: 'no-such-command'",
        "nowhere": "working directory '/nowhere' does not exist",
        "unfit": "no permission to run './file'",
    }


async def test_last_words_are_shown_without_control_characters_and_secrets(hold) -> None:
    """They end up in terminals."""
    async with hold(a=plain("leave")) as held:
        complete = await held.told.complete()

    assert complete.failed[0].error == (
        "the server ended with exit code 7; it last wrote:  [31mcannot  start | because of [hidden]"
    )


async def test_server_that_prints_a_banner_first_works(hold) -> None:
    """Package managers do that."""
    async with hold(a=plain("banner")) as held:
        await held.lease.wait_ready()

        assert (await held.call("mcp__a__echo")).success


async def test_lines_that_are_no_messages_are_skipped(hold) -> None:
    """In the midst of a call."""
    async with hold(a=plain()) as held:
        await held.lease.wait_ready()

        assert "still here" in (await held.call("mcp__a__unreadable")).output


async def test_server_with_thousands_of_tools_gives_the_first_thousand(hold, caplog) -> None:
    """And the log says so."""
    async with hold(a=plain("many")) as held:
        await held.lease.wait_ready()

        assert len(held.names()) == 3 + 1000
        assert "lists more than 1000 tools" in caplog.text


async def test_list_without_end_is_cut(hold) -> None:
    """At a thousand tools, however many pages there are."""
    async with hold(a=plain("endless_list")) as held:
        await held.lease.wait_ready()

        assert len(held.names()) == 3 + 1000


async def test_tools_with_odd_names_can_be_told_apart(hold) -> None:
    """Names of one form get hashes; a tool that is listed twice is one."""
    async with hold(a=plain("odd")) as held:
        await held.lease.wait_ready()

        names = held.names()[3:]
        assert len(names) == len(set(names)) == 5
        assert all(len(name) <= 64 for name in names)
        assert "mcp__a__" in names
        assert "mcp__a_____" in names, "one for each letter"
        assert sum(name.startswith("mcp__a__a_b") for name in names) == 2


async def test_tools_with_lying_schemas_are_left_out(hold, caplog) -> None:
    """The others stay; the log says which and why."""
    async with hold(a=plain("liar")) as held:
        await held.lease.wait_ready()

        assert "mcp__a__good" in held.names()
        for bad in ("of_numbers", "no_object", "properties", "deep", "fat"):
            assert f"mcp__a__{bad}" not in held.names()
            assert f"'{bad}'" in caplog.text


async def test_huge_result_is_cut_to_what_is_kept(hold) -> None:
    """With a word about it; the session goes on."""
    async with hold(a=plain()) as held:
        await held.lease.wait_ready()

        output = await held.call("mcp__a__big", bytes=5_000_000)

        assert len(output.output) < 4 * 1024 * 1024
        assert "<cut here: only 4 MiB of a result are kept>" in output.output
        assert output.success


@pytest.mark.parametrize(
    "call", [("mcp__a__big", {"bytes": 9_000_000}), ("mcp__a__bigger_id_at_end", {})]
)
async def test_message_that_is_too_long_fails_only_its_own_call(hold, call) -> None:
    """Wherever the server's library writes the id."""
    name, arguments = call
    async with hold(a=plain(tool_timeout=20)) as held:
        await held.lease.wait_ready()

        output = await held.call(name, **arguments)

        assert output.output.endswith("the answer has more than 8 MiB")
        assert (await held.call("mcp__a__echo")).success


async def test_result_that_is_none_fails_the_call(hold) -> None:
    """Without quoting the whole of it."""
    async with hold(a=plain()) as held:
        await held.lease.wait_ready()

        output = await held.call("mcp__a__nonsense_result")

        assert output.output.endswith("the answer is not what the protocol says")


async def test_server_that_writes_much_to_standard_error_is_drained(hold) -> None:
    """It would hang otherwise."""
    async with hold(a=plain(tool_timeout=20)) as held:
        await held.lease.wait_ready()

        assert "done" in (await held.call("mcp__a__chatty")).output


@pytest.mark.slow
async def test_server_that_does_not_want_to_end_is_ended_with_what_it_started(
    environ, nothing_runs
) -> None:
    """Also a grandchild in a session of its own."""
    async with open_mcp_pool(environ=environ, world=World.deterministic(1, 0.0)) as pool:
        lease = pool.lease({"a": plain("stubborn")}, cwd="/")
        lease.patience = 20.0  # machines may be busy
        lease.start(Teller())
        await lease.wait_ready()
        assert len(marked_processes(environ[MARK])) == 2
    lease.release()


@pytest.mark.slow
def test_nothing_outlives_us_when_we_are_killed(environ, nothing_runs, tmp_path) -> None:
    """SIGKILL leaves no time for anything: the keeper sees our end."""
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import os, trio
            from actors.runtime import World
            from actors.tools.mcp import open_mcp_pool
            from messages.tool_settings import McpServerConfig, McpStdio

            async def main():
                stdio = McpStdio(
                    command={sys.executable!r},
                    args=("-I", "-S", {PLAIN!r}, "stubborn"),
                    env_vars=({MARK!r},),
                )
                async with open_mcp_pool(environ=os.environ, world=World.system()) as pool:
                    lease = pool.lease({{"a": McpServerConfig(transport=stdio)}}, cwd="/")
                    lease.patience = 20.0
                    lease.start(lambda event: None)
                    await lease.wait_ready()
                    print(len(lease.tools()), flush=True)
                    await trio.sleep_forever()

            trio.run(main)
            """
        )
    )
    root = str(Path(__file__).parents[3])
    with subprocess.Popen(
        [sys.executable, str(program)], env={**environ, "PYTHONPATH": root}, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout.readline().strip() == b"20"
            assert len(marked_processes(environ[MARK])) > 2
        finally:
            process.send_signal(signal.SIGKILL)

    while left := marked_processes(environ[MARK]):
        wait_ended(*(int(line.split()[0]) for line in left))


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
async def test_server_that_dies_for_good_after_it_was_ready_fails_with_the_last_reason(
    hold, tmp_path
) -> None:
    """It is tried a few times; its tools are gone meanwhile."""
    async with hold(a=plain("once", str(tmp_path / "flag"))) as held:
        await held.lease.wait_ready()
        await held.call("mcp__a__die")

        assert len(held.names()) == 3
        while not held.told.states("a")[-1].startswith("MCP client"):
            await held.told.changed.wait()

        assert held.told.states("a")[:3] == ["starting", "ready", "starting"]
        assert (
            "ended too often, at last: the server ended with exit code 7"
            in (held.told.states("a")[-1])
        )


async def test_nothing_secret_is_logged(hold, caplog) -> None:
    """At any level of ours; the SDK's own debug output is off unless asked for."""
    caplog.set_level(logging.DEBUG, logger="actors")
    async with hold(a=plain("leave"), b=plain()) as held:
        await held.lease.wait_ready()
        await held.call("mcp__b__refused")
        await held.call("mcp__b__die")

    assert SECRET not in caplog.text
