"""Peer text shown on a line."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QApplication, QLabel

from sonde_ui.desktop.models.plain import many_lines, one_line, tool_tip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("nul \x00 inside", "nul ␀ inside"),
        ("two\r\nlines", "two↵lines"),
        ("lone \ud83d half", "lone \\ud83d half"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("c1 \x85 next line", "c1 \\u0085 next line"),
        ("مرحبا", "مرحبا"),
        ("👩‍👩‍👧 family", "👩‍👩‍👧 family"),
    ],
)
def test_a_line_hides_nothing(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_long_text_is_cut_and_says_so() -> None:
    assert one_line("x" * 1_000_000, 10) == "x" * 10 + "…"


def test_many_lines_keep_their_line_ends_and_tabs() -> None:
    assert many_lines("a\r\n\tb\x00") == "a\n\tb␀"


def test_a_tooltip_shows_markup_as_text(qapp: QApplication) -> None:
    label = QLabel(tool_tip("<b>bold</b>\nsecond"))
    assert label.text() == "<qt>&lt;b&gt;bold&lt;/b&gt;<br>second</qt>"
