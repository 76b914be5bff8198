"""ParticleSwarm: particles attracted by their own best point and by their neighbours' best point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import DRAW, State
from evorrn.strategies.evolution.start import Start
from evorrn.strategies.evolution.survivors import SurvivorStrategy


@dataclass(frozen=True)
class ParticleSwarm(SurvivorStrategy):
    """Particle swarm optimisation with a constriction coefficient.

    A particle at x, whose best point so far is p and whose neighbours' best point so far is g, moves by

        v <- k (v + U(0, c1) * (p - x) + U(0, c2) * (g - x)),    x <- x + v,

    with random numbers for each gene, k = 2 / |2 - c - sqrt(c^2 - 4 c)| and c = c1 + c2 > 4.

    Notes
    -----
    Source: M. Clerc and J. Kennedy, The particle swarm - explosion, stability, and convergence in a
    multidimensional complex space, IEEE Transactions on Evolutionary Computation 6 (2002), the constriction of
    type 1'' with its defaults c1 = c2 = 2.05, k = 0.7298; J. Kennedy and R. Mendes, Population structure and
    particle swarm performance, IEEE CEC (2002), the ring, in which a particle has two neighbours. Deviations:
    there is no maximum speed; the first particle begins at the start point, and initial velocities are half of
    the difference to another start point; a particle whose own best is not worse than the neighbours' is
    attracted only by its own; a particle outside the bounds is reflected at them, and its velocity is the
    difference of its positions. Both papers have 20 to 30 particles; here 32 by default. The step size of
    a block multiplies its spread in the start population.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.ParticleSwarm().search(np.ones(5), seed=1)
    >>> while not search.done("60gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -1e-3)
    True
    """

    name: ClassVar[str] = "pso"

    population: int = setting(32, "particles", minimum=2)
    cognitive: float = setting(2.05, "c1, the attraction by the particle's own best point", minimum=0)
    social: float = setting(2.05, "c2, the attraction by the neighbours' best point", minimum=0)
    neighbours: str = setting(
        "all",
        "neighbours of a particle: all particles, or the two next to it in a ring",
        choices=("all", "ring"),
    )

    def problems(self) -> list[str]:
        """Return one sentence for each setting, or combination of settings, that is not allowed."""
        found = super().problems()
        if not found and self.cognitive + self.social <= 4:
            found.append(
                f"social: expected a sum of cognitive and social above 4, got {self.cognitive + self.social:g}"
            )
        return found

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return the start population, and velocities of half the difference to another start point."""
        state = self.keep(start, self.population)
        points = state["kept"]
        return {**state, "position": points, "velocity": (start.population(len(points)) - points) / 2}

    def propose(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return the next positions of the particles."""
        position, kept = method["position"], method["kept"]
        leaders = kept[self._leaders(method["kept_fitness"])]
        total = self.cognitive + self.social
        constriction = 2 / abs(2 - total - math.sqrt(total * total - 4 * total))
        attraction = self.cognitive * rng.random(kept.shape) * (kept - position)
        attraction += self.social * rng.random(kept.shape) * (leaders - position)
        return method, position + constriction * (method["velocity"] + attraction)

    def compete(
        self, method: State, trials: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the state with the new positions, and each particle's best point so far."""
        better = fitness > method["kept_fitness"]
        return {
            **method,
            "position": trials,
            "velocity": trials - method["position"],
            "kept": np.where(better[:, None], trials, method["kept"]),
            "kept_fitness": np.where(better, fitness, method["kept_fitness"]),
        }

    def own_work(self, state: State, genomes: np.ndarray) -> float:
        """Return the work with two random numbers for each gene."""
        return super().own_work(state, genomes) + DRAW * genomes.size

    def spread(self, method: State) -> np.ndarray:
        """Return the root mean square of each coordinate (n,) of the velocities."""
        return np.sqrt(np.mean(np.square(method["velocity"]), axis=0))

    def _leaders(self, fitness: np.ndarray) -> np.ndarray:
        """Return each particle's best neighbour (P,), itself when no neighbour is better."""
        own = np.arange(len(fitness))
        if self.neighbours == "all":
            best = int(fitness.argmax())
            return np.where(fitness >= fitness[best], own, best)
        near = np.stack([own, np.roll(own, 1), np.roll(own, -1)])
        return near[fitness[near].argmax(axis=0), own]
