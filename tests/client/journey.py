"""One program that knows only the protocols, and writes down what it sees."""

import re
from pathlib import Path
from typing import Any

import attrs
import orjson
import trio

from actors.client import ThreadHandle, ThreadManager
from actors.runtime import ChannelClosed, Lagged
from actors.thread import NoActiveTurn, ThreadClosed
from messages.codec import to_json
from messages.content import TextInput
from messages.events import (
    Event,
    EventMsg,
    ExecApprovalRequest,
    TurnAborted,
    TurnComplete,
)
from messages.ids import CallId
from messages.ops import ExecApproval, Interrupt, OverrideTurnContext, ReviewDecisionKind, UserInput
from tests.waiting import PATIENCE

from .stage import careful

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
FILE = re.compile(r"sessions/\d{4}/\d\d/\d\d/rollout-[\dT-]+-")
DURATION = re.compile(r'"duration":\{"secs":\d+,"nanos":\d+\}')
WALL = re.compile(r"(Wall time: |\"duration_seconds\\*\":)[\d.]+")
PROCESS = re.compile(r'"process_id":"\d+"')


def said(text: str) -> UserInput:
    return UserInput(items=(TextInput(text=text),))


@attrs.define(eq=False)
class Journey:
    """What was seen, with ids by the order in which they came and without times."""

    tmp_path: Path
    lines: list[str] = attrs.field(factory=list)
    _names: dict[str, str] = attrs.field(factory=dict)

    def note(self, what: str, value: Any = None) -> None:
        text = value if isinstance(value, str) else orjson.dumps(value, default=to_json).decode()
        self.lines.append(self._plain(f"{what}: {text}"))

    def _plain(self, text: str) -> str:
        text = text.replace(str(self.tmp_path), "TMP")
        text = DURATION.sub('"duration":0', FILE.sub("ROLLOUT-", text))
        text = PROCESS.sub('"process_id":0', WALL.sub(r"\g<1>0", text))
        return UUID.sub(lambda found: self._name(found[0]), text)

    def _name(self, uuid: str) -> str:
        return self._names.setdefault(uuid, f"id{len(self._names)}")

    async def read(self, thread: ThreadHandle, *last: type[EventMsg]) -> Event:
        """Note events up to the first of these classes."""
        while True:
            event = await thread.next_event()
            assert isinstance(event, Event)
            self.note(f"{event.seq} {event.id}", event.msg)
            if isinstance(event.msg, last):
                return event


async def travel(manager: ThreadManager, tmp_path: Path) -> list[str]:
    """Do everything that a program does with threads."""
    journey = Journey(tmp_path)
    work = tmp_path / "work"
    # A server records as much anyway.
    new = await manager.start_thread(careful(work), persist_extended_history=True)
    thread = new.thread
    journey.note("configured", new.session_configured)
    assert manager.get_thread(new.thread_id) is thread
    journey.note("live", list(manager.list_thread_ids()))

    await thread.submit(said("hello"))
    await journey.read(thread, TurnComplete)
    journey.note("status", repr(thread.agent_status()))
    journey.note("state", thread.state.value)

    await _approve(journey, thread)
    await _interrupt(journey, thread)
    await _steer_nothing(journey, thread)
    await _look_back(journey, thread)
    await _lag(journey, thread)

    await thread.submit(OverrideTurnContext(model="other"))
    thread.submit_nowait(said("again"))
    await journey.read(thread, TurnComplete)
    journey.note("model", thread.config_snapshot.model)

    await _fork_and_resume(journey, manager, thread, work)
    return journey.lines


async def _approve(journey: Journey, thread: ThreadHandle) -> None:
    """A command that is asked for, and input that joins the turn meanwhile."""
    await thread.submit(said("run: touch made"))
    asked = await journey.read(thread, ExecApprovalRequest)
    assert isinstance(asked.msg, ExecApprovalRequest)
    snapshot = thread.snapshot()
    journey.note("asked", list(snapshot.questions))
    journey.note("running", snapshot.state.value)
    turn = await thread.steer_input(
        (TextInput(text="and then say so"),), expected_turn_id=snapshot.turn_id
    )
    journey.note("steered", turn)
    await thread.submit(_yes(asked.msg.call_id))
    await journey.read(thread, TurnComplete)
    journey.note("answered", list(thread.snapshot().questions))
    [approval] = thread.snapshot().approvals
    journey.note("allowed", repr(approval))
    journey.note("revoked", await thread.revoke_approval(approval))


def _yes(call_id: CallId) -> ExecApproval:
    return ExecApproval(id=call_id, decision=ReviewDecisionKind.APPROVED_FOR_SESSION)


async def _interrupt(journey: Journey, thread: ThreadHandle) -> None:
    await thread.submit(said("run: touch never"))
    await journey.read(thread, ExecApprovalRequest)
    await thread.submit(Interrupt())
    await journey.read(thread, TurnAborted)
    journey.note("status", repr(thread.agent_status()))


async def _steer_nothing(journey: Journey, thread: ThreadHandle) -> None:
    try:
        await thread.steer_input((TextInput(text="too late"),))
    except NoActiveTurn as error:
        journey.note("refused", str(error))


async def _look_back(journey: Journey, thread: ThreadHandle) -> None:
    """Any number of readers, from any event that is kept."""
    with thread.subscribe(from_seq=2) as reader:
        event = await reader.receive()
        assert isinstance(event, Event)
        journey.note(f"again {event.seq}", event.msg)
    with thread.events(from_seq=1) as reader:
        async for first in reader:
            assert isinstance(first, Event)
            journey.note("first", type(first.msg).__name__)
            break


async def _lag(journey: Journey, thread: ThreadHandle) -> None:
    """A reader that sleeps through more than is kept."""
    with thread.subscribe() as sleeper:
        before = sleeper.next_seq
        await thread.submit(said(" ".join(f"word{number}" for number in range(2500))))
        last = await _end(thread)
        lagged = sleeper.receive_nowait()
        assert isinstance(lagged, Lagged)
        after = sleeper.receive_nowait()
        assert isinstance(after, Event)
        journey.note("missed", lagged.missed == after.seq - before)
        journey.note("kept", last.seq - after.seq)


async def _end(thread: ThreadHandle) -> Event:
    while True:
        event = await thread.next_event()
        if isinstance(event, Event) and isinstance(event.msg, TurnComplete):
            return event


async def _fork_and_resume(
    journey: Journey, manager: ThreadManager, thread: ThreadHandle, work: Path
) -> None:
    path = thread.rollout_path
    assert path is not None
    fork = await manager.fork_thread(1, careful(work), path)
    journey.note("fork", fork.session_configured)
    removed = await manager.remove_thread(thread.thread_id)
    assert removed is thread
    journey.note("removed", thread.state.value)
    with trio.fail_after(PATIENCE):
        try:
            await thread.submit(said("anybody?"))
        except ThreadClosed as error:
            journey.note("closed", str(error))
        try:
            while True:
                await journey.read(thread)
        except ChannelClosed:
            journey.note("end", "")
    again = await manager.resume_thread_from_rollout(careful(work), path)
    journey.note("resumed", again.session_configured)
    await again.thread.submit(said("and on"))
    await journey.read(again.thread, TurnComplete)
    journey.note("live", sorted(manager.list_thread_ids()))
    report = await manager.close_all_threads()
    journey.note("report", sorted(report.completed))
    journey.note("live", list(manager.list_thread_ids()))
