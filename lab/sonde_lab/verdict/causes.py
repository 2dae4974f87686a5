"""The table of causes: for each why, one sentence, by whom, and what to do.

Owns the words. Refuses to look at rows. Causes of dials take their words from the client, which knows them already. The
documentation's table is compared with this one by a test.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from sonde_client.errors import CAUSES as FAILURES


class Cause(enum.StrEnum):
    """Why a connection ended, or never came about."""

    UNKNOWN = "unknown"
    # a person's own acts
    DISCONNECTED = "disconnected"
    CUT_HERE = "cut_here"
    CLOSED_BY_HAND = "closed_by_hand"
    RESTARTED_HERE = "restarted_here"
    NODE_KILLED_HERE = "node_killed_here"
    NODE_PAUSED_HERE = "node_paused_here"
    INJECTED_FAULT = "injected_fault"
    PROXY_ENDED = "proxy_ended"
    # somebody decided it
    LEFT = "left"
    CLIENT_CLOSED = "client_closed"
    KICKED = "kicked"
    SUPERSEDED = "superseded"
    MOVED = "moved"
    DRAINED = "drained"
    LEAVING = "leaving"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    SERVER_CLOSED = "server_closed"
    APPLICATION_CODE = "application_code"
    POLICY = "policy"
    # who the client is, and what it may
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a cause, not a secret
    REVOKED = "revoked"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a cause, not a secret
    FORBIDDEN = "forbidden"
    CONNECTION_LIMIT = "connection_limit"
    IDENTIFY_TIMEOUT = "identify_timeout"
    SESSION_EXPIRED = "session_expired"
    RESUME_REFUSED = "resume_refused"
    # what the client did
    RATE_LIMITED = "rate_limited"
    BAD_FRAMES = "bad_frames"
    FRAME_TOO_LARGE = "frame_too_large"
    TOO_MANY_ERRORS = "too_many_errors"
    PROTOCOL_ERROR = "protocol_error"
    SLOW_CONSUMER = "slow_consumer"
    BAD_SERVER_FRAMES = "bad_server_frames"
    # silence
    OWN_STALL = "own_stall"
    CLIENT_SILENT = "client_silent"
    NOT_ARRIVING = "not_arriving"
    CLIENT_GIVEN_UP = "client_given_up"
    HALF_OPEN = "half_open"
    SERVER_SILENT = "server_silent"
    SERVER_NOT_READING = "server_not_reading"
    # no goodbye
    GATEWAY_DIED = "gateway_died"
    GATEWAY_GONE = "gateway_gone"
    GATEWAY_RESTARTED = "gateway_restarted"
    RESET = "reset"
    CUT = "cut"
    NETWORK_GONE = "network_gone"
    # dials that never became open
    BAD_URL = "bad_url"
    DIAL_DNS = "dial_dns"
    DIAL_REFUSED = "dial_refused"
    DIAL_UNREACHABLE = "dial_unreachable"
    DIAL_TIMEOUT = "dial_timeout"
    DIAL_RESET = "dial_reset"
    DIAL_INJECTED = "dial_injected"
    TLS_FAILED = "tls_failed"
    TLS_CERTIFICATE = "tls_certificate"
    NOT_WEBSOCKET = "not_websocket"
    WRONG_SUBPROTOCOL = "wrong_subprotocol"
    HTTP_UNAUTHORIZED = "http_unauthorized"
    HTTP_REFUSED = "http_refused"
    HTTP_UNAVAILABLE = "http_unavailable"
    HTTP_ERROR = "http_error"
    TOKEN_SOURCE = "token_source"  # noqa: S105 - a cause, not a secret
    TOKEN_UNCHANGED = "token_unchanged"  # noqa: S105 - a cause, not a secret
    GREETING_TIMEOUT = "greeting_timeout"
    WRONG_VERSION = "wrong_version"
    IDENTIFY_REFUSED = "identify_refused"
    REFUSED_BY_PROXY = "refused_by_proxy"


class Words(NamedTuple):
    """What is said of a cause. `sentence` and `by` may hold `{names}` that a rule gives; `needs` is for the documents."""

    sentence: str
    by: str
    advice: str
    needs: str


_YOU, _GATEWAY, _NOBODY = "You", "The gateway", "It cannot be told from here"
_COMES_BACK = "Nothing: the client comes back by itself."

_TABLE: Final[dict[Cause, Words]] = {
    Cause.UNKNOWN: Words(
        "Why it ended cannot be told from these rows.", _NOBODY,
        "Look at the rows below, and at the gateway's log of that moment.", "nothing else fits, or two causes fit",
    ),
    Cause.DISCONNECTED: Words(
        "You disconnected it.", _YOU, "Nothing. “Connect” begins a new session.",
        "your act on this very client, then its own goodbye",
    ),
    Cause.CUT_HERE: Words(
        "You cut its socket on purpose.", _YOU, _COMES_BACK, "your act on this very client, then the socket cut from this side",
    ),
    Cause.CLOSED_BY_HAND: Words(
        "You closed it with a close frame of your own.", _YOU, "“Connect” brings it back.",
        "your act on this very client, then the close frame that it names",
    ),
    Cause.RESTARTED_HERE: Words(
        "You restarted the embedded gateway.", _YOU, "Nothing: sessions of a gateway in memory are gone, the client begins a new one.",
        "your act, then the end within ten seconds",
    ),
    Cause.NODE_KILLED_HERE: Words(
        "You killed the node that carried it.", _YOU, "Nothing: another node takes the session up. “Start node” brings it back.",
        "your act on the node that this socket's `hello` named, then an end without a goodbye",
    ),
    Cause.NODE_PAUSED_HERE: Words(
        "You paused the node that carried it, and it fell silent.", _YOU, "“Continue node” lets it go on.",
        "your act on the node that this socket's `hello` named, then silence",
    ),
    Cause.INJECTED_FAULT: Words(
        "A fault that was injected on purpose ended it.", "Whoever injected the fault", "Nothing: it was meant to happen.",
        "close code 4006, a `fault` command on this very session, or an injected fault on this very client whose effect is seen",
    ),
    Cause.PROXY_ENDED: Words(
        "It ended with the proxy.", "The proxy of this window", "“Connect” starts the proxy again.", "the proxy says so",
    ),
    Cause.LEFT: Words(
        "{who} said goodbye: nothing went wrong.", "{who}", "Nothing.", "a close frame 1000 or 1001 of the client, first",
    ),
    Cause.CLIENT_CLOSED: Words(
        "{who} closed it with {code}.", "{who}", "The client's own log says why.", "a close frame of the client first, with another code",
    ),
    Cause.KICKED: Words(
        "Somebody with the right to do so ended this session (“kick”).", "{kicker}",
        "Ask who it was, then connect again by hand: a kicked client does not come back by itself.",
        "close code 4410, or a `kick` command on this very session",
    ),
    Cause.SUPERSEDED: Words(
        "The same session was taken up by another connection.", "Another connection of the same session",
        "Look for a second program, window or device that uses the same session.", "close code 4409 while this client was not moving itself",
    ),
    Cause.MOVED: Words(
        "The client had moved its session to another connection, as the gateway had asked it to.", "The client, at the gateway's word",
        "Nothing: nothing was lost.", "close code 4409 after a `resume` of this client on a newer socket",
    ),
    Cause.DRAINED: Words(
        "The node was being emptied, and this connection was left at its deadline.", _GATEWAY,
        "Nothing where another node is up; else wait until the gateway is back.", "close code 4001",
    ),
    Cause.LEAVING: Words(
        "{who} was shutting down or restarting.", "{who}", "Wait until it is back; the client tries by itself.",
        "a close frame 1001 or 1012 of the server, first",
    ),
    Cause.OVERLOADED: Words(
        "{who} had too much to do and asked to come back later.", "{who}", "Wait as long as it asked; look at its load.",
        "close code 4200 or 1013",
    ),
    Cause.SERVER_ERROR: Words(
        "Something failed inside the server.", "{who}", "Look at the server's log of that moment.", "close code 4005 or 1011 of the server",
    ),
    Cause.SERVER_CLOSED: Words(
        "{who} closed it with {code} and gave no reason that this version knows.", "{who}", "Look at the server's log of that moment.",
        "a close frame of the server first, whose code says no more",
    ),
    Cause.APPLICATION_CODE: Words(
        "{who} closed it with {code}, a code of its own application.", "{who}", "The application's documents say what that code means.",
        "another protocol's close code from 3000 on",
    ),
    Cause.POLICY: Words(
        "{who} closed it for breaking a rule of its own (1008).", "{who}", "The close frame's reason may name the rule.", "close code 1008",
    ),
    Cause.TOKEN_EXPIRED: Words(
        "The token ran out while the connection was open.", _GATEWAY,
        "Give the client a token source, so that it can refresh in band (auth) when the gateway asks for it.", "close code 4010",
    ),
    Cause.REVOKED: Words(
        "The token was revoked while the connection was open.", "Whoever revoked it", "Get a new token and connect again.",
        "close code 4401 with the word `revoked`",
    ),
    Cause.TOKEN_REFUSED: Words(
        "The gateway did not accept the token.", _GATEWAY, "Get a new token and connect again.", "close code 4401",
    ),
    Cause.FORBIDDEN: Words(
        "The token does not allow what was asked for.", _GATEWAY, "Get a token with the roles that are needed.", "close code 4403",
    ),
    Cause.CONNECTION_LIMIT: Words(
        "This user has too many sessions.", _GATEWAY, "Close one of the others, or wait until a dropped one ends.", "close code 4411",
    ),
    Cause.IDENTIFY_TIMEOUT: Words(
        "The client did not say who it is in time.", _GATEWAY, "The client must send `identify` or `resume` as its first frame.", "close code 4408",
    ),
    Cause.SESSION_EXPIRED: Words(
        "The session had been away for longer than the gateway keeps it.", _GATEWAY,
        "Nothing: a new session was begun. Check what was sent shortly before.",
        "a refused resume after more than `resume_ttl_ms` away, or close code 4100",
    ),
    Cause.RESUME_REFUSED: Words(
        "The gateway would not resume the session: {says}.", _GATEWAY, "Nothing: the client tries again or begins a new session.",
        "a refused resume whose cause is no long absence",
    ),
    Cause.RATE_LIMITED: Words(
        "The client sent more than it may.", _GATEWAY, "Send less at once; the errors before the end say when to go on.", "close code 4201",
    ),
    Cause.BAD_FRAMES: Words(
        "The gateway did not understand what the client sent.", _GATEWAY, "Look at the frames marked malformed: the client is wrong there.",
        "close code 4400",
    ),
    Cause.FRAME_TOO_LARGE: Words(
        "A message was larger than {who_small} takes.", "{who}", "Send less at once: `hello` names the limit.", "close code 4413 or 1009",
    ),
    Cause.TOO_MANY_ERRORS: Words(
        "The client made too many mistakes in a row.", _GATEWAY, "Look at the errors before the end.", "close code 4414",
    ),
    Cause.PROTOCOL_ERROR: Words(
        "{who} saw what the WebSocket protocol does not allow, and closed.", "{who}", "Look at the frame before the end, byte by byte.",
        "close code 1002, 1003 or 1007",
    ),
    Cause.SLOW_CONSUMER: Words(
        "The client took its messages more slowly than they came, until the gateway's queue was full.", _GATEWAY,
        "Do less for each message, subscribe to less, or look for a link that is too narrow.", "close code 4003",
    ),
    Cause.BAD_SERVER_FRAMES: Words(
        "The gateway sent too much that could not be read, and the client gave it up.", "The client", "Look at the frames marked malformed.",
        "the client's own note",
    ),
    Cause.OWN_STALL: Words(
        "This window itself was not running for {stalled}, and so the connection was given up.", "This computer",
        "Look for what held it up: a suspended laptop, a debugger, a busy processor.",
        "a note `stall` that covers at least half of the silence",
    ),
    Cause.CLIENT_SILENT: Words(
        "The client sent nothing for {silent}, although it was asked, and the gateway gave it up.", "The gateway, for the client's silence",
        "Look at what the client did then: it got the gateway's ping and did not answer.",
        "close code 4002; pings came in the last one and a half heartbeats, nothing was sent",
    ),
    Cause.NOT_ARRIVING: Words(
        "What the client sent did not arrive: frames still came in, but none of its own got through (half open).", "The network on the way out",
        "Look for a firewall, proxy or VPN on the way that has forgotten the connection.",
        "close code 4002; frames were sent and others received in the last one and a half heartbeats, nothing was answered",
    ),
    Cause.CLIENT_GIVEN_UP: Words(
        "The gateway heard nothing from this client for too long and gave it up (missed heartbeats).", _GATEWAY,
        "The link may have been down for a while, or the gateway itself hung: compare with its log.",
        "close code 4002, and the rows tell no more",
    ),
    Cause.HALF_OPEN: Words(
        "Nothing came for {silent} over this socket while the same gateway still spoke to others (half open).", "The network on the way in",
        "Look for a firewall, proxy or VPN on the way that has forgotten the connection.",
        "the client gave up; another connection to the same node heard it in the same silence",
    ),
    Cause.SERVER_SILENT: Words(
        "Nothing was heard from the gateway for {silent}, and the client gave it up (missed heartbeats).", "The client, for the gateway's silence",
        "A half-open link and a hung gateway look the same from here: look whether other clients were served then.",
        "the client gave up after more than a heartbeat of silence",
    ),
    Cause.SERVER_NOT_READING: Words(
        "The gateway did not read what was sent, until too much was waiting.", "The client", "Look at the gateway's load, and send less at once.",
        "the client's own word",
    ),
    Cause.GATEWAY_DIED: Words(
        "The gateway's process ended.", "The embedded gateway's process", "Its last words are in the notices. “Restart gateway” brings it back.",
        "a note that the embedded gateway's process ended, within seconds of the end",
    ),
    Cause.GATEWAY_GONE: Words(
        "What listened at that address is gone: the socket ended without a goodbye, and the next dial was refused.",
        "The gateway's process, or what stands in front of it", "Look whether the gateway is running; a killed process leaves no goodbye.",
        "a FIN or reset without a close frame, and a refused dial as the next",
    ),
    Cause.GATEWAY_RESTARTED: Words(
        "The gateway was restarted: the socket ended without a goodbye, and who answers now knows neither session nor streams.",
        "The gateway's process", "Nothing: a new session was begun. Look at why it was restarted.",
        "a FIN or reset without a close frame, then a resume refused too early and another epoch of the same channel",
    ),
    Cause.RESET: Words(
        "The socket was reset: {who_small} threw it away without a goodbye.", "{who}",
        "Look for a crashed or overloaded server, a firewall or a balancer with a short patience.", "a reset (RST) without a close frame, and nothing else that fits",
    ),
    Cause.CUT: Words(
        "The socket was closed without a goodbye: {who_small} ended it.", "{who}",
        "Look for a killed process, or a balancer or proxy that cuts what is idle or old.", "a FIN without a close frame, and nothing else that fits",
    ),
    Cause.NETWORK_GONE: Words(
        "The network was gone: this computer's system gave the socket up.", "The network", "Check network, VPN and Wi-Fi.",
        "the socket's own error: timed out or unreachable",
    ),
    Cause.REFUSED_BY_PROXY: Words(
        "The proxy did not let it through: {says}.", "The proxy of this window", "Its note says what to change.", "the proxy's own note",
    ),
}  # fmt: skip
_BY_OF_DIALS: Final[Mapping[Cause, str]] = {
    Cause.BAD_URL: "The endpoint's address",
    Cause.DIAL_DNS: "The name service",
    Cause.DIAL_REFUSED: "The computer at that address",
    Cause.DIAL_UNREACHABLE: "The network",
    Cause.DIAL_TIMEOUT: _NOBODY,
    Cause.DIAL_RESET: "The other end, or something on the way",
    Cause.DIAL_INJECTED: _YOU,
    Cause.TLS_FAILED: "The two ends' TLS settings",
    Cause.TLS_CERTIFICATE: "This client, which does not trust the certificate",
    Cause.NOT_WEBSOCKET: "Whoever answered at that address",
    Cause.TOKEN_SOURCE: "The token source",
    Cause.TOKEN_UNCHANGED: "The token source",
    Cause.WRONG_VERSION: "The client, which speaks another version",
}


def _of_dial(cause: Cause) -> Words:
    _, title, advice = FAILURES[cause]
    sentence = f"It never came about: {title[0].lower()}{title[1:]}."
    return Words(sentence, _BY_OF_DIALS.get(cause, _GATEWAY), advice, f"a failed dial's note `{cause}`")


CAUSES: Final[Mapping[Cause, Words]] = MappingProxyType(
    {cause: _TABLE[cause] if cause in _TABLE else _of_dial(cause) for cause in Cause}
)
