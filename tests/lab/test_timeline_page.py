"""docs/timeline.md does what it says: its script runs, and its figures are those of the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sonde_lab import keyframes, spells, timeline
from sonde_lab.capture import loading
from sonde_lab.records import Record
from support.captures import capture
from support.timeline_rows import delta, member, roster, snapshot

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "timeline.md").read_text(encoding="utf-8")
EXAMPLE = DOCS / "examples" / "what_was_known.py"
ROWS: list[Record] = [
    snapshot(5, {"round": 1}),
    roster(1, member("ada"), member("bo", "away")),
    delta(6, {"round": 2}),
    delta(7, {"round": 3}),
]


def test_the_script_on_the_page_is_the_file_and_runs(tmp_path: Path) -> None:
    assert EXAMPLE.read_text(encoding="utf-8") in TEXT
    path = capture(tmp_path / "small.sonde", ROWS)
    done = subprocess.run(
        [sys.executable, EXAMPLE, path, "you", "room:arena", "4"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "{'round': 3} ",
        "Ada (online), Bo (away) ",
        "since row 3: round 2 -> 3",
        "since row 1: round 1 -> 2",
    ]


def test_the_figures_are_those_of_the_code() -> None:
    for figure in (keyframes.MAX_KEYFRAMES, spells.MAX_SPELLS, timeline.MAX_LINES):
        assert f"{figure:,}" in TEXT
    assert f"{keyframes.MAX_PINNED_BYTES >> 20} MiB" in TEXT
    assert f"Every {keyframes.EVERY_ENTRIES} entries, or {keyframes.EVERY_BYTES >> 10} KiB" in TEXT
    assert f"{loading.MAX_KEPT} of each" in TEXT
