"""Writes the tables in docs/scenarios.md, between their marks: `python docs/generate_scenarios.py`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from marked_tables import rewrite
from sonde_lab.scenario import vocabulary
from sonde_lab.scenario.keys import Holds, Key
from sonde_lab.scenario.real_stage import IMPOSSIBLE as IMPOSSIBLE_FOR_REAL
from sonde_lab.simulation.virtual_stage import IMPOSSIBLE as IMPOSSIBLE_VIRTUALLY

PAGE = Path(__file__).parent / "scenarios.md"
ROOT = Path(__file__).parents[1]
_KEYS = (
    ("", vocabulary.SCENARIO_KEYS),
    ("[gateway]", vocabulary.GATEWAY_KEYS),
    ("[[clients]]", vocabulary.CLIENT_KEYS),
    ("[[steps]]", vocabulary.STEP_KEYS),
)


def keys() -> str:
    """One row a key of each table."""
    rows = ["| table | key | holds | means | without it |", "|---|---|---|---|---|"]
    for table, listed in _KEYS:
        rows += [
            f"| {f'`{table}`' if table else 'the top'} | {_key(each)} | {_default(each)} |" for each in listed
        ]
    return "\n".join(rows) + "\n"


def _key(each: Key) -> str:
    return f"`{each.name}` | {each.holds.value} | {each.says}"


def _default(each: Key) -> str:
    if each.is_needed:
        return "is needed"
    if each.default is None or each.default == ():
        return "–"
    return f"{each.default:g} s" if each.holds is Holds.DURATION else f"{each.default}"


def behaviours() -> str:
    """One row a behaviour."""
    rows = ["| behaviour | what the client does |", "|---|---|"]
    return "\n".join(rows + [f"| `{name}` | {says} |" for name, says in vocabulary.BEHAVIOURS.items()]) + "\n"


def acts() -> str:
    """One row an act."""
    rows = ["| fault | target | what happens | `for`, unless said |", "|---|---|---|---|"]
    rows += [
        f"| `{name}` | {each.on.value} | {each.says} | {each.lasts_s:g} s |"
        for name, each in vocabulary.ACTS.items()
    ]
    return "\n".join(rows) + "\n"


def expectations() -> str:
    """One row an expectation."""
    rows = ["| that | must hold | keys |", "|---|---|---|"]
    for name, kind in vocabulary.EXPECTATIONS.items():
        rows.append(f"| `{name}` | {kind.says} | {' · '.join(_described(kind.keys))} |")
    return "\n".join(rows) + "\n"


def _described(listed: Iterable[Key]) -> Iterable[str]:
    for each in listed:
        words = f" ({' '.join(each.words)})" if each.words else ""
        yield f"`{each.name}`{'' if each.is_needed else '?'} {each.says}{words}"


def stages() -> str:
    """What each stage refuses."""
    rows = ["| refused | faults | because |", "|---|---|---|"]
    for stage, table in (("`--virtual`", IMPOSSIBLE_VIRTUALLY), ("for real", IMPOSSIBLE_FOR_REAL)):
        for why in dict.fromkeys(table.values()):
            names = " ".join(f"`{name}`" for name, said in table.items() if said == why)
            rows.append(f"| {stage} | {names} | {why} |")
    return "\n".join(rows) + "\n"


def ready() -> str:
    """One row a scenario that comes with Sonde."""
    rows = ["| scenario | what it is | layer |", "|---|---|---|"]
    folder = ROOT / "assets" / "scenarios"
    for path in sorted(folder.rglob("*.toml")):
        text = path.read_text(encoding="utf-8")
        head = text.partition("\nname")[0]
        name = text.partition('name = "')[2].partition('"')[0]
        rows.append(
            f"| `{path.relative_to(folder).with_suffix('')}` | {name} | {head.rpartition('(')[2].rstrip(')')} |"
        )
    return "\n".join(rows) + "\n"


TABLES = {
    "keys": keys, "behaviours": behaviours, "acts": acts, "expectations": expectations, "stages": stages, "ready": ready,
}  # fmt: skip


if __name__ == "__main__":
    rewrite(PAGE, TABLES)
