"""One HTTP/1.1 request of a control connection, read without believing it: bytes in, a request or a refusal out.

Owns the bounds: 16 KiB of head, 64 KiB of body, one request a connection. Refuses transfer codings, folded or repeated
lengths, and everything else that two readers might understand differently.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

MAX_HEAD_BYTES: Final = 16 * 1024
MAX_BODY_BYTES: Final = 64 * 1024
_HEAD_END: Final = b"\r\n\r\n"
_LINE: Final = re.compile(rb"(GET|POST|DELETE|HEAD|PUT|PATCH|OPTIONS) (/[\x21-\x7e]{0,2000}) HTTP/1\.[01]")
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\x80-\xff\t]*)")


@dataclass(slots=True, frozen=True)
class ControlRequest:
    """A request. Names of headers are in lower case; one that came twice has two values."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for known, value in self.headers if known == name]

    def one(self, name: str) -> str | None:
        """A header that came exactly once."""
        found = self.all(name)
        return found[0] if len(found) == 1 else None


class BadRequest(Exception):
    """What came is refused: with which status, and why; for a text, the character (from 0) where it goes wrong."""

    def __init__(self, status: int, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.position = position


class RequestReader:
    """Takes bytes in until a request is whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: ControlRequest | None = None
        self._length = 0

    def feed(self, data: bytes) -> ControlRequest | None:
        """The request, once it is whole.

        Raises:
            BadRequest: it never will be one that is answered.
        """
        self._buffer += data
        if self._head is None and not self._read_head():
            return None
        assert self._head is not None
        if len(self._buffer) < self._length:
            return None
        head = self._head
        return ControlRequest(head.method, head.path, head.headers, bytes(self._buffer[: self._length]))

    def _read_head(self) -> bool:
        end = self._buffer.find(_HEAD_END, 0, MAX_HEAD_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_HEAD_BYTES:
                raise BadRequest(431, "the request's head does not end within 16 KiB")
            return False
        line, *lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + len(_HEAD_END)]
        found = _LINE.fullmatch(line)
        headers = [_HEADER.fullmatch(each) for each in lines]
        if found is None or not all(headers):
            raise BadRequest(400, "this is no HTTP request")
        pairs = tuple(
            (each[1].decode().lower(), each[2].decode("latin-1").strip()) for each in headers if each
        )
        self._head = ControlRequest(found[1].decode(), found[2].decode(), pairs)
        self._length = _length(self._head)
        return True


def _length(request: ControlRequest) -> int:
    if request.all("transfer-encoding") or request.all("expect"):
        raise BadRequest(411, "a body is sent with its Content-Length")
    lengths = request.all("content-length")
    if not lengths:
        return 0
    if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdecimal() and len(lengths[0]) < 10):
        raise BadRequest(400, "Content-Length is one number")
    if int(lengths[0]) > MAX_BODY_BYTES:
        raise BadRequest(413, "a body has at most 64 KiB")
    return int(lengths[0])


def response(status: int, said: Any, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """An answer in JSON, after which the connection ends."""
    body = json.dumps(said, ensure_ascii=False).encode(errors="replace") + b"\n"
    more = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        f"{more}Connection: close\r\n\r\n"
    ).encode() + body
