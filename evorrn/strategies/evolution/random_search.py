"""RandomSearch: the best of many random networks, the baseline for every other strategy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.huge import mean
from evorrn.base.settings import setting
from evorrn.strategies.base import DRAW, State, Strategy, generator, generator_state

if TYPE_CHECKING:
    from evorrn.training.problem import Problem


@dataclass(frozen=True)
class RandomSearch(Strategy):
    """Random search: draw networks independently and keep the best.

    Notes
    -----
    Source: S. Hochreiter and J. Schmidhuber, Bridging Long Time Lags by Weight Guessing and "Long
    Short-Term Memory" (1996), who draw every weight uniformly between -100 and 100: ``width=100``.
    Deviation: by default weights come from the network's own initialisation. The last step draws fewer networks
    where the rest of the budget does not suffice for `count`.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> result = evorrn.RandomSearch(count=8).fit(network, task, budget="3gen")
    >>> result.meter.evaluations
    24
    """

    name: ClassVar[str] = "random"
    version: ClassVar[int] = 2
    step_name: ClassVar[str] = "draw"
    requires: ClassVar[frozenset[str]] = frozenset({"fitness"})
    usual_speed: ClassVar[float] = 5.5e9
    usual_overhead: ClassVar[float] = 1.6e-7

    count: int = setting(64, "networks drawn and evaluated together in one step", minimum=1)
    width: float | None = setting(
        None,
        "weights are uniform between -width and width; by default as the network initialises them",
        above=0,
    )
    candidate: str = setting(
        "best",
        "network validated, and tested for success, after each step: the best so far, or the best of the draw",
        choices=("best", "draw"),
        absent="best",
    )

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first draw."""
        return {
            "rng": generator_state(rng),
            "best_genome": None,
            "best_fitness": -math.inf,
            "candidate": None,
            "train_loss": math.inf,
            "finished": "",
            "record": {},
        }

    def step(self, problem: Problem, state: State) -> State:
        """Return the state after `count` networks were drawn and evaluated, fewer at the end of the budget."""
        rng, count = generator(state), int(min(self.count, _affordable(problem)))
        if self.width is None:
            genomes = problem.init(rng, count)
        else:
            genomes = rng.uniform(-self.width, self.width, (count, problem.size))
        problem.draw_noise(rng)
        paid = problem.meter.work
        fitness = problem.fitness(genomes)
        problem.charge_own(DRAW * genomes.size, problem.meter.work - paid)
        values = np.where(np.isfinite(fitness), fitness, -np.inf)
        first = int(values.argmax())
        best, record = state["best_genome"], state["best_fitness"]
        if values[first] > record:
            best, record = np.array(genomes[first]), float(values[first])
        finite = values[np.isfinite(values)]
        of_draw = self.candidate == "draw" and bool(finite.size)
        return {
            **state,
            "rng": generator_state(rng),
            "best_genome": best,
            "best_fitness": record,
            "candidate": np.array(genomes[first]) if of_draw else best,
            "train_loss": -float(values[first]) if of_draw else -record,
            "record": {
                "fitness_best": float(finite.max()) if finite.size else math.nan,
                "fitness_mean": mean(finite) if finite.size else math.nan,
                "diverged": len(values) - len(finite),
            },
        }


def _affordable(problem: Problem) -> float:
    """Return how many evaluations the rest of the budget pays, at the mean cost so far; at least 1."""
    meter, budget = problem.meter, problem.budget
    used = None if budget is None else budget.share(meter, 0)
    if not used or not meter.evaluations:
        return math.inf
    return max(1, math.ceil(round(meter.evaluations * (1 / used - 1), 6)))  # whole in spite of rounding
