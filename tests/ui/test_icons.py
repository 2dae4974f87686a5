from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QIcon
from PySide6.QtWidgets import QApplication

from sonde_ui.desktop.actions import ACTIONS
from sonde_ui.desktop.assets import asset
from sonde_ui.desktop.icons import app_icon, tinted_icon, tinted_pixmap

NAMES = sorted(path.stem for path in asset("icons/mark.svg").parent.glob("*.svg"))


def test_there_is_one_set_of_icons() -> None:
    assert len(NAMES) >= 24


@pytest.mark.parametrize("name", NAMES)
def test_an_icon_is_drawn_on_sixteen_pixels_in_one_stroke_and_the_text_colour(name: str) -> None:
    source = asset(f"icons/{name}.svg").read_text()
    assert 'viewBox="0 0 16 16"' in source
    assert 'stroke-width="1.5"' in source
    assert "currentColor" in source


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_an_icon_is_tinted_and_not_empty(dressed: QApplication, name: str, scale: float) -> None:
    picture = tinted_pixmap(name, QColor("#5aa9ff"), 16, scale)
    image = picture.toImage()
    assert image.width() == round(16 * scale)
    drawn = [
        image.pixelColor(x, y)
        for x in range(image.width())
        for y in range(image.height())
        if image.pixelColor(x, y).alpha() > 200
    ]
    assert drawn
    assert all(abs(color.blue() - 255) < 8 and color.red() < 130 for color in drawn)


def test_every_action_names_an_icon_that_exists() -> None:
    assert {action.icon for action in ACTIONS if action.icon} <= set(NAMES)


def test_a_disabled_icon_is_another_colour(dressed: QApplication) -> None:
    icon = tinted_icon("mark", QColor("#ffffff"), disabled=QColor("#555555"))
    normal, disabled = (
        icon.pixmap(16, 16, mode).toImage() for mode in (QIcon.Mode.Normal, QIcon.Mode.Disabled)
    )
    assert normal != disabled


def test_a_missing_asset_says_where_it_was_looked_for() -> None:
    with pytest.raises(FileNotFoundError, match="installation is damaged"):
        asset("icons/no-such.svg")


@pytest.mark.parametrize("size", [16, 24, 32, 48, 64, 128, 256, 512])
def test_the_app_icon_comes_in_every_size(dressed: QApplication, size: int) -> None:
    picture = asset(f"icons/app/sonde-{size}.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20], "big") == size
    assert not app_icon().isNull()


def test_the_icon_containers_hold_what_they_say() -> None:
    ico = asset("icons/app/sonde.ico").read_bytes()
    assert ico[:4] == b"\0\0\1\0"
    offset = int.from_bytes(ico[18:22], "little")
    assert ico[offset : offset + 4] == b"\x89PNG"
    icns = asset("icons/app/sonde.icns").read_bytes()
    assert icns[:4] == b"icns"
    assert int.from_bytes(icns[4:8], "big") == len(icns)
