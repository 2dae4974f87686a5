"""Addresses of a Redis: redis://, rediss:// (TLS) and unix://. Passwords never stand in a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

DEFAULT_PORT: Final = 6379
_FORMS: Final = "redis://host:6379/0, rediss://host:6379/0 or unix:///path"


@dataclass(slots=True, frozen=True)
class RedisAddress:
    """Where a Redis is, and who asks. `path`: of a Unix socket, instead of host and port."""

    host: str
    port: int
    path: str
    tls: bool
    db: int
    username: str
    password: str

    def __repr__(self) -> str:
        return f"<RedisAddress {self.where}>"

    @property
    def where(self) -> str:
        """For people."""
        return self.path or f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> RedisAddress:
        """Raises: ValueError: not one of the three forms."""
        try:
            parts = urlsplit(url.strip())
            port = parts.port or DEFAULT_PORT
        except ValueError:
            raise ValueError(f"the Redis address must look like {_FORMS}") from None
        is_unix = parts.scheme == "unix"
        usable = bool(parts.path) if is_unix else bool(parts.hostname)
        if parts.scheme not in ("redis", "rediss", "unix") or not usable:
            raise ValueError(f"the Redis address must look like {_FORMS}")
        db = "0" if is_unix else parts.path.strip("/") or "0"
        if not db.isdigit():
            raise ValueError(f"the database in the Redis address must be a number, as in {_FORMS}")
        return cls(
            parts.hostname or "",
            port,
            unquote(parts.path) if is_unix else "",
            parts.scheme == "rediss",
            int(db),
            unquote(parts.username or ""),
            unquote(parts.password or ""),
        )

    def greeting(self) -> list[tuple[str, ...]]:
        """The commands that begin a connection."""
        commands: list[tuple[str, ...]] = []
        if self.password:
            commands.append(("AUTH", *((self.username,) if self.username else ()), self.password))
        if self.db:
            commands.append(("SELECT", str(self.db)))
        return commands
