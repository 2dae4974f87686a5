"""Tokens made from the gateway's own secret are tokens that the gateway accepts."""

from __future__ import annotations

import pytest

from sonde_server.config_file import ConfigInvalid
from sonde_server.core.auth import Authenticator, SharedSecret, TokenRules
from sonde_server.minting import mint, seconds
from support.clocks import HandClock
from support.handmade_tokens import WALL
from support.processes import SECRET


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("45s", 45), ("30m", 1_800), ("1h", 3_600), (" 7d ", 604_800)]
)
def test_times_to_live(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0h", "-1h", "1.5h", "1w", "h", "1 h", "9" * 20])
def test_times_to_live_that_are_none(text: str) -> None:
    with pytest.raises(ConfigInvalid):
        seconds(text)


def test_minted_token_is_accepted() -> None:
    rules = TokenRules(frozenset({"id"}), "sonde")
    checker = Authenticator(SharedSecret(SECRET.encode()), HandClock(wall=WALL), rules)
    token = mint(
        SECRET.encode(), "p1", ["player", "admin"], 60, WALL, name="Ada", issuer="id", audience="sonde"
    )
    said = checker.verify(token)
    assert (said.sub, said.name, said.roles, said.exp) == ("p1", "Ada", {"player", "admin"}, WALL + 60)


@pytest.mark.parametrize(
    ("sub", "roles", "name"),
    [("", [], None), ("a b", [], None), ("p1", ["root"], None), ("p1", [], "a\nb"), ("p1", [], "n" * 65)],
)
def test_token_that_would_be_refused_is_not_minted(sub: str, roles: list[str], name: str | None) -> None:
    with pytest.raises(ConfigInvalid):
        mint(SECRET.encode(), sub, roles, 60, WALL, name=name)
