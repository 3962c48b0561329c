"""What is known of how a connection ended, for the text that people and models read."""

from typing import Final

import attrs

from .launch import Secrets

__all__ = ["Farewell"]

_KEPT_BYTES: Final = 4096
_SHOWN_LINES: Final = 5
_SHOWN_CHARACTERS: Final = 600


@attrs.define(eq=False)
class Farewell:
    """
    How one connection ended; filled by the transport.

    Attributes:
        secrets: What its texts must not show.
        exit_code: Of the process; None while it runs, and where there is none.
        problem: Why we gave the connection up, when it was us.
        http_status: Of the last answer that was an error; None when there was none.
    """

    secrets: Secrets
    exit_code: int | None = None
    problem: str | None = None
    http_status: int | None = None
    # The last of what the process wrote to its standard error.
    _words: bytes = b""

    def hear(self, piece: bytes) -> None:
        """Take a piece of what the process says besides its messages."""
        self._words = (self._words + piece)[-_KEPT_BYTES:]

    @property
    def wants_login(self) -> bool:
        """Whether the last refusal was one for want of rights."""
        return self.http_status in {401, 403}

    def text(self) -> str:
        """Say how it ended, in one line that shows no secret."""
        return self.secrets.hide(f"{self._how()}{self._last_words()}")

    def _how(self) -> str:
        if self.problem is not None:
            return self.problem
        if self.exit_code is not None:
            return f"the server ended with exit code {self.exit_code}"
        return "the server closed the connection"

    def _last_words(self) -> str:
        lines = [line.strip() for line in self._words.decode("utf-8", "replace").splitlines()]
        shown = " | ".join([line for line in lines if line][-_SHOWN_LINES:])
        if not shown:
            return ""
        clean = "".join(letter if letter.isprintable() else " " for letter in shown)
        return f"; it last wrote: {clean[-_SHOWN_CHARACTERS:]}"
