"""Secrets do not come out of redaction, and what is no secret does."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_protocol import redact
from sonde_protocol.redact import SECRET_KEYS, Redactor, mask, redact_text, redact_value
from support.wire_values import documents

SECRET = "s7f3Q9zKx2mWvB81"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwMSJ9.Tq3x9pX-_zz"


def test_a_mask_keeps_four_characters_of_a_long_secret_and_none_of_a_short_one() -> None:
    assert mask(SECRET) == "s7f3…"
    assert mask("hunter2") == "…"
    assert mask("") == "…"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Authorization: Bearer {JWT}\r\nHost: a", "Authorization: Bearer eyJh…\r\nHost: a"),
        (f"authorization: {SECRET}", "authorization: s7f3…"),
        (f"Proxy-Authorization: Basic {SECRET}", "Proxy-Authorization: Basic s7f3…"),
        (f"Cookie: sid={SECRET}; a=b\r\nX: 1", "Cookie: sid=…\r\nX: 1"),
        (f"Set-Cookie: {SECRET}", "Set-Cookie: s7f3…"),
        (
            f"Sec-WebSocket-Protocol: sonde.v1.json, sonde.bearer.{JWT}",
            "Sec-WebSocket-Protocol: sonde.v1.json, sonde.bearer.eyJh…",
        ),
        (f"sonde.bearer.{SECRET},sonde.v1.json", "sonde.bearer.s7f3…,sonde.v1.json"),
        (f"sent Bearer {SECRET}.", "sent Bearer s7f3…"),
        (f"it was {JWT}, I think", "it was eyJh…, I think"),
        (f"GET /v1/ws?token={SECRET}&x=1 HTTP/1.1", "GET /v1/ws?token=s7f3…&x=1 HTTP/1.1"),
        (f'{{"op":"resume","resume":"{SECRET}"}}', '{"op":"resume","resume":"s7f3…"}'),
        (f'{{"token" : "{SECRET}\\"tail"}}', '{"token" : "s7f3…"}'),
        (f'{{"dbPassword":"{SECRET}","x-api-key": 12345}}', '{"dbPassword":"s7f3…","x-api-key": "…"}'),
        (f"X-Auth-Token: {SECRET}", "X-Auth-Token: s7f3…"),
        (f"nats://ada:{SECRET}@host:4222/", "nats://ada:…@host:4222/"),
        (f"at client_secret={SECRET}, then", "at client_secret=s7f3… then"),
    ],
)
def test_a_secret_in_text_is_masked_in_place(text: str, shown: str) -> None:
    if text.startswith("Cookie"):
        assert SECRET not in redact_text(text)
        assert redact_text(text).endswith("\r\nX: 1")
    else:
        assert redact_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUpgrade: websocket",
        '{"op":"event","ch":"room:arena","d":{"text":"the bearer of news"}}',
        '{"op":"bye","code":4001,"resume":true}',
        "players.ada x 41.2 → 42.0",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact_text(text) == text


@given(st.text(), st.sampled_from([f"Bearer {SECRET}", JWT, f"?token={SECRET}", f'"resume":"{SECRET}"']))
def test_redaction_is_done_once_and_for_all(around: str, secret: str) -> None:
    once = redact_text(f"{around} {secret} {around}")
    assert SECRET not in once
    assert redact_text(once) == once


@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
def test_secret_members_are_masked_at_any_depth_and_in_any_case(key: str) -> None:
    value = {"d": [{key.upper(): SECRET}], key: SECRET}
    assert redact_value(value) == {"d": [{key.upper(): "s7f3…"}], key: "s7f3…"}


@pytest.mark.parametrize("item", [7, 7.5, b"bytes", ["a", {"b": "c"}], {"value": "abc"}])
def test_all_that_stands_under_a_secret_key_is_masked(item: Any) -> None:
    shown = json.dumps(redact_value({"userToken": item}), ensure_ascii=False)
    assert "…" in shown
    assert not re.search(r"7|bytes|\"a\"|\"c\"|abc", shown)


def test_what_was_masked_is_counted_once() -> None:
    redactor = Redactor()
    once = redactor.value({"token": SECRET, "d": [f"Bearer {SECRET}", JWT], "password": 5})
    assert redactor.masked == 4
    assert redactor.value(once) == once
    assert redactor.masked == 4


def test_a_secret_key_with_a_flag_is_no_secret() -> None:
    assert redact_value({"op": "bye", "resume": True, "token": None}) == {
        "op": "bye",
        "resume": True,
        "token": None,
    }


def test_strings_inside_of_a_value_are_redacted_as_text() -> None:
    assert redact_value({"d": (f"Bearer {SECRET}", 1)}) == {"d": ["Bearer s7f3…", 1]}
    assert redact_value(JWT) == "eyJh…"


@settings(max_examples=40)
@given(documents)
def test_a_value_without_secrets_is_copied_as_it_is(document: dict[str, Any]) -> None:
    assert redact_value(document) == document


def test_a_value_of_any_depth_is_shown_in_part() -> None:
    value: Any = SECRET
    for _ in range(5_000):
        value = {1: [value]}
    assert SECRET not in json.dumps(redact_value(value))


PIECES = [
    f"Bearer {SECRET} ", JWT, f"?token={SECRET}&", f'"resume": "{SECRET}",', "\ncookie: a=b\n", "plain, ", '"n":1,',
]  # fmt: skip


@settings(max_examples=60)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_a_long_text_is_masked_in_windows_as_it_is_in_one_go(text: str) -> None:
    whole = redact_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redact, "_WINDOW", 7)
        assert redact_text(text) == whole


def test_a_token_with_certificates_in_its_head_is_masked_across_two_windows() -> None:
    token = f"eyJ{'x5c' * 1_500}.{'a' * 40}.{'b' * 40}"
    text = "." * (redact._WINDOW - 20) + " " + token + " end"
    assert redact_text(text).endswith(" eyJx… end")


@pytest.mark.parametrize(
    "unit",
    ["eyJ", "eyJ.", '"token":"', "Bearer ", "cookie:", "?token=", "\\", '"a\\', "a-token", "ws://a", "-"],
)
def test_hostile_text_does_not_take_long(unit: str) -> None:
    started = time.process_time()
    redact_text(unit * (200_000 // len(unit)))
    assert time.process_time() - started < 2.0
