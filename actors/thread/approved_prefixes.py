"""What the model is told of the commands that rules allow."""

from collections.abc import Sequence
from typing import Final

import attrs

from actors.tools import show_prefix
from messages.content import InputText
from messages.ids import SubmissionId
from messages.items import Message

from .clean_text import cleaned
from .context import is_kind_told, is_last_word
from .session import Session
from .turn import Turn

__all__ = ["ApprovedPrefixes"]

_ALLOWED: Final = (
    "Commands that begin with these words are approved: they run at once and outside of the "
    "sandbox, where no stricter rule speaks against it."
)
_NONE: Final = "No beginnings of commands are approved any more."
_MORE: Final = "...\n[there are more]"

_MOST: Final = 100
_LONGEST: Final = 5000
"""Prefixes told, and the length of their list in characters; Codex has the same limits."""


@attrs.define(eq=False)
class ApprovedPrefixes:
    """
    Tells the model, in one life of a thread, what it need not ask for.

    Source:
        Codex, ``DeveloperInstructions::from``; there it stands in the text about the
        policies, which is told again only when these change.
    """

    _session: Session
    # What was told last, or found to be true already; None for no prefixes.
    _message: Message | None = attrs.field(default=None, init=False)
    # Whether the history may hold such a message: nearly none does, and it may be long.
    _may_be_told: bool = attrs.field(default=True, init=False)

    @property
    def context(self) -> tuple[Message, ...]:
        """What the model was told, for a history that begins anew."""
        return () if self._message is None else (self._message,)

    async def introduce(self, turn: Turn) -> None:
        """
        Tell the model which commands are approved, if that is news to it.

        Raises:
            RolloutError: See `Outlet.record`.
        """
        prefixes = await self._session.toolbox.approved_prefixes()
        message = _message(prefixes)
        outlet = self._session.outlet
        if not prefixes and self._may_be_told:
            self._may_be_told = is_kind_told(message, outlet.history.items)
        elif prefixes:
            self._may_be_told = True
        self._message = message if prefixes else None
        if self._may_be_told and not is_last_word(message, outlet.history.items):
            outlet.record(SubmissionId(turn.id), (message,))


def _message(prefixes: Sequence[Sequence[str]]) -> Message:
    text = "\n".join((_ALLOWED, *_lines(prefixes))) if prefixes else _NONE
    text = f"<approved_prefixes>\n{text}\n</approved_prefixes>"
    return cleaned(Message(role="developer", content=(InputText(text=text),)))


def _lines(prefixes: Sequence[Sequence[str]]) -> list[str]:
    """List them, the shortest first, which allow the most."""
    ranked = sorted(prefixes, key=lambda words: (len(words), sum(map(len, words)), words))
    lines: list[str] = []
    room = _LONGEST
    for words in ranked:
        line = f"- {show_prefix(words)}"
        room -= len(line) + 1
        if len(lines) == _MOST or room < 0:
            return [*lines, _MORE]
        lines.append(line)
    return lines
