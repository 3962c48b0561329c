"""How many agents there may be below a root, and what gives a slot back (P8)."""

import logging

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.supervisor import ThreadOrigin
from actors.tools.agents import AgentFailed, AgentLimitReached, AgentRole
from messages.events import StatusKind
from messages.ids import ThreadId
from messages.ops import Shutdown, UserInput
from tests.waiting import until

from .agent_stage import DEEP, NOBODY, ONE, PROMPT
from .family import FAMILY, open_family


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


async def test_number_of_agents_is_limited_below_each_root(mock_clock: MockClock) -> None:
    """At all depths together; another root has slots of its own."""
    async with open_family(attrs.evolve(DEEP, agent_max_threads=3)) as family:
        first = await family.spawn()
        await family.spawn(parent=first)
        await family.spawn(parent=first)

        for above in (family.root_id, first):
            with pytest.raises(AgentLimitReached, match=r"limit reached \(max 3\)"):
                await family.spawn(parent=above)

        assert len(family.supervisor.list_thread_ids()) == 4
        other = (await family.supervisor.start_thread(FAMILY)).thread_id
        await family.spawn(parent=other)


async def test_six_agents_are_the_limit_unless_somebody_says_otherwise(
    mock_clock: MockClock,
) -> None:
    """As in Codex; agents that are done keep their slots until they are closed."""
    async with open_family() as family:
        agent_ids = [await family.spawn() for _ in range(6)]
        await family.answer(agent_ids[0])
        with pytest.raises(AgentLimitReached):
            await family.spawn()

        await family.agents.close(family.turn(), agent_ids[0])

        await family.spawn()


@pytest.mark.parametrize("end", ["close", "shutdown", "remove", "crash", "give up"])
async def test_slot_is_free_when_its_agent_has_ended_however_it_ended(
    end: str, mock_clock: MockClock
) -> None:
    """It belongs to the lifetime (P12); a crash that the agent comes back from is no end."""
    config = attrs.evolve(ONE, ephemeral=end == "crash")
    async with open_family(config) as family:
        agent_id = await family.spawn()
        match end:
            case "close":
                await family.agents.close(family.turn(), agent_id)
            case "shutdown":
                await family.thread(agent_id).submit(Shutdown())
                await until(lambda: len(family.supervisor._threads) == 1)
            case "remove":
                await family.supervisor.remove_thread(agent_id)
            case "crash":
                await family.crash(agent_id)
            case _:
                await family.crash(agent_id)
                with pytest.raises(AgentLimitReached):
                    await family.spawn()
                await family.crash_again(agent_id, mock_clock)

        assert family.status(agent_id) is StatusKind.NOT_FOUND
        told = [op for _, op in family.supervisor.captured_ops() if op == Shutdown()]
        assert len(told) == (0 if end in ("crash", "give up") else 1)
        again = await family.spawn()
        with pytest.raises(AgentLimitReached):
            await family.spawn()
        assert family.supervisor.children_of(family.root_id) == (again,)


async def test_start_that_fails_takes_no_slot(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told to the model, not a crash of the thread that wanted it."""
    async with open_family(ONE) as family:

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("no luck")

        with monkeypatch.context() as patch:
            patch.setattr("actors.thread.life._session", fail)
            with pytest.raises(AgentFailed, match="no luck"):
                await family.spawn()

        assert len(family.supervisor._threads) == 1
        await family.spawn()


async def test_cancelled_start_takes_no_slot(mock_clock: MockClock) -> None:
    """Whenever the cancellation comes: either there is no agent, or it was told to end."""
    async with open_family(ONE) as family:
        for steps in range(10):
            async with trio.open_nursery() as nursery:

                async def cancel(scope: trio.CancelScope, steps: int = steps) -> None:
                    for _ in range(steps):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()

                nursery.start_soon(cancel, nursery.cancel_scope)
                agent_id = await family.agents.spawn(family.turn(), PROMPT, role=AgentRole.DEFAULT)
                await family.agents.close(family.turn(), agent_id)
            await wait_all_tasks_blocked()
            assert family.supervisor.children_of(family.root_id) == ()

        await family.agents.spawn(family.turn(), PROMPT, role=AgentRole.DEFAULT)


async def test_agent_that_cannot_be_told_its_task_is_closed(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no orphan that nobody knows of."""
    async with open_family(ONE) as family:
        created = family.supervisor.subscribe_thread_created()

        def fail(thread_id: ThreadId, op: object) -> None:
            if isinstance(op, UserInput):
                raise RuntimeError("no room")

        monkeypatch.setattr(family.supervisor, "_captured", None)
        monkeypatch.setattr("actors.thread.Thread._note", lambda thread, op: fail(NOBODY, op))
        with pytest.raises(RuntimeError, match="no room"):
            await family.agents.spawn(family.turn(), PROMPT, role=AgentRole.DEFAULT)
        monkeypatch.undo()
        await wait_all_tasks_blocked()

        assert (await created.receive()).origin is ThreadOrigin.AGENT  # type: ignore[union-attr]
        assert family.supervisor.list_thread_ids() == (family.root_id,)
        await family.spawn()
