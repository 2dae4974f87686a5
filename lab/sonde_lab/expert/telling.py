"""Rows that are a finding by themselves: refusals, closes, malformed and oversized messages, what a gateway says.

Owns the table of close codes that have a kind of their own. Each close is told once, by its row, not by the close
frame before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from sonde_lab.divergence import DOUBTED
from sonde_lab.envelope import integer
from sonde_lab.expert.batch import UNREAD, Batch, Mask
from sonde_lab.expert.kinds import Limits
from sonde_lab.expert.sockets import Sockets
from sonde_lab.records import Direction, Flag, Kind
from sonde_lab.wording import one_line, seconds
from sonde_protocol.codes import CloseCode, close_name
from sonde_protocol.redact import redact_text

_CLOSE: Final = 8
_CALM: Final = frozenset({CloseCode.NORMAL, CloseCode.GOING_AWAY})
_KINDS_OF_CLOSE: Final[Mapping[int, str]] = MappingProxyType(
    {
        CloseCode.SLOW_CONSUMER: "slow_consumer",
        CloseCode.TRY_AGAIN_LATER: "slow_consumer",
        CloseCode.HEARTBEAT_LOST: "missed_heartbeat",
        CloseCode.TOKEN_EXPIRED: "token_expired",
        CloseCode.MESSAGE_TOO_BIG: "oversize",
        CloseCode.FRAME_TOO_LARGE: "oversize",
    }
)
_FLAGGED: Final = int(Flag.ERROR | Flag.MALFORMED | Flag.TRUNCATED | Flag.FRAGMENT)
_SPEAKING: Final = ("flow", "auth_required", UNREAD)
_WAYS: Final = {Direction.IN: "received", Direction.OUT: "sent"}


class Telling:
    """The rule."""

    def __init__(self, limits: Limits, sockets: Sockets) -> None:
        self._limits = limits
        self._sockets = sockets
        self._says: Mapping[str, Callable[[Batch, int], None]] = MappingProxyType(
            {
                "flow": _flow,
                "auth_required": _auth_required,
                "error": _refused,
                "resume_failed": _resume_failed,
            }
        )

    def judge(self, batch: Batch) -> None:
        """Look at new rows."""
        speaking = batch.op_is(*_SPEAKING) & (batch.protocol == 0)
        closing = batch.is_close | (batch.is_frame & (batch.opcode == _CLOSE))
        large = batch.is_frame & (batch.size > self._least_limit())
        odd = ((batch.flags & _FLAGGED) != 0) | speaking | closing | large
        for place in np.flatnonzero(odd).tolist():
            self._look(batch, place, large)

    def _least_limit(self) -> int:
        """Below this nothing is too large for any socket."""
        announced = [socket.max_frame_bytes for socket in self._sockets if socket.max_frame_bytes]
        return min([self._limits.max_frame_bytes, *announced])

    def _look(self, batch: Batch, place: int, large: Mask) -> None:
        row_id, flags = batch.ids.start + place, int(batch.flags[place])
        if batch.is_close[place]:
            self._close(batch, place, row_id)
            return
        if batch.kind[place] == Kind.HANDSHAKE:
            _upgrade(batch, row_id, flags)
            return
        op = batch.ring.names.text(int(batch.op[place]))
        if batch.kind[place] == Kind.NOTE:
            self._note(batch, place, row_id, op)
            return
        if not batch.is_frame[place]:
            return
        if batch.opcode[place] == _CLOSE:
            self._sockets.at(int(batch.socket[place])).close_code = batch.ring.value("code", row_id)
        if flags & Flag.MALFORMED:
            way = _WAYS.get(batch.ring.value("direction", row_id), "here")
            batch.tell("malformed", row_id, f"{way}: {_start(batch, row_id)}", detail=way)
        elif batch.is_ours[place] and batch.received[place] and op in self._says:
            self._says[op](batch, row_id)
        elif flags & Flag.ERROR and batch.protocol[place]:
            protocol = batch.ring.text("protocol", row_id)
            batch.tell("refused", row_id, f"{protocol} {one_line(op, 40)}", detail=f"{protocol} {op}")
        self._size(batch, place, row_id, flags, bool(large[place]))

    def _note(self, batch: Batch, place: int, row_id: int, op: str) -> None:
        if op == UNREAD:
            socket = self._sockets.known(int(batch.socket[place]))
            if socket is not None:
                socket.close_code = 0  # its close frame may be among what was not read
            batch.tell("unread", row_id, _start(batch, row_id))
        elif op == DOUBTED:
            batch.tell("state_diverged", row_id, _start(batch, row_id))
        elif int(batch.flags[place]) & Flag.MALFORMED:
            batch.tell("malformed", row_id, f"no WebSocket: {_start(batch, row_id)}", detail=op)

    def _size(self, batch: Batch, place: int, row_id: int, flags: int, is_large: bool) -> None:
        if is_large or flags & Flag.TRUNCATED:
            self._oversize(batch, place, row_id, flags)
        if flags & Flag.FRAGMENT:
            count = batch.ring.value("fragments", row_id)
            parts = f"{count:,} frames" if count > 1 else "several frames"
            batch.tell("fragments", row_id, f"{int(batch.size[place]):,} bytes in {parts}")

    def _oversize(self, batch: Batch, place: int, row_id: int, flags: int) -> None:
        size, limit = int(batch.size[place]), self._limits.max_frame_bytes
        socket = self._sockets.known(int(batch.socket[place]))
        if batch.sent[place] and socket is not None and socket.max_frame_bytes:
            limit = socket.max_frame_bytes  # what was announced is about what the gateway takes in
        way = "sent" if batch.sent[place] else "received"
        op = one_line(batch.ring.text("op", row_id), 40)
        if flags & Flag.TRUNCATED:
            batch.tell(
                "oversize", row_id, f"{op} of {size:,} bytes {way}, only its beginning was kept", detail=way
            )
        elif size > limit:
            batch.tell("oversize", row_id, f"{op} of {size:,} bytes {way}, over {limit:,}", detail=way)

    def _close(self, batch: Batch, place: int, row_id: int) -> None:
        socket = self._sockets.known(int(batch.socket[place]))
        code = own_code = batch.ring.value("code", row_id)
        seen = -1 if socket is None else socket.close_code
        if socket is not None:
            socket.close_code = -1
        if not code and socket is None:
            return  # no frame was ever seen on it, so it was no WebSocket yet
        code = code or max(seen, 0)
        is_wrong = bool(int(batch.flags[place]) & Flag.ERROR)
        if not is_wrong and (code in _CALM or (not code and seen == 0)):
            return
        text = one_line(redact_text(_text(batch, row_id, 400)), 200)
        named = f"{code} {close_name(code)}" if code else "no close frame before the end"
        sentence = text if own_code and text else f"{named}: {text}".rstrip(": ")
        batch.tell(_KINDS_OF_CLOSE.get(code, "unclean_close"), row_id, sentence, detail=str(code))


# ---------------------------------------------------------------- what single rows say


def _flow(batch: Batch, row_id: int) -> None:
    seen = batch.peek(row_id)
    dropped, conflated = integer(seen.dropped, 0), integer(seen.conflated, 0)
    batch.tell("slow_consumer", row_id, f"{dropped:,} dropped, {conflated:,} merged", detail="flow")


def _auth_required(batch: Batch, row_id: int) -> None:
    by_ms = integer(batch.peek(row_id).by_ms)
    within = f" within {seconds(by_ms)}" if by_ms >= 0 else ""
    batch.tell("token_expiring", row_id, f"a new token is wanted{within}")


def _refused(batch: Batch, row_id: int) -> None:
    seen, command = batch.peek(row_id), batch.ring.value("command", row_id)
    code = one_line(seen.code, 40) if isinstance(seen.code, str) else "error"
    message = one_line(seen.message, 160) if isinstance(seen.message, str) else ""
    number = f" (#{command})" if command >= 0 else ""
    batch.tell("refused", row_id, f"{code}{number}: {message}".rstrip(": "), detail=code)


def _resume_failed(batch: Batch, row_id: int) -> None:
    cause = batch.peek(row_id).cause
    named = one_line(cause, 40) if isinstance(cause, str) else "no cause given"
    batch.tell("resume_refused", row_id, named.replace("_", " "), detail=named)


def _upgrade(batch: Batch, row_id: int, flags: int) -> None:
    if flags & Flag.ERROR and batch.ring.text("op", row_id) == "upgrade":
        line = _text(batch, row_id, 300).partition("\r\n")[0]
        sentence = one_line(redact_text(line), 160) or "an answer without a status"
        batch.tell("upgrade_refused", row_id, sentence, detail=line[:40])


def _start(batch: Batch, row_id: int) -> str:
    return one_line(redact_text(_text(batch, row_id, 300)), 120) or "no bytes at all"


def _text(batch: Batch, row_id: int, limit: int) -> str:
    return batch.ring.payload(row_id)[:limit].decode(errors="replace")
