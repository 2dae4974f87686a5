"""One channel as a client knows it: cursor, document, roster, and how far it has caught up.

Owns the fold of a channel's frames and the judgement of holes and diverged documents. Sends nothing: it says
when a fresh snapshot is needed, and the session asks for it. Appends what happened to the session's events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sonde_client.errors import failure
from sonde_client.events import (
    ChannelChanged,
    EntryArrived,
    Failed,
    PresenceChanged,
    StateChanged,
    StateDiverged,
    StateDoubted,
)
from sonde_client.metrics import Counters
from sonde_protocol.codes import Verdict
from sonde_protocol.cursor import Arrival, Cursor, CursorTracker
from sonde_protocol.errors import BadValue, NotCanonical, ProtocolViolation, excerpt
from sonde_protocol.frames import ChannelVerdict, Delta, Event, Live, Presence, Snapshot
from sonde_protocol.merge import apply, changed_paths, diff, state_hash
from sonde_protocol.parts import Assembly
from sonde_protocol.presence import Roster
from sonde_protocol.states import CHANNEL, ChannelState, ChannelTrigger, advance

Emit = Callable[[Any], None]


# What a channel wants the session to ask for: bits, since they are looked at after every frame.
NEED_STATE: Final = 1
NEED_PRESENCE: Final = 2

MAX_SNAPSHOT_CHARACTERS: Final = 64 * 1024 * 1024


class Subscription:
    """A channel that the client wants, until it is unsubscribed."""

    def __init__(
        self,
        ch: str,
        emit: Emit,
        counters: Counters,
        *,
        presence: bool = False,
        state: bool = True,
        cursor: Cursor | None = None,
    ) -> None:
        self.ch = ch
        self.wants_presence = presence
        self.wants_state = state
        self.status = ChannelState.ABSENT
        self.tracker = CursorTracker(cursor)
        self.document: Any = {}
        self.has_document = False
        self.hash_ok: bool | None = None
        self.roster = Roster()
        self.replayed = 0
        self.verdict: str | None = None
        self.confirmed = False  # the present session has it: a resume lists it
        self.by_gateway = False  # subscribed at `ready` without being asked for
        self.needs = 0
        self._asked = 0
        self._parts = Assembly()
        self._parts_size = 0
        self._lacks_document = False
        self._diverged = False  # a wrong hash, not a hole: the repair names the differing paths
        self._emit = emit
        self._counters = counters

    @property
    def cursor(self) -> Cursor | None:
        """Where the client stands in the channel's log."""
        return self.tracker.cursor

    # ------------------------------------------------------------ life

    def move(self, trigger: ChannelTrigger, *, quiet: bool = False) -> None:
        """Advance the state and tell it."""
        before = self.status
        self.status = advance(CHANNEL, before, trigger)
        if self.status is not before and not quiet:
            self._emit(ChannelChanged(self.ch, self.status))

    def asked(self) -> None:
        """A subscribe is on its way."""
        if self.status in (ChannelState.ABSENT, ChannelState.GONE):
            self.move(ChannelTrigger.SUBSCRIBE)

    def answered(self, verdict: str | None) -> None:
        """The gateway took the subscription on; what was missed follows."""
        if self.status not in (ChannelState.SUBSCRIBING, ChannelState.STALE):
            self.move(ChannelTrigger.DROPPED, quiet=True)
        self.verdict = verdict
        self.confirmed = True
        self._forget_requests()
        self.move(ChannelTrigger.ANSWERED)

    def resumed(self, verdict: ChannelVerdict) -> None:
        """A resume's word on this channel."""
        self.replayed = 0
        if verdict.verdict == "gone":
            self.removed()
        else:
            self.answered(verdict.verdict)

    def dropped(self) -> None:
        """The link is down."""
        self._forget_requests()
        if self.status not in (ChannelState.ABSENT, ChannelState.GONE):
            self.move(ChannelTrigger.DROPPED)

    def removed(self) -> None:
        """The gateway took the channel away."""
        self.confirmed = False
        self._forget_requests()
        if self.status not in (ChannelState.ABSENT, ChannelState.GONE):
            self.move(ChannelTrigger.REMOVED)

    def left(self) -> None:
        """Unsubscribed by the caller."""
        if self.status is not ChannelState.ABSENT:
            self.move(ChannelTrigger.UNSUBSCRIBE)

    def stands_at(self, epoch: str, seq: int) -> None:
        """Subscribed by the gateway itself at `ready`: nothing was missed, nothing follows."""
        self.tracker.rebase(epoch, seq)
        self.asked()
        self.answered(None)
        self.move(ChannelTrigger.CAUGHT_UP)

    def take_needs(self) -> int:
        """What to ask for now; asked for once until it arrives."""
        needs, self.needs = self.needs & ~self._asked, 0
        self._asked |= needs
        return needs

    def expects(self, need: int) -> None:
        """The caller asked by itself."""
        self._asked |= need

    def request_failed(self, need: int) -> None:
        """A sync was refused: the next sign of trouble may ask again."""
        self._asked &= ~need

    def _forget_requests(self) -> None:
        self._asked = self.needs = 0
        self._parts.clear()

    # ------------------------------------------------------------ entries

    def on_entry(self, frame: Event | Delta, at: float) -> None:
        """Fold the next entry in, or find out that it is not the next."""
        if frame.seq is None:
            self._emit(EntryArrived(self.ch, frame))
            return
        arrival = self.tracker.entry(frame.seq, frame.prev)
        if arrival is Arrival.NEXT:
            self._counters.entries += 1
            if frame.replay:
                self.replayed += 1
            self._emit(EntryArrived(self.ch, frame))
            if isinstance(frame, Delta):
                self._on_delta(frame, at)
        elif arrival is Arrival.DUPLICATE:
            self._counters.duplicates += 1
        else:
            self._hole(f"{self.ch}: #{frame.seq} came after {self._position()}.", at)

    def _on_delta(self, frame: Delta, at: float) -> None:
        if not self.has_document:
            self._lacks_document = self.wants_state  # a replay from a caller's own cursor: asked for later
            return
        try:
            self.document = apply(self.document, frame.d)
        except NotCanonical as error:
            self._diverge(frame.seq, f"a patch that cannot be applied ({error})", at)
            return
        paths = changed_paths(frame.d)
        if paths:
            self._emit(StateChanged(self.ch, frame.seq, paths))
        if frame.hash is not None:
            self._verify(frame.hash, frame.seq, at)

    def on_live(self, frame: Live, at: float) -> None:
        """Everything up to here was sent."""
        if self.status is ChannelState.DIVERGED:
            return  # the cursor stays before the hole, so that a resume would still fill it
        before = self.tracker.cursor
        arrival = self.tracker.live(frame.epoch, frame.seq)
        declared = not self.wants_state or self.verdict == Verdict.SNAPSHOT
        if arrival is Arrival.HOLE and not declared:
            self.tracker.cursor = before
            self._hole(f"{self.ch}: live at #{frame.seq}, but entries before it never came.", at)
        elif self.status is ChannelState.CATCHING_UP:
            self.verdict = None
            self.move(ChannelTrigger.CAUGHT_UP)
            if self._diverged or self._lacks_document:
                self.needs |= NEED_STATE

    def _hole(self, detail: str, at: float) -> None:
        if self._parts.pending:
            return  # a whole snapshot is arriving; it covers this
        if self.status in (ChannelState.LIVE, ChannelState.CATCHING_UP):
            self._counters.holes += 1
            self.move(ChannelTrigger.HOLE)
            self._emit(Failed(failure("entries_lost", detail, at)))
        self.needs |= NEED_STATE

    def _position(self) -> str:
        return f"#{self.tracker.cursor.seq}" if self.tracker.cursor else "no known position"

    # ------------------------------------------------------------ snapshots

    def on_snapshot(self, frame: Snapshot, at: float) -> None:
        """Take a whole document, at once or in parts."""
        try:
            self._check_size(frame)
            whole = self._parts.add(frame)
        except ProtocolViolation as error:
            self._emit(Failed(failure("malformed_frame", f"{self.ch}: {error}.", at)))
            self._asked &= ~NEED_STATE
            self.needs |= NEED_STATE
            return
        if whole is not None:
            self._take_document(whole, at)

    def _check_size(self, frame: Snapshot) -> None:
        """Parts are bounded in sum: a hostile gateway could send 256 of the largest."""
        if frame.parts is None or not isinstance(frame.d, str):
            return
        self._parts_size = len(frame.d) + (self._parts_size if frame.part else 0)
        if self._parts_size > MAX_SNAPSHOT_CHARACTERS:
            self._parts.clear()
            raise BadValue("a snapshot larger than this client takes")

    def _take_document(self, frame: Snapshot, at: float) -> None:
        if self._is_older(frame):
            self._asked &= ~NEED_STATE
            if self._diverged or not self.has_document:
                self.needs |= NEED_STATE
            return
        before, had = self.document, self.has_document
        self._count_lost(frame)
        self.tracker.rebase(frame.epoch, frame.seq)
        self.document = {} if frame.d is None else frame.d
        self.has_document = frame.d is not None
        self._lacks_document = False
        asked_for = bool(self._asked & NEED_STATE)
        self._asked &= ~NEED_STATE
        self._rebase(caught_up=asked_for)
        patch = diff(before, self.document) if had else None
        if self._diverged:
            self._diverged = False
            self._emit(StateDiverged(self.ch, frame.seq, changed_paths(patch)))
        if self.has_document:
            self._emit(StateChanged(self.ch, frame.seq, changed_paths(patch) if had else []))
        if self.has_document and frame.hash is not None:
            self._verify_snapshot(frame.hash, frame.seq, at)

    def _is_older(self, frame: Snapshot) -> bool:
        """A node that the bus told less than the log has told this client. Where the log itself went back, a cause says so."""
        cursor = self.tracker.cursor
        if cursor is None or frame.cause is not None:
            return False
        return cursor.epoch == frame.epoch and frame.seq < cursor.seq

    def _count_lost(self, frame: Snapshot) -> None:
        """Entries between the cursor and a repairing snapshot never reached the caller."""
        cursor, after_hole = self.tracker.cursor, self.status is ChannelState.DIVERGED and not self._diverged
        if after_hole and cursor is not None and cursor.epoch == frame.epoch:
            self._counters.lost += max(0, frame.seq - cursor.seq)

    def _rebase(self, *, caught_up: bool) -> None:
        """A snapshot that was asked for ends the trouble itself; others are followed by `live`."""
        if self.status in (ChannelState.LIVE, ChannelState.CATCHING_UP, ChannelState.DIVERGED):
            was_catching_up = self.status is ChannelState.CATCHING_UP
            self.move(ChannelTrigger.REBASED, quiet=caught_up)
            if caught_up and not was_catching_up:
                self.move(ChannelTrigger.CAUGHT_UP)

    def _verify(self, expected: str, seq: int, at: float) -> None:
        mismatch = self._mismatch(expected)
        if mismatch is not None:
            self._diverge(seq, mismatch, at)

    def _verify_snapshot(self, expected: str, seq: int, at: float) -> None:
        """A snapshot that is not its own hash would not get better by asking again."""
        mismatch = self._mismatch(expected)
        if mismatch is not None:
            self._counters.divergences += 1
            self._doubt(seq, f"snapshot #{seq}", mismatch, at)

    def _mismatch(self, expected: str) -> str | None:
        try:
            actual = state_hash(self.document)
        except NotCanonical as error:
            actual = str(error)
        self.hash_ok = actual == expected
        return None if self.hash_ok else f"hash {actual} instead of {excerpt(expected)}"

    def _diverge(self, seq: int, detail: str, at: float) -> None:
        self.hash_ok = False
        self._diverged = True
        self._counters.divergences += 1
        if self.status in (ChannelState.LIVE, ChannelState.CATCHING_UP):
            self.move(ChannelTrigger.HOLE)
        self._doubt(seq, f"#{seq}", detail, at)
        self.needs |= NEED_STATE

    def _doubt(self, seq: int, where: str, detail: str, at: float) -> None:
        self._emit(StateDoubted(self.ch, seq, detail))
        self._emit(Failed(failure("state_diverged", f"{self.ch} at {where}: {detail}.", at)))

    # ------------------------------------------------------------ presence

    def on_presence(self, frame: Presence) -> None:
        """Fold a roster frame in; a number left out asks for a snapshot."""
        change = self.roster.apply(frame)
        if frame.kind == "snapshot":
            self._asked &= ~NEED_PRESENCE
        if change.hole:
            self.needs |= NEED_PRESENCE
        if change:
            self._emit(PresenceChanged(self.ch, change))
