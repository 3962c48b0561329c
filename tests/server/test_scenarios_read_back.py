"""Whole conversations by scenario: what is told live reads back from the rollout."""

from pathlib import Path

import attrs
import pytest
import trio

from actors.rollout import load_rollout
from actors.runtime import Lagged
from actors.server.history_builder import turns_of
from actors.server.projection import ThreadProjection
from actors.testing import open_test_supervisor
from messages.events import TurnAborted, TurnComplete
from messages.rpc.items import (
    CommandExecutionThreadItem,
    ReasoningThreadItem,
    ThreadItem,
    UnknownThreadItem,
)
from messages.rpc.turn import Turn, TurnStatus
from tests.scenarios.played import FOLDER
from tests.thread.stage import text_input

from .live import CONFIG, NOW
from .outgoing import Client, bare

# What the user says; where it does not matter, anything.
SCENARIOS = {
    "agents": ("Ask around.",),
    "apply_patch": ("Tidy up.",),
    "compaction": ("Look around.",),
    "conversation": ("My name is Ada.", "Who am I?"),
    "failure": ("Too much.", "Again."),
    "long_output": ("Count far.",),
    "mistakes": ("Do something.",),
    "parallel_tools": ("Pass it on.",),
    "patch_by_heredoc": ("Say hello.",),
    "patch_fails": ("Change both.",),
    "refused": ("Clean up.",),
    "shell": ("Is there a README?",),
    "update_plan": ("Bake a cake.",),
}
LIMIT = 10_000


def in_order(turn: Turn) -> Turn:
    """Without the order of items that run beside each other, and what a file leaves out."""
    items = sorted(map(recorded, filter(told, turn.items)), key=repr)
    return attrs.evolve(turn, items=tuple(items))


def told(item: ThreadItem) -> bool:
    """Reasoning without a word in it is not recorded as an event."""
    return not isinstance(item, ReasoningThreadItem) or bool(item.summary)


def recorded(item: ThreadItem) -> ThreadItem:
    """A command's output is recorded up to a limit."""
    if not isinstance(item, CommandExecutionThreadItem):
        return item
    output = item.aggregated_output
    long = output is not None and len(output) > LIMIT
    return attrs.evolve(item, aggregated_output="long" if long else output)


async def play(name: str, folder: Path, *, extended: bool) -> tuple[list[Turn], list[Turn]]:
    """Give the turns as they were told, and as they read back."""
    client = Client()
    config = attrs.evolve(
        CONFIG,
        cwd=str(folder),
        auto_compact_token_limit=1000 if name == "compaction" else None,
        features=attrs.evolve(CONFIG.features, collab=True),
    )
    scenario = await trio.Path(FOLDER / f"{name}.toml").read_text()
    async with open_test_supervisor(scenario=scenario) as supervisor:
        new = await supervisor.start_thread(config, persist_extended_history=extended)
        projection = ThreadProjection(new.thread.thread_id, lambda: NOW)
        for words in SCENARIOS[name]:
            await new.thread.submit(text_input(words))
            while True:
                event = await new.thread.next_event()
                assert not isinstance(event, Lagged)
                client.take_all(projection.take(event))
                if isinstance(event.msg, TurnComplete | TurnAborted):
                    break
        assert new.thread.rollout_path is not None
        read = turns_of(load_rollout(Path(new.thread.rollout_path)).items)
    return bare(client.turns.values()), bare(read)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_scenario_reads_back_as_it_was_told(name: str, tmp_path: Path) -> None:
    """In the extended mode; but for ids and times, and what the rollout never keeps."""
    with trio.fail_after(60):
        live, read = await play(name, tmp_path, extended=True)

    assert [in_order(turn) for turn in read] == [in_order(turn) for turn in live]


@pytest.mark.parametrize("name", ["conversation", "failure", "shell"])
async def test_limited_mode_keeps_what_was_said(name: str, tmp_path: Path) -> None:
    """The items of tools are not there, and a failure reads as a completion."""
    kept = {"UserMessageThreadItem", "AgentMessageThreadItem", "ReasoningThreadItem"}
    with trio.fail_after(60):
        live, read = await play(name, tmp_path, extended=False)

    assert [in_order(turn) for turn in read] == [in_order(limited(turn, kept)) for turn in live]


def limited(turn: Turn, kept: set[str]) -> Turn:
    items = tuple(
        item
        for item in turn.items
        if not isinstance(item, UnknownThreadItem) and type(item).__name__ in kept
    )
    failed = turn.status is TurnStatus.FAILED
    status = TurnStatus.COMPLETED if failed else turn.status
    return attrs.evolve(turn, items=items, status=status, error=None)
