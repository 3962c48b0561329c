"""Who is logged in."""

from actors.config import open_login
from actors.models import Account as CoreAccount
from actors.models import AuthMode, CredentialsError
from messages.rpc.account import Account, ApiKeyAccount, ChatgptAccount, GetAccountResponse

from ..ground import Ground
from ..rpc_errors import RpcFailure
from ..rpc_handler import ClientRequest

__all__ = ["account_read", "rate_limits_read"]


async def account_read(ground: Ground, _: ClientRequest) -> GetAccountResponse:
    """Say which login model requests are made with, and whether they need one."""
    needed = ground.setup.requires_openai_auth
    manager = open_login(await ground.config(), ground.setup.environ)
    if manager is None:
        return GetAccountResponse(requires_openai_auth=needed)
    try:
        found = await manager.account()
    except CredentialsError as exc:
        raise RpcFailure.internal(f"failed to read the login: {exc}") from exc
    return GetAccountResponse(
        requires_openai_auth=needed, account=None if found is None else _said(found)
    )


def _said(account: CoreAccount) -> Account:
    if account.mode is AuthMode.API_KEY:
        return ApiKeyAccount()
    return ChatgptAccount(email=account.email or "", plan_type=account.plan_type or "unknown")


async def rate_limits_read(_: Ground, __: ClientRequest) -> None:
    """Refuse: what is known of limits comes with the events of turns."""
    raise RpcFailure.invalid(
        "reading rate limits is not supported; they are told as account/rateLimits/updated "
        "when a turn hears of them"
    )
