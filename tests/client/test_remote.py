"""What is different when the threads are elsewhere."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors import ThreadConfig
from actors.client import (
    ConnectionLost,
    NotOverTheWire,
    RemoteNewThread,
    RemoteSupervisor,
    RolloutRefused,
    ThreadNotFollowed,
    connect,
)
from actors.models import RefreshStrategy
from actors.rollout import (
    ForkedHistory,
    NewHistory,
    ResumedHistory,
    RolloutError,
    load_rollout,
)
from actors.runtime import Lagged, MailboxFull
from actors.supervisor import ThreadAlreadyLoaded, ThreadCreated, ThreadNotFound, ThreadOrigin
from actors.thread import SteerInputEmpty, Thread, ThreadClosed, TurnMismatch
from actors.tools import DynamicToolInvalid
from messages.events import (
    Event,
    ExecApprovalRequest,
    TurnAborted,
    TurnComplete,
)
from messages.ids import ThreadId, TurnId
from messages.ops import Interrupt, SetThreadName, Submission
from messages.settings import DynamicToolSpec

from .journey import said
from .stage import careful, serving_unix

NOBODY = ThreadId("01a1ff62-a241-7154-a93f-570b5789a369")


@asynccontextmanager
async def two_clients(
    tmp_path: Path,
) -> AsyncGenerator[tuple[RemoteSupervisor, RemoteSupervisor, ThreadConfig]]:
    with trio.fail_after(20):
        async with serving_unix(tmp_path) as (_, url), connect(url) as one, connect(url) as other:
            yield one, other, careful(tmp_path / "work")


async def until(thread: Any, *kinds: type) -> Event:
    with trio.fail_after(10):
        async for event in thread.events():
            if isinstance(event, Event) and isinstance(event.msg, kinds):
                return event
    raise AssertionError(f"no {kinds} came")


async def test_thread_of_another_client_is_listed_and_followed_on_demand(tmp_path: Path) -> None:
    """Both hear the same from then on, and either may speak."""
    async with two_clients(tmp_path) as (one, other, config):
        created = other.subscribe_thread_created()
        new = await one.start_thread(config)
        thread_id = new.thread_id

        assert await created.receive() == ThreadCreated(
            thread_id=thread_id, origin=ThreadOrigin.START
        )
        assert other.list_thread_ids() == (thread_id,)
        with pytest.raises(ThreadNotFollowed, match="await follow_thread"):
            other.get_thread(thread_id)
        with pytest.raises(ThreadNotFound):
            other.get_thread(NOBODY)

        theirs = await other.follow_thread(thread_id)
        assert other.get_thread(thread_id) is theirs
        assert await other.follow_thread(thread_id) is theirs
        assert theirs.config_snapshot == new.thread.config_snapshot
        await theirs.submit(said("hello"))
        mine, heard = await until(new.thread, TurnComplete), await until(theirs, TurnComplete)
        assert heard == mine
        with theirs.subscribe(from_seq=1) as reader:
            assert isinstance(await reader.receive(), Lagged)
        with pytest.raises(ThreadNotFound):
            await other.follow_thread(NOBODY)


async def test_closing_all_threads_closes_those_of_this_client_only(tmp_path: Path) -> None:
    """Others have not asked for it."""
    async with two_clients(tmp_path) as (one, other, config):
        mine, theirs = await one.start_thread(config), await other.start_thread(config)
        await one.follow_thread(theirs.thread_id)

        report = await one.close_all_threads()

        assert report.completed == (mine.thread_id,)
        assert one.list_thread_ids() == (theirs.thread_id,)
        assert (await one.close_all_threads()).completed == ()
        assert await one.remove_thread(theirs.thread_id) is not None
        assert await one.remove_thread(NOBODY) is None
        await wait_all_tasks_blocked(0.01)
        assert other.list_thread_ids() == ()
        assert (await other.close_all_threads()).completed == ()


async def test_threads_go_on_when_the_connection_ends(tmp_path: Path) -> None:
    """They are the server's."""
    with trio.fail_after(20):
        async with serving_unix(tmp_path) as (_, url):
            async with connect(url) as remote:
                new = await remote.start_thread(careful(tmp_path / "work"))
                await new.thread.submit(said("run: touch made"))
                await until(new.thread, ExecApprovalRequest)
            async with connect(url) as remote:
                assert remote.list_thread_ids() == (new.thread_id,)
                thread = await remote.follow_thread(new.thread_id)
                [question] = thread.snapshot().questions
                assert isinstance(question, ExecApprovalRequest)
                await thread.submit(Interrupt())
                await until(thread, TurnAborted)


async def test_refusals_are_the_errors_of_a_supervisor_here(tmp_path: Path) -> None:
    """A program need not know where it comes from."""
    async with two_clients(tmp_path) as (one, _, config):
        new = await one.start_thread(config)
        await new.thread.submit(said("hello"))
        await until(new.thread, TurnComplete)
        path = new.thread.rollout_path
        assert path is not None

        with pytest.raises(ThreadAlreadyLoaded):
            await one.resume_thread_from_rollout(config, path)
        with pytest.raises(RolloutError, match="no rollout at") as refused:
            await one.resume_thread_from_rollout(config, tmp_path / "none.jsonl")
        assert isinstance(refused.value, RolloutRefused)
        with pytest.raises(RolloutError):
            await one.fork_thread(0, config, tmp_path / "none.jsonl")
        with pytest.raises(ValueError, match="counted from 0"):
            await one.fork_thread(-1, config, path)
        bad = DynamicToolSpec(name="a b", description="", input_schema={"type": "object"})
        with pytest.raises(DynamicToolInvalid) as invalid:
            await one.start_thread(config, dynamic_tools=[bad])
        assert invalid.value.name == "a b"
        with pytest.raises(ThreadNotFound):
            await one.send_op(NOBODY, Interrupt())
        with pytest.raises(SteerInputEmpty):
            await new.thread.steer_input(())

        await new.thread.submit(said("run: touch made"))
        await until(new.thread, ExecApprovalRequest)
        with pytest.raises(TurnMismatch) as mismatch:
            await new.thread.steer_input(said("x").items, expected_turn_id=TurnId("other"))
        assert mismatch.value.expected == "other"

        await one.remove_thread(new.thread_id)
        for say in (new.thread.submit, new.thread.submit_nowait):
            with pytest.raises(ThreadClosed):
                result = say(Interrupt())
                if say == new.thread.submit:
                    await result  # type: ignore[misc]


async def test_histories_are_named_by_their_rollouts(tmp_path: Path) -> None:
    """What is no whole rollout cannot be said."""
    async with two_clients(tmp_path) as (one, other, config):
        new = await one.resume_thread_with_history(config, NewHistory())
        await new.thread.submit(said("hello"))
        await until(new.thread, TurnComplete)
        await one.remove_thread(new.thread_id)
        loaded = load_rollout(Path(new.thread.rollout_path or ""))

        again = await other.resume_thread_with_history(config, ResumedHistory.of(loaded))
        assert again.thread_id == new.thread_id
        whole = ForkedHistory(items=loaded.items, source=loaded)
        fork = await other.resume_thread_with_history(config, whole)
        assert fork.session_configured.forked_from_id == new.thread_id
        part = ForkedHistory(items=loaded.items[:3], source=loaded)
        with pytest.raises(NotOverTheWire, match="use fork_thread"):
            await other.resume_thread_with_history(config, part)
        nothing = await other.fork_thread(7, config, loaded.path)
        assert nothing.session_configured.initial_messages == ()


async def test_submissions_keep_their_order_and_their_number_is_bounded(tmp_path: Path) -> None:
    """Though the server takes them side by side."""
    async with two_clients(tmp_path) as (one, _, config):
        new = await one.start_thread(config)
        # What only a recorded thread takes.
        ids = [new.thread.submit_nowait(SetThreadName(name=f"name {n}")) for n in range(64)]
        with pytest.raises(MailboxFull):
            new.thread.submit_nowait(said("one too many"))
        heard = []
        with trio.fail_after(10):
            async for event in new.thread.events():
                assert isinstance(event, Event)
                if event.id in ids:
                    heard.append(event.id)
                if len(heard) == len(ids):
                    break
        assert heard == ids


async def test_input_behind_work_that_waits_does_not_hold_up_an_interrupt(tmp_path: Path) -> None:
    """P5 holds over the wire."""
    async with two_clients(tmp_path) as (one, _, config), trio.open_nursery() as nursery:
        new = await one.start_thread(config)
        await new.thread.submit(said("run: touch made"))
        await until(new.thread, ExecApprovalRequest)
        for _ in range(200):
            nursery.start_soon(new.thread.submit, said("more"))
        await wait_all_tasks_blocked(0.01)

        await new.thread.submit(Interrupt())
        await until(new.thread, TurnAborted)
        nursery.cancel_scope.cancel()


async def test_submissions_that_wait_when_the_client_is_closed_are_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits may be outside of the client's block, and would wait for ever."""
    lost: list[str] = []

    async def submit(new: RemoteNewThread) -> None:
        try:
            await new.thread.submit(said("hello"))
        except ConnectionLost as exc:
            lost.append(exc.fate)

    async def full(_thread: Thread, _submission: Submission) -> None:
        await trio.sleep_forever()

    with trio.fail_after(10):
        async with (
            serving_unix(tmp_path) as (_, url),
            trio.open_nursery() as nursery,
            connect(url) as remote,
        ):
            new = await remote.start_thread(careful(tmp_path / "work"))
            monkeypatch.setattr(Thread, "submit_with_id", full)
            for _ in range(3):
                nursery.start_soon(submit, new)
                await wait_all_tasks_blocked(0.01)

    assert sorted(lost) == [
        "treadle/submit was not sent",
        "treadle/submit was not sent",
        "treadle/submit was sent and may have been carried out",
    ]


async def test_what_cannot_be_said_is_refused_by_name(tmp_path: Path) -> None:
    """Never ignored."""
    async with two_clients(tmp_path) as (one, _, config):
        with pytest.raises(NotOverTheWire, match=r"ThreadConfig\.user_instructions .*AGENTS\.md"):
            await one.start_thread(attrs.evolve(config, user_instructions="be kind"))
        with pytest.raises(NotOverTheWire, match="captured_ops cannot be had"):
            one.captured_ops()
        with pytest.raises(NotOverTheWire, match="SkillsUpdateAvailable"):
            one.subscribe_file_watcher()
        with pytest.raises(NotOverTheWire, match="leave it out"):
            await one.list_models(RefreshStrategy.ONLINE)
        assert one.list_thread_ids() == ()


async def test_what_there_is_can_be_listed(tmp_path: Path) -> None:
    """As a supervisor here lists it."""
    from actors import open_supervisor

    async with two_clients(tmp_path) as (one, _, config):
        async with open_supervisor(home=tmp_path / "other") as here:
            assert await one.list_models() == await here.list_models()
            assert one.list_collaboration_modes() == here.list_collaboration_modes()
        assert one.home == tmp_path / "home"
        await one.refresh_mcp_servers({"mcp_servers": {}})
        new = await one.start_thread(config)
        await one.refresh_mcp_servers({"mcp_servers": {}})
        assert one.parent_of(new.thread_id) is None
        assert one.children_of(new.thread_id) == ()
        assert repr(one).startswith("<RemoteSupervisor unix://")


async def test_ephemeral_thread_has_no_rollout(tmp_path: Path) -> None:
    """There as here."""
    async with two_clients(tmp_path) as (one, _, config):
        new = await one.start_thread(attrs.evolve(config, ephemeral=True))
        assert new.thread.rollout_path is None
        assert new.session_configured.rollout_path is None
        await new.thread.submit(said("hello"))
        await until(new.thread, TurnComplete)
