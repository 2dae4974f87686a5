"""A document compared with itself at another moment: a tree with everything that differs marked.

Owns what is compared and how it is copied. The comparing itself is the lab's; where it may take long it is done beside
the window's loop.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Final, NamedTuple

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from sonde_lab.literals import json_text
from sonde_protocol import merge
from sonde_protocol.errors import NotCanonical
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.comparison import difference_lines
from sonde_ui.desktop.models.marked_tree import MarkedTree, marked
from sonde_ui.desktop.offload import Offload
from sonde_ui.desktop.widgets.copy_menu import TreeMenu, copy_text
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.pieces import chip
from sonde_ui.desktop.widgets.value_tree_view import ValueTreeView

SLOW_S: Final = 0.008  # a comparison that took this long is done elsewhere the next time
LEVELS: Final = 4


class Side(NamedTuple):
    """A document at a moment. `words`: which moment, for people."""

    document: Any
    seq: int
    words: str


class StateDiff(QWidget):
    """The page. `ended`: a person has seen enough."""

    ended = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.offload = Offload()
        self.content: MarkedTree | None = None
        self._sides: tuple[Side, Side] | None = None
        self._took_s = 0.0
        self._is_busy = False
        self._in_tree: tuple[str, bool] | None = None  # of which moments, and whether only changes
        self._about = ElidedLabel(tone="dim")
        self._only = chip(
            "Changed only", name="Show changed values only", tip="Leave out what is the same", checked=True
        )
        self._copy = chip("Copy", name="Copy the difference", tip="As a JSON merge patch or as text")
        self._end = chip("Close", name="End comparing", tip="Show the document again")
        self.tree = ValueTreeView("Difference as a tree")
        self.menu = TreeMenu(self.tree)
        self._lay_out()
        self._only.toggled.connect(self._run)
        self._copy.clicked.connect(self._open_copy_menu)
        self._end.clicked.connect(self.ended)

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(12, 4, 8, 4)
        bar.setSpacing(8)
        bar.addWidget(self._about, 1)
        for button in (self._only, self._copy, self._end):
            bar.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(self.tree, 1)

    # -------------------------------------------------------------- doors

    def compare(self, before: Side, after: Side) -> None:
        """Show what turns one into the other."""
        sides = self._sides
        is_same = (
            sides is not None and sides[0].document is before.document and sides[1].document is after.document
        )
        self._sides = before, after
        if not is_same or (
            sides is not None and (sides[0].words, sides[1].words) != (before.words, after.words)
        ):
            self._run()

    def forget(self) -> None:
        """Nothing is compared."""
        self._sides = self.content = self._in_tree = None
        self.tree.marks = {}
        self.tree.tree.clear()

    @property
    def words(self) -> str:
        """What the page says about the comparison."""
        return self._about.text()

    def as_text(self) -> str:
        """The difference as lines."""
        if self.content is None or self._sides is None:
            return ""
        of = " → ".join(f"{side.words} (seq {figures.count(side.seq)})" for side in self._sides)
        return "\n".join((of, *(line.words for line in difference_lines(self.content.found))))

    def as_merge_patch(self) -> str:
        """The difference as a merge patch (RFC 7396), or why there is none."""
        if self._sides is None:
            return ""
        before, after = self._sides[0].document, self._sides[1].document
        try:
            patch = merge.diff(before, after)
            if merge.apply(before, patch) != after:
                return "This difference is no merge patch: one of the documents has a null in it."
            return json_text(patch)
        except (NotCanonical, ValueError) as error:
            return f"This difference is not copied: it is {error}."

    # -------------------------------------------------------------- comparing

    def _run(self) -> None:
        if self._sides is None or self._is_busy:
            return
        sides, only = self._sides, self._only.isChecked()
        work = partial(_timed, sides[0].document, sides[1].document, only)
        if self._took_s < SLOW_S:
            self._done(sides, only, work())
            return
        self._is_busy = True
        self.offload.run("compare two states", work, partial(self._done, sides, only))

    def _done(self, sides: tuple[Side, Side], only: bool, result: tuple[MarkedTree, float]) -> None:
        self._is_busy = False
        content, self._took_s = result
        if self._sides is None:
            return
        self._show(sides, only, content)
        if self._sides is not sides or only != self._only.isChecked():
            self._run()  # something else was asked for meanwhile

    def _show(self, sides: tuple[Side, Side], only: bool, content: MarkedTree) -> None:
        before, after = sides
        self.content = content
        self._about.setText(f"{content.words} · {before.words} → {after.words}")
        self.tree.marks = content.marks
        of = (before.words, only)
        if self._in_tree != of:
            self._in_tree = of
            self.tree.show_value("difference" if only else "document", content.value, levels=LEVELS)
        else:
            self.tree.update_value(content.value)
        self.tree.viewport().update()

    def _open_copy_menu(self) -> None:
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.addAction("Copy as JSON merge patch", lambda: copy_text(self.as_merge_patch()))
        menu.addAction("Copy as text", lambda: copy_text(self.as_text()))
        menu.popup(self._copy.mapToGlobal(self._copy.rect().bottomLeft()))


def _timed(before: Any, after: Any, only: bool) -> tuple[MarkedTree, float]:
    began = time.perf_counter()
    content = marked(before, after, only)
    return content, time.perf_counter() - began
