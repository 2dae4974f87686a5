"""Where we are connected to, and where else we could be."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter

from sonde_lab.endpoints import Endpoint, EndpointKind
from sonde_ui.desktop.endpoint_book import EndpointBook
from sonde_ui.desktop.models.plain import one_line, tool_tip
from sonde_ui.desktop.theme import font_ui, icon, themes
from sonde_ui.desktop.widgets.shapes import square

_WIDTH = 212
_MARGINS = 74  # beside the sign, the name and the arrow
_OPEN = "Open a capture…"
_NEW = "New endpoint…"
_STARTS = {
    EndpointKind.EMBEDDED: "One gateway that starts beside the window",
    EndpointKind.CLUSTER: "Redis, NATS, two nodes and a balancer that start beside the window",
    EndpointKind.REMOTE: "",
    EndpointKind.PROXY: "",
    EndpointKind.CAPTURE: "",
}


class EndpointCombo(QComboBox):
    """A list of endpoints with a square for each kind; the last entries open a file and make a new one."""

    chosen = Signal(object)  # Endpoint
    new_asked = Signal()
    file_asked = Signal()

    def __init__(self, book: EndpointBook) -> None:
        super().__init__()
        self._book = book
        self._current: Endpoint | None = None
        self.setFont(font_ui(13, 500))
        self.setFixedWidth(_WIDTH)
        self.setIconSize(QSize(14, 14))
        self.setAccessibleName("Endpoint")
        self.setToolTip("Where to connect to")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.activated.connect(self._on_activated)
        book.changed.connect(self._fill)
        themes.changed.connect(self._fill)
        self._fill()

    def show_endpoint(self, endpoint: Endpoint | None) -> None:
        """Show which endpoint is open."""
        self._current = endpoint
        self._fill()

    @property
    def shown_name(self) -> str:
        """The name as far as there is room: a long one loses its middle, since its end is often the port."""
        room = self.width() - self.iconSize().width() - _MARGINS
        return self.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideMiddle, room)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """As Qt does, but a name that is too long is not cut without a sign."""
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = self.shown_name
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()

    def _fill(self) -> None:
        self.clear()
        for endpoint in self._book.endpoints:
            production = " · production" if endpoint.production else ""
            self.addItem(_sign(endpoint), one_line(_short(endpoint), 60) + production, endpoint)
            self.setItemData(self.count() - 1, tool_tip(_where(endpoint)), Qt.ItemDataRole.ToolTipRole)
        self.insertSeparator(self.count())
        self.addItem(icon("traffic", "dim", 14), _OPEN)
        self.addItem(icon("plus", "dim", 14), _NEW)
        self._select()

    def _select(self) -> None:
        names = [endpoint.name for endpoint in self._book.endpoints]
        shown = self._current.name if self._current else ""
        self.setCurrentIndex(names.index(shown) if shown in names else -1)

    def _on_activated(self, place: int) -> None:
        endpoint = self.itemData(place)
        self._select()  # what is shown is what is open, not what was asked for
        if isinstance(endpoint, Endpoint):
            self.chosen.emit(endpoint)
        elif self.itemText(place) == _OPEN:
            self.file_asked.emit()
        elif self.itemText(place) == _NEW:
            self.new_asked.emit()


def _short(endpoint: Endpoint) -> str:
    """Its name; of a capture the part that tells it from others."""
    is_file = endpoint.kind is EndpointKind.CAPTURE
    return endpoint.name.removesuffix(".sonde") if is_file else endpoint.name


def _where(endpoint: Endpoint) -> str:
    if endpoint.kind is EndpointKind.PROXY:
        return f"A proxy at {endpoint.listen} → {endpoint.upstream}"
    if endpoint.kind is EndpointKind.CAPTURE:
        return f"The capture {endpoint.path}"
    return endpoint.url or _STARTS[endpoint.kind]


def _sign(endpoint: Endpoint) -> QIcon:
    """A square: accent for our own, dim for others, the warning colour for production."""
    theme = themes.current()
    is_others = endpoint.kind in (EndpointKind.REMOTE, EndpointKind.CAPTURE)
    color = theme.dim if is_others else theme.accent
    picture = QPixmap(28, 28)
    picture.fill(QColor(Qt.GlobalColor.transparent))
    painter = QPainter(picture)
    square(painter, QPointF(14, 14), 9, theme.warn if endpoint.production else color)
    painter.end()
    picture.setDevicePixelRatio(2.0)
    return QIcon(picture)
