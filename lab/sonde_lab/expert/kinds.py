"""The table of what can be found: names, how bad each is, what it means and what to do about it.

Owns words and limits. Refuses to look at rows. The documentation's table is compared with this one by a test.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


class Severity(enum.IntEnum):
    """How bad a finding is, the calmest first."""

    NOTE = 0  # worth knowing
    WARNING = 1  # something was late, large or repeated
    ERROR = 2  # something was lost, broken or refused to go on


@dataclass(slots=True, frozen=True)
class Limits:
    """Where a finding begins. What a gateway announces in `hello` goes before the figures here."""

    max_frame_bytes: int = 64 * 1024  # a message larger than this
    grace_s: float = 5.0  # of silence beyond the heartbeat's interval, and until a ping must be answered
    answer_s: float = 5.0  # until a question must be answered
    burst_per_s: int = 200  # frames of one connection in one direction within a second …
    burst_times: float = 10.0  # … and so many times its own mean


LIMITS: Final = Limits()


@dataclass(slots=True, frozen=True)
class FindingKind:
    """One kind. `term` is the filter that shows such rows when they are too many to be named one by one."""

    name: str
    severity: Severity
    title: str
    says: str
    advice: str
    term: str = ""


_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE

_TABLE: Final = (
    FindingKind(
        "sequence_gap", _ERROR, "Sequence gap",
        "Entries of a channel never came: their numbers are missing, and the gateway did not declare the hole.",
        "The client must ask for a snapshot (sync). Look at what the link and the gateway did just before.",
    ),
    FindingKind(
        "state_diverged", _ERROR, "State diverged",
        "A document was not what the gateway's hash says. The client asks for the gateway's copy and takes it.",
        "The row after it names the paths. Look for what alters messages on the way, or patches wrongly.",
        "op:state_diverged",
    ),
    FindingKind(
        "unclean_close", _ERROR, "Unclean close",
        "A connection ended without a close frame, or with a code that says that something was wrong.",
        "The code says who gave up and why. Without one it was the network, a proxy or a killed process.",
        "kind:close",
    ),
    FindingKind(
        "missed_heartbeat", _ERROR, "Missed heartbeat",
        "Nothing came for longer than the heartbeat and its grace, or a ping got no pong.",
        "The link is half open, or the other side hangs. Compare with the gateway's log of that time.",
    ),
    FindingKind(
        "token_expired", _ERROR, "Token expired",
        "The gateway closed the connection because its token had ended.",
        "Refresh the token in band (auth) when the gateway asks for it, a minute before it ends.",
        "close:4010",
    ),
    FindingKind(
        "upgrade_refused", _ERROR, "Upgrade refused",
        "The server answered the WebSocket upgrade with something else than 101.",
        "401 is the token, 403 the origin, 503 the limit or a drain. The row holds the answer's text.",
        "kind:handshake has:error",
    ),
    FindingKind(
        "malformed", _ERROR, "Malformed frame",
        "Bytes are no WebSocket frame, break its rules, or are no message of the protocol that was agreed on.",
        "Open the row: its text says what is odd. Ten within ten seconds end the connection.",
        "has:malformed",
    ),
    FindingKind(
        "slow_consumer", _WARNING, "Slow consumer",
        "The gateway dropped or merged messages because this client read too slowly, or gave it up for that.",
        "Do less for each message, subscribe to less, or look for a link that is too narrow.",
        "op:flow",
    ),
    FindingKind(
        "duplicate", _WARNING, "Duplicate",
        "An entry came again under a number that was seen already.",
        "Clients ignore it. Often the sign of two nodes that both believe to own a channel.",
    ),
    FindingKind(
        "out_of_order", _WARNING, "Out of order",
        "An entry came after later ones: the hole before them was a delay, not a loss.",
        "The gateway promises the order of a channel. Look at the bus between its nodes.",
    ),
    FindingKind(
        "refused", _WARNING, "Refused",
        "A command or a frame was answered with an error.",
        "The code says why. A temporary one may be tried again after the time that it names.",
        "has:error",
    ),
    FindingKind(
        "resume_refused", _WARNING, "Resume refused",
        "A session could not be taken up again, so the client has to identify anew.",
        "After a restart or a long absence that is right; else the resume time is too short.",
        "op:resume_failed",
    ),
    FindingKind(
        "unanswered", _WARNING, "No answer in time",
        "A command had no answer for more than five seconds.",
        "It may be done or not. Look for its answer (#number), then at the gateway's load.",
    ),
    FindingKind(
        "oversize", _WARNING, "Oversize",
        "A message is larger than the limit, or so large that only its beginning was kept.",
        "Send less at once. Over its announced limit a gateway closes with 4413.",
    ),
    FindingKind(
        "rate_burst", _WARNING, "Rate burst",
        "Within a second many times more frames passed than this connection is used to.",
        "Look at what set it off. Bursts fill queues, and full queues drop volatile messages.",
    ),
    FindingKind(
        "unread", _WARNING, "Bytes unread",
        "Bytes passed that could not be read here, so rows are missing. The connection itself may be well.",
        "This computer was too slow for the traffic. Nothing after that row is judged for this connection.",
        "op:gap",
    ),
    FindingKind(
        "token_expiring", _NOTE, "Token expiring",
        "The gateway asked for a new token.",
        "Nothing, when an auth command follows. Without one the connection ends with 4010.",
        "op:auth_required",
    ),
    FindingKind(
        "fragments", _NOTE, "Fragments",
        "A message came in several WebSocket frames.",
        "Nothing: that is allowed. Some servers and proxies are tested badly for it.",
        "has:fragments",
    ),
)  # fmt: skip
KINDS: Final[Mapping[str, FindingKind]] = MappingProxyType({kind.name: kind for kind in _TABLE})
