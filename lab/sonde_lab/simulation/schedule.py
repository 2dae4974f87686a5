"""What goes wrong in a world, and when: plain values that can be written down, read again and made smaller.

Owns the kinds of faults and their bounds. What each does is the world's.
"""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from sonde_lab.toml_text import quoted


class Kind(enum.StrEnum):
    """What may go wrong."""

    CUT = "cut"  # reset of a client's links; of what is under way `keep` items arrive each way
    HALF_OPEN = "half_open"  # a client's links carry nothing any more; its dials lead nowhere for `seconds`
    STALL = "stall"  # everything of a client is held for `seconds`, then released
    STALL_DOWN = "stall_down"  # the same for what it receives: a slow consumer
    LOSE = "lose"  # of a client's entries and rosters `keep` in ten are lost for `seconds`; then its links are reset
    SLOW = "slow"  # `keep` hundredths of a second more delay for `seconds`
    REFUSE = "refuse"  # a client's dials are refused for `seconds`
    KILL = "kill"  # a node's process is killed, and begins again after `seconds`
    POWER_LOSS = "power_loss"  # the same, and nobody resets its sockets
    DRAIN = "drain"  # a node is emptied within `seconds`, and begins again
    FREEZE = "freeze"  # a node's process stands still for `seconds`
    STORES = "stores"  # every store is away for `seconds`
    STORES_MIDWAY = "stores_midway"  # the same, and it strikes a call that had its effect already
    BUS = "bus"  # for `seconds` the bus loses `keep` entries in ten, and repeats some
    LEAVE = "leave"  # a client says goodbye, and comes anew after `seconds`
    SHORT_TOKEN = "short_token"  # noqa: S105 - from now on a client's tokens live for `seconds` more than the warning


@dataclass(slots=True, frozen=True)
class Fault:
    """One thing that goes wrong. `target`: the place of a client or node, taken round."""

    at: float  # s after the start
    kind: Kind
    target: int = 0
    seconds: float = 1.0
    keep: int = 0


LIMITS: Final = {"at": (0.0, 60.0), "seconds": (0.1, 20.0), "target": (0, 7), "keep": (0, 12)}
_KEYS: Final = tuple(each.name for each in fields(Fault))


def to_toml(seed: int, faults: list[Fault], **shape: int) -> str:
    """A schedule as text; `of_values` reads what it says."""
    lines = [f"seed = {seed}", *(f"{key} = {value}" for key, value in shape.items())]
    for fault in faults:
        values = asdict(fault) | {"kind": fault.kind.value}
        lines += ["", "[[fault]]"]
        lines += [f"{key} = {quoted(v) if isinstance(v, str) else repr(v)}" for key, v in values.items()]
    return "\n".join(lines) + "\n"


def of_values(values: Any) -> list[Fault]:
    """The faults of a schedule that was read.

    Raises:
        ValueError: which fault is wrong, and how, in a sentence.
    """
    listed = values.get("fault", []) if isinstance(values, dict) else []
    if not isinstance(listed, list):
        raise ValueError("fault must be a list of tables: [[fault]]")  # noqa: TRY004 - a file's fault
    return [_fault(number, each) for number, each in enumerate(listed, 1)]


def _fault(number: int, values: Any) -> Fault:
    if not isinstance(values, dict) or not set(values) <= set(_KEYS):
        raise ValueError(f"fault {number} takes {', '.join(_KEYS)} and nothing else")
    try:
        kind = Kind(str(values.get("kind")))
    except ValueError:
        known = ", ".join(each.value for each in Kind)
        raise ValueError(f"fault {number}: its kind is one of {known}") from None
    numbers = {key: value for key, value in values.items() if key != "kind"}
    for key, value in numbers.items():
        least, most = LIMITS[key]
        whole = isinstance(least, int)
        if (
            not isinstance(value, int if whole else int | float)
            or isinstance(value, bool)
            or not least <= value <= most
        ):
            raise ValueError(f"fault {number}: {key} is a number from {least} to {most}")
    return Fault(kind=kind, **{"at": 0.0, **numbers})
