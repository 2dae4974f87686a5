"""Settings of a gateway that are said on the command line, instead of those of a scenario's file: `heartbeat=5s`.

Owns how they are read. What a key holds is the vocabulary's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sonde_lab.scenario.keys import Holds, Place, ScenarioRefused, nearest, read_table
from sonde_lab.scenario.plan import GatewayPlan, Scenario
from sonde_lab.scenario.vocabulary import GATEWAY_KEYS
from sonde_protocol.errors import excerpt


def settings_of(said: Sequence[str]) -> dict[str, Any]:
    """Values by key, from texts such as `heartbeat=5s`.

    Raises:
        ScenarioRefused: one of them is not understood.
    """
    known = {key.name: key for key in GATEWAY_KEYS}
    values: dict[str, Any] = {}
    for text in said:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not value:
            raise ScenarioRefused(f"“{excerpt(text, 60)}” is no KEY=VALUE, such as heartbeat=5s")
        if name not in known:
            listed = ", ".join(known)
            raise ScenarioRefused(
                f"a scenario's gateway has no “{excerpt(name, 40)}”{nearest(name, list(known))}. There are {listed}"
            )
        is_whole = known[name].holds is Holds.WHOLE and value.isdecimal() and len(value) < 10
        values[name] = int(value) if is_whole else value
    read = read_table(GATEWAY_KEYS, values, Place("--set", lambda _key: 0))
    return {name: read[name] for name in values}


def with_settings(scenario: Scenario, settings: Mapping[str, Any]) -> Scenario:
    """The scenario with other settings of its gateway."""
    if not settings:
        return scenario
    rest = {name: value for name, value in settings.items() if name != "nodes"}
    nodes = settings.get("nodes", scenario.gateway.nodes)
    return replace(scenario, gateway=GatewayPlan(nodes, {**scenario.gateway.settings, **rest}))
