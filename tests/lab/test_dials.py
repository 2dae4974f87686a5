"""A dial's row: a sentence that is read back exactly, and nothing else is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_client.events import DialEnded
from sonde_lab.dials import NO_ADDRESS, STEPS, Dialled, Step, of_event, parse, sentence

PHASES = list(STEPS)
CAUSES = st.sampled_from(["dial_refused", "dial_timeout", "", "Left the desk!", "x" * 60, "dial_injected"])
URLS = st.one_of(
    st.sampled_from(["ws://127.0.0.1:4242/v1/ws", "wss://[::1]/x", "ws://münchen.example:9/", "ws://", "ws://a b/"]),
    st.text(max_size=300),
)  # fmt: skip


@st.composite
def ends(draw: st.DrawFn) -> DialEnded:
    """Any way in which a client's dial may end."""
    names = sorted(draw(st.sets(st.sampled_from(PHASES))), key=PHASES.index)
    at = began = draw(st.floats(0, 1e9))
    reached = []
    for name in names:
        at += draw(st.floats(0, 1e4))
        reached.append((name, at))
    opened = bool(names) and names[-1] == "upgraded"
    failed_at = "" if opened else draw(st.sampled_from(["", *PHASES]))
    places = [PHASES.index(name) for name in names]
    if failed_at and places and PHASES.index(failed_at) < places[-1]:
        failed_at = "upgraded"
    ended = at if opened else at + draw(st.floats(0, 1e4))
    cause = "" if opened else draw(CAUSES)
    dial = draw(st.integers(1, 10**8))
    return DialEnded(dial, draw(URLS), began, tuple(reached), ended, failed_at, cause)


@given(ends())
def test_what_is_written_of_a_dial_is_read_back_whole(ended: DialEnded) -> None:
    told = of_event(ended)
    assert parse(sentence(told)) == told


@given(st.one_of(st.text(max_size=200), st.from_regex(r"dial [0-9]+ to \S+: (TCP|TLS|name|upgrade).*")))
def test_any_text_is_read_as_a_dial_or_as_none_and_what_is_read_is_written_so(text: str) -> None:
    told = parse(text)
    assert told is None or sentence(told) == text


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        (
            DialEnded(3, "wss://127.0.0.1:4242/v1/ws", 10.0, (("name", 10.0004), ("tcp", 10.0006), ("tls", 10.0037), ("upgraded", 10.0047)), 10.0047),
            "dial 3 to 127.0.0.1:4242: name 0.40 ms, TCP 0.20 ms, TLS 3.10 ms, upgrade 1.00 ms",
        ),
        (
            DialEnded(4, "ws://play.example/v1/ws", 1.0, (("name", 1.0124),), 1.01261, "tcp", "dial_refused"),
            "dial 4 to play.example:80: name 12.40 ms, TCP failed after 0.21 ms (dial_refused)",
        ),
        (
            DialEnded(5, "ws://[::1]:9/", 1.0, (), 1.0, "", "dial_injected"),
            "dial 5 to [::1]:9: failed before it began (dial_injected)",
        ),
        (
            DialEnded(6, "ws://h:9/", 1.0, (("tcp", 1.5),), 2.0, "tcp", "left the desk"),
            "dial 6 to h:9: TCP 500.00 ms, upgrade failed after 500.00 ms (given_up)",
        ),
    ],
)  # fmt: skip
def test_a_dial_is_a_sentence(ended: DialEnded, text: str) -> None:
    assert sentence(of_event(ended)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dialing ws://h",
        "dial 3 to h:9: ",
        "dial 3 to h:9: TCP 0.2 ms, upgrade 1.00 ms",
        "dial 3 to h:9: TCP 0.20 ms",
        "dial 3 to h:9: upgrade 1.00 ms, TCP 0.20 ms",
        "dial 3 to h:9: TCP 0.20 ms, TCP 0.20 ms, upgrade 1.00 ms",
        "dial 3 to h:9: TCP 0.20 ms, upgrade 1.00 ms, ",
        "dial 3 to h:9: TCP 0.20 msupgrade 1.00 ms",
        "dial 3 to h:9: TCP 00.20 ms, upgrade 1.00 ms",
        "dial 0 to h:9: upgrade 1.00 ms",
        "dial 3 to h:9: upgrade 1.00 ms\n",
        "dial ٣ to h:9: upgrade 1.00 ms",
        "dial 3 to h:9: upgrade ١.00 ms",
        "dial 3 to h:9: upgrade 1.00 ms (dial_refused)",
        "dial 3 to h:9: upgrade 1.00 ms, TLS failed after 1.00 ms (x)",
        "dial 3 to h:9: TCP 1.00 ms, failed before it began (x)",
        "dial 3 to h:9: TCP failed after 1.00 ms (<b>)",
        "dial 3 to h:9: upgrade 9999999999.00 ms",
        "dial 3 to " + "h" * 700 + ": upgrade 1.00 ms",
    ],
)
def test_what_only_looks_like_a_dial_is_none(text: str) -> None:
    assert parse(text) is None


def test_no_password_of_an_address_reaches_a_row() -> None:
    told = of_event(DialEnded(1, "ws://user:hunter2@h:9/", 0.0, (), 0.0, "", "bad_url"))
    assert "hunter2" not in sentence(told)


def test_an_address_that_is_none_is_a_question_mark() -> None:
    assert of_event(DialEnded(1, "ws://h:99999999/", 0.0, (), 0.0, "", "bad_url")).address == NO_ADDRESS


def test_the_whole_of_a_dial_is_the_sum_of_its_steps() -> None:
    failed = Dialled(1, "h:9", (Step("name", 1.5), Step("TCP", 0.25)), "tls_failed", "TLS", 2.0)
    assert failed.total_ms == 3.75
