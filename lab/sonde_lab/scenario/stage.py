"""What a runner needs of the place where a scenario is played: gateways, clients behind faults, a clock and rows.

Owns the protocol only. The real stage is `real_stage`, that on virtual time `sonde_lab.simulation.virtual_stage`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from sonde_client import Client
from sonde_lab.faults.rules import Rule
from sonde_lab.rowlog import RowLog
from sonde_lab.scenario.keys import ScenarioRefused
from sonde_lab.scenario.plan import ClientPlan, Scenario, Step
from sonde_protocol.errors import SondeError

WITNESS: Final = "witness"
OnAct = Callable[[str, str, bool, float], None]  # the client, what was done, whether it could be, when
WhyNot = Callable[[Step, Scenario], str]  # a sentence, or nothing


class StageFailed(SondeError):
    """The stage could not be set up, or fell down: a sentence."""


class Stage(Protocol):
    """One play's. All methods belong to the loop that runs it."""

    log: RowLog
    on_act: OnAct

    def now(self) -> float:
        """Monotonic seconds of this stage."""

    async def start(self, tell: Callable[[str], None]) -> None:
        """Bring the gateways up.

        Raises:
            StageFailed: they do not come up.
        """

    def client(self, plan: ClientPlan) -> Client:
        """A client behind faults, not connected yet."""

    def witness(self) -> Client:
        """A client whom no fault of connections touches, and whom nobody sees."""

    def arm(self, client: str, rule: Rule) -> None:
        """A rule for everything that passes between one client and the gateways.

        Raises:
            RuleRefused: it could never act beside those that are armed.
        """

    async def act(self, step: Step) -> None:
        """An act on a node or on the stores, from its beginning to its end.

        Raises:
            StageFailed: what was broken did not come up again.
        """

    def calm(self) -> None:
        """No rule is armed any more."""

    async def stop(self) -> None:
        """End everything."""


def refuse_impossible(scenario: Scenario, why_not: WhyNot) -> None:
    """Say before anything is started what a stage cannot do.

    Raises:
        ScenarioRefused: the first step that it cannot, and why.
    """
    for number, step in enumerate(sorted(scenario.steps, key=lambda each: each.line), 1):
        why = why_not(step, scenario)
        if why:
            raise ScenarioRefused(why, step.line, f"steps {number}.fault")
