"""WebSocket frames as this server writes and reads them (RFC 6455 section 5), with the library at its side.

Owns the unmasked header of an outgoing frame, the bytes shared by a fan-out, the inline reader of plain frames,
and our hold on `websockets`' Sans-I/O protocol, which reads everything else. Refuses sockets and time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from websockets.frames import Frame
from websockets.protocol import State as LibraryState
from websockets.server import ServerProtocol

from sonde_protocol.websocket_text import is_utf8

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform without the compiled part
    from websockets.utils import apply_mask

TEXT_FINAL: Final = 0x81
BINARY_FINAL: Final = 0x82
MASKED: Final = 0x80
SLICE_BYTES: Final = (
    4096  # what the library is fed at once, so that a flood is noticed before it is all answered
)

# The library logs headers, and so tokens, at DEBUG: its voice stays fixed, whatever the root is set to.
_QUIET: Final = logging.getLogger("sonde_server.websocket")
_QUIET.setLevel(logging.WARNING)


def frame_header(first: int, length: int) -> bytes:
    """Header of an unmasked frame; `first` is the byte of FIN, RSV and opcode."""
    if length < 126:
        return bytes((first, length))
    if length < 1 << 16:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")


class Framer:
    """Frames whole messages of one kind and remembers the last one.

    A fan-out hands the very same bytes object to a thousand connections: it is framed once.
    """

    __slots__ = ("_first", "_framed", "_source")

    def __init__(self, binary: bool) -> None:
        self._first = BINARY_FINAL if binary else TEXT_FINAL
        self._source = b""
        self._framed = frame_header(self._first, 0)

    def frame(self, data: bytes) -> bytes:
        """`data` as one frame; the same object as last time when `data` is."""
        if data is not self._source:
            self._framed = frame_header(self._first, len(data)) + data
            self._source = data
        return self._framed


def read_plain(data: bytes, limit_bytes: int, on_message: Callable[[bytes, bool], bool]) -> int:
    """Read whole, masked, unfragmented data frames from the front of `data`.

    Stops at the first frame that is anything else: split, fragmented, a control frame, over `limit_bytes`,
    with wrong bits, or text that is no UTF-8. The library then says what is wrong with it.

    Args:
        on_message: gets the payload and whether it is binary; returns whether to go on.

    Returns:
        How many bytes were used.
    """
    position, size = 0, len(data)
    while size - position >= 6:
        first, length = data[position], data[position + 1] - MASKED
        start = position + 6
        if length == 126 and size - position >= 8:
            length = data[position + 2] << 8 | data[position + 3]
            start += 2
        elif not 0 <= length < 126:
            break
        end = start + length
        if first not in (TEXT_FINAL, BINARY_FINAL) or end > size or length > limit_bytes:
            break
        payload = apply_mask(data[start:end], data[start - 4 : start])
        if first == TEXT_FINAL and not is_utf8(payload):
            break
        position = end
        if not on_message(payload, first == BINARY_FINAL):
            break
    return position


def first_slice(data: bytes) -> int:
    """How much of `data` to feed the library: one short frame exactly, so that plain frames behind it stay plain."""
    if len(data) >= 2 and MASKED <= data[1] < MASKED + 126:
        return min(data[1] - MASKED + 6, len(data))
    return min(SLICE_BYTES, len(data))


class Library(ServerProtocol):
    """`websockets`' protocol object, made when it is needed and dropped when it is idle.

    Adds what the library does not tell: whether it stands between two messages, so that it can be dropped.
    """

    def __init__(self, state: LibraryState, limit_bytes: int) -> None:
        self._between_frames = True
        self.fragments = bytearray()  # of the message being received
        self.fragments_binary = False
        super().__init__(state=state, max_size=limit_bytes, logger=_QUIET)

    def feed(self, data: bytes) -> None:
        """Parse; then look at `events_received()` and `data_to_send()`."""
        self._between_frames = False
        self.receive_data(data)

    def recv_frame(self, frame: Frame) -> None:
        """The library's own hook for a complete frame: with nothing behind it, the parser is between frames."""
        super().recv_frame(frame)
        self._between_frames = not self.reader.buffer

    def release(self) -> None:
        """Nobody needs this object any more. Its parser holds it and it holds its parser: taken apart here, since
        a gateway's garbage collector comes seldom.
        """
        self.parser.close()
        self.parser_exc = self.handshake_exc = None
        self.reader.discard()
        self.fragments.clear()

    @property
    def is_idle(self) -> bool:
        """Open, with no part of a frame or message inside."""
        return self._between_frames and self.current_size is None and self.state is LibraryState.OPEN
