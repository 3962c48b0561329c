"""Requests that read and write the configuration."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

import attrs

from ..value import Json, Unknown
from .value import RpcParams, RpcValue

__all__ = [
    "ConfigBatchWriteParams",
    "ConfigEdit",
    "ConfigLayer",
    "ConfigLayerMetadata",
    "ConfigLayerSource",
    "ConfigReadParams",
    "ConfigReadResponse",
    "ConfigRequirementsReadResponse",
    "ConfigValueWriteParams",
    "ConfigWriteResponse",
    "MergeStrategy",
    "OverriddenMetadata",
    "ProjectConfigLayerSource",
    "SessionFlagsConfigLayerSource",
    "SystemConfigLayerSource",
    "UnknownConfigLayerSource",
    "UserConfigLayerSource",
    "WriteStatus",
]


@attrs.frozen(kw_only=True)
class SystemConfigLayerSource(RpcValue):
    """The file of the whole machine."""

    file: str


@attrs.frozen(kw_only=True)
class UserConfigLayerSource(RpcValue):
    """The user's file; profile names the part of it, None for all outside of profiles."""

    file: str
    profile: str | None = None


@attrs.frozen(kw_only=True)
class ProjectConfigLayerSource(RpcValue):
    """The file in this folder of a project."""

    dot_codex_folder: str


@attrs.frozen(kw_only=True)
class SessionFlagsConfigLayerSource(RpcValue):
    """What was said when the server or the thread was started."""


@attrs.frozen(kw_only=True)
class UnknownConfigLayerSource(Unknown):
    """A source that this version does not know."""


ConfigLayerSource: TypeAlias = (
    SystemConfigLayerSource
    | UserConfigLayerSource
    | ProjectConfigLayerSource
    | SessionFlagsConfigLayerSource
    | UnknownConfigLayerSource
)


@attrs.frozen(kw_only=True)
class ConfigLayerMetadata(RpcValue):
    """Where a value comes from; version changes with the content."""

    name: ConfigLayerSource
    version: str


@attrs.frozen(kw_only=True)
class ConfigLayer(RpcValue):
    """One layer; disabled_reason is None when it counts."""

    name: ConfigLayerSource
    version: str
    config: Json
    disabled_reason: str | None = None


@attrs.frozen(kw_only=True)
class ConfigReadParams(RpcParams):
    """Read the configuration, as it holds in a folder when there is a cwd."""

    include_layers: bool = False
    cwd: str | None = None


@attrs.frozen(kw_only=True)
class ConfigReadResponse(RpcValue):
    """
    The configuration.

    Attributes:
        config: By key as in the file, unknown keys too.
        origins: By dotted key.
        layers: Strongest first; None when not asked for.
    """

    config: Mapping[str, Json]
    origins: Mapping[str, ConfigLayerMetadata]
    layers: tuple[ConfigLayer, ...] | None = None


class MergeStrategy(Enum):
    """Whether a table takes the place of the old one or is laid over it."""

    REPLACE = "replace"
    UPSERT = "upsert"


@attrs.frozen(kw_only=True)
class ConfigEdit(RpcParams):
    """One change; a value of None removes the key."""

    key_path: str
    value: Json
    merge_strategy: MergeStrategy


@attrs.frozen(kw_only=True)
class ConfigValueWriteParams(RpcParams):
    """
    Change one value.

    Attributes:
        key_path: Dotted.
        file_path: None for the user's file.
        expected_version: Refuse when the file changed since; None for do it anyway.
    """

    key_path: str
    value: Json
    merge_strategy: MergeStrategy
    file_path: str | None = None
    expected_version: str | None = None


@attrs.frozen(kw_only=True)
class ConfigBatchWriteParams(RpcParams):
    """
    Change several values at once or none; the rest as in `ConfigValueWriteParams`.

    Attributes:
        reload_user_config: Whether threads that are loaded are to use it, too.
    """

    edits: tuple[ConfigEdit, ...]
    file_path: str | None = None
    expected_version: str | None = None
    reload_user_config: bool = False


class WriteStatus(Enum):
    """Whether what was written is also what holds."""

    OK = "ok"
    OK_OVERRIDDEN = "okOverridden"


@attrs.frozen(kw_only=True)
class OverriddenMetadata(RpcValue):
    """Why what was written does not hold."""

    message: str
    overriding_layer: ConfigLayerMetadata
    effective_value: Json


@attrs.frozen(kw_only=True)
class ConfigWriteResponse(RpcValue):
    """It is written; version is the file's new one."""

    status: WriteStatus
    version: str
    file_path: str
    overridden_metadata: OverriddenMetadata | None = None


@attrs.frozen(kw_only=True)
class ConfigRequirementsReadResponse(RpcValue):
    """What an administrator demands; None for nothing."""

    requirements: Json = None
