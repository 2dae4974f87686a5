"""Public keys of token issuers, from a file or URL that the settings name.

Owns the fetching (off the hot path, one at a time, at most once per cooldown) and the keys by (issuer, kid).
Refuses what a token or a fetched document says about where to fetch: no redirects, no other address. When a
fetch fails the keys held so far stay.
"""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import jwt

log = logging.getLogger(__name__)

COOLDOWN_S: Final = 30.0
REFRESH_S: Final = 300.0
FETCH_TIMEOUT_S: Final = 5.0
MAX_DOCUMENT_BYTES: Final = 1 << 20
MAX_KEYS: Final = 100
MIN_RSA_BITS: Final = 2048

_ALGORITHM: Final = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}

Fetch = Callable[[str], bytes]


class KeysUnavailable(Exception):
    """A key set could not be had or holds no key that may be used. The message is fit for a log."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


def fetch(location: str) -> bytes:
    """Read a key set. Blocks for at most some seconds; run it in a thread.

    Raises:
        KeysUnavailable: not reachable, too large, or a redirect.
    """
    try:
        if urlsplit(location).scheme not in ("http", "https"):
            return Path(location).read_bytes()[: MAX_DOCUMENT_BYTES + 1]
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
        with opener.open(location, timeout=FETCH_TIMEOUT_S) as response:
            return bytes(response.read(MAX_DOCUMENT_BYTES + 1))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
        raise KeysUnavailable(f"cannot be read: {reason}") from error


def parse(document: bytes) -> dict[str | None, jwt.PyJWK]:
    """The keys of a JSON Web Key Set that may verify our tokens, by `kid`.

    Raises:
        KeysUnavailable: no such key, or no key set.
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        raise KeysUnavailable("is larger than 1 MiB")
    try:
        entries = json.loads(document)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise KeysUnavailable("is no JSON Web Key Set") from error
    if not isinstance(entries, list):
        raise KeysUnavailable("is no JSON Web Key Set")
    keys = {key.key_id: key for key in map(_usable, entries[:MAX_KEYS]) if key is not None}
    if not keys:
        raise KeysUnavailable("holds no RS256, ES256 or EdDSA key for signatures")
    return keys


def _usable(entry: Any) -> jwt.PyJWK | None:
    """A public signature key of one of our algorithms; secrets (`oct`) have no place in a published set."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    algorithm = _ALGORITHM.get(str(entry.get("kty")))
    kid = entry.get("kid")
    if algorithm is None or entry.get("alg", algorithm) != algorithm or not isinstance(kid, str | None):
        return None
    public = {name: value for name, value in entry.items() if name != "d"}
    try:
        key = jwt.PyJWK(public, algorithm)
    except jwt.PyJWTError:
        return None
    if algorithm == "RS256" and key.key.key_size < MIN_RSA_BITS:
        return None
    if algorithm == "ES256" and entry.get("crv") != "P-256":
        return None
    return key


def _shown(location: str) -> str:
    """A location without the credentials that a URL may carry."""
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.scheme else location


class JwksKeys:
    """A `KeySource` over one key set an issuer."""

    def __init__(
        self,
        locations: Mapping[str | None, str],
        now: Callable[[], float],
        spawn: Callable[[Any, str], object],
        *,
        fetch: Fetch = fetch,
        cooldown_s: float = COOLDOWN_S,
    ) -> None:
        """Args:
        locations: file or URL by issuer (`None`: no issuer is configured).
        now: monotonic seconds.
        spawn: runs (coroutine, name) as a task.
        """
        self._locations = dict(locations)
        self._now = now
        self._spawn = spawn
        self._fetch = fetch
        self._cooldown_s = cooldown_s
        self._keys: dict[tuple[str | None, str | None], jwt.PyJWK] = {}
        self._tried: dict[str | None, float] = {}
        self._fetching: set[str | None] = set()
        self.fetches = 0
        self.failures = 0

    def find(self, issuer: str | None, kid: str | None) -> jwt.PyJWK | None:
        """What is held; an unknown `kid` of a known issuer asks for a refresh behind the scenes."""
        key = self._keys.get((issuer, kid))
        if key is None and kid is None:
            key = self._only_key(issuer)
        if key is None and self._may_fetch(issuer):
            self._spawn(self.refresh(issuer), "jwks-refresh")
        return key

    async def start(self) -> None:
        """Fetch every set once; one that fails is asked again when a token needs it."""
        for issuer in self._locations:
            await self.refresh(issuer)

    async def keep_fresh(self, every_s: float = REFRESH_S) -> None:
        """Fetch again and again, so that a key that is published before its use is known by then."""
        while True:
            await asyncio.sleep(every_s)
            await self.start()

    async def refresh(self, issuer: str | None) -> None:
        """Fetch one set now. Failures are logged, and change nothing."""
        if issuer in self._fetching:
            return
        self._fetching.add(issuer)
        self._tried[issuer] = self._now()
        self.fetches += 1
        location = self._locations[issuer]
        try:
            document = await asyncio.get_running_loop().run_in_executor(None, self._fetch, location)
            self._replace(issuer, parse(document))
        except KeysUnavailable as error:
            self.failures += 1
            log.warning("key set not renewed", extra={"location": _shown(location), "reason": str(error)})
        finally:
            self._fetching.discard(issuer)

    def _replace(self, issuer: str | None, keys: Mapping[str | None, jwt.PyJWK]) -> None:
        kept = {name: key for name, key in self._keys.items() if name[0] != issuer}
        self._keys = kept | {(issuer, kid): key for kid, key in keys.items()}

    def _only_key(self, issuer: str | None) -> jwt.PyJWK | None:
        """A token without `kid` is fine where there is nothing to choose."""
        mine = [key for (owner, _), key in self._keys.items() if owner == issuer]
        return mine[0] if len(mine) == 1 else None

    def _may_fetch(self, issuer: str | None) -> bool:
        if issuer not in self._locations or issuer in self._fetching:
            return False
        tried = self._tried.get(issuer)
        if tried is not None and self._now() - tried < self._cooldown_s:
            return False
        self._tried[issuer] = self._now()
        return True
