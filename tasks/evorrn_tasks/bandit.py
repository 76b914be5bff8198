"""Bandit: two arms, one of which pays more often; the network must find out which by pulling."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.environment import Environment
from evorrn.data.task import Recommended, Reference
from evorrn.kernels.deferred import compiled
from evorrn_tasks.common.chance import next_seed, seed_of, uniform
from evorrn_tasks.common.choice import is_largest

GOOD, CHANCE, SEED, FIRST_SEEN = range(4)

BEST = 14.028
"""Expected return of the best policy with the default settings, see `Bandit.best_return`."""


@dataclass(frozen=True)
class Bandit(Environment):
    """One arm pays 1 with `probability`, the other with 1 - `probability`; which is which is drawn at the start.

    An episode is `time_limit` pulls. The larger of two outputs, the first if they are equal, says which arm is
    pulled. The network sees one number for each arm: 1 if it was pulled last and paid, -1 if it was pulled last
    and did not pay, else 0; at the start both are 0.

    Every pull is equally informative about both arms, so exploration has no advantage, and the best policy
    pulls the arm that more of the past pulls are evidence for. Each pull is evidence for the better arm with
    probability p, so the expected return has a closed form, see `best_return`: 14.03 for 20 pulls and p = 0.75,
    where always pulling the same arm gives 10. Success is not defined.

    Source: Feldman 1962, "Contributions to the 'two-armed bandit' problem", for the best policy.
    """

    name = "bandit"
    input_names = ("arm 1", "arm 2")
    output_names = ("arm 1", "arm 2")
    state_names = ("better arm (1 or 2)",)
    observations = 2
    actions = 2
    states = 5
    metrics = ("return",)
    references = (
        Reference(
            BEST, "return", "probability 0.75, 20 pulls: the best policy", "closed form, see best_return"
        ),
        Reference(10.0, "return", "any probability, 20 pulls: always the same arm", "half of the pulls pay"),
    )

    probability: float = setting(
        0.75, "probability p that the better arm pays; the other arm pays with 1 - p", above=0.5, maximum=1
    )
    time_limit: int = setting(20, "pulls in an episode", minimum=1)
    train: int = setting(50, "training starts", minimum=1)
    valid: int = setting(200, "validation starts", minimum=1)
    test: int = setting(1000, "test starts", minimum=1)

    @property
    def reset(self) -> Any:
        """The function that draws a start: the better arm, and the seed of the payments."""
        return drawing(self.probability)

    @property
    def observe(self) -> Any:
        """The function that computes the observation: the result of the last pull."""
        return observe

    @property
    def step(self) -> Any:
        """The function of one step: the pull and its payment."""
        return step

    def best_return(self) -> float:
        """Return the expected return of the best policy.

        After t pulls the policy chooses the better arm with probability ``P(k > t / 2) + P(k = t / 2) / 2``,
        where k is binomial with t draws of probability p. Then the next pull pays p, otherwise 1 - p.
        """
        p, total = self.probability, 0.0
        for pulls in range(self.time_limit):
            ahead = 0.0
            for count in range(pulls + 1):
                weight = 1.0 if 2 * count > pulls else 0.5 if 2 * count == pulls else 0.0
                ahead += weight * math.comb(pulls, count) * p**count * (1 - p) ** (pulls - count)
            total += p * ahead + (1 - p) * (1 - ahead)
        return total

    def recommended(self, strategy: str) -> Recommended:
        """Return a small network, which is enough to count."""
        return Recommended({"cell": "elman", "hidden": 2})


@functools.lru_cache
def drawing(probability: float) -> Any:
    """Return the function that draws a start, for a probability of payment."""

    @compiled
    def draw(state: np.ndarray, rng: np.random.Generator) -> None:
        state[GOOD] = 1.0 if rng.random() < 0.5 else 2.0
        state[CHANCE] = probability
        state[SEED] = seed_of(rng)
        state[FIRST_SEEN] = 0.0
        state[FIRST_SEEN + 1] = 0.0

    return draw


@compiled
def observe(state: np.ndarray, observation: np.ndarray) -> None:
    """Write the result of the last pull into an observation (2,)."""
    observation[0] = state[FIRST_SEEN]
    observation[1] = state[FIRST_SEEN + 1]


@compiled
def step(state: np.ndarray, action: np.ndarray) -> tuple[float, bool]:
    """Return the reward of a pull, and False: the episode goes on. NaN outputs pull no arm and get 0."""
    first, second = is_largest(action, 0), is_largest(action, 1)
    good = (first & (state[GOOD] == 1.0)) | (second & (state[GOOD] == 2.0))
    chance = state[CHANCE] if good else 1.0 - state[CHANCE]
    state[SEED] = next_seed(state[SEED])
    paid = (first | second) & (uniform(state[SEED]) < chance)
    outcome = 1.0 if paid else -1.0
    state[FIRST_SEEN] = outcome if first else 0.0
    state[FIRST_SEEN + 1] = outcome if second else 0.0
    return 1.0 if paid else 0.0, False
