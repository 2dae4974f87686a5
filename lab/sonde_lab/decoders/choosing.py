"""Which decoder a connection's messages get: by its handshake, else message by message.

Owns the list of decoders and their names. Keeps a few words a connection: what was agreed on, and which event the
next attachments belong to. Refuses to a message of an unknown protocol wrong: only who has agreed on Sonde's subprotocol is held to it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from sonde_lab.decoders.decoding import Decoded, Decoder
from sonde_lab.decoders.json import Json
from sonde_lab.decoders.msgpack import MessagePack
from sonde_lab.decoders.phoenix import Phoenix
from sonde_lab.decoders.raw import Raw
from sonde_lab.decoders.socketio import SocketIo
from sonde_lab.records import Direction
from sonde_lab.wire_items import HandshakeSeen

_SWITCHING: Final = 101
_SONDE: Final = "sonde.v1."
_MAX_TARGET: Final = 8 * 1024
_MAX_PARAMETERS: Final = 64
_JSON, _MSGPACK, _SOCKET_IO, _PHOENIX, _RAW = Json(), MessagePack(), SocketIo(), Phoenix(), Raw()
_ALL: Final[tuple[Decoder, ...]] = (_JSON, _MSGPACK, _SOCKET_IO, _PHOENIX, _RAW)
_BY_NAME: Final = MappingProxyType({decoder.name: decoder for decoder in _ALL})


def by_name(protocol: str) -> Decoder | None:
    """The decoder that a row was read with; `None` for a row of Sonde's own protocol, and for a name unknown."""
    return _BY_NAME.get(protocol)


class _Owner(NamedTuple):
    """The event that the next binary messages of a direction are attachments of."""

    op: str
    channel: str
    command: int
    left: int


class Chooser:
    """One connection's choice. `speaks_sonde` says that it has agreed on Sonde's own protocol."""

    __slots__ = ("_decoder", "_owners", "speaks_sonde")

    def __init__(self, speaks_sonde: bool = False) -> None:
        self.speaks_sonde = speaks_sonde
        self._decoder: Decoder | None = None
        self._owners: dict[Direction, _Owner] = {}

    def see(self, handshake: HandshakeSeen) -> None:
        """Learn from one half of a handshake. What the response agrees on outweighs what the request looks like."""
        if handshake.status == 0:
            self._decoder = self._decoder or _by_target(handshake.line)
        elif handshake.status == _SWITCHING:
            agreed = _agreed(handshake.headers)
            self.speaks_sonde = self.speaks_sonde or agreed.startswith(_SONDE)
            if "msgpack" in agreed:
                self._decoder = _MSGPACK

    def decode(self, payload: bytes, is_binary: bool, direction: Direction) -> Decoded:
        """Read a message with the connection's decoder; what that cannot read, with whichever fits."""
        for decoder in (self._decoder, _MSGPACK if is_binary else _JSON):
            decoded = decoder.decode(payload, is_binary, direction) if decoder is not None else None
            if decoded is not None:
                self._attach(decoded, is_binary, direction)
                return decoded
        return _RAW.decode(payload, is_binary, direction)

    def _attach(self, decoded: Decoded, is_binary: bool, direction: Direction) -> None:
        """Make an attachment part of its event: it gets the same type, channel and number.

        Engine.IO's own packets (no part of any event) may come between; a new event ends the one before.
        """
        if decoded.attachments:
            self._owners[direction] = _Owner(
                decoded.op, decoded.channel, decoded.command, decoded.attachments
            )
            return
        owner = self._owners.get(direction)
        if owner is None or decoded.protocol != _SOCKET_IO.name or decoded.is_heartbeat:
            return
        if is_binary:
            decoded.op, decoded.channel, decoded.command, left = owner
            self._owners[direction] = owner._replace(left=left - 1)
        if not is_binary or left == 1:
            del self._owners[direction]


def _agreed(headers: list[tuple[str, str]]) -> str:
    values = (value for name, value in headers if name.lower() == "sec-websocket-protocol")
    return next(values, "").strip().lower()


def _by_target(line: str) -> Decoder | None:
    """The decoder that a request line's path and query name."""
    _method, _, rest = line.partition(" ")
    path, _, query = rest.partition(" ")[0][:_MAX_TARGET].partition("?")
    try:
        values = dict(parse_qsl(query, max_num_fields=_MAX_PARAMETERS))
    except ValueError:
        return None
    if values.get("EIO") == "4":
        return _SOCKET_IO
    if path.rstrip("/").endswith("/websocket") and values.get("vsn", "").startswith(("1.", "2.")):
        return _PHOENIX
    return None
