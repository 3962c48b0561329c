"""
A small MCP server by hand, on standard input and output, which can also behave badly.

Run as ``python -I -S plain.py MODE``; starts in 20 ms, as it imports no SDK.  Each tool of
the usual mode is a behaviour; the other modes are servers that misbehave from the start.
"""

import json
import os
import signal
import subprocess
import sys
import time

PROTOCOL = "2025-06-18"


def send(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def answer(question, result):
    send({"jsonrpc": "2.0", "id": question["id"], "result": result})


def refuse(question, text, code=-32603):
    send({"jsonrpc": "2.0", "id": question["id"], "error": {"code": code, "message": text}})


def text(words):
    return {"content": [{"type": "text", "text": words}]}


def tool(name, schema=None, description="A tool."):
    return {
        "name": name,
        "description": description,
        "inputSchema": schema or {"type": "object"},
    }


def read():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)


# What the tools do.  Each gets the question; it may read on by itself.


def echo(question):
    answer(question, text(json.dumps(question["params"].get("arguments"))))


def who(question):
    answer(question, text(str(os.getpid())))


def where(question):
    answer(question, text(os.environ["PWD"]))


def env(question):
    answer(question, text(json.dumps(dict(os.environ))))


def image(question):
    blocks = [
        {"type": "text", "text": "look"},
        {"type": "image", "data": "AAAA", "mimeType": "image/png"},
        {"type": "resource_link", "uri": "file:///x", "name": "x"},
    ]
    answer(question, {"content": blocks})


def structured(question):
    answer(question, {**text("no"), "structuredContent": {"a": [1, None], "big": 2**70}})


def failing(question):
    answer(question, {**text("it did not work"), "isError": True})


def refused(question):
    refuse(question, "no: " + os.environ.get("SECRET", "nothing"))


def hang(question):
    while True:
        message = read()
        if message.get("method") == "notifications/cancelled":
            return
        serve(message)


def die(question):
    sys.stderr.write("the dying server has " + os.environ.get("SECRET", "no secret") + "\n")
    sys.stderr.flush()
    os._exit(3)


def big(question):
    answer(question, text("x" * question["params"]["arguments"]["bytes"]))


def bigger_id_at_end(question):
    sys.stdout.write('{"result":' + json.dumps(text("x" * 9_000_000)))
    sys.stdout.write(f',"jsonrpc":"2.0","id":{question["id"]}}}\n')
    sys.stdout.flush()


def nonsense_result(question):
    answer(question, {"content": "not a list"})


def unreadable(question):
    sys.stdout.write("{this is not json\n[1, 2]\n" + '{"jsonrpc":"2.0"}\n')
    answer(question, text("still here"))


def chatty(question):
    for _ in range(200):
        sys.stderr.write("e" * 10_000)
    sys.stderr.flush()
    answer(question, text("done"))


def ask(question):
    count = question["params"].get("arguments", {}).get("count", 1)
    got = []
    for number in range(count):
        params = {
            "message": f"question {number}",
            "requestedSchema": {"type": "object", "properties": {}},
        }
        send(
            {"jsonrpc": "2.0", "id": f"q{number}", "method": "elicitation/create", "params": params}
        )
    while len(got) < count:
        message = read()
        if "method" in message:
            if message["method"] == "notifications/cancelled":
                return
            serve(message)
        else:
            got.append(message["result"])
    answer(question, text(json.dumps(got)))


def change(question):
    TOOLS["late"] = echo
    send({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    answer(question, text("changed"))


TOOLS = {
    function.__name__: function
    for function in (
        ask, big, bigger_id_at_end, change, chatty, die, echo, env, failing, hang, image,
        nonsense_result, refused, structured, unreadable, where, who,
    )
}  # fmt: skip

RESOURCES = [{"uri": f"memo://{number}", "name": f"memo {number}"} for number in range(3)]
TEMPLATES = [{"uriTemplate": "memo://{number}", "name": "memo"}]


def list_tools(question):
    answer(question, {"tools": [tool(name) for name in TOOLS]})


def list_resources(question):
    cursor = question.get("params", {}).get("cursor")
    page = int(cursor or 0)
    result = {"resources": RESOURCES[page : page + 2]}
    if page + 2 < len(RESOURCES):
        result["nextCursor"] = str(page + 2)
    answer(question, result)


def read_resource(question):
    uri = question["params"]["uri"]
    answer(question, {"contents": [{"uri": uri, "text": f"this is {uri}"}]})


def call_tool(question):
    TOOLS[question["params"]["name"]](question)


METHODS = {
    "tools/list": list_tools,
    "tools/call": call_tool,
    "resources/list": list_resources,
    "resources/templates/list": lambda question: answer(question, {"resourceTemplates": TEMPLATES}),
    "resources/read": read_resource,
    "ping": lambda question: answer(question, {}),
}


def initialize(question, version=PROTOCOL):
    answer(
        question,
        {
            "protocolVersion": version,
            "capabilities": {"tools": {"listChanged": True}, "resources": {}},
            "serverInfo": {"name": "plain", "version": "1"},
        },
    )


def serve(message):
    if "id" not in message or "method" not in message:
        return
    if message["method"] == "initialize":
        initialize(message)
    elif message["method"] in METHODS:
        METHODS[message["method"]](message)
    else:
        refuse(message, "Method not found", -32601)


def serve_for_ever():
    while True:
        serve(read())


# Modes -------------------------------------------------------------------


def mute():
    while True:
        time.sleep(60)


def silent_list():
    METHODS["tools/list"] = lambda _: None
    serve_for_ever()


def rubbish():
    while True:
        sys.stdout.write("this is a log line\n" * 100)
        sys.stdout.flush()


def endless_line():
    while True:
        sys.stdout.write("x" * 1_000_000)
        sys.stdout.flush()


def banner():
    sys.stdout.write("> server@1.0.0 start\n\nlistening\n")
    sys.stdout.flush()
    serve_for_ever()


def leave():
    sys.stderr.write("\x1b[31mcannot\x07 start\nbecause of " + os.environ.get("SECRET", "x") + "\n")
    sys.exit(7)


def close():
    os.close(1)
    os.close(0)
    mute()


def old():
    initialize(read(), "1999-01-01")
    serve_for_ever()


def refusing():
    refuse(read(), "not today")
    serve_for_ever()


def wrong_answer():
    answer(read(), ["nothing", "of", "the", "kind"])
    serve_for_ever()


def stubborn():
    """Ignores the end of its input and SIGTERM, and has a grandchild in a session of its own."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, "mute"],
        start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while True:
        line = sys.stdin.readline()
        if line:
            serve(json.loads(line))
        else:
            time.sleep(60)


def flapping():
    """Becomes ready, and ends a moment after its tools were listed."""
    serve(read())
    while (message := read()).get("method") != "tools/list":
        serve(message)
    serve(message)
    os._exit(9)


def once():
    """Runs well the first time; from the second time on it does not start."""
    flag = sys.argv[2]
    if os.access(flag, os.F_OK):
        leave()
    os.mknod(flag)
    serve_for_ever()


def lists(tools):
    def mode():
        METHODS["tools/list"] = lambda question: answer(question, {"tools": tools})
        serve_for_ever()

    return mode


def circles():
    METHODS["tools/list"] = lambda question: answer(
        question, {"tools": [tool("a")], "nextCursor": "again"}
    )
    METHODS["resources/list"] = lambda question: answer(
        question, {"resources": RESOURCES, "nextCursor": "again"}
    )
    serve_for_ever()


def endless_list():
    def pages(question):
        page = int(question["params"].get("cursor") or 0) if question.get("params") else 0
        tools = [tool(f"t{page}_{number}") for number in range(20)]
        answer(question, {"tools": tools, "nextCursor": str(page + 1)})

    METHODS["tools/list"] = pages
    serve_for_ever()


def deaf():
    """Lists its tools, and reads no more."""
    while (message := read()).get("method") != "tools/list":
        serve(message)
    serve(message)
    mute()


def modern():
    """Speaks only the protocol of 2026: no handshake, questions inside of results, notices asked for."""
    version = "2026-07-28"
    done = {"resultType": "complete"}
    fresh = {**done, "ttlMs": 0, "cacheScope": "private"}
    names = ["confirm", "grow"]
    listening = []

    def discover(question):
        versions = {
            "supportedVersions": [version],
            "capabilities": {"tools": {"listChanged": True}},
        }
        answer(question, {**versions, **fresh})

    def listing(question):
        answer(question, {"tools": [tool(name) for name in names], **fresh})

    def call(question):
        params = question["params"]
        if params["name"] == "grow":
            names.append("grown")
            meta = {"io.modelcontextprotocol/subscriptionId": listening[0]}
            send(
                {
                    "jsonrpc": "2.0",
                    "method": "notifications/tools/list_changed",
                    "params": {"_meta": meta},
                }
            )
            answer(question, {**text("grown"), **done})
        elif "inputResponses" in params:
            words = json.dumps([params["inputResponses"], params["requestState"]])
            answer(question, {**text(words), **done})
        else:
            form = {"message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}}
            asked = {"one": {"method": "elicitation/create", "params": {"mode": "form", **form}}}
            result = {"resultType": "input_required", "inputRequests": asked, "requestState": "s"}
            answer(question, result)

    def listen(question):
        listening.append(question["id"])
        meta = {"io.modelcontextprotocol/subscriptionId": question["id"]}
        params = {"_meta": meta, "notifications": question["params"]["notifications"]}
        send(
            {
                "jsonrpc": "2.0",
                "method": "notifications/subscriptions/acknowledged",
                "params": params,
            }
        )

    unsupported = {"supported": [version], "requested": PROTOCOL}
    while True:
        message = read()
        match message.get("method"):
            case "initialize":
                error = {"code": -32022, "message": "too old", "data": unsupported}
                send({"jsonrpc": "2.0", "id": message["id"], "error": error})
            case "server/discover":
                discover(message)
            case "tools/list":
                listing(message)
            case "tools/call":
                call(message)
            case "subscriptions/listen":
                listen(message)


MODES = {
    "usual": serve_for_ever,
    "many": lists([tool(f"t{number}") for number in range(5000)]),
    "odd": lists([tool("a.b"), tool("a_b"), tool("ä ☃"), tool(""), tool("x" * 100), tool("a.b")]),
    "liar": lists(
        [
            tool("good"),
            tool("of_numbers", {"type": "object", "properties": {"a": {"type": "numbers"}}}),
            tool("no_object", {"type": "array", "items": {}}),
            tool("properties", {"type": "object", "properties": 7}),
            tool("deep", json.loads('{"type":"object","properties":{"a":' * 70 + "{}" + "}}" * 70)),
            tool("fat", description="d" * 100_000),
        ]
    ),
    "banner": banner, "circles": circles, "close": close, "deaf": deaf,
    "endless_line": endless_line, "endless_list": endless_list, "flapping": flapping,
    "leave": leave, "modern": modern, "mute": mute, "old": old, "once": once, "refusing": refusing,
    "rubbish": rubbish, "silent_list": silent_list, "stubborn": stubborn,
    "wrong_answer": wrong_answer,
}  # fmt: skip

if __name__ == "__main__":
    MODES[sys.argv[1]]()
