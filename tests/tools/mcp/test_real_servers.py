"""Servers that others wrote: with the Python SDK, over both transports, and from npm."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from messages.events import ElicitationRequest
from messages.ops import ElicitationDecision
from messages.tool_settings import McpHttp, McpServerConfig, McpStdio

from ...interop.mcp_servers import everything_server, why_no_mcp_servers
from ..fake_context import FakeContext
from ..processes import MARK

pytestmark = pytest.mark.slow

WITH_SDK = str(Path(__file__).parent / "servers" / "with_sdk.py")


@pytest.fixture(scope="module")
def address():
    """The address of a server over HTTP."""
    with serving() as (_, address):
        yield address


@contextlib.contextmanager
def serving():
    """Run a server over HTTP in a process of its own."""
    argv = [sys.executable, WITH_SDK, "http"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, f"http://127.0.0.1:{int(process.stdout.readline())}/mcp"
        finally:
            process.kill()


def stdio() -> McpServerConfig:
    transport = McpStdio(command=sys.executable, args=(WITH_SDK, "stdio"), env_vars=(MARK,))
    return McpServerConfig(transport=transport, startup_timeout=20)


def http(address: str) -> McpServerConfig:
    transport = McpHttp(url=address, bearer_token_env_var="MCP_TOKEN")
    return McpServerConfig(transport=transport, startup_timeout=20)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("kind", ["stdio", "http"])
async def test_server_with_the_python_sdk_is_served_in_full(kind, address, environ, hold) -> None:
    """Tools, questions, changes of tools, resources; and a token on each request."""
    environ["MCP_TOKEN"] = "abc-def"
    config = stdio() if kind == "stdio" else http(address)
    async with hold(s=config) as held:
        await held.lease.wait_ready()
        context = FakeContext()
        context.elicitation_answers.append(ElicitationDecision.ACCEPT)

        assert (await held.call("mcp__s__add", a=1, b=2)).output == '{"result":3}'
        assert "accept" in (await held.call("mcp__s__confirm", context)).output
        assert context.of(ElicitationRequest)[0].message == "Go on?"
        listed = json.loads((await held.call("list_mcp_resources", server="s")).output)
        assert [entry["uri"] for entry in listed["resources"]] == ["memo://one"]
        read = await held.call("read_mcp_resource", server="s", uri="memo://one")
        assert json.loads(read.output)["contents"][0]["text"] == "the memo"
        bad = await held.call("mcp__s__add", a="x", b=2)
        assert bad.success is False
        await held.call("mcp__s__grow")
        await held.wait_names("mcp__s__add_again")
        if kind == "http":
            assert "Bearer abc-def" in (await held.call("mcp__s__token")).output


@pytest.mark.usefixtures("hurried")
async def test_http_server_that_goes_away_fails_its_calls_and_is_found_again(environ, hold) -> None:
    """The address stays; the session is a new one."""
    environ["MCP_TOKEN"] = "abc-def"
    with serving() as (process, address):
        async with hold(s=http(address)) as held:
            await held.lease.wait_ready()
            add = held.tool("mcp__s__add")

            process.kill()
            process.wait()
            output = await held.call("mcp__s__add", a=1, b=2)

            assert "tool call failed for `s/add`: " in output.output
            while not held.told.states("s")[-1].startswith("MCP client"):
                await held.told.changed.wait()
            assert "could not be reached (ConnectError)" in held.told.states("s")[-1]
            assert add.name not in held.names()


@pytest.fixture
def everything() -> McpServerConfig:
    server = everything_server()
    if server is None:
        pytest.skip(why_no_mcp_servers())
    transport = McpStdio(command="node", args=(str(server), "stdio"), env_vars=(MARK,))
    return McpServerConfig(transport=transport, startup_timeout=20)


async def test_reference_server_of_the_protocol_works(everything, hold) -> None:
    """Written with the TypeScript SDK, with every kind of content."""
    async with hold(e=everything) as held:
        await held.lease.wait_ready()

        echo = await held.call("mcp__e__echo", message="hi")
        assert json.loads(echo.output) == [{"type": "text", "text": "Echo: hi"}]
        image = await held.call("mcp__e__get-tiny-image")
        assert any("data:image/png;base64," in str(part) for part in image.output)
        structured = await held.call("mcp__e__get-structured-content", location="Chicago")
        assert "temperature" in json.loads(structured.output)
        listing = await held.lease.listing()
        assert listing.resources["e"]
        assert listing.resource_templates["e"]


async def test_reference_server_forgets_an_interrupted_call(everything, hold) -> None:
    """The next call is answered while the long one would still run."""
    config = attrs.evolve(everything, tool_timeout=1)
    async with hold(e=config) as held:
        await held.lease.wait_ready()

        name = "mcp__e__trigger-long-running-operation"
        output = await held.call(name, duration=20, steps=2)

        assert "timed out after 1 seconds" in output.output
        assert (await held.call("mcp__e__echo", message="hi")).success
