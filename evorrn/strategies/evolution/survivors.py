"""SurvivorStrategy: points that live on with the fitness they had, until something better is found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.strategies.base import State
from evorrn.strategies.evolution.population import PopulationStrategy, Start


@dataclass(frozen=True)
class SurvivorStrategy(PopulationStrategy):
    """A search that keeps points with their fitness and sets trials against them.

    A subclass gives `propose` and `compete`. Its state begins with what `keep` returns: ``kept`` (K, n),
    ``kept_fitness`` (K,), ``-inf`` until it is known, and ``asked``, the populations asked for so far. The
    first population is the kept points themselves.

    Notes
    -----
    With `sequences` a generation has sequences of its own, and fitness of two generations cannot be
    compared. Then the kept points are evaluated again beside their trials, so that a generation has K
    individuals more and is charged for them.
    """

    def propose(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return the method's state and the trials (P, n)."""
        raise NotImplementedError

    def compete(
        self, method: State, trials: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the method's state after the trials (P, n), folded into the bounds, had their fitness (P,)."""
        raise NotImplementedError

    def keep(self, start: Start, count: int) -> State:
        """Return the state of a start population of so many points."""
        points = self.folded(start.population(count) * start.scale) / start.scale
        return {"kept": points, "kept_fitness": np.full(count, -np.inf), "asked": 0}

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return the kept points at first, then trials, after the kept points where these count anew."""
        kept = method["kept"]
        if method["asked"] == 0:
            return {**method, "asked": 1}, kept
        method, trials = self.propose({**method, "asked": method["asked"] + 1}, rng)
        return method, trials if self.sequences is None else np.concatenate([kept, trials])

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Note the fitness of the kept points, and let the trials compete with them."""
        count = len(method["kept"])
        if method["asked"] == 1:
            return {**method, "kept_fitness": fitness}
        if self.sequences is not None:
            method = {**method, "kept_fitness": fitness[:count]}
            points, fitness = points[count:], fitness[count:]
        return self.compete(method, points, fitness, rng)
