"""Writing config.toml."""

import os
from pathlib import Path
from unittest.mock import patch

import pytest
import trio

from actors.config import (
    ConfigChanged,
    ConfigError,
    ConfigNotWritten,
    ConfigWriter,
    set_value,
    user_layer,
)
from actors.config import config_writer as module
from actors.runtime import whole_file

MODEL = ("model",)


def read(file: Path) -> str:
    return file.read_text()


def write(file: Path, text: str) -> None:
    file.write_text(text)


def move_and_link(file: Path, real: Path) -> None:
    real.parent.mkdir()
    file.rename(real)
    file.symlink_to(real)


def is_link(file: Path) -> bool:
    return file.is_symlink()


def set_mode(file: Path, mode: int) -> None:
    file.chmod(mode)


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def writer(folder: Path) -> ConfigWriter:
    return ConfigWriter(home=folder / "home", cwd=folder, system=None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "config.toml"
    path.parent.mkdir()
    path.write_text('model = "a" # mine\n')
    return path


async def test_a_change_is_written_and_holds(tmp_path: Path, file: Path) -> None:
    """Comments and mode stay, and nothing else is left in the folder but the lock."""
    set_mode(file, 0o640)

    config = await writer(tmp_path).write([set_value(MODEL, "b")])

    assert config.model == "b"
    assert read(file) == 'model = "b" # mine\n'
    assert mode_of(file) == 0o640
    assert names(file.parent) == {"config.toml", "config.toml.lock"}


async def test_a_file_that_is_not_there_is_made_for_its_owner_only(tmp_path: Path) -> None:
    """It may come to hold secrets."""
    await writer(tmp_path).write([set_value(MODEL, "b")])

    path = tmp_path / "home" / "config.toml"
    assert read(path) == 'model = "b"\n'
    assert mode_of(path) == 0o600


async def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path: Path, file: Path) -> None:
    """Of those who keep the file elsewhere."""
    real = tmp_path / "dotfiles" / "mine.toml"
    move_and_link(file, real)

    await writer(tmp_path).write([set_value(MODEL, "b")])

    assert is_link(file)
    assert read(real) == 'model = "b" # mine\n'
    assert names(real.parent) == {"mine.toml"}


async def test_what_would_not_be_valid_is_not_written(tmp_path: Path, file: Path) -> None:
    """Nothing of it, and the complaint names the key."""
    before = read(file)

    with pytest.raises(ConfigError, match="approval_policy"):
        await writer(tmp_path).write(
            [set_value(MODEL, "b"), set_value(("approval_policy",), "perhaps")]
        )

    assert read(file) == before


async def test_a_change_to_another_version_than_expected_is_refused(
    tmp_path: Path, file: Path
) -> None:
    """Comments do not count; what a change gives is the next version."""
    ours = writer(tmp_path)
    first = user_layer(await ours.write([])).version
    write(file, '# more\nmodel = "a"\n')
    second = user_layer(await ours.write([set_value(MODEL, "b")], expected_version=first)).version

    with pytest.raises(ConfigChanged):
        await ours.write([set_value(MODEL, "c")], expected_version=first)
    await ours.write([set_value(MODEL, "d")], expected_version=second)

    assert read(file) == '# more\nmodel = "d"\n'


async def test_what_somebody_writes_meanwhile_is_not_lost(tmp_path: Path, file: Path) -> None:
    """Somebody who knows of no lock; the change is made to what is there then."""
    write = whole_file._write

    def slow(path: Path, data: bytes, mode: int) -> None:
        write(path, data, mode)
        if b"theirs" not in data:
            file.write_text('model = "a" # mine\ntheirs = 1\n')

    with patch.object(whole_file, "_write", slow):
        await writer(tmp_path).write([set_value(MODEL, "b")])

    assert read(file) == 'model = "b" # mine\ntheirs = 1\n'


async def test_a_file_that_never_rests_is_given_up(tmp_path: Path, file: Path) -> None:
    """After some attempts, with what they wrote last."""
    write, count = whole_file._write, 0

    def slow(path: Path, data: bytes, mode: int) -> None:
        nonlocal count
        count += 1
        write(path, data, mode)
        file.write_text(f"theirs = {count}\n")

    with patch.object(whole_file, "_write", slow), pytest.raises(ConfigNotWritten, match="keeps"):
        await writer(tmp_path).write([set_value(MODEL, "b")])

    assert read(file) == f"theirs = {count}\n"
    assert names(file.parent) == {"config.toml", "config.toml.lock"}


async def test_two_who_write_at_once_both_do(tmp_path: Path, file: Path) -> None:
    """One after the other."""
    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(writer(tmp_path).write, [set_value(("tools", f"k{number}"), number)])

    assert {f"k{number} = {number}" for number in range(4)} <= {*read(file).splitlines()}


async def test_a_lock_that_is_held_for_ever_is_told(
    tmp_path: Path, file: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """By what could end it."""
    async with module._locked(tmp_path / "home" / "config.toml.lock"):
        with pytest.raises(ConfigNotWritten, match="held this lock"):
            await writer(tmp_path).write([set_value(MODEL, "b")])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path, file: Path) -> None:
    """The file is as it was."""
    file.parent.chmod(0o500)
    try:
        with pytest.raises(ConfigNotWritten, match="cannot be written"):
            await writer(tmp_path).write([set_value(MODEL, "b")])
    finally:
        file.parent.chmod(0o700)
