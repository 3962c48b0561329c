"""Why a patch is not applied."""

import errno
import os
from typing import Final

from ..errors import ToolsError

__all__ = [
    "FILE_LIMIT_BYTES",
    "PatchError",
    "PatchInvalid",
    "PatchMismatch",
    "PatchNotWritten",
    "describe",
]

FILE_LIMIT_BYTES: Final = 64 << 20
"""The largest file that a patch may touch: it is held in memory, twice and as lines."""


class PatchError(ToolsError):
    """
    A patch was not applied, and no file was changed unless the text says so.

    Attributes:
        text: Why, as the model reads it.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return self.text


class PatchInvalid(PatchError):  # noqa: N818 -- named after the fact
    """It is no patch: its text does not follow the grammar."""


class PatchMismatch(PatchError):  # noqa: N818 -- named after the fact
    """It does not fit the files as they are."""


class PatchNotWritten(PatchError):  # noqa: N818 -- named after the fact
    """It fits, but the files could not be written; what was done was undone again."""


def describe(error: OSError) -> str:
    """Say in words, and with its number, what the operating system refused."""
    if error.errno == errno.EFBIG:
        return f"it is larger than the {FILE_LIMIT_BYTES >> 20} MiB that a patch may touch"
    if error.errno is None:
        return str(error) or type(error).__name__
    return f"{os.strerror(error.errno)} (os error {error.errno})"
