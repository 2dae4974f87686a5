"""Writes the tables in docs/faults.md, between their marks: `python docs/generate_faults.py`."""

from __future__ import annotations

from pathlib import Path

from marked_tables import rewrite
from sonde_lab.faults.behaviour import BYTES_ORDER, LAST_OF_LAYER, ORDER
from sonde_lab.faults.grammar import FIELDS, ONE_WAY
from sonde_lab.faults.presets import presets
from sonde_protocol.faults import KINDS, FaultKind, Layer, Parameter, Unit
from sonde_protocol.injecting import AT_GATEWAY, AT_OWN_SOCKET

PAGE = Path(__file__).parent / "faults.md"


def taxonomy() -> str:
    """One row a kind, layer by layer."""
    rows = [
        "| layer | fault | parameters, with their defaults | what it does | way | unless said |",
        "|---|---|---|---|---|---|",
    ]
    for layer in Layer:
        rows += [_kind(kind) for kind in KINDS if kind.layer is layer]
    return "\n".join(rows) + "\n"


def _kind(kind: FaultKind) -> str:
    parameters = " · ".join(_parameter(each) for each in kind.parameters) or "–"
    way = kind.direction + (" only" if kind.name in ONE_WAY else "") if kind.direction else "–"
    unless = [f"for {kind.lasts_s:g} s"] * bool(kind.lasts_s)
    unless += ["once" if kind.times == 1 else f"{kind.times} times"] * bool(kind.times)
    return f"| {kind.layer.value} | `{kind.name}` | {parameters} | {kind.says} | {way} | {', '.join(unless) or '–'} |"


def _parameter(each: Parameter) -> str:
    if each.words:
        return f"`{each.name}` {' / '.join(each.words)}: {each.says}"
    default = f"“{each.default}”" if each.default else "nothing"
    if each.unit is not Unit.TEXT:
        default = f"{'±' if each.is_spread else ''}{_quantity(each.unit, float(each.default))}"
    return f"`{each.name}` {default}: {each.says}"


def _quantity(unit: Unit, value: float) -> str:
    if unit is Unit.SECONDS:
        return (
            f"{value * 1e6:g} µs"
            if 0 < value < 1e-3
            else f"{value * 1e3:g} ms"
            if 0 < value < 1
            else f"{value:g} s"
        )
    if unit is Unit.RATE:
        return f"{value / 1e3:g} kB/s"
    if unit is Unit.SHARE:
        return f"{value * 100:g}%"
    if unit is Unit.BYTES:
        return f"{value / (1 << 20):g} MB" if value >= 1 << 20 else f"{value:,.0f} B"
    return f"{value:.0f}"


def fields() -> str:
    """What every rule may say beside its kind's parameters."""
    rows = ["| field | is | means |", "|---|---|---|"]
    for name, field in FIELDS.items():
        each = field.parameter
        holds = " ".join(f"`{word}`" for word in each.words) if each.words else each.unit.value
        rows.append(f"| `{name}` | {holds} | {each.says} |")
    return "\n".join(rows) + "\n"


def order() -> str:
    """The order of composition."""
    layers = " → ".join(layer.value for layer in ORDER if layer not in (Layer.UPGRADE, Layer.TCP))
    kinds = " → ".join(f"`{name}`" for name in BYTES_ORDER)
    last = " and ".join(f"`{name}`" for name in LAST_OF_LAYER)
    return f"Messages: {layers}; within one, by the number of the rule, {last} last. Bytes, after that: {kinds}.\n"


def networks() -> str:
    """One row a preset."""
    rows = ["| preset | rules | source |", "|---|---|---|"]
    rows += [
        f"| {each.name} | {' · '.join(f'`{line}`' for line in each.lines)} | {each.source} |"
        for each in presets().values()
    ]
    return "\n".join(rows) + "\n"


def at_gateway() -> str:
    """The kinds that a gateway does, layer by layer."""
    rows = [
        (layer.value, [k.name for k in KINDS if k.layer is layer and k.name in AT_GATEWAY]) for layer in Layer
    ]
    return "".join(
        f"- {layer}: {', '.join(f'`{name}`' for name in names)}\n" for layer, names in rows if names
    )


def own_socket() -> str:
    """The kinds that a client's socket does."""
    return ", ".join(f"`{kind.name}`" for kind in KINDS if kind.name in AT_OWN_SOCKET) + "\n"


TABLES = {
    "taxonomy": taxonomy, "fields": fields, "order": order, "networks": networks, "at_gateway": at_gateway,
    "own_socket": own_socket,
}  # fmt: skip


if __name__ == "__main__":
    rewrite(PAGE, TABLES)
