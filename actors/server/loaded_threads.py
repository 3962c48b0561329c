"""All loaded threads and those who follow them."""

import logging
from collections.abc import Callable, Iterator
from functools import partial

import attrs
import trio

from actors.rollout import parse_thread_id
from actors.runtime import Lagged, Subscription, World
from actors.supervisor import Supervisor, ThreadNotFound, ThreadOrigin
from actors.thread import Thread
from messages import events
from messages.control import Closed, Opened, TurnEnded, TurnStarted, WorkerEvent
from messages.events import Event
from messages.ids import ThreadId, TurnId
from messages.settings import SubAgentThreadSpawn, SubAgentWrapper

from .loaded_thread import LoadedThread
from .projection import ThreadProjection
from .rpc_connection import Connection
from .rpc_connections import Connections
from .rpc_errors import ConnectionGone, RpcFailure
from .settings_from_params import wire_source
from .thread_values import ThreadFacts

__all__ = ["LoadedThreads", "read_thread_id"]

_log = logging.getLogger("actors")


def read_thread_id(text: str) -> ThreadId:
    """
    Read the id of a thread.

    Raises:
        RpcFailure: It is none.
    """
    thread_id = parse_thread_id(text)
    if thread_id is None:
        raise RpcFailure.invalid(f"invalid thread id: expected a UUID, got {text[:64]!r}")
    return thread_id


@attrs.define(eq=False)
class LoadedThreads:
    """
    The loaded threads that clients know of; one task each.

    Reviewers and other threads of the house are not among them: their events come
    with the thread that they work for.

    Attributes:
        on_event: Told what happens to them, before clients are; must neither wait nor raise.
    """

    _supervisor: Supervisor
    _connections: Connections
    _world: World
    _nursery: trio.Nursery
    on_event: Callable[[WorkerEvent], None] | None = attrs.field(default=None, init=False)
    _threads: dict[ThreadId, LoadedThread] = attrs.field(
        factory=dict[ThreadId, LoadedThread], init=False
    )

    def __iter__(self) -> Iterator[LoadedThread]:
        """All of them, oldest first, as they are now."""
        return iter(tuple(self._threads.values()))

    def find(self, thread_id: ThreadId) -> LoadedThread | None:
        """Find a loaded thread; None when it is not loaded or has ended."""
        found = self._threads.get(thread_id)
        return None if found is None or found.ended.is_set() else found

    def get(self, id_text: str) -> LoadedThread:
        """
        Find a loaded thread.

        Raises:
            RpcFailure: It is not loaded, or this is no id.
        """
        found = self.find(read_thread_id(id_text))
        if found is None:
            raise RpcFailure.invalid(f"thread not found: {id_text}")
        return found

    def attach(
        self,
        thread: Thread,
        facts: ThreadFacts,
        *,
        name: str | None = None,
        raw_items: bool = False,
    ) -> LoadedThread:
        """Begin to read the events of a thread that was just loaded, from the first."""
        projection = ThreadProjection(thread.thread_id, self._world.now, raw_items=raw_items)
        loaded = LoadedThread(
            thread,
            facts,
            name,
            projection,
            self._connections,
            self._world.now,
            self._nursery,
            partial(self._watch, thread.thread_id),
        )
        self._threads[thread.thread_id] = loaded
        self._say(
            Opened(
                thread_id=thread.thread_id,
                path=thread.rollout_path,
                parent_id=None if facts.parent_id is None else ThreadId(facts.parent_id),
                ephemeral=thread.rollout_path is None,
            )
        )
        self._nursery.start_soon(self._run, loaded, name=f"clients of {thread.thread_id}")
        return loaded

    async def _run(self, loaded: LoadedThread) -> None:
        try:
            await loaded.run(self._events(loaded.thread))
        except Exception:  # noqa: BLE001 -- logged
            # A defect of ours; the clients of other threads must not pay for it.
            _log.exception("clients hear nothing more of thread %s", loaded.thread_id)
        finally:
            if self._threads.get(loaded.thread_id) is loaded:
                del self._threads[loaded.thread_id]
                self._say(Closed(thread_id=loaded.thread_id))

    def _events(self, thread: Thread) -> Subscription[Event]:
        try:
            return self._supervisor.lead_events(thread.thread_id)
        except ThreadNotFound:
            return thread.subscribe(from_seq=1)  # it has ended already

    def _watch(self, thread_id: ThreadId, event: Event) -> None:
        """Say the beginnings and ends of turns."""
        match event.msg:
            case events.TurnStarted(turn_id=turn_id):
                self._say(TurnStarted(thread_id=thread_id, turn_id=turn_id))
            case events.TurnComplete(turn_id=turn_id) | events.TurnAborted(turn_id=turn_id):
                # Older records do not say which turn it was.
                ended = turn_id or TurnId(event.id)
                self._say(TurnEnded(thread_id=thread_id, turn_id=ended))
            case _:
                pass

    def _say(self, event: WorkerEvent) -> None:
        if self.on_event is not None:
            self.on_event(event)

    def forget(self, connection: Connection) -> None:
        """Let a connection that has ended follow nothing any more; the threads go on."""
        for loaded in self._threads.values():
            loaded.leave(connection)

    def root_of(self, thread_id: ThreadId) -> ThreadId:
        """Find the thread at the root of those that a loaded thread works for."""
        try:
            while (parent := self._supervisor.parent_of(thread_id)) is not None:
                thread_id = parent
        except ThreadNotFound:
            pass
        return thread_id

    # Threads that models start ---------------------------------------------

    async def adopt_agents(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Let those who follow a thread follow its agents too; runs until cancelled."""
        created = self._supervisor.subscribe_thread_created()
        task_status.started()
        async for announced in created:
            if isinstance(announced, Lagged):
                self._adopt_missed()
            elif announced.origin is ThreadOrigin.AGENT:
                self._adopt(announced.thread_id)

    def _adopt_missed(self) -> None:
        for thread_id in self._supervisor.list_thread_ids():
            if thread_id not in self._threads and self._spawned(thread_id):
                self._adopt(thread_id)

    def _spawned(self, thread_id: ThreadId) -> bool:
        source = self._supervisor.get_thread(thread_id).config_snapshot.session_source
        return isinstance(source, SubAgentWrapper) and isinstance(
            source.subagent, SubAgentThreadSpawn
        )

    def _adopt(self, thread_id: ThreadId) -> None:
        try:
            thread = self._supervisor.get_thread(thread_id)
            parent_id = self._supervisor.parent_of(thread_id)
        except ThreadNotFound:
            return  # it has ended already
        loaded = self.attach(thread, self._agent_facts(thread, parent_id))
        parent = None if parent_id is None else self.find(parent_id)
        for connection in () if parent is None else parent.followers:
            try:
                loaded.follow(connection)
            except ConnectionGone:
                continue

    def _agent_facts(self, thread: Thread, parent_id: ThreadId | None) -> ThreadFacts:
        settings, now = thread.config_snapshot, int(self._world.now())
        parent = None if parent_id is None else self.find(parent_id)
        return ThreadFacts(
            id=thread.thread_id,
            source=wire_source(settings.session_source),
            model_provider=settings.model_provider_id,
            cwd=settings.cwd,
            cli_version="" if parent is None else parent.facts.cli_version,
            originator="" if parent is None else parent.facts.originator,
            created_at=now,
            updated_at=now,
            path=thread.rollout_path,
            parent_id=parent_id,
        )
