"""The command that shows the configuration: ``treadle config``."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import orjson
import trio

from actors.config import Config, Origin, Setting, masked
from messages.value import Json

from .columns import Row, laid_out
from .json_events import encoded_line
from .notes import show_notes
from .output import STDOUT, Output
from .pieces import Look, Piece, Stream, visible
from .preparation import read_config
from .requests import ConfigRequest
from .screen import open_screen

__all__ = ["config_lines", "config_table", "run_config"]

_HEADINGS: Final = ("KEY", "VALUE", "FROM")
_VALUE, _FROM = 1, 2
_DEFAULT: Final = "default"
_NOTHING: Final = "-"


async def run_config(request: ConfigRequest, environ: Mapping[str, str], output: Output) -> int:
    """
    Show every setting that counts, and where it is from.

    Raises:
        ConfigError: Something of it is not as it should be.
        UsageError: An option has a value it cannot have.
        OutputFailed: Standard output takes no more.
    """
    options = request.options
    config = await trio.to_thread.run_sync(partial(read_config, options, environ))
    if options.json:
        for line in config_lines(config):
            output.put(STDOUT, encoded_line(line))
    else:
        screen = open_screen(output)
        screen.show(config_table(config.settings, width=screen.width))
        screen.show(_after_table(config))
    show_notes(output, config.warnings)
    return 0


def config_lines(config: Config) -> list[dict[str, Json]]:
    """Make what ``--json`` prints: a line for each key, and one for what was found in files."""
    lines = [
        {
            "key": setting.key,
            "value": masked(setting.path, setting.value),
            "origin": _origin(setting.origin),
        }
        for setting in config.settings
    ]
    found: dict[str, Json] = {
        "instruction_files": list(config.instruction_files),
        "skill_roots": [root.path for root in config.skill_roots],
    }
    return [*lines, found]


def config_table(settings: tuple[Setting, ...], *, width: int | None) -> tuple[Piece, ...]:
    """Lay the settings out in columns; defaults are faint."""
    rows = [_row(setting) for setting in settings]
    return laid_out(_HEADINGS, rows, elastic=(_VALUE, _FROM), width=width, tails=(_FROM,))


def _row(setting: Setting) -> Row:
    origin = setting.origin
    value = _shown(masked(setting.path, setting.value))
    if origin is None:
        return Row((setting.key, value, _DEFAULT), Look.FAINT)
    return Row((setting.key, value, _abbreviated(str(origin))))


def _shown(value: Json) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def _origin(origin: Origin | None) -> Json:
    if origin is None:
        return None
    return {"kind": origin.kind.value, "source": origin.source, "profile": origin.profile}


def _abbreviated(place: str) -> str:
    home = str(Path.home())
    return f"~{place[len(home) :]}" if place.startswith(f"{home}/") else place


def _after_table(config: Config) -> tuple[Piece, ...]:
    lines = [f"instructions: {path}" for path in map(_abbreviated, config.instruction_files)]
    return tuple(Piece(f"{visible(line)}\n", Look.FAINT, Stream.ERR) for line in lines)
