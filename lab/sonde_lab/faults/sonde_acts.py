"""Faults above the messages: of sequences, replies, heartbeats, tokens and presence, by acting on single messages.

Owns one small class a kind. They are made for Sonde's own protocol; those that only leave out what a filter can tell
(heartbeats, numbered entries, replies) work for every protocol that the decoders read.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from sonde_lab.faults.behaviour import Makers, Strike
from sonde_lab.faults.effects import Do, Effect, Verdict
from sonde_lab.faults.framing import Whole
from sonde_lab.faults.messages import Delay, Drop, OnMessages
from sonde_lab.records import Direction

if TYPE_CHECKING:
    from sonde_lab.faults.stream import Stream
    from sonde_lab.faults.subject import Subject

_GREETINGS: Final = frozenset({"identify", "resume"})
_WITH_TOKEN: Final = frozenset({"identify", "resume", "auth"})
_ANSWERS: Final = frozenset({"reply", "error", "ack", "phx_reply"})
_TIMES: Final = ("time", "ts", "expires")
_IN_HEAD: Final = re.compile(
    rb"(\r\nauthorization[ \t]*:[ \t]*bearer[ \t]+|sonde\.bearer\.)([^\s,]+)", re.IGNORECASE
)


class SequenceGap(Drop):
    """An entry with a number: whoever counts sees a hole."""

    says = "a numbered entry was not passed on"

    def wants(self, subject: Subject) -> bool:
        """Whether it has one."""
        return not subject.whole.is_control and subject.seq >= 0


class MissingReply(Drop):
    """An answer to a command."""

    says = "an answer was not passed on"

    def wants(self, subject: Subject) -> bool:
        """Whether it is one."""
        return not subject.whole.is_control and subject.op in _ANSWERS


class NoHeartbeat(Drop):
    """Pings and pongs, of WebSocket and of the protocol above it."""

    says = "a heartbeat was not passed on"

    def wants(self, subject: Subject) -> bool:
        """Whether it is one."""
        return subject.is_heartbeat


class MissingIdentify(Drop):
    """The greeting never arrives."""

    says = "the greeting was not passed on"

    def wants(self, subject: Subject) -> bool:
        """Whether it is one."""
        return not subject.whole.is_control and subject.op in _GREETINGS


class LateIdentify(Delay):
    """The greeting arrives late."""

    def wants(self, subject: Subject) -> bool:
        """Whether it is one."""
        return not subject.whole.is_control and subject.op in _GREETINGS


class _Answering(OnMessages):
    """Answers in the server's place, and passes nothing on."""

    def answer(self, strike: Strike, said: dict[str, Any], note: str) -> list[Whole]:
        """In the encoding of what is answered."""
        strike.note(note)
        lane = strike.lane.stream.lanes[Direction.IN]
        lane.insert(lane.made(strike.subject.whole.opcode, strike.subject.encode(said)), strike.now)
        return []


class RateLimit(_Answering):
    """`error` `rate_limited` for a command."""

    def wants(self, subject: Subject) -> bool:
        """Whether it is a command."""
        return not subject.whole.is_control and subject.command >= 0

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """See the class."""
        said = {
            "op": "error", "id": strike.subject.command, "code": "rate_limited", "message": "too many commands",
            "temporary": True, "retry_ms": int(self.rule.number("retry") * 1000),
        }  # fmt: skip
        return self.answer(strike, said, "a command was answered with rate_limited")


class ResumeRefused(_Answering):
    """`resume_failed` for a `resume`."""

    def wants(self, subject: Subject) -> bool:
        """Whether it is one."""
        return not subject.whole.is_control and subject.op == "resume"

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """See the class."""
        cause = self.rule.word("cause")
        said = {"op": "resume_failed", "cause": cause, "identify": True}
        return self.answer(strike, said, f"a resume was answered with resume_failed {cause}")


class _Editing(OnMessages, ABC):
    """Changes values of a message."""

    says = ""

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """Nothing to change is no act, and is said."""
        value = strike.subject.value()
        if not isinstance(value, dict) or not self.edit(value):
            strike.cannot("the message has nothing that could be changed so")
            return [whole]
        strike.note(self.says)
        return [whole.with_plain(strike.subject.encode(value))]

    @abstractmethod
    def edit(self, value: dict[str, Any]) -> bool:
        """Change it in place; whether anything was there."""


class InvalidToken(_Editing):
    """The signature of a token is another: in messages, and in the request that came before them."""

    says = "a token was spoilt"
    edits_answer = False

    def wants(self, subject: Subject) -> bool:
        """Whether it bears one."""
        if subject.whole.is_control or subject.op not in _WITH_TOKEN:
            return False
        value = subject.value()
        return isinstance(value, dict) and isinstance(value.get("token"), str)

    def edit(self, value: dict[str, Any]) -> bool:
        """See the class."""
        value["token"] = _spoilt(value["token"])
        return True

    def on_accept(self, stream: Stream) -> Verdict | None:
        """A request has not come yet."""
        return None

    def on_head(self, stream: Stream, head: bytes) -> Verdict | None:
        """The token of a request."""
        edited = _IN_HEAD.sub(
            lambda found: found[1] + _spoilt(found[2].decode("latin-1")).encode("latin-1"), head
        )
        return Verdict(head=edited) if edited != head else None

    def on_answer(self, stream: Stream, head: bytes) -> bytes | None:
        """An answer bears none."""
        return None


class ClockSkew(_Editing):
    """The server's times are others."""

    says = "a time was changed"

    def wants(self, subject: Subject) -> bool:
        """Whether it tells one."""
        value = subject.value()
        return isinstance(value, dict) and any(_is_number(value.get(name)) for name in _TIMES)

    def edit(self, value: dict[str, Any]) -> bool:
        """`time` and `ts` are milliseconds, `expires` seconds."""
        skew_s, found = self.rule.number("skew"), False
        for name in _TIMES:
            if _is_number(value.get(name)):
                value[name] += int(skew_s * (1 if name == "expires" else 1000))
                found = True
        return found


class Ghost(_Editing):
    """Nobody's leave is told: who has gone stays on the list."""

    says = "leaves were taken out of a presence diff"

    def wants(self, subject: Subject) -> bool:
        """Whether it tells a leave."""
        value = subject.value() if subject.op == "presence" else None
        return isinstance(value, dict) and bool(value.get("leaves"))

    def edit(self, value: dict[str, Any]) -> bool:
        """See the class."""
        value["leaves"] = []
        return True


class DuplicateSession(OnMessages):
    """The client's request and first message once more, as if it had been started twice."""

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """The message as it came, compressed or not: the other leg agrees on the same."""
        stream = strike.lane.stream
        strike.note("the request and this message were sent on a second connection, too")
        data = b"".join(frame.raw or frame.encode() for frame in whole.frames)
        stream.effects.append(Effect(Do.SHADOW, Direction.OUT, stream.opening + data))
        return [whole]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _spoilt(token: str) -> str:
    """Another letter in the middle of the signature: the last one may hold bits that nobody reads."""
    place = max(0, len(token) - 10)
    return token[:place] + ("A" if token[place : place + 1] != "A" else "B") + token[place + 1 :]


SONDE_BEHAVIOURS: Final[Makers] = {
    "sequence_gap": SequenceGap,
    "missing_reply": MissingReply,
    "no_heartbeat": NoHeartbeat,
    "rate_limit": RateLimit,
    "missing_identify": MissingIdentify,
    "late_identify": LateIdentify,
    "invalid_token": InvalidToken,
    "resume_refused": ResumeRefused,
    "clock_skew": ClockSkew,
    "ghost": Ghost,
    "duplicate_session": DuplicateSession,
}
