"""One open socket: the asyncio shell over `websockets`' Sans-I/O protocol.

The library does the handshake and every unusual frame; whole masked data frames take the short path of
`framing.read_plain`. Once the connection is open and the library's object is idle it is dropped, and made again
on need. Owns no task, queue, stream or timer: deadlines wait on the listener's wheel. Decides nothing about
what a message means or who may enter.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Final, cast

from websockets.exceptions import ProtocolError
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Event
from websockets.protocol import State as LibraryState

from sonde_protocol.codes import CloseCode
from sonde_protocol.states import advance
from sonde_protocol.websocket_text import fitting_reason, is_utf8
from sonde_server.core.admission import HttpRefusal
from sonde_server.core.limits import TokenBucket
from sonde_server.forwarding import written
from sonde_server.framing import Framer, Library, first_slice, read_plain
from sonde_server.handshake import (
    HEADERS_TOO_LARGE,
    NOT_HTTP,
    TOO_EARLY,
    address,
    refusal_response,
    upgrade_request,
)
from sonde_server.proxy_protocol import SIGNATURE, NoProxyHeader, read_proxy_header
from sonde_server.socket_phases import PHASES, Phase, Trigger

if TYPE_CHECKING:
    from sonde_server.listener import Listener, Receiver


_LINGER_ZERO: Final = struct.pack("ii", 1, 0)  # makes the kernel send RST in place of FIN
_CLOSE_BYTE: Final = 0x80 | Opcode.CLOSE


class Socket(asyncio.Protocol):
    """One peer. Implements the core's `Wire`."""

    __slots__ = (
        "_connection",  # the core's side; None before the upgrade and after `on_lost`
        "_framer",
        "_handshake_bytes",
        "_library",  # None while open and idle
        "_listener",
        "_odd_frames",  # bucket for control frames and fragments; made with the first one
        "_phase",
        "_prelude",  # bytes of a PROXY header still to come; None when none is looked for
        "_transport",
        "_write",
        "peer",
    )

    _transport: asyncio.Transport

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._connection: Receiver | None = None
        self._framer: Framer = listener.text
        self._handshake_bytes = 0
        self._library: Library | None = None
        self._odd_frames: TokenBucket | None = None
        self._phase = Phase.NEW
        self._prelude: bytes | None = None
        self.peer = ""

    # ------------------------------------------------------------ what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer connected; it has the handshake time to become a WebSocket."""
        self._transport = cast("asyncio.Transport", transport)
        self._write = self._transport.write
        self._move(Trigger.CONNECTED)
        self.peer = address(transport.get_extra_info("peername"))
        limits = self._listener.limits
        self._transport.set_write_buffer_limits(limits.slow_bytes, limits.slow_bytes // 2)
        self._library = Library(LibraryState.CONNECTING, limits.max_message_bytes)
        if self._listener.is_introduced(self.peer):
            self._prelude = b""
        if not self._listener.enter(self):
            self.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes came: whole plain frames inline, anything else through the library, one odd frame at a time."""
        if self._prelude is not None:
            data = self._read_prelude(self._prelude + data)
        while data and self._phase is not Phase.GONE:
            if self._library is None:
                data = data[self._read_inline(data) :]
                if not data:
                    return
                if self._library is None:
                    self._library = Library(LibraryState.OPEN, self._listener.limits.max_message_bytes)
            size = len(data) if self._phase is Phase.HANDSHAKE else first_slice(data)
            self._read_by_library(self._library, data[:size])
            data = data[size:]

    def eof_received(self) -> bool:
        """The peer half-closed: WebSockets have no half, so the transport closes."""
        return False

    def resume_writing(self) -> None:
        """The write buffer fell to half of what counts as slow."""
        if self._connection is not None:
            self._connection.on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._move(Trigger.LOST)
        self._listener.leave(self)
        self._tell_lost(None, "")
        self._drop_library()
        # Both refer back to us: without this every close would leave a cycle.
        del self._write, self._transport

    # ------------------------------------------------------------ what the core calls

    def send(self, data: bytes) -> None:
        """One whole message; the framed bytes are shared with whoever is sent the same object."""
        if self._phase is Phase.OPEN and not self._transport.is_closing():
            self._write(self._framer.frame(data))

    def buffered(self) -> int:
        """Bytes that have not left for the kernel."""
        return 0 if self._phase is Phase.GONE else self._transport.get_write_buffer_size()

    def close(self, code: int, reason: str) -> None:
        """Close frame, then at most the closing time for the peer's, then abort."""
        if self._phase is not Phase.OPEN:
            return
        library = self._library or Library(LibraryState.OPEN, self._listener.limits.max_message_bytes)
        self._library = library
        try:
            if library.state is LibraryState.OPEN:  # else the peer's close was read a moment ago
                library.send_close(code, fitting_reason(reason))
        except ProtocolError:  # a code that may not stand in a close frame, such as 1006: then it is an abort
            self.abort()
            return
        self._flush(library)
        self._end()

    def abort(self) -> None:
        """End at once."""
        if self._phase is not Phase.GONE:
            self._move(Trigger.LOST)
            self._transport.abort()

    # ------------------------------------------------------------ what injected faults do

    def reset(self) -> None:
        """End with RST."""
        if self._phase is not Phase.GONE:
            raw = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):  # it may be gone already
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            self.abort()

    def cut(self) -> None:
        """FIN without a close frame; the closing time later the rest of the socket goes too."""
        if self._phase is Phase.OPEN:
            self.hold_reading(True)  # so that nothing of the peer's is answered any more
            if self._transport.can_write_eof():
                self._transport.write_eof()
            self._end()
            self._tell_lost(None, "cut")

    def end_with(self, code: int, reason: str) -> None:
        """A close frame with any code, past the library, which would refuse some; then as `cut`."""
        if self._phase is Phase.OPEN:
            payload = code.to_bytes(2, "big") + fitting_reason(reason).encode() if code else b""
            self._write(bytes((_CLOSE_BYTE, len(payload))) + payload)
            self.cut()

    def hold_reading(self, is_held: bool) -> None:
        """Read nothing, or go on."""
        transport = self._transport if self._phase is Phase.OPEN else None
        if transport is not None and not transport.is_closing() and transport.is_reading() is is_held:
            (transport.pause_reading if is_held else transport.resume_reading)()

    def on_deadline(self) -> None:
        """The handshake, or the peer's half of the closing, took too long."""
        if self._phase is Phase.HANDSHAKE:
            self._listener.counters.handshake_timeouts += 1
        self.abort()

    # ------------------------------------------------------------ reading

    def _read_prelude(self, data: bytes) -> bytes:
        """Look for the PROXY header that a trusted balancer sends first; what follows it is the request."""
        try:
            header = read_proxy_header(data)
        except NoProxyHeader as wrong:
            self._prelude = None
            if self._listener.must_introduce or data.startswith((b"PROXY ", SIGNATURE)):
                self._listener.count_bad_introduction(self.peer, str(wrong))
                self.abort()
            return data
        if header is None:
            self._prelude = data
            return b""
        self._prelude = None
        if header.client is not None:
            self._listener.rename(self, written(*header.client))
        return data[header.size_bytes :]

    def _read_inline(self, data: bytes) -> int:
        return read_plain(data, self._listener.limits.max_message_bytes, self._deliver)

    def _deliver(self, payload: bytes, binary: bool) -> bool:
        """Hand a message to the core; whether to go on reading plainly (it may have closed us)."""
        assert self._connection is not None
        self._connection.on_message(payload, binary)
        return self._phase is Phase.OPEN

    def _read_by_library(self, library: Library, data: bytes) -> None:
        if self._phase is Phase.HANDSHAKE:
            self._handshake_bytes += len(data)
            if self._handshake_bytes > self._listener.limits.max_handshake_bytes:
                self._refuse(library, HEADERS_TOO_LARGE)
                return
        library.feed(data)
        events = library.events_received()
        if self._phase is Phase.HANDSHAKE and events:
            self._answer(library, events, data)
            return
        for event in events:
            if isinstance(event, Frame):
                self._take_frame(library, event)
        self._settle(library)

    def _settle(self, library: Library) -> None:
        """After a feed: send what the library wrote, notice an end, let an idle library go."""
        if self._phase is Phase.GONE:
            return
        if self._phase is Phase.HANDSHAKE and library.eof_sent:
            self._refuse_unreadable(library)
        self._flush(library)
        if self._phase is Phase.OPEN:
            if library.is_idle:
                self._drop_library()
            elif library.state is not LibraryState.OPEN:
                self._ended_by_peer(library)

    def _drop_library(self) -> None:
        library, self._library = self._library, None
        if library is not None:
            library.release()

    def _flush(self, library: Library) -> None:
        for data in library.data_to_send():
            if self._transport.is_closing():
                return
            if data:
                self._write(data)
            elif self._transport.can_write_eof():  # the library's SEND_EOF
                self._transport.write_eof()

    # ------------------------------------------------------------ handshake

    def _answer(self, library: Library, events: list[Event], data: bytes) -> None:
        request = events[0]
        # Nothing may follow the request before it is answered (RFC 6455 section 4.1): its last bytes end `data`.
        if (
            not isinstance(request, Request)
            or len(events) > 1
            or not data.endswith(b"\r\n\r\n"[-len(data) :])
        ):
            self._refuse(library, TOO_EARLY)
            return
        self._listener.rename(self, self._listener.client_of(self.peer, request))
        asked = upgrade_request(request, self.peer, self._listener.is_loopback)
        verdict = self._listener.admit(asked)
        if isinstance(verdict, HttpRefusal):
            self._refuse(library, verdict)
            return
        response = library.accept(request)
        if verdict.subprotocol is not None and response.status_code == 101:
            response.headers["Sec-WebSocket-Protocol"] = verdict.subprotocol
        self._respond(library, response)
        if response.status_code != 101:
            return
        self._move(Trigger.ADMITTED)
        self._listener.opened(self)
        self._framer = self._listener.binary if verdict.codec.binary else self._listener.text
        self._drop_library()
        self._connection = self._listener.connect(self, verdict)

    def _refuse(self, library: Library, refusal: HttpRefusal) -> None:
        library.data_to_send()  # whatever the library made of early frames must not come before the answer
        if not library.eof_sent:
            self._respond(library, refusal_response(refusal))
            return
        self._write(refusal_response(refusal).serialize())
        self._transport.write_eof()
        self._listener.count_refusal(refusal.status)
        self._end()

    def _refuse_unreadable(self, library: Library) -> None:
        """The library gave up on the request: with an answer of its own (too long a line), or with none."""
        if not any(library.writes):
            self._refuse(library, NOT_HTTP)
            return
        self._flush(library)
        self._listener.count_refusal(HEADERS_TOO_LARGE.status)
        self._end()

    def _respond(self, library: Library, response: Response) -> None:
        library.send_response(response)
        self._flush(library)
        if response.status_code != 101:
            self._listener.count_refusal(response.status_code)
            self._end()

    # ------------------------------------------------------------ frames that are not plain

    def _take_frame(self, library: Library, frame: Frame) -> None:
        odd = not frame.fin or frame.opcode not in (Opcode.TEXT, Opcode.BINARY)
        if odd and not self._may_be_odd():
            self._fail(library, CloseCode.POLICY_VIOLATION, "too many control frames or fragments")
            return
        if frame.opcode is Opcode.CLOSE:
            received = library.close_rcvd
            if self._phase is Phase.CLOSING and received is not None:
                self._tell_lost(received.code, received.reason)
        elif self._phase is Phase.OPEN and frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._take_data(library, frame)

    def _take_data(self, library: Library, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            library.fragments_binary = frame.opcode is Opcode.BINARY
        if not frame.fin or library.fragments:
            library.fragments += frame.data
        if not frame.fin:
            return
        message = bytes(library.fragments or frame.data)
        library.fragments.clear()
        if not library.fragments_binary and not is_utf8(message):
            self._fail(library, CloseCode.INVALID_PAYLOAD, "text that is no UTF-8")
            return
        self._deliver(message, library.fragments_binary)

    def _may_be_odd(self) -> bool:
        limits = self._listener.limits
        if self._odd_frames is None:
            self._odd_frames = TokenBucket(limits.odd_frames_per_s, limits.odd_frames_burst)
        return self._odd_frames.take(1, self._listener.now()) == 0.0

    def _fail(self, library: Library, code: int, reason: str) -> None:
        """A violation that the library does not know of."""
        if self._phase is Phase.OPEN and library.state is LibraryState.OPEN:
            library.fail(code, reason)
            self._ended_by_peer(library)
            self._flush(library)
        elif not library.eof_sent:
            self.abort()

    # ------------------------------------------------------------ ends

    def _ended_by_peer(self, library: Library) -> None:
        """The library closed or failed the connection because of what the peer sent."""
        received, sent = library.close_rcvd, library.close_sent
        clean = received is not None and library.parser_exc is None
        if not clean and sent is not None:
            self._listener.count_violation(sent.code)
        self._end()
        if clean:
            assert received is not None
            self._tell_lost(received.code, received.reason)
        else:
            self._tell_lost(None, _why(sent))

    def _end(self) -> None:
        self._move(Trigger.ENDED)
        self._listener.closing(self)

    def _tell_lost(self, code: int | None, reason: str) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.on_lost(code, reason)

    def _move(self, trigger: Trigger) -> None:
        self._phase = advance(PHASES, self._phase, trigger)


def _why(sent: Close | None) -> str:
    return "no close frame" if sent is None else f"violation {sent.code}: {sent.reason}"
