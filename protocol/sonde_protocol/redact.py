"""What is a secret and how it is masked, for everything that is shown, logged or exported.

Owns the list of secret keys and shapes. Masks by replacing: what comes out no longer holds the secret.
"""

from __future__ import annotations

import re
from typing import Any, Final

SECRET_KEYS: Final = frozenset(
    {
        "token",
        "resume",
        "access_token",
        "refresh_token",
        "id_token",
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "secret",
        "password",
    }
)
ELLIPSIS: Final = "…"
_SHOWN: Final = 4
_SHORTEST_SHOWN: Final = 12  # of a shorter secret four characters would tell too much
_MAX_DEPTH: Final = 64

_HEADER: Final = re.compile(
    r"(?im)^([ \t]*(?:proxy-authorization|authorization|set-cookie|cookie)[ \t]*:[ \t]*)([^\r\n]+)"
)
_SCHEME: Final = re.compile(r"(?i)(bearer|basic|digest|token)[ \t]+")
_BEARER: Final = re.compile(r"(?i)\b(sonde\.bearer\.|bearer[ \t]+(?=[^\s,;\"']{8}))([^\s,;\"']+)")
_JWT: Final = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)*")
_QUERY: Final = re.compile(
    r"(?i)([?&](?:access_token|refresh_token|id_token|token|secret|password|resume)=)([^&#\s\"']+)"
)
_MEMBER: Final = re.compile(
    r"(?i)(\"(?:access_token|refresh_token|id_token|token|secret|password|resume|authorization|cookie)\"\s*:\s*\")"
    r"((?:[^\"\\]|\\.)+)"
)


def mask(secret: str) -> str:
    """Enough to tell two secrets apart, too little to use one: `"s7f3…"`."""
    return secret[:_SHOWN] + ELLIPSIS if len(secret) >= _SHORTEST_SHOWN else ELLIPSIS


def redact_text(text: str) -> str:
    """`text` with JWTs, bearer tokens, credential headers, secret query parameters and JSON members masked."""
    text = _HEADER.sub(_mask_header, text)
    for pattern in (_BEARER, _QUERY, _MEMBER):
        text = pattern.sub(_mask_second, text)
    return _JWT.sub(_mask_whole, text)


def redact_value(value: Any) -> Any:
    """A copy of a frame's payload with secret members masked, and secrets inside its other strings too."""
    return _redact(value, _MAX_DEPTH)


def _redact(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if not isinstance(value, dict | list | tuple):
        return value
    if depth == 0:
        return ELLIPSIS
    if isinstance(value, dict):
        return {key: _redact_member(key, item, depth) for key, item in value.items()}
    return [_redact(item, depth - 1) for item in value]


def _redact_member(key: Any, item: Any, depth: int) -> Any:
    if isinstance(item, str) and isinstance(key, str) and key.lower() in SECRET_KEYS:
        return mask(item)
    return _redact(item, depth - 1)


def _mask_header(match: re.Match[str]) -> str:
    scheme = _SCHEME.match(match[2])
    start = scheme.end() if scheme else 0
    return match[1] + match[2][:start] + mask(match[2][start:])


def _mask_second(match: re.Match[str]) -> str:
    return match[1] + (match[2] if match[2].endswith(ELLIPSIS) else mask(match[2]))


def _mask_whole(match: re.Match[str]) -> str:
    return mask(match[0])
