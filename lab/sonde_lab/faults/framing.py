"""One direction's bytes as whole messages and control frames, while somebody needs them; else only where frames end.

Owns the knowledge of frame boundaries (RFC 6455). *Following*, bytes are read as they pass and nothing is held.
*Gathering*, messages are held until they are whole. Either begins at a boundary between messages. What cannot be
read, or is too long to be held, is passed on as it came.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sonde_lab.faults.deflating import Expander
from sonde_lab.wire import BINARY, CLOSE, CONTINUATION, TEXT

MAX_HELD_BYTES: Final = 4 << 20  # of one message; a longer one passes untouched
_KNOWN: Final = frozenset({0, 1, 2, 8, 9, 10})


@dataclass(slots=True)
class Frame:
    """One frame; `payload` is unmasked. `raw` are the bytes as they came, empty once anything is changed."""

    opcode: int
    payload: bytes
    final: bool = True
    rsv: int = 0
    mask: bytes = b""
    raw: bytes = b""

    def encode(self) -> bytes:
        """Its bytes on the wire."""
        return self.raw or encoded(self.opcode, self.payload, self.mask, final=self.final, rsv=self.rsv)


@dataclass(slots=True)
class Whole:
    """A whole message or control frame. `ordinal` counts them from 1 in their direction.

    `plain` is the payload, inflated; `None` when it does not inflate. `is_new`: its content is not what came, or it
    did not come at all.
    """

    ordinal: int
    opcode: int
    plain: bytes | None
    compressed: bool
    frames: list[Frame] = field(default_factory=list)
    is_new: bool = False
    is_built: bool = False  # its frames go out as they are

    @property
    def is_control(self) -> bool:
        """Whether it is a close, ping or pong."""
        return self.opcode >= CLOSE

    @property
    def is_text(self) -> bool:
        """Whether it is a text message."""
        return self.opcode == TEXT

    def with_plain(self, plain: bytes) -> Whole:
        """The same with another content."""
        return Whole(self.ordinal, self.opcode, plain, self.compressed, [], is_new=True)

    def with_frames(self, frames: list[Frame]) -> Whole:
        """The same in other frames."""
        return Whole(
            self.ordinal,
            self.opcode,
            self.plain,
            self.compressed,
            frames,
            is_built=True,
        )

    def copy(self) -> Whole:
        """The same once more."""
        return Whole(
            self.ordinal,
            self.opcode,
            self.plain,
            self.compressed,
            list(self.frames),
            self.is_new,
        )


class Framing:
    """One direction, from its first frame on."""

    def __init__(self, expander: Expander | None) -> None:
        self.is_lost = False  # nothing can be read any more
        self.ordinal = 0
        self.max_held_bytes = MAX_HELD_BYTES
        self.expander = expander
        self._buffer = bytearray()  # gathering: bytes of a frame that is not whole
        self._held: list[Frame] = []  # gathering: fragments of a message that is not whole
        self._held_bytes = 0
        self._head = bytearray()  # following: a header that is not whole
        self._left = 0  # following: payload bytes of the frame that passes
        self._passing: _Passing | None = None
        self._in_message = False
        self._is_compressed = False

    @property
    def is_at_boundary(self) -> bool:
        """Whether a new message may begin here, of all bytes that went on."""
        return not (self._head or self._left or self._in_message or self.is_lost)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return not (self._buffer or self._held)

    # ------------------------------------------------------------ following

    def follow(self, data: bytes | memoryview, stops: bool = False) -> int:
        """Read what passes; how many bytes of it. With `stops`, up to the next boundary between messages."""
        at, size = 0, len(data)
        while at < size:
            if self.is_lost:
                return size
            if stops and self.is_at_boundary:
                return at
            if self._left:
                at = self._pass_payload(data, at)
            elif not self._head and (end := self._whole_frame(data, at)):
                at = end
            else:
                wanted = header_size(self._head) - len(self._head)
                self._head += data[at : at + wanted]
                at = min(size, at + wanted)
                self._try_head()
        return at

    def _whole_frame(self, data: bytes | memoryview, at: int) -> int:
        """Where a frame ends that is all there and needs no inflating; 0 when the slow way must be gone."""
        if self.expander is not None or at + 2 > len(data):
            return 0
        first, second = data[at], data[at + 1]
        length, opcode = second & 0x7F, first & 0x0F
        head = 6 if second & 0x80 else 2
        if length == 126 and at + 4 <= len(data):
            length, head = data[at + 2] << 8 | data[at + 3], head + 2
        elif length >= 126:
            return 0
        end = at + head + length
        if end > len(data) or opcode not in _KNOWN:
            return 0
        self._in_message = self._in_message if opcode >= CLOSE else not first & 0x80
        self.ordinal += opcode >= CLOSE or bool(first & 0x80)
        return end

    def _pass_payload(self, data: bytes | memoryview, at: int) -> int:
        end = min(len(data), at + self._left)
        self._left -= end - at
        if self._passing is not None and self._passing.expands and self.expander is not None:
            self.expander.skip(self._passing.unmasked(bytes(data[at:end])))
        if not self._left:
            self._frame_passed()
        return end

    def _try_head(self) -> None:
        size = header_size(self._head)
        if size > len(self._head):
            return
        head = _Head.of(self._head, size)
        self._head.clear()
        if not self._is_readable(head):
            return
        self._passing = _Passing(head, head.opcode < CLOSE and self._is_compressed)
        self._left = head.length
        if not self._left:
            self._frame_passed()

    def _is_readable(self, head: _Head) -> bool:
        """Note what a header says; false when nothing can be read from here on."""
        if head.opcode not in _KNOWN or head.length >= 1 << 63:
            self.is_lost = True
        elif head.opcode < CLOSE:
            if head.opcode != CONTINUATION:
                self._is_compressed = bool(head.rsv & 4) and self.expander is not None
            self._in_message = True
        return not self.is_lost

    def _frame_passed(self) -> None:
        passed, self._passing = self._passing, None
        assert passed is not None
        if passed.head.opcode >= CLOSE:
            self.ordinal += 1
        elif passed.head.final:
            self.ordinal += 1
            self._in_message = False
            if passed.expands and self.expander is not None:
                self.expander.finish_skipped()

    # ------------------------------------------------------------ gathering

    def gather(self, data: bytes | memoryview) -> list[Whole | bytes]:
        """Take bytes in; whole messages, and bytes that are passed on as they came."""
        self._buffer += data
        out: list[Whole | bytes] = []
        while self._buffer and not self.is_lost and self._one(out):
            pass
        if self.is_lost:
            out.append(self.let_go())
        return [each for each in out if each]

    def let_go(self) -> bytes:
        """Everything that is held, as it came; it is followed from here on."""
        raw = b"".join(frame.raw for frame in self._held) + bytes(self._buffer)
        self._held, self._held_bytes = [], 0
        self._buffer.clear()
        self._in_message = False
        self.follow(raw)
        return raw

    def _one(self, out: list[Whole | bytes]) -> bool:
        size = header_size(self._buffer)
        if len(self._buffer) < size:
            return False
        head = _Head.of(self._buffer, size)
        if head.opcode not in _KNOWN or head.length >= 1 << 63:
            self.is_lost = True
            return False
        if head.opcode < CLOSE and self._held_bytes + head.length > self.max_held_bytes:
            out.append(self.let_go())
            return False
        if len(self._buffer) < size + head.length:
            return False
        raw = bytes(self._buffer[: size + head.length])
        del self._buffer[: len(raw)]
        out.extend(self._take(head, raw, size))
        return True

    def _take(self, head: _Head, raw: bytes, size: int) -> list[Whole | bytes]:
        frame = Frame(head.opcode, xored(raw[size:], head.mask), head.final, head.rsv, head.mask, raw)
        if head.opcode >= CLOSE:
            self.ordinal += 1
            return [Whole(self.ordinal, head.opcode, frame.payload, False, [frame])]
        self._held.append(frame)
        self._held_bytes += head.length
        if not head.final:
            return []
        frames, self._held, self._held_bytes = self._held, [], 0
        self.ordinal += 1
        compressed = bool(frames[0].rsv & 4) and self.expander is not None
        payload = b"".join(each.payload for each in frames)
        plain = self.expander.expand(payload) if compressed and self.expander is not None else payload
        opcode = frames[0].opcode if frames[0].opcode != CONTINUATION else BINARY
        return [Whole(self.ordinal, opcode, plain, compressed, frames)]


@dataclass(slots=True)
class _Head:
    opcode: int
    final: bool
    rsv: int
    length: int
    mask: bytes

    @classmethod
    def of(cls, data: bytearray, size: int) -> _Head:
        masked, length = bool(data[1] & 0x80), data[1] & 0x7F
        extra = {126: 2, 127: 8}.get(length, 0)
        if extra:
            length = int.from_bytes(data[2 : 2 + extra])
        mask = bytes(data[size - 4 : size]) if masked else b""
        return cls(data[0] & 0x0F, bool(data[0] & 0x80), (data[0] >> 4) & 7, length, mask)


@dataclass(slots=True)
class _Passing:
    head: _Head
    expands: bool
    offset: int = 0

    def unmasked(self, data: bytes) -> bytes:
        mask, offset = self.head.mask, self.offset % 4
        self.offset += len(data)
        return xored(data, mask[offset:] + mask[:offset]) if mask else data


def header_size(data: bytes | bytearray) -> int:
    """How long the header is that begins here, as far as can be seen."""
    if len(data) < 2:
        return 2
    return 2 + {126: 2, 127: 8}.get(data[1] & 0x7F, 0) + (4 if data[1] & 0x80 else 0)


def xored(data: bytes, mask: bytes) -> bytes:
    """Masked or unmasked (RFC 6455, section 5.3)."""
    if not mask or not data:
        return data
    count = len(data)
    key = (mask * (count // 4 + 1))[:count]
    return (int.from_bytes(data) ^ int.from_bytes(key)).to_bytes(count)


def encoded(opcode: int, payload: bytes, mask: bytes = b"", *, final: bool = True, rsv: int = 0) -> bytes:
    """A frame's bytes; whether it is a right one is not asked."""
    size = len(payload)
    short = size if size < 126 else 126 if size < 1 << 16 else 127
    head = bytes([final << 7 | rsv << 4 | opcode, (0x80 if mask else 0) | short])
    extra = b"" if short < 126 else size.to_bytes(2 if short == 126 else 8)
    return head + extra + mask + xored(payload, mask)
