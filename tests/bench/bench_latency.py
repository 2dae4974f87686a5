"""What a frame of the latency dock costs while 5,000 frames a second come in: each second plot, the longest stretch.

Run `python tests/bench/bench_latency.py` (about 40 s). Ten hours of round trips and two of rates are there already. A
frame is timed with its painting, in processor time of the window's thread, so that a busy machine does not count;
beside it stands how late a timer of 2 ms came in the same time.
"""

from __future__ import annotations

import math
import random
import time

from budgets import percentile, show
from desk_rig import Rig, desk_on_screen

from sonde_lab.changes import Gauges, RttSample, Throughput
from sonde_ui.desktop.plots.plot_bar import PLOTS

FRAMES_PER_S = 5_000
SAMPLES, SECONDS = 36_000, 7_200
EACH_S = 2.0
FRAME_MS = 6.0


def fill(rig: Rig) -> None:
    """Long histories, in one batch."""
    now, chance = time.monotonic(), random.Random(1)
    pending = rig.bench.pending
    pending.rtt = [
        RttSample(now - SAMPLES + at, 10 + chance.expovariate(0.2), is_busy=at % 50 == 0)
        for at in range(SAMPLES)
    ]
    pending.earlier_throughput = tuple(
        Throughput(now - SECONDS + at, chance.random() * 200, 12.0, 31_000.0, 900.0) for at in range(SECONDS)
    )
    pending.earlier_gauges = tuple(
        Gauges(now - SECONDS + at, 0.0, chance.randrange(3), 12.0, 25.0, 40.0, 3.0, 0.5)
        for at in range(SECONDS)
    )


def timed(rig: Rig) -> list[float]:
    """Milliseconds of each frame of the next seconds: made ready and painted."""
    view, spent = rig.desk.views.latency, []
    draw = view.draw

    def measured(now: float) -> None:
        began = time.thread_time()
        draw(now)
        for plot in view._shown_plots():
            plot.plot.viewport().repaint()
        spent.append((time.thread_time() - began) * 1000)

    rig.bridge.ticked.disconnect(draw)
    rig.bridge.ticked.connect(measured)
    rig.run(EACH_S)
    rig.bridge.ticked.disconnect(measured)
    rig.bridge.ticked.connect(draw)
    return spent


def main() -> None:
    """Print the figures."""
    with desk_on_screen() as rig:
        view = rig.desk.views.latency
        fill(rig)
        rig.run(2.0)
        rig.feeder.set_pace(FRAMES_PER_S)
        worst = 0.0
        for stretch, name in ((0, "60 s"), (2, "all")):
            view.choose_stretch(stretch)
            for plot in PLOTS:
                view.choose_plot(plot)
                rig.run(0.5)
                spent = timed(rig)
                late = percentile(rig.probe.late_ms, 0.99)
                p95 = percentile(spent, 0.95)
                worst = max(worst, p95 if not math.isnan(p95) else 0.0)
                print(
                    f"{name:>5}  {plot:<10} frame p50 {percentile(spent, 0.5):5.2f}  p95 {p95:5.2f} ms"
                    f"  ({len(spent)} frames; loop late p99 {late:.1f} ms)"
                )
        show("a frame of the latency dock, the worst plot's p95", worst, "ms", FRAME_MS)
        print(f"frames fed a second: {rig.feeder.rate:,.0f}")


if __name__ == "__main__":
    main()
