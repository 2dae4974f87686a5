"""Where to connect to: the embedded gateway or a remote one, kept in a TOML file of the person's own."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class EndpointKind(enum.StrEnum):
    """Whose process the gateway is."""

    EMBEDDED = "embedded"
    REMOTE = "remote"


class TokenKind(enum.StrEnum):
    """Where an endpoint's token comes from."""

    EMBEDDED = "embedded"  # minted with the embedded gateway's secret
    PASTE = "paste"  # a token typed in; nothing refreshes it
    COMMAND = "command"  # standard output of a program
    URL = "url"  # the answer of an HTTP request


@dataclass(slots=True, frozen=True)
class TokenSource:
    """How to come by a token. `value`: the token, or the URL; `argv`: the program and its arguments."""

    kind: TokenKind
    value: str = ""
    argv: tuple[str, ...] = ()
    method: str = "POST"


@dataclass(slots=True, frozen=True)
class Endpoint:
    """One place to connect to. `production` locks destructive acts."""

    name: str
    kind: EndpointKind
    url: str = ""
    token: TokenSource = TokenSource(TokenKind.EMBEDDED)
    production: bool = False


EMBEDDED = Endpoint("Embedded gateway", EndpointKind.EMBEDDED)
