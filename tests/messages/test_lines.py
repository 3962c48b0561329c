"""Lines of a rollout: the envelope, its checksum, and what cannot be read."""

import inspect
import sys
import zlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.codec import decode_item, decode_line, encode_line, from_json, to_json
from messages.errors import DecodeError
from messages.events import AgentMessage, EventMsg
from messages.rollout import CompactedItem, RolloutItem, RolloutLine, UnknownRecord

from .golden_events import EVENTS
from .same_json import same_json

TIMESTAMP = "2026-02-11T09:30:00.000Z"
ITEM = AgentMessage(message="hello")
LINE = encode_line(ITEM, timestamp=TIMESTAMP, seq=12)
BODY = (
    b'"seq":12,"timestamp":"2026-02-11T09:30:00.000Z","type":"event_msg",'
    b'"payload":{"type":"agent_message","message":"hello"}}'
)


def outcome(line: bytes, *, item_only: bool) -> RolloutItem | tuple[str, str]:
    """What a line holds, or where and why it is refused."""
    try:
        return decode_item(line) if item_only else decode_line(line).item
    except DecodeError as exc:
        return exc.path, str(exc)


def line_of(**members: Any) -> bytes:
    return orjson.dumps({"timestamp": TIMESTAMP, **members})


def test_line_begins_with_the_checksum_of_the_rest() -> None:
    """The checksum covers all that stands behind it, up to the newline."""
    expected = b'{"crc":"%08x",%b\n' % (zlib.crc32(BODY), BODY)

    assert encode_line(ITEM, timestamp=TIMESTAMP, seq=12) == expected


def test_checksum_is_right_whatever_the_length() -> None:
    """The brace that is not part of the body counts for nothing."""
    for length in range(70):
        line = encode_line(AgentMessage(message="x" * length), timestamp=TIMESTAMP, seq=length)

        assert line[8:16] == b"%08x" % zlib.crc32(line[18:-1])


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_line_is_read_whatever_its_end(end: bytes) -> None:
    """A lost or changed newline is no damage."""
    crc = f"{zlib.crc32(BODY):08x}"

    read = decode_line(LINE.rstrip() + end)

    assert read == RolloutLine(timestamp=TIMESTAMP, item=ITEM, seq=12, crc=crc)


def test_line_is_refused_when_any_byte_changed() -> None:
    """A changed byte is found wherever it is, and never read as something else."""
    for position in {*range(len(LINE) - 1)} - {2, 3, 4}:
        damaged = bytearray(LINE)
        damaged[position] ^= 0x01

        with pytest.raises(DecodeError):
            decode_line(bytes(damaged))


def test_line_is_read_when_only_the_name_of_its_checksum_changed() -> None:
    """Then it looks like another program's line, and what it says is whole."""
    assert decode_line(LINE.replace(b"crc", b"crb")).item == ITEM


@pytest.mark.parametrize("length", [1, 20, len(LINE) - 2])
def test_line_is_refused_when_it_was_cut(length: int) -> None:
    """A torn line is no line."""
    with pytest.raises(DecodeError, match="no JSON"):
        decode_line(LINE[:length])


def test_line_says_its_checksum_is_wrong_when_it_is_still_json() -> None:
    """Damage inside of a text is told apart from rubbish."""
    with pytest.raises(DecodeError, match="the line was damaged") as caught:
        decode_line(LINE.replace(b"hello", b"hallo"))

    assert caught.value.path == "$.crc"


def test_checksum_elsewhere_in_a_line_is_not_looked_at() -> None:
    """Only a line that begins with its checksum is ours."""
    line = line_of(type="event_msg", payload={"type": "shutdown_complete"}, crc="00000000")

    assert decode_line(line).crc == "00000000"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"", "no JSON"),
        (b"\n", "no JSON"),
        (b"[]", "expected an object, got a list at $"),
        (b'"x"', "expected an object, got text 'x' at $"),
        (b"{}", "required member is missing at $.timestamp"),
        (line_of(), "required member is missing at $.type"),
        (line_of(type="event_msg"), "required member is missing at $.payload"),
        (line_of(type=5, payload={}), "expected text, got int 5 at $.type"),
        (line_of(type=["event_msg"], payload={}), "expected text, got a list at $.type"),
        (b'{"timestamp":1,"type":"x","payload":1}', "expected text, got int 1 at $.timestamp"),
        (b'{"timestamp":"\xff"}', "no JSON"),
        (b"[" * 2000, "no JSON"),
    ],
)
def test_line_is_refused_when_it_is_no_envelope(line: bytes, text: str) -> None:
    """Without time, kind and payload there is no record."""
    with pytest.raises(DecodeError) as caught:
        decode_line(line)

    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "payload", "reason"),
    [
        ("world_state", {"full": True}, ""),
        ("world_state", None, ""),
        ("world_state", {"type": "agent_message", "message": "m"}, ""),
        ("event_msg", {"type": "agent_message"}, "required member is missing at $.message"),
        ("event_msg", None, "expected an object, got null at $"),
        ("event_msg", "x", "expected an object, got text 'x' at $"),
        ("event_msg", {"type": []}, "expected text, got a list at $.type"),
        (
            "response_item",
            {"type": "message", "role": "u"},
            "required member is missing at $.content",
        ),
        ("response_item", [], "expected an object, got a list at $"),
        ("session_meta", {}, "required member is missing at $.id"),
        ("turn_context", {"cwd": 1}, "expected text, got int 1 at $.cwd"),
        ("compacted", {"message": None}, "expected text, got null at $.message"),
    ],
)
def test_record_is_carried_along_when_it_cannot_be_read(
    kind: str, payload: Any, reason: str
) -> None:
    """A record of the future loads, says why it is not understood, and goes back unchanged."""
    line = line_of(type=kind, payload=payload)

    read = decode_line(line)

    assert read.item == UnknownRecord(kind=kind, payload=payload, reason=reason)
    assert same_json(to_json(read), orjson.loads(line))
    again = decode_line(encode_line(read.item, timestamp=TIMESTAMP, seq=0))
    assert again.item == read.item


def test_record_is_carried_along_when_it_is_nested_too_deep() -> None:
    """Depth inside of a payload costs that record only."""
    raw: Any = {"type": "shutdown_complete"}
    session = next(raw for _, raw in EVENTS if raw["type"] == "session_configured")
    for _ in range(5000):
        raw = {**session, "initial_messages": [raw]}

    read = from_json({"timestamp": TIMESTAMP, "type": "event_msg", "payload": raw}, RolloutLine)

    assert read.item.reason == "nested too deep"


@pytest.mark.parametrize("foreign", [{"seq": "three"}, {"seq": None}, {"crc": 5}, {"crc": None}])
def test_members_of_other_programs_are_kept_when_they_mean_something_else(foreign: Any) -> None:
    """Our own additions are no claim on these names."""
    line = line_of(type="event_msg", payload={"type": "shutdown_complete"}, **foreign)

    read = decode_line(line)

    assert (read.seq, read.crc) == (None, None)
    assert same_json(to_json(read), orjson.loads(line))


def test_unknown_members_of_a_line_are_kept() -> None:
    """A newer envelope loses nothing."""
    raw = {
        "timestamp": TIMESTAMP,
        "ordinal": 3,
        "type": "event_msg",
        "payload": {"type": "shutdown_complete"},
        "metadata": {"a": None},
    }

    read = decode_line(orjson.dumps(raw))

    assert read.extra == {"ordinal": 3, "metadata": {"a": None}}
    assert same_json(to_json(read), raw)


def test_time_and_kind_are_escaped() -> None:
    """Whatever the caller gives as time, the line stays one JSON object."""
    line = encode_line(ITEM, timestamp='no"time\n', seq=0)

    assert decode_line(line).timestamp == 'no"time\n'
    assert isinstance(from_json(orjson.loads(line)["payload"], EventMsg), AgentMessage)


# One each: with and without a tag, of unknown kind, with a payload that does not fit, of
# another program, and with members of ours in other places than ours.
VARIED = [
    LINE,
    encode_line(CompactedItem(message="so far"), timestamp=TIMESTAMP, seq=0),
    encode_line(UnknownRecord(kind="future", payload=[1]), timestamp=TIMESTAMP, seq=1),
    encode_line(UnknownRecord(kind="event_msg", payload={"type": "error"}), timestamp="", seq=2),
    line_of(type="event_msg", payload={"type": "shutdown_complete"}),
    line_of(type="event_msg", payload={"type": "shutdown_complete"}, crc="00000000"),
    line_of(type="event_msg", payload={"type": "shutdown_complete"}, crc=5),
    line_of(type="compacted", payload={"message": "m"}, crc=None, seq="three"),
    b'{"crc":"yes","timestamp":"","type":"compacted","payload":{"message":"m"}}\n',
    b'{"crc":7,"timestamp":"","type":"compacted","payload":{"message":"m"}}\n',
    b'{"timestamp":1,"type":"x","payload":1}',
    b'{"timestamp":"","type":5,"payload":1}',
    b'{"timestamp":"","type":[],"payload":{"type":[]}}',
    b'{"timestamp":"","type":"event_msg"}',
    b'[{"timestamp":""}]',
    b"\n",
]


@pytest.mark.parametrize("line", VARIED)
def test_item_alone_is_the_same_whatever_becomes_of_any_byte(line: bytes) -> None:
    """The short way reads what the long way reads, and refuses what it refuses."""
    assert outcome(line, item_only=True) == outcome(line, item_only=False)
    for position in range(len(line)):
        for bit in (0x01, 0x10, 0x20, 0x80):
            damaged = bytearray(line)
            damaged[position] ^= bit
            changed = bytes(damaged)

            assert outcome(changed, item_only=True) == outcome(changed, item_only=False)
        cut = line[:position]
        assert outcome(cut, item_only=True) == outcome(cut, item_only=False)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n", b" \n"])
def test_item_alone_is_read_whatever_the_end_of_its_line(end: bytes) -> None:
    """A lost newline, or another platform's, is no damage; white space that was added is."""
    line = LINE.rstrip() + end

    assert outcome(line, item_only=True) == outcome(line, item_only=False)
    assert (outcome(line, item_only=True) == ITEM) is (end != b" \n")


@given(
    line=st.sampled_from(VARIED),
    flips=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 255)), max_size=4),
)
def test_item_alone_is_the_same_under_any_damage(line: bytes, flips: list[tuple[int, int]]) -> None:
    """Also when several bytes changed at once."""
    damaged = bytearray(line)
    for position, mask in flips:
        damaged[position % len(line)] ^= mask

    assert outcome(bytes(damaged), item_only=True) == outcome(bytes(damaged), item_only=False)


@pytest.mark.parametrize("raw", [raw for _, raw in EVENTS])
def test_item_alone_is_the_same_for_every_event(raw: Any) -> None:
    """The table of readers by tag holds what the union of all events holds."""
    line = line_of(type="event_msg", payload=raw)

    assert decode_item(line) == decode_line(line).item


def test_item_alone_is_carried_along_when_it_is_nested_too_deep() -> None:
    """Depth inside of a payload costs that record only, here as well."""
    session = next(raw for _, raw in EVENTS if raw["type"] == "session_configured")
    head, tail = orjson.dumps({**session, "initial_messages": [0]}).split(b"[0]")
    payload = (head + b"[") * 400 + b'{"type":"shutdown_complete"}' + (b"]" + tail) * 400
    line = b'{"timestamp":"","type":"event_msg","payload":%b}' % payload
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        item = decode_item(line)
    finally:
        sys.setrecursionlimit(usual)

    assert isinstance(item, UnknownRecord)
    assert item.reason == "nested too deep"
