"""Reading a TOML file, with a complaint that names the line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from messages.value import Json

from .errors import ConfigError
from .plain_file import read_plain_file

__all__ = ["parse_toml", "read_contents", "read_toml_file"]

_LIMIT_BYTES: Final = 4 << 20
_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)")


def read_toml_file(path: Path) -> Mapping[str, Json] | None:
    """
    Read a TOML file; None when it is missing.

    Raises:
        ConfigError: It cannot be read or is no TOML.
    """
    data = read_contents(path)
    return None if data is None else parse_toml(data, path)


def read_contents(path: Path) -> bytes | None:
    """
    Read what may be TOML as a whole; None when it is missing.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        file = read_plain_file(path, _LIMIT_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise ConfigError(str(path), "", f"it cannot be read: {exc.strerror or exc}") from exc
    if not file.is_whole:
        raise ConfigError(str(path), "", f"it is longer than {_LIMIT_BYTES >> 20} MiB")
    return file.data


def parse_toml(data: bytes, path: Path) -> dict[str, Json]:
    """
    Read the contents of a TOML file.

    Raises:
        ConfigError: It is no TOML.
    """
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as exc:
        raise ConfigError(str(path), "", f"it is no UTF-8 text: {exc}", _line_of(exc)) from exc
    except RecursionError:
        raise ConfigError(str(path), "", "it is nested too deep") from None
    except ValueError as exc:  # TOMLDecodeError is one; so is a number with too many digits
        line = _LINE.search(str(exc))
        number = None if line is None else int(line[1])
        raise ConfigError(str(path), "", f"it is no TOML: {exc}", number) from exc


def _line_of(error: UnicodeDecodeError) -> int:
    return error.object.count(b"\n", 0, error.start) + 1
