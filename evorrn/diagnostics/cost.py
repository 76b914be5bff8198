"""How the cost of a gradient grows with the number of units."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.diagnostics.quantity import Quantity
from evorrn.engine.influence.groups import influence_of
from evorrn.kernels.threads import get_threads, set_threads
from evorrn.network.network import Network
from evorrn.strategies.online.block_rtrl import BlockRTRL
from evorrn.strategies.online.learning import OnlineStrategy
from evorrn.strategies.online.rtrl import RTRL
from evorrn.strategies.online.snap import SnAp
from evorrn.training.problem import Problem

METHODS: dict[str, type[OnlineStrategy] | None] = {
    "bptt": None,
    "rtrl": RTRL,
    "block-rtrl": BlockRTRL,
    "snap": SnAp,
}


@dataclass(frozen=True)
class CostSlope(Quantity):
    """The slope of the logarithm of a method's cost a time step on that of the number of units, between two numbers of units.

    The cost is that of the gradient of one series of an Elman network with one input: the multiply-adds that the meter charges,
    the seconds on one thread, the shortest of a few calls, or the numbers that are carried or kept for a series of `steps`.

    Source: Williams and Zipser 1995, "Gradient-based learning algorithms for recurrent networks and their computational complexity".
    """

    title = "slope of the cost on the number of units"

    method: str = setting("rtrl", "How the gradient is computed.", choices=tuple(METHODS))
    cost: str = setting("work", "What is measured.", choices=("work", "seconds", "memory"))
    smallest: int = setting(16, "Units of the smaller network.", minimum=1)
    largest: int = setting(64, "Units of the larger network.", minimum=2)
    steps: int = setting(64, "Time steps of the series.", minimum=1)

    def compute(self, seed: int) -> float:
        """Return the slope for series that a seed draws."""
        low, high = (self._cost(units, seed) for units in (self.smallest, self.largest))
        return float(np.log(high / low) / np.log(self.largest / self.smallest))

    def _cost(self, units: int, seed: int) -> float:
        """Return the cost a time step, or the numbers in memory."""
        rng = np.random.default_rng(seed)
        network = Network(1, 1, cell="elman", hidden=units)
        x, y = rng.standard_normal((2, 1, self.steps, 1))
        problem, genome = Problem(network, Batch(x, y)), network.init(rng=rng)
        if self.cost == "memory":
            if self.method == "bptt":
                return float(network.state_size * self.steps + network.size)
            order = 1 if self.method == "snap" else None
            return float(influence_of(network.step_structure, order).size)
        kind = METHODS[self.method]
        method = None if kind is None else kind(update_every=self.steps)

        def gradient() -> None:
            if method is None:
                problem.loss_and_gradient(genome)
            else:
                method.gradient(problem, genome, rng)

        gradient()
        if self.cost == "work":
            return problem.meter.work / self.steps
        threads = get_threads()
        set_threads(1)
        try:
            return min(_seconds(gradient) for _ in range(7)) / self.steps
        finally:
            set_threads(threads)


def _seconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
