"""What a free value may be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from sonde_protocol.errors import MalformedFrame
from sonde_protocol.values import MAX_DEPTH, MAX_INTEGER, check_value
from support.wire_values import values


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@given(values)
def test_whatever_both_subprotocols_carry_is_accepted(value: Any) -> None:
    check_value(value)


@pytest.mark.parametrize("value", [MAX_INTEGER, -MAX_INTEGER, nested(MAX_DEPTH), (1, 2)])
def test_the_limits_themselves_are_allowed(value: Any) -> None:
    check_value(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (MAX_INTEGER + 1, "2\\^53"),
        (-MAX_INTEGER - 1, "2\\^53"),
        (float("nan"), "finite"),
        (float("-inf"), "finite"),
        ({1: 2}, "key"),
        (b"x", "bytes"),
        (nested(MAX_DEPTH + 1), "deeper"),
        ({"a": [float("inf")]}, "finite"),
    ],
)
def test_what_one_of_them_would_change_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(MalformedFrame, match=reason):
        check_value(value)
