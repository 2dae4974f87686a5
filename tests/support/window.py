"""The real window, driven as a person drives it: by mouse and keys, on widgets that are really visible."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QScrollArea, QWidget

from sonde_lab.endpoints import Endpoint
from sonde_ui.desktop.app import Ending, WindowOptions, application, settings_for
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.session import WindowSession
from sonde_ui.desktop.theme import ThemeChoice, themes
from sonde_ui.desktop.windows.main_window import MainWindow

LIMIT_S = 20.0


class NotReached(AssertionError):
    """A person could not have done that: the widget is hidden, disabled, covered or outside the window."""


class Person:
    """Acts on one window and looks at it. Waiting is by condition, never by a fixed time."""

    def __init__(self, session: WindowSession) -> None:
        self.session = session
        self.window = session.window
        self.workbench = session.workbench
        assert session.desk is not None
        self.desk = session.desk
        self.views = session.desk.views

    async def until(self, condition: Callable[[], object], what: str, limit_s: float = LIMIT_S) -> None:
        """Wait until `condition` holds; `what` it was stands in the failure."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit_s
        while not condition():
            if loop.time() > deadline:
                raise AssertionError(f"not within {limit_s:.0f} s: {what}")
            await asyncio.sleep(0.02)

    async def do(self, act: Callable[[], object]) -> None:
        """Carry an act out as Qt would: from its loop, outside of any task."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def carry_out() -> None:
            try:
                act()
            except Exception as error:
                done.set_exception(error)
            else:
                done.set_result(None)

        loop.call_soon(carry_out)
        await done

    async def click(self, widget: QWidget, at: QPoint | None = None) -> None:
        """Press the left button on a widget that can be seen and reached, by scrolling where it must be."""
        await self.do(lambda: scroll_to(widget))
        self.must_be_reachable(widget, at)
        where = at if at is not None else widget.rect().center()
        await self.do(lambda: QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=where))

    async def press(
        self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    ) -> None:
        """Press a key, wherever the focus is."""
        target = QApplication.focusWidget() or self.window
        await self.do(lambda: QTest.keyClick(target, key, modifiers))

    async def type(self, text: str) -> None:
        """Type text into whatever has the focus."""
        target = QApplication.focusWidget()
        if target is None:
            raise NotReached("nothing has the focus")
        await self.do(lambda: QTest.keyClicks(target, text))

    def must_be_reachable(self, widget: QWidget, at: QPoint | None = None) -> None:
        """Fail when a person's mouse could not reach the widget."""
        name = widget.accessibleName() or widget.objectName() or type(widget).__name__
        if not widget.isVisible():
            raise NotReached(f"{name} is hidden")
        if not widget.isEnabled():
            raise NotReached(f"{name} is disabled")
        spot = widget.mapToGlobal(at if at is not None else widget.rect().center())
        top = QApplication.widgetAt(spot)
        if top is None or (
            top is not widget and not widget.isAncestorOf(top) and not top.isAncestorOf(widget)
        ):
            raise NotReached(f"{name} is covered or outside of the window")


def scroll_to(widget: QWidget) -> None:
    """Scroll whatever the widget lies in until it can be seen."""
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea):
            parent.ensureWidgetVisible(widget)
        parent = parent.parentWidget()


def run_window(
    folder: Path,
    story: Callable[[Person], Awaitable[None]],
    *,
    endpoint: Endpoint | None = None,
    perspective: str = "inspect",
    theme: str = "dark",
    size: tuple[int, int] = (1440, 900),
    players: bool = True,
) -> None:
    """Open the window as the program does, tell the story, and close it as a person would."""
    options = WindowOptions(
        endpoint=endpoint, perspective=perspective, theme=theme, size=size, players=players, data_dir=folder
    )
    app = application()
    files = settings_for(options)
    themes.choose(ThemeChoice(theme))
    themes.apply()
    loop = WindowLoop(app)
    window = MainWindow(files.settings)

    async def whole() -> None:
        ending = Ending()
        window.close_asked.connect(ending.ask)
        painted = asyncio.Event()
        window.painted.connect(painted.set)
        window.show_at_first()
        await painted.wait()
        session = WindowSession(window, options, files, ending)
        running = asyncio.ensure_future(session.run())
        try:
            while session.desk is None:
                await asyncio.sleep(0.01)
            await story(Person(session))
        finally:
            window.close()
            await running

    try:
        loop.run_until_complete(whole())
    finally:
        window.deleteLater()
        loop.close()
        themes.forget()
