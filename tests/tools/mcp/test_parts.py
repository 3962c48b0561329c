"""The pure parts: names, lines, results, launches, texts."""

import pickle

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.tools.mcp.errors import (
    McpCallError,
    McpServerLost,
    McpStartError,
    RequiredServersFailed,
    StartProblem,
)
from actors.tools.mcp.launch import Secrets, prepare_launch, server_key
from actors.tools.mcp.message_lines import MessageLines, TooLong
from actors.tools.mcp.names import qualified_names
from actors.tools.mcp.plain_json import plain_json
from actors.tools.mcp.results import KEPT_BYTES, read_result, tool_output
from actors.tools.mcp.startup_texts import friendly_text
from messages.content import InputImage
from messages.tool_settings import McpHttp, McpServerConfig, McpStdio

# Names ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "tool", "name"),
    [
        ("server1", "tool1", "mcp__server1__tool1"),
        (
            "my_server",
            "extremely_lengthy_function_name_that_absolutely_surpasses_all_reasonable_limits",
            "mcp__my_server__extremel119a2b97664e41363932dc84de21e2ff1b93b3e9",
        ),
        ("server.one", "tool.two", "mcp__server_one__tool_two"),
        ("s", "", "mcp__s__"),
    ],
)
def test_name_of_a_tool_has_the_form_of_the_reference(server: str, tool: str, name: str) -> None:
    """Models and rollouts know these forms."""
    assert qualified_names([(server, tool)]) == {(server, tool): name}


_PAIRS = st.tuples(
    st.text("ab_-", min_size=1, max_size=6), st.text("ab_-. ä\n", max_size=6) | st.text(max_size=80)
)


@settings(max_examples=40)
@given(st.lists(_PAIRS, max_size=8), st.randoms(use_true_random=False))
def test_names_are_told_apart_whatever_the_order(pairs, random) -> None:
    """Each fits what models take, no two are equal, and the order does not matter."""
    names = qualified_names(pairs)
    shuffled = list(pairs)
    random.shuffle(shuffled)

    assert set(names) == set(pairs)
    assert len(set(names.values())) == len(names)
    assert all(len(name) <= 64 and name.replace("-", "_").isidentifier() for name in names.values())
    assert qualified_names(shuffled) == names


def test_clash_across_servers_gives_both_another_name() -> None:
    """Also where the raw names are the same, and where a tool has the name of a hash."""
    pair, other = ("a", "b__c"), ("a__b", "c")
    hashed = qualified_names([pair, other])[pair]
    thief = ("a", hashed.removeprefix("mcp__a__"))

    names = qualified_names([pair, other, thief])

    assert len(set(names.values())) == 3
    assert "mcp__a__b__c" not in names.values()


# Lines ---------------------------------------------------------------------


@given(
    st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), max_size=8),
    st.lists(st.integers(1, 9)),
)
def test_lines_come_whole_however_they_are_cut(lines, sizes) -> None:
    """Pieces end anywhere; what is too long is not kept."""
    stream = b"".join(line + b"\n" for line in lines)
    reader, found = MessageLines(limit_bytes=20), []
    for size in [*sizes, len(stream) + 1]:
        found.extend(reader.feed(stream[:size]))
        stream = stream[size:]

    assert found == [line if len(line) <= 20 else TooLong(None) for line in lines]


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":"%s"}', 7),
        (b'{"id" : 8, "result":"%s"}', 8),
        (b'{"result":"%s","jsonrpc":"2.0","id":9}', 9),
        (b'{"result":"%s","id":10,"jsonrpc":"2.0"}', 10),
        (b'{"result":"%s","id":"11"}', None),
        (b'{"result":{"id":12},"x":"%s"}', None),
    ],
)
def test_question_of_a_line_that_is_too_long_is_seen_where_it_can_be(line, number) -> None:
    """In front or at the end, as the usual libraries write it."""
    whole = line % (b'\\"id\\":1,' * 1000)

    assert list(MessageLines(limit_bytes=500).feed(whole + b"\n")) == [TooLong(number)]


def test_line_without_end_is_given_up_at_eight_times_the_limit() -> None:
    """It is not waited for."""
    lines = MessageLines(limit_bytes=10)

    assert list(lines.feed(b"x" * 80)) == []
    assert list(lines.feed(b"x")) == [TooLong(None)]


# Results -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "output", "success"),
    [
        ({"content": []}, "[]", True),
        ({"content": [], "isError": True}, "[]", False),
        ({"content": [{"type": "text", "text": "a"}], "structuredContent": None}, '[{"type":"text","text":"a"}]', True),
        ({"content": [], "structuredContent": {"a": 1}}, '{"a":1}', True),
        ({"content": [{"type": "image", "data": "data:x"}]}, (InputImage(image_url="data:x"),), True),
        ({"content": [{"type": "image", "data": "A"}]}, (InputImage(image_url="data:application/octet-stream;base64,A"),), True),
    ],
)  # fmt: skip
def test_result_becomes_what_the_model_reads(raw, output, success) -> None:
    """Structured content first, then parts when there is an image, else the JSON of the content."""
    answer = tool_output(read_result(raw))

    assert (answer.output, answer.success) == (output, success)


def test_result_below_the_limit_is_kept_whole_and_above_it_is_cut() -> None:
    """Texts are cut, other parts are left out; structured content is dropped first."""
    room = KEPT_BYTES - len(orjson.dumps({"content": [{"type": "text", "text": ""}]}))
    whole = {"content": [{"type": "text", "text": "x" * room}]}
    over = {
        "content": [{"type": "text", "text": "x" * (room + 100)}],
        "structuredContent": {"a": 1},
    }
    image = {
        "content": [{"type": "text", "text": "a"}, {"type": "image", "data": "x" * KEPT_BYTES}]
    }
    only = {"content": [], "structuredContent": ["ä" * KEPT_BYTES]}

    assert read_result(whole).content == tuple(whole["content"])
    assert read_result(over).content[0]["text"].endswith("are kept>")
    assert read_result(over).structured_content is None
    assert [block["type"] for block in read_result(image).content] == ["text", "text"]
    for raw in (over, image, only):
        assert len(orjson.dumps(attrs.asdict(read_result(raw)))) <= KEPT_BYTES


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=60)
@given(_JSON | st.integers(min_value=2**63))
def test_whatever_a_server_sends_can_be_written_down(value) -> None:
    """The codec would crash the thread otherwise."""
    orjson.dumps(plain_json(value))


# Launches and texts ----------------------------------------------------------


def test_server_gets_the_usual_variables_and_those_that_it_is_given() -> None:
    """In this order; what is not set is not handed on."""
    stdio = McpStdio(command="x", env={"A": "1", "PATH": "/p"}, env_vars=("B", "C"))
    environ = {"PATH": "/bin", "HOME": "/h", "B": "2", "OTHER": "no"}

    launch = prepare_launch(McpServerConfig(transport=stdio), "/cwd", environ)

    assert launch.way.env == {"PATH": "/p", "HOME": "/h", "A": "1", "B": "2"}
    assert launch.way.cwd == "/cwd"


def test_what_a_launch_holds_is_not_shown() -> None:
    """Whoever prints it."""
    stdio = McpStdio(command="x", env={"A": "secret-1"})
    http = McpHttp(url="https://u:secret-2@h/?k=secret-3", http_headers={"X": "secret-4"})

    for transport, secrets in ((stdio, "secret-1"), (http, "secret-2 secret-3 secret-4")):
        launch = prepare_launch(McpServerConfig(transport=transport), "/", {})
        assert "secret-" not in repr(launch)
        assert "secret-" not in launch.secrets.hide(secrets)


def test_longer_secrets_are_hidden_first() -> None:
    """Otherwise a rest of them would stay."""
    secrets = Secrets.of(["abcd", "abcdef", "x", "Bearer tok-en"])

    assert secrets.hide("abcdef abcd x tok-en") == "[hidden] [hidden] x [hidden]"


def test_only_servers_of_one_configuration_are_shared() -> None:
    """Which tools are offered, and whether it is required, is each thread's own matter."""
    base = McpServerConfig(transport=McpStdio(command="x", env={"A": "1", "B": "2"}))
    same = McpServerConfig(
        transport=McpStdio(command="x", env={"B": "2", "A": "1"}),
        required=True,
        enabled_tools=("t",),
    )

    assert server_key(base, "/a") == server_key(same, "/a") != server_key(base, "/b")
    assert server_key(base, "/a") != server_key(attrs.evolve(base, tool_timeout=1), "/a")


@pytest.mark.parametrize(
    ("config", "error", "text"),
    [
        (McpHttp(url="https://api.githubcopilot.com/mcp/"), McpStartError("x"), "personal access token"),
        (McpHttp(url="https://h/"), McpStartError("no", StartProblem.LOGIN), "MCP client for `s` failed to start: no. Put an access token"),
        (McpHttp(url="https://h/"), McpStartError("boom"), "MCP client for `s` failed to start: boom"),
        (McpHttp(url="https://h/"), McpStartError("t", StartProblem.TIMED_OUT), "MCP client for `s` timed out after 10 seconds."),
    ],
)  # fmt: skip
def test_failed_start_reads_with_the_way_out(config, error, text) -> None:
    """What is wrong and, where we know it, what helps."""
    assert text in friendly_text("s", McpServerConfig(transport=config), error)


@pytest.mark.parametrize(
    "error",
    [
        McpCallError("a"),
        McpServerLost("b"),
        McpStartError("c", StartProblem.LOGIN),
        RequiredServersFailed({"s": "why"}),
    ],
)
def test_error_survives_a_pickle(error: Exception) -> None:
    """With everything that it says."""
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
