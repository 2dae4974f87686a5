from __future__ import annotations

import pytest
from PySide6.QtGui import QColor

from sonde_ui.desktop.tokens import (
    CONTRAST_DARK,
    CONTRAST_LIGHT,
    DARK,
    LIGHT,
    TOKENS,
    Theme,
    colour_blind,
    contrast,
    mix,
)

ALL = [DARK, LIGHT, CONTRAST_DARK, CONTRAST_LIGHT, colour_blind(DARK), colour_blind(LIGHT)]
READ = ("text", "dim", "accent", "ok", "warn", "bad", "injected", "sent", "received")


@pytest.mark.parametrize("theme", ALL, ids=lambda theme: theme.name)
@pytest.mark.parametrize("ground", ["bg", "panel", "raised"])
@pytest.mark.parametrize("token", READ)
def test_what_is_read_stands_out_from_every_ground(theme: Theme, ground: str, token: str) -> None:
    assert contrast(theme.color(token), theme.color(ground)) >= 4.5


@pytest.mark.parametrize("theme", ALL, ids=lambda theme: theme.name)
@pytest.mark.parametrize("token", ["text", "dim", "accent"])
def test_what_is_read_stands_out_from_a_selected_row(theme: Theme, token: str) -> None:
    assert contrast(theme.color(token), theme.selection) >= 4.5


@pytest.mark.parametrize("theme", [CONTRAST_DARK, CONTRAST_LIGHT], ids=lambda theme: theme.name)
def test_high_contrast_has_no_dim_text_and_thick_lines(theme: Theme) -> None:
    assert theme.dim == theme.text
    assert theme.line_px == 2
    assert contrast(theme.text, theme.panel) > 15


def test_contrast_is_that_of_wcag() -> None:
    assert contrast(QColor("#ffffff"), QColor("#000000")) == pytest.approx(21.0)
    assert contrast(QColor("#777777"), QColor("#ffffff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_the_colour_blind_palette_changes_directions_only(theme: Theme) -> None:
    other = colour_blind(theme)
    changed = {token for token in TOKENS if theme.color(token) != other.color(token)}
    assert changed == {"sent", "received"}
    assert other.sent.blueF() > other.sent.redF()
    assert other.received.redF() > other.received.blueF()


def test_an_unknown_token_is_an_error_not_a_colour() -> None:
    with pytest.raises(KeyError):
        DARK.color("name")


def test_mixing_goes_from_one_colour_to_the_other() -> None:
    assert mix(DARK.bad, DARK.bg, 0.0) == DARK.bg
    assert mix(DARK.bad, DARK.bg, 1.0) == DARK.bad
