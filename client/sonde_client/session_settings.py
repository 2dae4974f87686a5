"""What a session is told once: where it goes, who it says it is, and how long it waits for each step."""

from __future__ import annotations

from dataclasses import dataclass

from sonde_protocol.codec import JSON, Codec
from sonde_protocol.frames import PresenceWish


@dataclass(slots=True)
class SessionSettings:
    """What a session is told once. Times are seconds."""

    url: str
    other_urls: tuple[str, ...] = ()  # further nodes of the same fleet, where no balancer stands in front
    client_name: str = "sonde"
    client_version: str = ""
    codec: Codec = JSON
    device: str | None = None
    presence: PresenceWish | None = None
    has_token_source: bool = False
    token_is_fixed: bool = True  # the source gives the same token for ever
    measure_every_s: float = 5.0
    dial_limit_s: float = 10.0
    token_limit_s: float = 30.0
    greeting_limit_s: float = 15.0
    keeps_queue: bool = False  # a file holds the queue: save before sending
