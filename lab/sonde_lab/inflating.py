"""permessage-deflate of one direction (RFC 7692), bounded: a small frame must not become a large heap."""

from __future__ import annotations

import zlib
from typing import Any, Final

_TAIL: Final = b"\x00\x00\xff\xff"  # what the sender left away (section 7.2.1)
_CHUNK_BYTES: Final = 1 << 20
_MAX_FACTOR: Final = 4  # inflated to keep the window right, but not kept


class Inflater:
    """Inflates message after message. A context that is lost is lost for good: later messages give `None`."""

    def __init__(self, window_bits: int, takeover: bool, max_kept_bytes: int) -> None:
        self._bits = -window_bits
        self._takeover = takeover
        self._max_kept = max_kept_bytes
        self._context: Any = None
        self._broken = False

    def inflate(self, data: bytes, whole: bool) -> tuple[bytes, int] | None:
        """The message and its true size (larger when only the first part is kept); `None`: not inflatable.

        `whole` says that `data` is all of the message: else it cannot be read, nor what follows it.
        """
        if self._broken or not whole:
            self._broken = self._broken or self._takeover
            return None
        if self._context is None or not self._takeover:
            self._context = zlib.decompressobj(self._bits)
        try:
            return self._expand(data + _TAIL)
        except zlib.error:
            self._broken = self._takeover
            return None

    def _expand(self, data: bytes) -> tuple[bytes, int]:
        kept = bytearray(self._context.decompress(data, self._max_kept))
        size = len(kept)
        while self._context.unconsumed_tail and not self._context.eof:
            more = self._context.decompress(self._context.unconsumed_tail, _CHUNK_BYTES)
            size += len(more)
            if size > _MAX_FACTOR * self._max_kept:
                self._broken = self._takeover
                break
        if self._context.eof:  # a final block inside a message: the next one starts afresh
            self._context = None
        return bytes(kept), size
