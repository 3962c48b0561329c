"""Recorded items, each decoded when somebody looks at it."""

from array import array
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, cast, overload

from messages.codec import decode_recorded
from messages.rollout import RolloutItem

__all__ = ["RecordedItems", "chosen", "chosen_backwards", "classes_of"]


class RecordedItems(Sequence[RolloutItem]):
    """
    The items of a rollout in file order, equal to a tuple of them.

    Most of a long conversation is outputs of tools, which many readers do not look at:
    an item is decoded when it is first asked for, and then kept.  What was read of the
    file is kept until then, so that the file may change or go.

    Args:
        cells: Items, and whole lines in place of those that are not decoded.
        classes: Of each item, by what its line says; see `recorded_classes`.
    """

    __slots__ = ("_cells", "_classes", "_places")
    __hash__ = None  # type: ignore[assignment]  # as of other things that are made bit by bit

    def __init__(self, cells: list[RolloutItem | bytes], classes: list[type[RolloutItem]]) -> None:
        self._cells = cells
        self._classes = classes
        # Where the items of each class are; made when somebody wants to know.
        self._places: dict[type, array[int]] | None = None

    @property
    def classes(self) -> Sequence[type[RolloutItem]]:
        """
        What each line says that it records; do not change.

        What cannot be read is an `UnknownRecord` when it is looked at.
        """
        return self._classes

    def __len__(self) -> int:
        return len(self._cells)

    @overload
    def __getitem__(self, index: int) -> RolloutItem: ...
    @overload
    def __getitem__(self, index: slice) -> "RecordedItems": ...
    def __getitem__(self, index: int | slice) -> "RolloutItem | RecordedItems":
        if isinstance(index, slice):
            return RecordedItems(self._cells[index], self._classes[index])
        cell = self._cells[index]
        if not isinstance(cell, bytes):
            return cell
        item = decode_recorded(cell, self._classes[index])
        self._cells[index] = item
        return item

    def __iter__(self) -> Iterator[RolloutItem]:
        return map(self.__getitem__, range(len(self._cells)))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, RecordedItems | tuple):
            return NotImplemented
        theirs = cast("Sequence[object]", other)
        return len(self) == len(theirs) and all(map(_same, self, theirs))

    def __repr__(self) -> str:
        return f"<{len(self)} recorded items>"

    def at(
        self, places: Iterable[int], classes: Container[type]
    ) -> Iterator[tuple[int, RolloutItem]]:
        """Go through the items of some places that are of some classes after all."""
        cells, told = self._cells, self._classes
        for place in places:
            item = cells[place]
            if isinstance(item, bytes):
                item = cells[place] = decode_recorded(item, told[place])
            if item.__class__ in classes:
                yield place, item

    def only(self, classes: Iterable[type]) -> "RecordedItems":
        """Take those of some classes by what their lines say, without what lies between."""
        places, cells, told = self.places(classes), self._cells, self._classes
        return RecordedItems([cells[at] for at in places], [told[at] for at in places])

    def followed_by(
        self, cells: Iterable[RolloutItem | bytes], classes: Iterable[type[RolloutItem]]
    ) -> "RecordedItems":
        """Return these and what was recorded after them; what was decoded stays so."""
        return RecordedItems([*self._cells, *cells], [*self._classes, *classes])

    @property
    def undecoded_bytes(self) -> int:
        """How long the lines are that nobody has looked at."""
        return sum(len(cell) for cell in self._cells if isinstance(cell, bytes))

    def places(self, classes: Iterable[type]) -> Sequence[int]:
        """Say where the items of some classes are, in file order."""
        if self._places is None:
            self._places = _places(self._classes)
        found = [self._places[cls] for cls in classes if cls in self._places]
        return found[0] if len(found) == 1 else sorted(chain.from_iterable(found))


def _same(one: object, other: object) -> bool:
    return one is other or one == other


def _places(classes: Iterable[type]) -> "dict[type, array[int]]":
    places: dict[type, array[int]] = {}
    for place, cls in enumerate(classes):
        try:
            places[cls].append(place)
        except KeyError:
            places[cls] = array("L", (place,))
    return places


def classes_of(items: Sequence[RolloutItem]) -> Sequence[type[RolloutItem]]:
    """Say what each item is, decoding none: what cannot be read is an `UnknownRecord` after all."""
    if isinstance(items, RecordedItems):
        return items.classes
    return [type(item) for item in items]


def chosen(items: Iterable[RolloutItem], classes: frozenset[type]) -> Iterator[tuple[int, Any]]:
    """
    Go through the items of some classes, in order, each with its place.

    Of recorded items, only those are decoded.
    """
    if isinstance(items, RecordedItems):
        return items.at(items.places(classes), classes)
    return ((place, item) for place, item in enumerate(items) if type(item) in classes)


def chosen_backwards(items: Sequence[RolloutItem], cls: type) -> Iterator[Any]:
    """Go through the items of one class, the last one first, decoding no others."""
    if isinstance(items, RecordedItems):
        found = items.at(reversed(items.places((cls,))), (cls,))
        return (item for _, item in found)
    return (item for item in reversed(items) if type(item) is cls)
