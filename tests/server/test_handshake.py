"""Requests and answers between the library's terms and ours."""

from __future__ import annotations

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from sonde_protocol.codes import ErrorCode
from sonde_server.core.admission import HttpRefusal
from sonde_server.handshake import address, refusal_response, upgrade_request


def test_request_keeps_every_value_of_a_header_under_its_lower_case_name() -> None:
    headers = Headers([("Host", "a"), ("HOST", "b"), ("X-Thing", "1")])
    asked = upgrade_request(Request("/v1/ws?a=1&b=2", headers), "127.0.0.1:5", True)
    assert (asked.path, asked.query) == ("/v1/ws", "a=1&b=2")
    assert asked.values("host") == ["a", "b"]
    assert asked.values("missing") == []


def test_refusal_becomes_a_whole_answer_that_ends_the_connection() -> None:
    refusal = HttpRefusal(503, ErrorCode.OVERLOADED, "later", (("Retry-After", "2"),))
    text = refusal_response(refusal).serialize().decode()
    head, _, body = text.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 503 Service Unavailable\r\n")
    assert "Retry-After: 2" in head
    assert "Connection: close" in head
    assert f"Content-Length: {len(body)}" in head
    assert body == '{"error": "overloaded", "message": "later"}'


@pytest.mark.parametrize(
    ("peer", "shown"),
    [
        (("127.0.0.1", 5), "127.0.0.1:5"),
        (("::1", 5, 0, 0), "[::1]:5"),
        ("/run/socket", "unknown"),
        (None, "unknown"),
    ],
)
def test_address_of_a_peer(peer: object, shown: str) -> None:
    assert address(peer) == shown
