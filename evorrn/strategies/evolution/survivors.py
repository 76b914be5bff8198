"""SurvivorStrategy: points that are kept with their fitness until a trial replaces them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.strategies.base import State
from evorrn.strategies.evolution.population import PopulationStrategy
from evorrn.strategies.evolution.start import Start


@dataclass(frozen=True)
class SurvivorStrategy(PopulationStrategy):
    """Base of searches that keep points with their fitness and compare them with trials.

    A subclass defines `propose` and `compete`. Its state contains what `keep` returns: ``kept`` (K, n),
    ``kept_fitness`` (K,), ``-inf`` until it is known, and ``asked``, the number of populations asked for. The
    first population is the kept points.

    Notes
    -----
    With `sequences`, fitness in different generations comes from different sequences and is not comparable.
    The kept points are then evaluated again with their trials: a generation has K more individuals, and
    pays for them.
    """

    def propose(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return the method's state and the trials (P, n)."""
        raise NotImplementedError

    def compete(
        self, method: State, trials: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the method's state given the fitness (P,) of the trials (P, n), which are inside the bounds."""
        raise NotImplementedError

    def keep(self, start: Start, count: int) -> State:
        """Return the state with a start population of `count` points."""
        points = self.folded(start.population(count) * start.scale) / start.scale
        return {"kept": points, "kept_fitness": np.full(count, -np.inf), "asked": 0}

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return the kept points at first, later the trials, with the kept points before them under `sequences`."""
        kept = method["kept"]
        if method["asked"] == 0:
            return {**method, "asked": 1}, kept
        method, trials = self.propose({**method, "asked": method["asked"] + 1}, rng)
        return method, trials if self.sequences is None else np.concatenate([kept, trials])

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the state with the fitness of the kept points, and after the comparison with the trials."""
        count = len(method["kept"])
        if method["asked"] == 1:
            return {**method, "kept_fitness": fitness}
        if self.sequences is not None:
            method = {**method, "kept_fitness": fitness[:count]}
            points, fitness = points[count:], fitness[count:]
        return self.compete(method, points, fitness, rng)
