"""Changes of the user's configuration file."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import trio

from actors.config import (
    Config,
    ConfigChanged,
    ConfigError,
    ConfigKeyMissing,
    ConfigLayer,
    ConfigNotWritten,
    Edit,
    LayerKind,
    parse_key_path,
    set_value,
    user_layer,
)
from messages.rpc.config import (
    ConfigBatchWriteParams,
    ConfigEdit,
    ConfigValueWriteParams,
    ConfigWriteResponse,
    MergeStrategy,
    OverriddenMetadata,
    WriteStatus,
)
from messages.value import Json

from ..ground import Ground
from ..rpc_connection import ClientRequest
from ..rpc_errors import RpcFailure
from .configuration import layer_metadata, shown_value
from .mcp import reload_mcp

__all__ = ["batch_write", "refused_write", "value_write"]

_CODE: Final = "config_write_error_code"

_WORDS: Final = {
    LayerKind.SYSTEM: "managed config (system)",
    LayerKind.USER: "user config",
    LayerKind.PROJECT: "project config",
    LayerKind.SESSION: "session flags",
}


async def value_write(ground: Ground, request: ClientRequest) -> ConfigWriteResponse:
    """Change one value of the user's file."""
    params: ConfigValueWriteParams = request.params
    edit = ConfigEdit(
        key_path=params.key_path, value=params.value, merge_strategy=params.merge_strategy
    )
    return await _write(ground, (edit,), params.file_path, params.expected_version)


async def batch_write(ground: Ground, request: ClientRequest) -> ConfigWriteResponse:
    """
    Change several values of the user's file, or none.

    Of what changed, loaded threads can take up their MCP servers while they live; they do
    so when the client asks for it.  All else is for the threads that begin afterwards.
    """
    params: ConfigBatchWriteParams = request.params
    written = await _write(ground, params.edits, params.file_path, params.expected_version)
    if params.reload_user_config:
        await reload_mcp(ground, request)
    return written


async def _write(
    ground: Ground, edits: Sequence[ConfigEdit], file_path: str | None, version: str | None
) -> ConfigWriteResponse:
    await _check_file(ground, file_path)
    try:
        prepared = [(path := parse_key_path(edit.key_path), _edit(path, edit)) for edit in edits]
    except ConfigError as exc:
        raise _refused(str(exc), "configValidationError") from exc
    try:
        config = await ground.config_writer().write(
            [edit for _, edit in prepared], expected_version=version
        )
    except ConfigError as exc:
        raise refused_write(exc) from exc
    paths = [(path, edit.value) for (path, _), edit in zip(prepared, edits, strict=True)]
    overridden = next(_overridden(config, paths), None)
    return ConfigWriteResponse(
        status=WriteStatus.OK if overridden is None else WriteStatus.OK_OVERRIDDEN,
        version=user_layer(config).version,
        file_path=str(config.path),
        overridden_metadata=overridden,
    )


def _edit(path: tuple[str, ...], edit: ConfigEdit) -> Edit:
    return set_value(path, edit.value, merge=edit.merge_strategy is MergeStrategy.UPSERT)


async def _check_file(ground: Ground, file_path: str | None) -> None:
    """
    Check that a client means the only file that is written.

    Raises:
        RpcFailure: It means another one.
    """
    if file_path is None:
        return
    own = (await ground.config()).path
    given, wanted = await trio.to_thread.run_sync(
        lambda: (os.path.realpath(ground.setup.cwd / file_path), os.path.realpath(own))
    )
    if given != wanted:
        raise _refused("Only writes to the user config are allowed", "configLayerReadonly")


def refused_write(error: ConfigError) -> RpcFailure:
    """Say why a change was not made, as clients know it."""
    match error:
        case ConfigChanged():
            return _refused(
                "Configuration was modified since last read. Fetch latest version and retry.",
                "configVersionConflict",
            )
        case ConfigKeyMissing():
            return _refused("Path not found", "configPathNotFound")
        case ConfigNotWritten():
            return RpcFailure.internal(f"failed to persist config.toml: {error}")
        case _:
            return _refused(f"Invalid configuration: {error}", "configValidationError")


def _refused(message: str, code: str) -> RpcFailure:
    return RpcFailure.invalid(message, {_CODE: code})


# What else holds --------------------------------------------------------------


def _overridden(
    config: Config, edits: Sequence[tuple[tuple[str, ...], Json]]
) -> Iterator[OverriddenMetadata]:
    """Tell which of the values that were written do not hold, because of another layer."""
    for path, value in edits:
        for leaf in _leaves(path, value):
            layer = next(
                (each for each in reversed(config.layers) if _at(each, leaf) is not None), None
            )
            if layer is not None and layer != user_layer(config):
                yield _metadata(config, layer, leaf)


def _leaves(path: tuple[str, ...], value: Json) -> Iterator[tuple[str, ...]]:
    if isinstance(value, Mapping) and value:
        for key, member in cast("Mapping[str, Json]", value).items():
            yield from _leaves((*path, key), member)
    else:
        yield path


def _at(layer: ConfigLayer, path: tuple[str, ...]) -> Json:
    found: Any = layer.raw
    for part in path:
        if not isinstance(found, Mapping):
            return None
        found = cast("Mapping[str, Any]", found).get(part)
    return found


def _metadata(config: Config, layer: ConfigLayer, path: tuple[str, ...]) -> OverriddenMetadata:
    where = _WORDS[layer.kind]
    if layer.profile is not None:
        where = f"profile {layer.profile!r} in {where}"
    place = "" if layer.source is None else f": {layer.source}"
    return OverriddenMetadata(
        message=f"Overridden by {where}{place}",
        overriding_layer=layer_metadata(config, layer.origin),
        effective_value=shown_value(path, _at(layer, path)),
    )
