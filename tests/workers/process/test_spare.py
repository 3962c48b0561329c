"""The process in reserve: a worker out of it is as any other, but for the time it takes."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from actors.rollout import Durability
from actors.workers.errors import WorkerNotStarted
from actors.workers.process.descriptors import DescriptorSocket
from actors.workers.process.fork_link import ForkServer
from actors.workers.process.forked import ForkedProcess
from actors.workers.process.forked_child import REHEARSED
from actors.workers.process.spare import Spare
from tests.tools.processes import children, is_alive
from tests.tools.processes import wait_gone as wait_process_gone

from .spares import name_of, named_child, wait_spare
from .stage import open_client, open_forks

pytestmark = pytest.mark.slow


@asynccontextmanager
async def open_spared(folder: Path, **changes: Any) -> AsyncGenerator[tuple[ForkServer, int]]:
    """Make workers; one has been made, and the spare is there."""
    async with open_forks(folder, **changes) as forks:
        async with forks.open_worker(0):
            pass
        yield forks, await wait_spare(forks)


def state_of(pid: int) -> str:
    """Return what a process does, as the system calls it; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def threads_of(pid: int) -> list[str]:
    return [path.name for path in Path(f"/proc/{pid}/task").iterdir()]


def everything_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def descriptors_of(pid: int) -> list[str]:
    """List what a process has open, without numbers that are its own."""
    links = Path(f"/proc/{pid}/fd").iterdir()
    return sorted(re.sub(r"\d+", "", str(link.readlink())) for link in links)


async def test_a_worker_comes_out_of_the_spare(tmp_path: Path) -> None:
    """It is that process, has its own name and serves; then there is another spare."""
    async with open_spared(tmp_path) as (forks, spare):
        async with forks.open_worker(7) as worker, open_client(worker) as client:
            name = name_of(worker.pid)
            await client.start_turn(await client.start_thread(), "hello")
            told = await client.until("turn/completed")
            other = await wait_spare(forks)
        async with forks.open_worker(8) as next_worker:
            pass

    assert (worker.pid, name) == (spare, "treadle-w7")
    assert told["turn"]["status"] == "completed"
    assert next_worker.pid == other != spare


async def test_its_end_is_told_as_that_of_any_worker(tmp_path: Path) -> None:
    """Killed or told to stop, the pool hears how it ended."""
    async with open_spared(tmp_path) as (forks, spare):
        async with forks.open_worker(1) as first:
            os.kill(first.pid, signal.SIGKILL)
            killed = await first.wait_gone()
        other = await wait_spare(forks)
        async with forks.open_worker(2) as second:
            await second.stop(grace=5.0)
            stopped = await second.wait_gone()

    assert (first.pid, second.pid) == (spare, other)
    assert (killed, stopped) == (-signal.SIGKILL, 0)


async def test_a_worker_has_the_configuration_of_the_moment_it_is_needed(tmp_path: Path) -> None:
    """What changed since the spare was born counts, a mistake that was mended does not."""
    config = tmp_path / "home" / "config.toml"
    async with open_spared(tmp_path) as (forks, spare):
        config.write_text('model = "of the moment"\n')
        async with forks.open_worker(1) as worker, open_client(worker) as client:
            pids = [worker.pid]
            answer = await client.ask("thread/start")
            config.write_text("approval_policy = 3\n")
            born_wrong = await wait_spare(forks)
        with pytest.raises(WorkerNotStarted, match="approval_policy"):
            async with forks.open_worker(2):
                raise AssertionError
        other_wrong = await wait_spare(forks)
        config.write_text('model = "mended"\n')
        async with forks.open_worker(3) as mended, open_client(mended) as client:
            pids.append(mended.pid)
            other_answer = await client.ask("thread/start")

    assert pids == [spare, other_wrong]
    assert born_wrong not in pids
    assert (answer["model"], other_answer["model"]) == ("of the moment", "mended")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_spare_of_no_use_is_not_noticed(tmp_path: Path, how: signal.Signals) -> None:
    """Dead or stopped, the worker is forked; and after that there is a spare again."""
    async with open_spared(tmp_path) as (forks, spare):
        os.kill(spare, how)
        while state_of(spare) not in {"T", "Z", ""}:  # noqa: ASYNC110 -- nobody tells
            await trio.sleep(0.001)
        async with forks.open_worker(1) as worker:
            await wait_process_gone(spare)
            other = await wait_spare(forks)
            pong = await worker.ping()

    assert spare not in {worker.pid, other}
    assert pong.threads == 0


async def test_a_worker_that_hangs_once_the_spare_was_taken_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is found out as of any worker: it is not ready in time."""
    async with open_spared(tmp_path) as (forks, spare):
        scenario = tmp_path / "scenario.toml"
        text = scenario.read_text()
        scenario.unlink()
        os.mkfifo(scenario)  # reading it takes for ever
        monkeypatch.setattr(forks, "patience", 0.5)
        with pytest.raises(WorkerNotStarted, match=r"not ready within 0.5 s, and is killed"):
            async with forks.open_worker(1):
                raise AssertionError
        alive = is_alive(spare)
        scenario.unlink()
        scenario.write_text(text)
        monkeypatch.setattr(forks, "patience", 10.0)
        async with forks.open_worker(2) as worker:
            pong = await worker.ping()

    assert not alive
    assert pong.threads == 0


async def test_several_workers_at_once_are_several(tmp_path: Path) -> None:
    """One is the spare, the others are forked; each answers."""
    async with open_spared(tmp_path) as (forks, spare):
        pids: set[int] = set()
        met = trio.Event()

        async def have(number: int) -> None:
            async with forks.open_worker(number) as worker:
                await worker.ping()
                pids.add(worker.pid)
                if len(pids) == 4:
                    met.set()
                await met.wait()

        async with trio.open_nursery() as nursery:
            for number in range(1, 5):
                nursery.start_soon(have, number)

    assert len(pids) == 4
    assert spare in pids


async def test_no_spare_outlives_the_process_that_forks(tmp_path: Path) -> None:
    """Whether that is killed or told to end, and even when the spare is stopped."""
    async with open_spared(tmp_path) as (forks, first):
        assert forks.pid is not None
        os.kill(first, signal.SIGSTOP)
        os.kill(forks.pid, signal.SIGKILL)
        await wait_process_gone(first)
        async with forks.open_worker(1):
            pass
        second = await wait_spare(forks)
        os.kill(second, signal.SIGSTOP)
        await forks.close()
        await wait_process_gone(second)

    assert not is_alive(first)
    assert not is_alive(second)


async def test_a_worker_has_nothing_that_a_forked_one_has_not(tmp_path: Path) -> None:
    """Neither descriptors nor OS threads; and a spare has only the socket where it waits."""
    async with open_forks(tmp_path) as forks, forks.open_worker(1) as forked:
        spare = await wait_spare(forks)
        waiting = descriptors_of(spare)
        async with forks.open_worker(2) as worker:
            open_descriptors = [descriptors_of(pid) for pid in (forked.pid, worker.pid)]
            threads = [len(threads_of(pid)) for pid in (forked.pid, worker.pid)]
            sessions = {os.getsid(pid) for pid in (os.getpid(), forked.pid, worker.pid)}

    assert worker.pid == spare
    assert open_descriptors[0] == open_descriptors[1]
    assert len(waiting) == 4  # the three of every process, and the socket
    assert threads == [1, 1]
    assert len(sessions) == 3


@pytest.mark.parametrize("durability", list(Durability))
async def test_a_rehearsal_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability
) -> None:
    """No files, OS threads or processes; the provider of the configuration is not asked."""
    monkeypatch.setenv("OPENAI_API_KEY", "nobody knows it")
    with listening() as (url, asked):
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        async with open_forks(tmp_path, scenario=None, durability=durability) as forks:
            before = everything_below(tmp_path)
            async with forks.open_worker(0):
                pass
            spare = await wait_spare(forks)
            after = everything_below(tmp_path)
            threads = threads_of(spare)
            begun = children(spare)
            asked.setblocking(False)
            with pytest.raises(BlockingIOError):
                asked.accept()

    assert before == after
    assert threads == [str(spare)]
    assert begun == []


@contextmanager
def listening() -> Generator[tuple[str, socket.socket]]:
    """Be a service that answers nobody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1", server


# Without the rest of a server ------------------------------------------------------


@attrs.frozen
class Small:
    """See `small_forks`."""

    pid: int
    door: DescriptorSocket

    @asynccontextmanager
    async def open_worker(self, number: int) -> AsyncGenerator[list[str]]:
        """Have a worker; what it said of itself."""
        control, its_control = socket.socketpair()
        life, its_life = socket.socketpair()
        ours, alive = DescriptorSocket.over(control), DescriptorSocket.over(life)
        with its_control, its_life:
            both = (its_control.fileno(), its_life.fileno())
            await self.door.send(number.to_bytes(4, "big"), both)
        process = await ForkedProcess.of(alive)
        said = b""
        while not said.endswith(b"\n"):
            said += await ours.receive()
        words = said.decode().split()
        assert words[:2] == [str(number), str(process.pid)]
        yield words
        ours.close()
        await process.run()
        assert await process.wait_gone() == 0
        process.close()


@asynccontextmanager
async def open_small(how: str) -> AsyncGenerator[Small]:
    ours, its = socket.socketpair()
    command = [sys.executable, "-m", "tests.workers.process.small_forks", str(os.getpid()), how]
    with trio.fail_after(20), its:
        process = await trio.lowlevel.open_process(command, stdin=its)
    small = Small(process.pid, DescriptorSocket.over(ours))
    try:
        with trio.fail_after(20):
            yield small
    finally:
        small.door.close()
        with trio.move_on_after(5, shield=True):
            await process.wait()
        process.kill()


async def test_workers_draw_numbers_of_their_own() -> None:
    """A rehearsal draws some as well, and those that come after it are no other's."""
    drawn: list[str] = []
    async with open_small("well") as small:
        async with small.open_worker(1) as words:
            drawn += words[2:]
        for number in (2, 3):
            spare = await named_child(small.pid, "treadle-spare")
            async with small.open_worker(number) as words:
                drawn += words[2:]
                assert words[1] == str(spare)

    assert len(set(drawn)) == len(drawn) == 12


@pytest.mark.parametrize("how", ["hang", "fail"])
async def test_a_spare_that_cannot_rehearse_is_in_nobodys_way(how: str) -> None:
    """The request is served by a fork; what hangs is killed then."""
    async with open_small(how) as small:
        async with small.open_worker(1):
            pass
        if how == "hang":
            hanging = await named_child(small.pid, "treadle-warming")
        async with small.open_worker(2) as words:
            if how == "hang":
                await wait_process_gone(hanging)
                assert words[1] != str(hanging)


@contextmanager
def holding(*, rehearsed: bool) -> Generator[tuple[Spare, socket.socket]]:
    """Hold a process as if it were a spare, and the end of its link."""
    ours, its = socket.socketpair()
    with subprocess.Popen(["sleep", "1000"]) as process, its:
        try:
            if rehearsed:
                its.sendall(REHEARSED)
            yield Spare(process.pid, ours), its
        finally:
            process.kill()


def test_a_spare_gets_its_number_and_its_control_socket() -> None:
    """And its link ends."""
    with holding(rehearsed=True) as (spare, its), socket.socket() as control:
        became = spare.become(258, control)
        data, [descriptor], _, _ = socket.recv_fds(its, 10, 2)
        same = os.path.sameopenfile(descriptor, control.fileno())
        os.close(descriptor)
        rest = its.recv(1)

    assert became
    assert (int.from_bytes(data, "big"), same, rest) == (258, True, b"")


def rest_of(link: socket.socket) -> bytes:
    """Read to the end, which is a reset when the other side has not read all."""
    try:
        return link.recv(10)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("why", ["silent", "stopped", "dead", "closed"])
def test_a_spare_of_no_use_is_killed_and_gets_nothing(why: str) -> None:
    """Also one that died and was not collected yet; to find out takes no waiting."""
    with holding(rehearsed=why != "silent") as (spare, its), socket.socket() as control:
        if why == "closed":
            its.close()
        elif why != "silent":
            os.kill(spare.pid, signal.SIGKILL if why == "dead" else signal.SIGSTOP)
            how = os.WEXITED | os.WSTOPPED | os.WNOWAIT
            os.waitid(os.P_PID, spare.pid, how)  # until it is so
        became = spare.become(1, control)
        got = b"" if why == "closed" else rest_of(its)
        ended = os.waitid(os.P_PID, spare.pid, os.WEXITED | os.WNOWAIT)

    assert not became
    assert got == b""
    assert ended is not None
    assert ended.si_status == signal.SIGKILL
