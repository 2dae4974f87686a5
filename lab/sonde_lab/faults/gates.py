"""Faults of a dial: refused, answered wrongly, answered late.

Owns one small class a kind. A dial is a match of its rule, counted over all dials; nothing here sees a frame.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sonde_lab.faults.behaviour import Makers
from sonde_lab.faults.effects import Verdict
from sonde_lab.faults.rules import Rule
from sonde_lab.proxy_head import HEAD_END

if TYPE_CHECKING:
    from sonde_lab.faults.stream import Stream

_ACCEPT: Final = re.compile(rb"(\r\nsec-websocket-accept[ \t]*:[ \t]*)([^\r\n]*)", re.IGNORECASE)
_SUBPROTOCOL: Final = re.compile(rb"\r\nsec-websocket-protocol[ \t]*:[^\r\n]*", re.IGNORECASE)
_LINE_UNSAFE: Final = re.compile(r"[^\x21-\x7e]")


class Gate:
    """Lets everything through."""

    says = ""
    edits_answer = False

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def on_accept(self, stream: Stream) -> Verdict | None:
        """A client has connected."""
        return None

    def on_head(self, stream: Stream, head: bytes) -> Verdict | None:
        """Its request is there."""
        return None

    def on_answer(self, stream: Stream, head: bytes) -> bytes | None:
        """The server's 101 is there; another one in its place."""
        return None


class Refuse(Gate):
    """Reset at once; where the target names a path, once that is known."""

    says = "a new connection was reset"

    def on_accept(self, stream: Stream) -> Verdict | None:
        """Before anything is read."""
        return None if self.rule.target.names("path") else Verdict(reset=True)

    def on_head(self, stream: Stream, head: bytes) -> Verdict | None:
        """The path is known."""
        return Verdict(reset=True) if self.rule.target.names("path") else None


class Status(Gate):
    """An HTTP status in place of the upgrade."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self._code = int(rule.number("code")) if "code" in rule.values else 403
        self.says = f"the upgrade was answered with {self._code}"

    def on_head(self, stream: Stream, head: bytes) -> Verdict | None:
        """See the class."""
        wait_s = float(self.rule.values.get("retry_after", 0.0))
        headers = (("Retry-After", f"{wait_s:.0f}"),) if wait_s else ()
        return Verdict(status=self._code, headers=headers)


class SlowUpgrade(Gate):
    """The server is dialled later."""

    says = "the server is dialled later"

    def on_head(self, stream: Stream, head: bytes) -> Verdict | None:
        """See the class."""
        return Verdict(held_s=self.rule.number("delay"))


class WrongAccept(Gate):
    """Sec-WebSocket-Accept does not belong to the key (RFC 6455, section 4.1)."""

    says = "Sec-WebSocket-Accept is another"
    edits_answer = True

    def on_answer(self, stream: Stream, head: bytes) -> bytes | None:
        """Turned around, it has the same length and is another."""
        return _ACCEPT.sub(lambda found: found[1] + bytes(reversed(found[2])), head, count=1)


class WrongSubprotocol(Gate):
    """A subprotocol that nobody offered."""

    says = "the answer names a subprotocol that nobody offered"
    edits_answer = True

    def on_answer(self, stream: Stream, head: bytes) -> bytes | None:
        """In place of the agreed one, or added."""
        name = _LINE_UNSAFE.sub("", self.rule.word("name")) or "sonde.unknown"
        line = b"\r\nSec-WebSocket-Protocol: " + name.encode()
        plain = _SUBPROTOCOL.sub(b"", head)
        return plain.removesuffix(HEAD_END) + line + HEAD_END


class TlsFailure(Gate):
    """Acts before there is a connection: see `FaultLab.fails_tls`."""


GATE_BEHAVIOURS: Final[Makers] = {
    "refuse": Refuse,
    "status": Status,
    "origin_denied": Status,
    "slow_upgrade": SlowUpgrade,
    "wrong_accept": WrongAccept,
    "wrong_subprotocol": WrongSubprotocol,
    "tls_failure": TlsFailure,
}
