"""What the engine asks of the shell that holds the sockets, as values in their order."""

from __future__ import annotations

import enum
from typing import NamedTuple

from sonde_lab.records import Direction


class Do(enum.Enum):
    """What is to be done. The direction is that in which it goes: IN is towards the client."""

    WRITE = "write"
    END = "send FIN"
    CLOSE = "end in order"
    RESET = "send RST"
    HOLD = "read nothing of this direction's sender"
    GO_ON = "read it again"
    LEAVE = "the client has gone elsewhere: keep the server's leg"
    SHADOW = "open another leg to the server that says the same"
    LINGER = "let go of both after a moment"


class Effect(NamedTuple):
    """One of them."""

    do: Do
    direction: Direction
    data: bytes = b""


class Verdict(NamedTuple):
    """What becomes of a dial. `held_s`: it waits so long first; `status`: it is answered so; `head`: sent in its place."""

    reset: bool = False
    held_s: float = 0.0
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    head: bytes = b""
