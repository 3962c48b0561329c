"""Threads that go on from a rollout: their own or another's."""

from pathlib import Path

import attrs
import pytest
from trio.testing import MockClock

from actors.rollout import ForkedHistory, NewHistory, ResumedHistory, load_rollout
from messages.events import (
    TokenCount,
    TurnAborted,
    TurnComplete,
    UserMessage,
)
from messages.items import Message
from messages.rollout import SessionMeta
from messages.settings import (
    CollaborationMode,
    CollaborationSettings,
    ModeKind,
    Personality,
    ReadOnly,
)

from .stage import CONFIG, Stage, drain, open_stage, recorded, request_lines


async def closed_thread(stage: Stage) -> Path:
    """End the stage's thread; return its rollout."""
    assert stage.thread.rollout_path is not None
    await stage.supervisor.remove_thread(stage.thread.thread_id)
    return Path(stage.thread.rollout_path)


def context_of(response: object) -> list[str]:
    return [
        str(item)
        for item in response.request.input  # type: ignore[attr-defined]
        if isinstance(item, Message) and "<" in str(item)
    ]


async def test_first_line_says_whose_rollout_it_is(mock_clock: MockClock) -> None:
    """With a time in UTC to the millisecond."""
    mock_clock.jump(0.25)
    async with open_stage() as stage:
        await stage.run_turn()

        meta = load_rollout(Path(stage.thread.rollout_path or "")).items[0]

        assert isinstance(meta, SessionMeta)
        assert meta.timestamp == "2026-01-01T00:00:00.250Z"
        assert (meta.id, meta.cwd, meta.originator) == (stage.thread.thread_id, "/", "treadle")
        assert meta.model_provider == "manual"
        assert meta.base_instructions is not None


async def test_resumed_thread_has_its_id_its_past_and_its_file(mock_clock: MockClock) -> None:
    """Nothing is written before its first turn, and its context is not told twice (L24)."""
    async with open_stage() as stage:
        await stage.run_turn("one", "1")
        thread_id = stage.thread.thread_id
        path = await closed_thread(stage)
        before = path.read_bytes()

        stage.new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)

        assert drain(stage.thread) == []
        assert path.read_bytes() == before
        configured = stage.new.session_configured
        assert configured.session_id == thread_id
        assert configured.rollout_path == str(path)
        messages = configured.initial_messages
        assert messages is not None
        assert [m.message for m in messages if isinstance(m, UserMessage)] == ["one"]
        response = await stage.begin("two")
        assert request_lines(response) == ["user: one", "assistant: 1", "user: two"]
        response.say("2").complete()
        await stage.until(TurnComplete)
        assert len(context_of(response)) == 2
        assert path.read_bytes().startswith(before)


async def test_resumed_thread_is_told_what_changed(mock_clock: MockClock) -> None:
    """Only that: another place, other rights, other instructions, another model."""
    async with open_stage() as stage:
        await stage.run_turn("one", "1")
        path = await closed_thread(stage)
        config = attrs.evolve(
            CONFIG,
            cwd="/elsewhere",
            sandbox_policy=ReadOnly(),
            developer_instructions="Be kind.",
            user_instructions="Use tabs.",
            personality=Personality.PRAGMATIC,
            model="gpt-5.2-codex",
        )

        stage.new = await stage.supervisor.resume_thread_from_rollout(config, path)
        told = drain(stage.thread)
        response = await stage.begin("two")

        assert told == [
            "WarningEvent this thread was recorded with the model 'scripted' and goes on with "
            "'gpt-5.2-codex'; choose 'scripted' again if its answers get worse"
        ]
        # Behind two messages of context, the input and the answer.
        fresh = [str(item) for item in response.request.input[4:-1]]
        assert [kind in text for kind, text in zip(KINDS, fresh, strict=True)] == [True] * 6
        assert response.request.instructions == stage.thread.config_snapshot.base_instructions


KINDS = (
    "<permissions instructions>",
    "Be kind.",
    "<personality_spec>",
    "# AGENTS.md instructions for /elsewhere",
    "<cwd>/elsewhere</cwd>",
    "<model_switch>",
)


async def test_resumed_twice_with_the_same_settings_tells_them_once(
    mock_clock: MockClock,
) -> None:
    """However often it is resumed."""
    config = attrs.evolve(CONFIG, developer_instructions="Be kind.", user_instructions="Tabs.")
    async with open_stage(config=config) as stage:
        await stage.run_turn("one", "1")
        for _ in range(3):
            path = await closed_thread(stage)
            stage.new = await stage.supervisor.resume_thread_from_rollout(config, path)
            drain(stage.thread)
            response = await stage.begin("more")
            response.say("x").complete()
            await stage.until(TurnComplete)

        texts = [str(item) for item in response.request.input]
        for part in ("Be kind.", "Tabs.", "<permissions instructions>", "<cwd>"):
            assert len([text for text in texts if part in text]) == 1


async def test_counts_go_on_where_they_were(mock_clock: MockClock) -> None:
    """Tokens of the turns before count."""
    async with open_stage() as stage:
        (await stage.begin()).say("x").complete(100)
        await stage.until(TurnComplete)
        path = await closed_thread(stage)
        stage.new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)
        (await stage.begin()).say("x").complete(10)

        events = await stage.events_until(TurnComplete)

        [count] = [event.msg for event in events if isinstance(event.msg, TokenCount)]
        assert count.info is not None
        assert count.info.total_token_usage.total_tokens == 110


async def test_base_instructions_stay_those_of_the_rollout(mock_clock: MockClock) -> None:
    """Unless the configuration brings some."""
    async with open_stage(config=attrs.evolve(CONFIG, base_instructions="Old.")) as stage:
        await stage.run_turn()
        path = await closed_thread(stage)

        resumed = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)
        assert resumed.thread.config_snapshot.base_instructions == "Old."
        await stage.supervisor.remove_thread(resumed.thread_id)
        other = attrs.evolve(CONFIG, base_instructions="New.")
        resumed = await stage.supervisor.resume_thread_from_rollout(other, path)

        assert resumed.thread.config_snapshot.base_instructions == "New."


@pytest.mark.parametrize(
    ("n", "kept"),
    [
        (0, []),
        (1, ["user: one", "assistant: 1"]),
        (2, []),
        (None, ["user: one", "assistant: 1", "user: two", "assistant: 2"]),
        (7, []),
    ],
)
async def test_fork_keeps_what_came_before_the_nth_input(
    mock_clock: MockClock, n: int | None, kept: list[str]
) -> None:
    """Counted from 0; past the end nothing but the link is kept; the source is untouched."""
    async with open_stage() as stage:
        await stage.run_turn("one", "1")
        await stage.run_turn("two", "2")
        path = await closed_thread(stage)
        before = path.read_bytes()

        fork = stage.new = await stage.supervisor.fork_thread(n, CONFIG, path)
        past = fork.session_configured.initial_messages or ()
        assert not [event for event in past if isinstance(event, TurnAborted)]
        drain(fork.thread)
        response = await stage.begin("new")
        response.say("x").complete()
        told = await stage.until(TurnComplete)

        assert fork.thread_id != path.stem[-36:]
        assert fork.session_configured.forked_from_id == path.stem[-36:]
        assert request_lines(response) == [*kept, "user: new"]
        assert told[-1] == "TurnComplete x"
        assert path.read_bytes() == before
        assert recorded(fork.thread.rollout_path)[-1] == "TurnComplete x"


async def test_fork_of_a_running_thread_ends_the_turn_in_its_own_past(
    mock_clock: MockClock,
) -> None:
    """Every turn of the fork has one end (P3), whatever becomes of the source."""
    async with open_stage() as stage:
        await stage.begin("one")
        path = stage.thread.rollout_path
        assert path is not None

        fork = await stage.supervisor.fork_thread(None, CONFIG, path)

        assert recorded(fork.thread.rollout_path)[-1] == "TurnAborted interrupted"


async def test_negative_input_number_is_refused(mock_clock: MockClock) -> None:
    """It would count from the end."""
    async with open_stage() as stage:
        with pytest.raises(ValueError, match="counted from 0"):
            await stage.supervisor.fork_thread(-1, CONFIG, "/nowhere")


async def test_thread_starts_from_any_history(mock_clock: MockClock) -> None:
    """Nothing, items that came from elsewhere, or a rollout read before."""
    async with open_stage() as stage:
        await stage.run_turn("one", "1")
        path = await closed_thread(stage)
        loaded = load_rollout(path)
        resume = stage.supervisor.resume_thread_with_history

        new = await resume(CONFIG, NewHistory())
        assert new.session_configured.initial_messages is None
        stage.new = await resume(CONFIG, ForkedHistory(items=loaded.items))
        drain(stage.thread)
        assert request_lines(await stage.begin("two")) == [
            "user: one",
            "assistant: 1",
            "user: two",
        ]
        history = ResumedHistory(thread_id=loaded.thread_id, path=path)
        resumed = await resume(CONFIG, history)
        assert resumed.thread_id == loaded.thread_id
        assert resumed.session_configured.initial_messages


async def test_ephemeral_fork_leaves_no_file(mock_clock: MockClock) -> None:
    """Its past is in memory only."""
    async with open_stage() as stage:
        await stage.run_turn("one", "1")
        path = await closed_thread(stage)
        folder = path.parent
        stage.new = await stage.supervisor.fork_thread(
            None, attrs.evolve(CONFIG, ephemeral=True), path
        )
        drain(stage.thread)

        response = await stage.begin("two")

        assert request_lines(response) == ["user: one", "assistant: 1", "user: two"]
        assert stage.thread.rollout_path is None
        assert list(folder.iterdir()) == [path]


async def test_cleared_collaboration_mode_is_not_told_again(mock_clock: MockClock) -> None:
    """A mode's instructions come when it is entered."""
    mode = CollaborationMode(
        mode=ModeKind.PLAN,
        settings=CollaborationSettings(model="scripted", developer_instructions="Only plan."),
    )
    async with open_stage(config=attrs.evolve(CONFIG, collaboration_mode=mode)) as stage:
        await stage.run_turn("one", "1")
        path = await closed_thread(stage)
        stage.new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)
        drain(stage.thread)

        response = await stage.begin("two")

        texts = [text for text in context_of(response) if "<collaboration_mode>" in text]
        assert len(texts) == 1
