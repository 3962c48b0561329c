"""Fixtures for tests of the command line."""

from pathlib import Path

import pytest

from .running import TALK, Bench

_LEFT_OUT = (
    "CODEX_API_KEY",
    "CODEX_HOME",
    "FORCE_COLOR",
    "NO_COLOR",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "TREADLE_SCENARIO",
)


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Bench:
    """A home and a working directory that nobody else uses, and an environment without keys."""
    home, cwd, scenario = tmp_path / "home", tmp_path / "work", tmp_path / "talk.toml"
    cwd.mkdir()
    scenario.write_text(TALK)
    for name in _LEFT_OUT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TREADLE_HOME", str(home))
    monkeypatch.chdir(cwd)
    return Bench(home, cwd, scenario, capfd)
