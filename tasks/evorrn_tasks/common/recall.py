"""What tasks of recall share: cues with wrong entries at the first step, networks for them, and evolved memories."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import evorrn
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended

EVALUATIONS = 6000
"""Sets of weights that evolution may try."""


def turn_round(cue: np.ndarray, share: float, rng: np.random.Generator) -> None:
    """Change the sign of a share of the entries of a cue, in place."""
    cue[rng.permutation(len(cue))[: round(share * len(cue))]] *= -1


def cued_batch(cues: np.ndarray, wanted: np.ndarray, steps: int) -> Batch:
    """Return sequences that show a cue (B, N) at the first step and want a pattern (B, N) at the last one."""
    inputs = np.zeros((len(cues), steps, cues.shape[1]))
    inputs[:, 0] = cues
    targets = np.repeat(wanted[:, None], steps, axis=1)
    return Batch(inputs, targets, mask=np.tile(np.arange(steps) == steps - 1, (len(cues), 1)))


def wanted_in(train: Batch) -> np.ndarray:
    """Return the different patterns (M, N) that are wanted in training."""
    return np.unique(train.targets[train.scored], axis=0)


def of_the_cue(test: Batch, known: np.ndarray, kind: str) -> dict[str, np.ndarray]:
    """Return the cue as it is, and the known pattern that is nearest to it, which is called ``nearest kind``."""
    cues, shape = test.inputs[:, :1], test.targets.shape
    nearest = known[(cues[:, 0] @ known.T).argmax(axis=1)]
    return {
        "the cue": np.broadcast_to(cues, shape).copy(),
        f"nearest {kind}": np.broadcast_to(nearest[:, None], shape).copy(),
    }


def evolved(start: np.ndarray, fitness: Callable[[np.ndarray], np.ndarray], spread: float) -> np.ndarray:
    """Return the weights (n,) that a genetic algorithm finds near a start by the fitness (P,) of weights (P, n)."""
    search = evorrn.GeneticAlgorithm(population=60).search(start, seed=0, spread=spread)
    while not search.done(f"{EVALUATIONS}eval"):
        genomes = search.ask()
        search.tell(genomes, fitness(genomes))
    return np.asarray(search.best.genome)


def recommended(strategy: str, units: int, steps: int) -> Recommended:
    """Return a reservoir of 100 units, delays for ``ng-rc``, else a network with as many units as entries."""
    if strategy in ("esn", "evolved-esn"):
        return Recommended({"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"})
    if strategy == "ng-rc":  # the cue is at the first step
        return Recommended(strategy={"delays": steps, "order": 1})
    return Recommended({"cell": "elman", "hidden": units, "biases": False})
