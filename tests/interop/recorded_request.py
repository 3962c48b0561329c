"""What the mock server remembers of a request."""

from __future__ import annotations

import enum
import json
from typing import Any, cast

import attrs
import trio

__all__ = ["Outcome", "RecordedRequest"]


class Outcome(enum.Enum):
    """What became of the answer to a request."""

    SENT = "sent"  # all that the script wanted was sent
    CLIENT_LEFT = "client left"  # the client closed its connection before that
    STOPPED = "stopped"  # the server was closed before that


@attrs.define(eq=False, kw_only=True)
class RecordedRequest:
    """
    One request as it came in, and what became of its answer.

    Attributes:
        number: Its position among the recorded requests of its kind, from 0.
        method: In capitals.
        target: Path and query as sent.
        headers: Names in lower case, in the order sent.
        body: Freed of its transfer coding, otherwise as sent.
        outcome: None until the answer ended.
    """

    number: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = attrs.field(repr=False)
    outcome: Outcome | None = attrs.field(default=None, init=False)
    _ended: trio.Event = attrs.field(factory=trio.Event, init=False, repr=False)

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object; a ValueError says that it is none."""
        decoded: object = json.loads(self.body)
        if not isinstance(decoded, dict):
            raise ValueError(f"body of request {self.number} is no JSON object")
        return cast("dict[str, Any]", decoded)  # the keys of a JSON object are strings

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case; None when there is none."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    async def wait_ended(self) -> Outcome:
        """Wait until all was sent, or the client left, and say which."""
        await self._ended.wait()
        assert self.outcome is not None, "set before the event"
        return self.outcome

    def end(self, outcome: Outcome) -> None:
        """Note what became of the answer.  For the server, once."""
        self.outcome = outcome
        self._ended.set()
