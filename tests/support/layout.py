"""What an eye would find wrong with a window, computed: clipped text, overlaps, things outside, wrong colours."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QAbstractButton, QAbstractScrollArea, QLabel, QWidget

SLACK_PX = 1


def described(widget: QWidget) -> str:
    text = getattr(widget, "text", lambda: "")()
    return f"{type(widget).__name__}({widget.accessibleName() or widget.objectName() or text!r})"


def visible_widgets(window: QWidget) -> Iterator[QWidget]:
    return (
        widget for widget in window.findChildren(QWidget) if widget.isVisible() and widget.window() is window
    )


def inside_scroll_area(widget: QWidget, window: QWidget) -> bool:
    """What a scroll area holds may be larger than what it shows: that is what it is for."""
    parent = widget.parentWidget()
    while parent is not None and parent is not window:
        if isinstance(parent, QAbstractScrollArea):
            return True
        parent = parent.parentWidget()
    return False


def clipped(window: QWidget) -> list[str]:
    """Labels and buttons with less room than their text needs, unless they elide by design and keep a tooltip."""
    found = []
    for widget in visible_widgets(window):
        if (
            not isinstance(widget, QLabel | QAbstractButton)
            or not widget.text()
            or inside_scroll_area(widget, window)
        ):
            continue
        if isinstance(widget, QLabel) and widget.wordWrap():
            if widget.heightForWidth(widget.width()) > widget.height() + SLACK_PX:
                found.append(f"{described(widget)}: wrapped text needs more height than {widget.height()}")
            continue
        needed = widget.minimumSizeHint()
        if needed.width() > widget.width() + SLACK_PX or needed.height() > widget.height() + SLACK_PX:
            found.append(f"{described(widget)}: needs {needed.toTuple()}, has {widget.size().toTuple()}")
    return found


def outside(window: QWidget) -> list[str]:
    """Widgets that stick out of the window or of their parent."""
    found = []
    for widget in visible_widgets(window):
        parent = widget.parentWidget()
        if parent is None or inside_scroll_area(widget, window):
            continue
        if (
            widget.width()
            and widget.height()
            and not parent.rect().adjusted(-1, -1, 1, 1).contains(widget.geometry())
        ):
            found.append(
                f"{described(widget)}: {widget.geometry().getRect()} outside {parent.rect().getRect()}"
            )
    return found


def overlapping(window: QWidget) -> list[str]:
    """Siblings in one layout that cover one another."""
    found = []
    for parent in [window, *visible_widgets(window)]:
        layout = parent.layout()
        if layout is None or layout.metaObject().className() == "QStackedLayout":
            continue
        items = [layout.itemAt(i).widget() for i in range(layout.count())]
        shown = [item for item in items if item is not None and item.isVisible()]
        for one, other in combinations(shown, 2):
            common: QRect = one.geometry().intersected(other.geometry())
            if common.width() > SLACK_PX and common.height() > SLACK_PX:
                found.append(f"{described(one)} over {described(other)}: {common.getRect()}")
    return found


def unnamed(window: QWidget) -> list[str]:
    """Widgets that take the keyboard but have no name for a screen reader."""
    from PySide6.QtCore import Qt

    return [
        described(widget)
        for widget in visible_widgets(window)
        if widget.focusPolicy() != Qt.FocusPolicy.NoFocus
        and not widget.accessibleName()
        and not getattr(widget, "text", lambda: "")()
        and widget.focusProxy() is None
    ]


def color_at(picture: QImage, spot: QPoint, scale: float) -> str:
    return QColor(picture.pixel(round(spot.x() * scale), round(spot.y() * scale))).name()


def contrast(one: QColor, other: QColor) -> float:
    """WCAG 2.2 contrast ratio."""

    def luminance(color: QColor) -> float:
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color.getRgbF()[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
