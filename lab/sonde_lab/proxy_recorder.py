"""Rows of a proxy's connections: the same parser, recorder and log as the app's own clients, under names p1, p2 ….

Owns a recorder a connection, and its first and last row. A connection whose bytes cannot be followed any more
(the parser failed, or some were never seen) says so once and is read no further.
"""

from __future__ import annotations

import logging

from sonde_lab.recorder import Recorder
from sonde_lab.records import Direction, Flag, Kind
from sonde_lab.rowlog import RowLog

_DIAL = 1  # a proxied connection is one socket
_WORDS = {Direction.IN: "in", Direction.OUT: "out"}
logger = logging.getLogger(__name__)


class ProxyRecorder:
    """An observer that writes rows. `prefix` tells several proxies of one log apart."""

    def __init__(self, log: RowLog, prefix: str = "p") -> None:
        self._log = log
        self._prefix = prefix
        self._recorders: dict[int, Recorder] = {}
        self._blind: set[int] = set()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._recorders)

    def on_opened(self, number: int, peer: str, at: float) -> None:
        """A connection's first row."""
        recorder = self._recorders[number] = Recorder(f"{self._prefix}{number}", self._log, any_protocol=True)
        recorder.say(Kind.STATE, "state", f"a client has connected from {peer}", at)

    def on_bytes(self, number: int, direction: Direction, data: bytes, at: float) -> None:
        """Bytes that passed."""
        recorder = self._recorders.get(number)
        if recorder is None or number in self._blind:
            return
        try:
            recorder.on_wire(_WORDS[direction], data, self._log.not_before(at), _DIAL)
        except Exception:
            logger.exception("the parser failed; this connection is passed on unread")
            self._go_blind(number, "The parser failed at these bytes: a fault of Sonde's own", at)

    def on_gap(self, number: int, missed_bytes: int, at: float) -> None:
        """Bytes pass that nobody can be shown in time (0), or have passed so until the end (how many)."""
        if not missed_bytes:
            self._go_blind(number, "This side is too slow for all the bytes", at)
            return
        recorder = self._recorders.get(number)
        if recorder is not None:
            recorder.say(Kind.NOTE, "gap", f"{missed_bytes:,} bytes passed unread", at, flags=Flag.MALFORMED)

    def on_unseen(self, connections: int, at: float) -> None:
        """Connections that nobody could be shown in time."""
        text = f"{connections:,} connections passed unseen, since this side was too slow"
        Recorder(self._prefix, self._log).say(Kind.NOTE, "gap", text, at, flags=Flag.MALFORMED)

    def on_trouble(self, number: int, cause: str, sentence: str, at: float) -> None:
        """The proxy has refused the connection."""
        recorder = self._recorders.get(number)
        if recorder is not None:
            recorder.say(Kind.NOTE, cause, sentence, at, flags=Flag.ERROR)

    def on_act(
        self, number: int, direction: Direction, ordinal: int, says: str, is_done: bool, at: float
    ) -> None:
        """A fault was injected: a row of its own, and a flag on the row that it is about."""
        recorder = self._recorders.get(number) or Recorder(self._prefix, self._log)
        if not is_done:
            recorder.say(Kind.NOTE, "fault", says, at)
            return
        row_id = recorder.row_of(direction, ordinal) if number not in self._blind else None
        if row_id is not None:
            self._log.annotate(row_id, flags=Flag.INJECTED)
        recorder.say(Kind.ACT, "fault", says, at, flags=Flag.INJECTED)

    def on_told(self, text: str, at: float) -> None:
        """Rules as they are: of no connection, and nothing that happened."""

    def on_ended(self, number: int, how: str, at: float) -> None:
        """A connection's last row."""
        recorder = self._recorders.pop(number, None)
        if recorder is None:
            return
        if number not in self._blind:
            recorder.on_lost(_DIAL, self._log.not_before(at))
        self._blind.discard(number)
        recorder.say(Kind.CLOSE, "close", how, at)

    def _go_blind(self, number: int, why: str, at: float) -> None:
        recorder = self._recorders.get(number)
        if recorder is not None and number not in self._blind:
            self._blind.add(number)
            recorder.say(
                Kind.NOTE, "gap", f"{why}; its frames are not read from here on.", at, flags=Flag.MALFORMED
            )
