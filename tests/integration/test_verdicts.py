"""Each true cause once: made at the socket and by a real gateway, and named rightly. The long run is `make bench-verdict`."""

from __future__ import annotations

import pytest

from support.drop_cases import CASES
from support.drop_run import play_all

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]


async def test_each_cause_is_named_and_none_is_named_wrongly() -> None:
    """All but those that stop their whole process; of these, the bench has its own."""
    cases = [(case.name, 0) for case in CASES if not case.alone]
    outcomes = [outcome async for outcome in play_all(cases, len(cases))]
    wrong = [each for each in outcomes if not each.is_right and not each.is_unknown]
    assert not wrong, "\n".join(
        "\n    ".join([each.case, each.cause, each.sentence, *each.story]) for each in wrong
    )
    assert sum(each.is_right for each in outcomes) >= 0.9 * len(outcomes)


async def test_a_stall_of_the_own_process_is_not_blamed_on_the_network() -> None:
    (alone,) = [case.name for case in CASES if case.alone]
    (outcome,) = [outcome async for outcome in play_all([(alone, 0)], 1)]
    assert outcome.is_right, "\n    ".join([outcome.cause, outcome.sentence, *outcome.story])
