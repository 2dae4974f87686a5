"""Any binary message that is one whole MessagePack map or array, and nothing after it (msgpack specification).

Extension types become `{"ext": number, "data": bytes}`. Refuses bare scalars: nearly every byte would be one.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sonde_lab.decoders import members
from sonde_lab.decoders.decoding import MAX_DECODED_BYTES, Decoded
from sonde_lab.records import Direction

_MAPS: Final = frozenset({*range(0x80, 0x90), 0xDE, 0xDF})
_ARRAYS: Final = frozenset({*range(0x90, 0xA0), 0xDC, 0xDD})


def _extension(code: int, data: memoryview) -> dict[str, Any]:
    return {"ext": code, "data": bytes(data)}


_WHOLE: Final = msgspec.msgpack.Decoder(ext_hook=_extension)
_OUTSIDE: Final = msgspec.msgpack.Decoder(members.Outside, ext_hook=_extension)
_SKIPPED: Final = msgspec.msgpack.Decoder(msgspec.Raw)


class MessagePack:
    """The reader."""

    name = "msgpack"

    def decode(
        self, payload: bytes, is_binary: bool, direction: Direction, max_bytes: int = MAX_DECODED_BYTES
    ) -> Decoded | None:
        """See `Decoder.decode`."""
        first = payload[0] if payload else 0
        if not is_binary or (first not in _MAPS and first not in _ARRAYS):
            return None
        if len(payload) <= max_bytes:
            return members.read(self.name, lambda: _WHOLE.decode(payload))
        decoder = _OUTSIDE if first in _MAPS else _SKIPPED
        return members.peek(self.name, len(payload), lambda: decoder.decode(payload), _WHOLE.decode)
