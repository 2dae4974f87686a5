"""A scenario's text from what a person has just done: the same clients, the same acts in the same distances.

Owns how an act becomes a step, which promises are expected to hold afterwards, and the comments that say what cannot
be a step. What is written reads back: `reading` takes it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sonde_lab.acts import DoneAct
from sonde_lab.changes import Act
from sonde_lab.scenario.promised import expectations
from sonde_lab.scenario.retold import Steps, retell
from sonde_lab.scenario.vocabulary import MAX_CLIENTS, MAX_STEPS
from sonde_lab.scenario.writing import array, seconds_text, table
from sonde_lab.toml_text import quoted
from sonde_lab.wording import one_line
from sonde_protocol.channels import parse_channel
from sonde_protocol.errors import Refused
from sonde_protocol.redact import redact_text

LEAD_S: Final = 2.0  # everybody is there and acts before anything goes wrong
TAIL_S: Final = 12.0
MAX_SPAN_S: Final = 560.0  # of 600 s that a scenario may last
MAX_PLAYERS: Final = 6
SETTLE_S: Final = 5.0
STAND_IN: Final = "p1"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_BEHAVIOURS: Final = ("walker", "walker", "chatter")  # of players, in turn
_OF_CLIENTS: Final = frozenset(
    {
        Act.ADD_CLIENT,
        Act.REMOVE_CLIENT,
        Act.DROP,
        Act.REFUSE,
        Act.CONNECT,
        Act.DISCONNECT,
        Act.SEND,
        Act.INJECT,
        Act.BREAK_SOCKET,
    }
)
_PRIVATE: Final = ("$", "user:")  # a witness may not come in there
_LISTED_SENDS: Final = 5


@dataclass(slots=True, frozen=True)
class Scene:
    """Where it was done. `clients`: own ones with their channels; `nodes` of the gateway; `place`: the endpoint's name."""

    clients: dict[str, tuple[str, ...]]
    players: int = 0
    nodes: int = 1
    room: str = "room:arena"
    place: str = "the embedded gateway"
    is_ours: bool = True


@dataclass(slots=True)
class _Client:
    name: str
    channels: list[str]
    behaviour: str = "silent"
    notes: list[str] = field(default_factory=list)


def span_of(acts: Sequence[DoneAct]) -> tuple[DoneAct, ...]:
    """The last acts, as many as fit into a scenario's length."""
    kept = acts[-1].at - MAX_SPAN_S if acts else 0.0
    return tuple(done for done in acts if done.at >= kept)


def text_of(acts: Sequence[DoneAct], scene: Scene, name: str) -> str:
    """The whole file."""
    acts = span_of(acts)
    began = acts[0].at if acts else 0.0
    players = [f"player{number + 1}" for number in range(min(_most_players(acts, scene), MAX_PLAYERS))]
    own = _own(acts, scene, players)
    steps = retell(acts, began - LEAD_S, [each.name for each in own], players, scene.nodes, scene.players > 0)
    _let_act(own, acts, steps)
    ends_s = max([LEAD_S, *(step.at_s for step in steps.steps), *(at_s for at_s, _words in steps.notes)])
    duration_s = math.ceil(min(600.0, ends_s + max(TAIL_S, steps.within_s + 2)))
    everybody = [*own, *_players(players, scene)]
    parts = [
        _head(name, scene, duration_s, steps, bool(acts)),
        *(_client(each) for each in everybody),
        *_told(steps, duration_s),
        *expectations(steps, {each.name: tuple(each.channels) for each in everybody}, _who_acts(everybody)),
    ]
    return "\n".join(parts)


# ---------------------------------------------------------------- who is there


def _own(acts: Sequence[DoneAct], scene: Scene, players: Sequence[str]) -> list[_Client]:
    known = dict(scene.clients)
    for done in acts:
        if done.act in _OF_CLIENTS and done.client not in known:
            known[done.client] = (scene.room,)
    fitting = {
        name: channels for name, channels in known.items() if _NAME.fullmatch(name) and name != "witness" and name not in players
    }  # fmt: skip
    made = [_Client(name, _valid(channels) or _valid((scene.room,))) for name, channels in fitting.items()]
    if not made:
        rooms = _valid((scene.room,))
        notes = ["stands in for the clients that were there"]
        made = [_Client(STAND_IN, rooms, "walker" if rooms else "silent", notes)]
    return made[: MAX_CLIENTS - len(players)]


def _valid(channels: Sequence[str]) -> list[str]:
    found = []
    for ch in dict.fromkeys(channels):
        try:
            parse_channel(ch)
        except Refused:
            continue
        found.append(ch)
    return [ch for ch in found if not ch.startswith(_PRIVATE)][:20]


def _most_players(acts: Sequence[DoneAct], scene: Scene) -> int:
    asked = [int(done.detail) for done in acts if done.act is Act.SET_PLAYERS and done.detail.isdigit()]
    return max([scene.players, *asked])


def _players(names: Sequence[str], scene: Scene) -> Iterator[_Client]:
    rooms = _valid((scene.room,))
    for place, name in enumerate(names):
        yield _Client(name, rooms, _BEHAVIOURS[place % len(_BEHAVIOURS)] if rooms else "silent")


def _let_act(own: list[_Client], acts: Sequence[DoneAct], steps: Steps) -> None:
    """Who sent by hand publishes at that pace: a scenario has no single messages."""
    span_s = max(10.0, steps.span_s)
    for client in own:
        sent = [done for done in acts if done.act is Act.SEND and done.client == client.name and done.detail]
        said = [
            each for each in (done.detail.partition(" ") for done in sent) if each[0] in ("publish", "patch")
        ]
        places = [ch for _op, _space, ch in said if ch in client.channels]
        if not places:
            continue
        client.channels.sort(key=lambda ch: ch != places[-1])
        rate_hz = max(0.2, min(20.0, round(len(said) / span_s, 1)))
        client.behaviour = f"publisher({rate_hz:g})"
        ops = ", ".join(f"{op} {ch}" for op, _space, ch in said[:_LISTED_SENDS])
        client.notes.append(f"stands for {len(said)} that were sent by hand: {ops}")


def _who_acts(everybody: Sequence[_Client]) -> set[str]:
    """Channels in which somebody acts."""
    return {each.channels[0] for each in everybody if each.behaviour != "silent" and each.channels}


# ---------------------------------------------------------------- the text


def _head(name: str, scene: Scene, duration_s: float, steps: Steps, has_acts: bool) -> str:
    lines = [f"# Made from what was done by hand at {_comment(scene.place)}."]
    if not scene.is_ours:
        lines.append("# It is played at a gateway of our own; at that one: sonde run --gateway URL.")
    if not has_acts:
        lines.append("# Nothing had been done yet: write [[steps]] below the clients.")
    values = {
        "name": quoted(one_line(redact_text(name), 200).strip() or "What I just did"),
        "seed": "1",
        "duration": seconds_text(duration_s),
        "settle": seconds_text(SETTLE_S),
    }
    lines += [f"{key} = {value}" for key, value in values.items()]
    if scene.nodes > 1:
        lines += ["", "[gateway]", f"nodes = {min(9, scene.nodes)}"]
    return "\n".join([*lines, ""])


def _client(client: _Client) -> str:
    values = {"name": quoted(client.name)}
    if client.channels:
        values["channels"] = array(client.channels)
    values["behaviour"] = quoted(client.behaviour)
    return table("clients", values, [_comment(note) for note in client.notes])


def _told(steps: Steps, duration_s: float) -> Iterator[str]:
    """Steps and what could be none, in the order in which they were done."""
    fitting = [step for step in steps.steps if step.at_s < duration_s]
    told = [(step.at_s, 1, step.text) for step in fitting[:MAX_STEPS]]
    told += [(at_s, 0, f"# {at_s:.1f} s: {_comment(words)}\n") for at_s, words in steps.notes]
    if len(fitting) > MAX_STEPS:
        told.append((duration_s, 2, f"# {len(fitting) - MAX_STEPS:,} more steps are left out.\n"))
    yield from (text for _at, _rank, text in sorted(told))


def _comment(words: str) -> str:
    """TOML allows no control characters in comments, and a file that is handed on no secrets."""
    return one_line(redact_text(words), 300)
