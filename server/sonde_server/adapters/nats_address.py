"""Where NATS is: the checked form of a `nats://` address, which keeps the password out of names and messages.

Owns the reading of the address. nats-py would take any text, guess the rest, print what it could not use and
send credentials in the clear although the address says `tls://`; so it is only handed what was checked here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

DEFAULT_PORT: Final = 4222
_SCHEMES: Final = ("nats", "tls")
_HOW: Final = "write nats://host:port, nats://user:password@host:port or tls://…, several separated by commas"


@dataclass(slots=True, frozen=True)
class NatsAddress:
    """One or more servers of one NATS, and who we are there."""

    servers: tuple[str, ...]  # "nats://127.0.0.1:4222": no credentials
    is_tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """For people; holds no secret."""
        return "NATS at " + ", ".join(server.partition("://")[2] for server in self.servers)


def parse_nats_address(url: str) -> NatsAddress:
    """Check an address.

    Raises:
        ValueError: it is none; the message is a sentence that holds nothing of it.
    """
    parts = [part.strip() for part in url.split(",")]
    scheme = parts[0].partition("://")[0].lower() if "://" in parts[0] else ""
    if scheme not in _SCHEMES:
        raise ValueError(f"the NATS address must begin with nats:// or tls://: {_HOW}")
    split = [_split(part if "://" in part else f"{scheme}://{part}") for part in parts]
    if any(one.scheme.lower() != scheme for one in split):
        raise ValueError(f"the servers of one NATS address must all be nats:// or all tls://: {_HOW}")
    credentials = {(one.username, one.password) for one in split if one.username is not None}
    if len(credentials) > 1:
        raise ValueError(f"the servers of one NATS address must share one user: {_HOW}")
    user, password = credentials.pop() if credentials else (None, None)
    servers = tuple(_server(scheme, one) for one in split)
    if user is not None and password is None:
        return NatsAddress(servers, scheme == "tls", token=unquote(user))
    return NatsAddress(servers, scheme == "tls", _unquoted(user), _unquoted(password))


def _split(text: str) -> SplitResult:
    try:
        one = urlsplit(text)
        port = one.port
    except ValueError:
        raise ValueError(f"the NATS address has a host or port that cannot be: {_HOW}") from None
    if not one.hostname or not one.hostname.isprintable() or " " in one.hostname or port == 0:
        raise ValueError(f"the NATS address needs a host, and a port from 1 to 65535: {_HOW}")
    if one.path not in ("", "/") or one.query or one.fragment:
        raise ValueError(f"the NATS address ends with the port: {_HOW}")
    return one


def _server(scheme: str, one: SplitResult) -> str:
    host = f"[{one.hostname}]" if ":" in (one.hostname or "") else one.hostname
    return f"{scheme}://{host}:{one.port or DEFAULT_PORT}"


def _unquoted(text: str | None) -> str | None:
    return None if text is None else unquote(text)
