"""Bytes to frames and back, for both subprotocols, with limits.

A decoder never raises anything but `ProtocolViolation`: whatever arrives is either a checked frame or a typed
refusal. JSON follows RFC 8259 minus what differs between parsers (NaN, numbers out of range, integers beyond
2^53, lone surrogates); MessagePack is cut down to nil, bool, int, float64, str, array and str-keyed map.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from sonde_protocol.codes import SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK
from sonde_protocol.errors import BadValue, FrameTooLarge, MalformedFrame, NotAnObject, UnknownOp, excerpt
from sonde_protocol.frames import MAX_INTEGER, ClientFrame, Frame, ServerFrame

MAX_DEPTH: Final = 32
MAX_INBOUND_BYTES: Final = 64 * 1024
MAX_OUTBOUND_BYTES: Final = 1024 * 1024

# Sixteen digits in a row may be an integer beyond 2^53: only then the decoded value is walked.
_LONG_NUMBER: Final = re.compile(rb"\d{16}|[eE]\+?\d{2}")

F = TypeVar("F", covariant=True)


class _Envelope(msgspec.Struct, gc=False):
    op: Any = None
    id: Any = None


class Decoder(Protocol[F]):
    """Turns one WebSocket message into a frame."""

    def __call__(self, data: bytes) -> F: ...


def check_value(value: Any, depth: int = MAX_DEPTH) -> None:
    """Refuse what the two subprotocols cannot both carry.

    Raises:
        MalformedFrame: nested deeper than `depth`, an integer beyond 2^53, NaN or an infinity, a map key that
            is no string, or a type outside JSON's.
    """
    if value is None or value is True or value is False or isinstance(value, str):
        return
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise MalformedFrame("an integer beyond 2^53")
    elif isinstance(value, float):
        if value - value != 0.0:
            raise MalformedFrame("a number that is not finite")
    elif isinstance(value, dict):
        _check_depth(depth)
        for key, item in value.items():
            if not isinstance(key, str):
                raise MalformedFrame("a map key that is no string")
            check_value(item, depth - 1)
    elif isinstance(value, list | tuple):
        _check_depth(depth)
        for item in value:
            check_value(item, depth - 1)
    else:
        raise MalformedFrame(f"a value of type {type(value).__name__}")


def _check_depth(left: int) -> None:
    if left <= 0:
        raise MalformedFrame(f"nested deeper than {MAX_DEPTH} levels")


def _suspicious_json(data: bytes) -> bool:
    return data.count(b"[") + data.count(b"{") > MAX_DEPTH or _LONG_NUMBER.search(data) is not None


def _always(_data: bytes) -> bool:
    return True


class _FrameDecoder(Generic[F]):
    """Decodes, and where that fails finds out why."""

    __slots__ = ("_any", "_frame", "_must_walk", "max_bytes")

    def __init__(
        self,
        frame: Callable[[bytes], F],
        untyped: Callable[[bytes], Any],
        must_walk: Callable[[bytes], bool],
        max_bytes: int,
    ) -> None:
        self._frame = frame
        self._any = untyped
        self._must_walk = must_walk
        self.max_bytes = max_bytes

    def __call__(self, data: bytes) -> F:
        if len(data) > self.max_bytes:
            raise FrameTooLarge(len(data), self.max_bytes)
        try:
            if self._must_walk(data):
                check_value(self._any(data))
            return self._frame(data)
        except msgspec.ValidationError as error:
            raise self._explain(data, error) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise MalformedFrame(f"not decodable: {excerpt(str(error), 120)}") from None

    def _explain(self, data: bytes, error: msgspec.ValidationError) -> MalformedFrame | UnknownOp | BadValue:
        """A well-formed value that is no frame: not an object, an unknown op, or a wrong value."""
        value = self._any(data)
        if not isinstance(value, dict):
            return NotAnObject("a frame must be an object with an 'op'")
        raw_id, op = value.get("id"), value.get("op")
        command = raw_id if type(raw_id) is int and 1 <= raw_id <= MAX_INTEGER else None
        if not isinstance(op, str):
            return BadValue("a frame needs an 'op' of type string", command)
        if str(error).endswith("at `$.op`"):
            return UnknownOp(op, command)
        return BadValue(excerpt(str(error), 200), command)


class Codec:
    """One subprotocol. `binary` says which WebSocket opcode carries it."""

    __slots__ = ("binary", "encode", "name")

    def __init__(self, name: str, binary: bool, encode: Callable[[Frame], bytes]) -> None:
        self.name = name
        self.binary = binary
        self.encode = encode

    def __repr__(self) -> str:
        return f"<Codec {self.name}>"

    def client_decoder(self, max_bytes: int = MAX_INBOUND_BYTES) -> Decoder[ClientFrame]:
        """For a gateway: what clients may send."""
        return self._decoder(ClientFrame, max_bytes)

    def server_decoder(self, max_bytes: int = 64 * MAX_OUTBOUND_BYTES) -> Decoder[ServerFrame]:
        """For a client: what gateways may send."""
        return self._decoder(ServerFrame, max_bytes)

    def untyped(self, data: bytes) -> Any:
        """The plain value, for inspectors that show what a peer really sent.

        Raises:
            MalformedFrame: not decodable.
        """
        try:
            return (msgspec.msgpack.decode if self.binary else msgspec.json.decode)(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise MalformedFrame(f"not decodable: {excerpt(str(error), 120)}") from None

    def _decoder(self, union: Any, max_bytes: int) -> Decoder[Any]:
        if self.binary:
            packed = msgspec.msgpack.Decoder(union)
            return _FrameDecoder(packed.decode, msgspec.msgpack.Decoder().decode, _always, max_bytes)
        text = msgspec.json.Decoder(union)
        return _FrameDecoder(text.decode, msgspec.json.Decoder().decode, _suspicious_json, max_bytes)


JSON: Final = Codec(SUBPROTOCOL_JSON, False, msgspec.json.Encoder().encode)
MSGPACK: Final = Codec(SUBPROTOCOL_MSGPACK, True, msgspec.msgpack.Encoder().encode)
CODECS: Final = {codec.name: codec for codec in (JSON, MSGPACK)}


def choose(offered: list[str]) -> Codec | None:
    """First of the client's subprotocols that we speak; JSON when none is offered; `None` when none fits."""
    if not offered:
        return JSON
    return next((CODECS[name] for name in offered if name in CODECS), None)
