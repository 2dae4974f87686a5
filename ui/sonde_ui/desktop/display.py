"""Whether a window can be opened at all, found out before Qt would abort the program. No Qt in here."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

_SCREENLESS = ("offscreen", "minimal", "vnc", "linuxfb", "eglfs")


def missing_display(environ: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """Why no window can be opened, in a sentence; `None` when nothing speaks against it."""
    if platform != "linux" or environ.get("QT_QPA_PLATFORM", "").split(":")[0] in _SCREENLESS:
        return None
    if environ.get("WAYLAND_DISPLAY"):
        return None
    display = environ.get("DISPLAY", "")
    if not display:
        return "no display: DISPLAY and WAYLAND_DISPLAY are not set"
    if display.startswith(":") and not _answers(display[1:].split(".")[0]):
        return f"no display: nothing answers at DISPLAY={display}"
    return None


def _answers(number: str) -> bool:
    """Whether an X server listens on the local socket of that display number.

    Looked up, not tried: a virtual screen resets itself when its last client leaves, and a trial connection
    that ends just before Qt's would be that client.
    """
    path = f"/tmp/.X11-unix/X{number}"  # noqa: S108 - the address that X11 fixes
    try:
        listed = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        listed = []
    if path in listed or f"@{path}" in listed:
        return True
    return Path(path).exists() and _connects(path)  # handed in from outside of a container


def _connects(path: str) -> bool:
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.connect(path)
    except OSError:
        return False
    finally:
        probe.close()
    return True


def advice() -> str:
    """What a person can do about it."""
    return (
        "Start Sonde from a desktop session, or give it a virtual screen:"
        " xvfb-run sonde ui --screenshot picture.png --after 8s."
        " With QT_QPA_PLATFORM=offscreen it draws without a screen."
    )


def reason() -> str | None:
    """The sentence for standard error, or `None`."""
    why = missing_display(os.environ)
    return f"Sonde cannot open its window: {why}. {advice()}" if why else None
