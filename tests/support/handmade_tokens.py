"""Tokens for tests: right ones, and compact tokens put together by hand from any header and payload."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt

from support.processes import SECRET

WALL = 1_790_000_000


def claims(**changes: Any) -> dict[str, Any]:
    """A player's claims at `HandClock`'s start; `None` takes a claim out."""
    base: dict[str, Any] = {"sub": "p1", "exp": WALL + 3600, "roles": ["player"]}
    return {name: value for name, value in (base | changes).items() if value is not None}


def signed(payload: dict[str, Any], secret: str = SECRET, headers: dict[str, Any] | None = None) -> str:
    """An HS256 token as the library makes it."""
    return jwt.encode(payload, secret, "HS256", headers=headers)


def segment(value: Any) -> str:
    """One part of a compact token; text goes in as it is."""
    raw = (
        value
        if isinstance(value, bytes)
        else value.encode()
        if isinstance(value, str)
        else json.dumps(value).encode()
    )
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_hand(header: Any, payload: Any, secret: str | bytes = SECRET) -> str:
    """A token with a right HMAC-SHA-256 signature over anything."""
    body = f"{segment(header)}.{segment(payload)}"
    key = secret if isinstance(secret, bytes) else secret.encode()
    return f"{body}.{segment(hmac.new(key, body.encode(), hashlib.sha256).digest())}"
