"""What a thread starts from: nothing, its own past, or another thread's."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import attrs

from messages.events import EventMsg, TokenCount, TokenUsageInfo
from messages.ids import ThreadId
from messages.rollout import BaseInstructions, RolloutItem, SessionMeta, TurnContextItem
from messages.settings import DynamicToolSpec

from .reader import LoadedRollout
from .recorded import chosen, chosen_backwards
from .recorded_events import RecordedEvents

__all__ = ["ForkedHistory", "InitialHistory", "NewHistory", "ResumedHistory"]

_META = frozenset({SessionMeta})


@attrs.frozen(kw_only=True)
class _History:
    """
    Recorded items, and what they say about the thread.

    Attributes:
        items: Everything recorded, oldest first.
    """

    items: Sequence[RolloutItem] = attrs.field(default=(), repr=lambda items: f"{len(items)} items")

    @property
    def session_cwd(self) -> str | None:
        """The working directory of the first session; None when nothing is recorded."""
        return next((meta.cwd for meta in self._metas()), None)

    @property
    def event_msgs(self) -> Sequence[EventMsg] | None:
        """All recorded events, those of turns rolled back later included."""
        return RecordedEvents(self.items)

    @property
    def base_instructions(self) -> BaseInstructions | None:
        """The base instructions of the first session that has some."""
        return next((m.base_instructions for m in self._metas() if m.base_instructions), None)

    @property
    def dynamic_tools(self) -> tuple[DynamicToolSpec, ...]:
        """The client's tools, of the first session that has some."""
        return next((meta.dynamic_tools for meta in self._metas() if meta.dynamic_tools), ())

    @property
    def last_model(self) -> str | None:
        """The model of the last request; None before the first."""
        contexts = chosen_backwards(self.items, TurnContextItem)
        return next((context.model for context in contexts), None)

    @property
    def last_token_info(self) -> TokenUsageInfo | None:
        """Token usage as last told; counts that tell only rate limits are passed over."""
        counts = chosen_backwards(self.items, TokenCount)
        return next((count.info for count in counts if count.info), None)

    def _metas(self) -> Iterator[SessionMeta]:
        if not self.items:  # a new thread asks for all of it
            return iter(())
        return (meta for _, meta in chosen(self.items, _META))


@attrs.frozen(kw_only=True)
class NewHistory(_History):
    """Nothing: a new thread."""

    items: Sequence[RolloutItem] = attrs.field(default=(), init=False)

    @property
    def event_msgs(self) -> None:
        """Always None: not even an empty past."""
        return

    @property
    def forked_from_id(self) -> None:
        """Always None."""
        return


@attrs.frozen(kw_only=True)
class ResumedHistory(_History):
    """
    The thread's own past, which it continues under the same id.

    Attributes:
        thread_id: Whose it is, by content; the file name does not count.
        path: Where its rollout is.
        loaded: The rollout as it was read; None when the items came otherwise.
    """

    thread_id: ThreadId
    path: Path
    loaded: LoadedRollout | None = attrs.field(default=None, repr=False)

    @classmethod
    def of(cls, loaded: LoadedRollout) -> "ResumedHistory":
        """Return the whole past of a rollout that was read."""
        return cls(items=loaded.items, thread_id=loaded.thread_id, path=loaded.path, loaded=loaded)

    @property
    def forked_from_id(self) -> ThreadId | None:
        """The thread this one was forked from, if it was."""
        return next((meta.forked_from_id for meta in self._metas() if meta.forked_from_id), None)


@attrs.frozen(kw_only=True)
class ForkedHistory(_History):
    """
    Another thread's past, or its beginning, for a thread with an id of its own.

    Attributes:
        source:
            The rollout that *items* are the beginning of, so that its lines can
            be copied; None when the items came otherwise.
    """

    source: LoadedRollout | None = attrs.field(default=None, repr=False)

    @property
    def forked_from_id(self) -> ThreadId | None:
        """
        The thread this one is forked from.

        Source:
            Codex forgets it when no item is taken over.
        """
        if self.source is not None:
            return self.source.thread_id
        return next((meta.id for meta in self._metas()), None)


InitialHistory: TypeAlias = NewHistory | ResumedHistory | ForkedHistory
