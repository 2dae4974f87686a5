"""Secrets out of rows before they leave: in texts, in JSON and in MessagePack, at any depth.

Owns what happens to a payload: masked in place where it can be read, else replaced by a sentence that says how large
it was. `size` and the other columns keep telling what was on the wire. It cannot look into what is compressed or
encrypted inside a message.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Final

import msgspec

from sonde_lab.decoders.decoding import BROKEN
from sonde_lab.records import Kind, Record
from sonde_protocol.redact import MAX_DEPTH, Redactor

MAX_SEARCHED_BYTES: Final = 16 << 20  # a larger payload is replaced: looking through it would take too long
_MAX_NESTED: Final = 4  # JSON in a text in JSON in a text …
_MAX_ESCAPED: Final = 6  # how often backslashes are taken off to see what is behind them
_MAX_PREFIX: Final = 64  # characters before the JSON of a message, as Socket.IO has them
_BINARY: Final = 2
_CLOSE: Final = 8
_CONTAINERS: Final = frozenset({*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF})  # MessagePack maps and arrays
_START: Final = re.compile(rf"[^{{\[\"]{{0,{_MAX_PREFIX}}}(?=[{{\[\"])")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_NAMES: Final = re.compile(
    rb"(?i)token|secret|passw|passphrase|api[_-]?key|private[_-]?key|credential|authorization|cookie|resume|pwd|jwt"
    rb"|bearer|eyJ"
)


class Masker:
    """Masks rows. `masked` counts the secrets, `replaced` the payloads that a sentence stands for."""

    def __init__(self) -> None:
        self.replaced = 0
        self._redactor = _Deep()

    @property
    def masked(self) -> int:
        """How many secrets were masked."""
        return self._redactor.masked

    def row(self, record: Record) -> tuple[Record, bool]:
        """The row without its secrets, and whether it had any."""
        before = self.masked + self.replaced
        payload = self._payload(record)
        conn, op, channel = (self._redactor.text(name) for name in (record.conn, record.op, record.channel))
        if self.masked + self.replaced == before:
            return record, False
        return dataclasses.replace(record, payload=payload, conn=conn, op=op, channel=channel), True

    def text(self, text: str) -> str:
        """Any other text, such as an address."""
        return self._redactor.text(text)

    def _payload(self, record: Record) -> bytes:
        payload = record.payload
        if len(payload) > MAX_SEARCHED_BYTES:
            return self._replaced(payload, "too large to be searched for secrets")
        if record.kind is Kind.FRAME and record.opcode == _CLOSE:
            return payload[:2] + self._text(payload[2:])
        if record.kind is Kind.FRAME and record.opcode == _BINARY:
            return self._binary(payload)
        return self._text(payload)

    def _text(self, payload: bytes) -> bytes:
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            return self._unreadable(payload)
        shown = self._redactor.text(text)
        if _is_escaped(shown):
            return self._replaced(payload, "it holds escaped secrets and is no whole JSON")
        return payload if shown == text else shown.encode()

    def _binary(self, payload: bytes) -> bytes:
        if payload[:1] and payload[0] in _CONTAINERS:
            try:
                value = msgspec.msgpack.decode(payload)
                before = self.masked
                shown = self._redactor.value(value)
                return payload if self.masked == before else msgspec.msgpack.encode(shown)
            except BROKEN:
                pass
        return self._text(payload)

    def _unreadable(self, payload: bytes) -> bytes:
        """Bytes of a form that nobody here knows: kept only when no word in them tells of a secret."""
        if _tells_of_secrets(payload):
            return self._replaced(
                payload, "it may hold secrets, and is of a form that cannot be masked in place"
            )
        return payload

    def _replaced(self, payload: bytes, why: str) -> bytes:
        self.replaced += 1
        return f"({len(payload):,} bytes left out: {why})".encode()


class _Deep(Redactor):
    """Looks into texts that are JSON themselves, and into bytes that are MessagePack."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def text(self, text: str) -> str:
        """See `Redactor.text`. What can be masked in place keeps its spaces and the order of its members."""
        before = self.masked
        shown = super().text(text)
        in_place = self.masked - before
        parsed = _json_in(text) if self._depth < _MAX_NESTED else None
        if parsed is None:
            return shown
        found, value = self._inside(parsed[1])
        is_hidden = _is_escaped(text)  # of two members of one name the second is what was parsed
        self.masked = before + max(found, in_place, is_hidden)
        if not is_hidden and (not found or (found <= in_place and self._is_clean(shown))):
            return shown
        return parsed[0] + msgspec.json.encode(value).decode()

    def value(self, value: Any, depth: int = MAX_DEPTH) -> Any:
        """See `Redactor.value`."""
        if isinstance(value, msgspec.msgpack.Ext):
            return msgspec.msgpack.Ext(value.code, self.data(bytes(value.data)))
        return super().value(value, depth)

    def data(self, data: bytes) -> bytes:
        """See `Redactor.data`."""
        if self._depth < _MAX_NESTED and data[:1] and data[0] in _CONTAINERS:
            try:
                found, value = self._inside(msgspec.msgpack.decode(data))
                return msgspec.msgpack.encode(value) if found else data
            except BROKEN:
                pass
        shown = super().data(data)
        if shown == data and not _is_text(data) and _tells_of_secrets(data):
            self.masked += 1
            return b""
        return shown

    def _inside(self, value: Any) -> tuple[int, Any]:
        """How many secrets were masked in a value of the next level, and the value without them."""
        before = self.masked
        self._depth += 1
        try:
            shown = self.value(value)
        finally:
            self._depth -= 1
        return self.masked - before, shown

    def _is_clean(self, text: str) -> bool:
        parsed = _json_in(text)
        before = self.masked
        found = self._inside(parsed[1])[0] if parsed is not None else 1
        self.masked = before
        return found == 0


def _json_in(text: str) -> tuple[str, Any] | None:
    """What stands before the JSON that ends a text, and its value."""
    found = _START.match(text)
    if found is None or '"' not in text:
        return None
    start = found.end()
    try:
        return text[:start], msgspec.json.decode(text[start:])
    except BROKEN:
        return None


def _is_escaped(text: str) -> bool:
    """Whether there are secrets behind backslashes that a look at the bare text does not find."""
    if "\\" not in text:
        return False
    known = Redactor()
    known.text(text)
    for _ in range(_MAX_ESCAPED):
        if "\\" not in text:
            return False
        text = _ESCAPE.sub(_unescaped, text)
        seen = Redactor()
        seen.text(text)
        if seen.masked > known.masked:
            return True
    return False


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else found[2]


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _tells_of_secrets(data: bytes) -> bool:
    """Whether a word in the bytes names a secret, as text or with zeros between the letters."""
    return _NAMES.search(data) is not None or _NAMES.search(data.replace(b"\0", b"")) is not None
