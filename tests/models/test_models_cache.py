"""The cache file of the list of models."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.models import ListedModel
from actors.models.models_cache import (
    CACHE_NAME,
    TTL,
    CachedModels,
    is_fresh,
    read_cache,
    whole_version,
    write_cache,
)
from actors.models.presets import bundled_models
from tests.models.model_lists import OPENAI, entry, listed
from tests.models.test_model_wire import JSON

NOON = 1_770_897_600.0  # 2026-02-12T12:00:00Z


def cached(models: tuple[ListedModel, ...] = (), **changes: Any) -> CachedModels:
    values: dict[str, Any] = {
        "fetched_at": NOON,
        "etag": 'W/"1"',
        "client_version": "0.1.0",
        "base_url": "http://other/v1",
        "models": models,
    }
    return CachedModels(**{**values, **changes})


@pytest.mark.parametrize("models", [(), listed(entry("a"), entry("b")), bundled_models(OPENAI)])
def test_what_is_written_is_read(tmp_path: Path, models: tuple[ListedModel, ...]) -> None:
    """The folder is made, and nothing else is left in it."""
    path = tmp_path / "home" / CACHE_NAME

    write_cache(path, cached(models, fetched_at=NOON + 0.25), suffix="1")

    assert read_cache(path) == cached(models, fetched_at=NOON + 0.25)
    assert [*path.parent.iterdir()] == [path]


def test_file_has_the_members_of_codex(tmp_path: Path) -> None:
    """Pretty, for everybody to read; one member more, which Codex ignores."""
    path = tmp_path / CACHE_NAME

    write_cache(path, cached(listed(entry("a"))), suffix="1")

    text = path.read_text()
    assert text.startswith('{\n  "fetched_at": "2026-02-12T12:00:00.000000Z",\n')
    members = json.loads(text)
    assert list(members) == ["fetched_at", "etag", "client_version", "base_url", "models"]
    assert {*entry("a")} <= {*members["models"][0]}
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_file_of_codex_is_read(tmp_path: Path) -> None:
    """Nanoseconds in its time, and no address."""
    path = tmp_path / CACHE_NAME
    path.write_text(
        json.dumps(
            {
                "fetched_at": "2026-02-12T12:00:00.250000001Z",
                "etag": None,
                "client_version": "0.104.0",
                "models": [entry("a")],
            }
        )
    )

    assert read_cache(path) == cached(
        listed(entry("a")),
        fetched_at=NOON + 0.25,
        etag=None,
        client_version="0.104.0",
        base_url=None,
    )


def test_members_without_a_value_are_left_out(tmp_path: Path) -> None:
    """As Codex does."""
    path = tmp_path / CACHE_NAME

    write_cache(path, cached(etag=None, base_url=None), suffix="1")

    assert list(json.loads(path.read_text())) == ["fetched_at", "client_version", "models"]


def test_file_that_is_not_there_is_a_miss_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """So it is in every new home."""
    assert read_cache(tmp_path / CACHE_NAME) is None
    assert caplog.text == ""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        b'{"models": []}',
        b'{"models": [], "fetched_at": 5}',
        b'{"models": [], "fetched_at": "yesterday"}',
        b'{"models": 3, "fetched_at": "2026-02-12T12:00:00Z"}',
        b'{"fetched_at": "2026-02-12T12:00:00Z"}',
        b'{"models": [], "fetched_at": "2026-02-12T12:00:00Z"',
    ],
)
def test_corrupt_file_is_a_miss_and_the_log_tells(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is never fatal."""
    path = tmp_path / CACHE_NAME
    path.write_bytes(content)

    assert read_cache(path) is None
    assert "the cache of models is not used" in caplog.text


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path)])
def test_what_is_no_file_is_a_miss(tmp_path: Path, make: Any) -> None:
    """And nobody waits for the writer of a pipe."""
    path = tmp_path / CACHE_NAME
    make(path)

    assert read_cache(path) is None


def test_huge_file_is_a_miss(tmp_path: Path) -> None:
    """It is not read to its end."""
    path = tmp_path / CACHE_NAME
    with path.open("wb") as file:
        file.truncate(1 << 40)

    assert read_cache(path) is None


@pytest.mark.slow
@settings(max_examples=50)
@given(st.binary(max_size=64) | JSON.map(lambda value: json.dumps(value).encode()) | st.builds(
    lambda moment, models: json.dumps({"fetched_at": moment, "models": models}).encode(),
    st.text(max_size=12) | st.datetimes().map(str) | JSON,
    st.lists(JSON, max_size=3),
))  # fmt: skip
def test_no_content_raises(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever is in the file."""
    path = tmp_path_factory.getbasetemp() / "fuzzed_cache.json"
    path.write_bytes(content)

    found = read_cache(path)

    assert found is None or isinstance(found, CachedModels)


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """And nothing beside it."""
    path = tmp_path / CACHE_NAME
    (path / "in the way").mkdir(parents=True)

    with pytest.raises(OSError):
        write_cache(path, cached(), suffix="1")

    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    ("age", "fresh"),
    [(0, True), (TTL, True), (TTL + 0.1, False), (-TTL, True), (-TTL - 0.1, False)],
)
def test_list_is_fresh_for_five_minutes(age: float, fresh: bool) -> None:
    """Either way: a clock may have been set back."""
    assert is_fresh(NOON, NOON + age) is fresh


@pytest.mark.parametrize(
    ("version", "whole"),
    [
        ("0.104.0", "0.104.0"),
        ("1.2.3-alpha.4", "1.2.3"),
        ("1.2.3+local.5", "1.2.3"),
        ("0.1.0.dev7", "0.1.0"),
        ("1.2rc1", "1.2.0"),
        ("9", "9.0.0"),
        ("", "0.0.0"),
    ],
)
def test_version_is_cut_to_its_numbers(version: str, whole: str) -> None:
    """As servers compare it."""
    assert whole_version(version) == whole
