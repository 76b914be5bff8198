"""Individuals for DEAP: arrays with a fitness; and DEAP's hall of fame, statistics and logbook of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
from deap import base, tools

from evorrn.base.huge import deviation, mean, quantiles


class Fitness(base.Fitness):
    """One number, higher is better; faster than DEAP's own class, which checks more."""

    weights = (1.0,)

    def __init__(self, values: tuple[float, ...] = ()) -> None:
        self.wvalues = values

    def __gt__(self, other: base.Fitness) -> bool:
        return self.wvalues > other.wvalues


class Individual(np.ndarray):
    """A chromosome (n,): an array with a fitness. A slice of it is a copy, as of a list.

    So DEAP's operators, which swap slices of two lists, work on it.

    Attributes
    ----------
    fitness : Fitness
        The fitness used for selection: raw fitness minus weight decay.
    raw : float
        The fitness as evaluated.
    sizes : ndarray, shape (k,)
        Its own mutation sizes (standard deviations), when they evolve; else empty.
    """

    fitness: Fitness
    raw: float
    sizes: np.ndarray

    def __getitem__(self, key: Any) -> Any:
        taken = np.asarray(self)[key]
        return taken.copy() if isinstance(taken, np.ndarray) else taken

    def __setitem__(self, key: Any, value: Any) -> None:
        np.asarray(self)[key] = value  # NumPy's own would write to what __getitem__ returns

    def __deepcopy__(self, memo: dict[int, Any] | None) -> Individual:
        return individual(np.array(self), *self.fitness.wvalues, raw=self.raw, sizes=np.array(self.sizes))


NO_SIZES = np.zeros(0)


def individual(
    genes: np.ndarray, *fitness: float, raw: float | None = None, sizes: np.ndarray = NO_SIZES
) -> Individual:
    """Return an array (n,) as an individual that shares its memory, with its fitness if it is known."""
    made = genes.view(Individual)
    made.fitness = Fitness(fitness)
    made.raw = raw if raw is not None else fitness[0] if fitness else float("nan")
    made.sizes = sizes
    return made


def individuals(
    genomes: np.ndarray, fitness: np.ndarray, raw: np.ndarray, sizes: np.ndarray
) -> list[Individual]:
    """Return genomes (P, n) as individuals that share their memory, with fitness (P,), raw (P,) and sizes (P, k)."""
    return [
        individual(genes, value, raw=raw_value, sizes=own_sizes)
        for genes, value, raw_value, own_sizes in zip(genomes, fitness.tolist(), raw.tolist(), sizes)
    ]


def hall_of_fame(size: int, members: list[Individual]) -> tools.HallOfFame:
    """Return a hall of fame of the `size` best distinct individuals, filled with earlier members."""
    hall = tools.HallOfFame(size, similar=np.array_equal)
    hall.update(members)
    return hall


def statistics() -> tools.Statistics:
    """Return the statistics of a generation over its finite fitness values; NaN when there are none."""
    made = tools.Statistics(key=float)
    made.register("fitness_best", _of_finite, np.max)
    made.register("fitness_mean", _of_finite, mean)
    made.register("fitness_std", _of_finite, deviation)
    for name, share in (("fitness_median", 0.5), ("fitness_low", 0.25), ("fitness_high", 0.75)):
        made.register(name, _of_finite, partial(quantiles, shares=share))
    made.register("diverged", lambda values: int(np.count_nonzero(~np.isfinite(values))))
    return made


def logbook(history: Mapping[str, Iterable[float]]) -> tools.Logbook:
    """Return the history of a result or of a search as DEAP's logbook, one record per generation."""
    book = tools.Logbook()
    book.header = ["generation", *history]
    for generation, row in enumerate(zip(*history.values())):
        book.record(generation=generation, **dict(zip(history, row)))
    return book


def _of_finite(function: Any, values: tuple[float, ...]) -> float:
    """Return a function of the finite values, NaN when there are none."""
    numbers = np.array(values)
    finite = numbers[np.isfinite(numbers)]
    return float(function(finite)) if finite.size else float("nan")
