"""OnePlusOneES: one parent, one step size, and the rule of one success in five."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.population import Start
from evorrn.strategies.evolution.survivors import SurvivorStrategy


@dataclass(frozen=True)
class OnePlusOneES(SurvivorStrategy):
    """Evolution strategy of a single parent: linear in the number of genes.

    A child is the parent plus s times normal noise, and takes its place where it is not worse. After a
    success s is multiplied by a, after a failure by a^(-1/4), so that it rests at one success in five.

    Notes
    -----
    Source: I. Rechenberg, Evolutionsstrategie (1973), the rule; S. Kern, S. D. Müller, N. Hansen, D. Büche,
    J. Ocenasek and P. Koumoutsakos, Learning probability distributions in continuous evolutionary algorithms
    - a comparative review, Natural Computing 3 (2004), the form without a window of generations; A. Auger,
    Benchmarking the (1+1) evolution strategy with one-fifth success rule on the BBOB-2009 function testbed
    (2009), a = 1.5. Deviations: a child of equal fitness takes the parent's place, but is neither a success
    nor a failure, as a plateau would else blow up the step size; with `population` children, one by
    default, the best competes, and s is multiplied by the geometric mean of what each child alone would
    give. Kernels evaluate many individuals at once for little more than one, so that networks are better
    served by a population of 16 and more.
    """

    name: ClassVar[str] = "one-plus-one-es"
    least_population: ClassVar[int] = 1

    population: int = setting(1, "children of a generation", minimum=1)
    sigma: float | None = setting(
        None, "step size at the start; a tenth of the deviation of the start genomes by default", above=0
    )
    factor: float = setting(1.5, "factor on the step size after a success", above=1)

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return the start point as the parent."""
        return {**self.keep(start, 1), "sigma": self.sigma or 0.1 * start.deviation}

    def propose(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return the children."""
        parent = method["kept"]
        return method, parent + method["sigma"] * rng.standard_normal((self.population, parent.shape[1]))

    def compete(
        self, method: State, trials: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Let the best child take the place of a parent that is not better, and adapt the step size."""
        known, best = method["kept_fitness"][0], int(fitness.argmax())
        sigma = method["sigma"]
        if np.isfinite(known):
            sigma *= self.factor ** float(np.mean((fitness > known) - 0.25 * (fitness < known)))
        if fitness[best] < known:
            return {**method, "sigma": sigma}
        chosen = slice(best, best + 1)
        return {**method, "kept": trials[chosen], "kept_fitness": fitness[chosen], "sigma": sigma}

    def spread(self, method: State) -> np.ndarray:
        """Return the step size for every gene (n,)."""
        return np.full(method["kept"].shape[1], method["sigma"])
