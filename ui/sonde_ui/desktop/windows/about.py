"""What this is, which version, and whose work is inside."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import qVersion
from PySide6.QtWidgets import QLabel, QWidget

from sonde_ui.desktop.icons import app_icon
from sonde_ui.desktop.theme import font_ui
from sonde_ui.desktop.widgets.fact_card import FactCard


def sonde_version() -> str:
    """The installed version, or "unknown" in a bare checkout."""
    try:
        return version("sonde")
    except PackageNotFoundError:
        return "unknown"


class About(FactCard):
    """The card."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, "About Sonde")
        self._picture = QLabel()
        self._picture.setPixmap(app_icon().pixmap(48, 48))
        self.column.insertWidget(0, self._picture)
        words = QLabel(
            "Sounds the depth of a real-time connection: traffic, presence, latency, and why it dropped."
        )
        words.setWordWrap(True)
        words.setFont(font_ui(13))
        self.column.insertWidget(2, words)
        self.show_facts(
            f"Sonde {sonde_version()}",
            [
                ("Licence", "MIT", "text"),
                ("Qt", f"{qVersion()}, LGPL 3", "text"),
                ("Fonts", "Inter and JetBrains Mono, SIL OFL 1.1", "text"),
            ],
        )

    def open(self) -> None:
        """Show the card."""
        self.open_centred(top=96)
