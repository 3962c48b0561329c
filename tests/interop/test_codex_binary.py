"""Looking for the Codex binary finds the right one, and never installs any."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.interop.codex_binary import (
    CODEX_VERSION,
    NpmMissingError,
    codex_executable,
    install_codex,
    install_folder,
    why_no_codex,
)


def _install(folder: Path, version: str) -> Path:
    """Lay out a package as npm does."""
    package = folder / "node_modules" / "@openai" / "codex-linux-x64"
    executable = package / "vendor" / "some-triple" / "codex" / "codex"
    executable.parent.mkdir(parents=True)
    executable.touch(mode=0o755)
    (package / "package.json").write_text(json.dumps({"version": version}))
    return executable


def test_executable_is_found_in_the_named_folder(tmp_path: Path) -> None:
    """The version may carry its platform, as the packages of the platforms do."""
    executable = _install(tmp_path, f"{CODEX_VERSION}-linux-x64")

    assert codex_executable({"TREADLE_INTEROP_DIR": str(tmp_path)}) == executable


@pytest.mark.parametrize("version", ["0.104.1-linux-x64", "0.10", ""])
def test_executable_of_another_version_does_not_count(tmp_path: Path, version: str) -> None:
    """The tests are about one version."""
    _install(tmp_path, version)

    assert codex_executable({"TREADLE_INTEROP_DIR": str(tmp_path)}) is None


def test_nothing_is_found_in_an_empty_or_damaged_folder(tmp_path: Path) -> None:
    """A folder without the package, or with half of it, is no error."""
    environ = {"TREADLE_INTEROP_DIR": str(tmp_path), "PATH": ""}
    empty = codex_executable(environ)
    executable = _install(tmp_path, CODEX_VERSION)
    (executable.parents[3] / "package.json").write_text("{")

    assert empty is None
    assert codex_executable(environ) is None
    assert "npm is not on the PATH" in why_no_codex(environ)


def test_named_executable_comes_first_and_must_exist(tmp_path: Path) -> None:
    """A wrong name is a mistake to be seen, not a reason to skip."""
    executable = _install(tmp_path, CODEX_VERSION)
    other = tmp_path / "my-codex"
    environ = {"TREADLE_INTEROP_DIR": str(tmp_path), "TREADLE_CODEX": str(other)}

    with pytest.raises(FileNotFoundError, match="TREADLE_CODEX"):
        codex_executable(environ)
    other.touch()
    assert codex_executable(environ) == other
    assert codex_executable({**environ, "TREADLE_CODEX": ""}) == executable


def test_default_folder_is_in_the_repository() -> None:
    """Without a word it is where git ignores it."""
    assert install_folder({}) == Path(__file__).parents[2] / ".interop"


def test_installing_twice_or_without_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there needs no npm; what is not there can not come without it."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NpmMissingError):
        install_codex(tmp_path)
    executable = _install(tmp_path, CODEX_VERSION)

    assert install_codex(tmp_path) == executable
