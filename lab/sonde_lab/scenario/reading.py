"""A scenario's file, read: every complaint has its line, its key, and the nearest name where one is unknown.

Owns the reading and what contradicts itself. Whether a stage can do what is asked is the stage's to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from sonde_lab.faults.grammar import FIELDS, rule_of
from sonde_lab.faults.rules import RuleRefused
from sonde_lab.filter import Filter, FilterError
from sonde_lab.scenario.keys import Key, Place, ScenarioRefused, nearest, read_table
from sonde_lab.scenario.plan import ClientPlan, Expectation, GatewayPlan, Scenario, Step
from sonde_lab.scenario.vocabulary import (
    ACT_KEYS,
    ACTS,
    BEHAVIOURS,
    CLIENT_KEYS,
    EXPECTATIONS,
    GATEWAY_KEYS,
    MAX_CLIENTS,
    MAX_EXPECTATIONS,
    MAX_STEPS,
    SCENARIO_KEYS,
    STEP_KEYS,
    On,
)
from sonde_lab.toml_text import TomlUnreadable, headers_of, line_of, parse, read
from sonde_lab.verdict import Cause
from sonde_protocol.channels import parse_channel
from sonde_protocol.errors import Refused, excerpt
from sonde_protocol.faults import BY_NAME

_TABLES: Final = ("gateway", "clients", "steps", "expect")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_PUBLISHER: Final = re.compile(r"publisher\((?:rate_hz\s*=\s*)?(\d+(?:\.\d+)?)\)")
_QUOTED: Final = re.compile(r"“(\w+)”")
_TAKEN: Final = frozenset({"witness"})
MAX_RATE_HZ: Final = 100.0


def load(path: Path) -> Scenario:
    """Read a file.

    Raises:
        ScenarioRefused: it cannot be read, or is no scenario.
    """
    try:
        file = read(path)
    except FileNotFoundError:
        raise ScenarioRefused("there is no such file") from None
    except TomlUnreadable as error:
        raise ScenarioRefused(str(error), error.line) from None
    return scenario_of(file.text, file.table)


def loads(text: str) -> Scenario:
    """Read a text.

    Raises:
        ScenarioRefused: see `load`.
    """
    try:
        return scenario_of(text, parse(text))
    except TomlUnreadable as error:
        raise ScenarioRefused(str(error), error.line) from None


def scenario_of(text: str, table: Mapping[str, Any]) -> Scenario:
    """A scenario from what a file says; `text` is for the lines of complaints.

    Raises:
        ScenarioRefused: see `load`.
    """
    top = {name: value for name, value in table.items() if name not in _TABLES}
    place = Place("scenario", partial(_top_line, text))
    known = [*(key.name for key in SCENARIO_KEYS), *_TABLES]
    for name in top:
        if name not in known:
            raise place.refuse(name, f"there is no such key here{nearest(name, known)}")
    values = read_table(SCENARIO_KEYS, top, place)
    clients = _clients(text, table)
    gateway = _gateway(text, table.get("gateway", {}))
    steps = [
        _step(each, where, clients, gateway, values["duration"])
        for each, where in _tables(text, table, "steps", MAX_STEPS)
    ]
    expectations = [
        _expectation(each, where, clients) for each, where in _tables(text, table, "expect", MAX_EXPECTATIONS)
    ]
    if not expectations:
        raise ScenarioRefused("a scenario expects something: it needs at least one [[expect]]")
    return Scenario(
        values["name"], values["seed"], values["duration"], values["settle"], gateway, tuple(clients.values()),
        tuple(sorted(steps, key=lambda step: step.at_s)), tuple(expectations),
    )  # fmt: skip


# ---------------------------------------------------------------- tables and lines


def _top_line(text: str, key: str) -> int:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line) or re.match(
            rf"\s*\[\[?\s*{re.escape(key)}\s*[\].]", line
        ):
            return number
    return 0


def _tables(text: str, table: Mapping[str, Any], name: str, most: int) -> list[tuple[dict[str, Any], Place]]:
    listed = table.get(name, [])
    where = _top_line(text, name)
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise ScenarioRefused(f"it is a list of tables: [[{name}]]", where, name)
    if len(listed) > most:
        raise ScenarioRefused(f"there are at most {most} of them", where, name)
    begins = dict(enumerate(headers_of(text, name)))
    return [
        (each, Place(f"{name} {number + 1}", partial(line_of, text, name, number), begins.get(number, 0)))
        for number, each in enumerate(listed)
    ]


def _gateway(text: str, values: Any) -> GatewayPlan:
    where = _top_line(text, "gateway")
    if not isinstance(values, dict):
        raise ScenarioRefused("it is a table: [gateway]", where, "gateway")
    place = Place("gateway", partial(_line_after, text, where), where)
    if "url" in values:
        raise place.refuse("url", "a scenario names no gateway; say which one with --gateway URL")
    read_values = read_table(GATEWAY_KEYS, values, place)
    nodes = read_values.pop("nodes")
    return GatewayPlan(nodes, {key: value for key, value in read_values.items() if value is not None})


def _line_after(text: str, header: int, key: str) -> int:
    for number, line in enumerate(text.splitlines(), 1):
        if number >= header and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return header


# ---------------------------------------------------------------- clients


def _clients(text: str, table: Mapping[str, Any]) -> dict[str, ClientPlan]:
    clients: dict[str, ClientPlan] = {}
    for values, place in _tables(text, table, "clients", MAX_CLIENTS):
        client = _client(read_table(CLIENT_KEYS, values, place), place)
        if client.name in clients:
            raise place.refuse("name", f"there are two clients “{client.name}”")
        clients[client.name] = client
    if not clients:
        raise ScenarioRefused("somebody has to be there: it needs at least one [[clients]]")
    return clients


def _client(values: dict[str, Any], place: Place) -> ClientPlan:
    name, channels = values["name"], values["channels"]
    if not _NAME.fullmatch(name):
        raise place.refuse("name", "a name is a letter and up to 31 letters, digits, - or _")
    if name in _TAKEN:
        raise place.refuse("name", f"“{name}” is the scenario's own")
    if len(set(channels)) != len(channels):
        raise place.refuse("channels", "it names a channel twice")
    for ch in channels:
        try:
            parse_channel(ch)
        except Refused as error:
            raise place.refuse("channels", f"“{excerpt(ch, 60)}” is no channel: {error}") from None
    behaviour, rate_hz = _behaviour(values["behaviour"], place)
    if behaviour != "silent" and not channels:
        raise place.refuse("behaviour", f"a {behaviour} needs a channel to act in")
    life_s, measure_every_s = values["token_life"] or 0.0, values["measure_every"]
    return ClientPlan(name, channels, behaviour, rate_hz, life_s, measure_every_s)


def _behaviour(text: str, place: Place) -> tuple[str, float]:
    found = _PUBLISHER.fullmatch(text)
    if found is not None:
        rate_hz = float(found[1])
        if not 0 < rate_hz <= MAX_RATE_HZ:
            raise place.refuse("behaviour", f"a publisher's rate is above 0 and at most {MAX_RATE_HZ:g}")
        return "publisher", rate_hz
    plain = [name for name in BEHAVIOURS if "(" not in name]
    if text not in plain:
        near = nearest(text, [*plain, "publisher"])
        raise place.refuse("behaviour", f"“{excerpt(text, 40)}” is none of {', '.join(BEHAVIOURS)}{near}")
    return text, 0.0


# ---------------------------------------------------------------- steps


def _step(
    values: dict[str, Any],
    place: Place,
    clients: Mapping[str, ClientPlan],
    gateway: GatewayPlan,
    duration_s: float,
) -> Step:
    fault = values.get("fault")
    names = [*BY_NAME, *ACTS]
    if not isinstance(fault, str):
        raise place.refuse("fault", "it needs “fault”: what goes wrong")
    if fault not in names:
        raise place.refuse("fault", f"there is no fault “{excerpt(fault, 40)}”{nearest(fault, names)}")
    keys = ACT_KEYS if fault in ACTS else STEP_KEYS
    rest = (
        {}
        if fault in ACTS
        else {key: values[key] for key in values if key not in {k.name for k in STEP_KEYS}}
    )
    own = read_table(keys, {key: value for key, value in values.items() if key not in rest}, place)
    if own["at"] >= duration_s:
        raise place.refuse("at", f"it comes after the scenario's end, which is at {duration_s:g} s")
    if fault in ACTS:
        return _act_step(fault, own, place, clients, gateway)
    whom = _whom(own["target"], place, clients)
    return Step(own["at"], fault, whom, rule=_rule(fault, rest, place), line=place.line)


def _act_step(
    fault: str, own: dict[str, Any], place: Place, clients: Mapping[str, ClientPlan], gateway: GatewayPlan
) -> Step:
    act, target = ACTS[fault], own["target"]
    for_s = act.lasts_s if own["for"] is None else own["for"]
    if act.on is On.CLIENT:
        return Step(own["at"], fault, _whom(target, place, clients), for_s=for_s, line=place.line)
    if act.on is On.STORES:
        if target is not None:
            raise place.refuse("target", f"“{fault}” is about the stores of all: leave the target out")
        return Step(own["at"], fault, node="stores", for_s=for_s, line=place.line)
    nodes = [f"n{number}" for number in range(1, gateway.nodes + 1)]
    kind, _, name = (target or f"node:{nodes[0]}").partition(":")
    if kind != "node" or name not in nodes:
        known = ", ".join(f"node:{each}" for each in nodes)
        raise place.refuse("target", f"“{fault}” is about a node, and there are {known}")
    return Step(own["at"], fault, node=name, for_s=for_s, line=place.line)


def _whom(target: str | None, place: Place, clients: Mapping[str, ClientPlan]) -> tuple[str, ...]:
    if target is None:
        return tuple(clients)
    kind, _, name = target.partition(":")
    if kind != "client":
        raise place.refuse("target", "a target is client:NAME; which messages are meant says “filter”")
    return (_known(name, place, clients, "target"),)


def _known(name: str, place: Place, clients: Mapping[str, ClientPlan], key: str) -> str:
    if name not in clients:
        raise place.refuse(key, f"there is no client “{excerpt(name, 40)}”{nearest(name, list(clients))}")
    return name


def _rule(fault: str, rest: dict[str, Any], place: Place) -> Any:
    given = {("target" if key == "filter" else key): value for key, value in rest.items()}
    known = [each.name for each in BY_NAME[fault].parameters]
    known += ["filter", *(name for name in FIELDS if name not in ("target", "at", "off"))]
    for key in rest:
        if key not in known:
            raise place.refuse(key, f"“{fault}” has no such key{nearest(key, known)}")
    try:
        return rule_of({"kind": fault, "off": "24h", **given})
    except RuleRefused as error:
        said = _QUOTED.search(error.message)
        key = said[1] if said and said[1] in rest else next((k for k in rest if k in error.message), "")
        if error.message.startswith("target:"):
            key = "filter"
        raise place.refuse(key or "fault", error.message.removeprefix("target: ")) from None


# ---------------------------------------------------------------- expectations


def _expectation(values: dict[str, Any], place: Place, clients: Mapping[str, ClientPlan]) -> Expectation:
    that = values.get("that")
    if not isinstance(that, str):
        raise place.refuse("that", "it needs “that”: what must hold")
    kind = EXPECTATIONS.get(that)
    if kind is None:
        near = nearest(that, list(EXPECTATIONS))
        raise place.refuse("that", f"there is no expectation “{excerpt(that, 40)}”{near}")
    checked = read_table(kind.keys, {key: value for key, value in values.items() if key != "that"}, place)
    whom = tuple(clients)
    if checked.get("client") is not None:
        whom = (_known(checked["client"], place, clients, "client"),)
    _refuse_nonsense(that, checked, place, whom, clients)
    return Expectation(that, whom, checked, place.line)


def _refuse_nonsense(
    that: str,
    values: dict[str, Any],
    place: Place,
    whom: tuple[str, ...],
    clients: Mapping[str, ClientPlan],
) -> None:
    channel = values.get("channel")
    if channel is not None and not any(channel in clients[name].channels for name in whom):
        known = sorted({ch for name in whom for ch in clients[name].channels})
        raise place.refuse(
            "channel", f"nobody meant here is in “{excerpt(channel, 60)}”{nearest(channel, known)}"
        )
    if _needs_channel(EXPECTATIONS[that].keys) and not any(clients[name].channels for name in whom):
        raise place.refuse("that", f"“{that}” is about channels, and nobody meant here is in one")
    for key in ("sees", "seen_by"):
        for name in values.get(key) or ():
            _known(name, place, clients, key)
    if that == "verdict" and values["cause"] not in list(Cause):
        near = nearest(values["cause"], list(Cause))
        raise place.refuse("cause", f"there is no verdict “{excerpt(values['cause'], 40)}”{near}")
    if that == "rows":
        _refuse_rows(values, place)


def _needs_channel(keys: tuple[Key, ...]) -> bool:
    return any(key.name == "channel" for key in keys)


def _refuse_rows(values: dict[str, Any], place: Place) -> None:
    try:
        Filter(values["filter"])
    except FilterError as error:
        raise place.refuse("filter", f"{error.message} (at character {error.position + 1})") from None
    least, most, exactly = (values[key] for key in ("at_least", "at_most", "exactly"))
    if least is None and most is None and exactly is None:
        raise place.refuse("filter", "say how many rows: at_least, at_most or exactly")
    if exactly is not None and (least is not None or most is not None):
        raise place.refuse("exactly", "exactly and at_least or at_most contradict each other")
    if least is not None and most is not None and least > most:
        raise place.refuse("at_most", "at_least is more than at_most")
