"""A corpus of tokens that must be refused before the 101, whatever else is right about them."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sonde_protocol.codes import ErrorCode
from sonde_protocol.errors import Refused
from sonde_server.core.auth import Authenticator, KeySource, SharedSecret
from support.clocks import HandClock
from support.handmade_tokens import WALL, by_hand, claims, segment, signed
from support.processes import SECRET

HS = {"alg": "HS256", "typ": "JWT"}
PRIVATE = rsa.generate_private_key(65537, 2048)
PUBLIC_PEM = PRIVATE.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
FOREIGN_JWK = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(PRIVATE.public_key()))


class PublicKeys:
    """A key source as JWKS makes it: one RSA key, which says its own algorithm. Counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self._key = jwt.PyJWK(FOREIGN_JWK | {"kid": "k1"}, "RS256")

    def find(self, issuer: str | None, kid: str | None) -> jwt.PyJWK | None:
        self.asked.append(kid)
        return self._key if kid == "k1" else None


def payload_text(**changes: Any) -> str:
    return json.dumps(claims(**changes))


FORGED: dict[str, str] = {
    "empty": "",
    "not a token": "hello",
    "two parts": f"{segment(HS)}.{segment(claims())}",
    "four parts": signed(claims()) + ".x",
    "dots only": "..",
    "not base64": f"!!!.{segment(claims())}.x",
    "not ascii": signed(claims()) + "é",
    "trailing newline": signed(claims()) + "\n",
    "huge": signed(claims(extra="x" * 20_000)),
    "header is a list": by_hand([], claims()),
    "header is no JSON": by_hand("{", claims()),
    "header deep": by_hand("[" * 2_000, claims()),
    "payload is a list": by_hand(HS, []),
    "payload is no UTF-8": by_hand(HS, b'{"sub": "\xff"}'),
    "payload deep": by_hand(HS, '{"a":' * 1_000 + "1" + "}" * 1_000),
    "payload NaN": by_hand(HS, '{"sub":"p1","exp":NaN}'),
    "alg none, no signature": f"{segment({'alg': 'none'})}.{segment(claims())}.",
    "alg none, signed": by_hand({"alg": "none"}, claims()),
    "alg nOnE": f"{segment({'alg': 'nOnE'})}.{segment(claims())}.",
    "alg missing": by_hand({"typ": "JWT"}, claims()),
    "alg null": by_hand({"alg": None}, claims()),
    "alg a list": by_hand({"alg": ["HS256"]}, claims()),
    "alg HS512": jwt.encode(claims(), SECRET + "x" * 64, "HS512"),
    "alg RS256 to a secret": jwt.encode(claims(), PRIVATE, "RS256"),
    "alg lower case": by_hand({"alg": "hs256"}, claims()),
    "alg twice": by_hand('{"alg":"HS256","alg":"none"}', claims()),
    "signature empty": signed(claims()).rpartition(".")[0] + ".",
    "signature of another payload": ".".join(
        [segment(HS), segment(claims(sub="admin")), signed(claims()).rpartition(".")[2]]
    ),
    "other secret": signed(claims(), "another-secret-of-more-than-32-bytes-012345"),
    "jwk header": by_hand(HS | {"jwk": FOREIGN_JWK}, claims()),
    "jku header": by_hand(HS | {"jku": "http://127.0.0.1:1/keys"}, claims()),
    "x5u header": by_hand(HS | {"x5u": "http://127.0.0.1:1/cert"}, claims()),
    "x5c header": by_hand(HS | {"x5c": ["MIIB"]}, claims()),
    "crit header": by_hand(HS | {"crit": ["exp"]}, claims()),
    "b64 header": by_hand(HS | {"b64": False}, claims()),
    "kid traversal": by_hand(HS | {"kid": "../../../dev/null\x00"}, claims()),
    "kid SQL with spaces": by_hand(HS | {"kid": "' OR 1=1 --"}, claims()),
    "kid a list": by_hand(HS | {"kid": ["k1"]}, claims()),
    "kid huge": by_hand(HS | {"kid": "k" * 4_000}, claims()),
    "kid empty": by_hand(HS | {"kid": ""}, claims()),
    "typ refresh": by_hand({"alg": "HS256", "typ": "rt+jwt"}, claims()),
    "typ JOSE": by_hand({"alg": "HS256", "typ": "JOSE"}, claims()),
    "typ a number": by_hand({"alg": "HS256", "typ": 1}, claims()),
    "exp missing": signed(claims(exp=None)),
    "exp a string": by_hand(HS, claims(exp=str(WALL + 60))),
    "exp a float": by_hand(HS, claims(exp=WALL + 60.5)),
    "exp true": by_hand(HS, claims(exp=True)),
    "exp in 9999": by_hand(HS, claims(exp=253_402_300_799)),
    "exp 10^400": by_hand(HS, payload_text(exp=1).replace('"exp": 1', '"exp": 1' + "0" * 400)),
    "exp negative": by_hand(HS, claims(exp=-1)),
    "expired": signed(claims(exp=WALL - 3600)),
    "nbf ahead": by_hand(HS, claims(nbf=WALL + 3600)),
    "nbf a string": by_hand(HS, claims(nbf="now")),
    "nbf infinite": by_hand(HS, payload_text(nbf=1).replace('"nbf": 1', '"nbf": 1e999')),
    "iat ahead": by_hand(HS, claims(iat=WALL + 3600)),
    "iat a list": by_hand(HS, claims(iat=[WALL])),
    "claims twice": by_hand(HS, f'{{"sub":"p1","sub":"admin","exp":{WALL + 60}}}'),
    "roles twice": by_hand(HS, f'{{"sub":"p1","roles":["player"],"roles":["admin"],"exp":{WALL + 60}}}'),
    "sub missing": signed(claims(sub=None)),
    "sub empty": by_hand(HS, claims(sub="")),
    "sub 65 long": by_hand(HS, claims(sub="x" * 65)),
    "sub a number": by_hand(HS, claims(sub=7)),
    "sub wildcard": by_hand(HS, claims(sub="*.>")),
    "sub space": by_hand(HS, claims(sub="a b")),
    "sub newline": by_hand(HS, claims(sub="p1\n")),
    "sub control": by_hand(HS, claims(sub="p1\x1b[31m")),
    "sub surrogate": by_hand(HS, f'{{"sub":"\\ud800","exp":{WALL + 60}}}'),
    "sub not ascii": by_hand(HS, claims(sub="päron")),
    "roles text": by_hand(HS, claims(roles="admin")),
    "roles unknown": by_hand(HS, claims(roles=["player", "root"])),
    "roles nested": by_hand(HS, claims(roles=[["admin"]])),
    "roles an object": by_hand(HS, claims(roles={"admin": True})),
    "roles null": by_hand(HS, f'{{"sub":"p1","roles":null,"exp":{WALL + 60}}}'),
    "name 65 long": by_hand(HS, claims(name="n" * 65)),
    "name escape": by_hand(HS, claims(name="ada\x1b[2J")),
    "name right-to-left override": by_hand(HS, claims(name="ada\u202etxt")),
    "name surrogate": by_hand(HS, f'{{"sub":"p1","name":"\\udfff","exp":{WALL + 60}}}'),
    "name a number": by_hand(HS, claims(name=5)),
    "jti a list": by_hand(HS, claims(jti=["j"])),
    "jti huge": by_hand(HS, claims(jti="j" * 200)),
}  # fmt: skip


def verify(token: str, keys: KeySource) -> None:
    Authenticator(keys, HandClock(wall=WALL)).verify(token)


@pytest.mark.parametrize("name", FORGED)
def test_forged_token_is_refused_as_unauthorized(name: str) -> None:
    with pytest.raises(Refused) as caught:
        verify(FORGED[name], SharedSecret(SECRET.encode()))
    assert caught.value.code is ErrorCode.UNAUTHORIZED
    assert not caught.value.temporary


def test_corpus_is_refused_for_its_forgery_and_not_by_chance() -> None:
    verify(signed(claims()), SharedSecret(SECRET.encode()))
    verify(by_hand(HS, claims()), SharedSecret(SECRET.encode()))


def test_token_signed_with_the_public_key_as_a_secret_is_refused() -> None:
    keys = PublicKeys()
    for secret in (PUBLIC_PEM, PUBLIC_PEM.strip(), json.dumps(FOREIGN_JWK).encode()):
        with pytest.raises(Refused):
            verify(by_hand({"alg": "HS256", "kid": "k1"}, claims(), secret), keys)
    verify(jwt.encode(claims(), PRIVATE, "RS256", headers={"kid": "k1"}), keys)


def test_bad_kid_never_reaches_the_key_source() -> None:
    keys = PublicKeys()
    for kid in ("../../etc/passwd\x00", "k" * 4_000, ["k1"], {"k": 1}, "a b"):
        with pytest.raises(Refused):
            verify(by_hand({"alg": "RS256", "kid": kid}, claims()), keys)
    assert keys.asked == []


@pytest.mark.parametrize("kid", [None, "k2", "../k1", "K1"])
def test_unknown_kid_is_refused(kid: str | None) -> None:
    headers = {} if kid is None else {"kid": kid}
    with pytest.raises(Refused):
        verify(jwt.encode(claims(), PRIVATE, "RS256", headers=headers), PublicKeys())


def test_key_named_by_the_token_itself_is_not_followed() -> None:
    token = jwt.encode(claims(), PRIVATE, "RS256", headers={"kid": "k1", "jwk": FOREIGN_JWK})
    with pytest.raises(Refused):
        verify(token, PublicKeys())
