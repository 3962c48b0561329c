"""Where the home is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actors.config import ConfigError, resolve_home


@pytest.mark.parametrize(
    ("environ", "home"),
    [
        ({"TREADLE_HOME": "/t", "CODEX_HOME": "/c", "HOME": "/h"}, "/t"),
        ({"TREADLE_HOME": "", "CODEX_HOME": "/c", "HOME": "/h"}, "/c"),
        ({"CODEX_HOME": "/c"}, "/c"),
        ({"HOME": "/h"}, "/h/.treadle"),
        ({"TREADLE_HOME": "", "CODEX_HOME": "", "HOME": "/h"}, "/h/.treadle"),
    ],
)
def test_first_variable_that_says_something_wins(environ: dict[str, str], home: str) -> None:
    """Our own, then Codex's, then the user's home; none of them need exist."""
    assert resolve_home(environ) == Path(home)


def test_relative_home_is_taken_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And comes back absolute."""
    monkeypatch.chdir(tmp_path)

    assert resolve_home({"TREADLE_HOME": "here"}) == tmp_path / "here"


@pytest.mark.parametrize("variable", ["TREADLE_HOME", "CODEX_HOME"])
def test_home_that_is_no_folder_is_an_error(tmp_path: Path, variable: str) -> None:
    """With the variable that named it."""
    path = tmp_path / "file"
    path.write_text("x")

    with pytest.raises(ConfigError) as caught:
        resolve_home({variable: str(path)})

    assert str(caught.value) == f"{path}: {variable}: the home is no folder; name another one"


def test_default_home_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    """Though no variable named it."""
    path = tmp_path / ".treadle"
    path.write_text("x")

    with pytest.raises(ConfigError) as caught:
        resolve_home({"HOME": str(tmp_path)})

    assert str(caught.value) == f"{path}: the home is no folder; name another one"


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_no_home_at_all_is_an_error(environ: dict[str, str]) -> None:
    """With the way out."""
    with pytest.raises(ConfigError) as caught:
        resolve_home(environ)

    assert str(caught.value) == "HOME: names no folder; set TREADLE_HOME to one"


def test_home_with_a_senseless_name_is_an_error() -> None:
    """Never a traceback."""
    with pytest.raises(ConfigError, match=r"TREADLE_HOME: the home cannot be used: .*too long"):
        resolve_home({"TREADLE_HOME": "/" + "x" * 300})


def test_home_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The permissions are asked for, because a superuser's tests could not take them away."""
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)

    with pytest.raises(ConfigError) as caught:
        resolve_home({"TREADLE_HOME": str(tmp_path)})

    assert str(caught.value) == (
        f"{tmp_path}: TREADLE_HOME: the home cannot be read; change its permissions"
    )
