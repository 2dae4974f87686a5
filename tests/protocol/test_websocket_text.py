"""Text on a WebSocket: what is UTF-8, and how much of a reason a close frame carries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_protocol.websocket_text import fitting_reason, is_utf8


@given(st.binary(max_size=40))
def test_utf8_check_agrees_with_the_decoder(data: bytes) -> None:
    try:
        data.decode()
        valid = True
    except UnicodeDecodeError:
        valid = False
    assert is_utf8(data) is valid


@pytest.mark.parametrize(
    ("reason", "fits"), [("", ""), ("a" * 123, "a" * 123), ("a" * 200, "a" * 123), ("ä" * 80, "ä" * 61)]
)
def test_reason_is_cut_at_a_characters_end(reason: str, fits: str) -> None:
    assert fitting_reason(reason) == fits
