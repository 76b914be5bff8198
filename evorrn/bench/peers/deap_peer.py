"""DEAP as its examples use it: lists of numbers, its own operators, a NumPy forward pass for each individual."""

from __future__ import annotations

from typing import Any

import numpy as np
from deap import algorithms, base, tools

from evorrn.bench.peers.numpy_peer import mean_squared_error
from evorrn.bench.peers.weights import Weights
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch
from evorrn.strategies.evolution.genetic_algorithm import GeneticAlgorithm
from evorrn.strategies.evolution.variation import seeded


class Fitness(base.Fitness):
    """A loss, lower is better."""

    weights = (-1.0,)


class Individual(list):
    """A list of genes with a fitness."""

    def __init__(self, genes: list[float]) -> None:
        super().__init__(genes)
        self.fitness = Fitness()


def generation(
    settings: GeneticAlgorithm, cell: str, weights: Weights, batch: Batch, counts: list[int]
) -> Contender:
    """Return the contender that goes on by one generation of `eaSimple` at every call.

    Parameters
    ----------
    settings : GeneticAlgorithm
        Ours, whose probabilities and sizes it takes.
    cell : str
    weights : Weights
        The start population, stacked.
    batch : Batch
    counts : list of int
        Every call appends how many individuals it evaluated.
    """
    x, y = batch.inputs.astype(np.float32), batch.targets.astype(np.float32)
    shapes = {name: values.shape[1:] for name, values in weights.items()}
    individuals = len(weights["bias"])
    start = np.concatenate([values.reshape(individuals, -1) for values in weights.values()], axis=1)

    def evaluate(genes: list[float]) -> tuple[float]:
        return (mean_squared_error(cell, _unpacked(np.array(genes, np.float32), shapes), x, y),)

    toolbox = base.Toolbox()
    toolbox.register("evaluate", evaluate)
    toolbox.register("select", tools.selTournament, tournsize=settings.tournament_size)
    toolbox.register("mate", tools.cxSimulatedBinary, eta=settings.crossover_eta)
    size = settings.mutation_size * float(start.std())
    toolbox.register("mutate", tools.mutGaussian, mu=0.0, sigma=size, indpb=settings.mutation_rate)
    population: list[Any] = [Individual(genes) for genes in start.tolist()]
    for individual in population:
        individual.fitness.values = evaluate(individual)
    first = np.array([individual.fitness.values[0] for individual in population])
    rng = np.random.default_rng(0)
    chances = (settings.crossover_probability, settings.mutation_probability)

    def call() -> None:
        nonlocal population
        with seeded(rng):
            population, book = algorithms.eaSimple(population, toolbox, *chances, 1, verbose=False)
        counts.append(book[-1]["nevals"])

    return Contender("DEAP eaSimple, NumPy", call, lambda: [first])


def _unpacked(genes: np.ndarray, shapes: dict[str, tuple[int, ...]]) -> Weights:
    """Return the blocks of a genome as views."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    parts = np.split(genes, ends[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts)}
