"""What methods stand on: the threads, the clients, the configuration."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from actors.config import Config, ConfigCache, ConfigError, ConfigLayer, ConfigWriter
from actors.rollout import FolderNames, SessionIndex, ThreadNotes
from actors.runtime import World
from actors.supervisor import Supervisor
from actors.tools import SandboxProbe
from messages.ids import ThreadId
from messages.rpc.notifications import METHOD, ServerNotification

from .file_searches import FileSearches
from .histories import Histories
from .loaded_threads import LoadedThreads
from .rpc_connections import Connections
from .rpc_errors import RpcFailure
from .settings_from_params import OpenParams, override_layer

__all__ = ["Ground", "ServerSetup"]


@attrs.frozen(kw_only=True)
class ServerSetup:
    """
    With what a server was started.

    Attributes:
        environ: The environment of the process.
        cwd: Where clients work that do not say; absolute.
        provider_id: Who answers model requests, for all threads.
        requires_openai_auth: Whether that provider wants an account of OpenAI's.
        overrides: What the command line says instead of the files; None for nothing.
        warnings: What clients should know about the configuration.
        originator: Noted in new threads; None for the name of the first client.
    """

    environ: Mapping[str, str] = attrs.field(repr=False)
    cwd: Path
    provider_id: str
    requires_openai_auth: bool = False
    overrides: ConfigLayer | None = None
    warnings: tuple[str, ...] = ()
    originator: str | None = None


@attrs.define(eq=False, kw_only=True)
class Ground:
    """
    What methods stand on.

    Attributes:
        originator: Noted in new threads.
        index: The names of threads.
        notes: What clients keep beside threads.
        listed_at: When threads were listed last, in seconds since the Unix epoch.
        folders: Where rollouts are, for lists.
        sandbox: Says what builds sandboxes for commands that belong to no thread.
        searches: What clients look for among files.
        histories: Reads what threads recorded.
    """

    supervisor: Supervisor
    connections: Connections
    loaded: LoadedThreads
    setup: ServerSetup
    world: World
    originator: str
    index: SessionIndex = attrs.field(init=False)
    notes: ThreadNotes = attrs.field(init=False)
    folders: FolderNames = attrs.field(init=False)
    listed_at: float = attrs.field(default=0.0, init=False)
    sandbox: SandboxProbe = attrs.field(init=False)
    searches: FileSearches = attrs.field(init=False)
    histories: Histories = attrs.field(factory=Histories, init=False)
    _configs: ConfigCache = attrs.field(init=False)
    # The threads that are being resumed; whoever wants one of them too waits.
    _opening: dict[ThreadId, trio.Event] = attrs.field(
        factory=dict[ThreadId, trio.Event], init=False
    )

    def __attrs_post_init__(self) -> None:
        self.index = SessionIndex(self.home, self.world)
        self.notes = ThreadNotes(self.home)
        # It is asked in OS threads, where there may be no clock.
        self.folders = FolderNames(lambda: self.listed_at)
        self.sandbox = SandboxProbe(self.setup.environ)
        self.searches = FileSearches(self.setup.cwd)
        self._configs = ConfigCache(self.home, self.world.now)

    @property
    def home(self) -> Path:
        """Where everything is kept."""
        return self.supervisor.home

    def broadcast(self, notification: ServerNotification) -> None:
        """Tell all clients."""
        written = self.connections.notification(METHOD[type(notification)], notification)
        self.connections.broadcast(written)

    async def config(
        self, cwd: str | Path | None = None, params: OpenParams | None = None
    ) -> Config:
        """
        Read the configuration that holds in a folder, with what a client wants otherwise.

        Args:
            cwd: None for the server's own; a relative one begins there.

        Raises:
            RpcFailure: It is not as it should be.
        """
        folder = self.setup.cwd / (cwd or ".")
        layer = self.setup.overrides
        if params is not None:
            layer = override_layer(layer, params, folder)
        try:
            return await self._configs.load(cwd=folder, overrides=layer)
        except ConfigError as exc:
            raise RpcFailure.invalid(f"error deriving config: {exc}") from exc

    def config_writer(self) -> ConfigWriter:
        """Return what changes the user's configuration file."""
        return ConfigWriter(home=self.home, cwd=self.setup.cwd, overrides=self.setup.overrides)

    @asynccontextmanager
    async def opening(self, thread_id: ThreadId) -> AsyncGenerator[None]:
        """Be the only one who resumes a thread, after those who did so before."""
        while (other := self._opening.get(thread_id)) is not None:
            await other.wait()
        self._opening[thread_id] = over = trio.Event()
        try:
            yield
        finally:
            del self._opening[thread_id]
            over.set()
