"""Writes `docs/states.md`: the three state machines, drawn from the tables that the code runs on.

Run it after a change of `sonde_protocol.states`; a test fails while the page is behind.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sonde_protocol import states

PAGE = Path(__file__).resolve().parent / "states.md"
MACHINES: tuple[tuple[str, str, Mapping[Any, Any], type[enum.Enum]], ...] = (
    ("Connection", "A client and its endpoint.", states.CONNECTION, states.ConnectionState),
    ("Session", "A session at the gateway, as both sides see it.", states.SESSION, states.SessionState),
    ("Channel", "A client's subscription to one channel.", states.CHANNEL, states.ChannelState),
)
HEADER = """# State machines

Drawn by `docs/generate_states.py` from the tables in `sonde_protocol.states`; do not edit by hand. A trigger that a state
has no arrow for is refused and changes nothing.
"""


def meanings(kind: type[enum.Enum]) -> dict[str, str]:
    """The comment beside each member."""
    found = re.findall(r'^\s+[A-Z_]+ = "(\w+)"  # (.+)$', inspect.getsource(kind), re.MULTILINE)
    return dict(found)


def diagram(table: Mapping[Any, Any], start: enum.Enum) -> list[str]:
    """Mermaid lines; triggers between the same two states share an arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (before, trigger), after in table.items():
        arrows.setdefault((before.value, after.value), []).append(trigger.value)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {start.value}"]
    lines += [f"    {before} --> {after}: {', '.join(names)}" for (before, after), names in arrows.items()]
    return [*lines, "```"]


def render() -> str:
    """The whole page."""
    lines = [HEADER]
    for title, says, table, kind in MACHINES:
        meaning = meanings(kind)
        lines += [
            f"## {title}",
            "",
            says,
            "",
            *diagram(table, next(iter(kind))),
            "",
            "| state | |",
            "|---|---|",
        ]
        lines += [f"| `{state.value}` | {meaning[state.value]} |" for state in kind]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
