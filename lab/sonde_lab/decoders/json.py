"""Any text message that is a JSON object or array (RFC 8259).

Refuses bare numbers, texts and literals: `5` is more often a word of some other protocol than JSON.
"""

from __future__ import annotations

from typing import Final

import msgspec

from sonde_lab.decoders import members
from sonde_lab.decoders.decoding import MAX_DECODED_BYTES, Decoded
from sonde_lab.records import Direction

_SPACE: Final = b" \t\r\n"
_WHOLE: Final = msgspec.json.Decoder()
_OUTSIDE: Final = msgspec.json.Decoder(members.Outside)
_SKIPPED: Final = msgspec.json.Decoder(msgspec.Raw)  # checks the grammar, builds nothing


class Json:
    """The reader."""

    name = "json"

    def decode(
        self, payload: bytes, is_binary: bool, direction: Direction, max_bytes: int = MAX_DECODED_BYTES
    ) -> Decoded | None:
        """See `Decoder.decode`."""
        first = payload[:64].lstrip(_SPACE)[:1]
        if is_binary or first not in (b"{", b"["):
            return None
        if len(payload) <= max_bytes:
            return members.read(self.name, lambda: _WHOLE.decode(payload))
        decoder = _OUTSIDE if first == b"{" else _SKIPPED
        return members.peek(self.name, len(payload), lambda: decoder.decode(payload), _WHOLE.decode)
