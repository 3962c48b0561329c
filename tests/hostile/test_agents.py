"""Agents that a model asks for in bad faith, in a whole thread."""

import json
import os
from pathlib import Path

import trio

from messages.events import CollabAgentSpawnBegin, CollabAgentSpawnEnd

from .arena import SOON, Arena, call, open_arena, text_of_message
from .moments import AGENTS

NOBODY = "00000000-0000-0000-0000-000000000000"

REFUSED = {
    "nothing to do": ("spawn_agent", {}, "Provide one of: message or items"),
    "blank": ("spawn_agent", {"message": " \n"}, "Empty message can't be sent to an agent"),
    "both": ("spawn_agent", {"message": "a", "items": []}, "not both"),
    "no items": ("spawn_agent", {"items": []}, "Items can't be empty"),
    "an unknown item": ("spawn_agent", {"items": [{"type": "root"}]}, "unknown type 'root'"),
    "an item without type": ("spawn_agent", {"items": [{"text": "a"}]}, "items[0]"),
    "an unknown role": ("spawn_agent", {"message": "a", "agent_type": "root"}, "got 'root'"),
    "a path for an id": ("resume_agent", {"id": "../../etc/passwd"}, "it is not a UUID"),
    "nobody": ("close_agent", {"id": NOBODY}, f"agent with id {NOBODY} not found"),
    "nobody, told": ("send_input", {"id": NOBODY, "message": "a"}, f"{NOBODY} not found"),
    "nobody, resumed": ("resume_agent", {"id": NOBODY}, f"{NOBODY} not found"),
    "nobody, awaited": ("wait", {"ids": [NOBODY] * 10_000}, '"not_found"'),
    "no ids": ("wait", {"ids": []}, "ids must be non-empty"),
    "many ids that are none": ("wait", {"ids": ["x"] * 100_000}, "invalid agent id x"),
    "time below zero": ("wait", {"ids": [NOBODY], "timeout_ms": -1}, "greater than zero"),
}


async def test_what_no_agent_can_be_is_answered_and_there_is_none(tmp_path: Path) -> None:
    """Each with its reason, within moments; ids count only if they are of own agents."""
    async with open_arena(tmp_path, features=AGENTS) as arena:
        for name, (tool, arguments, says) in REFUSED.items():
            assert says in await arena.answer(call(tool, arguments)), name

        assert arena.supervisor.list_thread_ids() == (arena.thread.thread_id,)


async def test_thread_is_not_its_own_agent(tmp_path: Path) -> None:
    """It can neither close nor feed nor await itself."""
    async with open_arena(tmp_path, features=AGENTS) as arena:
        me = arena.thread.thread_id
        for tool, arguments in (
            ("close_agent", {"id": me}),
            ("send_input", {"id": me, "message": "again", "interrupt": True}),
            ("wait", {"ids": [me], "timeout_ms": 300_000}),
        ):
            answer = await arena.answer(call(tool, arguments))
            assert "not found" in answer or "not_found" in answer, tool
        assert "none of your agents" in await arena.answer(call("resume_agent", {"id": me}))


async def test_of_twenty_agents_at_once_those_within_the_limit_start(tmp_path: Path) -> None:
    """Each start has one end; closed, they leave nothing, and there is room again."""
    async with open_arena(tmp_path, features=AGENTS) as arena:
        calls = [call("spawn_agent", {"message": "work"}, str(number)) for number in range(20)]

        answers = await arena.turn(*calls)

        started = [answer for answer in answers if answer.startswith('{"agent_id"')]
        assert len(started) == 6
        assert all("agent thread limit reached (max 6)" in answer for answer in answers[6:])
        assert len(arena.of(CollabAgentSpawnBegin)) == len(arena.of(CollabAgentSpawnEnd)) == 20
        assert len(arena.supervisor.list_thread_ids()) == 7
        await close_all(arena, started)
        again = await arena.answer(call("spawn_agent", {"message": "work"}))
        await close_all(arena, [again])


async def close_all(arena: Arena, started: list[str]) -> None:
    for answer in started:
        await arena.answer(call("close_agent", {"id": json.loads(answer)["agent_id"]}))
    assert arena.supervisor.list_thread_ids() == (arena.thread.thread_id,)


async def test_images_of_an_agent_that_are_none_do_not_block_it(tmp_path: Path) -> None:
    """Devices, pipes and links to themselves; it reads why it does not see them."""
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "endless.png").symlink_to("/dev/zero")
    names = ("fifo.png", "loop.png", "endless.png")
    traps = [{"type": "local_image", "path": str(tmp_path / name)} for name in names]
    others = [{"type": "image", "image_url": "javascript:"}, {"type": "text", "text": "look"}]
    async with open_arena(tmp_path, features=AGENTS) as arena:
        started = await arena.answer(call("spawn_agent", {"items": [*traps, *others]}))
        assert started.startswith('{"agent_id"')
        with trio.fail_after(SOON):
            asked = await arena.agent_request()

        text = text_of_message(asked.request.input[-1])
        assert text.count("could not be attached") == 3
        assert text.count("it is not a file") == 2
        assert "Too many levels of symbolic links" in text
        await close_all(arena, [started])


async def test_agent_that_does_not_come_to_an_end_ends_with_its_parent(tmp_path: Path) -> None:
    """Its megabyte of a task is not lost for that."""
    async with open_arena(tmp_path, features=AGENTS) as arena:
        await arena.answer(call("spawn_agent", {"message": "x" * 1_000_000}))
        with trio.fail_after(SOON):
            asked = await arena.agent_request()
        assert len(text_of_message(asked.request.input[-1])) == 1_000_000
        await arena.start_calls(call("wait", {"ids": [asked.request.prompt_cache_key]}))
        [stopped] = await arena.interrupt()
        assert stopped.startswith("aborted by user after")
        arena.quiet = None  # the agent lives until its parent ends
