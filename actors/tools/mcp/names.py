"""What the tools of MCP servers are called: pure naming."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

__all__ = ["TOOL_PREFIX", "is_server_name", "qualified_names"]

TOOL_PREFIX: Final = "mcp__"

_LONGEST: Final = 64
"""Characters that the Responses API takes as the name of a function."""

_HASH: Final = 40
"""Hexadecimal digits of SHA-1."""

_FOREIGN: Final = re.compile(r"[^A-Za-z0-9_-]")
_SERVER_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")


def is_server_name(name: str) -> bool:
    """Whether a server may be called so."""
    return _SERVER_NAME.fullmatch(name) is not None


def qualified_names(tools: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """
    Name tools, given as pairs of server and tool, so that models can call them.

    The name is ``mcp__server__tool``, with ``_`` for what models do not take; beyond 64
    characters it is the first 24 of that and a hash.  Tools that would get one name get
    the form with a hash, all of them: so names depend on which tools there are, and never
    on the order in which servers became ready.

    Source:
        Codex, ``mcp_connection_manager.rs``, whose tests pin the forms.  There the later
        of two equal names is dropped within a server, and overwrites across servers (L37).
    """
    wanted = sorted(set(tools))
    names = {pair: _plain(*pair) for pair in wanted}
    told_apart: set[tuple[str, str]] = set()
    while clashing := _clashing(names) - told_apart:
        # Again, because a tool may be called like the hashed form of another.
        told_apart |= clashing
        names.update((pair, _told_apart(*pair)) for pair in clashing)
    return names


def _clashing(names: dict[tuple[str, str], str]) -> set[tuple[str, str]]:
    counts = Counter(names.values())
    return {pair for pair, name in names.items() if counts[name] > 1}


def _plain(server: str, tool: str) -> str:
    raw = f"{TOOL_PREFIX}{server}__{tool}"
    name = _FOREIGN.sub("_", raw)
    return name if len(name) <= _LONGEST else _hashed(name, raw)


def _told_apart(server: str, tool: str) -> str:
    # Not the raw name, which can be the same for two: ("a", "b__c") and ("a__b", "c").
    name = _FOREIGN.sub("_", f"{TOOL_PREFIX}{server}__{tool}")
    return _hashed(name, f"{server}\0{tool}")


def _hashed(name: str, whole: str) -> str:
    # Not for security: the form is Codex's.  A lone surrogate may come from a server.
    digest = hashlib.sha1(whole.encode("utf-8", "surrogatepass"), usedforsecurity=False)
    return name[: _LONGEST - _HASH] + digest.hexdigest()
