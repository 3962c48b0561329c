"""Configurations that were read, for as long as the files say the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import orjson
import trio

from .config_file import load_config, load_config_async
from .config_layer import ConfigLayer
from .layering import SYSTEM_CONFIG
from .loaded_config import Config
from .looks import Looks, noted

__all__ = ["ConfigCache"]

_Key: TypeAlias = tuple[object, ...]

_KEPT: Final = 32
"""Configurations that are kept; a server seldom has threads in more folders at once."""

_TICK: Final = 0.1
"""Seconds; no clock of a file system that is kept up by Linux ticks slower than 0.01."""

_FRESH: Final = 1.0
"""Seconds in which the kernel still knows what it was asked, also of files on a network."""

_QUICK: Final = 0.01
"""Seconds; a disk that takes longer is asked in an OS thread the next time."""


@attrs.define(eq=False)
class _Entry:
    """
    A configuration, with what it was made of.

    Attributes:
        asked_at: When the disk answered quickly last, in the time of trio.
    """

    config: Config
    looks: Looks
    asked_at: float = -math.inf

    async def still_so(self) -> bool:
        """Ask the disk whether everything is as it was; in an OS thread if that may take long."""
        began = trio.current_time()
        if began - self.asked_at < _FRESH:
            await trio.lowlevel.checkpoint()
            began = trio.current_time()
            so = self.looks.still_so()
        else:
            so = await trio.to_thread.run_sync(self.looks.still_so, abandon_on_cancel=True)
        now = trio.current_time()
        self.asked_at = now if now - began < _QUICK else -math.inf
        return so


@attrs.define(eq=False)
class ConfigCache:
    """
    Reads configurations, and reads them anew only when something that counts has changed.

    With each configuration it keeps all that was looked at: files, and whether others are
    there.  Each time it is asked for that one again it looks once more, so that whatever
    is written, made, removed or replaced counts from then on.

    Attributes:
        home: Folder of the user's file.
        system: The file that is the same for all users; None for none.

    Args:
        now: Wall clock, in seconds since the Unix epoch.
    """

    home: Path
    _now: Callable[[], float]
    system: Path | None = attrs.field(default=SYSTEM_CONFIG, kw_only=True)
    # At most `_KEPT`, the one asked for last at the end.
    _entries: dict[_Key, _Entry] = attrs.field(factory=dict[_Key, _Entry], init=False)

    async def load(self, *, cwd: Path, overrides: ConfigLayer | None = None) -> Config:
        """
        Read the configuration, or return it as it was read; else as `load_config`.

        Args:
            cwd: Where a thread is to work; absolute.
            overrides: Settings that go before all files, by the same keys.

        Raises:
            ConfigError: See `load_config`; nothing is kept.

        Cancellation:
            At once; what the OS thread reads then is thrown away.
        """
        key = _key(cwd, overrides)
        if key is None:
            read = partial(load_config_async, self.home, cwd=cwd, overrides=overrides)
            return await read(system=self.system)
        entry = self._entries.pop(key, None)
        if entry is None or not await entry.still_so():
            entry = await trio.to_thread.run_sync(
                self._read, cwd, overrides, abandon_on_cancel=True
            )
        if entry.looks.settled(self._now(), _TICK):
            self._entries[key] = entry
            if len(self._entries) > _KEPT:
                del self._entries[next(iter(self._entries))]
        return entry.config

    def _read(self, cwd: Path, overrides: ConfigLayer | None) -> _Entry:
        with noted() as looks:
            config = load_config(self.home, cwd=cwd, overrides=overrides, system=self.system)
        return _Entry(config, looks)


def _key(cwd: Path, overrides: ConfigLayer | None) -> _Key | None:
    """Say what a configuration depends on besides the disk; None for what cannot be compared."""
    if overrides is None:
        return (str(cwd),)
    try:
        # The order of keys is kept, because that of complaints follows from it.
        written = orjson.dumps(overrides.raw, option=orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError:  # such as a date, or a number that JSON does not have
        return None
    layer = overrides
    said = (layer.source, layer.folder, layer.strict, layer.kind, layer.profile)
    return (str(cwd), *said, b"%b" % written)
