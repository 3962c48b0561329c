"""What an id token says about the user."""

from __future__ import annotations

import base64
from typing import Final, cast

import attrs
import orjson

from messages.value import Json

from .error_texts import text_member

__all__ = ["ClaimsInvalid", "IdClaims", "read_claims"]

_AUTH: Final = "https://api.openai.com/auth"
_PROFILE: Final = "https://api.openai.com/profile"
_PARTS: Final = 3


class ClaimsInvalid(ValueError):  # noqa: N818 -- a condition; nobody has to log in again for it
    """A text is no JSON web token; the text itself is not in the error."""

    def __str__(self) -> str:
        return "the id token is no JSON web token"


@attrs.frozen(kw_only=True)
class IdClaims:
    """
    Claims of an id token; None for those that it does not make.

    Attributes:
        email: Of the user.
        plan_type: As the service names it, for example ``plus``.
        user_id: The service's name for the user.
        account_id: The workspace that was chosen at login.
    """

    email: str | None = None
    plan_type: str | None = None
    user_id: str | None = None
    account_id: str | None = None


def read_claims(token: str) -> IdClaims:
    """
    Read the claims of an id token; its signature is not looked at.

    Nothing is permitted on their account: they only name the workspace and the
    user, and the service checks the access token anyway.

    Raises:
        ClaimsInvalid: It is no such token.

    Source:
        Codex, ``parse_id_token``.
    """
    claims = _payload(token)
    auth, profile = claims.get(_AUTH), claims.get(_PROFILE)
    return IdClaims(
        email=text_member(claims, "email") or text_member(profile, "email"),
        plan_type=text_member(auth, "chatgpt_plan_type"),
        user_id=text_member(auth, "chatgpt_user_id") or text_member(auth, "user_id"),
        account_id=text_member(auth, "chatgpt_account_id"),
    )


def _payload(token: str) -> dict[str, Json]:
    parts = token.split(".")
    if len(parts) != _PARTS or not all(parts) or "=" in parts[1]:
        raise ClaimsInvalid
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims: Json = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except ValueError:  # of both: neither base64 nor JSON
        raise ClaimsInvalid from None  # the cause quotes the token
    if not isinstance(claims, dict):
        raise ClaimsInvalid
    return cast("dict[str, Json]", claims)  # keys of JSON are strings
