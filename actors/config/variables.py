"""Tables of environment variables."""

from __future__ import annotations

from collections.abc import Mapping

from .config_table import ConfigTable

__all__ = ["read_variables"]


def read_variables(table: ConfigTable, key: str) -> Mapping[str, str]:
    """
    Read a table of environment variables; empty when the key is missing.

    Raises:
        ConfigError: A name or a value is one that the system does not take.
    """
    variables = table.texts(key)
    inner = table.table(key)
    for name, value in variables.items():
        if not name or "=" in name or "\0" in name:
            inner.refuse(name, f"{name!r} is no name of a variable: it is empty or has '=' in it")
        if "\0" in value:
            inner.refuse(name, "the value has a null character in it; take it out")
    return variables
