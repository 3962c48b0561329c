"""A small MCP server over stdio, for the bench: one tool, and no packages."""

import json
import sys
from typing import Any, Final

_TOOL: Final[dict[str, Any]] = {
    "name": "say",
    "description": "Say something.",
    "inputSchema": {"type": "object", "properties": {}},
}


def _result(message: dict[str, Any]) -> object:
    match message["method"]:
        case "initialize":
            return {
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "small", "version": "1"},
            }
        case "tools/list":
            return {"tools": [_TOOL]}
        case _:
            return {}


def main() -> None:
    """Answer until nobody asks."""
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message and "method" in message:
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": _result(message)}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
