"""REINFORCE: gradients of the expected return of episodes with random actions, for environments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import DRAW, State
from evorrn.strategies.gradient.optimisers import CLIP, Coefficients, adam, clip_by_norm
from evorrn.strategies.gradient.restarting import Restarting, random_genome

if TYPE_CHECKING:
    from evorrn.training.episodes import EnvironmentProblem
    from evorrn.training.exploring import Episodes

PER_UPDATE = 15
"""Operations on each weight by an update."""


@dataclass(frozen=True)
class REINFORCE(Restarting):
    """REINFORCE with a baseline: ascent along an estimate of the gradient of the expected return.

    An update draws episodes whose actions are normally distributed around the network's outputs. The gradient of the
    logarithm of their probability, back through time, is weighted by the discounted return that followed, less a baseline: the
    mean of the other episodes at the same time step, which leaves the estimate unbiased. One step is several updates, and the
    validation of the network without noise.

    Notes
    -----
    Episodes that have ended count with a return of 0. With `normalise` the weights of an update are divided by their
    root mean square. The deviation of the actions decreases geometrically. An update with a value that is not finite is
    skipped. For environments only; for tasks with targets `bptt` has the gradient itself.

    Source: Williams 1992, sections 6 and 7 (the normal distribution), through time Wierstra, Foerster, Peters &
    Schmidhuber 2010; the mean of the others as baseline: Kool, van Hoof & Welling 2019.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("cart-pole")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> result = evorrn.REINFORCE(episodes=4, updates=1).fit(network, task, budget="2gen")
    >>> result.meter.evaluations
    2
    """

    name: ClassVar[str] = "reinforce"
    version: ClassVar[int] = 2
    requires: ClassVar[frozenset[str]] = frozenset({"exploration"})

    episodes: int = setting(16, "episodes of an update", minimum=2)
    updates: int = setting(5, "updates of a step", minimum=1)
    rate: float = setting(0.02, "learning rate of Adam", above=0)
    deviation: float = setting(0.5, "standard deviation of the actions at the start", above=0)
    last_deviation: float = setting(
        0.1, "standard deviation of the actions after `annealing` updates", above=0
    )
    annealing: int = setting(500, "updates during which the deviation decreases", minimum=1)
    discount: float = setting(
        0.99, "weight of a reward for each time step that it comes later", minimum=0, maximum=1
    )
    baseline: bool = setting(True, "whether the mean return of the other episodes is subtracted")
    normalise: bool = setting(True, "whether returns are divided by their root mean square in an update")
    clip: float = setting(1.0, CLIP, minimum=0)

    def fresh(self, problem: EnvironmentProblem, rng: np.random.Generator) -> State:
        """Return a random genome with empty moments."""
        return {"genome": random_genome(problem, rng), "moments": {}, "updates": 0}

    def advance(self, problem: EnvironmentProblem, state: State, rng: np.random.Generator) -> State:
        """Return the state after some updates."""
        genome, moments, count = state["genome"], state["moments"], state["updates"]
        returns, norms, skipped, steps = [], [], 0, 0
        paid = problem.meter.work
        for _ in range(self.updates):
            deviation = self._deviation(count)
            starts = rng.integers(problem.sequences, size=self.episodes)
            played = problem.explore(genome, starts, deviation, rng)
            steps += int(played.lengths.sum())
            returns.append(float(played.rewards.sum(axis=1).mean()))
            upon = score_gradient(played.noise, self.advantages(played), deviation) / self.episodes
            gradient = np.full(problem.size, np.nan)
            if np.isfinite(upon).all():
                gradient = np.asarray(problem.action_gradient(genome, played, -upon), np.float64)
            count += 1
            if not np.isfinite(gradient).all():
                skipped += 1
                continue
            step, norm = clip_by_norm(gradient, self.clip)
            norms.append(norm)
            genome, moments = adam(genome, step, self.rate, moments, Coefficients())
        own = PER_UPDATE * problem.size * self.updates + DRAW * problem.network.outputs * steps
        problem.charge_own(own, problem.meter.work - paid)
        mean = float(np.mean(returns))
        return {
            "genome": genome,
            "moments": moments,
            "updates": count,
            "train_loss": -mean if math.isfinite(mean) else np.inf,
            "record": {
                "gradient_norm": float(np.mean(norms)) if norms else np.inf,
                "deviation": self._deviation(count),
                "skipped": skipped,
            },
        }

    def advantages(self, played: Episodes) -> np.ndarray:
        """Return the weight (E, T) of each action: the discounted return from it on, less the baseline."""
        returns = np.array(played.rewards)
        steps = returns.shape[1]
        for t in reversed(range(steps - 1)):
            returns[:, t] += self.discount * returns[:, t + 1]
        if self.baseline:
            others = (returns.sum(axis=0) - returns) / (len(returns) - 1)
            returns = returns - others
        inside = np.arange(steps) < played.lengths[:, None]
        returns = np.where(inside, returns, 0.0)
        if self.normalise:
            scale = math.sqrt(float(np.square(returns).sum()) / int(inside.sum()))
            returns = returns / scale if 0 < scale < np.inf else returns
        return returns

    def _deviation(self, updates: int) -> float:
        """Return the standard deviation of the actions after a number of updates."""
        share = min(updates / self.annealing, 1.0)
        return float(self.deviation * (self.last_deviation / self.deviation) ** share)


def score_gradient(noise: np.ndarray, advantages: np.ndarray, deviation: float) -> np.ndarray:
    """Return the gradient (E, T, O) by the outputs of the log probability of each action, times its advantage (E, T).

    `noise` (E, T, O) is what was added to the outputs, in standard deviations. Source: Williams 1992, equation 13.
    """
    return noise / deviation * advantages[:, :, None]
