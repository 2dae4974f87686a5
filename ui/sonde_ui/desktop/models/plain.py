"""Peer text made safe to show on one line: nothing invisible, nothing that turns the line around.

Owns how hostile characters look. Refuses markup: what is shown is text, whatever it says.
"""

from __future__ import annotations

import html
import re
from typing import Final

LINE_LIMIT: Final = 600  # characters: wider than any screen; a cell never lays out a megabyte
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PICTURES: Final = {
    **{code: chr(0x2400 + code) for code in range(0x20)},  # NUL is ␀, tab ␉ …
    0x0A: "↵",
    0x0D: "",  # of \r\n only the mark of the line end is worth a cell's room
    0x7F: "␡",
    0x2028: "↵",
    0x2029: "↵",
    # Bidirectional controls could show a line in another order than it was sent.
    **{
        code: f"\\u{code:04x}"
        for code in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    },
    **{code: f"\\u{code:04x}" for code in (*range(0x80, 0xA0), 0x200B, 0xFEFF)},
}
_MULTI_LINE: Final = {key: shown for key, shown in _PICTURES.items() if key not in (0x09, 0x0A, 0x0D)} | {
    0x0D: ""
}


def without_surrogates(text: str) -> str:
    """Half characters, which no encoding can carry, as visible escapes: `\\ud83d`."""
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str, limit: int = LINE_LIMIT) -> str:
    """`text` for one line of a table or label, cut after `limit` characters."""
    shown = text[:limit]
    if not shown.isprintable():
        shown = without_surrogates(shown.translate(_PICTURES))
    return f"{shown}…" if len(text) > limit else shown


def many_lines(text: str) -> str:
    """`text` for a text view: line ends and tabs stay, everything else that hides is made visible."""
    return without_surrogates(text.translate(_MULTI_LINE))


def tool_tip(text: str) -> str:
    """Text for a tooltip, which Qt would read as markup where it looks like it."""
    return f"<qt>{html.escape(text).replace(chr(10), '<br>')}</qt>"
