"""A server at its standard input and output, with a handler of the tests; run as a program."""

import os
import subprocess
import sys
from contextlib import suppress

import trio

from actors.server.transports.listening import open_listener

from ..rpc_stage import StageHandler, stage_connections


async def main() -> None:
    connections = stage_connections(StageHandler())
    async with open_listener("stdio://", connections) as listener:
        # Nothing of this may come out where the protocol does.
        print("a stray print", flush=True)
        os.write(1, b"a stray write\n")
        await trio.to_thread.run_sync(
            lambda: subprocess.run(["sh", "-c", "echo a stray child; cat"], check=True)
        )
        await listener.wait_closed()
    with suppress(BrokenPipeError):
        os.write(1, b"after\n")


if __name__ == "__main__":
    trio.run(main)
    sys.exit(0)
