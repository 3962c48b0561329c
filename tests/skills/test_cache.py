"""What is kept of a look, for whom, and until when."""

import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.skills import (
    SkillRoot,
    SkillsCache,
    SkillsCacheStatistics,
    SkillScope,
    SkillsOutcome,
    SkillsQuery,
)
from tests.waiting import PATIENCE

from .trees import front, query, skill, write_skill


def ask_for(*paths: str) -> SkillsQuery:
    return SkillsQuery(roots=tuple(SkillRoot(path, SkillScope.USER) for path in paths))


ONE, TWO, THREE = ask_for("/one"), ask_for("/two"), ask_for("/three")


@attrs.define(eq=False)
class Loads:
    """Loads that go on when the test says so; each brings an outcome of its own."""

    queries: list[SkillsQuery] = attrs.field(factory=list)
    ended: list[int] = attrs.field(factory=list)
    folders: tuple[str, ...] = ()
    lasting: bool = True
    gate: threading.Event = attrs.field(factory=threading.Event)
    begun: threading.Condition = attrs.field(factory=threading.Condition)

    def __call__(self, asked: SkillsQuery) -> SkillsOutcome:
        with self.begun:
            self.queries.append(asked)
            number, gate = len(self.queries), self.gate
            self.begun.notify_all()
        assert gate.wait(10)
        self.ended.append(number)
        return SkillsOutcome(
            skills=(skill(f"load-{number}"),), folders=self.folders, lasting=self.lasting
        )

    async def wait_begun(self, number: int) -> None:
        def wait() -> bool:
            with self.begun:
                return self.begun.wait_for(lambda: len(self.queries) >= number, 10)

        assert await trio.to_thread.run_sync(wait)

    def let_go(self) -> None:
        """Let all loads end that have begun; later ones wait again."""
        gate, self.gate = self.gate, threading.Event()
        gate.set()


def number_of(outcome: SkillsOutcome) -> int:
    return int(outcome.skills[0].name.removeprefix("load-"))


@pytest.fixture
def loads() -> Iterable[Loads]:
    found = Loads()
    yield found
    found.let_go()


@pytest.fixture
def free(loads: Loads) -> Loads:
    """Loads that do not wait."""
    loads.gate.set()
    return loads


@attrs.define(eq=False)
class Asker:
    """Somebody who asks, and waits for the answer."""

    outcome: SkillsOutcome | None = None
    answered: trio.Event = attrs.field(factory=trio.Event)

    async def ask(self, cache: SkillsCache, asked: SkillsQuery, *, force: bool) -> None:
        self.outcome = await cache.outcome(asked, force=force)
        self.answered.set()

    @property
    def number(self) -> int:
        assert self.outcome is not None
        return number_of(self.outcome)


async def start(
    nursery: trio.Nursery, cache: SkillsCache, asked: SkillsQuery, *, force: bool = False
) -> Asker:
    asker = Asker()
    nursery.start_soon(partial(asker.ask, cache, asked, force=force))
    await wait_all_tasks_blocked()
    return asker


async def test_outcome_is_loaded_once_and_kept(free: Loads) -> None:
    """Whoever asks for the same gets the very same; everything in a query decides."""
    cache = SkillsCache(load=free)
    assert cache.peek(ONE) is None

    first = await cache.outcome(ONE)

    assert await cache.outcome(ask_for("/one")) is first
    assert cache.peek(ONE) is first
    for other in (
        TWO,
        ask_for("/one", "/two"),
        SkillsQuery(roots=ONE.roots, disabled=frozenset({"/x"})),
        SkillsQuery(roots=(SkillRoot("/one", SkillScope.REPO),)),
    ):
        assert await cache.outcome(other) is not first
    assert cache.statistics() == SkillsCacheStatistics(kept=5, loading=0, hits=1, loads=5)
    assert repr(cache) == "<SkillsCache of 5/64 outcomes, 0 loading>"


async def test_those_who_ask_at_once_share_a_load(loads: Loads) -> None:
    """One load for all of them, and one for each query."""
    cache = SkillsCache(load=loads)
    async with trio.open_nursery() as nursery:
        one = [await start(nursery, cache, ONE) for _ in range(5)]
        two = await start(nursery, cache, TWO)
        await loads.wait_begun(2)
        assert cache.statistics().loading == 2
        loads.let_go()

    assert sorted(loads.queries, key=repr) == sorted([ONE, TWO], key=repr)
    assert len({id(asker.outcome) for asker in one}) == 1
    assert cache.peek(ONE) is one[0].outcome
    assert cache.peek(TWO) is two.outcome


async def test_two_loads_run_at_once_at_most(loads: Loads) -> None:
    """The third begins when one has ended."""
    cache = SkillsCache(load=loads)
    async with trio.open_nursery() as nursery:
        for asked in (ONE, TWO, THREE):
            await start(nursery, cache, asked)
        await loads.wait_begun(2)
        await wait_all_tasks_blocked()
        assert len(loads.queries) == 2

        loads.let_go()
        await loads.wait_begun(3)
        loads.let_go()


async def test_forced_load_is_always_a_new_one(loads: Loads) -> None:
    """The one under way may have passed the file; what is kept is the last that began."""
    cache = SkillsCache(load=loads)
    async with trio.open_nursery() as nursery:
        before = await start(nursery, cache, ONE)
        await loads.wait_begun(1)
        old, loads.gate = loads.gate, threading.Event()
        forced = await start(nursery, cache, ONE, force=True)
        after = await start(nursery, cache, ONE)
        await loads.wait_begun(2)

        loads.let_go()
        with trio.fail_after(PATIENCE):
            await forced.answered.wait()
            await after.answered.wait()
        assert not before.answered.is_set()
        old.set()

    assert (before.number, forced.number, after.number) == (1, 2, 2)
    assert cache.peek(ONE) is forced.outcome


async def test_forced_load_replaces_what_is_kept(free: Loads) -> None:
    """For everybody."""
    cache = SkillsCache(load=free)
    await cache.outcome(ONE)

    forced = await cache.outcome(ONE, force=True)

    assert number_of(forced) == 2
    assert await cache.outcome(ONE) is forced


@pytest.mark.parametrize("paths", [None, (), ("/elsewhere",)])
async def test_load_during_an_invalidation_is_given_and_not_kept(
    loads: Loads, paths: tuple[str, ...] | None
) -> None:
    """Those who asked before get it; those who ask later get a new one."""
    cache = SkillsCache(load=loads)
    async with trio.open_nursery() as nursery:
        before = await start(nursery, cache, ONE)
        await loads.wait_begun(1)
        cache.invalidate(paths)
        old, loads.gate = loads.gate, threading.Event()
        after = await start(nursery, cache, ONE)
        await loads.wait_begun(2)
        loads.let_go()
        with trio.fail_after(PATIENCE):
            await after.answered.wait()
        old.set()

    assert (before.number, after.number) == (1, 2)
    assert cache.peek(ONE) is after.outcome


async def test_load_that_was_invalidated_last_is_not_kept(loads: Loads) -> None:
    """Nobody asked again, so nobody knows."""
    cache = SkillsCache(load=loads)
    async with trio.open_nursery() as nursery:
        await start(nursery, cache, ONE)
        await loads.wait_begun(1)
        cache.invalidate(None)
        loads.let_go()

    assert cache.peek(ONE) is None


@pytest.mark.parametrize(
    ("changed", "gone"),
    [
        (None, True),
        ((), True),
        (("/one",), True),
        (("/one/",), True),
        (("/one/a/SKILL.md",), True),
        (("/",), True),
        (("/onex",), False),
        (("/on",), False),
        (("/two/a", "/three"), False),
        (("/real/b",), True),
        (("/real",), True),
        (("/reality",), False),
        (("/far/link/x",), True),
        (("/x", "/one/x"), True),
    ],
)
async def test_outcome_is_forgotten_when_one_of_its_folders_changed(
    free: Loads, changed: tuple[str, ...] | None, gone: bool
) -> None:
    """Its root, what that leads to, and what links below lead to; by whole parts of a path."""
    free.folders = ("/real", "/far/link")
    cache = SkillsCache(load=free)
    await cache.outcome(ONE)

    cache.invalidate(changed)

    assert (cache.peek(ONE) is None) is gone


async def test_only_outcomes_that_are_concerned_are_forgotten(free: Loads) -> None:
    """A project's skills say nothing of another's."""
    cache = SkillsCache(load=free)
    for asked in (ONE, TWO, ask_for("/three", "/two")):
        await cache.outcome(asked)

    cache.invalidate(path for path in ["/two/x"])

    assert cache.peek(ONE) is not None
    assert cache.statistics().kept == 1


async def test_least_recently_asked_for_goes_first(free: Loads) -> None:
    """A look from outside is no use."""
    cache = SkillsCache(load=free, capacity=2)
    await cache.outcome(ONE)
    await cache.outcome(TWO)
    await cache.outcome(ONE)
    cache.peek(TWO)

    await cache.outcome(THREE)

    assert [asked for asked in (ONE, TWO, THREE) if cache.peek(asked)] == [ONE, THREE]


def test_capacity_is_at_least_one() -> None:
    """Or nothing would ever be found."""
    with pytest.raises(ValueError, match="capacity"):
        SkillsCache(capacity=0)


async def test_outcome_that_does_not_last_is_given_and_not_kept(free: Loads) -> None:
    """The next who asks may be luckier."""
    free.lasting = False
    cache = SkillsCache(load=free)

    assert number_of(await cache.outcome(ONE)) == 1
    assert number_of(await cache.outcome(ONE)) == 2
    assert cache.peek(ONE) is None


async def test_who_is_cancelled_does_not_wait_for_the_disk(loads: Loads) -> None:
    """The others who wait for the same begin another load."""
    cache = SkillsCache(load=loads)
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                await start(inner, cache, ONE)
                await loads.wait_begun(1)
                others = [await start(nursery, cache, ONE) for _ in range(3)]
                scope.cancel()
        assert scope.cancelled_caught
        assert not loads.ended
        await loads.wait_begun(2)
        loads.let_go()

    assert {other.number for other in others} == {2}
    assert number_of(await cache.outcome(ONE)) == 2


async def test_waiting_for_the_load_of_another_may_be_cancelled(loads: Loads) -> None:
    """The load goes on."""
    cache = SkillsCache(load=loads)
    async with trio.open_nursery() as nursery:
        leader = await start(nursery, cache, ONE)
        with trio.move_on_after(0) as scope:
            await cache.outcome(ONE)
        assert scope.cancelled_caught
        await loads.wait_begun(1)
        loads.let_go()

    assert cache.peek(ONE) is leader.outcome


async def test_load_that_crashes_leaves_nobody_waiting() -> None:
    """Each gets the crash, and the next who asks a new load."""

    def crash(_: SkillsQuery) -> SkillsOutcome:
        raise ZeroDivisionError

    cache = SkillsCache(load=crash)

    async def ask() -> None:
        with pytest.raises(ZeroDivisionError):
            await cache.outcome(ONE)

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)

    assert cache.statistics().loading == 0


async def test_kept_outcome_is_given_after_a_checkpoint(free: Loads, mock_clock: MockClock) -> None:
    """Who asks in a loop lets others run."""
    cache = SkillsCache(load=free)
    await cache.outcome(ONE)

    with trio.testing.assert_checkpoints():
        await cache.outcome(ONE)


async def test_cache_looks_at_the_disk_and_sees_changes_when_told(tmp_path: Path) -> None:
    """The whole way, with real files."""
    cache = SkillsCache()
    asked = query(tmp_path / "skills")
    assert (await cache.outcome(asked)).skills == ()
    path = write_skill(tmp_path / "skills" / "one")
    assert (await cache.outcome(asked)).skills == ()

    cache.invalidate([str(path)])
    [found] = (await cache.outcome(asked)).skills
    assert found.description == "Does one thing."

    path.write_text(front("one", "Does it better."))
    cache.invalidate([str(tmp_path)])
    [found] = (await cache.outcome(asked)).skills
    assert found.description == "Does it better."


async def test_change_behind_a_link_in_a_root_is_seen(tmp_path: Path) -> None:
    """The outcome knows where its links lead."""
    path = write_skill(tmp_path / "far" / "one")
    (tmp_path / "skills").mkdir()
    (tmp_path / "skills" / "link").symlink_to(tmp_path / "far")
    cache = SkillsCache()
    asked = query(tmp_path / "skills")
    assert (await cache.outcome(asked)).folders == (str(tmp_path / "skills"), str(tmp_path / "far"))

    cache.invalidate([str(path)])

    assert cache.peek(asked) is None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from([ONE, TWO, THREE])),
        st.tuples(st.just("force"), st.sampled_from([ONE, TWO, THREE])),
        st.tuples(st.just("change"), st.sampled_from(["/one", "/two/x", "/"])),
    ),
    max_size=30,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(STEPS)
def test_nobody_ever_gets_what_was_found_before_a_change(steps: list[tuple[str, object]]) -> None:
    """Whatever was asked in between."""
    version = 0

    def load(_: SkillsQuery) -> SkillsOutcome:
        return SkillsOutcome(skills=(skill(f"load-{version}"),))

    async def main() -> None:
        nonlocal version
        cache = SkillsCache(load=load, capacity=2)
        # The version of the last change that a query has to know of.
        least = dict.fromkeys([ONE, TWO, THREE], 0)
        for what, value in steps:
            version += 1
            if isinstance(value, SkillsQuery):
                forced = what == "force"
                found = number_of(await cache.outcome(value, force=forced))
                assert found == version if forced else found >= least[value]
                if forced:
                    least[value] = version
            else:
                cache.invalidate([str(value)])
                for asked in least:
                    if value == "/" or str(value).startswith(asked.roots[0].path):
                        least[asked] = version
            assert cache.statistics().kept <= 2

    trio.run(main)
