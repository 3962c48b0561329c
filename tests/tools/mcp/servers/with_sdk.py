"""
A server written with the Python SDK: ``stdio``, or ``http``, which prints its port.

Takes a second to start, which is the SDK's import; so few tests use it.
"""

import socket
import sys

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel

server = MCPServer("with-sdk", log_level="ERROR")


class Nothing(BaseModel):
    """A form without fields."""


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
async def confirm(ctx: Context) -> str:
    """Ask whether to go on."""
    answer = await ctx.elicit("Go on?", Nothing)
    return answer.action


@server.tool()
async def grow(ctx: Context) -> str:
    """Add one more tool."""
    server.add_tool(add, name="add_again")
    await ctx.session.send_tool_list_changed()
    return "grown"


@server.tool()
def token(ctx: Context) -> str:
    """Say which token came along."""
    return ctx.request_context.request.headers.get("authorization", "none")


@server.resource("memo://one")
def one() -> str:
    """The only resource."""
    return "the memo"


def main() -> None:
    if sys.argv[1] == "stdio":
        server.run()
        return
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.listen()  # whoever reads the port may connect before uvicorn is up
    sys.stdout.write(f"{door.getsockname()[1]}\n")
    sys.stdout.flush()
    app = server.streamable_http_app()
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[door])


if __name__ == "__main__":
    main()
