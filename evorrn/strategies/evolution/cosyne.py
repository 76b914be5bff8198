"""CoSyNE: one sub-population for each weight, whose values are dealt anew among the networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.population import PopulationStrategy, Start

DEFAULT_POPULATION = 20


@dataclass(frozen=True)
class CoSyNE(PopulationStrategy):
    """Cooperative synapse neuroevolution: the values of each weight are a population of their own.

    Each of the n weights has a sub-population of m values; the j-th values of all are network j. One
    generation: all m networks are evaluated; the best quarter breeds by crossover and Cauchy mutation, and
    the children replace the worst; then every sub-population is permuted. A value is marked for that with
    probability

        1 - ((f - f_min) / (f_max - f_min))^(1/n),

    f being the fitness of its network, and the marked values of a sub-population are dealt anew among their
    places. So the whole of a network stays as it is with a probability equal to its relative fitness, and
    the best network stays for certain.

    Notes
    -----
    Source: F. Gomez, J. Schmidhuber and R. Miikkulainen, Accelerated Neural Evolution through Cooperatively
    Coevolved Synapses, JMLR 9 (2008), algorithm 1 and section 3. Every generation asks for, and so counts,
    all m networks, those that are unchanged included. Deviations: weights start as the network initialises
    them, unless a `width` is set, and noise is measured in their deviation; children, which have no fitness yet, take no part in the permutation
    of the generation that bore them, so that what was bred together is judged together; with
    ``permutation="all"`` the best network stays as well; networks that diverged count in the formula as the
    worst finite one; f_min is that of the worst that stays.
    """

    name: ClassVar[str] = "cosyne"
    least_population: ClassVar[int] = 4

    population: int | None = setting(
        None, f"networks, and values of each weight; {DEFAULT_POPULATION} by default", minimum=2
    )
    width: float | None = setting(
        None,
        "start weights are uniform between minus and plus this; as the network initialises them by default",
        above=0,
    )
    parents: float = setting(0.25, "share of the networks that breed", above=0, maximum=1)
    offspring: float = setting(0.5, "share of the networks that children replace", above=0, below=1)
    crossover: str = setting(
        "multi-point",
        "how two parents are mixed: each weight from either, or all from a point on from the second",
        choices=("multi-point", "one-point"),
    )
    mutation_rate: float = setting(
        0.03, "probability of each weight of a child to be mutated; one is at least", minimum=0, maximum=1
    )
    mutation_scale: float = setting(
        0.3,
        "scale of the Cauchy noise of a mutation, as a multiple of the start genomes' deviation",
        above=0,
    )
    permutation: str = setting(
        "fitness",
        "which values are dealt anew: the more of a network the less fit it is, or all but the best network's",
        choices=("fitness", "all"),
    )

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return the sub-populations, one to a column."""
        start = start if self.width is None else start.within(self.width, rng)
        return {
            "values": start.population(self.population or DEFAULT_POPULATION),
            "deviation": start.deviation,
        }

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return all networks."""
        return method, method["values"]

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Replace the worst by children of the best, and permute those that stay."""
        order = np.argsort(-fitness, kind="stable")
        ranked, count = points[order], len(points)
        born = min(max(round(self.offspring * count), 1), count - 1)
        children = self._children(ranked, born, self.mutation_scale * method["deviation"], rng)
        staying = self.permuted(ranked[:-born], fitness[order][:-born], rng)
        return {**method, "values": np.concatenate([staying, children])}

    def permuted(self, values: np.ndarray, fitness: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the sub-populations with the marked values of each dealt anew among their places.

        Parameters
        ----------
        values : ndarray, shape (m, n)
            One network to a row, the best first.
        fitness : ndarray, shape (m,)
            From the best to the worst.
        rng : Generator
        """
        if self.permutation == "all":
            return np.concatenate([values[:1], rng.permuted(values[1:], axis=0)])
        result = values.copy()
        marks = rng.random(values.shape) < marking(fitness, values.shape[1])[:, None]
        columns, rows = np.nonzero(marks.T)
        # Columns are in order, so that a draw from [0, 1) added to them sorts within a column alone.
        dealt = np.argsort(columns + rng.random(columns.size))
        result[rows, columns] = values[rows[dealt], columns]
        return result

    def _children(self, values: np.ndarray, count: int, scale: float, rng: np.random.Generator) -> np.ndarray:
        """Return children (count, n) of pairs of the best networks."""
        size = values.shape[1]
        pool = max(round(self.parents * len(values)), 1)
        first, second = rng.integers(0, pool, (2, count))
        if self.crossover == "one-point":
            swapped = np.arange(size) >= rng.integers(0, size, count)[:, None]
        else:
            swapped = rng.random((count, size)) < 0.5
        children = np.where(swapped, values[second], values[first])
        mutated = rng.random((count, size)) < self.mutation_rate
        mutated[np.arange(count), rng.integers(0, size, count)] = True
        row, gene = np.nonzero(mutated)
        children[row, gene] += scale * rng.standard_cauchy(row.size)
        return children


def marking(fitness: np.ndarray, size: int) -> np.ndarray:
    """Return the probability (m,) of a value of each network to be marked, for `size` weights.

    Parameters
    ----------
    fitness : ndarray, shape (m,)
        From the best to the worst, ``-inf`` where a network diverged; the best is finite.
    size : int
    """
    worst = fitness[np.isfinite(fitness)].min()
    width = fitness[0] - worst
    relative = (np.maximum(fitness, worst) - worst) / (width if width > 0 else 1.0)
    probability = 1 - relative ** (1 / size)
    probability[0] = 0.0  # also where all are equally fit
    return probability
