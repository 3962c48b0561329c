"""Skills in a thread: told when they are news, injected when they are named."""

from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.skills import SkillRoot, SkillScope
from actors.supervisor import Supervisor
from actors.testing import ManualTool
from messages.events import ListSkillsResponse, RequestUserInput, SkillsUpdateAvailable
from messages.items import Message
from messages.ops import (
    Compact,
    ListSkills,
    ThreadRollback,
    UserInputAnswer,
    UserInputAnswerEntry,
    UserInputResponse,
)
from messages.tool_settings import ToolFeatures

from .stage import CONFIG, TURN_ENDS, drain, open_stage, request_lines, text_input

TOLD = "developer: <skills_instructions>"


def write_skill(root: Path, name: str, description: str = "Does it.", body: str = "Do it.") -> Path:
    path = root / name / "SKILL.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"---\nname: {name}\ndescription: {description}\n---\n{body}\n")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "skills"


def config_with(root: Path, **changes):
    roots = (SkillRoot(str(root), SkillScope.USER),)
    return attrs.evolve(CONFIG, skill_roots=roots, **changes)


def skill_texts(request) -> list[str]:
    """What a request says of skills, whole."""
    texts = [i.content[0].text for i in request.request.input if isinstance(i, Message)]
    return [text for text in texts if text.startswith(("<skills_instructions>", "<skill>"))]


async def changed(supervisor: Supervisor) -> None:
    """Let the supervisor notice a change, as the watcher would."""
    supervisor._services.skills.invalidate(None)


async def test_model_is_told_of_skills_once_and_again_when_they_change(
    mock_clock: MockClock, root: Path
) -> None:
    """What it was told is not said again while it is true (L24)."""
    write_skill(root, "dance")
    async with open_stage(config=config_with(root)) as stage:
        first = await stage.begin("one")
        assert request_lines(first) == [TOLD, "user: one"]
        assert "dance: Does it." in skill_texts(first)[0]
        first.say("ok").complete()
        await stage.until(*TURN_ENDS)
        second = await stage.begin("two")
        assert request_lines(second).count(TOLD) == 1
        second.say("ok").complete()
        await stage.until(*TURN_ENDS)

        write_skill(root, "sing")
        await changed(stage.supervisor)
        third = await stage.begin("three")

        assert request_lines(third)[-2:] == [TOLD, "user: three"]
        assert "sing: Does it." in skill_texts(third)[-1]


async def test_model_is_told_when_the_last_skill_is_gone(mock_clock: MockClock, root: Path) -> None:
    """And nothing at all when there never was one."""
    async with open_stage(config=config_with(root)) as stage:
        first = await stage.begin("one")
        assert request_lines(first) == ["user: one"]
        first.say("ok").complete()
        await stage.until(*TURN_ENDS)
        path = write_skill(root, "dance")
        await changed(stage.supervisor)
        (await stage.begin("two")).say("ok").complete()
        await stage.until(*TURN_ENDS)
        path.unlink()
        await changed(stage.supervisor)

        third = await stage.begin("three")

        assert "no skills any more" in skill_texts(third)[-1]


async def test_skill_that_is_named_is_put_before_the_model(
    mock_clock: MockClock, root: Path
) -> None:
    """As the file is now, behind the user's words."""
    path = write_skill(root, "dance", body="Left, right.")
    async with open_stage(config=config_with(root)) as stage:
        (await stage.begin("hello")).say("ok").complete()
        await stage.until(*TURN_ENDS)
        write_skill(root, "dance", body="Right, left.")

        request = await stage.begin("please $dance")

        assert request_lines(request)[-2:] == ["user: please $dance", "user: <skill>"]
        text = skill_texts(request)[-1]
        assert "Right, left." in text
        assert str(path) in text


async def test_skill_that_cannot_be_read_is_warned_of(mock_clock: MockClock, root: Path) -> None:
    """The turn goes on without it."""
    path = write_skill(root, "dance")
    async with open_stage(config=config_with(root)) as stage:
        (await stage.begin("hello")).say("ok").complete()
        await stage.until(*TURN_ENDS)
        path.unlink()
        (await stage.begin("$dance")).say("ok").complete()

        told = await stage.until(*TURN_ENDS)

        assert any(line.startswith("WarningEvent Failed to load skill dance at") for line in told)


async def test_compaction_keeps_what_the_model_was_told_of_skills(
    mock_clock: MockClock, root: Path
) -> None:
    """And a rollback that may have taken it away lets it be told again."""
    write_skill(root, "dance")
    async with open_stage(config=config_with(root)) as stage:
        (await stage.begin("one")).say("ok").complete()
        await stage.until(*TURN_ENDS)
        await stage.do(Compact())
        (await stage.model.next_request()).say("short").complete()
        await stage.until(*TURN_ENDS)
        second = await stage.begin("two")
        assert request_lines(second).count(TOLD) == 1
        second.say("ok").complete()
        await stage.until(*TURN_ENDS)
        await stage.do(ThreadRollback(num_turns=2))
        third = await stage.begin("three")

        assert request_lines(third).count(TOLD) == 1


async def test_compaction_in_the_first_turn_keeps_what_it_told_of_skills(
    mock_clock: MockClock, root: Path
) -> None:
    """Told moments ago, and true for all turns that follow."""
    write_skill(root, "dance")
    config = config_with(root, auto_compact_token_limit=100)
    tool = ManualTool()
    async with open_stage(tool, config=config) as stage:
        (await stage.begin("go")).call("manual", call_id="c1").complete(100)
        (await tool.next_call()).answer("done")
        (await stage.model.next_request()).say("half way").complete(10)
        request = await stage.model.next_request()
        assert request_lines(request).count(TOLD) == 1
        request.say("finished").complete(10)
        await stage.until(*TURN_ENDS)

        assert request_lines(await stage.begin("two")).count(TOLD) == 1


async def test_resumed_thread_does_not_tell_again_what_its_history_says(
    mock_clock: MockClock, root: Path
) -> None:
    """The list is long, and repeating it costs money."""
    write_skill(root, "dance")
    async with open_stage(config=config_with(root)) as stage:
        (await stage.begin("one")).say("ok").complete()
        await stage.until(*TURN_ENDS)
        path = stage.thread.rollout_path
        await stage.supervisor.remove_thread(stage.thread.thread_id)
        new = await stage.supervisor.resume_thread_from_rollout(config_with(root), path)
        again = attrs.evolve(stage, new=new)

        assert request_lines(await again.begin("two")).count(TOLD) == 1


async def test_skills_are_listed_for_people(mock_clock: MockClock, root: Path) -> None:
    """Disabled ones too, and what is wrong with a file."""
    path = write_skill(root, "dance")
    bad = root / "bad" / "SKILL.md"
    bad.parent.mkdir()
    bad.write_text("nothing")
    config = config_with(root, disabled_skills=frozenset({str(path)}))
    async with open_stage(config=config) as stage:
        await stage.do(ListSkills())
        [*_, event] = await stage.events_until(ListSkillsResponse)

        [entry] = event.msg.skills
        assert [(s.name, s.enabled) for s in entry.skills] == [("dance", False)]
        assert [error.path for error in entry.errors] == [str(bad)]
        await stage.do(ListSkills(cwds=("relative",)))
        [*_, event] = await stage.events_until(ListSkillsResponse)
        assert "not an absolute path" in event.msg.skills[0].errors[0].message


async def test_change_of_skills_is_told_to_threads_that_have_some(
    mock_clock: MockClock, root: Path
) -> None:
    """After what was remembered is forgotten."""
    from actors.watcher import FileWatcherEvent

    async with open_stage(config=config_with(root)) as stage:
        other = await stage.supervisor.start_thread(CONFIG)
        drain(other.thread)
        stage.supervisor._services.watcher._events.publish(FileWatcherEvent(paths=()))

        assert await stage.until(SkillsUpdateAvailable) == ["SkillsUpdateAvailable"]
        await wait_all_tasks_blocked()
        assert drain(other.thread) == []


async def test_variable_that_a_skill_needs_is_asked_for_and_never_recorded(
    mock_clock: MockClock, root: Path
) -> None:
    """It is for the commands of this session."""
    path = write_skill(root, "dance")
    details = path.parent / "agents" / "openai.yaml"
    details.parent.mkdir()
    details.write_text(
        "dependencies:\n  tools:\n    - type: env_var\n      value: DANCE_KEY\n"
        "      description: for the floor\n"
    )
    config = config_with(root, features=ToolFeatures(skill_env_var_dependency_prompt=True))
    async with open_stage(config=config) as stage:
        await stage.thread.submit(text_input("$dance"))
        [*_, event] = await stage.events_until(RequestUserInput)
        [question] = event.msg.questions
        assert (question.id, question.is_secret) == ("DANCE_KEY", True)
        entry = UserInputAnswerEntry(answers=("user_note: s3cret",))
        answers = UserInputResponse(answers={"DANCE_KEY": entry})
        await stage.do(UserInputAnswer(id=event.msg.call_id, response=answers))
        (await stage.model.next_request()).say("ok").complete()
        await stage.until(*TURN_ENDS)

        assert all("s3cret" not in line for line in stage.rollout())
        assert b"s3cret" not in await trio.Path(stage.thread.rollout_path).read_bytes()
        (await stage.begin("$dance again")).say("ok").complete()
        told = await stage.until(*TURN_ENDS)
        assert "RequestUserInput" not in told
