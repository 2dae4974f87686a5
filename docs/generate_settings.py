"""Writes the table of settings in docs/gateway.md, between its two marks: `python docs/generate_settings.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from marked_tables import rewrite
from sonde_server.settings import NamespaceSettings, Settings

PAGE = Path(__file__).parent / "gateway.md"


def table() -> str:
    """One row a setting: key, default, meaning."""
    rows = ["| key | default | meaning |", "|---|---|---|"]
    rows += [_row(name, field) for name, field in Settings.model_fields.items() if name != "namespaces"]
    rows += [_row(f"namespaces.NAME.{name}", field) for name, field in NamespaceSettings.model_fields.items()]
    return "\n".join(rows) + "\n"


def _row(name: str, field: Any) -> str:
    return f"| `{name}` | {_default(name, field)} | {field.description} |"


def _default(name: str, field: Any) -> str:
    if name == "node":
        return "the machine's name"
    value = field.get_default()
    if value is None:
        return "as the namespace" if name.startswith("namespaces.") else "–"
    if isinstance(value, frozenset):
        return "none"
    if isinstance(value, bool | str):
        return str(value).lower()
    return (
        f"{value:,.10g}" if isinstance(value, float) else f"{value:,}" if "port" not in name else str(value)
    )


TABLES = {"settings": table}


if __name__ == "__main__":
    rewrite(PAGE, TABLES)
