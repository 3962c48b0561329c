"""A pool of real worker processes, in the process of the test."""

import os
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from actors import Pool, ThreadConfig, connect, open_pool
from actors.client import CannotConnect, RpcClient, open_rpc_client
from actors.config import ConfigError
from actors.runtime import Intensity
from actors.server.rpc_errors import AddressInUse
from actors.workers import PoolDraining, PoolFailed, SlotState
from messages.content import TextInput
from messages.events import AgentMessage, Event, TurnAborted, TurnComplete
from messages.ops import UserInput
from messages.rpc.envelope import Notification
from tests.waiting import answer_until, until

pytestmark = pytest.mark.slow

TALK = """
name = "talk"
[[reply]]
when = { user = "forever" }
times = "always"
[[reply.steps]]
say = "I wait."
[[reply.steps]]
stall = "forever"
[[reply]]
times = "always"
when = { last = "user" }
[[reply.steps]]
say = "You said {user}."
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "talk.toml"
    path.write_text(TALK)
    return path


@asynccontextmanager
async def a_pool(tmp_path: Path, scenario: Path, **options: Any) -> AsyncGenerator[Pool]:
    with trio.fail_after(60):
        async with open_pool(home=tmp_path / "home", scenario=scenario, **options) as pool:
            yield pool


async def said(thread: Any, text: str) -> tuple[str, ...]:
    """Run a turn to its end; give what the model said in it, and how it ended."""
    await thread.submit(UserInput(items=(TextInput(text=text),)))
    texts: list[str] = []
    async for event in thread.events():
        match event:
            case Event(msg=AgentMessage(message=message)):
                texts.append(message)
            case Event(msg=TurnComplete() | TurnAborted() as end):
                return (*texts, type(end).__name__)
    raise AssertionError("the events ended before the turn")


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def pids(pool: Pool) -> list[int]:
    return [slot.pid for slot in pool.statistics().slots if slot.pid is not None]


async def test_a_program_uses_a_pool_as_it_uses_a_supervisor(
    tmp_path: Path, scenario: Path
) -> None:
    """Without an address, and over one; what one client starts another one finds."""
    url = f"unix://{tmp_path / 's'}"
    async with a_pool(tmp_path, scenario, listen=url) as pool:
        async with pool.connect() as supervisor:
            new = await supervisor.start_thread(ThreadConfig(cwd=str(tmp_path)))
            first = await said(new.thread, "hello")
        async with connect(url) as supervisor:
            there = supervisor.list_thread_ids()
        now = pool.statistics()

        assert pool.url == url
        assert first == ("You said hello.", "TurnComplete")
        assert there == (new.thread_id,) or list(there) == [new.thread_id]
        assert (now.up, now.threads, now.turns) == (2, 1, 0)
        assert repr(pool).startswith(f"<Pool at {url}: 2 of 2 workers up, 1 threads, 0 turns")


async def test_a_thread_survives_its_worker_the_worker_that_hangs_and_a_restart(
    tmp_path: Path, scenario: Path
) -> None:
    """The same program goes on with the same thread."""
    async with (
        a_pool(tmp_path, scenario, workers=1, heartbeat=0.1, patience=0.5) as pool,
        pool.connect() as supervisor,
    ):
        new = await supervisor.start_thread(ThreadConfig(cwd=str(tmp_path)))
        answers = [await said(new.thread, "one")]
        for kill in (signal.SIGKILL, signal.SIGSTOP):
            [pid] = pids(pool)
            os.kill(pid, kill)
            await until(lambda: pids(pool) not in ([], [pid]))  # noqa: B023
            answers.append(await said(new.thread, kill.name))
        [pid] = pids(pool)
        await pool.restart(grace=5)
        answers.append(await said(new.thread, "four"))
        [slot] = pool.statistics().slots

        assert pid != slot.pid
        assert answers == [
            (f"You said {word}.", "TurnComplete") for word in ("one", "SIGKILL", "SIGSTOP", "four")
        ]
        assert (slot.state, slot.restarts) == (SlotState.UP, 2)


async def test_a_thread_that_workers_die_of_is_left_alone(tmp_path: Path, scenario: Path) -> None:
    """And the pool says until when; its other threads go on."""
    async with (
        a_pool(tmp_path, scenario, quarantine_after=2, listen=f"unix://{tmp_path / 's'}") as pool,
        open_rpc_client(f"unix://{tmp_path / 's'}") as rpc,
    ):
        sick, well = await start(rpc, tmp_path), await start(rpc, tmp_path)
        with rpc.notifications() as heard:
            await begin(rpc, well, "hello")
            async for message in heard:
                if isinstance(message, Notification) and message.method == "turn/completed":
                    break  # so that the only turn is that of the other one
        for _ in range(2):
            await begin(rpc, sick, "forever")
            await until(lambda: pool.statistics().turns == 1)
            [busy] = [slot for slot in pool.statistics().slots if slot.turns]
            assert busy.pid is not None
            os.kill(busy.pid, signal.SIGKILL)
            await until(lambda: busy.pid not in pids(pool))  # noqa: B023
            await until(lambda: pool.statistics().up == 2)
        await until_moved(rpc)
        now = {thread["id"]: thread for thread in (await read(rpc))["threads"]}

        assert now[sick]["status"] == "held"
        assert now[sick]["worker"] is None
        assert now[sick]["heldUntil"] > 0
        assert now[well]["status"] == "idle"
        assert now[well]["worker"] is not None


async def until_moved(rpc: RpcClient) -> None:
    def is_over(now: Any) -> bool:
        return not any(thread["status"] == "moving" for thread in now["threads"])

    await answer_until(lambda: read(rpc), is_over)


async def start(rpc: RpcClient, cwd: Path) -> str:
    answer: Any = await rpc.request("thread/start", {"cwd": str(cwd)})
    return str(answer["thread"]["id"])


async def begin(rpc: RpcClient, thread_id: str, text: str) -> None:
    items = [{"type": "text", "text": text}]
    await rpc.request("turn/start", {"threadId": thread_id, "input": items})


async def read(rpc: RpcClient) -> Any:
    return await rpc.request("treadle/pool/read")


async def test_a_pool_that_drains_takes_nothing_new(tmp_path: Path, scenario: Path) -> None:
    """A turn that does not end is interrupted, and nobody is left."""
    async with a_pool(tmp_path, scenario) as pool, pool.connect() as supervisor:
        new = await supervisor.start_thread(ThreadConfig(cwd=str(tmp_path)))
        left = pids(pool)
        ends: list[tuple[str, ...]] = []

        async def talk() -> None:
            ends.append(await said(new.thread, "forever"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk)
            await until(lambda: pool.statistics().turns == 1)
            nursery.start_soon(refused_meanwhile, pool)
            cut = await pool.drain(grace=0.3)

        assert cut == 1
        assert ends[0][-1] == "TurnAborted"
        assert pool.statistics().draining
        assert pids(pool) == []
        assert not any(map(is_there, left))
        with pytest.raises(PoolDraining):
            await pool.restart()
    assert not any(map(is_there, left))


async def refused_meanwhile(pool: Pool) -> None:
    await until(lambda: pool.statistics().draining)
    with pytest.raises(CannotConnect, match="shutting down"):
        async with pool.connect():
            pass


async def test_draining_ends_a_restart_that_goes_on(tmp_path: Path, scenario: Path) -> None:
    """Whoever asked for it hears why."""
    async with a_pool(tmp_path, scenario, workers=1) as pool, pool.connect() as supervisor:
        new = await supervisor.start_thread(ThreadConfig(cwd=str(tmp_path)))
        await new.thread.submit(UserInput(items=(TextInput(text="forever"),)))
        await until(lambda: pool.statistics().turns == 1)
        raised: list[Exception] = []

        async def restart() -> None:
            try:
                await pool.restart(grace=1000)
            except PoolDraining as exc:
                raised.append(exc)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(restart)
            await until(lambda: len(pids(pool)) == 2)
            await pool.drain(grace=0.1)

        assert len(raised) == 1
        assert pids(pool) == []


async def test_a_pool_whose_workers_cannot_live_says_so(tmp_path: Path, scenario: Path) -> None:
    """When the last place is lost, with what the last one died of."""
    intensity = Intensity(restarts=0, period=60)
    async with a_pool(tmp_path, scenario, intensity=intensity) as pool:
        for pid in pids(pool):
            os.kill(pid, signal.SIGKILL)
        failure = await pool.wait_failed()
        states = [slot.state for slot in pool.statistics().slots]

    assert isinstance(failure, PoolFailed)
    assert "each of its 2 workers died" in str(failure)
    assert states == [SlotState.LOST, SlotState.LOST]


async def test_a_pool_that_cannot_be_opened_leaves_nothing(tmp_path: Path, scenario: Path) -> None:
    """A configuration that is wrong is one error, and so is an address that is taken."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "s"))
        other.listen()
        with pytest.raises(AddressInUse):
            async with a_pool(tmp_path, scenario, listen=f"unix://{tmp_path / 's'}"):
                pass
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text("model = 5")
    with pytest.raises(ConfigError):
        async with a_pool(tmp_path, scenario):
            pass


@pytest.mark.parametrize(
    "options",
    [
        {"workers": 0},
        {"heartbeat": 0},
        {"patience": -1},
        {"quarantine_after": 0},
        {"token": "0123456789abcdef"},
        {"token": "0123456789abcdef", "listen": "unix:///tmp/s"},
    ],
)
async def test_what_makes_no_sense_is_refused(
    tmp_path: Path, scenario: Path, options: dict[str, Any]
) -> None:
    """Before anything is started."""
    with pytest.raises(
        ValueError, match=r"must be|at least one worker|nobody is asked for a token"
    ):
        async with a_pool(tmp_path, scenario, **options):
            pass


async def test_an_error_of_the_block_leaves_it_as_it_is(tmp_path: Path, scenario: Path) -> None:
    """Not in a group; and nothing is left."""
    with pytest.raises(LookupError, match="mine"):
        async with a_pool(tmp_path, scenario) as pool, pool.connect():
            raise LookupError("mine")


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "TREADLE_SCENARIO", "CODEX_API_KEY"):
        monkeypatch.delenv(name, raising=False)
