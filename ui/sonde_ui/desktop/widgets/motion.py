"""Whether things may move. Motion only ever shows what changed, and never for longer than 150 ms."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication


def motion_allowed() -> bool:
    """False when the person asked for reduced motion: the settings tell Qt, everybody asks Qt."""
    return QApplication.isEffectEnabled(Qt.UIEffect.UI_General)
