"""permessage-deflate of one direction, both ways: what came is inflated, what is changed is compressed anew (RFC 7692).

With context takeover, a message refers to those before it. So `Expander` reads every message from the first one on,
whether it is needed or not; and once one message was changed, added or left out, `Compressor` writes all that follow
from a context of its own, which refers to nothing that the receiver has not got from it.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

from sonde_lab.faults.limits import MAX_EXPANDED_BYTES

_TAIL: Final = b"\x00\x00\xff\xff"
_CHUNK_BYTES: Final = 1 << 20
_SMALLEST_BITS: Final = 9  # zlib writes no raw window of 256 bytes


class Expander:
    """Inflates message after message. A context that is lost is lost for good."""

    def __init__(self, window_bits: int, takeover: bool) -> None:
        self._bits = -window_bits
        self.takeover = takeover
        self.is_broken = False
        self._context: Any = None
        self._seen = 0

    def expand(self, data: bytes) -> bytes | None:
        """A whole message; `None` when it does not inflate, or grows beyond all measure."""
        kept = bytearray()
        self._feed(data + _TAIL, kept)
        return self._end(kept)

    def skip(self, data: bytes) -> None:
        """A part of a message that nobody needs: only the context is kept right."""
        self._feed(data, None)

    def finish_skipped(self) -> None:
        """The message that was skipped is over."""
        self._feed(_TAIL, None)
        self._end(bytearray())

    def _end(self, kept: bytearray) -> bytes | None:
        is_broken = self.is_broken
        self._seen = 0
        if not self.takeover:
            self._context, self.is_broken = None, False
        return None if is_broken else bytes(kept)

    def _feed(self, data: bytes, kept: bytearray | None) -> None:
        if self.is_broken:
            return
        if self._context is None:
            self._context = zlib.decompressobj(self._bits)
        try:
            while data:
                part = self._context.decompress(data, _CHUNK_BYTES)
                self._seen += len(part)
                if self._seen > MAX_EXPANDED_BYTES:
                    self.is_broken = True
                    return
                if kept is not None:
                    kept += part
                data = self._context.unconsumed_tail
            if self._context.eof:  # a final block inside a message: the next one starts afresh
                self._context = None
        except zlib.error:
            self.is_broken = True


class Compressor:
    """Deflates messages for a receiver that agreed on these bits."""

    def __init__(self, window_bits: int, takeover: bool) -> None:
        self._bits = window_bits
        self._takeover = takeover
        self._context: Any = None

    @property
    def can(self) -> bool:
        """Whether it may; else a message goes uncompressed, which the extension always allows."""
        return self._bits >= _SMALLEST_BITS

    def compress(self, data: bytes) -> bytes:
        """One message."""
        if self._context is None or not self._takeover:
            self._context = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -self._bits)
        return bytes(
            (self._context.compress(data) + self._context.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)
        )
