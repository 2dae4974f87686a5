"""What is told of messages that wait for a person, as plain values: for the control interface and for the window.

Owns the names of these members, and how much of a content is told. A list holds no contents.
"""

from __future__ import annotations

from typing import Any

from sonde_lab.faults.holding import Held
from sonde_lab.faults.limits import MAX_EDIT_BYTES
from sonde_lab.faults.telling import WAYS
from sonde_lab.wire import BINARY


def held_told(held: Held, now: float) -> dict[str, Any]:
    """A held message from outside."""
    facts = held.lane.stream.facts
    return {
        "number": held.number,
        "rule": held.armed.number,
        "connection": facts.number,
        "conn": facts.conn,
        "peer": facts.peer,
        "direction": WAYS[held.lane.direction],
        "ordinal": held.whole.ordinal,
        "type": held.op,
        "binary": held.whole.opcode == BINARY,
        "size": held.size,
        "age_s": round(now - held.since, 3),
        "goes_in_s": round(max(0.0, held.goes_at - now), 3),
    }


def content_told(held: Held) -> dict[str, Any]:
    """What it says: `text` where it is one, else `hex`; neither when it does not inflate. `cut`: there is more."""
    plain = held.whole.plain
    if plain is None:
        return {"cut": False}
    shown = plain[:MAX_EDIT_BYTES]
    is_cut = len(shown) < len(plain)
    if held.whole.is_text:
        try:
            return {"text": shown.decode(errors="ignore" if is_cut else "strict"), "cut": is_cut}
        except UnicodeDecodeError:
            pass
    return {"hex": shown.hex(), "cut": is_cut}
