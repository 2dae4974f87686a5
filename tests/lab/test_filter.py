"""The filter language: what it reads, what it refuses and where, and the rows that it means."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_lab.filter import Filter, FilterError
from sonde_lab.filter.completion import completions
from sonde_lab.filter.expression import quoted, quoted_text
from sonde_lab.filter.fields import ALIASES, FIELDS, FLAGS
from sonde_lab.filter.grammar import parse
from sonde_lab.filter.terms import Text
from sonde_lab.folding import View
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from support.records import row

DOCUMENT = Path(__file__).parents[2] / "docs" / "filters.md"


def message(op: str = "event", at: float = 0.0, *, data: Any = None, **fields: Any) -> Record:
    payload = json.dumps({"op": op, "d": data} | ({"type": fields.pop("type")} if "type" in fields else {}))
    return row(op, at, payload.encode(), size=len(payload), **fields)


STORY = [
    message("event", 10.0, type="chat", data={"text": "Hello there"}, channel="room:arena", seq=7),
    message("event", 10.5, type="hit", data={"hp": 0, "tags": ["red"], "by": {"user": "p7"}}, channel="room:b"),
    message("ping", 11.0, direction=Direction.OUT, flags=Flag.HEARTBEAT, rtt_ms=250.0),
    message("publish", 12.0, direction=Direction.OUT, data=[{"hp": 40}], command=214, rtt_ms=8.0),
    row("act", 13.0, b"cut the socket of you", kind=Kind.ACT, direction=Direction.NONE, flags=Flag.INJECTED, size=0),
    row("close", 14.0, b"by the server", kind=Kind.CLOSE, direction=Direction.NONE, code=1006, size=0),
    message("delta", 75.0, data={"hp": -3.5, "name": "true"}, channel="user:p7", conn="p1"),
    row("event", 80.0, msgspec.msgpack.encode({"op": "event", "d": {"hp": True}}), opcode=2, size=900),
]  # fmt: skip
STORIED = Ring()
STORIED.extend(STORY)


@pytest.fixture
def story() -> Ring:
    return STORIED


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("hello", [0]),
        ('"hello there"', [0]),
        ('"there hello"', []),
        ("there hello", [0]),
        ("dir:in type:chat", [0]),
        ("dir:sent", [2, 3]),
        ("-op:ping dir:out", [3]),
        ("not op:ping and dir:out", [3]),
        ("op!=event kind:frame", [2, 3, 6]),
        ("type:hit or type:delta", [1, 6]),
        ("(hello or hp) -conn:p1", [0, 1, 3, 7]),
        ("hello or hp -conn:p1", [0, 1, 3, 7]),
        ("size>512", [7]),
        ("size > 0.5KB", [7]),
        ("rtt>200ms", [2]),
        ("rtt<=0.008s", [3]),
        ("rtt < 1m has:rtt", [2, 3]),
        ("time>=1m", [6, 7]),
        ("time<500ms", [0]),
        ("close:1006", [5]),
        ("code<2000", [5]),
        ("seq:7", [0]),
        ("id:214", [3]),
        ("row:2", [1]),
        ("row:2..4 dir:out", [2, 3]),
        ("row!=2..8", [0]),
        ("row>=8 or row<2", [0, 7]),
        ("rtt:8ms..0.25s", [2, 3]),
        ("room:arena", [0]),
        ("room:ARENA", [0]),
        ('ch~"^room:"', [0, 1]),
        ("ch~^user", [6]),
        ("-has:ch kind:frame", [2, 3, 7]),
        ("ch~/^USER/i", [6]),
        ("user:p7", [1, 6]),
        ("d.hp<=0", [1, 6]),
        ("d.hp:0", [1]),
        ("d.hp:true", [7]),
        ('d.name:"true"', [6]),
        ("d.name:true", []),
        ("d.*.hp>=40", [3]),
        ("d.0.hp:40", [3]),
        ("d.tags:red", [1]),
        ("d.text~^Hello", [0]),
        ("has:d.hp", [1, 6, 7]),
        ("-has:d.hp", [0, 2, 3, 4, 5]),
        ("d.hp!=0 has:d.hp", [6, 7]),
        ("has:fault", [4]),
        ("has:heartbeat or has:close", [2, 5]),
        ("has:ch", [0, 1, 6]),
        ("opcode:binary", [7]),
        ("kind:act", [4]),
        (r"/sock\w+ of/", [4]),
        ("/HELLO/", []),
        ("/HELLO/i", [0]),
        ("!hello && kind:frame || kind:close", [1, 2, 3, 5, 6, 7]),
        ("NOT kind:frame", [4, 5]),
        ("#214", [3]),
        ("there:", [0]),
    ],
)
def test_a_filter_means_these_rows(story: Ring, text: str, rows: list[int]) -> None:
    assert Filter(text).matching(story).nonzero()[0].tolist() == rows


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("op:", 3, "a value must follow"),
        ("hello rrt>200ms", 6, "nearest is “rtt”"),
        ("room2:x", 0, "In quotes it is searched for as text"),
        ("size>big", 5, "is no number"),
        ("rtt>5kg", 5, "us, µs, ms, s, m or min"),
        ("seq:5ms", 5, "no unit"),
        ("row:1..x", 7, "is no number"),
        ("dir:up", 4, "in, received, out, sent or none"),
        ("dir<in", 4, "no order"),
        ("conn>a", 5, "no order"),
        ("size~1", 5, "means nothing"),
        ("(a or b", 0, "never closed"),
        ("a or b)", 6, "without a ("),
        ("a or", 4, "must follow"),
        ("or a", 0, "missing before “or”"),
        ("()", 1, "missing before )"),
        ('"hello', 0, "never closed"),
        ('""', 2, "between the quotes"),
        ('ch~"(a"', 4, "missing )"),
        ("/(a/", 1, "missing )"),
        ("d..x:1", 0, "key is missing"),
        ("d.*:1", 0, "key by name"),
        ("d.hp>x", 5, "needs a number"),
        ("has:nothing", 4, "fault, mark"),
        ("has>fault", 4, "takes a colon"),
        ("(" * 50, 41, "levels deep"),
        ("a " * 250, 400, "200 terms"),
        ("x" * 4_001, 4_000, "4,000 characters"),
        (r"/(((a{1000}){1000}){1000})/", 1, "RE2"),
    ],
)
def test_what_is_not_understood_is_said_with_its_place(text: str, position: int, says: str) -> None:
    with pytest.raises(FilterError) as failed:
        Filter(text)
    assert failed.value.position == position
    assert says in failed.value.message


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet='abd.hp:<>=~/"()-! \\andort*5ms\0é\ud800', max_size=60))
def test_any_text_is_a_filter_or_an_error_within_it(text: str) -> None:
    error = View(STORIED).set_filter(text)
    if error is not None:
        assert 0 <= error.position <= len(text)
        return
    wanted = Filter(text)
    assert len(wanted.matching(STORIED)) == len(STORY)
    assert wanted.words
    assert Filter(text) == wanted


# ---------------------------------------------------------------- against plain Python

PLAIN = {
    "op:event": lambda r: r.op == "event",
    "dir:out": lambda r: r.direction == Direction.OUT,
    "size>=20": lambda r: r.kind in (Kind.FRAME, Kind.HANDSHAKE) and r.size >= 20,
    "rtt<100ms": lambda r: not math.isnan(r.rtt_ms) and r.rtt_ms < 100,
    "hp": lambda r: any(b"hp" in each for each in (r.payload.lower(), r.op.encode(), r.channel.encode())),
    r"/h.*1\d/": lambda r: any(re.search(rb"h.*1\d", line) for line in (r.payload, r.channel.encode())),
    "d.hp>10": lambda r: r.kind == Kind.FRAME and (json.loads(r.payload)["d"] or {}).get("hp", 0) > 10,
    "has:mark": lambda r: bool(r.flags & Flag.MARKED),
}
terms = st.sampled_from(sorted(PLAIN)).map(lambda text: (text, PLAIN[text]))
expressions = st.recursive(
    terms,
    lambda inner: st.one_of(
        inner.map(lambda one: (f"not ({one[0]})", lambda r: not one[1](r))),
        st.tuples(inner, inner).map(lambda two: (f"({two[0][0]} {two[1][0]})", lambda r: two[0][1](r) and two[1][1](r))),
        st.tuples(inner, inner).map(
            lambda two: (f"({two[0][0]} or {two[1][0]})", lambda r: two[0][1](r) or two[1][1](r))
        ),
    ),
    max_leaves=8,
)  # fmt: skip
records = st.builds(
    message,
    st.sampled_from(["event", "reply"]),
    data=st.one_of(st.none(), st.builds(dict, hp=st.integers(-5, 30))),
    direction=st.sampled_from(list(Direction)),
    rtt_ms=st.sampled_from([math.nan, 5.0, 500.0]),
    channel=st.sampled_from(["", "room:h11"]),
    flags=st.sampled_from([0, Flag.MARKED]),
)


@settings(max_examples=200, deadline=None)
@given(expressions, st.lists(records, max_size=25), st.integers(0, 25))
def test_any_expression_means_what_plain_python_means(
    expression: Any, rows: list[Record], start: int
) -> None:
    ring = Ring(capacity=16)
    ring.extend(rows)
    ids = range(max(ring.first_id, min(start, ring.next_id)), ring.next_id)
    text, plainly = expression
    assert Filter(text).matching(ring, ids).tolist() == [bool(plainly(rows[number])) for number in ids]


def test_messages_of_other_protocols_have_their_decoders_values() -> None:
    ring = Ring()
    ring.extend(
        [
            row("hit", 0.0, b'42["hit",{"hp":0}]', protocol="socket.io"),
            row("hit", 0.0, b'["1","2","room:a","hit",{"hp":0}]', protocol="phoenix"),
            row("hit", 0.0, b"hp", protocol="nobody's"),
        ]
    )
    assert Filter("d.*.hp:0 or d.*.*.hp:0 or d.payload.hp:0").matching(ring).tolist() == [True, True, False]
    assert Filter("protocol:phoenix").matching(ring).tolist() == [False, True, False]


def test_a_hostile_expression_costs_linear_time() -> None:
    ring = Ring()
    ring.extend([row("event", 0.0, b"a" * 4_000 + b"!") for _ in range(50)])
    assert not Filter(r"/^(a+)+$/").matching(ring).any()  # `re` would not come back


def test_an_expression_never_matches_across_two_rows() -> None:
    ring = Ring()
    ring.extend([row("x", 0.0, b"one"), row("x", 0.0, b"two")])
    assert not Filter(r"/one\s*two/").matching(ring).any()
    assert Filter("/^two$/").matching(ring).tolist() == [False, True]


def test_deep_and_broken_payloads_have_no_values() -> None:
    ring = Ring()
    deep = b'{"d":' + b"[" * 10_000 + b'"hp"' + b"]" * 10_000 + b"}"
    ring.extend([row("x", 0.0, each) for each in (deep, b'{"d":{"hp":', b"\xff\x00hp", b'{"d":{"hp":1}}')])
    assert Filter("d.hp:1").matching(ring).tolist() == [False, False, False, True]
    assert not Filter("user:hp").matching(ring).any()


# ---------------------------------------------------------------- words, completion, documentation


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "every row"),
        ("dir:in -op:ping", "direction is in, and not: type is “ping”"),
        ("size>2KB or (a b)", "size is over 2,048 bytes, or (holds “a”, and holds “b”)"),
        ("rtt>1s d.hp<=0", "round trip is over 1,000 ms, and hp is at most 0"),
        ("row:3..5", "row number is at least 3, and row number is at most 5"),
        ("has:fault has:rtt", "a person made it happen, and has a round trip"),
        ("-(a or b)", "not (holds “a”, or holds “b”)"),
    ],
)  # fmt: skip
def test_a_filter_says_in_words_what_it_means(text: str, words: str) -> None:
    assert Filter(text).words == words


@pytest.mark.parametrize(
    ("text", "offers"),
    [
        ("di", ["dial:", "dir:"]),
        ("hello -r", ["room:", "rtt:", "row:"]),
        ("dir:o", ["dir:out", "dir:none"]),
        ("has:fa", ["has:fault"]),
        ("conn:", ["conn:you", "conn:p1"]),
        ("room:", ["room:arena", "room:b"]),
        ("", []),
        ("size:", []),
    ],
)
def test_what_may_come_next_is_offered(story: Ring, text: str, offers: list[str]) -> None:
    found = completions(text, len(text), story)
    assert [offer.text for offer in found] == offers
    assert all(Filter(text[: offer.start] + offer.text) for offer in found if not offer.text.endswith(":"))


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_a_quoted_value_is_read_back_as_it_was(value: str) -> None:
    term = Filter(f"conn:{quoted(value)}").term
    assert getattr(term, "value", None) == value


def test_two_spellings_of_one_filter_are_equal() -> None:
    assert Filter("a and op:ping") == Filter("a   t:ping".replace("t:", "op="))
    assert Filter("a") != Filter("b")
    assert len({Filter("a"), Filter(" a ")}) == 1


def test_every_field_and_flag_is_in_the_document() -> None:
    page = DOCUMENT.read_text()
    for field in FIELDS:
        assert f"| `{field.name}` |" in page, field.name
    for flag in FLAGS:
        assert f"`has:{flag}`" in page, flag
    for alias, name in ALIASES.items():
        assert f"`{alias}`" in page, (alias, name)


def test_every_example_of_the_document_is_understood() -> None:
    examples = re.findall(r"^    (\S.*?)(?:\s{2,}#.*)?$", DOCUMENT.read_text(), re.MULTILINE)
    assert len(examples) >= 10
    for example in examples:
        Filter(example)


def test_whole_numbers_are_compared_whole() -> None:
    ring = Ring(16)
    ring.extend(
        [row(payload=b'{"d":{"id":9007199254740993}}'), row(payload=b'{"d":{"id":9007199254740992}}')]
    )
    assert Filter("d.id:9007199254740993").matching(ring).tolist() == [True, False]
    assert Filter("d.id>9007199254740992").matching(ring).tolist() == [True, False]
    assert Filter(f"d.id<{'9' * 3_000}").matching(ring).tolist() == [True, True]


def test_one_and_true_are_two_filters() -> None:
    assert Filter("d.x:1") != Filter("d.x:true")
    assert Filter("d.x:1") == Filter(" d.x:1 ")
    assert len({Filter("d.x:1"), Filter("d.x:true"), Filter('d.x:"1"'), Filter("d.x:1")}) == 3


@given(st.text(min_size=1, max_size=40))
def test_a_quoted_text_is_searched_for_as_it_is(text: str) -> None:
    term = parse(quoted_text(text))
    assert isinstance(term, Text)
    assert term.text.lower() == text.lower()  # whose case is not looked at


@pytest.mark.parametrize(
    "text", ["not", "or", "-bob", "op:ping", "/x/", "a b", "(", "d.x:1", "!x", "has:fault"]
)
def test_a_text_that_means_something_else_is_quoted(text: str) -> None:
    assert quoted_text(text) == f'"{text}"'
    assert quoted_text("ada_7") == "ada_7"
