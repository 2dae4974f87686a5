"""One message that a test's proxy holds: what it says, and the ways it may go.

Owns the test's view of it. It waits in the fault lab; what is possible there, and how long it waits, is the lab's to say.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sonde_lab.faults.edits import going_of
from sonde_lab.faults.holding import Held
from sonde_lab.faults.telling import WAYS
from sonde_lab.testing.thread import LoopThread, act

if TYPE_CHECKING:
    from sonde_lab.testing.proxy import TestProxy


class HeldMessage:
    """As it came. It is let go once: by `release`, `edit` or `drop`, each of which raises `NotHeld` behind another."""

    def __init__(self, proxy: TestProxy, held: Held) -> None:
        self._proxy = proxy
        self.number = held.number
        self.type = held.op
        self.direction = WAYS[held.lane.direction]  # "up" to the server, "down" to the client
        self.data: bytes = held.whole.plain or b""

    def __repr__(self) -> str:
        return f"<held {self.type} {self.direction}, {len(self.data)} B>"

    @property
    def thread(self) -> LoopThread:
        """Where it waits."""
        return self._proxy.thread

    @property
    def text(self) -> str:
        """What it says. Raises `UnicodeDecodeError` where it is no text."""
        return self.data.decode()

    @property
    def json(self) -> Any:
        """The same as a value. Raises `ValueError` where it is no JSON."""
        return json.loads(self.data)

    @act
    async def release(self, *, copies: int = 1, delay: float = 0.0) -> None:
        """Let it go as it came: so often, and so many seconds later."""
        self._go({"copies": copies, "delay_ms": delay * 1000})

    @act
    async def edit(
        self, content: str | bytes | None = None, *, json: Any = None, copies: int = 1, delay: float = 0.0
    ) -> None:
        """Let it go with another content: a text, bytes, or `json=` for a value. Raises `EditRefused`."""
        asked: dict[str, Any] = {"copies": copies, "delay_ms": delay * 1000}
        if content is None:
            asked["json"] = json
        elif isinstance(content, bytes):
            asked["hex"] = content.hex()
        else:
            asked["text"] = content
        self._go(asked)

    @act
    async def drop(self) -> None:
        """Never let it go."""
        self._proxy.lab.holding.drop(self.number)

    def _go(self, asked: dict[str, Any]) -> None:
        self._proxy.lab.holding.let_go(self.number, going_of(asked))
