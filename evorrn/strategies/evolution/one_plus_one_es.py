"""OnePlusOneES: one parent, one step size, and the one-fifth success rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.start import TENTH, Start
from evorrn.strategies.evolution.survivors import SurvivorStrategy


@dataclass(frozen=True)
class OnePlusOneES(SurvivorStrategy):
    """(1+1) evolution strategy: one parent and one step size; cost is linear in the genes.

    A child is the parent plus s times normal noise, and replaces it if it is not worse. After a success s is
    multiplied by a, after a failure by a^(-1/4), so that s is constant on average at one success in five.

    Notes
    -----
    Source: I. Rechenberg, Evolutionsstrategie (1973), the rule; S. Kern, S. D. Müller, N. Hansen, D. Büche,
    J. Ocenasek and P. Koumoutsakos, Learning probability distributions in continuous evolutionary algorithms
    - a comparative review, Natural Computing 3 (2004), the form without a window of generations; A. Auger,
    Benchmarking the (1+1) evolution strategy with one-fifth success rule on the BBOB-2009 function testbed
    (2009), a = 1.5. Deviations: a child of equal fitness replaces the parent, but is neither a success nor a failure,
    because the step size would otherwise grow without bound on a plateau; with `population` children, one by
    default, the best one competes, and s is multiplied by the geometric mean of the children's factors.
    Evaluating 16 networks together takes little more time than one, so use a population of 16 or more
    for networks.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.OnePlusOneES().search(np.ones(5), seed=1)
    >>> while not search.done("300gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -1e-3)
    True
    """

    name: ClassVar[str] = "one-plus-one-es"
    least_population: ClassVar[int] = 1

    population: int = setting(1, "children of a generation", minimum=1)
    sigma: float | None = setting(None, TENTH, above=0)
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
        """Return the state with the parent replaced by the best child if that is not worse, and a new step size."""
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
