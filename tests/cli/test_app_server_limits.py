"""How many descriptors a program that serves may open."""

import resource

import pytest

from actors.cli.app_server_limits import raise_descriptor_limit

INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 4096), (4096, 4096)),
        ((1024, 1 << 20), (65536, 1 << 20)),
        ((1024, INFINITE), (65536, INFINITE)),
        ((4096, 4096), None),
        ((100_000, 1 << 20), None),
        ((INFINITE, INFINITE), None),
    ],
)
def test_a_server_takes_as_many_descriptors_as_it_may_have(
    monkeypatch: pytest.MonkeyPatch, before: tuple[int, int], after: tuple[int, int] | None
) -> None:
    """Within reason, and never less than it had."""
    was_set: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: before)
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: was_set.append(limits))

    raise_descriptor_limit()

    assert was_set == ([] if after is None else [after])
