"""The provider that is there without being configured."""

from __future__ import annotations

from typing import Final

from actors.models import ProviderInfo

__all__ = ["OPENAI", "OPENAI_PROVIDER"]

OPENAI: Final = "openai"

OPENAI_PROVIDER: Final = ProviderInfo(
    id=OPENAI,
    # Not only for people: what a provider of this name can do more is known by it.
    name="OpenAI",
    env_http_headers={
        "OpenAI-Organization": "OPENAI_ORGANIZATION",
        "OpenAI-Project": "OPENAI_PROJECT",
    },
    requires_openai_auth=True,
)
"""
OpenAI's own service; ``OPENAI_BASE_URL`` in the environment moves it elsewhere.

Without an address of its own it is where the user's login is good: see `service_url`.
"""
