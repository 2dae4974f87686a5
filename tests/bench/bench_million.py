"""The window over 1,000,000 rows: typing a filter while frames come in, scrolling, and the detail of a 1 MB JSON.

Run `python tests/bench/bench_million.py` (about 60 s, 1.5 GB). A filter is typed letter by letter into the bar, as a
person does; *first page* is from the end of typing's pause to the first rows, *whole* until every row was looked
at. Beside them stands the same filter worked out in one go, without a window.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
from bench_lab import a_row
from budgets import show, show_stalls
from desk_rig import Rig, desk_on_screen
from PySide6.QtTest import QTest

from sonde_lab.folding import View
from sonde_lab.records import Direction, Kind, Record
from sonde_lab.ring import Ring

ROWS, CHUNK = 1_000_000, 50_000
FRAMES_PER_S = 5_000
KEY_EVERY_S = 0.13  # a little more than the bar waits for the next letter, so that each of them is a filter
FILTERS = ("hello 77", "dir:in -op:delta", "rtt>200ms", "/chat.*77/", "d.nothing:1")
P99_MS, WORST_MS, FIRST_MS, WHOLE_MS, STEP_MS, MOVE_MS = 16.0, 50.0, 100.0, 500.0, 50.0, 16.0


def filled() -> Ring:
    """A ring with a million rows, and room for what comes during the bench."""
    ring = Ring(capacity=ROWS + 400_000, max_bytes=1 << 30)
    for begin in range(0, ROWS, CHUNK):
        ring.extend([a_row(number) for number in range(begin, begin + CHUNK)])
    return ring


def in_one_go(ring: Ring, text: str) -> float:
    """ms of the same filter without a window."""
    view = View(ring)
    view.set_filter(text)
    began = time.perf_counter()
    view.update()
    return (time.perf_counter() - began) * 1000


def typed(rig: Rig, text: str) -> tuple[float, float, list[float]]:
    """Type a filter; ms to the first page and to the whole, and how late the loop was meanwhile."""
    traffic, edit = rig.desk.views.traffic, rig.desk.filter_bar.edit
    late: list[float] = []
    edit.clear()
    for letter in text[:-1]:
        QTest.keyClicks(edit, letter)
        late += rig.run(KEY_EVERY_S)
    applied: list[float] = []
    first: list[float] = []
    traffic.filter_state_changed.connect(lambda _error: applied.append(time.perf_counter()))
    traffic.model.modelReset.connect(lambda: applied and not first and first.append(time.perf_counter()))
    QTest.keyClicks(edit, text[-1])
    late += rig.run(20.0, lambda: first and not traffic.view.backlog and traffic.view.filter_text == text)
    done = time.perf_counter()
    traffic.filter_state_changed.disconnect()
    return (first[0] - applied[0]) * 1000, (done - applied[0]) * 1000, late


def type_filters(rig: Rig) -> None:
    """All of them, while frames come in."""
    rig.feeder.set_pace(FRAMES_PER_S)
    every: list[float] = []
    for text in FILTERS:
        first, whole, late = typed(rig, text)
        every += late
        show(f"filter {text!r}: first page", first, "ms", FIRST_MS)
        show(
            f"filter {text!r}: whole ({in_one_go(rig.bench.ring, text):,.0f} ms in one go)",
            whole,
            "ms",
            WHOLE_MS,
        )
        rig.run(0.2)  # what the line above held up is nobody's stall
    rig.feeder.set_pace(0)
    show_stalls("typing filters under 5,000 frames/s", every, P99_MS, WORST_MS)
    rig.desk.filter_bar.edit.clear()
    traffic = rig.desk.views.traffic
    rig.run(
        10.0, lambda: not traffic.view.filter_text and traffic.model.rowCount() and not traffic.view.backlog
    )


def timed(rig: Rig, acts: list[Callable[[], object]]) -> float:
    """ms of the slowest act, its painting included."""
    slowest = 0.0
    for act in acts:
        began = time.perf_counter()
        act()
        rig.window.repaint()
        slowest = max(slowest, (time.perf_counter() - began) * 1000)
        rig.run(0.02)
    return slowest


def scroll_and_open(rig: Rig) -> None:
    """Jump through the table, select rows, and open a large one."""
    traffic = rig.desk.views.traffic
    traffic.pointer.hold_here()
    rows = traffic.model.rowCount()
    places = [rows * share // 100 for share in range(0, 100, 4)]
    scrolled = timed(rig, [lambda row=row: traffic.table.show_at_top(row) for row in places])
    show(f"scroll anywhere in {rows:,} rows, slowest of {len(places)}", scrolled, "ms", STEP_MS)
    chosen = timed(rig, [lambda row=row: traffic.table.select_row(row) for row in places])
    show("select a row and show its detail, slowest", chosen, "ms", STEP_MS)
    moved = timed(rig, [lambda row=row: rig.desk.cursor.hold_at_row(row) for row in places[1:]])
    show("move the time cursor to a row anywhere, all views and painting, slowest", moved, "ms", MOVE_MS)
    began = time.thread_time()
    for row in places[1:]:
        rig.desk.cursor.hold_at_row(row + 7)
    each = (time.thread_time() - began) * 1000 / len(places[1:])
    show("move the time cursor, the window's thread alone, mean", each, "ms", MOVE_MS)
    item = b'{"id":%d,"name":"player number %d","at":{"x":1.25,"y":-7.5},"tags":["a","b"]}'
    payload = b'{"op":"event","d":[' + b",".join(item % (n, n) for n in range(13_500)) + b"]}"
    large = Record(1e6, 1e6, "you", 1, Direction.IN, Kind.FRAME, 1, "event", "", len(payload), payload)
    row_id = rig.bench.ring.append(large)
    traffic.refresh()
    opened = timed(rig, [lambda: traffic.select_row_id(row_id)])
    show(f"open the detail of {len(payload) / 1e6:.2f} MB of JSON", opened, "ms", STEP_MS)


def main() -> None:
    """Print the figures."""
    with desk_on_screen(filled()) as rig:
        rig.run(3.0)
        type_filters(rig)
        scroll_and_open(rig)
        memory = psutil.Process().memory_info().rss >> 20
        print(f"{f'memory with {len(rig.bench.ring):,} rows, none of them on disk':<66}{memory:>10,} MB")


if __name__ == "__main__":
    main()
