"""The one application style sheet, built from tokens: no control keeps a library's default look.

Owns how standard controls look. Refuses fonts (a style sheet would drop their features, such as tabular
figures) and whatever a widget paints itself. Widgets ask for a variant by a dynamic property:

    QPushButton/QToolButton  kind = "primary" | "quiet" | "chip" | "act" | "link" | "tab" | "title"
    QLabel                   tone = "dim" | "faint" | "ok" | "warn" | "bad" | "accent" | "injected" | "mark"
    QFrame/QWidget           surface = "bg" | "panel" | "raised" | "card" | "line" | "line-left" | "line-top" |
                             "line-bottom" | "line-right"
    QLineEdit                state = "valid" | "invalid"
"""

from __future__ import annotations

from string import Template

from sonde_ui.desktop.assets import asset
from sonde_ui.desktop.tokens import CONTROL, RADIUS, ROW, Theme, mix

_SHEET = Template(
    """
* { outline: none; }
QMainWindow, QDialog { background: $panel; }
QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
QWidget { color: $text; }
QWidget:disabled { color: $faint; }
QToolTip { background: $raised; color: $text; border: ${px}px solid $line; padding: 4px 8px; }

QWidget[surface="bg"] { background: $bg; }
QWidget[surface="panel"], QWidget[surface="line-left"], QWidget[surface="line-top"],
QWidget[surface="line-bottom"], QWidget[surface="line-right"] { background: $panel; border: 0 solid $line; }
QWidget[surface="raised"] { background: $raised; }
QWidget[surface="line"] { background: $line; }
QWidget[surface="held"] { background: $panel; border: 0 solid $accent; border-top-width: ${px}px; }
QWidget[surface="line-left"] { border-left-width: ${px}px; }
QWidget[surface="line-right"] { border-right-width: ${px}px; }
QWidget[surface="line-top"] { border-top-width: ${px}px; }
QWidget[surface="line-bottom"] { border-bottom-width: ${px}px; }
QFrame[surface="card"] { background: $raised; border: ${px}px solid $line; border-radius: 8px; }

QLabel { background: transparent; }
QLabel[tone="dim"] { color: $dim; }
QLabel[tone="faint"] { color: $faint; }
QLabel[tone="ok"] { color: $ok; }
QLabel[tone="warn"] { color: $warn; }
QLabel[tone="bad"] { color: $bad; }
QLabel[tone="accent"] { color: $accent; }
QLabel[tone="injected"] { color: $injected; }
QLabel[tone="mark"] { color: $mark; }

QPushButton, QToolButton {
    background: $raised; border: ${px}px solid $line; border-radius: ${radius}px;
    min-height: ${inner}px; padding: 0 12px;
}
QToolButton { padding: 0 6px; min-width: 16px; }
QPushButton:hover, QToolButton:hover { background: $hover; }
QPushButton:pressed, QToolButton:pressed { background: $line; }
QPushButton:focus, QToolButton:focus { border-color: $accent; }
QPushButton:disabled, QToolButton:disabled { background: $panel; color: $faint; }
QPushButton:checked { border-color: $accent; color: $accent; }
QPushButton[kind="primary"] { background: $selection; border-color: $accent; }
QPushButton[kind="quiet"], QToolButton[kind="quiet"] { background: transparent; border-color: transparent; }
QPushButton[kind="quiet"]:hover, QToolButton[kind="quiet"]:hover { background: $hover; }
QPushButton[kind="quiet"]:focus, QToolButton[kind="quiet"]:focus { border-color: $accent; }
QPushButton[fit="icon"] { padding: 0; }
QPushButton[fit="left"] { padding: 0 8px; text-align: left; }
QPushButton[kind="act"] { color: $injected; border-color: $injected_line; }
QPushButton[kind="act"]:hover { background: $injected_tint; }
QPushButton[kind="act"]:focus { border-color: $injected; }
QPushButton[kind="act"]:disabled { color: $faint; border-color: $line; }
QPushButton[kind="chip"] {
    background: transparent; color: $dim; border-radius: 12px; min-height: 22px; max-height: 22px; padding: 0 10px;
}
QPushButton[kind="chip"]:hover { background: $hover; }
QPushButton[kind="chip"]:checked { background: $selection; border-color: $accent; color: $accent_text; }
QPushButton[kind="chip"][tone="injected"]:checked {
    background: $injected_tint; border-color: $injected_line; color: $injected;
}
QPushButton[kind="chip"]:focus { border-color: $accent; }
QPushButton[kind="link"] {
    background: transparent; border: none; color: $accent; padding: 0 2px; min-height: 18px; max-height: 18px;
}
QPushButton[kind="link"]:hover, QPushButton[kind="link"]:focus { text-decoration: underline; }
QPushButton[kind="tab"], QPushButton[kind="title"] {
    background: transparent; border: none; border-radius: 0; padding: 0; color: $dim;
    min-height: 30px; max-height: 30px;
}
QPushButton[kind="tab"]:hover, QPushButton[kind="tab"]:checked { color: $text; }
QPushButton[kind="tab"][tone="warn"] { color: $warn; }
QPushButton[kind="tab"]:focus { color: $accent; }
QToolButton::menu-indicator, QPushButton::menu-indicator { image: none; width: 0; }

QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox {
    background: $raised; border: ${px}px solid $line; border-radius: ${radius}px; padding: 0 8px;
    selection-background-color: $selection; selection-color: $text;
}
QLineEdit, QSpinBox, QDoubleSpinBox { min-height: ${inner}px; }
QPlainTextEdit, QTextEdit { padding: 4px; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus { border-color: $accent; }
QLineEdit[state="valid"] { border-color: $ok; }
QLineEdit[state="invalid"] { border-color: $bad; }

QComboBox {
    background: $raised; border: ${px}px solid $line; border-radius: ${radius}px;
    min-height: ${inner}px; padding: 0 28px 0 10px;
}
QComboBox:hover { background: $hover; }
QComboBox:focus { border-color: $accent; }
QComboBox:disabled { color: $faint; background: $panel; }
QComboBox::drop-down { border: none; width: 24px; }
QComboBox::down-arrow { image: url("$chevron"); width: 12px; height: 12px; }
QComboBox QAbstractItemView {
    background: $raised; border: ${px}px solid $line; padding: 4px;
    selection-background-color: $selection; selection-color: $text;
}
QComboBox QAbstractItemView::item { min-height: 26px; padding: 0 6px; border: none; border-radius: 4px; }
QComboBox QAbstractItemView::item:selected { background: $selection; color: $text; }

QCheckBox, QRadioButton { spacing: 8px; background: transparent; }
QCheckBox::indicator { width: 14px; height: 14px; border: 1px solid $dim; border-radius: 3px; background: $raised; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; image: url("$check"); }
QCheckBox:focus { color: $accent; }

QProgressBar { background: $line; border: none; border-radius: 3px; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }

QMenuBar { background: $panel; border: none; padding: 0 4px; }
QMenuBar::item { background: transparent; color: $dim; padding: 4px 8px; border-radius: 4px; }
QMenuBar::item:selected, QMenuBar::item:pressed { background: $hover; color: $text; }
QMenu { background: $raised; border: ${px}px solid $line; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 12px; border-radius: 4px; }
QMenu::item:selected { background: $selection; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $line; margin: 4px 8px; }
QMenu::icon { padding-left: 8px; }
QMenu::indicator { width: 12px; height: 12px; margin-left: 8px; }
QMenu::indicator:checked { image: url("$check_dim"); }

QAbstractScrollArea { background: $panel; border: none; }
QTableView, QTreeView, QListView {
    background: $panel; alternate-background-color: $panel; border: none; gridline-color: $line;
    selection-background-color: $selection; selection-color: $text;
}
QAbstractScrollArea[surface="bg"] { background: $bg; }
QWidget[surface="clear"] { background: transparent; }
QTreeView::item, QListView::item { min-height: ${row}px; border: none; }
QTreeView::item:selected, QListView::item:selected, QTableView::item:selected {
    background: $selection; color: $text;
}
QTreeView::branch { background: transparent; }
QTreeView::branch:has-children:closed { image: url("$closed"); }
QTreeView::branch:has-children:open { image: url("$opened"); }
QHeaderView { background: $panel; border: none; }
QHeaderView::section {
    background: $panel; color: $dim; border: none; border-bottom: ${px}px solid $line; padding: 0 8px;
}
QTableCornerButton::section { background: $panel; border: none; }

QTabBar { background: transparent; }
QTabBar::tab { background: transparent; color: $dim; padding: 0 8px; min-height: 30px; border: none; }
QTabBar::tab:selected { color: $text; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:focus { color: $accent; }
QTabWidget::pane { border: none; }

QSplitter::handle { background: $line; }
QSplitter::handle:hover { background: $accent; }
QSplitter::handle:horizontal { width: ${px}px; }
QSplitter::handle:vertical { height: ${px}px; }

QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle { background: $thumb; border-radius: 3px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QAbstractScrollArea::corner { background: transparent; }
"""
)


def stylesheet(theme: Theme) -> str:
    """The whole sheet for one palette."""
    tone = "dark" if theme.is_dark else "light"
    colors = {name: getattr(theme, name).name() for name in _USED}
    return _SHEET.substitute(
        colors,
        px=theme.line_px,
        radius=RADIUS,
        inner=CONTROL - 2 * theme.line_px,
        row=ROW,
        hover=mix(theme.line, theme.raised, 0.55).name(),
        thumb=mix(theme.faint, theme.panel, 0.45).name(),
        injected_line=mix(theme.injected, theme.panel, 0.5 if theme.line_px == 1 else 1.0).name(),
        injected_tint=mix(theme.injected, theme.panel, 0.12).name(),
        accent_text=(theme.accent if theme.line_px == 1 else theme.text).name(),
        **{name: _url(f"{file}-{tone}") for name, file in _PICTURES.items()},
    )


_USED = (
    "bg",
    "panel",
    "raised",
    "line",
    "text",
    "dim",
    "faint",
    "accent",
    "selection",
    "ok",
    "warn",
    "bad",
    "injected",
    "mark",
)
# A style sheet takes pictures from files only, so these few exist once for each tone.
_PICTURES = {
    "chevron": "chevron-down",
    "closed": "branch-closed",
    "opened": "branch-open",
    "check": "check-on-accent",
    "check_dim": "check",
}


def _url(name: str) -> str:
    return asset(f"icons/controls/{name}.svg").as_posix()
