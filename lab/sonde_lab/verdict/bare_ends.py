"""Rules about sockets that ended without a goodbye: what the socket showed, and who answered afterwards."""

from __future__ import annotations

from typing import Final

from sonde_client.status import SocketEnd
from sonde_lab.envelope import integer
from sonde_lab.records import Direction, Kind
from sonde_lab.verdict.acts import ends_without_goodbye
from sonde_lab.verdict.causes import Cause
from sonde_lab.verdict.gathering import Case
from sonde_lab.verdict.verdicts import Certainty, Evidence, Found
from sonde_lab.wording import one_line, seconds

GONE_WITHIN_S: Final = 5.0
BEHIND_WITHIN_S: Final = 30.0
BURST_S: Final = 2.0
BURST_BYTES: Final = 64 * 1024  # from there on a gateway calls a consumer slow
LATE_MS: Final = 1_000.0
_OTHER_END: Final = "the other end, or something on the way to it,"


def gateway_died(case: Case) -> Found | None:
    """The embedded gateway's process ended in the same moment."""
    if case.words.is_proxied or not ends_without_goodbye(case):
        return None
    note = case.note("gateway_died", before_s=2.0, after_s=GONE_WITHIN_S, mine=False)
    if note is None:
        return None
    return Found(
        Cause.GATEWAY_DIED,
        (case.row(f"{one_line(case.text(note), 160).rstrip('. ')}.", note),),
        Certainty.SHOWN,
    )


def gateway_gone(case: Case) -> Found | None:
    """The next dial was refused: nothing listens there any more."""
    if case.words.is_proxied or not ends_without_goodbye(case) or case.words.how is SocketEnd.UNKNOWN:
        return None
    told = case.failures[
        ~case.op_is("dial_reset", ids=case.failures)
    ]  # a listener that is just going resets what waits
    first = int(told[0]) if len(told) else None
    if (
        first is None
        or case.ring.text("op", first) != "dial_refused"
        or case.time(first) > case.at + GONE_WITHIN_S
    ):
        return None
    after_s = seconds((case.time(first) - case.at) * 1000)
    row = case.row(
        f"The next dial, {after_s} later, was refused: {one_line(case.text(first), 120).rstrip('. ')}.", first
    )
    return Found(Cause.GATEWAY_GONE, (row, *_how(case)), Certainty.CONCLUDED)


def gateway_restarted(case: Case) -> Found | None:
    """Who answers now does not know the session, although it is not old, nor the stream of the same channel."""
    if not ends_without_goodbye(case) or not case.session:
        return None
    refused = _resume_refused(case)
    changed = None if refused is None else _other_epoch(case)
    if refused is None or changed is None:
        return None
    rows = (
        case.row(
            f"The resume was refused {seconds((case.time(refused) - case.at) * 1000)} later: {case.says(refused)}.",
            refused,
        ),
        case.row(
            f"The channel {one_line(case.ring.text('channel', changed), 60)} has begun another life (epoch).",
            changed,
        ),
    )
    return Found(Cause.GATEWAY_RESTARTED, (*rows, *_how(case)), Certainty.CONCLUDED)


def _resume_refused(case: Case) -> int | None:
    found = case.after[case.op_is("resume_failed", ids=case.after)]
    ready = case.newest("ready")
    if not len(found) or ready is None:
        return None
    row, kept_s = int(found[0]), integer(case.peek(ready).resume_ttl_ms, 0) / 1000
    is_early = case.time(row) - case.at < kept_s
    return row if is_early and case.peek(row).cause == "session_expired" else None


def _other_epoch(case: Case) -> int | None:
    """A snapshot after the end whose channel had another epoch before it."""
    said = ("snapshot", "live")
    before = {}
    for row in case.ids[case.op_is(*said)][-64:].tolist():
        before[case.ring.value("channel", row)] = case.peek(row).epoch
    after = case.after[case.op_is(*said, ids=case.after)][:64]
    for row in after.tolist():
        known = before.get(case.ring.value("channel", row))
        epoch = case.peek(row).epoch
        if isinstance(known, str) and isinstance(epoch, str) and known != epoch:
            return int(row)
    return None


def network_gone(case: Case) -> Found | None:
    """The system gave the socket up."""
    if case.words.how not in (SocketEnd.TIMED_OUT, SocketEnd.UNREACHABLE):
        return None
    return Found(Cause.NETWORK_GONE, _how(case), Certainty.SHOWN)


def behind(case: Case) -> Found | None:
    """A bare end of a socket that was far behind: a gateway that gives up a slow client may get no goodbye through."""
    if not _is_bare(case) or case.is_foreign:
        return None
    flows = case.received[case.op_is("flow", ids=case.received)]
    if len(flows) and case.time(int(flows[-1])) >= case.at - BEHIND_WITHIN_S:
        told = case.row(
            f"The gateway had said {case.ago(int(flows[-1]))} before the end that it was too slow.",
            int(flows[-1]),
        )
    elif (late := _late_burst(case)) is not None:
        told = case.row(
            f"It was behind: this, sent {case.ago(late)} before the end, was not answered in time.", late
        )
    else:
        return None
    bare = Cause.RESET if case.words.how is SocketEnd.RESET else Cause.CUT
    return Found(Cause.UNKNOWN, (told, *_how(case)), Certainty.OPEN, {"or": f"{Cause.SLOW_CONSUMER} {bare}"})


def _late_burst(case: Case) -> int | None:
    """Much came at once at the end, after an answer that took very long, or after a silence with open questions."""
    recent = case.received[case.pick("at", case.received) >= case.at - BURST_S]
    if not len(recent) or int(case.pick("size", recent).sum()) < BURST_BYTES:
        return None
    asked = case.sent[case.pick("at", case.sent) >= case.at - BEHIND_WITHIN_S]
    rtt_ms, asked_at = case.pick("rtt_ms", asked), case.pick("at", asked)
    late = asked[(rtt_ms > LATE_MS) | ((case.at - asked_at > LATE_MS / 1000) & ~(rtt_ms <= LATE_MS))]
    waits = (case.pick("command", late) >= 0) | case.op_is("ping", ids=late)
    late = late[waits]
    return int(late[-1]) if len(late) else None


def bare_end(case: Case) -> Found | None:
    """A reset or a FIN, and nothing else is known."""
    if not _is_bare(case) or case.words.how not in (SocketEnd.RESET, SocketEnd.FIN):
        return None
    cause = Cause.RESET if case.words.how is SocketEnd.RESET else Cause.CUT
    who = _OTHER_END
    if case.words.is_proxied:
        who = (
            "the client, or something on the way to it,"
            if case.by == "client"
            else "the server behind the proxy, or something on the way to it,"
        )
    values = {"who": who[0].upper() + who[1:].rstrip(","), "who_small": who}
    return Found(cause, (*_how(case), *_last_frame(case), *_back_elsewhere(case)), Certainty.SHOWN, values)


def _is_bare(case: Case) -> bool:
    no_word = case.close_frame is None and case.bye is None and not case.code
    if not case.frames.any() and not case.op_is("upgrade").any():
        return False  # no WebSocket: plain HTTP ends like that in all order
    return no_word and (ends_without_goodbye(case) or (case.words.is_proxied and case.by == "client"))


def _how(case: Case) -> tuple[Evidence, ...]:
    how = {SocketEnd.FIN: "was closed in order (FIN)", SocketEnd.RESET: "was reset (RST)"}.get(case.words.how)
    if how is None:
        how = {SocketEnd.TIMED_OUT: "timed out", SocketEnd.UNREACHABLE: "has no way to the other end"}.get(
            case.words.how, "ended"
        )
    return (case.row(f"The socket {how}, and no close frame came before that.", case.row_id),)


def _last_frame(case: Case) -> tuple[Evidence, ...]:
    last = case.last_received
    return (
        ()
        if last is None
        else (case.row(f"The last frame received came {case.ago(last)} before the end.", last),)
    )


def _back_elsewhere(case: Case) -> tuple[Evidence, ...]:
    """Whether another node took it up: worth knowing, and no proof that the first is dead."""
    hellos = case.after[case.op_is("hello", ids=case.after)]
    ours = (case.pick("kind", hellos) == Kind.FRAME) & (case.pick("direction", hellos) == Direction.IN)
    for row in hellos[ours][:1].tolist():
        node = case.peek(row).node
        if isinstance(node, str) and case.node and node != case.node:
            return (case.row(f"It was answered by another node afterwards: {one_line(node, 40)}.", row),)
    return ()


def proxy_ended(case: Case) -> Found | None:
    """The proxy ended, and took its connections with it."""
    if case.words.by != "proxy" or case.words.is_refused:
        return None
    return Found(
        Cause.PROXY_ENDED,
        (case.row("The proxy says that it ended with itself.", case.row_id),),
        Certainty.SHOWN,
    )
