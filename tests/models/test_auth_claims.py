"""What an id token says about the user."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.models.auth_claims import ClaimsInvalid, IdClaims, read_claims

AUTH = "https://api.openai.com/auth"
PROFILE = "https://api.openai.com/profile"


def token_of(claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{payload}.signature"


@pytest.mark.parametrize(
    ("claims", "read"),
    [
        ({}, IdClaims()),
        ({"email": "a@b"}, IdClaims(email="a@b")),
        ({PROFILE: {"email": "c@d"}}, IdClaims(email="c@d")),
        ({"email": "a@b", PROFILE: {"email": "c@d"}}, IdClaims(email="a@b")),
        (
            {AUTH: {"chatgpt_plan_type": "pro", "chatgpt_user_id": "u", "chatgpt_account_id": "w"}},
            IdClaims(plan_type="pro", user_id="u", account_id="w"),
        ),
        ({AUTH: {"user_id": "v"}}, IdClaims(user_id="v")),
        ({AUTH: {"user_id": "v", "chatgpt_user_id": "u"}}, IdClaims(user_id="u")),
        ({"email": 1, AUTH: [], PROFILE: "x"}, IdClaims()),
    ],
)
def test_claims_are_read_from_where_the_service_puts_them(claims: Any, read: IdClaims) -> None:
    """Those that are missing or of another kind are None."""
    assert read_claims(token_of(claims)) == read


@pytest.mark.parametrize(
    "token",
    [
        "", "a", "a.b", "..", "a..c", ".e30.c", "a.e30.", "a.e30.c.d", "a.e30=.c", "a.!!!.c",
        "a.ü.c", "a.e3.c", "a.bm9wZQ.c", "a.W10.c", "a.e.c",
    ],
)  # fmt: skip
def test_what_is_no_token_is_said_to_be_none_without_being_quoted(token: str) -> None:
    """Three parts, the middle one an object."""
    with pytest.raises(ClaimsInvalid) as caught:
        read_claims(token)

    assert str(caught.value) == "the id token is no JSON web token"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(st.text())
def test_no_text_does_worse_than_being_no_token(text: str) -> None:
    """Whatever a file holds."""
    try:
        read_claims(text)
    except ClaimsInvalid:
        return


@given(st.dictionaries(st.text(), st.text() | st.none() | st.dictionaries(st.text(), st.text())))
def test_every_object_can_be_read(claims: dict[str, Any]) -> None:
    """Also with characters that base64 spells with - and _."""
    read_claims(token_of(claims))
