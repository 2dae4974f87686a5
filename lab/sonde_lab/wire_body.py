"""The body of an HTTP message on a connection that is no WebSocket yet: where it ends, and how it begins.

Clients such as Socket.IO's ask by plain HTTP first and upgrade the same connection later, so bodies are stepped over
to find the next head (RFC 9112, section 6). What is kept of one is bounded; the rest is counted and let go.
"""

from __future__ import annotations

import re
from typing import Final

MAX_BODY_BYTES: Final = 64 * 1024
_MAX_CHUNK_LINE: Final = 1_024
_HEXADECIMAL: Final = re.compile(rb"[0-9a-fA-F]{1,15}")
_BODILESS: Final = frozenset({204, 304})
_WITH_CONNECTION: Final = 1 << 62  # its end is the connection's


class Body:
    """Eats one body from the front of a buffer. `status` is 0 for a request, which has none unless it says so."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self.kept = bytearray()
        self.size = 0
        self._encoding = headers.get("content-encoding", "").strip()
        self._is_chunked = headers.get("transfer-encoding", "").strip().lower().endswith("chunked")
        length = headers.get("content-length", "").strip()
        if self._is_chunked or status in _BODILESS or (status == 0 and not length.isdecimal()):
            self._left = 0
        else:
            self._left = min(int(length), _WITH_CONNECTION) if _is_length(length) else _WITH_CONNECTION
        self._is_last = not self._is_chunked

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return self._is_last and not self._left

    @property
    def text(self) -> str:
        """What was kept, to be read; a compressed one is only named."""
        if self._encoding and self._encoding != "identity":
            return f"{self.size:,} bytes, {self._encoding[:40]}"
        return self.kept.decode(errors="replace")

    def eat(self, buffer: bytearray) -> bool:
        """Take what belongs to the body; whether it is whole now."""
        while not self.is_whole:
            if not self._left and not self._next_chunk(buffer):
                return False
            part = buffer[: self._left]
            del buffer[: len(part)]
            self._left -= len(part)
            self.size += len(part)
            self.kept += part[: MAX_BODY_BYTES - len(self.kept)]
            if self._left:
                return False
        return True

    def _next_chunk(self, buffer: bytearray) -> bool:
        """Read the line before a chunk, or the lines after the last one; False when they are not there yet."""
        if self.size and buffer.startswith(b"\r\n"):
            del buffer[:2]
        end = buffer.find(b"\r\n", 0, _MAX_CHUNK_LINE)
        if end < 0:
            if len(buffer) >= _MAX_CHUNK_LINE:
                self._give_up()
            return len(buffer) >= _MAX_CHUNK_LINE
        size = _hexadecimal(bytes(buffer[:end]).partition(b";")[0])
        if size is None:
            self._give_up()
            return True
        if size == 0:
            return self._trailers(buffer, end)
        self._left = size
        del buffer[: end + 2]
        return True

    def _trailers(self, buffer: bytearray, end: int) -> bool:
        last = buffer.find(b"\r\n\r\n", end)
        if last < 0 and len(buffer) < MAX_BODY_BYTES:
            return False
        if last < 0:
            self._give_up()
            return True
        del buffer[: last + 4]
        self._is_last = True
        return True

    def _give_up(self) -> None:
        """What is chunked in no way we know belongs to the body until the connection ends."""
        self._is_last, self._left = True, _WITH_CONNECTION


def _is_length(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _hexadecimal(text: bytes) -> int | None:
    text = text.strip()
    return int(text, 16) if _HEXADECIMAL.fullmatch(text) else None
