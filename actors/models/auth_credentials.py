"""What opens a service: a key, or the token of a ChatGPT login."""

from __future__ import annotations

from enum import Enum
from typing import Final, Protocol

import attrs

__all__ = [
    "Account",
    "AuthMode",
    "CredentialStore",
    "Credentials",
    "CredentialsSource",
    "fits_header",
    "hide",
]

# Shorter ones are what people give to local servers that want any key at all;
# hiding every "x" would only garble texts.
_SHORTEST_SECRET: Final = 8
_HIDDEN: Final = "[hidden]"


class AuthMode(Enum):
    """
    How the user opens OpenAI's service; the values are those of ``auth.json``.

    Attributes:
        API_KEY: With a key that is billed by use.
        CHATGPT: With the login of a ChatGPT plan, whose tokens are renewed.
    """

    API_KEY = "apikey"
    CHATGPT = "chatgpt"


class CredentialStore(Enum):
    """Where Codex can keep credentials; of these only a file is supported here."""

    FILE = "file"
    KEYRING = "keyring"
    AUTO = "auto"
    EPHEMERAL = "ephemeral"


@attrs.frozen(kw_only=True)
class Credentials:
    """
    What one request is sent with.

    Attributes:
        token: The bearer token; shown nowhere.
        mode: What kind of token it is.
        account_id: Which of the user's workspaces pays; None for keys.
    """

    token: str = attrs.field(repr=False)
    mode: AuthMode
    account_id: str | None = None


@attrs.frozen(kw_only=True)
class Account:
    """
    Who is logged in, for people.

    Attributes:
        email: None for keys, or when the login does not tell.
        plan_type: As the service names it, for example ``plus``; None likewise.
        account_id: The workspace; None likewise.
    """

    mode: AuthMode
    email: str | None = None
    plan_type: str | None = None
    account_id: str | None = None


class CredentialsSource(Protocol):
    """Gives credentials, and better ones when they are refused; see `AuthManager`."""

    async def credentials(self) -> Credentials | None:
        """
        Get what to send with the next request; None when nobody is logged in.

        Raises:
            CredentialsError: There is a login that cannot be used.
        """
        ...

    async def recover(self, failed: Credentials) -> Credentials | None:
        """
        Get others, because the service refused *failed*; None when there are none.

        Raises:
            ModelError: They could not be renewed.
        """
        ...


def fits_header(text: str) -> bool:
    """Tell whether a token can be sent: visible ASCII, and at least one character."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def hide(text: str, *secrets: str) -> str:
    """Return *text*, which a server wrote, without the secrets that it may have repeated."""
    for secret in sorted(secrets, key=len, reverse=True):  # one may be a part of another
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, _HIDDEN)
    return text
