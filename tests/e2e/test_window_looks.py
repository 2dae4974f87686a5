"""Every perspective at the smallest complete size and at scale 2, in each theme: nothing clipped, covered or off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from support import layout

pytestmark = pytest.mark.slow
PROBE = Path(__file__).with_name("layout_probe.py")


@pytest.mark.parametrize("scale", ["1", "2"])
@pytest.mark.parametrize("theme", ["dark", "light", "contrast"])
def test_every_perspective_is_whole(theme: str, scale: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROBE), theme, "1280x800", str(tmp_path / "data")],
        env={**os.environ, "QT_SCALE_FACTOR": scale},
        text=True,
        capture_output=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    problems = json.loads(done.stdout.splitlines()[-1])
    assert set(problems) == {"inspect", "break", "watch", "size"}
    assert {where: found for where, found in problems.items() if found} == {}


# ------------------------------------------------- each check can go red


def test_planted_clipped_covered_and_unnamed_widgets_are_seen(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(200, 60)
    row = QHBoxLayout(window)
    one, other = QLabel("a label with a lot more text than room"), QPushButton("another")
    row.addWidget(one)
    row.addWidget(other)
    nameless = QPushButton("", window)
    window.show()
    qtbot.waitExposed(window)
    one.setFixedWidth(40)
    other.setGeometry(one.geometry())
    nameless.setGeometry(window.width() - 10, 10, 40, 20)
    assert any("more text" in found for found in layout.clipped(window))
    assert layout.overlapping(window)
    assert layout.outside(window)
    assert layout.unnamed(window)


def test_contrast_is_computed_as_wcag_does() -> None:
    assert layout.contrast(QColor("#000000"), QColor("#ffffff")) == pytest.approx(21.0)
    assert layout.contrast(QColor("#777777"), QColor("#ffffff")) == pytest.approx(4.48, abs=0.01)
