"""The look in force: which palette, which fonts, which icons; and the moment when that changes.

Owns `themes` (current palette, its signal, the application's style sheet) and the fonts. Refuses drawing:
widgets take tokens from `themes.current()` and repaint on `themes.changed`.
"""

from __future__ import annotations

import enum

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QFont, QFontDatabase, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import QApplication

from sonde_ui.desktop.assets import asset
from sonde_ui.desktop.icons import forget_pixmaps, tinted_icon
from sonde_ui.desktop.stylesheet import stylesheet
from sonde_ui.desktop.tokens import (
    CONTRAST_DARK,
    CONTRAST_LIGHT,
    CONTROL,
    DARK,
    GRID,
    LIGHT,
    RADIUS,
    ROW,
    ROW_PRESENCE,
    TITLE,
    Theme,
    colour_blind,
    contrast,
    mix,
    rule_bars,
    rule_tints,
)

__all__ = [
    "CONTROL",
    "GRID",
    "RADIUS",
    "ROW",
    "ROW_PRESENCE",
    "TITLE",
    "Theme",
    "ThemeChoice",
    "Themes",
    "contrast",
    "font_data",
    "font_title",
    "font_ui",
    "icon",
    "load_fonts",
    "mix",
    "rule_bars",
    "rule_tints",
    "swatch",
    "themes",
]

UI_FAMILY = "Inter"
DATA_FAMILY = "JetBrains Mono"
_FONT_FILES = (
    "Inter-Regular.otf",
    "Inter-Medium.otf",
    "Inter-SemiBold.otf",
    "JetBrainsMono-Regular.ttf",
    "JetBrainsMono-Medium.ttf",
    "JetBrainsMono-SemiBold.ttf",
)


class ThemeChoice(enum.StrEnum):
    """What a person chose; `SYSTEM` and `CONTRAST` follow the desktop's light or dark."""

    SYSTEM = "system"
    DARK = "dark"
    LIGHT = "light"
    CONTRAST = "contrast"


class Themes(QObject):
    """The palette in force. One application has one look, so there is one of these: `themes`."""

    changed = Signal(object)  # Theme

    def __init__(self) -> None:
        super().__init__()
        self._choice = ThemeChoice.SYSTEM
        self._colour_blind = False
        self._system_font = False
        self._theme = DARK
        self._following = False

    @property
    def choice(self) -> ThemeChoice:
        """What was chosen, which may be to follow the system."""
        return self._choice

    @property
    def colour_blind(self) -> bool:
        """Whether directions and states avoid red against green."""
        return self._colour_blind

    @property
    def system_font(self) -> bool:
        """Whether the interface uses the desktop's own font instead of Inter."""
        return self._system_font

    def current(self) -> Theme:
        """The palette in force."""
        return self._theme

    def choose(
        self,
        choice: ThemeChoice | None = None,
        *,
        colour_blind: bool | None = None,
        system_font: bool | None = None,
    ) -> None:
        """Change the look; what is not named stays. Emits `changed` only when something did change."""
        font_changed = system_font is not None and system_font != self._system_font
        self._choice = self._choice if choice is None else choice
        self._colour_blind = self._colour_blind if colour_blind is None else colour_blind
        self._system_font = self._system_font if system_font is None else system_font
        self._follow_the_system()
        self._resolve(force=font_changed)

    def apply(self) -> None:
        """Dress the application: palette, font and style sheet. Needed once, after `QApplication` was made."""
        app = QApplication.instance()
        if not isinstance(app, QApplication):
            return
        app.setFont(font_ui())
        app.setPalette(_qt_palette(self._theme))
        app.setStyleSheet(stylesheet(self._theme))

    def forget(self) -> None:
        """Let go of everything that must not outlive the application object."""
        forget_pixmaps()

    def _resolve(self, force: bool = False) -> None:
        theme = _palette_for(self._choice, _system_is_dark())
        theme = colour_blind(theme) if self._colour_blind else theme
        if theme == self._theme and not force:
            return
        self._theme = theme
        self.apply()
        self.changed.emit(theme)

    def _follow_the_system(self) -> None:
        if self._following or QGuiApplication.instance() is None:
            return
        QGuiApplication.styleHints().colorSchemeChanged.connect(lambda _scheme: self._resolve())
        self._following = True


def _palette_for(choice: ThemeChoice, system_is_dark: bool) -> Theme:
    match choice:
        case ThemeChoice.DARK:
            return DARK
        case ThemeChoice.LIGHT:
            return LIGHT
        case ThemeChoice.CONTRAST:
            return CONTRAST_DARK if system_is_dark else CONTRAST_LIGHT
        case ThemeChoice.SYSTEM:
            return DARK if system_is_dark else LIGHT


def _system_is_dark() -> bool:
    """Dark unless the desktop says light: plain X11 and a screenless run say nothing."""
    if QGuiApplication.instance() is None:
        return True
    return QGuiApplication.styleHints().colorScheme() != Qt.ColorScheme.Light


def _qt_palette(theme: Theme) -> QPalette:
    """The same tokens for what a style sheet does not reach (and for what Qt paints with by itself)."""
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: theme.panel,
        QPalette.ColorRole.WindowText: theme.text,
        QPalette.ColorRole.Base: theme.bg,
        QPalette.ColorRole.AlternateBase: theme.panel,
        QPalette.ColorRole.Text: theme.text,
        QPalette.ColorRole.Button: theme.raised,
        QPalette.ColorRole.ButtonText: theme.text,
        QPalette.ColorRole.BrightText: theme.text,
        QPalette.ColorRole.ToolTipBase: theme.raised,
        QPalette.ColorRole.ToolTipText: theme.text,
        QPalette.ColorRole.PlaceholderText: theme.dim,
        QPalette.ColorRole.Highlight: theme.selection,
        QPalette.ColorRole.HighlightedText: theme.text,
        QPalette.ColorRole.Link: theme.accent,
        QPalette.ColorRole.LinkVisited: theme.accent,
        QPalette.ColorRole.Light: theme.raised,
        QPalette.ColorRole.Mid: theme.line,
        QPalette.ColorRole.Dark: theme.line,
        QPalette.ColorRole.Shadow: theme.bg,
        QPalette.ColorRole.Accent: theme.accent,
    }
    for role, color in roles.items():
        palette.setColor(role, color)
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText, QPalette.ColorRole.WindowText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, theme.faint)
    return palette


themes = Themes()


def load_fonts() -> None:
    """Register the bundled fonts with Qt. Needed once, after `QApplication` was made.

    Raises:
        RuntimeError: a bundled font file is damaged.
    """
    for name in _FONT_FILES:
        if QFontDatabase.addApplicationFont(str(asset(f"fonts/{name}"))) < 0:
            raise RuntimeError(f"the bundled font {name} cannot be loaded: the installation is damaged")


def font_ui(px: int = 13, weight: int = 400) -> QFont:
    """The interface's font, `px` high, with tabular figures. Weights in use: 400, 500, 600."""
    font = (
        QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
        if themes.system_font
        else QFont(UI_FAMILY)
    )
    return _prepared(font, px, weight)


def font_title(px: int = 11) -> QFont:
    """Dock titles: small capitals by hand, a little apart."""
    font = font_ui(px, 600)
    font.setCapitalization(QFont.Capitalization.AllUppercase)
    font.setLetterSpacing(QFont.SpacingType.PercentageSpacing, 106)
    return font


def font_data(px: int = 12, weight: int = 400) -> QFont:
    """The font of data: monospaced, and without ligatures, so that `->` and `!=` show the characters sent."""
    font = _prepared(QFont(DATA_FAMILY), px, weight)
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setFeature(QFont.Tag("calt"), 0)
    font.setFeature(QFont.Tag("liga"), 0)
    return font


def _prepared(font: QFont, px: int, weight: int) -> QFont:
    font.setPixelSize(px)
    font.setWeight(QFont.Weight(weight))
    font.setFeature(QFont.Tag("tnum"), 1)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return font


def icon(name: str, color_token: str = "dim", size: int = 16) -> QIcon:  # noqa: S107 - a colour, no secret
    """The line icon `name` in a token of the palette in force. Ask again on `themes.changed`."""
    theme = themes.current()
    return tinted_icon(name, theme.color(color_token), size, disabled=theme.faint)


def swatch(name: str, size: int = 12) -> QIcon:
    """A dot in a colour of the colour rules, in the palette in force."""
    picture = QPixmap(size, size)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(rule_bars(themes.current())[name])
    painter.drawEllipse(0, 0, size, size)
    painter.end()
    return QIcon(picture)
