"""Rules about silence: who heard nothing of whom, and whether it was this computer that was not running.

A gateway that hangs and a link that is half open look the same from one socket: they are told apart only where another
connection shows it.
"""

from __future__ import annotations

from typing import Final

from sonde_lab.records import Direction, Flag, Kind
from sonde_lab.stalls import LIMIT_S
from sonde_lab.verdict.causes import Cause
from sonde_lab.verdict.codes import MISSES
from sonde_lab.verdict.gathering import Case, Stall
from sonde_lab.verdict.verdicts import Certainty, Evidence, Found
from sonde_lab.wording import one_line, seconds
from sonde_protocol.codes import CloseCode

_CLEAR: Final = 0.2  # of a heartbeat: nearer to the end than that a frame may just have crossed it


def client_gave_up(case: Case) -> bool:
    """The client itself ended it for having heard nothing."""
    return case.by == "client" and not case.is_foreign and "heartbeat" in case.reason.replace("_", " ")


def _server_gave_up(case: Case) -> bool:
    return case.by == "server" and not case.is_foreign and case.code == CloseCode.HEARTBEAT_LOST


def own_stall(case: Case) -> Found | None:
    """This process stood still for at least half of the silence that ended it."""
    if client_gave_up(case):
        stall, last, what = _deaf(case), case.last_received, "heard"
    elif _server_gave_up(case):
        stall, what = _mute(case), "sent"
        earlier = (
            case.sent if stall is None else case.sent[case.pick("at", case.sent) < stall.began + LIMIT_S]
        )
        last = int(earlier[-1]) if len(earlier) else None
    else:
        return None
    if stall is None:
        return None
    lasted = seconds((stall.ended - stall.began) * 1000)
    rows = [case.row(f"This window itself was not running for {lasted}.", stall.row_id)]
    if last is not None:
        rows.append(case.row(f"The last frame {what} before that was {case.ago(last)} before the end.", last))
    return Found(Cause.OWN_STALL, tuple(rows), Certainty.SHOWN, {"stalled": lasted})


def _deaf(case: Case) -> Stall | None:
    """The stall in which the client did not hear what may have come."""
    return None if case.last_received is None else case.stall_within(case.time(case.last_received))


def _mute(case: Case) -> Stall | None:
    """The stall in which the client did not speak: in the gateway's patience it sent nothing but at the stall's edges."""
    patience_s = MISSES * case.heartbeat_s
    stall = case.stall_within(case.at - patience_s) if patience_s else None
    if stall is None:
        return None
    at = case.pick("at", case.sent)
    spoke = (at > case.at - patience_s + LIMIT_S) & (at < stall.began)
    return None if spoke.any() else stall


def client_given_up(case: Case) -> Found | None:
    """4002: what the gateway missed, as far as the rows show it."""
    if not _server_gave_up(case):
        return None
    beat_s = case.heartbeat_s
    since, until = case.at - MISSES * beat_s, case.at - _CLEAR * beat_s
    sent_at, heard_at = case.pick("at", case.sent), case.pick("at", case.received)
    sent = case.sent[(sent_at >= since) & (sent_at <= until)]
    heard = case.received[(heard_at >= since) & (heard_at <= until)]
    if not beat_s or not len(heard):
        return Found(Cause.CLIENT_GIVEN_UP, _last_words(case), Certainty.TOLD)
    still = case.row(f"Frames still came in until {case.ago(int(heard[-1]))} before the end.", int(heard[-1]))
    if not len(sent):
        silent = "all its life" if case.last_sent is None else case.ago(case.last_sent)
        return Found(Cause.CLIENT_SILENT, (still, *_last_sent(case)), Certainty.SHOWN, {"silent": silent})
    first = int(sent[0])
    count = "1 frame" if len(sent) == 1 else f"{len(sent):,} frames"
    lost = case.row(
        f"The client sent {count} in the last {seconds(MISSES * beat_s * 1000)}; the gateway says that none arrived.",
        first,
    )
    return Found(Cause.NOT_ARRIVING, (lost, still), Certainty.CONCLUDED)


def _last_sent(case: Case) -> tuple[Evidence, ...]:
    last = case.last_sent
    return (
        () if last is None else (case.row(f"The last frame sent was {case.ago(last)} before the end.", last),)
    )


def _last_words(case: Case) -> tuple[Evidence, ...]:
    last = case.last_received
    heard = (
        ()
        if last is None
        else (case.row(f"The last frame received came {case.ago(last)} before the end.", last),)
    )
    return heard + _last_sent(case)


def gateway_given_up(case: Case) -> Found | None:
    """The client heard nothing for too long."""
    if not client_gave_up(case):
        return None
    heard = case.last_received
    since = (
        case.time(heard) if heard is not None else case.time(int(case.ids[0])) if len(case.ids) else case.at
    )
    rows = _unheard(case, since)
    silent = {"silent": seconds((case.at - since) * 1000)}
    elsewhere = _heard_elsewhere(case, since)
    if elsewhere is not None:
        name = one_line(case.ring.text("conn", elsewhere), 40)
        told = case.row(
            f"The same node still spoke to {name} {case.ago(elsewhere)} before the end.", elsewhere
        )
        return Found(Cause.HALF_OPEN, (told, *rows), Certainty.CONCLUDED, silent)
    return Found(Cause.SERVER_SILENT, rows, Certainty.SHOWN, silent)


def _unheard(case: Case, since: float) -> tuple[Evidence, ...]:
    rows = []
    if case.last_received is not None:
        last = one_line(case.ring.text("op", case.last_received), 40)
        rows.append(
            case.row(
                f"The last frame received ({last}) came {case.ago(case.last_received)} before the end.",
                case.last_received,
            )
        )
    sent = case.sent[case.pick("at", case.sent) > since]
    if len(sent):
        beats = int(((case.pick("flags", sent) & int(Flag.HEARTBEAT)) != 0).sum())
        frames = "1 frame was" if len(sent) == 1 else f"{len(sent):,} frames were"
        of_them = f", {beats:,} of them heartbeats" if beats else ""
        rows.append(case.row(f"{frames} sent after that{of_them}, and nothing came back.", int(sent[0])))
    return tuple(rows)


def _heard_elsewhere(case: Case, since: float) -> int | None:
    """A frame that the same node sent to another connection in the second half of the silence."""
    if not case.node:
        return None
    ids = case.before
    at = case.pick("at", ids)
    alive = (at >= (since + case.at) / 2) & (case.pick("direction", ids) == Direction.IN)
    alive &= (case.pick("kind", ids) == Kind.FRAME) & ((case.pick("flags", ids) & int(Flag.TAPPED)) == 0)
    alive &= case.pick("conn", ids) != case.ring.value("conn", case.row_id)
    hellos = ids[case.op_is("hello", ids=ids) & (case.pick("direction", ids) == Direction.IN)]
    nodes = {int(case.ring.value("conn", row)): case.peek(row).node for row in hellos[-64:].tolist()}
    for row in ids[alive][::-1][:256].tolist():
        if nodes.get(int(case.ring.value("conn", row))) == case.node:
            return int(row)
    return None


def server_not_reading(case: Case) -> Found | None:
    """The client's own limit on what waits to be sent."""
    if case.by != "client" or "does not read" not in case.reason:
        return None
    return Found(Cause.SERVER_NOT_READING, _last_sent(case), Certainty.SHOWN)


def bad_server_frames(case: Case) -> Found | None:
    """The client's own limit on what it cannot read."""
    if case.by != "client" or case.is_foreign or case.reason.replace("_", " ") != "malformed frame":
        return None
    odd = case.received[(case.pick("flags", case.received) & int(Flag.MALFORMED)) != 0]
    rows = (case.row(f"The last of them: {case.says(int(odd[-1]), 80)}.", int(odd[-1])),) if len(odd) else ()
    return Found(Cause.BAD_SERVER_FRAMES, rows, Certainty.SHOWN)
