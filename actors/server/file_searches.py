"""Searches for files by parts of their names, away from the trio thread."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import attrs
import trio

from messages.rpc.file_search import FuzzyFileSearchResult

from .file_walk import FILES_AT_MOST, Halt, walk_files
from .fuzzy_match import Candidate, Match, best_matches
from .rpc_connection import Connection
from .rpc_errors import RpcFailure

__all__ = ["FileSearches", "Results", "SearchSession"]

T = TypeVar("T")

Results: TypeAlias = tuple[FuzzyFileSearchResult, ...]
_Files: TypeAlias = tuple[Candidate, ...]

_RESULTS: Final = 50
"""As in Codex."""

_PATIENCE: Final = 10.0
"""Seconds for a walk; then what was found counts."""

_AT_ONCE: Final = 2
"""OS threads; it is mostly Python, so that more would only take turns."""

_SESSIONS_AT_MOST: Final = 8
"""Of one client; each keeps its list of files."""


@attrs.frozen
class _Searcher:
    """
    Lists and rates files, in OS threads.

    Attributes:
        cwd: Where relative folders begin.
    """

    cwd: Path
    limiter: trio.CapacityLimiter

    async def files(self, roots: Sequence[str]) -> _Files:
        """List the files below some folders, each once; see `walk_files` for which."""
        return await self._work(partial(_list, self.cwd, tuple(roots)))

    async def best(self, query: str, files: _Files) -> Results:
        """Say which files fit best."""
        if not query.strip() or not files:
            return ()
        return await self._work(partial(_rate, query, files))

    async def _work(self, job: Callable[[Halt], T]) -> T:
        """
        Do what stops when it is told to.

        Cancellation:
            At once; the OS thread stops soon, and what it found is thrown away.
        """
        halt = Halt()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_later, halt)
            try:
                done = await trio.to_thread.run_sync(
                    job, halt, abandon_on_cancel=True, limiter=self.limiter
                )
            finally:
                halt.stop()
            nursery.cancel_scope.cancel()
        return done


async def _stop_later(halt: Halt) -> None:
    await trio.sleep(_PATIENCE)
    halt.stop()


def _list(cwd: Path, roots: tuple[str, ...], halt: Halt) -> _Files:
    # Of a file that is below several roots only the first is told.
    found: dict[str, Candidate] = {}
    for root in roots:
        folder = str(cwd / root)
        for path in walk_files(folder, halt, FILES_AT_MOST - len(found)):
            found.setdefault(os.path.join(folder, path), Candidate.of(root, path))  # noqa: PTH118
    return tuple(found.values())


def _rate(query: str, files: _Files, halt: Halt) -> Results:
    best = best_matches(query, files, _RESULTS, lambda: halt.stopped)
    return tuple(map(_said, best))


def _said(match: Match) -> FuzzyFileSearchResult:
    path = match.candidate.path
    return FuzzyFileSearchResult(
        root=match.candidate.root,
        path=path,
        file_name=path.rpartition("/")[2],
        score=match.score,
        indices=match.indices,
    )


@attrs.define(eq=False)
class SearchSession:
    """The files below some folders, listed once, and what is looked for among them."""

    id: str
    _roots: tuple[str, ...]
    _searcher: _Searcher
    _query: str = attrs.field(default="", init=False)
    # Counts the queries: who looks for an earlier one need not go on.
    _version: int = attrs.field(default=0, init=False)
    _files: _Files = attrs.field(default=(), init=False)
    _listed: trio.Event = attrs.field(factory=trio.Event, init=False)
    _ended: bool = attrs.field(default=False, init=False)
    # Of what is done now: the walk, and the search for the latest query.
    _scopes: set[trio.CancelScope] = attrs.field(factory=set[trio.CancelScope], init=False)

    async def list_files(self) -> None:
        """List the files, or stop because the session has ended."""
        with self._until_stopped():
            self._files = await self._searcher.files(self._roots)
            self._listed.set()

    def ask(self, query: str) -> int:
        """Look for something else from now on; return the number of the query."""
        self._query = query
        self._version += 1
        return self._version

    async def look(self, version: int) -> tuple[str, Results] | None:
        """
        Look for the query of a number, 0 for none, once the files are listed.

        Returns:
            The query and what fits; None when there is a later query, or an end.
        """
        query = self._query
        found: Results = ()
        with self._until_stopped():
            await self._listed.wait()
            if version == self._version:
                found = await self._searcher.best(query, self._files)
        return None if self._ended or version != self._version else (query, found)

    def stop(self) -> None:
        """End the session, and whatever is done for it."""
        self._ended = True
        for scope in tuple(self._scopes):
            scope.cancel()

    @contextmanager
    def _until_stopped(self) -> Generator[None]:
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            if self._ended:
                scope.cancel()
            try:
                yield
            finally:
                self._scopes.remove(scope)


@attrs.define(eq=False)
class FileSearches:
    """
    The searches of all clients; the names of searches are each client's own.

    What belongs to a client goes when the client does.

    Attributes:
        cwd: Where relative folders begin.
    """

    cwd: Path
    _searcher: _Searcher = attrs.field(init=False)
    _tokens: weakref.WeakKeyDictionary[Connection, dict[str, trio.CancelScope]] = attrs.field(
        factory=weakref.WeakKeyDictionary[Connection, dict[str, trio.CancelScope]], init=False
    )
    _sessions: weakref.WeakKeyDictionary[Connection, dict[str, SearchSession]] = attrs.field(
        factory=weakref.WeakKeyDictionary[Connection, dict[str, SearchSession]], init=False
    )

    def __attrs_post_init__(self) -> None:
        self._searcher = _Searcher(self.cwd, trio.CapacityLimiter(_AT_ONCE))

    async def search(
        self, connection: Connection, token: str | None, query: str, roots: Sequence[str]
    ) -> Results:
        """
        Look once; nothing is found when another search with the same token begins.

        Args:
            token: The client's name for a row of searches of which the last one counts.
        """
        found: Results = ()
        with trio.CancelScope() as scope, self._only(connection, token, scope):
            if query.strip():
                found = await self._searcher.best(query, await self._searcher.files(roots))
        return found

    @contextmanager
    def _only(
        self, connection: Connection, token: str | None, scope: trio.CancelScope
    ) -> Generator[None]:
        """Be the only search with a token: the one before it is cancelled."""
        if token is None:
            yield
            return
        scopes = self._tokens.setdefault(connection, {})
        if (earlier := scopes.get(token)) is not None:
            earlier.cancel()
        scopes[token] = scope
        try:
            yield
        finally:
            if scopes.get(token) is scope:
                del scopes[token]

    def open(self, connection: Connection, session_id: str, roots: Sequence[str]) -> SearchSession:
        """
        Begin a session, in the place of the one of that name; its files are listed next.

        Raises:
            RpcFailure: The client has too many.
        """
        sessions = self._sessions.setdefault(connection, {})
        self.close(connection, session_id)
        if len(sessions) >= _SESSIONS_AT_MOST:
            raise RpcFailure.internal(
                "failed to start fuzzy file search session: "
                f"there are {_SESSIONS_AT_MOST} of this client; stop one of them first"
            )
        session = sessions[session_id] = SearchSession(session_id, tuple(roots), self._searcher)
        return session

    def find(self, connection: Connection, session_id: str) -> SearchSession:
        """
        Find a session.

        Raises:
            RpcFailure: This client has none of that name.
        """
        found = self._sessions.get(connection, {}).get(session_id)
        if found is None:
            raise RpcFailure.invalid(f"fuzzy file search session not found: {session_id}")
        return found

    def close(self, connection: Connection, session_id: str) -> None:
        """End a session; nothing when there is none."""
        session = self._sessions.get(connection, {}).pop(session_id, None)
        if session is not None:
            session.stop()
