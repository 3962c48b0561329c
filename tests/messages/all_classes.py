"""Every class of this package that has a form in JSON."""

import importlib
import pkgutil
from typing import Any

import attrs

import messages
from messages.value import Unknown, Value

__all__ = ["MESSAGE_CLASSES", "MODULES", "UNKNOWN_CLASSES", "union_members"]

MODULES = [
    importlib.import_module(info.name)
    for info in pkgutil.walk_packages(messages.__path__, "messages.")
    # What is said of threads over the wire has tests of its own, in `tests.messages.rpc`.
    if not info.name.startswith(("messages.codec", "messages.rpc"))
]

_CLASSES = sorted(
    {
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type)
        and attrs.has(value)
        and value not in {Value, Unknown}
        # Settings of tools are read from TOML and from JSON by `actors.config`, and never told.
        and value.__module__ != "messages.tool_settings"
    },
    key=lambda cls: cls.__qualname__,
)

UNKNOWN_CLASSES = [cls for cls in _CLASSES if issubclass(cls, Unknown)]
MESSAGE_CLASSES = [
    cls
    for cls in _CLASSES
    # A record that could not be read has a form only inside of its line.
    if not issubclass(cls, Unknown) and cls.__name__ != "UnknownRecord"
]


def union_members(union: Any) -> set[type]:
    """The classes of a union that this version knows."""
    return {cls for cls in union.__args__ if not issubclass(cls, Unknown)}
