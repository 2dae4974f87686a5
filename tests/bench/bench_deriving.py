"""Do derived scenarios bring their drops about again? The true causes of `bench_verdict`, derived and played.

Run `python tests/bench/bench_deriving.py [--seeds N] [--only WORDS]`. Each case is made at the socket and by a real gateway;
of its rows a scenario is derived and played on virtual time, or for real where that cannot be. The exit code is 1 if
the same verdict was promised and did not come, or if anything else that the scenario expects does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from sonde_lab.deriving import Derived, NothingToDerive, Wanted, derive
from sonde_lab.ring import Ring
from sonde_lab.scenario.keys import ScenarioRefused
from sonde_lab.scenario.playing import Where, loaded, play_virtually
from sonde_lab.scenario.real_stage import RealStage
from sonde_lab.scenario.running import Report, play
from support.drop_cases import CASES
from support.drop_run import AT_ONCE, play_all

SEED = 7


def played(derived: Derived) -> Report:
    """On virtual time; what that cannot do, for real."""
    try:
        return play_virtually(loaded(Path(), Where(is_virtual=True, text=derived.text)), SEED)
    except ScenarioRefused:
        scenario = loaded(Path(), Where(text=derived.text))
        return asyncio.run(_for_real(scenario))


async def _for_real(scenario) -> Report:  # type: ignore[no-untyped-def]
    return await play(scenario, RealStage(scenario, SEED), SEED)


async def derive_all(seeds: int, only: str) -> list[Derived | str]:
    """A scenario a case and seed, or why there is none."""
    found: list[Derived | str] = []

    def look(ring: Ring, row: int) -> None:
        try:
            found.append(derive(ring, Wanted(row), "the bench"))
        except NothingToDerive as error:
            found.append(str(error))

    cases = [
        (case.name, seed) for case in CASES if only in case.name and not case.alone for seed in range(seeds)
    ]
    async for _outcome in play_all(cases, AT_ONCE, look):
        pass
    return found


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", default="")
    wanted = parser.parse_args()
    found = asyncio.run(derive_all(wanted.seeds, wanted.only))
    tally: Counter[str] = Counter()
    for derived in found:
        if isinstance(derived, str):
            tally["nothing derived"] += 1
            print(f"NOTHING: {derived}")
            continue
        wrong = [
            f"{each.expectation.words}: {each.evidence}"
            for each in played(derived).verdicts
            if not each.is_met
        ]
        tally["wrong" if wrong else "the same verdict" if derived.again else "as near as a stage can"] += 1
        if wrong:
            print(f"WRONG: {derived.verdict.cause}: {'; '.join(wrong)}")
    print(", ".join(f"{what}: {count}" for what, count in tally.most_common()), f"of {len(found)}")
    return 1 if tally["wrong"] or tally["nothing derived"] or not found else 0


if __name__ == "__main__":
    sys.exit(main())
