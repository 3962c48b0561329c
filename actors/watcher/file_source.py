"""Changes of real files, from what the system tells and from looking at them."""

import logging
import math
import threading
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final, TypeVar

import attrs
import trio

from actors.runtime import Watch

from .notify import Heard, Notify, OpenNotify, hear, open_rust_notify
from .plan import Plan
from .source import Report, SourceStatistics, WatchMode
from .tree import Limits, Tree, changed_paths, file_time, read_tree

__all__ = ["FileSource"]

T = TypeVar("T")

_logger = logging.getLogger("actors")

_RETRY: Final = 60.0
"""Seconds after which the system is asked again whether it can watch."""

_REST: Final = 4.0
"""Looking takes at most one part in five of the time, however much changes."""

_LONGEST_REST: Final = 2.0

_GONE_PAUSE: Final = 0.05
"""Seconds until the next look when a folder went away just before it was to be watched."""


@attrs.frozen(kw_only=True)
class _Look:
    """What was found below all roots, and which paths are different."""

    trees: dict[str, Tree]
    plan: Plan
    changes: tuple[str, ...]


@attrs.define(eq=False, repr=False)
class FileSource:
    """
    A `ChangeSource` on real files.

    The system only says where to look: on each of its hints the roots concerned
    are read again, and what is different is told.  So a hint that was lost costs
    time, not a change: every *heartbeat* seconds all roots are read without one.
    Folders are watched by one instance, closed and opened anew when folders come
    and go; what happens in between is found by reading once more.

    When the system cannot watch (no ``watchfiles``, no inotify instances or
    watches left), roots are read every *poll_interval* seconds.  Changes of equal
    size within one tick of the file system's clock are found there, too.

    Everything that blocks runs in one OS thread at a time.

    Attributes:
        open_notify: Has the system watch; None to poll from the start.
        poll_interval: Seconds between two looks without help of the system.
        heartbeat: Seconds between two looks without a hint of the system.
        limits: How much of each root is looked at.
    """

    open_notify: OpenNotify | None = attrs.field(default=open_rust_notify, kw_only=True)
    poll_interval: float = attrs.field(default=2.0, kw_only=True, validator=attrs.validators.gt(0))
    heartbeat: float = attrs.field(default=10.0, kw_only=True, validator=attrs.validators.gt(0))
    limits: Limits = attrs.field(factory=Limits, kw_only=True)

    # Roots, and what the clock of files showed when each was added.
    _wanted: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    # What was found at the last look.  Invariant: a root without a tree was not
    # looked at since it was added.
    _trees: dict[str, Tree] = attrs.field(factory=dict[str, Tree], init=False)
    _plan: Plan = attrs.field(factory=Plan, init=False)
    # Set when _wanted changes.
    _wake: trio.Event = attrs.field(factory=trio.Event, init=False)
    # What watches now, and the folders it was opened with.
    _notify: Notify | None = attrs.field(default=None, init=False)
    _armed: Mapping[str, object] = attrs.field(factory=dict[str, object], init=False)
    # When to ask the system again to watch; -inf unless it refused.
    _retry_at: float = attrs.field(default=-math.inf, init=False)
    # When all roots were last looked at.
    _looked_at: float = attrs.field(default=-math.inf, init=False)
    # Whether all wanted roots are watched.
    _ready: Watch[bool] = attrs.field(factory=lambda: Watch(False), init=False)
    _truncated: set[str] = attrs.field(factory=set[str], init=False)

    def set_roots(self, roots: frozenset[str]) -> None:
        """Watch these from now on; see `ChangeSource.set_roots`."""
        if roots != self._wanted.keys():
            now = file_time()
            self._wanted = {root: self._wanted.get(root, now) for root in roots}
            self._ready.set(False)
            self._wake.set()

    async def wait_watching(self) -> None:
        """
        Wait until all roots are watched, as they are now.

        Nobody needs to: see `ChangeSource.set_roots`.
        """
        await self._ready.wait_for(bool)

    async def run(self, report: Report) -> None:
        """Tell of changes until cancelled; see `ChangeSource.run`."""
        touched: Collection[str] | None = None
        try:
            while True:
                self._wake = trio.Event()
                if not self._wanted:
                    await self._sleep_without_roots()
                    continue
                await self._look(touched, report)
                if self._must_open():
                    await self._open()
                    touched = None  # sees what changed before it was open
                    continue
                touched = await self._listen()
        finally:
            self._ready.set(False)
            self._close()

    def statistics(self) -> SourceStatistics:
        """Return how many folders are watched, and how."""
        if not self._trees:
            return SourceStatistics(mode=WatchMode.NOTHING, folders=0)
        refused = self.open_notify is None or self._retry_at > -math.inf
        mode = WatchMode.POLLING if refused else WatchMode.NOTIFIED
        return SourceStatistics(mode=mode, folders=len(self._armed))

    # Looking --------------------------------------------------------------

    async def _look(self, touched: Collection[str] | None, report: Report) -> None:
        began = trio.current_time()
        if touched is None:
            self._looked_at = began
        look = await _in_os_thread(partial(self._read, self._wanted, self._trees, touched))
        self._trees, self._plan = look.trees, look.plan
        self._tell_truncated()
        if look.changes:
            await report(look.changes)
        await trio.sleep(min(_LONGEST_REST, _REST * (trio.current_time() - began)))

    def _read(
        self,
        wanted: Mapping[str, int],
        trees: Mapping[str, Tree],
        touched: Collection[str] | None,
        stop: threading.Event,
    ) -> _Look:
        """Look at the roots that are touched or new; in an OS thread."""
        found = dict[str, Tree]()
        changes = set[str]()
        for root, since in wanted.items():
            old = trees.get(root)
            if old is not None and touched is not None and root not in touched:
                found[root] = old
                continue
            found[root] = tree = read_tree(root, self.limits, stop)
            changes |= changed_paths(root, old, tree, since)
            if tree.truncated and touched is not None and root in touched:
                changes.add(root)  # it may be in the part that was not looked at
        return _Look(trees=found, plan=Plan.of(found), changes=tuple(sorted(changes)))

    def _tell_truncated(self) -> None:
        for root, tree in self._trees.items():
            if tree.truncated and root not in self._truncated:
                _logger.warning(
                    "%r holds more than %d folders or %d files; "
                    "of the rest not every change is seen",
                    root, self.limits.folders, self.limits.entries,
                )  # fmt: skip
        self._truncated = {root for root, tree in self._trees.items() if tree.truncated}

    # Listening ------------------------------------------------------------

    def _must_open(self) -> bool:
        if self._notify is not None:
            return self._plan.folders != self._armed
        return self.open_notify is not None and trio.current_time() >= self._retry_at

    async def _open(self) -> None:
        """Have the system watch the folders of the plan, and no others."""
        self._close()
        try:
            await _in_os_thread(partial(self._try_open, self._plan))
        except* FileNotFoundError:
            await trio.sleep(_GONE_PAUSE)
        except* ImportError:
            self._retry_at = math.inf
            _logger.info(
                "watchfiles is not installed, so files are looked at every %s s; "
                "install `treadle[watch]` to be told of changes at once",
                self.poll_interval,
            )
        except* (OSError, RuntimeError) as group:
            self._retry_at = trio.current_time() + _RETRY
            _logger.warning(
                "the system cannot watch %d folders (%s), so they are looked at every %s s; raise "
                "fs.inotify.max_user_watches or max_user_instances to be told of changes at once",
                len(self._plan.folders), group.exceptions[0], self.poll_interval,
            )  # fmt: skip

    def _try_open(self, plan: Plan, _: threading.Event) -> None:
        assert self.open_notify is not None
        # Kept at once: when we are cancelled meanwhile, `run` still closes it.
        self._notify = self.open_notify(tuple(plan.folders))
        self._armed = plan.folders
        self._retry_at = -math.inf

    def _close(self) -> None:
        notify, self._notify = self._notify, None
        self._armed = {}
        if notify is not None:
            notify.close()

    async def _listen(self) -> set[str] | None:
        """Wait for a reason to look; return the roots to look at, None for all."""
        if self._wake.is_set():
            return set()  # those that are new
        self._ready.set(True)
        try:
            if self._notify is None:
                with trio.move_on_after(self.poll_interval):
                    await self._wake.wait()
                return None
            return await self._listen_to(self._notify)
        finally:
            self._ready.set(False)

    async def _listen_to(self, notify: Notify) -> set[str] | None:
        while (left := self._looked_at + self.heartbeat - trio.current_time()) > 0:
            heard: Heard = await _in_os_thread(partial(hear, notify, left), until=self._wake)
            if heard.dead or self._plan.lost(heard.events):
                self._close()  # and open anew
                return None
            if roots := self._plan.touched(heard.events):
                return roots
        return None

    async def _sleep_without_roots(self) -> None:
        self._close()
        self._trees, self._plan = {}, Plan()
        self._ready.set(True)
        await self._wake.wait()

    def __repr__(self) -> str:
        now = self.statistics()
        return f"<FileSource: {len(self._wanted)} roots, {now.folders} folders, {now.mode.value}>"


async def _in_os_thread(
    work: Callable[[threading.Event], T], *, until: trio.Event | None = None
) -> T:
    """
    Run *work* in an OS thread; it gets what is set when it is to end soon.

    That is when *until* is set, and when we are cancelled.

    Cancellation:
        The OS thread has ended *work* when `trio.Cancelled` is raised.
    """
    stop = threading.Event()
    until = trio.Event() if until is None else until
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_relay, stop, until, name="watcher: stop of OS thread")
        # A limiter of its own: this may take as long as the watcher lives.
        result = await trio.to_thread.run_sync(work, stop, limiter=trio.CapacityLimiter(1))
        nursery.cancel_scope.cancel()
    await trio.lowlevel.checkpoint_if_cancelled()
    return result


async def _relay(stop: threading.Event, until: trio.Event) -> None:
    try:
        await until.wait()
    finally:
        stop.set()
