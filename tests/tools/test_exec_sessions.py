"""The store of the processes that the model left running."""

from random import Random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.tools import open_launcher
from actors.tools.exec_sessions import ExecSessions, ExecStatistics, choose_victim
from messages.events import ExecCommandEnd, ExecCommandStatus, ExecOutputStream

from .exec_calls import Exec, body, exit_code
from .fake_context import FakeContext


@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_victim_is_the_oldest_that_ended_else_the_oldest_and_the_last_eight_are_spared(ended):
    """An independent statement of the rule, over every place."""
    victim = choose_victim(ended)

    spared = range(len(ended) - 8, len(ended)) if len(ended) > 8 else ()
    candidates = [place for place in range(len(ended)) if place not in spared]
    over = [place for place in candidates if ended[place]]
    assert victim == min(over or candidates)


def test_reserved_ids_are_different_and_free_again():
    """From 1000 to 99,999, drawn from the thread's own randomness."""
    sessions = ExecSessions()

    class Stubborn(Random):
        values = iter([1000, 1000, 99_999, 1000])

        def randrange(self, *_bounds: int) -> int:
            return next(self.values)

    random = Stubborn()
    with sessions.reserved(random) as first, sessions.reserved(random) as second:
        assert (first, second) == (1000, 99_999)
    with sessions.reserved(random) as third:
        assert third == 1000
    assert sessions.statistics() == ExecStatistics(running=0, unread=0, capacity=64)


@pytest.fixture
async def many(marked_env, tmp_path, nothing_left, monkeypatch):
    monkeypatch.setattr("actors.tools.exec_arguments._SHORTEST", 0.02)
    monkeypatch.setattr("actors.tools.exec_arguments._SHORTEST_POLL", 0.02)
    monkeypatch.setattr("actors.tools.exec_arguments._STDIN_YIELD_MS", 20)
    context = FakeContext(cwd=str(tmp_path))
    async with open_launcher(), context.jobs():
        yield Exec(context, marked_env)


@pytest.mark.slow
async def test_sixty_fifth_process_ends_the_one_used_longest_ago(many):
    """The model is warned from the sixtieth on, and every process has one end."""
    many.context.world.random.seed(5)
    first = await many.start_lasting("exec sleep 1000", call_id="first")
    numbers = [first]

    async def start() -> None:
        numbers.append(await many.start_lasting("exec sleep 1000"))

    async with trio.open_nursery() as nursery:
        for _ in range(58):
            nursery.start_soon(start)
    assert many.context.inputs == []
    for _ in range(5):
        await start()
    assert many.sessions.statistics() == ExecStatistics(running=64, unread=0, capacity=64)
    assert many.context.of(ExecCommandEnd) == []
    await many.type(numbers[0])  # now the second one was used longest ago

    await start()

    end = await many.context.wait_for(ExecCommandEnd)
    assert (end.process_id, end.exit_code, end.status) == (
        str(numbers[1]),
        -1,
        ExecCommandStatus.FAILED,
    )
    assert end.aggregated_output == "ended to make room for newer processes"
    assert many.sessions.find(numbers[1]) is None
    assert many.sessions.find(first) is not None
    warnings = many.context.input_texts()
    assert [role for role, _ in warnings] == ["user"] * 6
    assert warnings[0][1].startswith("Warning: 60 processes are open, and 64 are the most")
    assert warnings[-1][1].startswith("Warning: 64 processes")
    assert len(set(numbers)) == 65
    assert all(1000 <= number < 100_000 for number in numbers)

    many.sessions.stop_all()
    with trio.fail_after(10):
        await many.context.wait_for(ExecCommandEnd, 65)
    assert not many.sessions.any


async def test_process_that_ended_goes_before_one_that_runs(many, tmp_path):
    """And its end was told long ago."""
    many.sessions.capacity = 2
    running = await many.start_lasting("exec sleep 1000")
    ended = await many.start_lasting("until [ -e go ]; do sleep 0.005; done")
    (tmp_path / "go").touch()
    await many.context.wait_for(ExecCommandEnd)
    assert many.sessions.statistics() == ExecStatistics(running=1, unread=1, capacity=2)

    await many.start_lasting("exec sleep 1000")

    assert many.sessions.find(ended) is None
    assert many.sessions.find(running) is not None
    assert len(many.context.of(ExecCommandEnd)) == 1


async def test_list_says_what_runs(many, tmp_path):
    """With the command as it was shown, and the call that started it."""
    assert many.sessions.list() == ()
    number = await many.start_lasting("exec sleep 1000", call_id="call-9")

    (info,) = many.sessions.list()

    assert (info.id, info.command, info.cwd, info.call_id) == (
        number,
        ("/bin/sh", "-c", "exec sleep 1000"),
        str(tmp_path),
        "call-9",
    )
    assert many.sessions.any


async def test_stop_all_ends_every_process_and_their_ends_follow(many):
    """Those whose calls still wait, too; ids are unknown at once; a second time is nothing."""
    kept = await many.start_lasting("exec sleep 1000", call_id="kept")
    outputs = []

    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            outputs.append(await many.start("echo on; exec sleep 1000", call_id="waiting"))

        nursery.start_soon(wait)
        while b"on" not in many.context.told(ExecOutputStream.STDOUT):
            await many.context.emitted.wait()
        many.sessions.stop_all()
        many.sessions.stop_all()
        assert many.sessions.find(kept) is None

    assert (exit_code(outputs[0]), body(outputs[0])) == (-1, "on\n")
    await many.context.wait_for(ExecCommandEnd, 2)
    ends = {end.call_id: end for end in many.context.of(ExecCommandEnd)}
    assert set(ends) == {"kept", "waiting"}
    assert {end.exit_code for end in ends.values()} == {-1}
    assert ends["waiting"].aggregated_output == "on\ncommand aborted by user"
    assert ends["waiting"].stdout == "on\n"
    assert not many.sessions.any
