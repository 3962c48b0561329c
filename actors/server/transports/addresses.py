"""Where clients are listened for, as people write it."""

import ipaddress
import re
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from ..rpc_errors import BadListenAddress

__all__ = ["ListenAddress", "StdioAddress", "UnixAddress", "WebSocketAddress", "parse_listen"]

_FORMS: Final = "`stdio://`, `unix://PATH` or `ws://IP:PORT`"
_HOST_AND_PORT: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+)):(?P<port>[0-9]{1,5})"
)
_PORT_MAX: Final = 65535
_PATH_BYTES: Final = 107
"""Room for a path in an address of Linux, without the zero at its end."""


@attrs.frozen
class StdioAddress:
    """Standard input and output: one client."""

    def __str__(self) -> str:
        return "stdio://"


@attrs.frozen
class UnixAddress:
    """
    A socket in the file system.

    Attributes:
        path: Absolute.
    """

    path: Path

    def __str__(self) -> str:
        return f"unix://{self.path}"


@attrs.frozen
class WebSocketAddress:
    """
    A TCP port.

    Attributes:
        host: An IP address; names would have to be looked up, and may mean several.
        port: 0 lets the system choose.
    """

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can reach it."""
        return ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ws://{host}:{self.port}"


ListenAddress: TypeAlias = StdioAddress | UnixAddress | WebSocketAddress


def parse_listen(listen: str) -> ListenAddress:
    """
    Read an address.

    Raises:
        BadListenAddress: It has none of the forms we know.

    Source:
        Codex's ``AppServerTransport::from_listen_url``, texts included; it knows more
        forms by now, and ours of a path.
    """
    scheme, found, rest = listen.partition("://")
    if listen == "stdio://":
        return StdioAddress()
    if found and scheme == "ws":
        return _web_socket(listen, rest)
    if found and scheme == "unix":
        return _unix(listen, rest)
    raise BadListenAddress(listen, f"unsupported --listen URL `{listen}`; expected {_FORMS}")


def _web_socket(listen: str, rest: str) -> WebSocketAddress:
    match = _HOST_AND_PORT.fullmatch(rest)
    try:
        if match is not None and int(match["port"]) <= _PORT_MAX:
            host = ipaddress.ip_address(match["six"] or match["four"])
            if (host.version == 6) == (match["six"] is not None):  # noqa: PLR2004 -- IPv6
                return WebSocketAddress(str(host), int(match["port"]))
    except ValueError:
        pass
    problem = f"invalid websocket --listen URL `{listen}`; expected `ws://IP:PORT`"
    raise BadListenAddress(listen, problem)


def _unix(listen: str, rest: str) -> UnixAddress:
    path = Path(rest).absolute()
    if not rest or rest.endswith("/") or "\0" in rest:
        problem = f"invalid unix --listen URL `{listen}`; expected `unix://PATH`"
        raise BadListenAddress(listen, problem)
    size = len(bytes(path))
    if size > _PATH_BYTES:
        problem = (
            f"the path of --listen URL `{listen}` has {size} bytes; "
            f"a socket's path has at most {_PATH_BYTES}"
        )
        raise BadListenAddress(listen, problem)
    return UnixAddress(path)
