"""The one table of colours and measures. Everything that is drawn takes its colours from a `Theme`.

Owns the tokens of the visual language and their palettes. Refuses meaning: what is "warn" decides the caller.
`faint` is for decoration only (below 4.5:1); text that is read uses `text` or `dim`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from PySide6.QtGui import QColor

GRID = 4
ROW = 24
ROW_PRESENCE = 40
CONTROL = 30
TITLE = 32
RADIUS = 6


@dataclass(slots=True, frozen=True)
class Theme:
    """One palette. `line_px`: the width of lines between panels."""

    name: str
    is_dark: bool
    bg: QColor
    panel: QColor
    raised: QColor
    line: QColor
    text: QColor
    dim: QColor
    faint: QColor
    accent: QColor
    selection: QColor
    ok: QColor
    warn: QColor
    bad: QColor
    injected: QColor
    mark: QColor
    sent: QColor
    received: QColor
    line_px: int = 1

    def color(self, token: str) -> QColor:
        """The colour named `token`.

        Raises:
            KeyError: there is no such token.
        """
        if token not in TOKENS:
            raise KeyError(token)
        color: QColor = getattr(self, token)
        return color


TOKENS = frozenset(field.name for field in fields(Theme)) - {"name", "is_dark", "line_px"}


def _theme(name: str, is_dark: bool, tokens: str, line_px: int = 1) -> Theme:
    names = [field.name for field in fields(Theme) if field.name in TOKENS]
    colors = [QColor(value) for value in tokens.split()]
    return Theme(name, is_dark, **dict(zip(names, colors, strict=True)), line_px=line_px)


# The visual language's table, but for four values that were a shade too weak for text at 4.5:1 (selection in
# both; ok and warn in light).
#                             bg      panel   raised  line    text    dim     faint   accent  selection
#                             ok      warn    bad     injected mark   sent    received
DARK = _theme(
    "dark",
    True,
    "#14171c #1a1e24 #20252d #2c333d #e6e9ee #98a2b0 #6b7685 #5aa9ff #1b3450 "
    "#3ecf8e #f2b84b #ff6b6b #b48cff #e8c547 #4fd1a5 #ff9d7a",
)
LIGHT = _theme(
    "light",
    False,
    "#f4f5f7 #ffffff #f9fafb #dde1e7 #1b2128 #5b6674 #8a95a3 #1769d1 #e4f0fe "
    "#0c7a4b #965d00 #cc2f2f #7a45d1 #8a6d00 #0f7f5d #b84e22",
)
# No dim text and thick white or black lines; the colours keep their meaning at 7:1 and more.
CONTRAST_DARK = _theme(
    "contrast-dark",
    True,
    "#000000 #000000 #141414 #ffffff #ffffff #ffffff #c8c8c8 #8ccaff #083c80 "
    "#5ff0ab #ffd166 #ff9c9c #cfb3ff #ffe066 #6ff0c4 #ffb899",
    line_px=2,
)
CONTRAST_LIGHT = _theme(
    "contrast-light",
    False,
    "#ffffff #ffffff #f2f2f2 #000000 #000000 #000000 #333333 #0047a3 #cfe4ff "
    "#00562f #6b4200 #9c0a0a #5a1fb0 #5c4800 #00553c #8a2f0a",
    line_px=2,
)


# What a person may colour rows with: told apart by all eyes (after Okabe and Ito), and none of the colours above
# that mean something. Each as its bar; the row's tint is a little of it.
_RULES_DARK = {"blue": "#4f8fd0", "teal": "#2fa79a", "amber": "#b9853a", "pink": "#c97fa8", "grey": "#8b94a0"}
_RULES_LIGHT = {
    "blue": "#3d7cc0",
    "teal": "#1f8f83",
    "amber": "#a8712a",
    "pink": "#b8618f",
    "grey": "#7b8490",
}
_TINT_DARK, _TINT_LIGHT = 0.17, 0.12


def rule_bars(theme: Theme) -> dict[str, QColor]:
    """The colours of colour rules, by name."""
    table = _RULES_DARK if theme.is_dark else _RULES_LIGHT
    return {name: QColor(value) for name, value in table.items()}


def rule_tints(theme: Theme) -> dict[str, QColor]:
    """What a row's ground is under a colour rule, by name: text on it stays readable."""
    under, share = (theme.bg, _TINT_DARK) if theme.is_dark else (theme.panel, _TINT_LIGHT)
    return {name: mix(color, under, share) for name, color in rule_bars(theme).items()}


def colour_blind(theme: Theme) -> Theme:
    """`theme` with directions in blue and orange (Okabe and Ito's pair); states are told by their shapes."""
    sent, received = ("#56b4e9", "#e69f00") if theme.is_dark else ("#00639c", "#9a5200")
    return replace(theme, name=f"{theme.name}-colour-blind", sent=QColor(sent), received=QColor(received))


def mix(over: QColor, under: QColor, share: float) -> QColor:
    """`share` (0–1) of `over` laid on `under`: an opaque tint."""
    rest = 1.0 - share
    return QColor.fromRgbF(
        over.redF() * share + under.redF() * rest,
        over.greenF() * share + under.greenF() * rest,
        over.blueF() * share + under.blueF() * rest,
    )


def contrast(one: QColor, other: QColor) -> float:
    """Contrast ratio by WCAG 2.2, 1 to 21."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(color: QColor) -> float:
    red, green, blue = (_linear(part) for part in (color.redF(), color.greenF(), color.blueF()))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
