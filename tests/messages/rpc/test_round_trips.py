"""Everything the app-server and its clients say survives the codec, whatever it holds."""

import pickle
from types import ModuleType
from typing import Any, get_args

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messages.codec import decode, encode, from_json, to_json
from messages.rpc.items import ThreadItem
from messages.rpc.notifications import METHOD, ServerNotification
from messages.rpc.requests import CLIENT_REQUESTS, SERVER_REQUESTS, RequestKind
from messages.rpc.value import RpcParams

from ..strategies import messages_of, unknown_members
from .rpc_classes import RPC_CLASSES, RPC_MODULES

FEW = settings(
    max_examples=3,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("cls", RPC_CLASSES, ids=lambda cls: cls.__name__)
@FEW
@given(data=st.data())
def test_value_survives_when_written_and_read(cls: type, data: st.DataObject) -> None:
    """What was written is read as an equal value, by way of objects, bytes and pickles."""
    value = data.draw(messages_of(cls))

    assert from_json(to_json(value), cls) == value
    assert decode(encode(value), cls) == value
    assert pickle.loads(pickle.dumps(value)) == value


@FEW
@given(item=messages_of(ThreadItem))
def test_item_is_told_from_the_others_by_its_tag(item: Any) -> None:
    """A client gets back the class that the server wrote; newer items are kept as they came."""
    assert from_json(to_json(item), ThreadItem) == item


@pytest.mark.parametrize(
    "cls", [cls for cls in RPC_CLASSES if issubclass(cls, RpcParams)], ids=lambda cls: cls.__name__
)
@FEW
@given(data=st.data())
def test_params_are_read_when_a_client_says_more_than_we_know(
    cls: type, data: st.DataObject
) -> None:
    """Members that only newer servers know do not stand in the way."""
    raw: Any = to_json(data.draw(messages_of(cls)))
    known = from_json(raw, cls)

    read = from_json(raw | data.draw(unknown_members), cls)

    assert attrs.evolve(read, extra=None) == attrs.evolve(known, extra=None)


@pytest.mark.parametrize("module", RPC_MODULES, ids=lambda module: module.__name__)
def test_module_offers_its_names(module: ModuleType) -> None:
    """What a module offers is there, once, and in order."""
    assert len(module.__all__) == len(set(module.__all__))
    assert all(hasattr(module, name) for name in module.__all__)


def test_every_notification_has_one_method() -> None:
    """None is left out, and no two go by the same name."""
    assert {*METHOD} == {*get_args(ServerNotification)}
    assert len(set(METHOD.values())) == len(METHOD)


@pytest.mark.parametrize("kind", [*CLIENT_REQUESTS.values(), *SERVER_REQUESTS.values()])
def test_class_of_a_request_is_known_to_one_kind_only(kind: RequestKind) -> None:
    """Whoever holds params knows the method; answers of no content may look alike."""
    kinds = [*CLIENT_REQUESTS.values(), *SERVER_REQUESTS.values()]

    assert kind.params is None or [each.params for each in kinds].count(kind.params) == 1
