"""What DEAP works on here: arrays as individuals with a fitness, and its records of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from deap import base, tools


class Fitness(base.Fitness):
    """One number, higher is better; made and compared without DEAP's general checks, which cost more."""

    weights = (1.0,)

    def __init__(self, values: tuple[float, ...] = ()) -> None:
        self.wvalues = values

    def __gt__(self, other: base.Fitness) -> bool:
        return self.wvalues > other.wvalues


class Individual(np.ndarray):
    """A chromosome (n,) with a fitness: an array in every other respect."""

    fitness: Fitness

    def __deepcopy__(self, memo: dict[int, Any] | None) -> Individual:
        return individual(np.array(self), *self.fitness.wvalues)


def individual(genes: np.ndarray, *fitness: float) -> Individual:
    """Return an array (n,) as an individual that shares its memory, with its fitness where it is known."""
    made = genes.view(Individual)
    made.fitness = Fitness(fitness)
    return made


def hall_of_fame(size: int, genomes: np.ndarray, fitness: np.ndarray) -> tools.HallOfFame:
    """Return a hall of fame of the best distinct individuals ever seen, filled with earlier members.

    Parameters
    ----------
    size : int
        Members to keep.
    genomes : ndarray, shape (k, n)
    fitness : ndarray, shape (k,)
    """
    hall = tools.HallOfFame(size, similar=np.array_equal)
    hall.update([individual(genes, value) for genes, value in zip(genomes, fitness.tolist())])
    return hall


def statistics() -> tools.Statistics:
    """Return the statistics of a generation over its finite fitness values; NaN when there are none."""
    made = tools.Statistics(key=float)
    made.register("fitness_best", _of_finite, np.max)
    made.register("fitness_mean", _of_finite, np.mean)
    made.register("fitness_std", _of_finite, np.std)
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
    numbers = np.array(values)
    finite = numbers[np.isfinite(numbers)]
    return float(function(finite)) if finite.size else float("nan")
