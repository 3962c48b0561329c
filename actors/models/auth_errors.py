"""Why there are no credentials for a model request, or no fresh ones."""

# ruff: noqa: N818 -- conditions, as their neighbours in errors.py

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Final

from messages.events import CodexErrorCode, CodexErrorInfo

from .auth_credentials import CredentialStore
from .errors import ModelError

__all__ = [
    "CredentialStoreUnsupported",
    "CredentialsError",
    "RefreshFailure",
    "RefreshTokenFailed",
    "TokenRefreshFailed",
]


class RefreshFailure(Enum):
    """
    Why a login is at its end; the value is the code that the service gives.

    Attributes:
        EXPIRED: It was not used for too long.
        EXHAUSTED: Its refresh token was used before; each is good for one use.
        REVOKED: The user or the service ended it.
        OTHER: The service did not say.
    """

    EXPIRED = "refresh_token_expired"
    EXHAUSTED = "refresh_token_reused"
    REVOKED = "refresh_token_invalidated"
    OTHER = "other"


_WHY: Final = {
    RefreshFailure.EXPIRED: " because your refresh token has expired",
    RefreshFailure.EXHAUSTED: " because your refresh token was already used",
    RefreshFailure.REVOKED: " because your refresh token was revoked",
    RefreshFailure.OTHER: "",
}


class RefreshTokenFailed(ModelError):
    """
    The login is at its end: the service does not renew its tokens any more.

    Only the user can help, by logging in again.

    Attributes:
        reason: Why.

    Source:
        Codex, ``RefreshTokenFailedError``; the texts are the same.
    """

    before_stream = True

    def __init__(self, reason: RefreshFailure) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        why = _WHY[self.reason]
        return f"Your access token could not be refreshed{why}. Please log out and sign in again."

    @property
    def info(self) -> CodexErrorInfo:
        """Whoever reads it has to log in."""
        return CodexErrorCode.UNAUTHORIZED


class TokenRefreshFailed(ModelError):
    """
    The tokens could not be renewed this time; the login may still be good.

    Attributes:
        problem: What happened, for people; without secrets.

    Source:
        Codex, ``RefreshTokenError::Transient``, which becomes an ``Io`` error.
    """

    retryable = True
    before_stream = True

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"Failed to refresh token: {self.problem}"


class CredentialsError(ModelError):
    """
    The stored credentials cannot be used, or new ones cannot be stored.

    Attributes:
        path: Where they are.
        problem: What is wrong, and the way out; without secrets.

    Source:
        Codex takes credentials that it cannot read for none at all.
    """

    before_stream = True

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"credentials in {str(self.path)!r}: {self.problem}"

    @property
    def info(self) -> CodexErrorInfo:
        """Whoever reads it has to log in."""
        return CodexErrorCode.UNAUTHORIZED


class CredentialStoreUnsupported(ModelError):
    """
    The configuration wants credentials to be kept where we cannot keep them.

    Attributes:
        store: Where that is.
    """

    before_stream = True

    def __init__(self, store: CredentialStore) -> None:
        super().__init__(store)
        self.store = store

    def __str__(self) -> str:
        return (
            f"credentials cannot be kept in the store {self.store.value!r}: only "
            f"{CredentialStore.FILE.value!r} is supported (cli_auth_credentials_store)"
        )
