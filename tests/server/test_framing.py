"""Reading plain frames inline, and framing what is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from sonde_server.framing import Framer, Library, first_slice, frame_header, read_plain
from support.echo_house import frame

TEXT, BINARY, PING = 1, 2, 9


def plain(
    data: bytes, limit: int = 65_536, stop_after: int | None = None
) -> tuple[int, list[tuple[bytes, bool]]]:
    got: list[tuple[bytes, bool]] = []

    def take(payload: bytes, binary: bool) -> bool:
        got.append((payload, binary))
        return stop_after is None or len(got) < stop_after

    return read_plain(data, limit, take), got


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_header_is_what_the_library_writes(length: int) -> None:
    data = b"x" * length
    assert frame_header(0x81, length) + data == Frame(Opcode.TEXT, data).serialize(mask=False)


def test_framer_frames_the_same_object_once_and_another_equal_one_anew() -> None:
    framer = Framer(binary=True)
    one, two = bytes([1, 2, 3]), bytes(bytearray([1, 2, 3]))
    assert framer.frame(one) is framer.frame(one)
    assert framer.frame(two) == framer.frame(one) == b"\x82\x03\x01\x02\x03"
    assert Framer(binary=False).frame(b"") == b"\x81\x00"


@given(st.lists(st.tuples(st.binary(max_size=300), st.booleans()), max_size=6), st.integers(0, 400))
def test_whole_frames_are_read_and_a_cut_one_is_left(messages: list[tuple[bytes, bool]], cut: int) -> None:
    texts = [(data if binary else data.hex().encode(), binary) for data, binary in messages]
    stream = b"".join(frame(BINARY if binary else TEXT, data) for data, binary in texts)
    used, got = plain(stream[: len(stream) - min(cut, len(stream))])
    assert got == texts[: len(got)]
    assert used == sum(len(frame(BINARY, data)) for data, _ in got)
    assert cut or got == texts


@pytest.mark.parametrize(
    "odd",
    [
        frame(PING, b"p"), frame(TEXT, b"a", fin=False), frame(0, b"a"), frame(8, b""), frame(3, b""),
        frame(TEXT, b"a", masked=False), frame(TEXT, b"a", rsv=0x40), frame(TEXT, b"\xff"), frame(TEXT, b"x" * 101),
        frame(TEXT, b"", length=1 << 62), frame(TEXT, b"x" * 70_000),
    ],
)  # fmt: skip
def test_first_odd_frame_stops_the_inline_path_and_is_left_whole(odd: bytes) -> None:
    good = frame(TEXT, b"good")
    used, got = plain(good + odd + good, limit=100)
    assert (used, got) == (len(good), [(b"good", False)])


def test_reader_stops_when_it_is_told_to() -> None:
    stream = frame(TEXT, b"1") + frame(TEXT, b"2")
    assert plain(stream, stop_after=1) == (len(stream) // 2, [(b"1", False)])


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (frame(PING, b"abc") + frame(TEXT, b"x"), 9),
        (frame(PING, b"abc")[:-1], 8),
        (b"\x89", 1),
        (frame(TEXT, b"x" * 9_000), 4_096),
        (frame(TEXT, b"a", masked=False) + b"y" * 5_000, 4_096),
    ],
)
def test_library_is_fed_one_short_frame_or_a_slice(data: bytes, size: int) -> None:
    assert first_slice(data) == size


@given(st.integers(1, 30))
def test_library_is_idle_only_between_messages(step: int) -> None:
    library = Library(State.OPEN, 65_536)
    parts = [
        frame(TEXT, b"a" * 20, fin=False),
        frame(PING, b""),
        frame(0, b"b" * 20),
        frame(BINARY, b"c" * 20),
    ]
    ends = {len(b"".join(parts[:3])), len(b"".join(parts))}
    stream, fed = b"".join(parts), 0
    while fed < len(stream):
        library.feed(stream[fed : fed + step])
        fed = min(fed + step, len(stream))
        assert library.is_idle is (fed in ends)
