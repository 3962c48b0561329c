"""Credentials and a service of tokens for several tests."""

from __future__ import annotations

import errno
import os

import httpx2

from actors.models import AuthMode, Credentials
from tests.models.logins import TokenService

KEY = Credentials(token="sk-1", mode=AuthMode.API_KEY)


def refusing(status: int, code: str = "") -> TokenService:
    return TokenService(lambda _: httpx2.Response(status, json={"error": {"code": code}}))


def disk_full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
