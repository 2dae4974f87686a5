"""Whatever the rows are: there is a verdict, it never raises, and no cause is named without a row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.verdict import CAUSES, has_reason, why

OPS = (
    "close", "bye", "hello", "ready", "resumed", "resume", "resume_failed", "ping", "pong", "event", "snapshot", "flow", "error",
    "auth_required", "reconnect", "kick", "fault", "stall", "act", "state", "upgrade", "dial_refused", "gateway_died", "foreign_host",
)  # fmt: skip
PAYLOADS = (
    b"", b"\xff\xfe", b"waiting 1 s", b"stopped: The connection was refused", b"HTTP/1.1 403 Forbidden", b"HTTP/1.1 200", b"disconnect",
    b"cut the socket of a", b"kill node n", b"pause node n", b"restart the embedded gateway", b"half_open client:a", b"close with 4000",
    b"4000 unspecified \xe2\x80\x94 by the client (heartbeat lost)", b"closed \xe2\x80\x94 by the network, its socket was reset (RST), 1 s",
    b"closed \xe2\x80\x94 by the network, its socket was closed (FIN)", b"reset by the client", b"ended with the proxy", b"refused with 502",
    b"this window itself was not running for 9.0 s", b"[" * 2_000, b"\x0f\xa2", b"{}",
    b'{"op":"x","session":1,"code":"y","cause":[],"node":{},"epoch":2,"heartbeat_ms":"no","resume_ttl_ms":-1}',
    b'{"session":"s","code":4002,"cause":"heartbeat_lost","node":"n","epoch":"e","heartbeat_ms":2000,"resume_ttl_ms":5}',
)  # fmt: skip
CODES = (0, 1000, 1001, 1002, 1006, 1011, 4000, 4002, 4003, 4006, 4010, 4401, 4409, 4410, 4999, 65_535)

ROWS = st.builds(
    Record,
    at=st.floats(0, 100),
    wall=st.just(0.0),
    conn=st.sampled_from(("a", "b", "")),
    dial=st.integers(0, 2),
    direction=st.sampled_from(Direction),
    kind=st.sampled_from(Kind),
    opcode=st.sampled_from((0, 1, 2, 8, 9, 10)),
    op=st.sampled_from(OPS),
    channel=st.sampled_from(("", "room:a")),
    size=st.integers(0, 100_000),
    payload=st.sampled_from(PAYLOADS),
    code=st.sampled_from(CODES),
    rtt_ms=st.one_of(st.just(float("nan")), st.floats(0, 9_000)),
    flags=st.sampled_from(
        (0, int(Flag.ERROR), int(Flag.INJECTED), int(Flag.MALFORMED), int(Flag.TAPPED), int(Flag.HEARTBEAT))
    ),
    command=st.sampled_from((-1, 7)),
    protocol=st.sampled_from(("", "", "", "phoenix")),
)


@given(st.lists(ROWS, min_size=1, max_size=40))
def test_any_row_of_any_rows_has_a_verdict_with_evidence_in_the_ring(rows: list[Record]) -> None:
    ring = Ring(64)
    ring.extend(rows)
    for row in ring.ids:
        has_reason(ring, row)
        verdict = why(ring, row)
        assert verdict.evidence
        assert all(evidence.row_id in ring.ids for evidence in verdict.evidence)
        texts = [
            verdict.sentence,
            verdict.by,
            verdict.advice,
            *verdict.either,
            *(each.text for each in verdict.evidence),
        ]
        assert all(text and "\n" not in text for text in texts)
        assert not any("{" in text for text in (verdict.sentence, verdict.by, *verdict.either))
        assert verdict.cause in CAUSES
        assert verdict.is_known or verdict.missing
        assert not (verdict.is_known and verdict.either)
