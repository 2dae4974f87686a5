"""Key sets: what is taken from them, when they are fetched, and what a hostile one cannot do."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from sonde_protocol.errors import Refused
from sonde_server.adapters.jwks import MAX_DOCUMENT_BYTES, JwksKeys, KeysUnavailable, fetch, parse
from sonde_server.core.auth import Authenticator, TokenRules
from support.clocks import HandClock
from support.handmade_tokens import WALL, claims

RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def public(key: Any, kid: str | None = None, **more: Any) -> dict[str, Any]:
    makers = {
        rsa.RSAPrivateKey: "RS256",
        ec.EllipticCurvePrivateKey: "ES256",
        ed25519.Ed25519PrivateKey: "EdDSA",
    }
    name = next(name for kind, name in makers.items() if isinstance(key, kind))
    made = json.loads(jwt.get_algorithm_by_name(name).to_jwk(key.public_key()))
    made.pop("key_ops", None)
    return made | ({} if kid is None else {"kid": kid}) | more


def document(*keys: Any) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


class Issuer:
    """A fetch by hand: counts, and serves what it is told."""

    def __init__(self, served: bytes | Exception) -> None:
        self.served = served
        self.fetched: list[str] = []

    def __call__(self, location: str) -> bytes:
        self.fetched.append(location)
        if isinstance(self.served, Exception):
            raise self.served
        return self.served


class Spawned:
    """Keeps coroutines until the test runs them."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def __call__(self, coroutine: Any, _name: str) -> None:
        self.waiting.append(coroutine)

    async def run(self) -> None:
        waiting, self.waiting = self.waiting, []
        await asyncio.gather(*waiting)


async def started(issuer: Issuer, clock: HandClock, spawned: Spawned, **locations: str) -> JwksKeys:
    keys = JwksKeys(locations or {None: "here"}, clock.now, spawned, fetch=issuer)  # type: ignore[arg-type]
    await keys.start()
    return keys


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA")])
async def test_tokens_of_every_public_algorithm_are_verified(key: Any, algorithm: str) -> None:
    keys = await started(Issuer(document(public(key, "k1"))), HandClock(), Spawned())
    checker = Authenticator(keys, HandClock(wall=WALL))
    assert checker.verify(jwt.encode(claims(), key, algorithm, headers={"kid": "k1"})).sub == "p1"
    assert checker.verify(jwt.encode(claims(), key, algorithm)).sub == "p1", "the only key needs no name"


def test_only_public_signature_keys_of_our_algorithms_are_taken() -> None:
    good = public(RSA, "good")
    weak = public(rsa.generate_private_key(65537, 1024), "weak")
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"}
    curve = json.loads(
        jwt.get_algorithm_by_name("ES384").to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key())
    )
    bad = [
        weak, secret, public(RSA, "enc", use="enc"), public(RSA, "other", alg="RS512"), curve | {"kid": "p384"},
        public(RSA) | {"kid": 5}, {"kty": "RSA", "kid": "empty"}, "text", None, 5, {"kty": ["RSA"]},
    ]  # fmt: skip
    assert set(parse(document(*bad, good))) == {"good"}


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"null", b"{}", b'{"keys": 5}', b'{"keys": []}', b'{"keys": [{"kty":"oct","k":"eA"}]}', b"\xff", b"[" * 100_000],
)  # fmt: skip
def test_documents_without_a_usable_key_are_refused(text: bytes) -> None:
    with pytest.raises(KeysUnavailable):
        parse(text)


def test_document_of_more_than_a_mebibyte_is_refused() -> None:
    with pytest.raises(KeysUnavailable, match="larger"):
        parse(document(public(RSA, "k")) + b" " * MAX_DOCUMENT_BYTES)


async def test_storm_of_unknown_kids_costs_one_fetch_per_cooldown() -> None:
    clock, spawned, issuer = HandClock(), Spawned(), Issuer(document(public(RSA, "k1")))
    keys = await started(issuer, clock, spawned)
    for attempt in range(1_000):
        assert keys.find(None, f"unknown{attempt}") is None
    assert spawned.waiting == []
    clock.move(31)
    for attempt in range(1_000):
        assert keys.find(None, f"unknown{attempt}") is None
    assert len(spawned.waiting) == 1
    await spawned.run()
    assert len(issuer.fetched) == 2


async def test_new_key_is_known_after_the_refresh_that_its_first_token_asked_for() -> None:
    clock, spawned, issuer = HandClock(), Spawned(), Issuer(document(public(RSA, "k1")))
    keys = await started(issuer, clock, spawned)
    issuer.served = document(public(RSA, "k1"), public(OTHER_RSA, "k2"))
    clock.move(31)
    assert keys.find(None, "k2") is None
    await spawned.run()
    assert keys.find(None, "k2") is not None


@pytest.mark.expects_log("sonde_server.adapters.jwks")
@pytest.mark.parametrize("bad", [KeysUnavailable("cannot be read"), b"{}", b"<html>"])
async def test_failed_refresh_keeps_the_keys(bad: bytes | Exception) -> None:
    clock, spawned, issuer = HandClock(), Spawned(), Issuer(document(public(RSA, "k1")))
    keys = await started(issuer, clock, spawned)
    issuer.served = bad
    await keys.refresh(None)
    assert keys.find(None, "k1") is not None
    assert keys.failures == 1


async def test_withdrawn_key_is_forgotten() -> None:
    issuer = Issuer(document(public(RSA, "k1"), public(EC, "k2")))
    keys = await started(issuer, HandClock(), Spawned())
    issuer.served = document(public(EC, "k2"))
    await keys.refresh(None)
    assert keys.find(None, "k1") is None
    assert keys.find(None, "k2") is not None


async def test_same_kid_of_two_issuers_names_two_keys() -> None:
    by_place = {"a": document(public(RSA, "k")), "b": document(public(OTHER_RSA, "k"))}
    keys = JwksKeys({"ida": "a", "idb": "b"}, HandClock().now, Spawned(), fetch=by_place.__getitem__)
    await keys.start()
    checker = Authenticator(keys, HandClock(wall=WALL), TokenRules(frozenset({"ida", "idb"})))
    for issuer, own, foreign in (("ida", RSA, OTHER_RSA), ("idb", OTHER_RSA, RSA)):
        assert checker.verify(jwt.encode(claims(iss=issuer), own, "RS256", headers={"kid": "k"})).sub == "p1"
        with pytest.raises(Refused, match="signature"):
            checker.verify(jwt.encode(claims(iss=issuer), foreign, "RS256", headers={"kid": "k"}))
    with pytest.raises(Refused, match="issuer"):
        checker.verify(jwt.encode(claims(iss="idc"), RSA, "RS256", headers={"kid": "k"}))


async def test_token_never_makes_us_fetch_from_where_it_says() -> None:
    clock, spawned, issuer = HandClock(), Spawned(), Issuer(document(public(RSA, "k1")))
    keys = await started(issuer, clock, spawned)
    clock.move(60)
    checker = Authenticator(keys, HandClock(wall=WALL))
    for header in ({"jku": "http://127.0.0.1:1/x"}, {"x5u": "http://127.0.0.1:1/x"}, {"kid": "../x y"}):
        with pytest.raises(Refused):
            checker.verify(jwt.encode(claims(), OTHER_RSA, "RS256", headers=header))
    assert spawned.waiting == []
    assert issuer.fetched == ["here"]


async def test_periodic_refresh_goes_on_until_cancelled() -> None:
    issuer = Issuer(document(public(RSA, "k1")))
    keys = await started(issuer, HandClock(), Spawned())
    task = asyncio.ensure_future(keys.keep_fresh(0.001))
    async with asyncio.timeout(5):
        while len(issuer.fetched) < 4:
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait({task})


# ---------------------------------------------------------------- where from


@contextmanager
def serving(status: int, body: bytes, location: str | None = None) -> Iterator[tuple[str, list[str]]]:
    """A web server on loopback that answers every GET alike; its URL, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            if location is not None:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/keys", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_set_is_read_from_a_url_and_from_a_file(tmp_path: Path) -> None:
    with serving(200, document(public(RSA, "k1"))) as (url, asked):
        assert set(parse(fetch(url))) == {"k1"}
        assert asked == ["/keys"]
    path = tmp_path / "keys.json"
    path.write_bytes(document(public(EC, "k2")))
    assert set(parse(fetch(str(path)))) == {"k2"}


def test_redirect_is_not_followed() -> None:
    with serving(200, document(public(RSA, "evil"))) as (elsewhere, asked):
        with serving(302, b"", elsewhere) as (url, _), pytest.raises(KeysUnavailable):
            fetch(url)
        assert asked == []


def test_errors_of_a_url_and_a_file_are_told_in_words(tmp_path: Path) -> None:
    with serving(500, b"oops") as (url, _), pytest.raises(KeysUnavailable, match="cannot be read"):
        fetch(url)
    for place in ("http://127.0.0.1:1/keys", "http://[bad", str(tmp_path / "none.json"), str(tmp_path)):
        with pytest.raises(KeysUnavailable, match="cannot be read"):
            fetch(place)
