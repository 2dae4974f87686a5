from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QFontInfo, QFontMetricsF
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from sonde_ui.desktop.stylesheet import stylesheet
from sonde_ui.desktop.theme import ThemeChoice, font_data, font_title, font_ui, themes
from sonde_ui.desktop.tokens import CONTRAST_DARK, DARK, LIGHT, Theme
from sonde_ui.desktop.windows.desk import Desk


@pytest.mark.parametrize(
    ("choice", "theme"),
    [(ThemeChoice.DARK, DARK), (ThemeChoice.LIGHT, LIGHT), (ThemeChoice.CONTRAST, CONTRAST_DARK)],
)
def test_a_chosen_theme_is_in_force_and_told_once(
    dressed: QApplication, choice: ThemeChoice, theme: Theme
) -> None:
    themes.choose(ThemeChoice.LIGHT if choice is not ThemeChoice.LIGHT else ThemeChoice.DARK)
    told: list[Theme] = []
    link = themes.changed.connect(told.append)
    themes.choose(choice)
    themes.choose(choice)
    themes.disconnect(link)
    assert told == [theme]
    assert themes.current() == theme


def test_the_system_theme_is_dark_where_the_desktop_says_nothing(dressed: QApplication) -> None:
    themes.choose(ThemeChoice.SYSTEM)
    assert themes.choice is ThemeChoice.SYSTEM
    assert themes.current() in (DARK, LIGHT)


def test_a_theme_switch_repaints_what_is_on_screen(desk: Desk) -> None:
    def ground() -> QColor:
        picture = desk.top_bar.grab().toImage()
        return picture.pixelColor(3, picture.height() // 2)

    assert ground() == DARK.panel
    themes.choose(ThemeChoice.LIGHT)
    assert ground() == LIGHT.panel
    table = desk.views.traffic.table.viewport().grab().toImage()
    left_of_the_words = {table.pixelColor(5, y).rgb() for y in range(table.height())}
    assert LIGHT.bg.rgb() in left_of_the_words
    assert DARK.bg.rgb() not in left_of_the_words


@pytest.mark.parametrize("theme", [DARK, LIGHT, CONTRAST_DARK], ids=lambda theme: theme.name)
def test_the_style_sheet_has_every_value_filled_in(theme: Theme) -> None:
    sheet = stylesheet(theme)
    assert "$" not in sheet
    assert theme.accent.name() in sheet


def test_the_bundled_fonts_are_the_ones_in_use(dressed: QApplication) -> None:
    assert QFontInfo(font_ui()).family() == "Inter"
    assert QFontInfo(font_data()).family() == "JetBrains Mono"
    assert [QFontInfo(font_ui(13, weight)).weight() for weight in (400, 500, 600)] == [400, 500, 600]


@pytest.mark.parametrize("weight", [400, 500, 600])
def test_figures_are_all_as_wide(dressed: QApplication, weight: int) -> None:
    metrics = QFontMetricsF(font_ui(13, weight))
    widths = [metrics.horizontalAdvance(figure * 4) for figure in "0123456789"]
    assert max(widths) - min(widths) < 0.1  # rounding to a 64th of a pixel
    assert abs(metrics.horizontalAdvance("1111") - metrics.horizontalAdvance("0000")) < 0.1


def test_data_shows_the_characters_that_were_sent_not_ligatures(dressed: QApplication) -> None:
    font = font_data()
    assert {tag.toString().data().decode(): font.featureValue(tag) for tag in font.featureTags()}["calt"] == 0


def test_dock_titles_are_small_capitals(dressed: QApplication) -> None:
    assert font_title().pixelSize() == 11
    assert font_title().capitalization() == font_title().Capitalization.AllUppercase


def test_the_system_font_is_an_option(dressed: QApplication, qtbot: QtBot) -> None:
    label = QWidget()
    qtbot.addWidget(label)
    themes.choose(system_font=True)
    assert font_ui().family() != "Inter"
    themes.choose(system_font=False)
    assert font_ui().family() == "Inter"
