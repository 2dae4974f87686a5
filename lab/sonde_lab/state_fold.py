"""A channel's document as one connection was told it: a pure fold of snapshots, deltas, events and `live`.

Owns the judgement of what is known for certain after each frame, which is that of the client's own engine: duplicates
change nothing, a declared jump is none, a hole leaves the document unknown until it is filled or replaced. Refuses to
guess, and to change a document in place: what did not change is shared.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sonde_lab.entries import Entry, Fields, fields_of, whole
from sonde_protocol import merge, parts
from sonde_protocol.cursor import Arrival, Cursor, CursorTracker
from sonde_protocol.errors import NotCanonical, ProtocolViolation
from sonde_protocol.frames import Snapshot

MAX_SNAPSHOT_CHARACTERS: Final = 64 << 20  # of all parts of one, as the client holds it
UNTOLD: Final = "The state is not known here: it begins with a snapshot, and none came before this row."
NO_STATE: Final = "This channel has no state: its snapshot says so."


class StateFold(NamedTuple):
    """After a frame. `row_id` is the row that changed it last; `problem` says why the document is not certain.

    `is_held`: the document is exactly the one at `seq`, even where newer entries are missing.
    """

    document: Any = None
    seq: int = -1
    epoch: str = ""
    row_id: int = -1
    problem: str = UNTOLD
    is_held: bool = False
    pending: tuple[Snapshot, ...] = ()  # parts of a snapshot that is not whole yet
    dial: int = 0  # on which they came


def fold_state(fold: StateFold, entry: Entry) -> StateFold:
    """One frame further."""
    if entry.op == "snapshot":
        return _snapshot(fold, entry)
    if not fold.is_held:
        return fold
    if entry.op == "live":
        return _live(fold, entry)
    if entry.seq <= fold.seq:
        return fold  # volatile, or sent again
    if entry.op == "event" and entry.seq == fold.seq + 1:
        return _moved(fold, entry, fold.document, fold.row_id)
    return _entry(fold, entry)


def _entry(fold: StateFold, entry: Entry) -> StateFold:
    if not entry.is_whole:
        return _lost(fold, entry, "Only a part of a message was kept, so the state from it on is not known.")
    fields = fields_of(entry)
    if fields is None or (entry.op == "delta" and not isinstance(fields.d, dict)):
        return _unsure(fold, entry, "A message cannot be read, so the state from there on is not known.")
    if entry.seq != fold.seq + 1 and not _is_declared(fold, entry.seq, fields):
        if fold.pending and fold.dial == entry.dial:
            return fold  # a whole snapshot is arriving; it covers this
        return _unsure(fold, entry, gap(fold.seq, entry.seq))
    if entry.op != "delta" or not fields.d:
        return _moved(fold, entry, fold.document, fold.row_id)
    try:
        document = merge.apply(fold.document, fields.d)
    except NotCanonical:
        return _lost(fold, entry, "A change is nested too deeply to be applied.")
    return _moved(fold, entry, document, entry.row_id)


def _is_declared(fold: StateFold, seq: int, fields: Fields) -> bool:
    tracker = CursorTracker(Cursor(fold.epoch, fold.seq))
    return tracker.entry(seq, whole(fields.prev)) is Arrival.NEXT


def _moved(fold: StateFold, entry: Entry, document: Any, row_id: int) -> StateFold:
    """The next entry came. One that fills a hole makes the document certain again."""
    row_id = entry.row_id if fold.problem else row_id
    return StateFold(document, entry.seq, fold.epoch, row_id, "", True, fold.pending, fold.dial)


def _unsure(fold: StateFold, entry: Entry, problem: str) -> StateFold:
    """Newer entries are missing; a resume may still bring them."""
    return fold if fold.problem else fold._replace(problem=problem, row_id=entry.row_id)


def _lost(fold: StateFold, entry: Entry, problem: str) -> StateFold:
    """The document is gone until the next snapshot."""
    return StateFold(row_id=entry.row_id, problem=problem, pending=fold.pending, dial=fold.dial)


def _live(fold: StateFold, entry: Entry) -> StateFold:
    """Everything up to here was sent; what did not come is missing."""
    if fold.problem:
        return fold
    fields = fields_of(entry) if entry.is_whole else None
    epoch = fields.epoch if fields is not None else None
    if isinstance(epoch, str) and epoch != fold.epoch:
        return _lost(fold, entry, "The channel began anew here, and no snapshot said with what.")
    return _unsure(fold, entry, gap(fold.seq, entry.seq + 1)) if entry.seq > fold.seq else fold


# ------------------------------------------------------------ snapshots


def _snapshot(fold: StateFold, entry: Entry) -> StateFold:
    if not entry.is_whole:
        return _lost(fold, entry, "Only a part of a snapshot was kept, so the state from it on is not known.")
    fields = fields_of(entry)
    if fields is None:
        return _unsure(fold, entry, "A snapshot cannot be read, so the state from there on is not known.")
    if fields.part is None and fields.parts is None:
        return _standing_at(fields, entry, fields.d)
    return _part(fold, entry, fields)


def _standing_at(fields: Fields, entry: Entry, document: Any) -> StateFold:
    epoch = fields.epoch if isinstance(fields.epoch, str) else ""
    has_state = document is not None
    problem = "" if has_state else NO_STATE
    return StateFold(document, entry.seq, epoch, entry.row_id, problem, has_state)


def _part(fold: StateFold, entry: Entry, fields: Fields) -> StateFold:
    """One part more. Parts that do not belong together are forgotten, as the client forgets them."""
    part, count = whole(fields.part), whole(fields.parts)
    held = () if part == 0 or fold.dial != entry.dial else fold.pending
    if part is None or count is None or part != len(held) or not isinstance(fields.d, str):
        return fold._replace(pending=())
    epoch = fields.epoch if isinstance(fields.epoch, str) else ""
    digest = fields.hash if isinstance(fields.hash, str) else None
    frame = Snapshot(ch="", epoch=epoch, seq=entry.seq, d=fields.d, hash=digest, part=part, parts=count)
    pending = (*held, frame)
    if count > parts.MAX_PARTS or sum(len(each.d) for each in pending) > MAX_SNAPSHOT_CHARACTERS:
        return fold._replace(pending=())
    if len(pending) < count:
        return fold._replace(pending=pending, dial=entry.dial)
    try:
        return _standing_at(fields, entry, parts.join(pending).d)
    except ProtocolViolation:
        return _unsure(fold._replace(pending=()), entry, "The parts of a snapshot do not fit together.")


def gap(seq: int, number: int) -> str:
    """Words for the entries between two that came."""
    missing = (
        f"entry {seq + 1:,} of this channel was"
        if number == seq + 2
        else f"entries {seq + 1:,} to {number - 1:,} of this channel were"
    )
    return f"The state is not known here: {missing} not seen."
