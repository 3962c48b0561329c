"""Taking turns back, and naming threads."""

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.rollout import RolloutUnreadable, SessionIndex, find_thread_path_by_name
from messages.events import ErrorEvent, ThreadNameUpdated, ThreadRolledBack
from messages.ops import OverrideTurnContext, SetThreadName, ThreadRollback

from .stage import CONFIG, drain, open_stage, request_lines


async def test_rolled_back_turns_are_gone_for_the_model(mock_clock: MockClock) -> None:
    """Live, and after a resume; the rollout keeps them, with a marker."""
    async with open_stage() as stage:
        for text in ("one", "two", "three"):
            await stage.run_turn(text, f"{text}!")
        drain(stage.thread)
        await stage.do(ThreadRollback(num_turns=2))
        told = await stage.until(ThreadRolledBack)
        live = await stage.begin("four")
        live.say("4").complete()
        await wait_all_tasks_blocked()
        path = stage.thread.rollout_path
        assert path is not None
        await stage.supervisor.remove_thread(stage.thread.thread_id)
        stage.new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)
        resumed = await stage.begin("five")

        assert [line.partition(" ")[0] for line in told] == ["TokenCount", "ThreadRolledBack"]
        assert request_lines(live) == ["user: one", "assistant: one!", "user: four"]
        assert request_lines(resumed) == [
            "user: one",
            "assistant: one!",
            "user: four",
            "assistant: 4",
            "user: five",
        ]
        assert "user: three" in stage.rollout()


@pytest.mark.parametrize(
    ("count", "left"), [(1, ["user: one", "assistant: hello", "user: new"]), (9, ["user: new"])]
)
async def test_rollback_of_more_turns_than_there_are_takes_all(
    mock_clock: MockClock, count: int, left: list[str]
) -> None:
    """The context before the first stays; the event says what was asked for."""
    async with open_stage() as stage:
        await stage.run_turn("one")
        await stage.run_turn("two")
        await stage.do(ThreadRollback(num_turns=count))

        assert (await stage.until(ThreadRolledBack))[-1] == f"ThreadRolledBack {count}"
        assert request_lines(await stage.begin("new")) == left


async def test_rollback_is_refused_without_turns_and_while_one_runs(
    mock_clock: MockClock,
) -> None:
    """With its own code; nothing changes."""
    async with open_stage() as stage:
        await stage.do(ThreadRollback(num_turns=0))
        await wait_all_tasks_blocked()
        assert drain(stage.thread) == ["Error thread_rollback_failed: num_turns must be >= 1"]
        response = await stage.begin()
        drain(stage.thread)
        await stage.do(ThreadRollback(num_turns=1))
        await wait_all_tasks_blocked()

        assert drain(stage.thread) == [
            "Error thread_rollback_failed: Cannot rollback while a turn is in progress."
        ]
        assert not response.ended.is_set()


async def test_model_is_told_again_what_a_rollback_took_away(mock_clock: MockClock) -> None:
    """Settings that it was told of within the turns that are gone."""
    async with open_stage() as stage:
        await stage.run_turn("one")
        await stage.do(OverrideTurnContext(cwd="/elsewhere"))
        await stage.run_turn("two")
        await stage.do(ThreadRollback(num_turns=2))
        await stage.until(ThreadRolledBack)

        response = await stage.begin("three")

        places = [str(item) for item in response.request.input if "<cwd>" in str(item)]
        assert "/elsewhere" in places[-1]
        assert len(places) == 2


async def test_named_thread_is_found_by_its_name_and_knows_it(mock_clock: MockClock) -> None:
    """Without the white space around it."""
    async with open_stage() as stage:
        await stage.run_turn()
        await stage.do(SetThreadName(name="  my thread "))
        assert (await stage.until(ThreadNameUpdated))[-1] == "ThreadNameUpdated my thread"
        await stage.supervisor.remove_thread(stage.thread.thread_id)

        path = await find_thread_path_by_name(stage.supervisor.home, "my thread")
        assert path is not None
        new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)

        assert new.session_configured.thread_name == "my thread"


async def test_thread_has_the_name_it_was_given_last(mock_clock: MockClock) -> None:
    """Names are set in the order of their submissions, whatever the disk does."""
    async with open_stage() as stage:
        for number in range(20):
            await stage.do(SetThreadName(name=f"name {number}"))
        told: list[str] = []
        while "ThreadNameUpdated name 19" not in told:
            told += await stage.until(ThreadNameUpdated)

        index = SessionIndex(stage.supervisor.home, stage.supervisor._services.world)
        assert await index.name_of(stage.thread.thread_id) == "name 19"
        assert told == [f"ThreadNameUpdated name {number}" for number in range(20)]


async def test_names_that_cannot_be_set_are_refused(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blank ones, those of threads that are not recorded, and those the disk does not take."""
    async with open_stage() as stage:
        await stage.do(SetThreadName(name=" "))
        assert (await stage.until(ErrorEvent)) == [
            "Error bad_request: Thread name cannot be empty."
        ]

        async def fail(*_: object) -> None:
            await trio.lowlevel.checkpoint()
            raise RolloutUnreadable(stage.supervisor.home, "Permission denied")

        monkeypatch.setattr(SessionIndex, "set_name", fail)
        await stage.do(SetThreadName(name="x"))
        [line] = await stage.until(ErrorEvent)
        assert line.startswith("Error other: Failed to set thread name: cannot use ")
    async with open_stage(config=attrs.evolve(CONFIG, ephemeral=True)) as stage:
        await stage.do(SetThreadName(name="x"))
        assert (await stage.until(ErrorEvent)) == [
            "Error other: Session persistence is disabled; cannot rename thread."
        ]


async def test_renames_wait_in_a_bounded_line_and_control_does_not_wait_for_them(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more is refused; those that wait when the thread is cancelled are answered."""
    held = trio.Event()

    async def hold(*_: object) -> None:
        await held.wait()

    monkeypatch.setattr(SessionIndex, "set_name", hold)
    async with open_stage() as stage:
        for number in range(65):
            await stage.do(SetThreadName(name=str(number)))
        await wait_all_tasks_blocked()
        assert drain(stage.thread) == [
            "Error other: Failed to set thread name: 64 others wait before it"
        ]
        response = await stage.begin("hi")
        response.say("x").complete()
        await wait_all_tasks_blocked()
        assert drain(stage.thread)[-1] == "TurnComplete x"

        await stage.supervisor.remove_thread(stage.thread.thread_id, grace=0)

        told = await stage.rest()
        stopped = "Error other: Failed to set thread name: the thread stopped before; send it again"
        assert told == [stopped] * 64


async def test_name_index_that_cannot_be_read_keeps_no_thread_down(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes back without its name."""
    async with open_stage() as stage:
        await stage.run_turn()
        path = stage.thread.rollout_path
        assert path is not None
        await stage.supervisor.remove_thread(stage.thread.thread_id)

        async def fail(*_: object) -> None:
            await trio.lowlevel.checkpoint()
            raise RolloutUnreadable(stage.supervisor.home, "Permission denied")

        monkeypatch.setattr(SessionIndex, "name_of", fail)
        new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)

        assert new.session_configured.thread_name is None
