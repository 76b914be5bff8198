"""EvoTorch: its searchers on a vectorised problem, whose networks are PyTorch's loop of `baddbmm`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from evotorch import Problem
from evotorch.algorithms import CMAES, PGPE, SNES, XNES, Cosyne

from evorrn.bench.peers.torch_peer import for_products, losses, time_first
from evorrn.bench.peers.weights import Weights
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch
from evorrn.kernels.threads import get_threads

STEP_SIZE = 0.05
"""Of every searcher at the start; no matter for its speed, as long as networks stay finite."""

SEARCHERS: dict[str, Callable[[Problem, int], Any]] = {
    "PGPE": lambda problem, count: PGPE(
        problem,
        popsize=count,
        center_learning_rate=STEP_SIZE / 2,
        stdev_learning_rate=0.1,
        stdev_init=STEP_SIZE,
        optimizer_config={"max_speed": STEP_SIZE},
    ),
    "SNES": lambda problem, count: SNES(problem, popsize=count, stdev_init=STEP_SIZE),
    "XNES": lambda problem, count: XNES(problem, popsize=count, stdev_init=STEP_SIZE),
    "CMAES": lambda problem, count: CMAES(problem, popsize=count, stdev_init=STEP_SIZE),
    "CMAES, separable": lambda problem, count: CMAES(
        problem, popsize=count, stdev_init=STEP_SIZE, separable=True
    ),
    "Cosyne": lambda problem, count: Cosyne(
        problem, popsize=count, tournament_size=4, mutation_stdev=STEP_SIZE
    ),
}
"""By the name of the class, and what is set of it."""


def strategy(name: str, cell: str, weights: Weights, batch: Batch) -> Contender:
    """Return the contender that goes on by one generation at every call.

    Parameters
    ----------
    name : str
        A key of `SEARCHERS`.
    cell : str
    weights : Weights
        Networks, stacked: the first is the start.
    batch : Batch
    """
    torch.set_num_threads(get_threads())
    logging.getLogger("evotorch").setLevel(logging.WARNING)
    x, y = time_first(batch)
    shapes = {key: values.shape[1:] for key, values in weights.items()}
    count = len(weights["bias"])
    flat = np.concatenate([values.reshape(count, -1) for values in weights.values()], axis=1)
    genomes = torch.from_numpy(flat.astype(np.float32))

    @torch.inference_mode()
    def evaluate(genomes: torch.Tensor) -> torch.Tensor:
        parts = genomes.clone().split([int(np.prod(shape)) for shape in shapes.values()], dim=1)
        # The clone is an ordinary tensor: those of a searcher are read-only and refuse operations in place.
        named = {key: part.reshape(-1, *shapes[key]) for key, part in zip(shapes, parts)}
        return losses(cell, for_products(named), x, y)

    problem = Problem(
        "min",
        evaluate,
        solution_length=genomes.shape[1],
        initial_bounds=(-STEP_SIZE, STEP_SIZE),
        dtype=torch.float32,
        vectorized=True,
        seed=0,
    )
    searcher = SEARCHERS[name](problem, count)
    searcher.step()  # the first one makes the population
    return Contender(f"EvoTorch {name}", searcher.step, lambda: [evaluate(genomes).numpy()])
