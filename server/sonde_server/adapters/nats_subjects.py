"""The subjects of this project on NATS, and how any text becomes one token of a subject.

Owns the two trees: `sonde.v1.` is for backend services, `sonde.int.v1.` is between gateways. Whatever a peer wrote
(a channel, an event's type, a node's name) stands in a subject only after `token`, so that no `*`, `>`, dot,
space or line end of theirs ever reaches the broker.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import Final
from zlib import crc32

PARTITIONS: Final = 256
MAX_TOKEN_CHARACTERS: Final = 160

SERVICES: Final = "sonde.v1"
_INTERNAL: Final = "sonde.int.v1"
EVERYBODY: Final = f"{_INTERNAL}.all"

_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9_-]")
_SHORTENED: Final = "=="  # an escape is `=` and two hex digits, so this begins nothing that was escaped


def token(text: str) -> str:
    """`text` as one token: letters, digits, `_` and `-` as they are, every other byte of its UTF-8 as `=XX`.

    Different texts give different tokens. One longer than 160 characters is replaced by its digest, an empty
    one by `==`, which both start as no escaped text does.
    """
    raw = text.encode("utf-8", "surrogatepass")
    escaped = _UNSAFE.sub(lambda byte: b"=%02X" % ord(byte.group()), raw).decode("ascii")
    if not escaped:
        return _SHORTENED
    if len(escaped) > MAX_TOKEN_CHARACTERS:
        return _SHORTENED + sha256(raw).hexdigest()
    return escaped


@lru_cache(maxsize=4_096)
def channel_subject(ch: str) -> str:
    """Entries and presence of one channel."""
    return f"{_INTERNAL}.ch.{token(ch)}"


def partition_subject(ch: str) -> str:
    """Entries of all channels that share a partition with this one: for channels that are as many as players."""
    return f"{_INTERNAL}.part.{crc32(ch.encode('utf-8', 'surrogatepass')) % PARTITIONS}"


def node_subject(life: str) -> str:
    """What is meant for one node."""
    return f"{_INTERNAL}.node.{token(life)}"


@lru_cache(maxsize=4_096)
def client_subject(namespace: str, type_: str) -> str:
    """What clients publish, for backend services."""
    return f"{SERVICES}.client.{token(namespace)}.{token(type_)}"


def lifecycle_subject(what: str) -> str:
    """Beginnings and ends of sessions, for backend services."""
    return f"{SERVICES}.lifecycle.{token(what)}"
