"""
A small MCP server by hand, on standard input and output: it keeps one note.

It has a tool that adds a line, a resource that is the note, and a template.  Run as
``python3 -I -S notes_server.py``; starts in 20 ms, as it imports no SDK.
"""

import json
import sys

LINES = ["milk"]

TOOL = {
    "name": "add_line",
    "description": "Add a line to the note.",
    "inputSchema": {
        "type": "object",
        "properties": {"line": {"type": "string"}},
        "required": ["line"],
    },
}
RESOURCE = {"uri": "note://shopping", "name": "shopping", "mimeType": "text/plain"}
TEMPLATE = {"uriTemplate": "note://{name}", "name": "note"}


def add_line(arguments):
    if not arguments.get("line"):
        return {"content": [{"type": "text", "text": "an empty line"}], "isError": True}
    LINES.append(arguments["line"])
    return {"content": [{"type": "text", "text": f"The note has {len(LINES)} lines."}]}


def read_note(params):
    text = "\n".join(LINES)
    return {"contents": [{"uri": params["uri"], "mimeType": "text/plain", "text": text}]}


ANSWERS = {
    "initialize": lambda params: {
        "protocolVersion": params["protocolVersion"],
        "capabilities": {"tools": {}, "resources": {}},
        "serverInfo": {"name": "notes", "version": "1"},
    },
    "ping": lambda params: {},
    "tools/list": lambda params: {"tools": [TOOL]},
    "tools/call": lambda params: add_line(params.get("arguments") or {}),
    "resources/list": lambda params: {"resources": [RESOURCE]},
    "resources/templates/list": lambda params: {"resourceTemplates": [TEMPLATE]},
    "resources/read": read_note,
}


def main():
    for line in sys.stdin:
        question = json.loads(line)
        if "id" not in question or "method" not in question:
            continue  # a notification, or an answer
        result = ANSWERS[question["method"]](question.get("params") or {})
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": result}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
