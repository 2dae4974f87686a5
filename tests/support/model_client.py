"""A client that follows the contract to the letter and writes down every breach of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from sonde_protocol.cursor import Arrival, CursorTracker
from sonde_protocol.merge import apply, state_hash
from sonde_server.core.gateway import Gateway
from support.gateway_rig import Peer, Rig

CH = "room:arena"


@dataclass
class ModelClient:
    """One player in the arena: cursor, document, unanswered commands, and a link that loses what it likes."""

    rig: Rig
    user: str
    tracker: CursorTracker = field(default_factory=CursorTracker)
    document: Any = None
    peer: Peer | None = None
    session: str | None = None
    secret: str = ""
    number: int = 0
    unanswered: dict[int, dict[str, Any]] = field(default_factory=dict)
    answered: dict[int, int] = field(default_factory=dict)
    entries: dict[tuple[str, int], Any] = field(default_factory=dict)  # by (epoch, seq)
    jumps: list[str] = field(default_factory=list)  # causes of snapshots
    breaches: list[str] = field(default_factory=list)
    epoch: str = ""
    is_live: bool = False  # ready or resumed was read: commands may go out

    # ------------------------------------------------------------ the link

    def connect(self, gateway: Gateway) -> None:
        """Open a connection and resume, or identify when there is nothing to resume."""
        self.peer = self.rig.peer(gateway)
        self.is_live = False
        if self.session is None:
            self._put(op="identify", token=self.user, client={"name": "model", "version": "1"})
            self.read()
            self._command({"op": "subscribe", "ch": CH, "presence": True})
            return
        cursor = None if self.tracker.cursor is None else list(self.tracker.cursor)
        wish = {"ch": CH, "cursor": cursor, "presence": True}
        self._put(op="resume", session=self.session, resume=self.secret, token=self.user, channels=[wish])

    def drop(self, keep: int | None = None, *, silent: bool = False) -> None:
        """The link goes; of the frames on their way only the first `keep` were read. `silent`: the gateway is not
        told, as behind a dead network.
        """
        if self.peer is None:
            return
        frames = self.peer.frames()
        for frame in frames if keep is None else frames[:keep]:
            self._take(frame)
        if not silent and self.peer is not None:
            self.peer.drop()
        self.peer = None

    def read(self) -> None:
        """Take in what has arrived."""
        for frame in self.peer.frames() if self.peer is not None else ():
            self._take(frame)

    def _put(self, **frame: Any) -> None:
        assert self.peer is not None
        self.peer.connection.on_message(json.dumps(frame).encode(), False)

    # ------------------------------------------------------------ commands

    def _command(self, frame: dict[str, Any]) -> None:
        self.number += 1
        self.unanswered[self.number] = frame
        self._put(id=self.number, **frame)

    @property
    def may_send(self) -> bool:
        """Connected, and within the window of 64."""
        oldest = min(self.unanswered, default=self.number + 1)
        return self.peer is not None and self.is_live and self.number + 1 < oldest + 64

    def publish(self, d: Any) -> None:
        self._command({"op": "publish", "ch": CH, "type": "t", "d": d})

    def patch(self, d: dict[str, Any]) -> None:
        self._command({"op": "patch", "ch": CH, "d": {"players": {self.user: d}}})

    # ------------------------------------------------------------ frames

    def _take(self, frame: dict[str, Any]) -> None:
        handler = getattr(self, f"_on_{frame['op']}", None)
        if handler is not None and frame.get("ch", CH) == CH:
            handler(frame)

    def _on_ready(self, frame: dict[str, Any]) -> None:
        self.session, self.secret = frame["session"], frame["resume"]
        self.is_live = True

    def _on_resumed(self, frame: dict[str, Any]) -> None:
        self.secret = frame["resume"]
        self.is_live = True
        if [channel["ch"] for channel in frame["channels"]] != [CH]:
            self.breaches.append(f"resumed names {frame['channels']}")
        for number, command in sorted(self.unanswered.items()):
            self._put(id=number, **command)

    def _on_resume_failed(self, frame: dict[str, Any]) -> None:
        self.breaches.append(f"resume failed: {frame['cause']}")

    def _on_bye(self, frame: dict[str, Any]) -> None:
        self.peer = None

    def _on_error(self, frame: dict[str, Any]) -> None:
        self.breaches.append(f"error {frame}")

    def _on_reply(self, frame: dict[str, Any]) -> None:
        if self.unanswered.pop(frame["id"], None) is None:
            self.breaches.append(f"a second answer to {frame['id']}")
        if "seq" in frame["d"] and "verdict" not in frame["d"]:
            self.answered[frame["id"]] = frame["d"]["seq"]

    def _on_snapshot(self, frame: dict[str, Any]) -> None:
        self.jumps.append(frame.get("cause", "asked"))
        self.epoch = frame["epoch"]
        self.tracker.rebase(frame["epoch"], frame["seq"])
        self.document = frame["d"]
        self._check_hash(frame)

    def _on_live(self, frame: dict[str, Any]) -> None:
        if self.tracker.live(frame["epoch"], frame["seq"]) is Arrival.HOLE:
            self.breaches.append(f"live at {frame['seq']}, but we stand at {self.tracker.cursor}")

    def _on_event(self, frame: dict[str, Any]) -> None:
        self._entry(frame)

    def _on_delta(self, frame: dict[str, Any]) -> None:
        if self._entry(frame):
            self.document = apply(self.document, frame["d"])
            self._check_hash(frame)

    def _entry(self, frame: dict[str, Any]) -> bool:
        arrival = self.tracker.entry(frame["seq"], frame.get("prev"))
        if arrival is not Arrival.NEXT:
            self.breaches.append(f"{arrival.value} at {frame['seq']}, we stand at {self.tracker.cursor}")
            return False
        self.entries[self.epoch, frame["seq"]] = frame["d"]
        return True

    def _check_hash(self, frame: dict[str, Any]) -> None:
        if frame.get("hash") and frame["hash"] != state_hash(self.document):
            self.breaches.append(f"wrong hash at {frame['seq']}")
