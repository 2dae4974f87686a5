"""A guard against a binding that loses references of `None` on Python without immortal objects, and then aborts."""

from __future__ import annotations

import sys

from PySide6.QtWidgets import QApplication


def test_void_calls_keep_their_reference_of_none(qapp: QApplication) -> None:
    before = sys.getrefcount(None)
    for _ in range(300):
        qapp.processEvents()
    assert sys.getrefcount(None) > before - 50
