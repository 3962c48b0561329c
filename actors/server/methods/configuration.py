"""The configuration as clients read it."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import attrs

from actors.config import Config, ConfigLayer, LayerKind, Origin, masked
from messages.rpc.config import (
    ConfigLayer as WireLayer,
)
from messages.rpc.config import (
    ConfigLayerMetadata,
    ConfigLayerSource,
    ConfigReadParams,
    ConfigReadResponse,
    ConfigRequirementsReadResponse,
    ProjectConfigLayerSource,
    SessionFlagsConfigLayerSource,
    SystemConfigLayerSource,
    UserConfigLayerSource,
)
from messages.value import Json

from ..ground import Ground
from ..rpc_connection import ClientRequest

__all__ = ["config_read", "layer_metadata", "requirements_read", "shown_value"]


async def config_read(ground: Ground, request: ClientRequest) -> ConfigReadResponse:
    """Say what holds in a folder, and where it is from; secrets are hidden."""
    params: ConfigReadParams = request.params
    config = await ground.config(params.cwd)
    layers = tuple(reversed(config.layers))
    return ConfigReadResponse(
        config=_values(config),
        origins={key: layer_metadata(config, origin) for key, origin in config.origins.items()},
        layers=tuple(_layer(config, layer) for layer in layers) if params.include_layers else None,
    )


async def requirements_read(_: Ground, __: ClientRequest) -> ConfigRequirementsReadResponse:
    """Say what an administrator demands: nothing, as nobody is asked for it."""
    return ConfigRequirementsReadResponse(requirements=None)


def _values(config: Config) -> dict[str, Json]:
    """Make tables of all settings, those that the house has a default for included."""
    values: dict[str, Json] = {}
    for setting in config.settings:
        table = values
        for part in setting.path[:-1]:
            inner = table.get(part)
            if not isinstance(inner, dict):
                inner = table[part] = {}
            table = cast("dict[str, Json]", inner)  # only this function puts tables in
        table[setting.path[-1]] = masked(setting.path, setting.value)
    return values


def layer_metadata(config: Config, origin: Origin) -> ConfigLayerMetadata:
    """Say where a setting is from; the version is that of the whole file."""
    whole = attrs.evolve(origin, profile=None)
    versions = (layer.version for layer in config.layers if layer.origin == whole)
    return ConfigLayerMetadata(name=_source(origin), version=next(versions))


def _layer(config: Config, layer: ConfigLayer) -> WireLayer:
    said = layer_metadata(config, layer.origin)
    return WireLayer(name=said.name, version=said.version, config=shown_value((), layer.raw))


def shown_value(path: tuple[str, ...], value: Json) -> Json:
    """Hide the secrets of a value or table; *path* is its key."""
    if not isinstance(value, Mapping):
        return masked(path, value)
    table = cast("Mapping[str, Json]", value)
    return {key: shown_value((*path, key), member) for key, member in table.items()}


def _source(origin: Origin) -> ConfigLayerSource:
    place = origin.source or ""
    match origin.kind:
        case LayerKind.SYSTEM:
            return SystemConfigLayerSource(file=place)
        case LayerKind.USER:
            return UserConfigLayerSource(file=place, profile=origin.profile)
        case LayerKind.PROJECT:
            return ProjectConfigLayerSource(dot_codex_folder=str(Path(place).parent))
        case LayerKind.SESSION:
            return SessionFlagsConfigLayerSource()
