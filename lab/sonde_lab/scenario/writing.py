"""Pieces of a scenario's file as text: tables, lists and durations, as `reading` takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sonde_lab.toml_text import quoted


def table(name: str, values: Mapping[str, str], notes: Sequence[str] = ()) -> str:
    """One `[[name]]` with its values, which are TOML already; `notes` are comments above it."""
    lines = [f"# {note}" for note in notes] + [f"[[{name}]]"]
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in values.items()), ""])


def array(texts: Sequence[str]) -> str:
    """A list of texts."""
    return f"[{', '.join(quoted(text) for text in texts)}]"


def seconds_text(seconds: float) -> str:
    """A duration to a hundredth of a second, in quotes."""
    return f'"{round(seconds, 2):.10g}s"'
