"""SHADE: differential evolution that learns its factor and crossover rate from what succeeded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.differential_evolution import another, binomial
from evorrn.strategies.evolution.population import Start
from evorrn.strategies.evolution.survivors import SurvivorStrategy

SPREAD = 0.1
"""Deviation of CR and scale of F around what the memory holds."""


@dataclass(frozen=True)
class SHADE(SurvivorStrategy):
    """Success-history based parameter adaptation for differential evolution.

    Individual i draws CR_i from a normal and F_i from a Cauchy distribution around an entry of the memory, and
    its mutant is

        v = x_i + F_i (x_pbest - x_i) + F_i (x_a - x_b),

    with x_pbest among the best p_i P, x_a of the population, and x_b of the population and the archive of
    individuals that trials have displaced. After each generation one entry of the memory becomes the mean of
    the CR, and the Lehmer mean of the F, of those who improved, weighted by their gain.

    Notes
    -----
    Source: R. Tanabe and A. Fukunaga, Success-History Based Parameter Adaptation for Differential Evolution,
    IEEE CEC (2013), algorithm 1, with its defaults: population 100, memory of 100 entries that begin at 0.5,
    archive as large as the population, p_i from 2/P to 0.2. As there, a trial of equal fitness takes the
    place of its individual and teaches nothing. Deviations: trials beyond the bounds are mirrored back, not
    put halfway; among individuals of equal fitness chance decides who is best; an individual whose fitness was
    not finite neither teaches nor enters the archive; the first individual is the start point itself. Gains
    are differences of fitness, so that unlike other methods here it is not blind to monotone transforms of it.
    The step size of a block is a factor on its spread in the start population.
    """

    name: ClassVar[str] = "shade"
    least_population: ClassVar[int] = 4

    population: int = setting(100, "individuals of a generation", minimum=2)
    memory: int = setting(100, "entries of the memory of successful settings", minimum=1)
    best_share: float = setting(
        0.2, "largest share of the population that counts as its best", above=0, maximum=1
    )

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return the start population, an even memory and an empty archive."""
        return {
            **self.keep(start, self.population),
            "archive": np.zeros((0, start.point.size)),
            "memory_factor": np.full(self.memory, 0.5),
            "memory_crossover": np.full(self.memory, 0.5),
            "place": 0,
            "factor": np.zeros(0),
            "crossover": np.zeros(0),
        }

    def propose(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return one trial for each individual; the settings it was made with are kept for the memory."""
        kept, archive = method["kept"], method["archive"]
        count = len(kept)
        entries = rng.integers(self.memory, size=count)
        crossover = rng.normal(method["memory_crossover"][entries], SPREAD).clip(0.0, 1.0)
        factor = _positive_cauchy(rng, method["memory_factor"][entries])
        order = np.lexsort((rng.random(count), -method["kept_fitness"]))
        share = rng.uniform(2 / count, max(2 / count, self.best_share), size=count)
        leaders = order[rng.integers(np.maximum(2, (share * count).astype(np.int64)))]
        taken = np.arange(count)[:, None]
        taken = np.column_stack([taken, another(rng, taken, count)])
        others = np.concatenate([kept, archive])
        away = kept[taken[:, 1]] - others[another(rng, taken, len(others))]
        mutants = kept + factor[:, None] * (kept[leaders] - kept + away)
        trials = binomial(rng, kept, mutants, crossover[:, None])
        return {**method, "factor": factor, "crossover": crossover}, trials

    def compete(
        self, method: State, trials: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Let trials take the place of individuals that are not better, and learn from their gains."""
        kept, known = method["kept"], method["kept_fitness"]
        taught = (fitness > known) & np.isfinite(known)
        archive = np.concatenate([method["archive"], kept[taught]])
        if len(archive) > len(kept):
            archive = archive[np.sort(rng.choice(len(archive), len(kept), replace=False))]
        placed = fitness >= known
        method = self._learned(method, taught, fitness[taught] - known[taught])
        return {
            **method,
            "kept": np.where(placed[:, None], trials, kept),
            "kept_fitness": np.where(placed, fitness, known),
            "archive": archive,
        }

    def spread(self, method: State) -> np.ndarray:
        """Return the standard deviation of each coordinate (n,) in the population."""
        return method["kept"].std(axis=0)

    def extra_record(self, method: State) -> dict[str, float]:
        """Return the means of the memory."""
        return {
            "factor": float(method["memory_factor"].mean()),
            "crossover": float(method["memory_crossover"].mean()),
        }

    def _learned(self, method: State, taught: np.ndarray, gains: np.ndarray) -> State:
        """Return the state with one entry of the memory anew, where anybody improved."""
        if not taught.any():
            return method
        weights = gains / gains.max()
        factor, crossover = method["factor"][taught], method["crossover"][taught]
        memory_factor, memory_crossover = method["memory_factor"].copy(), method["memory_crossover"].copy()
        place = method["place"]
        memory_factor[place] = (weights @ np.square(factor)) / (weights @ factor)
        memory_crossover[place] = (weights @ crossover) / weights.sum()
        return {
            **method,
            "memory_factor": memory_factor,
            "memory_crossover": memory_crossover,
            "place": (place + 1) % self.memory,
        }


def _positive_cauchy(rng: np.random.Generator, medians: np.ndarray) -> np.ndarray:
    """Return Cauchy numbers around medians (P,), drawn again until they are above 0, and cut off at 1."""
    drawn = medians + SPREAD * rng.standard_cauchy(medians.size)
    while (low := drawn <= 0).any():
        drawn[low] = medians[low] + SPREAD * rng.standard_cauchy(np.count_nonzero(low))
    return np.minimum(drawn, 1.0)
