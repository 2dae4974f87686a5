"""The two halves of an upgrade as parts: first line, headers, address. What is odd in them is shown, never obeyed."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from sonde_lab.records import Direction, Kind, Record

_MAX_PARAMETERS: Final = 256


class Head(NamedTuple):
    """A request (`status` 0) or a response."""

    line: str
    headers: tuple[tuple[str, str], ...]
    status: int
    size: int

    def value(self, name: str) -> str:
        """The first header of that name; empty when there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def head_of(record: Record) -> Head | None:
    """The half of an upgrade that a row is; nothing for any other row."""
    if record.kind is not Kind.HANDSHAKE or record.op != "upgrade":
        return None
    line, *rest = record.payload.decode("utf-8", "replace").split("\r\n")
    pairs = [each.partition(":") for each in rest if each]
    status = 0
    if record.direction is Direction.IN:
        word = line.split(" ", 2)[1:2]
        status = (
            int(word[0]) if word and word[0].isdecimal() and word[0].isascii() and len(word[0]) <= 3 else 0
        )
    return Head(line, tuple((name.strip(), value.strip()) for name, _, value in pairs), status, record.size)


def address(request: Head | None, conn: str, known: str) -> str:
    """The address that a request was for. `known` is the endpoint's own, used where the request tells none."""
    target = request.line.split(" ", 2)[1:2] if request is not None else []
    host = request.value("host") if request is not None else ""
    if not target or not host:
        return known or f"ws://{conn or 'unknown'}.invalid/"
    scheme = "wss" if known.startswith("wss:") and _host(known) == host.lower() else "ws"
    return target[0] if "://" in target[0] else f"{scheme}://{host}{target[0]}"


def parameters(url: str) -> list[tuple[str, str]]:
    """Names and values of an address's query, as they are written."""
    try:
        return parse_qsl(urlsplit(url).query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        return []


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""
