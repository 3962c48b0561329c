"""Finds out whether commands can be put into a sandbox on this machine."""

from collections.abc import Mapping
from typing import Final

import attrs
import trio

from actors.safety import (
    Bubblewrap,
    NoSandbox,
    SandboxTool,
    env_probe_argv,
    find_bubblewrap,
    find_env,
    probe_argv,
)

from .command_report import decode_output
from .errors import SpawnError
from .process import ProcessResult, run_process

__all__ = ["SandboxProbe"]

_PATIENCE: Final = 10.0
"""Seconds; a sandbox takes a few milliseconds to build, also on a busy machine."""


@attrs.define(eq=False)
class SandboxProbe:
    """
    Builds one sandbox to see whether that works, and remembers the answer.

    One is shared by all threads of a supervisor.  Nothing is tried before somebody asks,
    and whoever asks meanwhile waits for the same try.

    Attributes:
        environ: Ours; ``PATH`` says where bubblewrap may be.
    """

    environ: Mapping[str, str] = attrs.field(repr=False)
    _tool: SandboxTool | None = attrs.field(default=None, init=False)
    _trying: trio.Lock = attrs.field(factory=trio.Lock, init=False, repr=False)

    async def tool(self) -> SandboxTool:
        """
        Say what builds sandboxes here, or why nothing does.

        Cancellation:
            The try is broken off; the next one who asks, or who waits already, tries anew.
        """
        async with self._trying:
            if self._tool is None:
                self._tool = await self._probe()
            return self._tool

    async def _probe(self) -> SandboxTool:
        search_path = self.environ.get("PATH", "")
        program = await trio.to_thread.run_sync(find_bubblewrap, search_path)
        if program is None:
            return NoSandbox("bubblewrap (bwrap) is not installed where PATH says")
        try:
            result = await self._run(probe_argv(program))
        except SpawnError as error:
            return NoSandbox(f"bubblewrap does not run here: {error}")
        if result.exit_code != 0:
            return NoSandbox(_explain(result))
        return Bubblewrap(program, await self._find_env(search_path))

    async def _find_env(self, search_path: str) -> str | None:
        env = await trio.to_thread.run_sync(find_env, search_path)
        if env is None:
            return None
        try:
            result = await self._run(env_probe_argv(env))
        except SpawnError:
            return None
        return env if result.exit_code == 0 else None

    async def _run(self, argv: tuple[str, ...]) -> ProcessResult:
        return await run_process(
            argv,
            cwd="/",
            env=self.environ,
            timeout=_PATIENCE,
            on_output=lambda _stream, _piece: None,
        )


def _explain(result: ProcessResult) -> str:
    if result.timed_out:
        return f"bubblewrap built no sandbox within {_PATIENCE:.0f} s"
    lines = decode_output(result.stderr).strip().splitlines()
    why = lines[0] if lines else f"exit code {result.exit_code}"
    return f"bubblewrap cannot build a sandbox here ({why})"
