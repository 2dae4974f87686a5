"""A server that floods and its one client, in one cheap process: what has passed through a proxy, and when.

Run as a script. It prints the server's port, reads the proxy's from a line of standard input, connects there until it may,
and sends `rate` messages a second. Each line that follows is monotonic seconds and how many messages the client
has by then; the end of the connection is the end of the process.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import sys
import time

FIRST = 1_000_000_000  # numbers of one width make frames of one size
TEXT = b'{"op":"event","ch":"room:flood","n":%d,"d":"' + b"x" * 150 + b'"}'
SIZE = len(TEXT % FIRST)
HEAD = b"\x81\x7e" + SIZE.to_bytes(2, "big")
FRAME = len(HEAD) + SIZE
KEY = base64.b64encode(b"sixteen bytes...")
STEP_S = 0.005


def number_of(payload: bytes) -> int:
    """Which message this is, from 0 on."""
    return int(payload.partition(b'"n":')[2][:10]) - FIRST


def head_of(connection: socket.socket) -> bytes:
    """Up to the empty line of HTTP; one byte at a time, so that no frame is taken along."""
    read = b""
    while not read.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        if not more:
            raise ConnectionError("closed")
        read += more
    return read


def connected(port: int, server: socket.socket) -> tuple[socket.socket, socket.socket]:
    """The client's end and the server's, through whatever listens at `port`."""
    deadline = time.monotonic() + 30
    while True:
        try:
            client = socket.create_connection(("127.0.0.1", port), 1.0)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    client.settimeout(30)
    client.sendall(
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
    )
    peer, _ = server.accept()
    head_of(peer)
    accept = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    peer.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    head_of(client)
    return client, peer


def flood(client: socket.socket, peer: socket.socket, rate: float) -> None:
    """Send and receive in steps until the connection is gone."""
    client.setblocking(False)
    began, sent, received = time.monotonic(), 0, 0
    while True:
        due = int((time.monotonic() - began) * rate)
        peer.sendall(b"".join(HEAD + TEXT % (FIRST + number) for number in range(sent, due)))
        sent = due
        try:
            while data := client.recv(1 << 20):
                received += len(data)
            return
        except BlockingIOError:
            print(f"{time.monotonic():.6f} {received // FRAME}", flush=True)
        time.sleep(STEP_S)


def main() -> None:
    """See the module."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        print(server.getsockname()[1], flush=True)
        client, peer = connected(int(sys.stdin.readline()), server)
        peer.settimeout(5)
        try:
            flood(client, peer, float(sys.argv[1]))
        except OSError:
            pass  # the proxy was ended: that is the end
        finally:
            client.close()
            peer.close()


if __name__ == "__main__":
    main()
