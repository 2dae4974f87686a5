"""Who a token says somebody is, and whether to believe it.

Owns the checks of a JSON Web Token (RFC 7519, RFC 8725): signature by the key that *we* chose, header, times
against *our* clock, and the shape of every claim that we use. Refuses to fetch anything, to follow anything
that a token names (`jku`, `x5u`, `jwk`), and to say more to the peer than a fixed phrase.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any, Final, Protocol

import jwt

from sonde_protocol.codes import ErrorCode, Role
from sonde_protocol.errors import Refused
from sonde_server.core.ports import Clock

LEEWAY_S: Final = 5
MAX_TOKEN_BYTES: Final = 8 * 1024
MAX_LIFETIME_S: Final = 30 * 24 * 3600
MIN_SECRET_BYTES: Final = 32
MAX_KID_CHARACTERS: Final = 128
MAX_NAME_CHARACTERS: Final = 64
ALGORITHMS: Final = frozenset({"HS256", "RS256", "ES256", "EdDSA"})

_SUBJECT: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_KID: Final = re.compile(rf"[\x21-\x7e]{{1,{MAX_KID_CHARACTERS}}}")
# C0 and C1 controls, line and paragraph separators, bidirectional overrides, lone surrogates.
_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_TYPES: Final = frozenset({"jwt", "at+jwt"})
_FOREIGN_HEADERS: Final = frozenset({"jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "zip"})
_ROLES: Final = frozenset(role.value for role in Role)
_DEFAULT_ROLES: Final = frozenset({Role.PLAYER.value})
_MAX_INSTANT: Final = 2**53


@dataclass(slots=True, frozen=True)
class Claims:
    """What a believed token says. `exp` is in unix seconds."""

    sub: str
    name: str
    roles: frozenset[str]
    exp: int
    jti: str | None = None
    iat: int | None = None  # unix s


class KeySource(Protocol):
    """Where the keys come from. Answers at once from what it holds and never waits for a network."""

    def find(self, issuer: str | None, kid: str | None) -> jwt.PyJWK | None:
        """The key for `kid` of `issuer` (`None`: no issuer is configured; a token without `kid`)."""
        ...


class SharedSecret:
    """One HS256 secret for every token; a `kid` is ignored."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        """Raises: ValueError: shorter than 32 bytes (RFC 7518 section 3.2)."""
        if len(secret) < MIN_SECRET_BYTES:
            raise ValueError(
                f"the token secret has {len(secret)} bytes; it needs at least {MIN_SECRET_BYTES}"
            )
        encoded = base64.urlsafe_b64encode(secret).rstrip(b"=").decode("ascii")
        self._key = jwt.PyJWK({"kty": "oct", "k": encoded}, "HS256")

    def __repr__(self) -> str:
        return "<SharedSecret HS256>"

    def find(self, issuer: str | None, kid: str | None) -> jwt.PyJWK | None:
        """The one key."""
        return self._key


@dataclass(slots=True, frozen=True)
class TokenRules:
    """What a token must say beyond its signature. `None` and an empty set mean: not checked."""

    issuers: frozenset[str] = frozenset()
    audience: str | None = None
    leeway_s: int = LEEWAY_S
    max_lifetime_s: int = MAX_LIFETIME_S


class Authenticator:
    """Turns tokens into claims."""

    __slots__ = ("_clock", "_keys", "_rules", "_signatures")

    def __init__(self, keys: KeySource, clock: Clock, rules: TokenRules | None = None) -> None:
        self._keys = keys
        self._clock = clock
        self._rules = rules or TokenRules()
        self._signatures = jwt.PyJWS()

    def verify(self, token: str) -> Claims:
        """Check everything and return what the token says.

        Raises:
            Refused: `unauthorized`, with a phrase that is fit for the peer and holds nothing of the token.
        """
        header, payload = _open(token)
        _check_header(header)
        issuer = self._issuer(payload)
        key = self._keys.find(issuer, header.get("kid"))
        if key is None or header["alg"] != key.algorithm_name:
            raise _refusal("the token's key is not known here")
        self._check_signature(token, key)
        expires = self._check_times(payload)
        self._check_audience(payload)
        return _claims(payload, expires)

    def _issuer(self, payload: dict[str, Any]) -> str | None:
        """The issuer that says which keys count; read before the signature, and trusted only as a key name."""
        if not self._rules.issuers:
            return None
        issuer = payload.get("iss")
        if not isinstance(issuer, str) or issuer not in self._rules.issuers:
            raise _refusal("the token's issuer is not accepted here")
        return issuer

    def _check_signature(self, token: str, key: jwt.PyJWK) -> None:
        try:
            self._signatures.decode_complete(token, key=key, algorithms=[key.algorithm_name])
        except (jwt.PyJWTError, NotImplementedError, ValueError, TypeError):
            raise _refusal("the token's signature is not valid") from None

    def _check_times(self, payload: dict[str, Any]) -> int:
        now, rules = self._clock.wall(), self._rules
        expires = payload.get("exp")
        if type(expires) is not int or not 0 <= expires <= _MAX_INSTANT:
            raise _refusal("the token needs 'exp' as a whole number of seconds")
        if expires <= now - rules.leeway_s:
            raise _refusal("the token has expired")
        if expires > now + rules.max_lifetime_s + rules.leeway_s:
            raise _refusal("the token lives longer than this gateway allows")
        for claim in ("nbf", "iat"):
            if claim in payload and _instant(payload[claim]) > now + rules.leeway_s:
                raise _refusal("the token is not valid yet")
        return expires

    def _check_audience(self, payload: dict[str, Any]) -> None:
        wanted = self._rules.audience
        if wanted is None:
            return
        named = payload.get("aud")
        audiences = named if isinstance(named, list) else [named]
        if wanted not in audiences:
            raise _refusal("the token is for another audience")


def valid_subject(text: str) -> bool:
    """Whether `text` may be a `sub`: it stands in channel names and logs."""
    return _SUBJECT.fullmatch(text) is not None


def valid_name(text: str) -> bool:
    """Whether `text` may be shown as somebody's name."""
    return len(text) <= MAX_NAME_CHARACTERS and _UNSEEN.search(text) is None


def _refusal(phrase: str) -> Refused:
    return Refused(ErrorCode.UNAUTHORIZED, phrase)


def _malformed() -> Refused:
    return _refusal("the token is not a JSON Web Token")


def _open(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload of a compact token, strictly decoded, not yet believed."""
    if len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise _malformed()
    parts = token.split(".")
    if len(parts) != 3:
        raise _malformed()
    return _object(parts[0]), _object(parts[1])


def _object(segment: str) -> dict[str, Any]:
    try:
        raw = base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (binascii.Error, ValueError, RecursionError):
        raise _malformed() from None
    if not isinstance(value, dict):
        raise _malformed()
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two parsers may disagree on which of two equal keys counts, so neither does (RFC 8725 section 2.4)."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key comes twice")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _check_header(header: dict[str, Any]) -> None:
    if not _FOREIGN_HEADERS.isdisjoint(header):
        raise _refusal("the token's header holds what this gateway does not follow")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise _refusal("the token's algorithm is not accepted here")
    kind = header.get("typ")
    if kind is not None and (not isinstance(kind, str) or kind.lower() not in _TYPES):
        raise _refusal("the token is of another type")
    kid = header.get("kid")
    if kid is not None and (not isinstance(kid, str) or not _KID.fullmatch(kid)):
        raise _refusal("the token's key is not known here")


def _instant(value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) <= _MAX_INSTANT:
        raise _refusal("the token's times must be numbers of seconds")
    return float(value)


def _claims(payload: dict[str, Any], expires: int) -> Claims:
    subject = payload.get("sub")
    if not isinstance(subject, str) or not valid_subject(subject):
        raise _refusal("the token needs 'sub': 1 to 64 of A-Z a-z 0-9 _ . -")
    name = _short_text(payload, "name", MAX_NAME_CHARACTERS) or subject
    return Claims(subject, name, _roles(payload), expires, _short_text(payload, "jti", 128), _issued(payload))


def _issued(payload: dict[str, Any]) -> int | None:
    issued = payload.get("iat")
    return None if issued is None else int(_instant(issued))


def _short_text(payload: dict[str, Any], claim: str, limit: int) -> str | None:
    value = payload.get(claim)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > limit or _UNSEEN.search(value):
        raise _refusal(f"the token's '{claim}' must be at most {limit} visible characters")
    return value


def _roles(payload: dict[str, Any]) -> frozenset[str]:
    roles = payload.get("roles")
    if roles is None and "roles" not in payload:
        return _DEFAULT_ROLES
    if not isinstance(roles, list) or not all(isinstance(role, str) and role in _ROLES for role in roles):
        raise _refusal("the token's 'roles' must be a list of player, service, monitor, admin")
    return frozenset(roles)
