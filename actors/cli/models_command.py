"""The command that lists models: ``treadle models``."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import attrs
import trio

from actors.config import Config, open_catalog
from actors.models import (
    FetchedModels,
    ModelError,
    ModelPreset,
    ModelsFetch,
    RefreshStrategy,
)
from messages.value import Json

from .columns import Row, laid_out
from .json_events import encoded_line
from .notes import show_notes
from .options import ModelsOptions
from .output import STDOUT, Output
from .pieces import Look, Piece
from .preparation import read_config
from .requests import ModelsRequest
from .screen import open_screen

__all__ = ["models_table", "run_models"]

_HEADINGS: Final = ("", "MODEL", "EFFORTS", "WHAT")
_WHAT: Final = 3


async def run_models(request: ModelsRequest, environ: Mapping[str, str], output: Output) -> int:
    """
    List the models of the chosen provider.

    Raises:
        ConfigError: The configuration is not as it should be.
        UsageError: An option has a value it cannot have.
        OutputFailed: Standard output takes no more.
    """
    options = request.options
    config = await trio.to_thread.run_sync(partial(read_config, options, environ))
    watched = _Watched()
    catalog = open_catalog(config, environ, watch=watched.around)
    presets = await catalog.list_models(_strategy(options))
    shown = [preset for preset in presets if options.all or not preset.hidden]
    if options.json:
        for preset in shown:
            output.put(STDOUT, encoded_line(_line(preset)))
    else:
        screen = open_screen(output)
        screen.show(models_table(shown, config.model, width=screen.width))
    notes = [*_notes(config, watched, options), *_missing(config.model, presets)]
    show_notes(output, (*config.warnings, *notes))
    return 0


@attrs.define
class _Watched:
    """
    Sees why a provider could not be asked.

    Attributes:
        error: None when there was no failure.
        asked: Whether it was asked at all.
    """

    error: ModelError | None = None
    asked: bool = False

    def around(self, fetch: ModelsFetch) -> ModelsFetch:
        async def watched(etag: str | None, /) -> FetchedModels:
            self.asked = True
            try:
                return await fetch(etag)
            except ModelError as exc:
                self.error = exc
                raise

        return watched


def _strategy(options: ModelsOptions) -> RefreshStrategy:
    if options.refresh:
        return RefreshStrategy.ONLINE
    return RefreshStrategy.OFFLINE if options.offline else RefreshStrategy.ONLINE_IF_UNCACHED


def _notes(config: Config, watched: _Watched, options: ModelsOptions) -> list[str]:
    provider = config.model_provider
    if watched.error is not None:
        return [f"{provider} could not be asked, this is what is known: {watched.error}"]
    if options.refresh and not watched.asked:
        return [f"{provider} has no list for this login; this is what this version knows"]
    return []


def _missing(chosen: str | None, presets: Sequence[ModelPreset]) -> list[str]:
    if chosen is None or any(preset.model == chosen for preset in presets):
        return []
    return [f"the configured model {chosen!r} is not in the list; it is asked all the same"]


def models_table(
    presets: Sequence[ModelPreset], chosen: str | None, *, width: int | None
) -> tuple[Piece, ...]:
    """
    Lay models out in columns, a line each.

    Args:
        presets: In the order to show.
        chosen: The one that is configured, which is marked; None marks the default.
        width: Columns of the terminal; None for a pipe.
    """
    rows = [_row(preset, chosen) for preset in presets]
    return laid_out(_HEADINGS, rows, elastic=(_WHAT,), width=width)


def _row(preset: ModelPreset, chosen: str | None) -> Row:
    marked = preset.is_default if chosen is None else preset.model == chosen
    efforts = " ".join(
        f"[{effort}]" if effort == preset.default_effort else effort
        for effort, _ in preset.supported_efforts
    )
    what = preset.description
    if preset.upgrade is not None:
        what = f"{what}; newer: {preset.upgrade}" if what else f"newer: {preset.upgrade}"
    look = Look.GOOD if marked else Look.FAINT if preset.hidden else Look.PLAIN
    return Row(("*" if marked else "", preset.model, efforts or "-", what), look)


def _line(preset: ModelPreset) -> dict[str, Json]:
    return {
        "id": preset.id,
        "model": preset.model,
        "display_name": preset.display_name,
        "description": preset.description,
        "default_effort": preset.default_effort,
        "supported_efforts": [
            {"effort": effort, "description": text} for effort, text in preset.supported_efforts
        ],
        "is_default": preset.is_default,
        "hidden": preset.hidden,
        "supports_personality": preset.supports_personality,
        "input_modalities": [modality.value for modality in preset.input_modalities],
        "upgrade": preset.upgrade,
    }
