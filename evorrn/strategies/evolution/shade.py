"""SHADE: differential evolution that learns its factor and crossover rate from successful trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.huge import scale_of
from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.differential_evolution import another, binomial
from evorrn.strategies.evolution.start import Start
from evorrn.strategies.evolution.survivors import SurvivorStrategy

SPREAD = 0.1
"""Standard deviation of CR, and scale of F, around an entry of the memory."""


@dataclass(frozen=True)
class SHADE(SurvivorStrategy):
    """Success-history based parameter adaptation for differential evolution.

    Individual i draws CR_i from a normal and F_i from a Cauchy distribution around an entry of the memory, and
    its mutant is

        v = x_i + F_i (x_pbest - x_i) + F_i (x_a - x_b),

    with x_pbest from the best p_i P individuals, x_a from the population, and x_b from the population and the
    archive, which holds replaced individuals. After each generation one entry of the memory is set to the mean
    of CR, and the Lehmer mean of F, of the trials that improved, weighted by their gain in fitness.

    Notes
    -----
    Source: R. Tanabe and A. Fukunaga, Success-History Based Parameter Adaptation for Differential Evolution,
    IEEE CEC (2013), algorithm 1, with its defaults: population 100, memory of 100 entries that begin at 0.5,
    archive as large as the population, p_i from 2/P to 0.2. As there, a trial of equal fitness replaces its
    individual but does not change the memory. Deviations: trials outside the bounds are reflected at them,
    not set halfway to them; individuals of equal fitness are ranked at random; an individual whose fitness was
    not finite neither changes the memory nor enters the archive; the first individual is the start point.
    Gains are differences of fitness, so that SHADE, unlike other methods here, depends on more than the order
    of fitness. The step size of a block multiplies its spread in the start population.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.SHADE(population=20).search(np.ones(5), seed=1)
    >>> while not search.done("100gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -0.01)
    True
    """

    name: ClassVar[str] = "shade"
    least_population: ClassVar[int] = 4

    population: int = setting(100, "individuals of a generation", minimum=2)
    memory: int = setting(100, "entries of the memory of successful settings", minimum=1)
    best_share: float = setting(
        0.2, "largest share of the population that counts as its best", above=0, maximum=1
    )

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return the start population, a memory of equal entries and an empty archive."""
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
        """Return one trial for each individual; the state keeps its F and CR."""
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
        difference = kept[taken[:, 1]] - others[another(rng, taken, len(others))]
        mutants = kept + factor[:, None] * (kept[leaders] - kept + difference)
        trials = binomial(rng, kept, mutants, crossover[:, None])
        return {**method, "factor": factor, "crossover": crossover}, trials

    def compete(
        self, method: State, trials: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the state with individuals replaced by trials that are not worse, and the memory updated."""
        kept, known = method["kept"], method["kept_fitness"]
        improved = (fitness > known) & np.isfinite(known)
        archive = np.concatenate([method["archive"], kept[improved]])
        if len(archive) > len(kept):
            archive = archive[np.sort(rng.choice(len(archive), len(kept), replace=False))]
        placed = fitness >= known
        scale = scale_of(np.concatenate([fitness[improved], known[improved]]))
        method = self._with_memory(method, improved, fitness[improved] / scale - known[improved] / scale)
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
        """Return the mean F and CR of the memory."""
        return {
            "factor": float(method["memory_factor"].mean()),
            "crossover": float(method["memory_crossover"].mean()),
        }

    def _with_memory(self, method: State, improved: np.ndarray, gains: np.ndarray) -> State:
        """Return the state with one entry of the memory replaced, if any trial improved."""
        if not improved.any():
            return method
        weights = gains / gains.max()
        factor, crossover = method["factor"][improved], method["crossover"][improved]
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
    """Return Cauchy numbers around medians (P,), redrawn until they are above 0, and at most 1."""
    drawn = medians + SPREAD * rng.standard_cauchy(medians.size)
    while (low := drawn <= 0).any():
        drawn[low] = medians[low] + SPREAD * rng.standard_cauchy(np.count_nonzero(low))
    return np.minimum(drawn, 1.0)
