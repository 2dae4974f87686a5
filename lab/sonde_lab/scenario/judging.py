"""What must hold, held against what was seen: one verdict an expectation, with evidence and row numbers.

Owns the meaning of each expectation. Judges by what clients were told and by the rows of their wire; what was
injected is never asked, so that a fault that does nothing helps nobody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np

from sonde_lab.anatomy import nearest_rank
from sonde_lab.filter import Filter
from sonde_lab.records import Direction, Kind
from sonde_lab.ring import Ring
from sonde_lab.scenario.behaviours import Sent
from sonde_lab.scenario.plan import ClientPlan, Expectation
from sonde_lab.scenario.seeing import Happened, Log, Seeing, Told
from sonde_lab.scenario.seen_ends import ends_seen
from sonde_protocol.merge import state_hash
from sonde_protocol.states import ConnectionState

MAX_EXAMPLES: Final = 3


class Verdict(NamedTuple):
    """What became of an expectation."""

    expectation: Expectation
    is_met: bool
    evidence: str


@dataclass(slots=True)
class Case:
    """All that is known at the end of a play. `began_at` is the stage's time of the scenario's 0 s."""

    ring: Ring
    began_at: float
    plans: Mapping[str, ClientPlan]
    seen: Mapping[str, Seeing]
    witness: Seeing
    sent: Mapping[str, Sequence[Sent]]

    def row(self, row_id: int) -> str:
        """`row 12`."""
        return f"row {self.ring.label(row_id)}"

    def after(self, at: float) -> str:
        """A moment as seconds of the scenario."""
        return f"{at - self.began_at:.1f} s"

    @property
    def everybody(self) -> Iterator[Seeing]:
        """The clients and the witness."""
        yield from self.seen.values()
        yield self.witness


Finding = tuple[bool, str]


def judge(expectation: Expectation, case: Case) -> Verdict:
    """One verdict. Where it is about several clients, what is not met is told first."""
    about_all = _ABOUT_ALL.get(expectation.that)
    if about_all is not None:
        return Verdict(expectation, *about_all(case, expectation.values))
    ask = _OF_A_CLIENT[expectation.that]
    findings = [(name, *ask(case, case.seen[name], expectation.values)) for name in expectation.clients]
    told = [(name, met, said) for name, met, said in findings if said]
    wrong = [(name, said) for name, met, said in told if not met]
    shown = wrong or [(name, said) for name, _met, said in told]
    evidence = "; ".join(f"{name} {said}" for name, said in shown[:MAX_EXAMPLES])
    if len(shown) > MAX_EXAMPLES:
        evidence += f"; and {len(shown) - MAX_EXAMPLES} more"
    if not told:
        return Verdict(expectation, False, "nobody was there to judge it by")
    return Verdict(expectation, not wrong, evidence)


# ---------------------------------------------------------------- connections


def _reconnected(case: Case, seeing: Seeing, values: Mapping[str, Any]) -> Finding:
    outages, within_s, times = seeing.facts.outages, values["within"], values["times"]
    if not outages:
        return False, "was never cut off"
    if times is not None and len(outages) != times:
        rows = _rows(case, [each.row for each in outages])
        return False, f"was cut off {_times(len(outages))} ({rows}), not {_times(times)}"
    for each in outages:
        if each.back_at is None:
            return False, f"is not back since {case.after(each.at)} ({case.row(each.row)})"
        if each.back_at - each.at > within_s:
            took = f"{each.back_at - each.at:.2f} s"
            return False, f"took {took} from {case.row(each.row)} to {case.row(each.back_row)}"
    longest = max(outages, key=lambda each: (each.back_at or 0.0) - each.at)
    took_s = (longest.back_at or 0.0) - longest.at
    rows = f"{case.row(longest.row)} to {case.row(longest.back_row)}"
    return True, f"was cut off {_times(len(outages))}, and back after at most {took_s:.2f} s ({rows})"


def _never_dropped(case: Case, seeing: Seeing, _values: Mapping[str, Any]) -> Finding:
    outages, state = seeing.facts.outages, seeing.client.status.state
    if outages:
        return False, f"was cut off at {case.after(outages[0].at)} ({case.row(outages[0].row)})"
    return state is ConnectionState.LIVE, f"was never cut off, and is {state.value}"


def _resumed(case: Case, seeing: Seeing, values: Mapping[str, Any]) -> Finding:
    return _happened(case, seeing.facts.resumes, values["times"], "resumed")


def _new_session(case: Case, seeing: Seeing, values: Mapping[str, Any]) -> Finding:
    return _happened(case, seeing.facts.new_sessions, values["times"], "made a new session")


def _happened(case: Case, happened: list[Happened], times: int | None, what: str) -> Finding:
    is_met = bool(happened) if times is None else len(happened) == times
    rows = f" ({_rows(case, [each.row for each in happened])})" if happened else ""
    wanted = "" if is_met or times is None else f", not {_times(times)}"
    return is_met, f"{what} {_times(len(happened))}{rows}{wanted}"


def _close_code(case: Case, seeing: Seeing, values: Mapping[str, Any]) -> Finding:
    ring, code = case.ring, values["code"]
    closes = _of_conn(ring, seeing.name, Kind.CLOSE)
    fit = [row for row in closes if int(ring.value("code", row)) == code]
    times = values["times"]
    is_met = bool(fit) if times is None else len(fit) == times
    if fit:
        return is_met, f"ended with {code} {_times(len(fit))} ({_rows(case, fit)})"
    others = ", ".join(f"{int(ring.value('code', row))} ({case.row(row)})" for row in closes[:MAX_EXAMPLES])
    return is_met, f"never ended with {code}{f', but with {others}' if others else ''}"


def _verdict(case: Case, seeing: Seeing, values: Mapping[str, Any]) -> Finding:
    observers = values["seen_by"] or tuple(case.plans)
    ends = ends_seen(case.ring, (*observers, seeing.name), seeing.name)
    cause, times = values["cause"], values["times"]
    fit = [end.row for end in ends if end.verdict.cause == cause]
    is_met = bool(fit) if times is None else len(fit) == times
    if fit:
        return is_met, f"ended for {cause} {_times(len(fit))} ({_rows(case, fit)})"
    others = ", ".join(f"{end.verdict.cause} ({case.row(end.row)})" for end in ends[:MAX_EXAMPLES])
    return is_met, f"never ended for {cause}{f', but for {others}' if others else ''}"


def _ends(case: Case, seeing: Seeing, values: Mapping[str, Any]) -> Finding:
    status = seeing.client.status
    why = f": {status.failure.title}" if status.failure is not None else ""
    states = _of_conn(case.ring, seeing.name, Kind.STATE)
    row = f" ({case.row(states[-1])})" if states else ""
    is_met = status.state.value == values["state"]
    return is_met, f"is {status.state.value}{row}{'' if is_met else why}"


def _latency(case: Case, seeing: Seeing, values: Mapping[str, Any]) -> Finding:
    trips = trips_of(case.ring, seeing.name)
    if not trips:
        return False, "had no command answered"
    p95, slowest = nearest_rank(trips.values(), 95), max(trips, key=lambda row: trips[row])
    said = f"p95 of {len(trips)} commands is {p95:.0f} ms; the slowest took {trips[slowest]:.0f} ms ({case.row(slowest)})"
    return p95 < values["below"] * 1000, said


def trips_of(ring: Ring, conn: str) -> dict[int, float]:
    """How long each command of a client took that was answered, in ms, by the row of the command."""
    rows = [row for row in _of_conn(ring, conn, Kind.FRAME) if _is_answered(ring, row)]
    return {row: float(ring.value("rtt_ms", row)) for row in rows}


def _is_answered(ring: Ring, row: int) -> bool:
    is_command = int(ring.value("command", row)) >= 0 and int(ring.value("direction", row)) == Direction.OUT
    return is_command and not math.isnan(float(ring.value("rtt_ms", row)))


# ---------------------------------------------------------------- entries


def _channels(case: Case, seeing: Seeing, values: Mapping[str, Any]) -> list[str]:
    own = case.plans[seeing.name].channels
    return [ch for ch in own if values["channel"] in (None, ch)]


def _lost(case: Case, seeing: Seeing, values: Mapping[str, Any]) -> Finding:
    channels = _channels(case, seeing, values)
    if not channels:
        return True, ""
    reached = 0
    for ch in channels:
        if not any(log.ch == ch for log in seeing.facts.begins):
            return False, f"never came into {ch}"
        for log in _logs(case, ch):
            missing, held = _missing(case, seeing, log)
            reached += held
            if missing:
                return False, _what_is_missing(case, seeing, log, missing)
    return reached > 0, f"got {reached:,} entries of {', '.join(channels)}"


def _logs(case: Case, ch: str) -> list[Log]:
    found = {
        log: None for each in case.everybody for log in (*each.facts.begins, *each.facts.told) if log.ch == ch
    }
    return list(found)


def _missing(case: Case, seeing: Seeing, log: Log) -> tuple[list[int], int]:
    """The numbers that never reached a client, and how many did."""
    facts = seeing.facts
    known = [told for each in case.everybody for told in each.facts.told.get(log, ())]
    top = max([told.seq for told in known] + _acknowledged(case, log), default=0)
    events = {told.seq for told in known if told.is_event} | set(_acknowledged(case, log, events=True))
    own = facts.told.get(log, [])
    held = {seq for told in own for seq in range(told.first, told.seq + 1)}
    whole = max(facts.wholes.get(log, ()), default=0)
    begin = facts.begins.get(log, 0)
    excused = [span for span in facts.excused if span.log == log]
    missing = [
        seq
        for seq in range(begin + 1, top + 1)
        if seq not in held
        and (seq in events or seq > whole)
        and not any(span.after < seq <= span.until for span in excused)
    ]
    return missing, len(held)


def _acknowledged(case: Case, log: Log, *, events: bool = False) -> list[int]:
    """Numbers that gateways have confirmed. A log that began anew has none that is known to be of it."""
    if len(_logs(case, log.ch)) > 1:
        return []
    sent = [
        each for listed in case.sent.values() for each in listed if each.ch == log.ch and each.seq is not None
    ]
    return [each.seq for each in sent if each.seq is not None and (each.is_event or not events)]


def _what_is_missing(case: Case, seeing: Seeing, log: Log, missing: list[int]) -> str:
    first = missing[0]
    shown = ", ".join(str(seq) for seq in missing[:MAX_EXAMPLES]) + (
        " …" if len(missing) > MAX_EXAMPLES else ""
    )
    elsewhere = _row_of_entry(case, log.ch, first, besides=seeing.name)
    where = f"; others have {first} ({elsewhere})" if elsewhere else ""
    entries = "entry" if len(missing) == 1 else "entries"
    return f"misses {len(missing):,} {entries} of {log.ch}: {shown}{where}"


def _row_of_entry(case: Case, ch: str, seq: int, *, besides: str = "") -> str:
    ring = case.ring
    fit = np.flatnonzero((ring.column("seq") == seq) & (ring.column("direction") == Direction.IN))
    for place in fit:
        row = ring.ids.start + int(place)
        if ring.text("channel", row) == ch and ring.text("conn", row) != besides:
            return case.row(row)
    return ""


def _duplicates(case: Case, seeing: Seeing, values: Mapping[str, Any]) -> Finding:
    channels, count = _channels(case, seeing, values), 0
    if not channels:
        return True, ""
    for ch in channels:
        for log in _logs(case, ch):
            own = seeing.facts.told.get(log, [])
            count += len(own)
            found = told_twice(own)
            if found:
                return False, f"{found} of {ch} ({_row_of_entry(case, ch, own[-1].seq) or 'no row'})"
    return count > 0, f"was told {count:,} entries of {', '.join(channels)}, each once"


def told_twice(told: list[Told]) -> str:
    """What a client was told twice, or that something published once has two numbers; nothing where all is well."""
    seqs: set[int] = set()
    keys: dict[tuple[str, int], int] = {}
    for each in told:
        if each.seq in seqs:
            return f"was told entry {each.seq} twice"
        seqs.add(each.seq)
        if each.key is not None and each.is_event:
            if each.key in keys:
                by, n = each.key
                return f"was told {by}'s message {n} as entry {keys[each.key]} and as {each.seq}"
            keys[each.key] = each.seq
    return ""


# ---------------------------------------------------------------- state and presence


def _converged(case: Case, values: Mapping[str, Any]) -> Finding:
    channels = [ch for ch in _all_channels(case) if values["channel"] in (None, ch)]
    for ch in channels:
        truth = case.witness.client.store.channel(ch)
        if truth is None or truth.cursor is None:
            return False, f"the witness is not in {ch}"
        right = state_hash(truth.document)
        for name, seeing in case.seen.items():
            if ch not in case.plans[name].channels:
                continue
            view = seeing.client.store.channel(ch)
            if view is None or view.cursor is None:
                return False, f"{name} is not in {ch}"
            if state_hash(view.document) != right:
                return (
                    False,
                    f"{name} has another document of {ch}: it stands at {view.cursor.seq}, the witness at {truth.cursor.seq}",
                )
    return True, f"all have the witness's document of {', '.join(channels)}"


def _all_channels(case: Case) -> list[str]:
    return list(dict.fromkeys(ch for plan in case.plans.values() for ch in plan.channels))


def _presence(case: Case, seeing: Seeing, values: Mapping[str, Any]) -> Finding:
    channels, wanted = _channels(case, seeing, values), sorted(values["sees"])
    if not channels:
        return True, ""
    for ch in channels:
        view = seeing.client.store.channel(ch)
        if view is None:
            return False, f"is not in {ch}"
        seen = [member.user for member in view.members]
        stuck = [member.user for member in view.members if member.status == "reconnecting"]
        if sorted(seen) != wanted:
            return False, f"sees {', '.join(sorted(seen)) or 'nobody'} in {ch}"
        if stuck:
            return False, f"sees {', '.join(stuck)} reconnecting in {ch}"
    return True, f"sees {', '.join(wanted) or 'nobody'} in {', '.join(channels)}"


# ---------------------------------------------------------------- rows


def _rows_fit(case: Case, values: Mapping[str, Any]) -> Finding:
    fit = [
        case.ring.ids.start + int(place)
        for place in np.flatnonzero(Filter(values["filter"]).matching(case.ring))
    ]
    least, most, exactly = (values[key] for key in ("at_least", "at_most", "exactly"))
    least, most = (exactly, exactly) if exactly is not None else (least, most)
    is_met = (least is None or len(fit) >= least) and (most is None or len(fit) <= most)
    rows = f" ({_rows(case, fit)})" if fit else ""
    return is_met, f"{len(fit):,} of {len(case.ring):,} rows fit{rows}"


def _of_conn(ring: Ring, conn: str, kind: Kind) -> list[int]:
    rows = ring.ids.start + np.flatnonzero(ring.column("kind") == kind)
    return [int(row) for row in rows if ring.text("conn", int(row)) == conn]


def _rows(case: Case, rows: Sequence[int]) -> str:
    shown = ", ".join(str(case.ring.label(row)) for row in rows[:MAX_EXAMPLES])
    return f"row{'' if len(rows) == 1 else 's'} {shown}{' …' if len(rows) > MAX_EXAMPLES else ''}"


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


_OfClient = Callable[[Case, Seeing, Mapping[str, Any]], Finding]
_OF_A_CLIENT: Final[Mapping[str, _OfClient]] = MappingProxyType(
    {
        "reconnected": _reconnected,
        "never_dropped": _never_dropped,
        "resumed": _resumed,
        "new_session": _new_session,
        "no_lost_entries": _lost,
        "no_duplicates": _duplicates,
        "close_code": _close_code,
        "verdict": _verdict,
        "presence": _presence,
        "ends": _ends,
        "latency_p95": _latency,
    }
)
_ABOUT_ALL: Final[Mapping[str, Callable[[Case, Mapping[str, Any]], Finding]]] = MappingProxyType(
    {"state_converged": _converged, "rows": _rows_fit}
)
