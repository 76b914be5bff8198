"""DifferentialEvolution: steps are differences between individuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.population import Start
from evorrn.strategies.evolution.survivors import SurvivorStrategy


@dataclass(frozen=True)
class DifferentialEvolution(SurvivorStrategy):
    """Differential evolution with binomial crossover.

    Each individual x_i has a trial: a mutant v, of which every gene is taken with probability CR, and one at
    least; the others are those of x_i. With a, b, c drawn at random, different from each other and from i,

        rand/1:              v = x_a + F (x_b - x_c)
        best/1:              v = x_best + F (x_a - x_b)
        current-to-best/1:   v = x_i + F (x_best - x_i) + F (x_a - x_b).

    The trial takes the place of x_i where it is better.

    Notes
    -----
    Source: R. Storn and K. Price, Differential Evolution - A Simple and Efficient Heuristic for Global
    Optimization over Continuous Spaces, Journal of Global Optimization 11 (1997), equations 2 to 5, and
    its section on variants. Deviations: the first individual is the start point itself; trials beyond
    the bounds are mirrored back. Defaults: F = 0.5 as there, CR = 0.9 (its first choice is 0.1, or 0.9 and 1
    for speed), and 32 individuals where it advises 5 to 10 for each gene, too many for networks. The step
    size of a block is a factor on its spread in the start population.
    """

    name: ClassVar[str] = "de"
    least_population: ClassVar[int] = 4

    population: int = setting(32, "individuals of a generation", minimum=2)
    variant: str = setting(
        "rand/1",
        "what the mutant of an individual is made from",
        choices=("rand/1", "best/1", "current-to-best/1"),
    )
    factor: float = setting(0.5, "F, the factor on differences", above=0, maximum=2)
    crossover: float = setting(0.9, "CR, the probability of a gene of the mutant", minimum=0, maximum=1)

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return the start population."""
        return self.keep(start, self.population)

    def propose(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return one trial for each individual."""
        kept = method["kept"]
        taken = np.arange(len(kept))[:, None]
        for _ in range(3 if self.variant == "rand/1" else 2):
            taken = np.column_stack([taken, another(rng, taken, len(kept))])
        last = self.factor * (kept[taken[:, -2]] - kept[taken[:, -1]])
        best = kept[method["kept_fitness"].argmax()]
        if self.variant == "rand/1":
            mutants = kept[taken[:, 1]] + last
        elif self.variant == "best/1":
            mutants = best + last
        else:
            mutants = kept + self.factor * (best - kept) + last
        return method, binomial(rng, kept, mutants, self.crossover)

    def compete(
        self, method: State, trials: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Let each trial take the place of its individual where it is better."""
        better = fitness > method["kept_fitness"]
        return {
            **method,
            "kept": np.where(better[:, None], trials, method["kept"]),
            "kept_fitness": np.where(better, fitness, method["kept_fitness"]),
        }

    def spread(self, method: State) -> np.ndarray:
        """Return the standard deviation of each coordinate (n,) in the population."""
        return method["kept"].std(axis=0)


def another(rng: np.random.Generator, taken: np.ndarray, limit: int) -> np.ndarray:
    """Draw for each row a number below `limit` that differs from those the row has taken, all equally likely.

    Parameters
    ----------
    rng : Generator
    taken : ndarray, shape (P, k), int
        Different from each other within a row, and below `limit`.
    limit : int
        More than k.

    Returns
    -------
    ndarray, shape (P,), int
    """
    drawn = rng.integers(limit - taken.shape[1], size=len(taken))
    for column in np.sort(taken, axis=1).T:
        drawn = drawn + (drawn >= column)
    return drawn


def binomial(
    rng: np.random.Generator, kept: np.ndarray, mutants: np.ndarray, rate: float | np.ndarray
) -> np.ndarray:
    """Return trials (P, n): genes of the mutants with a probability, one at least, else those that were kept.

    Parameters
    ----------
    rng : Generator
    kept, mutants : ndarray, shape (P, n)
    rate : float or ndarray, shape (P, 1)
        Probability of a mutant's gene.
    """
    count, size = kept.shape
    mixed = rng.random((count, size)) < rate
    mixed[np.arange(count), rng.integers(size, size=count)] = True
    return np.where(mixed, mutants, kept)
