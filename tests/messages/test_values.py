"""Messages are values: they compare, copy and pickle, and every name is offered."""

import pickle
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messages.codec import from_json
from messages.codec.presence import ABSENT
from messages.events import EventMsg
from messages.items import ResponseItem
from messages.ops import Op

from .all_classes import MODULES, UNKNOWN_CLASSES
from .golden_events import EVENTS
from .golden_items import ITEMS
from .golden_ops import OPS
from .strategies import messages_of


@pytest.mark.parametrize("cls", UNKNOWN_CLASSES, ids=lambda cls: cls.__name__)
@settings(max_examples=3, deadline=None, database=None)
@given(data=st.data())
def test_unknown_message_survives_pickle(cls: type, data: st.DataObject) -> None:
    """Processes may hand messages to each other."""
    value = data.draw(messages_of(cls))

    assert pickle.loads(pickle.dumps(value)) == value


def test_messages_that_were_read_survive_pickle() -> None:
    """A value that was read is no different from one that was built."""
    for union, golden in ((EventMsg, EVENTS), (ResponseItem, ITEMS), (Op, OPS)):
        for cls, raw in golden:
            value = from_json(raw, union)
            again = pickle.loads(pickle.dumps(value))

            assert again == value
            assert type(again) is cls


def test_messages_that_were_read_are_frozen() -> None:
    """Reading builds by a way of its own, and still gives frozen values."""
    value = from_json(EVENTS[0][1], EventMsg)

    with pytest.raises(AttributeError):
        value.model = "other"
    with pytest.raises(AttributeError):
        del value.model
    assert value == from_json(EVENTS[0][1], EventMsg)
    assert repr(value).startswith("SessionConfigured(session_id=")


def test_marker_of_missing_members_stays_itself_when_pickled() -> None:
    """It is compared by identity."""
    assert pickle.loads(pickle.dumps(ABSENT)) is ABSENT


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_module_offers_its_names(module: ModuleType) -> None:
    """What a module offers is there."""
    assert len(module.__all__) == len(set(module.__all__))
    assert all(hasattr(module, name) for name in module.__all__)
