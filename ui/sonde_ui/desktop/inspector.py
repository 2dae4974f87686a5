"""What makes the traffic table a person's own: columns of fields, colour rules and saved filters, remembered.

Owns the way between the views, the small cards and the settings. Refuses meaning: filters, colours and columns are
the lab's.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import QObject, QPoint, Signal
from PySide6.QtWidgets import QMenu

from sonde_lab.colouring import MAX_RULES, ColourRule
from sonde_lab.columns import MAX_COLUMNS, FieldColumn, column_of, names_at, names_like
from sonde_lab.filter.completion import completions
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.models.plain import one_line, without_surrogates
from sonde_ui.desktop.settings import LONGEST_FILTER, LONGEST_NAME, Rule, SavedFilter, Settings
from sonde_ui.desktop.views import Views
from sonde_ui.desktop.widgets.column_card import ColumnCard
from sonde_ui.desktop.widgets.column_header import HEIGHT
from sonde_ui.desktop.widgets.filter_bar import FilterBar
from sonde_ui.desktop.widgets.saved_filters import MAX_SAVED, NameCard
from sonde_ui.desktop.windows.colour_rules_dialog import ColourRulesDialog
from sonde_ui.desktop.windows.main_window import MainWindow

_CARD_TOP = 120


class Inspector(QObject):
    """One for a window. `said` is for the status bar."""

    said = Signal(str)

    def __init__(
        self, window: MainWindow, workbench: Workbench, views: Views, bar: FilterBar, settings: Settings
    ) -> None:
        super().__init__(window)
        self._window = window
        self._workbench = workbench
        self._traffic = views.traffic
        self._bar = bar
        self._settings = settings
        views.detail.tree_menu.more = self._offer_columns
        self._column_card: ColumnCard | None = None
        self._name_card: NameCard | None = None
        self.dialog: ColourRulesDialog | None = None
        self._connect()
        self._show_colours()
        self._show_saved()

    def _connect(self) -> None:
        traffic, bar = self._traffic, self._bar
        traffic.column_card_asked.connect(self.ask_column)
        traffic.colour_rules_asked.connect(self.edit_colours)
        traffic.colour_asked.connect(self.colour_like)
        traffic.acts.said.connect(self.said)
        bar.resized.connect(self._show_saved)
        bar.saved.chosen.connect(bar.set_text)
        bar.saved.save_asked.connect(self.save_filter)
        bar.saved.changed.connect(self._on_saved)

    # ------------------------------------------------------------ columns

    def ask_column(self) -> None:
        """Ask for the name of a field."""
        if self._column_card is None:
            self._column_card = ColumnCard(
                self._window, lambda text, cursor: names_like(text[:cursor], self._workbench.ring)
            )
            self._column_card.chosen.connect(self.add_column)
        self._column_card.open(_CARD_TOP)

    def choose_columns(self) -> None:
        """Open the header's menu, as a right click on it does."""
        if self._traffic.isVisible():
            self._traffic.menus.open_header_menu(QPoint(0, HEIGHT))
        else:
            self.said.emit("The traffic table is put away: View, Panels brings it back.")

    def _offer_columns(self, menu: QMenu, message: Any, keys: tuple[Any, ...]) -> None:
        """In the menu of a value in the detail's tree."""
        for name in names_at(message, keys):
            label = one_line(name, 48).replace("&", "&&")
            menu.addAction(f"Show {label} as a column", partial(self.add_column, column_of(name)))

    def add_column(self, column: FieldColumn) -> None:
        """Show a field as a column of the table."""
        if self._traffic.table.columns.add_field(column) is None:
            self.said.emit(f"The table has {MAX_COLUMNS} columns of fields already: remove one first.")

    # ------------------------------------------------------------ colours

    def edit_colours(self) -> None:
        """Open the list of colour rules."""
        ring = self._workbench.ring
        dialog = ColourRulesDialog(
            self._window, self.colour_rules(), lambda text, cursor: completions(text, cursor, ring)
        )
        dialog.changed.connect(self._on_colours)
        self.dialog = dialog
        dialog.open()

    def colour_like(self, term: str, colour: str) -> None:
        """Colour rows like this from now on: the newest wish comes first, and takes the place of its like."""
        others = [rule for rule in self.colour_rules() if rule.filter != term]
        if len(others) >= MAX_RULES:
            self.said.emit(f"There are {MAX_RULES} colour rules already: remove one first.")
            return
        self._on_colours((ColourRule(term, colour), *others))

    def colour_rules(self) -> list[ColourRule]:
        """The rules in their order."""
        return [ColourRule(rule.filter, rule.colour, rule.on) for rule in self._settings.colour_rules]

    def _on_colours(self, rules: tuple[ColourRule, ...]) -> None:
        self._settings.colour_rules = [
            Rule(without_surrogates(rule.filter)[:LONGEST_FILTER], rule.colour, rule.on) for rule in rules
        ]
        self._show_colours()

    def _show_colours(self) -> None:
        self._traffic.set_colours(self.colour_rules())

    # ------------------------------------------------------------ profiles

    def saved_filters(self) -> list[SavedFilter]:
        """The filters that are buttons."""
        return list(self._settings.saved_filters)

    def take_up(self, saved: list[SavedFilter], rules: tuple[ColourRule, ...]) -> None:
        """Take the filters and colours of a profile for those there were."""
        self._on_saved(saved)
        self._on_colours(rules)

    # ------------------------------------------------------------ saved filters

    def save_filter(self) -> None:
        """Ask for a name for the filter in the line."""
        if not self._bar.text().strip():
            self.said.emit("Type a filter first, then it can be saved.")
            return
        if self._name_card is None:
            self._name_card = NameCard(self._window)
            self._name_card.named.connect(self._keep_filter)
        self._name_card.ask(self._bar.saved.more)

    def _keep_filter(self, name: str) -> None:
        if not self._bar.saved.keep(name):
            self.said.emit(f"There are {MAX_SAVED} saved filters already: remove one first, or use its name.")

    def _on_saved(self, saved: list[SavedFilter]) -> None:
        self._settings.saved_filters = [
            SavedFilter(
                without_surrogates(each.name)[:LONGEST_NAME], without_surrogates(each.filter)[:LONGEST_FILTER]
            )
            for each in saved
        ]
        self._show_saved()

    def _show_saved(self) -> None:
        self._bar.saved.show_saved(self._settings.saved_filters, self._bar.width())
