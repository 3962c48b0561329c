"""Accounts: who pays for the model, and how much is left."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

import attrs

from .value import RpcParams, RpcValue

__all__ = [
    "Account",
    "AccountLoginCompletedNotification",
    "AccountRateLimitsUpdatedNotification",
    "AccountUpdatedNotification",
    "ApiKeyAccount",
    "ApiKeyLoginAccountParams",
    "ApiKeyLoginAccountResponse",
    "AuthMode",
    "CancelLoginAccountParams",
    "CancelLoginAccountResponse",
    "CancelLoginAccountStatus",
    "ChatgptAccount",
    "ChatgptAuthTokensLoginAccountParams",
    "ChatgptAuthTokensLoginAccountResponse",
    "ChatgptAuthTokensRefreshParams",
    "ChatgptAuthTokensRefreshReason",
    "ChatgptAuthTokensRefreshResponse",
    "ChatgptLoginAccountParams",
    "ChatgptLoginAccountResponse",
    "CreditsSnapshot",
    "GetAccountParams",
    "GetAccountRateLimitsResponse",
    "GetAccountResponse",
    "LoginAccountParams",
    "LoginAccountResponse",
    "LogoutAccountResponse",
    "RateLimitSnapshot",
    "RateLimitWindow",
]


class AuthMode(Enum):
    """How the server proves who it is to the model's provider."""

    API_KEY = "apikey"
    CHATGPT = "chatgpt"
    CHATGPT_AUTH_TOKENS = "chatgptAuthTokens"


@attrs.frozen(kw_only=True)
class ApiKeyAccount(RpcValue):
    """An account known by its key alone."""


@attrs.frozen(kw_only=True)
class ChatgptAccount(RpcValue):
    """An account with a subscription."""

    email: str
    plan_type: str


Account: TypeAlias = ApiKeyAccount | ChatgptAccount


@attrs.frozen(kw_only=True)
class GetAccountParams(RpcParams):
    """Ask which account is in use."""

    refresh_token: bool = False


@attrs.frozen(kw_only=True)
class GetAccountResponse(RpcValue):
    """The account, None for none; and whether the provider wants one of OpenAI's."""

    requires_openai_auth: bool
    account: Account | None = None


@attrs.frozen(kw_only=True)
class ApiKeyLoginAccountParams(RpcParams):
    """Log in with a key."""

    api_key: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class ChatgptLoginAccountParams(RpcParams):
    """Log in with a browser."""


@attrs.frozen(kw_only=True)
class ChatgptAuthTokensLoginAccountParams(RpcParams):
    """Log in with tokens that the client looks after."""

    access_token: str = attrs.field(repr=False)
    chatgpt_account_id: str
    chatgpt_plan_type: str | None = None


LoginAccountParams: TypeAlias = (
    ApiKeyLoginAccountParams | ChatgptLoginAccountParams | ChatgptAuthTokensLoginAccountParams
)


@attrs.frozen(kw_only=True)
class ApiKeyLoginAccountResponse(RpcValue):
    """The key is in use."""


@attrs.frozen(kw_only=True)
class ChatgptLoginAccountResponse(RpcValue):
    """The login waits for the browser."""

    login_id: str
    auth_url: str


@attrs.frozen(kw_only=True)
class ChatgptAuthTokensLoginAccountResponse(RpcValue):
    """The tokens are in use."""


LoginAccountResponse: TypeAlias = (
    ApiKeyLoginAccountResponse | ChatgptLoginAccountResponse | ChatgptAuthTokensLoginAccountResponse
)


@attrs.frozen(kw_only=True)
class CancelLoginAccountParams(RpcParams):
    """Call off a login that waits for the browser."""

    login_id: str


class CancelLoginAccountStatus(Enum):
    """Whether there was such a login."""

    CANCELED = "canceled"
    NOT_FOUND = "notFound"


@attrs.frozen(kw_only=True)
class CancelLoginAccountResponse(RpcValue):
    """What was done."""

    status: CancelLoginAccountStatus


@attrs.frozen(kw_only=True)
class LogoutAccountResponse(RpcValue):
    """Nobody is logged in any more."""


@attrs.frozen(kw_only=True)
class RateLimitWindow(RpcValue):
    """One rate limit; resets_at in seconds since the Unix epoch."""

    used_percent: int
    window_duration_mins: int | None = None
    resets_at: int | None = None


@attrs.frozen(kw_only=True)
class CreditsSnapshot(RpcValue):
    """What is left to spend, where the provider says so."""

    has_credits: bool
    unlimited: bool
    balance: str | None = None


@attrs.frozen(kw_only=True)
class RateLimitSnapshot(RpcValue):
    """The provider's rate limits as last heard of."""

    limit_id: str | None = None
    limit_name: str | None = None
    primary: RateLimitWindow | None = None
    secondary: RateLimitWindow | None = None
    credits: CreditsSnapshot | None = None
    plan_type: str | None = None


@attrs.frozen(kw_only=True)
class GetAccountRateLimitsResponse(RpcValue):
    """The limits that count, and all of them by id."""

    rate_limits: RateLimitSnapshot
    rate_limits_by_limit_id: Mapping[str, RateLimitSnapshot] | None = None


@attrs.frozen(kw_only=True)
class AccountLoginCompletedNotification(RpcValue):
    """A login is over; error is None after a success."""

    success: bool
    login_id: str | None = None
    error: str | None = None


@attrs.frozen(kw_only=True)
class AccountUpdatedNotification(RpcValue):
    """Another account is in use, or none."""

    auth_mode: AuthMode | None = None
    plan_type: str | None = None


@attrs.frozen(kw_only=True)
class AccountRateLimitsUpdatedNotification(RpcValue):
    """The provider told of its limits."""

    rate_limits: RateLimitSnapshot


class ChatgptAuthTokensRefreshReason(Enum):
    """Why new tokens are needed."""

    UNAUTHORIZED = "unauthorized"


@attrs.frozen(kw_only=True)
class ChatgptAuthTokensRefreshParams(RpcValue):
    """Ask the client for new tokens."""

    reason: ChatgptAuthTokensRefreshReason
    previous_account_id: str | None = None


@attrs.frozen(kw_only=True)
class ChatgptAuthTokensRefreshResponse(RpcValue):
    """New tokens."""

    access_token: str = attrs.field(repr=False)
    chatgpt_account_id: str
    chatgpt_plan_type: str | None = None
