"""Spells of presence, written down as rosters one after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sonde_lab.spells import CHANGED, Spell


def spells_of(steps: Iterable[tuple[float, Mapping[str, str]]]) -> list[Spell]:
    """Spells of rosters one after another: at each time, every session's status."""
    open_: dict[str, tuple[float, str]] = {}
    made: list[Spell] = []
    for at, roster in steps:
        for session, (began, status) in tuple(open_.items()):
            if roster.get(session) != status:
                how = CHANGED if session in roster else "left"
                made.append(Spell(session, f"u-{session}", session, status, None, began, at, how))
                del open_[session]
        for session, status in roster.items():
            open_.setdefault(session, (at, status))
    made += [
        Spell(session, f"u-{session}", session, status, None, began, None)
        for session, (began, status) in open_.items()
    ]
    return made
