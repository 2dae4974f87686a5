"""The HTTP before the frames, as far as faults must know it: path, subprotocol, compression, and where frames begin.

Owns the finding of the 101 among plain answers on the same connection. Bytes are held only when the answer is to be
changed, and then 64 KiB at most.
"""

from __future__ import annotations

from sonde_lab.proxy_head import HEAD_END, MAX_HEAD_BYTES
from sonde_lab.wire_body import Body
from sonde_lab.wire_items import Link


class Handshake:
    """One connection's."""

    def __init__(self) -> None:
        self.path = ""
        self.subprotocol = ""
        self.link = Link()
        self.answer = b""  # the head of the 101
        self.is_upgraded = False
        self.is_answer_held = False  # nothing of it has been passed on
        self.early = b""  # what the client sent behind its request
        self._is_lost = False
        self._body: Body | None = None
        self._buffer = bytearray()
        self._passed = 0  # bytes of the buffer that have been passed on

    def on_request(self, head: bytes) -> None:
        """The first request's head."""
        line = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
        self.path = line[1][:1_000] if len(line) > 1 else ""

    def on_client(self, data: bytes) -> None:
        """Bytes of the client before the answer: what follows its last head is no HTTP, if there is an upgrade."""
        data = self.early + data
        last = data.rfind(HEAD_END)
        self.early = data[last + len(HEAD_END) :][-MAX_HEAD_BYTES:] if last >= 0 else data[-MAX_HEAD_BYTES:]

    def on_server(self, data: bytes, holds: bool) -> tuple[bytes, bytes]:
        """Bytes of the server: those to pass on, and those behind the 101. With `holds`, a head is kept until it is whole."""
        if self._is_lost:
            return data, b""
        self._buffer += data
        passed = bytearray()
        while self._step(passed, holds):
            pass
        if self.is_upgraded:
            rest = bytes(self._buffer)
            self._buffer.clear()
            return bytes(passed), rest
        if not holds or self._has_lost():
            passed += self._buffer[self._passed :]
            self._passed = len(self._buffer)
        if self._has_lost():
            self._buffer.clear()
        return bytes(passed), b""

    def _lose(self) -> None:
        """It is no HTTP that can be followed."""
        self._is_lost = True

    def _has_lost(self) -> bool:
        return self._is_lost

    def _step(self, passed: bytearray, holds: bool) -> bool:
        """Read one head or one body; false when it is not all there."""
        if self.is_upgraded:
            return False
        if self._body is not None:
            return self._eat(passed)
        end = self._buffer.find(HEAD_END, 0, MAX_HEAD_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_HEAD_BYTES:
                self._lose()
            return False
        size = end + len(HEAD_END)
        head = bytes(self._buffer[:size])
        self.is_answer_held = holds and self._passed == 0
        passed += head[self._passed :]
        del self._buffer[:size]
        self._passed = max(0, self._passed - size)
        self._read(head)
        return True

    def _eat(self, passed: bytearray) -> bool:
        assert self._body is not None
        before = bytes(self._buffer)
        is_whole = self._body.eat(self._buffer)
        eaten = len(before) - len(self._buffer)
        passed += before[self._passed : eaten] if eaten > self._passed else b""
        self._passed = max(0, self._passed - eaten)
        if is_whole:
            self._body = None
        return is_whole

    def _read(self, head: bytes) -> None:
        line, *lines = head[: -len(HEAD_END)].decode("latin-1").split("\r\n")
        words = line.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
            self._lose()
            return
        status = int(words[1][:3])
        pairs = [
            (name.strip().lower(), value.strip())
            for name, _, value in (each.partition(":") for each in lines)
        ]
        headers = dict(pairs)
        if status == 101:
            self.is_upgraded, self.answer = True, head
            self.subprotocol = headers.get("sec-websocket-protocol", "")[:200]
            self.link.agree(", ".join(value for name, value in pairs if name == "sec-websocket-extensions"))
        elif status >= 200:
            body = Body(status, headers)
            self._body = None if body.is_whole else body
