"""Bytes to frames and back, for both subprotocols, with limits.

A decoder never raises anything but `ProtocolViolation`: whatever arrives is either a checked frame or a typed
refusal. JSON follows RFC 8259 minus what differs between parsers (NaN, numbers out of range, integers beyond
2^53, lone surrogates, and, from clients, repeated keys); MessagePack is cut down to nil, bool, int, float64,
str, array and str-keyed map. Members that a frame does not know are skipped unread.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from sonde_protocol.codes import SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK
from sonde_protocol.errors import BadValue, FrameTooLarge, MalformedFrame, NotAnObject, UnknownOp, excerpt
from sonde_protocol.frames import ClientFrame, Delta, Event, Frame, Patch, Publish, Reply, ServerFrame
from sonde_protocol.screening import may_break_limits, may_repeat_key
from sonde_protocol.values import MAX_DEPTH, MAX_INTEGER, check_value

__all__ = [
    "CODECS",
    "JSON",
    "MAX_DEPTH",
    "MAX_INBOUND_BYTES",
    "MAX_OUTBOUND_BYTES",
    "MSGPACK",
    "Codec",
    "Decoder",
    "check_value",
    "choose",
    "request_decoder",
]

MAX_INBOUND_BYTES: Final = 64 * 1024
MAX_OUTBOUND_BYTES: Final = 1024 * 1024
# A gateway wraps what clients sent: an event of the deepest value inside a page of history inside a tapped frame.
WRAPPED_DEPTH: Final = 8

# Everything that msgspec raises on bytes it cannot take; ValidationError and UnicodeDecodeError are among them.
_DECODE_ERRORS: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)
# The hot frames have one free value, `d`. The others are looked at as a whole.
_WITH_ONE_FREE_VALUE: Final = frozenset({Publish, Patch, Event, Delta, Reply})
# What msgspec would write in a form of its own; kept as it is, `check_value` refuses it.
_FOREIGN_TYPES: Final = (bytes, bytearray, memoryview, datetime)

F = TypeVar("F", covariant=True)
R = TypeVar("R")


class Decoder(Protocol[F]):
    """Turns one WebSocket message into a frame.

    Raises:
        ProtocolViolation: it is none; the subclass and `code` say why, `command` which command it was.
    """

    def __call__(self, data: bytes) -> F: ...


class _FrameDecoder(Generic[F]):
    """Decodes MessagePack, and where that fails finds out why."""

    __slots__ = ("_frame", "_untyped", "max_bytes", "max_depth")

    def __init__(
        self,
        frame: Callable[[bytes], F],
        untyped: Callable[[bytes], Any],
        max_bytes: int,
        max_depth: int = MAX_DEPTH,
    ) -> None:
        self._frame = frame
        self._untyped = untyped
        self.max_bytes = max_bytes
        self.max_depth = max_depth

    def __call__(self, data: bytes) -> F:
        if len(data) > self.max_bytes:
            raise FrameTooLarge(len(data), self.max_bytes)
        try:
            frame = self._frame(data)
            self._check(data, frame)
            return frame
        except msgspec.ValidationError as error:
            raise self._explain(data, error) from None
        except _DECODE_ERRORS as error:
            raise _malformed(error) from None

    def _check(self, data: bytes, frame: Any) -> None:
        _check_frame(frame, self.max_depth)

    def _explain(self, data: bytes, error: msgspec.ValidationError) -> MalformedFrame | UnknownOp | BadValue:
        """Why a message is no frame: no value at all, not an object, an unknown op, or a wrong value."""
        try:
            value = self._untyped(data)
        except _DECODE_ERRORS as worse:
            return _malformed(worse)
        if not isinstance(value, dict):
            return NotAnObject("a frame must be an object with an 'op'")
        raw_id, op = value.get("id"), value.get("op")
        command = raw_id if type(raw_id) is int and 1 <= raw_id <= MAX_INTEGER else None
        if not isinstance(op, str):
            return BadValue("a frame needs an 'op' of type string", command)
        if str(error).endswith("at `$.op`"):
            return UnknownOp(op, command)
        return BadValue(excerpt(str(error), 200), command)


class _JsonDecoder(_FrameDecoder[F]):
    """Screens first: only what looks suspicious is walked."""

    __slots__ = ()

    def _check(self, data: bytes, frame: Any) -> None:
        if may_break_limits(data):
            _check_frame(frame, self.max_depth)


class _StrictJsonDecoder(_FrameDecoder[F]):
    """Refuses repeated keys as well: what a client sends must mean the same to everyone who reads it."""

    __slots__ = ()

    def _check(self, data: bytes, frame: Any) -> None:
        if may_break_limits(data):
            _check_frame(frame, self.max_depth)
        if may_repeat_key(data, _encode_json(frame)):
            _pairs_decoder.decode(data.decode())

    def _explain(self, data: bytes, error: msgspec.ValidationError) -> MalformedFrame | UnknownOp | BadValue:
        try:
            _pairs_decoder.decode(data.decode())
        except MalformedFrame as repeated:
            return repeated  # first: two values of one key may be all that is wrong
        except _DECODE_ERRORS as worse:
            return _malformed(worse)
        return super()._explain(data, error)


class _RequestDecoder(_StrictJsonDecoder[F]):
    """For objects without an `op`: where they come in says what they are."""

    __slots__ = ()

    def _explain(self, data: bytes, error: msgspec.ValidationError) -> MalformedFrame | UnknownOp | BadValue:
        explained = super()._explain(data, error)
        return BadValue(excerpt(str(error), 200)) if isinstance(explained, BadValue) else explained


def _check_frame(frame: Any, max_depth: int) -> None:
    """Hold the free values of a decoded frame to the rules of every value."""
    try:
        if type(frame) in _WITH_ONE_FREE_VALUE:
            check_value(frame.d, max_depth - 1)
        else:
            check_value(msgspec.to_builtins(frame, builtin_types=_FOREIGN_TYPES), max_depth)
    except MalformedFrame as error:
        raise MalformedFrame(error.detail, getattr(frame, "id", None)) from None
    except TypeError:
        raise MalformedFrame("a value of a type of its own", getattr(frame, "id", None)) from None


def _malformed(error: Exception) -> MalformedFrame:
    return MalformedFrame(f"not decodable: {excerpt(str(error), 120)}")


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise MalformedFrame("an object that holds a key twice")


_encode_json: Final = msgspec.json.Encoder().encode
_pairs_decoder: Final = json.JSONDecoder(object_pairs_hook=_unique)


class Codec:
    """One subprotocol. `binary` says which WebSocket opcode carries it."""

    __slots__ = ("binary", "encode", "name")

    def __init__(self, name: str, binary: bool, encode: Callable[[Frame], bytes]) -> None:
        self.name = name
        self.binary = binary
        self.encode = encode  # for frames made of decoded or own values; unchecked, the fast way

    def __repr__(self) -> str:
        return f"<Codec {self.name}>"

    def encode_checked(self, frame: Frame, max_bytes: int = MAX_INBOUND_BYTES) -> bytes:
        """Encode a frame that holds a program's or a person's values: nothing is altered silently.

        Raises:
            MalformedFrame: a value that the wire does not carry (NaN, bytes, integers beyond 2^53 …).
            FrameTooLarge: the peer would refuse it.
        """
        try:
            check_value(msgspec.to_builtins(frame, builtin_types=_FOREIGN_TYPES))
            data = self.encode(frame)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise MalformedFrame(f"not encodable: {excerpt(str(error), 120)}") from None
        if len(data) > max_bytes:
            raise FrameTooLarge(len(data), max_bytes)
        return data

    def client_decoder(self, max_bytes: int = MAX_INBOUND_BYTES) -> Decoder[ClientFrame]:
        """For a gateway: what clients may send."""
        return self._decoder(ClientFrame, max_bytes, _StrictJsonDecoder)

    def server_decoder(self, max_bytes: int = 64 * MAX_OUTBOUND_BYTES) -> Decoder[ServerFrame]:
        """For a client: what gateways may send."""
        return self._decoder(ServerFrame, max_bytes, _JsonDecoder, MAX_DEPTH + WRAPPED_DEPTH)

    def untyped(self, data: bytes) -> Any:
        """The plain value, for inspectors that show what a peer really sent.

        Raises:
            MalformedFrame: not decodable.
        """
        try:
            return (msgspec.msgpack.decode if self.binary else msgspec.json.decode)(data)
        except _DECODE_ERRORS as error:
            raise _malformed(error) from None

    def _decoder(
        self, union: Any, max_bytes: int, kind: type[_FrameDecoder[Any]], max_depth: int = MAX_DEPTH
    ) -> Decoder[Any]:
        if self.binary:
            packed = msgspec.msgpack.Decoder(union).decode
            return _FrameDecoder(packed, msgspec.msgpack.Decoder().decode, max_bytes, max_depth)
        return kind(msgspec.json.Decoder(union).decode, msgspec.json.Decoder().decode, max_bytes, max_depth)


def request_decoder(kind: type[R], max_bytes: int = MAX_INBOUND_BYTES) -> Decoder[R]:
    """For one kind of JSON object that comes another way than over a WebSocket, held to what frames are held to."""
    return _RequestDecoder(
        msgspec.json.Decoder(kind).decode, msgspec.json.Decoder().decode, max_bytes, MAX_DEPTH
    )


JSON: Final = Codec(SUBPROTOCOL_JSON, False, _encode_json)
MSGPACK: Final = Codec(SUBPROTOCOL_MSGPACK, True, msgspec.msgpack.Encoder().encode)
CODECS: Final = {codec.name: codec for codec in (JSON, MSGPACK)}


def choose(offered: list[str]) -> Codec | None:
    """First of the client's subprotocols that we speak; JSON when none is offered; `None` when none fits."""
    if not offered:
        return JSON
    return next((CODECS[name] for name in offered if name in CODECS), None)
