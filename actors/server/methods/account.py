"""Who is logged in, and what the provider says of limits."""

import uuid
from typing import Final, assert_never

from actors.config import open_login
from actors.models import Account as CoreAccount
from actors.models import AuthManager, CredentialsError, CredentialStoreUnsupported
from actors.models import AuthMode as CoreAuthMode
from messages.events import RateLimitSnapshot
from messages.rpc.account import (
    Account,
    AccountLoginCompletedNotification,
    AccountUpdatedNotification,
    ApiKeyAccount,
    ApiKeyLoginAccountParams,
    ApiKeyLoginAccountResponse,
    AuthMode,
    CancelLoginAccountParams,
    CancelLoginAccountResponse,
    CancelLoginAccountStatus,
    ChatgptAccount,
    ChatgptAuthTokensLoginAccountParams,
    ChatgptLoginAccountParams,
    GetAccountRateLimitsResponse,
    GetAccountResponse,
    LoginAccountParams,
    LogoutAccountResponse,
)

from ..ground import Ground
from ..rpc_connection import ClientRequest
from ..rpc_errors import RpcFailure
from ..usage_values import rate_limits

__all__ = ["account_read", "login_cancel", "login_start", "logout", "rate_limits_read"]

_MODES: Final = {
    CoreAuthMode.API_KEY: AuthMode.API_KEY,
    CoreAuthMode.CHATGPT: AuthMode.CHATGPT,
}


async def account_read(ground: Ground, _: ClientRequest) -> GetAccountResponse:
    """Say which login model requests are made with, and whether they need one."""
    found = await _account(ground)
    return GetAccountResponse(
        requires_openai_auth=ground.setup.requires_openai_auth,
        account=None if found is None else _said(found),
    )


async def _account(ground: Ground) -> CoreAccount | None:
    manager = open_login(await ground.config(), ground.setup.environ)
    if manager is None:
        return None
    try:
        return await manager.account()
    except CredentialsError as exc:
        raise RpcFailure.internal(f"failed to read the login: {exc}") from exc


def _said(found: CoreAccount) -> Account:
    if found.mode is CoreAuthMode.API_KEY:
        return ApiKeyAccount()
    return ChatgptAccount(email=found.email or "", plan_type=found.plan_type or "unknown")


# Logging in and out -------------------------------------------------------------


async def login_start(ground: Ground, request: ClientRequest) -> None:
    """Keep a key for all model requests from now on; there is no other login here."""
    params: LoginAccountParams = request.params
    match params:
        case ApiKeyLoginAccountParams(api_key=key):
            await _keep(ground, key)
        case ChatgptLoginAccountParams() | ChatgptAuthTokensLoginAccountParams():
            raise RpcFailure.invalid(
                "logging in with ChatGPT is not supported by this server: log in with an API key, "
                f"or run 'codex login' with CODEX_HOME={ground.home}, whose auth.json is read here"
            )
        case _:
            assert_never(params)
    await request.respond(ApiKeyLoginAccountResponse())
    ground.broadcast(AccountLoginCompletedNotification(success=True))
    await _tell_account(ground)


async def _keep(ground: Ground, key: str) -> None:
    try:
        await (await _manager(ground)).login_with_api_key(key)
    except CredentialsError as exc:
        raise RpcFailure.invalid(f"failed to save api key: {exc}") from exc


async def _manager(ground: Ground) -> AuthManager:
    """
    Get what keeps logins.

    Raises:
        RpcFailure: The configuration wants them to be kept where we cannot.
    """
    config = await ground.config()
    manager = open_login(config, ground.setup.environ)
    if manager is None:
        raise RpcFailure.invalid(str(CredentialStoreUnsupported(config.credential_store)))
    return manager


async def login_cancel(_: Ground, request: ClientRequest) -> CancelLoginAccountResponse:
    """Call off a login that waits for a browser: there never is one."""
    params: CancelLoginAccountParams = request.params
    try:
        uuid.UUID(params.login_id)
    except ValueError:
        raise RpcFailure.invalid(f"invalid login id: {params.login_id}") from None
    return CancelLoginAccountResponse(status=CancelLoginAccountStatus.NOT_FOUND)


async def logout(ground: Ground, request: ClientRequest) -> None:
    """Forget the login that is kept; a key in the environment stays."""
    try:
        await (await _manager(ground)).logout()
    except CredentialsError as exc:
        raise RpcFailure.internal(f"logout failed: {exc}") from exc
    await request.respond(LogoutAccountResponse())
    await _tell_account(ground)


async def _tell_account(ground: Ground) -> None:
    """Tell everybody who is logged in now."""
    found = await _account(ground)
    told = AccountUpdatedNotification()
    if found is not None:
        told = AccountUpdatedNotification(auth_mode=_MODES[found.mode], plan_type=found.plan_type)
    ground.broadcast(told)


# Limits -------------------------------------------------------------------------


async def rate_limits_read(ground: Ground, _: ClientRequest) -> GetAccountRateLimitsResponse:
    """Say what the provider told last, in answers to requests of threads that are loaded."""
    latest = _latest_limits(ground)
    if latest is not None:
        said = rate_limits(latest)
        by_id = None if said.limit_id is None else {said.limit_id: said}
        return GetAccountRateLimitsResponse(rate_limits=said, rate_limits_by_limit_id=by_id)
    match await _account(ground):
        case None:
            who = "codex account"
        case CoreAccount(mode=CoreAuthMode.API_KEY):
            who = "chatgpt"
        case _:
            raise RpcFailure.internal(
                "failed to fetch codex rate limits: the provider has told none yet; it does in "
                "its answers, and account/rateLimits/updated passes it on"
            )
    raise RpcFailure.invalid(f"{who} authentication required to read rate limits")


def _latest_limits(ground: Ground) -> RateLimitSnapshot | None:
    """Find what was heard last: in a turn that runs, or in the one that ended last."""
    heard = [
        (loaded.projection.turn_id is not None, loaded.facts.updated_at, number, limits)
        for number, loaded in enumerate(ground.loaded)
        if (limits := loaded.projection.last_limits) is not None
    ]
    return max(heard, key=lambda each: each[:3])[3] if heard else None
