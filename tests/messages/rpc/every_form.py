"""For each class, values in which every field takes each of its forms once."""

import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any

import attrs

from messages.codec.fields import alternatives, element_type, plain_type, value_type
from messages.items import Message
from messages.rpc.account import AccountUpdatedNotification as AccountUpdated
from messages.rpc.account import ChatgptAccount, RateLimitSnapshot
from messages.rpc.catalogue import AppsListResponse, McpServerStatus
from messages.rpc.config import ConfigReadResponse
from messages.rpc.elicitation import McpServerElicitationRequestParams
from messages.rpc.item_notifications import RawResponseItemCompletedNotification
from messages.rpc.notifications import AppListUpdatedNotification
from messages.settings import Keep, ReasoningEffort
from messages.value import Unknown

__all__ = ["every_form"]

# What the classes leave to others, in a form that those others use.
_GIVEN: dict[tuple[type, str], tuple[object, ...]] = {
    (AccountUpdated, "plan_type"): (None, "pro"),
    (ChatgptAccount, "plan_type"): ("pro",),
    (RateLimitSnapshot, "plan_type"): (None, "pro"),
    (AppsListResponse, "data"): ((), ({"id": "app", "name": "An app"},)),
    (AppListUpdatedNotification, "data"): ((), ({"id": "app", "name": "An app"},)),
    (McpServerElicitationRequestParams, "requested_schema"): ({"type": "object", "properties": {}},),
    (ConfigReadResponse, "config"): ({}, {"model": "gpt-5", "approval_policy": "never", "my": 1}),
    (McpServerStatus, "tools"): ({}, {"add": {"name": "add", "inputSchema": {}}}),
    (McpServerStatus, "resources"): ((), ({"name": "a file", "uri": "file:///a"},)),
    (McpServerStatus, "resource_templates"): ((), ({"name": "files", "uriTemplate": "file:///{a}"},)),
    # The generated schemas describe some other items by types that are never written.
    (RawResponseItemCompletedNotification, "item"): (Message(role="user", content=()),),
}  # fmt: skip

_LEAVES: dict[object, tuple[object, ...]] = {
    str: ("text",),
    int: (7,),
    bool: (False, True),
    object: ({"any": ["thing"]},),
    types.NoneType: (None,),
}


def every_form(cls: Any) -> list[Any]:
    """Give the plainest value of a class, and one more for each form of each field."""
    plain = _plainest(cls)
    return [plain] + [
        attrs.evolve(plain, **{field.name: form})
        for field in _fields(cls)
        for form in _forms_of(cls, field)
    ]


def _plainest(cls: Any) -> Any:
    required = [field for field in _fields(cls) if field.default is attrs.NOTHING]
    return cls(**{field.name: _forms_of(cls, field)[-1] for field in required})


def _fields(cls: Any) -> list[Any]:
    return [field for field in attrs.fields(cls) if field.name != "extra"]


def _forms_of(cls: type, field: Any) -> tuple[object, ...]:
    if (given := _GIVEN.get((cls, field.name))) is not None:
        return given
    if field.name.endswith("_roots"):
        return ((), ("/folder",))
    return tuple(_forms(field.type))


def _forms(kind: Any) -> typing.Iterator[object]:
    if kind is ReasoningEffort:
        yield "medium"
        return
    kind = plain_type(kind)
    members, optional = alternatives(kind)
    if optional:
        yield None
    if len(members) > 1 or optional:
        for member in typing.get_args(kind):
            if member not in (types.NoneType, Keep):
                yield from _forms(member)
    elif kind in _LEAVES:
        yield from _LEAVES[kind]
    elif (element := element_type(kind)) is not None:
        yield ()
        yield tuple(_forms(element))
    elif typing.get_origin(kind) is Mapping:
        yield {}
        yield {str(number): form for number, form in enumerate(_forms(value_type(kind)))}
    elif issubclass(kind, Enum):
        yield from kind
    elif not issubclass(kind, Unknown):
        yield _plainest(kind)
