"""How time grows with each size alone: the slope of its logarithm over two decades, 1 where it is linear."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evorrn.bench import gradient, population
from evorrn.bench.group import Group
from evorrn.bench.results import Finding, Row, Target
from evorrn.bench.session import Session
from evorrn.bench.timing import Times, alternate
from evorrn.kernels.machine import lanes

LINEAR = Target(at_least=0.9, at_most=1.1)


@dataclass(frozen=True)
class Case:
    """Sizes from `first` to `last`, each about a third of the next, everything else as in `base`.

    Attributes
    ----------
    axis : str
        The field of `base` that grows.
    """

    name: str
    base: population.Case | gradient.Case
    axis: str
    first: int
    last: int

    @property
    def sizes(self) -> list[int]:
        """The sizes, evenly apart on the logarithmic scale, whole multiples of the first."""
        count = round(np.log(self.last / self.first) / np.log(3.16)) + 1
        return [self.first * round(factor) for factor in np.geomspace(1, self.last / self.first, count)]

    @property
    def title(self) -> str:
        """What grows, and from where to where."""
        letter = {"steps": "T", "individuals": "P", "sequences": "B"}[self.axis]
        kind = "fitness" if isinstance(self.base, population.Case) else "gradient"
        return f"{kind} against {letter}, {self.sizes[0]} to {self.sizes[-1]}"


def measure(case: Case, session: Session) -> Row:
    """Time all sizes in turn and fit the slope of log time against log size."""
    calls = {
        str(size): _call(dataclasses.replace(case.base, **{case.axis: size}))  # type: ignore[arg-type]
        for size in case.sizes
    }
    times = alternate(calls, session.rounds)
    seconds = [times[str(size)].minimum for size in case.sizes]
    slope = float(np.polyfit(np.log(case.sizes), np.log(seconds), 1)[0])
    numbers = {"sizes": case.sizes, "seconds_by_size": seconds}
    largest = Times(times[str(case.sizes[-1])].calls)
    return Row(case.name, case.title, largest, [Finding("", slope, "slope", LINEAR)], numbers)


def _call(case: population.Case | gradient.Case) -> Callable[[], object]:
    if isinstance(case, population.Case):
        network, genomes, batch = population.workload(case)
        return lambda: network.fitness(genomes, batch)
    single, genome, sequences = gradient.workload(case)
    return lambda: single.loss_and_gradient(genome, sequences)


VECTOR = lanes(np.float32)
POPULATION = population.Case("elman", 32, 16, sequences=64, steps=100)
GRADIENT = gradient.Case("lstm", 32, 2, 1, 100, 64)

GROUP = Group(
    "scaling",
    "slope of log time against log size, our time at the largest size",
    (
        Case("fitness-T", POPULATION, "steps", 30, 3000),
        Case("fitness-P", POPULATION, "individuals", 4, 400),
        Case("fitness-B", POPULATION, "sequences", VECTOR, 100 * VECTOR),
        Case("gradient-T", GRADIENT, "steps", 30, 3000),
        Case("gradient-B", GRADIENT, "sequences", 2 * VECTOR, 200 * VECTOR),
    ),
    measure,
)
