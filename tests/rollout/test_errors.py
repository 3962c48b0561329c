"""Each error says who, what and the way out, and survives a pickle."""

import copy
import errno
import pickle
from pathlib import Path

import pytest

from actors.rollout import (
    EmptyRollout,
    JournalClosed,
    NoSessionMeta,
    RolloutChanged,
    RolloutClosed,
    RolloutError,
    RolloutFull,
    RolloutLocked,
    RolloutNotFound,
    RolloutNotWritten,
    RolloutUnreadable,
    errors,
)

PATH = Path("/home/me/rollout.jsonl")
FULL = OSError(errno.ENOSPC, "No space left on device")
EXAMPLES = [
    EmptyRollout(PATH),
    JournalClosed(),
    NoSessionMeta(PATH),
    RolloutChanged(PATH),
    RolloutClosed(PATH),
    RolloutFull(PATH, 10, 20),
    RolloutLocked(PATH, 7, same_process=True),
    RolloutLocked(PATH, None, same_process=False),
    RolloutNotFound(PATH),
    RolloutNotWritten(PATH, 10, FULL),
    RolloutUnreadable(PATH, "Permission denied"),
]


def test_every_error_has_an_example() -> None:
    """A new error is tested as well."""
    public = {getattr(errors, name) for name in errors.__all__} - {RolloutError}
    assert {type(example) for example in EXAMPLES} == public


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: type(e).__name__)
def test_error_survives_copies_and_is_one_line(example: RolloutError) -> None:
    """Fields and text are the same on the other side."""
    for twin in (pickle.loads(pickle.dumps(example)), copy.copy(example)):
        assert type(twin) is type(example)
        assert str(twin) == str(example)
        assert set(vars(twin)) == set(vars(example))
    assert "\n" not in str(example)
    assert isinstance(example, JournalClosed) or str(PATH) in str(example)


def test_lost_bytes_are_named_with_their_reason() -> None:
    """Also when the system gave no text."""
    assert "10 bytes" in str(RolloutNotWritten(PATH, 10, FULL))
    assert str(RolloutNotWritten(PATH, 10, FULL)).endswith("No space left on device")
    assert str(RolloutNotWritten(PATH, 1, OSError("odd"))).endswith("odd")
    assert str(RolloutNotWritten(PATH, 1, OSError())).endswith("OSError")
