"""One message of every kind, letter by letter."""

from typing import Any

import orjson
import pytest

from messages.codec import decode_line, encode_line, encode_record, from_json, to_json
from messages.events import Event, EventMsg
from messages.items import ResponseItem
from messages.ops import Op, Submission
from messages.value import Value

from .all_classes import union_members
from .golden_events import EVENTS
from .golden_items import ITEMS, RECORDS
from .golden_ops import OPS
from .same_json import same_json

TIMESTAMP = "2026-02-11T09:30:00.000Z"
UNIONS = [
    *[(EventMsg, "event_msg", cls, raw) for cls, raw in EVENTS],
    *[(ResponseItem, "response_item", cls, raw) for cls, raw in ITEMS],
    *[(Op, None, cls, raw) for cls, raw in OPS],
]
NAMES = [f"{cls.__name__}-{number}" for number, (_, _, cls, _) in enumerate(UNIONS)]


def _assert_nothing_is_extra(value: Any) -> None:
    if isinstance(value, Value):
        assert value.extra is None, value
        for name in value.__attrs_attrs__:  # type: ignore[attr-defined]  # attrs puts it there
            _assert_nothing_is_extra(getattr(value, name.name))
    elif isinstance(value, tuple):
        for each in value:
            _assert_nothing_is_extra(each)


@pytest.mark.parametrize(("union", "_kind", "cls", "raw"), UNIONS, ids=NAMES)
def test_message_is_read_and_written_letter_by_letter(
    union: Any, _kind: str | None, cls: type, raw: dict[str, Any]
) -> None:
    """The form in the tables is the form on the wire; each field finds its member."""
    value = from_json(raw, union)

    assert type(value) is cls
    assert same_json(to_json(value), raw)
    _assert_nothing_is_extra(value)


@pytest.mark.parametrize(
    ("cls", "kind", "raw"),
    [*RECORDS, *[(cls, kind, raw) for _, kind, cls, raw in UNIONS if kind is not None]],
)
def test_record_has_its_kind_and_its_payload(cls: type, kind: str, raw: dict[str, Any]) -> None:
    """The kind of a record stands beside its payload, and follows from the class."""
    line = orjson.dumps({"timestamp": TIMESTAMP, "type": kind, "payload": raw})

    item = decode_line(line).item

    assert type(item) is cls
    _assert_nothing_is_extra(item)
    written_kind, payload = encode_record(item)
    assert written_kind == kind
    assert same_json(orjson.loads(payload), raw)
    written = orjson.loads(encode_line(item, timestamp=TIMESTAMP, seq=0))
    assert same_json(written["payload"], raw)
    assert written["type"] == kind


@pytest.mark.parametrize(
    ("union", "golden"), [(EventMsg, EVENTS), (ResponseItem, ITEMS), (Op, OPS)]
)
def test_every_kind_has_an_example(union: Any, golden: list[tuple[type, Any]]) -> None:
    """A kind that is added without an example is noticed."""
    assert {cls for cls, _ in golden} == union_members(union)


def test_envelopes_carry_their_message() -> None:
    """Events and submissions are written as Codex does; our own position is left out at 0."""
    event = {"id": "s1", "msg": {"type": "warning", "message": "careful"}}
    submission = {"id": "s1", "op": {"type": "interrupt"}}

    assert to_json(from_json(event, Event)) == event
    assert to_json(from_json({**event, "seq": 4}, Event)) == {**event, "seq": 4}
    assert to_json(from_json(submission, Submission)) == submission


@pytest.mark.parametrize(
    ("alias", "name", "union"),
    [
        ({"type": "turn_started", "turn_id": "t"}, "task_started", EventMsg),
        ({"type": "turn_complete", "turn_id": "t"}, "task_complete", EventMsg),
        ({"type": "compaction_summary", "encrypted_content": "g"}, "compaction", ResponseItem),
        (
            {"type": "request_user_input_response", "id": "t", "response": {"answers": {}}},
            "user_input_answer",
            Op,
        ),
    ],
)
def test_alias_is_read_and_the_present_name_is_written(alias: Any, name: str, union: Any) -> None:
    """Old names are understood; only the present one is ever written."""
    value = from_json(alias, union)

    assert same_json(to_json(value), {**alias, "type": name})
    assert from_json(alias, type(value)) == value
