"""DifferentialEvolution: mutation by differences between individuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.start import Start
from evorrn.strategies.evolution.survivors import SurvivorStrategy


@dataclass(frozen=True)
class DifferentialEvolution(SurvivorStrategy):
    """Differential evolution with binomial crossover.

    Each individual x_i gets a trial. Each gene of the trial comes from a mutant v with probability CR, and
    otherwise from x_i; at least one comes from v. With a, b, c drawn at random, different from each other
    and from i,

        rand/1:              v = x_a + F (x_b - x_c)
        best/1:              v = x_best + F (x_a - x_b)
        current-to-best/1:   v = x_i + F (x_best - x_i) + F (x_a - x_b).

    The trial replaces x_i if it is better.

    Notes
    -----
    Source: R. Storn and K. Price, Differential Evolution - A Simple and Efficient Heuristic for Global
    Optimization over Continuous Spaces, Journal of Global Optimization 11 (1997), equations 2 to 5, and
    its section on variants. Deviations: the first individual is the start point; trials outside the bounds
    are reflected at them. Defaults: F = 0.5 as there; CR = 0.9 (the paper's first choice is 0.1, or 0.9 and 1
    for speed); 32 individuals, where the paper advises 5 to 10 for each gene, too many for networks. The
    step size of a block multiplies its spread in the start population.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.DifferentialEvolution().search(np.ones(5), seed=1)
    >>> while not search.done("60gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -1e-3)
    True
    """

    name: ClassVar[str] = "de"
    least_population: ClassVar[int] = 4

    population: int = setting(32, "individuals of a generation", minimum=2)
    variant: str = setting(
        "rand/1",
        "formula of the mutant",
        choices=("rand/1", "best/1", "current-to-best/1"),
    )
    factor: float = setting(0.5, "F, the factor on differences", above=0, maximum=2)
    crossover: float = setting(
        0.9, "CR, the probability that a gene comes from the mutant", minimum=0, maximum=1
    )

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
        """Return the state with each individual replaced by its trial if that is better."""
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
    """Return for each row a random number below `limit` that is not in the row; all are equally likely.

    Parameters
    ----------
    rng : Generator
    taken : ndarray, shape (P, k), int
        Numbers below `limit`, different from each other within a row.
    limit : int
        Greater than k.

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
    """Return trials (P, n): each gene from the mutant with a given probability, else from the kept point.

    Parameters
    ----------
    rng : Generator
    kept, mutants : ndarray, shape (P, n)
    rate : float or ndarray, shape (P, 1)
        Probability that a gene comes from the mutant; at least one gene of each trial does.
    """
    count, size = kept.shape
    mixed = rng.random((count, size)) < rate
    mixed[np.arange(count), rng.integers(size, size=count)] = True
    return np.where(mixed, mutants, kept)
