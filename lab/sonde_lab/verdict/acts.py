"""Rules about what a person did: an act is the cause only where it hit this very connection, and its effect is seen.

Each rule is a pure function from the case to what it found, or `None`. Acts on other connections, sessions or nodes are
none of theirs.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from sonde_client.status import SocketEnd
from sonde_lab.verdict.causes import Cause
from sonde_lab.verdict.gathering import Case
from sonde_lab.verdict.verdicts import Certainty, Found
from sonde_lab.wording import identity, one_line
from sonde_protocol.codes import CloseCode

SOON_S: Final = 10.0  # an act on a process or socket shows within that
LIVED_ON_S: Final = 1.0  # what was on its way still comes for so long
LONGEST_FAULT_S: Final = 600.0  # whatever a gateway does on purpose is over then
_SILENCES: Final = frozenset({"half_open", "no_heartbeat", "slow_consumer", "lag_spike"})
_CODES_OF: Final = MappingProxyType(
    {
        "kick": (CloseCode.KICKED,),
        "server_restart": (CloseCode.SERVICE_RESTART, CloseCode.DRAINING),
        "overload": (CloseCode.OVERLOADED,),
        "expired_session": (CloseCode.TOKEN_EXPIRED,),
        "revoked": (CloseCode.AUTHENTICATION_FAILED,),
    }
)
_WITHOUT_GOODBYE: Final = frozenset({SocketEnd.FIN, SocketEnd.RESET, SocketEnd.TIMED_OUT, SocketEnd.UNKNOWN})


def ends_without_goodbye(case: Case) -> bool:
    """Nobody said goodbye, and it was not this side that cut the socket."""
    no_word = case.close_frame is None and case.bye is None and not case.code
    return no_word and case.by in ("network", "server") and case.words.how in _WITHOUT_GOODBYE


def _act(case: Case, words: str, within_s: float, *, exact: bool = True) -> int | None:
    """The newest act on this connection with these words."""
    for row_id, text in case.acts(within_s):
        if case.is_mine(row_id) and (text == words or (not exact and text.startswith(words))):
            return row_id
    return None


def _did(case: Case, row_id: int) -> str:
    return f"{case.ago(row_id)} before the end: {one_line(case.text(row_id), 120)}"


def disconnected(case: Case) -> Found | None:
    """Disconnect, or removing the client, then its goodbye."""
    if case.by != "client" or case.code not in (CloseCode.NORMAL, CloseCode.GOING_AWAY):
        return None
    act = _act(case, "disconnect", SOON_S) or _act(case, f"remove the client {case.conn}", SOON_S)
    if act is None:
        return None
    return Found(Cause.DISCONNECTED, (case.row(f"You did it {_did(case, act)}.", act),), Certainty.SHOWN)


def cut_here(case: Case) -> Found | None:
    """The socket was cut from this side, by an act."""
    if case.by != "client" or case.code:
        return None
    mine = (f"cut the socket of {case.conn}", f"cut client:{case.conn}", f"reset client:{case.conn}")
    act = next((row for words in mine if (row := _act(case, words, SOON_S)) is not None), None)
    if act is None:
        return None
    return Found(Cause.CUT_HERE, (case.row(f"You did it {_did(case, act)}.", act),), Certainty.SHOWN)


def closed_by_hand(case: Case) -> Found | None:
    """A close frame from the composer."""
    if case.by != "client" or not case.code:
        return None
    act = _act(case, f"close with {case.code}", SOON_S, exact=False)
    if act is None:
        return None
    return Found(Cause.CLOSED_BY_HAND, (case.row(f"You did it {_did(case, act)}.", act),), Certainty.SHOWN)


def kicked(case: Case) -> Found | None:
    """A kick that names this session, then the code that it asked for; else the code that only a kick has."""
    if case.is_foreign or case.by != "server":
        return None
    asked = next((row for row in case.commands("kick") if case.peek(row).code == case.code), None)
    words = f"kick session {identity(case.session)}" if case.session else ""
    acts = [row for row, text in case.acts(SOON_S) if text == words] if case.code == CloseCode.KICKED else []
    rows = [case.row(f"You asked for it {_did(case, acts[0])}.", acts[0])] if acts else []
    kicker = "You" if acts else "An administrator"
    if asked is not None:
        who = one_line(case.ring.text("conn", asked), 40)
        kicker = kicker if acts else f"The client {who}"
        rows.append(case.row(f"The client {who} sent the kick {case.ago(asked)} before the end.", asked))
    if rows:
        return Found(Cause.KICKED, tuple(rows), Certainty.SHOWN, {"kicker": kicker})
    is_real = case.code == CloseCode.KICKED and injected(case) is None
    return Found(Cause.KICKED, (), Certainty.TOLD) if is_real else None


def injected(case: Case) -> Found | None:
    """A fault of the gateway on this session, or one of this window on this client, whose effect is seen."""
    if case.is_foreign:
        return None
    for row_id, kind in case.faults(LONGEST_FAULT_S):
        if _shows(case, kind, case.time(row_id)):
            said = case.row(
                f"It was injected {case.ago(row_id)} before the end: {case.says(row_id)}.", row_id
            )
            return Found(Cause.INJECTED_FAULT, (said,), Certainty.SHOWN)
    act = _half_open(case)
    if act is not None:
        said = case.row(f"Injected {_did(case, act)}.", act)
        return Found(Cause.INJECTED_FAULT, (said,), Certainty.SHOWN)
    if case.by == "server" and case.code == CloseCode.INJECTED_FAULT:
        return Found(Cause.INJECTED_FAULT, (), Certainty.TOLD)
    return None


def _shows(case: Case, kind: str, asked_at: float) -> bool:
    """Whether the end is one that this fault of a gateway makes; most of them at once."""
    if kind in _SILENCES:
        return _is_silence(case)
    if kind == "flapping":
        return ends_without_goodbye(case)
    if case.at - asked_at > SOON_S:
        return False
    if kind in ("reset", "cut"):
        return ends_without_goodbye(case)
    return case.by == "server" and (kind == "close" or case.code in _CODES_OF.get(kind, ()))


def _is_silence(case: Case) -> bool:
    gave_up = case.by == "client" and "heartbeat" in case.reason
    return gave_up or case.code in (CloseCode.HEARTBEAT_LOST, CloseCode.SLOW_CONSUMER)


def _half_open(case: Case) -> int | None:
    """A half-open link that was injected on this client and that ended as such links do."""
    gave_up = case.by == "client" and "heartbeat" in case.reason
    if not gave_up and case.code != CloseCode.HEARTBEAT_LOST:
        return None
    return next((row for row, text in case.acts() if _names(text, "half_open", f"client:{case.conn}")), None)


def _names(text: str, fault: str, target: str) -> bool:
    words = text.split()
    return bool(words) and words[0] == fault and target in words


def restarted_here(case: Case) -> Found | None:
    """The embedded gateway was restarted by an act."""
    shutting = case.by == "server" and case.code in (
        CloseCode.GOING_AWAY, CloseCode.SERVICE_RESTART, CloseCode.DRAINING,
    )  # fmt: skip
    if case.words.is_proxied or not (shutting or ends_without_goodbye(case)):
        return None
    act = next((row for row, text in case.acts(SOON_S) if text == "restart the embedded gateway"), None)
    if act is None or _lived_on(case, act):
        return None
    return Found(Cause.RESTARTED_HERE, (case.row(f"You did it {_did(case, act)}.", act),), Certainty.SHOWN)


def node_killed_here(case: Case) -> Found | None:
    """An act killed the node that `hello` named."""
    if not ends_without_goodbye(case):
        return None
    found = _on_node(case, "kill", SOON_S, Cause.NODE_KILLED_HERE)
    return None if found is None or _lived_on(case, found.evidence[0].row_id) else found


def node_paused_here(case: Case) -> Found | None:
    """An act paused the node that `hello` named, and the client gave it up."""
    if case.by != "client" or "heartbeat" not in case.reason:
        return None
    found = _on_node(case, "pause", 600.0, Cause.NODE_PAUSED_HERE)
    return None if found is None or _lived_on(case, found.evidence[0].row_id) else found


def _lived_on(case: Case, act: int) -> bool:
    """Frames still came long after the act: it did not end this."""
    heard = case.last_received
    return heard is not None and case.time(heard) > case.time(act) + LIVED_ON_S


def _on_node(case: Case, verb: str, within_s: float, cause: Cause) -> Found | None:
    hello = case.newest("hello")
    if hello is None or not case.node:
        return None
    for row_id, text in case.acts(within_s):
        nodes = text.removeprefix(f"{verb} node ").split(", ") if text.startswith(f"{verb} node ") else []
        if case.node in nodes:
            there = case.row(f"This socket was carried by the node {one_line(case.node, 40)}.", hello)
            return Found(
                cause, (case.row(f"You did it {_did(case, row_id)}.", row_id), there), Certainty.SHOWN
            )
    return None


ACTS: Final = (
    disconnected, cut_here, closed_by_hand, kicked, injected, restarted_here, node_killed_here, node_paused_here,
)  # fmt: skip
