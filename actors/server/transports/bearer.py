"""The secret that clients over the network must know."""

import hashlib
import hmac
import logging
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import trio

from ..rpc_errors import BadToken

__all__ = ["Token", "token_from_environment", "token_from_file"]

_log = logging.getLogger("actors")

_SHORTEST: Final = 16
_LONGEST: Final = 4096
_CHARACTERS: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
"""What may stand in the header: ``b64token`` of RFC 6750, 2.1."""

_SCHEME: Final = b"bearer"


class Token:
    """
    A secret; keeps its digest only, so that it cannot be printed by accident.

    Raises:
        BadToken: It is too short, too long, or cannot stand in a header.
    """

    def __init__(self, secret: str, source: str = "token") -> None:
        if not _SHORTEST <= len(secret) <= _LONGEST:
            problem = f"a token has {_SHORTEST} to {_LONGEST} characters; this has {len(secret)}"
            raise BadToken(source, problem)
        if not _CHARACTERS.fullmatch(secret):
            raise BadToken(source, "a token has letters, digits and -._~+/ only, and = at its end")
        self._digest = _digest(secret.encode())

    def allows(self, authorization: bytes | None) -> bool:
        """
        Tell whether a header brings this token.

        Takes as long for a token that is nearly right as for any other.
        """
        scheme, _, given = (authorization or b"").strip().partition(b" ")
        same = hmac.compare_digest(_digest(given.strip()), self._digest)
        return same and scheme.lower() == _SCHEME

    def __repr__(self) -> str:
        return "<Token>"


def _digest(secret: bytes) -> bytes:
    # Of equal length whatever was given, as the comparison needs it.
    return hashlib.sha256(secret).digest()


async def token_from_file(path: Path) -> Token:
    """
    Read a token from the first line of a file.

    A file that others can read gets a warning in the log.

    Raises:
        BadToken: It cannot be read, or holds no token.
    """
    try:
        text, mode = await trio.to_thread.run_sync(_read, path)
    except (OSError, UnicodeDecodeError) as exc:
        problem = exc.strerror if isinstance(exc, OSError) else "no text"
        raise BadToken(str(path), f"the token cannot be read: {problem}") from exc
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        _log.warning("other users may read the token in %s; chmod 600 it", path)
    return Token(text.partition("\n")[0].strip(), str(path))


def token_from_environment(name: str, environment: Mapping[str, str]) -> Token:
    """
    Read a token from an environment variable.

    Raises:
        BadToken: It is not set, or holds no token.
    """
    if name not in environment:
        raise BadToken(name, "this environment variable is not set")
    return Token(environment[name].strip(), name)


def _read(path: Path) -> tuple[str, int]:
    with path.open(encoding="ascii") as file:
        # One character more than a token may have, so that too long is told from right.
        return file.read(_LONGEST + 2), path.stat().st_mode
