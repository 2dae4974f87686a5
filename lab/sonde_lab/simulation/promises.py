"""What must hold when a run is over, from all sides: the log against what everybody was told, documents, and rosters.

Owns the words of what is broken. What one client can see by itself is its witness's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sonde_lab.simulation.player import ROOM, Player
from sonde_lab.simulation.witness import Witness
from sonde_protocol.merge import apply
from sonde_protocol.states import ConnectionState
from sonde_server.core.records import Entry, Top


def broken(players: Sequence[Player], top: Top, entries: Mapping[int, Entry]) -> Iterator[str]:
    """What is not as it must be. `entries`: the whole log of the room, by number."""
    for player in players:
        for witness in player.witnesses:
            yield from witness.breaches
    if sorted(entries) != list(range(1, top.seq + 1)):
        yield f"the log has holes: {len(entries)} entries up to {top.seq}"
    late = {player.name: _may_be_late(player) for player in players}
    document: Any = {}
    for entry in entries.values():
        if entry.is_delta:
            before, document = document, apply(document, entry.d)
            yield from _undone(before, document, entry.seq, late)
    for player in players:
        places = _places(player.name, entries)
        for witness in player.witnesses:
            yield from _against_the_log(witness, places, entries, top.epoch)
        yield from _out_of_order(player.name, places, late[player.name])
        yield from _of_a_player(player, players, document, top)


def _of_a_player(player: Player, everybody: Sequence[Player], document: Any, top: Top) -> Iterator[str]:
    client, name = player.client, player.name
    status, view = client.status, client.store.channel(ROOM)
    if status.state is not ConnectionState.LIVE:
        why = f": {status.failure.cause}" if status.failure else ""
        yield f"{name} is {status.state.value} in the end{why}"
        return
    if view is None or view.cursor is None:
        yield f"{name} never got into the room"
        return
    if view.cursor.seq != top.seq or view.cursor.epoch != top.epoch:
        yield f"{name} stands at {view.cursor.seq}, the room at {top.seq}"
    if view.document != document:
        yield f"{name} has another document than the room"
    sessions = {other.client.status.session for other in everybody}
    seen = {member.session for member in view.members}
    if seen != sessions:
        yield f"{name} sees {len(seen - sessions)} who are not there, and misses {len(sessions - seen)} who are"
    looks = {other.client.status.session: other.look for other in everybody}
    stale = [m.name for m in view.members if m.session in looks and m.activity != looks[m.session]]
    if stale:
        yield f"{name} sees {', '.join(stale)} as they looked once"
    away = [member.name for member in view.members if member.status == "reconnecting"]
    if away:
        yield f"{name} sees {', '.join(away)} reconnecting for ever"


def _places(name: str, entries: Mapping[int, Entry]) -> dict[int, list[int]]:
    """Where a player's commands are in the log."""
    places: dict[int, list[int]] = {}
    for seq, entry in entries.items():
        if not entry.is_delta and entry.d["by"] == name:
            places.setdefault(entry.d["n"], []).append(seq)
    return places


def _may_be_late(player: Player) -> set[int]:
    """Commands that were refused for now may be overtaken by others that were under way already; and a node that stood
    still may do what it was sent when the session is over that sent it, which was told that nobody knows.
    """
    late = set().union(*(witness.postponed for witness in player.witnesses))
    return late | {sent.n for each in player.witnesses for sent in each.sent if sent.outcome == "unknown"}


def _undone(before: Any, after: Any, seq: int, late: Mapping[str, set[int]]) -> Iterator[str]:
    """A player's part is patched by nobody else, and each patch counts on."""
    was, now = before.get("players", {}), after.get("players", {})
    for name, part in was.items():
        n = now.get(name, {}).get("n", 0)
        if n < part["n"] and n not in late[name]:
            yield f"{name}: entry {seq} has undone what it had patched, from {part['n']} to {n}"


def _out_of_order(name: str, places: Mapping[int, list[int]], late: set[int]) -> Iterator[str]:
    numbers = [n for n in sorted(places, key=lambda n: places[n][0]) if n not in late]
    if numbers != sorted(numbers):
        yield f"{name}: the log has its commands in another order than they were sent"


def _against_the_log(
    witness: Witness, places: Mapping[int, list[int]], entries: Mapping[int, Entry], epoch: str
) -> Iterator[str]:
    for (told_epoch, seq), (kind, data) in witness.told.items():
        entry = entries.get(seq)
        if told_epoch != epoch or entry is None:
            yield f"{witness.name} was told of entry {seq}, which is not in the log"
        elif kind != "delta" and entry.d != data:
            yield f"{witness.name} was told {data} as entry {seq}, and the log says {entry.d}"
    for sent in witness.sent:
        found = places.get(sent.n, [])
        if len(found) > 1:
            yield f"{witness.name}: command {sent.n} is in the log {len(found)} times"
        if sent.outcome == "waiting":
            yield f"{witness.name}: command {sent.n} was never answered"
        elif sent.outcome == "refused" and found:
            yield f"{witness.name}: command {sent.n} was refused, and is in the log"
        elif sent.outcome == "ok" and sent.seq is not None and sent.seq not in entries:
            yield f"{witness.name}: command {sent.n} was acknowledged as {sent.seq}, which is not in the log"
        elif found and sent.outcome == "ok" and sent.seq != found[0]:
            yield f"{witness.name}: command {sent.n} was acknowledged as {sent.seq}, and is entry {found[0]}"
