"""What the user configured about tools, commands and agents."""

from __future__ import annotations

import attrs

from messages.settings import TruncationMode, TruncationPolicy
from messages.tool_settings import EnvironmentPolicy, Inherit, ToolFeatures

from .config_table import ConfigTable
from .variables import read_variables

__all__ = ["read_environment_policy", "read_features", "read_truncation_policy"]


def read_environment_policy(table: ConfigTable) -> EnvironmentPolicy:
    """
    Read ``[shell_environment_policy]``.

    Raises:
        ConfigError: A value is of another kind.
    """
    inner = table.table("shell_environment_policy")
    default = EnvironmentPolicy()
    inherit = inner.choice("inherit", [choice.value for choice in Inherit], default.inherit.value)
    return EnvironmentPolicy(
        inherit=Inherit(inherit),
        ignore_default_excludes=inner.flag(
            "ignore_default_excludes", default=default.ignore_default_excludes
        ),
        exclude=inner.text_list("exclude"),
        set=read_variables(inner, "set"),
        include_only=inner.text_list("include_only"),
    )


def read_features(table: ConfigTable) -> ToolFeatures:
    """
    Read ``[features]``.

    Raises:
        ConfigError: A feature that we know is neither on nor off.
    """
    inner = table.table("features")
    default = ToolFeatures()
    names = [field.name for field in attrs.fields(ToolFeatures)]
    return ToolFeatures(
        **{name: inner.flag(name, default=getattr(default, name)) for name in names}
    )


def read_truncation_policy(table: ConfigTable) -> TruncationPolicy | None:
    """
    Read ``tool_output_token_limit``; None leaves it to the model.

    Raises:
        ConfigError: It is no whole number, or none above 0.
    """
    tokens = table.limit("tool_output_token_limit")
    return None if tokens is None else TruncationPolicy(mode=TruncationMode.TOKENS, limit=tokens)
