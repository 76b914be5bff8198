"""How a population went along, generation by generation, as its run's history tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evorrn.strategies.evolution.vectors import STEP_SIZE

LONGEST = 400
"""Generations that stay apart in one plot."""
FITNESS = ("fitness_best", "fitness_median", "fitness_low", "fitness_high")
MUTATION_SIZE = "mutation_size"
ANEW = ("restarts", "bursts")


@dataclass(frozen=True)
class Course:
    """Fitness, diversity and step sizes of a population by generation.

    Parameters
    ----------
    generation : ndarray, shape (n,)
        Counted from 1; every k-th of a long run.
    best, median, low, high : ndarray, shape (n,)
        Fitness of the individuals of a generation: the best, the median, the lower and the upper quartile;
        NaN where all diverged.
    diversity : ndarray, shape (n,)
        Root mean variance of the genes in the population.
    steps : dict of str to ndarray, shape (n,)
        By named block: the deviation that the method draws from, or that of the population.
    anew : ndarray, shape (k,)
        Generations after which the search began anew, by a restart or a burst.
    """

    generation: np.ndarray
    best: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    diversity: np.ndarray
    steps: dict[str, np.ndarray]
    anew: np.ndarray

    @classmethod
    def of(cls, history: Mapping[str, np.ndarray]) -> Course | None:
        """Return the course that a history tells; None when it is not that of a population."""
        if not {*FITNESS, "diversity"} <= set(history):
            return None
        diversity = np.asarray(history["diversity"], dtype=np.float64)
        told = np.flatnonzero(np.isfinite(diversity))  # a stage without a population leaves NaN
        if not told.size:
            return None
        begun = sum(_rises(np.asarray(history[name])[told]) for name in ANEW if name in history)
        shown = told[:: -(-len(told) // LONGEST)]
        best, median, low, high = (np.asarray(history[name], dtype=np.float64)[shown] for name in FITNESS)
        return cls(
            generation=shown + 1,
            best=best,
            median=median,
            low=low,
            high=high,
            diversity=diversity[shown],
            steps={name: np.asarray(values)[shown] for name, values in _steps(history).items()},
            anew=told[np.flatnonzero(begun)] + 1,
        )


def _rises(counts: np.ndarray) -> np.ndarray:
    """Return whether a count is larger than before at each place (n,)."""
    return np.diff(counts, prepend=counts[:1]) > 0


def _steps(history: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return step sizes by block; where mutation sizes evolve with the individuals these are the step sizes."""
    blocks = [name.removeprefix(STEP_SIZE) for name in history if name.startswith(STEP_SIZE)]
    sizes = [f"{MUTATION_SIZE}.{number}" for number in range(len(blocks))]
    if all(name in history for name in sizes):
        return {block: history[name] for block, name in zip(blocks, sizes)}
    if MUTATION_SIZE in history:
        return {"all blocks": history[MUTATION_SIZE]}
    return {block: history[STEP_SIZE + block] for block in blocks}
