"""Makes the app icon's PNG, ICO and ICNS files from `app/sonde.svg`: `python assets/icons/render_app_icon.py`.

Both containers hold PNGs as they are, so a few lines of struct are all that is needed.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QBuffer, QIODevice, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

FOLDER = Path(__file__).resolve().parent / "app"
SIZES = (16, 24, 32, 48, 64, 128, 256, 512)
SMALL = 32  # up to here fewer and thicker lines are drawn
ICO_SIZES = (16, 24, 32, 48, 64, 128, 256)
# Apple's four-letter types for PNGs of these sizes.
ICNS_TYPES = {16: b"icp4", 32: b"icp5", 64: b"icp6", 128: b"ic07", 256: b"ic08", 512: b"ic09"}


def png(size: int) -> bytes:
    """The icon as a PNG, `size` pixels wide."""
    source = FOLDER / ("sonde-small.svg" if size <= SMALL else "sonde.svg")
    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    QSvgRenderer(str(source)).render(painter, QRectF(0, 0, size, size))
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(buffer.data().data())


def ico(pictures: dict[int, bytes]) -> bytes:
    """A Windows icon: a directory of 16-byte entries, then the PNGs. A width of 256 is written as 0."""
    head = struct.pack("<HHH", 0, 1, len(pictures))
    offset = len(head) + 16 * len(pictures)
    entries, body = b"", b""
    for size, data in pictures.items():
        entries += struct.pack(
            "<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(data), offset + len(body)
        )
        body += data
    return head + entries + body


def icns(pictures: dict[int, bytes]) -> bytes:
    """A macOS icon: a type and a length before each PNG."""
    body = b"".join(
        ICNS_TYPES[size] + struct.pack(">I", len(data) + 8) + data for size, data in pictures.items()
    )
    return b"icns" + struct.pack(">I", len(body) + 8) + body


def main() -> None:
    """Write every file."""
    application = QGuiApplication([])
    pictures = {size: png(size) for size in SIZES}
    for size, data in pictures.items():
        (FOLDER / f"sonde-{size}.png").write_bytes(data)
    (FOLDER / "sonde.ico").write_bytes(ico({size: pictures[size] for size in ICO_SIZES}))
    (FOLDER / "sonde.icns").write_bytes(icns({size: pictures[size] for size in ICNS_TYPES}))
    application.quit()


if __name__ == "__main__":
    main()
