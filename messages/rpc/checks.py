"""What types cannot say of parameters."""

import ntpath
import posixpath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import attrs

__all__ = ["absolute_paths", "natural"]


def natural(_: object, attribute: "attrs.Attribute[Any]", value: int | None) -> None:
    """
    Check that a number counts something: 0 or more, or None.

    Raises:
        ValueError: It is negative.
    """
    if value is not None and value < 0:
        raise ValueError(f"{_said(attribute)} must be 0 or more, not {value}")


def absolute_paths(_: object, attribute: "attrs.Attribute[Any]", value: tuple[str, ...]) -> None:
    """
    Check that all paths are absolute: nobody says what else they would start from.

    Raises:
        ValueError: One is not.
    """
    for path in value:
        if not (posixpath.isabs(path) or ntpath.isabs(path)):
            raise ValueError(f"{_said(attribute)} must be absolute paths, not {path!r}")


def _said(attribute: "attrs.Attribute[Any]") -> str:
    """The name of a field as clients know it."""
    first, *others = attribute.name.split("_")
    return first + "".join(map(str.capitalize, others))
