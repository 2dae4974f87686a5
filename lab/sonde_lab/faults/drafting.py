"""A rule that is put together field by field: its line, and what is wrong with it, told to the field where it is.

Owns how a field becomes a part of a line. What a line means, and what it may say, is the grammar's alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sonde_lab.faults.grammar import FIELDS, ONE_WAY, parse_rule
from sonde_lab.faults.rules import RuleRefused
from sonde_lab.faults.words import seconds_in_words, value_in_words
from sonde_lab.filter.completion import LIMIT, Completion
from sonde_protocol.faults import BY_NAME, KINDS, FaultKind, Parameter, Unit, Value


class Problem(NamedTuple):
    """Why a draft is no rule, and which of its fields it is about; empty where it is about none."""

    says: str
    field: str


def line_of(kind: FaultKind, said: Mapping[str, str]) -> str:
    """The line of a draft; fields with nothing in them are left out."""
    return _laid_out(kind, said)[0]


def problem_of(kind: FaultKind, said: Mapping[str, str]) -> Problem | None:
    """What is wrong with a draft; `None` when it is a rule."""
    line, ends = _laid_out(kind, said)
    try:
        parse_rule(line)
    except RuleRefused as refused:
        at = refused.position
        field = "" if at is None else next((name for name, end in ends.items() if at <= end), "")
        return Problem(refused.message, field)
    return None


def general_fields(kind: FaultKind) -> tuple[str, ...]:
    """The fields beside its parameters that a rule of this kind may have."""
    without = {parameter.name for parameter in kind.parameters}
    if not kind.direction or kind.name in ONE_WAY:
        without.add("direction")
    return tuple(name for name in FIELDS if name not in without)


def bounds_in_words(parameter: Parameter) -> str:
    """What a parameter takes: `how much later: 0 s to 60 s`."""
    if parameter.unit is Unit.TEXT:
        takes = f"at most {parameter.high:g} characters"
    elif parameter.unit is Unit.WORD:
        takes = ", ".join(parameter.words)
    else:
        takes = f"{_bound(parameter, parameter.low)} to {_bound(parameter, parameter.high)}"
    return f"{parameter.says}: {takes}"


def usual_end(kind: FaultKind) -> str:
    """How long a rule of the kind holds when nobody says so."""
    if kind.times:
        return "once" if kind.times == 1 else f"{kind.times} times"
    return f"for {seconds_in_words(kind.lasts_s)}" if kind.lasts_s else "until it is off"


def rule_completions(text: str, cursor: int) -> list[Completion]:
    """What may stand at the cursor of a rule's line."""
    head = text[:cursor]
    start = max(head.rfind(" "), head.rfind("\t")) + 1
    typed = head[start:].lower()
    if not head[:start].strip():
        found = [(kind.name, kind.says) for kind in KINDS]
    else:
        kind = BY_NAME.get(head.split()[0].lower())
        found = [] if kind is None or head.count('"') % 2 or not typed else _names(kind)
    near = [each for each in found if typed in each[0] and each[0] != typed]
    near.sort(key=lambda each: not each[0].startswith(typed))
    return [Completion(start, name, says) for name, says in near[:LIMIT]]


def _names(kind: FaultKind) -> list[tuple[str, str]]:
    own = [(f"{each.name}=", bounds_in_words(each)) for each in kind.parameters]
    return own + [(f"{name}=", FIELDS[name].parameter.says) for name in general_fields(kind)]


def _laid_out(kind: FaultKind, said: Mapping[str, str]) -> tuple[str, dict[str, int]]:
    line, ends = kind.name, {}
    for name, value in said.items():
        if value.strip():
            line += f" {name}={_quoted(value.strip())}"
            ends[name] = len(line)
    return line, ends


def _quoted(value: str) -> str:
    if not any(each.isspace() or each in '"\\' for each in value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _bound(parameter: Parameter, value: Value) -> str:
    return "0" if value == 0 else value_in_words(parameter, value)
