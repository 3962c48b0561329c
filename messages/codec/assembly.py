"""The one codec of this package, put together at first use."""

import functools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .converter import Codec
    from .readers import Reader
    from .records import Records
    from .shape import Shape

__all__ = ["line_reader", "the_codec", "the_records"]

_CONTROL: Final = "messages.control"


@functools.cache
def _assembled() -> "tuple[Codec, Records]":
    # Only now: cattrs and the tables take longer to import than most programs need to start.
    from ..rollout import RolloutLine  # noqa: PLC0415
    from .converter import Codec  # noqa: PLC0415
    from .event_shapes import EVENT_SHAPES  # noqa: PLC0415
    from .item_shapes import ITEM_SHAPES  # noqa: PLC0415
    from .op_shapes import OP_SHAPES  # noqa: PLC0415
    from .records import Records  # noqa: PLC0415
    from .setting_shapes import SETTING_SHAPES  # noqa: PLC0415

    shapes = {**SETTING_SHAPES, **ITEM_SHAPES, **EVENT_SHAPES, **OP_SHAPES}
    codec = Codec(shapes, _late_shape)
    records = Records(codec)
    codec.add(RolloutLine, records.line_shape())
    return codec, records


def _late_shape(cls: type) -> "Shape | None":
    # Only now: most programs speak to no app-server and to no worker, whose classes are many.
    if cls.__module__ == _CONTROL:
        from .control_shapes import CONTROL_SHAPES  # noqa: PLC0415

        return CONTROL_SHAPES.get(cls)
    from ..rpc.value import RpcValue  # noqa: PLC0415

    if not issubclass(cls, RpcValue):
        return None
    from .rpc_shapes import rpc_shape  # noqa: PLC0415 -- as above

    return rpc_shape(cls)


@functools.cache
def the_codec() -> "Codec":
    """Readers and writers of all classes."""
    return _assembled()[0]


@functools.cache
def the_records() -> "Records":
    """Readers and writers of rollout payloads."""
    return _assembled()[1]


@functools.cache
def line_reader() -> "Reader":
    """The reader of whole rollout lines."""
    from ..rollout import RolloutLine  # noqa: PLC0415 -- as above

    return the_codec().reader(RolloutLine)
