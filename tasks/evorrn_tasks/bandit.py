"""Bandit: two arms of which one pays more often, and the pulls themselves must tell which."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from evorrn.base.settings import setting
from evorrn.data.environment import Environment
from evorrn.data.task import Recommended, Reference
from evorrn_tasks.common.chance import following, seed_of, uniform
from evorrn_tasks.common.choice import chosen

GOOD, CHANCE, SEED, FIRST_SEEN = range(4)

BEST = 14.028
"""What the best policy is paid at the defaults, see `Bandit.best_return`."""

compiled = numba.njit(error_model="numpy")


@dataclass(frozen=True)
class Bandit(Environment):
    """One arm pays 1 with `probability`, the other with 1 - `probability`; which is which is drawn at the start.

    An episode is `time_limit` pulls. Of two outputs, the first of the largest says which arm is pulled. The network
    sees one number for each arm: 1 when it was pulled last and paid, -1 when it was pulled last and did not,
    else 0; at the start both are 0.

    Every pull says as much about one arm as about the other, so that nothing is gained by exploring, and the
    best policy pulls the arm that more of the pulls so far speak for. Of t pulls each one speaks for the
    better arm with chance p, so its expected return is known in closed form, see `best_return`: 14.03 of 20
    pulls at p = 0.75, where always the same arm gives 10. There is no mark of success.

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
        0.75, "chance that the better arm pays; the other has the rest", above=0.5, maximum=1
    )
    time_limit: int = setting(20, "pulls in an episode", minimum=1)
    train: int = setting(50, "training starts", minimum=1)
    valid: int = setting(200, "validation starts", minimum=1)
    test: int = setting(1000, "test starts", minimum=1)

    @property
    def reset(self) -> Any:
        """Which arm is the better one, and the seed of the payments."""
        return drawing(self.probability)

    @property
    def observe(self) -> Any:
        """What the last pull brought."""
        return observe

    @property
    def step(self) -> Any:
        """The pull and its payment."""
        return step

    def best_return(self) -> float:
        """Return the expected return of the best policy.

        After t pulls the better arm is ahead with chance ``P(k > t / 2) + P(k = t / 2) / 2`` for k of a
        binomial distribution with t draws of chance p; the next pull pays p where it is, 1 - p where not.
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
        """Return a network of few units that can count."""
        return Recommended({"cell": "elman", "hidden": 2})


@functools.lru_cache
def drawing(probability: float) -> Any:
    """Return the function that draws a start at some chance of payment."""

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
    """What the last pull brought."""
    observation[0] = state[FIRST_SEEN]
    observation[1] = state[FIRST_SEEN + 1]


@compiled
def step(state: np.ndarray, action: np.ndarray) -> tuple[float, bool]:
    """Pull an arm; none where the outputs are NaN, which pays nothing."""
    first, second = chosen(action, 0), chosen(action, 1)
    good = (first & (state[GOOD] == 1.0)) | (second & (state[GOOD] == 2.0))
    chance = state[CHANCE] if good else 1.0 - state[CHANCE]
    state[SEED] = following(state[SEED])
    paid = (first | second) & (uniform(state[SEED]) < chance)
    outcome = 1.0 if paid else -1.0
    state[FIRST_SEEN] = outcome if first else 0.0
    state[FIRST_SEEN + 1] = outcome if second else 0.0
    return 1.0 if paid else 0.0, False
