"""What ``auth.json`` says, in Codex's form."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.models import (
    Account,
    AuthMode,
    Credentials,
    CredentialsError,
    CredentialStore,
    CredentialStoreUnsupported,
    ModelError,
    RefreshFailure,
    RefreshTokenFailed,
    TokenRefreshFailed,
)
from actors.models.auth_credentials import hide
from actors.models.auth_stored import NewTokens, StoredAuth, decode_auth, encode_auth
from messages.events import CodexErrorCode
from tests.models.logins import NOW, jwt

PATH = Path("/home/auth.json")
STAMP = "2026-01-01T00:00:00.5Z"


def decoded(members: Any) -> StoredAuth | None:
    return decode_auth(PATH, json.dumps(members).encode())


def login(**tokens: Any) -> dict[str, Any]:
    given = {"id_token": jwt(), "access_token": "at", "refresh_token": "rt", **tokens}
    return {"tokens": given, "last_refresh": STAMP}


KEY = Credentials(token="sk-1", mode=AuthMode.API_KEY)
CHATGPT = Credentials(token="at", mode=AuthMode.CHATGPT)


@pytest.mark.parametrize(
    ("members", "credentials"),
    [
        ({}, None),
        ({"OPENAI_API_KEY": None}, None),
        ({"OPENAI_API_KEY": "sk-1"}, KEY),
        ({"OPENAI_API_KEY": " sk-1\n", "auth_mode": "apikey"}, KEY),
        ({"OPENAI_API_KEY": "sk-1", **login()}, KEY),
        ({"OPENAI_API_KEY": "sk-1", "auth_mode": "chatgpt", **login()}, CHATGPT),
        (login(), CHATGPT),
        (login(id_token="nonsense"), CHATGPT),
        (login(account_id="w"), Credentials(token="at", mode=AuthMode.CHATGPT, account_id="w")),
        (
            login(id_token=jwt(chatgpt_account_id="w")),
            Credentials(token="at", mode=AuthMode.CHATGPT, account_id="w"),
        ),
    ],
)
def test_explicit_mode_goes_before_a_key_and_a_key_before_tokens(
    members: dict[str, Any], credentials: Credentials | None
) -> None:
    """As Codex decides."""
    stored = decoded(members)

    assert (stored and stored.credentials) == credentials


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ([], "holds no JSON object"),
        ({"auth_mode": "apikey"}, "API key auth is missing a key"),
        ({"OPENAI_API_KEY": " "}, "API key auth is missing a key"),
        ({"OPENAI_API_KEY": 7}, "API key auth is missing a key"),
        ({"OPENAI_API_KEY": "se cret"}, "the API key has a character that headers cannot have"),
        ({"OPENAI_API_KEY": "sé"}, "the API key has a character that headers cannot have"),
        ({"auth_mode": "chatgpt"}, "Token data is not available"),
        ({"tokens": {"access_token": "at"}}, "Token data is not available"),
        ({**login(), "last_refresh": "yesterday"}, "Token data is not available"),
        ({**login(), "last_refresh": "2026-01-01T00:00:00"}, "Token data is not available"),
        (login(access_token=None), "Token data is not available"),
        (login(access_token="secret\u0001"), "the access token has a character"),
        (login(account_id="a\nb"), "the account id has a character"),
        ({"auth_mode": "chatgptAuthTokens", **login()}, "its auth_mode is not supported"),
        ({"auth_mode": ["secret"]}, "its auth_mode is not supported"),
    ],
)
def test_login_that_cannot_be_used_says_why_and_what_to_do(members: Any, problem: str) -> None:
    """It names the file, never what is in it."""
    with pytest.raises(CredentialsError) as caught:
        decoded(members)

    text = str(caught.value)
    assert text.startswith(f"credentials in {str(PATH)!r}: ")
    assert problem in text
    assert "log in again" in text
    assert "secret" not in text
    assert caught.value.info is CodexErrorCode.UNAUTHORIZED
    assert not caught.value.retryable


@given(st.binary() | st.text().map(str.encode))
def test_no_content_does_worse_than_that(data: bytes) -> None:
    """Whatever is in the file."""
    try:
        decode_auth(PATH, data)
    except CredentialsError:
        return


def test_renewal_changes_what_came_and_keeps_everything_else() -> None:
    """Also what we know nothing of, for a newer Codex."""
    members = {**login(account_id="w", later="x"), "auth_mode": "chatgpt", "newer": {"a": 1}}
    stored = decoded(members)
    assert stored is not None

    renewed = stored.renewed(PATH, NewTokens(access_token="at2"), NOW + 0.25)

    assert decoded(members) == stored
    assert renewed == decode_auth(PATH, encode_auth(renewed))
    assert renewed.last_refresh == NOW + 0.25
    assert json.loads(encode_auth(renewed)) == {
        **members,
        "tokens": {**members["tokens"], "access_token": "at2"},
        "last_refresh": "2026-01-01T00:00:00.250000Z",
    }


def test_key_is_stored_as_codex_stores_it() -> None:
    """The key and the mode, indented by two."""
    text = encode_auth(StoredAuth.of_key("sk-1")).decode()

    assert text == '{\n  "auth_mode": "apikey",\n  "OPENAI_API_KEY": "sk-1"\n}'


def test_account_tells_who_it_is() -> None:
    """From the claims of the id token."""
    stored = decoded(login(id_token=jwt(chatgpt_plan_type="plus"), account_id="w"))

    assert stored is not None
    assert stored.account == Account(
        mode=AuthMode.CHATGPT, email="ann@example.org", plan_type="plus", account_id="w"
    )


def test_nothing_shows_a_secret() -> None:
    """Not even when it is looked at in a debugger."""
    stored = decoded(login(access_token="SECRET1", refresh_token="SECRET2", id_token="SECRET3"))
    new = NewTokens(access_token="SECRET1", refresh_token="SECRET2", id_token="SECRET3")

    assert "SECRET" not in f"{stored!r} {new!r} {StoredAuth.of_key('SECRET4')!r}"


@pytest.mark.parametrize(
    ("text", "secrets", "hidden"),
    [
        ("key sk-12345678!", ("sk-12345678",), "key [hidden]!"),
        ("aaaaaaaa aaaaaaaabb", ("aaaaaaaa", "aaaaaaaabb"), "[hidden] [hidden]"),
        ("Bearer x", ("Bearer", "x"), "Bearer x"),
        ("nothing", (), "nothing"),
        ("nothing", ("",), "nothing"),
    ],
)
def test_what_a_server_repeats_is_hidden(text: str, secrets: tuple[str, ...], hidden: str) -> None:
    """Longest first; what is too short to be a secret stays."""
    assert hide(text, *secrets) == hidden


@pytest.mark.parametrize(
    "error",
    [
        RefreshTokenFailed(RefreshFailure.EXPIRED),
        TokenRefreshFailed("why"),
        CredentialsError(PATH, "why"),
        CredentialStoreUnsupported(CredentialStore.KEYRING),
    ],
)
def test_error_survives_pickle_and_copy(error: ModelError) -> None:
    """With its text and what it means."""
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert str(other) == str(error)
        assert (other.retryable, other.before_stream, other.info) == (
            error.retryable,
            error.before_stream,
            error.info,
        )


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (
            RefreshFailure.EXPIRED,
            "Your access token could not be refreshed because your refresh token has expired. "
            "Please log out and sign in again.",
        ),
        (
            RefreshFailure.EXHAUSTED,
            "Your access token could not be refreshed because your refresh token was already used. "
            "Please log out and sign in again.",
        ),
        (
            RefreshFailure.REVOKED,
            "Your access token could not be refreshed because your refresh token was revoked. "
            "Please log out and sign in again.",
        ),
        (
            RefreshFailure.OTHER,
            "Your access token could not be refreshed. Please log out and sign in again.",
        ),
    ],
)
def test_end_of_a_login_is_told_in_codexs_words(reason: RefreshFailure, text: str) -> None:
    """Clients show them; programs read that somebody has to log in."""
    error = RefreshTokenFailed(reason)

    assert str(error) == text
    assert error.info is CodexErrorCode.UNAUTHORIZED
    assert not error.retryable
