"""Many people who come, go and flap for a long time, as lanes: what the timeline is measured and tested with."""

from __future__ import annotations

import random

from sonde_lab.swim_lanes import Group, Lane, LaneKind, Stretch
from sonde_ui.desktop.models.lane_rows import LaneRow, rows_of

STATUSES = ("online", "away", "busy", "online", "reconnecting")


def crowd_of_lanes(people: int, seconds: float, seed: int = 7) -> tuple[float, float, list[LaneRow]]:
    """From when to when, and the rows: each person changes about twice a minute, some of them every second."""
    chance = random.Random(seed)
    lanes = []
    for number in range(people):
        at, made = chance.uniform(0, 60), []
        usual_s = 1.0 if number % 10 == 0 else 30.0
        while at < seconds:
            ended = at + chance.expovariate(1 / usual_s)
            lasts = ended >= seconds
            made.append(Stretch(at, None if lasts else ended, chance.choice(STATUSES), "walking"))
            at = ended + (chance.uniform(1, 60) if chance.random() < 0.05 else 0.0)
        name = f"player {number:03d}"
        lanes.append(Lane(name, LaneKind.MEMBER, name, tuple(made), sessions=(name,), user=name))
    return 0.0, seconds, rows_of([Group("", tuple(lanes))])
