"""What commands and web searches do, as far as it can be told."""

from typing import TypeAlias

import attrs

from .value import RpcValue

__all__ = [
    "CommandAction",
    "FindInPageWebSearchAction",
    "ListFilesCommandAction",
    "OpenPageWebSearchAction",
    "OtherWebSearchAction",
    "ReadCommandAction",
    "SearchCommandAction",
    "SearchWebSearchAction",
    "UnknownCommandAction",
    "WebSearchAction",
]


@attrs.frozen(kw_only=True)
class ReadCommandAction(RpcValue):
    """The command reads one file."""

    command: str
    name: str
    path: str


@attrs.frozen(kw_only=True)
class ListFilesCommandAction(RpcValue):
    """The command lists a folder; None for the working directory."""

    command: str
    path: str | None = None


@attrs.frozen(kw_only=True)
class SearchCommandAction(RpcValue):
    """The command searches for text or names."""

    command: str
    query: str | None = None
    path: str | None = None


@attrs.frozen(kw_only=True)
class UnknownCommandAction(RpcValue):
    """The command does something else."""

    command: str


CommandAction: TypeAlias = (
    ReadCommandAction | ListFilesCommandAction | SearchCommandAction | UnknownCommandAction
)


@attrs.frozen(kw_only=True)
class SearchWebSearchAction(RpcValue):
    """The model searched the web."""

    query: str | None = None
    queries: tuple[str, ...] | None = None


@attrs.frozen(kw_only=True)
class OpenPageWebSearchAction(RpcValue):
    """The model opened a page."""

    url: str | None = None


@attrs.frozen(kw_only=True)
class FindInPageWebSearchAction(RpcValue):
    """The model looked for something on a page."""

    url: str | None = None
    pattern: str | None = None


@attrs.frozen(kw_only=True)
class OtherWebSearchAction(RpcValue):
    """The model did something else on the web."""


WebSearchAction: TypeAlias = (
    SearchWebSearchAction
    | OpenPageWebSearchAction
    | FindInPageWebSearchAction
    | OtherWebSearchAction
)
