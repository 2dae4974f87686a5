"""What a good token says, and the border of every rule. Forged tokens have a corpus in tests/security."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from sonde_protocol.codes import ErrorCode
from sonde_protocol.errors import Refused
from sonde_server.core.auth import Authenticator, Claims, SharedSecret, TokenRules
from support.clocks import HandClock
from support.handmade_tokens import WALL, by_hand, claims, signed
from support.processes import SECRET


def authenticator(rules: TokenRules | None = None) -> Authenticator:
    return Authenticator(SharedSecret(SECRET.encode()), HandClock(wall=WALL), rules)


def refusal(token: str, rules: TokenRules | None = None) -> str:
    with pytest.raises(Refused) as caught:
        authenticator(rules).verify(token)
    assert caught.value.code is ErrorCode.UNAUTHORIZED
    return caught.value.message


def test_token_says_who_somebody_is() -> None:
    token = signed(claims(name="Ada", roles=["player", "monitor"], jti="j1", iat=WALL, nbf=WALL))
    said = authenticator().verify(token)
    assert said == Claims("p1", "Ada", frozenset({"player", "monitor"}), WALL + 3600, "j1", WALL)


def test_token_without_roles_is_a_players_and_without_name_shows_its_subject() -> None:
    said = authenticator().verify(signed(claims(roles=None)))
    assert (said.roles, said.name, said.jti) == (frozenset({"player"}), "p1", None)


def test_token_with_an_empty_name_shows_its_subject() -> None:
    assert authenticator().verify(signed(claims(name=""))).name == "p1"


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", None])
def test_token_types_that_are_accepted(kind: str | None) -> None:
    header = {"alg": "HS256"} | ({} if kind is None else {"typ": kind})
    assert authenticator().verify(by_hand(header, claims())).sub == "p1"


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({"exp": WALL - 4}, True),
        ({"exp": WALL - 5}, False),
        ({"exp": WALL - 6}, False),
        ({"nbf": WALL + 4}, True),
        ({"nbf": WALL + 5}, True),
        ({"nbf": WALL + 6}, False),
        ({"iat": WALL + 5}, True),
        ({"iat": WALL + 6}, False),
        ({"iat": WALL + 0.5}, True),
        ({"exp": WALL + 1_000 + 5}, True),
        ({"exp": WALL + 1_000 + 6}, False),
    ],
)
def test_times_count_with_five_seconds_of_leeway_and_a_longest_life(
    changes: dict[str, Any], accepted: bool
) -> None:
    checker = authenticator(TokenRules(max_lifetime_s=1_000))
    token = signed(claims(**({"exp": WALL + 900} | changes)))
    if accepted:
        assert checker.verify(token).sub == "p1"
    else:
        with pytest.raises(Refused):
            checker.verify(token)


def test_token_of_the_configured_issuer_and_audience_is_accepted() -> None:
    rules = TokenRules(frozenset({"https://id.example"}), "sonde")
    for audience in ("sonde", ["other", "sonde"]):
        token = signed(claims(iss="https://id.example", aud=audience))
        assert authenticator(rules).verify(token).sub == "p1"


@pytest.mark.parametrize("issuer", [None, "https://evil.example", 5, ["https://id.example"], {"a": 1}])
def test_token_of_another_issuer_is_refused(issuer: Any) -> None:
    assert "issuer" in refusal(
        by_hand({"alg": "HS256"}, claims(iss=issuer)), TokenRules(frozenset({"https://id.example"}))
    )


@pytest.mark.parametrize("audience", [None, "other", ["other"], [], 5, {"sonde": 1}, [["sonde"]]])
def test_token_for_another_audience_is_refused(audience: Any) -> None:
    token = by_hand({"alg": "HS256"}, claims(aud=audience))
    assert "audience" in refusal(token, TokenRules(audience="sonde"))


def test_secret_shorter_than_32_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="31 bytes"):
        SharedSecret(b"x" * 31)


def test_secret_does_not_show_in_its_repr() -> None:
    assert SECRET not in repr(SharedSecret(SECRET.encode()))


def test_refusals_hold_nothing_of_the_token() -> None:
    token = signed(claims(sub="very*bad*subject"))
    assert "very" not in refusal(token)


def test_wrong_signature_is_told_from_an_expired_token() -> None:
    assert "signature" in refusal(signed(claims(), "another-secret-of-more-than-32-bytes-012345"))
    assert "expired" in refusal(signed(claims(exp=WALL - 60)))


def test_library_alone_would_have_accepted_what_we_refuse() -> None:
    """The defence is ours: if this fails, the library learned something and the comment in auth.py is old."""
    token = signed(claims(sub="*.>"))
    options: Any = {"verify_exp": False}
    assert jwt.decode(token, SECRET, ["HS256"], options=options)["sub"] == "*.>"
    assert "sub" in refusal(token)
