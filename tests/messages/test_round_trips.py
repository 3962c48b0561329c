"""Every message survives the codec, whatever it holds."""

import pickle
from typing import Any, get_args

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messages.codec import decode, decode_line, encode, encode_line, from_json, to_json
from messages.codec.assembly import the_codec
from messages.codec.fields import Presence, alternatives, fields_of
from messages.codec.shape import Shape
from messages.events import EventMsg
from messages.items import ResponseItem
from messages.rollout import CompactedItem, RolloutLine, SessionMeta, TurnContextItem
from messages.value import Value

from .all_classes import MESSAGE_CLASSES
from .same_json import same_json
from .strategies import messages_of, unknown_members

FEW = settings(
    max_examples=5,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
CLASSES = pytest.mark.parametrize("cls", MESSAGE_CLASSES, ids=lambda cls: cls.__name__)
RECORD_CLASSES = [
    cls
    for cls in (
        SessionMeta,
        TurnContextItem,
        CompactedItem,
        *get_args(ResponseItem),
        *get_args(EventMsg),
    )
    if not cls.__name__.startswith("Unknown")
]


@CLASSES
@FEW
@given(data=st.data())
def test_message_survives_when_written_and_read(cls: type, data: st.DataObject) -> None:
    """What was written is read as an equal value, by way of objects, bytes and pickles."""
    value = data.draw(messages_of(cls))

    assert from_json(to_json(value), cls) == value
    assert decode(encode(value), cls) == value
    assert pickle.loads(pickle.dumps(value)) == value


@pytest.mark.parametrize("cls", RECORD_CLASSES, ids=lambda cls: cls.__name__)
@FEW
@given(data=st.data())
def test_record_survives_when_it_goes_through_a_line(cls: type, data: st.DataObject) -> None:
    """A line holds its record, its place and its time."""
    item = data.draw(messages_of(cls))

    line = encode_line(item, timestamp="2026-02-11T09:30:00.000Z", seq=3)

    read = decode_line(line)
    assert line.count(b"\n") == 1
    assert attrs.evolve(read, crc=None) == RolloutLine(
        timestamp="2026-02-11T09:30:00.000Z", item=item, seq=3
    )


@pytest.mark.parametrize(
    "cls", [cls for cls in MESSAGE_CLASSES if issubclass(cls, Value)], ids=lambda cls: cls.__name__
)
@FEW
@given(data=st.data())
def test_json_comes_back_as_it_was_when_members_are_missing_null_or_unknown(
    cls: type, data: st.DataObject
) -> None:
    """Nothing that a reader accepts is lost or added on the way through."""
    shape = the_codec().shape(cls)
    raw = to_json(data.draw(messages_of(cls)))
    inner = raw[shape.wrapper] if shape.wrapper else raw
    _distort(inner, cls, shape, data)

    assert same_json(to_json(from_json(raw, cls)), raw)


def _distort(raw: Any, cls: type, shape: Shape, data: st.DataObject) -> None:
    """Make an object look as another program may write it."""
    raw |= data.draw(unknown_members)
    for field in fields_of(cls, shape):
        if field.default is None:
            continue
        match data.draw(st.sampled_from(["keep", "drop", "null", "default"])):
            case "drop":
                raw.pop(field.member, None)
            case "null" if alternatives(field.type)[1]:
                raw[field.member] = None
            case "default" if field.presence is Presence.UNLESS_DEFAULT and field.default() == ():
                raw[field.member] = []
            case _:
                pass
