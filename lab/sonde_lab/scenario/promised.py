"""What is expected of a scenario that was made from a person's acts: the promises that a gateway and its clients give.

Owns which promise is asked for after which acts. It asks for none that the acts break by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sonde_lab.scenario.retold import Steps
from sonde_lab.scenario.vocabulary import MAX_EXPECTATIONS
from sonde_lab.scenario.writing import array, seconds_text, table
from sonde_lab.toml_text import quoted


def expectations(told: Steps, clients: Mapping[str, Sequence[str]], active: set[str]) -> Iterator[str]:
    """Tables of expectations. `clients`: everybody with their channels; `active`: channels in which somebody acts."""
    found = [*_of_connections(told, clients), *_of_entries(told, clients, active)]
    yield from found[:MAX_EXPECTATIONS]
    if not found:  # a scenario expects something
        yield _expect("rows", {"filter": quoted("op:ready"), "at_least": "1"})


def _of_connections(told: Steps, clients: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for name in clients:
        client = {"client": quoted(name)}
        if name in told.stopped | told.open_end:
            if name not in told.open_end:
                yield _expect("ends", client | {"state": quoted("stopped")})
            continue
        if name in told.cut and name not in told.left:
            yield _expect("reconnected", client | {"within": seconds_text(told.within_s)})
        elif name not in told.touched and name not in told.left:
            yield _expect("never_dropped", client)
        yield _expect("ends", client | {"state": quoted("live")})


def _of_entries(told: Steps, clients: Mapping[str, Sequence[str]], active: set[str]) -> Iterator[str]:
    shared = [
        ch for ch in dict.fromkeys(ch for channels in clients.values() for ch in channels) if ch in active
    ]
    if not shared:
        return
    gone = told.stopped | told.open_end
    for ch in shared:
        there = [name for name, channels in clients.items() if ch in channels and name not in gone]
        keeps = [name for name in there if name not in told.loses and not told.forgets]
        for that, names in (("no_lost_entries", keeps), ("no_duplicates", there)):
            is_all = len(names) == sum(ch in channels for channels in clients.values())
            for name in [""] if is_all else names:
                yield _expect(that, ({"client": quoted(name)} if name else {}) | {"channel": quoted(ch)})
        if not gone:
            yield _expect("state_converged", {"channel": quoted(ch)})
            yield _expect("presence", {"channel": quoted(ch), "sees": array(sorted(there))})


def _expect(that: str, values: Mapping[str, str]) -> str:
    return table("expect", {"that": quoted(that), **values})
