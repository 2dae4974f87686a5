"""What a failed dial looked like, in words: DNS, TCP, TLS, HTTP, or something that is no WebSocket gateway; and how
a socket that was open has ended.

Owns the translation of the system's and the library's exceptions into `DialFailure`. Every exception that a
dial can raise has one meaning here; peer text is cut and escaped.
"""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Final

import msgspec
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus, NegotiationError
from websockets.http11 import Response
from websockets.protocol import Protocol, State

from sonde_client.actions import DialFailure
from sonde_client.status import SocketEnd
from sonde_protocol.errors import excerpt

MAX_HANDSHAKE_BYTES: Final = 128 * 1024
_REFUSED = f"[Errno {errno.ECONNREFUSED}]"
_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})


class _Refusal(msgspec.Struct):
    """The JSON body of an HTTP refusal."""

    error: str = ""
    message: str = ""


def of_exception(error: Exception, where: str) -> DialFailure:
    """Why no TCP or TLS connection came about. `where` is "host:port"."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return DialFailure("tls_certificate", f"{where}: {excerpt(error.verify_message, 200)}.")
    if isinstance(error, ssl.SSLError):
        return DialFailure("tls_failed", f"{where}: {excerpt(error.reason or str(error), 200)}.")
    if isinstance(error, socket.gaierror | UnicodeError):
        return DialFailure(
            "dial_dns", f"{where}: {excerpt(getattr(error, 'strerror', '') or str(error), 200)}."
        )
    if isinstance(error, ConnectionRefusedError) or _REFUSED in str(error):
        return DialFailure("dial_refused", f"Nothing listens at {where}.")
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return DialFailure("dial_reset", f"{where} ended the connection.")
    if isinstance(error, TimeoutError):
        return DialFailure("dial_timeout", f"{where} did not answer.")
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return DialFailure("dial_unreachable", f"{where}: {excerpt(error.strerror or '', 200)}.")
    return DialFailure("dial_unreachable", f"{where}: {excerpt(str(error) or type(error).__name__, 200)}.")


def parting_words(ws: Protocol, cut_why: str | None) -> tuple[int | None, str, str]:
    """Code, reason and who, as far as close frames say so. `cut_why`: why we cut it, where we did."""
    if ws.close_rcvd is not None and ws.close_rcvd_then_sent is not False:
        return ws.close_rcvd.code, ws.close_rcvd.reason, "server"
    if cut_why is not None and ws.close_sent is None:
        return None, cut_why, "client"
    if ws.close_sent is not None:
        return ws.close_sent.code, ws.close_sent.reason, "client"
    return None, "", "network"


def manner(ws: Protocol, error: Exception | None, *, is_aborted: bool, saw_fin: bool) -> SocketEnd:
    """How a socket that was open came to its end, as it showed itself."""
    if ws.close_rcvd is not None or ws.close_sent is not None:
        return SocketEnd.GOODBYE
    if is_aborted:
        return SocketEnd.ABORTED
    if error is not None:
        return _of_error(error)
    return SocketEnd.FIN if saw_fin else SocketEnd.UNKNOWN


def _of_error(error: Exception) -> SocketEnd:
    """A broken pipe is a reset that a write found."""
    if isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return SocketEnd.RESET
    if isinstance(error, TimeoutError):
        return SocketEnd.TIMED_OUT
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return SocketEnd.UNREACHABLE
    return SocketEnd.UNKNOWN


def of_answer(ws: ClientProtocol, size_bytes: int, subprotocol: str, where: str) -> DialFailure | None:
    """What is wrong with the answer to an upgrade, of which so much has come; `None` while nothing is."""
    if ws.handshake_exc is not None:
        return _of_handshake(ws.handshake_exc, where)
    if ws.state is State.CONNECTING:
        is_endless = size_bytes > MAX_HANDSHAKE_BYTES
        return DialFailure("not_websocket", f"{where} sent an endless answer.") if is_endless else None
    if ws.subprotocol != subprotocol:
        return DialFailure("wrong_subprotocol", f"{where} did not agree to {subprotocol}.")
    return None


def of_early_end(error: Exception | None, where: str) -> DialFailure:
    """What a socket that ended before it was a WebSocket says."""
    if isinstance(error, OSError):
        return of_exception(error, where)
    return DialFailure("dial_reset", f"{where} ended the connection before it answered.")


def _of_handshake(error: Exception, where: str) -> DialFailure:
    if isinstance(error, InvalidStatus):
        return _of_status(error.response, where)
    if isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError):
        return of_early_end(None, where)
    if isinstance(error, NegotiationError):
        return DialFailure("wrong_subprotocol", f"{where}: {excerpt(str(error), 200)}.")
    if isinstance(error, InvalidMessage):
        return DialFailure("not_websocket", f"{where} did not answer in HTTP.")
    if isinstance(error, InvalidHandshake):
        return DialFailure("not_websocket", f"{where}: {excerpt(str(error), 200)}.")
    return DialFailure("not_websocket", f"{where}: {excerpt(str(error) or type(error).__name__, 200)}.")


def _of_status(response: Response, where: str) -> DialFailure:
    status = response.status_code
    detail = f"{where} answered {status} {excerpt(response.reason_phrase, 60)}"
    said = _body_message(bytes(response.body))
    location = response.headers.get_all("Location")
    if location:
        detail += f", pointing to {excerpt(location[0], 200)}"
    return DialFailure(
        "http_error",
        f"{detail}: {said}" if said else f"{detail}.",
        status=status,
        retry_after_s=_retry_after(response),
    )


def _body_message(body: bytes) -> str:
    try:
        refusal = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    message = excerpt(refusal.message, 300)
    return f"{message} ({excerpt(refusal.error)})." if refusal.error else message


def _retry_after(response: Response) -> float | None:
    """Seconds form only; a date would need the peer's clock."""
    values = response.headers.get_all("Retry-After")
    text = values[0].strip() if len(values) == 1 else ""
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None
