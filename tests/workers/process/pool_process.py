"""
A process with two workers, to be killed.

One has an MCP server and runs a command, the other one was stopped.
"""

import os
import signal
import sys
from pathlib import Path

import trio

from .stage import open_client, open_forks

__all__ = ["main"]


async def _run(folder: Path) -> None:
    server = Path(__file__).parents[2] / "scenarios" / "notes_server.py"
    notes = {"command": sys.executable, "args": ["-I", "-S", str(server), str(folder)]}
    async with (
        open_forks(folder, overrides={"mcp_servers": {"notes": notes}}) as forks,
        forks.open_worker(1) as first,
        forks.open_worker(2) as second,
        open_client(first) as client,
    ):
        thread_id = await client.start_thread()
        await client.start_turn(thread_id, "sleep")
        while (await client.until("item/started"))["item"]["type"] != "commandExecution":
            pass
        os.kill(second.pid, signal.SIGSTOP)
        sys.stdout.write(f"{forks.pid} {first.pid} {second.pid}\n")
        sys.stdout.flush()
        await trio.sleep_forever()


def main() -> None:
    """Run until killed."""
    trio.run(_run, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
