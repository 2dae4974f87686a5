"""A process of its own that opens the real window at a scale factor and prints what is wrong with its layout.

`QT_SCALE_FACTOR` counts only before the application object is made, hence the process. Arguments: theme, size
("1280x800"), data folder. One JSON object on standard output.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication

from sonde_ui.desktop.theme import themes
from support import layout
from support.window import Person, run_window

PERSPECTIVES = ("inspect", "break", "watch")


def look(person: Person, problems: dict[str, list[str]], where: str) -> None:
    window = person.window
    problems[where] = [
        *(f"clipped: {each}" for each in layout.clipped(window)),
        *(f"outside: {each}" for each in layout.outside(window)),
        *(f"overlap: {each}" for each in layout.overlapping(window)),
        *(f"no accessible name: {each}" for each in layout.unnamed(window)),
        *(f"colour: {each}" for each in wrong_colors(person)),
    ]


def wrong_colors(person: Person) -> list[str]:
    """The surfaces' colours against their tokens, and text against what it stands on, from the picture itself."""
    theme = themes.current()
    picture = person.window.grab().toImage()
    scale = picture.width() / person.window.width()
    bar = person.desk.top_bar
    spots = {"top bar": (bar.mapTo(person.window, QPoint(3, bar.height() // 2)), theme.panel)}
    return [
        f"{name} is {found}, its token {token.name()}"
        for name, (spot, token) in spots.items()
        if (found := layout.color_at(picture, spot, scale)) != token.name()
    ]


def main() -> None:
    theme, size, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    width, height = (int(part) for part in size.split("x"))
    problems: dict[str, list[str]] = {}

    async def story(person: Person) -> None:
        await person.until(lambda: person.workbench.ring.next_id > 40, "traffic flows")
        await person.until(lambda: person.views.presence.model.rowCount() >= 5, "players are there")
        for perspective in PERSPECTIVES:
            person.desk.commands.set_perspective(perspective)
            await person.until(lambda: True, "")
            for _ in range(3):
                await person.do(QApplication.sendPostedEvents)
            look(person, problems, perspective)
        problems["size"] = []
        if (person.window.width(), person.window.height()) != (width, height):
            problems["size"].append(f"the window is {person.window.size().toTuple()}, not {size}")

    run_window(folder, story, theme=theme, size=(width, height))
    print(json.dumps(problems))


if __name__ == "__main__":
    main()
