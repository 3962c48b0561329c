"""Calls on a page, several of which may be under way at once."""

import attrs

from messages.ids import CallId

from .call_words import Closing, Opening
from .page import Page
from .pieces import Look

__all__ = ["CallBlocks"]


@attrs.define(eq=False)
class CallBlocks:
    """
    Tells each call when it begins, and again when it ends.

    The end goes right below the beginning, unless something else was told meanwhile:
    then it says again whose end it is.
    """

    _page: Page
    # Calls that run, oldest first, and the one whose heading was written last.
    _running: dict[CallId, str] = attrs.field(factory=dict[CallId, str], init=False)
    _on_page: CallId | None = attrs.field(default=None, init=False)

    @property
    def oldest(self) -> str | None:
        """The heading of what runs longest; None when nothing runs."""
        return next(iter(self._running.values()), None)

    def begin(self, call: Opening) -> None:
        """Tell that a call begins."""
        self._page.begin(call.heading, Look.COMMAND)
        self._page.write_lines(call.body, Look.FAINT)
        self._on_page = call.call_id
        self._running[call.call_id] = call.heading

    def end(self, call: Closing) -> None:
        """Tell how a call ended, whether or not it was told that it began."""
        self._running.pop(call.call_id, None)
        if self._on_page != call.call_id:
            self._page.begin(call.heading, Look.COMMAND)
        self._page.write_lines(call.body, Look.FAINT)
        self._page.write_lines(call.result, call.look)
        self._on_page = None

    def leave(self) -> None:
        """Say that something else is written now."""
        self._on_page = None
