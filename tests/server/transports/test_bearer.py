"""The secret of clients over the network."""

import logging
from pathlib import Path

import pytest

from actors.server.rpc_errors import BadToken
from actors.server.transports.bearer import Token, token_from_environment, token_from_file

SECRET = "0123456789abcdef"

HEADERS: list[tuple[bytes | None, bool]] = [
    (b"Bearer 0123456789abcdef", True),
    (b"bearer 0123456789abcdef", True),
    (b"BEARER  0123456789abcdef ", True),
    (None, False),
    (b"", False),
    (b"Bearer", False),
    (b"Bearer ", False),
    (b"Basic 0123456789abcdef", False),
    (b"0123456789abcdef", False),
    (b"Bearer 0123456789abcde", False),
    (b"Bearer 0123456789abcdeg", False),
    (b"Bearer 0123456789abcdef0", False),
    (b"Bearer 0123456789ABCDEF", False),
    (b"Bearer \xff\xfe", False),
]


@pytest.mark.parametrize(("header", "allowed"), HEADERS)
def test_header_brings_the_token_or_not(header: bytes | None, allowed: bool) -> None:
    """Every character counts; the name of the scheme may be written in any way."""
    assert Token(SECRET).allows(header) is allowed


@pytest.mark.parametrize("secret", ["x" * 16, "x" * 4096, "abc-._~+/ABC0123==", "0123456789abcde="])
def test_token_may_have_what_a_header_may_have(secret: str) -> None:
    """At both ends of its length, too."""
    assert Token(secret).allows(b"Bearer " + secret.encode())


@pytest.mark.parametrize(
    "secret", ["", "x" * 15, "x" * 4097, "0123456789 abcdef", "=0123456789abcdef", "é" * 16]
)
def test_what_cannot_be_a_token_is_told_without_saying_it(secret: str) -> None:
    """The error may end up in a log."""
    with pytest.raises(BadToken) as caught:
        Token(secret, "here")

    assert str(caught.value).startswith("here: a token has ")
    assert not secret or secret not in str(caught.value)


def test_token_is_not_in_its_repr() -> None:
    """Nor in what it keeps."""
    token = Token(SECRET)

    assert SECRET not in repr(token)
    assert SECRET not in repr(vars(token))


async def test_token_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    """Editors end it with a newline."""
    file = tmp_path / "token"
    file.write_text(f"  {SECRET} \nsomething else\n")
    file.chmod(0o600)

    token = await token_from_file(file)

    assert token.allows(b"Bearer " + SECRET.encode())


@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o640, 1), (0o604, 1)])
async def test_file_that_others_can_read_is_warned_of(
    mode: int, warned: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is used all the same: some systems leave no choice."""
    file = tmp_path / "token"
    file.write_text(SECRET)
    file.chmod(mode)

    await token_from_file(file)

    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == warned


@pytest.mark.parametrize("content", [None, b"", b"\n" + SECRET.encode(), b"\xff" * 20, b"x" * 9999])
async def test_file_without_a_token_is_told_by_its_name(
    content: bytes | None, tmp_path: Path
) -> None:
    """Whatever is wrong with it."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
        file.chmod(0o600)

    with pytest.raises(BadToken, match="token: "):
        await token_from_file(file)


def test_token_comes_from_the_environment_it_is_given() -> None:
    """Not from the one of the process."""
    token = token_from_environment("T", {"T": f" {SECRET}\n"})

    assert token.allows(b"Bearer " + SECRET.encode())
    with pytest.raises(BadToken, match="T: this environment variable is not set"):
        token_from_environment("T", {})
