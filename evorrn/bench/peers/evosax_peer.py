"""evosax: a whole generation of one of its algorithms in one jitted function, the network in JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import evosax.algorithms
import jax
import numpy as np
import optax
from evosax.algorithms.population_based.base import PopulationBasedAlgorithm

from evorrn.bench.peers.jax_peer import mean_squared_error, on_device, time_first
from evorrn.bench.peers.weights import Weights
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch
from evorrn.strategies.evolution.genetic_algorithm import GeneticAlgorithm

STEP_SIZE = 0.05
"""Of every algorithm at the start; no matter for its speed, as long as networks stay finite."""


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
    losses = _losses(cell, x, y)
    step = _generations(algorithm, parameters, population, losses)

    def call() -> None:
        step()
        counts.append(individuals)

    return Contender("evosax SimpleGA, jitted", call, lambda: [np.asarray(losses(population))])


def strategy(name: str, cell: str, weights: Weights, batch: Batch) -> Contender:
    """Return the contender that goes on by one generation at every call.

    Parameters
    ----------
    name : str
        A class of `evosax.algorithms`.
    cell : str
    weights : Weights
        Networks, stacked: the start population, or its first one the start mean.
    batch : Batch
    """
    population, x, y = on_device(weights), *time_first(batch)
    first = jax.tree.map(lambda values: values[0], population)
    options = {"std_schedule": optax.constant_schedule(STEP_SIZE)} if name in ("SimpleGA", "Open_ES") else {}
    algorithm = getattr(evosax.algorithms, name)(
        population_size=len(weights["bias"]), solution=first, **options
    )
    parameters = algorithm.default_params
    if hasattr(parameters, "std_init"):
        parameters = parameters.replace(std_init=STEP_SIZE)
    if name == "DifferentialEvolution":
        parameters = parameters.replace(elitism=False)  # with it the base of every mutant is the best
    losses = _losses(cell, x, y)
    step = _generations(algorithm, parameters, population, losses)
    return Contender(f"evosax {name}, jitted", step, lambda: [np.asarray(losses(population))])


def _losses(cell: str, x: jax.Array, y: jax.Array) -> Callable[[Any], jax.Array]:
    return jax.jit(jax.vmap(lambda w: mean_squared_error(cell, w, x, y)))


def _generations(
    algorithm: Any, parameters: Any, population: Any, losses: Callable[[Any], jax.Array]
) -> Callable[[], None]:
    """Return a function that takes one generation from where the last call ended."""

    @jax.jit
    def one(key: jax.Array, state: Any) -> tuple[jax.Array, Any]:
        key, asking, telling = jax.random.split(key, 3)
        asked, state = algorithm.ask(asking, state, parameters)
        return key, algorithm.tell(telling, asked, losses(asked), state, parameters)[0]

    key = jax.random.key(0)
    if isinstance(algorithm, PopulationBasedAlgorithm):
        start = algorithm.init(key, population, losses(population), parameters)
    else:
        start = algorithm.init(key, jax.tree.map(lambda values: values[0], population), parameters)
    now = (key, start)

    def call() -> None:
        nonlocal now
        now = jax.block_until_ready(one(*now))

    for _ in range(2):  # types of a start differ from those of later states: it is compiled twice
        call()
    return call
