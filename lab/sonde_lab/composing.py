"""What a person typed to be sent, understood: a command, a message as it is, a control frame, a goodbye, a fault.

Owns the composer's small language. A command without an `id` gets its number from the client and is waited for;
whatever has an `id`, or begins with `!`, goes out as it stands, nonsense included.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

import msgspec

from sonde_protocol.codec import JSON
from sonde_protocol.errors import ProtocolViolation, SondeError, excerpt
from sonde_protocol.frames import Command

MAX_TEXT: Final = 1 << 20
_CLOSE: Final = re.compile(r"/close(?:\s+(\d{1,5})(?:\s+(.*))?)?", re.DOTALL)
_COMMANDS: Final = get_args(Command)
_OPS: Final = frozenset(kind.__struct_config__.tag for kind in _COMMANDS)
_DECODE: Final = JSON.client_decoder(MAX_TEXT)
_AT_BYTE: Final = re.compile(r"\(byte (\d+)\)")


class NotUnderstood(SondeError):
    """What was typed cannot be sent; the message says why, and where."""


@dataclass(slots=True, frozen=True)
class SendCommand:
    """A command whose number is the client's to give."""

    frame: Command


@dataclass(slots=True, frozen=True)
class SendRaw:
    """One message as it is: text, or bytes for the binary subprotocol."""

    data: str | bytes
    op: str


@dataclass(slots=True, frozen=True)
class SendControl:
    """A ping or pong frame of WebSocket itself."""

    pong: bool
    data: bytes


@dataclass(slots=True, frozen=True)
class SendClose:
    """Say goodbye."""

    code: int
    reason: str


@dataclass(slots=True, frozen=True)
class SendFault:
    """Ask the gateway to do what a rule says to the session that sends."""

    line: str


Composed = SendCommand | SendRaw | SendControl | SendClose | SendFault


def compose(text: str, binary: bool) -> Composed:
    """Understand what was typed. `binary`: the connection speaks MessagePack.

    Raises:
        NotUnderstood: empty, too long, an unknown `/word`, broken JSON, or a command with wrong values.
    """
    text = text.strip()
    if not text:
        raise NotUnderstood("There is nothing to send.")
    if len(text) > MAX_TEXT:
        raise NotUnderstood(f"That is longer than {MAX_TEXT:,} characters.")
    if text.startswith("!"):
        return SendRaw(text[1:].encode() if binary else text[1:], "raw")
    if text.startswith("/"):
        return _slash(text)
    return _json(text, binary)


def _slash(text: str) -> Composed:
    word, _, rest = text.partition(" ")
    if word in ("/ping", "/pong"):
        return SendControl(word == "/pong", rest.encode()[:125])
    if word == "/fault":
        return SendFault(rest.strip())
    goodbye = _CLOSE.fullmatch(text)
    if goodbye:
        return SendClose(int(goodbye[1] or 1000), (goodbye[2] or "").strip())
    raise NotUnderstood(
        f"'{excerpt(word)}' is unknown. There are /ping, /pong, /close CODE reason and /fault RULE."
    )


def _json(text: str, binary: bool) -> Composed:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotUnderstood(
            f"No valid JSON: {_where(str(error), text)}. With a ! in front it is sent as it is."
        ) from None
    if not isinstance(value, dict) or not isinstance(value.get("op"), str):
        raise NotUnderstood('A frame is an object with an "op". With a ! in front it is sent as it is.')
    if value["op"] in _OPS and "id" not in value:
        return SendCommand(_command(value))
    return SendRaw(msgspec.msgpack.encode(value) if binary else text, value["op"])


def _command(value: dict[str, Any]) -> Command:
    try:
        frame = _DECODE(msgspec.json.encode({**value, "id": 1}))
    except ProtocolViolation as error:
        raise NotUnderstood(f'{value["op"]}: {error.detail}. With an "id" it is sent as it is.') from None
    assert isinstance(frame, _COMMANDS)
    return cast("Command", frame)


def _where(message: str, text: str) -> str:
    """msgspec's message with the byte told as line and column."""
    at = _AT_BYTE.search(message)
    if at is None:
        return message
    before = text.encode()[: int(at[1])].decode(errors="ignore")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return f"{message[: at.start()].strip()} at line {line}, column {column}"
