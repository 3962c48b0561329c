"""A home folder for Codex that reaches no network, and what Codex leaves in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["read_rollout", "rollout_paths", "write_config"]

_CONFIG = """\
model = {model}
model_provider = "mock"
approval_policy = {approval_policy}
sandbox_mode = {sandbox_mode}
check_for_update_on_startup = false
{extra_top}
[model_providers.mock]
name = "Mock"
base_url = {base_url}
wire_api = "responses"
request_max_retries = {request_retries}
stream_max_retries = {stream_retries}
stream_idle_timeout_ms = 60000

[analytics]
enabled = false

# A login shell for each thread, some twenty processes, says nothing to a test.
[features]
shell_snapshot = false
{extra_tables}"""


def write_config(
    home: Path,
    base_url: str,
    *,
    model: str = "gpt-5.2-codex",
    approval_policy: str = "never",
    sandbox_mode: str = "danger-full-access",
    request_retries: int = 0,
    stream_retries: int = 0,
    extra_top: str = "",
    extra_tables: str = "",
) -> Path:
    """
    Write ``config.toml`` for a mock provider without authentication, and return its path.

    Overwrites an earlier one, so that the next process finds a new server.

    Args:
        home: Created when it is not there.
        base_url: Of the mock server.
        model: One that Codex knows, or it warns about missing metadata.
        approval_policy: ``untrusted``, ``on-failure``, ``on-request`` or ``never``.
        sandbox_mode: ``read-only``, ``workspace-write`` or ``danger-full-access``.
        request_retries: Per request; the mock's refusals are final by default.
        stream_retries: Per stream; they multiply with those per request.
        extra_top: TOML for further top-level keys.
        extra_tables:
            TOML put at the end; it begins inside ``[features]``.
    """
    home.mkdir(parents=True, exist_ok=True)
    path = home / "config.toml"
    text = _CONFIG.format(
        # A JSON string is a basic string of TOML, too.
        model=json.dumps(model),
        approval_policy=json.dumps(approval_policy),
        sandbox_mode=json.dumps(sandbox_mode),
        base_url=json.dumps(base_url),
        request_retries=request_retries,
        stream_retries=stream_retries,
        extra_top=extra_top,
        extra_tables=extra_tables,
    )
    path.write_text(text, encoding="utf-8")
    return path


def rollout_paths(home: Path) -> list[Path]:
    """The rollouts of threads that are not archived, oldest first."""
    return sorted((home / "sessions").glob("*/*/*/rollout-*.jsonl"))


def read_rollout(path: Path) -> list[dict[str, Any]]:
    """Each line as an object; a ValueError says that one is none."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
