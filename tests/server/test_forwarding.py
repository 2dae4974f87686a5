"""Whose connection it is: PROXY headers and X-Forwarded-For, from those who may send them and from all others."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_server.config_file import ConfigInvalid
from sonde_server.core.admission import AdmissionRules
from sonde_server.forwarding import Forwarding, ProxyProtocol
from sonde_server.proxy_protocol import (
    MAX_V2_BYTES,
    SIGNATURE,
    NoProxyHeader,
    ProxyHeader,
    read_proxy_header,
)
from sonde_server.settings import load_settings
from support.echo_house import REQUEST, RawPeer, echo_server

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
FAR = ("203.0.113.7", 4711)


def v2(host: str, port: int, tlvs: bytes = b"") -> bytes:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    packed = socket.inet_pton(family, host)
    body = packed + packed + struct.pack("!HH", port, 8765) + tlvs
    return SIGNATURE + bytes([0x21, 0x21 if ":" in host else 0x11]) + struct.pack("!H", len(body)) + body


V1 = b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 8765\r\n"
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"


@given(st.ip_addresses(), st.integers(0, 65_535), st.binary(max_size=500), st.binary(max_size=40))
def test_every_address_is_read_back_and_nothing_of_the_request_is_taken(
    host: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, tlvs: bytes, rest: bytes
) -> None:
    data = v2(str(host), port, tlvs)
    mapped = getattr(host, "ipv4_mapped", None)
    assert read_proxy_header(data + rest) == ProxyHeader((str(mapped or host), port), len(data))


@pytest.mark.parametrize("header", [v2(*FAR), v2("2001:db8::1", 1, b"tlv" * 9), V1, LOCAL])
def test_a_header_cut_anywhere_is_waited_for(header: bytes) -> None:
    assert [read_proxy_header(header[:size]) for size in range(len(header))] == [None] * len(header)
    whole = read_proxy_header(header)
    assert whole is not None
    assert whole.size_bytes == len(header)


@given(st.one_of(st.binary(max_size=6_000), st.binary(max_size=300).map(SIGNATURE.__add__),
                 st.binary(max_size=300).map(b"PROXY ".__add__)))  # fmt: skip
def test_hostile_bytes_are_refused_or_waited_for_and_never_beyond_the_bound(data: bytes) -> None:
    try:
        header = read_proxy_header(data)
    except NoProxyHeader:
        return
    assert len(data) < MAX_V2_BYTES if header is None else header.size_bytes <= len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /v1/ws HTTP/1.1\r\n",
        SIGNATURE + b"\x11\x11\x00\x0c",  # version 1 in version 2's clothes
        SIGNATURE + b"\x22\x11\x00\x0c",  # an unknown command
        SIGNATURE + b"\x21\x12\x00\x0c",  # UDP
        SIGNATURE + b"\x21\x11\x00\x0b",  # too short for two addresses
        SIGNATURE + b"\x21\x11\xff\xff",  # too long
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
        b"PROXY TCP4 1.2.3.\xff 1.2.3.4 1 2\r\n",
        b"PROXY \r\n",
        b"PROXY TCP4" + b" " * 100,
    ],
)
def test_wrong_headers_are_refused(data: bytes) -> None:
    with pytest.raises(NoProxyHeader):
        read_proxy_header(data)


TRUSTING = Forwarding(tuple(map(ipaddress.ip_network, ("127.0.0.1/32", "10.0.0.0/8", "::1/128"))))


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("127.0.0.1:5", ["203.0.113.7"], "203.0.113.7:0"),
        ("127.0.0.1:5", ["6.6.6.6, 203.0.113.7"], "203.0.113.7:0"),  # the client forged the left one
        (
            "127.0.0.1:5",
            ["6.6.6.6", "203.0.113.7", "10.1.2.3"],
            "203.0.113.7:0",
        ),  # two balancers, three lines
        ("127.0.0.1:5", ["203.0.113.7:99"], "203.0.113.7:99"),
        ("[::1]:5", ["[2001:db8::1]:7"], "[2001:db8::1]:7"),
        ("[::ffff:127.0.0.1]:5", ["2001:DB8::1"], "[2001:db8::1]:0"),
        ("127.0.0.1:5", ["::ffff:203.0.113.7"], "203.0.113.7:0"),
        ("127.0.0.1:5", ["6.6.6.6, unknown"], "127.0.0.1:5"),
        ("127.0.0.1:5", ["6.6.6.6, unknown, 10.1.2.3"], "10.1.2.3:0"),
        ("127.0.0.1:5", ["10.1.1.1, 10.1.2.3"], "10.1.1.1:0"),
        ("127.0.0.1:5", [""], "127.0.0.1:5"),
        ("127.0.0.1:5", ["fe80::1%eth0"], "127.0.0.1:5"),
        ("127.0.0.1:5", [], "127.0.0.1:5"),
        ("203.0.113.9:5", ["6.6.6.6"], "203.0.113.9:5"),  # not a balancer
        ("unknown", ["6.6.6.6"], "unknown"),
    ],
)
def test_rightmost_address_that_is_not_trusted_is_the_client(
    peer: str, headers: list[str], client: str
) -> None:
    assert TRUSTING.client_of(peer, headers) == client


@given(st.lists(st.text(max_size=60), max_size=50))
def test_whatever_a_client_forged_an_honest_balancers_entry_wins(forged: list[str]) -> None:
    assert TRUSTING.client_of("127.0.0.1:5", [*forged, "203.0.113.7"]) == "203.0.113.7:0"


async def peers_seen(first: bytes, forwarding: Forwarding, more: str = "") -> tuple[list[str], bytes]:
    """What the gateway takes a raw peer for, and its answer's first line (empty: cut)."""
    async with echo_server(forwarding=forwarding, count_addresses=True) as server:
        peer = await RawPeer.dial(server.port)
        await peer.send(first + REQUEST.format(path="/v1/ws", more=more).encode())
        try:
            line = await asyncio.wait_for(peer.reader.readline(), 5)
        except ConnectionResetError:
            line = b""
        seen = [str(echo.wire.peer) for echo in server.house.echoes]
        await peer.close()
        return seen, line


@pytest.mark.parametrize("mode", ["accept", "require"])
@pytest.mark.parametrize("header", [v2(*FAR), V1])
async def test_trusted_balancer_introduces_its_client(header: bytes, mode: ProxyProtocol) -> None:
    forged = "X-Forwarded-For: 6.6.6.6\r\n"
    seen, line = await peers_seen(header, Forwarding(LOOPBACK, mode), forged)
    assert (seen, line[:13]) == (["203.0.113.7:4711"], b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("header", "forwarding", "answer"),
    [
        (v2(*FAR), Forwarding(), b"HTTP/1.1 400 "),
        (V1, Forwarding(), b"HTTP/1.1 400 "),
        (v2(*FAR), Forwarding((ipaddress.ip_network("10.0.0.0/8"),), "require"), b"HTTP/1.1 400 "),
        (b"", Forwarding(LOOPBACK, "require"), b""),
        (SIGNATURE + b"\x21\x11\xff\xff", Forwarding(LOOPBACK, "accept"), b""),
    ],
)
async def test_nobody_else_may_and_who_must_is_cut(
    header: bytes, forwarding: Forwarding, answer: bytes
) -> None:
    seen, line = await peers_seen(header, forwarding)
    assert (seen, line[:13]) == ([], answer)


async def test_a_balancer_that_stays_silent_is_cut_at_the_handshake_limit() -> None:
    async with echo_server(forwarding=Forwarding(LOOPBACK, "require")) as server:
        peer = await RawPeer.dial(server.port)
        await peer.send(v2(*FAR)[:20])
        async with asyncio.timeout(5):
            while not server.listener.counters.sockets:
                await asyncio.sleep(0.005)
        await server.later(11)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await peer.reader.readexactly(1)
        await peer.close()
        assert server.listener.counters.handshake_timeouts == 1


async def test_limit_per_address_counts_clients_not_the_balancer() -> None:
    rules = AdmissionRules(max_per_address=1)
    async with echo_server(
        rules=rules, count_addresses=True, forwarding=Forwarding(LOOPBACK, "accept")
    ) as server:
        answers = []
        peers = []
        for host in ("203.0.113.7", "203.0.113.8", "203.0.113.7"):
            peer = await RawPeer.dial(server.port)
            await peer.send(v2(host, 1) + REQUEST.format(path="/v1/ws", more="").encode())
            answers.append((await peer.reader.readline())[9:12])
            peers.append(peer)
        assert answers == [b"101", b"101", b"503"]
        for peer in peers:
            await peer.close()


def test_settings_name_the_balancers() -> None:
    settings = load_settings(None, {"trusted_proxies": ["10.0.0.0/8", "::1"], "proxy_protocol": "require"})
    assert settings.forwarding().trusts("10.2.3.4")
    assert settings.forwarding().may_introduce("::1")
    with pytest.raises(ConfigInvalid, match="proxy_protocol needs trusted_proxies"):
        load_settings(None, {"proxy_protocol": "accept"})
