"""One socket: dials, feeds bytes to `websockets`' Sans-I/O client, flushes what comes out. Decides nothing.

Owns TCP, TLS, the upgrade, message assembly and the bounds against a hostile server. Uses no system proxy. The
very bytes of both directions, handshake included, pass `on_wire`. Reports to its `SocketOwner`; after `let_go`
it reports nothing any more and ends by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Final, cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import USER_AGENT
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from sonde_client.actions import DialFailure
from sonde_client.carrier import CLOSE_LIMIT_S, SocketOwner
from sonde_client.diagnosis import manner, of_answer, of_early_end, of_exception, parting_words
from sonde_client.reaching import connect, literal, look_up, parsed, without_password
from sonde_protocol.errors import excerpt
from sonde_protocol.websocket_text import fitting_reason, is_utf8

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
MAX_FRAGMENTS: Final = 8_192
MAX_UNSENT_BYTES: Final = 8 * 1024 * 1024
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)  # makes the kernel send RST in place of FIN

# The library logs headers and frames, and so tokens, at DEBUG: its voice stays fixed, whatever the root is set to.
_websocket_log = logging.getLogger("sonde_client.websocket")
_websocket_log.setLevel(logging.WARNING)


class Socket(asyncio.Protocol):
    """One TCP connection of a client, from the dial to its end."""

    def __init__(self, dial: int, owner: SocketOwner) -> None:
        self.dial = dial
        self._owner = owner
        self._reports = True
        self._transport: asyncio.Transport | None = None
        self._ws: ClientProtocol | None = None
        self._where = ""
        self._token: str | None = None
        self._subprotocol = ""
        self._task: asyncio.Task[None] | None = None
        self.under_way = ""  # the step of the dial that is being made: see `Client.on_phase`
        self._awaits_tls = False
        self._gone = False
        self._opened = False
        self._before_open = 0
        self._fragments: list[bytes] = []
        self._fragments_binary = False
        self._closed_by_us: str | None = None
        self._saw_fin = False
        self._abort_timer: asyncio.TimerHandle | None = None
        self._is_mute = False  # broken on purpose: nothing is written any more, and nobody is told
        self._mending: asyncio.TimerHandle | None = None

    @property
    def is_let_go(self) -> bool:
        """Nobody waits for what this socket still has to say."""
        return not self._reports

    # ------------------------------------------------------------ dialling

    def start(self, url: str, token: str | None, subprotocol: str, tls: ssl.SSLContext | None) -> None:
        """Dial. The outcome is reported as `on_open` or `on_dial_failed`."""
        self._token, self._subprotocol = token, subprotocol
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._connect(url, tls), name=f"sonde-dial-{self.dial}")

    async def _connect(self, url: str, tls: ssl.SSLContext | None) -> None:
        try:
            uri = parsed(url)
        except ValueError as error:
            self._fail(DialFailure("bad_url", f"{excerpt(without_password(url), 200)}: {error}."))
            return
        self._where = f"{uri.host}:{uri.port}"
        self._ws = ClientProtocol(
            uri,
            subprotocols=[Subprotocol(self._subprotocol)],
            max_size=MAX_MESSAGE_BYTES,
            logger=_websocket_log,
        )
        try:
            await self._open_transport(uri, tls)
        except (OSError, UnicodeError) as error:
            self._fail(of_exception(error, self._where))
            return
        if not self._gone:
            self._request_upgrade(self._ws)

    async def _open_transport(self, uri: WebSocketURI, tls: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        context = tls
        if uri.secure and context is None:  # reading the system's authorities takes some 20 ms
            self.under_way = "authorities"
            context = await asyncio.to_thread(ssl.create_default_context)
            self._reached("authorities")
        self._awaits_tls = uri.secure
        addresses = literal(uri.host, uri.port)
        if not addresses:
            self.under_way = "name"
            addresses = await look_up(uri.host, uri.port)
            self._reached("name")
        self.under_way = "tcp"
        await loop.create_connection(lambda: self, sock=await connect(addresses))
        self._reached("tcp")
        if uri.secure and context is not None and self._transport is not None:
            await self._secure(self._transport, context, uri.host)

    async def _secure(self, plain: asyncio.Transport, context: ssl.SSLContext, host: str) -> None:
        self.under_way = "tls"
        secured = await asyncio.get_running_loop().start_tls(plain, self, context, server_hostname=host)
        if secured is None:
            raise ConnectionResetError("closed during the TLS handshake")
        self._transport = secured
        self._reached("tls")

    def _request_upgrade(self, ws: ClientProtocol) -> None:
        self.under_way = "upgraded"
        request = ws.connect()
        request.headers["User-Agent"] = f"Sonde {USER_AGENT}"
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        ws.send_request(request)
        self._flush()

    def _reached(self, phase: str) -> None:
        if self._reports:
            self._owner.on_reached(self.dial, phase)

    def _fail(self, failed: DialFailure) -> None:
        """The dial came to nothing: report it once, and end."""
        if self._reports:
            self._reports = False
            self._owner.on_dial_failed(self.dial, failed)
            self._owner.on_batch_end()
        self._end()

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = stream = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        if self._gone:
            stream.abort()
        elif self._awaits_tls:
            stream.pause_reading()  # what comes before the TLS handshake belongs to it; `start_tls` resumes

    def data_received(self, data: bytes) -> None:
        self._owner.on_wire_bytes("in", data, self.dial)
        ws = self._ws
        if ws is None or self._gone:
            return
        ws.receive_data(data)
        if not self._opened and not self._handshake(ws, len(data)):
            return
        self._dispatch(ws)
        self._flush()
        if ws.close_rcvd is not None or ws.parser_exc is not None:
            self._report_lost(ws)  # nothing more can come; TCP's own goodbye need not be waited for
        elif self._reports:
            self._owner.on_batch_end()

    def eof_received(self) -> bool | None:
        ws = self._ws
        self._saw_fin = True
        if ws is not None and ws.state is not State.CLOSED:
            ws.receive_eof()
            if not self._opened:
                self._handshake(ws, 0)
        return None  # the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        ws = self._ws
        if not self._opened:
            self._fail(of_early_end(exc, self._where))
        elif ws is not None:
            self._report_lost(ws, exc)
        self._transport = None
        self._end()

    def pause_writing(self) -> None:
        """A gateway that does not read is cut off at `MAX_UNSENT_BYTES`, when the next message is sent."""

    # ------------------------------------------------------------ reading

    def _handshake(self, ws: ClientProtocol, size: int) -> bool:
        """Look at the upgrade's answer. True once the WebSocket is open."""
        self._before_open += size
        failed = of_answer(ws, self._before_open, self._subprotocol, self._where)
        if failed is not None:
            self._fail(failed)
        if failed is not None or ws.state is State.CONNECTING:
            return False
        self._opened = True
        self._reached("upgraded")
        if self._reports:
            self._owner.on_open(self.dial)
        return not self._gone

    def _dispatch(self, ws: ClientProtocol) -> None:
        for event in ws.events_received():
            if not self._reports:
                return
            if not isinstance(event, Frame):
                continue  # the upgrade's answer
            if event.opcode is Opcode.TEXT or event.opcode is Opcode.BINARY:
                if event.fin:
                    self._deliver(ws, bytes(event.data), event.opcode is Opcode.BINARY)
                else:
                    self._fragments = [bytes(event.data)]
                    self._fragments_binary = event.opcode is Opcode.BINARY
            elif event.opcode is Opcode.CONT:
                self._continue(ws, event)
            else:
                self._owner.on_control(self.dial)

    def _continue(self, ws: ClientProtocol, frame: Frame) -> None:
        self._fragments.append(bytes(frame.data))
        if frame.fin:
            whole, self._fragments = b"".join(self._fragments), []
            self._deliver(ws, whole, self._fragments_binary)
        elif len(self._fragments) > MAX_FRAGMENTS:
            self._fragments = []
            self._break_off(ws, 1009, "too many fragments")

    def _deliver(self, ws: ClientProtocol, data: bytes, binary: bool) -> None:
        """Hand a message on. A text that is no UTF-8 ends the connection instead (RFC 6455, section 8.1)."""
        if binary or is_utf8(data):
            self._owner.on_message(self.dial, data, binary)
        else:
            self._break_off(ws, 1007, "a text message is no UTF-8")

    def _break_off(self, ws: ClientProtocol, code: int, reason: str) -> None:
        """The peer has broken the protocol: what comes behind that is not looked at."""
        ws.fail(code, reason)
        self._flush()
        self._report_lost(ws)

    def _report_lost(self, ws: ClientProtocol, error: Exception | None = None) -> None:
        if self._reports:
            self._reports = False
            said = parting_words(ws, self._closed_by_us)
            how = manner(ws, error, is_aborted=self._closed_by_us is not None, saw_fin=self._saw_fin)
            self._owner.on_lost(self.dial, *said, how)
            self._owner.on_batch_end()

    # ------------------------------------------------------------ writing

    def send(self, data: bytes, binary: bool) -> None:
        """Write one whole message; nothing happens on a socket that is no longer open."""
        ws = self._ws
        if ws is None or ws.state is not State.OPEN or self._transport is None:
            return
        if binary:
            ws.send_binary(data)
        else:
            ws.send_text(data)
        self._flush()
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.abort("the gateway does not read")

    def send_ping(self, data: bytes, *, pong: bool = False) -> None:
        """Write a protocol ping, or an unasked pong."""
        ws = self._ws
        if ws is not None and ws.state is State.OPEN:
            (ws.send_pong if pong else ws.send_ping)(data[:125])
            self._flush()

    def _flush(self) -> None:
        assert self._ws is not None
        transport = self._transport
        for data in self._ws.data_to_send():
            if transport is None or transport.is_closing():
                break
            if data:
                self._owner.on_wire_bytes("out", data, self.dial)
                if not self._is_mute:
                    transport.write(data)
            elif not self._is_mute:
                transport.close()  # the WebSocket is over; TCP follows
        if self._ws.close_expected() and self._opened:
            self._abort_soon()

    # ------------------------------------------------------------ ending

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, wait for the peer's close frame, abort when it does not come."""
        ws = self._ws
        if ws is not None and ws.state is State.OPEN:
            ws.send_close(code, fitting_reason(reason))
            self._flush()
        elif ws is None or ws.state is State.CONNECTING:
            self.abort(reason)
        self._abort_soon()

    def let_go(self, code: int, reason: str) -> None:
        """As `close`, but nothing is reported any more."""
        self._reports = False
        self.close(code, reason)

    def abort(self, why: str = "") -> None:
        """Cut the connection; reported as lost by the client."""
        self._closed_by_us = why
        if self._transport is not None:
            self._transport.abort()
        else:
            self._fail(DialFailure("dial_reset", f"{self._where}: {why or 'given up'}."))

    def _abort_soon(self) -> None:
        if self._abort_timer is None and not self._gone:
            loop = asyncio.get_running_loop()
            self._abort_timer = loop.call_later(CLOSE_LIMIT_S, self._give_up)

    def _give_up(self) -> None:
        """No close frame came. A half-open socket stays until its time is over, whoever has given it up."""
        if self._mending is not None and self._is_mute and self._ws is not None:
            self._closed_by_us = "no close frame came"
            self._report_lost(self._ws)
        else:
            self.abort("no close frame came")

    # ------------------------------------------------------------ broken on purpose

    def reset(self) -> None:
        """End with RST."""
        if self._transport is not None:
            raw = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):  # it may be gone already
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            self.abort("reset on purpose")

    def cut(self) -> None:
        """FIN without a close frame; what was sent leaves before it."""
        transport, ws = self._transport, self._ws
        if transport is None or ws is None:
            return
        self._is_mute, self._closed_by_us = True, "cut on purpose"
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()  # TLS has no half
        self._abort_soon()
        self._report_lost(ws)

    @property
    def is_broken(self) -> bool:
        """It does not read on purpose, or nothing gets through; and it is still there."""
        return self._mending is not None and not self._gone

    def vanish(self, seconds: float) -> None:
        """Neither side hears the other any more, while the socket stays; then it is reset."""
        self._is_mute = True
        self._stop_reading(seconds, self.reset)

    def stop_reading(self, seconds: float) -> None:
        """Read nothing for a while."""
        if not self._is_mute:
            self._stop_reading(seconds, self.mend)

    def mend(self) -> None:
        """Read again; a socket on which something was lost cannot go on, and is reset."""
        if self._mending is not None:
            self._mending.cancel()
            self._mending = None
        transport = self._transport
        if self._is_mute:
            self.reset()
        elif transport is not None and not transport.is_closing() and not transport.is_reading():
            transport.resume_reading()

    def _stop_reading(self, seconds: float, then: Callable[[], None]) -> None:
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()
        if self._mending is not None:
            self._mending.cancel()
        self._mending = asyncio.get_running_loop().call_later(seconds, then)

    def _end(self) -> None:
        """Let go of everything; the transport reports its own end later, to nobody."""
        if self._gone:
            return
        self._gone = True
        for timer in (self._abort_timer, self._mending):
            if timer is not None:
                timer.cancel()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        if self._transport is not None:
            self._transport.abort()
        self._owner.on_gone(self)
