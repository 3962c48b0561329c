"""What tests of real processes share."""

import gc
import math
import os
import sys
import textwrap
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from actors.tools import ProcessResult, open_launcher, run_process

from .process_stage import Told
from .processes import MARK, marked_processes, open_descriptors


@pytest.fixture
def marked_env() -> dict[str, str]:
    """Variables for a test's commands, by which all that they start can be found."""
    return {"PATH": os.environ["PATH"], MARK: uuid.uuid4().hex}


@pytest.fixture
def nothing_left(marked_env: dict[str, str]) -> Iterator[None]:
    """The test leaves nothing behind: no process, no file descriptor."""
    before = open_descriptors()
    yield
    assert marked_processes(marked_env[MARK]) == []
    if open_descriptors() != before:
        gc.collect()  # what an earlier test's objects held may have gone meanwhile
    assert open_descriptors() <= before


@pytest.fixture
async def launcher() -> AsyncIterator[None]:
    """One launcher for all commands of a test, as in a long-running program."""
    async with open_launcher():
        yield


@pytest.fixture
def told() -> Told:
    """What is told of the output of a test's commands."""
    return Told()


@pytest.fixture
def run(launcher, marked_env, tmp_path, told):
    """Run a command of some words."""

    async def run(*argv: str, **options: object) -> ProcessResult:
        options = {
            "timeout": math.inf,
            "cwd": str(tmp_path),
            "env": marked_env,
            "on_output": told,
            **options,
        }
        return await run_process(argv, **options)

    return run


@pytest.fixture
def sh(run):
    """Run a script of the shell."""

    async def sh(script: str, **options: object) -> ProcessResult:
        return await run("sh", "-c", script, **options)

    return sh


@pytest.fixture
def py(run):
    """Run a script of Python."""

    async def py(script: str, **options: object) -> ProcessResult:
        return await run(sys.executable, "-I", "-S", "-c", textwrap.dedent(script), **options)

    return py
