"""Documents of one client that were not the gateway's: since when, which paths, and when the gateway's copy came.

Owns the alarms of a client and their rows and notices. Refuses to compare documents: the client's engine does. Which
paths differed is only known once the gateway's copy is here; until then an alarm has none.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import Final

from sonde_client import Client, Severity
from sonde_client.events import StateDiverged, StateDoubted
from sonde_lab.changes import Divergence
from sonde_lab.notices import NoticeBoard
from sonde_lab.recorder import Recorder
from sonde_lab.records import Flag, Kind
from sonde_lab.wording import one_line

DOUBTED: Final = "state_diverged"  # the types of the two rows
REPAIRED: Final = "state_repaired"
REMEMBERED: Final = 64  # alarms of a client; the oldest go
MAX_PATHS: Final = 200  # of one alarm
PATHS_SAID: Final = 6
Path = tuple[str, ...]


def path_in_words(path: Path) -> str:
    """`players.ada.x`; the whole document has no path."""
    return one_line(".".join(path), 80) or "the whole document"


def paths_in_words(paths: tuple[Path, ...], count: int) -> str:
    """`2 paths differed: players.ada.x, players.ada.y`."""
    if not count:
        return "no path differed any more"
    shown = ", ".join(map(path_in_words, paths[:PATHS_SAID]))
    more = f" and {count - PATHS_SAID:,} more" if count > PATHS_SAID else ""
    return f"{count:,} path{'' if count == 1 else 's'} differed: {shown}{more}"


class Divergences:
    """The alarms of one client. Its shell hands the events over."""

    def __init__(self, client: Client, recorder: Recorder, board: NoticeBoard) -> None:
        self._client = client
        self._recorder = recorder
        self._board = board
        self._open: dict[str, Divergence] = {}
        self._fresh: list[Divergence] = []
        self.past: deque[Divergence] = deque(maxlen=REMEMBERED)

    def take(self) -> list[Divergence]:
        """What began or ended since the last call, oldest first."""
        for channel in [*self._open]:
            view = self._client.store.channel(channel)
            if view is None or view.hash_ok:  # it was left, or another snapshot was right
                self._end(channel, -1 if view is None or view.cursor is None else view.cursor.seq, [])
        fresh, self._fresh = self._fresh, []
        return fresh

    def on_doubted(self, event: StateDoubted) -> None:
        """An alarm begins. Its notice is that of the failure which comes with it."""
        at = self._client.now()
        text = f"The document is not the gateway's since #{event.seq}: {event.detail}"
        row_id = self._say(DOUBTED, text, at, event.ch, event.seq)
        if event.ch not in self._open:  # else the first is the one that matters
            self._open[event.ch] = Divergence(event.ch, event.seq, at, row_id, event.detail)
            self._tell(self._open[event.ch])

    def on_diverged(self, event: StateDiverged) -> None:
        """The gateway's copy is here, and so is what was wrong."""
        self._end(event.ch, event.seq, event.paths)

    def _end(self, channel: str, seq: int, paths: list[Path]) -> None:
        alarm = self._open.pop(channel, None)
        if alarm is None:
            return
        at = self._client.now()
        kept = tuple(paths[:MAX_PATHS])
        words = paths_in_words(kept, len(paths))
        text = f"The gateway's copy of #{seq} is taken; since #{alarm.seq} {words}"
        row_id = self._say(REPAIRED, text, at, channel, seq)
        ended = dataclasses.replace(
            alarm, paths=kept, count=len(paths), repaired_seq=seq, repaired_at=at, repaired_row=row_id
        )
        self._board.add(
            REPAIRED,
            Severity.WARNING,
            "A document was not the gateway's",
            f"{channel} since #{alarm.seq}: {words}.",
            "The gateway's copy is shown now. Look for what changes messages on the way, or patches them wrongly.",
            at=at,
            conn=self._recorder.conn,
        )
        self._tell(ended)

    def _say(self, op: str, text: str, at: float, channel: str, seq: int) -> int:
        return self._recorder.say(Kind.NOTE, op, text, at, flags=Flag.ERROR, channel=channel, seq=seq)

    def _tell(self, alarm: Divergence) -> None:
        self.past.append(alarm)
        self._fresh.append(alarm)
        del self._fresh[:-REMEMBERED]
