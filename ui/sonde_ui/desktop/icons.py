"""Line icons: drawn once as SVG in `assets/icons`, tinted and rasterised here for every scale.

Owns the way from a name and a colour to a `QIcon`. Knows no theme: `theme.icon` passes the colour in.
"""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from sonde_ui.desktop.assets import asset

_SCALES = (1.0, 2.0, 3.0)


@lru_cache(maxsize=128)
def _source(name: str) -> str:
    return asset(f"icons/{name}.svg").read_text(encoding="utf-8")


@lru_cache(maxsize=1024)
def _pixmap(name: str, color: str, size: int, scale: float) -> QPixmap:
    svg = _source(name).replace("currentColor", color)
    renderer = QSvgRenderer(QByteArray(svg.encode()))
    pixels = round(size * scale)
    picture = QPixmap(pixels, pixels)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    renderer.render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    picture.setDevicePixelRatio(scale)
    return picture


def tinted_pixmap(name: str, color: QColor, size: int = 16, scale: float = 1.0) -> QPixmap:
    """The icon `name` in `color`, `size` logical pixels wide, for a screen of that `scale`."""
    return _pixmap(name, color.name(), size, scale)


def tinted_icon(name: str, color: QColor, size: int = 16, disabled: QColor | None = None) -> QIcon:
    """The icon `name` in `color`; `disabled` colours it where its control cannot be used."""
    icon = QIcon()
    for scale in _SCALES:
        icon.addPixmap(tinted_pixmap(name, color, size, scale))
        if disabled is not None:
            icon.addPixmap(tinted_pixmap(name, disabled, size, scale), QIcon.Mode.Disabled)
    return icon


def forget_pixmaps() -> None:
    """Drop the cache; pixmaps must not outlive the application object."""
    _pixmap.cache_clear()


def app_icon() -> QIcon:
    """The application's icon in the sizes that taskbars and window titles ask for."""
    icon = QIcon()
    for size in (16, 24, 32, 48, 64, 128, 256):
        icon.addFile(str(asset(f"icons/app/sonde-{size}.png")))
    return icon
