"""Held messages over the control interface: seen, let go as they are or changed, dropped.

Owns the paths below `/v1/held`. What may be asked is the lab's to say; who may ask is the interface's.
"""

from __future__ import annotations

from typing import Any, Final

from sonde_lab.control_http import BadRequest
from sonde_lab.faults.edits import EditRefused, going_of
from sonde_lab.faults.holding import Holding, NotHeld
from sonde_lab.faults.lab import FaultLab
from sonde_lab.faults.telling_held import content_told, held_told

HELD: Final = "/v1/held/"
_DIGITS: Final = 10


class HeldPages:
    """What is answered there."""

    def __init__(self, lab: FaultLab) -> None:
        self._lab = lab

    @property
    def _holding(self) -> Holding:
        return self._lab.holding

    def all(self) -> dict[str, Any]:
        """Every held message, oldest first, and how many passed since there was no room."""
        now = self._lab.now()
        return {"held": [held_told(each, now) for each in self._holding.all], "passed": self._holding.passed}

    def let_all_go(self) -> dict[str, Any]:
        """Everything goes as it is; the rules stay."""
        return {"let_go": self._holding.let_all_go()}

    def one(self, method: str, name: str, asked: Any) -> dict[str, Any]:
        """One message: seen (GET), let go (POST), dropped (DELETE).

        Raises:
            BadRequest: there is no such message, or it cannot go like that.
        """
        number = _number(name)
        try:
            if method == "GET":
                held = self._holding.one(number)
                return {**held_told(held, self._lab.now()), **content_told(held)}
            if method == "DELETE":
                self._holding.drop(number)
                return {"dropped": number}
            self._holding.let_go(number, going_of(asked))
        except NotHeld as error:
            raise BadRequest(404, str(error)) from None
        except EditRefused as refused:
            raise BadRequest(422, refused.message, refused.position) from None
        return {"let_go": number}


def _number(name: str) -> int:
    if not (name.isascii() and name.isdecimal() and len(name) < _DIGITS):
        raise BadRequest(404, "a held message has a number")
    return int(name)
