"""Plain text search over the rows of a ring: every word must be in a row, whatever its case.

A row's text is its kept payload (for a frame the very bytes of the wire, for other kinds their sentence), its
type, its channel and its connection. Searching bytes instead of made-up summaries keeps 1,000,000 rows within
half a second. What people copy from a summary still finds its row: quotes and commas around a word are left
away, `3,102` also means 3102, and `#214` means command 214.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sonde_lab.blocks import SEPARATOR, Block
from sonde_lab.ring import Ring

Mask = NDArray[np.bool_]

_DECORATION: Final = "“”\"',;:…()"
_GROUPED_NUMBER: Final = re.compile(r"\d{1,3}(,\d{3})+")
_COMMAND: Final = re.compile(r"#(\d{1,16})")
_DENSE_CHARACTERS: Final = 2  # words this short hit so often that comparing arrays beats splitting bytes


def words_of(text: str) -> list[str]:
    """The words of a filter, in lower case; a word of nothing but decoration stays as it is."""
    return [word.strip(_DECORATION) or word for word in text.lower().split()]


def rows_matching(ring: Ring, words: list[str], ids: range) -> Mask:
    """Which of the rows `ids` (all of them in the ring) contain all `words`: one boolean a row."""
    mask = np.ones(len(ids), np.bool_)
    for word in words:
        mask &= _rows_with(ring, word, ids)
    return mask


def _rows_with(ring: Ring, word: str, ids: range) -> Mask:
    mask = _names_with(ring, word, ids)
    for variant in _variants(word):
        _mark_payloads(ring, variant, ids, mask)
    number = _COMMAND.fullmatch(word)
    if number:
        mask |= ring.column("command", ids) == int(number[1])
    return mask


def _variants(word: str) -> list[str]:
    if _GROUPED_NUMBER.fullmatch(word):
        return [word, word.replace(",", "")]
    return [word]


def _names_with(ring: Ring, word: str, ids: range) -> Mask:
    wanted = np.zeros(len(ring.names), np.bool_)
    wanted[ring.names.numbers_containing(word)] = True
    mask: Mask = wanted[ring.column("op", ids)]
    mask |= wanted[ring.column("channel", ids)]
    mask |= wanted[ring.column("conn", ids)]
    return mask


def _mark_payloads(ring: Ring, word: str, ids: range, mask: Mask) -> None:
    """Set `mask` where the payload holds `word`."""
    blocks = list(ring.blocks(ids.start))
    ends = [block.first_id for block in blocks[1:]] + [ring.next_id]
    for block, end in zip(blocks, ends, strict=True):
        inside = range(max(block.first_id, ids.start), min(end, ids.stop))
        if inside:
            rows = slice(inside.start - ids.start, inside.stop - ids.start)
            mask[rows] |= _block_hits(block, *_extent(ring, inside), word)


def _extent(ring: Ring, rows: range) -> tuple[NDArray[Any], int]:
    """Where the payloads of `rows` begin in their block, and where the last of them ends."""
    offsets = ring.column("offset", rows)
    return offsets, int(offsets[-1] + ring.column("stored", rows)[-1])


def _block_hits(block: Block, offsets: NDArray[Any], stop: int, word: str) -> Mask:
    """Which of the payloads that begin at `offsets`, the last ending at `stop`, hold `word`."""
    if not word.isascii():
        return _unicode_hits(block, offsets, stop, word)
    start = int(offsets[0])
    text = block.part(start, stop + len(SEPARATOR)).lower()
    needle = word.encode()
    if len(needle) <= _DENSE_CHARACTERS:
        return _dense_hits(text, offsets - start, needle)
    hits = np.zeros(len(offsets), np.bool_)
    if needle in text:
        lengths = np.fromiter(map(len, text.split(needle)), np.int64)
        positions = np.cumsum(lengths[:-1] + len(needle)) - len(needle)
        hits[np.searchsorted(offsets - start, positions, side="right") - 1] = True
    return hits


def _dense_hits(text: bytes, offsets: NDArray[Any], needle: bytes) -> Mask:
    letters = np.frombuffer(text, np.uint8)
    found = letters == needle[0]
    for shift, letter in enumerate(needle[1:], 1):
        found[:-shift] &= letters[shift:] == letter
        found[-shift:] = False
    hits: Mask = np.logical_or.reduceat(found, offsets)
    return hits


def _unicode_hits(block: Block, offsets: NDArray[Any], stop: int, word: str) -> Mask:
    """Lower case of other scripts changes lengths, so each payload is taken by itself."""
    start = int(offsets[0])
    data = block.part(start, stop)
    limits = [*(offsets - start).tolist(), stop - start + len(SEPARATOR)]
    texts = (data[a : b - len(SEPARATOR)].decode(errors="replace") for a, b in pairwise(limits))
    return np.array([word in text.lower() for text in texts], np.bool_)
