"""Acts of a person as steps of a scenario: a rule that was armed and taken away is one step that lasts as long.

Owns what each act becomes, and the sentence where it becomes nothing. It expects nothing: that is `promised`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from sonde_lab.acts import DoneAct
from sonde_lab.changes import Act
from sonde_lab.faults.grammar import parse_rule, said_in
from sonde_lab.faults.rules import OFF_AFTER_S, Rule, RuleRefused
from sonde_lab.scenario.writing import seconds_text, table
from sonde_lab.toml_text import quoted
from sonde_lab.wording import one_line
from sonde_protocol.redact import redact_text

LONGEST_ACT_S: Final = 300.0
SHORTEST_S: Final = 0.1
RESTART_S: Final = 0.5
WITHIN_S: Final = 10.0  # beside what a fault itself takes
_PLAIN_NUMBER: Final = re.compile(r"(?:0|[1-9]\d{0,8})(?:\.\d{1,6})?")
_OF_PROXY: Final = re.compile(r"\b(?:conn|peer|number|path|subprotocol)\b\s*(?:[:=<>~]|!=)", re.IGNORECASE)
_CUTS: Final = frozenset({"reset", "cut", "handover", "server_restart", "overload"})
_STOPS: Final = frozenset({"kick", "revoked", "expired_session"})
_LOSES: Final = frozenset({"drop", "corrupt", "truncate", "sequence_gap", "reorder", "stale_replay", "delay"})
_OPEN_END: Final = frozenset(
    {"close", "permissions_changed", "invalid_token", "missing_identify", "late_identify"}
)
_SILENT: Final = frozenset({Act.NEXT_CLIENT, Act.TAP, Act.UNTAP, Act.SEND, Act.MARK})


@dataclass(slots=True)
class Step:
    """One step: its keys as TOML. `ends_s`: when it is taken away, where somebody did that."""

    at_s: float
    fault: str
    target: str
    keys: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """As it stands in the file."""
        head = {"at": seconds_text(self.at_s), "fault": quoted(self.fault)}
        head |= {"target": quoted(self.target)} if self.target else {}
        return table("steps", {**head, **self.keys}, self.notes)


@dataclass(slots=True)
class _Rule:
    """One that is armed now: its steps, one a client."""

    rule: Rule
    at_s: float
    steps: list[Step]


@dataclass(slots=True)
class Steps:
    """All that was done. `cut`, `stopped`, `left`, `loses`: clients to whom that happens."""

    steps: list[Step] = field(default_factory=list)
    notes: list[tuple[float, str]] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)  # by something that may cut them off, too
    left: set[str] = field(default_factory=set)
    loses: set[str] = field(default_factory=set)
    open_end: set[str] = field(default_factory=set)  # it is not known how they end
    forgets: bool = False  # a gateway that keeps everything in memory was ended
    within_s: float = WITHIN_S
    span_s: float = 0.0


class _Retelling:
    """One telling. `zero` is the scenario's 0 s on the clock of the acts."""

    def __init__(
        self, zero: float, own: Sequence[str], players: Sequence[str], nodes: int, players_on: bool
    ) -> None:
        self.told = Steps()
        self._zero = zero
        self._own = own
        self._players = players
        self._nodes = nodes
        self._players_on = players_on
        self._armed: dict[int, _Rule] = {}
        self._away: dict[str, Step] = {}  # clients that have left
        self._down: dict[str, Step] = {}  # nodes that are killed or paused
        self._refused: list[Step] = []

    def take(self, done: DoneAct) -> None:
        """One act."""
        self.told.span_s = max(self.told.span_s, done.at - self._zero)
        tell = _TELLS.get(done.act)
        if tell is not None:
            tell(self, done, self._at(done))
        elif done.act not in _SILENT:
            self._note(done, "")

    def end(self, at_s: float) -> None:
        """Nothing is done any more: what is away comes back in the end."""
        for step in [*self._away.values(), *self._down.values()]:
            self._last(step, max(SHORTEST_S, at_s - step.at_s))

    def _at(self, done: DoneAct) -> float:
        return round(max(0.0, done.at - self._zero), 2)

    def _note(self, done: DoneAct, why: str) -> None:
        self.told.notes.append((self._at(done), f"{done.words}{f': {why}' if why else ', which is no step'}"))

    def _add(self, at_s: float, fault: str, target: str = "", **keys: str) -> Step:
        step = Step(at_s, fault, target, {key.rstrip("_"): value for key, value in keys.items()})
        self.told.steps.append(step)
        return step

    @staticmethod
    def _last(step: Step, for_s: float) -> None:
        step.keys["for"] = seconds_text(max(SHORTEST_S, min(LONGEST_ACT_S, for_s)))

    # ------------------------------------------------------------ rules

    def arm(self, done: DoneAct, at_s: float) -> None:
        """Each rule is a step for each own client."""
        for place, line in enumerate(done.detail.splitlines()):
            try:
                rule, said = parse_rule(line), said_in(line)
            except RuleRefused:
                self._note(done, "is not understood any more")
                continue
            steps = [self._rule_step(at_s + rule.at_s, rule, said, name) for name in self._targets()]
            if place < len(done.numbers):
                self._armed[done.numbers[place]] = _Rule(rule, at_s, steps)
            self._judge(rule, said, set(self._own))

    def strike(self, done: DoneAct, at_s: float) -> None:
        """One client's session at the gateway, or its own socket: in a scenario, the same rule in its proxy."""
        try:
            rule, said = parse_rule(done.detail), said_in(done.detail)
        except RuleRefused:
            self._note(done, "is not understood any more")
            return
        if done.client not in self._own:
            self._note(done, "of a client that is not there any more")
            return
        step = self._rule_step(at_s + rule.at_s, rule, said, done.client)
        self._armed[-len(self.told.steps)] = _Rule(rule, at_s, [step])  # no proxy numbers it
        self._judge(rule, said, {done.client})

    def _targets(self) -> list[str]:
        """Whom a rule of the proxy meets: own clients. Without players that is everybody."""
        return list(self._own) if self._players else [""]

    def _rule_step(self, at_s: float, rule: Rule, said: Mapping[str, str], name: str) -> Step:
        step = self._add(at_s, rule.kind.name, f"client:{name}" if name else "")
        for key, text in said.items():
            if key in ("at", "off", "target"):
                continue
            step.keys[key] = text if _PLAIN_NUMBER.fullmatch(text) else quoted(redact_text(text))
        target = redact_text(said.get("target", ""))
        if _OF_PROXY.search(target):
            step.notes.append(one_line(f"the rule's target named connections of the proxy: {target}", 300))
        elif target:
            step.keys["filter"] = quoted(target)
        if "off" in said and not {"for", "count"} & said.keys() and not rule.kind.times:
            self._last(step, rule.off_after_s)
        return step

    def _judge(self, rule: Rule, said: Mapping[str, str], names: set[str]) -> None:
        """What happens to clients for certain, and what perhaps."""
        kind, told = rule.kind.name, self.told
        told.touched |= names
        is_certain = not {"target", "probability", "every", "after", "on"} & said.keys()
        if kind in _CUTS and is_certain:
            told.cut |= names
        if kind in _STOPS:
            told.stopped |= names
        if kind in _OPEN_END:
            told.open_end |= names
        if kind in _LOSES:
            told.loses |= names
        takes = [
            rule.number(each.name)
            for each in rule.kind.parameters
            if each.name in ("outage", "hold", "delay")
        ]
        told.within_s = min(60.0, told.within_s + sum(takes))

    def disarm(self, done: DoneAct, at_s: float) -> None:
        """The step of that rule ends there."""
        armed = self._armed.pop(int(done.detail), None) if done.detail.isdigit() else None
        if armed is not None:
            self._end_rule(armed, at_s)

    def all_off(self, _done: DoneAct, at_s: float) -> None:
        """Every rule ends there, and dials pass again."""
        for armed in self._armed.values():
            self._end_rule(armed, at_s)
        self._armed.clear()
        for step in self._refused:
            lasted = at_s - step.at_s
            if lasted < LONGEST_ACT_S and lasted < float(step.keys["for"].strip('"s')):
                self._last(step, lasted)
        self._refused.clear()

    def _end_rule(self, armed: _Rule, at_s: float) -> None:
        rule = armed.rule
        if rule.count and not rule.for_s:
            return  # it has struck as often as it may, or would have
        held_s = max(SHORTEST_S, at_s - armed.at_s - rule.at_s)
        if held_s < min(rule.for_s or OFF_AFTER_S, rule.off_after_s):
            for step in armed.steps:
                step.keys["for"] = seconds_text(held_s)

    # ------------------------------------------------------------ clients

    def drop(self, done: DoneAct, at_s: float) -> None:
        """A socket that is cut without a word."""
        if done.client in self._own:
            self._add(at_s, "reset", f"client:{done.client}")
            self.told.cut.add(done.client)
            self.told.touched.add(done.client)

    def refuse(self, done: DoneAct, at_s: float) -> None:
        """Dials that fail for a while."""
        if done.client in self._own:
            for_s = float(done.detail or 10)
            self._refused.append(self._add(at_s, "refuse", f"client:{done.client}", for_=seconds_text(for_s)))
            self.told.within_s = min(60.0, self.told.within_s + for_s)

    def kick(self, done: DoneAct, at_s: float) -> None:
        """Only own clients can be sent away here."""
        if done.detail not in self._own:
            self._note(done, "the session of somebody else")
            return
        self._add(at_s, "kick", f"client:{done.detail}")
        self.told.stopped.add(done.detail)

    def leave(self, done: DoneAct, at_s: float) -> None:
        """A goodbye; the step lasts until the client connects again."""
        if done.client in self._own and done.client not in self._away:
            step = self._away[done.client] = self._add(at_s, "leave", f"client:{done.client}")
            self.told.left.add(done.client)
            if done.act is Act.REMOVE_CLIENT:
                step.notes.append("it was removed, and comes back in the end")

    def come(self, done: DoneAct, at_s: float) -> None:
        """The end of having left."""
        step = self._away.pop(done.client, None)
        if step is None:
            self._note(done, "clients of a scenario come back by themselves, or not at all")
            return
        self._last(step, at_s - step.at_s)

    def add(self, done: DoneAct, _at_s: float) -> None:
        """Everybody is there from the beginning."""
        self._note(done, "in a scenario it is there from the beginning")

    def players(self, done: DoneAct, at_s: float) -> None:
        """Players leave and come all together."""
        is_on = done.detail != "0"
        if is_on == self._players_on:
            return
        self._players_on = is_on
        for name in self._players:
            if not is_on:
                self._away[name] = self._add(at_s, "leave", f"client:{name}")
            elif name in self._away:
                step = self._away.pop(name)
                self._last(step, at_s - step.at_s)
            else:  # they came later than everybody else
                self._last(self._add(0.0, "leave", f"client:{name}"), at_s)

    # ------------------------------------------------------------ gateways

    def restart(self, _done: DoneAct, at_s: float) -> None:
        """The embedded gateway, killed and started again."""
        self._add(at_s, "node_crash", for_=seconds_text(RESTART_S))
        self._everybody_is_cut(RESTART_S)

    def kill(self, done: DoneAct, at_s: float) -> None:
        """Nodes that are killed, until they are started again."""
        self._halt(done, at_s, "node_crash")

    def pause(self, done: DoneAct, at_s: float) -> None:
        """Nodes that stand still, until they go on."""
        self._halt(done, at_s, "node_freeze")

    def _halt(self, done: DoneAct, at_s: float, fault: str) -> None:
        for name in filter(None, done.detail.split(",")):
            node = self._node(name)
            if node in self._down:
                continue
            self._down[node] = self._add(at_s, fault, f"node:{node}")
        self.told.touched |= {*self._own, *self._players}

    def go_on(self, done: DoneAct, at_s: float) -> None:
        """Started again, or continued."""
        for name in filter(None, done.detail.split(",")):
            step = self._down.pop(self._node(name), None)
            if step is not None:
                self._last(step, at_s - step.at_s)

    def _node(self, name: str) -> str:
        found = re.search(r"(\d+)$", name)
        number = int(found[1]) if found else 1
        return f"n{number if 1 <= number <= self._nodes else 1}"

    def _everybody_is_cut(self, takes_s: float) -> None:
        everybody = {*self._own, *self._players}
        self.told.cut |= everybody
        self.told.touched |= everybody
        self.told.forgets = True
        self.told.within_s = min(60.0, self.told.within_s + takes_s)

    def stores(self, done: DoneAct, _at_s: float) -> None:
        """Only virtual time can take the stores away."""
        self._note(done, "on virtual time, “stores_away” comes close")

    def proxy(self, done: DoneAct, at_s: float) -> None:
        """A scenario's clients always have one. What stood in it ends with it."""
        if done.act is Act.TAKE_PROXY:
            self.all_off(done, at_s)
        self._note(done, "clients of a scenario always have a proxy of their own")


def retell(
    acts: Sequence[DoneAct],
    zero: float,
    own: Sequence[str],
    players: Sequence[str],
    nodes: int,
    players_on: bool,
) -> Steps:
    """What was done, as steps. `zero`: the scenario's 0 s on the clock of the acts; `players_on`: at that moment."""
    retelling = _Retelling(zero, own, players, nodes, players_on)
    for done in acts:
        retelling.take(done)
    last = max((done.at - zero for done in acts), default=0.0)
    retelling.end(last + SHORTEST_S)
    return retelling.told


_Tell = Callable[[_Retelling, DoneAct, float], None]
_TELLS: Final[Mapping[Act, _Tell]] = MappingProxyType(
    {
        Act.ARM: _Retelling.arm,
        Act.INJECT: _Retelling.strike,
        Act.BREAK_SOCKET: _Retelling.strike,
        Act.DISARM: _Retelling.disarm,
        Act.FAULTS_OFF: _Retelling.all_off,
        Act.DROP: _Retelling.drop,
        Act.REFUSE: _Retelling.refuse,
        Act.KICK: _Retelling.kick,
        Act.DISCONNECT: _Retelling.leave,
        Act.REMOVE_CLIENT: _Retelling.leave,
        Act.CONNECT: _Retelling.come,
        Act.ADD_CLIENT: _Retelling.add,
        Act.SET_PLAYERS: _Retelling.players,
        Act.RESTART_GATEWAY: _Retelling.restart,
        Act.KILL_NODE: _Retelling.kill,
        Act.PAUSE_NODE: _Retelling.pause,
        Act.START_NODE: _Retelling.go_on,
        Act.CONTINUE_NODE: _Retelling.go_on,
        Act.RESTART_NATS: _Retelling.stores,
        Act.RESTART_REDIS: _Retelling.stores,
        Act.PUT_PROXY: _Retelling.proxy,
        Act.TAKE_PROXY: _Retelling.proxy,
    }
)
