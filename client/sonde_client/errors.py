"""Failures as values: what went wrong, how bad it is, and what a person can do about it.

Owns `Failure` (shown in notices, status and logs) and the exceptions that the public API raises. Refuses to
decide anything: what follows from a failure is the session's business. Peer text inside is cut and escaped.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sonde_protocol.errors import SondeError


class Severity(enum.IntEnum):
    """How loud a failure is."""

    INFO = 10  # repaired by itself; worth a line
    WARNING = 20  # something was lost or is being retried
    ERROR = 30  # the client has stopped, or data is known to be wrong


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure in words for people.

    Attributes:
        cause: a stable identifier ("dial_refused"), for programs and for grouping.
        title: one short line. detail: what happened, with values. advice: what can be done now.
        at: monotonic seconds. code: the close code or HTTP status where there is one.
    """

    cause: str
    severity: Severity
    title: str
    detail: str
    advice: str
    at: float
    code: int | None = None

    def __str__(self) -> str:
        return f"{self.title}: {self.detail} {self.advice}".strip()


_I, _W, _E = Severity.INFO, Severity.WARNING, Severity.ERROR
_RETRIED = "It is tried again by itself; “Retry now” does not wait."
_CHECK_URL = "Check the endpoint's address: it should look like ws://host:port/v1/ws."
_RENEW = "Get a new token (sonde token …, or the endpoint's token source) and connect again."

# cause: severity, title, advice
CAUSES: Final = MappingProxyType(
    {
        "bad_url": (_E, "The address is no WebSocket address", _CHECK_URL),
        "dial_dns": (_W, "The host's name is not known", f"Check its spelling and the network. {_RETRIED}"),
        "dial_refused": (
            _W,
            "The connection was refused",
            f"Is the gateway running on that port? {_RETRIED}",
        ),
        "dial_unreachable": (
            _W,
            "The host cannot be reached",
            f"Check network, VPN and firewall. {_RETRIED}",
        ),
        "dial_timeout": (
            _W,
            "The gateway did not answer in time",
            f"A firewall may swallow packets. {_RETRIED}",
        ),
        "dial_injected": (_I, "Dialling is blocked on purpose", "The injected refusal ends by itself."),
        "dial_reset": (_W, "The connection broke during the upgrade", _RETRIED),
        "tls_failed": (
            _W,
            "No secure connection could be made",
            f"Check the gateway's certificate. {_RETRIED}",
        ),
        "tls_certificate": (
            _E,
            "The gateway's certificate is not trusted",
            "Install its authority's certificate on this machine, or use the name the certificate was made for.",
        ),
        "not_websocket": (_E, "What answers there is no WebSocket gateway", _CHECK_URL),
        "wrong_subprotocol": (
            _E,
            "The gateway does not speak this protocol",
            "Choose another codec, or check that the address is a Sonde gateway.",
        ),
        "http_unauthorized": (_E, "The token was refused", _RENEW),
        "http_refused": (
            _E,
            "The gateway refuses this client",
            "The message above names the reason; fix it first.",
        ),
        "http_unavailable": (_W, "The gateway is full or going down", _RETRIED),
        "http_error": (_W, "The gateway answered with an error", _RETRIED),
        "token_source": (_W, "No token could be had", f"Check the endpoint's token source. {_RETRIED}"),
        "token_unchanged": (
            _E,
            "The refused token came back from its source",
            "The token source must give a new token once one was refused.",
        ),
        "token_expiring": (
            _W,
            "The token is about to expire",
            "Give the client a token source, so that it can refresh by itself, or connect again with a new token.",
        ),
        "greeting_timeout": (_W, "The gateway did not answer the greeting", _RETRIED),
        "wrong_version": (_E, "The gateway speaks another version", "Update Sonde or the gateway."),
        "heartbeat_lost": (
            _W,
            "Nothing was heard from the gateway",
            f"The link may be half open. {_RETRIED}",
        ),
        "closed": (_W, "The connection ended", _RETRIED),
        "stopped": (
            _E,
            "The gateway told this client to stop",
            "See the reason, then connect again by hand.",
        ),
        "resume_refused": (_W, "The session could not be resumed", _RETRIED),
        "session_lost": (
            _W,
            "The session is gone; a new one was made",
            "State came back as snapshots. Check what was sent shortly before: its outcome is unknown.",
        ),
        "identify_refused": (
            _E,
            "The gateway refused the same greeting five times",
            "Fix the reason, then connect.",
        ),
        "command_refused": (_W, "The gateway refused a frame", "See its message."),
        "channel_gone": (_W, "A channel was taken away", "Check the token's roles and the channel's name."),
        "entries_lost": (_W, "Entries of a channel are missing", "A fresh snapshot was asked for."),
        "state_diverged": (
            _W,
            "A document is not the gateway's",
            "The gateway's copy was asked for and is taken.",
        ),
        "slow_consumer": (
            _I,
            "This client was too slow for the gateway",
            "Some frames were left out on purpose.",
        ),
        "malformed_frame": (_W, "The gateway sent something unreadable", "The frame was ignored."),
        "queue_file_corrupt": (
            _W,
            "The queue file was unreadable",
            "It was set aside; commands from before the restart are not sent again.",
        ),
        "queue_file_unwritable": (
            _W,
            "The queue file cannot be written",
            "Commands would not survive a restart of the program. Check the folder and the disk.",
        ),
    }
)


def failure(cause: str, detail: str, at: float, code: int | None = None) -> Failure:
    """The failure of a known cause, with its words."""
    severity, title, advice = CAUSES[cause]
    return Failure(cause, severity, title, detail, advice, at, code)


class OutcomeUnknown(SondeError):
    """A command was sent and its session ended before an answer came: it may or may not have been applied."""

    def __init__(self, op: str, number: int | None, reason: str) -> None:
        super().__init__(f"the outcome of {op} #{number} is unknown: {reason}")
        self.op = op
        self.number = number
        self.reason = reason


class NotSent(SondeError):
    """A command was not applied: it still waited when the client was closed or stopped, or a newer one has made it void."""

    def __init__(self, op: str, reason: str) -> None:
        super().__init__(f"{op} was not applied: {reason}")
        self.op = op
        self.reason = reason


class ConnectFailed(SondeError):
    """The client stopped, or did not become live in time. `failure` says why and what to do."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class StreamOverflow(SondeError):
    """A consumer of `client.events(..., overflow=Overflow.RAISE)` was too slow."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} events were waiting to be read")
        self.limit = limit
