"""Rollouts of the reference's versions go through unchanged, line by line."""

from pathlib import Path

import attrs
import orjson
import pytest

from messages.codec import decode_line, encode_line, to_json
from messages.events import TurnComplete, UnknownEvent
from messages.items import UnknownItem
from messages.rollout import RolloutLine, SessionMeta, UnknownRecord

from .same_json import same_json

FIXTURES = Path(__file__).parents[1] / "fixtures" / "rollouts"
RECORDED = Path(__file__).parents[3] / "shared" / "reference" / "rollouts"


def files_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jsonl"))


def read_all(file: Path) -> list[RolloutLine]:
    return [decode_line(line) for line in file.read_bytes().splitlines()]


def assert_goes_through_unchanged(file: Path) -> None:
    for number, line in enumerate(file.read_bytes().splitlines(keepends=True)):
        read = decode_line(line)

        assert same_json(to_json(read), orjson.loads(line)), (file, number)
        again = decode_line(encode_line(read.item, timestamp=read.timestamp, seq=number))
        assert attrs.evolve(again, crc=None) == attrs.evolve(read, seq=number, extra=None)


@pytest.mark.parametrize("file", files_below(FIXTURES), ids=lambda file: file.stem)
def test_rollout_goes_through_unchanged(file: Path) -> None:
    """Each line is written as the JSON it was, and its record survives in a line of ours."""
    assert_goes_through_unchanged(file)


@pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded rollouts are not beside this checkout"
)
@pytest.mark.parametrize(
    "file", files_below(RECORDED), ids=lambda file: f"{file.parent.name}-{file.stem}"
)
def test_recorded_rollout_goes_through_unchanged(file: Path) -> None:
    """The same for what the real program wrote."""
    assert_goes_through_unchanged(file)


@pytest.mark.parametrize("name", ["0.104.0-limited", "0.104.0-extended"])
def test_all_records_are_understood_when_they_are_of_the_reference_version(name: str) -> None:
    """Nothing in a file of this version is unknown."""
    lines = read_all(FIXTURES / f"{name}.jsonl")

    assert isinstance(lines[0].item, SessionMeta)
    for line in lines:
        assert not isinstance(line.item, (UnknownRecord, UnknownEvent, UnknownItem))
        assert line.extra is None
        assert line.seq is None


def test_known_records_are_understood_when_the_file_is_of_a_newer_version() -> None:
    """What is new is carried; what is known is read, new members and all."""
    lines = read_all(FIXTURES / "0.169.0.jsonl")
    records = [line.item for line in lines]

    unknown = [item for item in records if isinstance(item, UnknownRecord)]
    assert [item.kind for item in unknown] == ["world_state", "token_usage_record"]
    assert {item.reason for item in unknown} == {""}
    events = [item for item in records if isinstance(item, UnknownEvent)]
    assert [item.tag for item in events] == ["thread_settings_applied"]
    items = [item for item in records if isinstance(item, UnknownItem)]
    assert [item.tag for item in items] == ["tool_search_call"]
    end = records[-1]
    assert isinstance(end, TurnComplete)
    assert end.last_agent_message == "One."
    assert end.extra is not None
    assert end.extra["duration_ms"] == 130
    assert [line.extra["ordinal"] for line in lines if line.extra] == list(range(len(lines)))
