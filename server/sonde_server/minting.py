"""Tokens made by whoever holds the gateway's own secret: for trying things out, tests and simulated players."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import jwt

from sonde_protocol.codes import Role
from sonde_server.config_file import ConfigInvalid
from sonde_server.core.auth import valid_name, valid_subject

_TTL: Final = re.compile(r"(\d{1,9})([smhd]?)")
_UNIT_S: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(text: str) -> int:
    """`"90"`, `"45s"`, `"30m"`, `"1h"`, `"7d"` in seconds.

    Raises:
        ConfigInvalid: none of these.
    """
    match = _TTL.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise ConfigInvalid("a time to live is a number above zero with s, m, h or d behind it, such as 1h")
    return int(match[1]) * _UNIT_S[match[2]]


def mint(
    secret: bytes,
    sub: str,
    roles: Sequence[str],
    ttl_s: int,
    now: float,
    *,
    name: str | None = None,
    issuer: str | None = None,
    audience: str | None = None,
) -> str:
    """An HS256 token for `sub`. `now` is unix time; `None` claims are left out.

    Raises:
        ConfigInvalid: the gateway would refuse such a token.
    """
    if not valid_subject(sub):
        raise ConfigInvalid("--sub takes 1 to 64 of A-Z a-z 0-9 _ . -")
    if name is not None and not valid_name(name):
        raise ConfigInvalid("--name takes at most 64 visible characters")
    unknown = [role for role in roles if role not in set(Role)]
    if unknown:
        raise ConfigInvalid(f"--role takes {', '.join(Role)}")
    times = {"iat": int(now), "exp": int(now) + ttl_s}
    claims = {"sub": sub, "roles": list(roles), **times, "name": name, "iss": issuer, "aud": audience}
    return jwt.encode({claim: value for claim, value in claims.items() if value is not None}, secret, "HS256")
