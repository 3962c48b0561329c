"""Looking for the SDK finds the right one, and never installs any."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.interop.codex_binary import NpmMissingError
from tests.interop.sdk.package import (
    SDK_PACKAGE,
    SDK_VERSION,
    install_sdk,
    sdk_module,
    why_no_sdk,
)


def _install(folder: Path, version: str) -> Path:
    """Lay out the package as npm does."""
    package = folder / "sdk" / "node_modules" / SDK_PACKAGE
    module = package / "dist" / "index.js"
    module.parent.mkdir(parents=True)
    module.touch()
    (package / "package.json").write_text(json.dumps({"version": version}))
    return module


def _environ(folder: Path) -> dict[str, str]:
    """An environment with a Node of its own."""
    node = folder / "bin" / "node"
    node.parent.mkdir()
    node.touch(mode=0o755)
    return {"TREADLE_INTEROP_DIR": str(folder), "PATH": str(node.parent)}


def test_the_module_is_found_if_it_is_of_this_very_version(tmp_path: Path) -> None:
    """And if there is a Node to run it."""
    environ = _environ(tmp_path)
    missing = sdk_module(environ)
    module = _install(tmp_path, SDK_VERSION)

    assert missing is None
    assert sdk_module(environ) == module
    assert sdk_module({**environ, "PATH": ""}) is None
    assert "node is not on the PATH" in why_no_sdk({**environ, "PATH": ""})


@pytest.mark.parametrize("version", ["0.162.0", f"{SDK_VERSION}.1", ""])
def test_a_module_of_another_version_does_not_count(tmp_path: Path, version: str) -> None:
    """The way to the right one is told."""
    environ = _environ(tmp_path)
    _install(tmp_path, version)

    assert sdk_module(environ) is None
    assert "python -m tests.interop.install" in why_no_sdk(environ)


def test_nothing_is_installed_without_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what is missing."""
    monkeypatch.setenv("PATH", "")

    with pytest.raises(NpmMissingError):
        install_sdk(tmp_path)
    assert list(tmp_path.iterdir()) == []
