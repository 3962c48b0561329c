"""The configuration as clients read it; nothing of it is written here."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import orjson

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
from ..rpc_handler import ClientRequest

__all__ = ["config_read", "requirements_read"]


async def config_read(ground: Ground, request: ClientRequest) -> ConfigReadResponse:
    """Say what holds in a folder, and where it is from; secrets are hidden."""
    params: ConfigReadParams = request.params
    config = await ground.config(params.cwd)
    layers = tuple(reversed(config.layers))
    return ConfigReadResponse(
        config=_values(config),
        origins={key: _metadata(config, origin) for key, origin in config.origins.items()},
        layers=tuple(map(_layer, layers)) if params.include_layers else None,
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


def _metadata(config: Config, origin: Origin) -> ConfigLayerMetadata:
    layer = next((layer for layer in config.layers if layer.origin == origin), None)
    return ConfigLayerMetadata(name=_source(origin), version=_version(layer))


def _layer(layer: ConfigLayer) -> WireLayer:
    return WireLayer(
        name=_source(layer.origin), version=_version(layer), config=_masked((), layer.raw)
    )


def _masked(path: tuple[str, ...], table: Mapping[str, Json]) -> dict[str, Json]:
    shown: dict[str, Json] = {}
    for key, value in table.items():
        inner = (*path, key)
        if isinstance(value, Mapping):
            shown[key] = _masked(inner, cast("Mapping[str, Json]", value))
        else:
            shown[key] = masked(inner, value)
    return shown


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


def _version(layer: ConfigLayer | None) -> str:
    raw = {} if layer is None else dict(layer.raw)
    written = orjson.dumps(raw, option=orjson.OPT_SORT_KEYS, default=str)
    return f"sha256:{hashlib.sha256(written).hexdigest()}"
