"""A thread that crashes, and comes back (P3, P7)."""

import contextlib
import logging

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.rollout import load_rollout
from actors.runtime import ChannelClosed
from actors.supervisor import ThreadNotFound
from actors.thread import NoActiveTurn, ThreadClosed, ThreadState, user_commands
from messages.content import TextInput
from messages.events import Errored, ErrorEvent, TurnAborted, TurnComplete
from messages.ops import OverrideTurnContext, RunUserShellCommand, Shutdown

from .stage import CONFIG, drain, open_stage, read, request_lines, write

COMES_BACK = "Error None: the thread crashed and goes on from its rollout"


class Bug(Exception):  # noqa: N818 -- what it is
    """Something that nobody foresaw."""


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


async def test_turn_of_a_crashed_thread_ends_once_and_the_thread_comes_back(
    autojump_clock: MockClock,
) -> None:
    """In the rollout and for clients; the handle, its reader and its id stay the same."""
    async with open_stage() as stage:
        await stage.run_turn("one", "1")
        own = stage.thread.subscribe()
        (await stage.begin("two")).say("half").fail(Bug())

        told = await stage.until(ErrorEvent)
        assert told[-2:] == ["TurnAborted interrupted", COMES_BACK]
        response = await stage.begin("three")
        response.say("3").complete()
        assert (await stage.until(TurnComplete))[-1] == "TurnComplete 3"

        assert stage.supervisor.get_thread(stage.thread.thread_id) is stage.thread
        assert request_lines(response) == [
            "user: one",
            "assistant: 1",
            "user: two",
            "assistant: half",
            "user: <turn_aborted>",
            "user: three",
        ]
        recorded = stage.rollout()
        assert recorded.count("TurnStarted") == 3
        assert recorded.count("TurnAborted interrupted") == 1
        assert recorded.count("TurnComplete 3") == 1
        seqs = [event.seq for event in await own.receive_many()]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


async def test_submissions_in_the_queue_survive_a_crash(autojump_clock: MockClock) -> None:
    """They are served by the next life, in order."""
    async with open_stage() as stage:
        await stage.run_turn("one", "1")
        response = await stage.begin("two")
        response.fail(Bug())
        await wait_all_tasks_blocked()
        assert stage.thread.state is ThreadState.RESTARTING
        await stage.do(OverrideTurnContext(model="gpt-5.2-codex"))
        await stage.say("three")
        assert stage.thread.state is ThreadState.RESTARTING

        following = await stage.model.next_request()

        assert following.request.model == "gpt-5.2-codex"
        assert request_lines(following)[-1] == "user: three"


async def test_input_that_had_joined_the_crashed_turn_is_given_back(
    autojump_clock: MockClock,
) -> None:
    """It was in no queue any more."""
    async with open_stage() as stage:
        response = await stage.begin("one")
        await stage.say("two")
        await wait_all_tasks_blocked()
        drain(stage.thread)
        response.fail(Bug())
        await wait_all_tasks_blocked()

        assert drain(stage.thread)[-2:] == [
            "TurnAborted interrupted",
            "Error bad_request: the turn ended before it read this input; send it again",
        ]


async def test_steer_during_a_restart_is_answered_by_the_next_life(
    autojump_clock: MockClock,
) -> None:
    """It finds no turn there."""
    async with open_stage() as stage:
        (await stage.begin("one")).fail(Bug())
        await wait_all_tasks_blocked()

        with pytest.raises(Exception, match="no turn is running"):
            await stage.thread.steer_input((TextInput(text="x"),))


async def test_thread_that_crashes_before_it_has_a_rollout_starts_anew(
    autojump_clock: MockClock,
) -> None:
    """With its settings; nothing else was there to lose."""
    async with open_stage() as stage:
        await stage.do(OverrideTurnContext(model="gpt-5.2-codex"))
        await wait_all_tasks_blocked()
        drain(stage.thread)
        stage.thread._ports.mailbox.send_nowait("no message")  # type: ignore[arg-type]

        told = await stage.until(ErrorEvent)
        response = await stage.begin("one")

        assert told == [COMES_BACK]
        assert response.request.model == "gpt-5.2-codex"
        response.say("1").complete()
        await stage.until(TurnComplete)
        path = stage.thread.rollout_path
        assert path is not None
        assert stage.rollout()[:4] == [
            "developer: <permissions instructions>",
            "user: <environment_context>",
            "TurnStarted",
            "user: one",
        ]


async def test_thread_that_crashes_twice_is_given_up_and_its_siblings_stay(
    autojump_clock: MockClock,
) -> None:
    """Clients are told why; waits end, subscriptions end, and the registry forgets it."""
    async with open_stage() as stage:
        sibling = await stage.supervisor.start_thread(CONFIG)
        await stage.run_turn("one", "1")
        for text in ("two", "three"):
            (await stage.begin(text)).say("x").fail(Bug())
            await wait_all_tasks_blocked()

        told = await stage.rest()

        assert told[-2] == "TurnAborted interrupted"
        assert told[-1].startswith("Error None: the thread failed for good: ")
        assert isinstance(stage.thread.agent_status(), Errored)
        assert stage.thread.state is ThreadState.FAILED
        assert stage.supervisor.list_thread_ids() == (sibling.thread_id,)
        with pytest.raises(ThreadClosed):
            await stage.say("four")
        with pytest.raises(ChannelClosed):
            await stage.thread.next_event()
        with pytest.raises(ThreadNotFound):
            stage.supervisor.get_thread(stage.thread.thread_id)
        path = stage.thread.rollout_path
        assert path is not None
        stage.new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)
        drain(stage.thread)
        assert (await stage.run_turn("four"))[-1] == "TurnComplete hello"


async def test_steers_are_answered_while_a_thread_is_given_up(
    autojump_clock: MockClock,
) -> None:
    """Nobody who asks a dying thread hangs (P8)."""
    async with open_stage() as stage:
        (await stage.begin("one")).fail(Bug())
        await stage.until(ErrorEvent)
        response = await stage.begin("two")
        drain(stage.thread)
        response.fail(Bug())

        with pytest.raises(ThreadClosed):
            while True:
                with contextlib.suppress(NoActiveTurn):
                    await stage.thread.steer_input((TextInput(text="x"),))

        assert (await stage.rest())[0] == "TurnAborted interrupted"


async def test_crash_long_after_another_is_a_first_one_again(autojump_clock: MockClock) -> None:
    """The intensity is one in five seconds."""
    async with open_stage() as stage:
        for _ in range(4):
            (await stage.begin("x")).fail(Bug())
            assert (await stage.until(ErrorEvent))[-1] == COMES_BACK
            await trio.sleep(6)

        assert (await stage.run_turn("y"))[-1] == "TurnComplete hello"


async def test_ephemeral_thread_does_not_come_back_and_leaves_nobody_waiting(
    autojump_clock: MockClock,
) -> None:
    """It has no rollout to come back from; its turn has its end all the same."""
    async with open_stage(config=attrs.evolve(CONFIG, ephemeral=True)) as stage:
        (await stage.begin("one")).fail(Bug())

        told = await stage.rest()

        assert told[-1] == "TurnAborted interrupted"
        assert stage.thread.state is ThreadState.FAILED
        assert stage.supervisor.list_thread_ids() == ()


async def test_thread_whose_rollout_is_damaged_meanwhile_is_given_up(
    autojump_clock: MockClock,
) -> None:
    """A crash while it comes back is the one too many."""
    async with open_stage() as stage:
        await stage.run_turn("one")
        path = stage.thread.rollout_path
        assert path is not None
        (await stage.begin("two")).fail(Bug())
        await wait_all_tasks_blocked()
        write(path, b"")

        told = await stage.rest()

        assert told[-1].startswith("Error None: the thread failed for good: ")
        assert stage.supervisor.list_thread_ids() == ()


async def test_crash_of_a_command_beside_the_turn_ends_the_turn_too(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One crash, one restart; the turn's task is stopped with it."""

    async def crash(*_: object, **__: object) -> None:
        raise Bug

    monkeypatch.setattr(user_commands, "run_user_shell", crash)
    async with open_stage() as stage:
        response = await stage.begin("one")
        await stage.do(RunUserShellCommand(command="x"))

        told = await stage.until(ErrorEvent)

        assert told[-2:] == ["TurnAborted interrupted", COMES_BACK]
        assert response.ended.is_set()


async def test_shutdown_waits_for_the_next_life_when_the_thread_has_crashed(
    autojump_clock: MockClock,
) -> None:
    """It was queued, and is carried out."""
    async with open_stage() as stage:
        (await stage.begin("one")).fail(Bug())
        await wait_all_tasks_blocked()
        await stage.do(Shutdown())

        told = await stage.rest()

        assert told[-2:] == [COMES_BACK, "ShutdownComplete"]


async def test_removing_a_thread_that_is_about_to_come_back_ends_it(
    autojump_clock: MockClock,
) -> None:
    """It does not come back."""
    async with open_stage() as stage:
        (await stage.begin("one")).fail(Bug())
        await wait_all_tasks_blocked()

        await stage.supervisor.remove_thread(stage.thread.thread_id)

        assert (await stage.rest())[-1] == "TurnAborted interrupted"
        assert stage.thread.state is ThreadState.CLOSED


async def test_open_turn_of_a_killed_process_is_ended_when_the_thread_is_resumed(
    mock_clock: MockClock,
) -> None:
    """Before anybody sees it; once, also when it is resumed again (P3)."""
    async with open_stage() as stage:
        await stage.begin("one")
        await wait_all_tasks_blocked()
        path = stage.thread.rollout_path
        assert path is not None
        # What the disk would hold if the process were killed now.
        content = read(path)
        copy = stage.supervisor.home / "copy.jsonl"
        await stage.supervisor.remove_thread(stage.thread.thread_id)
        write(copy, content)

        for _ in range(2):
            stage.new = await stage.supervisor.resume_thread_from_rollout(CONFIG, copy)
            messages = stage.new.session_configured.initial_messages
            assert messages is not None
            ends = [message for message in messages if isinstance(message, TurnAborted)]
            assert len(ends) == 1
            await stage.supervisor.remove_thread(stage.thread.thread_id)

        aborted = [i for i in load_rollout(copy).items if isinstance(i, TurnAborted)]
        assert len(aborted) == 1
