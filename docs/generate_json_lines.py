"""Writes the tables of docs/testing.md about JSON lines from the code: `python docs/generate_json_lines.py`."""

from __future__ import annotations

from pathlib import Path

from marked_tables import rewrite
from sonde_lab.json_commands import COMMANDS, Key
from sonde_lab.json_lines import EVENTS

PAGE = Path(__file__).with_name("testing.md")


def _key(key: Key) -> str:
    kind = " / ".join(key.words) or key.kind
    if key.is_needed:
        return f"`{key.name}` {kind}"
    default = "" if key.default in (None, "") else f" ({_said(key.default)})"
    return f"*`{key.name}`* {kind}{default}"


def _said(default: object) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    return f"{default:g}" if isinstance(default, float) else str(default)


def commands() -> str:
    """One line a command; keys that may be left out are in italics, with their defaults."""
    lines = ["| `do` | does | keys | `ok` answers with |", "|---|---|---|---|"]
    for name, does in COMMANDS.items():
        keys = " · ".join(map(_key, does.keys)) or "–"
        lines.append(f"| `{name}` | {does.says} | {keys} | {does.answers or '–'} |")
    return "\n".join(lines) + "\n"


def events() -> str:
    """One line an event."""
    lines = ["| `event` | means | keys |", "|---|---|---|"]
    for name, (says, keys) in EVENTS.items():
        lines.append(f"| `{name}` | {says} | {' '.join(f'`{key}`' for key in keys.split())} |")
    return "\n".join(lines) + "\n"


TABLES = {"commands": commands, "events": events}


if __name__ == "__main__":
    rewrite(PAGE, TABLES)
