"""The driver of the real Codex loses nothing, hangs on nothing and leaves nothing behind."""

from __future__ import annotations

import os
import pickle
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.interop.app_server import (
    AppServerClosedError,
    RpcError,
    ServerRequest,
    open_app_server,
    write_config,
)
from tests.interop.codex_turns import is_turn_active, run_turn, start_turn
from tests.interop.mock_responses import (
    Reply,
    Silence,
    answer,
    function_call,
    open_mock_responses,
    text_message,
)

_PATIENCE = 30.0
_NOWHERE = "http://127.0.0.1:9/v1"


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


async def _wait_gone(pid: int) -> None:
    """Wait until a process has ended; one that nobody has reaped yet has ended, too."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await trio.lowlevel.wait_readable(handle)
    finally:
        os.close(handle)


async def test_server_is_initialized_and_gone_after_its_block(codex: Path, tmp_path: Path) -> None:
    """The handshake is done when the block begins; the process has ended after it."""
    write_config(tmp_path, _NOWHERE)
    with trio.fail_after(_PATIENCE):
        async with open_app_server(codex, home=tmp_path) as server:
            pid = server.pid
            agent = server.initialized["userAgent"]
            assert os.getpgid(pid) == pid

    assert agent.startswith("treadle_interop/")
    assert not _is_running(pid)


async def test_server_leaves_no_command_behind_even_one_in_its_own_session(
    codex: Path, tmp_path: Path
) -> None:
    """Neither a running command nor one that has cut all ties outlives the block."""
    slow = "sleep 1000 & echo $! > first; (setsid sleep 1000 & echo $! > second); sleep 1000"
    script = [answer(function_call("exec_command", {"cmd": slow, "yield_time_ms": 250}))]
    with trio.fail_after(_PATIENCE):
        async with open_mock_responses([*script, Silence()]) as mock:
            write_config(tmp_path, mock.base_url)
            async with open_app_server(codex, home=tmp_path) as server:
                started = await server.request("thread/start", {"cwd": str(tmp_path)})
                await start_turn(server, started["thread"]["id"], "sleep")
                await mock.wait_requests(2)  # the command runs on, Codex asks again
                pids = [int((tmp_path / name).read_text()) for name in ("first", "second")]
                assert [_name(pid) for pid in pids] == ["sleep", "sleep"]

        for pid in pids:
            await _wait_gone(pid)


async def test_server_ends_waiting_when_the_process_is_killed(codex: Path, tmp_path: Path) -> None:
    """Requests, notifications and later calls fail at once instead of hanging."""
    script = [Silence()]
    failures: list[str] = []
    with trio.fail_after(_PATIENCE):
        async with open_mock_responses(script) as mock:
            write_config(tmp_path, mock.base_url)
            async with open_app_server(codex, home=tmp_path) as server:
                thread = (await server.request("thread/start", {"cwd": str(tmp_path)}))["thread"]

                # Of an idle thread: Codex never answers.
                params = {"threadId": thread["id"], "turnId": "none"}

                async def expect_closed(
                    fn: Callable[..., Awaitable[object]], *args: object
                ) -> None:
                    with pytest.raises(AppServerClosedError):
                        await fn(*args)
                    failures.append(fn.__name__)

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(expect_closed, server.request, "turn/interrupt", params)
                    nursery.start_soon(expect_closed, server.wait_notification, "never")
                    await wait_all_tasks_blocked()
                    await server.kill()
                await expect_closed(server.request, "thread/list")

    assert sorted(failures) == ["request", "request", "wait_notification"]


async def test_server_that_ends_before_the_handshake_is_no_hang(tmp_path: Path) -> None:
    """The error carries the last words of the process.  Needs no Codex."""
    program = tmp_path / "codex"
    program.write_text("#!/bin/sh\necho no such luck >&2\n")
    program.chmod(0o755)

    with trio.fail_after(_PATIENCE), pytest.raises(AppServerClosedError, match="no such luck"):
        async with open_app_server(program, home=tmp_path):
            pytest.fail("the block must not begin")


async def test_server_takes_its_process_along_when_the_block_fails(
    codex: Path, tmp_path: Path
) -> None:
    """An error in a test reaches it unwrapped, and the process is gone all the same."""
    write_config(tmp_path, _NOWHERE)
    pids: list[int] = []
    with trio.fail_after(_PATIENCE), pytest.raises(ZeroDivisionError):
        async with open_app_server(codex, home=tmp_path) as server:
            pids.append(server.pid)
            raise ZeroDivisionError

    assert [_is_running(pid) for pid in pids] == [False]


async def test_server_takes_its_process_along_when_cancelled(codex: Path, tmp_path: Path) -> None:
    """A deadline of the caller leaves no process behind."""
    write_config(tmp_path, _NOWHERE)
    pids: list[int] = []
    with trio.fail_after(_PATIENCE), trio.CancelScope() as scope:
        async with open_app_server(codex, home=tmp_path) as server:
            pids.append(server.pid)
            scope.cancel()
            await trio.sleep_forever()

    assert [_is_running(pid) for pid in pids] == [False]


async def test_handler_that_crashes_fails_the_test(codex: Path, tmp_path: Path) -> None:
    """A wrong handler must not look like a declined approval."""

    async def crash(request: ServerRequest) -> dict[str, object]:
        raise LookupError(request.method)

    script = [answer(function_call("exec_command", {"cmd": "touch x"}))]
    with trio.fail_after(_PATIENCE):
        async with open_mock_responses(script) as mock:
            write_config(tmp_path, mock.base_url, approval_policy="untrusted")
            with pytest.RaisesGroup(LookupError, flatten_subgroups=True):
                async with open_app_server(codex, home=tmp_path, handler=crash) as server:
                    started = await server.request("thread/start", {"cwd": str(tmp_path)})
                    await run_turn(server, started["thread"]["id"], "touch")


async def test_activity_of_a_turn_can_be_asked_without_touching_it(
    codex: Path, tmp_path: Path
) -> None:
    """The way out of a lost end of a turn: active while it runs, idle before and after."""
    script: list[Reply] = [Silence(), answer(text_message("done"))]
    with trio.fail_after(_PATIENCE):
        async with open_mock_responses(script) as mock:
            write_config(tmp_path, mock.base_url)
            async with open_app_server(codex, home=tmp_path) as server:
                started = await server.request("thread/start", {"cwd": str(tmp_path)})
                thread_id = started["thread"]["id"]
                before = await is_turn_active(server, thread_id)
                turn_id = await start_turn(server, thread_id, "wait")
                await mock.wait_requests(1)
                during = await is_turn_active(server, thread_id)
                params = {"threadId": thread_id, "turnId": turn_id}
                await server.request("turn/interrupt", params)
                after = await is_turn_active(server, thread_id)
                await run_turn(server, thread_id, "next")

    said = [item for item in mock.requests[1].json["input"] if "never delivered" in str(item)]
    assert [before, during, after] == [False, True, False]
    assert said == []


def test_errors_survive_pickle() -> None:
    """Errors keep their fields when they cross a process, as with pytest-xdist."""
    refused = pickle.loads(pickle.dumps(RpcError(-32600, "no", {"why": 1})))
    closed = pickle.loads(pickle.dumps(AppServerClosedError("last words")))

    assert (refused.code, refused.message, refused.data) == (-32600, "no", {"why": 1})
    assert closed.stderr == "last words"
