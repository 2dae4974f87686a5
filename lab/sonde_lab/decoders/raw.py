"""A message of a protocol that nobody here knows: its first characters or bytes, and no claim about the rest."""

from __future__ import annotations

from typing import Final

from sonde_lab.decoders.decoding import MAX_DECODED_BYTES, Decoded
from sonde_lab.records import Direction
from sonde_lab.wording import one_line
from sonde_protocol.redact import redact_text

_SHOWN_CHARACTERS: Final = 400
_SHOWN_BYTES: Final = 40


class Raw:
    """The reader that every message satisfies. It has no value: text and bytes have tabs of their own."""

    name = "raw"

    def decode(
        self, payload: bytes, is_binary: bool, direction: Direction, max_bytes: int = MAX_DECODED_BYTES
    ) -> Decoded:
        """See `Decoder.decode`."""
        if is_binary:
            lead = f"{len(payload):,} bytes: {payload[:_SHOWN_BYTES].hex(' ', 4)}" if payload else "empty"
            return Decoded(self.name, "binary", lead=lead, is_whole=False)
        text = redact_text(payload[:_SHOWN_CHARACTERS].decode(errors="replace"))
        return Decoded(
            self.name,
            "text",
            lead=f"{len(payload):,} bytes: {one_line(text)}" if text else "empty",
            is_whole=False,
        )
