"""The bases of all values of the app-server protocol."""

import attrs

from ..value import Value

__all__ = ["RpcParams", "RpcValue"]


@attrs.frozen(kw_only=True)
class RpcValue(Value):
    """
    What the server says: members in camelCase, None said as null.

    `Value.extra` holds what a newer program said besides; nobody looks at it.
    """


@attrs.frozen(kw_only=True)
class RpcParams(RpcValue):
    """What a client asks: what it does not say is left out."""
