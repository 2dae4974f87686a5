"""Another peer of a room, written for itself with a socket and JSON alone: it notes the document and the people of
each version that it is told, so that others can be held to it. Nothing of Sonde is used here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect


class Witness:
    """`states` is the document as JSON text by seq, `people` the members by session by number."""

    def __init__(self, room: str) -> None:
        self.room = room
        self.states: dict[int, str] = {}
        self.people: dict[int, dict[str, Any]] = {}
        self.troubles: list[str] = []
        self.is_live = asyncio.Event()
        self._document: Any = None
        self._seq = -1
        self._there: dict[str, Any] = {}
        self._number = -1

    @property
    def now(self) -> dict[str, Any]:
        """The people of the newest version."""
        return self._there

    async def watch(self, socket: ClientConnection) -> None:
        await socket.send(json.dumps({"op": "identify", "client": {"name": "witness", "version": "1"}}))
        async for text in socket:
            frame = json.loads(text)
            if frame["op"] == "ready":
                wish = {"op": "subscribe", "id": 1, "ch": self.room, "presence": True, "cursor": None}
                await socket.send(json.dumps(wish))
            elif frame["op"] == "ping":
                await socket.send(json.dumps({"op": "pong", "n": frame["n"]}))
            elif frame.get("ch") == self.room:
                self.hear(frame)

    def hear(self, frame: dict[str, Any]) -> None:
        if frame["op"] == "snapshot":
            self._document, self._seq = frame["d"], frame["seq"]
            self._note_state()
        elif frame["op"] in ("event", "delta") and "seq" in frame:
            if frame["seq"] != self._seq + 1:
                self.troubles.append(f"entry {frame['seq']} came after {self._seq}")
            self._seq = frame["seq"]
            if frame["op"] == "delta":
                self._document = patched(self._document, frame["d"])
            self._note_state()
        elif frame["op"] == "presence":
            self._hear_presence(frame)
        elif frame["op"] == "live":
            self.is_live.set()

    def _hear_presence(self, frame: dict[str, Any]) -> None:
        if frame["kind"] == "snapshot":
            self._there = {each["session"]: each for each in frame["members"]}
        elif frame["number"] != self._number + 1:
            self.troubles.append(f"presence {frame['number']} came after {self._number}")
        for each in frame.get("leaves", ()):
            self._there.pop(each["session"], None)
        for each in (*frame.get("joins", ()), *frame.get("updates", ())):
            self._there[each["session"]] = each
        self._number = frame["number"]
        self.people[self._number] = dict(self._there)

    def _note_state(self) -> None:
        self.states[self._seq] = json.dumps(self._document, sort_keys=True)


def patched(target: Any, patch: Any) -> Any:
    """The algorithm of RFC 7396, section 2, word by word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name in patch:
        if patch[name] is None:
            if name in result:
                del result[name]
        else:
            result[name] = patched(result.get(name), patch[name])
    return result


@asynccontextmanager
async def watching(url: str, token: str, room: str) -> AsyncIterator[Witness]:
    """A witness that is live, on a connection of its own."""
    witness = Witness(room)
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(
        url, subprotocols=["sonde.v1.json"], additional_headers=headers, max_size=None
    ) as socket:  # type: ignore[list-item]
        watching = asyncio.create_task(witness.watch(socket))
        try:
            await asyncio.wait_for(witness.is_live.wait(), 10.0)
            yield witness
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
