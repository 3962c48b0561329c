"""Scripts about threads: resuming, forking, rolling back, reading, lists, archives."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

from tests.interop.alike.client import Client
from tests.interop.alike.playing import Group, Script
from tests.interop.mock_responses import (
    Reply,
    StreamEnd,
    Usage,
    answer,
    custom_tool_call,
    function_call,
    reasoning,
    refusal,
    text_message,
    unfinished_answer,
)

__all__ = ["RESTARTS", "THREADS"]

RESTARTS: Final = Group("restarts")
THREADS: Final = Group("threads")

_NOBODY: Final = "01a1fad3-e9a3-77df-86ee-000000000000"
_PATCH: Final = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch"


def _says(*texts: str) -> list[Reply]:
    return [answer(text_message(text, item_id=f"msg_{n}")) for n, text in enumerate(texts, 1)]


async def _talk(client: Client, *texts: str, **params: Any) -> str:
    client.model_says(*_says(*(f"about {text}" for text in texts)))
    thread_id = await client.start(**params)
    for text in texts:
        await client.turn(thread_id, text)
    return thread_id


# Lists ----------------------------------------------------------------------


@THREADS.case()
async def list_pages(client: Client) -> None:
    """Newest first, in pages, and by what they are asked for."""
    threads = [await _talk(client, f"thread {n}") for n in range(5)]
    await client.start()  # nothing was said: it is not listed
    await client.settle()
    cursor = None
    for _ in range(4):
        page = await client.ask("thread/list", limit=2, cursor=cursor)
        if (cursor := page["nextCursor"]) is None:
            break
    await client.ask("thread/list", limit=100, sortKey="updated_at")
    await client.ask("thread/list", limit=0)
    await client.ask("thread/list", modelProviders=["nobody"])
    await client.ask("thread/list", modelProviders=[], limit=1)
    await client.ask("thread/list", sourceKinds=["exec"])
    await client.ask("thread/list", cwd="/nowhere")
    await client.try_("thread/list", cursor="what?")
    await client.try_("thread/list", sortKey="name")
    await client.ask("thread/archive", threadId=threads[1])
    await client.hears("thread/archived")
    await client.ask("thread/list")
    await client.ask("thread/list", archived=True)


@THREADS.case()
async def loaded_pages(client: Client) -> None:
    """By their ids, in pages."""
    for _ in range(3):
        await client.start()
    page = await client.ask("thread/loaded/list", limit=2)
    await client.ask("thread/loaded/list", limit=2, cursor=page["nextCursor"])
    await client.ask("thread/loaded/list", limit=0)
    await client.try_("thread/loaded/list", cursor="what?")


@THREADS.case()
async def archive_and_unarchive(client: Client) -> None:
    """Away and back again; loaded or not."""
    thread_id = await _talk(client, "one")
    await client.settle()
    await client.ask("thread/archive", threadId=thread_id)
    await client.hears("thread/archived")
    await client.ask("thread/loaded/list")
    await client.try_("thread/archive", threadId=thread_id)
    await client.try_("thread/read", threadId=thread_id)
    await client.try_("thread/resume", threadId=thread_id)
    await client.ask("thread/unarchive", threadId=thread_id)
    await client.hears("thread/unarchived")
    await client.try_("thread/unarchive", threadId=thread_id)
    await client.ask("thread/resume", threadId=thread_id)
    client.model_says(*_says("about two"))
    await client.turn(thread_id, "two")
    await client.try_("thread/archive", threadId=await client.start())
    await client.try_("thread/archive", threadId=_NOBODY)
    await client.try_("thread/archive", threadId="nobody")
    await client.try_("thread/unarchive", threadId=_NOBODY)


@THREADS.case()
async def archive_a_running_thread(client: Client) -> None:
    """Its turn is interrupted first."""
    client.model_says(unfinished_answer(text_message("I wait."), end=StreamEnd.STALL))
    thread_id = await client.start()
    await client.begin(thread_id)
    await client.hears("item/completed", lambda said: said["item"]["type"] == "agentMessage")
    await client.settle()
    await client.ask("thread/archive", threadId=thread_id)
    await client.hears("thread/archived")


# Resuming -------------------------------------------------------------------


@RESTARTS.case()
async def resume_after_a_restart(client: Client) -> AsyncGenerator[None]:
    """The thread is there with all its turns, and goes on."""
    client.model_says(*_says("one", "two", "three"))
    thread_id = await client.start(model="gpt-5.1-codex-mini")
    await client.turn(thread_id, "first")
    await client.turn(thread_id, "second")
    yield
    await client.ask("thread/loaded/list")
    await client.ask("thread/read", threadId=thread_id, includeTurns=True)
    await client.ask("thread/list", cwd=str(client.project))
    await client.ask("thread/resume", threadId=thread_id)
    await client.ask("thread/loaded/list")
    await client.turn(thread_id, "third")
    await client.ask("thread/read", threadId=thread_id, includeTurns=True)


@RESTARTS.case()
async def resume_with_other_settings(client: Client) -> AsyncGenerator[None]:
    """What the client asks for goes before what was."""
    client.model_says(*_says("one", "two"))
    thread_id = await client.start()
    await client.turn(thread_id, "first")
    yield
    (client.project / "below").mkdir()
    await client.ask(
        "thread/resume",
        threadId=thread_id,
        model="gpt-5.1-codex-mini",
        approvalPolicy="on-request",
        sandbox="read-only",
        cwd=str(client.project / "below"),
    )
    await client.turn(thread_id, "second")


@RESTARTS.case()
async def resume_by_path_and_by_history(client: Client) -> AsyncGenerator[None]:
    """By the file; or from items, as a new thread."""
    client.model_says(*_says("one", "two", "three"))
    thread_id = await client.start()
    await client.turn(thread_id, "first")
    path = (await client.ask("thread/read", threadId=thread_id))["thread"]["path"]
    yield
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    await client.ask("thread/resume", threadId="anything", path=path)
    await client.turn(thread_id, "second")
    await client.try_("thread/resume", threadId=thread_id, history=[])
    await client.try_("thread/resume", threadId=_NOBODY, path="/nowhere/at/all.jsonl")
    resumed = await client.ask("thread/resume", threadId=_NOBODY, history=[said])
    await client.turn(resumed["thread"]["id"], "third")


@RESTARTS.case(own_server=True)
async def resume_after_a_kill(client: Client) -> None:
    """A turn that had no end is interrupted."""
    client.model_says(unfinished_answer(text_message("half"), end=StreamEnd.STALL), *_says("on"))
    async with client.running():
        thread_id = await client.start()
        await client.begin(thread_id)
        await client.hears("item/completed", lambda said: said["item"]["type"] == "agentMessage")
        await client.settle()
        await client.server.kill()
    async with client.running():
        await client.ask("thread/resume", threadId=thread_id)
        await client.turn(thread_id, "second")


@THREADS.case()
async def resume_a_loaded_thread(client: Client) -> None:
    """Joins it; what cannot be is refused."""
    thread_id = await _talk(client, "one")
    await client.settle()
    await client.ask("thread/resume", threadId=thread_id, model="other")
    await client.try_("thread/resume", threadId=thread_id, path="/elsewhere.jsonl")
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    await client.try_("thread/resume", threadId=thread_id, history=[said])
    await client.try_("thread/resume", threadId=_NOBODY)
    await client.try_("thread/resume", threadId="nobody")
    fresh = await client.start()
    await client.try_("thread/resume", threadId=fresh)


# Forks and rollbacks --------------------------------------------------------


@THREADS.case()
async def fork(client: Client) -> None:
    """The fork has the past and goes its own way; the original stays."""
    thread_id = await _talk(client, "one", "two")
    await client.settle()
    forked = await client.ask("thread/fork", threadId=thread_id)
    fork_id = forked["thread"]["id"]
    await client.hears("thread/started", lambda said: said["thread"]["id"] == fork_id)
    client.model_says(*_says("about three"))
    await client.turn(fork_id, "three")
    await client.settle()
    await client.ask("thread/read", threadId=fork_id, includeTurns=True)
    await client.ask("thread/read", threadId=thread_id, includeTurns=True)
    await client.try_("thread/fork", threadId=_NOBODY)
    await client.try_("thread/fork", threadId="nobody")
    await client.try_("thread/fork", threadId=await client.start())


@THREADS.case()
async def rollback(client: Client) -> None:
    """The last turns are gone, also for the model."""
    thread_id = await _talk(client, "one", "two", "three")
    await client.settle()
    await client.try_("thread/rollback", threadId=thread_id, numTurns=0)
    await client.ask("thread/rollback", threadId=thread_id, numTurns=2)
    client.model_says(*_says("about four"))
    await client.turn(thread_id, "four")
    await client.settle()
    await client.ask("thread/read", threadId=thread_id, includeTurns=True)
    await client.ask("thread/rollback", threadId=thread_id, numTurns=99)
    await client.try_("thread/rollback", threadId=await client.start(), numTurns=1)


@THREADS.case()
async def rollback_while_a_turn_runs(client: Client) -> None:
    """Is refused."""
    client.model_says(unfinished_answer(text_message("I wait."), end=StreamEnd.STALL))
    thread_id = await client.start()
    turn_id = await client.begin(thread_id)
    await client.hears("item/completed", lambda said: said["item"]["type"] == "agentMessage")
    await client.try_("thread/rollback", threadId=thread_id, numTurns=1)
    await client.ask("turn/interrupt", threadId=thread_id, turnId=turn_id)
    await client.turn_end(thread_id, turn_id)


# Reading --------------------------------------------------------------------


def _read_back(*, extended: bool) -> Script:
    async def play(client: Client) -> None:
        client.model_says(
            answer(
                reasoning("first", "second"),
                function_call("exec_command", {"cmd": "echo hi"}, call_id="c1"),
            ),
            answer(custom_tool_call("apply_patch", _PATCH, call_id="p1")),
            answer(text_message("done")),
            refusal(400, "no such thing"),
            unfinished_answer(text_message("half", item_id="msg_2"), end=StreamEnd.STALL),
        )
        thread_id = await client.start(persistExtendedHistory=extended)
        await client.try_("thread/read", threadId=thread_id, includeTurns=True)
        await client.ask("thread/read", threadId=thread_id)
        await client.turn(thread_id, "work")
        await client.turn(thread_id, "fail")
        turn_id = await client.begin(thread_id, "wait")
        await client.hears("item/completed", lambda said: said["item"].get("text") == "half")
        await client.ask("turn/interrupt", threadId=thread_id, turnId=turn_id)
        await client.turn_end(thread_id, turn_id)
        await client.settle()
        await client.ask("thread/read", threadId=thread_id, includeTurns=True)
        await client.ask("thread/read", threadId=thread_id, includeTurns=False)

    return play


THREADS.add("read_limited", _read_back(extended=False))
THREADS.add("read_extended", _read_back(extended=True))


@THREADS.case()
async def read_a_running_turn(client: Client) -> None:
    """As far as it has come."""
    client.model_says(unfinished_answer(text_message("I wait."), end=StreamEnd.STALL))
    thread_id = await client.start()
    turn_id = await client.begin(thread_id)
    await client.hears("item/completed", lambda said: said["item"]["type"] == "agentMessage")
    await client.settle()
    await client.ask("thread/read", threadId=thread_id, includeTurns=True)
    await client.ask("turn/interrupt", threadId=thread_id, turnId=turn_id)
    await client.turn_end(thread_id, turn_id)


@THREADS.case()
async def read_what_is_not_there(client: Client) -> None:
    """Nobody, nothing, and a thread that leaves nothing."""
    await client.try_("thread/read", threadId=_NOBODY)
    await client.try_("thread/read", threadId="nobody")
    thread_id = await client.start(ephemeral=True)
    client.model_says(*_says("one"))
    await client.turn(thread_id)
    await client.ask("thread/read", threadId=thread_id)
    await client.try_("thread/read", threadId=thread_id, includeTurns=True)
    await client.try_("thread/rollback", threadId=thread_id, numTurns=1)
    await client.try_("thread/archive", threadId=thread_id)


@THREADS.case()
async def compaction(client: Client) -> None:
    """The history becomes a summary; the next turn sees it."""
    thread_id = await _talk(client, "one", "two")
    client.model_says(
        answer(text_message("In short: two things.", item_id="msg_s"), usage=Usage(input_tokens=7)),
        *_says("about three"),
    )
    await client.ask("thread/compact/start", threadId=thread_id)
    await client.hears("turn/completed", lambda said: _is_third(client, said))
    await client.settle()
    await client.turn(thread_id, "three")
    await client.settle()
    await client.ask("thread/read", threadId=thread_id, includeTurns=True)
    await client.try_("thread/compact/start", threadId=_NOBODY)


def _is_third(client: Client, said: dict[str, Any]) -> bool:
    ended = [
        each["params"]["turn"]["id"]
        for each in client.heard()
        if each.get("method") == "turn/completed"
    ]
    return len(ended) >= 3 and ended[2] == said["turn"]["id"]


@THREADS.case()
async def names(client: Client) -> None:
    """Given, trimmed, refused."""
    thread_id = await _talk(client, "one")
    await client.ask("thread/name/set", threadId=thread_id, name="  a name ")
    await client.hears("thread/name/updated")
    await client.try_("thread/name/set", threadId=thread_id, name="  ")
    await client.try_("thread/name/set", threadId=_NOBODY, name="x")
