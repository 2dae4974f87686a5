"""Whoever knows the control interface's token may still send nonsense: each request gets an answer, and bounds hold."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator

import pytest

from sonde_lab.control_http import RequestReader
from sonde_lab.faults.edits import EditRefused, Going
from sonde_lab.faults.limits import MAX_LATER, MAX_OUTPUT_BYTES
from sonde_lab.proxy_control import ControlPages
from sonde_lab.proxy_orders import Orders
from support.fault_bench import Bench
from support.fault_rig import down

TOKEN = "a-token-of-a-test-0123456789"


def answered(bench: Bench, method: str, path: str, body: bytes = b"") -> tuple[int, object]:
    """What the interface says to a request, as its socket asks: from bytes to bytes."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    request = RequestReader().feed(head.encode() + body)
    assert request is not None
    told = ControlPages(bench.lab, TOKEN, is_loopback=True).answer(request)
    top, _, said = told.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(said)


def deep() -> Iterator[bytes]:
    for depth in (*range(900, 1_000, 3), 30_000):
        yield b'{"json":' + b"[" * depth + b"]" * depth + b"}"


def test_a_message_that_is_nested_too_deep_is_refused_and_stays() -> None:
    bench = Bench("hold direction=down")
    for body in deep():
        bench.down(down("held"))
        number = bench.lab.holding.all[-1].number
        status, _said = answered(bench, "POST", f"/v1/held/{number}", body)
        assert status in (200, 400, 422)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/held/1", rb'{"\ud800": 1}'), ("POST", "/v1/held/1", rb'{"text": "\ud800"}'),
        ("POST", "/v1/held/1", rb'{"json": "\ud800"}'), ("POST", "/v1/held/1", rb'{"hex": "\ud800"}'),
        ("POST", "/v1/held/1", b'{"copies": NaN}'), ("POST", "/v1/held/1", b'{"copies": 1e999}'),
        ("POST", "/v1/held/1", b'{"delay_ms": -0.1}'), ("POST", "/v1/held/1", b'{"delay_ms": ' + b"9" * 5_000 + b"}"),
        ("POST", "/v1/held/1", b"[1]"), ("POST", "/v1/held/1", b"\xff\xfe"), ("POST", "/v1/held/1", b'{"text": null}'),
        ("POST", "/v1/rules", rb'{"rule": "\ud800"}'), ("POST", "/v1/rules", rb'{"rule": "drop label=\ud800"}'),
        ("POST", "/v1/rules", rb'{"kind": "\ud800"}'), ("POST", "/v1/rules", rb'{"kind": "drop", "target": "\ud800"}'),
        ("POST", "/v1/rules", b'{"kind": "latency", "parameters": {"delay": NaN}}'),
        ("POST", "/v1/rules", b'{"kind": "latency", "parameters": {"delay": 1e999}}'),
        ("POST", "/v1/rules", b'{"kind": "hold", "parameters": {"patience": -Infinity}}'),
        ("POST", "/v1/rules", b'{"kind": "drop", "for": NaN, "count": 1}'), ("POST", "/v1/rules", rb'{"preset": "\ud800"}'),
        ("GET", "/v1/acts?" + "&".join(f"a{n}=1" for n in range(20)), b""), ("GET", "/v1/acts?after=%ff", b""),
        ("GET", "/v1/held/" + "9" * 500, b""), ("GET", "/v1/held/-1", b""), ("GET", "/v1/held//1", b""), ("DELETE", "/v1/held/", b""),
    ],
)  # fmt: skip
def test_nonsense_gets_a_refusal_in_words_and_changes_nothing(method: str, path: str, body: bytes) -> None:
    bench = Bench("hold direction=down")
    bench.down(down("held"))
    status, said = answered(bench, method, path, body)
    assert status in (400, 404, 422)
    assert isinstance(said, dict)
    assert said["error"]
    assert [held.number for held in bench.lab.holding.all] == [1]
    assert len(bench.lab.rules) == 1


def test_copies_of_a_large_message_are_bounded_in_bytes() -> None:
    bench = Bench("hold direction=down")
    bench.down(down(bytes(4_000_000), 2))
    tracemalloc.start()
    with pytest.raises(EditRefused, match="32 MiB"):
        bench.lab.holding.let_go(1, Going(copies=100))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert len(bench.lab.holding.all) == 1
    bench.lab.holding.let_go(1, Going(copies=MAX_OUTPUT_BYTES // 4_000_000))
    bench.stream.tick(bench.clock.now())
    assert len(bench.take()) == MAX_OUTPUT_BYTES // 4_000_000 * 4_000_010


def test_what_a_person_delays_is_bounded_and_may_always_go_at_once() -> None:
    bench = Bench("hold direction=down off=24h")
    later = Going(delay_s=600.0, copies=100)
    for number in range(1, MAX_LATER // 100 + 1):
        bench.down(down(f"{number:03}"))
        bench.lab.holding.let_go(number, later)
    bench.down(down("one more"))
    with pytest.raises(EditRefused, match="1,000 messages"):
        bench.lab.holding.let_go(MAX_LATER // 100 + 1, later)
    bench.lab.holding.let_go(MAX_LATER // 100 + 1)
    bench.stream.tick(bench.clock.now())
    assert bench.take() == down("one more")


@pytest.mark.parametrize(
    "line",
    [b"[" * 100_000, b"null", b"[]", b'{"let_go": 1e999}', b'{"let_go": true, "copies": 1e999}', b'{"let_go": 99, "json": ' + b"[" * 960 + b"]" * 960 + b"}", b"\xff", b'{"arm": {"a": 1}}', b'{"drop": []}', b'{"held": {}}', b"{" * 3_000_000],
)  # fmt: skip
def test_an_order_that_no_window_gives_does_not_end_the_proxy(line: bytes) -> None:
    bench = Bench("hold direction=down")
    bench.down(down("held"))
    orders = Orders()
    orders._lab = bench.lab
    orders.look = lambda: None  # type: ignore[method-assign] # nobody is told
    orders.feed(line + b"\n")
    assert len(bench.lab.holding.all) == 1
    orders.feed(b'{"order": 1, "let_go": 1}\n')
    assert bench.lab.holding.all == []
