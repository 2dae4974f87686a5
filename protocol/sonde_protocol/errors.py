"""The exception tree of the wire language.

    SondeError
    ├── ProtocolViolation     the peer sent something wrong: `code` for an `error` frame
    │   ├── MalformedFrame    not decodable (bad_frame)
    │   │   └── NotAnObject   decodable, but no object: closes 4400
    │   ├── FrameTooLarge     over the size limit (too_large)
    │   ├── UnknownOp         an op that this version does not know (unknown_op)
    │   └── BadValue          decoded, but a value is wrong or missing (bad_request)
    ├── Refused               a decoded command that is not done: code, temporary, retry_ms, data
    ├── NotCanonical          a value that has no canonical JSON form (RFC 8785)
    └── IllegalTransition     a trigger that a state does not allow

Exceptions hold typed fields and build their message here. What came from a peer is data: it is cut and
escaped before it stands in a message.
"""

from __future__ import annotations

import enum
from typing import Any

from sonde_protocol.codes import ErrorCode


def excerpt(text: str, limit: int = 64) -> str:
    """Peer text made safe for one line of a message: escaped, cut at `limit` characters."""
    shown = text[:limit].encode("unicode_escape", "backslashreplace").decode("ascii")
    return f"{shown}…" if len(text) > limit else shown


class SondeError(Exception):
    """Root of everything that this project raises on purpose."""


class ProtocolViolation(SondeError):
    """The peer's fault. `command` is the number of the offending command where it could be read."""

    code = ErrorCode.BAD_FRAME

    def __init__(self, detail: str, command: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.command = command


class MalformedFrame(ProtocolViolation):
    """Bytes that are no frame: broken JSON or MessagePack, too deep, numbers out of range."""


class NotAnObject(MalformedFrame):
    """A well-formed value that is not an object: the peer speaks another language."""


class FrameTooLarge(ProtocolViolation):
    """A frame over the agreed size."""

    code = ErrorCode.TOO_LARGE

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"a frame of {size_bytes} bytes is over the limit of {limit_bytes}")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class UnknownOp(ProtocolViolation):
    """An `op` that is not part of this version, or not allowed in this direction."""

    code = ErrorCode.UNKNOWN_OP

    def __init__(self, op: str, command: int | None = None) -> None:
        super().__init__(f"unknown op '{excerpt(op)}'", command)
        self.op = op


class BadValue(ProtocolViolation):
    """A frame of a known `op` with a wrong or missing value."""

    code = ErrorCode.BAD_REQUEST


class Refused(SondeError):
    """A command that is not done.

    `temporary`: nothing was recorded and the outcome may be unknown, so the same number may be sent again
    after `retry_ms`. Otherwise the command was not applied. `message` is a fixed phrase, fit for the peer.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        temporary: bool = False,
        retry_ms: int | None = None,
        data: Any = None,
    ) -> None:
        super().__init__(f"{code.value}: {message}")
        self.code = code
        self.message = message
        self.temporary = temporary
        self.retry_ms = retry_ms
        self.data = data


class NotCanonical(SondeError):
    """A value without a canonical form: NaN, an infinity, an integer beyond 2^53, a lone surrogate."""


class IllegalTransition(SondeError):
    """A trigger that the state does not allow; the state is unchanged."""

    def __init__(self, state: enum.Enum, trigger: enum.Enum) -> None:
        super().__init__(f"{trigger.value!r} is not allowed in state {state.value!r}")
        self.state = state
        self.trigger = trigger
