"""Are the verdicts right? True causes, made at the socket and by a real gateway, against what the verdict says.

Run `python tests/bench/bench_verdict.py [--seeds N] [--only WORDS]`. Each case is played with N seeds (20), many at once in
two processes. The matrix shows what each true cause was called; the exit code is 1 if any cause was named wrongly.
Ctrl+C ends it at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.drop_cases import CASES
from support.drop_run import AT_ONCE, Outcome

PROGRAM = Path(__file__).parent.parent / "support" / "drop_run.py"
SEEDS = 20
WORKERS = 2
GOAL_NAMED = 0.95
GOODBYE_S = 15.0


async def worker(cases: list[tuple[str, int]], at_once: int, told: list[Outcome], whole: int) -> None:
    """One process that plays a share of the cases."""
    if not cases:
        return
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), str(at_once), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 20
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(cases).encode() + b"\n")
        async for line in process.stdout:
            case, seed, cause, sentence, story = json.loads(line)
            told.append(Outcome(case, seed, cause, sentence, tuple(story)))
            progress(told, whole)
    except asyncio.CancelledError:
        process.send_signal(signal.SIGINT)
        raise
    finally:
        try:
            await asyncio.wait_for(process.wait(), GOODBYE_S)
        except TimeoutError:
            process.kill()


def progress(told: list[Outcome], whole: int) -> None:
    """One line that is written over, where there is a terminal; else one in fifty."""
    wrong = sum(is_wrong(each) for each in told)
    line = f"{len(told)} of {whole} played, {wrong} wrong"
    if sys.stderr.isatty():
        print(f"\r{line}", end="", file=sys.stderr, flush=True)
    if is_wrong(told[-1]):
        print(
            f"\nWRONG: {told[-1].case}, seed {told[-1].seed}: {told[-1].cause}", file=sys.stderr, flush=True
        )
    elif len(told) % 50 == 0:
        print(line, file=sys.stderr, flush=True)


def is_wrong(outcome: Outcome) -> bool:
    """A cause was named, and it was another."""
    return bool(outcome.cause) and not outcome.is_right and not outcome.is_unknown


async def play(seeds: int, only: str, told: list[Outcome]) -> None:
    """All cases, shared out; those that stop their whole process one after the other in one of their own."""
    chosen = [case for case in CASES if only in case.name]
    crowd = [(case.name, seed) for case in chosen if not case.alone for seed in range(seeds)]
    random.Random(1).shuffle(crowd)  # so that slow and busy cases are spread
    alone = [(case.name, seed) for case in chosen if case.alone for seed in range(seeds)]
    whole = len(crowd) + len(alone)
    shares = [crowd[place::WORKERS] for place in range(WORKERS)]
    await asyncio.gather(
        *(worker(share, AT_ONCE, told, whole) for share in shares), worker(alone, 1, told, whole)
    )


def report(told: list[Outcome], took_s: float) -> bool:
    """The matrix, what was wrong, and the sums. True when nothing was wrong."""
    print(f"\n{'true cause':<34}{'played':>7}{'right':>7}{'unknown':>9}{'wrong':>7}   verdicts")
    for case in CASES:
        mine = [each for each in told if each.case == case.name and each.cause]
        if not mine:
            continue
        right, unknown, wrong = _counts(mine)
        called = ", ".join(
            f"{count} {cause}" for cause, count in Counter(each.cause for each in mine).most_common()
        )
        print(f"{case.name:<34}{len(mine):>7}{right:>7}{unknown:>9}{wrong:>7}   {called}")
    played = [each for each in told if each.cause]
    right, unknown, wrong = _counts(played)
    print(f"{'all':<34}{len(played):>7}{right:>7}{unknown:>9}{wrong:>7}")
    for each in told:
        if is_wrong(each) or not each.cause:
            what = "WRONG" if each.cause else "NOT PLAYED"
            print(
                f"\n{what}: {each.case}, seed {each.seed}: {each.cause} {each.sentence}",
                *each.story,
                sep="\n    ",
            )
    named = right / len(played) if played else 0.0
    spoilt = len(told) - len(played)
    print(
        f"\n{len({each.case for each in played})} causes, {len(played)} drops in {took_s:.0f} s: {named:.1%} named (goal {GOAL_NAMED:.0%}), "
        f"{unknown} unknown, {wrong} wrong (goal 0), {spoilt} could not be played"
    )
    return wrong == 0 and spoilt * 20 <= len(told)


def _counts(outcomes: list[Outcome]) -> tuple[int, int, int]:
    right = sum(each.is_right for each in outcomes)
    unknown = sum(each.is_unknown for each in outcomes)
    return right, unknown, len(outcomes) - right - unknown


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--only", default="", help="cases whose name holds these words")
    arguments = parser.parse_args()
    begun = time.monotonic()
    outcomes: list[Outcome] = []
    try:
        asyncio.run(play(arguments.seeds, arguments.only, outcomes))
    except KeyboardInterrupt:
        print("\nEnded by Ctrl+C; this is what was played until then.", file=sys.stderr)
        report(outcomes, time.monotonic() - begun)
        sys.exit(130)
    sys.exit(0 if report(outcomes, time.monotonic() - begun) else 1)
