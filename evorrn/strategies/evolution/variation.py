"""Selection and variation as DEAP's toolbox takes them, and DEAP's sources of chance held in."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from deap import tools

from evorrn.strategies.evolution.individuals import Individual
from evorrn.strategies.evolution.operators import gaussian


def mate(
    first: Individual,
    second: Individual,
    *,
    kernel: Callable[..., Any],
    parameters: tuple[float, ...],
    units: np.ndarray,
    count: int,
    rng: np.random.Generator,
) -> tuple[Individual, Individual]:
    """Cross two individuals in place by a compiled operator.

    Parameters
    ----------
    first, second : Individual
    kernel : callable
        A crossover of `evorrn.strategies.evolution.operators`.
    parameters : tuple of float
        What the operator takes between the chromosomes and the units.
    units : ndarray, shape (n,), int64
        The unit of each gene, see `evorrn.strategies.evolution.units`.
    count : int
        Number of units.
    rng : Generator
        One number is drawn per unit.
    """
    draws = rng.random(count)
    kernel(np.asarray(first), np.asarray(second), *parameters, units, draws)
    return first, second


def mutate(
    chromosome: Individual,
    *,
    size: float,
    rate: float,
    units: np.ndarray,
    count: int,
    rng: np.random.Generator,
) -> tuple[Individual]:
    """Mutate an individual in place by compiled Gaussian mutation.

    Parameters
    ----------
    chromosome : Individual
    size, rate : float
        See `evorrn.strategies.evolution.operators.gaussian`.
    units, count, rng
        As for `mate`; normal numbers are drawn for the genes that change alone. One unit changes at least.
    """
    draws = rng.random(count)
    draws[draws.argmin()] = 0.0  # below any rate, so that nobody is evaluated twice
    noise = rng.standard_normal(np.count_nonzero(draws[units] < rate))
    gaussian(np.asarray(chromosome), size, rate, units, draws, noise)
    return (chromosome,)


def select_truncation(individuals: Sequence[Individual], k: int, best: int) -> list[Individual]:
    """Return `k` individuals drawn with replacement from the `best` ones."""
    return tools.selRandom(tools.selBest(individuals, best), k)


def select_ranked_roulette(individuals: Sequence[Individual], k: int) -> list[Individual]:
    """Return `k` individuals drawn with replacement, each with a probability proportional to its rank.

    The worst has rank 1. A roulette on fitness itself needs fitness above zero, and a negative loss is
    below.

    Notes
    -----
    Source: J. E. Baker, Adaptive Selection Methods for Genetic Algorithms, ICGA 1 (1985): linear
    ranking, here with the largest pressure, about twice the mean for the best.
    """
    for rank, chosen in enumerate(tools.selWorst(individuals, len(individuals)), start=1):
        chosen.rank = _Rank(rank)
    return tools.selRoulette(individuals, k, fit_attr="rank")


@contextmanager
def seeded_globals(rng: np.random.Generator) -> Iterator[None]:
    """Seed the global generators that DEAP draws from, and put them back as they were afterwards.

    Parameters
    ----------
    rng : Generator
        One number is drawn from it; it seeds Python's ``random`` and NumPy's global generator.
    """
    seed = int(rng.integers(2**32))
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002


class _Rank:
    """A rank in the place of a fitness, as light as DEAP's roulette allows."""

    __slots__ = ("values",)

    def __init__(self, rank: int) -> None:
        self.values = (rank,)

    def __lt__(self, other: _Rank) -> bool:
        return self.values < other.values
