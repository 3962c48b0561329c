"""Skills that change under a running thread, with the real watcher on real files."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from actors.models import RefreshStrategy
from actors.skills import SkillRoot, SkillScope
from actors.supervisor import open_supervisor
from actors.testing import ManualModel, open_test_supervisor
from actors.watcher import FileWatcherEvent
from messages.events import ListSkillsResponse, SkillsUpdateAvailable
from messages.items import Message
from messages.ops import ListSkills
from messages.settings import ModeKind
from tests.thread.stage import CONFIG, TURN_ENDS, Stage, drain


def write_skill(root: Path, name: str, description: str) -> Path:
    path = root / name / "SKILL.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"---\nname: {name}\ndescription: {description}\n---\nBody of {name}.\n")
    return path


@asynccontextmanager
async def open_live(home: Path, root: Path) -> AsyncGenerator[Stage, None]:
    """A thread whose skills are watched, with a patience for all that a test does."""
    model = ManualModel()
    roots = (SkillRoot(str(root), SkillScope.USER),)
    with trio.fail_after(30):
        async with open_supervisor(home=home, provider=model, watch_interval=0) as supervisor:
            new = await supervisor.start_thread(attrs.evolve(CONFIG, skill_roots=roots))
            yield Stage(supervisor, model, new)


async def listed(stage: Stage) -> dict[str, str]:
    await stage.do(ListSkills())
    while True:
        event = await stage.thread.next_event()
        if isinstance(event.msg, ListSkillsResponse):
            return {skill.name: skill.description for skill in event.msg.skills[0].skills}


async def until_listed(stage: Stage, expected: dict[str, str]) -> None:
    """Look at the list after each announcement, until it is as expected."""
    while await listed(stage) != expected:
        await stage.events_until(SkillsUpdateAvailable)


async def told_in_next_turn(stage: Stage) -> str:
    """Run a turn; return what its request says of skills, last of all."""
    drain(stage.thread)
    response = await stage.begin("go on")
    response.say("ok").complete()
    await stage.until(*TURN_ENDS)
    texts = [i.content[0].text for i in response.request.input if isinstance(i, Message)]
    return [text for text in texts if text.startswith("<skills_instructions>")][-1]


def edit(root: Path) -> None:
    write_skill(root, "dance", "Dances better.")


def add(root: Path) -> None:
    write_skill(root, "sing", "Sings.")


def rename(root: Path) -> None:
    (root / "dance").rename(root / "waltz")
    write_skill(root, "waltz", "Dances.")


def delete(root: Path) -> None:
    (root / "dance" / "SKILL.md").unlink()


def replace(root: Path) -> None:
    other = root.parent / "other"
    write_skill(other, "paint", "Paints.")
    root.rename(root.parent / "old")
    other.rename(root)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (edit, {"dance": "Dances better.", "cook": "Cooks."}),
        (add, {"dance": "Dances.", "cook": "Cooks.", "sing": "Sings."}),
        (rename, {"waltz": "Dances.", "cook": "Cooks."}),
        (delete, {"cook": "Cooks."}),
        (replace, {"paint": "Paints."}),
    ],
)
async def test_change_of_skills_is_announced_and_the_next_turn_sees_it(
    tmp_path: Path, change: Callable[[Path], None], expected: dict[str, str]
) -> None:
    """Without anybody asking for it."""
    root = tmp_path / "skills"
    write_skill(root, "dance", "Dances.")
    write_skill(root, "cook", "Cooks.")
    async with open_live(tmp_path / "home", root) as stage:
        await until_listed(stage, {"dance": "Dances.", "cook": "Cooks."})
        told = await told_in_next_turn(stage)
        assert "dance: Dances." in told

        await trio.to_thread.run_sync(change, root)
        await until_listed(stage, expected)

        told = await told_in_next_turn(stage)
        for name, description in expected.items():
            assert f"{name}: {description}" in told
        for gone in {"dance", "cook"} - set(expected):
            assert f"- {gone}:" not in told


async def test_embedder_hears_which_files_changed(tmp_path: Path) -> None:
    """Such as one that keeps skills of its own beside the threads'."""
    root = tmp_path / "skills"
    changed = str(write_skill(root, "dance", "Dances."))
    async with open_live(tmp_path / "home", root) as stage:
        await until_listed(stage, {"dance": "Dances."})
        with stage.supervisor.subscribe_file_watcher() as events:
            await trio.to_thread.run_sync(edit, root)

            async for item in events:
                if changed in FileWatcherEvent.received(item).paths:
                    break
        await until_listed(stage, {"dance": "Dances better."})


async def test_root_that_comes_into_being_later_is_seen(tmp_path: Path) -> None:
    """Nobody has to start the thread again."""
    root = tmp_path / "deep" / "skills"
    async with open_live(tmp_path / "home", root) as stage:
        assert await listed(stage) == {}

        await trio.to_thread.run_sync(write_skill, root, "dance", "Dances.")
        await until_listed(stage, {"dance": "Dances."})

        assert "dance: Dances." in await told_in_next_turn(stage)


async def test_roots_are_watched_as_long_as_a_thread_lives(tmp_path: Path) -> None:
    """And nothing is watched without one."""
    root = tmp_path / "skills"
    write_skill(root, "dance", "Dances.")
    async with open_live(tmp_path / "home", root) as stage:
        watcher = stage.supervisor._services.watcher
        assert watcher.statistics().roots == 1
        await stage.supervisor.remove_thread(stage.thread.thread_id)

        assert watcher.statistics().roots == 0


async def test_supervisor_lists_models_and_modes() -> None:
    """Offline, from what we know ourselves."""
    async with open_test_supervisor() as supervisor:
        presets = await supervisor.list_models(RefreshStrategy.OFFLINE)
        modes = supervisor.list_collaboration_modes()

        assert sum(preset.is_default for preset in presets) == 1
        assert [mode.mode for mode in modes] == [ModeKind.PLAN, ModeKind.DEFAULT]
