"""ESP: one sub-population for each neuron, which is as fit as the networks it takes part in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.population import PopulationStrategy, Start, centred_ranks
from evorrn.strategies.evolution.units import neurons

DEFAULT_POPULATION = 20


@dataclass(frozen=True)
class ESP(PopulationStrategy):
    """Enforced sub-populations: neurons evolve apart from each other, and are judged together.

    Each hidden neuron has a sub-population of `population` chromosomes, which hold the weights into the
    neuron and out of it. One generation:

    1. Networks are made of one neuron from each sub-population, so that every neuron takes part in `trials`
       of them: `population` times `trials` networks are evaluated.
    2. A neuron is as fit as its networks are on average.
    3. In each sub-population the best quarter breeds, each neuron with a better one (the best with any of
       the quarter), by one-point crossover. Each pair has two children, which take the places of the worse
       half; a child has one weight mutated by Cauchy noise with probability `mutation_rate`.
    4. When the best network has not improved for `burst_after` generations, every sub-population is drawn
       anew from Cauchy noise around that network's neuron (burst mutation, also called delta-coding).

    Notes
    -----
    Sources: F. Gomez and R. Miikkulainen, Solving Non-Markovian Control Tasks with Neuroevolution, IJCAI
    (1999); F. Gomez, Robust Non-Linear Control through Neuroevolution, PhD thesis, The University of Texas
    at Austin (2003), chapter 4. Deviations: every neuron takes part in exactly as many networks, by one
    random permutation of each sub-population for each trial, where the sources draw until the mean is ten;
    weights start as the network initialises them, unless a `width` is set, and noise is measured in their
    deviation; the best network's own
    neurons survive a burst; a network that diverged counts as the worst finite one of its generation; the
    number of neurons stays, where the thesis adds and takes away neurons after a second burst in vain.

    Biases of the readout, and its weights from the inputs, belong to no hidden neuron: each output unit has
    a sub-population for them. A vector without a layout has a neuron, and so a sub-population, for each
    gene. A step size of a block scales the start and the noise of its genes.
    """

    name: ClassVar[str] = "esp"
    least_population: ClassVar[int] = 4

    population: int | None = setting(
        None, f"neurons of a sub-population; {DEFAULT_POPULATION} by default", minimum=2
    )
    width: float | None = setting(
        None,
        "start weights are uniform between minus and plus this; as the network initialises them by default",
        above=0,
    )
    trials: int = setting(10, "networks that each neuron takes part in during a generation", minimum=1)
    mutation_rate: float = setting(
        0.4, "probability of a child to have one of its weights mutated", minimum=0, maximum=1
    )
    mutation_scale: float = setting(
        0.3,
        "scale of the Cauchy noise of a mutation, as a multiple of the start genomes' deviation",
        above=0,
    )
    burst_after: int = setting(
        20, "generations without a better network after which burst mutation comes", minimum=1
    )
    burst_scale: float = setting(
        0.1, "scale of the Cauchy noise of a burst, as a multiple of the start genomes' deviation", above=0
    )
    shaping: str = setting(
        "raw",
        "what a network gives to its neurons: its fitness, or its rank among the networks",
        choices=("raw", "ranks"),
    )

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return sub-populations whose neurons are those of as many start genomes."""
        owner = neurons(start.layout)
        start = self.started(start, rng)
        return {
            "neurons": start.population(self.population or DEFAULT_POPULATION),
            "owner": owner,
            "place": _places(owner),
            "deviation": start.deviation,
            "draws": np.zeros((0, int(owner.max()) + 1), dtype=np.int64),
            "best": start.point,
            "best_fitness": -math.inf,
            "waiting": 0,
            "bursts": 0,
        }

    def started(self, start: Start, rng: np.random.Generator) -> Start:
        """Return the start with weights within `width`, where one is set."""
        return start if self.width is None else start.within(self.width, rng)

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return networks (population times trials, n); which neurons each is made of is kept."""
        population, owner = method["neurons"], method["owner"]
        rows = np.arange(len(population))[:, None]
        each = np.broadcast_to(rows, (len(population), method["draws"].shape[1]))
        draws = np.concatenate([rng.permuted(each, axis=0) for _ in range(self.trials)])
        return {**method, "draws": draws}, _picked(population, draws, owner)

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Judge the neurons by their networks and breed, or burst where the best network stands still."""
        first = int(fitness.argmax())
        better = bool(fitness[first] > method["best_fitness"])
        method = {
            **method,
            "best": np.array(points[first]) if better else method["best"],
            "best_fitness": float(fitness[first]) if better else method["best_fitness"],
            "waiting": 0 if better else method["waiting"] + 1,
        }
        empty = method["draws"][:0]
        if method["waiting"] >= self.burst_after:
            return {**method, **self._burst(method, rng), "draws": empty}
        merit = self.neuron_fitness(method["draws"], fitness)
        return {**method, "neurons": self._bred(method, merit, rng), "draws": empty}

    def neuron_fitness(self, draws: np.ndarray, fitness: np.ndarray) -> np.ndarray:
        """Return the fitness of every neuron: the mean over the networks that it took part in.

        Parameters
        ----------
        draws : ndarray, shape (P, h), int64
            The neuron of each of h sub-populations that a network is made of.
        fitness : ndarray, shape (P,)
            Of the networks, ``-inf`` where one diverged.

        Returns
        -------
        ndarray, shape (m, h)
        """
        if self.shaping == "ranks":
            values = centred_ranks(fitness)
        else:
            values = np.where(np.isfinite(fitness), fitness, fitness[np.isfinite(fitness)].min())
        count = draws.shape[1]
        flat = (draws * count + np.arange(count)).ravel()
        return (np.bincount(flat, weights=np.repeat(values, count)) / self.trials).reshape(-1, count)

    def extra_record(self, method: State) -> dict[str, float]:
        """Return the number of bursts so far."""
        return {"bursts": method["bursts"]}

    def _bred(self, method: State, merit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the neurons (m, n) of the next generation, best first in each sub-population."""
        owner, place = method["owner"], method["place"]
        ranked = _picked(method["neurons"], np.argsort(-merit, axis=0, kind="stable"), owner)
        size, subpopulations = merit.shape
        breeders = max(size // 4, 1)
        # A neuron's partner is one ranked above it; the best, above whom nobody is, takes any breeder.
        limits = np.maximum(np.arange(breeders), 1)[:, None]
        limits[0] = breeders
        partner = rng.integers(0, limits, (breeders, subpopulations))
        lengths = np.bincount(owner)
        cuts = rng.integers(1, np.maximum(lengths, 2), (breeders, subpopulations))
        swapped = place >= cuts[:, owner]
        one, two = ranked[:breeders], _picked(ranked, partner, owner)
        children = np.concatenate([np.where(swapped, two, one), np.where(swapped, one, two)])
        mutated = rng.random((len(children), subpopulations)) < self.mutation_rate
        chosen = np.where(mutated, rng.integers(0, lengths, mutated.shape), -1)
        row, gene = np.nonzero(place == chosen[:, owner])
        scale = self.mutation_scale * method["deviation"]
        children[row, gene] += scale * rng.standard_cauchy(len(row))
        return np.concatenate([ranked[: size - len(children)], children])

    def _burst(self, method: State, rng: np.random.Generator) -> State:
        """Return what changes in a burst: neurons around those of the best network, which is the first."""
        cauchy = rng.standard_cauchy(method["neurons"].shape)
        cauchy[0] = 0
        around = method["best"] + self.burst_scale * method["deviation"] * cauchy
        return {"neurons": around, "waiting": 0, "bursts": method["bursts"] + 1}


def _picked(population: np.ndarray, rows: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return vectors (k, n) that take their genes from the rows (k, h) named for the genes' neurons."""
    return np.take_along_axis(population, rows[:, owner], axis=0)


def _places(owner: np.ndarray) -> np.ndarray:
    """Return the place of each gene within the chromosome of its neuron, shape (n,)."""
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner)
    places = np.empty_like(owner)
    places[order] = np.arange(owner.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return places
