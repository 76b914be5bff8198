"""evosax: a whole generation of its SimpleGA in one jitted function, the network in JAX."""

from __future__ import annotations

from typing import Any

import evosax.algorithms
import jax
import numpy as np
import optax

from evorrn.batch import Batch
from evorrn.bench.peers.jax_peer import mean_squared_error, on_device, time_first
from evorrn.bench.peers.weights import Weights
from evorrn.bench.session import Contender
from evorrn.strategies.evolution.genetic_algorithm import GeneticAlgorithm


def generation(
    settings: GeneticAlgorithm, cell: str, weights: Weights, batch: Batch, counts: list[int]
) -> Contender:
    """Return the contender that goes on by one generation at every call.

    Parameters
    ----------
    settings : GeneticAlgorithm
        Ours; crossover is per gene here, and every gene of every individual mutates.
    cell : str
    weights : Weights
        The start population, stacked.
    batch : Batch
    counts : list of int
        Every call appends how many individuals it evaluated: all of them.
    """
    population, x, y = on_device(weights), *time_first(batch)
    individuals = len(weights["bias"])
    size = settings.mutation_size * float(np.mean([np.std(values) for values in weights.values()]))
    algorithm = evosax.algorithms.SimpleGA(
        population_size=individuals,
        solution=jax.tree.map(lambda values: values[0], population),
        std_schedule=optax.constant_schedule(size),
    )
    parameters = algorithm.default_params.replace(crossover_rate=settings.crossover_probability)
    losses = jax.jit(jax.vmap(lambda w: mean_squared_error(cell, w, x, y)))

    @jax.jit
    def one(key: jax.Array, state: Any) -> tuple[jax.Array, Any]:
        key, asking, telling = jax.random.split(key, 3)
        asked, state = algorithm.ask(asking, state, parameters)
        return key, algorithm.tell(telling, asked, losses(asked), state, parameters)[0]

    key = jax.random.key(0)
    now = (key, algorithm.init(key, population, losses(population), parameters))

    def call() -> None:
        nonlocal now
        now = jax.block_until_ready(one(*now))
        counts.append(individuals)

    return Contender("evosax SimpleGA, jitted", call, lambda: [np.asarray(losses(population))])
