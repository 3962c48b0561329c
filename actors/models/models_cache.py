"""The file that remembers a server's list of models from one run to the next."""

from __future__ import annotations

import logging
import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

import attrs
import orjson

from messages.value import Json

from .model_list import ListedModel
from .model_wire import read_models, write_model

__all__ = [
    "CACHE_NAME",
    "TTL",
    "CachedModels",
    "is_fresh",
    "read_cache",
    "whole_version",
    "write_cache",
]

CACHE_NAME: Final = "models_cache.json"
"""In the home folder; the name that Codex uses."""

TTL: Final = 300.0
"""How long a list is fresh, in seconds."""

# A list of a dozen models with their instructions has a quarter of a mebibyte.
_SIZE_LIMIT_BYTES: Final = 16 * 1024 * 1024
_MODE: Final = 0o644

_logger = logging.getLogger("actors")


@attrs.frozen(kw_only=True)
class CachedModels:
    """
    What is in the file.

    Attributes:
        fetched_at: When the server last confirmed it, in seconds since the Unix epoch.
        etag: The server's name for this state of its list; None if it gave none.
        client_version: Who wrote it, see `whole_version`; a server may tell other
            clients something else.  Empty if the file does not say.
        base_url: Whose list it is; None if the file does not say, which is so when
            Codex wrote it.
        models: As the server told them, in its order.

    Source:
        Codex, ``ModelsCache``; it has no ``base_url`` and ignores ours.
    """

    fetched_at: float
    etag: str | None
    client_version: str
    base_url: str | None
    models: tuple[ListedModel, ...]


def is_fresh(fetched_at: float, now: float) -> bool:
    """
    Say whether a list needs no fetch.

    A time in the future is as good as one in the past, not better: a clock that
    was set back must not keep a list fresh for long.
    """
    return abs(now - fetched_at) <= TTL


def whole_version(version: str) -> str:
    """Cut a version to ``major.minor.patch``, as servers and the file want it."""
    numbers = re.findall(r"\d+", re.split(r"[-+]|[a-z]", version)[0])
    return ".".join([*numbers, "0", "0", "0"][:3])


def read_cache(path: Path) -> CachedModels | None:
    """
    Read the file; for an OS thread, as it blocks.

    Returns:
        None when there is no file, and, with a line in the log, when it cannot
        be read or makes no sense.  Never raises.
    """
    try:
        return _cached(orjson.loads(_read(path)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        _logger.warning("the cache of models is not used: %s: %s", path, exc)
        return None


def write_cache(path: Path, cached: CachedModels, *, suffix: str) -> None:
    """
    Write the file; for an OS thread, as it blocks.

    Readers see the old file or the new one.  It is not forced to the disk: what
    a power failure damages is fetched again.

    Args:
        path: Its folder is made if need be.
        cached: What to write.
        suffix: Makes the name of the file that becomes this one; unique.

    Raises:
        OSError: The old file is as it was.
    """
    data = orjson.dumps(_members(cached), option=orjson.OPT_INDENT_2)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{suffix}")
    try:
        with open(new, "xb", opener=lambda name, flags: os.open(name, flags, _MODE)) as file:
            file.write(data)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _read(path: Path) -> bytes:
    # Not to wait for a writer, should it be a pipe.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no regular file")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(_SIZE_LIMIT_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > _SIZE_LIMIT_BYTES:
        raise ValueError(f"it has more than {_SIZE_LIMIT_BYTES} bytes")
    return data


def _members(cached: CachedModels) -> dict[str, Json]:
    moment = datetime.fromtimestamp(cached.fetched_at, UTC).isoformat(timespec="microseconds")
    members: dict[str, Json] = {"fetched_at": moment.replace("+00:00", "Z")}
    if cached.etag is not None:
        members["etag"] = cached.etag
    members["client_version"] = cached.client_version
    if cached.base_url is not None:
        members["base_url"] = cached.base_url
    members["models"] = [write_model(model) for model in cached.models]
    return members


def _cached(body: Json) -> CachedModels:
    models = read_models(body)
    if models is None:
        raise ValueError("it has no list of models")
    members = cast("dict[str, Json]", body)  # an object, or it had no list
    return CachedModels(
        fetched_at=_moment(members.get("fetched_at")),
        etag=_text(members.get("etag")),
        client_version=_text(members.get("client_version")) or "",
        base_url=_text(members.get("base_url")),
        models=models,
    )


def _moment(value: Json) -> float:
    if not isinstance(value, str):
        raise ValueError("it does not say when it was fetched")  # noqa: TRY004 -- one error for all
    moment = datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None
