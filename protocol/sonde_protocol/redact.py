"""What is a secret and how it is masked, for everything that is shown, logged or exported.

Owns the list of secret keys and shapes. Masks by replacing: what comes out no longer holds the secret. Whatever is
masked once stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
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
        "client_secret",
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "api_key",
        "x-api-key",
        "private_key",
        "credential",
        "credentials",
        "jwt",
    }
)
ELLIPSIS: Final = "…"
_SHOWN: Final = 4
_SHORTEST_SHOWN: Final = 12  # of a shorter secret four characters would tell too much
MAX_DEPTH: Final = 64  # of a payload; what lies deeper is left out
_MAX_KEY: Final = 64
_WINDOW: Final = 64 * 1024
_BEYOND: Final = (
    16 * 1024
)  # how far behind a window's end a match that begins in it is looked for: a JWT's head may hold certificates
# Endings of keys, written together: `sessionToken`, `X-Auth-Token` and `db_password` are secrets as well.
_ENDINGS: Final = (
    "token", "secret", "password", "passwd", "passphrase", "apikey", "privatekey", "authorization", "cookie",
    "credential", "credentials",
)  # fmt: skip
_ALONE: Final = frozenset({"resume", "pwd", "jwt"})  # secrets only where they are the whole key

_ENDING: Final = r"(?:token|secret|password|passwd|passphrase|api[_-]?key|private[_-]?key|credentials?|authorization|cookie)"
_WORD: Final = r"(?:resume|pwd|jwt)"
_HEADER: Final = re.compile(rf"(?im)^([ \t]*[\w-]{{0,40}}{_ENDING}[ \t]*:[ \t]*)([^\r\n]+)")
_SCHEME: Final = re.compile(r"(?i)(bearer|basic|digest|token)[ \t]+")
_BEARER: Final = re.compile(r"(?i)\b(sonde\.bearer\.|bearer[ \t]+(?=[^\s,;\"']{8}))([^\s,;\"']+)")
_JWT: Final = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)*")
_QUERY: Final = re.compile(rf"(?i)((?:{_ENDING}|(?<![\w.-]){_WORD})=)([^&;#\s\"']+)")
_MEMBER: Final = re.compile(rf"(?i)((?:{_ENDING}|\"{_WORD})\"\s*:\s*)(\"(?:[^\"\\]|\\.)+|-?\d[\d.e+-]*)")
_USER: Final = re.compile(r"(?i)(\b(?:https?|wss?|redis|rediss|nats|amqp)://)([^/\s@\"'<>]{1,256})(?=@)")
_KEY_WORDS: Final = (
    "token", "secret", "passw", "passphrase", "key", "credential", "authorization", "cookie", "resume", "pwd", "jwt",
)  # fmt: skip


class Redactor:
    """Masks, and counts in `masked` how many secrets it masked."""

    def __init__(self) -> None:
        self.masked = 0

    def text(self, text: str) -> str:
        """`text` with JWTs, bearer tokens, credential headers, secret query parameters and JSON members masked."""
        folded = text.lower()
        if any(word in folded for word in _KEY_WORDS):  # far cheaper than to look for what is not there
            text = _sub(_HEADER, self._header, text)
            text = _sub(_QUERY, self._second, text) if "=" in text else text
            text = _sub(_MEMBER, self._value, text) if '"' in text else text
        if "bearer" in folded:
            text = _sub(_BEARER, self._second, text)
        if "@" in folded and "://" in folded:
            text = _sub(_USER, self._second, text)
        return _sub(_JWT, self._whole, text) if "eyj" in folded else text

    def value(self, value: Any, depth: int = MAX_DEPTH) -> Any:
        """A copy of a payload with secret members masked, and secrets inside its other texts too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.data(value)
        if not isinstance(value, dict | list | tuple):
            return value
        if depth == 0:
            return ELLIPSIS
        if isinstance(value, dict):
            return {self._key(key): self._member(key, item, depth) for key, item in value.items()}
        return [self.value(item, depth - 1) for item in value]

    def data(self, data: bytes) -> bytes:
        """Bytes inside a payload: text is redacted as such, all else is left."""
        try:
            return self.text(data.decode()).encode()
        except UnicodeDecodeError:
            return data

    def _key(self, key: Any) -> Any:
        return self.text(key) if isinstance(key, str) and len(key) >= _SHORTEST_SHOWN else key

    def _member(self, key: Any, item: Any, depth: int) -> Any:
        if isinstance(key, str) and is_secret_key(key):
            return self._hidden(item, depth)
        return self.value(item, depth - 1)

    def _hidden(self, item: Any, depth: int) -> Any:
        """What stands under a secret key: every text, number and byte of it. A flag tells nothing."""
        if item is None or isinstance(item, bool) or item in ("", b"", ELLIPSIS):
            return item
        if depth == 0:
            return ELLIPSIS
        if isinstance(item, dict):
            return {key: self._hidden(inner, depth - 1) for key, inner in item.items()}
        if isinstance(item, list | tuple):
            return [self._hidden(inner, depth - 1) for inner in item]
        return self._mask(item) if isinstance(item, str) else self._mask("")

    # ------------------------------------------------------------ what stands in the text

    def _header(self, match: re.Match[str]) -> str:
        scheme = _SCHEME.match(match[2])
        start = scheme.end() if scheme else 0
        return match[1] + match[2][:start] + self._mask(match[2][start:])

    def _second(self, match: re.Match[str]) -> str:
        return match[1] + self._mask(match[2])

    def _value(self, match: re.Match[str]) -> str:
        """A member's text keeps its opening quote, the closing one is beyond; a number becomes a text."""
        value = match[2]
        return match[1] + (f'"{self._mask(value[1:])}' if value[0] == '"' else f'"{self._mask("")}"')

    def _whole(self, match: re.Match[str]) -> str:
        return self._mask(match[0])

    def _mask(self, secret: str) -> str:
        if secret.endswith(ELLIPSIS) and len(secret) <= _SHOWN + 1:
            return secret  # masked before
        self.masked += 1
        return mask(secret)


def _sub(pattern: re.Pattern[str], made: Callable[[re.Match[str]], str], text: str) -> str:
    """As `pattern.sub`. A long text is gone through in windows, so that other threads run between two of them."""
    if len(text) <= _WINDOW:
        return pattern.sub(made, text)
    parts: list[str] = []
    at = 0
    while at < len(text):
        end = at + _WINDOW
        found = pattern.search(text, at, end + _BEYOND)
        if found is not None and found.end() > end:
            found = pattern.match(text, found.start())  # to its own end, however far that is
        if found is None or found.start() >= end:
            parts.append(text[at:end])
            at = end
        else:
            parts += text[at : found.start()], made(found)
            at = found.end()
    return "".join(parts)


def mask(secret: str) -> str:
    """Enough to tell two secrets apart, too little to use one: `"s7f3…"`."""
    return secret[:_SHOWN] + ELLIPSIS if len(secret) >= _SHORTEST_SHOWN else ELLIPSIS


@lru_cache(maxsize=4_096)
def _is_secret(key: str) -> bool:
    bare = re.sub(r"[^a-z0-9]", "", key.lower())
    return bare in _ALONE or bare.endswith(_ENDINGS)


def is_secret_key(key: str) -> bool:
    """Whether what stands under this key is a secret, however the key is written."""
    return len(key) <= _MAX_KEY and _is_secret(key)


def redact_text(text: str) -> str:
    """`text` with its secrets masked."""
    return Redactor().text(text)


def redact_value(value: Any) -> Any:
    """A copy of a frame's payload with its secrets masked."""
    return Redactor().value(value)
