"""Faults of frames: what RFC 6455 and RFC 7692 forbid, and control frames that go astray.

Owns one small class a kind. Each gets a whole message and changes the frames that it goes out in.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from sonde_lab.faults.behaviour import Makers, Strike
from sonde_lab.faults.framing import Frame, Whole
from sonde_lab.faults.messages import Delay, Drop, OnMessages
from sonde_lab.records import Direction
from sonde_lab.wire import CLOSE, CONTINUATION, PONG, TEXT

if TYPE_CHECKING:
    from sonde_lab.faults.subject import Subject

_NO_UTF8: Final = (
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"  # a surrogate within a word
)
_A_MASK: Final = b"\x37\xfa\x21\x3d"  # the one of RFC 6455, section 5.7


class _OnFrames(OnMessages, ABC):
    """Changes the first frame of a message."""

    says = ""

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """See the class."""
        frames = list(strike.lane.frames_of(whole))
        frames[0] = self.change(frames[0], strike)
        strike.note(self.says)
        return [whole.with_frames(frames)]

    @abstractmethod
    def change(self, frame: Frame, strike: Strike) -> Frame:
        """The frame that goes out."""


class ReservedBits(_OnFrames):
    """Bits that no extension uses."""

    says = "a reserved bit was set"

    def change(self, frame: Frame, strike: Strike) -> Frame:
        """See the class."""
        return dataclasses.replace(frame, rsv=frame.rsv | int(self.rule.number("bits")), raw=b"")


class ReservedOpcode(_OnFrames):
    """An opcode that means nothing."""

    says = "an opcode was replaced by a reserved one"

    def change(self, frame: Frame, strike: Strike) -> Frame:
        """See the class."""
        return dataclasses.replace(frame, opcode=int(self.rule.word("opcode")), raw=b"")


class WrongMasking(_OnFrames):
    """Masked by the server, or not by the client (section 5.1)."""

    says = "a frame's masking was turned around"

    def change(self, frame: Frame, strike: Strike) -> Frame:
        """See the class."""
        mask = _A_MASK if strike.lane.direction is Direction.IN else b""
        return dataclasses.replace(frame, mask=mask, raw=b"")


class Fragment(OnMessages):
    """The same bytes in several frames, which every endpoint must take (section 5.4)."""

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """See the class."""
        frames, size = strike.lane.frames_of(whole), int(self.rule.number("size"))
        payload = b"".join(frame.payload for frame in frames)
        parts = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
        if len(parts) == 1:
            return [whole]
        first = frames[0]
        strike.note(f"a message was sent in {len(parts):,} frames")
        return [
            whole.with_frames(
                [
                    Frame(
                        first.opcode if number == 0 else CONTINUATION, part, final=number == len(parts) - 1,
                        rsv=first.rsv if number == 0 else 0, mask=strike.lane.mask(whole.ordinal),
                    )
                    for number, part in enumerate(parts)
                ]
            )
        ]  # fmt: skip


class _OfOpcode:
    opcode = PONG

    def wants(self, subject: Subject) -> bool:
        """Only these."""
        return subject.whole.opcode == self.opcode


class DropPong(_OfOpcode, Drop):
    """A pong that never comes."""

    says = "a pong was not passed on"


class DelayPong(_OfOpcode, Delay):
    """A pong that comes late."""


class CloseUnanswered(_OfOpcode, Drop):
    """A close frame that never comes."""

    opcode = CLOSE
    says = "a close frame was not passed on"


class DataAfterClose(_OfOpcode, OnMessages):
    """A message where there may be none (section 5.5.1)."""

    opcode = CLOSE

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """See the class."""
        strike.note("a message was sent behind the close frame")
        text = Frame(TEXT, self.rule.word("text").encode(), mask=strike.lane.mask(whole.ordinal))
        return [whole.with_frames([*strike.lane.frames_of(whole), text])]


class InvalidUtf8(OnMessages):
    """A text message that is no text (section 8.1)."""

    def wants(self, subject: Subject) -> bool:
        """Only texts."""
        return subject.whole.is_text

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """See the class."""
        strike.note("a text was replaced by bytes that are no UTF-8")
        return [whole.with_plain(_NO_UTF8)]


class CorruptDeflate(OnMessages):
    """Compressed bytes that do not inflate, or to something else."""

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """The first bytes say how the rest is coded, so these are turned around."""
        frames = list(strike.lane.frames_of(whole))
        if not whole.compressed or not frames[0].payload:
            strike.cannot("this message is not compressed: nothing was agreed on, or its sender left it so")
            return [whole]
        count, payload = int(self.rule.number("bytes")), frames[0].payload
        broken = bytes(byte ^ 0xFF for byte in payload[:count]) + payload[count:]
        frames[0] = dataclasses.replace(frames[0], payload=broken, raw=b"")
        strike.note("compressed bytes were changed")
        return [whole.with_frames(frames)]


FRAME_BEHAVIOURS: Final[Makers] = {
    "reserved_bits": ReservedBits,
    "reserved_opcode": ReservedOpcode,
    "wrong_masking": WrongMasking,
    "fragment": Fragment,
    "drop_pong": DropPong,
    "delay_pong": DelayPong,
    "invalid_utf8": InvalidUtf8,
    "close_unanswered": CloseUnanswered,
    "data_after_close": DataAfterClose,
    "corrupt_deflate": CorruptDeflate,
}
