"""Options of the command line, and how their texts are read: durations, sizes, choices.

Owns one name for each option of the window, so that its command reads as a list. No Qt is imported here.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class PerspectiveChoice(StrEnum):
    """What the window is arranged for."""

    INSPECT = "inspect"
    BREAK = "break"
    WATCH = "watch"


class ThemeName(StrEnum):
    """How the window looks."""

    SYSTEM = "system"
    DARK = "dark"
    LIGHT = "light"
    CONTRAST = "contrast"


class PanelName(StrEnum):
    """A panel of the window, by the name that its layouts are kept under."""

    TRAFFIC = "traffic"
    DETAIL = "detail"
    CONNECTIONS = "connections"
    NODES = "nodes"
    PRESENCE = "presence"
    LATENCY = "latency"
    STATE = "state"
    MAP = "map"
    COMPOSER = "composer"
    FAULTS = "faults"
    INTERCEPT = "intercept"
    SCENARIOS = "scenarios"
    NOTICES = "notices"
    EXPERT = "expert"
    LATEST = "latest"
    TIMELINE = "timeline"
    RECONNECTS = "reconnects"


def seconds(text: str) -> float:
    """A duration such as 8s, 500ms, 2m or 8, in seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)?", text.strip())
    if found is None:
        raise typer.BadParameter(f"'{text}' is no duration; write 8s, 500ms or 2m")
    return float(found[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}[found[2]]


def pixels(text: str) -> tuple[int, int]:
    """A size such as 1440x900, in logical pixels."""
    found = re.fullmatch(r"(\d{3,5})[x×](\d{3,5})", text.strip())
    if found is None:
        raise typer.BadParameter(f"'{text}' is no size; write 1440x900")
    width, height = int(found[1]), int(found[2])
    if not (640 <= width <= 20_000 and 480 <= height <= 20_000):
        raise typer.BadParameter(f"'{text}': the window is at least 640x480 and at most 20000x20000")
    return width, height


def row_range(text: str) -> tuple[int, int] | None:
    """Rows such as 120-180; nothing for an empty text."""
    if not text:
        return None
    found = re.fullmatch(r"(\d{1,15})\s*[-–]\s*(\d{1,15})", text.strip())
    if found is None or int(found[1]) > int(found[2]):
        raise typer.BadParameter(f"'{text}' is no stretch of rows; write 120-180")
    return int(found[1]), int(found[2])


Connect = Annotated[
    str, typer.Option(metavar="URL", help="A remote gateway, ws://host:port/v1/ws; else the embedded one.")
]
Token = Annotated[str, typer.Option(envvar="SONDE_TOKEN", show_envvar=True, help="The token for --connect.")]
ClientToken = Annotated[
    str, typer.Option(envvar="SONDE_TOKEN", show_envvar=True, help="What the client identifies itself with.")
]
Cluster = Annotated[
    bool,
    typer.Option("--cluster", help="A cluster of two nodes of its own, instead of the embedded gateway."),
]
Proxy = Annotated[
    str, typer.Option(metavar="URL", help="A proxy in front of this server: any client's traffic is shown.")
]
Listen = Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the proxy listens; else a free port.")]
Open = Annotated[
    Path | None,
    typer.Option("--open", metavar="FILE", help="A capture or repro bundle; nothing is connected."),
]
Perspective = Annotated[PerspectiveChoice | None, typer.Option(help="Which arrangement to open.")]
Panel = Annotated[
    list[PanelName] | None,
    typer.Option(
        metavar="NAME", help="A panel to bring to the front, as scenarios; more than once for several."
    ),
]
Theme = Annotated[ThemeName | None, typer.Option(help="How it looks, for this run.")]
Size = Annotated[str, typer.Option(metavar="WxH", help="Size of the window, such as 1440x900.")]
Screenshot = Annotated[Path | None, typer.Option(help="Save a picture of the window here, then end.")]
After = Annotated[str, typer.Option(metavar="TIME", help="When to take the picture.")]
NoPlayers = Annotated[bool, typer.Option("--no-players", help="Start without simulated players.")]
NoCapture = Annotated[
    bool, typer.Option("--no-capture", help="Do not write the traffic to a file, for this run.")
]
ReadOnly = Annotated[
    bool, typer.Option("--read-only", help="Only look, for this run: acts that change something are locked.")
]
Profile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A profile: columns, filters, colours and endpoints."),
]
Decoder = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="A decoder of your own, a Python file; more than once for several."),
]
Fault = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RULE", help="What goes wrong, as 'latency 200ms ±50ms'; more than once for several."
    ),
]
Preset = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A network, as 'Chrome 3G'; more than once for several."),
]
DataDir = Annotated[Path | None, typer.Option(help="Where settings, logs and captures are kept.")]
CaptureFile = Annotated[Path, typer.Argument(metavar="CAPTURE", help="A .sonde capture, or a repro bundle.")]
Row = Annotated[
    int | None,
    typer.Option(
        min=0, metavar="N", help="The row of the end, or one before it; else the last drop is meant."
    ),
]
Rows = Annotated[str, typer.Option(metavar="A-B", help="The last drop among these rows, and no others.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="A setting of the gateway, as heartbeat=5s; more than once."
    ),
]
