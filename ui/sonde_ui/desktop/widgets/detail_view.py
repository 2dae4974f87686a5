"""The selected row, whole: as a tree, as text, as bytes, beside another row, as a frame, a handshake as its headers.

Owns the tabs and what is said about what is not shown. Fills only the tab in sight, so that moving through
rows with large payloads costs one reading each.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPlainTextEdit, QStackedWidget, QVBoxLayout, QWidget

from sonde_lab.changes import Changes
from sonde_lab.decoders.own.answers import Answer
from sonde_lab.decoders.own.desk import Pending
from sonde_lab.literals import hex_text
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.payload import read_decoded, read_handshake, read_text, trouble_text
from sonde_ui.desktop.models.plain import many_lines, one_line
from sonde_ui.desktop.offload import Offload
from sonde_ui.desktop.theme import font_data, themes
from sonde_ui.desktop.widgets.copy_menu import COPIES, CopyAs, TreeMenu, copy_value
from sonde_ui.desktop.widgets.diff_view import DiffView
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.frame_view import FrameView
from sonde_ui.desktop.widgets.hex_view import HexView
from sonde_ui.desktop.widgets.pieces import chip, rule
from sonde_ui.desktop.widgets.text_tabs import TextTabs
from sonde_ui.desktop.widgets.value_tree_view import ValueTreeView

TABS: Final = ("Tree", "Text", "Hex", "Diff", "Frame", "Handshake")
TREE, TEXT, HEX, DIFF, FRAME, HANDSHAKE = range(6)
NOTHING: Final = "Select a row to see all of it here."
DECODING_MS: Final = 120  # a decoder that answers sooner leaves no flicker


class DetailView(QWidget):
    """Tabs over one record."""

    title = "Detail"
    figures_changed = Signal(str)  # "#8,219 · presence · 210 B"
    filter_suggested = Signal(str)  # text for the filter bar
    row_asked = Signal(int)  # another row is to be selected

    def __init__(self, workbench: Workbench, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._record: Record | None = None
        self._row_id = -1
        self._filled: set[int] = set()
        self._wanted = TREE  # the tab that the person chose last
        self._tabs = TextTabs("Views of the selected row")
        for name in TABS:
            self._tabs.addTab(name)
        self._note = ElidedLabel(tone="warn")
        self._copy = chip("Copy whole", name="Copy the whole payload", tip="Copy the whole payload as text")
        self._copy_as = chip("Copy as…", tip="Copy the whole message as JSON, Python or hex")
        self.tree = ValueTreeView("Payload as a tree")
        self.text = _bare_text("Payload as text")
        self.hex = HexView()
        self.offload = Offload()
        self.diff = DiffView(workbench, self.offload)
        self.frame = FrameView()
        self.headers = ValueTreeView("Handshake")
        self.trouble = _bare_text("What went wrong in the decoder")
        self._problem = EmptyState("info", NOTHING)
        self._waiting = QTimer(self, singleShot=True, interval=DECODING_MS)
        self._waiting.timeout.connect(partial(self._say_problem, "Decoding…"))
        self._pages = QStackedWidget()
        self._lay_out()
        self._tabs.currentChanged.connect(self._on_tab)
        self._copy.clicked.connect(self.copy_whole)
        self._copy_as.clicked.connect(self._open_copy_menu)
        self.diff.row_asked.connect(self.row_asked)
        self.tree_menu = TreeMenu(self.tree, self.filter_suggested.emit)
        self.headers_menu = TreeMenu(self.headers)
        bridge.changed.connect(self._on_changes)
        self.clear()

    def _lay_out(self) -> None:
        self._dress()
        themes.changed.connect(self._dress)
        for page in (self.tree, self.text, self.hex, self.diff, self.frame, self.headers, self._problem):
            self._pages.addWidget(page)
        self._pages.addWidget(self.trouble)
        bar = QHBoxLayout()
        bar.setContentsMargins(4, 0, 8, 0)
        bar.setSpacing(8)
        bar.addWidget(self._tabs)
        bar.addStretch(1)
        bar.addWidget(self._note)
        bar.addWidget(self._copy)
        bar.addWidget(self._copy_as)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(rule())
        column.addWidget(self._pages, 1)

    def _dress(self) -> None:
        panel = themes.current().panel.name()
        for text in (self.text, self.trouble):
            text.setFont(font_data())
            text.setStyleSheet(f"QPlainTextEdit {{ border: none; background: {panel}; padding: 4px 8px; }}")

    # -------------------------------------------------------------- doors

    def show_row(self, row_id: int) -> None:
        """Show a record; one that has left the ring is said to be gone."""
        ring = self._workbench.ring
        if not ring.first_id <= row_id < ring.next_id:
            self.clear("This row has left memory: the oldest go when it is full.")
            return
        self._record = ring.record(row_id)
        self._row_id = row_id
        self._filled.clear()
        self._waiting.stop()
        is_handshake = self._record.kind == Kind.HANDSHAKE
        self._copy.setVisible(bool(self._record.payload))
        self._copy_as.setVisible(bool(self._record.payload))
        wanted = HANDSHAKE if is_handshake else self._wanted
        blocked = self._tabs.blockSignals(True)  # hiding a tab moves on to its neighbour: nobody chose that
        self._tabs.setTabVisible(HANDSHAKE, is_handshake)
        self._tabs.setCurrentIndex(wanted)
        self._tabs.blockSignals(blocked)
        self._fill(wanted)
        self.figures_changed.emit(self._figures(self._record))

    def clear(self, why: str = NOTHING) -> None:
        """Nothing is selected."""
        self._waiting.stop()
        self._record = None
        self._filled.clear()
        blocked = self._tabs.blockSignals(True)
        self._tabs.setTabVisible(HANDSHAKE, False)
        self._tabs.setCurrentIndex(self._wanted)
        self._tabs.blockSignals(blocked)
        self._copy.hide()
        self._copy_as.hide()
        self._say_note("")
        self._problem.say("info", why)
        self._pages.setCurrentWidget(self._problem)
        self.figures_changed.emit("")

    def copy_whole(self) -> None:
        """The whole payload as text on the clipboard, whatever of it is shown."""
        if self._record is not None:
            QGuiApplication.clipboard().setText(many_lines(self._record.payload.decode("utf-8", "replace")))

    def copy_as(self, copy: CopyAs) -> bool:
        """The whole message on the clipboard, as `copy` writes it: its value, or where it has none its text.

        False where no row is shown.
        """
        record = self._record
        if record is None:
            return False
        reading = read_decoded(record, self._workbench.decoders.known(self._row_id))
        text = record.payload.decode("utf-8", "replace")
        is_hex = copy.write is hex_text
        copy_value(copy, record.payload if is_hex else text if reading.problem else reading.value)
        return True

    def compare_with(self, row_id: int) -> None:
        """Pin a row: those that are selected from now on are compared with it."""
        self.diff.pin(row_id)
        self._wanted = DIFF
        if self._record is not None:
            self._tabs.setCurrentIndex(DIFF)

    def _open_copy_menu(self) -> None:
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        for copy in COPIES:
            menu.addAction(copy.text, partial(self.copy_as, copy))
        menu.popup(self._copy_as.mapToGlobal(self._copy_as.rect().bottomLeft()))

    # -------------------------------------------------------------- filling

    def _on_changes(self, changes: Changes) -> None:
        if changes.endpoint_changed:
            self.diff.forget()
            self.clear()

    def _on_tab(self, tab: int) -> None:
        if tab != HANDSHAKE:
            self._wanted = tab
        if self._record is not None:
            self._fill(tab)

    def _fill(self, tab: int) -> None:
        record = self._record
        if record is None:
            return
        self._say_note("")
        self._waiting.stop()
        if tab == TREE:
            self._fill_tree(record)
        elif tab == TEXT:
            self._fill_text(record)
        elif tab == HEX:
            self._show_once(HEX, lambda: self.hex.show_bytes(record.payload), self.hex)
        elif tab == DIFF:
            self._show_once(DIFF, lambda: self.diff.show_row(self._row_id), self.diff)
        elif tab == FRAME:
            reader = self._workbench.decoders.reader_of(self._row_id)
            self._show_once(FRAME, lambda: self.frame.show_record(record, reader), self.frame)
        else:
            reading = read_handshake(record)
            self._show_once(
                HANDSHAKE, lambda: self.headers.show_value(reading.label, reading.value), self.headers
            )
        if record.flags & Flag.TRUNCATED and not self._note.text():
            kept, whole = figures.size(len(record.payload)), figures.size(record.size)
            self._say_note(f"Truncated: only the first {kept} of {whole} were kept")

    def _show_once(self, tab: int, fill: object, page: QWidget) -> None:
        if tab not in self._filled and callable(fill):
            self._filled.add(tab)
            fill()
        self._pages.setCurrentWidget(page)

    def _fill_tree(self, record: Record) -> None:
        """The tree that a decoder of one's own makes, as soon as it is there; without one our own reading."""
        if TREE in self._filled:
            self._pages.setCurrentWidget(self.tree)
            return
        answer = self._workbench.decoders.look(self._row_id, partial(self._on_decoded, self._row_id))
        if isinstance(answer, Pending):
            self._waiting.start()
        else:
            self._show_answer(record, answer)

    def _on_decoded(self, row_id: int, answer: Answer | None) -> None:
        record = self._record
        if record is not None and row_id == self._row_id and self._tabs.currentIndex() == TREE:
            self._show_answer(record, answer)

    def _show_answer(self, record: Record, answer: Answer | None) -> None:
        self._waiting.stop()
        if answer is not None and answer.problem:
            name = self._workbench.decoders.reader_of(self._row_id)
            self.trouble.setPlainText(many_lines(trouble_text(name, answer)))
            self._pages.setCurrentWidget(self.trouble)
            return
        self.tree_menu.can_filter = answer is None or not answer.has_value
        reading = read_decoded(record, answer)
        if answer is not None:
            self.figures_changed.emit(self._figures(record))  # now with the decoder's name
        if reading.problem:
            self._say_problem(reading.problem)
            return
        self._show_once(TREE, lambda: self.tree.show_value(reading.label, reading.value), self.tree)

    def _say_problem(self, sentence: str) -> None:
        self._problem.say("info", sentence)
        self._pages.setCurrentWidget(self._problem)

    def _fill_text(self, record: Record) -> None:
        page = read_text(record)
        self._show_once(TEXT, lambda: self.text.setPlainText(page.text), self.text)
        self._say_note(page.note)

    def _say_note(self, note: str) -> None:
        self._note.setText(note)
        self._note.setVisible(bool(note))

    def _figures(self, record: Record) -> str:
        words = {Direction.IN: "received", Direction.OUT: "sent", Direction.NONE: ""}[record.direction]
        parts = [
            f"#{figures.count(self._workbench.ring.label(self._row_id))}",
            words,
            one_line(record.op, 40),
            one_line(record.channel, 64),
        ]
        if record.kind in (Kind.FRAME, Kind.HANDSHAKE):
            parts.append(str(figures.size(record.size)))
        comment = one_line(self._workbench.ring.comments.text(self._row_id))
        parts.append(f"“{comment}”" if comment else "")
        reader = self._workbench.decoders.reader_of(self._row_id)
        parts.append(f"read by {one_line(reader, 40)}" if reader else "")
        return " · ".join(part for part in parts if part)


def _bare_text(name: str) -> QPlainTextEdit:
    """A page of text that is read, not written."""
    text = QPlainTextEdit()
    text.setReadOnly(True)
    text.setAccessibleName(name)
    text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    text.setProperty("look", "bare")
    return text
