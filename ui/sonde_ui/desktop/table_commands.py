"""What the actions about the traffic table's rows, columns and colours do: handed on to whoever does it."""

from __future__ import annotations

from sonde_ui.desktop.inspector import Inspector
from sonde_ui.desktop.widgets.row_acts import RowActs


class TableCommands:
    """Handlers are named in `actions`; until there is a table they do nothing."""

    def __init__(self) -> None:
        self._acts: RowActs | None = None
        self._inspector: Inspector | None = None

    def take_hold_of(self, acts: RowActs, inspector: Inspector) -> None:
        """The pieces that handlers act on."""
        self._acts, self._inspector = acts, inspector

    def toggle_mark(self) -> None:
        """Mark the selected row, or take its mark off."""
        if self._acts is not None:
            self._acts.toggle_mark()

    def comment(self) -> None:
        """Write about the selected row."""
        if self._acts is not None:
            self._acts.comment()

    def go_back(self) -> None:
        """Select the row that was selected before."""
        if self._acts is not None:
            self._acts.go_back()

    def go_forward(self) -> None:
        """Select the row that one came back from."""
        if self._acts is not None:
            self._acts.go_forward()

    def toggle_reference(self) -> None:
        """Count times from the selected row, or from the start again."""
        if self._acts is not None:
            self._acts.toggle_reference()

    def follow_conversation(self) -> None:
        """Show the selected row's conversation alone, or the filter before."""
        if self._acts is not None:
            self._acts.follow_conversation()

    def explain(self) -> None:
        """Say why a connection ended."""
        if self._acts is not None:
            self._acts.explain()

    def add_column(self) -> None:
        """Ask for a field to show as a column."""
        if self._inspector is not None:
            self._inspector.ask_column()

    def choose_columns(self) -> None:
        """Open the menu of the header."""
        if self._inspector is not None:
            self._inspector.choose_columns()

    def edit_colours(self) -> None:
        """Open the colour rules."""
        if self._inspector is not None:
            self._inspector.edit_colours()

    def save_filter(self) -> None:
        """Keep the filter as a button."""
        if self._inspector is not None:
            self._inspector.save_filter()
