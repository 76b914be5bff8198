"""ESP: one sub-population for each neuron, whose fitness is the mean over the networks it is part of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.huge import scale_of
from evorrn.base.settings import setting
from evorrn.strategies.base import DRAW, PER_GENE, State
from evorrn.strategies.evolution.population import PopulationStrategy
from evorrn.strategies.evolution.shaping import centred_ranks
from evorrn.strategies.evolution.start import WIDTH, Start
from evorrn.strategies.evolution.units import neurons, places

DEFAULT_POPULATION = 20


@dataclass(frozen=True)
class ESP(PopulationStrategy):
    """Enforced sub-populations: neurons evolve separately and are evaluated in networks.

    Each hidden neuron has a sub-population of `population` chromosomes: the weights into the neuron and out
    of it. One generation:

    1. Networks are made of one neuron from each sub-population, so that every neuron is part of `trials`
       networks: `population` times `trials` networks are evaluated.
    2. The fitness of a neuron is the mean fitness of its networks.
    3. In each sub-population each neuron of the best quarter crosses over with a better one (the best with any
       of the quarter), by one-point crossover. Each pair has two children, which replace the worse half; with
       probability `mutation_rate` Cauchy noise is added to one weight of a child.
    4. When the best network has not improved for `burst_after` generations, every sub-population is redrawn
       from Cauchy noise around that network's neuron (burst mutation, also called delta-coding).

    Notes
    -----
    Sources: F. Gomez and R. Miikkulainen, Solving Non-Markovian Control Tasks with Neuroevolution, IJCAI
    (1999); F. Gomez, Robust Non-Linear Control through Neuroevolution, PhD thesis, The University of Texas
    at Austin (2003), chapter 4. Deviations: every neuron is part of exactly `trials` networks, by one random
    permutation of each sub-population for each trial, where the sources draw until the mean is ten; weights
    start as the network initialises them, unless a `width` is set, and noise is relative to their standard
    deviation, unless ``scaling="absolute"``; the best network's neurons survive a burst; a network that diverged has the fitness of the worst
    finite one of its generation; the number of neurons is constant, where the thesis adds and removes neurons
    after a second burst without improvement.

    Biases of the readout, and its weights from the inputs, belong to no hidden neuron: each output unit has
    a sub-population for them. A vector without a layout has one neuron, and so one sub-population, for each
    gene. The step size of a block scales the start values and the noise of its genes.

    With ``chromosome="network"`` and ``trials=1`` this is conventional neuroevolution (CNE), which the same
    authors compare with: one population of whole networks, bred in the same way. Source: F. Gomez,
    J. Schmidhuber and R. Miikkulainen, Accelerated Neural Evolution through Cooperatively Coevolved Synapses,
    JMLR 9 (2008), section 5.2.2: "CNE is like ESP except that it evolves at the network level".

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.ESP(population=10, trials=2).search(np.ones(5), seed=1)
    >>> while not search.done("60gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -0.5)
    True
    """

    name: ClassVar[str] = "esp"
    least_population: ClassVar[int] = 4

    population: int | None = setting(
        None, f"neurons of a sub-population; {DEFAULT_POPULATION} by default", minimum=2
    )
    width: float | None = setting(None, WIDTH, above=0)
    trials: int = setting(10, "networks that each neuron is part of in a generation", minimum=1)
    mutation_rate: float = setting(
        0.4, "probability that one weight of a child mutates", minimum=0, maximum=1
    )
    mutation_scale: float = setting(
        0.3,
        "scale of the Cauchy noise of a mutation, as a multiple of the standard deviation of the start genomes",
        above=0,
    )
    burst_after: int = setting(
        20, "generations without improvement after which burst mutation happens", minimum=1
    )
    burst_scale: float = setting(
        0.1,
        "scale of the Cauchy noise of a burst, as a multiple of the standard deviation of the start genomes",
        above=0,
    )
    shaping: str = setting(
        "raw",
        "what is averaged over the networks of a neuron: their fitness, or their ranks",
        choices=("raw", "ranks"),
    )
    chromosome: str = setting(
        "neuron",
        "what a sub-population holds: the weights of one neuron; or, in a single population, whole networks",
        choices=("neuron", "network"),
        absent="neuron",
    )
    scaling: str = setting(
        "relative",
        "whether the scales of noise are multiples of the standard deviation of the start genomes, or absolute",
        choices=("relative", "absolute"),
        absent="relative",
    )

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return sub-populations made of the neurons of `population` start genomes."""
        owner = neurons(start.layout)
        if self.chromosome == "network":
            owner = np.zeros_like(owner)
        start = self.started(start, rng)
        return {
            "neurons": start.population(self.population or DEFAULT_POPULATION),
            "owner": owner,
            "place": places(owner),
            "deviation": start.deviation if self.scaling == "relative" else 1.0,
            "draws": np.zeros((0, int(owner.max()) + 1), dtype=np.int64),
            "best": start.point,
            "best_fitness": -math.inf,
            "waiting": 0,
            "bursts": 0,
        }

    def started(self, start: Start, rng: np.random.Generator) -> Start:
        """Return the start with weights drawn within `width`, if that is set."""
        return start if self.width is None else start.within(self.width, rng)

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return networks (population times trials, n); the state keeps the neurons of each."""
        population, owner = method["neurons"], method["owner"]
        rows = np.arange(len(population))[:, None]
        each = np.broadcast_to(rows, (len(population), method["draws"].shape[1]))
        draws = np.concatenate([rng.permuted(each, axis=0) for _ in range(self.trials)])
        return {**method, "draws": draws}, _combined(population, draws, owner)

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the state with the next neurons, by crossover or, after stagnation, by burst mutation."""
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
        neuron_fitness = self.neuron_fitness(method["draws"], fitness)
        return {**method, "neurons": self._offspring(method, neuron_fitness, rng), "draws": empty}

    def neuron_fitness(self, draws: np.ndarray, fitness: np.ndarray) -> np.ndarray:
        """Return the fitness of every neuron: the mean over the networks that it was part of.

        Parameters
        ----------
        draws : ndarray, shape (P, h), int64
            Indices of each network's neurons in the h sub-populations.
        fitness : ndarray, shape (P,)
            Fitness of the networks, ``-inf`` for those that diverged.

        Returns
        -------
        ndarray, shape (m, h)
        """
        if self.shaping == "ranks":
            values = centred_ranks(fitness)
        else:
            values = np.where(np.isfinite(fitness), fitness, fitness[np.isfinite(fitness)].min())
        scale = scale_of(values)
        count = draws.shape[1]
        flat = (draws * count + np.arange(count)).ravel()
        sums = np.bincount(flat, weights=np.repeat(values / scale, count))
        return scale * (sums / self.trials).reshape(-1, count)

    def own_work(self, state: State, genomes: np.ndarray) -> float:
        """Return the work of the networks, which are put together without random numbers, and of the neurons."""
        return PER_GENE * genomes.size + DRAW * state["method"]["neurons"].size

    def extra_record(self, method: State) -> dict[str, float]:
        """Return the number of bursts so far."""
        return {"bursts": method["bursts"]}

    def _offspring(self, method: State, fitness: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the neurons (m, n) of the next generation from their fitness (m, h), best first."""
        owner, place = method["owner"], method["place"]
        ranked = _combined(method["neurons"], np.argsort(-fitness, axis=0, kind="stable"), owner)
        size, subpopulations = fitness.shape
        parents = max(size // 4, 1)
        # A neuron's partner is one ranked above it; the partner of the best is any parent.
        limits = np.maximum(np.arange(parents), 1)[:, None]
        limits[0] = parents
        partner = rng.integers(0, limits, (parents, subpopulations))
        lengths = np.bincount(owner)
        cuts = rng.integers(1, np.maximum(lengths, 2), (parents, subpopulations))
        swapped = place >= cuts[:, owner]
        one, two = ranked[:parents], _combined(ranked, partner, owner)
        children = np.concatenate([np.where(swapped, two, one), np.where(swapped, one, two)])
        mutated = rng.random((len(children), subpopulations)) < self.mutation_rate
        chosen = np.where(mutated, rng.integers(0, lengths, mutated.shape), -1)
        row, gene = np.nonzero(place == chosen[:, owner])
        scale = self.mutation_scale * method["deviation"]
        children[row, gene] += scale * rng.standard_cauchy(len(row))
        return np.concatenate([ranked[: size - len(children)], children])

    def _burst(self, method: State, rng: np.random.Generator) -> State:
        """Return what a burst changes: neurons drawn around the best network's, which are in the first row."""
        cauchy = rng.standard_cauchy(method["neurons"].shape)
        cauchy[0] = 0
        around = method["best"] + self.burst_scale * method["deviation"] * cauchy
        return {"neurons": around, "waiting": 0, "bursts": method["bursts"] + 1}


def _combined(population: np.ndarray, rows: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return genomes (k, n) made of neurons, given each neuron's row of the population, (k, h)."""
    return np.take_along_axis(population, rows[:, owner], axis=0)
