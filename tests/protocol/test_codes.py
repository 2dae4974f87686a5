"""Close codes, their ranges and the vocabularies of causes."""

from __future__ import annotations

import pytest

from sonde_protocol.codes import (
    SETTABLE_STATUS,
    CloseCode,
    Reaction,
    Status,
    close_name,
    reaction,
)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (4000, Reaction.RESUME),
        (4099, Reaction.RESUME),
        (4100, Reaction.IDENTIFY),
        (4199, Reaction.IDENTIFY),
        (4200, Reaction.WAIT),
        (4299, Reaction.WAIT),
        (4400, Reaction.STOP),
        (4499, Reaction.STOP),
    ],
)
def test_the_range_decides_even_for_a_code_that_is_not_known(code: int, expected: Reaction) -> None:
    assert reaction(code) is expected


@pytest.mark.parametrize("code", [None, 1001, 1006, 1012, 3000, 4300, 4500])
def test_a_code_outside_our_ranges_leads_to_a_resume(code: int | None) -> None:
    assert reaction(code) is Reaction.RESUME


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (CloseCode.DRAINING, Reaction.RESUME),
        (CloseCode.TOKEN_EXPIRED, Reaction.RESUME),
        (CloseCode.SESSION_EXPIRED, Reaction.IDENTIFY),
        (CloseCode.OVERLOADED, Reaction.WAIT),
        (CloseCode.RATE_LIMITED, Reaction.WAIT),
        (CloseCode.SUPERSEDED, Reaction.STOP),
        (CloseCode.KICKED, Reaction.STOP),
        (CloseCode.TOO_MANY_ERRORS, Reaction.STOP),
    ],
)
def test_each_of_our_codes_stands_in_the_range_of_what_it_asks(code: CloseCode, expected: Reaction) -> None:
    assert reaction(code) is expected


def test_every_close_code_of_ours_is_in_a_declared_range() -> None:
    ours = [code for code in CloseCode if code >= 4000]
    assert ours
    assert all(4000 <= code < 4300 or 4400 <= code < 4500 for code in ours)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (None, "closed without a close frame"),
        (1006, "closed without a close frame"),
        (1005, "no status"),
        (4002, "heartbeat lost"),
        (4499, "unknown code, treated as 'stop'"),
    ],
)
def test_a_close_code_has_a_name_for_people(code: int | None, name: str) -> None:
    assert close_name(code) == name


def test_only_the_gateway_sets_reconnecting() -> None:
    assert set(Status) - SETTABLE_STATUS == {Status.RECONNECTING}
