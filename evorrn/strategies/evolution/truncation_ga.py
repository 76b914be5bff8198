"""TruncationGA: mutated copies of the best individuals, and an unchanged elite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.population import PopulationStrategy
from evorrn.strategies.evolution.start import Start


@dataclass(frozen=True)
class TruncationGA(PopulationStrategy):
    """Genetic algorithm with truncation selection and Gaussian mutation, without crossover.

    A generation has the elite, and P - 1 copies of individuals drawn uniformly from the best T of the last
    generation, with normal noise of one size added to every gene. The best individual is the next elite.

    Notes
    -----
    Source: F. P. Such, V. Madhavan, E. Conti, J. Lehman, K. O. Stanley and J. Clune, Deep
    Neuroevolution (2017), algorithm 1. There the ten best candidates are evaluated in 30 more episodes
    each to find the elite. With `sequences` it is the same here: the `finalists` of a generation are evaluated
    on all sequences, and the best of them is the elite. Deviations: the elite is evaluated again in each
    generation, as one of its P evaluations, so that all ranks come from the same sequences, and it must be
    among the finalists to survive; equal fitness is ordered by index, the elite first; genomes are stored as
    arrays, not as seeds. Defaults that differ: 64 individuals (1000), T an eighth of them (20), noise a
    twentieth of the standard deviation of the start genomes (0.002 for every network).

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.TruncationGA().search(np.ones(5), seed=1)
    >>> while not search.done("60gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -0.1)
    True
    """

    name: ClassVar[str] = "truncation-ga"

    population: int = setting(64, "individuals of a generation, the elite included", minimum=2)
    finalists: int = setting(
        10,
        "with `sequences`: how many of the best individuals are evaluated on all sequences to find the elite",
        minimum=1,
    )
    parents: int | None = setting(
        None,
        "number of best individuals that have children; an eighth of the population by default",
        minimum=1,
    )
    sigma: float | None = setting(
        None, "standard deviation of mutations; a twentieth of that of the start genomes by default", above=0
    )

    def problems(self) -> list[str]:
        """Return one sentence for each setting, or combination of settings, that is not allowed."""
        found = super().problems()
        if not found and self.parents is not None and self.parents > self.population:
            found.append(f"parents: expected at most the population of {self.population}, got {self.parents}")
        return found

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return the start population as parents, without an elite."""
        return {
            "parents": start.population(self.population),
            "elite": np.zeros((0, start.point.size)),
            "sigma": self.sigma or 0.05 * start.deviation,
            "begun": False,
        }

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return the start population at first, then the elite and mutated parents."""
        parents, elite = method["parents"], method["elite"]
        if not method["begun"]:
            return {**method, "begun": True}, parents
        count = self.population - len(elite)
        children = parents[rng.integers(len(parents), size=count)]
        children += method["sigma"] * rng.standard_normal(children.shape)
        return method, np.concatenate([elite, children])

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the state with the best individuals of finite fitness as parents, the first as the elite."""
        best = np.argsort(-fitness, kind="stable")[: self.parents or max(1, self.population // 8)]
        best = best[np.isfinite(fitness[best])]
        return {**method, "parents": points[best], "elite": points[best[:1]]}

    def with_best(self, method: State, best: np.ndarray) -> State:
        """Return the state with the best of the finalists as the elite and the first parent."""
        parents = method["parents"]
        others = parents[(parents != best).any(axis=1)]
        return {
            **method,
            "parents": np.concatenate([best[None], others])[: len(parents)],
            "elite": best[None],
        }

    def spread(self, method: State) -> np.ndarray:
        """Return the standard deviation of mutations for every gene (n,)."""
        return np.full(method["parents"].shape[1], method["sigma"])
