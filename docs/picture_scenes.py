"""Pictures of panels that are about something: faults that strike, messages that wait, a scenario that was not met.

Each scene is acted in the real window, in front of a real gateway, by the same commands that a person's clicks give.
`docs/pictures.py` runs one as `python docs/picture_scenes.py NAME THEME TARGET`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple

from sonde_lab.changes import Act
from sonde_ui.desktop.app import Ending, WindowOptions, application, settings_for
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.session import WindowSession
from sonde_ui.desktop.theme import ThemeChoice, themes
from sonde_ui.desktop.windows.desk import Desk
from sonde_ui.desktop.windows.main_window import MainWindow

SIZE: Final = (1440, 900)
LIMIT_S: Final = 60.0
LOOK_S: Final = 1.0  # what changed has been drawn by then
HANDOVER: Final = Path(__file__).resolve().parent.parent / "assets" / "scenarios" / "handover.toml"


class Scene(NamedTuple):
    """Which panels stand in front of which perspective, and what happens before the picture is taken."""

    perspective: str
    panels: tuple[str, ...]
    act: Callable[[WindowSession, Desk], Awaitable[None]]


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that a person would wait for."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("What the picture was to show has not come.")
        await asyncio.sleep(0.05)


async def with_proxy(session: WindowSession) -> None:
    """The embedded gateway with a proxy in front of it, and the client live again behind it."""
    bench = session.workbench
    await until(lambda: bench.can(Act.DROP) is None)
    await asyncio.sleep(5)
    await bench.put_proxy()
    await until(lambda: bench.can(Act.ARM) is None and bench.can(Act.DROP) is None)


async def faults(session: WindowSession, _desk: Desk) -> None:
    """Four rules: one of them waits, the others strike."""
    await with_proxy(session)
    for line in (
        "close 1012 at=2m",
        "lag_spike 1s",
        'drop target="op:event" every=4 direction=down label="lost events"',
        "latency 60ms ±20ms",
    ):
        await session.workbench.arm(line)
        await asyncio.sleep(4)


async def intercept(session: WindowSession, desk: Desk) -> None:
    """A shot on its way to the server waits in the editor, and so does what the room is told."""
    await with_proxy(session)
    bench, view = session.workbench, desk.views.intercept
    await bench.hold("op:publish", "up")
    shot = '{"op": "publish", "ch": "room:arena", "type": "hit", "d": {"target": "dalia", "hp": 10, "by": "you"}}'
    sending = asyncio.ensure_future(bench.send(shot))
    await until(lambda: view.editor.text.content())
    await bench.hold("op:event ch:room:arena", "down")
    await until(lambda: view.model.rowCount() > 4)
    view.editor.text.setPlainText(view.editor.text.content().replace('"hp":10', '"hp":99'))
    await asyncio.sleep(LOOK_S)
    sending.cancel()


async def scenarios(session: WindowSession, desk: Desk) -> None:
    """One's own copy of a scenario was met, and is not met any more with a longer outage."""
    view = desk.views.scenarios
    await until(lambda: session.workbench.can(Act.DROP) is None)
    assert session.workbench.data is not None
    own = session.workbench.data / "scenarios" / "handover.toml"
    own.parent.mkdir(exist_ok=True)
    for outage in ("2s", "8s"):
        own.write_text(HANDOVER.read_text().replace('outage = "2s"', f'outage = "{outage}"'))
        view.choose(own)
        await until(lambda: view.chosen is not None and view.chosen.is_own)
        view.play(is_virtual=True)
        await asyncio.sleep(LOOK_S)
        await until(lambda: not view.is_playing)
        await asyncio.sleep(LOOK_S)


SCENES: Final = {
    "faults": Scene("break", ("faults",), faults),
    "intercept": Scene("watch", ("intercept",), intercept),
    "scenarios": Scene("break", ("scenarios",), scenarios),
}


async def play(window: MainWindow, options: WindowOptions, scene: Scene, target: Path) -> None:
    """Open the session in the painted window, act, take the picture, and end as a closed window does."""
    ending, painted = Ending(), asyncio.Event()
    window.painted.connect(painted.set)
    window.show_at_first()
    await painted.wait()
    session = WindowSession(window, options, settings_for(options), ending)
    running = asyncio.ensure_future(session.run())
    try:
        await until(lambda: session.desk)
        assert session.desk is not None
        await scene.act(session, session.desk)
        await asyncio.sleep(LOOK_S)
        if not window.grab().save(str(target)):
            sys.exit(f"The picture could not be written to {target}")
    finally:
        ending.ask()
        await running


def main(name: str, theme: str, target: Path) -> None:
    """One picture, from a first start in an empty data folder."""
    scene = SCENES[name]
    with tempfile.TemporaryDirectory() as folder:
        options = WindowOptions(
            perspective=scene.perspective,
            panels=scene.panels,
            theme=theme,
            size=SIZE,
            capture=False,
            data_dir=Path(folder),
        )
        app = application()
        themes.choose(ThemeChoice(theme))
        themes.apply()
        loop = WindowLoop(app)
        window = MainWindow(settings_for(options).settings)
        try:
            loop.run_until_complete(play(window, options, scene, target))
        finally:
            window.deleteLater()
            loop.close()
            themes.forget()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
