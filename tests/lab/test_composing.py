"""What is typed in the composer, understood or refused with a place."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.composing import (
    MAX_TEXT,
    NotUnderstood,
    SendClose,
    SendCommand,
    SendControl,
    SendFault,
    SendRaw,
    compose,
)
from sonde_protocol.frames import Publish


def test_command_without_a_number_is_the_clients_to_number() -> None:
    composed = compose(' {"op":"publish","ch":"room:arena","type":"chat","d":{"text":"hi"}} ', False)
    assert isinstance(composed, SendCommand)
    assert isinstance(composed.frame, Publish)
    assert composed.frame.type == "chat"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"op":"sync","id":5,"ch":"x"}', SendRaw('{"op":"sync","id":5,"ch":"x"}', "sync")),
        ('{"op":"teapot"}', SendRaw('{"op":"teapot"}', "teapot")),
        ("!{broken", SendRaw("{broken", "raw")),
        ("/ping", SendControl(False, b"")),
        ("/ping abc", SendControl(False, b"abc")),
        ("/pong x", SendControl(True, b"x")),
        ("/close", SendClose(1000, "")),
        ("/close 4000", SendClose(4000, "")),
        ("/close 1013 try later ", SendClose(1013, "try later")),
        ('/fault  kick "enough" ', SendFault('kick "enough"')),
    ],
)
def test_text_is_understood(text: str, expected: object) -> None:
    assert compose(text, False) == expected


def test_binary_connection_gets_messagepack() -> None:
    composed = compose('{"op":"teapot","n":1}', True)
    assert isinstance(composed, SendRaw)
    assert isinstance(composed.data, bytes)
    assert msgspec.msgpack.decode(composed.data) == {"op": "teapot", "n": 1}
    assert compose("!x", True) == SendRaw(b"x", "raw")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  ", "nothing to send"),
        ("/reboot now", "'/reboot' is unknown"),
        ("/close soon", "unknown"),
        ('{"op":\n "x",}', "line 2, column"),
        ("[1]", 'an object with an "op"'),
        ("5", 'an object with an "op"'),
        ('{"op":5}', 'an object with an "op"'),
        ('{"op":"publish","ch":"room:arena"}', "publish: .*type"),
        ('{"op":"kick","session":"s","code":1,"cause":"x"}', "kick: "),
        ("x" * (MAX_TEXT + 1), "longer"),
        ("[" * 100_000, "JSON"),
    ],
)
def test_what_cannot_be_sent_is_said(text: str, words: str) -> None:
    with pytest.raises(NotUnderstood, match=words):
        compose(text, False)


@given(st.text(max_size=60), st.booleans())
def test_whatever_is_typed_is_understood_or_refused(text: str, binary: bool) -> None:
    with contextlib.suppress(NotUnderstood):
        assert compose(text, binary) is not None
