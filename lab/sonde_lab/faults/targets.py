"""What a rule is about: an expression of the filter language, some of which is known of the connection already.

Owns the fields of a connection (`number`, `peer`, `path`, `subprotocol`, `conn`). For kinds that act on connections
or bytes only these may be named; for kinds that act on messages they stand beside every field of a message.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sonde_lab.filter.fields import BY_NAME, Field, Holds
from sonde_lab.filter.grammar import compiled, parse
from sonde_lab.filter.terms import Both, Compare, Either, Everything, Not, Pattern, Term, Text
from sonde_protocol.faults import FaultKind, Scope

CONNECTION_FIELDS: Final[Mapping[str, Field]] = MappingProxyType(
    {
        "conn": BY_NAME["conn"],
        "connection": BY_NAME["conn"],
        "number": Field("number", Holds.NUMBER, "", "the connection's number, from 1"),
        "peer": Field("peer", Holds.NAME, "", "the client's address, host:port"),
        "path": Field("path", Holds.NAME, "", "the path that the client asked for"),
        "subprotocol": Field("subprotocol", Holds.NAME, "", "the subprotocol that was agreed on"),
    }
)
_OF_CONNECTION: Final = frozenset(field.name for field in CONNECTION_FIELDS.values())
_NOTHING: Final = Not(Everything())
_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = MappingProxyType(
    {
        ":": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
        ">=": operator.ge,
    }
)  # fmt: skip


@dataclass(slots=True)
class ConnectionFacts:
    """What is known of a connection; path and subprotocol are empty until its handshake tells them."""

    number: int
    peer: str = ""
    path: str = ""
    subprotocol: str = ""

    @property
    def conn(self) -> str:
        """Its name in rows."""
        return f"p{self.number}"


@dataclass(slots=True, frozen=True)
class Target:
    """An expression. An empty one means everything."""

    text: str
    term: Term

    @property
    def is_about_messages(self) -> bool:
        """Whether it asks for anything that only a message has."""
        return not all(isinstance(each, Everything) or _is_known(each) for each in _leaves(self.term))

    def names(self, field: str) -> bool:
        """Whether it asks for that field of the connection."""
        return any(isinstance(each, Compare) and each.field.name == field for each in _leaves(self.term))

    def bound(self, facts: ConnectionFacts) -> Term:
        """What is left to be asked of a message: `Everything`, nothing (`Not(Everything())`) or a term."""
        return _bound(self.term, facts)

    def takes(self, facts: ConnectionFacts) -> bool:
        """Whether it may mean anything of this connection."""
        return self.bound(facts) != _NOTHING


def target_of(kind: FaultKind, text: str) -> Target:
    """Read the target of a rule.

    Raises:
        FilterError: it is not understood, or names what this kind of fault cannot see.
    """
    if kind.scope is Scope.FRAME:
        return Target(text, parse(text, {**BY_NAME, **CONNECTION_FIELDS}))
    if kind.scope is Scope.CONNECTION and kind.layer.value != "TCP":
        return Target(text, parse(text, {**BY_NAME, **CONNECTION_FIELDS}))
    return Target(text, parse(text, CONNECTION_FIELDS, looks_inside=False))


def _leaves(term: Term) -> list[Term]:
    if isinstance(term, Not):
        return _leaves(term.term)
    if isinstance(term, Both | Either):
        return [leaf for each in term.terms for leaf in _leaves(each)]
    return [term]


def _is_known(term: Term) -> bool:
    return isinstance(term, Compare) and term.field.name in _OF_CONNECTION


def _bound(term: Term, facts: ConnectionFacts) -> Term:
    if isinstance(term, Compare) and term.field.name in _OF_CONNECTION:
        return Everything() if _compare(term, facts) else _NOTHING
    if isinstance(term, Not):
        inner = _bound(term.term, facts)
        return inner.term if isinstance(inner, Not) else _NOTHING if inner == Everything() else Not(inner)
    if isinstance(term, Both):
        return _joined(term, facts, Everything(), _NOTHING)
    if isinstance(term, Either):
        return _joined(term, facts, _NOTHING, Everything())
    return term


def _joined(term: Both | Either, facts: ConnectionFacts, neutral: Term, decides: Term) -> Term:
    left = []
    for each in term.terms:
        bound = _bound(each, facts)
        if bound == decides:
            return decides
        if bound != neutral:
            left.append(bound)
    return neutral if not left else left[0] if len(left) == 1 else type(term)(tuple(left))


def _compare(term: Compare, facts: ConnectionFacts) -> bool:
    value = getattr(facts, term.field.name)
    if term.field.holds is Holds.NUMBER:
        return _ORDER[term.relation](value, term.value)
    if term.relation == "~":
        return compiled(str(term.value)).search(value.encode()) is not None
    same = value.casefold() == str(term.value).casefold()
    return same if term.relation == ":" else not same


def connection_text_matches(term: Term, facts: ConnectionFacts) -> bool:
    """What a bound term of a target without messages says: plain words are looked for in all that is known."""
    said = f"{facts.conn} {facts.peer} {facts.path} {facts.subprotocol}"
    match term:
        case Everything():
            return True
        case Text(text):
            return text.casefold() in said.casefold()
        case Pattern(source, ignores_case):
            return compiled(source, ignores_case).search(said.encode()) is not None
        case Not(inner):
            return not connection_text_matches(inner, facts)
        case Both(terms):
            return all(connection_text_matches(each, facts) for each in terms)
        case Either(terms):
            return any(connection_text_matches(each, facts) for each in terms)
        case _:
            return False
