"""Worker processes: how they come up, what they share, and how they end."""

import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from subprocess import PIPE

import pytest
import trio

from actors.workers.errors import AdoptFailed, ReleaseFailed, WorkerLost, WorkerNotStarted
from messages.control import Pong, ThreadReport
from messages.ids import ThreadId
from tests.tools.processes import is_alive, marked_processes
from tests.tools.processes import wait_gone as wait_process_gone

from .spares import wait_spare
from .stage import OPEN, open_client, open_forks

pytestmark = pytest.mark.slow


def session_of(pid: int) -> int:
    return os.getsid(pid)


def sockets_of(pid: int) -> list[str]:
    """List the sockets that a process holds."""
    found = (str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir())
    return sorted(name for name in found if name.startswith("socket:"))


def processes_about(folder: Path) -> list[str]:
    """List the command lines of processes that were given this folder."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # ended meanwhile
            found.append(path.read_bytes().decode(errors="replace"))
    return [line for line in found if str(folder) in line]


async def test_a_worker_serves_a_client_and_says_what_happens(tmp_path: Path) -> None:
    """Threads and turns are known to the pool as they come; told to stop, it ends by itself."""
    async with open_forks(tmp_path) as forks, forks.open_worker(7) as worker:
        assert worker.accepting
        async with open_client(worker) as client:
            thread_id = ThreadId(await client.start_thread())
            turn_id = await client.start_turn(thread_id, "hello")
            told = await client.until("turn/completed")
            [report] = await worker.report()
            pong = await worker.ping()
        known = worker.threads[thread_id]
        await worker.stop(grace=5.0)
        status = await worker.wait_gone()

    assert told["turn"]["id"] == turn_id
    assert isinstance(report, ThreadReport)
    assert (report.thread_id, report.turn_id, report.followers) == (thread_id, None, 1)
    assert report.path == known.path
    assert (pong.threads, pong.turns) == (1, 0)
    assert pong.memory_bytes > 0
    assert (known.turn_id, known.parent_id, known.ephemeral) == (None, None, False)
    assert worker.number == 7
    assert status == 0
    assert worker.died.is_set()
    assert not worker.accepting
    assert worker.threads == {}  # closed in order
    assert repr(worker) == f"<Worker 7 (pid {worker.pid}): dead, 0 threads, 0 turns>"


async def test_a_killed_worker_is_noticed_at_once(tmp_path: Path) -> None:
    """What it had said is heard to its end, and whoever waits for it hears that it died."""
    async with open_forks(tmp_path) as forks, forks.open_worker(1) as worker:
        async with open_client(worker) as client:
            thread_id = ThreadId(await client.start_thread(ephemeral=True))
            turn_id = await client.start_turn(thread_id, "sleep")
            while not worker.turns:
                await client.hear()
            os.kill(worker.pid, signal.SIGSTOP)  # so that it cannot answer
            lost: list[int] = []

            async def ask() -> None:
                with pytest.raises(WorkerLost) as caught:
                    await worker.ping()
                lost.append(caught.value.number)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await trio.testing.wait_all_tasks_blocked()
                # What it was asked it cannot answer: only its end ends the waiting.
                worker.kill()
                await worker.died.wait()
            status = await worker.wait_gone()
            rest = await client.rest()
        with pytest.raises(WorkerLost):
            await worker.connect(2)
        await worker.stop(grace=10.0)  # is there to be stopped no more

    assert lost == [1]
    assert status == -signal.SIGKILL
    assert not worker.accepting
    known = worker.threads[thread_id]
    assert (known.turn_id, known.ephemeral) == (turn_id, True)
    assert "turn/completed" not in {message.get("method") for message in rest}


async def test_a_stopped_worker_does_not_answer_and_can_be_killed(tmp_path: Path) -> None:
    """A process that hangs is told from one that lives by its silence."""
    async with open_forks(tmp_path) as forks, forks.open_worker(1) as worker:
        os.kill(worker.pid, signal.SIGSTOP)
        with trio.move_on_after(0.1) as silence:
            await worker.ping()
        os.kill(worker.pid, signal.SIGCONT)
        pong = await worker.ping()
        os.kill(worker.pid, signal.SIGSTOP)
        worker.kill()
        status = await worker.wait_gone()

    assert silence.cancelled_caught
    assert isinstance(pong, Pong)
    assert status == -signal.SIGKILL


async def test_a_worker_ends_with_its_block(tmp_path: Path) -> None:
    """However the block ends; its errors come out as they are."""
    async with open_forks(tmp_path) as forks:
        with pytest.raises(LookupError):
            async with forks.open_worker(1) as first:
                raise LookupError
        with trio.CancelScope() as scope:
            async with forks.open_worker(2) as second:
                scope.cancel()
                await trio.sleep_forever()
        # None for one of which the end was not seen, as leaving the block took too long.
        statuses = [await worker.wait_gone() for worker in (first, second)]

    assert statuses == [-signal.SIGKILL] * 2
    assert not any(map(is_alive, (first.pid, second.pid)))


async def test_workers_share_nothing_that_hurts(tmp_path: Path) -> None:
    """Each has ids, a session and sockets of its own, and leaves signals to the pool."""
    async with (
        open_forks(tmp_path) as forks,
        forks.open_worker(1) as first,
        forks.open_worker(2) as second,
    ):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            assert forks.pid is not None
            os.kill(forks.pid, number)
            os.kill(first.pid, number)
        async with open_client(first, 1) as one, open_client(second, 2) as two:
            ids = {await one.start_thread(), await two.start_thread()}
            shared = set(sockets_of(first.pid)) & set(sockets_of(second.pid))
            sessions = {session_of(pid) for pid in (os.getpid(), first.pid, second.pid)}
            stdin = os.readlink(f"/proc/{first.pid}/fd/0")  # noqa: PTH115

    assert len(ids) == 2
    assert shared == set()
    assert len(sessions) == 3
    assert stdin == os.devnull


async def test_workers_die_with_the_process_that_forks(tmp_path: Path) -> None:
    """And the next worker gets a new one."""
    async with open_forks(tmp_path) as forks:
        async with forks.open_worker(1) as worker:
            parent = forks.pid
            assert parent is not None
            os.kill(parent, signal.SIGKILL)
            await worker.died.wait()
            status = await worker.wait_gone()
        async with forks.open_worker(2) as next_worker:
            pong = await next_worker.ping()

    assert status is None  # nobody is left who could say
    assert pong.threads == 0
    assert forks.pid is None


async def test_a_process_that_forks_and_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its workers go on, and the next one comes from another process; none is left in the end."""
    async with open_forks(tmp_path) as forks, forks.open_worker(1) as worker:
        hanging = forks.pid
        assert hanging is not None
        os.kill(hanging, signal.SIGSTOP)
        monkeypatch.setattr(forks, "patience", 0.1)
        with pytest.raises(WorkerNotStarted, match=r"has not answered for 0.1 s, and is given up"):
            async with forks.open_worker(2):
                raise AssertionError
        monkeypatch.setattr(forks, "patience", 10.0)
        async with forks.open_worker(3) as next_worker:
            alive = await worker.ping(), await next_worker.ping()
        other = forks.pid
        await forks.close()

    assert [pong.threads for pong in alive] == [0, 0]
    assert other not in {None, hanging}
    assert not is_alive(hanging)


_STOPPING = """
import os, signal, sys

def stop():
    if os.path.exists(os.environ["STOP_WORKERS"]):
        os.kill(os.getpid(), signal.SIGSTOP)

if any("fork_server" in word for word in sys.orig_argv):
    os.register_at_fork(after_in_child=stop)
"""


async def test_a_worker_that_is_never_ready_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one that waits for a file of a machine that does not answer."""
    (tmp_path / "sitecustomize.py").write_text(_STOPPING)
    stops = tmp_path / "stop"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("STOP_WORKERS", str(stops))
    async with open_forks(tmp_path) as forks:
        async with forks.open_worker(1):
            pass
        await wait_spare(forks)
        stops.touch()
        async with forks.open_worker(2):  # that spare
            pass
        monkeypatch.setattr(forks, "patience", 0.5)
        with pytest.raises(WorkerNotStarted, match=r"not ready within 0.5 s, and is killed"):
            async with forks.open_worker(3):
                raise AssertionError


async def test_a_worker_says_why_it_cannot_begin(tmp_path: Path) -> None:
    """The text is the configuration's own; when it is mended, the next worker comes up."""
    config = tmp_path / "home" / "config.toml"
    async with open_forks(tmp_path) as forks:
        config.write_text("approval_policy = 3\n")
        with pytest.raises(WorkerNotStarted) as caught:
            async with forks.open_worker(1):
                raise AssertionError
        config.write_text("")
        async with forks.open_worker(2) as worker:
            ready = worker.accepting

    assert str(config) in caught.value.problem
    assert "approval_policy" in caught.value.problem
    assert ready


async def test_a_thread_goes_from_one_worker_to_the_next(tmp_path: Path) -> None:
    """Released, its rollout is free, and its client hears nothing of that; killed, the same."""
    async with open_forks(tmp_path) as forks, forks.open_worker(2) as second:
        async with forks.open_worker(1) as first, open_client(first) as client:
            moved = ThreadId(await client.start_thread())
            lost = ThreadId(await client.start_thread())
            for thread_id in (moved, lost):
                await client.start_turn(thread_id, "hello")
                await client.until("turn/completed")
            opening = {"method": "thread/start", "params": OPEN}
            with pytest.raises(AdoptFailed, match="being written by process"):
                await second.adopt(moved, opening)
            since = len(client.told)
            await first.release(moved, grace=1.0)
            await second.adopt(moved, opening)
            with pytest.raises(ReleaseFailed, match="not loaded here"):
                await first.release(moved, grace=1.0)
            first.kill()
            await first.wait_gone()
            await second.adopt(lost, opening)
            await client.rest()
        async with open_client(second) as other:
            resumed = await other.ask("thread/resume", threadId=moved)

    assert {m.get("method") for m in client.told[since:]} <= {"thread/tokenUsage/updated"}
    assert set(second.threads) == {moved, lost}
    assert len(resumed["thread"]["turns"]) == 1


async def test_nothing_outlives_a_pool_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the process that forks, nor a worker that was stopped, nor commands."""
    mark = f"pool-{os.getpid()}-{tmp_path.name}"
    monkeypatch.setenv("TREADLE_TEST_MARK", mark)
    command = [sys.executable, "-m", "tests.workers.process.pool_process", str(tmp_path)]
    async with trio.open_nursery() as nursery:
        with trio.fail_after(20):
            run = partial(trio.run_process, command, stdout=PIPE, check=False)
            pool = await nursery.start(run)
            assert pool.stdout is not None
            line = b""
            while not line.endswith(b"\n"):
                line += await pool.stdout.receive_some(1000)
            pids = [int(word) for word in line.split()]
            before: list[str] = []
            # Other processes tell us nothing, so they are looked for.
            while not any("sleep" in process for process in before):
                await trio.sleep(0.01)
                before = marked_processes(mark)
            servers = processes_about(tmp_path)
            pool.kill()
            with trio.fail_after(2):
                for pid in pids:
                    await wait_process_gone(pid)
                while marked_processes(mark) or processes_about(tmp_path):  # noqa: ASYNC110
                    await trio.sleep(0.01)

    # The pool, what forks, two workers; a launcher, two keepers and the command.
    assert len(before) >= 8
    assert any("notes_server" in process for process in servers)
    assert not any(map(is_alive, pids))
