"""The values of the room: what is known (evidence), what a rule found, and the verdict that a person reads."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sonde_lab.verdict.causes import CAUSES, Cause


class Evidence(NamedTuple):
    """One sentence, and the row that shows it."""

    text: str
    row_id: int


class Certainty(enum.StrEnum):
    """What a verdict rests on."""

    SHOWN = "The rows show it."
    TOLD = "The other side says so."
    CONCLUDED = "Concluded from the rows below: nobody says so."
    OPEN = "It cannot be told."


@dataclass(slots=True, frozen=True)
class Found:
    """What one rule makes of the evidence. `values` fill the sentence of its cause."""

    cause: Cause
    evidence: tuple[Evidence, ...]
    certainty: Certainty
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Verdict:
    """Why it ended, in one sentence, by whom, what to do, and the rows behind it.

    `either` says in sentences between which causes an unknown one could not choose (`candidates`), `missing` what one
    would have to know.
    """

    cause: Cause
    title: str
    sentence: str
    by: str
    advice: str
    certainty: Certainty
    evidence: tuple[Evidence, ...]
    either: tuple[str, ...] = ()
    candidates: tuple[Cause, ...] = ()
    missing: str = ""

    @property
    def is_known(self) -> bool:
        """Whether a cause could be named."""
        return self.cause is not Cause.UNKNOWN


_USUAL = {
    "who": "The gateway", "who_small": "the gateway", "code": "a code", "says": "it gave no reason", "silent": "too long", "stalled": "a while",
    "kicker": "An administrator",
}  # fmt: skip


def said(found: Found) -> tuple[str, str, str]:
    """Sentence, by whom and advice of what a rule found."""
    words, values = CAUSES[found.cause], _USUAL | dict(found.values)
    return words.sentence.format_map(values), words.by.format_map(values), words.advice
