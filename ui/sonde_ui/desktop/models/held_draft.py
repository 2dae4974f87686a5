"""What a person makes of a held message in an editor: how it is shown, and what is wrong with it while they type.

Pure. Text is edited as text, JSON or not; everything that an editor could not give back as it came is edited as hex.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from sonde_lab.changes import HeldContent
from sonde_lab.faults.edits import EditRefused, bytes_of_hex, bytes_of_text
from sonde_lab.faults.limits import MAX_EDIT_BYTES
from sonde_ui.desktop.models import figures

BYTES_A_LINE: Final = 16
_NOT_CARRIED: Final = re.compile(
    "[\x00\r\u2029\ufdd0\ufdd1\ufffc]"
)  # an editor would turn it into something else


@dataclass(slots=True, frozen=True)
class Shown:
    """A message as it stands in the editor."""

    text: str
    is_hex: bool
    is_json: bool
    why_not: str = ""  # why it cannot be edited; empty when it can
    size: int = 0


@dataclass(slots=True, frozen=True)
class Verdict:
    """On a draft. `problem`: it cannot be sent; `warning`: it can, and is unusual. `line` and `column` count from 1."""

    problem: str = ""
    warning: str = ""
    hint: str = ""
    line: int = 0
    column: int = 0


def shown(content: HeldContent) -> Shown:
    """How a message is edited."""
    if content.text is None and content.data is None:
        return Shown("", False, False, "This message does not inflate: it goes as it is, or not at all.")
    why_not = (
        f"Only its first {MAX_EDIT_BYTES >> 10} KB: it is too long to be edited." if content.is_cut else ""
    )
    if content.text is not None and not _NOT_CARRIED.search(content.text):
        size = len(content.text.encode())
        return Shown(content.text, False, _is_json(content.text), why_not, size)
    data = content.data if content.data is not None else (content.text or "").encode()
    return Shown(hex_lines(data), True, False, why_not, len(data))


def hex_lines(data: bytes) -> str:
    """Sixteen bytes a line."""
    return "\n".join(data[at : at + BYTES_A_LINE].hex(" ") for at in range(0, len(data), BYTES_A_LINE))


def verdict(came: Shown, text: str) -> Verdict:
    """Look at a draft."""
    if came.why_not:
        return Verdict(hint=came.why_not)
    try:
        size = len(bytes_of_hex(text) if came.is_hex else bytes_of_text(text))
    except EditRefused as refused:
        return _at(
            text, refused.position or 0, problem=f"{refused.message[:1].upper()}{refused.message[1:]}."
        )
    if size > MAX_EDIT_BYTES:
        return Verdict(problem=f"An edited message has at most {MAX_EDIT_BYTES >> 10} KB.")
    if text == came.text:
        return Verdict(hint="As it came" + (", as bytes" if came.is_hex else ""))
    sizes = f"Edited: {figures.size(came.size)} → {figures.size(size)}"
    return _json_verdict(text, sizes) if came.is_json else Verdict(hint=sizes)


def _json_verdict(text: str, sizes: str) -> Verdict:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return Verdict(
            warning=f"No longer JSON ({error.lineno}:{error.colno}): {error.msg}. You can still send it.",
            line=error.lineno,
            column=error.colno,
        )
    except (ValueError, RecursionError):
        return Verdict(warning="Hardly JSON any longer. You can still send it.")
    return Verdict(hint=sizes)


def _at(text: str, position: int, *, problem: str) -> Verdict:
    before = text[:position]
    return Verdict(
        problem=problem, line=before.count("\n") + 1, column=position - (before.rfind("\n") + 1) + 1
    )


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False
