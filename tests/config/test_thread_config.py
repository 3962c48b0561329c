"""With which settings a thread starts."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest

from actors.config import ConfigError, ThreadConfig, own_version
from messages.settings import AskForApproval, ReadOnly, ReasoningSummary


def test_working_directory_is_enough() -> None:
    """Everything else has a default."""
    config = ThreadConfig(cwd="/work")

    assert (config.approval_policy, config.sandbox_policy) == (
        AskForApproval.ON_REQUEST,
        ReadOnly(),
    )
    assert config.summary is ReasoningSummary.AUTO
    assert (config.originator, config.cli_version) == ("treadle", own_version())
    assert (config.model, config.ephemeral) == (None, False)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"cwd": "relative"}, "cwd: expected an absolute path, got 'relative'"),
        ({"cwd": 5}, "cwd: expected an absolute path, got 5"),
        ({"model": 5}, "model: expected str, got 5"),
        ({"approval_policy": "never"}, "approval_policy: expected AskForApproval, got 'never'"),
        ({"summary": None}, "summary: expected ReasoningSummary, got None"),
        ({"ephemeral": 1}, "ephemeral: expected bool, got 1"),
        ({"effort": 1}, "effort: expected str, got 1"),
        ({"personality": "friendly"}, "personality: expected Personality, got 'friendly'"),
        (
            {"sandbox_policy": "read-only"},
            (
                "sandbox_policy: expected DangerFullAccess or ReadOnly or ExternalSandbox or "
                "WorkspaceWrite or UnknownSandbox, got 'read-only'"
            ),
        ),
    ],
)
def test_values_of_the_wrong_kind_are_refused(changes: dict[str, Any], text: str) -> None:
    """When the configuration is made, with the name of the field."""
    with pytest.raises(ConfigError) as caught:
        ThreadConfig(**{"cwd": "/work", **changes})

    assert str(caught.value) == text


def test_version_is_that_of_the_distribution_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source tree that is not installed has none."""

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    own_version.cache_clear()
    monkeypatch.setattr(metadata, "version", missing)
    assert own_version() == "0"

    own_version.cache_clear()
    monkeypatch.setattr(metadata, "version", lambda _: "7.8")
    assert own_version() == "7.8"
    own_version.cache_clear()
