"""A bounded table of texts, each under a small number: what a column of strings is stored as."""

from __future__ import annotations

from typing import Final

MAX_NAMES: Final = 65_536  # so that a number fits sixteen bits of a fold key
MAX_CHARACTERS: Final = 128
OTHER: Final = "(other)"


class Names:
    """Texts to numbers and back. Peers choose many of them, so the table ends: later ones are all `(other)`.

    Number 0 is the empty text, number 1 is `(other)`. Texts are cut at 128 characters.
    """

    __slots__ = ("_limit", "_numbers", "_texts")

    def __init__(self, limit: int = MAX_NAMES) -> None:
        self._limit = limit
        self._texts = ["", OTHER]
        self._numbers = {"": 0, OTHER: 1}

    def __len__(self) -> int:
        return len(self._texts)

    def intern(self, text: str) -> int:
        """The number of `text`, made when it is new."""
        number = self._numbers.get(text)
        if number is not None:
            return number
        cut = text[:MAX_CHARACTERS]
        number = self._numbers.get(cut)
        if number is not None:
            return number
        if len(self._texts) >= self._limit:
            return self._numbers[OTHER]
        number = self._numbers[cut] = len(self._texts)
        self._texts.append(cut)
        return number

    def number(self, text: str) -> int | None:
        """The number of `text`, or `None` when no row has it."""
        return self._numbers.get(text[:MAX_CHARACTERS])

    def text(self, number: int) -> str:
        """The text under `number`."""
        return self._texts[number]

    def numbers_containing(self, word: str) -> list[int]:
        """Numbers of all texts that contain `word` (given in lower case), whatever their case."""
        return [number for number, text in enumerate(self._texts) if word in text.lower()]
