"""Writing ``config.toml``: checked before, all or nothing, and never over somebody's change."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from actors.runtime import replace_file

from .config_edits import Edit, edited
from .config_file import load_config
from .config_layer import ConfigLayer, LayerKind
from .errors import ConfigChanged, ConfigNotWritten
from .layering import CONFIG_FILE, SYSTEM_CONFIG
from .loaded_config import Config
from .toml_file import parse_toml, read_contents

__all__ = ["ConfigWriter", "user_layer"]

_NEW_MODE: Final = 0o600
"""Of a file that was not there; it may come to hold secrets."""

_LOCK_PATIENCE: Final = 30.0
_POLL: Final = 0.05
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_ATTEMPTS: Final = 5
"""To write before anybody else does."""


def user_layer(config: Config) -> ConfigLayer:
    """Return what the user's own file says."""
    return next(
        layer for layer in config.layers if layer.kind is LayerKind.USER and layer.profile is None
    )


@attrs.frozen(kw_only=True)
class ConfigWriter:
    """
    Changes the user's ``config.toml``, and nothing else.

    Those who write with this wait for each other.  Whoever writes otherwise, such as an
    editor, is noticed: the change is then made to what is there now.

    Attributes:
        home: Folder of the file.
        cwd: Where the configuration must hold afterwards.
        overrides: See `load_config`; so is *system*.
    """

    home: Path
    cwd: Path
    overrides: ConfigLayer | None = None
    system: Path | None = SYSTEM_CONFIG

    async def write(self, edits: Sequence[Edit], *, expected_version: str | None = None) -> Config:
        """
        Make some changes, or none of them; comments and the file's mode stay.

        The new file takes the place of the old one in one step; a symbolic link stays.

        Args:
            edits: See `set_value` and `switch_skill`.
            expected_version:
                What the file's `ConfigLayer.version` must be; None for whatever it is.

        Returns:
            The configuration that holds now.

        Raises:
            ConfigChanged: The file has another version.
            ConfigNotWritten: It could not be written.
            ConfigError: The file cannot be read, an edit cannot be done, or the
                configuration would not be valid.

        Cancellation:
            All changes are made, or none.
        """
        attempt = partial(self._attempt, tuple(edits), expected_version)
        async with _locked(self.home / f"{CONFIG_FILE}.lock"):
            for _ in range(_ATTEMPTS):
                config = await trio.to_thread.run_sync(attempt)
                if config is not None:
                    return config
        raise ConfigNotWritten(
            str(self.home / CONFIG_FILE), "", "another program keeps changing it; try again"
        )

    def _attempt(self, edits: tuple[Edit, ...], expected: str | None) -> Config | None:
        """Write; None when somebody else did meanwhile.  For an OS thread."""
        path = self.home / CONFIG_FILE
        before = read_contents(path)
        self._check_version(path, before or b"", expected)
        text, raw = edited(_text(before or b"", path), edits, path)
        config = load_config(
            self.home, cwd=self.cwd, overrides=self.overrides, system=self.system, user=raw
        )
        after = text.encode()
        if after == (before or b""):
            return config
        try:
            replaced = replace_file(
                path, after, _mode_of(path), still=lambda: read_contents(path) == before
            )
        except OSError as exc:
            problem = f"it cannot be written: {exc.strerror or exc}"
            raise ConfigNotWritten(str(path), "", problem) from exc
        return config if replaced else None

    def _check_version(self, path: Path, before: bytes, expected: str | None) -> None:
        if expected is None:
            return
        layer = ConfigLayer(
            raw=parse_toml(before, path), source=str(path), folder=self.home, kind=LayerKind.USER
        )
        if layer.version != expected:
            raise ConfigChanged(
                str(path), "", "it was changed since it was read; read it again, and retry"
            )


def _text(data: bytes, path: Path) -> str:
    parse_toml(data, path)  # complains of what is no text, too
    return data.decode()


def _mode_of(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return _NEW_MODE


# The lock -------------------------------------------------------------------


@asynccontextmanager
async def _locked(path: Path) -> AsyncGenerator[None]:
    """
    Keep others of us out, in all processes; free as soon as its holder has died.

    Raises:
        ConfigNotWritten: The folder cannot be written to, or somebody holds it too long.
    """
    fd = await trio.to_thread.run_sync(_open_lock, path)
    try:
        await _wait_locked(fd, path)
        yield
    finally:
        os.close(fd)


def _open_lock(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _NEW_MODE)
    except OSError as exc:
        problem = f"the folder cannot be written to: {exc.strerror or exc}"
        raise ConfigNotWritten(str(path.parent), "", problem) from exc


async def _wait_locked(fd: int, path: Path) -> None:
    # Not a waiting lock in an OS thread: nobody could cancel that.
    with trio.move_on_after(_LOCK_PATIENCE):
        while not _try_lock(fd, path):  # noqa: ASYNC110 -- nobody tells that it is free
            await trio.sleep(_POLL)
        return
    problem = f"another process has held this lock for {_LOCK_PATIENCE:g} s; end that one"
    raise ConfigNotWritten(str(path), "", problem)


def _try_lock(fd: int, path: Path) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        if exc.errno not in _NO_LOCKS:
            problem = f"this lock cannot be had: {exc.strerror or exc}"
            raise ConfigNotWritten(str(path), "", problem) from exc
    return True
