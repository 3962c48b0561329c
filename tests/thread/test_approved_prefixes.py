"""Commands that rules allow: the model is told of them when they are news."""

from pathlib import Path

import attrs
import pytest
from trio.testing import MockClock

from actors.testing import ManualTool
from messages.items import Message
from messages.ops import Compact, ThreadRollback

from .stage import CONFIG, TURN_ENDS, Stage, drain, open_stage, request_lines

TOLD = "developer: <approved_prefixes>"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The file of rules of the home."""
    folder = tmp_path / "home" / "rules"
    folder.mkdir(parents=True)
    return folder / "mine.rules"


def allow(*prefixes: list[str]) -> str:
    return "".join(f"prefix_rule(pattern={prefix!r})\n" for prefix in prefixes)


def write(path: Path, text: str) -> None:
    path.write_text(text)


def remove(path: Path) -> None:
    path.unlink()


def texts(response) -> list[str]:
    """What a request says of approved commands, whole."""
    found = [i.content[0].text for i in response.request.input if isinstance(i, Message)]
    return [text for text in found if text.startswith("<approved_prefixes>")]


async def next_texts(stage: Stage) -> list[str]:
    """Run a turn, and give back what its request says."""
    drain(stage.thread)
    response = await stage.begin("go on")
    response.say("ok").complete()
    await stage.until(*TURN_ENDS)
    return texts(response)


async def test_model_is_told_of_approved_commands_once_and_again_when_they_change(
    mock_clock: MockClock, rules: Path
) -> None:
    """What it was told is not said again while it is true, also not after a resume."""
    write(rules, allow(["git", "push"], ["ls"]))
    async with open_stage(home=rules.parents[1]) as stage:
        first = await stage.begin("one")
        first.say("ok").complete()
        await stage.until(*TURN_ENDS)

        assert request_lines(first) == [TOLD, "user: one"]
        assert texts(first)[0].endswith('- ["ls"]\n- ["git", "push"]\n</approved_prefixes>')
        assert len(await next_texts(stage)) == 1
        write(rules, allow(["make"]))
        assert '- ["make"]' in (await next_texts(stage))[1]
        remove(rules)
        assert "any more" in (await next_texts(stage))[2]
        assert len(await next_texts(stage)) == 3

        path = stage.thread.rollout_path
        await stage.supervisor.remove_thread(stage.thread.thread_id)
        stage.new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)
        assert len(await next_texts(stage)) == 3


async def test_model_is_told_nothing_when_there_are_no_rules_or_bad_ones(
    mock_clock: MockClock, rules: Path
) -> None:
    """While a file cannot be read, a person decides about every command."""
    async with open_stage(home=rules.parents[1]) as stage:
        assert await next_texts(stage) == []
        write(rules, allow(["ls"]) + "no rule")
        assert await next_texts(stage) == []
        write(rules, allow(["ls"]))
        assert len(await next_texts(stage)) == 1


async def test_model_is_told_again_when_the_message_is_gone(
    mock_clock: MockClock, rules: Path
) -> None:
    """After a rollback, and in what a compaction makes."""
    write(rules, allow(["ls"]))
    async with open_stage(home=rules.parents[1]) as stage:
        await next_texts(stage)
        await stage.do(ThreadRollback(num_turns=1))
        assert len(await next_texts(stage)) == 1

        await stage.do(Compact())
        (await stage.model.next_request()).say("summary").complete()
        await stage.until(*TURN_ENDS)

        assert len(await next_texts(stage)) == 1


async def test_compaction_in_the_first_turn_keeps_what_it_told(
    mock_clock: MockClock, rules: Path
) -> None:
    """Also what was told in place of something else."""
    write(rules, allow(["ls"]))
    config = attrs.evolve(CONFIG, auto_compact_token_limit=100)
    tool = ManualTool()
    async with open_stage(tool, home=rules.parents[1], config=config) as stage:
        for prefix in ("ls", "make"):
            write(rules, allow([prefix]))
            (await stage.begin("go")).call("manual", call_id=prefix).complete(100)
            (await tool.next_call()).answer("done")
            (await stage.model.next_request()).say("half way").complete(10)
            request = await stage.model.next_request()
            [text] = texts(request)
            assert f'- ["{prefix}"]' in text
            request.say("finished").complete(10)
            await stage.until(*TURN_ENDS)


async def test_rules_of_the_configuration_are_told_too(
    mock_clock: MockClock, rules: Path, tmp_path: Path
) -> None:
    """Such as those of a trusted project."""
    folder = tmp_path / "project"
    folder.mkdir()
    write(folder / "x.rules", allow(["make"]))
    config = attrs.evolve(CONFIG, rule_folders=(str(folder),))
    async with open_stage(home=rules.parents[1], config=config) as stage:
        assert '- ["make"]' in (await next_texts(stage))[0]


async def test_long_list_is_cut(mock_clock: MockClock, rules: Path) -> None:
    """The shortest prefixes, which allow the most, are told."""
    async with open_stage(home=rules.parents[1]) as stage:
        for count, width, told in ((101, 1, 100), (100, 1, 100), (20, 490, 10)):
            write(rules, allow(*([f"{n:03}" + "x" * width] for n in range(count))))
            [*_, text] = await next_texts(stage)
            assert text.count("\n- ") == told
            assert ("[there are more]" in text) is (told < count)
            assert len(text) < 5500
