"""Channel names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_protocol.channels import CHANNEL_PATTERN, SYSTEM_CHANNELS, ChannelName, parse_channel
from sonde_protocol.codes import ErrorCode
from sonde_protocol.errors import Refused


def test_a_name_is_split_into_namespace_and_key() -> None:
    assert parse_channel("room:arena-1.x_Y") == ChannelName("room", "arena-1.x_Y")


@pytest.mark.parametrize("name", sorted(SYSTEM_CHANNELS))
def test_a_system_channel_is_its_own_namespace(name: str) -> None:
    assert parse_channel(name) == ChannelName(name, "")


@given(st.from_regex(CHANNEL_PATTERN, fullmatch=True))
def test_a_name_reads_back_as_it_was(name: str) -> None:
    assert str(parse_channel(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "room",
        "room:",
        ":arena",
        "Room:arena",
        "1room:arena",
        "room:*",
        "room:>",
        "room:a b",
        "room:a:b",
        "room:a\n",
        "room:ä",
        "room:" + "a" * 65,
        "r" * 33 + ":a",
        "$nothing",
        "$stats:x",
        "room:\x00",
    ],
)
def test_a_name_that_a_broker_could_read_as_a_pattern_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_channel(name)
    assert refusal.value.code is ErrorCode.BAD_CHANNEL
