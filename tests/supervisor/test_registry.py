"""Starting, finding and removing threads; who hears of it."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import InvalidRequest
from actors.rollout import (
    ForkedHistory,
    NewHistory,
    ResumedHistory,
    RolloutLocked,
    RolloutNotFound,
    load_rollout,
)
from actors.runtime import SupervisorStopped
from actors.supervisor import (
    HomeError,
    Supervisor,
    ThreadAlreadyLoaded,
    ThreadCreated,
    ThreadNotFound,
    ThreadOrigin,
    open_supervisor,
)
from actors.testing import ManualModel, open_test_supervisor
from actors.thread import Thread, ThreadClosed, ThreadState
from actors.tools import DynamicToolInvalid
from messages.events import TurnComplete, WarningEvent
from messages.ids import ThreadId
from messages.ops import Interrupt, RefreshMcpServers, Shutdown
from messages.settings import DynamicToolSpec, SourceKind
from messages.value import Json

from ..thread.stage import CONFIG, Stage, drain, open_stage, text_input

NOBODY = ThreadId("00000000-0000-7000-8000-000000000000")
NO_SERVERS: Json = {"mcp_servers": {}}


async def recorded_thread(stage: Stage) -> Path:
    """Run a turn, end the thread, and return its rollout."""
    await stage.run_turn()
    await stage.supervisor.remove_thread(stage.thread.thread_id)
    return Path(stage.thread.rollout_path or "")


async def test_threads_are_found_by_their_ids_until_they_end(mock_clock: MockClock) -> None:
    """Oldest first; an unknown id is named in the error."""
    async with open_stage() as stage:
        supervisor = stage.supervisor
        second = await supervisor.start_thread(CONFIG)

        assert supervisor.list_thread_ids() == (stage.thread.thread_id, second.thread_id)
        assert supervisor.get_thread(second.thread_id) is second.thread
        with pytest.raises(ThreadNotFound, match=f"no thread with id: {NOBODY}"):
            supervisor.get_thread(NOBODY)
        with pytest.raises(ThreadNotFound):
            await supervisor.send_op(NOBODY, Interrupt())

        assert await supervisor.remove_thread(second.thread_id) is second.thread
        assert await supervisor.remove_thread(second.thread_id) is None
        assert supervisor.list_thread_ids() == (stage.thread.thread_id,)
        assert second.thread.state is ThreadState.CLOSED
        assert repr(supervisor).endswith(": 1 threads>")


async def test_supervisor_tells_about_its_threads_and_its_disk(mock_clock: MockClock) -> None:
    """How many in which state, and what waits to be written."""
    async with open_stage() as stage:
        await stage.supervisor.start_thread(CONFIG)
        await stage.begin()
        await wait_all_tasks_blocked()

        told = stage.supervisor.statistics()

        assert told.threads == {ThreadState.IDLE: 1, ThreadState.RUNNING: 1}
        assert told.failing_rollouts == 0
        assert told.pending_bytes > 0


async def test_op_is_sent_by_id(mock_clock: MockClock) -> None:
    """As if it were submitted to the thread itself."""
    async with open_stage() as stage:
        submission_id = await stage.supervisor.send_op(stage.thread.thread_id, text_input("hi"))

        response = await stage.model.next_request()

        assert response.request.turn_id == submission_id


async def test_every_creation_is_announced_once_with_its_origin(mock_clock: MockClock) -> None:
    """Before anybody could find the thread and send it an op (P13)."""
    async with open_stage() as stage:
        supervisor = stage.supervisor
        created = supervisor.subscribe_thread_created()
        path = await recorded_thread(stage)

        started = await supervisor.start_thread(CONFIG)
        resumed = await supervisor.resume_thread_from_rollout(CONFIG, path)
        forked = await supervisor.fork_thread(1, CONFIG, path)
        loaded = load_rollout(path)
        others = [
            await supervisor.resume_thread_with_history(CONFIG, history)
            for history in (NewHistory(), ForkedHistory(items=loaded.items))
        ]

        assert await created.receive_many() == [
            ThreadCreated(thread_id=started.thread_id, origin=ThreadOrigin.START),
            ThreadCreated(thread_id=resumed.thread_id, origin=ThreadOrigin.RESUME),
            ThreadCreated(thread_id=forked.thread_id, origin=ThreadOrigin.FORK),
            ThreadCreated(thread_id=others[0].thread_id, origin=ThreadOrigin.START),
            ThreadCreated(thread_id=others[1].thread_id, origin=ThreadOrigin.FORK),
        ]


async def test_thread_that_is_starting_is_not_found(mock_clock: MockClock) -> None:
    """Nobody gets hold of it before it is announced; but it can be removed."""
    async with open_stage() as stage:
        supervisor = stage.supervisor
        path = await recorded_thread(stage)
        thread_id = stage.thread.thread_id
        created = supervisor.subscribe_thread_created()
        seen: list[object] = []

        async def look() -> None:
            while not supervisor._threads:
                await trio.lowlevel.checkpoint()
            seen.append(supervisor.list_thread_ids())
            with pytest.raises(ThreadNotFound):
                supervisor.get_thread(thread_id)
            await supervisor.remove_thread(thread_id)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(look)
            with pytest.raises(ThreadClosed):
                await supervisor.resume_thread_from_rollout(CONFIG, path)

        assert seen == [()]
        assert supervisor._threads == {}
        assert created.next_seq == supervisor.subscribe_thread_created().next_seq
        await supervisor.resume_thread_from_rollout(CONFIG, path)


async def test_thread_is_live_at_most_once(mock_clock: MockClock) -> None:
    """Also when two resume it at the same time; the other thread goes on (P1)."""
    async with open_stage() as stage:
        path = await recorded_thread(stage)
        outcomes: list[object] = []

        async def resume() -> None:
            try:
                outcomes.append(await stage.supervisor.resume_thread_from_rollout(CONFIG, path))
            except ThreadAlreadyLoaded as error:
                outcomes.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(resume)
            nursery.start_soon(resume)

        assert sorted(type(outcome).__name__ for outcome in outcomes) == [
            "NewThread",
            "ThreadAlreadyLoaded",
        ]
        with pytest.raises(ThreadAlreadyLoaded, match=stage.thread.thread_id):
            await stage.supervisor.resume_thread_from_rollout(CONFIG, path)
        stage.new = next(o for o in outcomes if not isinstance(o, Exception))  # type: ignore[assignment]
        assert (await stage.run_turn())[-1] == "TurnComplete hello"


async def test_thread_of_another_process_is_not_resumed(mock_clock: MockClock) -> None:
    """The error names who has it; once that process is gone, the thread is free (P1)."""
    async with open_stage() as stage:
        path = await recorded_thread(stage)
        with locked_elsewhere(path) as holder:
            with pytest.raises(RolloutLocked) as raised:
                await stage.supervisor.resume_thread_from_rollout(CONFIG, path)

            assert raised.value.holder in (holder, None)
            assert stage.supervisor.list_thread_ids() == ()
        resumed = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)
        assert resumed.thread_id == stage.thread.thread_id


@contextmanager
def locked_elsewhere(path: Path) -> Generator[int]:
    """Let another process hold a rollout's lock; give its id."""
    program = (
        "import fcntl, sys; f = open(sys.argv[1], 'ab'); fcntl.flock(f, fcntl.LOCK_EX); "
        "print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        yield holder.pid
        holder.communicate()


async def test_two_supervisors_do_not_share_a_thread(mock_clock: MockClock, tmp_path: Path) -> None:
    """The second is told that the first has it."""
    async with open_stage(home=tmp_path) as stage:
        await stage.run_turn()
        async with open_test_supervisor(home=tmp_path) as other:
            with pytest.raises(RolloutLocked):
                await other.resume_thread_from_rollout(CONFIG, stage.thread.rollout_path or "")


async def test_start_that_fails_leaves_nothing_behind(mock_clock: MockClock) -> None:
    """No thread, no announcement, no lock; the handle that nobody got has ended."""
    async with open_stage() as stage:
        supervisor = stage.supervisor
        path = await recorded_thread(stage)
        created = supervisor.subscribe_thread_created()
        bad = DynamicToolSpec(name="no good", description="", input_schema={})

        with pytest.raises(DynamicToolInvalid):
            await supervisor.start_thread(CONFIG, dynamic_tools=(bad,))
        with pytest.raises(RolloutNotFound):
            await supervisor.resume_thread_from_rollout(CONFIG, path.with_name("x.jsonl"))
        with pytest.raises(RolloutNotFound):
            await supervisor.fork_thread(None, CONFIG, path.with_name("x.jsonl"))
        history = ResumedHistory(thread_id=NOBODY, path=path.with_name("x.jsonl"))
        with pytest.raises(RolloutNotFound):
            await supervisor.resume_thread_with_history(CONFIG, history)

        assert supervisor._threads == {}
        assert created.next_seq == supervisor.subscribe_thread_created().next_seq


async def test_start_that_crashes_halfway_lets_go_of_the_rollout(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be resumed at once."""
    async with open_stage() as stage:
        path = await recorded_thread(stage)

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("no")

        with monkeypatch.context() as patch:
            patch.setattr("actors.thread.life.missing_turn_ends", fail)
            with pytest.raises(RuntimeError, match="no"):
                await stage.supervisor.resume_thread_from_rollout(CONFIG, path)

        assert stage.supervisor._threads == {}
        await stage.supervisor.resume_thread_from_rollout(CONFIG, path)


async def test_cancelled_start_leaves_nothing_behind(mock_clock: MockClock) -> None:
    """Whenever the cancellation comes."""
    async with open_stage() as stage:
        path = await recorded_thread(stage)
        for steps in range(12):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:

                    async def cancel(steps: int = steps, scope: trio.CancelScope = scope) -> None:
                        for _ in range(steps):
                            await trio.lowlevel.checkpoint()
                        scope.cancel()

                    nursery.start_soon(cancel)
                    await stage.supervisor.resume_thread_from_rollout(CONFIG, path)
            await stage.supervisor.remove_thread(stage.thread.thread_id)

            assert stage.supervisor._threads == {}
        await stage.supervisor.resume_thread_from_rollout(CONFIG, path)


async def test_recorded_tool_that_cannot_be_used_here_is_left_out(
    mock_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """An old thread comes back without it rather than not at all."""
    good = DynamicToolSpec(name="good", description="", input_schema={})
    shell = DynamicToolSpec(name="shell", description="", input_schema={})
    async with open_stage(dynamic_tools=(shell, good)) as stage:
        path = await recorded_thread(stage)
        home = stage.supervisor.home
        model = ManualModel()
        async with open_test_supervisor(home=home, provider=model) as other:
            new = await other.resume_thread_from_rollout(CONFIG, path)
            await new.thread.submit(text_input("hi"))
            response = await model.next_request()

        names = [spec["name"] for spec in response.request.tools]  # type: ignore[index]
        assert "good" in names
        assert "shell" not in names  # ours is understood, but not offered
        assert "a recorded tool is left out" in caplog.text


async def test_session_source_goes_into_new_rollouts(mock_clock: MockClock) -> None:
    """And is known of the supervisor."""
    async with open_stage(session_source=SourceKind.CLI) as stage:
        path = await recorded_thread(stage)

        assert stage.supervisor.session_source is SourceKind.CLI
        assert load_rollout(path).items[0].source is SourceKind.CLI  # type: ignore[union-attr]


@pytest.mark.parametrize("extended", [False, True])
async def test_extended_history_keeps_errors_too(mock_clock: MockClock, *, extended: bool) -> None:
    """As the caller wants it."""
    async with open_test_supervisor(provider=(model := ManualModel())) as supervisor:
        new = await supervisor.start_thread(CONFIG, persist_extended_history=extended)
        stage = Stage(supervisor, model, new)
        (await stage.begin()).fail(InvalidRequest("no"))
        await stage.until(TurnComplete)

        assert ("Error other: no" in stage.rollout()) is extended


# Capture ---------------------------------------------------------------------


async def test_every_op_is_captured_however_it_was_sent(mock_clock: MockClock) -> None:
    """Before it is queued, with broadcasts and the shutdown at the end (P11)."""
    async with open_stage() as stage:
        supervisor, thread = stage.supervisor, stage.thread
        other = (await supervisor.start_thread(CONFIG)).thread
        await thread.submit(Interrupt())
        thread.submit_nowait(Interrupt())
        await supervisor.send_op(other.thread_id, Interrupt())
        await supervisor.refresh_mcp_servers({"a": 1})
        await supervisor.remove_thread(other.thread_id)
        report = await supervisor.close_all_threads()

        refresh = RefreshMcpServers(config={"a": 1})
        captured = supervisor.captured_ops()
        assert captured[:3] == (
            (thread.thread_id, Interrupt()),
            (thread.thread_id, Interrupt()),
            (other.thread_id, Interrupt()),
        )
        assert sorted(captured[3:5]) == [(thread.thread_id, refresh), (other.thread_id, refresh)]
        assert captured[5:] == ((other.thread_id, Shutdown()), (thread.thread_id, Shutdown()))
        assert report.completed == (thread.thread_id,)


async def test_ops_to_an_ended_thread_are_not_captured(mock_clock: MockClock) -> None:
    """They go nowhere."""
    async with open_stage() as stage:
        await stage.supervisor.remove_thread(stage.thread.thread_id)
        before = stage.supervisor.captured_ops()
        with pytest.raises(Exception, match="has ended"):
            await stage.thread.submit(Interrupt())

        assert stage.supervisor.captured_ops() == before


async def test_capture_is_off_unless_asked_for(mock_clock: MockClock, tmp_path: Path) -> None:
    """And says how to turn it on."""
    async with open_supervisor(home=tmp_path) as supervisor:
        await (await supervisor.start_thread(CONFIG)).thread.submit(Interrupt())
        with pytest.raises(RuntimeError, match="capture_ops=True"):
            supervisor.captured_ops()


async def test_capture_has_an_end(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that captures without bound has run away."""
    monkeypatch.setattr("actors.supervisor.registry.CAPTURE_CAPACITY", 2)
    async with open_stage() as stage:
        stage.thread.submit_nowait(Interrupt())
        stage.thread.submit_nowait(Interrupt())
        with pytest.raises(RuntimeError, match="more than 2 ops"):
            stage.thread.submit_nowait(Interrupt())


async def test_refresh_passes_over_a_thread_that_ends_meanwhile(mock_clock: MockClock) -> None:
    """And waits for room in a full queue."""
    async with open_stage() as stage:
        ending = (await stage.supervisor.start_thread(CONFIG)).thread
        for thread in (ending, stage.thread):
            for _ in range(64):
                thread.submit_nowait(RefreshMcpServers(config=NO_SERVERS))
        ending.submit_nowait(Shutdown())

        await stage.supervisor.refresh_mcp_servers(NO_SERVERS)
        await wait_all_tasks_blocked()

        assert drain(stage.thread) == []


# The home --------------------------------------------------------------------


async def test_home_that_is_no_folder_is_refused(mock_clock: MockClock, tmp_path: Path) -> None:
    """Itself, one above it, or the folder of rollouts in it; nothing was made."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "sessions").write_text("x")

    for home in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "home"):
        with pytest.raises(HomeError, match="is not a folder; choose another home"):
            async with open_supervisor(home=home):
                pass


async def test_home_that_may_not_be_written_is_refused(
    mock_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is started."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(HomeError, match="permission denied"):
        async with open_supervisor(home=tmp_path / "new"):
            pass

    def fail(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", fail)
    with pytest.raises(HomeError, match="Permission denied"):
        async with open_supervisor(home=tmp_path):
            pass


async def test_new_home_is_made_when_the_first_rollout_is(
    mock_clock: MockClock, tmp_path: Path
) -> None:
    """Starting a thread touches no disk (P14)."""
    home = tmp_path / "a" / "b"
    async with open_stage(home=home) as stage:
        assert not home.exists()
        await stage.run_turn()

        assert (home / "sessions").is_dir()


# The block -------------------------------------------------------------------


async def test_errors_of_the_block_come_out_as_they_are(
    mock_clock: MockClock, tmp_path: Path
) -> None:
    """Not in a group, for the caller wrote no nursery."""
    with pytest.raises(KeyError):
        async with open_supervisor(home=tmp_path):
            raise KeyError

    group = ExceptionGroup("mine", [KeyError(), ValueError()])
    with pytest.raises(ExceptionGroup) as raised:
        async with open_supervisor(home=tmp_path):
            raise group
    assert (raised.value.message, raised.value.exceptions) == ("mine", group.exceptions)

    with trio.CancelScope() as scope:
        async with open_supervisor(home=tmp_path):
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_nothing_starts_after_the_block(mock_clock: MockClock, tmp_path: Path) -> None:
    """With an error that says so; nothing is left in the registry."""
    async with open_supervisor(home=tmp_path) as supervisor:
        pass

    with pytest.raises(SupervisorStopped):
        await supervisor.start_thread(CONFIG)
    assert supervisor.list_thread_ids() == ()


async def test_announcements_end_with_the_block(mock_clock: MockClock, tmp_path: Path) -> None:
    """Whoever reads them goes home."""
    heard: list[ThreadOrigin] = []

    async def listen(supervisor: Supervisor) -> None:
        async for created in supervisor.subscribe_thread_created():
            assert isinstance(created, ThreadCreated)
            heard.append(created.origin)

    async with trio.open_nursery() as nursery, open_supervisor(home=tmp_path) as supervisor:
        nursery.start_soon(listen, supervisor)
        await wait_all_tasks_blocked()
        await supervisor.start_thread(CONFIG)

    assert heard == [ThreadOrigin.START]


async def test_threads_end_with_the_block(mock_clock: MockClock) -> None:
    """Told when it is left, cancelled when it fails; their rollouts are whole either way."""
    for fails in (False, True):
        thread: Thread | None = None
        model = ManualModel()
        try:
            async with open_test_supervisor(provider=model) as supervisor:
                thread = (await supervisor.start_thread(CONFIG)).thread
                await thread.submit(text_input("hi"))
                await model.next_request()
                if fails:
                    raise KeyError
        except KeyError:
            pass
        assert thread is not None
        told = [type(event.msg).__name__ async for event in thread.events()]  # type: ignore[union-attr]
        assert told[-1] == ("TurnAborted" if fails else "ShutdownComplete")
        assert "TurnAborted" in told
        assert thread.state is ThreadState.CLOSED
        assert WarningEvent.__name__ not in told
