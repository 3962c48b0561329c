"""Running a driver script with Node, against a program that the SDK takes for Codex."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from tests.interop.codex_home import write_config
from tests.interop.mock_responses import RecordedRequest, Script, open_mock_responses

__all__ = ["Place", "Played", "make_treadle", "play"]

_HERE: Final = Path(__file__).resolve().parent
_REPOSITORY: Final = _HERE.parents[2]
_LEFT_OUT: Final = ("CODEX_", "OPENAI_", "TREADLE_", "FORCE_COLOR", "NO_COLOR")


@attrs.frozen
class Place:
    """
    Folders of one run.

    Attributes:
        folder: Holds them all.
    """

    folder: Path

    @property
    def home(self) -> Path:
        """The home of the program."""
        return self.folder / "home"

    @property
    def project(self) -> Path:
        """Where the thread works; no repository."""
        return self.folder / "project"

    def environ(self) -> dict[str, str]:
        """Variables for the program: ours, without what would lead it elsewhere."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_LEFT_OUT)}
        return {**kept, "CODEX_HOME": str(self.home)}


@attrs.frozen(kw_only=True)
class Played:
    """
    What a driver told, and what the model was asked.

    Attributes:
        told: The JSON object that the driver printed.
        requests: Of all its turns, oldest first.
    """

    told: Any
    requests: tuple[RecordedRequest, ...]


def make_treadle(folder: Path) -> Path:
    """Make an executable file that is our command line, as the SDK wants one."""
    path = folder / "treadle"
    python, root = shlex.quote(sys.executable), shlex.quote(str(_REPOSITORY))
    path.write_text(
        f'#!/bin/sh\nPYTHONPATH={root} exec {python} -m actors.cli "$@"\n', encoding="utf-8"
    )
    path.chmod(0o755)
    return path


async def play(
    driver: str,
    sdk: Path,
    executable: Path,
    place: Place,
    script: Script,
    *,
    codex: Mapping[str, object] | None = None,
    thread: Mapping[str, object] | None = None,
    **given: object,
) -> Played:
    """
    Run a driver to its end.

    Args:
        driver: Name of the script, without its ending.
        sdk: The SDK's module.
        executable: What the SDK takes for Codex.
        place: Where; its folders are made.
        script: What the model answers.
        codex: More options of ``new Codex``; a base URL of ``mock`` becomes the mock's.
        thread: More options of ``startThread``.
        given: What the driver wants beside that.
    """
    place.project.mkdir(parents=True, exist_ok=True)
    async with open_mock_responses(script) as mock:
        write_config(place.home, mock.base_url, stream_retries=1)
        options = {"codexPathOverride": str(executable), "env": place.environ(), **(codex or {})}
        if options.get("baseUrl") == "mock":
            options["baseUrl"] = mock.base_url
        threads = {
            "workingDirectory": str(place.project),
            "skipGitRepoCheck": True,
            **(thread or {}),
        }
        argument = json.dumps({"sdk": sdk.as_uri(), "codex": options, "thread": threads, **given})
        ended = await trio.run_process(
            ("node", str(_HERE / f"{driver}.mjs"), argument),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    assert ended.returncode == 0, ended.stderr.decode()
    return Played(told=json.loads(ended.stdout), requests=tuple(mock.requests))
