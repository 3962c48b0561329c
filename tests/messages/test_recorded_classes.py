"""Lines that are told by their first bytes and decoded later, beside those decoded at once."""

import zlib

from hypothesis import given
from hypothesis import strategies as st

from messages.codec import decode_item, decode_recorded, encode_line, recorded_classes
from messages.content import InputText
from messages.events import AgentMessage, EventMsg
from messages.ids import CallId
from messages.items import FunctionCallOutput, Message, ResponseItem
from messages.rollout import CompactedItem, RolloutItem, UnknownRecord
from messages.value import Unknown

from .strategies import messages_of

STAMP = "2026-02-11T09:30:00.000Z"
ANSWER = AgentMessage(message="hello")


def line(item: RolloutItem, seq: int = 0) -> bytes:
    return encode_line(item, timestamp=STAMP, seq=seq)


def sealed(body: bytes) -> bytes:
    return b'{"crc":"%08x",%b\n' % (zlib.crc32(body), body)


@given(st.lists(messages_of(EventMsg) | messages_of(ResponseItem), max_size=4))
def test_whatever_we_write_is_told_by_its_class(items: list[RolloutItem]) -> None:
    """Told and decoded later, a line holds what it holds when it is decoded at once."""
    lines = [line(item, 10**seq) for seq, item in enumerate(items)]

    for item, text, cls in zip(items, lines, recorded_classes(lines), strict=True):
        if cls is None:  # of its own kind of tag
            assert isinstance(item, Unknown)
            continue
        assert cls is type(decode_item(text))
        assert decode_recorded(text, cls) == decode_item(text)


def test_one_line_that_is_not_ours_changes_nothing_for_the_others() -> None:
    """What was damaged, lacks its end, is blank or of another program must be decoded."""
    ours = line(ANSWER, 7)
    foreign = b"{" + ours[18:]
    flipped = ours.replace(b"hello", b"jello")
    headless = b"x" + ours[1:]
    others = [ours[:-1], ours[:-1] + b"\r\n", foreign, flipped, headless, b"\n", b"{}\n", ours[:9]]

    for other in others:
        assert recorded_classes([ours, other, ours]) == [AgentMessage, None, AgentMessage]
        assert recorded_classes([other]) == [None]
    assert recorded_classes([]) == []


def test_words_of_a_line_inside_of_a_text_tell_nothing() -> None:
    """Only what stands in front of the payload counts."""
    text = '"type":"event_msg","payload":{"type":"agent_message","message":"no"}}'
    item = Message(role="user", content=(InputText(text=text),))
    compacted = CompactedItem(message=text)

    assert recorded_classes([line(item), line(compacted)]) == [Message, None]
    assert decode_recorded(line(item), Message) == item


def test_what_does_not_fit_its_class_is_an_unknown_record_all_the_same() -> None:
    """As when it is decoded at once; what is no JSON is carried along without content."""
    head = b'"seq":1,"timestamp":"t","type":"event_msg","payload":{"type":"agent_message",'
    misfit, broken = sealed(head + b'"message":1}}'), sealed(head + b'"message":"}}')
    longer = sealed(head + b'"message":"hello"},"more":1}')

    assert recorded_classes([misfit, broken, longer]) == [AgentMessage] * 3
    assert decode_recorded(misfit, AgentMessage) == decode_item(misfit)
    assert isinstance(decode_item(misfit), UnknownRecord)
    unread = decode_recorded(broken, AgentMessage)
    assert isinstance(unread, UnknownRecord)
    assert "no JSON" in unread.reason
    assert decode_recorded(longer, AgentMessage) == ANSWER


def test_outputs_of_tools_are_told_from_their_calls() -> None:
    """Tags that begin alike are not confused."""
    output = FunctionCallOutput(call_id=CallId("c"), output="out")

    assert recorded_classes([line(output)]) == [FunctionCallOutput]
