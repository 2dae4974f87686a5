"""The scripted workbench with every door that the shell knocks at."""

from __future__ import annotations

from dataclasses import dataclass

from sonde_lab.changes import Act
from sonde_lab.records import Flag
from support.scripted_workbench import ScriptedWorkbench


@dataclass
class ShellWorkbench(ScriptedWorkbench):
    """Remembers every act in `asked`."""

    closed: int = 0

    async def open(self, endpoint: object, players: int = 6) -> None:
        self.asked.append(("open", endpoint, players))
        self.endpoint = endpoint
        self.pending.endpoint_changed = True

    async def close(self) -> None:
        self.closed += 1

    def connect(self, name: str = "") -> None:
        self.asked.append((Act.CONNECT, name) if name else (Act.CONNECT,))

    def disconnect(self, name: str = "") -> None:
        self.asked.append((Act.DISCONNECT, name) if name else (Act.DISCONNECT,))

    def retry_now(self, name: str = "") -> None:
        self.asked.append((Act.RETRY_NOW, name) if name else (Act.RETRY_NOW,))

    def mark(self, text: str = "", row_id: int | None = None) -> int:
        if row_id is not None:
            self.ring.annotate(row_id, flags=Flag.MARKED)
            return row_id
        self.asked.append((Act.MARK, text))
        return 0

    def unmark(self, row_id: int) -> None:
        self.ring.annotate(row_id, without=Flag.MARKED)

    def comment(self, row_id: int, text: str) -> None:
        self.ring.comment(row_id, text)

    def set_players(self, on: bool) -> None:
        self.players_on = on

    async def set_presence(self, status: str, activity: str | None = None) -> None:
        self.asked.append((Act.SET_PRESENCE, status))
