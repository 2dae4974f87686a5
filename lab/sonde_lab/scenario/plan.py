"""A scenario as values: the gateway, the clients, the steps and the expectations, all checked.

Owns what a scenario is made of. How it is written in a file is `reading`, what its words mean in `vocabulary`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sonde_lab.faults.rules import Rule

_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """`nodes` gateways of one fleet. `settings`: fields of the gateway's settings, in seconds."""

    nodes: int = 1
    settings: Mapping[str, float] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True)
class ClientPlan:
    """One client. `rate_hz` is a publisher's; `token_life_s` is how long a token of it lives, 0: as usual.

    `measure_every_s`: between two measurements of its round trip; 0 measures never.
    """

    name: str
    channels: tuple[str, ...]
    behaviour: str = "silent"
    rate_hz: float = 0.0
    token_life_s: float = 0.0
    measure_every_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """Something that goes wrong at a time. Either a rule for the proxy of `clients`, or an act on `node` or on them."""

    at_s: float
    fault: str
    clients: tuple[str, ...] = ()
    node: str = ""
    rule: Rule | None = None
    for_s: float = 0.0
    line: int = 0

    @property
    def words(self) -> str:
        """In a few words."""
        if self.node:
            return f"{self.fault} {self.node}"
        return f"{self.fault} {', '.join(self.clients)}"


@dataclass(frozen=True, slots=True)
class Expectation:
    """Something that must hold in the end."""

    that: str
    clients: tuple[str, ...]
    values: Mapping[str, Any]
    line: int = 0

    @property
    def words(self) -> str:
        """In a few words, for a line and for a report."""
        said = {key: value for key, value in self.values.items() if value is not None}
        told = " ".join(f"{key}={_written(key, value)}" for key, value in said.items())
        return f"{self.that}{f' {told}' if told else ''}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """All of it. Nobody acts and nothing is wrong any more in the `settle_s` after `duration_s`."""

    name: str
    seed: int
    duration_s: float
    settle_s: float
    gateway: GatewayPlan
    clients: tuple[ClientPlan, ...]
    steps: tuple[Step, ...]
    expectations: tuple[Expectation, ...]

    @property
    def channels(self) -> tuple[str, ...]:
        """Every channel that somebody is in."""
        return tuple(dict.fromkeys(ch for client in self.clients for ch in client.channels))


def _written(key: str, value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    if key in ("within", "below"):
        return f"{value:g}s"
    return str(value)
