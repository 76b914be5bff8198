"""TruncationGA: mutated copies of the best few, and the elite as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.population import PopulationStrategy, Start


@dataclass(frozen=True)
class TruncationGA(PopulationStrategy):
    """Genetic algorithm of truncation selection and Gaussian mutation, without crossover.

    One generation is the elite and P - 1 copies of individuals drawn evenly from the best T of the last
    one, with normal noise of one size on every gene. The best individual is the next elite.

    Notes
    -----
    Source: F. P. Such, V. Madhavan, E. Conti, J. Lehman, K. O. Stanley and J. Clune, Deep
    Neuroevolution (2017), algorithm 1. There the ten best candidates are judged on 30 more episodes each
    to find the elite. Here this is so with `sequences`: the `finalists` of a generation are judged on all
    sequences, and the best of them is the elite. Deviations: the elite is evaluated again in each
    generation, within its P evaluations, so that all ranks are of the same sequences, and it must be among
    the finalists to remain; equal fitness is ordered by place, the elite first; genomes are kept as they
    are, not as seeds. Defaults that differ: 64 individuals (1000), T an eighth of them (20), noise a twentieth
    of the deviation of the start genomes (0.002 for every network).
    """

    name: ClassVar[str] = "truncation-ga"

    population: int = setting(64, "individuals of a generation, with the elite", minimum=2)
    finalists: int = setting(
        10,
        "individuals of a generation judged on all sequences to find its elite, with `sequences`",
        minimum=1,
    )
    parents: int | None = setting(
        None, "best individuals that have children; an eighth of the population by default", minimum=1
    )
    sigma: float | None = setting(
        None, "size of mutations; a twentieth of the deviation of the start genomes by default", above=0
    )

    def problems(self) -> list[str]:
        """Return one sentence for each setting, or pair of settings, that is not allowed."""
        found = super().problems()
        if not found and self.parents is not None and self.parents > self.population:
            found.append(f"parents: expected at most the population of {self.population}, got {self.parents}")
        return found

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return the start population as parents, with no elite yet."""
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
        """Keep the best few with finite fitness, the first of them as the elite."""
        best = np.argsort(-fitness, kind="stable")[: self.parents or max(1, self.population // 8)]
        best = best[np.isfinite(fitness[best])]
        return {**method, "parents": points[best], "elite": points[best[:1]]}

    def crowned(self, method: State, champion: np.ndarray) -> State:
        """Put the champion in the place of the elite, and first among the parents."""
        parents = method["parents"]
        others = parents[(parents != champion).any(axis=1)]
        return {
            **method,
            "parents": np.concatenate([champion[None], others])[: len(parents)],
            "elite": champion[None],
        }

    def spread(self, method: State) -> np.ndarray:
        """Return the size of mutations for every gene (n,)."""
        return np.full(method["parents"].shape[1], method["sigma"])
