"""Renders `docs/images/` from the real window, in both themes: perspectives with a live gateway, a cluster, a capture, scenes.

Run by `make pictures`. Starts a virtual screen of its own when there is none.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sonde_lab.endpoints import EMBEDDED
from sonde_lab.workbench import Workbench, WorkbenchConfig

IMAGES = Path(__file__).resolve().parent / "images"
PROFILE = Path(__file__).resolve().parent / "examples" / "arena-profile.toml"
PICTURES = {  # name: perspective and further arguments
    "inspect": ("inspect",),
    "break": ("break",),
    "watch": ("watch",),
    "cluster": ("break", "--cluster"),
    "capture": ("inspect", "--profile", str(PROFILE), "--open"),  # and the file
}
SCENES = ("faults", "intercept", "scenarios")  # acted by `picture_scenes.py`
THEMES = ("dark", "light")


@contextmanager
def screen() -> Iterator[dict[str, str]]:
    """The environment of a screen: the one that is there, or an Xvfb that ends with the block."""
    if os.environ.get("DISPLAY"):
        yield dict(os.environ)
        return
    if shutil.which("Xvfb") is None:
        sys.exit("No screen and no Xvfb. On Debian: apt-get install xvfb")
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"],
        pass_fds=[write_end],
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    try:
        number = os.read(read_end, 16).decode().strip()
        yield {**os.environ, "DISPLAY": f":{number}"}
    finally:
        os.close(read_end)
        server.terminate()
        server.wait(10)


async def live_through(folder: Path) -> None:
    """Half a minute of a live arena in which connections drop and a command is refused, into a capture."""
    workbench = Workbench(WorkbenchConfig(captures=folder))
    await workbench.set_capture(True)
    await workbench.open(EMBEDDED)
    for act in (workbench.add_client, lambda: workbench.drop("you2"), workbench.drop):
        await asyncio.sleep(6)
        act()
    await asyncio.sleep(2)
    await workbench.send('{"op": "publish", "ch": "room:nowhere!", "type": "shout", "d": 1}')
    workbench.comment(workbench.mark("here it began"), "both come back by themselves")
    await asyncio.sleep(6)
    await workbench.close()


def render(name: str, theme: str, after: str, environment: dict[str, str], capture: Path) -> None:
    """One picture, from a first start in an empty data folder, so that no remembered layout shows."""
    target = IMAGES / f"{name}-{theme}.png"
    perspective, *further = PICTURES[name]
    further += [str(capture)] if further[-1:] == ["--open"] else []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                sys.executable,
                *("-m", "sonde_ui.cli", "ui", "--screenshot", str(target), "--after", after),
                *("--perspective", perspective, "--theme", theme, "--size", "1440x900", "--data-dir", folder),
                *further,
            ],
            env=environment,
            check=True,
            timeout=120,
        )
    print(target.relative_to(IMAGES.parent.parent))


def render_scene(name: str, theme: str, environment: dict[str, str]) -> None:
    """One picture in which something happens first."""
    target, script = IMAGES / f"{name}-{theme}.png", IMAGES.parent / "picture_scenes.py"
    subprocess.run(
        [sys.executable, str(script), name, theme, str(target)], env=environment, check=True, timeout=180
    )
    print(target.relative_to(IMAGES.parent.parent))


def main() -> None:
    """All pictures, one after another; `--after 20s` lets more happen before each."""
    after = sys.argv[sys.argv.index("--after") + 1] if "--after" in sys.argv else "20s"
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, screen() as environment:
        asyncio.run(live_through(Path(folder)))
        capture = next(Path(folder).glob("*.sonde"))
        for theme in THEMES:
            for name in PICTURES:
                render(name, theme, after, environment, capture)
            for name in SCENES:
                render_scene(name, theme, environment)


if __name__ == "__main__":
    main()
