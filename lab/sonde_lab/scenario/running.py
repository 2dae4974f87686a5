"""One play of a scenario on a stage: everybody comes, things go wrong in their time, all gets quiet, then it is judged.

Owns the order of a play. Knows no gateway and no socket: those are the stage's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sonde_client import Client, ConnectFailed, NotSent, OutcomeUnknown
from sonde_lab.faults.rules import RuleRefused
from sonde_lab.records import Flag, Kind
from sonde_lab.scenario.behaviours import Acting
from sonde_lab.scenario.figure import Figure
from sonde_lab.scenario.judging import Case, Verdict, judge
from sonde_lab.scenario.measuring import figures_of
from sonde_lab.scenario.plan import ClientPlan, Scenario, Step
from sonde_lab.scenario.seeing import Seeing
from sonde_lab.scenario.stage import WITNESS, Stage, StageFailed
from sonde_lab.scenario.vocabulary import ACTS, On
from sonde_protocol.errors import Refused, SondeError

JOIN_LIMIT_S: Final = 20.0
LEAVE_LIMIT_S: Final = 10.0
Tell = Callable[[str], None]


@dataclass(slots=True)
class Report:
    """What a play showed."""

    scenario: Scenario
    seed: int
    verdicts: list[Verdict] = field(default_factory=list)
    rows: int = 0
    lasted_s: float = 0.0  # on the stage's clock
    figures: tuple[Figure, ...] = ()

    @property
    def is_met(self) -> bool:
        """Whether everything held."""
        return bool(self.verdicts) and all(verdict.is_met for verdict in self.verdicts)


async def play(scenario: Scenario, stage: Stage, seed: int, tell: Tell = lambda _line: None) -> Report:
    """Play it to the end.

    Raises:
        StageFailed: it could not be set up, or a part of it did not come up again.
    """
    playing = _Play(scenario, stage, seed, tell)
    try:
        await stage.start(tell)
        return await playing.run()
    finally:
        await playing.end()
        await stage.stop()


class _Play:
    def __init__(self, scenario: Scenario, stage: Stage, seed: int, tell: Tell) -> None:
        self._scenario = scenario
        self._stage = stage
        self._seed = seed
        self._tell = tell
        self._seen: dict[str, Seeing] = {}
        self._acting: dict[str, Acting] = {}
        self._acts: list[asyncio.Task[None]] = []
        self._witness: Seeing | None = None
        self._began_at = 0.0
        stage.on_act = self._on_act

    async def run(self) -> Report:
        """See `play`."""
        scenario, stage = self._scenario, self._stage
        await self._gather()
        self._began_at = stage.now()
        self._say(f"{', '.join(self._seen)} live")
        for acting in self._acting.values():
            acting.start()
        for step in scenario.steps:
            await self._until(step.at_s)
            self._take(step)
        await self._until(scenario.duration_s)
        await self._quiet()
        await asyncio.sleep(scenario.settle_s)
        stage.log.flush()
        return self._report()

    def _report(self) -> Report:
        stage, scenario = self._stage, self._scenario
        assert self._witness is not None
        case = Case(
            stage.log.ring, self._began_at, {plan.name: plan for plan in scenario.clients}, self._seen, self._witness,
            {name: acting.sent for name, acting in self._acting.items()},
        )  # fmt: skip
        verdicts = [judge(each, case) for each in scenario.expectations]
        lasted_s = stage.now() - self._began_at
        return Report(scenario, self._seed, verdicts, len(stage.log.ring), lasted_s, figures_of(case))

    # ------------------------------------------------------------ coming and going

    async def _gather(self) -> None:
        plans = [*self._scenario.clients, ClientPlan(WITNESS, self._scenario.channels)]
        for plan in plans:
            is_witness = plan.name == WITNESS
            client = self._stage.witness() if is_witness else self._stage.client(plan)
            seeing = Seeing(plan.name, client, self._stage.log)
            if is_witness:
                self._witness = seeing
            else:
                self._seen[plan.name] = seeing
                self._acting[plan.name] = Acting(plan, client, self._seed)
            client.connect()
        for plan in plans:
            await self._join(plan, self._seeing(plan.name).client)

    def _seeing(self, name: str) -> Seeing:
        if name == WITNESS:
            assert self._witness is not None
            return self._witness
        return self._seen[name]

    async def _join(self, plan: ClientPlan, client: Client) -> None:
        try:
            await client.wait_live(JOIN_LIMIT_S)
            for ch in plan.channels:
                await client.subscribe(ch, presence=plan.name != WITNESS)
        except (ConnectFailed, Refused, OutcomeUnknown, NotSent) as error:
            raise StageFailed(f"{plan.name} did not get in: {error}") from None

    async def end(self) -> None:
        """Everybody goes."""
        for task in self._acts:
            task.cancel()
        await asyncio.gather(*self._acts, return_exceptions=True)
        for acting in self._acting.values():
            await acting.stop()
        everybody = [*self._seen.values(), *([self._witness] if self._witness is not None else [])]
        leaving = [asyncio.ensure_future(each.client.close()) for each in everybody]
        if leaving:
            _done, late = await asyncio.wait(leaving, timeout=LEAVE_LIMIT_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*leaving, return_exceptions=True)
        for each in everybody:
            each.watch.stop()

    # ------------------------------------------------------------ what goes wrong

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, self._began_at + at_s - self._stage.now()))

    def _take(self, step: Step) -> None:
        self._say(step.words)
        if step.rule is None:
            work = self._leave(step) if ACTS[step.fault].on is On.CLIENT else self._stage.act(step)
            self._acts.append(asyncio.get_running_loop().create_task(work, name=f"act {step.fault}"))
            return
        for name in step.clients:
            try:
                self._stage.arm(name, step.rule)
            except RuleRefused as error:
                raise StageFailed(f"{step.fault} at {step.at_s:g} s (line {step.line}): {error}") from None

    async def _leave(self, step: Step) -> None:
        """Say goodbye, and come anew."""
        for name in step.clients:
            self._seen[name].goes_away()
            await self._seen[name].client.close()
        await asyncio.sleep(step.for_s)
        plans = {plan.name: plan for plan in self._scenario.clients}
        for name in step.clients:
            self._seen[name].client.connect()
            await self._join(plans[name], self._seen[name].client)

    async def _quiet(self) -> None:
        """Nobody acts, and nothing is wrong any more."""
        for acting in self._acting.values():
            acting.quiet()
        try:
            await asyncio.gather(*self._acts)
        except SondeError as error:
            raise StageFailed(str(error)) from None
        self._stage.calm()
        self._say("quiet")

    def _on_act(self, client: str, says: str, is_done: bool, at: float) -> None:
        seeing = self._seen.get(client)
        if seeing is None:
            return
        kind, flags = (Kind.ACT, Flag.INJECTED) if is_done else (Kind.NOTE, Flag(0))
        seeing.recorder.say(kind, "fault", says, at, flags=flags)

    def _say(self, words: str) -> None:
        self._tell(f"{self._stage.now() - self._began_at:6.1f} s  {words}")
