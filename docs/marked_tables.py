"""Writes tables into a page between their marks, `<!-- name -->` and `<!-- end of name -->`, for the generators here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

Tables = Mapping[str, Callable[[], str]]  # by the name in their marks; each ends with a line's end


def with_tables(text: str, tables: Tables) -> str:
    """A page's text, its tables made anew.

    Raises:
        ValueError: a mark is not there.
    """
    for name, made in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        before, opens, rest = text.partition(begin)
        _, closes, after = rest.partition(end)
        if not opens or not closes:
            raise ValueError(f"the page has no {(end if opens else begin).strip()} on a line of its own")
        text = before + begin + made() + end + after
    return text


def rewrite(page: Path, tables: Tables) -> None:
    """Make the tables of a page anew, in its file."""
    page.write_text(with_tables(page.read_text(encoding="utf-8"), tables), encoding="utf-8")
