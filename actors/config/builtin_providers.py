"""The provider that is there without being configured."""

from __future__ import annotations

from typing import Final

from actors.models import OPENAI_BASE_URL, ProviderInfo

__all__ = ["OPENAI", "OPENAI_PROVIDER"]

OPENAI: Final = "openai"

OPENAI_PROVIDER: Final = ProviderInfo(
    id=OPENAI,
    # Not only for people: what a provider of this name can do more is known by it.
    name="OpenAI",
    base_url=OPENAI_BASE_URL,
    env_http_headers={
        "OpenAI-Organization": "OPENAI_ORGANIZATION",
        "OpenAI-Project": "OPENAI_PROJECT",
    },
    requires_openai_auth=True,
)
"""OpenAI's own service; ``OPENAI_BASE_URL`` in the environment moves it elsewhere."""
