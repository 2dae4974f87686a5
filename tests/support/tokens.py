"""Tokens that the suite's gateways accept."""

from __future__ import annotations

import time

import jwt

from support.processes import SECRET


def mint(sub: str, *roles: str, ttl_s: float = 3600, name: str | None = None) -> str:
    """A token of the suite's secret; without roles it is a player's."""
    claims: dict[str, object] = {"sub": sub, "exp": int(time.time() + ttl_s)}
    if roles:
        claims["roles"] = list(roles)
    if name is not None:
        claims["name"] = name
    return jwt.encode(claims, SECRET, algorithm="HS256")
