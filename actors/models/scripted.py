"""The scripted model: deterministic, offline, and the default when there is no other."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final, Self

import attrs
import trio

from .builtin_scenario import builtin_scenario
from .catalog import SCRIPTED_MODEL, ModelInfo, find_model_info
from .errors import InvalidRequest, ModelError, StreamDisconnected
from .event_reader import IDLE
from .performance import Pause, perform
from .provider import ModelRequest, ProviderInfo, ResponseEvent
from .request_view import RequestView, view_request
from .scenario import LastItem, Reply, Scenario, When

__all__ = ["SCRIPTED_PROVIDER", "ScriptedProvider"]

SCRIPTED_PROVIDER: Final = ProviderInfo(
    id="scripted", name="Scripted", default_model=SCRIPTED_MODEL
)

# Events given between two checkpoints, as in event_reader.
_BURST: Final = 64

# Threads whose played replies are remembered.  Far more than play at once; the
# one that has not asked for longest is forgotten and starts from the top.
_THREAD_LIMIT: Final = 65_536

_EXCERPT: Final = 60


@attrs.define(eq=False)
class ScriptedProvider(trio.abc.AsyncResource):
    """
    Plays a scenario instead of asking a model.

    The same requests in the same order give the same events, whatever happens
    in other threads: what was played is counted for each thread apart, and ids
    are made from the request.  Takes no time but that of the scenario's pauses.

    Attributes:
        scenario: What it plays; see `actors.models.scenario`.
        info: Its id, and how long a stall may be before it counts as silence.
    """

    scenario: Scenario = attrs.field(factory=builtin_scenario)
    info: ProviderInfo = SCRIPTED_PROVIDER

    # How often each limited reply was played, by thread; oldest user first.
    _played: OrderedDict[str, dict[int, int]] = attrs.field(
        factory=OrderedDict[str, dict[int, int]], init=False, repr=False
    )

    def model_info(self, model: str) -> ModelInfo:
        """Look *model* up in the catalog."""
        return find_model_info(model)

    @asynccontextmanager
    async def stream(self, request: ModelRequest) -> AsyncGenerator[AsyncIterator[ResponseEvent]]:
        """
        Play the next reply; see `ModelProvider.stream`.

        Raises:
            InvalidRequest: No reply of the scenario fits.
            ModelError: The scenario says so.
        """
        await trio.lowlevel.checkpoint()
        actions = self.play(request)
        first = next(actions)
        if isinstance(first, ModelError):
            raise first
        yield _Playback(first, actions, self.info.stream_idle_timeout)

    def play(self, request: ModelRequest) -> Iterator[ResponseEvent | Pause | ModelError]:
        """
        Choose the next reply and count it; see `perform`.

        For whoever plays it in another way than `stream`, such as over HTTP.

        Raises:
            InvalidRequest: No reply of the scenario fits.
        """
        view = view_request(request)
        reply, groups = self._choose(request, view)
        return perform(reply, request, view, groups)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to let go of."""
        await trio.lowlevel.checkpoint()

    def _choose(self, request: ModelRequest, view: RequestView) -> tuple[Reply, dict[str, str]]:
        thread = request.prompt_cache_key
        played = self._played.get(thread, {})
        for index, reply in enumerate(self.scenario.replies):
            if reply.times is not None and played.get(index, 0) >= reply.times:
                continue
            groups = _matches(reply.when, view)
            if groups is None:
                continue
            if reply.times is not None:
                self._count(thread, index)
            return reply, groups
        raise InvalidRequest(
            f"scenario {self.scenario.name!r} has no reply left for this request (the user said "
            f"{_excerpt(view.user)}, the last output is {_excerpt(view.output)}); "
            'add one with times = "always" at its end'
        )

    def _count(self, thread: str, index: int) -> None:
        played = self._played.setdefault(thread, {})
        played[index] = played.get(index, 0) + 1
        self._played.move_to_end(thread)
        if len(self._played) > _THREAD_LIMIT:
            self._played.popitem(last=False)


def _excerpt(text: str | None) -> str:
    if text is None:
        return "none"
    return repr(text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}...")


def _matches(when: When, view: RequestView) -> dict[str, str] | None:
    """Check all conditions; the named groups of the expressions, or None if one fails."""
    last = LastItem.USER if view.output is None else LastItem.OUTPUT
    plain = (
        when.last in (None, last)
        and when.exit_code in (None, view.exit_code)
        and when.model in (None, view.model)
        and when.subagent in (None, view.subagent)
        and (when.user is None or when.user in view.user)
        and (when.output is None or (view.output is not None and when.output in view.output))
    )
    if not plain:
        return None
    groups: dict[str, str] = {}
    for pattern, text in ((when.user_matches, view.user), (when.output_matches, view.output)):
        if pattern is not None:
            match = None if text is None else pattern.search(text)
            if match is None:
                return None
            groups.update(_named_groups(match))
    return groups


def _named_groups(match: re.Match[str]) -> dict[str, str]:
    return {name: text or "" for name, text in match.groupdict().items()}


@attrs.define(eq=False)
class _Playback(AsyncIterator[ResponseEvent]):
    """The events of one reply, with its pauses."""

    _first: ResponseEvent | Pause | None
    _actions: Iterator[ResponseEvent | Pause | ModelError]
    _idle_timeout: float
    _given: int = attrs.field(default=0, init=False)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ResponseEvent:
        if self._given % _BURST == 0:
            await trio.lowlevel.checkpoint()
        self._given += 1
        first, self._first = self._first, None
        action = first or next(self._actions, None)
        while isinstance(action, Pause):
            await self._pause(action.seconds)
            action = next(self._actions, None)
        if action is None:
            raise StopAsyncIteration
        if isinstance(action, ModelError):
            raise action
        return action

    async def _pause(self, seconds: float) -> None:
        if seconds < self._idle_timeout:
            await trio.sleep(seconds)
            return
        await trio.sleep(self._idle_timeout)
        self._actions = iter(())
        raise StreamDisconnected(IDLE)
