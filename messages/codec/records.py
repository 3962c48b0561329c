"""Rollout records: which class belongs to which kind, and what cannot be read."""

import typing
from collections.abc import Callable, Mapping
from typing import Any

from ..events import EventMsg
from ..items import ResponseItem
from ..rollout import (
    CompactedItem,
    RolloutItem,
    RolloutKind,
    SessionMeta,
    TurnContextItem,
    UnknownRecord,
)
from ..value import Json, Unknown
from .converter import Codec
from .misfit import Misfit
from .readers import Reader
from .shape import Beside, FieldRule, Shape
from .writers import Writer

__all__ = ["Records"]

_TYPES: dict[RolloutKind, Any] = {
    RolloutKind.SESSION_META: SessionMeta,
    RolloutKind.RESPONSE_ITEM: ResponseItem,
    RolloutKind.COMPACTED: CompactedItem,
    RolloutKind.TURN_CONTEXT: TurnContextItem,
    RolloutKind.EVENT_MSG: EventMsg,
}

_HEAD = b'"type":"%b","payload":{"type":"%b"'


class Records:
    """
    Payloads of rollout lines, read and written with the help of a codec.

    Args:
        codec: Knows the classes; gets `RolloutLine` added by whoever made it.

    Attributes:
        tagged_readers:
            Readers by kind and tag, of those tags that were met; for callers that
            read many and leave everything else to `read`.
        heads:
            Classes by how their lines begin behind the timestamp, up to the end of the
            payload's tag; of those that have one.
        readers: Readers of payloads by class, of those that have a tag.
    """

    def __init__(self, codec: Codec) -> None:
        self._readers: dict[str, Reader] = {
            kind.value: codec.reader(record) for kind, record in _TYPES.items()
        }
        # Filled by the unions themselves; here to save a call for each line.
        self.tagged_readers: dict[str, dict[str, Reader]] = {
            kind.value: union.readers
            for kind, record in _TYPES.items()
            if (union := codec.tagged_union(record)) is not None
        }
        self._kinds: dict[type, str] = {
            cls: kind.value
            for kind, record in _TYPES.items()
            for cls in (typing.get_args(record) or (record,))
        }
        self.heads: dict[bytes, type[RolloutItem]] = {
            _HEAD % (kind.value.encode(), tag.encode()): cls
            for kind, record in _TYPES.items()
            for cls in typing.get_args(record)
            if not issubclass(cls, Unknown) and (shape := codec.shape(cls)).tag is not None
            for tag in (shape.tag, *shape.aliases)
        }
        self.readers: Mapping[type, Reader] = _Readers(codec.bare_reader)
        self._writers = codec.writers
        # Invariant: holds classes of rollout items only, each met at least once.
        self._rows: dict[type, tuple[str, Writer]] = {}

    def read(self, kind: str, payload: Any) -> RolloutItem:
        """Make an item of a payload, or an `UnknownRecord` that carries it along."""
        try:
            reader = self.tagged_readers[kind][payload["type"]]
        except (KeyError, TypeError):
            known = self._readers.get(kind)
            if known is None:
                return UnknownRecord(kind=kind, payload=payload)
            reader = known
        try:
            item: RolloutItem = reader(payload)
        except Misfit as problem:
            return UnknownRecord(kind=kind, payload=payload, reason=str(problem.as_error()))
        except RecursionError:
            return UnknownRecord(kind=kind, payload=payload, reason="nested too deep")
        return item

    def write(self, item: RolloutItem) -> tuple[str, Json]:
        """
        The kind of an item and its payload.

        Raises:
            ValueError: There is none for an object of this class.
        """
        try:
            kind, write = self._rows[item.__class__]
        except KeyError:
            if isinstance(item, UnknownRecord):
                return item.kind, item.payload
            kind, write = self._row(item.__class__)
        return kind, write(item)

    def _row(self, cls: type) -> tuple[str, Writer]:
        if cls not in self._kinds:
            raise ValueError(f"{cls.__name__} is no rollout item")
        row = self._rows[cls] = self._kinds[cls], self._writers[cls]
        return row

    def line_shape(self) -> Shape:
        """The shape of a whole line."""
        return Shape(
            names={"item": "payload"},
            rules={
                "item": FieldRule(beside=Beside(key="type", read=self.read, write=self.write)),
                # Another program may mean something else by these.
                "seq": FieldRule(lenient=int),
                "crc": FieldRule(lenient=str),
            },
        )


class _Readers(dict[type, Reader]):
    """Readers by class; one that is not there is made."""

    def __init__(self, make: Callable[[type], Reader]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, cls: type) -> Reader:
        reader = self[cls] = self._make(cls)
        return reader
