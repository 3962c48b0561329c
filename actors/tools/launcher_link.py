"""
Our side of `launcher`: one per trio run, shared by all commands.

A program that runs commands now and then needs not care; one that runs many holds
`open_launcher` open and saves 15 ms each.
"""

import array
import contextlib
import errno
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Final

import attrs
import trio

from .errors import SpawnError

__all__ = ["Launcher", "open_launcher"]

_CLEAN_UP: Final = 1.0
"""Seconds that the launcher may take to end after its door was closed, or after SIGKILL."""


@attrs.define(eq=False)
class Launcher:
    """The launcher of this run, started when the first command needs it."""

    holders: int = 0
    _starting: trio.Lock = attrs.field(factory=trio.Lock)
    _door: trio.socket.SocketType | None = None
    _process: trio.Process | None = None

    async def hand_over(self, descriptors: Sequence[int], program: str, cwd: str) -> None:
        """
        Give a keeper-to-be its file descriptors; a launcher that died is replaced once.

        Args:
            descriptors: The control socket, then what the command writes to.

        Raises:
            SpawnError: There is no launcher and none can be started.

        Cancellation:
            Either they were handed over or nothing was.
        """
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        for _ in range(2):
            async with self._starting:
                door = self._door or await self._start(program, cwd)
            # Closed: somebody else's command found it dead at the same moment.
            with contextlib.suppress(OSError, trio.ClosedResourceError):
                await door.sendmsg([b"\0"], rights)
                return
            if door is self._door:
                await self.close()
        raise SpawnError(program, cwd, "launcher", 0)

    async def _start(self, program: str, cwd: str) -> trio.socket.SocketType:
        if not sys.executable:
            raise SpawnError(program, cwd, "launcher", errno.ENOENT)
        script = str(Path(__file__).with_name("launcher.py"))
        with contextlib.ExitStack() as undo:
            try:
                ours, theirs = socket.socketpair()
                undo.callback(ours.close)
                with theirs:
                    # Not trio.run_process: its life is this object's, not a task's.
                    self._process = await trio.lowlevel.open_process(
                        [sys.executable, "-I", "-S", script, str(os.getpid())],
                        stdin=theirs,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        start_new_session=True,
                    )
            except OSError as error:
                raise SpawnError(program, cwd, "launcher", error.errno or 0) from error
            undo.pop_all()
        self._door = trio.socket.from_stdlib_socket(ours)
        return self._door

    async def close(self) -> None:
        """
        End the launcher; commands that still run keep their keepers.

        Cancellation:
            Shielded, for at most two seconds.
        """
        if self._door is None or self._process is None:
            return
        process = self._process
        self._door.close()
        self._door = self._process = None
        with trio.move_on_after(_CLEAN_UP, shield=True):
            await process.wait()
            return
        process.kill()
        with trio.move_on_after(_CLEAN_UP, shield=True):
            await process.wait()


# A key, not a state: each trio run has a launcher of its own.
_launcher: Final = trio.lowlevel.RunVar[Launcher]("treadle launcher")


@contextlib.asynccontextmanager
async def open_launcher() -> AsyncGenerator[Launcher]:
    """
    Share one launcher among all commands that run inside this block.

    Blocks may overlap and nest; the launcher starts with the first command and ends
    with the last block.  It takes 15 ms to start and about 8 MB.
    """
    try:
        launcher = _launcher.get()
    except LookupError:
        launcher = Launcher()
        _launcher.set(launcher)
    launcher.holders += 1
    try:
        yield launcher
    finally:
        launcher.holders -= 1
        if not launcher.holders:
            _launcher.set(Launcher())
            with trio.move_on_after(2 * _CLEAN_UP, shield=True):
                await launcher.close()
