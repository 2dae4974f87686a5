"""The exception tree: what each exception tells, and that peer text cannot break out of a message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_protocol.codes import ErrorCode
from sonde_protocol.errors import (
    BadValue,
    FrameTooLarge,
    MalformedFrame,
    NotAnObject,
    ProtocolViolation,
    Refused,
    UnknownOp,
    excerpt,
)


@given(st.text(alphabet=st.characters(), max_size=100))
def test_an_excerpt_is_one_line_of_plain_ascii_with_at_most_one_ellipsis(text: str) -> None:
    shown = excerpt(text, 10).removesuffix("…")
    assert shown.isascii()
    assert shown.isprintable()


def test_an_excerpt_is_cut_and_says_so() -> None:
    assert excerpt("a" * 65) == "a" * 64 + "…"
    assert excerpt("a" * 64) == "a" * 64


def test_an_excerpt_survives_a_lone_surrogate() -> None:
    assert excerpt("\ud800") == "\\ud800"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MalformedFrame("x"), ErrorCode.BAD_FRAME),
        (NotAnObject("x"), ErrorCode.BAD_FRAME),
        (FrameTooLarge(2, 1), ErrorCode.TOO_LARGE),
        (UnknownOp("x"), ErrorCode.UNKNOWN_OP),
        (BadValue("x"), ErrorCode.BAD_REQUEST),
    ],
)
def test_every_violation_knows_the_code_that_its_peer_gets(error: ProtocolViolation, code: ErrorCode) -> None:
    assert error.code is code
    assert error.command is None


def test_a_violation_keeps_the_number_of_its_command() -> None:
    error = UnknownOp("<b>\n", 7)
    assert (error.op, error.command, str(error)) == ("<b>\n", 7, "unknown op '<b>\\n'")


def test_a_frame_too_large_tells_both_sizes() -> None:
    assert (FrameTooLarge(70, 64).size_bytes, FrameTooLarge(70, 64).limit_bytes) == (70, 64)


def test_a_refusal_carries_what_an_error_frame_needs() -> None:
    error = Refused(ErrorCode.CONFLICT, "the state has moved on", data={"seq": 4})
    assert (error.temporary, error.retry_ms, error.data) == (False, None, {"seq": 4})
    assert str(error) == "conflict: the state has moved on"
