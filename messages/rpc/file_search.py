"""Requests that look for files by parts of their names."""

from enum import Enum

import attrs

from .value import RpcParams, RpcValue

__all__ = [
    "FuzzyFileSearchMatchType",
    "FuzzyFileSearchParams",
    "FuzzyFileSearchResponse",
    "FuzzyFileSearchResult",
    "FuzzyFileSearchSessionCompletedNotification",
    "FuzzyFileSearchSessionStartParams",
    "FuzzyFileSearchSessionStartResponse",
    "FuzzyFileSearchSessionStopParams",
    "FuzzyFileSearchSessionStopResponse",
    "FuzzyFileSearchSessionUpdateParams",
    "FuzzyFileSearchSessionUpdateResponse",
    "FuzzyFileSearchSessionUpdatedNotification",
]


class FuzzyFileSearchMatchType(Enum):
    """What was found."""

    FILE = "file"
    DIRECTORY = "directory"


@attrs.frozen(kw_only=True)
class FuzzyFileSearchResult(RpcValue):
    """
    One file that fits.

    Attributes:
        path: Below root.
        score: The higher the better; only to be compared within one answer.
        indices: Characters of path that fit, for showing; None when not worked out.
    """

    root: str
    path: str
    file_name: str
    score: int
    match_type: FuzzyFileSearchMatchType = FuzzyFileSearchMatchType.FILE
    indices: tuple[int, ...] | None = None


@attrs.frozen(kw_only=True)
class FuzzyFileSearchParams(RpcParams):
    """Look once; a search with the same token ends the one before."""

    query: str
    roots: tuple[str, ...]
    cancellation_token: str | None = None


@attrs.frozen(kw_only=True)
class FuzzyFileSearchResponse(RpcValue):
    """What fits, best first."""

    files: tuple[FuzzyFileSearchResult, ...]


@attrs.frozen(kw_only=True)
class FuzzyFileSearchSessionStartParams(RpcParams):
    """Get ready to look below these folders."""

    session_id: str
    roots: tuple[str, ...]


@attrs.frozen(kw_only=True)
class FuzzyFileSearchSessionStartResponse(RpcValue):
    """It is ready."""


@attrs.frozen(kw_only=True)
class FuzzyFileSearchSessionUpdateParams(RpcParams):
    """Look for this now."""

    session_id: str
    query: str


@attrs.frozen(kw_only=True)
class FuzzyFileSearchSessionUpdateResponse(RpcValue):
    """It is looked for; notifications tell what fits."""


@attrs.frozen(kw_only=True)
class FuzzyFileSearchSessionStopParams(RpcParams):
    """Stop looking."""

    session_id: str


@attrs.frozen(kw_only=True)
class FuzzyFileSearchSessionStopResponse(RpcValue):
    """Nobody looks any more."""


@attrs.frozen(kw_only=True)
class FuzzyFileSearchSessionUpdatedNotification(RpcValue):
    """What fits so far, best first."""

    session_id: str
    query: str
    files: tuple[FuzzyFileSearchResult, ...]


@attrs.frozen(kw_only=True)
class FuzzyFileSearchSessionCompletedNotification(RpcValue):
    """Everything was looked at."""

    session_id: str
