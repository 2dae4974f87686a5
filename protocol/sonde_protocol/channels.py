"""Channel names: `namespace:key`, and nothing that a broker or a store could read as a pattern."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sonde_protocol.codes import ErrorCode
from sonde_protocol.errors import Refused, excerpt

CHANNEL_PATTERN: Final = re.compile(r"[a-z][a-z0-9_]{0,31}:[A-Za-z0-9_.-]{1,64}")
SUBJECT_PATTERN: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
SYSTEM_CHANNELS: Final = frozenset({"$sessions", "$stats", "$nodes", "$faults"})


class ChannelName(NamedTuple):
    """A checked channel name. System channels have a namespace of their own name and an empty key."""

    namespace: str
    key: str

    def __str__(self) -> str:
        return f"{self.namespace}:{self.key}" if self.key else self.namespace


def parse_channel(text: str) -> ChannelName:
    """Split a channel name.

    Raises:
        Refused: `bad_channel` when `text` is no channel name.
    """
    if CHANNEL_PATTERN.fullmatch(text):
        namespace, _, key = text.partition(":")
        return ChannelName(namespace, key)
    if text in SYSTEM_CHANNELS:
        return ChannelName(text, "")
    raise Refused(ErrorCode.BAD_CHANNEL, f"'{excerpt(text)}' is no channel name (like room:arena)")
